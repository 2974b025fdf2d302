"""The city's budget and vendor payments: stacks of their own and together, each table in the warehouse held against the recount."""

import collections
import contextlib
import csv
import io
import os
import shlex
import sys
import time

import pytest

from conftest import ACCOUNTS, Shared, Workspace, cents

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data"))
import make_tables  # noqa: E402
import reference_conform as reference  # noqa: E402
import soda  # noqa: E402

ROWS = 5000
# stack: id at the portal, table of the recount, schema, fact
TABLES = {"budget": ("xdgd-c79v", reference.BUDGET, "budget", "budget_line"),
          "vendor-payments": ("n9pm-xkyq", reference.VENDOR_PAYMENTS, "vendor", "payment")}
NAME = {"budget": "budget", "vendor-payments": "vendor_payments"}


def text_of(name, **options):
    out = io.StringIO(newline="")
    make_tables.write(name, out, ROWS, **{"seed": 3, **options})
    return out.getvalue()


def stack(ws, name):
    """The stack as it stands, and what it includes."""
    os.makedirs(ws.path("parts"), exist_ok=True)
    for source, target in ((f"{name}.yaml", "stack.yaml"), ("parts/warehouse.yaml", "parts/warehouse.yaml")):
        with open(f"{ws.share}/stacks/{source}") as file:
            ws.write(target, file.read())


def table(ws, schema, name, columns="*"):
    """Rows of a table, as the reader, sorted: lists of texts, nothing for null."""
    sql = f'select {columns} from {schema}."{name}"'
    result = ws.shell(f"{ws.output('psql_command')} -X -q --csv -t -c {shlex.quote(sql)}")
    assert result.code == 0, result
    return sorted(csv.reader(io.StringIO(result.out)))


def assert_is_the_recount(ws, name, text):
    """Every column of every row of every table."""
    _, kind, schema, fact = TABLES[name]
    expected = reference.conform(reference.read_rows(text, kind), kind)
    dataset = ws.show(f"dataset.{NAME[name]}")
    for which, want in expected.tables.items():
        columns = ", ".join(f'"{column}"' for column in dataset["tables"][which]["columns"])
        assert table(ws, schema, which, columns) == sorted(csv.reader(want)), which
    want = sorted(csv.reader(line for lines in expected.years.values() for line in lines))
    assert table(ws, schema, fact, ", ".join(dataset["fact_columns"])) == want
    return expected


@pytest.fixture(scope="module", params=[(name, account) for name in TABLES for account in ACCOUNTS], ids="-".join)
def shared(request, installed):
    """Each stack over rows.csv, applied."""
    name, account = request.param

    def prepare(ws):
        stack(ws, name)
        ws.write("rows.csv", text_of(name))
        ws.env["SF_VAR_source"] = "{file: rows.csv}"
    shared = Shared(installed, account, prepare)
    shared.name = name
    yield shared
    shared.close()


@pytest.fixture
def city(shared):
    ws = shared.get()
    ws.name = shared.name
    yield ws
    ws.write("rows.csv", text_of(shared.name))
    shared.give_back()


@pytest.mark.parametrize("name", TABLES)
def test_the_first_plan_says_what_would_be_loaded(ws1, name):
    stack(ws1, name)
    text = text_of(name)
    ws1.write("rows.csv", text)
    result = ws1.run("sfplan", "-var", "source={file: rows.csv}")
    years = {row["fiscal_year"] for row in reference.read_rows(text, TABLES[name][1])}
    assert f"load.weekly_load: {len(years)} of {len(years)} years to load\n    FY{max(years)} +" in result.out, result


def test_each_row_of_each_table_is_the_recounts_and_a_second_apply_has_nothing_to_do(city):
    assert_is_the_recount(city, city.name, text_of(city.name))
    with city.unchanged():
        assert city.changes() == {} and city.drift() == {}
        assert city.apply().out.startswith("No changes.")


def test_the_flat_view_has_every_row_under_the_names_of_the_portal(city):
    _, kind, schema, _ = TABLES[city.name]
    view, amount = {"budget": ("budget", "budget"), "vendor": ("vendor_payments", "vouchers_paid")}[schema]
    rows = reference.read_rows(text_of(city.name), kind)
    total = sum(reference.cents(row[amount]) for row in rows)
    assert [(n, cents(t)) for n, t in city.query(f"select count(*), sum({amount}) from {schema}.{view}")] == [(str(ROWS), total)]
    columns = {c for c, in city.query(f"select column_name from information_schema.columns where table_schema = '{schema}'"
                                      f" and table_name = '{view}'")}
    ignored = {"budget": {"related_govt_unit"}, "vendor": {"data_as_of"}}[schema]
    assert columns == set(make_tables.TABLES[city.name][0]) - ignored


def test_the_views_add_up_to_the_recount(city):
    _, kind, schema, _ = TABLES[city.name]
    totals = reference.conform(reference.read_rows(text_of(city.name), kind), kind).totals
    if schema == "budget":
        for year, spending, revenue, difference, n in city.query("select * from budget.budget_by_year"):
            (n1, want1), (n2, want2) = totals[int(year), "Spending"], totals[int(year), "Revenue"]
            assert [cents(spending), cents(revenue), cents(difference), int(n)] == [want1, want2, want2 - want1, n1 + n2]
            assert abs(cents(difference)) <= 500  # a budget is balanced to a few dollars
        assert [list(map(cents, row)) for row in city.query("select sum(spending), sum(revenue) from budget.budget_by_department")] == [
            [sum(t for (_, side), (_, t) in totals.items() if side == wanted) for wanted in ("Spending", "Revenue")]]
        return
    for view in ("paid_by_vendor", "paid_by_department"):
        found = city.query(f"select fiscal_year, sum(row_count), sum(paid), sum(pending), sum(retainage) from vendor.{view} group by 1")
        assert {int(year): [int(n), *map(cents, amounts)] for year, n, *amounts in found} == {y: v for (y, _), v in totals.items()}
    assert city.query("select count(*) from (select 1 from vendor.paid_by_vendor group by fiscal_year, vendor having count(*) > 1) x") == [["0"]]


def test_another_week_loads_the_years_that_changed_and_leaves_what_a_fresh_load_would(city):
    _, kind, schema, fact = TABLES[city.name]
    header, *rows = csv.reader(io.StringIO(text_of(city.name)))
    at = header.index("voucher" if schema == "vendor" else "budget")
    year = header.index("fiscal_year")
    chosen = [row for row in rows if row[year] == "2019"][:3]
    for n, row in enumerate(chosen):
        row[at] = f"0009{n}" if schema == "vendor" else "12.34"
    rows.remove(next(row for row in rows if row[year] == "2024"))
    if schema == "vendor":  # an amount that was pending is paid: the same row, with other measures
        row = next(row for row in rows if row[year] == "2012")
        row[header.index("vouchers_pending")] = "77.10"
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    before = dict(map(tuple, city.query(f"select part, load_id from {schema}.load_ledger where part is not null and is_current")))
    city.write("rows.csv", out.getvalue())
    city.apply()
    after = dict(map(tuple, city.query(f"select part, load_id from {schema}.load_ledger where part is not null and is_current")))
    assert {y for y in after if after[y] != before[y]} == ({"2012", "2019", "2024"} if schema == "vendor" else {"2019", "2024"})
    assert_is_the_recount(city, city.name, out.getvalue())
    assert city.changes() == {}


def test_an_edit_by_hand_of_any_column_of_the_facts_is_drift_and_is_put_right(city):
    _, _, schema, fact = TABLES[city.name]
    columns = {"budget": {"budget": "budget + 1"},
               "vendor": {"voucher": "coalesce(voucher, '') || 'x'", "purchase_order": "null", "vouchers_pending": "vouchers_pending + 1",
                          "vouchers_pending_retainage": "vouchers_pending_retainage + 1"}}[schema]
    for column, value in columns.items():
        city.sql(f"update {schema}.{fact} set {column} = {value} where {fact}_id = (select min({fact}_id) from {schema}.{fact}"
                 f" where fiscal_year = 2015{' and purchase_order is not null' if column == 'purchase_order' else ''})")
        assert city.changes() == {"load.weekly_load": "update"}, column
        city.apply()
    assert_is_the_recount(city, city.name, text_of(city.name))


def test_a_bad_row_publishes_nothing_and_is_named(city):
    header, *rows = csv.reader(io.StringIO(text_of(city.name)))
    column = {"budget": "budget", "vendor-payments": "vouchers_pending"}[city.name]
    rows[41][header.index(column)] = "much"
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    city.write("rows.csv", out.getvalue())
    result = city.refuse(3, "sfapply", "-auto-approve")
    assert column in result and "is not a number" in result, result
    city.write("rows.csv", text_of(city.name))
    city.apply()
    assert_is_the_recount(city, city.name, text_of(city.name))


def test_how_old_a_table_without_data_as_of_is_is_told_by_when_it_was_filled(city):
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000", time.gmtime())
    stamps = {"budget": "2026-09-20T23:05:20.000", "vendor-payments": "2026-09-21T03:03:01.000"}
    for stamp, is_old in (("2026-08-01T03:04:05.000", True), (now, False)):
        city.write("rows.csv", text_of(city.name).replace(stamps[city.name], stamp))
        result = city.apply("-replace=load.weekly_load")
        assert ("check 'freshness' failed" in result) == is_old, result


@pytest.mark.parametrize("name", TABLES)
def test_the_citys_own_table_comes_from_the_portal_and_all_of_it_goes_again(ws1, name):
    table_id, kind, _, _ = TABLES[name]
    text = text_of(name)
    with soda.Portal() as portal:
        portal.publish(table_id, text, types={**dict.fromkeys(kind.measures, "number"), "data_as_of": "text"})
        ws1.env["SF_DATASF_HOSTS"] = portal.origin
        stack(ws1, name)
        ws1.apply()
        assert_is_the_recount(ws1, name, text)
        assert ws1.changes() == {}
        assert any(table_id in line for line in portal.asked())
        ws1.ok("sfdestroy", "-auto-approve")
    assert ws1.recorded() == []
    ws1.assert_clean()


def with_transfers(text):
    """The sample under the names that the city gives to money moved between funds."""
    return text.replace("Operating Transfers Out", "Transfers Out").replace("Intrafund Transfers,", "Intrafund Transfers Out,")


@pytest.fixture(scope="module")
def books(installed, small):
    """All three tables in one warehouse."""
    with contextlib.closing(Workspace(installed, None)) as ws:
        stack(ws, "books")
        ws.write("spending_revenue.csv", with_transfers(small.text()))
        ws.env["SF_VAR_spending_revenue_source"] = "{file: spending_revenue.csv}"
        for name, variable in NAME.items():
            ws.write(f"{variable}.csv", text_of(name))
            ws.env[f"SF_VAR_{variable}_source"] = f"{{file: {variable}.csv}}"
        ws.apply()
        yield ws
        ws.ok("sfdestroy", "-auto-approve")
        ws.assert_clean()


def test_three_stars_share_a_warehouse_and_each_is_the_recounts(books):
    for name in TABLES:
        assert_is_the_recount(books, name, text_of(name))
    assert books.changes() == {} and books.drift() == {}
    assert books.query("show search_path") == [["report, budget, vendor, public"]]
    # each says of itself what its own ledger says
    for schema, view in (("report", "spending_revenue"), ("budget", "budget"), ("vendor", "vendor_payments")):
        assert books.query(f"select distinct data_loaded_at from {schema}.{view}") == books.query(
            f"select data_loaded_at from {schema}.load_ledger where table_name = '(load)' and is_current"), schema


def test_budget_against_actual_takes_out_of_the_books_what_a_net_budget_does_not_have(books, small):
    with open(f"{books.share}/stacks/budget-and-actual.sql") as file:
        result = books.shell(f"{books.output('psql_command')} -X -q --csv", input=file.read())
    assert result.code == 0, result
    spent, planned = collections.defaultdict(lambda: [0, 0, 0]), collections.Counter()
    for row in reference.read_rows(with_transfers(small.text())):
        if reference.fold(row["revenue_or_spending"]) == "spending" and int(row["fiscal_year"]) >= 2010:
            at, amount = row["fiscal_year"], reference.cents(row["amount"])
            is_related = reference.fold(row["related_govt_units"]) in reference.YES
            is_transfer = not is_related and reference.fold(row["character"]) in ("transfers out", "intrafund transfers out")
            for n, counts in enumerate((True, is_related, is_transfer)):
                spent[at][n] += amount if counts else 0
    for row in reference.read_rows(text_of("budget"), reference.BUDGET):
        if row["revenue_or_spending"] == "Spending":
            planned[row["fiscal_year"]] += reference.cents(row["budget"])
    found = collections.defaultdict(lambda: [0, 0, 0, 0])
    departments = collections.Counter()
    for row in csv.DictReader(io.StringIO(result.out)):
        departments[row["fiscal_year"], row["department_code"]] += 1
        amounts = [cents(row[column] or "0.00") for column in ("actual_gross", "related_units", "transfers", "budget")]
        found[row["fiscal_year"]] = [a + b for a, b in zip(found[row["fiscal_year"]], amounts)]
        if row["actual_gross"] and row["budget"]:
            assert cents(row["actual"]) == amounts[0] - amounts[1] - amounts[2]
            assert cents(row["over_budget"]) == cents(row["actual"]) - amounts[3]
    assert max(departments.values()) == 1
    assert all(any(amounts[n] for amounts in spent.values()) for n in range(3))
    years = set(spent) | set(planned)
    assert dict(found) == {year: [*spent[year], planned[year]] for year in years}
