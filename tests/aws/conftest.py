"""What the tests of the AWS world share: a server that speaks AWS (server.py), one for all tests of a process, and workspaces on it.

    def test_x(aws):                      # a workspace whose world is an empty account
        aws.resources("  landing: {kind: bucket, name: tryout-landing}")
        aws.fault("CreateBucket", "reset-after", times=1)
        assert aws.actions_of("sfapply", "-auto-approve") == [...]
        assert aws.call("s3", "get_bucket_location", Bucket="tryout-landing")["LocationConstraint"] == REGION

Three ways to look at what was made: `inventory()` is the server's own list, `call()` asks by boto3, quickly, `cli()` by the aws command
line, which takes half a second.
"""

import contextlib
import functools
import glob
import http.client
import json
import os
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from conftest import Workspace  # noqa: E402  (tests/conftest.py)
from server_relay import Relay  # noqa: E402

REGION, ACCOUNT = "us-west-2", "123456789012"
SKIPPED = ("GetCallerIdentity", "SimulatePrincipalPolicy")  # calls of every run, of no kind


@functools.cache
def python_with(*modules):
    """A Python that has the modules: its command, or None."""
    found = [path for path in (shutil.which("python3"), sys.executable, "/usr/bin/python3") if path]
    program = shutil.which("moto_server")
    if program:
        with open(program, errors="replace") as file:
            line = file.readline().removeprefix("#!").split()
        found[:0] = line[:1] if line and "python" in line[0] else []
    for python in dict.fromkeys(found):
        look = "import importlib.util, sys; sys.exit(any(not importlib.util.find_spec(name) for name in sys.argv[1:]))"
        if subprocess.run([python, "-c", look, *modules]).returncode == 0:
            return python
    return None


def ask_botocore(script, *args):
    """Lines of JSON that a script prints in a Python that has botocore: [what json.loads() makes of one]."""
    python = python_with("botocore")
    if not python:
        pytest.skip("no Python has botocore, which is what is compared with: pip install botocore")
    done = subprocess.run([python, "-c", script, *args], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class Caller:
    """boto3, in a process of its own."""

    def __init__(self, python, env):
        self.process = subprocess.Popen([python, os.path.join(HERE, "boto_caller.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env={**os.environ, **env})

    def __call__(self, service, operation, params):
        self.process.stdin.write(json.dumps([service, operation, params]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Server:
    """A process of server.py. `env` is what its clients need."""

    def __init__(self, *options):
        python = python_with("moto", "boto3")
        if not python:
            pytest.skip("moto and boto3 are not installed: pip install 'moto[server]' boto3")
        self.python, self.env, self.caller, self.options = python, {}, None, options
        self.process = subprocess.Popen([python, os.path.join(HERE, "server.py"), "--print-env", *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            name, _, value = line.strip().partition("=")
            if value:
                self.env[name] = value
            if name == "AWS_EC2_METADATA_DISABLED":
                break
        assert self.env, "the server did not start"
        self.port = int(self.env["AWS_ENDPOINT_URL"].rpartition(":")[2])
        self.env |= {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}

    def control(self, method, what, value=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            body = json.dumps({} if value is None else value) if method == "POST" else None
            connection.request(method, f"/_test/{what}", body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            data = reply.read()
        assert reply.status == 200, data
        return json.loads(data) if data.strip() else None

    def call(self, service, operation, **params):
        self.caller = self.caller or Caller(self.python, self.env)
        return self.caller(service, operation, params)

    def close(self):
        if self.caller:
            self.caller.close()
        self.process.stdin.close()  # it ends with its input
        self.process.wait()
        self.process.stdout.close()


class AwsWorkspace(Workspace):
    """A workspace whose stacks are in an account of the server, empty at first."""

    def __init__(self, installed, server):
        super().__init__(installed, None)
        self.server = server
        self.env |= server.env
        self.control("POST", "reset")
        self.settings(seconds_per_look=60)

    def state(self, stack=None):
        return self.path(f".sf/{stack or self.stack()}/aws/state.db")

    def resources(self, text, more=""):
        """Writes a stack of these resources (YAML, indented by two)."""
        self.write("stack.yaml", f"stack: tryout\nprovider: aws\naws: {{region: {REGION}}}\n{more}resources:\n{text}\n")

    def infrastructure(self, *changes):
        """The flagship's infrastructure as stack.yaml, with changes (old, new)."""
        with open(f"{self.share}/stacks/infrastructure.yaml") as file:
            self.write("stack.yaml", file.read())
        self.edit("stack.yaml", ("provider: local # or aws; --provider overrides", "provider: aws"), *changes)

    # --- the server: see server.py ---

    def control(self, method, what, value=None):
        return self.server.control(method, what, value)

    def settings(self, **changes):
        self.control("POST", "settings", changes)

    def faults(self, rules):
        self.control("POST", "faults", rules)

    def fault(self, action, fault, **more):
        self.faults([{"action": action, "fault": fault, **more}])

    def log(self, since=0):
        """Calls in order: [{n, service, action, status, code, params, ...}]."""
        return self.control("GET", f"log?since={since}")

    def counts(self):
        return self.control("GET", "counts")

    def count(self, action):
        """How many calls of an action there were."""
        return sum(n for name, n in self.counts().items() if name.endswith(f".{action}"))

    def inventory(self):
        return self.control("GET", "inventory")

    def problems(self):
        return self.control("GET", "problems")

    def calls_of(self, *argv, code=0, **kwargs):
        """The calls that a program made, as log() shows them."""
        self.control("DELETE", "log")
        result = self.run(*argv, **kwargs)
        assert result.code == code, result
        return self.log()

    def actions_of(self, *argv, **kwargs):
        """Names of the calls that a program made, without those of every run."""
        return [call["action"] for call in self.calls_of(*argv, **kwargs) if call["action"] not in SKIPPED]

    # --- other clients ---

    def call(self, service, operation, **params):
        """What boto3 answers."""
        answer = self.server.call(service, operation, **params)
        assert "error" not in answer, f"{service} {operation} {params}: {answer}"
        return answer["reply"]

    def cli(self, *argv):
        """What the aws command line answers."""
        program = shutil.which("aws")
        if not program:
            pytest.skip("the aws command line is not installed: pip install awscli")
        env = {**os.environ, **self.env, "PATH": os.environ["PATH"], "AWS_PAGER": ""}
        done = subprocess.run([program, "--output", "json", *argv], env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def close(self):
        for process in self.spawned:
            process.kill()
            process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
        self.check_reports()


def serve(*options):
    """Yields a server of these options; it lives as long as the tests of this process, which share it."""
    need = {"PostgreSQL": ("--sql", glob.glob("/usr/lib/postgresql/*/bin/initdb") or shutil.which("initdb")),
            **{name: ("--sftp", shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")) for name in ("proftpd", "ssh-keygen")}}
    missing = [name for name, (option, found) in need.items() if option in options and not found]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not installed")
    server = Server(*options)
    yield server
    server.close()


@pytest.fixture(scope="session")
def aws_server():
    """The server that checks signatures."""
    yield from serve()


@pytest.fixture(scope="session")
def lax_aws_server():
    """One that takes any signature."""
    yield from serve("--no-auth")


@pytest.fixture(scope="session")
def sql_aws_server():
    """One with databases behind its warehouses."""
    yield from serve("--sql")


@pytest.fixture(scope="session")
def sftp_aws_server():
    """One whose Transfer servers are real."""
    yield from serve("--sftp")


@pytest.fixture(scope="session")
def data_server():
    """One with all of a data plane."""
    yield from serve("--sql", "--sftp")


def workspace_on(installed, server):
    """Yields a workspace; afterwards every reply of the server must have been one that AWS's models allow."""
    workspace = AwsWorkspace(installed, server)
    try:
        yield workspace
        assert workspace.problems() == []
    finally:
        workspace.close()


@pytest.fixture
def sftp_aws(installed, sftp_aws_server):
    """A workspace whose clients get to its Transfer server, the one that there is, at an address that is known beforehand."""
    def port():
        return next(iter(sftp_aws_server.control("GET", "sftp").values()))["port"]

    way = Relay(port, lambda: None)
    for workspace in workspace_on(installed, sftp_aws_server):
        workspace.env["SF_TRANSFER_SFTP_ENDPOINT"] = f"127.0.0.1:{way.port}"
        yield workspace
    way.stop()


@pytest.fixture
def aws(installed, aws_server):
    yield from workspace_on(installed, aws_server)


@pytest.fixture
def lax_aws(installed, lax_aws_server):
    yield from workspace_on(installed, lax_aws_server)
