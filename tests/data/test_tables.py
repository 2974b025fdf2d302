"""The city's other tables, conformed by their rule files alone, against the independent recount."""
import csv
import io
import os
import random
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import conformed  # noqa: E402
import make_tables  # noqa: E402
import reference_conform as reference  # noqa: E402
from conformed import lines, table_files  # noqa: E402

ROWS = 6000
TABLES = {"budget": reference.BUDGET, "vendor-payments": reference.VENDOR_PAYMENTS}


def written(table, **options):
    out = io.StringIO(newline="")
    make_tables.write(table, out, ROWS, **{"seed": 5, **options})
    return out.getvalue()


def conform(table, text, directory):
    return conformed.conform(table.replace("-", "_"), text, str(directory))


@pytest.fixture(scope="module", params=TABLES)
def done(request, tmp_path_factory):
    text = written(request.param)
    return (request.param, text, *conform(request.param, text, tmp_path_factory.mktemp(request.param)))


def test_every_table_and_year_is_what_the_contract_says(done):
    name, text, summary, out = done
    table = TABLES[name]
    assert summary["rows"] == ROWS
    conformed.assert_is_the_recount(summary, out, reference.conform(reference.read_rows(text, table), table), table)


def test_the_quirks_that_the_test_is_about_are_in_the_rows(done):
    name, text, summary, out = done
    rows = reference.read_rows(text, TABLES[name])
    assert any(not row["program"] for row in rows) and any(not row["sub_object"] for row in rows)
    assert any(row["department"] != row["department"].strip() or "  " in row["department"] for row in rows)
    if name == "budget":
        assert all(row["related_govt_unit"] == row["revenue_or_spending"] for row in rows)
        assert any(reference.cents(row["budget"]) < 0 for row in rows)
        assert {line.split(",")[2] for line in lines(out, summary["tables"]["type_crosswalk"])[1:]} == {
            "same_sub_object_code", "same_sub_object_name"}
    else:
        assert len({row["data_as_of"] for row in rows}) == len(make_tables.AS_OF)
        vouchers = [row["voucher"] for row in rows]
        assert "" in vouchers and len(set(vouchers)) < len(vouchers) and any(voucher.startswith("0") for voucher in vouchers)
        assert any(not row["vouchers_pending"] for row in rows) and any(row["vouchers_paid"].startswith("-") for row in rows)
        assert {row["non_profit"] for row in rows} == {"X", ""}
        assert summary["repeated_rows"] > 0
        folded = {reference.fold(row["vendor"]) for row in rows}
        assert len(folded) < len({row["vendor"] for row in rows})


DRESSES = {"display": {"display": True}, "thousands": {"thousands": True}, "shuffle": {"shuffle": 3},
           "all": {"display": True, "thousands": True, "shuffle": 4}}


@pytest.mark.parametrize("dress", DRESSES)
def test_how_a_file_is_written_changes_no_byte_of_what_comes_out(done, tmp_path, dress):
    name, _, summary, _ = done
    other, _ = conform(name, written(name, **DRESSES[dress]), tmp_path)
    assert {year: entry["sha256"] for year, entry in other["years"].items()} == \
           {year: entry["sha256"] for year, entry in summary["years"].items()}
    for which in summary["tables"]:
        assert [f["sha256"] for _, f in table_files(other, which)] == [f["sha256"] for _, f in table_files(summary, which)]


def test_columns_that_are_ignored_say_nothing(done, tmp_path):
    name, _, summary, _ = done
    ignored = {"budget": ("related_govt_unit",), "vendor-payments": ("data_as_of",)}[name]
    other, _ = conform(name, written(name, without=ignored), tmp_path)
    assert other["snapshot"] == summary["snapshot"]


def test_a_vendor_file_under_its_older_names_and_without_the_newest_column_is_understood(tmp_path):
    text = written("vendor-payments", display=True, without=("purchasing_authority_title",))
    summary, out = conform("vendor-payments", text, tmp_path)
    expected = reference.conform(reference.read_rows(text, reference.VENDOR_PAYMENTS), reference.VENDOR_PAYMENTS)
    assert lines(out, summary["tables"]["contract"])[1:] == expected.tables["contract"]
    assert all(",No Purchasing Authority," in line for line in expected.tables["contract"])
    for year, want in expected.years.items():
        assert sorted(lines(out, summary["years"][str(year)])[1:]) == sorted(want)
    other, _ = conform("vendor-payments", written("vendor-payments", rename={
        "purchasing_authority_title": "Purchasing Authority Description"}), f"{tmp_path}/other")
    again, _ = conform("vendor-payments", written("vendor-payments"), f"{tmp_path}/again")
    assert other["snapshot"] == again["snapshot"]


BAD = {  # column, value, what is said
    "vouchers_paid": ("", "is empty"), "vouchers_pending": ("(5.00)", "is in parentheses"), "voucher": ("9" * 51, "is wider than its column"),
    "non_profit_indicator": ("maybe", "is none of the known values"), "vendor": ("\u00e9" * 101, "is wider than its column"),
    "fiscal_year": ("2006", "is not a fiscal year in range"), "contract_title": ("t" * 256, "is wider than its column")}


def test_bad_values_reject_their_rows_for_the_reason_that_the_recount_gives(tmp_path):
    header, *rows = csv.reader(io.StringIO(written("vendor-payments")))
    rng, wrong = random.Random(8), {}
    for column, (value, reason) in BAD.items():
        n = rng.choice([n for n in range(len(rows)) if n not in wrong])
        rows[n][header.index(column)], wrong[n] = value, (column, reason)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    summary, directory = conform("vendor-payments", out.getvalue(), tmp_path)
    expected = reference.conform(reference.read_rows(out.getvalue(), reference.VENDOR_PAYMENTS), reference.VENDOR_PAYMENTS)
    assert summary["rejected"] == len(BAD) and summary["rows"] == ROWS - len(BAD)
    with open(os.path.join(directory, summary["rejects_file"]), newline="") as file:
        found = {int(row["line"]) - 2: (row["column"], row["reason"]) for row in csv.DictReader(file)}
    assert {n: column for n, (column, _) in found.items()} == dict(expected.rejected)
    assert {n: reason for n, (_, reason) in found.items()} == {n: reason for n, (_, reason) in wrong.items()}
    for year, want in expected.years.items():
        assert sorted(lines(directory, summary["years"][str(year)])[1:]) == sorted(want)


def test_a_budget_whose_columns_are_those_of_the_books_is_refused(tmp_path):
    done, _ = conformed.probe("budget", written("budget", rename={"budget": "amount"}), str(tmp_path))
    assert done.returncode != 0 and "unknown column 'amount'" in done.stderr
