"""What becomes of the cache: a plan's bytes are applied or refused, plans without a look at the source, and what is deleted."""

import glob
import json
import os
import shutil
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from live_portal import META, ROWS, TABLE, assert_same, expected, live, portal, sample, snapshots, text  # noqa: E402,F401

MOVED = 1790600000


def week(installed, n, rows=ROWS):
    return sample(installed, "-as-of", str(n), rows=rows)


def objects(live):
    top = live.path(".sf/cache/objects")
    return {os.path.relpath(os.path.join(folder, name), top) for folder, _dirs, names in os.walk(top) for name in names}


def keys_of(attributes):
    return {file["key"] for kind in ("years", "tables") for entry in attributes[kind].values()
            for file in entry.get("parts", {None: entry}).values()}


def evaluations(live):
    return [name for name in os.listdir(live.path(".sf/cache/conform")) if name.endswith(".json") and not name.startswith("held-")]


# --- a saved plan ---

def test_a_saved_plan_is_applied_with_its_bytes_although_the_source_moved(live, portal, installed, expected):
    live.ok("sfplan", "-out=plan")
    portal.publish(TABLE, week(installed, 1), updated_at=MOVED)
    portal.forget()
    live.ok("sfapply", "plan")
    assert_same(live, expected)
    assert portal.asked() == []
    assert live.changes() == {"dataset.d": "update"}


def test_a_saved_plan_of_a_file_is_applied_with_its_bytes_although_the_file_is_another(live, installed, text, expected):
    live.write("rows.csv", text)
    live.source("{file: rows.csv}")
    live.ok("sfplan", "-out=plan")
    live.write("rows.csv", week(installed, 1))
    live.ok("sfapply", "plan")
    assert_same(live, expected)


@pytest.mark.parametrize("damage", [lambda path: os.unlink(path), lambda path: os.truncate(path, 10)], ids=["gone", "short"])
def test_a_saved_plan_whose_bytes_are_not_in_the_cache_is_refused_and_they_are_named(live, portal, installed, damage):
    live.ok("sfplan", "-out=plan")
    key = next(key for key in sorted(objects(live)) if key.startswith("transaction/fy=2012/"))
    damage(live.path(f".sf/cache/objects/{key}"))
    portal.publish(TABLE, week(installed, 1), updated_at=MOVED)
    portal.forget()
    result = live.refuse(5, "sfapply", "plan")
    assert key in result.err and "plan again" in result.err
    assert portal.asked() == [] and live.recorded() == []


def test_a_saved_plan_holds_the_partition_hashes(live):
    live.ok("sfplan", "-out=plan")
    with open(live.path("plan")) as file:
        settled = json.load(file)["settled"]["dataset.d"]
    assert keys_of(settled) == objects(live)
    assert all(len(year["sha256"]) == 64 for year in settled["years"].values())


def test_what_is_applied_is_what_was_planned_even_if_the_file_changes_in_between(live, installed, text, expected):
    """The question is asked after the plan was made: whoever answers it late must get what was shown."""
    live.write("rows.csv", text)
    live.source("{file: rows.csv}")
    run = live.spawn("/usr/bin/python3", "-c", ANSWERS_LATE, "sfapply", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE, env={"OTHER": live.write("other.csv", week(installed, 1))})
    result = live.finish(run)
    assert result.code == 0, result
    assert_same(live, expected)


# runs a program on a terminal, changes rows.csv when the question is there, and says yes
ANSWERS_LATE = """
import os, pty, shutil, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
try:
    while chunk := os.read(fd, 65536):
        seen += chunk
        if b"Only 'yes'" in chunk:
            shutil.copy(os.environ["OTHER"], "rows.csv")
            os.write(fd, b"yes\\n")
except OSError:
    pass
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


# --- -data=skip ---

def test_with_data_skip_nothing_is_asked_and_the_recorded_rows_count(live, portal, installed):
    live.apply()
    portal.publish(TABLE, week(installed, 1), updated_at=MOVED)
    portal.forget()
    shutil.rmtree(live.path(".sf/cache"))
    plan = live.ok("sfplan", "-data=skip")
    assert "source not looked at (-data=skip)" in plan and "No changes" in plan
    assert portal.asked() == [] and not os.path.exists(live.path(".sf/cache/objects"))
    live.ok("sfapply", "-data=skip", "-auto-approve")
    assert portal.asked() == []


def test_with_data_skip_another_attribute_can_be_changed(live, portal, installed, expected):
    live.apply()
    portal.publish(TABLE, week(installed, 1), updated_at=MOVED)
    live.edit("stack.yaml", ('"${var.contract}"}', '"${var.contract}", max_rejects: 7}'))
    live.ok("sfapply", "-data=skip", "-auto-approve")
    assert live.show("dataset.d")["max_rejects"] == 7
    assert_same(live, expected)


def test_with_data_skip_a_changed_file_is_said_and_not_counted(live, installed, text, expected):
    live.write("rows.csv", text)
    live.source("{file: rows.csv}")
    live.apply()
    assert "source not looked at" in live.ok("sfplan", "-data=skip")
    live.write("rows.csv", week(installed, 1))
    plan = live.ok("sfplan", "-data=skip")
    assert "source changed, rows not counted" in plan and "No changes" in plan
    live.ok("sfapply", "-data=skip", "-auto-approve")
    assert_same(live, expected)
    assert live.changes() == {"dataset.d": "update"}


@pytest.mark.parametrize("change", [lambda live: live.source("{sample: {rows: 10, seed: 1}}"),
                                    lambda live: live.env.__setitem__("SF_VAR_contract", "evolve")], ids=["source", "contract"])
def test_with_data_skip_another_source_or_rule_is_said_and_not_recorded(live, change, expected):
    live.apply()
    was = live.show("dataset.d")
    change(live)
    plan = live.ok("sfapply", "-data=skip", "-auto-approve")
    assert "source changed, rows not counted" in plan
    assert live.show("dataset.d") == was


def test_with_data_skip_and_nothing_recorded_there_is_nothing_to_plan_with(live, portal):
    result = live.refuse(64, "sfplan", "-data=skip")
    assert "no rows of 'd' were recorded before" in result.err and "without -data=skip" in result.err
    assert portal.asked() == []


def test_data_takes_auto_or_skip(live, portal):
    assert "takes auto or skip, not 'refetch'" in live.refuse(64, "sfplan", "-data=refetch").err
    live.ok("sfplan", "-data=auto")
    assert portal.asked(META)


def test_a_plan_saved_with_data_skip_is_applied_so(live, portal, installed, expected):
    live.apply()
    portal.publish(TABLE, week(installed, 1), updated_at=MOVED)
    live.edit("stack.yaml", ('"${var.contract}"}', '"${var.contract}", max_rejects: 7}'))
    live.ok("sfplan", "-data=skip", "-out=plan")
    portal.forget()
    live.ok("sfapply", "plan")
    assert portal.asked() == []
    assert_same(live, expected)


# --- what is deleted ---

def test_only_the_newest_snapshots_and_what_was_made_of_them_are_kept(live, portal, installed):
    recorded = []
    for n in range(7):
        portal.publish(TABLE, week(installed, n), updated_at=MOVED + n)
        live.apply()
        recorded.append(live.show("dataset.d"))
    assert len(snapshots(live)) == 4 and len(evaluations(live)) == 4
    assert objects(live) == set().union(*(keys_of(one) for one in recorded[-4:]))
    assert objects(live) < set().union(*(keys_of(one) for one in recorded))
    portal.forget()
    assert live.changes() == {}
    assert portal.asked() == [f"GET /{META}"]


def test_plans_that_are_not_applied_do_not_push_out_what_is_recorded(live, portal, installed):
    portal.publish(TABLE, week(installed, 0), updated_at=MOVED)
    live.apply()
    before = keys_of(live.show("dataset.d"))
    portal.publish(TABLE, week(installed, 1), updated_at=MOVED + 1)
    live.apply()
    published = keys_of(live.show("dataset.d"))
    for n in range(2, 8):
        portal.publish(TABLE, week(installed, n), updated_at=MOVED + n)
        live.ok("sfplan")
    assert before <= objects(live) and published <= objects(live)
    assert len(evaluations(live)) == 6


def test_a_saved_plan_survives_other_plans_until_it_is_among_the_oldest(live, portal, installed):
    live.ok("sfplan", "-out=plan")
    for n in range(1, 4):
        portal.publish(TABLE, week(installed, n), updated_at=MOVED + n)
        live.ok("sfplan")
    live.ok("sfapply", "plan")
    portal.publish(TABLE, week(installed, 4), updated_at=MOVED + 4)
    live.ok("sfplan", "-out=plan")
    for n in range(5, 9):
        portal.publish(TABLE, week(installed, n), updated_at=MOVED + n)
        live.ok("sfplan")
    assert "is not in the cache" in live.refuse(5, "sfapply", "plan").err


def test_data_sets_that_share_a_cache_do_not_push_out_each_others(live, portal, installed, text):
    live.write("rows.csv", text)
    live.write("other.yaml", "stack: other\nresources:\n  d: {kind: dataset, source: {file: rows.csv}, conform: builtin:sf/spending_revenue}\n")
    live.ok("sfapply", "-auto-approve", "-f", "other.yaml")
    kept = objects(live)
    for n in range(1, 7):
        portal.publish(TABLE, week(installed, n), updated_at=MOVED + n)
        live.apply()
    assert kept <= objects(live)


def test_a_snapshot_that_is_given_as_a_file_is_kept(live, portal, installed):
    live.ok("sfplan")
    name = snapshots(live)[0]
    live.write("other.yaml", "stack: other\nresources:\n  d: {kind: dataset, conform: builtin:sf/spending_revenue,"
               f" source: {{file: .sf/cache/source/snapshots/{name}}}}}\n")
    live.ok("sfapply", "-auto-approve", "-f", "other.yaml")
    for n in range(1, 7):
        portal.publish(TABLE, week(installed, n), updated_at=MOVED + n)
        live.apply()
    assert name in snapshots(live) and len(snapshots(live)) == 5
    assert "No changes" in live.ok("sfplan", "-f", "other.yaml")


def test_nothing_is_deleted_while_another_run_is_at_work_in_the_cache(live, portal, installed):
    live.apply()
    hold = live.spawn("flock", "-s", ".sf/cache/conform/use.lock", "cat", stdin=subprocess.PIPE)
    for n in range(1, 7):
        portal.publish(TABLE, week(installed, n), updated_at=MOVED + n)
        live.apply()
    assert len(snapshots(live)) == 7
    hold.stdin.close()
    hold.wait()
    portal.publish(TABLE, week(installed, 8), updated_at=MOVED + 8)
    live.apply()
    assert len(snapshots(live)) == 4


def test_nothing_is_deleted_when_a_list_of_what_is_held_cannot_be_read(live, portal, installed):
    live.apply()
    live.write(".sf/cache/conform/held-0123456789abcdef.json", "damaged")
    for n in range(1, 7):
        portal.publish(TABLE, week(installed, n), updated_at=MOVED + n)
        live.apply()
    assert len(snapshots(live)) == 7


def test_files_of_others_in_the_cache_stay(live, portal, installed):
    live.apply()
    others = [live.write(f".sf/cache/{name}", "mine") for name in
              ("conform/notes.json", "source/snapshots/notes.csv", "objects/transaction/notes.csv.gz", "source/notes.txt")]
    for n in range(1, 7):
        portal.publish(TABLE, week(installed, n), updated_at=MOVED + n)
        live.apply()
    assert all(map(os.path.exists, others)) and len(snapshots(live)) == 5


def test_a_transfer_that_nobody_went_on_with_for_two_weeks_is_deleted(live, portal, installed):
    live.apply()
    now = time.time()
    for name, days in (("gone.part", 15), ("gone.what", 15), ("new.part", 13), ("gone.lock", 15), ("notes.txt", 15)):
        os.utime(live.write(f".sf/cache/source/partial/{name}", "some bytes"), (now, now - days * 86400))
    portal.publish(TABLE, week(installed, 1), updated_at=MOVED)
    live.apply()
    left = set(os.listdir(live.path(".sf/cache/source/partial")))
    assert {"new.part", "gone.lock", "notes.txt"} <= left and not left & {"gone.part", "gone.what"}


def test_a_file_that_changes_every_week_leaves_no_more_than_the_newest_either(live, installed):
    live.source("{file: rows.csv}")
    for n in range(7):
        live.write("rows.csv", week(installed, n, rows=2000))
        os.utime(live.path("rows.csv"), (1790000000 + n, 1790000000 + n))
        live.apply()
    assert len(evaluations(live)) == 4
    assert len(glob.glob(live.path(".sf/cache/conform/file-*"))) == 4
