"""The paged doors, year by year: every year's rows are counted and compared, a bad one is fetched again alone, none is lost."""

import collections
import csv
import io
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from live_portal import (META, PAGE, ROWS, TABLE, assert_same, expected, live, portal, sample, snapshots,  # noqa: E402,F401
                         stop_in_the_middle, text)

GROUPS = "$group=fiscal_year"
QUERY3 = f"/api/v3/views/{TABLE}/query"


@pytest.fixture
def paged(live):
    live.source(f"{{datasf: {TABLE}, door: soda2}}")
    return live


def of_year(year):
    return f"$where=fiscal_year='{year}'"


def years_of(table):
    return collections.Counter(row[table.fields.index("fiscal_year")] for row in table.rows)


def half(portal, year):
    """A whole page with half of a year's rows."""
    table = portal.tables[TABLE]
    return table.page(years_of(table)[year] // 2, 0, f"fiscal_year='{year}'")


def with_years(text, *values):
    """The first rows with other years."""
    rows = list(csv.reader(io.StringIO(text)))
    for row, value in zip(rows[1:], values):
        row[rows[0].index("fiscal_year")] = value
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def test_every_year_is_asked_for_alone_in_order_after_one_count(paged, portal, expected):
    paged.apply()
    assert_same(paged, expected)
    asked = [line for line in portal.asked() if META not in line]
    assert GROUPS in asked[0] and len(portal.asked(GROUPS)) == 1
    assert asked[1:] == [f"GET {PAGE}?$where=fiscal_year='{year}'&$order=:id&$limit=50000&$offset=0" for year in range(1999, 2028)]


def test_a_year_larger_than_a_page_comes_in_pages(paged, portal, expected):
    paged.source(f"{{datasf: {TABLE}, door: soda2, page_rows: 100}}")
    paged.apply()
    assert_same(paged, expected)
    n = years_of(portal.tables[TABLE])["2012"]
    assert [line.rpartition("=")[2] for line in portal.asked(of_year(2012))] == [str(at) for at in range(0, n, 100)]


def test_soda3_goes_year_by_year_too(live, portal, expected):
    live.env["SF_APP_TOKEN"] = "good"
    live.source(f"{{datasf: {TABLE}, door: soda3, page_rows: 150}}")
    live.apply()
    assert_same(live, expected)
    bodies = [r.body.decode() for r in portal.requests if r.path == QUERY3 + ".csv"]
    assert len([r for r in portal.requests if r.path == QUERY3 + ".json"]) == 1
    assert sum("WHERE fiscal_year='2012' ORDER BY :id" in body for body in bodies) == -(-years_of(portal.tables[TABLE])["2012"] // 150)


def test_a_break_costs_one_year(paged, portal, expected):
    portal.fault(of_year(2012), cut=2000)
    paged.apply()
    assert_same(paged, expected)
    assert len(portal.asked(of_year(2012))) == 2 and len(portal.asked(PAGE)) == 30


@pytest.mark.parametrize("page_rows", [50000, 40])
def test_a_year_that_comes_short_is_fetched_again_alone(paged, portal, expected, page_rows):
    paged.source(f"{{datasf: {TABLE}, door: soda2, page_rows: {page_rows}}}")
    whole = paged_requests(portal, page_rows)
    portal.fault(of_year(2012), skip=1 if page_rows == 40 else 0, body=portal.tables[TABLE].page(20, 40, "fiscal_year='2012'"))
    paged.apply()
    assert_same(paged, expected)
    again = 2 if page_rows == 40 else 1  # the pages that came before it was seen to be short
    assert len(portal.asked(of_year(2012))) == whole["2012"] + again
    assert len(portal.asked(PAGE)) == sum(whole.values()) + again


def paged_requests(portal, page_rows):
    return {year: -(-n // page_rows) for year, n in years_of(portal.tables[TABLE]).items()}


def test_a_year_that_stays_short_is_named_and_nothing_is_kept(paged, portal):
    portal.fault(of_year(2012), times=99, body=half(portal, "2012"))
    result = paged.refuse(6, "sfplan")
    n = years_of(portal.tables[TABLE])["2012"]
    assert f"{n // 2} rows of fiscal_year 2012 came, but the portal counts {n}" in result.err
    assert snapshots(paged) == [] and len(portal.asked(of_year(2012))) == 9 and len(portal.asked(of_year(2011))) == 3


def test_rows_without_a_year_are_not_lost(paged, portal, text):
    portal.publish(TABLE, with_years(text, "", "", ""))
    paged.apply()
    assert len(portal.asked("$where=fiscal_year is null")) == 1
    shown = paged.show("dataset.d")
    assert (shown["rows"], shown["rejected"]) == (ROWS - 3, 3)


def test_years_that_are_no_years_are_asked_for_as_they_are(paged, portal, text):
    portal.publish(TABLE, with_years(text, "20'25", "O''Neill & co?", "2025 ", "\u00fc"))
    paged.apply()
    shown = paged.show("dataset.d")
    assert shown["rows"] + shown["rejected"] == ROWS
    assert all(len(portal.asked(of_year(year))) == 1 for year in ("20''25", "O''''Neill & co?", "2025 ", "\u00fc"))


def test_a_numeric_year_is_not_quoted(paged, portal, installed):
    portal.publish(TABLE, sample(installed, "-layout", "2017"), types={"fiscal_year": "number"})
    paged.apply()
    assert paged.show("dataset.d")["rows"] == ROWS and len(portal.asked("$where=fiscal_year=2012&")) == 1


@pytest.mark.parametrize("how", ["refused", "nonsense", "too_many"])
def test_a_table_whose_years_cannot_be_counted_is_fetched_as_one(paged, portal, expected, how):
    if how == "refused":
        portal.has_groups = False
    else:
        portal.fault(GROUPS, body='[{"fiscal_year": {}}]' if how == "nonsense" else
                     "[" + ",".join(f'{{"fiscal_year":"{n}","count":"6"}}' for n in range(1001)) + "]")
    paged.apply()
    assert_same(paged, expected)
    assert portal.asked(PAGE) == [f"GET {PAGE}?$order=:id&$limit=50000&$offset=0"]


@pytest.mark.parametrize("page_rows", [50000, 50])
def test_after_a_kill_years_that_came_are_not_asked_for_again(paged, portal, expected, page_rows):
    paged.source(f"{{datasf: {TABLE}, door: soda2, page_rows: {page_rows}}}")
    stop_in_the_middle(paged, portal, of_year(2012), signal.SIGKILL, skip=0 if page_rows == 50000 else 2, stall=500)
    portal.forget()
    paged.apply()
    assert_same(paged, expected)
    assert portal.asked(of_year(2011)) == [] and len(portal.asked(of_year(2013))) > 0
    assert portal.asked(of_year(2012))[0].endswith("offset=0" if page_rows == 50000 else "offset=100")


def test_a_year_taken_up_in_the_middle_that_turns_out_short_begins_everything_again(paged, portal, expected):
    paged.source(f"{{datasf: {TABLE}, door: soda2, page_rows: 50}}")
    stop_in_the_middle(paged, portal, of_year(2012), signal.SIGKILL, skip=2, stall=500)
    portal.forget()
    portal.fault(of_year(2012), body=portal.tables[TABLE].page(20, 0, "fiscal_year='2012'"))
    paged.apply()
    assert_same(paged, expected)
    assert len(portal.asked(of_year(2011))) > 0


def test_years_that_count_otherwise_after_a_kill_are_fetched_anew(paged, portal, text, installed):
    stop_in_the_middle(paged, portal, of_year(2012), signal.SIGKILL, stall=5000)
    portal.publish(TABLE, with_years(text, "2024", "2024"))  # the same time, size and columns
    portal.forget()
    paged.apply()
    assert len(portal.asked(PAGE)) == 29 and paged.show("dataset.d")["rows"] == ROWS
