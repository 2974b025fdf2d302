"""The live source, end to end against a portal of our own: what is asked for, what is kept, and what every bad day comes to."""

import csv
import gzip
import http.server
import os
import signal
import subprocess
import sys
import threading

import pytest

from conftest import IS_SANITIZED, Sample

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import soda  # noqa: E402
from live_portal import (BULK, META, PAGE, PAGE3, ROWS, TABLE, assert_same, expected, live, portal, sample, snapshots,  # noqa: E402,F401
                         stop_in_the_middle, text)

# --- the road ---

@pytest.mark.parametrize("door", ["bulk", "soda2", "soda3"])
def test_every_door_gives_the_same_tables_to_the_byte(live, portal, expected, door):
    live.env["SF_APP_TOKEN"] = "good"
    live.source(f"{{datasf: {TABLE}, door: {door}, page_rows: 1000}}")
    portal.has_groups = False
    live.apply()
    assert_same(live, expected)
    assert len(portal.asked({"bulk": BULK, "soda2": PAGE, "soda3": f"{PAGE3}views/{TABLE}/query.csv"}[door])) == (1 if door == "bulk" else 6)
    assert len(snapshots(live)) == 1 and snapshots(live)[0].endswith(".csv.zst")


def test_metadata_come_first_and_again_last(live, portal):
    live.ok("sfplan")
    assert portal.asked() == [f"GET /{META}", f"GET /api/views/{TABLE}/rows.csv?accessType=DOWNLOAD", f"GET /{META}"]


def test_what_did_not_move_is_not_fetched_again(live, portal):
    live.apply()
    portal.forget()
    assert live.changes() == {}
    assert portal.asked() == [f"GET /{META}"]


def test_applying_uses_what_was_planned_and_asks_nothing(live, portal):
    live.apply()
    assert portal.asked() == [f"GET /{META}", f"GET /api/views/{TABLE}/rows.csv?accessType=DOWNLOAD", f"GET /{META}"]


def test_what_moved_is_fetched_and_planned(live, portal, installed):
    live.apply()
    portal.publish(TABLE, sample(installed, "-as-of", "1"), updated_at=1790600000)
    assert live.changes() == {"dataset.d": "update"}
    live.apply()
    assert len(snapshots(live)) == 2


def test_rows_that_are_the_same_after_a_new_upload_change_nothing(live, portal, text):
    live.apply()
    portal.publish(TABLE, text, updated_at=1790600000)
    assert live.changes() == {}
    assert len(portal.asked(BULK)) == 2 and len(snapshots(live)) == 1


@pytest.mark.parametrize("layout", ["2017", "2022", "2026"])
def test_every_layout_that_the_table_had_is_read(live, portal, installed, layout):
    portal.publish(TABLE, sample(installed, "-layout", layout), types={"fiscal_year": "text" if layout == "2026" else "number"})
    live.apply()
    assert live.show("dataset.d")["rows"] == ROWS


def test_a_byte_order_mark_and_plain_amounts_make_no_difference(live, portal, expected):
    portal.tables[TABLE].bom, portal.tables[TABLE].thousands = True, False
    live.apply()
    assert_same(live, expected)


def test_the_snapshot_is_what_came_byte_for_byte(live, portal):
    live.ok("sfplan")
    raw = subprocess.run(["zstd", "-dc", live.path(f".sf/cache/source/snapshots/{snapshots(live)[0]}")], check=True,
                         stdout=subprocess.PIPE).stdout
    assert raw.decode() == portal.tables[TABLE].bulk()


def test_without_a_token_it_works_and_says_so(live, portal):
    result = live.ok("sfplan")
    assert "SF_APP_TOKEN" in result
    assert all("X-App-Token" not in r.headers for r in portal.requests)


def test_a_token_is_sent_to_the_portal(live, portal):
    live.env["SF_APP_TOKEN"] = "good"
    assert "SF_APP_TOKEN" not in live.ok("sfplan")
    assert all(r.headers["X-App-Token"] == "good" for r in portal.requests)


def test_the_second_host_is_asked_when_the_first_is_down(live, portal, expected):
    with soda.Portal() as gone:
        dead = gone.origin
    live.env["SF_DATASF_HOSTS"] = f"{dead},{portal.origin}"
    live.apply()
    assert_same(live, expected)


# --- a portal's bad days ---

@pytest.mark.parametrize("where", [META, BULK, PAGE])
@pytest.mark.parametrize("status, body", [(429, '{"code":"throttled","error":true,"message":"slow down"}'), (202, "")])
def test_a_portal_that_says_later_is_asked_later(live, portal, expected, where, status, body):
    live.source(f"{{datasf: {TABLE}, door: {'soda2' if where == PAGE else 'bulk'}}}")
    portal.fault(where, times=3, status=status, headers={"Retry-After": "0"}, body=body)
    live.apply()
    assert_same(live, expected)


def test_a_portal_that_asks_for_too_long_a_pause_is_left_at_once(live, portal):
    portal.fault(BULK, status=429, headers={"Retry-After": "7200"})
    portal.fault(PAGE, times=9, status=429, headers={"Retry-After": "7200"})
    result = live.refuse(1, "sfplan")
    assert "throttling" in result.err and "120 minutes" in result.err and snapshots(live) == []


def test_a_bad_token_is_explained(live, portal):
    live.env["SF_APP_TOKEN"] = "secret-but-wrong"
    result = live.refuse(4, "sfplan")
    assert "does not accept the application token in SF_APP_TOKEN" in result.err and "Invalid app_token" in result.err
    assert "secret-but-wrong" not in result


def test_refused_at_one_door_it_takes_the_next(live, portal, expected):
    portal.fault(BULK, status=403)
    live.apply()
    assert_same(live, expected)
    assert portal.asked(PAGE)


def test_an_export_that_breaks_off_is_fetched_in_pages(live, portal, expected):
    portal.fault(BULK, cut=60000)
    live.apply()
    assert_same(live, expected)
    assert len(portal.asked(BULK)) == 1 and len(portal.asked(PAGE)) == 29


def test_an_export_that_breaks_off_goes_on_where_it_was_if_the_portal_can(live, portal, expected):
    portal.has_ranges = True
    live.source(f"{{datasf: {TABLE}, door: bulk}}")
    portal.fault(BULK, cut=300000)
    portal.fault(BULK, cut=300000)
    live.apply()
    assert_same(live, expected)
    ranges = [r.headers.get("Range") for r in portal.requests if r.path.endswith(BULK)]
    assert ranges == [None, "bytes=300000-", "bytes=600000-"]


def test_a_page_that_breaks_off_is_asked_for_again(live, portal, expected):
    live.source(f"{{datasf: {TABLE}, door: soda2, page_rows: 1000}}")
    portal.has_groups = False
    portal.fault(PAGE, skip=2, cut=20000)
    live.apply()
    assert_same(live, expected)
    assert len(portal.asked(PAGE)) == 7


@pytest.mark.parametrize("where, door", [(BULK, "bulk"), (PAGE, "soda2"), (META, "bulk")])
def test_a_web_page_with_status_200_is_refused(live, portal, where, door):
    live.source(f"{{datasf: {TABLE}, door: {door}}}")
    portal.fault(where, times=9, body="<!DOCTYPE html><html>please log in</html>")
    result = live.refuse(1, "sfplan")
    assert "a web page came" in result.err and snapshots(live) == []


def test_a_message_with_status_200_is_refused(live, portal):
    live.source(f"{{datasf: {TABLE}, door: bulk}}")
    portal.fault(BULK, body='{"code":"too_large","error":true,"message":"page too large"}')
    assert "a message came, not CSV" in live.refuse(1, "sfplan").err


def test_a_table_that_does_not_exist_is_a_mistake_in_the_stack(live):
    live.source("{datasf: aaaa-bbbb}")
    result = live.refuse(65, "sfplan")
    assert "no such table" in result.err and "id" in result.err


@pytest.mark.parametrize("source, why", [
    ("{datasf: nonsense}", "'datasf' must be the id"),
    ("{datasf: bpnb-jwfb, door: window}", "'door' is one of"),
    ("{datasf: bpnb-jwfb, page_rows: 0}", "'page_rows' is a number"),
    ("{datasf: bpnb-jwfb, file: x.csv}", "'file' does not go with 'datasf'"),
    ("{url: nonsense}", "'url' must be an address"),
    ("{url: 'https://me:word@127.0.0.1/rows.csv'}", "'url' may hold no user name or password"),
])
def test_a_source_written_wrong_is_refused_with_its_place(live, source, why):
    live.source(source)
    assert why in live.refuse(65, "sfplan").err


def test_plain_http_goes_to_this_machine_only(live):
    live.env["SF_DATASF_HOSTS"] = "http://data.example.org"
    assert "may not be used" in live.refuse(65, "sfplan").err


# --- torn ---

def test_a_table_replaced_while_it_is_fetched_is_fetched_again(live, portal, text, expected):
    portal.fault(BULK, then=lambda: portal.publish(TABLE, text, updated_at=1790000100))
    live.apply()
    assert_same(live, expected)
    assert len(portal.asked(BULK)) == 2


def test_a_table_that_is_replaced_all_the_time_is_left_alone(live, portal, text):
    live.apply()
    kept = snapshots(live)
    moves = iter(range(1790000001, 1790000100))
    move = lambda: portal.publish(TABLE, text, updated_at=next(moves))  # noqa: E731
    move()
    portal.fault(BULK, times=9, then=move)
    result = live.refuse(6, "sfplan")
    assert "came torn 3 times" in result.err and "replaced meanwhile" in result.err
    assert len(portal.asked(BULK)) == 4 and snapshots(live) == kept


def test_pages_of_two_snapshots_are_not_put_together(live, portal, installed, text, expected):
    live.source(f"{{datasf: {TABLE}, door: soda2, page_rows: 1000}}")
    other = sample(installed, "-as-of", "1")
    portal.fault(PAGE, skip=2, then=lambda: portal.publish(TABLE, other, updated_at=1790000000))  # not even a new time
    live.apply()
    shown = live.show("dataset.d")
    assert shown["rows"] == len(portal.tables[TABLE].rows) and shown["snapshot"] != expected["snapshot"]


def test_too_few_rows_are_not_taken_for_the_table(live, portal):
    live.source(f"{{datasf: {TABLE}, door: bulk}}")
    short = portal.tables[TABLE].bulk()
    short = short[:short.index("\n", len(short) // 2) + 1]
    portal.fault(BULK, times=9, body=short)
    result = live.refuse(6, "sfplan")
    assert f"the portal counts {ROWS}" in result.err and snapshots(live) == []


@pytest.mark.parametrize("door", ["bulk", "soda2"])
def test_metadata_that_lag_behind_do_not_stop_a_whole_table(live, portal, expected, door):
    live.source(f"{{datasf: {TABLE}, door: {door}, page_rows: 2500}}")
    portal.tables[TABLE].counted = 4000
    live.apply()
    assert_same(live, expected)
    assert len(portal.asked("count(*)")) == 1


# --- the schema contract ---

def renamed(text, old, new):
    head, _, rows = text.partition("\n")
    return head.replace(old, new) + "\n" + rows


def with_column(text, name, value):
    lines = text.rstrip("\n").split("\n")
    return "\n".join([f"{lines[0]},{name}", *(f"{line},{value(n)}" for n, line in enumerate(lines[1:]))]) + "\n"


@pytest.mark.parametrize("change, what", [
    (lambda t: renamed(t, "fund_code", "fund_number"), ["missing 'fund_code'", "new 'fund_number'", "`names`"]),
    (lambda t: with_column(t, "vendor", lambda n: ""), ["new 'vendor'", "schema_contract: evolve"]),
    (lambda t: with_column(t, "related_gov_t_units", lambda n: "No"), ["there twice 'related_govt_units'"]),
])
def test_changed_columns_are_named_and_nothing_is_fetched(live, portal, text, change, what):
    live.apply()
    portal.publish(TABLE, change(text), updated_at=1790600000)
    portal.forget()
    result = live.refuse(1, "sfplan")
    assert all(part in result.err for part in what), result
    assert portal.asked() == [f"GET /{META}"]


def test_a_column_of_another_type_than_last_time_is_refused_unless_that_may_evolve(live, portal, text, expected):
    live.apply()
    portal.publish(TABLE, text, updated_at=1790600000, types={"amount": "text"})
    assert "'amount' was number and is text" in live.refuse(1, "sfplan").err
    live.env["SF_VAR_contract"] = "evolve"
    live.apply()
    assert_same(live, expected)


@pytest.mark.parametrize("door", ["bulk", "soda2"])
def test_under_evolve_new_columns_are_left_out(live, portal, text, expected, door):
    live.source(f"{{datasf: {TABLE}, door: {door}}}")
    live.env["SF_VAR_contract"] = "evolve"
    portal.publish(TABLE, with_column(text, "vendor", lambda n: f"v{n}"))
    result = live.apply()
    assert "new 'vendor'" in result
    assert_same(live, expected)


def test_under_discard_row_only_rows_with_a_value_in_a_new_column_are_rejected(live, portal, text):
    live.env["SF_VAR_contract"] = "discard_row"
    portal.publish(TABLE, with_column(text, "remark", lambda n: "v" if n in (5, 9) else ""))
    live.apply()
    shown = live.show("dataset.d")
    assert (shown["rows"], shown["rejected"]) == (ROWS - 2, 2)
    assert {(reject["column"], reject["value"]) for reject in shown["rejects"]} == {("Remark", "v")}
    with open(shown["rejects_file"]) as file:
        assert {row["column"] for row in csv.DictReader(file)} == {"Remark"}


# --- stopped, killed, full ---

def test_after_a_kill_pages_that_came_are_not_asked_for_again(live, portal, expected):
    live.source(f"{{datasf: {TABLE}, door: soda2, page_rows: 1000}}")
    portal.has_groups = False
    stop_in_the_middle(live, portal, PAGE, signal.SIGKILL, skip=3, stall=20000)
    portal.forget()
    live.apply()
    assert_same(live, expected)
    offsets = [line.rpartition("=")[2] for line in portal.asked(PAGE)]
    assert offsets == ["3000", "4000", "5000"]


def test_pages_of_a_table_that_moved_since_the_kill_are_dropped(live, portal, text, expected):
    live.source(f"{{datasf: {TABLE}, door: soda2, page_rows: 1000}}")
    portal.has_groups = False
    stop_in_the_middle(live, portal, PAGE, signal.SIGKILL, skip=3, stall=20000)
    portal.publish(TABLE, text, updated_at=1790600000)
    portal.forget()
    live.apply()
    assert_same(live, expected)
    assert len(portal.asked(PAGE)) == 6


@pytest.mark.parametrize("how, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_fetch_and_the_next_run_goes_on(live, portal, expected, how, code):
    portal.has_ranges = True
    live.source(f"{{datasf: {TABLE}, door: bulk}}")
    assert stop_in_the_middle(live, portal, BULK, how, stall=300000).code == code
    live.apply()
    assert_same(live, expected)
    first, second = [r.headers.get("Range") for r in portal.requests if r.path.endswith(BULK)]
    # how much of what the server sent had come by then is for the kernel to say: it may be nothing
    assert first is None and (second is None or 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= 300000)


def test_a_full_disk_is_said_and_loses_nothing(live, portal, installed, text):
    live.apply()
    kept = snapshots(live)
    portal.publish(TABLE, sample(installed, "-seed", "5", rows=60000), updated_at=1790600000)
    run = live.shell("trap '' XFSZ; ulimit -f 1000; exec sfplan")  # KiB; ignored, the signal becomes an error of write()
    assert run.code == 1 and "cannot write" in run.err, run
    assert snapshots(live) == kept
    live.ok("sfplan")


def test_a_damaged_snapshot_is_found_and_fetched_again(live, portal, expected):
    live.ok("sfplan")
    path = live.path(f".sf/cache/source/snapshots/{snapshots(live)[0]}")
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        file.write(b"damaged!")
    subprocess.run(["rm", "-rf", live.path(".sf/cache/conform"), live.path(".sf/cache/objects")], check=True)
    live.refuse(1, "sfplan")
    live.apply()
    assert_same(live, expected)


def test_two_runs_at_once_fetch_once(live, portal):
    runs = [live.spawn("sfplan", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    assert [live.finish(run).code for run in runs] == [0, 0, 0]
    assert len(portal.asked(BULK)) == 1


PEAK = "import resource, subprocess, sys; subprocess.run(sys.argv[1:]); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"


@pytest.mark.skipif(IS_SANITIZED, reason="sanitizers take memory of their own")
@pytest.mark.parametrize("door", ["bulk", "soda2"])
def test_a_table_of_any_size_takes_little_memory(live, portal, installed, door):
    portal.publish(TABLE, sample(installed, rows=120000))
    live.source(f"{{datasf: {TABLE}, door: {door}}}")
    peak = int(live.ok("/usr/bin/python3", "-c", PEAK, "sfplan").out.split()[-1])
    assert peak < 64 * 1024, f"{peak} KiB for a table of 34 MB"


# --- url: and file: ---

def test_a_url_is_fetched_once_and_asked_with_its_tag_after_that(live, portal, text, expected):
    live.source(f"{{url: {portal.put_file('rows.csv', text.encode())}}}")
    live.apply()
    assert_same(live, expected)
    assert live.changes() == {}
    tags = [r.headers.get("If-None-Match") for r in portal.requests]
    assert tags == [None, portal.files["rows.csv"][1]] and len(snapshots(live)) == 1


def test_a_url_without_tags_is_asked_with_its_date(live, portal, text):
    live.source(f"{{url: {portal.put_file('rows.csv', text.encode(), etag=None, date=1790000000)}}}")
    live.apply()
    assert live.changes() == {}
    assert [bool(r.headers.get("If-Modified-Since")) for r in portal.requests] == [False, True]


@pytest.mark.parametrize("pack, suffix", [(gzip.compress, "gz"), (lambda b: subprocess.run(["zstd"], input=b, check=True,
                                                                                         stdout=subprocess.PIPE).stdout, "zst")])
def test_packed_urls_and_files_are_kept_as_they_are(live, portal, text, expected, pack, suffix):
    packed = pack(text.encode())
    live.source(f"{{url: {portal.put_file('rows.csv.' + suffix, packed)}}}")
    live.apply()
    assert_same(live, expected)
    with open(live.path(f".sf/cache/source/snapshots/{snapshots(live)[0]}"), "rb") as file:
        assert snapshots(live)[0].endswith(suffix) and file.read() == packed
    live.write("rows.csv.x", packed)
    live.source("{file: rows.csv.x}")
    live.apply()
    assert_same(live, expected)


def test_a_url_that_breaks_off_goes_on_and_after_a_kill_too(live, portal, text, expected):
    live.source(f"{{url: {portal.put_file('rows.csv.gz', gzip.compress(text.encode()))}}}")
    stop_in_the_middle(live, portal, "/files/", signal.SIGKILL, arrived_bytes=50000, stall=50000)
    portal.fault("/files/", cut=20000)
    live.apply()
    assert_same(live, expected)
    ranges = [r.headers.get("Range") for r in portal.requests]
    assert ranges[0] is None and len(ranges) == 3 and all(ranges[1:])


@pytest.mark.parametrize("pack", [gzip.compress, bytes], ids=["packed", "plain"])
def test_a_url_that_was_all_there_when_the_run_was_killed_is_fetched_again(live, portal, text, pack):
    """Asked for more than it has, a server answers with status 416."""
    data, less = pack(text.encode()), pack("".join(text.splitlines(keepends=True)[:1001]).encode())
    live.source(f"{{url: {portal.put_file('rows.csv', data)}}}")
    stop_in_the_middle(live, portal, "/files/", signal.SIGINT, arrived_bytes=len(less) // 4, stall=len(data) - 1)
    portal.files["rows.csv"] = (less, portal.files["rows.csv"][1], None)
    live.apply()
    assert live.show("dataset.d")["rows"] == 1000
    assert [bool(r.headers.get("Range")) for r in portal.requests] == [False, True, False]


def test_a_url_that_changed_between_two_halves_is_fetched_whole(live, portal, text, expected):
    url = portal.put_file("rows.csv", b"something else\n" * 30000)
    live.source(f"{{url: {url}}}")
    stop_in_the_middle(live, portal, "/files/", signal.SIGKILL, stall=300000)
    portal.put_file("rows.csv", text.encode())
    live.apply()
    assert_same(live, expected)


def test_a_redirect_is_followed(live, portal, text, expected):
    live.source(f"{{url: {portal.put_file('rows.csv', text.encode()).replace('/files/', '/moved/')}}}")
    live.apply()
    assert_same(live, expected)


def test_a_redirect_to_another_host_does_not_take_the_token_along(live, portal, expected):
    live.env["SF_APP_TOKEN"] = "good"
    with soda.Portal() as other:
        url = other.put_file("rows.csv", portal.tables[TABLE].bulk().encode())
        portal.fault(BULK, status=302, headers={"Location": url})
        live.apply()
        assert other.asked() == ["GET /files/rows.csv"] and "X-App-Token" not in other.requests[0].headers
    assert_same(live, expected)


def test_redirects_without_end_are_given_up(live, portal):
    live.source(f"{{url: {portal.origin}/moved/x}}")
    portal.fault("/moved/", times=99, status=302, headers={"Location": "/moved/x"})
    assert "points on and on" in live.refuse(1, "sfplan").err


def test_a_url_in_the_wrong_encoding_is_refused_with_its_place(live, portal, text):
    live.source(f"{{url: {portal.put_file('rows.csv', text.encode('utf-8')[:5000].replace(b'General', b'G' + bytes([0xe9]) + b'n'))}}}")
    assert "line" in live.refuse(1, "sfplan").err


# --- what stands between ---

class Proxy(http.server.BaseHTTPRequestHandler):
    def do_CONNECT(self):
        self.server.asked.append((self.path, dict(self.headers)))
        self.send_error(407)

    def log_message(self, *_args):
        pass


def test_a_proxy_that_refuses_is_named_and_sees_no_token(live):
    with http.server.HTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        proxy.asked = []
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        live.env.update(SF_DATASF_HOSTS="data.example.org", SF_APP_TOKEN="good", HTTPS_PROXY=f"http://127.0.0.1:{proxy.server_port}")
        result = live.refuse(1, "sfplan")
        proxy.shutdown()
        thread.join()
    assert "cannot reach 'data.example.org'" in result.err and "407" in result.err and "source={file: rows.csv}" in result.err
    assert proxy.asked and all(path == "data.example.org:443" and "X-App-Token" not in headers for path, headers in proxy.asked)


# --- the flagship ---

def test_the_flagship_loads_the_live_table_to_the_cent(ws1, portal, installed, tmp_path):
    ws1.flagship()
    del ws1.env["SF_VAR_source"]
    ws1.env["SF_DATASF_HOSTS"] = portal.origin
    road = ["-var-file", f"{ws1.share}/stacks/live.yaml"]
    week = Sample(installed, tmp_path, 5000)
    with open(week.csv, encoding="utf-8") as file:
        portal.publish(TABLE, file.read())
    plan = ws1.ok("sfplan", *road)
    assert "SAMPLE DATA" not in plan
    applied = ws1.apply(*road)
    assert "SAMPLE DATA" not in applied
    assert ws1.totals() == week.totals()
    portal.forget()
    assert ws1.changes(*road) == {}
    assert portal.asked() == [f"GET /{META}"]
    portal.publish(TABLE, renamed(portal.tables[TABLE].page(5000, 0), "fund_code", "fund_number"), updated_at=1790600000)
    ws1.refuse(1, "sfapply", "-auto-approve", *road)
    assert ws1.totals() == week.totals()
