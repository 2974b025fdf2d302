"""Checks of data: each type holds a load back, says why, keeps the rows; warnings, -accept-check and the JUnit file."""

import contextlib
import csv
import glob
import gzip
import io
import json
import os
import re
import stat
import xml.etree.ElementTree as ElementTree

import pytest

from conftest import ACCOUNTS

pytestmark = pytest.mark.parametrize("applied_books", ACCOUNTS[:1], indirect=True, scope="module")
DECLARED = "checks: builtin:sf/checks}"


def write_rows(books, week, change):
    """books.csv as `change` makes it: it takes the rows, a list of dicts, and gives a list."""
    rows = list(csv.DictReader(io.StringIO(week.text())))
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(change(rows))
    books.write("books.csv", out.getvalue())


def rejects(books, name):
    """{severity} and texts of the rows kept of a check."""
    rows = books.query(f"select severity, row_text, load_id from report.load_rejects where check_name = '{name}' order by row_number")
    assert len({load for _, _, load in rows}) <= 1
    return {severity for severity, _, _ in rows}, [text for _, text, _ in rows]


@contextlib.contextmanager
def nothing_published(books, week):
    """Yesterday's figures stand, and the next plan loads again."""
    ledger = books.query("select * from report.load_ledger order by load_id, table_name, part")
    yield
    assert books.query("select * from report.load_ledger order by load_id, table_name, part") == ledger
    assert books.totals() == week.totals(), "yesterday's figures must stand"
    assert books.changes().get("load.weekly_load") == "update", "the next plan loads again"


# --- each type ---

TYPES = [
    ("{check: not_null, table: code_alias, columns: [source_code]}", "source_code=null"),
    ("{check: unique, table: transaction, columns: [fund_id]}", r"fund_id=\d+, copies=\d+"),
    ("{check: accepted_values, table: finance, column: revenue_or_spending, values: [Spending]}", "finance_id=2, revenue_or_spending=Revenue"),
    ("{check: accepted_range, table: transaction, column: fiscal_year, min: 1999, max: current_year}", "fiscal_year=2027"),
    ("{check: accepted_range, table: transaction, column: amount, min: 0, where: fiscal_year > 2020}", "amount=-"),
    ("{check: functional_dependency, table: type, columns: [object], determines: [sub_object, sub_object_code]}", r"sub_object=\d+ values, such as .* and "),
    ("{check: elimination_pairs, via: type_id, column: character_code, values: [ELS, OPE_TRAN_IN]}", r"^ELS rows=\d+ total=-?[\d.]+, OPE_TRAN_IN rows=\d+"),
    ("{check: freshness, max_days: 1}", r"data_as_of=2026-09-20T23:05:20.000: \d+ days old, at most 1"),
    ("{check: sql, columns: [fiscal_year, n], query: 'select fiscal_year, count(*) as n from transaction t join type y using (type_id)"
     " where y.character_code like ''EL%'' group by fiscal_year'}", r"fiscal_year=\d+, n=\d+"),
]


@pytest.mark.parametrize("declared, row", TYPES, ids=[re.search(r"check: (\w+)", d).group(1) for d, _ in TYPES])
def test_a_failed_check_of_any_type_publishes_nothing_and_keeps_its_rows(books, week, declared, row):
    books.edit("stack.yaml", (DECLARED, f"checks: [builtin:sf/checks, {{own: {declared}}}]}}"))
    with nothing_published(books, week):
        result = books.refuse(3, "sfapply", "-auto-approve")
    assert re.search(r"error: .*check 'own' failed for [\d,]+ rows?; nothing was published\n  ", result.err), result
    assert "sfapply -accept-check own" in result.err and "load_rejects" in result.err
    severity, texts = rejects(books, "own")
    assert severity == {"error"} and 1 <= len(texts) <= 1000 and any(re.search(row, text) for text in texts), texts[:5]
    assert texts[0][:40] in result.err


def test_a_year_that_lost_half_of_its_rows_is_stopped_until_it_is_accepted(books, week):
    gone = {y for y, _ in week.totals()}
    year = str(sorted(gone)[-3])
    write_rows(books, week, lambda rows: [r for i, r in enumerate(rows) if r["fiscal_year"] != year or i % 3 == 0
                                          or r["character_code"] in ("ELS", "ELU")])
    with nothing_published(books, week):
        result = books.refuse(3, "sfapply", "-auto-approve")
        assert "check 'volume' failed for 1 row" in result.err and f"fiscal_year={year}: rows=" in result.err, result
        assert rejects(books, "volume")[0] == {"error"}
        assert books.refuse(64, "sfapply", "-auto-approve", "-accept-check", "volum").err.count("did you mean 'volume'?") == 1
    result = books.apply("-accept-check", "volume", "-accept-check=row_count")
    assert re.search("warning: check 'volume' failed for 1 row; published, since -accept-check names it\n  fiscal_year=", result.err)
    assert "note: check 'row_count' was accepted and did not fail" in result.err
    assert books.query("select distinct accepted from report.load_ledger where is_current and table_name = '(load)'") == [["volume=1"]]
    assert rejects(books, "volume")[0] == {"accepted"}
    assert books.changes() == {}, "what was accepted makes no next plan"
    result = books.apply("-accept-check", "volume")
    assert "note: check 'volume' was accepted and was not run" in result.err, result


def test_a_year_that_is_gone_is_stopped_and_one_that_grows_is_not(books, week):
    last = str(max(y for y, _ in week.totals()))
    write_rows(books, week, lambda rows: [r for r in rows if r["fiscal_year"] != "2010"])
    with nothing_published(books, week):
        assert "fiscal_year=2010: rows=none, published=" in books.refuse(3, "sfapply", "-auto-approve").err
    write_rows(books, week, lambda rows: rows + [r for r in rows if r["fiscal_year"] in (last, "2010")
                                                 and r["character_code"] not in ("ELS", "ELU")][::2])
    books.apply()


def test_a_use_without_its_source_is_stopped(books, week):
    def less(rows):
        rows.remove(next(r for r in rows if r["character_code"] == "ELU"))
        return rows
    write_rows(books, week, less)
    with nothing_published(books, week):
        result = books.refuse(3, "sfapply", "-auto-approve")
        assert "check 'eliminations' failed for 1 row" in result.err, result
        assert re.search(r"ELS rows=(\d+) total=\S+, ELU rows=(\d+) total=\S+, together=", result.err)
        assert "warning: check 'eliminations_by_year' failed for 1 row; its severity is warn\n  fiscal_year=" in result.err


def test_of_uneven_years_a_load_lists_those_that_it_counted(books, week):
    def uneven(*years):
        def change(rows):
            for year in years:
                next(r for r in rows if r["character_code"] == "ELS" and r["fiscal_year"] == year)["amount"] = "1.00"
            return rows
        return change
    for years, failing in ((("2005", "2006"), ("2005", "2006")), (("2005", "2006", "2010"), ("2010",))):
        write_rows(books, week, uneven(*years))
        result = books.apply()
        assert f"check 'eliminations_by_year' failed for {len(failing)} row" in result.err, result
        texts = rejects(books, "eliminations_by_year")[1]
        assert [text.partition(":")[0] for text in texts] == [f"fiscal_year={year}" for year in failing]


def test_years_amounts_and_codes_that_nobody_expects(books, week):
    def odd(rows):
        rows[0]["fiscal_year"] = "2040"
        return rows
    write_rows(books, week, odd)
    with nothing_published(books, week):
        result = books.refuse(3, "sfapply", "-auto-approve")
        assert "check 'fiscal_year_range' failed for 1 row" in result.err and "fiscal_year=2040" in result.err, result

    def new(rows):
        row = dict(rows[0], amount="99999999999.00", organization_group_code="08", organization_group="Other", character_code="NEW_ONE",
                   character="Unheard Of", fund_type_code="NEW_FUND", fund_type="Unheard Of", fund_category_code="9", fund_category="Odd")
        return rows + [row]
    write_rows(books, week, new)
    result = books.apply()
    for name, text in {"amount_range": "amount=99999999999.00", "organization_group_values": "organization_group_code=08",
                       "fund_category_values": "fund_category_code=9", "new_character_codes": "character_code=NEW_ONE, name=Unheard Of",
                       "new_fund_type_codes": "fund_type_code=NEW_FUND, name=Unheard Of"}.items():
        severity, texts = rejects(books, name)
        assert severity == {"warn"} and len(texts) == 1 and text in texts[0], (name, texts)
        assert f"warning: check '{name}' failed for 1 row; published, since its severity is warn\n" in result.err, result
    warned = books.query("select warned from report.load_ledger where is_current and table_name = '(load)'")[0][0]
    assert {"amount_range=1", "freshness=1", "new_fund_type_codes=1"} <= set(warned.split()), warned


@contextlib.contextmanager
def tampered(books, pattern, change):
    """Objects of the bucket with other lines than were delivered."""
    kept = {}
    for path in (f for f in books.territory_files() if re.search(pattern, f)):
        with open(path, "rb") as file:
            kept[path] = file.read()
        with open(path, "wb") as file:
            file.write(gzip.compress("".join(change(gzip.decompress(kept[path]).decode().splitlines(True))).encode()))
    assert kept
    yield
    for path, data in kept.items():
        with open(path, "wb") as file:
            file.write(data)


def test_what_is_not_as_delivered_is_found_by_counts_totals_and_references(books, week):
    """The last line of a year's and of a dimension's object is gone, and both are to be loaded again."""
    year = max(y for y, _ in week.totals())
    books.sql(f"delete from report.transaction where fiscal_year = {year} and transaction_id = "
              f"(select max(transaction_id) from report.transaction where fiscal_year = {year})")
    refuse = ("sfapply", "-auto-approve", "-refresh=false")
    with tampered(books, rf"/transaction/fy={year}/[^/]*\.csv\.gz$", lambda lines: lines[:-1]):
        books.edit("stack.yaml", (DECLARED, "checks: [builtin:sf/checks, {more: {check: row_count, table: fund}}]}"))
        result = books.refuse(3, *refuse)
        assert re.search(rf"check 'row_count' failed for 1 row; .*\n  transaction {year}: declared=(\d+), staged=(\d+)\nfailed too: .*reconcile", result.err), result
        assert re.search("publish once with sfapply -accept-check row_count.* -accept-check reconcile", result.err), result
        result = books.refuse(3, *refuse, "-accept-check", "row_count")
        assert re.search(rf"check 'reconcile' failed for 1 row; .*\n  part={year}, side=\d: declared rows=\d+ total=\S+ staged rows=", result.err), result
    books.sql("delete from report.fund where fund_id = (select max(fund_id) from report.fund)")
    with tampered(books, r"/fund/[^/]*\.csv\.gz$", lambda lines: lines[:1] + lines[2:]):
        result = books.refuse(3, *refuse)
        assert "check 'transaction_relationships' failed for" in result.err and "fund_id=" in result.err, result


# --- how checks are declared ---

def test_checks_stand_in_files_in_the_stack_or_in_both(books, week):
    books.write("more.yaml", "checks: 1\nlist:\n  few: {check: accepted_range, table: code_alias, column: row_count, max: 1000000}\n")
    books.edit("stack.yaml", (DECLARED, "checks: [more.yaml, {here: {check: freshness, max_days: 30000}}]}"))
    books.apply()
    assert books.show("load.weekly_load")["checks_passed"] == 2
    assert books.changes() == {}
    books.edit("stack.yaml", ("max_days: 30000", "max_days: x"))
    result = books.refuse(65, "sfplan")
    assert "check 'here': 'max_days' is a whole number" in result.err, result
    books.edit("stack.yaml", ("max_days: x", "max_days: 30000"), ("more.yaml,", "builtin:sf/checks, builtin:sf/checks,"))
    assert "check 'program_not_null' is declared twice" in books.refuse(65, "sfplan").err


@pytest.mark.parametrize("query, says", [
    ("delete from report.transaction", "must begin with select or with"),
    ("select 1; drop table report.transaction", "no ';'"),
    ("with x as (delete from transaction returning *) select * from x", "'delete' is not for checks"),
    (r"select 1 as n --\r ; drop table fund", "no ';'"),  # PostgreSQL ends a comment there
])
def test_a_query_that_writes_is_refused_while_planning(books, query, says):
    books.edit("stack.yaml", (DECLARED, f'checks: {{own: {{check: sql, columns: [n], query: "{query}"}}}}}}'))
    assert says in books.refuse(65, "sfplan").err.replace("''", "'")


def test_a_query_that_the_warehouse_does_not_take_is_said_by_the_name_of_its_check(books, week):
    books.edit("stack.yaml", (DECLARED, "checks: {own: {check: sql, columns: [n], query: 'select no_such as n from fund'}}}"))
    with nothing_published(books, week):
        result = books.refuse(1, "sfapply", "-auto-approve")
    assert "check 'own'" in result.err and "no_such" in result.err, result


def test_a_query_that_fails_leaves_no_staging_tables(books, week):
    books.edit("stack.yaml", (DECLARED, "checks: {own: {check: sql, columns: [n], query: 'select 1 / (count(*) - count(*)) as n from fund'}}}"))
    books.sql("delete from report.transaction where fiscal_year = 2020")
    result = books.refuse(3, "sfapply", "-auto-approve")
    assert "could not be recorded: check own: division by zero" in result.err, result
    assert books.sql("select relname from pg_class where relname like 'staged\\_%'") == []


def test_a_bound_that_moved_on_asks_the_years_that_did_not_change(books, week):
    # published while 1999 was in bounds; a year later the same rows are out of them
    def later(rows):
        rows[-1]["amount"] = "1.23"
        return [dict(row, data_as_of=row["data_as_of"].replace("2026", "2027")) for row in rows]
    oldest = sum(n for (year, _), (n, _) in week.totals().items() if year == 1999)
    books.edit("stack.yaml", (DECLARED, "checks: {old: {check: accepted_range, table: transaction, column: fiscal_year,"
                              " min: current_year-27, where: 'fund_id > 0'}}}"))
    books.apply()
    write_rows(books, week, later)
    with nothing_published(books, week):
        result = books.refuse(3, "sfapply", "-auto-approve")
    assert f"check 'old' failed for {oldest} rows" in result.err and "fiscal_year=1999" in result.err, result


# --- what a terminal sees ---

def test_values_that_would_steer_a_terminal_do_not(books, week):
    def evil(rows):
        return rows + [dict(rows[0], program="red \x1b[31m, title \x1b]0;x\x07, c1 \u009b31m, \u202eltr,\nhint: run rm", program_code="EVIL")]
    write_rows(books, week, evil)
    stack = books.read("stack.yaml")
    for severity, code in (("error", 3), ("warn", 0)):
        books.write("stack.yaml", stack)
        books.edit("stack.yaml", (DECLARED, "checks: {own: {check: sql, columns: [program], query: 'select program from program"
                                  f" where program_code = ''EVIL''', severity: {severity}}}}}}}"))
        result = books.run("sfapply", "-auto-approve")
        assert result.code == code, result
        assert "  program=red \\x1B[31m, title \\x1B]0;x\\x07, c1 \\u009B31m, \\u202Eltr, hint: run rm\n" in result.err, result
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", result.out + result.err), result


# --- for CI ---

def suites(books):
    """{resource: {test case: (element, message, text)}} of the JUnit file."""
    root = ElementTree.parse(books.path("checks.xml")).getroot()
    found = {s.get("name"): {c.get("name"): next(((e.tag, e.get("message"), e.text) for e in c), None) for c in s} for s in root}
    for suite in list(root) + [root]:
        cases = list(suite.iter("testcase"))
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(name)) == sum(c.find(tag) is not None for c in cases)
        assert int(suite.get("tests")) == len(cases)
    assert glob.glob(books.path("checks.xml*")) == [books.path("checks.xml")], "written whole, and nothing beside it"
    return found


def test_the_junit_file_says_what_became_of_every_check_whatever_became_of_the_load(books, week):
    junit = ("-junit", "checks.xml")
    books.apply(*junit)
    cases = suites(books)["load.weekly_load"]
    assert len(cases) > 40 and all(case[0] == "skipped" and "nothing to load" in case[1] for case in cases.values()), cases

    odd = "control \x01\x1b and <&\"'> and ]]> and \u20ac"
    def new(rows):
        return rows + [dict(rows[0], program=odd, program_code="ODD")]
    write_rows(books, week, new)
    books.edit("stack.yaml", (DECLARED, "checks: [builtin:sf/checks, {own: {check: accepted_range, table: code_alias, column: row_count, max: 100000},"
                              " odd: {check: sql, columns: [program], query: 'select program from program where program_code = ''ODD'''}}]}"))
    result = books.refuse(3, "sfapply", "-auto-approve", *junit)
    cases = suites(books)["load.weekly_load"]
    assert cases["own"] is None and cases["published"][:2] == ("skipped", "a check failed")
    assert cases["freshness"][0] == "system-out" and "its severity is warn" in cases["freshness"][2]
    assert cases["odd"] == ("failure", "failed for 1 row; nothing was published",
                            "  program=control \\x01\\x1b and <&\"'> and ]]> and \u20ac"), (cases["odd"], result)

    books.edit("stack.yaml", ("code = ''ODD''", "code = ''NONE''"))
    result = books.run("sfapply", "-auto-approve", "-json", *junit)
    assert result.code == 0, result
    cases = suites(books)["load.weekly_load"]
    assert cases["odd"] is None and cases["published"] is None and sum(case is None for case in cases.values()) > 38
    lines = [json.loads(line)["check"] for line in result.out.splitlines() if json.loads(line)["type"] == "check"]
    assert {line["outcome"] for line in lines} == {"passed", "warned"} and len(lines) == len(cases) - 1
    assert next(l for l in lines if l["name"] == "freshness")["rows"].startswith("  data_as_of=")


def test_the_junit_file_tells_the_loading_of_a_replaced_load_from_its_going(books):
    books.edit("stack.yaml", (DECLARED, "checks: {own: {check: sql, columns: [n], query: 'select 1 as n'}}}"))
    books.refuse(3, "sfapply", "-auto-approve", "-replace=dw", "-junit=checks.xml")
    cases = suites(books)["load.weekly_load"]
    assert cases["own"][0] == "failure" and cases["published"][:2] == ("skipped", "a check failed"), cases


def test_the_junit_file_names_what_ended_a_run_before_its_checks(books, week):
    books.write("checks.xml", "of an earlier run")
    books.write("books.csv", week.text().replace("fiscal_year,", "fiscal_yeer,", 1))
    books.refuse(1, "sfapply", "-auto-approve", "-junit=checks.xml")
    found = suites(books)
    case = next(iter(found.values()))["published"]
    assert case[0] == "error" and "fiscal_yeer" in case[1], found

    write_rows(books, week, lambda rows: [dict(rows[0], amount="x")] + rows[1:])
    books.refuse(3, "sfapply", "-auto-approve", "-junit=checks.xml")
    cases = suites(books)["load.weekly_load"]
    assert cases["published"][0] == "error" and "was rejected" in cases["published"][1] and cases["reconcile"][0] == "skipped"

    result = books.run("sfapply", "-auto-approve", "-junit", "no/such/folder/checks.xml")
    assert "cannot write the JUnit file" in result.err and result.code == 3, result
    assert not os.path.exists(books.path("no"))


def test_what_is_no_file_is_written_into_and_not_replaced(books, week):
    """As root -junit /dev/null would else leave every program on the machine without it."""
    os.mkfifo(books.path("pipe.xml"))
    os.symlink("real.xml", books.path("link.xml"))
    reader = os.open(books.path("pipe.xml"), os.O_RDONLY | os.O_NONBLOCK)
    books.apply("-junit", "pipe.xml")
    books.apply("-junit", "link.xml")
    assert b"<testsuites" in os.read(reader, 64) and stat.S_ISFIFO(os.lstat(books.path("pipe.xml")).st_mode)
    os.close(reader)
    assert os.readlink(books.path("link.xml")) == "real.xml" and "</testsuites>" in books.read("real.xml")
    assert "cannot write the JUnit file" in books.refuse(1, "sfapply", "-auto-approve", "-junit", "pipe.xml").err, "nobody reads it"
    for name in ("pipe.xml", "link.xml", "real.xml"):
        os.unlink(books.path(name))
