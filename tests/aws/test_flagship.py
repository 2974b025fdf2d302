"""The flagship's infrastructure on AWS: made, left alone, taken down, killed at every change; and on a server of other people's."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.parse

import pytest

from aws.conftest import REGION
from conftest import wait_until

# what Terraform's provider needs for the same stack on the same server
TERRAFORM_REQUESTS = {"apply": 67, "plan": 38, "destroy": 66}
WHOLE = {"bucket": 1, "iam policy": 2, "iam role": 2, "redshift namespace": 1, "redshift workgroup": 1, "secret": 1, "security group": 1,
         "transfer server": 1, "transfer user": 1}
READERS = {  # the aws command line, and what of its answer is of the account from the beginning
    ("s3api", "list-buckets"): lambda answer: answer["Buckets"],
    ("iam", "list-roles"): lambda answer: [r for r in answer["Roles"] if not r["Path"].startswith("/aws-service-role/")],
    ("iam", "list-policies", "--scope", "Local"): lambda answer: answer["Policies"],
    ("transfer", "list-servers"): lambda answer: answer["Servers"],
    ("ec2", "describe-security-groups"): lambda answer: [g for g in answer["SecurityGroups"] if g["GroupName"] != "default"],
    ("redshift", "describe-clusters"): lambda answer: answer["Clusters"],
    ("redshift-serverless", "list-namespaces"): lambda answer: answer["namespaces"],
    ("redshift-serverless", "list-workgroups"): lambda answer: answer["workgroups"],
    ("secretsmanager", "list-secrets"): lambda answer: answer["SecretList"],
}
APPLY_CHANGES, DESTROY_CHANGES = 18, 12  # calls that change something
PROVISIONED = ("aws: {serverless: {base_rpus: 8}}", "aws: {node_type: ra3.large}")
PROGRAMS = {"apply": ("sfapply", "-auto-approve"), "plan": ("sfplan", "-detailed-exitcode"), "destroy": ("sfdestroy", "-auto-approve")}


def listed(ws):
    """{what: how many} by the aws command line."""
    return {" ".join(argv[:2]): len(pick(ws.cli(*argv))) for argv, pick in READERS.items()}


def sizes(ws):
    """{what: how many} by the server's own list."""
    return {kind: len(names) for kind, names in ws.inventory().items()}


@pytest.mark.parametrize("change", [(), (PROVISIONED,)], ids=["serverless", "provisioned"])
@pytest.mark.parametrize("server", ["aws", "lax_aws"], ids=["signatures checked", "any signature"])
def test_it_is_made_left_alone_and_taken_down_with_fewer_requests_than_others_need(request, server, change):
    ws = request.getfixturevalue(server)
    ws.infrastructure(*change)
    requests = {program: len(ws.calls_of(*PROGRAMS[program])) for program in PROGRAMS}
    print(requests)
    assert ws.inventory() == {} and ws.recorded() == []
    assert {program for program, n in requests.items() if n > TERRAFORM_REQUESTS[program]} == set()


def test_the_aws_command_line_finds_all_of_it_and_after_destroy_nothing(aws):
    aws.infrastructure()
    aws.apply()
    assert {what for what, n in listed(aws).items() if not n} == {"redshift describe-clusters"}
    aws.ok("sfdestroy", "-auto-approve")
    assert set(listed(aws).values()) == {0}


# --- on moto as it is ---


class Moto:
    """A moto_server without anything of ours."""

    def __init__(self):
        program = shutil.which("moto_server")
        if not program:
            pytest.skip("moto_server is not installed: pip install 'moto[server]'")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(self.port)], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_until(self.is_up, 60)
        self.env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}", "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
                    "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_ACCESS_KEY_ID": "testing",
                    "AWS_SECRET_ACCESS_KEY": "testing"}

    def send(self, method, path, body=b"", content_type="text/plain"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        scope = f"AWS4-HMAC-SHA256 Credential=x/20260101/{REGION}/iam/aws4_request, SignedHeaders=host, Signature=0"
        connection.request(method, path, body, {"Content-Type": content_type, "Authorization": scope})
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def is_up(self):
        with contextlib.suppress(OSError):
            return self.send("GET", "/moto-api/data.json")
        return False

    def check_signatures(self):
        """From now on only the new user's signatures are taken, who may do all."""
        def iam(action, **params):
            form = urllib.parse.urlencode({"Action": action, "Version": "2010-05-08", "UserName": "steward", **params})
            return self.send("POST", "/", form, "application/x-www-form-urlencoded")
        allow = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
        iam("CreateUser")
        iam("PutUserPolicy", PolicyName="all", PolicyDocument=allow)
        reply = iam("CreateAccessKey")
        self.env["AWS_ACCESS_KEY_ID"] = re.search("<AccessKeyId>(.*)</AccessKeyId>", reply).group(1)
        self.env["AWS_SECRET_ACCESS_KEY"] = re.search("<SecretAccessKey>(.*)</SecretAccessKey>", reply).group(1)
        self.send("POST", "/moto-api/reset-auth", "0")

    def close(self):
        self.process.terminate()
        self.process.wait()


@pytest.mark.parametrize("is_checked", [False, True], ids=["any signature", "signatures checked"])
def test_it_works_on_a_server_that_others_wrote(ws1, is_checked):
    """Which knows neither host keys nor Redshift Serverless."""
    moto = Moto()
    try:
        if is_checked:
            moto.check_signatures()
        ws1.env |= moto.env
        with open(f"{ws1.share}/stacks/infrastructure.yaml") as file:
            ws1.write("stack.yaml", file.read())
        ws1.edit("stack.yaml", PROVISIONED, ("host_keys: [sftp_host_key]", "tags: {}"), ("provider: local # or", "provider: aws # or"))
        ws1.apply()
        assert ws1.changes() == {} and ws1.drift() == {}
        wrong = ws1.run("sfplan", env={"AWS_SECRET_ACCESS_KEY": "wrong"})
        assert wrong.code == (4 if is_checked else 0), wrong
        ws1.ok("sfdestroy", "-auto-approve")
        assert ws1.recorded() == []
    finally:
        ws1.write("stack.yaml", "")
        moto.close()


# --- host keys ---


def test_another_host_key_is_shown_old_and_new_and_is_what_the_server_then_has(aws):
    aws.infrastructure(("  uploader_key: ", "  new_key:       {kind: ssh_key, algorithm: ed25519}\n  uploader_key: "))
    aws.apply()
    old, new = (aws.show(f"ssh_key.{name}")["fingerprint"] for name in ("sftp_host_key", "new_key"))
    aws.edit("stack.yaml", ("host_keys: [sftp_host_key]", "host_keys: [new_key]"))
    plan = aws.run("sfplan", "-no-color", "-detailed-exitcode")
    assert plan.code == 2 and f'- "{old}"' in plan.out and f'+ "{new}"' in plan.out, plan
    server = aws.show("sftp_server.sftp")["endpoint"].partition(".")[0]
    aws.apply()
    assert aws.changes() == {}
    assert [key["Fingerprint"].rstrip("=") for key in aws.call("transfer", "list_host_keys", ServerId=server)["HostKeys"]] == [new]
    assert aws.call("transfer", "describe_server", ServerId=server)["Server"]["HostKeyFingerprint"].rstrip("=") == new


# --- killed ---


def kill_at(ws, n, when, *argv):
    """Ends a program by SIGKILL while its nth call that changes something has no reply yet, be it done or not. Whether it came to that."""
    ws.faults([{"fault": f"hang-{when}", "is_change": True, "nth": n}])
    process = ws.spawn(*argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def is_time():
        return ws.control("GET", "faults")[0]["fired"] or process.poll() is not None
    wait_until(is_time, 60)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    has_come = bool(ws.control("GET", "faults")[0]["fired"])
    ws.faults([])
    return has_come


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("n", range(1, APPLY_CHANGES + 1))
def test_killed_at_any_change_the_next_run_finishes_and_nothing_is_there_twice(aws, n, when):
    aws.infrastructure()
    assert kill_at(aws, n, when, "sfapply", "-auto-approve")
    aws.apply()
    assert sizes(aws) == WHOLE
    assert aws.changes() == {} and aws.drift() == {}
    if kill_at(aws, n, when, "sfdestroy", "-auto-approve"):
        assert n <= DESTROY_CHANGES
        aws.ok("sfdestroy", "-auto-approve")
    assert aws.inventory() == {}
    assert aws.recorded() == []


def test_these_are_all_the_changes_that_there_are(aws):
    aws.infrastructure()
    made = [call["action"] for call in aws.calls_of("sfapply", "-auto-approve")]
    gone = [call["action"] for call in aws.calls_of("sfdestroy", "-auto-approve")]
    changes = [len([a for a in calls if not re.match("Get|List|Describe|Simulate", a)]) for calls in (made, gone)]
    assert changes == [APPLY_CHANGES, DESTROY_CHANGES], (made, gone)
