"""The cluster by itself: a stack of a security group and a warehouse, driven by the programs as a person would."""

import os
import signal
import socket
import struct
import subprocess

from conftest import listening_ports, start_time, wait_until

STACK = """
stack: warehouse
provider: local
variables:
  clients: {{type: list, default: []}}
  password: {{type: string, secret: true, generate: {{length: 32}}}}
resources:
  access:
    kind: security_group
    name: access
    ingress: [{{protocol: tcp, port: {port}, from: "${{var.clients}}"}}]
  dw:
    kind: cluster
    identifier: dw
    database: san_francisco
    username: steward
    password: "${{var.password}}"
    port: {port}
    security_groups: [access]
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def knock(source, port):
    """What the server says to a client at this address: 'R' asks for a password, 'E' turns it away."""
    with socket.socket() as s:
        s.bind((source, 0))
        s.connect(("127.0.0.1", port))
        body = b"user\0steward\0database\0san_francisco\0\0"
        s.sendall(struct.pack("!ii", 8 + len(body), 196608) + body)
        return s.recv(1).decode()


def log_in(ws, password):
    """Exit code of psql as the master user."""
    return ws.run("psql", "-X", "-w", "-At", "-c", "select 1", "-h", "127.0.0.1", "-p", str(port_of(ws)), "-U", "steward",
                  "san_francisco", env={"PGPASSWORD": password}).code


def data(ws, name=""):
    return os.path.join(ws.territory("warehouse"), "clusters/dw/data", name)


def lock_file(ws):
    """Lines of postmaster.pid: pid first, port in the fourth."""
    with open(data(ws, "postmaster.pid")) as file:
        return file.read().splitlines()


def postmaster(ws):
    return int(lock_file(ws)[0])


def port_of(ws):
    return int(lock_file(ws)[3])


def up(ws, *args, port=None, **kwargs):
    ws.write("stack.yaml", STACK.format(port=port or free_port()))
    ws.apply(*args, **kwargs)


def test_a_cluster_lives_through_kills_and_edits_and_leaves_nothing(ws):
    up(ws)
    assert ws.changes() == {}
    port = port_of(ws)
    assert knock("127.0.0.1", port) == "R"
    pid = postmaster(ws)
    started = start_time(pid)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: start_time(pid) != started)
    assert ws.changes() == {"cluster.dw": "update"}
    ws.apply()
    assert ws.changes() == {} and port_of(ws) == port
    with open(data(ws, "pg_hba.conf"), "a") as file:
        file.write("host all all all trust\n")
    assert ws.drift() == {"cluster.dw": "update"}
    ws.apply()
    assert ws.changes() == {}
    ws.ok("sfdestroy", "-auto-approve")
    ws.assert_clean()
    assert port not in listening_ports()


def test_a_removed_cidr_is_refused_at_once(ws1):
    up(ws1, "-var", 'clients=["127.0.0.0/8"]')
    port = port_of(ws1)
    assert [knock(a, port) for a in ("127.0.0.1", "127.0.0.2")] == ["R", "R"]
    narrow = ("-var", 'clients=["127.0.0.1/32"]')
    assert ws1.changes(*narrow) == {"security_group.access": "update"}
    ws1.apply(*narrow)
    assert [knock(a, port) for a in ("127.0.0.1", "127.0.0.2")] == ["R", "E"]
    shut = ("-var", 'clients=["10.0.0.0/8"]')
    assert "add 127.0.0.1/32" in ws1.refuse(65, "sfplan", *shut).err
    wide = ("-var", 'clients=["10.0.0.0/8", "127.0.0.1/32"]')
    assert "will be restarted" in ws1.ok("sfplan", *wide).out
    ws1.apply(*wide)
    assert "00000000" in listening_ports()[port]
    assert ws1.changes(*wide) == {}


def test_a_taken_port_falls_to_the_next_free_one_and_stays(ws1):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        up(ws1, port=taken)
    port = port_of(ws1)
    assert port > taken and knock("127.0.0.1", port) == "R"
    assert ws1.changes() == {}


def test_a_new_password_replaces_the_old_one_and_is_written_nowhere(ws1):
    ws1.write("stack.yaml", STACK.format(port=free_port()).replace(", generate: {length: 32}", ""))
    first, second = {"SF_VAR_password": "First-secret-1"}, {"SF_VAR_password": "Second-secret-2"}
    ws1.apply(env=first)
    assert log_in(ws1, "First-secret-1") == 0
    ws1.apply(env=second)
    assert (log_in(ws1, "First-secret-1"), log_in(ws1, "Second-secret-2")) == (2, 0)
    for where, _dirs, names in os.walk(ws1.dir):
        for name in names:
            with open(os.path.join(where, name), "rb") as file:
                assert b"-secret-" not in file.read(), os.path.join(where, name)


def test_a_stopped_cluster_keeps_its_data(ws1):
    up(ws1)
    pid = postmaster(ws1)
    ws1.edit("stack.yaml", ("    database:", "    running: false\n    database:"))
    assert ws1.changes() == {"cluster.dw": "update"}
    ws1.apply()
    assert start_time(pid) is None and ws1.changes() == {}
    ws1.edit("stack.yaml", ("running: false", "running: true"))
    ws1.apply()
    assert knock("127.0.0.1", port_of(ws1)) == "R"


def test_a_lost_data_directory_is_made_anew(ws1):
    up(ws1)
    ws1.ok("rm", "-rf", data(ws1))
    assert ws1.changes() == {"cluster.dw": "create"}
    ws1.apply()
    assert ws1.changes() == {} and knock("127.0.0.1", port_of(ws1)) == "R"


def test_a_killed_apply_or_destroy_is_finished_by_the_next(ws1):
    ws1.write("stack.yaml", STACK.format(port=free_port()))
    for program in ("sfapply", "sfdestroy"):
        for ms in (5, 20, 60, 120, 250, 400, 600, 800):
            run = ws1.spawn(program, "-auto-approve", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                run.wait(ms / 1000)
            except subprocess.TimeoutExpired:
                run.kill()
                run.wait()
        ws1.ok(program, "-auto-approve")
        if program == "sfapply":
            assert ws1.changes() == {} and knock("127.0.0.1", port_of(ws1)) == "R"
    ws1.assert_clean()
