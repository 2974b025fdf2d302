"""Two loads into one warehouse at the same time, from one bucket, into two stars that have one reader: neither takes anything of the other's."""

import pytest

from aws.conftest import workspace_on
from aws.data_world import LANDING, TABLES, checksum_sql, with_one_amount_changed
from conftest import Sample

ROWS = 1200
ROADS = {"data_api": "manage_password: true", "direct": "manage_password: true, connection: direct, ca: ca.pem"}
STACK = """
stack: tryout
provider: aws
aws: {region: us-west-2}
variables: {source: {type: map, default: {file: rows.csv}}}
resources:
""" + LANDING + """  sql: {kind: security_group, name: tryout-sql, ingress: [{from: [203.0.113.0/24]}]}
  dw:
    kind: cluster
    identifier: tryout
    database: san_francisco
    username: steward
    roles: [load_role]
    security_groups: [sql]
    aws: {node_type: ra3.large, ROAD}
  books: {kind: dataset, source: "${var.source}", conform: builtin:sf/spending_revenue}
  delivery: {kind: upload, of: books, to: landing, via: bucket}
  one: {kind: star_schema, cluster: dw, schema: one, tables: builtin:sf/star, reader: analyst}
  two: {kind: star_schema, cluster: dw, schema: two, tables: builtin:sf/star, reader: analyst}
  load_one: {kind: load, into: one, from: delivery, role: load_role, checks: builtin:sf/checks}
  load_two: {kind: load, into: two, from: delivery, role: load_role, checks: builtin:sf/checks}
"""


@pytest.fixture(params=ROADS)
def dw(request, installed, sql_aws_server, tmp_path_factory):
    for ws in workspace_on(installed, sql_aws_server):
        ws.write("stack.yaml", STACK.replace("ROAD", ROADS[request.param]))
        ws.write("ca.pem", open(sql_aws_server.control("GET", "sql")["ca"]).read())
        ws.text = Sample(installed, tmp_path_factory.mktemp("sample"), ROWS).text()
        ws.write("rows.csv", ws.text)
        ws.road = request.param
        yield ws


def rows(ws, sql, user="steward"):
    given = ws.call("redshift-data", "execute_statement", ClusterIdentifier="tryout", Database="san_francisco", Sql=sql, WaitTimeSeconds=30,
                    DbUser=user)
    shown = ws.call("redshift-data", "describe_statement", Id=given["Id"], WaitTimeSeconds=30)
    assert shown["Status"] == "FINISHED", shown
    return [[None if "isNull" in field else str(next(iter(field.values()))) for field in record]
            for record in ws.call("redshift-data", "get_statement_result", Id=given["Id"])["Records"]]


def contents(ws, schema):
    """{table: (rows, checksum)}; fails when anything is published twice."""
    columns = {}
    for table, name in rows(ws, f"select table_name, column_name from information_schema.columns where table_schema = '{schema}'"):
        columns.setdefault(table, []).append(name)
    ledger = rows(ws, f"select table_name, cast(part as varchar(20)) from {schema}.load_ledger where is_current")
    assert len(ledger) == len(set(map(tuple, ledger)))
    assert rows(ws, f"select count(*) from pg_tables where schemaname = '{schema}_partitions' and tablename like 'staged%'") == [["0"]]
    sql = checksum_sql(columns, "cast(strtol(substring(md5($), 1, 15), 16) as numeric(38,0))").replace("report.", f"{schema}.")
    return {table: (int(n), int(total)) for table, n, total in rows(ws, sql)}


def both_are_the_same(ws):
    one, two = contents(ws, "one"), contents(ws, "two")
    assert one == two and set(one) == set(TABLES)
    assert rows(ws, "select count(*) from one.spending_revenue", "analyst") == rows(ws, "select count(*) from two.transaction", "analyst")
    return one


def test_two_loads_at_once(dw):
    dw.apply("-target=upload.delivery", "-target=cluster.dw")
    dw.call("s3", "put_object", Bucket="tryout-landing", Key="sfstack-copy/another/load.manifest", Body="{}")  # somebody's COPY is about to read it
    # of either load a first manifest, before either's first copy
    dw.faults([{"action": "PutObject", "fault": "together", "times": 2, "ms": 60000}])
    dw.apply()
    dw.faults([])
    first = both_are_the_same(dw)
    assert first["transaction"][0] == ROWS
    assert dw.changes() == {}
    left = dw.call("s3", "list_objects_v2", Bucket="tryout-landing", Prefix="sfstack-copy/")["Contents"]
    assert [entry["Key"] for entry in left] == ["sfstack-copy/another/load.manifest"]
    dw.call("s3", "delete_object", Bucket="tryout-landing", Key="sfstack-copy/another/load.manifest")

    dw.write("rows.csv", with_one_amount_changed(dw.text, "2020"))
    dw.settings(sql_faults=[{"match": r'^INSERT INTO "(one|two)" \. "transaction"', "fault": "conflict", "times": 3}])
    dw.apply()
    assert both_are_the_same(dw) != first and dw.changes() == {}
    dw.ok("sfdestroy", "-auto-approve")
    assert dw.inventory() == {} and dw.recorded() == []
