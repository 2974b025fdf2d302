"""The flagship over the live table, unattended: what the README has run every week, and what each bad night comes to. Yesterday's
figures stay as they are, and the next good week loads."""

import csv
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys

import pytest

from conftest import ROOT, Sample, Workspace, wait_until

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import soda  # noqa: E402
from live_portal import BULK, META, PAGE, TABLE  # noqa: E402

ROWS = 4000
COMMAND = ["sfapply", "-var-file", "live.yaml", "-input=false", "-auto-approve"]


class Weeks:
    """A published flagship, its portal, and the weeks that the table goes through."""

    def __init__(self, installed, directory):
        self.ws, self.installed, self.directory, self.n = Workspace(installed, None), installed, directory, 0
        self.portal = soda.Portal(tokens={"good"})
        self.portal.__enter__()
        self.ws.flagship()
        del self.ws.env["SF_VAR_source"]
        self.ws.env["SF_DATASF_HOSTS"] = self.portal.origin
        shutil.copy(f"{self.ws.share}/stacks/live.yaml", self.ws.path("live.yaml"))

    def close(self):
        self.portal.release()
        self.ws.close()
        self.portal.__exit__()

    def next(self):
        """Publishes the next week's table."""
        self.n += 1
        self.portal.faults.clear()
        directory = f"{self.directory}/{self.n}"
        os.mkdir(directory)
        self.week = Sample(self.installed, directory, ROWS, 1, "-as-of", str(self.n))
        return self.portal.publish(TABLE, self.week.text(), updated_at=1790000000 + self.n * 604800)

    def run(self, **env):
        return self.ws.run(*COMMAND, env=env)

    def stalled(self):
        """The unattended run, in the middle of a fetch that does not go on."""
        self.portal.stalled.clear()
        self.portal.released.clear()
        self.portal.fault(BULK, stall=20000)
        run = self.ws.spawn(*COMMAND, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self.portal.stalled.wait(30)
        return run

    def ledger(self):
        return self.ws.query("select load_id from report.load_ledger where is_current order by 1")

    def good(self):
        """The next week, or this one again, loads to the cent."""
        self.portal.faults.clear()
        result = self.run()
        assert result.code == 0, result
        assert self.ws.totals() == self.week.totals()
        assert self.run().out.startswith("No changes.")


@pytest.fixture(scope="module")
def weeks(installed, tmp_path_factory):
    weeks = Weeks(installed, tmp_path_factory.mktemp("weeks"))
    try:
        weeks.next()
        weeks.good()
        yield weeks
    finally:
        weeks.close()


def retold(text, change):
    """The table's rows, changed: the header is row 0."""
    rows = list(csv.reader(io.StringIO(text)))
    rows = change(rows) or rows
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def no_network(weeks):
    with soda.Portal() as gone:
        return {"SF_DATASF_HOSTS": gone.origin}


def throttled(weeks):
    for where in (BULK, PAGE, "/resource/"):
        weeks.portal.fault(where, times=99, status=429, headers={"Retry-After": "7200"})


def bad_token(weeks):
    return {"SF_APP_TOKEN": "expired"}


def web_page(weeks):
    weeks.portal.fault(BULK, times=99, body="<!DOCTYPE html><html>please log in</html>")


def web_page_first(weeks):
    weeks.portal.fault(META, times=99, body="<html>please log in</html>")


def short_body(weeks):
    bulk = weeks.portal.tables[TABLE].bulk()
    weeks.portal.fault(BULK, times=99, body=bulk[:bulk.index("\n", len(bulk) // 2) + 1])


def always_broken(weeks):
    weeks.portal.fault(BULK, times=99, cut=1000)
    weeks.portal.fault(PAGE, times=99, cut=500)


def moving(weeks):
    def move():
        weeks.portal.tables[TABLE].updated_at += 1
    weeks.portal.fault(BULK, times=99, then=move)


def two_stamps(weeks):
    def change(rows):
        for row in rows[len(rows) // 2:]:
            row[rows[0].index("data_as_of")] = "2026-12-31T23:05:20.000"
    for _ in range(3):
        weeks.portal.fault(BULK, body=retold(weeks.portal.tables[TABLE].bulk(), change))


def renamed_column(weeks):
    weeks.portal.tables[TABLE].fields[weeks.portal.tables[TABLE].fields.index("fund_code")] = "fund_number"
    weeks.portal.tables[TABLE].types["fund_number"] = "text"


def new_column(weeks):
    table = weeks.portal.tables[TABLE]
    table.fields, table.types["vendor"], table.rows = table.fields + ["vendor"], "text", [row + ["x"] for row in table.rows]


def doubled_column(weeks):
    table = weeks.portal.tables[TABLE]
    table.fields, table.types["fund_code_"] = table.fields + ["related_gov_t_units"], "text"
    table.types["related_gov_t_units"], table.rows = "text", [row + ["No"] for row in table.rows]


def header_unlike_metadata(weeks):
    bulk = weeks.portal.tables[TABLE].bulk()
    weeks.portal.fault(BULK, times=99, body=bulk.replace("Fund Code", "Fund Number", 1))


def wrong_encoding(weeks):
    bulk = weeks.portal.tables[TABLE].bulk()
    weeks.portal.put_file("latin", bulk.replace("General", "G\xe9neral", 5).encode("latin-1", "replace"))
    weeks.portal.fault(BULK, times=99, status=302, headers={"Location": f"{weeks.portal.origin}/files/latin"})


def bad_amount(weeks):
    weeks.portal.tables[TABLE].rows[7][weeks.portal.tables[TABLE].fields.index("amount")] = "n/a"


NIGHTS = [(no_network, 1, "cannot reach"), (throttled, 1, "is throttling"), (bad_token, 4, "does not accept the application token"),
          (web_page, 1, "a web page came"), (web_page_first, 1, "a web page came"), (short_body, 6, "the portal counts"),
          (always_broken, 6, "run the same command again"), (moving, 6, "replacing the table"), (two_stamps, 6, "two snapshots in one"),
          (renamed_column, 1, "new 'fund_number'"), (new_column, 1, "new 'vendor'"), (doubled_column, 1, "there twice"),
          (header_unlike_metadata, 1, "Fund Number"), (wrong_encoding, 1, "UTF-8"), (bad_amount, 3, "rejected")]


@pytest.mark.parametrize("night, code, why", NIGHTS, ids=[night.__name__ for night, _code, _why in NIGHTS])
def test_a_bad_night_ends_as_the_readme_says_and_changes_nothing(weeks, night, code, why):
    totals, ledger = weeks.ws.totals(), weeks.ledger()
    weeks.next()
    result = weeks.run(**(night(weeks) or {}))
    assert result.code == code and why in result.err, result
    assert "error" in result.err and "Traceback" not in result
    assert (weeks.ws.totals(), weeks.ledger()) == (totals, ledger)
    weeks.next()
    weeks.good()


@pytest.mark.parametrize("how, code", [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_stopped_in_the_middle_of_the_fetch_changes_nothing(weeks, how, code):
    totals = weeks.ws.totals()
    weeks.next()
    run = weeks.stalled()
    run.send_signal(how)
    assert weeks.ws.finish(run).code == code
    weeks.portal.release()
    assert weeks.ws.totals() == totals
    weeks.good()


def test_a_full_disk_changes_nothing(weeks):
    totals, ledger = weeks.ws.totals(), weeks.ledger()
    weeks.next()
    run = weeks.ws.shell("trap '' XFSZ; ulimit -f 20; exec " + " ".join(COMMAND))  # KiB; ignored, the signal becomes an error of write()
    assert run.code == 1 and "cannot" in run.err, run
    assert (weeks.ws.totals(), weeks.ledger()) == (totals, ledger)
    weeks.good()


def test_a_run_while_another_is_at_work_waits_or_says_so(weeks):
    weeks.next()
    run = weeks.stalled()
    result = weeks.run()
    assert result.code == 5 and "lock" in result.err, result
    weeks.portal.release()
    weeks.ws.finish(run)
    weeks.good()


# --- as the README says ---

def readme():
    with open(f"{ROOT}/README.md") as file:
        return file.read()


def unit(name):
    """Text of the README's block after the line that names the unit."""
    block = re.search(rf"^`{re.escape(name)}`.*\n\n((?:(?:    .*)?\n)+)", readme(), re.M).group(1)
    return "\n".join(line[4:] for line in block.rstrip("\n").split("\n")) + "\n"


def setting(text, key):
    return re.findall(rf"^{key}=(.*)$", text, re.M)


@pytest.fixture
def clone(ws1, installed, tmp_path):
    """The README's clone in ~/sfstack, and a portal with a table."""
    os.makedirs(ws1.path("sfstack"))
    shutil.copytree(f"{ROOT}/stacks", ws1.path("sfstack/stacks"), ignore=shutil.ignore_patterns(".sf"))
    os.symlink(ws1.bin, ws1.path("sfstack/build"))
    subprocess.run(["chown", "-R", f"--reference={ws1.dir}", ws1.dir], check=True)
    week = Sample(installed, tmp_path, 3000)
    with soda.Portal() as portal:
        portal.publish(TABLE, week.text())
        ws1.env["SF_DATASF_HOSTS"] = portal.origin
        yield ws1
        ws1.run("sfdestroy", "-f", "sfstack/stacks/sf-finance.yaml", "-auto-approve")


def published(ws):
    command = ws.ok("sfstate", "-f", "sfstack/stacks/sf-finance.yaml", "outputs", "-raw", "psql_command").out.strip()
    return ws.shell(f"{command} -Atc 'select count(*) from transaction'").out


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed: the units are not looked at")
def test_the_readmes_units_are_valid(clone):
    folder = clone.path("units")
    os.makedirs(folder)
    for name in ("sfstack.service", "sfstack.timer", "sfstack-alert.service"):
        with open(f"{folder}/{name}", "w") as file:
            file.write(unit(name).replace("%h", clone.dir))
    done = subprocess.run(["systemd-analyze", "--user", "verify", *(f"{folder}/{name}" for name in os.listdir(folder))],
                          env={**os.environ, "XDG_RUNTIME_DIR": folder}, capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if folder in line or "sfstack" in line]
    assert said == [] and done.returncode == 0, done.stderr
    when = subprocess.run(["systemd-analyze", "calendar", *setting(unit("sfstack.timer"), "OnCalendar")], capture_output=True, text=True)
    assert when.returncode == 0 and "Mon *-*-* 12:00:00" in when.stdout, when


def test_the_commands_of_the_readmes_units_load_the_table(clone):
    service = unit("sfstack.service").replace("%h", clone.dir)
    assert setting(service, "KillMode") == ["process"]
    result = clone.shell(f"cd {shlex.quote(setting(service, 'WorkingDirectory')[0])} && exec {setting(service, 'ExecStart')[0]}")
    assert result.code == 0 and "Apply complete!" in result.out, result
    assert published(clone) == "3000\n"
    prevented, done_well = setting(service, "RestartPreventExitStatus")[0].split(), setting(service, "SuccessExitStatus")[0].split()
    table = dict(re.findall(r"^\| ([\d, ]+) \| .* \| ([^|]*) \| [^|]*\|$", readme()[readme().index("## Every week"):], re.M))
    never = {code for codes, again in table.items() for code in codes.split(", ") if again.startswith("no")}
    assert never == {*prevented, *done_well}


def test_the_readmes_cron_line_loads_the_table_and_prints_only_when_it_fails(clone):
    line = re.search(r"^    0 12 \* \* 1 (.*)$", readme(), re.M).group(1)
    assert "%" not in line  # cron would end the line there
    result = clone.shell(line)
    assert (result.code, result.out, result.err) == (0, "", ""), result
    assert published(clone) == "3000\n"
    result = clone.shell(line, env={"SF_DATASF_HOSTS": "http://data.example.org"})
    assert "may not be used" in result.out
