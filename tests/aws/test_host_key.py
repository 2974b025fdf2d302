"""A changed host key, as a client sees it: an SSH server stands behind the test server's Transfer Family, and ssh-keyscan asks it."""

import os
import re
import shutil
import subprocess

import pytest
from aws.conftest import Server, workspace_on

STACK = """  first: {{kind: ssh_key, algorithm: ed25519}}
  second: {{kind: ssh_key, algorithm: ed25519}}
  sftp: {{kind: sftp_server, host_keys: [{key}]}}
"""


@pytest.fixture
def listening(installed):
    for program in ("proftpd", "ssh-keyscan"):
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
            pytest.skip(f"{program} is not installed")
    server = Server("--sftp")
    try:
        yield from workspace_on(installed, server)
    finally:
        server.close()


def presented(aws):
    """Fingerprint of the key that the one server of the account shows to clients."""
    (where,) = aws.control("GET", "sftp").values()
    scan = ["ssh-keyscan", "-p", str(where["port"]), where["host"]]
    keys = subprocess.run(scan, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=True).stdout
    line = subprocess.run(["ssh-keygen", "-lf", "-"], input=keys, stdout=subprocess.PIPE, timeout=30, check=True).stdout.decode()
    return re.search(r"SHA256:[A-Za-z0-9+/]{43}", line).group()


def test_the_plan_shows_both_fingerprints_of_a_changed_host_key_and_the_server_then_presents_the_new_one(listening):
    aws = listening
    aws.resources(STACK.format(key="first"))
    aws.apply()
    old = presented(aws)

    aws.resources(STACK.format(key="second"))
    plan = aws.ok("sfplan").out
    shown = re.search(r"host_keys = \[\n\s+- \"(SHA256:\S+)\"\n\s+\+ \"(SHA256:\S+)\"", plan)
    assert shown and shown.group(1) == old != shown.group(2), plan
    assert presented(aws) == old

    aws.apply()
    assert presented(aws) == shown.group(2)
    assert aws.changes() == {}
