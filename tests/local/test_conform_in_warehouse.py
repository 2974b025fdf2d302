"""Conforming in the warehouse: the same stack over the same source ends in the same tables as with the engine, to the byte."""

import csv
import io
import signal

import pytest

from conftest import SMALL, Sample, Workspace, cents

IN_WAREHOUSE = ("conform: builtin:sf/spending_revenue", "conform: {rules: builtin:sf/spending_revenue, in: warehouse}")
TABLES = ("program", "type", "fund", "finance", "transaction", "code_alias", "type_crosswalk")


def tables(ws):
    """{table: (rows, checksum over every column of every row)}"""
    rows = ws.sql("".join(f"select '{t}', count(*), md5(coalesce(string_agg(row_text, e'\\n' order by row_text collate \"C\"), '')) from "
                          f"(select cast(t.* as text) as row_text from report.\"{t}\" t) r;\n" for t in TABLES))
    return {name: (int(n), sum) for name, n, sum in rows}


class Pair:
    """Two workspaces over one source: the engine conforms for one, the warehouse for the other."""

    def __init__(self, installed):
        self.engine, self.warehouse = Workspace(installed, None), Workspace(installed, None)

    def start(self, source):
        self.engine.flagship(source=source)
        self.warehouse.flagship(IN_WAREHOUSE, source=source)
        self.engine.apply()
        self.warehouse.apply()

    def close(self):
        self.engine.close()
        self.warehouse.close()


@pytest.fixture(scope="module")
def pair(installed):
    pair = Pair(installed)
    try:
        pair.start(SMALL)
        yield pair
    finally:
        pair.close()


def test_the_tables_are_those_of_the_engine_and_the_second_plan_is_empty(pair):
    assert tables(pair.warehouse) == tables(pair.engine)
    assert pair.warehouse.totals() == pair.engine.totals()
    assert pair.warehouse.changes() == {}
