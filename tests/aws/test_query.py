"""Questions of people to Redshift (`sfstate query`): as the reader and nobody else, one statement that reads, by either road; pages, types,
and what becomes of a long one."""

import pytest
from server_client import PASSWORD, done, set_up, sql_server  # noqa: F401  (fixtures)
from warehouse_client import Warehouse

# ruff: noqa: F811

ROADS = ["provisioned", "serverless", "direct"]


def warehouse(server, road):
    """A warehouse with a table that its reader may read, in a schema of his search path, and one that he may not."""
    dw = Warehouse(server, "serverless" if road == "serverless" else "provisioned")
    text = f'{{"username": "steward", "password": "{PASSWORD}"}}'
    dw.attrs["password"] = PASSWORD
    made = dw("run", ["create schema report", "create table report.facts (a int)", "insert into report.facts values (1), (2)",
                      "create table secrets (a int)", "create table report.many (a int)", "insert into report.many values (1)",
                      *["insert into report.many select a from report.many"] * 12, f"create user analyst password '{PASSWORD}'", "grant usage on schema report to analyst",
                      "grant select on report.facts to analyst", "grant select on report.many to analyst", "alter user analyst set search_path to report, public"])
    assert "rows" in made, made
    del dw.attrs["password"]
    if road == "serverless":
        dw.attrs["master_secret"] = done(server, "secretsmanager", "create_secret", Name="mine", SecretString=text)["ARN"]
    dw.attrs["connection"] = "direct" if road == "direct" else "data_api"
    return dw


@pytest.fixture(scope="module", params=ROADS)
def ask(request, sql_aws_server):
    sql_aws_server.control("POST", "reset")
    yield asker(warehouse(sql_aws_server, request.param))
    assert sql_aws_server.control("GET", "problems") == []


def asker(dw):
    def ask(sql, **more):
        return dw("ask", sql, user="analyst", password=PASSWORD, **more)
    ask.dw = dw
    return ask


def test_a_question_is_answered_as_the_reader_with_his_search_path(ask):
    answer = ask("select sum(a) as total, current_user as who from facts")
    assert answer == {"columns": [{"name": "total", "is_number": True}, {"name": "who", "is_number": False}], "rows": [["3", "analyst"]]}
    assert ask("select a from facts where a > 5") == {"columns": [{"name": "a", "is_number": True}], "rows": []}


TYPES = {"1::smallint": "1", "2147483648::bigint": "2147483648", "2.50::numeric(20,2)": "2.50", "-0.01::numeric(20,2)": "-0.01",
         "true": "t", "false": "f", "null::int": None, "''": "", "'a''b'": "a'b", "'caf\u00e9'": "caf\u00e9", "date '2020-01-02'": "2020-01-02",
         "timestamp '2020-01-02 03:04:05'": "2020-01-02 03:04:05", "1.5::float8": "1.5", "100::float8": "100", "0.1::float4": "0.1",
         "1e20::float8": "1e+20", "0.1::float8 + 0.2::float8": "0.30000000000000004"}


def test_values_are_written_as_in_the_local_world(ask):
    answer = ask("select " + ", ".join(f"{sql} as c{i}" for i, sql in enumerate(TYPES)))
    assert dict(zip(TYPES, answer["rows"][0])) == TYPES


def test_pages_are_put_together(ask):
    set_up(ask.dw.server, quotas={"result_page_rows": 7})
    numbers = "select 10 * t.n + o.n as n from (" + " union all ".join(f"select {i} as n" for i in range(10)) + ") t, (" + " union all ".join(
        f"select {i} as n" for i in range(10)) + ") o order by 1"
    answer = ask(numbers)
    set_up(ask.dw.server, quotas={"result_page_rows": 1000})
    assert [int(n) for [n] in answer["rows"]] == list(range(100))


@pytest.mark.parametrize("sql, code", [
    ("insert into facts values (3)", "25006"), ("update facts set a = 1", "25006"), ("DROP TABLE facts", "25006"),
    ("copy facts from 's3://x/y' iam_role 'z'", "25006"), ("set session authorization default", "25006"), ("reset session authorization", "25006"),
    ("begin", "25006"), ("vacuum", "25006"), ("unload ('select 1') to 's3://x' iam_role default", "25006"), ("call x()", "25006"),
    ("select 1; select 2", "42601"), ("select 1; reset session authorization; drop table facts", "42601"),
    ("select 'a\\'; drop table facts; --'", "42601"), ("select 1 /* /* */ ; drop table facts */", "42601"), ("select $$a$$; select 2", "42601"),
    ('select "a;b" from facts; select 1', "42601"), ("-- select\n;select 1", "42601"), ("", ""), ("  -- nothing\n", ""), (";", "25006"),
])
def test_what_is_not_one_statement_that_reads_goes_nowhere(sql_aws_server, sql, code):
    sql_aws_server.control("DELETE", "log")
    dw = Warehouse.__new__(Warehouse)
    dw.server, dw.id, dw.attrs = sql_aws_server, "dw", {"connection": "data_api", "deployment": "provisioned", "database": "dev"}
    refused = dw("ask", sql, user="analyst", password=PASSWORD)
    assert (refused["exit"], refused["remote_code"]) == (1, code), refused
    assert not [c for c in dw.server.control("GET", "log") if c["service"] == "redshift-data"]


@pytest.mark.parametrize("sql", ["select ';' as a", "select 1;", "select 1 ; -- ; that is all\n", "select 'it''s; so' as \"a;b\"", "(select 1)",
                                 "with x as (select 1 as n) select n from x", "/* ; */ select 1", "SELECT 1", "show search_path"])
def test_what_is_one_statement_is_asked(ask, sql):
    answer = ask(sql)
    assert len(answer.get("rows", [])) == 1, answer


def test_what_the_reader_may_not_read_or_make_is_refused(ask):
    refused = ask("select * from secrets")
    assert (refused["exit"], refused["remote_code"]) == (4, "42501") and "permission denied" in refused["message"], refused
    assert "'analyst' may only read the stars that name it as their reader" in refused["hint"]
    into = ask("select a into report.mine from facts")
    assert into["exit"] in (1, 4), into
    assert ask("select count(*) from facts")["rows"] == [["2"]]


def test_a_mistake_in_it_is_said_in_the_warehouses_words(ask):
    refused = ask("select nothing from facts")
    assert refused["exit"] == 1 and 'column "nothing" does not exist' in refused["message"] and refused["remote_code"] == "42703", refused


def is_running(dw):
    engine = "select count(*) from pg_stat_activity where state = 'active' and query like '%from many a, many b%' and pid <> pg_backend_pid()"
    return dw("query", engine)["rows"][0][0] != "0"


LONG = "select count(*) from many a, many b, many c, many d"


def test_a_long_one_is_cancelled_by_a_signal(ask):
    stopped = ask.dw.interrupted("ask", LONG, lambda: is_running(ask.dw), user="analyst", password=PASSWORD)
    assert stopped["exit"] == 130, stopped
    while is_running(ask.dw):
        pass


def test_one_that_takes_too_long_is_cancelled_too(ask):
    stopped = ask(LONG, wait_ms=4000)
    assert stopped["exit"] == 1, stopped
    while is_running(ask.dw):
        pass


def test_a_reader_that_is_not_there_is_made_by_an_apply(sql_server):
    dw = warehouse(sql_server, "serverless")
    refused = dw("ask", "select 1", user="nobody_yet", password=PASSWORD)
    assert refused["exit"] == 1 and "no user 'nobody_yet'" in refused["message"] and "sfapply" in refused["hint"], refused
