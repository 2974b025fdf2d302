"""`sfstate query`: what a person asks, answered as the reader, and nothing that writes."""

import csv
import io
import json

import pytest

YEARS = "select fiscal_year, spending from year_totals order by fiscal_year"


def test_a_query_answers_as_a_table_csv_or_json(finance):
    with finance.unchanged():
        table = finance.ok("sfstate", "query", YEARS).out.splitlines()
        assert table[0].split() == ["fiscal_year", "|", "spending"] and set(table[1]) == set("-+")
        assert table[-1] == "(29 rows)" and len({len(line) for line in table[:-1]}) == 1
        lines = list(csv.DictReader(io.StringIO(finance.ok("sfstate", "query", "star", YEARS, "-csv").out, newline="")))
        objects = [json.loads(line, parse_float=str) for line in finance.ok("sfstate", "-json", "query", "star_schema.star", YEARS).out.splitlines()]
    assert [(row["fiscal_year"], row["spending"]) for row in lines] == [(str(o["fiscal_year"]), o["spending"]) for o in objects]
    assert [[row["fiscal_year"], row["spending"]] for row in lines] == finance.query(YEARS)


@pytest.mark.parametrize("statement, code, sqlstate, says", [
    ("select nothing from program", 1, "42703", "does not exist"),
    ("selec 1", 1, "42601", "syntax error"),
    ("delete from program", 1, "25006", "cannot execute DELETE"),
    ("insert into finance values (3, 'x')", 1, "25006", "cannot execute INSERT"),
    ("create table mine (a int)", 1, "25006", "cannot execute CREATE TABLE"),
    ("drop view fiscal_year", 1, "25006", "cannot execute DROP VIEW"),
    ("select 1; delete from program", 1, "42601", "one statement at a time"),
    ("do $$ begin set transaction read write; delete from report.program; end $$", 1, "25001", "before any query"),
    ("set role steward", 4, "42501", "permission denied"),
    ("select pg_read_file('/etc/passwd')", 4, "42501", "permission denied"),
    ("copy program to stdout", 1, None, "gives no table"),
    ("", 1, None, "is empty"),
])
def test_a_statement_that_is_wrong_or_writes_is_refused_with_its_sqlstate(finance, statement, code, sqlstate, says):
    with finance.unchanged():
        before = finance.query("select count(*) from program")
        result = finance.refuse(code, "sfstate", "query", statement)
        assert says in result.err and result.out == "", result
        assert sqlstate is None or f"[{sqlstate}]" in result.err, result
        assert finance.query("select count(*) from program") == before


def test_what_a_person_mistypes_is_told(finance):
    assert "put it in quotes" in finance.refuse(64, "sfstate", "query").err
    assert "put it in quotes" in finance.refuse(64, "sfstate", "query", "select", "fiscal_year", "from", "year_totals").err
    assert "is a cluster" in finance.refuse(64, "sfstate", "query", "dw", "select 1").err
    assert "no resource 'nobody'" in finance.refuse(64, "sfstate", "query", "nobody", "select 1").err
    both = finance.run("sfstate", "query", "select 1", "-csv", "-json")
    assert both.code == 64 and "cannot both be" in both.out, both


def test_neither_the_environment_nor_a_stopped_server_misleads_a_query(finance):
    hostile = {"PGHOST": "192.0.2.1", "PGOPTIONS": "-c search_path=pg_catalog", "PGDATESTYLE": "German", "PGUSER": "nobody"}
    shown = finance.ok("sfstate", "query", "select starts_on from fiscal_year where fiscal_year = 2025", "-csv", env=hostile).out
    assert shown == "starts_on\n2024-07-01\n"
    finance.edit("stack.yaml", ("    identifier:", "    running: false\n    identifier:"))
    finance.apply()
    assert "is stopped" in finance.refuse(1, "sfstate", "query", "select 1").err


def test_before_the_first_apply_there_is_nothing_to_ask(ws1):
    ws1.flagship()
    assert "does not exist yet" in ws1.refuse(1, "sfstate", "query", "select 1").err
