"""sfdestroy leaves nothing of the stack, touches nothing else, and names what is in the way."""

import os
import re
import signal
import subprocess

from conftest import listening_ports, start_time, wait_until

TINY = "{sample: {rows: 1000, seed: 1}}"


def bucket(ws):
    return os.path.join(ws.territory(), "buckets/sf-finance-landing-000000000000/data")


def shared_memory():
    """Ids of this machine's SysV segments."""
    with open("/proc/sysvipc/shm") as file:
        return [line.split()[1] for line in list(file)[1:]]


def test_destroy_leaves_no_process_port_file_or_table(ws):
    ws.flagship(source=TINY)
    ws.apply()
    pids = ws.processes()
    ports = ws.pg_port(), int(ws.show("sftp_server.sftp")["port"])
    assert pids and set(ports) <= set(listening_ports())
    with open(ws.one(r"clusters/[^/]+/data/postmaster\.pid")) as file:
        lines = file.read().splitlines()
    sockets, segment = lines[4], lines[6].split()[1]
    assert os.path.isdir(sockets) and segment in shared_memory()
    result = ws.ok("sfdestroy", "-auto-approve")
    assert "Nothing of this stack is left" in result.out, result
    ws.assert_clean()
    assert ws.recorded() == []
    assert not set(ports) & set(listening_ports())
    assert all(start_time(pid) != started for pid, started in pids.items())
    assert not os.path.exists(sockets) and segment not in shared_memory()
    # what stays is the person's own: the stack file; the record of what was; and what planning can rebuild
    left = {os.path.relpath(os.path.join(d, f), ws.dir) for d, _, fs in os.walk(ws.dir) for f in fs}
    assert all(re.match(r"stack\.yaml$|\.sf/\.gitignore$|\.sf/cache/|\.sf/sf-finance/local/state\.db|\.config/sfstack/key$", f) for f in left), left
    # again is nothing; and the next apply starts afresh
    assert ws.run("sfdestroy", "-auto-approve").code == 0
    assert set(ws.changes().values()) == {"create"}


def test_destroy_shows_its_plan_and_wants_the_word_yes(finance):
    with finance.unchanged():
        plan = finance.ok("sfplan", "-destroy").out
        assert "15 to destroy" in plan
        result = finance.refuse(64, "sfdestroy")
        assert "-auto-approve" in result.err, result


def test_foreign_files_are_kept_and_named_as_what_is_in_the_way(ws):
    ws.flagship(source=TINY)
    ws.apply()
    ws.write("notes.txt", "mine\n")
    assert ws.sftp(["put notes.txt transaction/../notes.txt"]).code == 0
    with open(os.path.join(bucket(ws), "notes.txt")) as file:
        assert file.read() == "mine\n"
    result = ws.run("sfdestroy", "-auto-approve")
    assert result.code == 1 and "notes.txt" in result.err and "hint" in result.err, result
    assert os.listdir(bucket(ws)) == ["notes.txt"], "ours go, theirs stay"
    assert ws.recorded() == ["bucket.landing"]
    os.unlink(os.path.join(bucket(ws), "notes.txt"))
    ws.ok("sfdestroy", "-auto-approve")
    ws.assert_clean()


def test_the_same_blocked_destroy_can_be_taken_back_by_an_apply(ws1):
    ws1.flagship(source=TINY)
    ws1.apply()
    path = os.path.join(bucket(ws1), "theirs.csv")
    with open(path, "w") as file:
        file.write("theirs")
    assert ws1.run("sfdestroy", "-auto-approve").code == 1
    ws1.apply()
    assert ws1.changes() == {} and ws1.query("select count(*) from report.transaction") == [["1000"]]
    with open(path) as file:
        assert file.read() == "theirs"
    os.unlink(path)


def test_tables_of_somebody_else_in_the_schema_are_named_and_kept(finance):
    finance.sql("create table report.budget_notes (note text); insert into report.budget_notes values ('mine')")
    stack = finance.read("stack.yaml")
    finance.write("stack.yaml", "".join(l for l in stack.splitlines(keepends=True)
                                        if not l.startswith(("  star:", "  weekly_load:", "  psql_command:"))))
    assert finance.changes() == {"star_schema.star": "delete", "load.weekly_load": "delete"}
    result = finance.refuse(1, "sfapply", "-auto-approve")
    assert "budget_notes" in result.err, result
    assert finance.sql("select note from report.budget_notes") == [["mine"]]
    finance.sql("drop table report.budget_notes")


def test_a_protected_resource_is_not_destroyed_even_when_its_block_is_gone(ws1):
    ws1.flagship(("landing: {kind: bucket,", "landing: {kind: bucket, protect: true,"), source=TINY)
    ws1.apply()
    result = ws1.run("sfdestroy", "-auto-approve")
    assert result.code != 0 and "protect" in result.err and "bucket.landing" in result.err, result
    assert ws1.changes() == {} and ws1.query("select count(*) from report.transaction") == [["1000"]]
    ws1.edit("stack.yaml", ("protect: true, ", ""))
    ws1.apply()


def test_destroy_works_while_the_servers_are_dead_and_the_files_are_gone(ws):
    ws.flagship(source=TINY)
    ws.apply()
    for pid in (ws.postmaster(), ws.ftpd()):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: start_time(pid) is None)
    subprocess.run(["rm", "-rf", bucket(ws)], check=True)
    ws.ok("sfdestroy", "-auto-approve")
    ws.assert_clean()


def test_destroy_works_while_somebody_is_logged_in(ws):
    ws.flagship(source=TINY)
    ws.apply()
    psql = ws.spawn("sh", "-c", f"{ws.output('psql_command')} -X -At", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    psql.stdin.write("select 'in';\n")
    psql.stdin.flush()
    assert psql.stdout.readline() == "in\n"
    sftp = ws.spawn("sh", "-c", ws.output("sftp_command"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    sftp.stdin.write("pwd\n")
    sftp.stdin.flush()
    wait_until(lambda: "Remote working directory" in sftp.stdout.readline())
    try:
        ws.ok("sfdestroy", "-auto-approve")
        ws.assert_clean()
    finally:
        for process in (psql, sftp):
            process.kill()
            process.communicate()


def test_a_stack_beside_it_is_not_touched(ws1, installed):
    ws1.write("other.yaml", "stack: other\nprovider: local\nresources:\n  box: {kind: bucket, name: box}\n  note: {kind: value, input: kept}\n")
    ws1.ok("sfapply", "-auto-approve", "-f", "other.yaml")
    ws1.flagship(source=TINY)
    ws1.apply("-f", "stack.yaml")
    ws1.ok("sfdestroy", "-auto-approve", "-f", "stack.yaml")
    ws1.assert_clean()
    assert ws1.ok("sfplan", "-detailed-exitcode", "-f", "other.yaml").out.startswith("No changes.")
