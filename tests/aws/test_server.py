"""The AWS test server: signatures, what is refused, faults and control, and clients that we did not write."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from aws.conftest import REGION, Server
from server_client import (HERE_CONSTRAINT, PASSWORD, code_of, done, lax_server, make_bucket, make_cluster, make_group, make_key,
                           make_role, make_server, policy, server, set_up, trust)  # noqa: F401  (server and lax_server are fixtures)

# ruff: noqa: F811

OTHER = ("AKIASFSTACKOTHER0001", "sfstack/test/secret/of/the/other/0000001")

# --- signatures ---

# Signs requests with botocore and spoils them in many ways: prints [name, status, body] of each answer.
SPOILED = """
import datetime, hashlib, json, os, sys, urllib.error, urllib.request
import botocore.auth
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

url, access_key, secret = (os.environ[n] for n in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))

def signed(service, method, path, body=b"", headers=None, region="us-west-2", minutes=0):
    request = AWSRequest(method, url + path, dict(headers or {}), body)
    request.headers["Host"] = url.removeprefix("http://")
    now = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda: now() + datetime.timedelta(minutes=minutes)
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    kind(Credentials(access_key, secret), service, region).add_auth(request)
    botocore.auth.get_current_datetime = now
    return method, path, body, {k: (v.decode() if isinstance(v, bytes) else v) for k, v in request.headers.items()}

def send(name, method, path, body, headers):
    request = urllib.request.Request(url + path, body or None, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            print(json.dumps([name, answer.status, answer.read().decode()]))
    except urllib.error.HTTPError as error:
        print(json.dumps([name, error.code, error.read().decode()]))

def but(request, body=None, path=None, **headers):
    method, old_path, old_body, old = request
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return method, path or old_path, old_body if body is None else body, {**old, **more}

put = lambda **more: signed("s3", "PUT", "/sf-landing/key", b"as it was", {"Content-Type": "text/plain"}, **more)
target = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TransferService.ListServers"}
listing = lambda **more: signed("transfer", "POST", "/", b"{}", target, **more)
form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
roles = lambda **more: signed("iam", "POST", "/", b"Action=ListRoles&Version=2010-05-08", form, **more)
send("as signed", *put())
send("json as signed", *listing())
send("query as signed", *roles(region="us-east-1"))
send("other body", *but(put(), body=b"as it is!"))
send("other json body", *but(listing(), body=b'{"MaxResults": 1}'))
send("other path", *but(put(), path="/sf-landing/other"))
send("other query", *but(put(), path="/sf-landing/key?tagging"))
send("added header", *but(put(), X_Amz_Acl="public-read"))
send("14 minutes old", *put(minutes=-14))
send("16 minutes old", *put(minutes=-16))
send("16 minutes ahead", *listing(minutes=16))
send("query 16 minutes old", *roles(minutes=-16))
send("no such region", *listing(region="mars-1"))
send("other service", *but(signed("s3", "POST", "/", b"{}", target)))
send("unsigned", "POST", "/", b"{}", target)
send("unsigned object", "GET", "/sf-landing/key", b"", {})
send("wrong md5", *signed("s3", "PUT", "/sf-landing/key", b"body", {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}))
send("wrong sha256", *signed("s3", "PUT", "/sf-landing/key", b"body", {"x-amz-checksum-sha256": "A" * 43 + "="}))
send("no checksum", *signed("s3", "PUT", "/sf-landing?versioning", b"<VersioningConfiguration/>"))
send("lower-case escapes", *signed("s3", "GET", "/sf-landing/a%2fb"))
"""
ANSWERS = {
    "as signed": (200, ""), "json as signed": (200, "Servers"), "query as signed": (200, "Roles"),
    "other body": (400, "XAmzContentSHA256Mismatch"), "other json body": (400, "InvalidSignatureException"),
    "other path": (403, "SignatureDoesNotMatch"), "other query": (403, "SignatureDoesNotMatch"),
    "added header": (403, "SignatureDoesNotMatch"), "14 minutes old": (200, ""), "16 minutes old": (403, "RequestTimeTooSkewed"),
    "16 minutes ahead": (400, "InvalidSignatureException"), "query 16 minutes old": (403, "SignatureDoesNotMatch"),
    "no such region": (400, "InvalidSignatureException"), "other service": (405, "MethodNotAllowed"),
    "unsigned": (403, "MissingAuthenticationTokenException"), "unsigned object": (403, "AccessDenied"),
    "wrong md5": (400, "BadDigest"), "wrong sha256": (400, "BadDigest"), "no checksum": (400, "InvalidRequest"),
    "lower-case escapes": (403, "SignatureDoesNotMatch"),
}


def test_a_request_that_is_not_as_it_was_signed_is_refused(server):
    make_bucket(server)
    printed = subprocess.run([server.python, "-c", SPOILED], env={**os.environ, **server.env}, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in printed.stdout.splitlines()]
    assert {name: (status, ANSWERS[name][1] if ANSWERS[name][1] in body else body) for name, status, body in answers} == ANSWERS


def test_without_checks_of_signatures_any_signature_will_do(lax_server):
    make_bucket(lax_server)
    printed = subprocess.run([lax_server.python, "-c", SPOILED], env={**os.environ, **lax_server.env}, capture_output=True, text=True)
    answers = {name: status for name, status, _ in map(json.loads, printed.stdout.splitlines())}
    assert answers["other path"] == answers["16 minutes old"] == answers["unsigned"] == 200


@pytest.mark.parametrize("key", ["a b", "x+y=z%&()@:'*,é", "d//e", "d/../f", "~a?b#c", "日本/語", "q=1&r=2"])
def test_objects_with_any_name_are_kept(server, key):
    make_bucket(server)
    done(server, "s3", "put_object", Bucket="sf-landing", Key=key, Body="text of " + key)
    assert done(server, "s3", "get_object", Bucket="sf-landing", Key=key)["Body"] == "text of " + key
    assert [found["Key"] for found in done(server, "s3", "list_objects_v2", Bucket="sf-landing", Prefix=key)["Contents"]] == [key]


KEYS = """
import json, boto3, botocore
for key, secret, token in json.load(open(0)):
    who = boto3.client("sts", aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token)
    try:
        print(who.get_caller_identity()["Arn"])
    except botocore.exceptions.ClientError as error:
        print(error.response["Error"]["Code"])
"""


def test_every_key_stands_for_somebody(server):
    keys = [("AKIASFSTACKADMIN0001", server.env["AWS_SECRET_ACCESS_KEY"], None), (*OTHER, None),
            ("ASIASFSTACKSESSION01", "sfstack/test/secret/of/a/session/0000001", "sfstack-session-token"),
            ("ASIASFSTACKSESSION01", "sfstack/test/secret/of/a/session/0000001", "another token"),
            ("ASIASFSTACKEXPIRED01", "sfstack/test/secret/of/the/expired/00001", "sfstack-expired-token"),
            ("AKIASFSTACKADMIN0001", "another secret", None), ("AKIASFSTACKNOBODY001", "secret", None)]
    printed = subprocess.run([server.python, "-c", KEYS], input=json.dumps(keys), env={**os.environ, **server.env}, capture_output=True,
                             text=True, check=True)
    assert printed.stdout.split() == [
        "arn:aws:iam::123456789012:user/admin", "arn:aws:iam::210987654321:user/other",
        "arn:aws:sts::123456789012:assumed-role/operator/session", "InvalidClientTokenId", "ExpiredToken", "SignatureDoesNotMatch",
        "InvalidClientTokenId"]


def test_a_session_of_an_assumed_role_is_known(server):
    arn = make_role(server)
    session = done(server, "sts", "assume_role", RoleArn=arn, RoleSessionName="load")["Credentials"]
    keys = [(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])]
    printed = subprocess.run([server.python, "-c", KEYS], input=json.dumps(keys), env={**os.environ, **server.env}, capture_output=True,
                             text=True, check=True)
    assert printed.stdout.strip() == "arn:aws:sts::123456789012:assumed-role/sf-role/load"


# --- what is refused ---

REFUSED = [  # service, operation, parameters, code
    ("transfer", "create_server", {"EndpointType": "NOPE"}, "ValidationException"),
    ("transfer", "create_server", {"Protocols": ["GOPHER"]}, "ValidationException"),
    ("transfer", "create_server", {"SecurityPolicyName": "TransferSecurityPolicy-1999-01"}, "InvalidRequestException"),
    ("transfer", "create_server", {"HostKey": "no key"}, "InvalidRequestException"),
    ("transfer", "create_server", {"EndpointType": "VPC"}, "InvalidRequestException"),
    ("transfer", "create_server", {"LoggingRole": "arn:aws:iam::123456789012:role/nobody"}, "InvalidRequestException"),
    ("transfer", "describe_server", {"ServerId": "s-00000000000000000"}, "ResourceNotFoundException"),
    ("transfer", "delete_server", {"ServerId": "s-00000000000000000"}, "ResourceNotFoundException"),
    ("transfer", "describe_server", {"ServerId": "of the right length"}, "ValidationException"),
    ("transfer", "create_user", {"ServerId": "SERVER", "UserName": "twice", "Role": "ROLE"}, "ResourceExistsException"),
    ("transfer", "create_user", {"ServerId": "SERVER", "UserName": "a user", "Role": "ROLE"}, "ValidationException"),
    ("transfer", "create_user", {"ServerId": "SERVER", "UserName": "user", "Role": "arn:aws:iam::123456789012:role/nobody"},
     "InvalidRequestException"),
    ("transfer", "create_user", {"ServerId": "SERVER", "UserName": "user", "Role": "ROLE", "HomeDirectoryType": "LOGICAL"},
     "InvalidRequestException"),
    ("transfer", "import_ssh_public_key", {"ServerId": "SERVER", "UserName": "twice", "SshPublicKeyBody": "ssh-rsa AAAA"},
     "InvalidRequestException"),
    ("transfer", "describe_user", {"ServerId": "SERVER", "UserName": "nobody"}, "ResourceNotFoundException"),
    ("redshift", "create_cluster", {"MasterUserPassword": "password"}, "InvalidParameterValue"),
    ("redshift", "create_cluster", {"MasterUserPassword": "Passw0rd/Passw0rd"}, "InvalidParameterValue"),
    ("redshift", "create_cluster", {"MasterUserPassword": PASSWORD, "ManageMasterPassword": True}, "InvalidParameterCombination"),
    ("redshift", "create_cluster", {"MasterUserPassword": PASSWORD, "ClusterIdentifier": "Bad_Name"}, "InvalidParameterValue"),
    ("redshift", "create_cluster", {"MasterUserPassword": PASSWORD, "NodeType": "dc2.large"}, "InvalidParameterValue"),
    ("redshift", "create_cluster", {"MasterUserPassword": PASSWORD, "Encrypted": False}, "InvalidParameterValue"),
    ("redshift", "create_cluster", {"MasterUserPassword": PASSWORD, "Port": 5432 + 50}, "InvalidParameterValue"),
    ("redshift", "create_cluster", {"MasterUserPassword": PASSWORD, "ClusterType": "multi-node"}, "InvalidParameterCombination"),
    ("redshift", "create_cluster", {"MasterUserPassword": PASSWORD, "IamRoles": ["arn:aws:iam::123456789012:role/nobody"]},
     "InvalidParameterValue"),
    ("redshift", "create_cluster", {"MasterUserPassword": PASSWORD, "VpcSecurityGroupIds": ["sg-00000000"]}, "InvalidParameterValue"),
    ("redshift", "describe_clusters", {"ClusterIdentifier": "none"}, "ClusterNotFound"),
    ("redshift", "delete_cluster", {"ClusterIdentifier": "none"}, "ClusterNotFound"),
    ("redshift-serverless", "create_namespace", {"namespaceName": "Bad"}, "ValidationException"),
    ("redshift-serverless", "create_workgroup", {"workgroupName": "work", "namespaceName": "none"}, "ResourceNotFoundException"),
    ("redshift-serverless", "get_workgroup", {"workgroupName": "none"}, "ResourceNotFoundException"),
    ("iam", "create_role", {"RoleName": "x", "AssumeRolePolicyDocument": "{bad"}, "MalformedPolicyDocument"),
    ("iam", "create_role", {"RoleName": "x", "AssumeRolePolicyDocument": trust(Resource="*")}, "MalformedPolicyDocument"),
    ("iam", "create_role", {"RoleName": "x", "AssumeRolePolicyDocument": trust(Action="s3:GetObject")}, "MalformedPolicyDocument"),
    ("iam", "create_role", {"RoleName": "x", "AssumeRolePolicyDocument": trust(Sid="x" * 2048)}, "LimitExceeded"),
    ("iam", "create_role", {"RoleName": "no/slash", "AssumeRolePolicyDocument": trust()}, "ValidationError"),
    ("iam", "create_role", {"RoleName": "sf-role", "AssumeRolePolicyDocument": trust()}, "EntityAlreadyExists"),
    ("iam", "create_policy", {"PolicyName": "x", "PolicyDocument": policy(Sid="x" * 6144)}, "LimitExceeded"),
    ("iam", "delete_role", {"RoleName": "nobody"}, "NoSuchEntity"),
    ("ec2", "delete_security_group", {"GroupId": "sg-00000000"}, "InvalidGroup.NotFound"),
    ("s3", "create_bucket", {"Bucket": "192.168.5.4", "CreateBucketConfiguration": HERE_CONSTRAINT}, "InvalidBucketName"),
    ("s3", "create_bucket", {"Bucket": "xn--name", "CreateBucketConfiguration": HERE_CONSTRAINT}, "InvalidBucketName"),
    ("s3", "create_bucket", {"Bucket": "no-place"}, "IllegalLocationConstraintException"),
    ("s3", "create_bucket", {"Bucket": "sf-landing", "CreateBucketConfiguration": HERE_CONSTRAINT}, "BucketAlreadyOwnedByYou"),
    ("s3", "put_bucket_policy", {"Bucket": "sf-landing", "Policy": '{"a": 1}'}, "MalformedPolicy"),
    ("s3", "put_bucket_policy", {"Bucket": "sf-landing", "Policy": policy(Principal="*", Resource="arn:aws:s3:::sf-landing/*")},
     "AccessDenied"),
    ("s3", "get_bucket_policy", {"Bucket": "sf-landing"}, "NoSuchBucketPolicy"),
    ("s3", "get_bucket_tagging", {"Bucket": "sf-landing"}, "NoSuchTagSet"),
    ("s3", "head_bucket", {"Bucket": "nobody-has-this"}, "404"),
]


def test_what_aws_refuses_is_refused_with_its_code(server):
    role, there = make_role(server), make_server(server)
    done(server, "transfer", "create_user", ServerId=there, UserName="twice", Role=role)
    make_bucket(server)
    cluster_defaults = {"ClusterIdentifier": "dw", "NodeType": "ra3.large", "ClusterType": "single-node", "MasterUsername": "steward"}
    names = {"ROLE": role, "SERVER": there}
    found = []
    for service, operation, params, _ in REFUSED:
        params = {name: names.get(value, value) if isinstance(value, str) else value for name, value in params.items()}
        defaults = cluster_defaults if operation == "create_cluster" else {}
        found.append((service, operation, code_of(server, service, operation, **defaults | params)))
    assert found == [(service, operation, code) for service, operation, _, code in REFUSED]


def test_quotas_are_what_the_settings_say(server):
    set_up(server, quotas={"servers": 1, "buckets": 1, "roles": 1, "attachments": 0, "clusters": 0})
    make_server(server)
    make_bucket(server)
    make_role(server)
    arn = done(server, "iam", "create_policy", PolicyName="one", PolicyDocument=policy())["Policy"]["Arn"]
    assert code_of(server, "transfer", "create_server") == "ServiceQuotaExceededException"
    assert code_of(server, "s3", "create_bucket", Bucket="second", CreateBucketConfiguration=HERE_CONSTRAINT) == "TooManyBuckets"
    assert code_of(server, "iam", "create_role", RoleName="second", AssumeRolePolicyDocument=trust()) == "LimitExceeded"
    assert code_of(server, "iam", "attach_role_policy", RoleName="sf-role", PolicyArn=arn) == "LimitExceeded"


def test_a_foreign_bucket_exists_and_is_closed(server):
    set_up(server, foreign_buckets=["theirs"])
    assert code_of(server, "s3", "create_bucket", Bucket="theirs", CreateBucketConfiguration=HERE_CONSTRAINT) == "BucketAlreadyExists"
    assert code_of(server, "s3", "head_bucket", Bucket="theirs") == "403"
    assert code_of(server, "s3", "list_objects_v2", Bucket="theirs") == "AccessDenied"


def test_denied_actions_are_refused_and_so_the_simulator_says(server):
    set_up(server, denied=["transfer:Create*"])
    assert code_of(server, "transfer", "create_server") == "AccessDeniedException"
    results = done(server, "iam", "simulate_principal_policy", PolicySourceArn="arn:aws:iam::123456789012:user/admin",
                   ActionNames=["transfer:CreateServer", "transfer:DeleteServer"])["EvaluationResults"]
    assert [result["EvalDecision"] for result in results] == ["explicitDeny", "allowed"]


# --- faults and the control of the server ---

FAULTS = {  # what arrives, whether the work was done
    "throttle": ("400 ThrottlingException", False), "deny": ("400 AccessDeniedException", False),
    "500": ("500 InternalServiceError", False), "500-after": ("500 InternalServiceError", True),
    "reset-before": ("ConnectionResetError", False), "reset-after": ("ConnectionResetError", True), "truncate": ("IncompleteRead", True),
    "hang-before": ("TimeoutError", False), "hang-after": ("TimeoutError", True), "html": ("502 <html>", True), "wrong-json": ("200 hello", True), "expired-token": ("400 ExpiredTokenException", False),
}


def ask(server, action):
    """Status and beginning of the reply to an unsigned call of Transfer, or the name of what went wrong on the way."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=1)
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TransferService." + action}
    try:
        connection.request("POST", "/", "{}", headers)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    except (ConnectionResetError, TimeoutError, http.client.IncompleteRead) as error:
        return type(error).__name__, ""
    finally:
        connection.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_hit_the_call_that_they_name_and_only_that(lax_server, fault):
    lax_server.control("POST", "faults", [{"fault": fault, "service": "transfer", "action": "CreateServer", "nth": 1}])
    ask(lax_server, "ListServers")
    status, body = ask(lax_server, "CreateServer")
    wanted, is_done = FAULTS[fault]
    assert lax_server.control("GET", "log")[1]["faults"] == [fault]
    assert str(status) == wanted.partition(" ")[0] and wanted.partition(" ")[2] in body
    assert ask(lax_server, "CreateServer")[0] == 200
    assert len(json.loads(ask(lax_server, "ListServers")[1])["Servers"]) == 1 + is_done
    assert [(rule["matched"], rule["fired"]) for rule in lax_server.control("GET", "faults")] == [(2, 1)]


def test_a_server_whose_clock_is_ahead_says_that_the_signature_is_old(server):
    server.control("POST", "faults", [{"fault": "clock", "offset": 3600}])
    answer = server.call("iam", "list_roles")
    assert answer["error"] == "SignatureDoesNotMatch" and answer["message"].startswith("Signature expired: ")


def test_every_nth_call_is_slow(server):
    server.control("POST", "faults", [{"fault": "slow", "ms": 150, "every": 2}])
    server.control("DELETE", "log")
    for is_slow in (False, True, False, True):
        began = time.monotonic()
        done(server, "transfer", "list_servers")
        assert not is_slow or time.monotonic() - began > 0.15  # one that is not may take as long: the machine is busy
    assert [call["faults"] for call in server.control("GET", "log")] == [[], ["slow"], [], ["slow"]]


def test_the_log_tells_each_call_in_order(server):
    server.control("DELETE", "log")
    make_bucket(server)
    code_of(server, "iam", "get_role", RoleName="nobody")
    log = server.control("GET", "log")
    assert [(call["service"], call["action"], call["status"], call["code"]) for call in log] == [
        ("s3", "CreateBucket", 200, None), ("iam", "GetRole", 404, "NoSuchEntity")]
    assert log[1]["params"] == {"RoleName": "nobody"} and log[0]["region"] == REGION
    assert server.control("GET", "counts") == {"s3.CreateBucket": 1, "iam.GetRole": 1}


def test_reset_leaves_an_empty_account(server):
    make_bucket(server)
    make_role(server)
    make_group(server)
    make_server(server)
    assert server.control("GET", "inventory").keys() == {"bucket", "iam role", "security group", "transfer server"}
    server.control("POST", "reset")
    assert server.control("GET", "inventory") == {} and server.control("GET", "log") == []


@pytest.mark.parametrize("how", ["end of input", "SIGTERM"])
def test_it_ends_when_it_is_told_to_or_left_alone(how):
    server = Server()
    server.process.stdin.close() if how == "end of input" else server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(10) == 0
    server.process.stdout.close()


# --- clients that we did not write ---


def test_the_waiters_of_boto3_end(server):
    there, _ = make_server(server), make_cluster(server)
    make_bucket(server)
    make_role(server)
    program = """
import sys, boto3
waits = [("transfer", "server_online", {"ServerId": sys.argv[1]}), ("redshift", "cluster_available", {"ClusterIdentifier": "dw"}),
         ("s3", "bucket_exists", {"Bucket": "sf-landing"}), ("iam", "role_exists", {"RoleName": "sf-role"}),
         ("s3", "bucket_not_exists", {"Bucket": "nobody-has-this"})]
boto3.client("redshift").describe_clusters()
for service, name, params in waits:
    waiter = boto3.client(service).get_waiter(name)
    waiter.config.delay = 0.01
    waiter.wait(**params)
boto3.client("redshift").delete_cluster(ClusterIdentifier="dw", SkipFinalClusterSnapshot=True)
waiter = boto3.client("redshift").get_waiter("cluster_deleted")
waiter.config.delay = 0.01
waiter.wait(ClusterIdentifier="dw")
"""
    subprocess.run([server.python, "-c", program, there], env={**os.environ, **server.env}, check=True, timeout=60)


def test_the_aws_command_line_reads_and_writes(server, tmp_path):
    program = shutil.which("aws")
    if not program:
        pytest.skip("the aws command line is not installed")

    def aws(*argv):
        shown = subprocess.run([program, *argv], env={**os.environ, **server.env, "AWS_PAGER": ""}, capture_output=True, text=True)
        assert shown.returncode == 0, shown.stderr
        return shown.stdout

    (tmp_path / "file name.csv").write_text("a,b\n")
    aws("s3", "mb", "s3://sf-landing")
    aws("s3", "cp", str(tmp_path / "file name.csv"), "s3://sf-landing/2026/")
    assert "2026/file name.csv" in aws("s3", "ls", "--recursive", "s3://sf-landing")
    aws("s3", "rb", "--force", "s3://sf-landing")
    assert json.loads(aws("sts", "get-caller-identity", "--output", "json"))["Arn"].endswith(":user/admin")
    assert server.control("GET", "inventory") == {}


def test_an_sftp_endpoint_presents_exactly_the_host_keys(tmp_path):
    for program in ("proftpd", "ssh-keyscan"):
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
            pytest.skip(f"{program} is not installed")
    server = Server("--sftp")
    try:
        wanted = set()
        private, fingerprint = make_key(tmp_path, "-t", "ed25519")
        wanted.add(fingerprint)
        there = make_server(server, HostKey=private)
        assert server.control("GET", "sftp") == {}, "it is not ONLINE yet"
        done(server, "transfer", "describe_server", ServerId=there)
        for kind in (("-t", "rsa", "-b", "2048"), ("-t", "ecdsa")):
            assert scan(server, there) == wanted
            private, fingerprint = make_key(tmp_path, *kind)
            wanted.add(fingerprint)
            done(server, "transfer", "import_host_key", ServerId=there, HostKeyBody=private)
        assert scan(server, there) == wanted
        done(server, "transfer", "delete_server", ServerId=there)
        assert server.control("GET", "sftp") == {}
    finally:
        server.close()


def scan(server, there):
    """Fingerprints of the keys that a client is shown."""
    port = server.control("GET", "sftp")[there]["port"]
    keys = subprocess.run(["ssh-keyscan", "-p", str(port), "127.0.0.1"], capture_output=True, text=True).stdout
    shown = subprocess.run(["ssh-keygen", "-l", "-f", "-"], input=keys, capture_output=True, text=True).stdout
    return {line.split()[1] for line in shown.splitlines()}
