"""Week after week: whatever a snapshot restates, the tables afterwards are those of a fresh load of it, and the plan had said which
rows would come, go and change. The expected tables are those of the plain Python recount (tests/data/reference_conform.py)."""

import csv
import io
import os
import random
import re
import sys

import pytest

from conftest import Sample, Workspace

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(__file__)), "data"))
import reference_conform as reference  # noqa: E402

SEQUENCES = int(os.environ.get("SF_WEEKS", "50"))
SEED = int(os.environ.get("SF_WEEKS_SEED", str(random.SystemRandom().randrange(2 ** 32))))
ROWS = 500
DIMENSIONS = {"program": "department", "type": "sub_object", "fund": "fund"}  # a level of each, for renames and new codes
STRICT = "(not_null|unique|relationships|row_count|reconcile)"


# --- what may happen to a snapshot in a week ---

def years_of(rows):
    return sorted({row["fiscal_year"] for row in rows})


def grow(rows, rng, _gone):
    """The latest year gets rows: copies of others with amounts of their own, some of them alike."""
    for _ in range(rng.randrange(1, 8)):
        rows.insert(rng.randrange(len(rows) + 1), {**rng.choice(rows), "fiscal_year": years_of(rows)[-1],
                                                   "amount": f"{rng.randrange(-10 ** 6, 10 ** 8) / 100:.2f}"})


def restate(rows, rng, _gone):
    for row in rng.sample(rows, rng.randrange(1, 6)):
        row["amount"] = f"{rng.randrange(-10 ** 9, 10 ** 9) / 100:.2f}"


def shrink(rows, rng, _gone):
    for _ in range(rng.randrange(1, 4)):
        rows.pop(rng.randrange(len(rows)))


def take_a_year_out(rows, rng, gone):
    year = rng.choice(years_of(rows))
    if len(years_of(rows)) > 3:
        gone[year] = [row for row in rows if row["fiscal_year"] == year]
        rows[:] = [row for row in rows if row["fiscal_year"] != year]


def bring_a_year_back(rows, rng, gone):
    if gone:
        year = rng.choice(sorted(gone))
        have = [row for row in rows if row["fiscal_year"] == year]
        rows += [] if have else gone.pop(year)


def rename(rows, rng, _gone):
    """Another spelling of one member: in capitals, with two blanks, or under another name altogether."""
    column = rng.choice(list(DIMENSIONS.values()))
    name = rng.choice(rows)[column]
    since = rng.choice(years_of(rows))
    new = rng.choice([name.upper(), name.replace(" ", "  "), f"{name} {rng.randrange(9)}"])[:90]
    for row in rows:
        if row[column] == name and row["fiscal_year"] >= since:
            row[column] = new


def recode(rows, rng, _gone):
    column = rng.choice(list(DIMENSIONS.values()))
    code = rng.choice(rows)[f"{column}_code"]
    new, since = f"{code[:20]}_{rng.randrange(99)}", rng.choice(years_of(rows))
    for row in rows:
        if row[f"{column}_code"] == code and row["fiscal_year"] >= since:
            row[f"{column}_code"] = new


def move(rows, rng, _gone):
    """A row goes to another fund, another to the related units."""
    row, other = rng.choice(rows), rng.choice(rows)
    row.update({column: other[column] for column in reference.RAW["fund"]})
    other["related_govt_units"] = "YES" if other["related_govt_units"].lower() == "no" else "NO"


def forget_a_name(rows, rng, _gone):
    row = rng.choice(rows)
    row["program"] = row["program_code"] = ""


def shuffle(rows, rng, _gone):
    rng.shuffle(rows)


HAPPENINGS = [grow, grow, restate, restate, shrink, take_a_year_out, bring_a_year_back, rename, recode, move, forget_a_name, shuffle]


def written(rows, rng, week):
    """The snapshot as a file, in one of the dresses that the portal puts on."""
    stamp = f"2026-{1 + week % 12:02d}-01T00:00:00.000"
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=rng.choice(["\n", "\r\n"]), quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    columns = rng.sample(reference.SOURCE, len(reference.SOURCE)) if rng.random() < 0.3 else reference.SOURCE
    writer.writerow(columns)
    for row in rows:
        row = {**row, "data_as_of": stamp, "data_loaded_at": stamp}
        writer.writerow([row[column] for column in columns])
    return text.getvalue()


# --- what must come of it ---

def published(ws, table, columns):
    """Lines of a table as CSV, sorted."""
    names = ", ".join(f'"{column}"' for column in columns)
    return sorted(line for line, in ws.sql(f'copy (select {names} from report."{table}") to stdout with (format csv)'))


def plain(line):
    return ",".join(next(csv.reader([line])))


def assert_tables(ws, want):
    for table, lines in want.tables.items():
        columns = ws.query("select column_name from information_schema.columns where table_schema = 'report' "
                           f"and table_name = '{table}' order by ordinal_position")
        assert sorted(map(plain, lines)) == sorted(map(plain, published(ws, table, [c for c, in columns]))), table
    facts = published(ws, "transaction", ["transaction_id", "fiscal_year", "program_id", "type_id", "fund_id", "finance_id", "amount"])
    assert sorted(line for lines in want.years.values() for line in lines) == facts


def keyed(lines):
    return {line.split(",")[0]: line for line in lines}


def assert_foretold(plan, before, after):
    """The plan's lines on the years of the load: rows that come, go and change, by key."""
    said = {int(year): text for year, text in re.findall(r"^    FY(\d+) (.*)$", plan, re.M)}
    changed = {year for year in set(before) | set(after) if sorted(before.get(year, [])) != sorted(after.get(year, []))}
    assert set(said) <= changed and len(said) == min(len(changed), 6), (sorted(said), sorted(changed), plan)
    for year, text in said.items():
        old, new = keyed(before.get(year, [])), keyed(after.get(year, []))
        counts = [("+", len(new.keys() - old.keys())), ("~", sum(old[key] != new[key] for key in old.keys() & new.keys())),
                  ("-", len(old.keys() - new.keys()))]
        rows = " ".join(f"{sign}{n:,}" for sign, n in counts if n) + (" row" if sum(n for _, n in counts) == 1 else " rows")
        assert text.startswith(f"{rows}, "), (year, rows, text)
        assert text.endswith("; the year is taken out") == (not new), (year, text)


@pytest.fixture(scope="module")
def books(installed):
    ws = Workspace(installed, None)
    ws.flagship(("checks: builtin:sf/checks}", "checks: strict.yaml}"), source="{file: books.csv}")
    with open(f"{ws.share}/schemas/data/sf/checks.yaml") as file:  # those that no honest snapshot can fail
        ws.write("strict.yaml", "".join(line for line in file if not re.search("{check: ", line) or re.search(f"check: {STRICT}\\b", line)))
    yield ws
    ws.close()


def test_after_any_weeks_the_tables_are_those_of_a_fresh_load_of_the_last_snapshot(books, installed, tmp_path):
    print(f"SF_WEEKS_SEED={SEED}")
    rng = random.Random(SEED)
    rows, before, week = Sample(installed, tmp_path, ROWS).records(), {}, 0
    gone = {}
    for sequence in range(SEQUENCES):
        for _ in range(rng.randrange(1, 4)):
            happened = [rng.choice(HAPPENINGS) for _ in range(rng.randrange(0, 4))]
            for happening in happened:
                happening(rows, rng, gone)
            week += 1
            text = written(rows, rng, week)
            books.write("books.csv", text)
            want = reference.conform(reference.read_rows(text))
            result = books.apply()
            story = (sequence, week, [h.__name__ for h in happened], result)
            if before:
                assert_foretold(result.out, before, want.years)
            before = want.years
        try:
            assert_tables(books, want)
        except AssertionError as error:
            raise AssertionError(f"SF_WEEKS_SEED={SEED}: {story}") from error
    assert books.changes() == {}
    # and a star made anew comes to the same by the ledger too, which is what the next plan believes
    ledger = "select table_name, part, row_count, amount, digest, source from report.load_ledger where is_current order by 1, 2"
    woven = books.query(ledger)
    books.apply("-replace", "star_schema.star")
    assert books.query(ledger) == woven and len(woven) > 8
