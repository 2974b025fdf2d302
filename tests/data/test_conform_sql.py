"""The rules as SQL, on a real PostgreSQL, against the plain Python recount: the same keys, the same tables, the same rejects. The raw
rows are those of the files that the source is cut into.

Redshift is told the same in its own words; what it is told for one table is a golden file."""

import csv
import gzip
import io
import json
import os
import random
import re
import subprocess
import sys

import pytest

from conftest import BUILD, ROOT

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_tables  # noqa: E402
import postgres  # noqa: E402
import reference_conform as reference  # noqa: E402

TABLES = {"spending_revenue": (reference.SPENDING_REVENUE, "transaction"), "budget": (reference.BUDGET, "budget_line"),
          "vendor_payments": (reference.VENDOR_PAYMENTS, "payment")}
BAD = {"fiscal_year": ["", "199", "20 26", "1998", "2050", "twenty"], "related_govt_units": ["", "maybe"], "program": ["é" * 51],
       "sub_object_code": ["x" * 51], "revenue_or_spending": ["", "Transfers"], "vendor": ["v" * 201], "voucher": ["9" * 51],
       "amount": ["", "12.345", "(5.00)", "$5", "1e3", "1,23.00", "5.", ".", "-", "92233720368547758.08", "1" * 40],
       "vouchers_paid": ["", "x"], "vouchers_pending": ["1.234"]}
ODD = {"amount": ["+5", ".5", "-1,234,567.8", " 12.30 ", "0", "-0.00", "92233720368547.07", "0" * 36 + "1.20"], "fiscal_year": [" 2025 ", "\t2024"],
       "program": ["  Two  Blanks ", "tab\tin it", "ÉCOLE", "école", "\u00a0", "a\"b", "two\nlines", "'", "100%", "back\\slash"],
       "related_govt_units": ["y", "TRUE", " n "], "voucher": ["", " 7 "], "vendor": ["", "acme  INC", "ACME inc"]}


@pytest.fixture(scope="module")
def server():
    server = postgres.Server()
    try:
        server.start()
        yield server
    finally:
        server.stop()


def rows_of(name, rows):
    if name == "spending_revenue":
        done = subprocess.run([f"{BUILD}/sfsample", "-rows", str(rows), "-seed", "11"], check=True, stdout=subprocess.PIPE, text=True)
        return reference.read_rows(done.stdout)
    out = io.StringIO(newline="")
    make_tables.write(name.replace("_", "-"), out, rows, seed=11)
    return reference.read_rows(out.getvalue(), TABLES[name][0])


def statements(name, dialect, schema="stage"):
    done = subprocess.run([f"{BUILD}/sfprobe", "conform-sql", f"{ROOT}/schemas/data/sf/{name}.yaml", dialect, schema], check=True,
                          stdout=subprocess.PIPE, text=True)
    return done.stdout


def cut(name, source, directory):
    """Cuts a source into raw files. (path of one CSV file of their rows, what the summary says)"""
    with open(f"{directory}/source.csv", "w", newline="") as file:
        file.write(source)
    done = subprocess.run([f"{BUILD}/sfprobe", "conform-raw", f"{directory}/source.csv", f"{ROOT}/schemas/data/sf/{name}.yaml", directory],
                          stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    with open(f"{directory}/summary.json") as file:
        summary = json.load(file)
    with open(f"{directory}/raw.csv", "wb") as out:
        for part in summary["raw"].values():
            with gzip.open(f"{directory}/objects/{part['key']}") as file:
                out.write(file.read().partition(b"\n")[2])
    return f"{directory}/raw.csv", summary


def as_lines(text):
    return sorted(",".join(row) for row in csv.reader(io.StringIO(text, newline="")))


def conformed(server, name, rows):
    """{table: lines} and {column: how many rows were rejected for it}, as the statements leave them."""
    table, fact = TABLES[name]
    source = io.StringIO(newline="")
    writer = csv.writer(source, lineterminator="\n")
    writer.writerow(table.source)
    writer.writerows([row.get(column, "") for column in table.source] for row in rows)
    path, summary = cut(name, source.getvalue(), server.dir)
    assert summary["source_rows"] == sum(part["rows"] for part in summary["raw"].values()) == len(rows)
    expected = reference.conform(rows, table)
    names = [*expected.tables, fact]
    sql = re.sub("^-- (copy .*);$", rf"\\\1 from '{path}' (format csv)", statements(name, "postgresql"), flags=re.M)
    script = ["\\set ON_ERROR_STOP on", "set client_min_messages to warning;", "begin;", "create schema stage;", sql]
    for n, what in enumerate(names):
        script.append(f"\\copy (select * from stage.\"staged_conform_{what}\") to '{server.dir}/{n}.csv' (format csv)")
    script += ["\\a", "\\t on", "select problem, count(*) from stage.staged_conform_rejected group by 1;", "rollback;"]
    done = server.psql(input="\n".join(script).encode())
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()[:3000]
    found = {what: open(f"{server.dir}/{n}.csv", newline="").read() for n, what in enumerate(names)}
    rejected = dict(line.split("|") for line in done.stdout.decode().splitlines() if "|" in line)
    return found, {column: int(n) for column, n in rejected.items()}, expected, fact


def assert_is_the_recount(server, name, rows):
    found, rejected, expected, fact = conformed(server, name, rows)
    want = {**expected.tables, fact: [line for lines in expected.years.values() for line in lines]}
    for table, lines in want.items():
        assert as_lines(found[table]) == as_lines("".join(line + "\n" for line in lines)), table
    counts = {}
    for _, column in expected.rejected:
        counts[column] = counts.get(column, 0) + 1
    assert rejected == counts
    return expected


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_what_the_contract_says(server, name):
    expected = assert_is_the_recount(server, name, rows_of(name, 4000))
    assert expected.years and not expected.rejected


@pytest.mark.parametrize("name", TABLES)
def test_odd_values_are_read_and_bad_ones_rejected_as_by_the_engine(server, name):
    rng, rows = random.Random(5), rows_of(name, 600)
    for values, share in ((BAD, 0.2), (ODD, 0.4)):
        for column in set(values) & set(rows[0]):
            for row in rng.sample(rows, int(len(rows) * share / 3)):
                row[column] = rng.choice(values[column])
    expected = assert_is_the_recount(server, name, rows)
    assert len({column for _, column in expected.rejected}) >= 2 and expected.years


# A word of PostgreSQL's and what Redshift says for it. They stand around a value, so that each half is a word of its own.
WORDS = (("create unlogged table", "create table"), (" text", " character varying(65535)"), (', \' +\', \' \', \'g\')', ", ' +', ' ')"), (' collate "C"', ""),
         ("encode(sha256(convert_to(", "sha2("), (", 'UTF8')), 'hex')", ", 256)"),
         ("cast(cast('x0' || substring(", "strtol(substring("), (", 1, 15) as bit(64)) as bigint)", ", 1, 15), 16)"))


@pytest.mark.parametrize("name", TABLES)
def test_redshift_is_told_what_postgresql_is_told_in_its_own_words(name):
    text = "".join(line for line in statements(name, "postgresql").splitlines(True) if not line.startswith("analyze "))
    for ours, theirs in WORDS:
        assert ours in text, f"no table says {ours!r} any more"
        text = text.replace(ours, theirs)
    assert statements(name, "redshift").splitlines() == text.splitlines()


def test_the_statements_for_redshift_are_the_golden_ones():
    path = f"{ROOT}/tests/data/golden/conform_spending_revenue.redshift.sql"
    text = statements("spending_revenue", "redshift", "report_partitions")
    if os.environ.get("SF_GOLDEN") == "write":
        with open(path, "w") as file:
            file.write(text)
    assert text == open(path).read(), f"SF_GOLDEN=write takes it over: read the difference first ({path})"
