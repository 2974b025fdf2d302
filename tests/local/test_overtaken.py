"""What was planned on meets another world at apply: a bucket changed by hand, a port that somebody else took; and a directory with an
odd name."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from conftest import ACCOUNTS, Sample, Workspace, listening_ports, start_time, user_of, wait_until

NEXT = "{sample: {rows: 20000, seed: 1, as_of: 2}}"


@pytest.fixture(scope="module")
def next_week(installed, tmp_path_factory):
    """What NEXT names, with its answer key."""
    return Sample(installed, tmp_path_factory.mktemp("next"), 20000, 1, "-as-of", "2")


# --- deliveries ---

def bucket(ws, key=""):
    return os.path.join(ws.territory(), "buckets/sf-finance-landing-000000000000/data", key)


def keys(ws):
    return set(ws.show("upload.delivery")["files"])


def put_by_hand(ws, key, data):
    """As the owner of the bucket; what is there already is written over."""
    os.makedirs(os.path.dirname(bucket(ws, key)), exist_ok=True)
    with open(bucket(ws, key), "wb") as file:
        file.write(data)
    owner = os.stat(bucket(ws))
    for path in (bucket(ws, key), os.path.dirname(bucket(ws, key))):
        os.chown(path, owner.st_uid, owner.st_gid)


def plan_next(ws):
    ws.env["SF_VAR_source"] = NEXT
    ws.ok("sfplan", "-out", "next.plan")


@pytest.mark.parametrize("change", ["deleted", "altered"])
def test_a_delivery_that_was_changed_by_hand_after_the_plan_makes_it_stale(finance, small, next_week, change):
    key = next(k for k in sorted(keys(finance)) if "fy=2020" in k)
    with open(bucket(finance, key), "rb") as file:
        data = file.read()
    plan_next(finance)
    put_by_hand(finance, key, data[::-1])
    if change == "deleted":
        os.unlink(bucket(finance, key))
    before = sorted(finance.territory_files())
    result = finance.refuse(5, "sfapply", "next.plan")
    assert "'upload.delivery.files' has changed" in result.err and "plan again" in result.err, result
    assert sorted(finance.territory_files()) == before and finance.totals() == small.totals()
    # planned again, what was changed is put back and the next week delivered
    assert finance.drift() == {"upload.delivery": "update"}
    finance.apply()
    with open(bucket(finance, key), "rb") as file:
        assert file.read() == data
    assert finance.totals() == next_week.totals() and finance.changes() == {}


def test_other_bytes_under_a_key_that_is_about_to_be_delivered_are_written_over(finance, next_week):
    old = keys(finance)
    finance.env["SF_VAR_source"] = NEXT
    finance.apply()
    fresh = keys(finance) - old
    key = next(k for k in sorted(fresh) if "fy=" in k)
    with open(bucket(finance, key), "rb") as file:
        data = file.read()
    finance.env["SF_VAR_source"] = "{sample: {rows: 20000, seed: 1}}"
    finance.apply()
    assert not os.path.exists(bucket(finance, key)), "what is superseded goes once the load is published"
    plan_next(finance)
    put_by_hand(finance, key, b"not what was planned")
    finance.ok("sfapply", "next.plan")
    with open(bucket(finance, key), "rb") as file:
        assert file.read() == data
    assert finance.totals() == next_week.totals() and finance.changes() == {}


def test_a_file_that_somebody_else_delivered_already_is_not_delivered_again(finance, next_week):
    old = keys(finance)
    finance.env["SF_VAR_source"] = NEXT
    finance.apply()
    key = next(k for k in sorted(keys(finance) - old) if "fy=" in k)
    with open(bucket(finance, key), "rb") as file:
        data = file.read()
    finance.env["SF_VAR_source"] = "{sample: {rows: 20000, seed: 1}}"
    finance.apply()
    plan_next(finance)
    put_by_hand(finance, key, data)
    os.utime(bucket(finance, key), (1, 1))
    finance.ok("sfapply", "next.plan")
    assert os.stat(bucket(finance, key)).st_mtime == 1
    assert finance.totals() == next_week.totals() and finance.changes() == {}


# --- ports ---

def steal(port):
    """Somebody else listens there as soon as it is free."""
    thief = socket.socket()
    thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    def bound():
        with contextlib.suppress(OSError):
            thief.bind(("127.0.0.1", port))
            return True
        return False
    wait_until(bound)
    thief.listen()
    return thief


def ports_of(ws):
    return ws.pg_port(), int(ws.show("sftp_server.sftp")["port"])


def test_a_port_stolen_while_its_server_was_down_is_left_to_the_thief(finance, small):
    ports = ports_of(finance)
    for pid in (finance.postmaster(), finance.ftpd()):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: start_time(pid) is None)
    with steal(ports[0]), steal(ports[1]):
        assert finance.changes() == {"cluster.dw": "update", "sftp_server.sftp": "update"}
        result = finance.apply()
        chosen = ports_of(finance)
        assert chosen[0] > ports[0] and chosen[1] > ports[1]
        assert f"port {ports[0]} is taken; cluster 'sf-finance' listens on {chosen[0]} instead, and keeps it" in result.err, result
        assert f"port {ports[1]} is taken; SFTP server" in result.err and f"listens on {chosen[1]} instead" in result.err, result
        # the printed commands follow with the next apply
        assert finance.changes() == {"sftp_user.uploader": "update", "star_schema.star": "update"}
        finance.apply()
        assert finance.changes() == {} and finance.totals() == small.totals()
        assert finance.sftp(["ls -1"]).code == 0
    # when the thief is gone nobody moves back
    assert finance.apply().out.startswith("No changes.") and ports_of(finance) == chosen


RACE = """
stack: race
variables:
  password: {{type: string, secret: true, generate: {{length: 32}}}}
resources:
  dw: {{kind: cluster, identifier: dw, database: main, username: steward, password: "${{var.password}}", port: {port}}}
"""


def test_clusters_that_start_at_once_on_one_port_end_up_on_one_each(installed):
    """None is content with only one of its addresses while another has the other one."""
    port = random.SystemRandom().randrange(20000, 32000)
    with contextlib.ExitStack() as stacks:
        racers = [stacks.enter_context(contextlib.closing(Workspace(installed, user_of(ACCOUNTS[-1])))) for _ in range(4)]
        for ws in racers:
            ws.write("stack.yaml", RACE.format(port=port))
        runs = [ws.spawn("sfapply", "-auto-approve", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for ws in racers]
        assert [run.wait(120) for run in runs] == [0] * len(runs)
        heard = {ws.pg_port() for ws in racers}
        assert len(heard) == len(racers), heard
        assert all(len(listening_ports()[each]) == 2 for each in heard), "127.0.0.1 and ::1 of one port belong to two servers"
        assert [ws.changes() for ws in racers] == [{}] * len(racers)


# --- directories ---

@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_directory_whose_path_is_no_utf_8_is_refused_and_nothing_is_made(installed, account):
    """State is JSON: a path that cannot be recorded would be another one in every plan."""
    top = tempfile.mkdtemp(prefix="sf-ws-", dir="/var/tmp")
    os.chmod(top, 0o755)
    place = os.fsdecode(os.fsencode(top) + b"/b\xfccher")
    os.mkdir(place)
    ws = Workspace(installed, user_of(account), place)
    try:
        ws.flagship(source="{sample: {rows: 1000, seed: 1}}")
        for command in (["sfplan"], ["sfapply", "-auto-approve"], ["sfdestroy", "-auto-approve"]):
            result = ws.refuse(65, *command)
            assert "not UTF-8" in result.err and "rename the directory" in result.err, result
        assert json.loads(ws.run("sfplan", "-json").out.splitlines()[0])["diagnostic"]["code"] == "SF0229"
        assert os.listdir(place) == ["stack.yaml"]
    finally:
        ws.close()
        shutil.rmtree(top)


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_directory_with_blanks_and_signs_will_do(installed, account):
    top = tempfile.mkdtemp(prefix="sf-ws-", dir="/var/tmp")
    os.chmod(top, 0o755)
    place = f"{top}/Bücher der Stadt, neu"
    os.mkdir(place)
    ws = Workspace(installed, user_of(account), place)
    try:
        ws.flagship(source="{sample: {rows: 1000, seed: 1}}")
        ws.apply()
        assert ws.changes() == {} and ws.query("select count(*) from report.transaction") == [["1000"]]
        assert ws.sftp(["ls -1"]).code == 0
        ws.ok("sfdestroy", "-auto-approve")
        ws.assert_clean()
    finally:
        ws.close()
        shutil.rmtree(top)
