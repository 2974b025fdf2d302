"""The flagship stack on this machine: what is there after one apply, and that a second apply has nothing to do."""

import contextlib
import os
import re
import stat

import pytest

from conftest import ACCOUNTS, Sample, Workspace, cents, listening_ports, user_of

READER_MAY_NOT = [
    "insert into report.finance values (3, 'Other')",
    "update report.transaction set amount = 0",
    "delete from report.program",
    "truncate report.transaction",
    "drop table report.finance",
    "alter table report.finance add column x int",
    "create table report.x (a int)",
    "create table public.x (a int)",
    "create schema x",
    "create role x",
    "alter role analyst superuser",
    "set role steward",
    "copy report.finance to program 'id'",
    "copy report.finance from '/etc/passwd'",
    "select pg_read_file('/etc/passwd')",
    "select lo_import('/etc/passwd')",
    "select rolpassword from pg_authid",
]


def secret_of(finance):
    """The reader's password, as the passfile holds it."""
    passfile = re.search(r"PGPASSFILE=(\S+)", finance.output("psql_command")).group(1)
    return finance.read(passfile).strip().rpartition(":")[2]


# --- nothing to do ---

def test_a_second_apply_plans_nothing_and_changes_nothing(finance):
    with finance.unchanged():
        assert finance.changes() == {} and finance.drift() == {}
        result = finance.apply()
        assert result.out.startswith("No changes."), result
        assert "Creating" not in result.err and "Updating" not in result.err, result


def test_planning_leaves_everything_alone(finance):
    with finance.unchanged():
        finance.edit("stack.yaml", ("schema: report,", "schema: other,"))
        assert finance.changes() != {}
        for arguments in (["-destroy"], ["-replace", "cluster.dw"], ["-refresh-only"]):
            finance.ok("sfplan", *arguments)


def test_every_resource_of_the_stack_is_recorded_once(finance):
    names = re.findall(r"^  (\w+):", finance.read("stack.yaml").partition("resources:")[2].partition("\noutputs:")[0], re.M)
    assert sorted(address.partition(".")[2] for address in finance.recorded()) == sorted(names)


# --- the figures ---

def test_totals_of_each_year_and_side_equal_the_answer_key_to_the_cent(finance, small):
    assert finance.totals() == small.totals()


def test_rows_and_members_are_as_many_as_the_answer_key_counts(finance, small):
    for table, expected in [("transaction", small.rows)] + [(d, m["members_after"]) for d, m in small.key["dimensions"].items()]:
        assert finance.query(f"select count(*) from report.{table}") == [[str(expected)]], table
    assert finance.query("select * from report.finance order by 1") == [["1", "Spending"], ["2", "Revenue"]]
    assert finance.query("select count(*) from report.load_rejects") == [["0"]]


def test_no_name_path_has_more_than_one_current_code(finance):
    for table, path, code in [("program", "organization_group, department", "department_code"),
                              ("type", '"character", object', "object_code"), ("fund", "fund_type, fund", "fund_code")]:
        assert finance.query(f'select count(*) from (select {path} from report."{table}" group by {path}'
                             f" having count(distinct {code}) > 1) x") == [["0"]], table


def test_a_join_over_the_crosswalk_doubles_no_money(finance, small):
    plain = finance.query("select count(*), sum(amount) from report.transaction")
    assert finance.query("select count(*), sum(t.amount) from report.transaction t"
                         " left join report.type_crosswalk c on c.legacy_type_id = t.type_id"
                         ' left join report."type" y on y.type_id = c.current_type_id') == plain
    assert int(finance.query("select count(*) from report.type_crosswalk")[0][0]) > 0
    assert cents(plain[0][1]) == sum(total for _, total in small.totals().values())


def test_totals_by_original_code_are_provable_to_the_cent(finance, small):
    """Every code and name as the source wrote them, summed from the source itself."""
    levels = [("program", level, f"{level}_code") for level in ("organization_group", "department", "program")]
    levels += [("type", level, f"{level}_code") for level in ("character", "object", "sub_object")]
    levels += [("fund", level, f"{level}_code") for level in ("fund_type", "fund", "fund_category")]
    expected = {}
    for row in small.records():
        for dimension, level, code in levels:
            at = (dimension, level, row["fiscal_year"], row[code].strip())
            rows, total = expected.get(at, (0, 0))
            expected[at] = (rows + 1, total + cents(row["amount"]))
    found = {(d, l, y, code): (int(rows), cents(total)) for d, l, y, code, rows, total in finance.query(
        "select dimension, level, fiscal_year, coalesce(source_code, ''), sum(row_count), sum(amount) from report.code_alias"
        " group by 1, 2, 3, 4")}
    assert found == expected


def test_the_flat_view_has_the_columns_and_rows_of_the_source(finance, small):
    """And one more, which says whether the year was over."""
    header = small.text().partition("\n")[0].strip().split(",")
    result = finance.shell(f"{finance.output('psql_command')} -X -A -F , -c 'select * from report.spending_revenue limit 1'")
    assert result.out.splitlines()[0].split(",") == [*header, "is_partial"]
    assert finance.query("select count(*) from spending_revenue") == [[str(small.rows)]]
    # a code that begins with a zero is still text
    assert finance.query("select distinct length(organization_group_code) from spending_revenue") == [["2"]]


def test_the_sample_is_called_a_sample_wherever_it_shows(finance):
    note = "SAMPLE DATA, NOT THE CITY'S FIGURES"
    for table in ("program", "type", "fund", "finance", "transaction", "code_alias", "type_crosswalk", "spending_revenue"):
        comment = finance.query(f"select obj_description('report.\"{table}\"'::regclass)")[0][0]
        assert note in comment, table
    finance.env["SF_VAR_source"] = "{sample: {rows: 20000, seed: 2}}"
    assert note in finance.ok("sfplan").out


def test_sample_and_file_are_never_mixed_even_where_their_rows_agree(finance, small):
    finance.write("rows.csv", small.text())
    finance.env["SF_VAR_source"] = "{file: rows.csv}"
    plan = finance.ok("sfplan").out
    assert "29 of 29 years to load" in plan, plan
    finance.apply()
    assert finance.query("select distinct is_sample, note is null from load_ledger where is_current") == [["f", "t"]]
    assert finance.totals() == small.totals()


def test_going_back_to_an_older_snapshot_also_goes_back_in_what_it_says_of_itself(finance):
    said = "select distinct data_as_of, data_loaded_at from spending_revenue union all select distinct data_as_of, '' from fiscal_year"
    before = finance.query(said)
    finance.env["SF_VAR_source"] = "{sample: {rows: 20000, seed: 1, as_of: 2}}"
    finance.apply()
    assert finance.query(said) != before
    finance.env["SF_VAR_source"] = "{sample: {rows: 20000, seed: 1}}"
    finance.apply()
    assert finance.query(said) == before


# --- the printed commands ---

def test_the_printed_psql_command_works_as_it_stands(finance):
    command = finance.output("psql_command")
    result = finance.shell(command, input="\\dt\nselect current_user;\n")
    assert result.code == 0 and "transaction" in result.out and "analyst" in result.out, result
    assert secret_of(finance) not in command


def test_the_reader_cannot_write(finance):
    command = finance.output("psql_command")
    for statement in READER_MAY_NOT:
        result = finance.run("sh", "-c", f'{command} -X -v ON_ERROR_STOP=1 -c "$0"', statement)
        assert result.code != 0 and re.search("permission denied|must be", result.err), f"{statement}: {result}"
    assert finance.changes() == {}


def test_the_reader_sees_no_other_database_and_no_template(finance):
    for database in ("postgres", "template1"):
        result = finance.shell(f"{finance.output('psql_command')} -X -d {database} -c 'create table x (a int)'")
        assert result.code != 0, f"{database}: {result}"


def test_only_outputs_that_have_a_value_are_there(finance):
    assert re.findall(r"^(\w+) = ", finance.ok("sfstate", "outputs").out, re.M) == ["psql_command", "sftp_command"]


def test_the_printed_sftp_command_works_as_it_stands(finance):
    finance.write("note.txt", "hello\n")
    result = finance.sftp(["pwd", "put note.txt new/../note.txt", "ls -1"])
    assert result.code == 0 and "note.txt" in result.out, result
    assert "PRIVATE KEY" not in finance.output("sftp_command")
    os.unlink(finance.one(r"buckets/[^/]+/.*note\.txt"))


def test_the_uploader_may_list_and_put_and_nothing_else(finance):
    finance.write("note.txt", "hello\n")
    assert finance.sftp(["put note.txt", "ls -l note.txt"]).code == 0
    for line in ("get note.txt got.txt", "rm note.txt", "rename note.txt other.txt", "symlink note.txt other.txt",
                 "ln note.txt other.txt", "chown 0 note.txt"):
        result = finance.sftp([line])
        path = finance.one(r"buckets/[^/]+/.*note\.txt")
        with open(path) as file:
            assert file.read() == "hello\n", line
        assert not os.path.lexists(os.path.join(os.path.dirname(path), "other.txt")), line
        assert result.code != 0 or line.startswith("chown"), f"{line}: {result}"
    assert not os.path.exists(finance.path("got.txt"))
    os.unlink(path)


# --- what is open, and to whom ---

def test_the_servers_listen_on_this_machine_only(finance):
    ports = listening_ports()
    for port in (finance.pg_port(), int(finance.show("sftp_server.sftp")["port"])):
        assert set(ports[port]) <= {"0100007F", "0" * 24 + "01000000"}, (port, ports[port])


def test_no_file_of_the_stack_is_open_to_others_and_no_server_runs_as_root(finance):
    assert finance.territory_files()
    for top in (finance.territory(), finance.path(".sf/sf-finance/local/secrets")):
        assert stat.S_IMODE(os.stat(top).st_mode) & 0o077 == 0, top
    for name in [finance.state()] + [os.path.join(d, f) for d, _, fs in os.walk(finance.path(".sf/sf-finance/local/secrets")) for f in fs]:
        mode = stat.S_IMODE(os.stat(name).st_mode)
        assert mode & 0o077 == 0 or name.endswith(("known_hosts", ".pub")), (name, oct(mode))
    for pid in finance.processes():
        with contextlib.suppress(FileNotFoundError):  # one that has just ended: the server makes workers as it likes
            assert os.stat(f"/proc/{pid}").st_uid != 0 or os.geteuid() != 0 or "postgres" not in os.readlink(f"/proc/{pid}/exe")
    for pid in (finance.postmaster(), finance.ftpd()):
        with open(f"/proc/{pid}/status") as file:
            uids = re.search(r"^Uid:\s+(.*)$", file.read(), re.M).group(1).split()
        assert "0" not in uids


def test_no_secret_is_in_state_plan_log_or_process_list(finance):
    secrets = [secret_of(finance)]
    key = finance.read(os.path.join(finance.path(".sf/sf-finance/local/secrets"), "uploader_key"))
    secrets += key.splitlines()[3:5]  # the first lines of all such keys are alike
    assert all(len(s) >= 20 for s in secrets)
    texts = {"state": finance.state_dump(), "plan": finance.ok("sfplan", "-json").out, "destroy": finance.ok("sfplan", "-destroy").out,
             "outputs": finance.ok("sfstate", "outputs", "-json").out}
    for name in finance.territory_files():
        if re.search(r"/clusters/[^/]+/data/(base|global|pg_)", name) or not os.path.isfile(name):
            continue
        with open(name, "rb") as file:
            texts[name] = file.read().decode(errors="replace")
    for pid in finance.processes():
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            texts[f"process {pid}"] = file.read().decode(errors="replace")
    for where, text in texts.items():
        for secret in secrets:
            assert secret not in text, where
    with open(finance.state(), "rb") as file:
        raw = file.read()
    assert not any(secret.encode() in raw for secret in secrets)


# --- the real size ---

@pytest.mark.parametrize("account", ACCOUNTS[:1])
def test_all_776841_rows_arrive_and_add_up(installed, account, tmp_path):
    sample = Sample(installed, str(tmp_path), 776841)
    ws = Workspace(installed, user_of(account))
    try:
        ws.flagship(source="{sample: {rows: 776841, seed: 1}}")
        ws.apply()
        assert ws.query("select count(*) from report.transaction") == [["776841"]]
        assert ws.totals() == sample.totals()
        assert ws.query("select count(*) from report.transaction t left join report.type_crosswalk c on c.legacy_type_id = t.type_id"
                        ) == [["776841"]]
        assert ws.changes() == {}
        ws.ok("sfdestroy", "-auto-approve")
        ws.assert_clean()
    finally:
        ws.close()
