"""Whatever is damaged outside shows as drift of just that, and one apply repairs it."""

import contextlib
import glob
import json
import os
import re
import shutil
import signal
import sys

import pytest

from conftest import ACCOUNTS, parent, start_time, wait_until

sys.path.insert(0, os.path.dirname(__file__))
import pgwire  # noqa: E402


def rewrite(path, change):
    """Changes a file's text in place: same owner, same mode."""
    with open(path) as file:
        before = file.read()
    after = change(before)
    assert after != before, path
    with open(path, "w") as file:
        file.write(after)


def edit_json(path, change):
    def edited(text):
        value = json.loads(text)
        change(value)
        return json.dumps(value)
    rewrite(path, edited)


def kill(pid, sig=signal.SIGKILL):
    os.kill(pid, sig)
    wait_until(lambda: start_time(pid) is None)


def grown_conf(name, line):
    return lambda ws: rewrite(ws.one(rf"clusters/[^/]+/data/{name}"), lambda text: line + "\n" + text)


def sftp_file(name, change):
    return lambda ws: rewrite(ws.one(rf"sftp/[^/]+/{name}"), change)


def secret_file(pattern):
    return lambda ws: [os.unlink(f) for f in glob.glob(ws.path(f".sf/sf-finance/local/secrets/{pattern}"))]


def sql(text):
    def run_sql(ws):
        ws.sql(text)
    return run_sql


def objects(ws, pattern):
    """Files of the landing bucket whose key matches."""
    found = [f for f in ws.territory_files() if re.search(rf"/buckets/[^/]+/data/{pattern}", f)]
    assert found, pattern
    return found


def drop_object(pattern):
    return lambda ws: os.unlink(objects(ws, pattern)[0])


def flip_byte(ws):
    path = objects(ws, r"transaction/fy=2025/.*\.csv\.gz")[0]
    with open(path, "r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))


def cut_object(ws):
    path = objects(ws, r"program/.*\.csv\.gz")[0]
    os.truncate(path, os.path.getsize(path) // 2)


def open_door(ws):
    grown_conf("pg_hba.conf", "host all all 127.0.0.0/8 trust")(ws)
    os.kill(ws.postmaster(), signal.SIGHUP)


def other_key(ws):
    """Somebody's own key beside the uploader's."""
    shutil.copy(ws.one(r"sftp/[^/]+/keys/uploader"), ws.path("their_key.pub"))
    sftp_file("keys/uploader", lambda text: text + "\n" + text)(ws)


def wider_policy(ws):
    def widen(policy):
        text = json.dumps(policy)
        assert "s3:PutObject" in text
        policy.update(json.loads(text.replace("s3:PutObject", "s3:*")))
    edit_json(ws.one(r"iam/policies/sf-finance-landing-write\.json"), widen)


def untrusted_role(ws):
    edit_json(ws.one(r"iam/roles/sf-finance-load\.json"),
              lambda role: role.update(json.loads(json.dumps(role).replace("redshift", "transfer"))))


def drop_data_directory(ws):
    shutil.rmtree(os.path.join(os.path.dirname(ws.one(r"clusters/[^/]+/meta\.json")), "data"))


def drop_bucket(ws):
    shutil.rmtree(os.path.dirname(ws.one(r"buckets/sf-finance-landing-[^/]+/meta\.json")))


def drop_sftp(ws):
    kill(ws.ftpd())
    shutil.rmtree(os.path.dirname(ws.one(r"sftp/[^/]+/meta\.json")))


def drop_database(ws):
    ws.sql("drop database san_francisco with (force)", "postgres")


UPDATE, CREATE = "update", "create"
CLUSTER, SFTP, LOAD = {"cluster.dw": UPDATE}, {"sftp_server.sftp": UPDATE}, {"load.weekly_load": UPDATE}
STAR, UPLOAD = {"star_schema.star": UPDATE}, {"upload.delivery": UPDATE}
# what refers to the id of something that is made anew is looked at again, and turns out unchanged
REFERRING = {"sftp_user.uploader": UPDATE, "load.weekly_load": UPDATE}
# what a server's configuration is derived from was damaged, so that the configuration is not what it should be either: see CLUSTER, SFTP
DAMAGES = {
    # what is damaged: how, and all that must be planned for it
    "postgres is killed": (lambda ws: kill(ws.postmaster()), CLUSTER),
    "postgres is stopped": (lambda ws: kill(ws.postmaster(), signal.SIGINT), CLUSTER),
    "proftpd is killed": (lambda ws: kill(ws.ftpd()), SFTP),
    "proftpd is stopped": (lambda ws: kill(ws.ftpd(), signal.SIGTERM), SFTP),
    "both are killed": (lambda ws: (kill(ws.ftpd()), kill(ws.postmaster())), {**CLUSTER, **SFTP}),
    "a fact is edited": (sql("update report.transaction set amount = amount + 0.01 where transaction_id ="
                             " (select min(transaction_id) from report.transaction where fiscal_year = 2025)"), LOAD),
    "two facts are swapped": (sql("with two as (select fiscal_year, transaction_id, amount, row_number() over (order by transaction_id) n"
                                  " from (select * from report.transaction where fiscal_year = 2025 and amount in"
                                  " (select min(amount) from report.transaction where fiscal_year = 2025 union all"
                                  " select max(amount) from report.transaction where fiscal_year = 2025) limit 2) x)"
                                  " update report.transaction t set amount = other.amount from two me join two other on me.n <> other.n"
                                  " where t.fiscal_year = me.fiscal_year and t.transaction_id = me.transaction_id"), LOAD),
    "a fact is deleted": (sql("delete from report.transaction where transaction_id ="
                              " (select max(transaction_id) from report.transaction where fiscal_year = 2003)"), LOAD),
    "a fact is added": (sql("insert into report.transaction select 1, fiscal_year, program_id, type_id, fund_id, finance_id, 0"
                            " from report.transaction where fiscal_year = 2011 limit 1"), LOAD),
    "a year is emptied": (sql("delete from report.transaction where fiscal_year = 2019"), LOAD),
    "a dimension is edited": (sql("update report.program set department_code = 'XXX' where program_id ="
                                  " (select min(program_id) from report.program)"), LOAD),
    "a dimension row is added": (sql("insert into report.fund values (1, 'a', 'a', 'a', 'a', 'a', 'a')"), LOAD),
    "an alias is deleted": (sql("delete from report.code_alias where ctid = (select min(ctid) from report.code_alias)"), LOAD),
    "the crosswalk is emptied": (sql("delete from report.type_crosswalk"), LOAD),
    "the ledger is emptied": (sql("delete from report.load_ledger"), {"load.weekly_load": CREATE}),
    "a view is dropped": (sql("drop view report.spending_revenue"), STAR),
    "a view is replaced": (sql("drop view report.fund_map; create view report.fund_map as select 1 as one"), {**STAR, **LOAD}),
    "a table is dropped": (sql("drop table report.type_crosswalk cascade"), {**STAR, "load.weekly_load": CREATE}),
    "a column is added": (sql("alter table report.finance add column note text"), {**STAR, **LOAD}),
    "a column of the facts is dropped": (sql("alter table report.transaction drop column finance_id cascade"),
                                         {**STAR, "load.weekly_load": CREATE}),
    "the reader may write": (sql("grant insert on report.finance to analyst"), STAR),
    "the reader is a superuser": (sql("alter role analyst superuser"), STAR),
    "the reader is locked out": (sql("revoke usage on schema report from analyst"), STAR),
    "the schema is dropped": (sql("drop schema report cascade"), {"star_schema.star": CREATE, "load.weekly_load": CREATE}),
    "the database is dropped": (drop_database, None),
    "an uploaded file is deleted": (drop_object(r"transaction/fy=2025/"), UPLOAD),
    "an uploaded file is altered": (flip_byte, UPLOAD),
    "an uploaded file is cut": (cut_object, UPLOAD),
    "a manifest is deleted": (drop_object(r"transaction/[^/]+\.manifest"), UPLOAD),
    "the commit file is deleted": (drop_object(r"delivery/"), UPLOAD),
    "the bucket is deleted": (drop_bucket, {"bucket.landing": CREATE, "upload.delivery": CREATE, **SFTP, **REFERRING}),
    "pg_hba.conf is opened": (open_door, CLUSTER),
    "postgresql.conf is edited": (grown_conf("postgresql.conf", "log_statement = 'all'"), CLUSTER),
    "pg_ident.conf is edited": (grown_conf("pg_ident.conf", "sfstack nobody steward"), CLUSTER),
    "ALTER SYSTEM is used": (sql("alter system set log_statement = 'all'"), CLUSTER),
    "the cluster's meta.json is edited": (lambda ws: edit_json(ws.one(r"clusters/[^/]+/meta\.json"),
                                                               lambda meta: meta["attrs"].update(roles=[])), CLUSTER),
    "the cluster's server.json is lost": (lambda ws: os.unlink(ws.one(r"clusters/[^/]+/server\.json")), None),
    "the data directory is deleted": (drop_data_directory,
                                      {"cluster.dw": CREATE, "star_schema.star": CREATE, "load.weekly_load": CREATE}),
    "the SFTP server's directory is deleted": (drop_sftp, {"sftp_server.sftp": CREATE, "sftp_user.uploader": CREATE, **UPLOAD}),
    "proftpd.conf is edited": (sftp_file("proftpd.conf", lambda text: text.replace("DenyAll", "AllowAll")), SFTP),
    "the SFTP password file is edited": (sftp_file("passwd", lambda text: text + text.replace("uploader", "intruder")), SFTP),
    "a key is added to a user": (other_key, SFTP),
    "a user's rights are widened": (sftp_file("access/uploader", lambda text: text.replace("list put", "list get put")), SFTP),
    "a user is deleted": (lambda ws: os.unlink(ws.one(r"sftp/[^/]+/users/uploader\.json")), {"sftp_user.uploader": CREATE, **SFTP, **UPLOAD}),
    "a policy is widened": (wider_policy, {"policy.landing_write": UPDATE, **SFTP}),
    "a policy is deleted": (lambda ws: os.unlink(ws.one(r"iam/policies/sf-finance-landing-read\.json")), {"policy.landing_read": CREATE}),
    "a role trusts another service": (untrusted_role, {"role.load_role": UPDATE}),
    "a role is deleted": (lambda ws: os.unlink(ws.one(r"iam/roles/sf-finance-sftp\.json")), {"role.sftp_role": CREATE, **SFTP}),
    "a security group is opened": (lambda ws: edit_json(ws.one(r"security_groups/[^/]+\.json"), lambda meta: meta["attrs"]["ingress"][0].update(
        {"from": ["0.0.0.0/0"]})), {"security_group.sql_access": UPDATE, **CLUSTER}),
    "the private key file is deleted": (secret_file("uploader_key"), {"ssh_key.uploader_key": UPDATE}),
    "the passfile is deleted": (secret_file("*.pgpass"), STAR),
}


def check_whole(ws, small):
    """The servers run, the figures are right, the doors are as the stack says."""
    assert ws.totals() == small.totals()
    assert ws.sftp(["ls -1"]).code == 0
    with contextlib.suppress(pgwire.Refused):
        pgwire.Session(ws.pg_port(), "analyst", "wrong", "san_francisco").close()
        raise AssertionError("a wrong password logs in")
    with pytest.raises(pgwire.Refused):
        pgwire.Session(ws.pg_port(), "analyst", "wrong", "san_francisco", "127.0.0.2")
    result = ws.run("sh", "-c", f'{ws.output("psql_command")} -X -c "$0"', "insert into report.finance values (3, $$x$$)")
    assert result.code != 0, result
    assert ws.masters() == sorted([ws.postmaster(), ws.ftpd()]), "servers of an earlier life are left"


# what is done by SQL is the same for every account
PAIRS = [(account, damage) for account in ACCOUNTS for damage in DAMAGES if account == ACCOUNTS[0] or DAMAGES[damage][0].__name__ != "run_sql"]


@pytest.mark.parametrize("applied, damage", PAIRS, indirect=["applied"], scope="module")
def test_damage_is_planned_as_just_that_and_repaired(finance, small, damage):
    do, expected = DAMAGES[damage]
    do(finance)
    planned = finance.changes()
    if expected is not None:
        assert planned == expected
    assert planned, "it does not show"
    finance.apply()
    assert finance.changes() == {}
    check_whole(finance, small)


def test_a_star_that_was_dropped_while_the_cluster_is_stopped_comes_back_with_the_second_apply(finance, small):
    """The first one cannot look into a stopped cluster, and says so."""
    finance.sql("drop schema report cascade")
    kill(finance.postmaster())
    finance.edit("stack.yaml", ("checks: builtin:sf/checks", "checks: [builtin:sf/checks, {own: {check: row_count, table: fund}}]"))
    result = finance.refuse(1, "sfapply", "-auto-approve")
    assert "star_schema.star was not checked: cluster 'sf-finance' is stopped" in result.out
    assert "a table of schema 'report' is missing" in result.err and "hint: run sfapply again" in result.err
    finance.apply()
    assert finance.changes() == {}
    check_whole(finance, small)


def test_rows_edited_before_the_cluster_was_stopped_are_loaded_again_by_the_load_that_finds_them(finance, small):
    """The plan could not compare them, so the load does."""
    finance.sql("update report.transaction set amount = amount + 1 where transaction_id = (select min(transaction_id) from report.transaction)")
    kill(finance.postmaster())
    finance.edit("stack.yaml", ("checks: builtin:sf/checks", "checks: [builtin:sf/checks, {own: {check: row_count, table: fund}}]"))
    finance.apply()
    assert finance.changes() == {}
    check_whole(finance, small)


def test_a_killed_backend_is_postgres_own_affair(finance, small):
    children = [pid for pid in finance.processes() if parent(pid) == finance.postmaster()]
    os.kill(children[0], signal.SIGKILL)
    wait_until(lambda: start_time(children[0]) is None)
    wait_until(lambda: finance.shell(f"{finance.output('psql_command')} -X -c 'select 1'").code == 0)
    assert finance.changes() == {}
    check_whole(finance, small)


def test_what_was_opened_by_hand_is_closed_by_the_repair(finance):
    open_door(finance)
    wait_until(lambda: admits_without_password(finance))
    finance.apply()
    assert not admits_without_password(finance)


def admits_without_password(ws):
    try:
        pgwire.Session(ws.pg_port(), "analyst", "none", "san_francisco").close()
    except AssertionError:
        return True  # it did not even ask
    except pgwire.Refused:
        return False
    return False


# --- replacing ---

def test_replacing_the_cluster_brings_the_data_back(finance, small):
    files = {f: os.stat(f).st_mtime_ns for f in objects(finance, "")}
    assert finance.changes("-replace", "dw") == dict.fromkeys(["cluster.dw", "star_schema.star", "load.weekly_load"], "replace")
    finance.apply("-replace", "dw")
    assert finance.changes() == {}
    assert {f: os.stat(f).st_mtime_ns for f in objects(finance, "")} == files, "files were uploaded again for nothing"
    check_whole(finance, small)


NAMES = ["landing", "landing_write", "landing_read", "sftp_role", "sftp_host_key", "uploader_key", "sftp", "uploader", "load_role",
         "sql_access", "spending_revenue", "delivery", "star", "weekly_load"]


@pytest.mark.parametrize("applied", ACCOUNTS[:1], indirect=True)
@pytest.mark.parametrize("name", NAMES)
def test_replacing_any_resource_ends_with_all_in_place(finance, small, name):
    finance.apply("-replace", name)
    assert finance.changes() == {}
    check_whole(finance, small)
