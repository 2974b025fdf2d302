"""A run that was killed between an intent and its outcome: the next run finishes it, and the plan after that is empty.

The moment is staged, not raced for: the world is put where the killed call left it, and the intent into state.db."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import uuid

import pytest

from conftest import wait_until

CLUSTER = """
stack: halfway
variables:
  password: {type: string, secret: true}
resources:
  dw: {kind: cluster, identifier: halfway, database: main, username: steward, password: "${var.password}"}
  star: {kind: star_schema, cluster: dw, schema: report, tables: builtin:sf/star, reader: analyst}
"""


@contextlib.contextmanager
def state(ws):
    connection = sqlite3.connect(ws.state())
    with contextlib.closing(connection), connection:
        yield connection


def leave_open(ws, address, verb, want=None):
    """An intent as a killed run leaves it; `want` are attributes in JSON, else those recorded."""
    with state(ws) as db:
        row = db.execute("select kind, attrs, refs, deps, id from resource where address = ?", [address]).fetchone()
        kind, attrs, refs, deps, ident = row
        db.execute("insert into intent values (?, ?, 0, ?, ?, 'a call', ?, ?, ?, ?, ?, 1)",
                   [str(uuid.uuid4()), address, kind, verb, want or attrs, refs, deps, ident, str(uuid.uuid4())])


def open_intents(ws):
    with state(ws) as db:
        return db.execute("select address, verb from intent").fetchall()


def attributes(ws, address):
    with state(ws) as db:
        return db.execute("select attrs from resource where address = ?", [address]).fetchone()[0]


@pytest.fixture
def halfway(ws1):
    ws1.write("stack.yaml", CLUSTER)
    ws1.env["SF_VAR_password"] = "Before0ld"
    ws1.apply()
    return ws1


def half_destroy(ws):
    """As a kill right after the mark that a destruction begins."""
    mark = os.path.join(ws.territory(), "clusters/halfway/removing")
    with open(mark, "w"):
        owner = os.stat(os.path.dirname(mark))
        os.chown(mark, owner.st_uid, owner.st_gid)
    leave_open(ws, "cluster.dw", "destroy")


def test_a_half_destroyed_cluster_is_made_anew_with_all_that_lives_in_it(halfway):
    half_destroy(halfway)
    assert halfway.changes() == {"cluster.dw": "replace", "star_schema.star": "replace"}
    halfway.apply()
    assert halfway.changes() == {} and open_intents(halfway) == []
    assert halfway.sql("select count(*) from report.load_ledger", database="main") == [["0"]]


def test_looking_or_not_approving_leaves_the_intent_open(halfway):
    half_destroy(halfway)
    halfway.ok("sfplan")
    assert halfway.run("sfapply").code == 64
    halfway.apply("-refresh-only")
    assert open_intents(halfway) == [("cluster.dw", "destroy")]
    assert halfway.changes()["cluster.dw"] == "replace"


def test_a_half_destroyed_cluster_is_destroyed_by_the_next_sfdestroy(halfway):
    half_destroy(halfway)
    halfway.ok("sfdestroy", "-auto-approve")
    assert open_intents(halfway) == [] and halfway.recorded() == []
    halfway.assert_clean()


@pytest.fixture
def loaded(ws1):
    """The flagship with a few rows, in place."""
    ws1.flagship(source="{sample: {rows: 500, seed: 1}}")
    ws1.apply()
    return ws1


@pytest.mark.parametrize("container, left", [("star", ["load.weekly_load"]), ("dw", ["star_schema.star", "load.weekly_load"])])
def test_what_outlived_its_container_in_state_is_gone_for_the_next_sfdestroy(loaded, container, left):
    with state(loaded) as db:
        rows = [db.execute("select * from resource where address = ?", [address]).fetchone() for address in left]
    loaded.ok("sfdestroy", "-auto-approve", f"-target={container}")
    with state(loaded) as db:
        for row in rows:
            db.execute(f"insert into resource values ({','.join('?' * len(row))})", row)
    loaded.ok("sfdestroy", "-auto-approve")
    assert loaded.recorded() == []
    loaded.assert_clean()


def test_what_a_killed_run_was_writing_is_not_in_the_way_of_a_destroy(loaded):
    gone = loaded.spawn("true")
    gone.wait()
    for name in (f"iam/policies/.sfstack-{gone.pid}.01", f"sftp/.sfstack-{gone.pid}.02/meta.json"):
        path = os.path.join(loaded.territory(), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write("half a fi")
    assert loaded.changes() == {}
    loaded.ok("sfdestroy", "-auto-approve")
    loaded.assert_clean()


def test_a_container_and_what_is_in_it_leave_state_together(loaded):
    with state(loaded) as db:  # the row of what is deepest inside cannot be deleted
        db.execute("create table hold (address, generation, foreign key (address, generation) references resource)")
        db.execute("insert into hold values ('load.weekly_load', 0)")
    assert "FOREIGN KEY" in loaded.run("sfdestroy", "-auto-approve").err
    assert {"cluster.dw", "star_schema.star", "load.weekly_load"} <= set(loaded.recorded())
    assert ("cluster.dw", "destroy") in open_intents(loaded)
    with state(loaded) as db:
        db.execute("drop table hold")
    loaded.ok("sfdestroy", "-auto-approve")
    assert open_intents(loaded) == [] and loaded.recorded() == []
    loaded.assert_clean()


def test_a_password_in_doubt_is_set_again(halfway):
    recorded = attributes(halfway, "cluster.dw")
    halfway.env["SF_VAR_password"] = "After0new"
    halfway.apply()
    changed = attributes(halfway, "cluster.dw")
    with state(halfway) as db:  # killed after the server took the new password, before that was recorded
        db.execute("update resource set attrs = ? where address = 'cluster.dw'", [recorded])
    leave_open(halfway, "cluster.dw", "update", want=changed)
    halfway.env["SF_VAR_password"] = "Before0ld"  # and the wish is taken back
    assert halfway.changes() == {"cluster.dw": "update"}
    halfway.apply()
    assert halfway.changes() == {} and open_intents(halfway) == []
    port = str(halfway.show("cluster.dw")["port"])
    log_in = ["psql", "-h", "127.0.0.1", "-p", port, "-U", "steward", "-d", "main", "-Atc", "select 1"]
    assert halfway.ok(*log_in, env={"PGPASSWORD": "Before0ld"}).out == "1\n"
    assert halfway.run(*log_in, env={"PGPASSWORD": "After0new"}).code == 2


def test_an_update_that_came_true_plans_nothing_and_its_intent_is_closed(halfway):
    leave_open(halfway, "star_schema.star", "update")
    assert halfway.changes() == {}
    halfway.apply()
    assert open_intents(halfway) == []


def test_a_server_that_stays_away_is_named_while_it_is_waited_for(ws1):
    ws1.write("stack.yaml", CLUSTER.replace('"${var.password}"', '"${var.password}", running: false'))
    ws1.env["SF_VAR_password"] = "Before0ld"
    process = ws1.spawn("sfapply", "-auto-approve", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = []
    for line in process.stderr:
        said.append(line)
        if "Trying again" in line:
            process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert any("star_schema.star: Trying again: cluster 'halfway' is stopped" in line for line in said), said


def test_rights_that_a_killed_run_took_away_come_back(ws1):
    ws1.flagship()
    ws1.apply()
    conf = ws1.one(r"sftp/[^/]+/proftpd\.conf")
    text = ws1.read(conf)
    with open(conf, "w") as file:  # the server has read other rules, and nobody wrote that down
        file.write(text.replace("AllowUser uploader", "AllowUser nobody"))
    with open(ws1.one(r"sftp/[^/]+/proftpd\.pid")) as file:
        os.kill(int(file.read()), signal.SIGHUP)
    wait_until(lambda: ws1.sftp(["ls /"]).code != 0)
    ws1.apply()
    assert ws1.read(conf) == text
    assert ws1.sftp(["ls /"]).code == 0 and ws1.changes() == {}
