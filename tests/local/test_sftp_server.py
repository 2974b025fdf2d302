"""The life of the local SFTP server: what it survives, what it never touches, what is left of it. As root and as an ordinary user."""

import glob
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import sftp_raw  # noqa: E402
from conftest import Workspace, start_time, user_of  # noqa: E402

STACK = """
stack: doors
provider: local
resources:
  inbox: {kind: bucket, name: "${stack.name}-inbox"}
  may_write:
    kind: policy
    name: "${stack.name}-write"
    document:
      Version: "2012-10-17"
      Statement:
        - {Effect: Allow, Action: s3:ListBucket, Resource: "${inbox.arn}"}
        - {Effect: Allow, Action: [s3:PutObject, s3:GetObject], Resource: "${inbox.arn}/*"}
  role:   {kind: role, name: "${stack.name}-sftp", trust: transfer, policies: [may_write]}
  host:   {kind: ssh_key, algorithm: ed25519}
  key:    {kind: ssh_key, algorithm: KIND}
  sftp:   {kind: sftp_server, host_keys: [host], port: PORT}
  clerk:  {kind: sftp_user, server: sftp, name: clerk, role: role, home: inbox, keys: [key]}
outputs:
  sftp_command: "${clerk.sftp_command}"
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write(ws, port=None, kind="ed25519"):
    ws.write("stack.yaml", STACK.replace("PORT", str(port or free_port())).replace("KIND", kind))


def server(ws):
    return json.load(open(ws.one(r"sftp/[^/]+/server\.json")))


def session(ws):
    """A session that stays open, by the printed command."""
    script = shlex.split(ws.output("sftp_command"))[2]
    words = [w for w in shlex.split(script)[2:] if w != "$@"]
    return sftp_raw.Raw(["ssh"] + ["-p" if w == "-P" else w for w in words])


def test_killed_it_is_drift_and_comes_back_on_the_same_port(ws):
    write(ws)
    ws.apply()
    port = server(ws)["port"]
    os.kill(ws.ftpd(), signal.SIGKILL)
    assert ws.drift() == {"sftp_server.sftp": "update"}
    assert ws.changes() == {"sftp_server.sftp": "update"}
    ws.apply()
    assert ws.changes() == {}
    assert server(ws)["port"] == port
    assert ws.sftp(["ls"]).code == 0


def test_a_port_taken_by_others_moves_it_to_the_next_free_one_for_good(ws):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        write(ws, other.getsockname()[1])
        result = ws.apply()
        assert "taken" in result.err + result.out
        port = server(ws)["port"]
        assert port != other.getsockname()[1]
        assert f"-P {port} " in ws.output("sftp_command")
        assert ws.changes() == {}
    ws.ok("sfapply", "-auto-approve")
    assert ws.sftp(["ls"]).code == 0 and server(ws)["port"] == port


def test_it_is_found_again_when_only_its_own_pid_file_tells(ws):
    """As after a crash between its start and our record of it."""
    write(ws)
    ws.apply()
    pid, path = ws.ftpd(), ws.one(r"sftp/[^/]+/server\.json")
    record = server(ws)
    record.update(pid=0, start_time=0)
    with open(path, "w") as file:
        json.dump(record, file)
    assert ws.changes() == {}
    ws.ok("sfdestroy", "-auto-approve")
    assert start_time(pid) is None


@pytest.mark.parametrize("recorded", [None, 1])
def test_a_process_that_got_its_number_is_never_touched(ws, recorded):
    write(ws)
    ws.apply()
    path, pid_path = ws.one(r"sftp/[^/]+/server\.json"), ws.one(r"sftp/[^/]+/proftpd\.pid")
    os.kill(ws.ftpd(), signal.SIGKILL)
    bystander = ws.spawn("sleep", "600")
    try:
        record = server(ws)
        record["pid"] = bystander.pid
        if recorded is not None:
            record["start_time"] = recorded
        with open(path, "w") as file:
            json.dump(record, file)
        with open(pid_path, "w") as file:
            file.write(f"{bystander.pid}\n")
        assert ws.changes() == {"sftp_server.sftp": "update"}
        ws.apply()
        assert ws.sftp(["ls"]).code == 0
        ws.ok("sfdestroy", "-auto-approve")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_taken_right_ends_the_sessions_that_hold_it_and_no_others(ws):
    write(ws)
    ws.apply()
    with session(ws) as raw:
        assert raw.ok, raw.error
        assert raw.put("/a") == "OK"
        # another user's right is no business of this session
        ws.edit("stack.yaml", ("outputs:", "  other: {kind: sftp_user, server: sftp, name: other, role: role, home: inbox, keys: [key]}\noutputs:"))
        ws.apply()
        assert raw.put("/a") == "OK"
        ws.edit("stack.yaml", ("Action: [s3:PutObject, s3:GetObject]", "Action: s3:GetObject"))
        ws.apply()
        assert raw.put("/a") == "CLOSED"
    with session(ws) as raw:
        assert raw.put("/a") == "PERMISSION_DENIED"
        assert raw.get("/a") == ("OK", b"new")


def test_running_false_stops_it_and_nothing_starts_it(ws):
    write(ws)
    ws.apply()
    ws.edit("stack.yaml", ("{kind: sftp_server,", "{kind: sftp_server, running: false,"))
    ws.apply()
    assert ws.processes() == {}
    ws.edit("stack.yaml", ("Action: [s3:PutObject, s3:GetObject]", "Action: s3:GetObject"))
    ws.apply()
    assert ws.processes() == {} and ws.changes() == {}
    ws.edit("stack.yaml", (" running: false,", ""))
    ws.apply()
    with session(ws) as raw:
        assert raw.put("/a") == "PERMISSION_DENIED"


def test_a_session_policy_and_a_prefix_take_away(ws):
    write(ws)
    ws.apply()
    ws.edit("stack.yaml", ("name: clerk, role: role,", "name: clerk, role: role, prefix: desk/clerk,"))
    ws.apply()
    with session(ws) as raw:
        assert raw.put("/mine") == "OK"
    assert ws.one(r"buckets/[^/]+/data/desk/clerk/mine")
    policy = 'policy: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: s3:GetObject, Resource: "${inbox.arn}/*"}]},'
    ws.edit("stack.yaml", ("prefix: desk/clerk,", "prefix: desk/clerk, " + policy))
    ws.apply()
    assert ws.changes() == {}
    with session(ws) as raw:
        assert raw.put("/mine") == "PERMISSION_DENIED"
        assert raw.get("/mine") == ("OK", b"new")
        assert raw.ls("/")[0] == "PERMISSION_DENIED"
    ws.edit("stack.yaml", (" " + policy, ""))
    ws.apply()
    assert ws.changes() == {}
    with session(ws) as raw:
        assert raw.put("/mine") == "OK"


@pytest.mark.parametrize("kind", ["ed25519", "rsa, format: pem", "rsa, format: openssh"])
def test_every_form_of_a_made_key_logs_in_by_the_printed_command(ws1, kind):
    write(ws1, kind=kind)
    ws1.apply()
    assert ws1.sftp(["ls"]).code == 0
    # further arguments at the end, as a person would write them
    assert ws1.shell(ws1.output("sftp_command") + " -q -b /dev/null").code == 0


def test_the_command_works_from_a_directory_with_blanks_and_quotes(installed):
    """In names of directories between the secrets and the root."""
    top = tempfile.mkdtemp(prefix="sf-ws-", dir="/var/tmp")
    os.chmod(top, 0o755)
    place = f"{top}/it is here, 50%"
    os.mkdir(place, 0o755)
    ws = Workspace(installed, user_of("root"), place)
    try:
        write(ws)
        result = ws.run("sfapply", "-auto-approve")
        if result.code == 0:
            assert ws.sftp(["ls"]).code == 0, ws.sftp(["ls"])
        else:
            assert "character" in result.err, result
    finally:
        ws.close()
        subprocess.run(["rm", "-rf", top], check=True)


def test_nothing_is_left_of_it(ws):
    write(ws)
    ws.apply()
    pid, port = ws.ftpd(), server(ws)["port"]
    territory = ws.territory()
    ws.ok("sfdestroy", "-auto-approve")
    assert start_time(pid) is None
    with socket.socket() as s:
        assert s.connect_ex(("127.0.0.1", port)) != 0
    assert glob.glob(f"{territory}/sftp/*") == []
    assert not os.path.exists(ws.path(".sf/doors/local/secrets/known_hosts"))


def test_it_listens_where_the_stack_says_and_nowhere_else(ws1):
    write(ws1)
    ws1.apply()
    port = server(ws1)["port"]

    def heard():
        found = []
        for line in open("/proc/net/tcp").readlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            if state == "0A" and int(address.split(":")[1], 16) == port:
                found.append(address.split(":")[0])
        return found

    assert heard() == ["0100007F"]
    ws1.edit("stack.yaml", ("{kind: sftp_server,", "{kind: sftp_server, local: {address: 0.0.0.0},"))
    ws1.apply()
    assert heard() == ["00000000"] and ws1.changes() == {}
    assert ws1.sftp(["ls"]).code == 0
    ws1.edit("stack.yaml", (" local: {address: 0.0.0.0},", ""))
    ws1.apply()
    assert heard() == ["0100007F"] and ws1.changes() == {}
