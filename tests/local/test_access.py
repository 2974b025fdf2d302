"""Editing the stack plans and makes just that change, and the change bites: who may connect, who may do what over SFTP."""

import os
import re
import shlex
import sys

import pytest

from conftest import ACCOUNTS, Shared

sys.path.insert(0, os.path.dirname(__file__))
import pgwire  # noqa: E402
import sftp_raw  # noqa: E402

# a second user with a home of his own, whose policy the tests edit
CLERK = """
  inbox: {kind: bucket, name: "${stack.name}-inbox"}
  clerk_policy:
    kind: policy
    name: "${stack.name}-clerk"
    document:
      Version: "2012-10-17"
      Statement:
        - {Sid: List, Effect: Allow, Action: s3:ListBucket, Resource: "${inbox.arn}"}
        - {Sid: Objects, Effect: Allow, Action: [s3:GetObject, s3:PutObject, s3:DeleteObject], Resource: "${inbox.arn}/*"}
  clerk_role: {kind: role, name: "${stack.name}-clerk", trust: transfer, policies: [clerk_policy]}
  clerk_key:  {kind: ssh_key, algorithm: ed25519}
  clerk:      {kind: sftp_user, server: sftp, name: clerk, role: clerk_role, home: inbox, keys: [clerk_key]}

outputs:
  clerk_command: "${clerk.sftp_command}"
"""
OBJECT_ACTIONS = "[s3:GetObject, s3:PutObject, s3:DeleteObject]"
LIST = '        - {Sid: List, Effect: Allow, Action: s3:ListBucket, Resource: "${inbox.arn}"}\n'


def with_clerk(ws):
    """Adds the clerk to the flagship stack."""
    ws.edit("stack.yaml", ("\noutputs:\n", CLERK))
    return ws


@pytest.fixture(scope="module", params=ACCOUNTS)
def office(request, installed):
    """The flagship stack with the clerk, applied."""
    def prepare(ws):
        ws.flagship()
        with_clerk(ws)
    shared = Shared(installed, request.param, prepare)
    yield shared
    shared.close()


@pytest.fixture
def clerk(office):
    """The office; the clerk's bucket is emptied and all else put back after the test."""
    ws = office.get()
    yield ws
    empty(inbox(ws))
    office.give_back()


def inbox(ws):
    return os.path.join(ws.territory(), "buckets/sf-finance-inbox/data")


def empty(data):
    for top, dirs, files in os.walk(data, topdown=False):
        for name in files:
            os.unlink(os.path.join(top, name))
        for name in dirs:
            os.rmdir(os.path.join(top, name))


def put_files(ws, names):
    """Files of the clerk's bucket, as if he had put them."""
    data = inbox(ws)
    empty(data)
    owner = os.stat(data)
    for name in names:
        path = os.path.join(data, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write("old")
        for each in (path, os.path.dirname(path)):
            if each != data:
                os.chown(each, owner.st_uid, owner.st_gid)
                os.chmod(each, 0o600 if each == path else 0o700)


def there(ws):
    """{key: contents} of the clerk's bucket; directories end in a slash."""
    data, found = inbox(ws), {}
    for top, dirs, files in os.walk(data):
        for name in dirs:
            found[os.path.relpath(os.path.join(top, name), data) + "/"] = None
        for name in files:
            path = os.path.join(top, name)
            assert not os.path.islink(path)
            with open(path) as file:
                found[os.path.relpath(path, data)] = file.read()
    return found


def raw(ws, output="clerk_command"):
    """A bare SFTP session with the printed command's options."""
    command = shlex.split(ws.output(output))[2]
    options = shlex.split(command.replace('"$@"', ""))
    assert options[:2] == ["exec", "sftp"], options
    return sftp_raw.Raw(["ssh"] + ["-p" if o == "-P" else o for o in options[2:]])


# --- SFTP: every verb under every set of permissions ---

def do_verbs(ws):
    """Tries every verb in one session, each on files of its own: {verb: whether it came true}."""
    files = ["get", "over", "append", "resume", "truncate", "rm", "rename", "mode", "rmdir/x", "stat"]
    put_files(ws, files)
    os.unlink(os.path.join(inbox(ws), "rmdir/x"))
    done = {}
    with raw(ws) as s:
        assert s.ok, s.error
        done["ls"] = "get" in (s.ls("/")[1] or [])
        done["get"] = s.get("/get") == ("OK", b"old")
        s.put("/put", b"new")
        s.put("/over", b"new")
        s.put("/append", b"new", sftp_raw.WRITE | sftp_raw.APPEND)
        s.put("/resume", b"new", sftp_raw.WRITE)
        s.setstat("/truncate", size=0)
        s.remove("/rm")
        s.rename("/rename", "/renamed")
        s.extended("posix-rename@openssh.com", "/rename", "/renamed")
        s.setstat("/mode", mode=0o666)
        s.mkdir("/mkdir")
        s.rmdir("/rmdir")
        s.symlink("/etc/passwd", "/symlink")
        s.symlink("/symlink", "/get")
        s.extended("hardlink@openssh.com", "/get", "/hardlink")
        s.link21("/link21", "/get", True)
        done["stat"] = s.stat("/stat")[0] == "OK"
        done["realpath"] = s.realpath("/rmdir/../get") == ("OK", ["/get"])
    now = there(ws)
    assert now["get"] == "old" and not {"symlink", "hardlink", "link21"} & set(now), now
    assert os.stat(os.path.join(inbox(ws), "mode")).st_mode & 0o777 == 0o600
    done["put"] = now.get("put") == "new"
    done["over"] = now["over"] == "new"
    done["append"] = now["append"] != "old"
    done["resume"] = now["resume"] != "old"
    done["rm"] = "rm" not in now
    done["rename"] = "renamed" in now
    assert ("rename" in now) != ("renamed" in now)
    done["mkdir"] = "mkdir/" in now
    done["rmdir"] = "rmdir/" not in now
    done["truncate"] = now["truncate"] != "old"
    assert "put" not in now or now["put"] == "new", "a refused put left a file"
    return done


NEEDS = {"ls": {"List"}, "get": {"Get"}, "put": {"Put"}, "over": {"Put"}, "resume": {"Put"}, "mkdir": {"Put"}, "rm": {"Delete"},
         "rmdir": {"Delete"}, "rename": {"Delete", "Put"}}
NEVER_WITHOUT = {"append": {"Put"}, "truncate": {"Put"}, **NEEDS}


def check_verbs(done, allowed):
    for verb, needs in NEEDS.items():
        assert done[verb] == (needs <= allowed), f"{verb} with {sorted(allowed)}: {done}"
    for verb, needs in NEVER_WITHOUT.items():
        assert not done[verb] or needs <= allowed, f"{verb} with {sorted(allowed)}: {done}"


@pytest.mark.parametrize("denied", ["", "List", "Put", "Get Delete"])  # all combinations: test_sftp_verbs.py
def test_each_sftp_verb_needs_its_action(clerk, denied):
    allowed = {"List", "Get", "Put", "Delete"} - set(denied.split())
    objects = [f"s3:{a}Object" for a in ("Get", "Put", "Delete") if a in allowed]
    changes = []
    if "List" not in allowed:
        changes.append((LIST, ""))
    if not objects:
        text = clerk.read("stack.yaml")
        line = next(l for l in text.splitlines() if "Sid: Objects" in l)
        changes.append((line + "\n", ""))
    elif len(objects) < 3:
        changes.append((OBJECT_ACTIONS, "[" + ", ".join(objects) + "]"))
    if changes:
        clerk.edit("stack.yaml", *changes)
        assert clerk.changes() == {"policy.clerk_policy": "update"}
        clerk.apply()
    assert clerk.changes() == {}
    check_verbs(do_verbs(clerk), allowed)


@pytest.mark.parametrize("action", ["Get", "Put", "Delete"])
def test_an_explicit_deny_outweighs_the_allow_where_it_applies(clerk, action):
    clerk.edit("stack.yaml", (LIST, LIST + f'        - {{Sid: No, Effect: Deny, Action: "s3:{action}Object", Resource: "${{inbox.arn}}/kept/*"}}\n'))
    assert clerk.changes() == {"policy.clerk_policy": "update"}
    clerk.apply()
    put_files(clerk, ["kept/a", "kept/b", "free/a", "free/b"])
    with raw(clerk) as s:
        for place in ("kept", "free"):
            is_open = place == "free"
            assert s.ls(f"/{place}")[1] == ["a", "b"]
            assert (s.get(f"/{place}/a")[0] == "OK") == (is_open or action != "Get")
            s.put(f"/{place}/new", b"new")
            assert (f"{place}/new" in there(clerk)) == (is_open or action != "Put")
            s.remove(f"/{place}/b")
            assert (f"{place}/b" not in there(clerk)) == (is_open or action != "Delete")
        # what may not be taken away cannot be moved away either, nor be brought where nothing may be put
        s.rename("/kept/a", "/free/moved")
        assert ("free/moved" in there(clerk)) == (action not in ("Delete", "Get")) or action == "Get"
        s.rename("/free/a", "/kept/moved")
        assert ("kept/moved" in there(clerk)) == (action != "Put")


def test_a_user_sees_his_home_and_nothing_beside_it(clerk):
    put_files(clerk, ["mine"])
    clerk.write("mine.txt", "x")
    with raw(clerk) as s:
        assert s.ls("/")[1] == ["mine"]
        for path in ("/../", "/../../", "/../sf-finance-landing-000000000000", "/../../../../../../etc", "../.."):
            status, names = s.ls(path)
            assert status != "OK" or names == ["mine"], (path, names)
        for path in ("/../../../../../../../../etc/passwd", "/etc/passwd", "/../meta.json", "/proc/self/environ"):
            assert s.get(path)[0] != "OK", path
    with raw(clerk, "sftp_command") as s:
        assert "mine" not in s.ls("/")[1] and "transaction" in s.ls("/")[1]


def test_a_session_loses_the_right_that_its_user_loses(clerk):
    put_files(clerk, ["a", "b"])
    with raw(clerk, "sftp_command") as other:
        mine = raw(clerk)
        assert mine.get("/a")[0] == "OK"
        clerk.edit("stack.yaml", (OBJECT_ACTIONS, "[s3:PutObject, s3:DeleteObject]"))
        clerk.apply()
        try:
            assert mine.get("/b")[0] != "OK"
        except BrokenPipeError:
            pass  # it was ended, and the next one has the new rights
        mine.proc.kill()
        mine.proc.communicate()
        assert other.ls("/")[0] == "OK", "somebody else's session was ended"
    with raw(clerk) as again:
        assert again.get("/b")[0] != "OK"


# --- SFTP: users and keys ---

def test_another_user_with_another_home_is_all_that_is_planned_and_made(finance):
    with_clerk(finance)
    assert finance.changes() == dict.fromkeys(
        ["bucket.inbox", "policy.clerk_policy", "role.clerk_role", "ssh_key.clerk_key", "sftp_user.clerk"], "create")
    pids = finance.postmaster(), finance.ftpd()
    finance.apply()
    assert (finance.postmaster(), finance.ftpd()) == pids
    finance.write("mine.txt", "hello\n")
    clerk = finance.output("clerk_command")
    result = finance.sftp(["put mine.txt", "get mine.txt back.txt", "ls -1", "rm mine.txt"], clerk)
    assert result.code == 0 and finance.read("back.txt") == "hello\n", result
    assert "transaction" in finance.sftp(["ls -1"]).out
    # the key of one does not open the home of the other
    wrong = re.sub(r"secrets/clerk_key", "secrets/uploader_key", clerk)
    assert finance.sftp(["ls"], wrong).code != 0


def test_a_removed_user_is_refused_and_his_files_stay(clerk):
    command = clerk.output("clerk_command")
    put_files(clerk, ["kept"])
    key = clerk.show("ssh_key.clerk_key")["private_key_file"]
    saved = clerk.write("saved_key", clerk.read(key))
    os.chmod(saved, 0o600)
    mine = command.replace(key, saved)
    assert clerk.sftp(["ls"], mine).code == 0
    user = next(l for l in clerk.read("stack.yaml").splitlines() if l.startswith("  clerk: "))
    clerk.edit("stack.yaml", (user + "\n", ""), ('  clerk_command: "${clerk.sftp_command}"\n', ""))
    assert clerk.changes() == {"sftp_user.clerk": "delete"}
    clerk.apply()
    result = clerk.sftp(["ls"], mine)
    assert result.code != 0 and "denied" in result.err, result
    assert there(clerk) == {"kept": "old"}
    assert clerk.sftp(["ls"]).code == 0


def test_a_replaced_key_logs_in_and_the_old_one_does_not(clerk):
    key = clerk.show("ssh_key.clerk_key")["private_key_file"]
    saved = clerk.write("saved_key", clerk.read(key))
    os.chmod(saved, 0o600)
    assert clerk.changes("-replace", "ssh_key.clerk_key") == {"ssh_key.clerk_key": "replace", "sftp_user.clerk": "update"}
    clerk.apply("-replace", "ssh_key.clerk_key")
    assert clerk.read(key) != clerk.read("saved_key")
    assert clerk.sftp(["ls"], clerk.output("clerk_command")).code == 0
    result = clerk.sftp(["ls"], clerk.output("clerk_command").replace(key, saved))
    assert result.code != 0 and "denied" in result.err, result
    assert clerk.changes() == {}


@pytest.mark.parametrize("algorithm, format, begins", [("rsa, bits: 4096", "pem", "-----BEGIN RSA PRIVATE KEY-----"),
                                                       ("rsa, bits: 4096", "openssh", "-----BEGIN OPENSSH PRIVATE KEY-----")])
def test_an_rsa_4096_key_logs_in_by_the_printed_command(clerk, algorithm, format, begins):
    clerk.edit("stack.yaml", ("clerk_key:  {kind: ssh_key, algorithm: ed25519}",
                              f"clerk_key:  {{kind: ssh_key, algorithm: {algorithm}, format: {format}}}"))
    assert clerk.changes() == {"ssh_key.clerk_key": "replace", "sftp_user.clerk": "update"}
    clerk.apply()
    assert clerk.read(clerk.show("ssh_key.clerk_key")["private_key_file"]).startswith(begins)
    clerk.write("mine.txt", "hello\n")
    result = clerk.sftp(["put mine.txt", "ls -1"], clerk.output("clerk_command"))
    assert result.code == 0 and "mine.txt" in result.out, result


def test_a_client_that_knows_another_host_key_is_warned_off(clerk):
    command = clerk.output("clerk_command")
    known = re.search(r"UserKnownHostsFile=(\S+)", command).group(1)
    kept = clerk.write("kept_hosts", clerk.read(known))
    assert clerk.changes("-replace", "ssh_key.sftp_host_key").keys() <= {"ssh_key.sftp_host_key", "sftp_server.sftp"}
    clerk.apply("-replace", "ssh_key.sftp_host_key")
    assert clerk.sftp(["ls"], clerk.output("clerk_command")).code == 0
    assert clerk.sftp(["ls"], clerk.output("clerk_command").replace(known, kept)).code != 0
    assert clerk.changes() == {}


# --- the warehouse ---

def passphrase(ws):
    return ws.read(re.search(r"PGPASSFILE=(\S+)", ws.output("psql_command")).group(1)).strip().rpartition(":")[2]


def knock(ws, source):
    return pgwire.Session(ws.pg_port(), "analyst", passphrase(ws), "san_francisco", source)


def test_a_removed_cidr_is_refused_and_its_open_session_ended(finance):
    finance.env["SF_VAR_sql_clients"] = "[127.0.0.1/32, 127.0.0.2/32, 127.0.0.4/30]"
    assert finance.changes() == {"security_group.sql_access": "update"}
    pid = finance.postmaster()
    finance.apply()
    with knock(finance, "127.0.0.2") as inside, knock(finance, "127.0.0.1") as other, knock(finance, "127.0.0.7") as third:
        with pytest.raises(pgwire.Refused) as refused:
            knock(finance, "127.0.0.8")
        assert refused.value.sqlstate == "28000"
        assert inside.query("select count(*) from report.finance") == "2"
        finance.env["SF_VAR_sql_clients"] = "[127.0.0.1/32, 127.0.0.4/30]"
        assert finance.changes() == {"security_group.sql_access": "update"}
        finance.apply()
        with pytest.raises((pgwire.Refused, ConnectionError)):
            inside.query("select 1")
        assert other.query("select 1") == "1" and third.query("select 1") == "1"
    with pytest.raises(pgwire.Refused) as refused:
        knock(finance, "127.0.0.2")
    assert refused.value.sqlstate == "28000"
    assert finance.postmaster() == pid, "the server was restarted for a CIDR of this machine"
    assert finance.changes() == {}


def test_without_cidrs_this_machine_may_connect_and_nothing_else(finance):
    with knock(finance, "127.0.0.1") as session:
        assert session.query("select 1") == "1"
    with pytest.raises(pgwire.Refused):
        knock(finance, "127.0.0.2")


def test_cidrs_that_shut_out_the_load_are_refused_in_the_plan(finance):
    result = finance.refuse(65, "sfplan", "-var", "sql_clients=[10.0.0.0/8]")
    assert "shut out this machine" in result.err and "127.0.0.1/32" in result.err, result


def test_a_rule_for_another_port_opens_nothing(finance):
    port = finance.sql_port
    finance.env["SF_VAR_sql_clients"] = "[127.0.0.0/8]"
    finance.edit("stack.yaml", (f'- {{protocol: tcp, port: {port}, from: "${{var.sql_clients}}"}}',
                                f'- {{protocol: tcp, port: {port}, from: [127.0.0.1/32]}}\n'
                                f'      - {{protocol: tcp, port: {port - 1}, from: "${{var.sql_clients}}"}}'))
    assert finance.changes() == {"security_group.sql_access": "update"}
    finance.apply()
    with pytest.raises(pgwire.Refused):
        knock(finance, "127.0.0.2")


def test_a_second_star_is_all_that_is_planned_and_both_hold_the_figures(finance, small):
    ledger = finance.query("select load_id, sum(row_count) from report.load_ledger group by 1")
    finance.edit("stack.yaml", ("\noutputs:\n", """
  star2: {kind: star_schema, cluster: dw, schema: report2, tables: builtin:sf/star, reader: analyst}
  load2: {kind: load, into: star2, from: delivery, role: load_role, checks: builtin:sf/checks}

outputs:
"""))
    assert finance.changes() == {"star_schema.star2": "create", "load.load2": "create"}
    finance.apply()
    assert finance.changes() == {}
    assert finance.totals("report2") == small.totals() == finance.totals("report")
    assert finance.query("select load_id, sum(row_count) from report.load_ledger group by 1") == ledger, "the first star was loaded again"
    finance.write("stack.yaml", finance.read("stack.yaml").replace("  star2:", "  #star2:").replace("  load2:", "  #load2:"))
    assert finance.changes() == {"star_schema.star2": "delete", "load.load2": "delete"}
    finance.apply()
    assert finance.query("select count(*) from information_schema.schemata where schema_name = 'report2'") == [["0"]]
    assert finance.totals() == small.totals()


def test_a_reader_that_is_taken_out_of_the_stack_file_goes_and_comes_back(finance):
    stack = finance.read("stack.yaml")
    finance.edit("stack.yaml", (", reader: analyst", ""), ('  psql_command: "${star.psql_command}"\n', ""))
    finance.apply()
    assert finance.changes() == {} and finance.sql("select rolname from pg_roles where rolname = 'analyst'") == []
    finance.write("stack.yaml", stack)
    finance.apply()
    assert finance.changes() == {} and finance.query("select count(*) from report.fund") > [["0"]]


def test_a_master_password_from_outside_replaces_the_generated_one(finance):
    finance.edit("stack.yaml", ("db_password: {type: string, secret: true, generate: {length: 32}}", "db_password: {type: string, secret: true}"))
    env = {"SF_VAR_db_password": "Given-From-Outside-1"}
    result = finance.run("sfplan", "-json", env=env)
    assert '"addr":"cluster.dw"' in result.out and "Given-From-Outside" not in result.out, result
    finance.apply(env=env)
    with pgwire.Session(finance.pg_port(), "steward", "Given-From-Outside-1", "san_francisco") as session:
        assert session.query("select current_user") == "steward"
    assert "Given-From-Outside" not in finance.state_dump()
    # a run that needs no value needs no value
    assert finance.changes() == {}
