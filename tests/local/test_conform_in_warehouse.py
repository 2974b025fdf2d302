"""Conforming in the warehouse: the same stack over the same source ends in the same tables as with the engine, to the byte, whatever
is in the source and whatever happens on the way."""

import csv
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys

import pytest

from conftest import ROOT, Sample, Workspace, wait_until

sys.path.insert(0, f"{ROOT}/tests/data")
import make_tables  # noqa: E402
from test_conform_sql import ODD  # noqa: E402

RULES = "conform: builtin:sf/spending_revenue"
IN_WAREHOUSE = (RULES, "conform: {rules: builtin:sf/spending_revenue, in: warehouse}")
TABLES = ("program", "type", "fund", "finance", "transaction", "code_alias", "type_crosswalk")
ROWS = 4000
STAGED = "select relname from pg_class where relname like 'staged%' and relkind = 'r'"


def tables(ws, names=TABLES, schema="report"):
    """{table: (rows, checksum over every column of every row)}"""
    rows = ws.sql("".join(f"select '{t}', count(*), md5(coalesce(string_agg(row_text, e'\\n' order by row_text collate \"C\"), '')) from "
                          f"(select cast(t.* as text) as row_text from {schema}.\"{t}\" t) r;\n" for t in names))
    return {name: (int(n), checksum) for name, n, checksum in rows}


def odd(rows):
    """Rows with every odd but acceptable writing in them; one that is in two samples is in both as odd."""
    for row in rows:
        rng = random.Random(",".join(value for column, value in row.items() if not column.startswith("data_")))
        for column in sorted(set(ODD) & set(row)):
            if rng.random() < 0.1:
                row[column] = rng.choice(ODD[column])
    return rows


def as_csv(rows, **how):
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, rows[0].keys(), **{"lineterminator": "\n", **how})
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


class Pair:
    """Two workspaces over one source: the engine conforms for one, the warehouse for the other."""

    def __init__(self, installed, directory):
        self.engine, self.warehouse = Workspace(installed, None), Workspace(installed, None)
        self.weeks = []
        for n in range(2):
            os.mkdir(f"{directory}/{n}")
            self.weeks.append(odd(Sample(installed, f"{directory}/{n}", ROWS, 1, "-as-of", str(n)).records()))

    def start(self):
        for ws, change in ((self.engine, ()), (self.warehouse, (IN_WAREHOUSE,))):
            ws.flagship(*change, source="{file: rows.csv}")
        self.give(as_csv(self.weeks[0]))
        self.stack = self.warehouse.read("stack.yaml")

    def give(self, text):
        for ws in (self.engine, self.warehouse):
            ws.write("rows.csv", text)

    def close(self):
        self.engine.close()
        self.warehouse.close()

    def assert_equal(self):
        assert tables(self.warehouse) == tables(self.engine)
        assert self.warehouse.changes() == {} and self.warehouse.sql(STAGED) == []

    def published(self):
        """{year or table: load that published it}"""
        return dict(self.warehouse.sql("select coalesce(cast(part as text), table_name), load_id from report.load_ledger"
                                       " where is_current and table_name <> '(load)'"))


@pytest.fixture(scope="module")
def both(installed, tmp_path_factory):
    pair = Pair(installed, tmp_path_factory.mktemp("weeks"))
    try:
        pair.start()
        yield pair
    finally:
        pair.close()


@pytest.fixture
def pair(both):
    """Both with the first week published; what a test does to the stack file is put back before it."""
    both.warehouse.write("stack.yaml", both.stack)
    both.give(as_csv(both.weeks[0]))
    both.engine.apply()
    both.warehouse.apply()
    return both


def test_every_odd_writing_comes_to_the_tables_of_the_engine_and_the_second_plan_is_empty(pair):
    pair.assert_equal()
    assert pair.warehouse.totals() == pair.engine.totals()


def test_another_writing_of_the_same_rows_publishes_no_table_anew(pair):
    before = pair.published()
    rows = list(pair.weeks[0])
    random.Random(3).shuffle(rows)
    pair.give("\ufeff" + as_csv(rows, quoting=csv.QUOTE_ALL, lineterminator="\r\n"))
    assert set(pair.warehouse.changes()) == {"dataset.spending_revenue", "upload.delivery", "load.weekly_load"}
    pair.warehouse.apply()
    assert pair.published() == before
    pair.assert_equal()


def test_of_a_second_week_only_what_differs_is_published(pair):
    before = pair.published()
    was = {row["fiscal_year"].strip() for row in pair.weeks[0]}
    pair.give(as_csv(pair.weeks[1]))
    plan = pair.warehouse.ok("sfplan").out
    assert "rows conformed in the warehouse: years, rows and totals are known after the load" in plan
    pair.engine.apply()
    pair.warehouse.apply()
    pair.assert_equal()
    after = pair.published()
    assert 0 < len([year for year in was if before[year] != after[year]]) < len(was) / 2
    assert after["finance"] == before["finance"]


def test_a_year_that_is_gone_is_taken_out_and_comes_back(pair):
    rows = [row for row in pair.weeks[0] if row["fiscal_year"].strip() != "2016"]
    for text, left in ((as_csv(rows), False), (as_csv(pair.weeks[0]), True)):
        pair.give(text)
        for ws in (pair.engine, pair.warehouse):
            ws.apply("-accept-check", "volume", "-accept-check", "eliminations")
        assert tables(pair.warehouse) == tables(pair.engine)
        assert (pair.warehouse.sql("select count(*) from report.transaction where fiscal_year = 2016") > [["0"]]) == left


def test_a_row_edited_by_hand_is_drift_of_its_year_and_is_loaded_again(pair):
    before = pair.published()
    pair.warehouse.sql("update report.transaction set amount = amount + 1 where transaction_id = (select min(transaction_id)"
                       " from report.transaction where fiscal_year = 2020)")
    assert pair.warehouse.drift() == {"load.weekly_load": "update"}
    assert "FY2020 is loaded again (edited by hand" in pair.warehouse.ok("sfplan").out
    pair.warehouse.apply()
    pair.assert_equal()
    after = pair.published()
    assert [name for name in after if after[name] != before[name]] == ["2020"]


def test_a_table_edited_by_hand_is_loaded_again(pair):
    pair.warehouse.sql("delete from report.type_crosswalk; update report.program set program = program || 'x' where program_id ="
                       " (select min(program_id) from report.program)")
    pair.warehouse.apply()
    pair.assert_equal()


def bad(rows):
    """Rows with a bad value in three of them."""
    rows = [dict(row) for row in rows]
    rows[10]["amount"], rows[20]["fiscal_year"], rows[30]["program"] = "n/a", "1998", "é" * 51
    return rows


def test_a_bad_value_stops_the_load_and_the_rows_are_kept(pair):
    before = tables(pair.warehouse)
    pair.give(as_csv(bad(pair.weeks[0])))
    result = pair.warehouse.refuse(3, "sfapply", "-auto-approve")
    assert "3 rows of data set 'spending_revenue' were rejected and max_rejects is 0; nothing was published" in result.err
    reasons = [r"line \d+, amount: is no amount in dollars and cents: 'n/a'", r"line \d+, fiscal_year: is not a fiscal year in range: '1998'",
               r"line \d+, program: is wider than its column: 'é+'"]
    for reason in reasons:
        assert re.search(reason, result.err), reason
    line = int(re.search(r"line (\d+), amount", result.err).group(1))
    assert pair.warehouse.read("rows.csv").split("\n")[line - 1].count("n/a") == 1
    kept = pair.warehouse.sql("select check_name, severity, row_text from report.load_rejects order by row_number")
    assert [row[:2] for row in kept] == [["(rejected)", "error"]] * 3 and f"line={line}, problem=amount, fiscal_year=" in kept[0][2]
    assert tables(pair.warehouse) == before and pair.warehouse.sql(STAGED) == []
    assert "load.weekly_load" in pair.warehouse.changes()


def test_with_max_rejects_the_rest_is_what_the_engine_publishes(pair):
    pair.give(as_csv(bad(pair.weeks[0])))
    texts = [ws.read("stack.yaml") for ws in (pair.engine, pair.warehouse)]
    try:
        for ws in (pair.engine, pair.warehouse):
            ws.edit("stack.yaml", ("{kind: dataset, ", "{kind: dataset, max_rejects: 3, "))
            ws.apply()
        pair.assert_equal()
        kept = pair.warehouse.sql("select severity, count(*) from report.load_rejects where check_name = '(rejected)' group by 1")
        assert kept == [["accepted", "3"]]
    finally:
        for ws, text in zip((pair.engine, pair.warehouse), texts):
            ws.write("stack.yaml", text)


def test_a_failed_check_publishes_nothing_and_keeps_the_rows(pair):
    before = tables(pair.warehouse)
    pair.give(as_csv(pair.weeks[1]))
    pair.warehouse.edit("stack.yaml", ("checks: builtin:sf/checks", 'checks: [builtin:sf/checks, {few: {check: sql, query: "select fund_id'
                                       ' from fund where fund_id > 0", columns: [fund_id]}}]'))
    result = pair.warehouse.refuse(3, "sfapply", "-auto-approve")
    assert "check 'few' failed for" in result.err
    assert tables(pair.warehouse) == before and pair.warehouse.sql(STAGED) == []
    assert pair.warehouse.sql("select distinct check_name from report.load_rejects where severity = 'error'") == [["few"]]
    pair.warehouse.apply("-accept-check", "few")
    pair.engine.apply()
    assert tables(pair.warehouse) == tables(pair.engine)


@pytest.mark.parametrize("moment", ["staged_conform_raw", "staged_conform_transaction"])
def test_a_load_that_was_killed_in_between_is_made_good_by_the_next(pair, moment):
    pair.give(as_csv(pair.weeks[1]))
    pair.engine.apply()
    run = pair.warehouse.spawn("sfapply", "-auto-approve", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: pair.warehouse.sql(f"select 1 from pg_class where relname = '{moment}'"))
    run.send_signal(signal.SIGKILL)
    pair.warehouse.finish(run)
    pair.warehouse.apply()
    pair.assert_equal()


def test_the_engine_takes_over_what_the_warehouse_conformed_and_back(pair):
    before = tables(pair.warehouse)
    pair.warehouse.edit("stack.yaml", (IN_WAREHOUSE[1], RULES))
    pair.warehouse.apply()
    assert tables(pair.warehouse) == before and pair.warehouse.changes() == {}
    pair.warehouse.write("stack.yaml", pair.stack)
    loads = pair.published()
    pair.warehouse.apply()
    assert pair.published() == loads  # by the warehouse's own digests nothing differs
    pair.assert_equal()


def test_a_saved_plan_loads_the_files_that_it_names_or_refuses(pair):
    pair.give(as_csv(pair.weeks[1]))
    pair.warehouse.ok("sfplan", "-out", "week.plan")
    shutil.rmtree(pair.warehouse.path(".sf/cache/objects/raw"))
    assert "raw/" in pair.warehouse.refuse(5, "sfapply", "week.plan").err
    pair.warehouse.apply()
    pair.engine.apply()
    pair.assert_equal()


def test_a_file_that_was_altered_in_the_bucket_is_delivered_again(pair):
    name = pair.warehouse.one(r"buckets/.*/raw/[0-9a-f]{16}\.csv\.gz")
    with open(name, "r+b") as file:
        file.truncate(100)
    pair.warehouse.apply()
    pair.assert_equal()


def test_a_row_with_a_value_in_an_unknown_column_is_rejected_as_by_the_engine(pair):
    rows = [{**row, "vendor": "x" if n in (7, 8) else " "} for n, row in enumerate(pair.weeks[0])]
    pair.give(as_csv(rows))
    texts = [ws.read("stack.yaml") for ws in (pair.engine, pair.warehouse)]
    try:
        for ws in (pair.engine, pair.warehouse):
            ws.edit("stack.yaml", ("{kind: dataset, ", "{kind: dataset, schema_contract: discard_row, "))
        result = pair.warehouse.refuse(3, "sfapply", "-auto-approve")
        assert "line 9, vendor: is a value in a column that the rules do not know" in result.err
        for ws in (pair.engine, pair.warehouse):
            ws.edit("stack.yaml", ("{kind: dataset, ", "{kind: dataset, max_rejects: 2, "))
            ws.apply()
        pair.assert_equal()
    finally:
        for ws, text in zip((pair.engine, pair.warehouse), texts):
            ws.write("stack.yaml", text)


@pytest.mark.parametrize("name, schema", [("budget", "budget"), ("vendor-payments", "vendor")])
def test_another_table_comes_to_what_the_engine_makes_of_it(ws1, name, schema):
    out = io.StringIO(newline="")
    make_tables.write(name, out, ROWS, seed=3)
    ws1.write("rows.csv", as_csv(odd(list(csv.DictReader(io.StringIO(out.getvalue(), newline=""))))))
    os.makedirs(ws1.path("parts"))
    for file in (f"{name}.yaml", "parts/warehouse.yaml"):
        shutil.copy(f"{ws1.share}/stacks/{file}", ws1.path("stack.yaml" if file.startswith(name) else file))
    ws1.env["SF_VAR_source"] = "{file: rows.csv}"
    rules = "conform: builtin:sf/" + name.replace("-", "_")
    checks = re.search(r", checks: [^}]*", ws1.read("stack.yaml")).group()
    ws1.edit("stack.yaml", (checks, ""))  # what is odd here is not what they are for
    ws1.apply()
    names = [row[0] for row in ws1.sql("select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where relkind in ('r', 'p')"
                                       f" and nspname = '{schema}' and relname not like 'load_%'")]
    by_engine = tables(ws1, names, schema)
    assert len(by_engine) > 3 and all(n for n, _ in by_engine.values())
    ws1.ok("sfdestroy", "-auto-approve")
    ws1.edit("stack.yaml", (rules, f"conform: {{rules: {rules[9:]}, in: warehouse}}"))
    ws1.apply()
    assert tables(ws1, names, schema) == by_engine and ws1.changes() == {}


@pytest.mark.skipif(not os.environ.get("SF_SLOW"), reason="takes two minutes, most of which PostgreSQL hashes; SF_SLOW=1 runs it")
def test_all_776841_rows_come_to_the_tables_of_the_engine(installed, tmp_path):
    by = []
    for changes in ((), (IN_WAREHOUSE,)):
        ws = Workspace(installed, None)
        try:
            ws.flagship(*changes, source="{sample: {rows: 776841, seed: 1}}")
            ws.apply(timeout=1200)
            by.append(tables(ws))
            assert ws.changes() == {}
        finally:
            ws.close()
    assert by[0] == by[1] and by[0]["transaction"][0] == 776841


@pytest.mark.parametrize("text, why", [("{in: warehouse}", "names no rule file"), ("{rules: builtin:sf/spending_revenue, in: cloud}", "'in' is engine"),
                                       ("{rules: builtin:sf/spending_revenue, where: warehouse}", "unknown key"), ("[a]", "must be the name of a rule file")])
def test_what_conform_cannot_mean_is_refused_with_its_place(ws1, text, why):
    ws1.flagship((RULES, f"conform: {text}"), source="{sample: {rows: 100}}")
    result = ws1.refuse(65, "sfplan")
    assert why in result.err and "stack.yaml:" in result.err


@pytest.mark.parametrize("change, why", [(lambda text: text.replace("fund_type,", "fund_tpye,", 1), "unknown column 'fund_tpye'"),
                                         (lambda text: text[:len(text) // 2] + "\0" + text[len(text) // 2:], "NUL"),
                                         (lambda text: text + "1,2\n", "line "),
                                         (lambda text: text[:text.index("\n") + 1], "no row below the header")])
def test_a_file_that_is_broken_is_refused_before_anything_is_delivered(pair, change, why):
    before = tables(pair.warehouse)
    pair.give(change(as_csv(pair.weeks[0])))
    assert why in pair.warehouse.refuse(1, "sfapply", "-auto-approve").err
    assert tables(pair.warehouse) == before


def test_destroy_leaves_nothing(installed):
    ws = Workspace(installed, None)
    try:
        ws.flagship(IN_WAREHOUSE, source="{sample: {rows: 500}}")
        ws.apply()
        ws.ok("sfdestroy", "-auto-approve")
        ws.assert_clean()
    finally:
        ws.close()
