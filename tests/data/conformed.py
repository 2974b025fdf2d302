"""`sfprobe conform` for the tests: a text through a rule file, and what came out."""
import csv
import gzip
import hashlib
import json
import os
import subprocess

import reference_conform as reference

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
YEAR_OF_ALIASES = 3  # column of code_alias
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))


def sample(rows, seed, *options):
    """Bytes of sfsample."""
    return subprocess.run([os.path.join(BUILD, "sfsample"), "-rows", str(rows), "-seed", str(seed), *options], check=True,
                          stdout=subprocess.PIPE).stdout


def probe(rules, data, directory):
    """The process when it is through, and the folder it wrote to. `rules`: "budget"; `data`: bytes or text."""
    os.makedirs(directory, exist_ok=True)
    source, out = os.path.join(directory, "source.csv"), os.path.join(directory, "out")
    with open(source, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
    done = subprocess.run([os.path.join(BUILD, "sfprobe"), "conform", source, os.path.join(ROOT, f"schemas/data/sf/{rules}.yaml"), out],
                          stderr=subprocess.PIPE, text=True)
    return done, out


def conform(rules, data, directory):
    """The summary of a run that must succeed, and its folder."""
    done, out = probe(rules, data, directory)
    assert done.returncode == 0, done.stderr
    with open(os.path.join(out, "summary.json")) as file:
        return json.load(file), out


def lines(out, entry):
    """An object's lines, header included; it must be named, hashed and packed as the contract says."""
    with open(os.path.join(out, "objects", entry["key"]), "rb") as file:
        data = file.read()
    assert hashlib.sha256(data).hexdigest() == entry["sha256"] and len(data) == entry["bytes"]
    assert entry["sha256"][:16] in entry["key"]
    assert data[4:8] == b"\0\0\0\0", "a time in the gzip header"
    text = gzip.decompress(data).decode().split("\n")
    assert text.pop() == ""
    return text


def table_files(summary, name):
    """(part, entry) of each file of a table; part is None for one that comes whole."""
    entry = summary["tables"][name]
    return [(int(part), file) for part, file in entry["parts"].items()] if "parts" in entry else [(None, entry)]


def table_lines(summary, out, name):
    """A table's lines from all of its files, without their headers."""
    return [line for _, entry in table_files(summary, name) for line in lines(out, entry)[1:]]


def assert_table(summary, out, name, want):
    """One that comes in parts holds in each, in the same order, the lines of its year."""
    entry = summary["tables"][name]
    assert entry["rows"] == len(want)
    for part, file in table_files(summary, name):
        mine = want if part is None else [line for line, row in zip(want, csv.reader(want)) if int(row[YEAR_OF_ALIASES]) == part]
        have = lines(out, file)
        assert have[0].split(",") == entry["columns"]
        assert have[1:] == mine, (name, part)
        assert file["rows"] == len(mine)
        assert file["digest"] == (reference.alias_digest if name == "code_alias" else reference.digest)(mine)


def assert_is_the_recount(summary, out, expected, table):
    """Every table and year, to the byte or (facts) to the set of lines, with digests, counts and totals."""
    assert summary["rejected"] == 0
    assert set(summary["tables"]) == set(expected.tables)
    for name, want in expected.tables.items():
        assert_table(summary, out, name, want)
    if "code_alias" in expected.tables:
        assert list(summary["tables"]["code_alias"]["parts"]) == sorted(str(year) for year in expected.years)
    assert set(summary["years"]) == {str(year) for year in expected.years}
    for year, want in expected.years.items():
        entry = summary["years"][str(year)]
        have = lines(out, entry)
        assert have[0].split(",") == summary["fact_columns"]
        assert sorted(have[1:]) == sorted(want), year
        assert entry["rows"] == len(want) and entry["digest"] == reference.year_digest(want, table)
        assert entry["keys"] == sum(int(line.split(",")[0]) for line in want) % 10 ** 18
    for (year, side), (rows, *cents) in expected.totals.items():
        entry = summary["years"][str(year)]
        names = [f"{side.lower()}_rows", f"{side.lower()}_cents"] if side else ["rows", *[f"{m}_cents" for m in table.measures]]
        assert [entry[name] for name in names] == [rows, *cents], (year, side)
