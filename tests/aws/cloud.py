"""What the tests of the AWS world share: a server that speaks AWS, a wire to it that can be cut, and the programs.

The server is moto, under whichever Python on PATH has it. Between it and the programs stands a wire of ours, which writes down every call
and does to the next one what the test asks."""

import contextlib
import http.client
import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import urllib.parse

import pytest

from conftest import Workspace, wait_until

ANSWERS = {  # what a fault is answered with
    "throttled": (400, b"<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>"),
    "denied": (403, b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::123456789012:user/anna is not authorized to "
                    b"perform: it on resource: that because no identity-based policy allows it</Message></Error></ErrorResponse>"),
    "in use": (400, b"<Response><Errors><Error><Code>DependencyViolation</Code><Message>resource has a dependent object</Message></Error>"
                    b"</Errors><RequestID>1</RequestID></Response>"),
    "busy": (400, b"<ErrorResponse><Error><Code>InvalidClusterState</Code><Message>There is an operation running on the Cluster"
                  b"</Message></Error></ErrorResponse>"),
}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def action_of(headers, body):
    """'CreateCluster' of a query, JSON or EC2 call; 'PUT' of the others."""
    target = headers.get("X-Amz-Target")
    if target:
        return target.rpartition(".")[2]
    return dict(urllib.parse.parse_qsl(body.decode(errors="replace"))).get("Action")


class Wire:
    """An HTTP server that hands every request on. `calls` are the actions so far; `fault(action, what)` concerns the next such call:
    `lost` (done, but the reply never comes), or an answer instead of it being done."""

    def __init__(self, upstream):
        self.calls, self.params, self.faults, self.lock = [], [], [], threading.Lock()
        wire = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_args):
                pass

            def relay(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                action = action_of(self.headers, body) or self.command
                what = wire.note(action, body)
                if what in ANSWERS:
                    return self.answer(ANSWERS[what][0], {"Content-Type": "text/xml"}, ANSWERS[what][1])
                connection = http.client.HTTPConnection("127.0.0.1", upstream, timeout=60)
                connection.request(self.command, self.path, body, dict(self.headers))
                reply = connection.getresponse()
                data = reply.read()
                connection.close()
                if what == "lost":
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return None
                return self.answer(reply.status, dict(reply.getheaders()), data)

            def answer(self, status, headers, data):
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = relay

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def note(self, action, body):
        with self.lock:
            self.calls.append(action)
            self.params.append(body.decode(errors="replace"))
            for fault in self.faults:
                if fault[0] == action:
                    self.faults.remove(fault)
                    return fault[1]
        return None

    def fault(self, action, what, times=1):
        self.faults += [(action, what)] * times

    def since(self, mark=0):
        return self.calls[mark:]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="session")
def aws_server():
    """Port of the server, which lives as long as the tests."""
    if not shutil.which("moto_server"):
        pytest.skip("moto_server is not installed: pip install 'moto[server]'")
    port = free_port()
    process = subprocess.Popen(["moto_server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    wait_until(answers, 30)
    yield port
    process.terminate()
    process.wait()


class AwsWorkspace(Workspace):
    """A workspace whose stacks are in an account of their own, empty at first."""

    def __init__(self, installed, port):
        super().__init__(installed, None)
        self.port, self.wire = port, Wire(port)
        self.env.update(AWS_ENDPOINT_URL=self.wire.url, AWS_REGION="us-west-2", AWS_DEFAULT_REGION="us-west-2", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test",
                        AWS_EC2_METADATA_DISABLED="true")
        self.control("POST", "/moto-api/reset")

    def control(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, headers={"Content-Length": "0"})
        data = connection.getresponse().read()
        connection.close()
        return data

    def state(self, stack=None):
        return self.path(f".sf/{stack or self.stack()}/aws/state.db")

    def aws(self, *argv):
        """What the aws command line answers: an independent reader, past the wire."""
        env = {**os.environ, **self.env, "PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
               "AWS_PAGER": ""}
        done = subprocess.run(["aws", "--output", "json", *argv], env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def calls_of(self, *argv):
        """The calls that a program made, in order."""
        mark = len(self.wire.calls)
        self.ok(*argv)
        return self.wire.since(mark)

    def close(self):
        try:
            super().close()
        finally:
            self.wire.close()


@pytest.fixture
def aws(installed, aws_server):
    if not shutil.which("aws"):
        pytest.skip("the aws command line is not installed: pip install awscli")
    ws = AwsWorkspace(installed, aws_server)
    yield ws
    ws.close()


# --- the server of ours: states over time, validation by AWS's own models, faults of its own ---

SERVER = os.path.join(os.path.dirname(__file__), "server.py")


@pytest.fixture(scope="session")
def world_server():
    """Environment of tests/aws/server.py, which lives as long as the tests."""
    if not shutil.which("moto_server"):
        pytest.skip("moto is not installed: pip install 'moto[server]'")
    with open(shutil.which("moto_server")) as file:
        python = file.readline().removeprefix("#!").split()
    python = python if python and "python" in python[0] else ["python3"]
    process = subprocess.Popen([*python, SERVER, "--print-env"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    env = {}
    for line in process.stdout:
        name, _, value = line.strip().partition("=")
        if value:
            env[name] = value
        if name == "AWS_EC2_METADATA_DISABLED":
            break
    assert env, "the server did not start"
    yield env
    process.terminate()
    process.wait()


class WorldWorkspace(Workspace):
    """A workspace on the server of ours, which is empty at first."""

    def __init__(self, installed, env):
        super().__init__(installed, None)
        self.env.update(env)
        self.server = env["AWS_ENDPOINT_URL"].rpartition(":")[2]
        self.control("POST", "reset")
        self.control("POST", "settings", {"seconds_per_wall_ms": 1})

    def state(self, stack=None):
        return self.path(f".sf/{stack or self.stack()}/aws/state.db")

    def control(self, method, what, value=None):
        connection = http.client.HTTPConnection("127.0.0.1", int(self.server), timeout=60)
        body = json.dumps(value or {}) if method == "POST" else None
        connection.request(method, f"/_test/{what}", body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        assert reply.status == 200, data
        return json.loads(data) if data.strip() else None

    def fault(self, action, fault, **more):
        self.control("POST", "faults", [{"action": action, "fault": fault, **more}])

    def log(self, since=0):
        """Calls in order: [{n, service, action, status, code, params, ...}]."""
        return self.control("GET", f"log?since={since}")

    def calls_of(self, *argv, code=0):
        """The calls that a program made, in order."""
        entries = self.log()
        result = self.run(*argv)
        assert result.code == code, result
        return self.log(entries[-1]["n"] + 1 if entries else 0)

    def inventory(self):
        return self.control("GET", "inventory")

    def aws(self, *argv):
        """What the aws command line answers."""
        env = {**os.environ, **self.env, "PATH": os.environ["PATH"], "AWS_PAGER": ""}
        done = subprocess.run(["aws", "--output", "json", *argv], env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture
def world(installed, world_server):
    if not shutil.which("aws"):
        pytest.skip("the aws command line is not installed: pip install awscli")
    ws = WorldWorkspace(installed, world_server)
    yield ws
    problems = ws.control("GET", "problems")
    ws.close()
    assert not problems, problems
