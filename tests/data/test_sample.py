"""The sample generator from outside: its answer key, its shape, its quirks, its weeks and its command line."""

import json
import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_sample  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SFSAMPLE = os.path.join(os.environ.get("BUILD", os.path.join(ROOT, "build")), "sfsample")

# rows by fiscal year of the real table; the years outside the published top twenty are the generator's own
YEAR_ROWS = {
    2005: 25930, 2006: 27003, 2007: 27219, 2008: 27659, 2009: 28196, 2010: 28579, 2011: 28380, 2012: 28654, 2013: 29387,
    2014: 29604, 2015: 29873, 2016: 30726, 2017: 31859, 2020: 28216, 2021: 27852, 2022: 26512, 2023: 26824, 2024: 26769,
    2025: 26672, 2026: 26901,
}
REAL_ROWS = 776841


def run(*args, check=True):
    return subprocess.run([SFSAMPLE, *map(str, args)], capture_output=True, check=check)


def make(tmp_path, *args):
    run("-o", tmp_path / "s.csv", "-key", tmp_path / "s.json", *args)
    return tmp_path / "s.csv", tmp_path / "s.json"


OPTIONS = [
    ["-rows", 1000],
    ["-rows", 20000],
    ["-rows", 1000, "-seed", 99],
    ["-rows", 1001, "-quirks", "none"],
    ["-rows", 1, "-seed", 4],
    ["-rows", 3000, "-layout", 2022, "-header", "display"],
    ["-rows", 3000, "-layout", "2017", "--header=display", "-bom", "-crlf"],
    ["-rows", 3000, "-quote-all", "-drop-zeros", "-no-final-newline"],
    ["-rows", 3000, "-thousands", "-shuffle", "-bom"],
    ["-rows", 20000, "-as-of", 60, "-shuffle", "-seed", 12],
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: " ".join(map(str, o)))
def test_the_key_agrees_with_an_independent_recount_of_the_file(tmp_path, options):
    assert check_sample.differences(*make(tmp_path, *options)) == []


def test_a_changed_amount_is_seen_by_the_recount(tmp_path):
    path, key = make(tmp_path, "-rows", 1000)
    lines = path.read_text().splitlines(keepends=True)
    fields = lines[500].rsplit(",", 3)
    fields[1] = f"{float(fields[1]) + 0.01:.2f}"
    lines[500] = ",".join(fields)
    path.write_text("".join(lines))
    found = check_sample.differences(path, key)
    assert any(text.startswith("totals") for text in found) and any(text.startswith("file") for text in found)


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 77, 2**63 - 1])
def test_a_thousand_rows_have_every_quirk(tmp_path, seed):
    _, key = make(tmp_path, "-rows", 1000, "-seed", seed)
    counts = {kind: d["count"] for kind, d in json.loads(key.read_text())["defects"].items()}
    weekly = {"restated", "reclassified", "new_fund", "code_renamed"}
    assert [kind for kind, n in counts.items() if n == 0 and kind not in weekly] == []
    assert counts["null_department"] == 1


def test_without_quirks_only_ordinary_rows_are_left(tmp_path):
    _, key = make(tmp_path, "-rows", 20000, "-quirks", "none")
    key = json.loads(key.read_text())
    counts = {kind: d["count"] for kind, d in key["defects"].items()}
    for kind in ("null_department null_program null_type null_fund null_fund_category zero_amount duplicate_key double_space "
                 "spelling_variant mojibake en_dash").split():
        assert counts[kind] == 0, kind
    assert counts["elimination_source"] > 0 and counts["negative_amount"] > 0
    for name in ("program", "type", "fund"):
        assert all(level["name_paths"] == level["name_paths_folded"] for level in key["dimensions"][name]["levels"]
                   if level["level"] != "fund_category"), name


def test_eliminations_come_in_equal_numbers_and_sum_to_zero(tmp_path):
    path, _ = make(tmp_path, "-rows", 20000, "-as-of", 9)
    _, rows = check_sample.read(path)
    sources = [r for r in rows if r["character_code"] == "ELS"]
    uses = [r for r in rows if r["character_code"] == "ELU"]
    assert 205 <= len(sources) == len(uses) <= 215
    assert sum(r["amount"] for r in sources + uses) == 0
    assert sorted(-r["amount"] for r in sources) == sorted(r["amount"] for r in uses)


@pytest.mark.parametrize("rows", [1000, 20000])
def test_years_have_their_real_weight(tmp_path, rows):
    path, _ = make(tmp_path, "-rows", rows)
    _, seen = check_sample.read(path)
    by_year = {}
    for row in seen:
        by_year[int(row["fiscal_year"])] = by_year.get(int(row["fiscal_year"]), 0) + 1
    assert sorted(by_year) == list(range(1999, 2028))
    for year, real in YEAR_ROWS.items():
        assert abs(by_year[year] - real * rows / REAL_ROWS) <= 2, year
    assert 0.015 <= by_year[2027] / rows <= 0.02
    assert {r["related_govt_units"] for r in seen if int(r["fiscal_year"]) <= 2017} == {"No", "Yes"}
    assert {r["related_govt_units"] for r in seen if int(r["fiscal_year"]) >= 2018} == {"NO", "YES"}


def test_the_real_size_has_the_measured_shape(tmp_path):
    _, key = make(tmp_path)
    key = json.loads(key.read_text())
    by_year, dollars = {}, {}
    for t in key["totals"]:
        by_year[t["fiscal_year"]] = by_year.get(t["fiscal_year"], 0) + t["rows"]
        side = (t["fiscal_year"], t["revenue_or_spending"])
        dollars[side] = dollars.get(side, 0) + t["cents"] // 100
    assert {y: by_year[y] for y in YEAR_ROWS} == YEAR_ROWS
    assert sum(n for y, n in by_year.items() if y <= 2017) == 522552 and by_year[2027] == 12908
    for side in ("Spending", "Revenue"):
        assert 15e9 <= dollars[2026, side] <= 25e9, side
    counts = {kind: d["count"] for kind, d in key["defects"].items()}
    for kind, real in {"null_department": 1, "null_program": 413, "null_type": 246, "null_fund": 5, "null_fund_category": 3262,
                       "zero_amount": 670, "elimination_source": 8113, "elimination_use": 8113}.items():
        assert counts[kind] == real, kind
    assert 0.07 <= counts["negative_amount"] / REAL_ROWS <= 0.10
    assert 0.022 <= counts["related_unit"] / REAL_ROWS <= 0.028
    levels = {level["level"]: level for d in key["dimensions"].values() for level in d["levels"]}
    several = {name: level["name_paths_with_several_codes"] for name, level in levels.items()}
    assert several["organization_group"] == several["fund_category"] == 0
    for name, paths, codes in [("department", 74, 3), ("program", 1435, 53), ("character", 75, 24), ("object", 723, 51),
                               ("sub_object", 4280, 10), ("fund_type", 33, 6), ("fund", 624, 3)]:
        assert abs(levels[name]["name_paths"] - paths) <= max(1, paths // 80), name
        assert abs(several[name] - codes) <= 2, name


def rows_of(*args):
    text = run("-shuffle", *args).stdout.decode().splitlines()
    return sorted(line.rsplit(",", 2)[0] for line in text[1:])


def test_scattered_rows_are_the_same_rows(tmp_path):
    plain = run("-rows", 5000, "-as-of", 7).stdout.decode().splitlines()
    assert rows_of("-rows", 5000, "-as-of", 7) == sorted(line.rsplit(",", 2)[0] for line in plain[1:])
    assert plain != run("-rows", 5000, "-as-of", 7, "-shuffle").stdout.decode().splitlines()


def test_one_week_to_the_next_touches_few_years(tmp_path):
    touched = []
    before = set(enumerate_duplicates(rows_of("-rows", 40000, "-as-of", 0)))
    for week in range(1, 13):
        after = set(enumerate_duplicates(rows_of("-rows", 40000, "-as-of", week)))
        touched.append({line[0][:4] for line in before ^ after})
        assert 0 < len(after - before) < 2000 or week == 9
        before = after
    assert all("2027" in years for years in touched)
    assert sum(len(years) <= 4 for years in touched) >= 11  # the ninth week renames a code in ten years
    assert any(years - {"2026", "2027"} for years in touched)


def enumerate_duplicates(lines):
    seen = {}
    for line in lines:
        seen[line] = seen.get(line, 0) + 1
        yield line, seen[line]


@pytest.mark.parametrize("args, words", [
    (["-rows", "ten"], "ten"), (["-rows", "-5"], "-5"), (["-rows"], "-rows"), (["-rows", "0"], "0 rows"), (["-rwos", "1"], "-rwos"),
    (["extra"], "extra"), (["-layout", "2019"], "2019"), (["-header", "x"], "x"), (["-crlf=1"], "-crlf=1"), (["-as-of", "521"], "521"),
    (["-rows", "99999999999999999999999"], "9999"), (["-key", "-"], "-o"),
])
def test_wrong_usage_exits_64_and_says_what_was_wrong(args, words):
    done = run(*args, check=False)
    assert done.returncode == 64
    assert done.stdout == b"" and done.stderr.startswith(b"error: ") and words in done.stderr.decode()


@pytest.mark.parametrize("flag", ["-help", "--help", "-h"])
def test_help_says_that_it_is_a_sample(flag):
    assert b"NOT THE CITY'S FIGURES" in run(flag).stdout


def test_one_dash_two_dashes_and_equals_signs_are_the_same():
    assert run("-rows", 50, "-seed", 3).stdout == run("--rows=50", "--seed=3").stdout


def test_a_full_disk_is_an_error():
    done = run("-rows", 5000, "-o", "/dev/full", check=False)
    assert done.returncode not in (0, 64) and b"/dev/full" in done.stderr


def test_a_file_that_cannot_be_made_is_an_error(tmp_path):
    done = run("-rows", 10, "-o", tmp_path / "no" / "s.csv", check=False)
    assert done.returncode not in (0, 64) and b"cannot create" in done.stderr
