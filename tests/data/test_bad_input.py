"""Everything that a source may bring on a bad day, by every way that it may come: refused with what and where, nothing recorded,
and good again when it is good again."""

import csv
import gzip
import io
import os
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from conftest import wait_until  # noqa: E402
from live_portal import BULK, PAGE, ROWS, TABLE, assert_same, expected, live, portal, sample, text  # noqa: E402,F401


def zstd(data):
    return subprocess.run(["zstd", "-q"], input=data, check=True, stdout=subprocess.PIPE).stdout


PACKS = {"plain": lambda data: data, "gzip": gzip.compress, "zstd": zstd}


class Way:
    """How rows come: from the portal by a door, from an address, or as a file; packed or not."""

    def __init__(self, live, portal, name, pack):
        self.live, self.portal, self.name, self.pack = live, portal, name, PACKS[pack]
        if name in ("bulk", "soda2"):
            live.source(f"{{datasf: {TABLE}, door: {name}}}")
            portal.has_groups = False

    def bring(self, data, cut=0):
        """These bytes come; packed, and then without the last `cut` bytes."""
        data = self.pack(data)
        data = data[:len(data) - cut]
        if self.name == "file":
            self.live.write("rows.csv.x", data)
            self.live.source("{file: rows.csv.x}")
            return
        address = self.portal.put_file("table.x", data)
        if self.name == "url":
            self.live.source(f"{{url: {address}}}")
        else:
            self.portal.tables[TABLE].updated_at += 1
            self.portal.faults.clear()
            self.portal.fault({"bulk": BULK, "soda2": PAGE}[self.name], times=99, status=302, headers={"Location": address})


@pytest.fixture(params=["bulk-plain", "soda2-plain", "url-plain", "url-gzip", "url-zstd", "file-plain", "file-gzip", "file-zstd"])
def way(request, live, portal):
    return Way(live, portal, *request.param.split("-"))


def header_with(text, old, new):
    head, _, rows = text.partition("\n")
    assert old in head
    return (head.replace(old, new) + "\n" + rows).encode()


def in_line(text, n, change):
    lines = text.encode().split(b"\n")
    lines[n] = change(lines[n])
    return b"\n".join(lines)


def without_column(text, name):
    rows = list(csv.reader(io.StringIO(text)))
    at = rows[0].index(name)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(row[:at] + row[at + 1:] for row in rows)
    return out.getvalue().encode()


BAD = {
    "web_page": (lambda t: b"<!DOCTYPE html>\n<html><body>please log in</body></html>\n", ["web page", "unknown column"]),
    "message": (lambda t: b'{"code":"too_large","error":true,"message":"page too large"}', ["a message came", "line 1, column 28"]),
    "nothing": (lambda t: b"", ["empty", "no row", "0 rows", "header"]),
    "header_alone": (lambda t: t.partition("\n")[0].encode() + b"\n", ["no row below the header", "0 rows came"]),
    "renamed_column": (lambda t: header_with(t, "fund_code", "fund_number"), ["'fund_number'"]),
    "doubled_column": (lambda t: header_with(t, "fund_code", "department_code"), ["'department_code' is there twice"]),
    "missing_column": (lambda t: without_column(t, "fund_code"), ["lacks 'fund_code'"]),
    "latin_1": (lambda t: in_line(t, 99, lambda line: line.replace(b"e", b"\xe9", 1)), ["line 100"]),
    "utf_16": (lambda t: t.encode("utf-16"), ["UTF-16", "NUL", "UTF-8", "unknown column"]),
    "nul": (lambda t: in_line(t, 99, lambda line: line + b"\0"), ["line 100"]),
    "cut_in_a_row": (lambda t: in_line(t, 5000, lambda line: line[:30]).split(b"\n\n")[0][:-len(t) // 9], ["line", "rows came"]),
    "ragged": (lambda t: in_line(t, 99, lambda line: line + b",more"), ["line 100"]),
    "open_quote": (lambda t: t.encode() + b'"2027,No', ["quote", "cut off"]),
    "two_stamps": (lambda t: in_line(t, 4000, lambda line: line.replace(b"2026-09-20", b"2026-09-21")), ["line 4001", "two snapshots"]),
}


def test_bad_input_is_refused_with_its_reason_and_the_good_one_after_it_is_taken(way, text, expected):
    """One after the other over one state: between them nothing may stay behind that the next would trip over."""
    way.bring(text.encode())
    way.live.apply()
    assert_same(way.live, expected)
    recorded = way.live.state_dump()
    for bad, (make, reasons) in BAD.items():
        way.bring(make(text))
        result = way.live.run("sfapply", "-auto-approve", "-input=false")
        assert result.code in (1, 6) and any(reason in result.err for reason in reasons), (bad, result)
        assert way.live.state_dump() == recorded, bad
    way.bring(text.encode())
    way.live.apply()
    assert_same(way.live, expected)


@pytest.mark.parametrize("name, pack", [("url", "gzip"), ("url", "zstd"), ("file", "gzip"), ("file", "zstd")])
@pytest.mark.parametrize("cut", [1, 5, 20000])
def test_a_packed_source_that_was_cut_off_is_refused(live, portal, text, expected, name, pack, cut):
    way = Way(live, portal, name, pack)
    way.bring(text.encode(), cut=cut)
    result = live.refuse(1, "sfplan")
    assert "cut off" in result.err or "damaged" in result.err, result
    way.bring(text.encode())
    live.apply()
    assert_same(live, expected)


@pytest.mark.parametrize("kib", [0, 16, 64])
def test_a_full_disk_is_said_and_the_next_run_has_room(way, text, expected, kib):
    way.bring(text.encode())
    run = way.live.shell(f"trap '' XFSZ; ulimit -f {kib}; exec sfplan")  # ignored, the signal becomes an error of write()
    assert run.code == 1 and ("cannot" in run.err or "room" in run.err), run
    way.live.apply()
    assert_same(way.live, expected)


def test_a_kill_at_any_moment_is_gone_on_from(way, installed, text):
    """Killed when the cache has so many files; whatever it was doing, the next run comes to the same."""
    big = sample(installed, "-seed", "4", rows=40000)
    way.portal.publish(TABLE, big)
    way.bring(big.encode())
    files = 0
    while True:
        run = way.live.spawn("sfplan", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_until(lambda: run.poll() is not None or count_files(way.live) > files)
        run.send_signal(signal.SIGKILL)
        if way.live.finish(run).code != -9:
            break
        files = count_files(way.live) + 3
    way.live.apply()
    shown = way.live.show("dataset.d")
    way.live.write("whole.csv", big)
    way.live.source("{file: whole.csv}")
    way.live.ok("rm", "-rf", ".sf/cache")
    way.live.apply()
    again = way.live.show("dataset.d")
    assert (shown["snapshot"], shown["years"], shown["tables"]) == (again["snapshot"], again["years"], again["tables"])
    assert shown["rows"] == 40000


def count_files(live):
    return sum(len(names) for _folder, _dirs, names in os.walk(live.path(".sf/cache")))
