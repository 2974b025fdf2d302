"""Killed, interrupted, doubled, out of room: the next run finishes the job, and nothing is left twice or lost."""

import collections
import contextlib
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import pytest

from conftest import ACCOUNTS, ORDINARY, Sample, Workspace, start_time, user_of, wait_until

SEED = int(os.environ.get("SF_CRASH_SEED", random.SystemRandom().randrange(10**6)))
KILLS = int(os.environ.get("SF_KILLS", 12))  # of each verb: moments spread over its run, each at a random place in its share
FEW = 3000  # rows: what is killed is the same with few, and there is more of it a second
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


@pytest.fixture(scope="module")
def seconds(installed):
    """How long a first apply takes here, undisturbed."""
    ws = Workspace(installed, None)
    try:
        ws.flagship(source=f"{{sample: {{rows: {FEW}, seed: 1}}}}")
        started = time.monotonic()
        ws.apply()
        return time.monotonic() - started
    finally:
        ws.close()


@pytest.fixture(scope="module")
def few(installed, tmp_path_factory):
    return Sample(installed, tmp_path_factory.mktemp("few"), FEW)


def open_intents(ws):
    connection = sqlite3.connect(f"file:{ws.state()}?mode=ro", uri=True)
    try:
        return connection.execute("select * from intent").fetchall()
    finally:
        connection.close()


def kill_after(ws, delay, *argv):
    """Starts a program and ends it by SIGKILL after `delay` seconds, unless it is through by then. What it had to say."""
    process = ws.spawn(*argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(delay)
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.communicate(timeout=30)[0]
    raise AssertionError("a process that it started holds its output open")


def check_no_orphans(ws):
    """Nothing is in the world that the state does not know, and nothing twice."""
    assert open_intents(ws) == []
    assert ws.masters() == sorted([ws.postmaster(), ws.ftpd()])
    top = ws.territory()
    made = {tuple(f[len(top) + 1:].split("/")[:3 if "/iam/" in f else 2]) for f in ws.territory_files()}  # empty folders hold nothing
    assert collections.Counter("/".join(path[:-1]) for path in made if path[:-1]) == {
        "buckets": 1, "sftp": 1, "clusters": 1, "iam/policies": 2, "iam/roles": 2, "ssh_keys": 2, "security_groups": 1}
    data = os.path.join(top, "buckets/sf-finance-landing-000000000000/data")
    keys = {os.path.relpath(os.path.join(d, f), data) for d, _, files in os.walk(data) for f in files}
    upload = ws.show("upload.delivery")
    assert set(upload["files"]) <= keys <= set(upload["files"]) | set(upload["superseded"])
    leftovers = [f for f in ws.territory_files() if re.search(r"/\.sfstack-|/data\.new/|/removing$|/password$", f)]
    assert leftovers == []
    assert ws.sql("select count(*) from pg_prepared_xacts") == [["0"]]
    assert ws.query("select count(*) from (select part from report.load_ledger where is_current and part is not null group by table_name, part"
                    " having count(*) > 1) x") == [["0"]]


@pytest.mark.parametrize("moment", range(KILLS))
def test_a_first_apply_killed_at_any_moment_is_finished_by_the_next(installed, few, seconds, moment):
    """As root and as an ordinary user in turn."""
    chance = random.Random(SEED + moment)
    delay = seconds * (moment + chance.random()) / KILLS
    print(f"SF_CRASH_SEED={SEED}: killed after {delay:.3f} s of {seconds:.3f}")
    ws = Workspace(installed, user_of(ACCOUNTS[moment % len(ACCOUNTS)]))
    try:
        ws.flagship(source=f"{{sample: {{rows: {FEW}, seed: 1}}}}")
        print(kill_after(ws, delay, "sfapply", "-auto-approve"))
        if moment % 3 == 0:  # and killed again while it makes good
            print(kill_after(ws, chance.random() * seconds / 2, "sfapply", "-auto-approve"))
        print(ws.apply())
        assert ws.changes() == {}
        assert ws.totals() == few.totals()
        check_no_orphans(ws)
        ws.ok("sfdestroy", "-auto-approve")
        ws.assert_clean()
    finally:
        ws.close()


@pytest.mark.parametrize("moment", range(KILLS))
def test_a_destroy_killed_at_any_moment_is_finished_by_the_next(installed, moment):
    chance = random.Random(SEED + moment)
    delay = 0.6 * (moment + chance.random()) / KILLS
    print(f"SF_CRASH_SEED={SEED}: killed after {delay:.3f} s")
    ws = Workspace(installed, user_of(ACCOUNTS[moment % len(ACCOUNTS)]))
    try:
        ws.flagship(source="{sample: {rows: 1000, seed: 1}}")
        ws.apply()
        print(kill_after(ws, delay, "sfdestroy", "-auto-approve"))
        ws.ok("sfdestroy", "-auto-approve")
        ws.assert_clean()
        assert open_intents(ws) == [] and ws.recorded() == []
    finally:
        ws.close()


def test_a_load_killed_at_any_moment_shows_the_old_figures_or_the_new_ones(finance, installed, tmp_path):
    old, new = (Sample(installed, tmp_path, 20000, seed).totals() for seed in (1, 2))
    chance = random.Random(SEED)
    for n in range(-(-KILLS // len(ACCOUNTS))):
        target = (new, old)[n % 2]
        finance.env["SF_VAR_source"] = f"{{sample: {{rows: 20000, seed: {2 - n % 2}}}}}"
        print(f"SF_CRASH_SEED={SEED}")
        print(kill_after(finance, 0.3 + chance.random() * 1.2, "sfapply", "-auto-approve"))
        totals = finance.totals()
        assert totals in (old, new), f"SF_CRASH_SEED={SEED}: figures of neither week"
        finance.apply()
        assert finance.totals() == target and finance.changes() == {}
        check_no_orphans(finance)


# --- signals ---

def started(process, line):
    """Reads stderr until a line begins so; what was read."""
    text = ""
    for each in process.stderr:
        text += each
        if each.startswith(line):
            return text
    raise AssertionError(f"'{line}' never came:\n{text}")


@pytest.mark.parametrize("sig, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("line", ["cluster.dw: Creating", "load.weekly_load: Creating"])
def test_a_signal_ends_an_apply_in_order_and_the_next_one_finishes(ws, small, sig, code, line):
    ws.flagship()
    process = ws.spawn("sfapply", "-auto-approve", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = started(process, line)
    process.send_signal(sig)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, text + err
    assert open_intents(ws) == []
    recorded = ws.recorded()
    assert line.partition(":")[0] in recorded, "a call in flight was not waited for"
    if line.startswith("cluster"):
        assert "load.weekly_load" not in recorded and "not started" in err, err
    ws.apply()
    assert ws.changes() == {} and ws.totals() == small.totals()


ENDLESS = ("checks: {endless: {check: sql, columns: [n], query: "
           "'select count(*) as n from generate_series(1, 1000000000) a, generate_series(1, 1000000000) b having count(*) < 0'}}}")


@pytest.mark.parametrize("sig, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_is_waited_for_after_a_signal_is_named_and_a_second_signal_cancels_it(ws1, sig, code):
    ws1.flagship(("checks: builtin:sf/checks}", ENDLESS), source="{sample: {rows: 500, seed: 1}}")
    process = ws1.spawn("sfapply", "-auto-approve", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = started(process, "load.weekly_load: Creating")
    process.send_signal(sig)
    text += started(process, "Stopping when done: load.weekly_load.")
    process.send_signal(sig)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, text + err
    assert open_intents(ws1) == [] and "load.weekly_load" not in ws1.recorded()
    ws1.edit("stack.yaml", (ENDLESS, "checks: builtin:sf/checks}"))
    ws1.apply()
    assert ws1.changes() == {}


# --- two at once ---

def test_of_two_applies_one_waits_or_says_who_holds_the_lock(ws, small):
    ws.flagship()
    first = ws.spawn("sfapply", "-auto-approve", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    started(first, "bucket.landing: Creating")
    first.send_signal(signal.SIGSTOP)
    try:
        result = ws.refuse(5, "sfapply", "-auto-approve", "-lock-timeout", "0")
        assert f"pid {first.pid}" in result.err and "sfapply" in result.err and "-lock-timeout" in result.err, result
        result = ws.refuse(5, "sfdestroy", "-auto-approve", "-lock-timeout=0")
        assert f"pid {first.pid}" in result.err, result
        waiting = ws.spawn("sfapply", "-auto-approve", "-lock-timeout", "60", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        # planning needs no lock, and says who is at work
        plan = ws.run("sfplan")
        assert plan.code in (0, 1, 5, 6) and "hung" not in plan.err, plan
    finally:
        first.send_signal(signal.SIGCONT)
    assert first.communicate(timeout=120) and first.returncode == 0
    out, err = waiting.communicate(timeout=120)
    assert waiting.returncode == 0 and out.startswith("No changes."), out + err
    assert ws.totals() == small.totals()


# --- ports ---

@contextlib.contextmanager
def taken_port():
    """A port that somebody else listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        yield s.getsockname()[1]


def test_a_taken_port_is_left_to_its_owner_and_the_next_free_one_is_kept(ws, small):
    with taken_port() as sql_port, taken_port() as sftp_port:
        ws.flagship(sql_port=sql_port, sftp_port=sftp_port)
        plan = ws.ok("sfplan")
        assert f"port {sql_port} is taken" in plan.out and f"port {sftp_port} is taken" in plan.out, plan
        ws.apply()
        chosen = ws.pg_port(), int(ws.show("sftp_server.sftp")["port"])
        assert chosen[0] > sql_port and chosen[1] > sftp_port
        assert ws.changes() == {}
    # free now, asked for again: it stays
    assert ws.changes() == {} and ws.apply().out.startswith("No changes.")
    for pid in (ws.postmaster(), ws.ftpd()):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: start_time(pid) is None)
    ws.apply()
    assert (ws.pg_port(), int(ws.show("sftp_server.sftp")["port"])) == chosen
    assert ws.changes() == {} and ws.totals() == small.totals()


# --- what is missing, what is somebody else's ---

def without(ws, mounts, *argv):
    """Runs a program in a mount namespace of its own, where something hides what is installed."""
    script = "; ".join(mounts)
    prefix = ["setpriv", f"--reuid={ws.user}", "--clear-groups"] if ws.user else []
    return Workspace.finish(subprocess.Popen(
        ["unshare", "-m", "sh", "-c", f'set -e; {script}; exec "$@"', "sh", *prefix, *argv], cwd=ws.dir, env=ws.env, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))


@ROOT_ONLY
@pytest.mark.parametrize("program, mount, package", [
    ("PostgreSQL", "mount -t tmpfs none /usr/lib/postgresql", "postgresql"),
    ("proftpd", "touch none; mount --bind none /usr/sbin/proftpd", "proftpd-core"),
    ("mod_sftp", "cp -r /usr/lib/proftpd some; rm some/mod_sftp.so; mount --bind some /usr/lib/proftpd", "proftpd-mod-crypto"),
    ("mod_vroot", "cp -r /usr/lib/proftpd some; rm some/mod_vroot.so; mount --bind some /usr/lib/proftpd", "proftpd-mod-vroot")])
def test_a_missing_server_is_named_with_its_package_before_anything_is_made(ws1, program, mount, package):
    ws1.flagship(source="{sample: {rows: 1000, seed: 1}}")
    result = without(ws1, [mount], f"{ws1.bin}/sfapply", "-auto-approve")
    assert result.code not in (0, 65) and program in result.err and package in result.err, result
    assert "apt-get install" in result.err or "make deps" in result.err, result
    assert not os.path.exists(ws1.territory()) or ws1.territory_files() == [], "something was made"
    ws1.apply()
    assert ws1.changes() == {}


@ROOT_ONLY
def test_root_leaves_somebody_elses_directory_alone(installed):
    ws = Workspace(installed, ORDINARY)
    try:
        ws.flagship()
        before = sorted(os.listdir(ws.dir))
        for program in ("sfplan", "sfapply", "sfdestroy"):
            argv = [program] if program == "sfplan" else [program, "-auto-approve"]
            done = subprocess.run([f"{ws.bin}/{argv[0]}", *argv[1:]], cwd=ws.dir, env=ws.env, text=True, capture_output=True)
            assert done.returncode == 4, done
            assert f"belongs to '{ORDINARY}'" in done.stderr and "hint" in done.stderr, done.stderr
            assert sorted(os.listdir(ws.dir)) == before, f"{program} left files of root's"
        ws.apply()
        # and not into what is there either
        done = subprocess.run([f"{ws.bin}/sfapply", "-auto-approve"], cwd=ws.dir, env=ws.env, text=True, capture_output=True)
        assert done.returncode == 4 and f"belongs to '{ORDINARY}'" in done.stderr, done
        assert ws.changes() == {}
    finally:
        ws.close()


# --- no room ---

class Room:
    """A file system of a few megabytes."""

    def __init__(self, directory, megabytes):
        self.directory = directory
        os.makedirs(directory)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", directory], check=True)

    def fill(self, leave_kb):
        """Takes all room but so many kilobytes."""
        free = os.statvfs(self.directory)
        size = free.f_bavail * free.f_frsize - leave_kb * 1024
        with open(f"{self.directory}/filler", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)

    def free(self):
        os.unlink(f"{self.directory}/filler")

    def close(self):
        subprocess.run(["umount", "-l", self.directory], check=True)
        os.rmdir(self.directory)


@pytest.fixture
def room(tmp_path, installed):
    """A workspace of an ordinary user on a file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    os.chmod(tmp_path.parent, 0o755)
    where = f"/var/tmp/sf-room-{os.getpid()}-{random.SystemRandom().randrange(10**9)}"
    room = Room(where, 400)
    room.ws = Workspace(installed, ORDINARY, where)
    yield room
    try:
        if os.path.exists(f"{where}/filler"):
            room.free()
        room.ws.close()
    finally:
        room.close()


def test_a_full_disk_while_state_is_written_loses_nothing(room):
    """Values are durably recorded one by one: sooner or later the state does not fit."""
    ws = room.ws
    values = "".join(f"  v{n}: {{kind: value, input: \"{'x' * 2000}{n}\"}}\n" for n in range(400))
    ws.write("stack.yaml", f"stack: many\nprovider: local\nresources:\n{values}")
    ws.ok("sfplan")
    room.fill(300)
    result = ws.refuse(1, "sfapply", "-auto-approve")
    assert re.search("disk is full|no space left|No space left", result.err) and "state" in result.err, result
    room.free()
    made = len(ws.recorded())
    assert made < 400
    assert ws.apply() and ws.changes() == {} and len(ws.recorded()) == 400


@pytest.mark.parametrize("leave_kb", [200, 2000, 30000])
def test_a_full_disk_while_loading_keeps_yesterdays_figures(room, installed, tmp_path, leave_kb):
    ws, yesterday = room.ws, Sample(installed, tmp_path, 2000)
    ws.flagship(source="{sample: {rows: 2000, seed: 1}}")
    ws.apply()
    ws.env["SF_VAR_source"] = "{sample: {rows: 300000, seed: 2}}"
    room.fill(leave_kb)
    result = ws.run("sfapply", "-auto-approve")
    assert result.code not in (0, 65, 64), result
    assert re.search("[Nn]o space left|disk is full|free disk space", result.err), result
    room.free()
    with contextlib.suppress(AssertionError):  # PostgreSQL itself may have given up, and is started by the next apply
        assert ws.totals() == yesterday.totals()
    ws.apply()
    assert ws.changes() == {} and ws.query("select count(*) from report.transaction") == [["300000"]]
    check_no_orphans(ws)
