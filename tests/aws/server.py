#!/usr/bin/env python3
"""An AWS for tests: S3, IAM, STS, EC2 networks, Redshift, Redshift Serverless, Transfer Family and Secrets Manager in one process.

Usage: server.py [--port N] [--no-auth] [--sql] [--sftp] [--print-env]

Needs a Python that has moto. Prints `listening on http://127.0.0.1:PORT` when it answers, and ends at SIGTERM or at the end of its
standard input. `--print-env` prints the environment that clients need, as NAME=value lines, after the first line. `--no-auth` takes any
signature, or none. `--sql` starts a PostgreSQL behind each cluster and namespace (see server_sql.py), `--sftp` a real SSH server for
each ONLINE Transfer server (see server_sftp.py).

moto carries the state and formats of S3, IAM, STS, EC2 and Secrets Manager. What it lacks or lets pass is in server_*.py. Every request
is checked against AWS's own service models and for its signature, every reply against the same models: what a reply breaks is listed
under `problems`.

Control: requests below /_test/ are not signed. GET shows, POST (JSON) changes:

  POST /_test/reset          nothing exists, defaults everywhere
  GET|POST /_test/settings   {delays: {name: virtual seconds} (server_time.py lists them), seconds_per_look, seconds_per_wall_ms,
                              latency_ms, quotas: {name: count} (server_world.py), foreign_buckets: [name],
                              denied: ["service:Action", ...] with * as wildcard,
                              is_iam_strict: IAM must be signed for us-east-1, as on AWS; SDKs that are given an endpoint
                              by its URL sign for their own region,
                              is_kms_denied: COPY may not decrypt, is_other_host: databases show another host's certificate,
                              exhausted: [workgroups whose usage limit is reached],
                              sql_faults: [{match, fault, nth, times, looks, row, message}] (server_faults.SqlRule),
                              sftp_faults: [{fault: cut or stall, after_bytes, times}] (server_relay.py)}
  GET|POST /_test/faults     a list of rules {fault, service, action, is_change, nth, every, times, ms, offset, code, message, status};
                              GET adds `matched` and `fired`. is_change: only calls that change something. Faults: throttle, deny, 500,
                              500-after, reset-before, reset-after, hang-before, hang-after (no reply until the client leaves),
                              truncate, html, wrong-json, slow (ms), expired-token, clock (offset seconds), error (code, message,
                              status), together (the first `times` calls wait for each other, refused if they are not all
                              there after ms). -after, truncate, html and wrong-json do the work first.
  GET /_test/log             [{n, at_ms, service, action, account, region, status, code, faults, params}] in order; ?since=N
  GET /_test/counts          {"service.Action": count}
  DELETE /_test/log          empties log and counts
  GET /_test/inventory       {kind: [names]} of everything that exists; kinds without any are left out
  GET /_test/problems        replies that the models do not allow; a request that made the server fail, with its traceback
  GET /_test/sql             {ca: path, endpoints: {cluster or workgroup: {host, port}}}
  GET /_test/sftp            {server id: {host, port}}
"""

import argparse
import collections
import gc
import http.server
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
import traceback
import urllib.parse

import server_auth
import server_credentials  # noqa: F401  importing a service registers its operations
import server_ec2  # noqa: F401
import server_faults
import server_iam
import server_inventory
import server_model
import server_multipart  # noqa: F401
import server_redshift  # noqa: F401
import server_s3
import server_serverless  # noqa: F401
import server_statements  # noqa: F401
import server_transfer  # noqa: F401
from server_wire import AwsError, Reply, Request
from server_world import BEFORE, Call, World, remember_answers

RESET = object()  # what arrives instead of a reply when the connection is cut
SILENCE = object()  # and when none ever comes
# whose calls may change what the SFTP servers and the databases are to be, or show how they are by now
SFTP_SERVICES, SQL_SERVICES = ("transfer", "iam", "s3"), ("redshift", "redshift-serverless", "redshift-data", "secretsmanager")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port, is_auth_on):
        super().__init__(("127.0.0.1", port), Handler)
        self.world, self.is_auth_on = World(), is_auth_on
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def server_bind(self):
        # without the look-up of the host's name that the base class makes
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address

    def handle_error(self, request, client_address):
        pass  # clients may leave at any time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    ahead = 0  # seconds, of the reply's Date

    def handle_any(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.read_body())
        if self.path.startswith("/_test/"):
            self.send(control(self.server, request))
            return
        answer, rules = answer_to(self.server, request)
        self.ahead = sum(rule.offset for rule in rules if rule.fault == "clock")
        if answer is RESET:
            self.cut()
        elif answer is SILENCE:
            self.rfile.read(1)  # ends when the client leaves
            self.close_connection = True
        else:
            self.send(answer, is_cut_short=any(rule.fault == "truncate" for rule in rules))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = handle_any

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def send(self, answer, is_cut_short=False):
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204 and "content-length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.status not in (204, 304) and self.command != "HEAD":
            self.wfile.write(answer.body[: len(answer.body) // 2] if is_cut_short else answer.body)
        self.close_connection = self.close_connection or is_cut_short

    def cut(self):
        """Resets the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def handle_expect_100(self):
        super().handle_expect_100()
        self.wfile.flush()  # or boto3 waits a second before it sends a body
        return True

    def date_time_string(self, timestamp=None):
        return super().date_time_string(time.time() + self.ahead)

    def version_string(self):
        return "AmazonS3"

    def log_message(self, *_args):
        pass


# --- one request ---


def answer_to(server, request):
    """(Reply, RESET or SILENCE, the fault rules that hit it); writes the log."""
    world, began = server.world, time.monotonic()
    entry = {"service": "?", "action": "?", "account": "", "region": "", "code": None, "params": None, "faults": []}
    rules = []
    try:
        answer = work(server, request, entry, rules)
    except AwsError as error:
        entry["code"] = error.code
        answer = server_model.error_reply(entry.get("protocol", "rest-xml"), error)
    except Exception:
        world.problems.append(f"{entry['service']}.{entry['action']}: " + traceback.format_exc())
        error = server_faults.internal(entry["service"])
        entry["code"] = error.code
        answer = server_model.error_reply(entry.get("protocol", "rest-xml"), error)
    is_reply = answer not in (RESET, SILENCE)
    if is_reply:
        answer.headers.setdefault("x-amzn-requestid" if entry["service"] != "s3" else "x-amz-request-id", server_model.REQUEST_ID)
        if answer.status >= 300 and entry["code"] is None:
            entry["code"] = server_model.error_code(answer)
    with world.lock:
        entry |= {"n": world.requests, "at_ms": round((began - world.began) * 1000, 3),
                  "status": answer.status if is_reply else 0}
        world.requests += 1
        world.log.append(entry)
    return answer, rules


def work(server, request, entry, rules):
    """Checks a request and does what it asks for, with the faults that are due; adds these to `rules`. Reply, RESET, SILENCE or AwsError."""
    world = server.world
    scope = server_auth.scope_of(request)
    service = entry["service"] = server_model.service_of(request, scope)
    entry["protocol"] = server_model.protocol_of(service)
    action = entry["action"] = server_model.action_of(request, service)
    with world.lock:
        rules += world.faults.of(service, action)
    entry["faults"] = [rule.fault for rule in rules]
    wait_ms = world.latency_ms + sum(rule.ms for rule in rules if rule.fault == "slow")
    if wait_ms:
        time.sleep(wait_ms / 1000)
    if any(rule.fault == "reset-before" for rule in rules):
        return RESET
    if any(rule.fault == "hang-before" for rule in rules):
        return SILENCE
    key = server_auth.ANYBODY
    if server.is_auth_on:
        skew = sum(rule.offset for rule in rules if rule.fault == "clock")
        key = server_auth.check(request, scope, service, action, time.time() + skew, world.is_iam_strict)
    elif scope:
        key = server_auth.find_key(scope.access_key) or key
    region = scope.region if scope else server_auth.REGION
    entry |= {"account": key.account, "region": region}
    for rule in rules:
        refusal = server_faults.refusal(service, action, rule, key.arn)
        if refusal:
            raise refusal
    params = server_model.parse(request, service, action)
    entry["params"] = params
    if server_iam.is_denied(world, service, action):
        raise server_faults.denial(service, action, key.arn)
    call = Call(world, request, service, action, key.account, key.arn, region, params)
    if (service, action) in BEFORE:
        BEFORE[service, action](call)
    with world.lock:
        if world.sftp and service == "s3":
            world.sftp.sync()  # what was put is an object by now
        try:
            answer = call.run()
            world.problems += [f"{service}.{problem}" for problem in server_model.reply_problems(service, action, answer)]
        finally:  # a look at what is gone is an error, and has let time pass
            for part, services in ((world.sftp, SFTP_SERVICES), (world.databases, SQL_SERVICES)):
                if part and service in services:
                    part.follow()
    for rule in rules:
        if rule.fault == "reset-after":
            return RESET
        if rule.fault == "hang-after":
            return SILENCE
        if rule.fault == "500-after":
            raise server_faults.internal(service)
        answer = server_faults.spoil(rule, answer)
    return answer


# --- control ---


def control(server, request):
    world = server.world
    what = request.path.removeprefix("/_test/")
    query = dict(request.query_pairs())
    try:
        with world.lock:
            shown = controls(server, world, request, what, query)
    except (KeyError, TypeError, ValueError) as error:
        return Reply(400, {"content-type": "application/json"}, json.dumps({"error": str(error)}).encode())
    return Reply(200, {"content-type": "application/json"}, json.dumps(shown, default=str).encode())


def controls(server, world, request, what, query):
    body = json.loads(request.body) if request.body else None
    if what == "reset":
        world.reset()
        for part in (world.sftp, world.databases):
            if part:
                part.follow()
    elif what == "settings" and request.method == "POST":
        world.set(body)
    elif what == "settings":
        return world.settings()
    elif what == "faults" and request.method == "POST":
        world.faults.set(body)
    elif what == "faults":
        return [vars(rule) for rule in world.faults.rules]
    elif what == "log" and request.method == "DELETE":
        world.log.clear()
    elif what == "log":
        return [entry for entry in world.log if entry["n"] >= int(query.get("since", 0))]
    elif what == "counts":
        return collections.Counter(f"{entry['service']}.{entry['action']}" for entry in world.log)
    elif what == "inventory":
        return server_inventory.of(world)
    elif what == "problems":
        return world.problems
    elif what == "sql":
        return world.databases.show() if world.databases else {}
    elif what == "sftp":
        return world.sftp.endpoints() if world.sftp else {}
    else:
        raise ValueError(f"unknown control '{what}'")
    return {}


# --- program ---


def print_env(url, sftp):
    if sftp:
        print(f"SF_TRANSFER_SFTP_ENDPOINT=127.0.0.1:{sftp.front.port}")
    access_key, key = next(iter(server_auth.KEYS.items()))
    for name, value in (("AWS_ENDPOINT_URL", url), ("AWS_ACCESS_KEY_ID", access_key), ("AWS_SECRET_ACCESS_KEY", key.secret),
                        ("AWS_REGION", server_auth.REGION), ("AWS_DEFAULT_REGION", server_auth.REGION),
                        ("AWS_EC2_METADATA_DISABLED", "true")):
        print(f"{name}={value}")


def end_with_input(server):
    """Ends the program when whoever started it is gone: its standard input ends."""
    while sys.stdin.buffer.read(4096):
        pass
    server.shutdown()


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--no-auth", action="store_true")
    options.add_argument("--sftp", action="store_true")
    options.add_argument("--sql", action="store_true")
    options.add_argument("--print-env", action="store_true")
    chosen = options.parse_args()
    server_s3.register_all()
    remember_answers()
    gc.set_threshold(20000, 20, 50)
    gc.freeze()  # modules and models stay: the collector need not look at them again and again
    server = Server(chosen.port, not chosen.no_auth)
    if chosen.sftp:
        import server_sftp

        server.world.sftp = server_sftp.Endpoints(server.world)
    if chosen.sql:
        import server_sql

        server.world.databases = server_sql.Databases(server.world)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    threading.Thread(target=end_with_input, args=(server,), daemon=True).start()
    print(f"listening on {server.url}", flush=True)
    if chosen.print_env:
        print_env(server.url, server.world.sftp)
    sys.stdout.flush()
    try:
        server.serve_forever(poll_interval=0.05)
    finally:
        for part in (server.world.sftp, server.world.databases):
            if part:
                part.stop()
    os._exit(0)  # threads that still answer are not waited for


if __name__ == "__main__":
    main()
