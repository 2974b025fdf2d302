"""One suite that every driver passes, in both worlds: the contract of engine/kind.h. The drivers are in rows.py."""

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess

import pytest

from aws.conftest import AwsWorkspace, aws_server  # noqa: F401  (a fixture)
from conftest import BUILD, Workspace, wait_until
from conformance.rows import AWS, LOCAL, ROWS, WITHOUT_A_ROW

READS = re.compile("Get|List|Describe|Head|Simulate")
ELSEWHERE = "22222222-2222-4222-8222-222222222222"  # a lineage that is not ours


class World:
    """What the suite asks of a workspace, on AWS and locally."""

    is_given_away = False

    def database(self):
        return contextlib.closing(sqlite3.connect(self.state("conf")))

    def record_of(self, address):
        """(id, status) in state; None when it knows nothing of it."""
        if not os.path.exists(self.state("conf")):
            return None
        with self.database() as db:
            return db.execute("select id, status from resource where address = ? and status <> 'deposed'", [address]).fetchone()

    def id_of(self, address):
        return self.record_of(address)[0]

    def intents(self):
        with self.database() as db:
            return db.execute("select address, verb from intent").fetchall()

    def forget(self, address):
        """State has never heard of it."""
        with self.database() as db, db:
            db.execute("delete from resource where address = ?", [address])

    def plan_text(self):
        return self.ok("sfplan", "-no-color").out


class LocalWorld(World, Workspace):
    def untouched(self):
        """What is outside, but for PostgreSQL's and ProFTPD's own files."""
        found = {}
        for path in self.territory_files("conf"):
            if not re.search(r"/clusters/[^/]+/data/|/log$|/scoreboard|/loaded$", path):
                info = os.lstat(path)
                found[path] = (info.st_ino, info.st_size, info.st_mtime_ns, stat.S_IMODE(info.st_mode))
        return found

    def refused(self, *argv):
        before = self.untouched()
        result = self.refuse(1, *argv)
        assert self.untouched() == before
        return result

    def things(self):
        """{kind: how many} outside."""
        found = {}
        for path in self.territory_files("conf"):
            if path.endswith(".json") and "/data/" not in path:
                with open(path) as file:
                    address = (json.load(file).get("owner") or {}).get("address", "")
                found[address] = found.get(address, 0) + bool(address)
        return found

    def assert_nothing_left(self):
        self.assert_clean()

    def close(self):
        """What was given to somebody else is not ours to destroy: it ends with the test."""
        if self.is_given_away:
            for pid in self.processes("conf"):
                os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.territory("conf"))
            os.unlink(self.path("stack.yaml"))
            wait_until(lambda: not self.processes("conf"))
        super().close()


class AwsWorld(World, AwsWorkspace):
    def refused(self, *argv):
        self.control("DELETE", "log")
        result = self.refuse(1, *argv)
        assert [c["action"] for c in self.log() if not READS.match(c["action"])] == []
        return result

    def things(self):
        return {kind: len(names) for kind, names in self.inventory().items()}

    def assert_nothing_left(self):
        assert self.inventory() == {}


def names(rows):
    return [row.id for row in rows]


def having(rows, what):
    return [row for row in rows if getattr(row, what)]


@pytest.fixture
def made(request, installed):
    """make(row): the workspace of a row, its stack file written."""
    workspaces = []

    def make(row):  # on AWS the account is empty again
        ws = AwsWorld(installed, request.getfixturevalue("aws_server")) if row.world == "aws" else LocalWorld(installed, None)
        workspaces.append(ws)
        ws.write("stack.yaml", row.text())
        return ws
    yield make
    for ws in workspaces:
        is_aws = isinstance(ws, AwsWorld)
        problems = ws.problems() if is_aws else []
        ws.close()
        assert problems == []


def applied(make, row):
    ws = make(row)
    ws.apply()
    return ws


def test_every_driver_has_a_row():
    with open(f"{BUILD}/gen/drivers.c") as file:
        drivers = set(re.findall(r"^extern const struct sf_driver sf_driver_([a-z]+)_(\w+);", file.read(), re.M))
    assert drivers and {(row.driver_world, row.kind) for row in ROWS} | set(WITHOUT_A_ROW) == drivers
    assert [row.id for row in ROWS if not row.without and not (row.change and row.vanish and row.own)] == []


# --- create, read, update, replace, destroy ---


@pytest.mark.parametrize("row", ROWS, ids=names(ROWS))
def test_the_plan_after_create_is_empty_and_destroy_leaves_nothing_even_twice(made, row):
    ws = applied(made, row)
    assert ws.record_of(row.address)[1] == "current" and ws.intents() == []
    assert ws.changes() == {} and ws.drift() == {}
    assert "No changes" in ws.apply().out
    ws.ok("sfdestroy", "-auto-approve")
    assert ws.recorded() == []
    ws.assert_nothing_left()
    ws.ok("sfdestroy", "-auto-approve")


@pytest.mark.parametrize("row", having(ROWS, "change"), ids=names(having(ROWS, "change")))
def test_a_change_in_place_keeps_the_id(made, row):
    ws = applied(made, row)
    before, things = ws.id_of(row.address), ws.things()
    ws.write("stack.yaml", row.text(row.change))
    assert ws.changes()[row.address] == "update"
    ws.apply()
    assert ws.id_of(row.address) == before and ws.things() == things
    assert ws.changes() == {} and ws.drift() == {}


@pytest.mark.parametrize("row", ROWS, ids=names(ROWS))
def test_a_replacement_is_another_object_and_the_only_one(made, row):
    ws = applied(made, row)
    before, things = ws.id_of(row.address), ws.things()
    argv = []
    if row.replace:
        ws.write("stack.yaml", row.text(row.replace))
    else:
        argv = [f"-replace={row.name}"]
    assert ws.changes(*argv)[row.address] == "replace"
    ws.apply(*argv)
    assert (ws.id_of(row.address) == before) == row.id_stays_on_replace and ws.things() == things
    assert ws.changes() == {} and ws.drift() == {}


# --- deleted by somebody else ---


@pytest.mark.parametrize("row", having(ROWS, "vanish"), ids=names(having(ROWS, "vanish")))
def test_what_somebody_deleted_is_made_again(made, row):
    ws = applied(made, row)
    things = ws.things()
    row.vanish(ws, row)
    assert ws.changes()[row.address] in row.after_vanish
    ws.apply()
    assert ws.changes() == {} and ws.things() == things


@pytest.mark.parametrize("row", having(ROWS, "vanish"), ids=names(having(ROWS, "vanish")))
def test_what_somebody_deleted_needs_no_destroying(made, row):
    ws = applied(made, row)
    row.vanish(ws, row)
    ws.ok("sfdestroy", "-auto-approve")
    assert ws.recorded() == []
    ws.assert_nothing_left()


# --- somebody else's ---


@pytest.mark.parametrize("whose", ["another stack's", "another lineage's", "nobody's"])
@pytest.mark.parametrize("row", having(ROWS, "own"), ids=names(having(ROWS, "own")))
def test_what_is_somebody_elses_is_left_alone_and_the_refusal_says_whose_it_is(made, row, whose):
    ws = applied(made, row)
    owner = {"another stack's": f"other/{ELSEWHERE}", "another lineage's": f"conf/{ELSEWHERE}", "nobody's": None}[whose]
    row.own(ws, row, owner)
    ws.forget(row.address)
    ws.is_given_away = True
    for program in (("sfplan",), ("sfapply", "-auto-approve")):
        text = ws.refused(*program).err
        if owner:
            assert ("other" if whose == "another stack's" else ELSEWHERE) in text, text
        assert "hint:" in text or "help:" in text
    assert ws.record_of(row.address) is None


# --- killed ---


@pytest.mark.parametrize("row", LOCAL, ids=names(LOCAL))
def test_what_was_made_but_not_finished_is_finished_by_an_update(made, row):
    ws = applied(made, row)
    ident, things = ws.id_of(row.address), ws.things()
    with ws.database() as db, db:
        db.execute("update resource set status = 'incomplete' where address = ?", [row.address])
    assert ws.changes()[row.address] == "update"
    assert "stopped before it was finished" in ws.plan_text()
    ws.apply()
    assert ws.record_of(row.address) == (ident, "current") and ws.things() == things and ws.changes() == {}


def killed(ws, action, when):
    """Ends an apply by SIGKILL while a call has no answer yet, be it done or not."""
    ws.faults([{"action": action, "fault": f"hang-{when}", "nth": 1}])
    process = ws.spawn("sfapply", "-auto-approve", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: ws.control("GET", "faults")[0]["fired"] or process.poll() is not None, 60)
    process.kill()
    process.wait()
    assert ws.control("GET", "faults")[0]["fired"]
    ws.faults([])


@pytest.mark.parametrize("row", having(AWS, "make"), ids=names(having(AWS, "make")))
def test_what_a_killed_create_made_is_found_and_is_the_only_one(made, row):
    ws = made(row)
    ws.apply()
    things = ws.things()
    ws.ok("sfdestroy", "-auto-approve")
    killed(ws, row.make, "after")
    assert ws.record_of(row.address) is None and (row.address, "create") in ws.intents()
    assert ws.changes().get(row.address, "no-op") in ("update", "no-op")
    ws.apply()
    assert ws.things() == things and ws.changes() == {} and ws.intents() == []


@pytest.mark.parametrize("row", having(AWS, "then"), ids=names(having(AWS, "then")))
def test_the_id_is_in_state_from_the_moment_that_it_is_made(made, row):
    ws = made(row)
    killed(ws, row.then, "before")
    ident, status = ws.record_of(row.address)
    assert status == "incomplete"
    assert ws.changes()[row.address] == "update" and ws.drift() == {}
    assert "stopped before it was finished" in ws.plan_text()
    made_again = [c for c in ws.calls_of("sfapply", "-auto-approve") if c["action"] == row.make]
    assert made_again == [] and ws.record_of(row.address) == (ident, "current") and ws.changes() == {}


# --- a server that fails ---


def life(ws, row):
    """Created, changed, destroyed: yields before each."""
    yield "create", ("sfapply", "-auto-approve")
    if row.change:
        ws.write("stack.yaml", row.text(row.change))
        yield "update", ("sfapply", "-auto-approve")
    yield "destroy", ("sfdestroy", "-auto-approve")


UNTROUBLED = {}  # by row: what a life is when nothing fails


def calls_of_a_life(make, row):
    """({phase: actions in order}, {phase: what there is after it})."""
    if row.id not in UNTROUBLED:
        ws, calls, things = make(row), {}, {}
        for phase, argv in life(ws, row):
            calls[phase] = list(dict.fromkeys(ws.actions_of(*argv)))
            things[phase] = ws.things()
        UNTROUBLED[row.id] = calls, things
    return UNTROUBLED[row.id]


def lives_on(make, row, faults_of, is_fatal=False):
    """A life with faults ends as one without; if they are fatal, after as many runs as there are faults."""
    calls, things = calls_of_a_life(make, row)
    ws = make(row)
    for phase, argv in life(ws, row):
        faults = faults_of(phase, calls[phase])
        ws.faults(faults)
        for _ in faults if is_fatal else ():
            assert ws.run(*argv).code in (0, 1, 4, 6)
        ws.ok(*argv)
        ws.faults([])
        assert ws.things() == things[phase]
        if phase != "destroy":
            assert ws.changes() == {}
    assert ws.recorded() == []


@pytest.mark.parametrize("row", having(AWS, "make"), ids=names(having(AWS, "make")))
def test_each_call_may_be_throttled_once(made, row):
    lives_on(made, row, lambda _phase, actions: [{"action": a, "fault": "throttle", "times": 1} for a in actions])


# the first two happen instead of the work, the others after it; what is in FATAL ends a run, and the next one goes on
FAULTS = ["500", "reset-before", "500-after", "reset-after", "truncate", "html"]
FATAL = ["expired-token", "wrong-json"]


@pytest.mark.parametrize("fault", FAULTS + FATAL)
@pytest.mark.parametrize("row", having(AWS, "make"), ids=names(having(AWS, "make")))
def test_a_call_may_fail_or_its_answer_be_lost_or_spoilt(made, row, fault):
    def faults_of(phase, actions):
        reads, changes = ([a for a in actions if bool(READS.match(a)) == is_read] for is_read in (True, False))
        hit = [a for a in changes if a in (row.make, row.then)] if phase == "create" else changes[:1]
        if fault == "500" and not row.own:  # what has no name is looked for during half a minute: once is enough
            hit = [a for a in hit if a != row.make]
        return [{"action": a, "fault": fault, "times": 1} for a in reads[:1] + hit]
    lives_on(made, row, faults_of, is_fatal=fault in FATAL)


@pytest.mark.parametrize("row", having(AWS, "make"), ids=names(having(AWS, "make")))
def test_what_takes_long_is_waited_for(made, row):
    ws = made(row)
    ws.settings(seconds_per_look=20, delays={"role_visible": 24})
    for phase, argv in life(ws, row):
        ws.ok(*argv)
        if phase != "destroy":
            assert ws.changes() == {}
    ws.assert_nothing_left()


@pytest.mark.parametrize("row", having(AWS, "make"), ids=names(having(AWS, "make")))
def test_what_is_denied_is_named_and_once_it_is_allowed_the_work_goes_on(made, row):
    calls, things = calls_of_a_life(made, row)
    ws = made(row)
    for phase, argv in life(ws, row):
        denied = [row.make, row.then] if phase == "create" else [a for a in calls[phase] if not READS.match(a)][-1:]
        for action in filter(None, denied):
            ws.faults([{"action": action, "fault": "deny"}])
            result = ws.refuse(4, *argv)
            assert f":{action}" in result.err, result
            ws.faults([])
        ws.ok(*argv)
        assert ws.things() == things[phase]
    assert ws.recorded() == []
