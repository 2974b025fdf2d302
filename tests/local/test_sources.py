"""What comes in from outside: good files in any dress, bad ones refused or rejected with yesterday's figures standing, failed checks."""

import csv
import gzip
import os
import random
import re
import shutil

import pytest

from conftest import Sample

SOURCE = "{file: books.csv}"
LOADED = {"dataset.spending_revenue", "upload.delivery", "load.weekly_load"}


@pytest.fixture(scope="module")
def next_week(installed, tmp_path_factory):
    """The same with another week's changes."""
    return Sample(installed, tmp_path_factory.mktemp("next"), 3000, 1, "-as-of", "3")


def lines_of(sample):
    return sample.text().splitlines(keepends=True)


def replaced(line, column, value):
    """One line of CSV with another value in a column."""
    header = HEADER
    fields = next(csv.reader([line]))
    fields[header.index(column)] = value
    return ",".join(f'"{f}"' if re.search('[",\n]', f) else f for f in fields) + "\n"


HEADER = ("fiscal_year,related_govt_units,organization_group_code,organization_group,department_code,department,program_code,program,"
          "character_code,character,object_code,object,sub_object_code,sub_object,fund_type_code,fund_type,fund_code,fund,"
          "fund_category_code,fund_category,revenue_or_spending,amount,data_as_of,data_loaded_at").split(",")


# --- the same rows in any dress ---

DRESSES = [["-shuffle"], ["-quote-all"], ["-crlf"], ["-bom"], ["-thousands"], ["-drop-zeros"], ["-header", "display"], ["-no-final-newline"],
           ["-shuffle", "-quote-all", "-crlf", "-bom", "-thousands", "-header", "display"]]


def test_a_file_of_the_same_rows_in_another_dress_loads_nothing(books, installed, week, tmp_path):
    ledger = books.query("select load_id from report.load_ledger where is_current limit 1")
    for n, options in enumerate(DRESSES):
        os.mkdir(f"{tmp_path}/{n}")
        with open(Sample(installed, f"{tmp_path}/{n}", week.rows, 1, *options).csv, "rb") as file:
            books.write("books.csv", file.read())
        assert not {"upload.delivery", "load.weekly_load"} & set(books.changes()), options
    books.write("books.csv", gzip.compress(week.text().encode()))
    assert not {"upload.delivery", "load.weekly_load"} & set(books.changes()), "gz"
    books.apply()
    assert books.changes() == {} and books.totals() == week.totals()
    assert books.query("select load_id from report.load_ledger where is_current limit 1") == ledger


def test_another_week_loads_the_years_that_changed_and_no_others(books, week, next_week):
    before = dict(map(tuple, books.query("select part, load_id from report.load_ledger where part is not null and is_current")))
    changed = {str(y) for y in {y for y, _ in set(week.totals().items()) ^ set(next_week.totals().items()) for y in [y[0]]}}
    books.write("books.csv", next_week.text())
    assert set(books.changes()) == LOADED
    books.apply()
    assert books.totals() == next_week.totals() and books.changes() == {}
    after = dict(map(tuple, books.query("select part, load_id from report.load_ledger where part is not null and is_current")))
    touched = {year for year in after if after[year] != before.get(year)}
    assert changed <= touched and len(touched) < len(after), (changed, touched)


def test_a_file_and_the_sample_of_the_same_rows_hold_the_same_figures_under_another_name(books, week):
    digests = books.query("select table_name, part, digest from report.load_ledger where is_current order by 1, 2")
    books.env["SF_VAR_source"] = "{sample: {rows: 3000, seed: 1}}"
    assert books.changes()["dataset.spending_revenue"] == "replace"
    books.apply()
    assert books.totals() == week.totals()
    assert books.query("select table_name, part, digest from report.load_ledger where is_current order by 1, 2") == digests
    assert "SAMPLE DATA" in books.query("select obj_description('report.transaction'::regclass)")[0][0]


# --- files that are refused ---

def cut_line(lines, at, cut):
    return [*lines[:at], lines[at][:cut] + "\n", *lines[at + 1:]]


REFUSED = {
    # what is wrong: how the good lines become bad bytes, what the error says
    "a header of another table": (lambda l: "a,b,c\n" + "".join(l[1:]), "line 1"),
    "a misspelt column": (lambda l: l[0].replace("fund_type,", "fund_tpye,") + "".join(l[1:]), "(?s)fund_tpye.*fund_type"),
    "a missing column": (lambda l: "".join(x.partition(",")[2] for x in l), "fiscal_year"),
    "a column twice": (lambda l: l[0].replace("data_as_of", "amount") + "".join(l[1:]), "amount"),
    "no header": (lambda l: "".join(l[1:]), "line 1"),
    "a short row": (lambda l: "".join(cut_line(l, 41, l[41].rindex(","))), "line 42"),
    "a long row": (lambda l: "".join([*l[:99], l[99].rstrip("\n") + ",more\n", *l[100:]]), "line 100"),
    "a quote that never ends": (lambda l: "".join([*l[:9], '"' + l[9], *l[10:]]), "line 10"),
    "text after a closing quote": (lambda l: "".join([*l[:9], '"2020"x' + l[9], *l[10:]]), "line 10"),
    "a NUL": (lambda l: "".join([*l[:9], l[9].replace(",", ",\0", 1), *l[10:]]), "line 10"),
    "bytes that are no UTF-8": (lambda l: "".join(l[:9]).encode() + l[9].encode().replace(b",", b",\xff\xfe", 1) + "".join(l[10:]).encode(),
                                "line 10"),
    "UTF-16": (lambda l: "".join(l).encode("utf-16"), "line 1"),
    "two snapshots in one": (lambda l: "".join([*l[:50], *[x.replace("2026-09-20T", "2026-09-27T") for x in l[50:]]]), "line 51"),
    "a row cut off in the middle": (lambda l: "".join(l)[:-200], "line"),
    "gzip cut off": (lambda l: gzip.compress("".join(l).encode())[:-5000], "cut off"),
    "gzip with damage": (lambda l: damaged(gzip.compress("".join(l).encode())), "gzip|line"),
    "an empty file": (lambda l: b"", "empty|line 1|header"),
    "a web page": (lambda l: "<!DOCTYPE html>\n<html><body>Rate limit exceeded</body></html>\n", "line 1"),
    "a ZIP archive": (lambda l: b"PK\3\4" + bytes(range(256)) * 20, "CSV|zip|ZIP|line 1"),
}


def damaged(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xff]) + data[middle + 1:]


@pytest.mark.parametrize("wrong", REFUSED)
def test_a_malformed_file_is_refused_with_its_place_and_nothing_changes(books, week, wrong):
    spoil, says = REFUSED[wrong]
    bad = spoil(lines_of(week))
    with books.unchanged():
        books.write("books.csv", bad)
        for argv in (["sfplan"], ["sfapply", "-auto-approve"]):
            result = books.refuse(1, *argv)
            assert re.search(says, result.err) and "books.csv" in result.err, result
            assert "hint" in result.err or "help" in result.err, result
            assert "Creating" not in result.err and "Updating" not in result.err, result
        assert books.totals() == week.totals()


def test_a_row_that_is_cut_after_its_last_comma_is_noticed_where_a_line_end_was_promised(books, week):
    books.env["SF_VAR_source"] = "{file: books.csv, ends_with_newline: true}"
    books.write("books.csv", week.text()[:-3])
    result = books.refuse(1, "sfapply", "-auto-approve")
    assert re.search("line end|cut off|ends", result.err), result
    assert books.totals() == week.totals()


def test_a_file_that_is_not_there_is_named(books, week):
    for source, says in (("missing.csv", "missing.csv"), (".", "directory|regular file"), ("/dev/zero", "/dev/zero")):
        books.env["SF_VAR_source"] = f"{{file: {source}}}"
        result = books.run("sfapply", "-auto-approve", timeout=20)
        assert result.code in (1, 65) and re.search(says, result.err), result
    assert books.totals() == week.totals()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
@pytest.mark.parametrize("applied_books", ["user"], indirect=True)
def test_a_file_that_may_not_be_read_is_named(books, week):
    os.chmod(books.path("books.csv"), 0)
    os.chown(books.path("books.csv"), 0, 0)
    result = books.run("sfapply", "-auto-approve")
    assert result.code in (1, 4) and "books.csv" in result.err and "ermission" in result.err, result
    os.chown(books.path("books.csv"), os.stat(books.dir).st_uid, -1)
    os.chmod(books.path("books.csv"), 0o600)


# --- rows that are rejected ---

WRONG_VALUES = [("amount", "12,34"), ("amount", "lots"), ("amount", ""), ("amount", "1e3"), ("amount", "12.345"), ("fiscal_year", "1066"),
                ("fiscal_year", "20O5"), ("revenue_or_spending", "Both"), ("related_govt_units", "maybe"), ("department", "ü" * 51)]


def test_a_wrong_value_rejects_its_row_and_stops_publication(books, week, next_week):
    lines, places = lines_of(next_week), random.Random(7).sample(range(1, week.rows), len(WRONG_VALUES))
    for at, (column, value) in zip(places, WRONG_VALUES):
        lines[at] = replaced(lines[at], column, value)
    books.write("books.csv", "".join(lines))
    result = books.refuse(3, "sfapply", "-auto-approve")
    assert f"{len(WRONG_VALUES)} rows" in result.err and "max_rejects" in result.err, result
    for at, (column, value) in sorted(zip(places, WRONG_VALUES))[:5]:
        assert f"line {at + 1}, " in result.err and column in result.err, result
    assert books.totals() == week.totals(), "yesterday's figures must stand"
    path = re.search(r"\S+rejects\S*\.csv", result.err).group(0)
    with open(path, newline="") as file:
        rejects = list(csv.DictReader(file))
    assert sorted(int(r["line"]) for r in rejects) == sorted(at + 1 for at in places)
    # the next plan wants to load again; the same again ends the same; allowed to leave them out it does
    assert "load.weekly_load" in books.changes()
    books.refuse(3, "sfapply", "-auto-approve")
    books.edit("stack.yaml", ("conform: builtin:sf/spending_revenue}", f"conform: builtin:sf/spending_revenue, max_rejects: {len(WRONG_VALUES)}}}"))
    books.apply()
    rows = sum(n for n, _ in next_week.totals().values())
    assert books.query("select count(*) from report.transaction") == [[str(rows - len(WRONG_VALUES))]]
    assert books.changes() == {}


# --- a plan and what it was made of ---

def test_a_saved_plan_loads_what_it_saw_though_the_file_changed_since(books, week, next_week):
    """Its bytes are in the cache; what came after it is the next plan's business."""
    books.write("books.csv", next_week.text())
    books.ok("sfplan", "-out", "week.plan")
    lines = lines_of(next_week)
    lines[5] = replaced(lines[5], "amount", "1.00")
    books.write("books.csv", "".join(lines))
    books.ok("sfapply", "week.plan")
    assert books.totals() == next_week.totals()
    assert set(books.changes()) == LOADED
    assert books.run("sfapply", "week.plan").code in (0, 5)
    assert books.totals() == next_week.totals()


def test_a_saved_plan_whose_bytes_are_gone_is_refused_with_their_names(books, week, next_week):
    books.write("books.csv", next_week.text())
    books.ok("sfplan", "-out", "week.plan")
    shutil.rmtree(books.path(".sf/cache/objects"))
    books.write("books.csv", week.text())
    with books.unchanged():
        result = books.refuse(5, "sfapply", "week.plan")
        assert "plan again" in result.err, result
    assert books.totals() == week.totals()


def test_a_cached_file_that_is_damaged_is_not_delivered_and_stops_one_run_only(books, week, next_week):
    """A bit of it is another one; its size is right."""
    books.write("books.csv", next_week.text())
    books.ok("sfplan")
    delivered = books.show("upload.delivery")["files"]
    folder = books.path(".sf/cache/objects")
    new = [f"{folder}/transaction/{year}/{name}" for year in sorted(os.listdir(f"{folder}/transaction")) if year.startswith("fy=")
           for name in os.listdir(f"{folder}/transaction/{year}") if f"transaction/{year}/{name}" not in delivered]
    with open(new[0], "r+b") as file:
        file.seek(100)
        byte = file.read(1)[0]
        file.seek(100)
        file.write(bytes([byte ^ 1]))
    result = books.refuse(5, "sfapply", "-auto-approve")
    assert "is not the one that was planned" in result.err and books.totals() == week.totals(), result
    books.apply()
    assert books.totals() == next_week.totals() and books.changes() == {}


def test_a_saved_plan_does_not_outlive_a_change_of_what_it_touches(books, week, next_week):
    books.write("books.csv", next_week.text())
    books.ok("sfplan", "-out", "week.plan")
    books.sql("update report.transaction set amount = amount + 1 where fiscal_year = 2020")
    result = books.refuse(5, "sfapply", "week.plan")
    assert "load.weekly_load" in result.err, result


def test_the_plan_of_a_load_says_rows_and_totals_before_and_after(books, week, next_week):
    """Which rows, test_weeks.py recounts."""
    books.write("books.csv", next_week.text())
    plan = books.ok("sfplan").out
    year = max(y for y, _ in next_week.totals())
    old, new = ({side: t for (y, side), t in s.totals().items() if y == year} for s in (week, next_week))
    assert re.search(rf"FY{year} \+\d+( ~\d+)?( -\d+)? rows, ", plan), plan
    assert f"{old['Spending'][1] / 100:,.2f} -> ${new['Spending'][1] / 100:,.2f}" in plan, plan


def test_without_the_cache_the_plan_says_what_it_cannot_compare(books, week, next_week):
    shutil.rmtree(books.path(".sf/cache/objects"))
    books.write("books.csv", next_week.text())
    plan = books.ok("sfplan").out
    year = max(y for y, _ in next_week.totals())
    before, after = (sum(n for (y, _), (n, _) in s.totals().items() if y == year) for s in (week, next_week))
    assert f"FY{year} {after} rows ({before} before), " in plan, plan
    assert plan.count("not compared row by row: ") == 1, plan
    books.apply()
    assert books.totals() == next_week.totals() and books.changes() == {}


# --- checks ---

def test_a_failing_check_keeps_yesterdays_figures_and_lists_the_rows(books, week, next_week):
    books.write("strict.yaml", "checks: 1\nlist:\n  one_row_a_program: {check: unique, table: transaction, columns: [program_id]}\n")
    books.edit("stack.yaml", ("checks: builtin:sf/checks}", "checks: [builtin:sf/checks, strict.yaml]}"))
    books.write("books.csv", next_week.text())
    result = books.refuse(3, "sfapply", "-auto-approve")
    assert "check 'one_row_a_program' failed" in result.err and "load_rejects" in result.err, result
    assert books.totals() == week.totals(), "yesterday's figures must stand"
    rows = books.query("select count(*), count(distinct load_id) from report.load_rejects where check_name = 'one_row_a_program'")
    assert int(rows[0][0]) > 5 and rows[0][1] == "1"
    example = books.query("select row_text from report.load_rejects where check_name = 'one_row_a_program' limit 1")[0][0]
    assert "program_id=" in example
    assert books.changes() == {"load.weekly_load": "update"}, "the next plan loads again"
    # again: still refused, and the rejects are this run's, not doubled
    books.refuse(3, "sfapply", "-auto-approve")
    assert books.query("select count(*), count(distinct load_id) from report.load_rejects where check_name = 'one_row_a_program'") == rows
    books.edit("strict.yaml", ("table: transaction, columns: [program_id]}", "table: transaction, columns: [program_id], severity: warn}"))
    result = books.apply()
    assert "one_row_a_program" in result.out + result.err, "a warning is listed"
    assert books.totals() == next_week.totals() and books.changes() == {}


def test_a_first_load_that_fails_does_not_speak_of_an_earlier_one(ws1):
    ws1.flagship(("checks: builtin:sf/checks}", "checks: {own: {check: sql, columns: [n], query: 'select 1 as n'}}}"),
                 source="{sample: {rows: 500, seed: 1}}")
    result = ws1.refuse(3, "sfapply", "-auto-approve")
    assert "hint: nothing is published yet; the rows are in" in result.err and "still stands" not in result.err, result


def test_a_role_that_may_not_read_loads_nothing_and_the_statement_to_add_is_named(books, week, next_week):
    books.edit("stack.yaml", ('        - {Sid: Get, Effect: Allow, Action: s3:GetObject, Resource: "${landing.arn}/*"}\n', ""))
    books.write("books.csv", next_week.text())
    result = books.run("sfapply", "-auto-approve")
    assert result.code in (1, 4) and "s3:GetObject" in result.err and "sf-finance-load" in result.err, result
    assert books.totals() == week.totals()


def test_an_uploader_that_may_not_put_delivers_nothing_and_the_old_delivery_stands(books, installed, week, tmp_path):
    books.write("books.csv", Sample(installed, tmp_path, week.rows, 1, "-as-of", "8").text())  # never delivered before
    books.edit("stack.yaml", ('        - {Sid: Put, Effect: Allow, Action: s3:PutObject, Resource: "${landing.arn}/*"}\n', ""))
    result = books.run("sfapply", "-auto-approve")
    assert result.code == 4 and "permission denied" in result.err and "uploader" in result.err, result
    assert books.totals() == week.totals()
