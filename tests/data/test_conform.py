"""The conform engine against an independent implementation of the data contract, over the sample with all its quirks."""
import csv
import gzip
import io
import os
import random
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import conformed  # noqa: E402
import reference_conform as reference  # noqa: E402
from conformed import lines, table_files, table_lines  # noqa: E402

ROWS = 20000


def sample(*options):
    return conformed.sample(ROWS, 7, *options)


def conform(data, directory):
    return conformed.conform("spending_revenue", data, str(directory))


def digests(summary):
    return ({name: [file["digest"] for _, file in table_files(summary, name)] for name in summary["tables"]}, {y: e["digest"] for y, e in summary["years"].items()},
            summary["snapshot"])


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    data = sample()
    summary, out = conform(data, tmp_path_factory.mktemp("plain"))
    return data, summary, out


def test_every_table_and_year_is_what_the_contract_says(plain):
    data, summary, out = plain
    assert summary["rows"] == ROWS
    conformed.assert_is_the_recount(summary, out, reference.conform(reference.read_rows(data.decode())), reference.SPENDING_REVENUE)


def test_aliases_keep_totals_by_original_code_to_the_cent(plain):
    data, summary, out = plain
    rows = reference.read_rows(data.decode())
    have = {}
    names = summary["tables"]["code_alias"]["columns"]
    for row in csv.DictReader(table_lines(summary, out, "code_alias"), names):
        key = row["level"], row["fiscal_year"], row["source_code"]
        have[key] = have.get(key, 0) + reference.cents(row["amount"])
    want = {}
    for row in rows:
        for levels in reference.DIMENSIONS.values():
            for name, code, _ in levels:
                key = name, row["fiscal_year"], reference.trim(row[code])
                want[key] = want.get(key, 0) + reference.cents(row["amount"])
    assert have == want


def test_no_name_path_has_two_current_codes_and_no_key_is_there_twice(plain):
    _, summary, out = plain
    ids = [text.split(",")[0] for entry in summary["years"].values() for text in lines(out, entry)[1:]]
    assert len(ids) == ROWS
    for dimension, levels in reference.DIMENSIONS.items():
        codes = {}
        for row in csv.DictReader(io.StringIO("\n".join(lines(out, summary["tables"][dimension])))):
            for depth, (name, code, _) in enumerate(levels):
                path = tuple(reference.fold(row[n]) for n, _, _ in levels[:depth + 1])
                codes.setdefault((depth, path), set()).add(row[code])
        assert all(len(found) == 1 for found in codes.values())


def test_crosswalk_has_one_target_a_legacy_type(plain):
    _, summary, out = plain
    rows = [text.split(",") for text in lines(out, summary["tables"]["type_crosswalk"])[1:]]
    assert len({row[0] for row in rows}) == len(rows)
    known = {text.split(",")[0] for text in lines(out, summary["tables"]["type"])[1:]}
    assert all(row[0] in known and row[1] in known for row in rows)
    coverage = summary["crosswalk"]
    assert coverage["mapped_by_code"] + coverage["mapped_by_name"] == len(rows)
    assert coverage["legacy_members"] == len(rows) + coverage["ambiguous"] + coverage["unmatched"]
    unmapped = list(csv.DictReader(open(os.path.join(out, summary["unmapped_file"]))))
    assert len(unmapped) == coverage["ambiguous"] + coverage["unmatched"]


@pytest.mark.parametrize("options", [["-crlf"], ["-bom"], ["-quote-all"], ["-thousands"], ["-drop-zeros"], ["-shuffle"],
                                     ["-no-final-newline"], ["-header", "display"],
                                     ["-quote-all", "-crlf", "-thousands", "-shuffle", "-header", "display", "-bom"]],
                         ids=lambda options: "+".join(o.strip("-") for o in options))
def test_how_a_file_is_written_never_changes_a_digest(plain, tmp_path, options):
    other, _ = conform(sample(*options), tmp_path)
    assert digests(other) == digests(plain[1])


def test_objects_do_not_depend_on_row_order(plain, tmp_path):
    data, summary, _ = plain
    header, *rows = data.decode().splitlines()
    random.Random(3).shuffle(rows)
    other, _ = conform("\n".join([header, *rows, ""]).encode(), tmp_path)
    assert [e["sha256"] for e in other["years"].values()] == [e["sha256"] for e in summary["years"].values()]
    for name in summary["tables"]:
        assert [f["sha256"] for _, f in table_files(other, name)] == [f["sha256"] for _, f in table_files(summary, name)]


def test_column_order_never_changes_a_digest(plain, tmp_path):
    data, summary, _ = plain
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    order = list(range(len(rows[0])))
    random.Random(5).shuffle(order)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([row[i] for i in order] for row in rows)
    other, _ = conform(out.getvalue().encode(), tmp_path)
    assert digests(other) == digests(summary)


@pytest.mark.parametrize("layout", ["2022", "2017"])
def test_older_layouts_conform_like_the_reference(tmp_path, layout):
    data = sample("-layout", layout)
    summary, out = conform(data, tmp_path)
    expected = reference.conform(reference.read_rows(data.decode()))
    for name, want in expected.tables.items():
        conformed.assert_table(summary, out, name, want)
    for year, want in expected.years.items():
        assert summary["years"][str(year)]["digest"] == reference.year_digest(want)


def test_gzip_gives_the_same_files_and_a_cut_off_one_is_refused(plain, tmp_path):
    data, summary, _ = plain
    packed = gzip.compress(data[:len(data) // 2], mtime=0) + gzip.compress(data[len(data) // 2:], mtime=0)
    other, _ = conform(packed, tmp_path)
    assert digests(other) == digests(summary)
    done, _ = conformed.probe("spending_revenue", packed[:-100], str(tmp_path))
    assert done.returncode == 1 and "cut off" in done.stderr


def test_bad_values_are_rejected_row_by_row_as_the_reference_says(plain, tmp_path):
    rows = list(csv.reader(io.StringIO(plain[0].decode(), newline="")))[:3001]
    header = rows[0]
    spoil = random.Random(11)
    bad = {"amount": ["", "12.345", "(5.00)", "1,23.00", "$5", "1e3", "99999999999999999999"], "fiscal_year": ["", "25", "1998", "20x5"],
           "revenue_or_spending": ["", "Both"], "related_govt_units": ["", "Maybe"], "department": ["ä" * 51], "fund_code": ["x" * 51]}
    for i in spoil.sample(range(1, len(rows)), 200):
        column = spoil.choice(list(bad))
        rows[i][header.index(column)] = spoil.choice(bad[column])
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    summary, out_dir = conform(out.getvalue().encode(), tmp_path)
    expected = reference.conform([dict(zip(header, row)) for row in rows[1:]])
    assert summary["rejected"] == len(expected.rejected) == 200
    assert summary["rows"] == 2800 and summary["source_rows"] == 3000
    assert len(summary["rejects"]) == 5
    listed = list(csv.DictReader(open(os.path.join(out_dir, summary["rejects_file"]))))
    assert [(int(r["line"]) - 2, r["column"]) for r in listed] == expected.rejected
    assert [next(csv.reader([r["row"]])) for r in listed] == [rows[n + 1] for n, _ in expected.rejected]
    for year, want in expected.years.items():
        assert summary["years"][str(year)]["digest"] == reference.year_digest(want)


HEADER = ",".join(reference.SOURCE) + "\n"
ROW = "2025,NO,01,A,ABC,B,1,C,2,D,3,E,4,F,5,G,6,H,7,I,Spending,1.00,x,y\n"


@pytest.mark.parametrize("data, place, words", [
    (b"", "", "empty"),
    (b"<html>\n<body>\n", ":1:1:", "web page"),
    (HEADER.replace("fund_type,", "fund_tpye,").encode() + ROW.encode(), ":1:", "unknown column 'fund_tpye'"),
    (HEADER.replace("fund_type,", "fund,").encode() + ROW.encode(), ":1:", "'fund' is there twice"),
    (HEADER.replace("fund_type,", "").encode() + ROW.encode(), ":1:1:", "lacks 'fund_type'"),
    ((HEADER + ROW + "2025,NO\n").encode(), ":3:8:", "a record of 2 fields, the header has 24"),
    ((HEADER + ROW + ROW.replace("y", "y,z")).encode(), ":3:", "a record of 25 fields"),
    ((HEADER + ROW + "\n").encode(), ":3:1:", "blank line"),
    ((HEADER + ROW + '2025,"NO,01\n').encode(), ":3:6:", "never ends"),
    ((HEADER + ROW + '2025,"NO"x,01\n').encode(), ":3:10:", "after a closing quote"),
    ((HEADER + ROW).encode().replace(b",C,", b",\0,"), ":2:", "NUL"),
    ((HEADER + ROW).encode().replace(b",C,", b",\xff,"), ":2:", "UTF-8"),
    ((HEADER + ROW.replace("\n", "\r\n")).encode(), ":2:", "carriage return"),
    ((HEADER + ROW + ROW.replace("x,y", "z,y")).encode(), "", "two snapshots"),
    ((HEADER + ROW + ROW[:40]).encode(), ":3:41:", "a record of"),
    ("a,b".encode("utf-16"), "", "UTF-16"),
], ids=lambda value: value if isinstance(value, str) and value and not value.startswith(":") else "")
def test_structure_refuses_the_file_with_line_and_column(tmp_path, data, place, words):
    done, out = conformed.probe("spending_revenue", data, str(tmp_path))
    assert done.returncode == 1
    assert words in done.stderr and place in done.stderr, done.stderr
    assert not os.path.exists(os.path.join(out, "summary.json"))
