"""Two loads into one warehouse at the same time, from one bucket, into two stars that have one reader: neither takes anything of the other's."""

from aws.data_world import LANDING, with_one_amount_changed
from conftest import Sample

STACK = """
stack: tryout
provider: local
variables: {password: {type: string, secret: true, generate: {length: 32}}}
resources:
""" + LANDING + """  dw: {kind: cluster, identifier: tryout, database: san_francisco, username: steward, password: "${var.password}", roles: [load_role]}
  books: {kind: dataset, source: {file: rows.csv}, conform: builtin:sf/spending_revenue}
  delivery: {kind: upload, of: books, to: landing, via: bucket}
  one: {kind: star_schema, cluster: dw, schema: one, tables: builtin:sf/star, reader: analyst}
  two: {kind: star_schema, cluster: dw, schema: two, tables: builtin:sf/star, reader: analyst}
  load_one: {kind: load, into: one, from: delivery, role: load_role, checks: builtin:sf/checks}
  load_two: {kind: load, into: two, from: delivery, role: load_role, checks: builtin:sf/checks}
"""
LOOK = "select fiscal_year, count(*), sum(amount), sum(hashtext(cast(t as text))) from {}.transaction t group by 1 order by 1"


def both_are_the_same(ws):
    one, two = (ws.sql(LOOK.format(schema)) for schema in ("one", "two"))
    assert one == two and one
    for schema in ("one", "two"):
        ledger = ws.sql(f"select table_name, part from {schema}.load_ledger where is_current")
        assert len(ledger) == len(set(map(tuple, ledger)))
        assert ws.sql(f"select count(*) from pg_tables where schemaname = '{schema}_partitions' and tablename like 'staged%'") == [["0"]]
    return one


def test_two_loads_at_once(ws, installed, tmp_path):
    ws.write("stack.yaml", STACK)
    text = Sample(installed, tmp_path, 1200).text()
    ws.write("rows.csv", text)
    ws.apply()
    first = both_are_the_same(ws)
    assert sum(int(row[1]) for row in first) == 1200
    ws.write("rows.csv", with_one_amount_changed(text, "2020"))
    ws.apply()
    assert both_are_the_same(ws) != first and ws.changes() == {} and ws.drift() == {}
    ws.ok("sfdestroy", "-auto-approve")
    assert ws.recorded() == []
    ws.assert_clean()
