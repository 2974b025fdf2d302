"""An AWS server for tests of single kinds: moto, and between it and the programs a wire that records each call and can fail it.

    def test_x(aws):                      # a workspace whose world is an empty server
        aws.write("stack.yaml", aws.stack_of("..."))
        aws.wire.fail("CreateRole", "reset-after")
        aws.apply()
        assert aws.wire.calls == [...]

Use it with `from wire import aws, wire  # noqa: F401`. What a fault does:

    throttle      the call is not done; 503 SlowDown or 400 Throttling
    deny          the call is not done; 403
    conflict      the call is not done; 409 DeleteConflict, which moto never says of a policy
    500-after     the call is done, and an error is answered
    reset-after   the call is done, and the connection is cut
"""

import http.client
import http.server
import json
import shutil
import socket
import subprocess
import threading
import urllib.parse

import pytest

from conftest import Workspace, wait_until

REGION = "us-west-2"
ERRORS = {"conflict": (409, "DeleteConflict"), "throttle": (400, "Throttling"), "deny": (403, "AccessDenied"),
          "500-after": (500, "InternalError")}
PARTS = ("versioning", "encryption", "publicAccessBlock", "policy", "lifecycle", "tagging", "versions", "uploads", "delete",
         "list-type", "uploadId", "versionId")


def name_of(method, path, body):
    """What a call is: IAM's action, or S3's method and what of the bucket it is for."""
    url = urllib.parse.urlsplit(path)
    if url.path == "/":
        form = urllib.parse.parse_qs(body.decode(errors="replace"))
        return form.get("Action", [method])[0]
    query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
    part = next((name for name in query if name in PARTS), None)
    return f"{method} {part or ('key' if url.path.count('/') > 1 and not url.path.endswith('/') else 'bucket')}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.upstream = http.client.HTTPConnection("127.0.0.1", self.server.wire.port)

    def finish(self):
        self.upstream.close()
        super().finish()

    def log_message(self, *args):
        pass

    def forward(self, body):
        headers = {k: v for k, v in self.headers.items() if k.lower() != "expect"}
        self.upstream.request(self.command, self.path, body=body, headers=headers)
        reply = self.upstream.getresponse()
        return reply.status, reply.getheaders(), reply.read()

    def handle_call(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        name = name_of(self.command, self.path, body)
        fault = self.server.wire.note(name)
        if fault in (None, "500-after", "reset-after"):
            status, headers, content = self.forward(body)
        if fault == "reset-after":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if fault:
            status, code = ERRORS[fault]
            headers, content = [], self.error_of(code)
        self.send_response(status)
        for key, value in headers:
            if key.lower() not in ("connection", "content-length", "transfer-encoding", "date", "server"):
                self.send_header(key, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def error_of(self, code):
        error = f"<Error><Code>{code}</Code><Message>as the test wants</Message></Error>"
        return (error if self.path != "/" else f"<ErrorResponse>{error}</ErrorResponse>").encode()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_call


class Wire:
    """The forwarder. `calls`: names of the calls so far."""

    def __init__(self, port):
        self.port, self.calls, self.faults, self.lock = port, [], [], threading.Lock()
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.wire = self
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def note(self, name):
        with self.lock:
            self.calls.append(name)
            for i, (match, fault) in enumerate(self.faults):
                if match == name:
                    del self.faults[i]
                    return fault
        return None

    def fail(self, call, fault, times=1):
        """Fails the next calls of that name."""
        with self.lock:
            self.faults += [(call, fault)] * times

    def reset(self):
        self.send("POST", "/moto-api/reset", "moto")
        with self.lock:
            self.calls, self.faults = [], []

    def send(self, method, path, service, body=b"", headers=None):
        """A call behind the programs' back, not recorded. (status, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        scope = f"Credential=other/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        connection.request(method, path, body=body, headers={"Authorization": f"AWS4-HMAC-SHA256 {scope}", **(headers or {})})
        reply = connection.getresponse()
        answer = reply.status, reply.read().decode()
        connection.close()
        return answer

    def s3(self, method, path, body=b""):
        status, text = self.send(method, path, "s3", body)
        assert status < 300, f"{method} {path}: {status} {text}"
        return text

    def iam(self, action, **params):
        form = urllib.parse.urlencode({"Action": action, "Version": "2010-05-08", **params})
        status, text = self.send("POST", "/", "iam", form, {"Content-Type": "application/x-www-form-urlencoded"})
        assert status < 300, f"{action}: {status} {text}"
        return text


@pytest.fixture(scope="session")
def wire():
    program = shutil.which("moto_server")
    if not program:
        pytest.skip("moto_server is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = Wire(port)

    def is_up():
        try:
            return found.send("GET", "/moto-api/", "moto")[0] == 200
        except OSError:
            return False
    try:
        wait_until(is_up, 60)
        yield found
    finally:
        found.http.shutdown()
        server.terminate()
        server.wait()


class AwsWorkspace(Workspace):
    """A workspace whose stacks are on the server of `wire`."""

    def __init__(self, installed, wire):
        super().__init__(installed, None)
        self.wire = wire
        self.env |= {"AWS_ENDPOINT_URL": wire.url, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
                     "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
                     "AWS_EC2_METADATA_DISABLED": "true"}
        wire.reset()

    def resources(self, text, more=""):
        """Writes a stack of these resources (YAML, indented by two)."""
        self.write("stack.yaml", f"stack: tryout\nprovider: aws\naws: {{region: {REGION}}}\n{more}resources:\n{text}")

    def calls_of(self, *argv):
        """Names of the calls that a command makes, those of every run left out."""
        self.wire.calls.clear()
        self.ok(*argv)
        return [call for call in self.wire.calls if call not in ("GetCallerIdentity", "SimulatePrincipalPolicy")]

    def aws(self, *args):
        """What the aws command line reads."""
        program = shutil.which("aws")
        if not program:
            pytest.skip("the aws command line is not installed")
        env = {"AWS_DEFAULT_REGION": REGION, "PATH": f"{self.env['PATH']}:{program.rpartition('/')[0]}"}
        return json.loads(self.ok(program, *args, "--output", "json", env=env).out or "null")


@pytest.fixture
def aws(installed, wire):
    workspace = AwsWorkspace(installed, wire)
    yield workspace
    workspace.close()
