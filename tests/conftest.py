"""Fixtures of the end-to-end tests: the real programs, in a directory of their own, as root and as an ordinary user.

The programs are copied, as `make install` lays them out, to a directory that every account can read, so the tests do not
depend on where the source tree lies. A workspace destroys what its stack made when the test ends, whatever happened in it.
"""

import json
import os
import pwd
import shutil
import subprocess
import tempfile

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
ORDINARY = "nobody"


@pytest.fixture(scope="session")
def installed():
    """Directory with bin/ and share/sfstack/, readable by all. str."""
    prefix = tempfile.mkdtemp(prefix="sf-inst-")
    os.chmod(prefix, 0o755)
    os.makedirs(f"{prefix}/bin")
    for name in ("sfplan", "sfapply", "sfdestroy", "sfstate", "sfsample", "sfprobe"):
        shutil.copy(f"{BUILD}/{name}", f"{prefix}/bin/{name}")
    for name in ("schemas", "stacks"):
        shutil.copytree(f"{ROOT}/{name}", f"{prefix}/share/sfstack/{name}")
    subprocess.run(["chmod", "-R", "a+rX", prefix], check=True)
    yield prefix
    shutil.rmtree(prefix, ignore_errors=True)


class Result:
    """What a program did: exit code, stdout, stderr."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Workspace:
    """A directory with a stack file and the account that runs the programs in it."""

    def __init__(self, installed, user):
        self.bin, self.user = f"{installed}/bin", user
        self.share = f"{installed}/share/sfstack"
        self.dir = tempfile.mkdtemp(prefix="sf-ws-", dir="/var/tmp")
        if user:
            os.chmod(self.dir, 0o755)
            os.chown(self.dir, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        self.env = {
            "PATH": f"{self.bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": self.dir,
            "LANG": "C.UTF-8",
            "ASAN_OPTIONS": "detect_leaks=0",
        }

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

    def spawn(self, *argv, env=None, **kwargs):
        if self.user:
            who = pwd.getpwnam(self.user)
            kwargs.update(user=who.pw_uid, group=who.pw_gid, extra_groups=[])
        return subprocess.Popen(argv, cwd=self.dir, env={**self.env, **(env or {})}, text=True, **kwargs)

    def run(self, *argv, env=None, input=None, timeout=180):
        """Runs a command in the workspace and returns its Result."""
        process = self.spawn(*argv, env=env, stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{argv} hung\n{out}\n{err}")
        return Result(subprocess.CompletedProcess(argv, process.returncode, out, err))

    def shell(self, command, **kwargs):
        """Runs a command line as a person would paste it."""
        return self.run("sh", "-c", command, **kwargs)

    def ok(self, *argv, **kwargs):
        result = self.run(*argv, **kwargs)
        assert result.code == 0, f"{' '.join(argv)}: {result}"
        return result

    def apply(self, *args, **kwargs):
        return self.ok("sfapply", "-auto-approve", *args, **kwargs)

    def changes(self, *args):
        """The planned changes: {address: action}. Empty: nothing would change."""
        result = self.run("sfplan", "-json", "-detailed-exitcode", *args)
        assert result.code in (0, 2), result
        lines = [json.loads(line) for line in result.out.splitlines()]
        planned = {l["change"]["resource"]["addr"]: l["change"]["action"] for l in lines if l["type"] == "planned_change"}
        return planned

    def show(self, address):
        """Recorded attributes of one resource."""
        return json.loads(self.ok("sfstate", "show", address, "-json").out)

    def output(self, name):
        return self.ok("sfstate", "outputs", name, "-raw").out.strip("\n")

    def territory(self):
        """Where the local world's objects are."""
        for top, dirs, _files in os.walk("/var/lib/sfstack"):
            if "buckets" in dirs and self.marker() in top:
                return top
        for top, dirs, _files in os.walk(self.path(".sf")):
            if "buckets" in dirs or "clusters" in dirs or "iam" in dirs:
                return top
        return None

    def marker(self):
        return "\0"

    def close(self):
        for name in sorted(os.listdir(self.dir)):
            if name.endswith(".yaml") and "stack:" in open(self.path(name)).read():
                self.run("sfdestroy", "-auto-approve", "-f", name)
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture(params=["root", "user"] if os.geteuid() == 0 else ["user"])
def ws(request, installed):
    """A workspace, once for each account: root (servers run as another account) and an ordinary user."""
    user = ORDINARY if request.param == "user" and os.geteuid() == 0 else None
    workspace = Workspace(installed, user)
    yield workspace
    workspace.close()


@pytest.fixture
def ws1(installed):
    """A workspace for what does not depend on the account."""
    workspace = Workspace(installed, None)
    yield workspace
    workspace.close()
