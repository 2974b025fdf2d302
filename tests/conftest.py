"""Fixtures of the end-to-end tests: the real programs, in a directory of their own, as root and as an ordinary user.

The programs are copied, as `make install` lays them out, to a directory that every account can read, so the tests do not
depend on where the source tree lies. A workspace destroys what its stack made when the test ends, whatever happened in it;
processes that are left even then are ended and reported as an error of the test.
"""

import collections
import contextlib
import csv
import ctypes
import glob
import hashlib
import json
import os
import pwd
import random
import re
import shlex
import shutil
import signal
import sqlite3
import stat
import subprocess
import tempfile
import threading
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
ORDINARY = "nobody"
SMALL = "{sample: {rows: 20000, seed: 1}}"  # quick, and every year, side and quirk is in it
ACCOUNTS = ["root", "user"] if os.geteuid() == 0 else ["user"]
IS_SANITIZED = "san" in os.path.basename(BUILD)
# fixtures that cost more than the tests that use them: with xdist such tests stay together, at most so many
SHARED_WORLDS = ("applied", "applied_books", "shared", "office", "site", "plain", "both", "whole",
                 "loaded", "provisioned", "both_weeks", "ask", "weeks")
TOGETHER = 36
# begun first, so that no long one is left alone at the end
LONG = ("test_flagship_data", "test_data_faults", "test_conform_in_warehouse", "test_new_kind", "test_a_million_random_fields", "test_readme",
        "test_all_776841", "test_weekly", "aws-sftp_server-reset-before", "test_data_refusals", "test_load.py", "test_warehouse.py",
        "test_drift", "test_crash", "test_access")
PR_SET_PDEATHSIG = 1


# --- how the tests are run ---

class Stop:
    """Ends the run in order at a SIGTERM, so that what the tests started is stopped. What is just being stopped is not cut off."""

    def __init__(self):
        self.is_wanted, self.shields = False, 0

    def __call__(self, _signal, _frame):
        is_first, self.is_wanted = not self.is_wanted, True
        if is_first and not self.shields:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def held_off(self):
        was_wanted, self.shields = self.is_wanted, self.shields + 1
        try:
            yield
        finally:
            self.shields -= 1
            if self.is_wanted and not was_wanted and not self.shields:
                raise KeyboardInterrupt


STOP = Stop()


def is_worker(config):
    return hasattr(config, "workerinput")


def pytest_configure(config):
    if threading.current_thread() is not threading.main_thread():  # as execnet now and then starts a worker: it cannot take signals
        return
    signal.signal(signal.SIGTERM, STOP)
    if is_worker(config):  # it ends in order too when the process that started it is gone
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session, exitstatus):
    """Workers get the time that they need to stop servers; xdist would give them ten seconds."""
    if exitstatus == pytest.ExitCode.INTERRUPTED and session.config.getoption("numprocesses", None):
        workers = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and parent(pid) == os.getpid()]
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(AssertionError):  # then xdist ends them
            wait_until(lambda: not any(map(start_time, workers)), 300)


def pytest_unconfigure(config):
    if is_worker(config) and STOP.is_wanted:
        os._exit(1)  # all is torn down; nobody asks this process for more tests


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    if not config.pluginmanager.hasplugin("xdist"):
        return
    together = collections.Counter()
    for item in items:
        for name in [name for name in SHARED_WORLDS if name in item.fixturenames][:1]:
            params = getattr(item, "callspec", None) and item.callspec.params
            world = f"{item.module.__name__}-{name}-{(params or {}).get(name, '')}"
            item.add_marker(pytest.mark.xdist_group(f"{world}-{together[world] // TOGETHER}"))
            together[world] += 1
    items.sort(key=lambda item: next((n for n, name in enumerate(LONG) if name in item.nodeid), len(LONG)))


@pytest.fixture(scope="session")
def installed():
    """Directory with bin/ and share/sfstack/, readable by all. str."""
    prefix = tempfile.mkdtemp(prefix="sf-inst-")
    os.chmod(prefix, 0o755)
    os.makedirs(f"{prefix}/bin")
    for name in ("sfplan", "sfapply", "sfdestroy", "sfstate", "sfsample", "sfprobe"):
        shutil.copy(f"{BUILD}/{name}", f"{prefix}/bin/{name}")
    for name in ("schemas", "stacks"):
        shutil.copytree(f"{ROOT}/{name}", f"{prefix}/share/sfstack/{name}", ignore=shutil.ignore_patterns(".sf"))
    subprocess.run(["chmod", "-R", "a+rX", prefix], check=True)
    yield prefix
    shutil.rmtree(prefix, ignore_errors=True)


class Result(str):
    """What a program did: exit code, stdout, stderr; and all of it as a text, which pytest shows whole when an assertion fails."""

    def __new__(cls, done):
        self = super().__new__(cls, f"exit {done.returncode}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}")
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        return self


def wait_until(what, seconds=20):
    """Polls `what` until it is true. For what another process does; never a stand-in for an answer of ours."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = what()
        if answer:
            return answer
        time.sleep(0.01)
    raise AssertionError(f"did not come true within {seconds} s: {what}")


def start_time(pid):
    """When a process was started, so that a pid that was given again is told apart; None when there is none."""
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    return None


def parent(pid):
    """pid of the process that started it; 0 when there is none."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])
    return 0


def listening_ports():
    """{port: [hex address]} of every TCP listener of this machine."""
    ports = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table) as file:
            for line in list(file)[1:]:
                fields = line.split()
                if fields[3] == "0A":
                    address, _, port = fields[1].rpartition(":")
                    ports.setdefault(int(port, 16), []).append(address)
    return ports


class Workspace:
    """A directory with a stack file and the account that runs the programs in it."""

    def __init__(self, installed, user, directory=None):
        self.bin, self.user = f"{installed}/bin", user
        self.share = f"{installed}/share/sfstack"
        self.is_own = directory is None
        self.dir = directory or tempfile.mkdtemp(prefix="sf-ws-", dir="/var/tmp")
        if user:
            os.chmod(self.dir, 0o755)
            os.chown(self.dir, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        self.env = {
            "PATH": f"{self.bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": self.dir,
            "LANG": "C.UTF-8",
        }
        self.spawned = []
        self.reports = tempfile.mkdtemp(prefix="sf-san-", dir="/var/tmp") if IS_SANITIZED else None
        if self.reports:  # leaks too are found, whatever becomes of the exit code and of stderr
            os.chmod(self.reports, 0o1777)
            self.env["ASAN_OPTIONS"] = f"detect_leaks=1:log_path={self.reports}/asan"
            self.env["TSAN_OPTIONS"] = f"log_path={self.reports}/tsan"

    # --- files ---

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        mode = "wb" if isinstance(text, bytes) else "w"
        with open(self.path(name), mode) as file:
            file.write(text)
        if self.user:
            who = pwd.getpwnam(self.user)
            os.chown(self.path(name), who.pw_uid, who.pw_gid)
        return self.path(name)

    def read(self, name):
        with open(self.path(name)) as file:
            return file.read()

    def edit(self, name, *changes):
        """Replaces text in a file, each (old, new) exactly once."""
        text = self.read(name)
        for old, new in changes:
            assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {name}"
            text = text.replace(old, new)
        return self.write(name, text)

    def flagship(self, *changes, source=SMALL, sql_port=None, sftp_port=None):
        """The flagship stack as stack.yaml, with changes (old, new), over the given source. On ports of its own, unless they are
        given: it is not in the way of others that start, and a killed server comes back where it was."""
        self.sql_port, self.sftp_port = (given or random.SystemRandom().randrange(20000, 32000) for given in (sql_port, sftp_port))
        with open(f"{self.share}/stacks/sf-finance.yaml") as file:
            self.write("stack.yaml", file.read())
        self.edit("stack.yaml", ("dw:\n    kind: cluster\n", f"dw:\n    kind: cluster\n    port: {self.sql_port}\n"),
                  ("port: 5439,", f"port: {self.sql_port},"),
                  ("host_keys: [sftp_host_key]}", f"host_keys: [sftp_host_key], port: {self.sftp_port}}}"), *changes)
        self.env["SF_VAR_source"] = source

    # --- programs ---

    def spawn(self, *argv, env=None, **kwargs):
        if self.user:
            who = pwd.getpwnam(self.user)
            kwargs.update(user=who.pw_uid, group=who.pw_gid, extra_groups=[])
        process = subprocess.Popen(argv, cwd=self.dir, env={**self.env, **(env or {})}, text=True, **kwargs)
        self.spawned.append(process)
        return process

    def run(self, *argv, env=None, input=None, timeout=180):
        """Runs a command in the workspace and returns its Result."""
        process = self.spawn(*argv, env=env, stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return self.finish(process, input=input, timeout=timeout)

    @staticmethod
    def finish(process, input=None, timeout=180):
        """Result of a spawned process."""
        try:
            out, err = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{process.args} hung\n{out}\n{err}")
        return Result(subprocess.CompletedProcess(process.args, process.returncode, out, err))

    def shell(self, command, **kwargs):
        """Runs a command line as a person would paste it."""
        return self.run("sh", "-c", command, **kwargs)

    def ok(self, *argv, **kwargs):
        result = self.run(*argv, **kwargs)
        assert result.code == 0, f"{' '.join(argv)}: {result}"
        return result

    def apply(self, *args, **kwargs):
        return self.ok("sfapply", "-auto-approve", *args, **kwargs)

    def refuse(self, code, *argv, **kwargs):
        """Runs what must end with this exit code and an error on stderr."""
        result = self.run(*argv, **kwargs)
        assert result.code == code, f"wanted exit {code} of {' '.join(argv)}: {result}"
        assert "error" in result.err, result
        return result

    # --- what would change, what is recorded ---

    def planned(self, *args):
        """JSON lines of a plan."""
        result = self.run("sfplan", "-json", "-detailed-exitcode", *args)
        assert result.code in (0, 2), result
        lines = [json.loads(line) for line in result.out.splitlines()]
        assert result.code == (2 if any(l["type"] == "planned_change" for l in lines) else 0), result
        return lines

    def changes(self, *args):
        """The planned changes: {address: action}. Empty: nothing would change."""
        return {l["change"]["resource"]["addr"]: l["change"]["action"] for l in self.planned(*args) if l["type"] == "planned_change"}

    def drift(self, *args):
        """What changed outside: {address: action}."""
        return {l["change"]["resource"]["addr"]: l["change"]["action"] for l in self.planned(*args) if l["type"] == "resource_drift"}

    def show(self, address):
        """Recorded attributes of one resource."""
        return json.loads(self.ok("sfstate", "show", address, "-json").out)

    def output(self, name):
        return self.ok("sfstate", "outputs", name, "-raw").out.strip("\n")

    def recorded(self):
        """Addresses in state."""
        return self.ok("sfstate", "list").out.split()

    def state(self, stack=None):
        return self.path(f".sf/{stack or self.stack()}/local/state.db")

    def state_dump(self, stack=None):
        """Every row of the state, as text."""
        connection = sqlite3.connect(f"file:{self.state(stack)}?mode=ro", uri=True)
        try:
            return "\n".join(connection.iterdump())
        finally:
            connection.close()

    # --- the local world ---

    def stack(self):
        """Name of the stack in stack.yaml."""
        return re.search(r"^stack: *([\w-]+)", self.read("stack.yaml"), re.M).group(1)

    def territory(self, stack=None):
        """Where the local world's objects are, or would be."""
        stack = stack or self.stack()
        real = os.path.realpath(self.dir)
        elsewhere = f"/var/lib/sfstack/{stack}-{hashlib.sha256(os.fsencode(real)).hexdigest()[:12]}"
        return elsewhere if os.path.isdir(elsewhere) else self.path(f".sf/{stack}/local/world")

    def territory_files(self, stack=None):
        top = self.territory(stack)
        return sorted(os.path.join(d, f) for d, _dirs, files in os.walk(top) for f in files)

    def processes(self, stack=None):
        """{pid: start time} of every process that has to do with the territory."""
        top, found = self.territory(stack), {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                links = [os.readlink(f"/proc/{pid}/cwd")]
                links += [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    line = file.read().decode(errors="replace")
                is_ours = any(link == top or link.startswith(top + "/") for link in links) or top + "/" in line
                if is_ours and start_time(pid) is not None:
                    found[int(pid)] = start_time(pid)
        return found

    def one(self, pattern):
        """The one file of the territory whose path below it matches."""
        top, found = self.territory(), []
        for where, dirs, names in os.walk(top):
            below = where[len(top) + 1:]
            if re.fullmatch(r"clusters/[^/]+/data", below):
                dirs[:] = []  # PostgreSQL's own thousand files
            found += [os.path.join(where, name) for name in names if re.fullmatch(pattern, os.path.join(below, name))]
        assert len(found) == 1, f"{pattern}: {found}"
        return found[0]

    def postmaster(self):
        """pid of the PostgreSQL server."""
        with open(self.one(r"clusters/[^/]+/data/postmaster\.pid")) as file:
            return int(file.readline())

    def ftpd(self):
        """pid of ProFTPD's master."""
        with open(self.one(r"sftp/[^/]+/server\.json")) as file:
            text = file.read()
        return int(re.search(r'"pid": *(\d+)', text).group(1))

    def pg_port(self):
        return int(self.show("cluster.dw")["port"])

    def sql(self, text, database="san_francisco"):
        """Rows of a statement run as the cluster's owner over its control socket: [[text]]."""
        with open(self.one(r"clusters/[^/]+/data/postmaster\.pid")) as file:
            lines = file.read().splitlines()
        env = {"PGHOST": lines[4], "PGPORT": lines[3], "PATH": self.env["PATH"], "LANG": "C.UTF-8"}
        done = subprocess.run(["psql", "-X", "-At", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-U", "steward", database],
                              input=text, env=env, text=True, capture_output=True)
        assert done.returncode == 0, f"{text}: {done.stderr}"
        return [line.split("\t") for line in done.stdout.splitlines()]

    def query(self, text):
        """Rows of a statement, as the reader, by the printed command."""
        result = self.shell(f"{self.output('psql_command')} -X -At -F '\t' -c {shlex.quote(text)}")
        assert result.code == 0, f"{text}: {result}"
        return [line.split("\t") for line in result.out.splitlines()]

    def totals(self, schema="report"):
        """{(year, side): (rows, cents)} of the warehouse."""
        rows = self.query(f"select fiscal_year, revenue_or_spending, count(*), sum(amount) from {schema}.transaction"
                          f" join {schema}.finance using (finance_id) group by 1, 2")
        return {(int(y), side): (int(n), cents(total)) for y, side, n, total in rows}

    def sftp(self, lines, command=None):
        """Result of OpenSSH's sftp by the printed command with a batch of lines; the first that fails ends it."""
        return self.shell(f"{command or self.output('sftp_command')} -b -", input="".join(f"{line}\n" for line in lines))

    def fingerprint_of_world(self, stack=None):
        """All that an apply with nothing to do must leave alone: state, files with their times, processes. {what: how it is}."""
        top, files = self.territory(stack), {}
        for directory in (top, self.path(".sf")):
            for where, dirs, names in os.walk(directory):
                if where == self.path(".sf/cache"):
                    dirs[:] = []  # planning writes here, and only here
                if re.search(r"/clusters/[^/]+/data$", where):
                    dirs[:] = []  # PostgreSQL's own business, but for its configuration
                    names = [n for n in names if n.endswith(".conf") or n == "postmaster.pid"]
                for name in names:
                    if name.startswith("state.db") or name.endswith((".log", "log")):
                        continue
                    info = os.lstat(os.path.join(where, name))
                    files[os.path.join(where, name)] = (info.st_ino, info.st_size, info.st_mtime_ns, stat.S_IMODE(info.st_mode))
        masters = {pid: start_time(pid) for pid in (self.postmaster(), self.ftpd())}
        return {**files, **masters, **dict.fromkeys(self.state_dump(stack).splitlines(), "in state")}

    @contextlib.contextmanager
    def unchanged(self):
        """Asserts that what is done inside changes nothing in state and world."""
        before = self.fingerprint_of_world()
        yield
        after = self.fingerprint_of_world()
        differs = {k: (before.get(k), after.get(k)) for k in {**before, **after} if before.get(k) != after.get(k)}
        assert differs == {}, "\n".join(f"{k}: {v}" for k, v in differs.items())

    def masters(self):
        """pids of the servers: those of the stack's processes that no other process started."""
        return sorted(pid for pid in self.processes() if parent(pid) == 1)

    def assert_clean(self):
        """Nothing of the stack is left: no process, no file of its world, no secret."""
        stack = self.stack()
        assert self.processes(stack) == {}
        top = self.territory(stack)
        assert not os.path.isdir(top), self.territory_files(stack)
        secrets = self.path(f".sf/{stack}/local/secrets")
        assert not os.path.isdir(secrets) or not os.listdir(secrets)

    @STOP.held_off()
    def close(self):
        for process in self.spawned:  # of a test that was cut off
            process.kill()
            process.wait()
        left = {}
        names = [n for n in sorted(os.listdir(self.dir)) if n.endswith(".yaml")]
        stacks = {}
        for name in names:
            match = re.search(r"^stack: *([\w-]+)", self.read(name), re.M)
            if match:
                stacks[name] = match.group(1)
        for name, stack in stacks.items():
            if os.path.exists(self.state(stack)):
                self.run("sfdestroy", "-auto-approve", "-f", name)
            left.update(self.processes(stack))
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.territory(stack), ignore_errors=True)
        if self.is_own:
            shutil.rmtree(self.dir, ignore_errors=True)
        assert not left, f"processes were left after sfdestroy: {left}"
        self.check_reports()

    def check_reports(self):
        """No sanitizer found anything in any program that was run here."""
        if self.reports:
            found = ""
            for name in glob.glob(f"{self.reports}/*"):
                with open(name, errors="replace") as file:
                    found += file.read()
            shutil.rmtree(self.reports)
            assert not found, found


def cents(text):
    """'-12.30' -> -1230, exactly."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    whole, _, part = digits.partition(".")
    return sign * (int(whole) * 100 + int(part.ljust(2, "0")))


class Sample:
    """The generated source and its answer key."""

    def __init__(self, installed, directory, rows, seed=1, *options):
        self.csv, self.rows = f"{directory}/sample-{rows}-{seed}.csv", rows
        subprocess.run([f"{installed}/bin/sfsample", "-rows", str(rows), "-seed", str(seed), *options, "-o", self.csv,
                        "-key", f"{self.csv}.key"], check=True)
        with open(f"{self.csv}.key") as file:
            self.key = json.load(file)

    def totals(self):
        """{(year, side): (rows, cents)} by the answer key."""
        found = {}
        for line in self.key["totals"]:
            at = (line["fiscal_year"], line["revenue_or_spending"])
            rows, total = found.get(at, (0, 0))
            found[at] = (rows + line["rows"], total + line["cents"])
        return found

    def text(self):
        with open(self.csv, newline="") as file:
            return file.read()

    def records(self):
        """Rows of the source as dictionaries."""
        with open(self.csv, newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def small(installed, tmp_path_factory):
    """The source that SMALL names, as a file with its answer key."""
    return Sample(installed, tmp_path_factory.mktemp("sample"), 20000)


def user_of(account):
    return ORDINARY if account == "user" and os.geteuid() == 0 else None


@pytest.fixture(params=ACCOUNTS)
def ws(request, installed):
    """A workspace, once for each account: root (servers run as another account) and an ordinary user."""
    workspace = Workspace(installed, user_of(request.param))
    yield workspace
    workspace.close()


@pytest.fixture
def ws1(installed):
    """A workspace for what does not depend on the account."""
    workspace = Workspace(installed, None)
    yield workspace
    workspace.close()


class Shared:
    """A workspace that the tests of a module share; made when it is first asked for, made anew when a test spoiled it."""

    def __init__(self, installed, account, prepare):
        self.installed, self.account, self.prepare, self.ws, self.text = installed, account, prepare, None, None

    def get(self):
        if not self.ws:
            self.ws = Workspace(self.installed, user_of(self.account))
            self.prepare(self.ws)
            self.ws.apply()
            self.text, self.env = self.ws.read("stack.yaml"), dict(self.ws.env)
        return self.ws

    def give_back(self):
        """What the test did is put back, by one apply; if that cannot be done the next test gets a new one."""
        try:
            self.ws.write("stack.yaml", self.text)
            self.ws.env = dict(self.env)
            if self.ws.changes():
                self.ws.apply()
                assert self.ws.changes() == {}, "this test left its world in a state that one apply does not repair"
            assert self.ws.masters() == sorted([self.ws.postmaster(), self.ws.ftpd()]), "servers of an earlier life are left"
        except BaseException:
            self.close()
            raise

    def close(self):
        ws, self.ws = self.ws, None
        if ws:
            ws.close()


@pytest.fixture(scope="module", params=ACCOUNTS)
def applied(request, installed):
    """The flagship stack over the small source, applied; one for all tests of a module, for each account."""
    shared = Shared(installed, request.param, Workspace.flagship)
    yield shared
    shared.close()


@pytest.fixture
def finance(applied):
    """The applied flagship stack, unchanged and whole; what a test does to it is put back after it."""
    yield applied.get()
    applied.give_back()


@pytest.fixture(scope="module")
def week(installed, tmp_path_factory):
    """What was loaded yesterday."""
    return Sample(installed, tmp_path_factory.mktemp("week"), 3000)


@pytest.fixture(scope="module", params=ACCOUNTS)
def applied_books(request, installed, week):
    """The flagship stack over books.csv, which is the week's file."""
    def prepare(ws):
        ws.flagship(source="{file: books.csv}")
        ws.write("books.csv", week.text())
    shared = Shared(installed, request.param, prepare)
    yield shared
    shared.close()


@pytest.fixture
def books(applied_books, week):
    """The same, to change: books.csv and the stack are put back after the test."""
    ws = applied_books.get()
    yield ws
    ws.write("books.csv", week.text())
    applied_books.give_back()
