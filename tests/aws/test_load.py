"""A star and its load on Redshift, through the Data API: made, read by its reader, checked, refused and explained, taken away."""

import csv
import io
import re

import pytest

from aws.conftest import AwsWorkspace
from aws.data_world import LANDING
from conftest import Sample

ROWS = 1500
STACK = """
stack: tryout
provider: aws
aws: {region: us-west-2}
variables:
  source: {type: map}
resources:
""" + LANDING + """  dw:
    kind: cluster
    identifier: tryout
    database: san_francisco
    username: steward
    roles: [load_role]
    aws: {node_type: ra3.large, manage_password: true}
  books: {kind: dataset, source: "${var.source}", conform: builtin:sf/spending_revenue}
  delivery: {kind: upload, of: books, to: landing, via: bucket}
  star: {kind: star_schema, cluster: dw, schema: report, tables: builtin:sf/star, reader: analyst}
  weekly: {kind: load, into: star, from: delivery, role: load_role, checks: builtin:sf/checks}
"""


@pytest.fixture(scope="module")
def text(installed, tmp_path_factory):
    return Sample(installed, tmp_path_factory.mktemp("sample"), ROWS).text()


class LoadWorkspace(AwsWorkspace):
    def stack(self, *changes, source="{file: rows.csv}"):
        self.write("stack.yaml", STACK)
        if changes:
            self.edit("stack.yaml", *changes)
        self.env["SF_VAR_source"] = source

    def star(self):
        with open(f"{self.share}/schemas/data/sf/star.yaml") as file:
            return file.read()

    def inventory_of_copies(self):
        """Manifests of COPY that are left in the bucket."""
        return [entry["Key"] for entry in self.call("s3", "list_objects_v2", Bucket="tryout-landing", Prefix="sfstack-copy/").get("Contents", [])]

    def rows(self, sql, **who):
        """Rows of a query through the Data API, as texts."""
        who = who or {"DbUser": "steward"}
        given = self.call("redshift-data", "execute_statement", ClusterIdentifier="tryout", Database="san_francisco", Sql=sql,
                          WaitTimeSeconds=30, **who)
        shown = self.call("redshift-data", "describe_statement", Id=given["Id"], WaitTimeSeconds=30)
        assert shown["Status"] == "FINISHED", shown
        if not shown["HasResultSet"]:
            return []
        return [[None if "isNull" in field else str(next(iter(field.values()))) for field in record]
                for record in self.call("redshift-data", "get_statement_result", Id=given["Id"])["Records"]]


@pytest.fixture
def dw(installed, sql_aws_server, text):
    workspace = LoadWorkspace(installed, sql_aws_server)
    try:
        workspace.stack()
        workspace.write("rows.csv", text)
        yield workspace
        assert workspace.problems() == []
    finally:
        workspace.close()


def test_a_star_is_made_loaded_read_and_taken_away(dw, text):
    dw.apply()
    assert dw.rows("select count(*), count(distinct fiscal_year) from report.transaction")[0][0] == str(ROWS)
    assert dw.changes() == {} and dw.drift() == {}
    # his rights, his path and no more
    assert dw.rows("select count(*) from report.spending_revenue", DbUser="analyst") == [[str(ROWS)]]
    assert dw.rows("select array_to_string(useconfig, ';') from pg_user where usename = 'analyst'") == [["search_path=report, public"]]
    assert dw.rows("select has_table_privilege('analyst', 'report.transaction', 'DELETE'), "
                   "has_schema_privilege('analyst', 'report', 'CREATE')") == [["False", "False"]]
    assert len(dw.rows("select 1 from pg_description d join pg_class c on c.oid = d.objoid join pg_namespace n on n.oid = c.relnamespace "
                       "where n.nspname = 'report'")) > 200
    dw.ok("sfdestroy", "-auto-approve")
    assert dw.inventory() == {} and dw.recorded() == []


# --- what keeps a load from being published ---


def published(dw):
    return dw.rows("select count(*), coalesce(sum(amount), 0) from report.transaction")


def with_cell(text, row, column, value):
    """The table with one cell changed."""
    rows = list(csv.reader(io.StringIO(text)))
    rows[row][rows[0].index(column)] = value
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def test_a_failed_check_publishes_nothing_and_shows_the_rows(dw):
    own = ("{no_big: {check: accepted_range, table: transaction, column: amount, max: 0}, "
           "few: {check: accepted_values, table: finance, column: finance_id, values: [1]}}")
    dw.stack(("checks: builtin:sf/checks", f"checks: [builtin:sf/checks, {own}]"))
    failed = dw.refuse(3, "sfapply", "-auto-approve")
    assert re.search(r"check 'no_big' failed for [\d,]+ rows; nothing was published", failed.err), failed
    assert "transaction_id=" in failed.err and "failed too: few (1)" in failed.err and "-accept-check no_big -accept-check few" in failed.err
    assert published(dw) == [["0", "0"]]
    assert dw.rows("select check_name, severity, count(*) from report.load_rejects group by 1, 2 order by 1")[0] == ["few", "error", "1"]
    assert dw.rows("select count(*) from pg_tables where schemaname = 'report_partitions' and tablename like 'staged%'") == [["0"]]
    assert dw.inventory_of_copies() == []
    dw.ok("sfapply", "-auto-approve", "-accept-check", "no_big", "-accept-check", "few")
    assert published(dw)[0][0] == str(ROWS)
    [accepted] = dw.rows("select accepted from report.load_ledger where is_current and table_name = '(load)'")
    assert re.fullmatch(r"no_big=\d+ few=1", accepted[0])


def test_a_row_that_does_not_fit_is_named_by_file_line_and_column(dw):
    dw.write("star.yaml", dw.star().replace("program: {type: text, bytes: 100,", "program: {type: text, bytes: 10,"))
    dw.stack(("tables: builtin:sf/star", "tables: star.yaml"))
    dw.apply("-target=star_schema.star")
    dw.rows("insert into sf_internal.load_errors (query_id, database_name, file_name, line_number, column_name, error_code, error_message)"
            " values (2000000000, 'san_francisco', 's3://elsewhere/x', 1, 'x', 1, 'of a load at the same time')")
    failed = dw.refuse(1, "sfapply", "-auto-approve")
    assert "copy program: " in failed.err, failed
    assert re.search(r"s3://tryout-landing/program/\w+\.csv\.gz, line \d+, column program: ", failed.err), failed
    assert "elsewhere" not in failed.err, failed
    assert published(dw) == [["0", "0"]]


@pytest.mark.parametrize("change, says", [
    (("    roles: [load_role]\n", ""), "attach the role to the warehouse"),
    (("        - {Sid: Get, Effect: Allow, Action: s3:GetObject, Resource: \"${landing.arn}/*\"}\n", ""), "s3:GetObject")])
def test_a_role_that_is_refused_is_explained(dw, change, says):
    dw.stack(change)
    failed = dw.run("sfapply", "-auto-approve")
    assert failed.code and says in failed.err, failed
    assert published(dw) == [["0", "0"]]


def test_a_row_edited_by_hand_is_drift_of_its_year_alone(dw):
    dw.apply()
    before = published(dw)
    year = dw.rows("select max(fiscal_year) from report.transaction")[0][0]
    dw.rows(f"update report.transaction set amount = amount + 1 where fiscal_year = {year}")
    assert dw.drift() == {"load.weekly": "update"}
    loads = dw.rows("select count(*) from report.load_ledger")
    dw.apply()
    assert published(dw) == before and dw.changes() == {}
    # that year and the load as a whole
    assert int(dw.rows("select count(*) from report.load_ledger")[0][0]) == int(loads[0][0]) + 2


# --- exactly once ---


@pytest.mark.parametrize("fault", ["reset-before", "reset-after", "500-after"])
def test_a_lost_reply_never_loads_twice(dw, fault):
    dw.fault("BatchExecuteStatement", fault, every=3)
    result = dw.run("sfapply", "-auto-approve")
    dw.faults([])
    if result.code:
        dw.apply()
    assert published(dw)[0][0] == str(ROWS) and dw.changes() == {}
    assert dw.rows("select count(*) from report.load_ledger where table_name = '(load)'") == [["1"]]


def test_a_commit_that_is_acknowledged_late_is_one_load(dw):
    dw.settings(sql_faults=[{"match": "^UPDATE", "fault": "late", "looks": 5, "times": 1}])
    dw.apply()
    assert dw.rows("select count(*) from report.load_ledger where table_name = '(load)'") == [["1"]] and dw.changes() == {}


def test_another_transaction_in_the_way_is_waited_for(dw):
    dw.settings(sql_faults=[{"match": "^UPDATE", "fault": "conflict", "times": 1}])
    dw.apply()
    assert dw.rows("select count(*) from report.load_ledger where table_name = '(load)'") == [["1"]] and dw.changes() == {}


def test_a_manifest_that_cannot_be_put_is_put_again_alone(dw):
    dw.apply("-target=upload.delivery", "-target=star_schema.star")
    dw.control("DELETE", "log")
    dw.faults([{"action": "PutObject", "fault": "500", "nth": n} for n in (4, 5)])  # three tables are staged by then
    dw.apply()
    sqls = [sql for call in dw.log() if call["action"] == "BatchExecuteStatement" for sql in call["params"]["Sqls"]]
    copied = [sql.split(" ")[1] for sql in sqls if sql.startswith("copy ")]
    assert len(copied) == 7 == len(set(copied)), copied
    assert published(dw)[0][0] == str(ROWS) and dw.inventory_of_copies() == []


def test_checks_that_no_batch_holds_are_refused_by_the_plan(dw):
    values = ", ".join(f"{n}{'x' * 80}" for n in range(1500))
    dw.write("long.yaml", f"checks: 1\nlist:\n  long: {{check: accepted_values, table: program, column: program, values: [{values}]}}\n")
    dw.stack(("checks: builtin:sf/checks", "checks: [builtin:sf/checks, long.yaml]"))
    refused = dw.refuse(65, "sfplan")
    assert re.search(r"load.weekly.*takes a statement of \d+ bytes", refused.err), refused
    assert "connection: direct" in refused.err, refused


def test_conforming_in_the_warehouse_is_done_again_when_publishing_is_tried_again(dw):
    """What it makes is dropped after the first try; by the same client token the second would be told that it is there."""
    dw.edit("stack.yaml", ("conform: builtin:sf/spending_revenue", "conform: {rules: builtin:sf/spending_revenue, in: warehouse}"))
    dw.apply("-target=star_schema.star")
    dw.control("DELETE", "log")
    dw.fault("BatchExecuteStatement", "throttle", nth=10)  # after the raw rows, what is made of them, and seven tables: to publish
    dw.apply()
    batches = [call["params"]["Sqls"][0] for call in dw.log() if call["action"] == "BatchExecuteStatement" and call["status"] == 200]
    assert len([sql for sql in batches if sql.startswith('drop table if exists "report_partitions"."staged_conform_rejected"')]) == 2
    assert published(dw)[0][0] == str(ROWS) and dw.changes() == {}


@pytest.mark.parametrize("statement", ["^VACUUM", "^ANALYZE", "^COMMENT ON VIEW"])
def test_what_follows_a_load_may_fail(dw, statement):
    dw.settings(sql_faults=[{"match": statement, "fault": "error", "message": "not now", "times": 1}])
    done = dw.ok("sfapply", "-auto-approve")
    assert "warning" in done.err + done.out and "not now" in done.err + done.out, done
    assert published(dw)[0][0] == str(ROWS)
    dw.settings(sql_faults=[])
    dw.apply()
    assert dw.changes() == {}
