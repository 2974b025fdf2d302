"""The test server against clients that we did not write, and against what AWS documents: each rule that a driver leans on is seen to hold."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from aws.conftest import REGION, Server

HERE_CONSTRAINT = {"LocationConstraint": REGION}
PASSWORD = "Passw0rdPassw0rd"
OTHER = ("AKIASFSTACKOTHER0001", "sfstack/test/secret/of/the/other/0000001")


@pytest.fixture
def server(aws_server):
    aws_server.control("POST", "reset")
    yield aws_server
    assert aws_server.control("GET", "problems") == []


@pytest.fixture
def lax_server(lax_aws_server):
    lax_aws_server.control("POST", "reset")
    return lax_aws_server


def done(server, service, operation, **params):
    answer = server.call(service, operation, **params)
    assert "error" not in answer, answer
    return answer["reply"]


def code_of(server, service, operation, **params):
    """The error code that AWS answers, None when it does what it is asked."""
    return server.call(service, operation, **params).get("error")


def set_up(server, **settings):
    server.control("POST", "settings", settings)


def policy(effect="Allow", **more):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": "s3:GetObject", "Resource": "*", **more}]})


def trust(service="redshift.amazonaws.com", **more):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_role(server, name="sf-role"):
    return done(server, "iam", "create_role", RoleName=name, AssumeRolePolicyDocument=trust())["Role"]["Arn"]


def make_bucket(server, name="sf-landing"):
    done(server, "s3", "create_bucket", Bucket=name, CreateBucketConfiguration=HERE_CONSTRAINT)
    return name


def make_server(server, **params):
    return done(server, "transfer", "create_server", **params)["ServerId"]


def make_group(server, name="sf-sql"):
    return done(server, "ec2", "create_security_group", GroupName=name, Description="a test")["GroupId"]


def make_cluster(server, **params):
    chosen = {"ClusterIdentifier": "dw", "NodeType": "ra3.large", "ClusterType": "single-node", "MasterUsername": "steward",
              "MasterUserPassword": PASSWORD} | params
    return done(server, "redshift", "create_cluster", **chosen)["Cluster"]


def cluster(server, name="dw"):
    return done(server, "redshift", "describe_clusters", ClusterIdentifier=name)["Clusters"][0]


def settle(server, name="dw"):
    """Looks until the cluster is at rest; the states that it went through."""
    states = [cluster(server, name)["ClusterStatus"]]
    while states[-1] not in ("available", "paused"):
        states.append(cluster(server, name)["ClusterStatus"])
    return states


def make_key(folder, *options):
    """(private key, its fingerprint by ssh-keygen)"""
    path = str(folder / "key")
    for name in (path, path + ".pub"):
        if os.path.exists(name):
            os.remove(name)
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-f", path, *options], check=True)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", path], capture_output=True, text=True, check=True).stdout
    with open(path) as file:
        return file.read(), shown.split()[1]


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
    ("s3", "put_bucket_policy", {"Bucket": "sf-landing", "Policy": policy(Principal="*", Resource="arn:aws:s3:::sf-landing/*")}, "AccessDenied"),
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


# --- S3, IAM and EC2 ---


def test_a_new_bucket_has_what_aws_gives_every_bucket(server):
    tags = [{"Key": "owner", "Value": "controller"}]
    done(server, "s3", "create_bucket", Bucket="sf-landing", CreateBucketConfiguration=HERE_CONSTRAINT | {"Tags": tags})
    rules = done(server, "s3", "get_bucket_encryption", Bucket="sf-landing")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    blocks = done(server, "s3", "get_public_access_block", Bucket="sf-landing")["PublicAccessBlockConfiguration"]
    assert set(blocks.values()) == {True}
    assert done(server, "s3", "get_bucket_tagging", Bucket="sf-landing")["TagSet"] == tags
    done(server, "s3", "delete_public_access_block", Bucket="sf-landing")
    assert code_of(server, "s3", "get_public_access_block", Bucket="sf-landing") == "NoSuchPublicAccessBlockConfiguration"
    assert code_of(server, "s3", "put_bucket_policy", Bucket="sf-landing",
                   Policy=policy(Principal="*", Resource="arn:aws:s3:::sf-landing/*")) is None


def test_a_bucket_goes_only_without_versions_and_markers(server):
    make_bucket(server)
    done(server, "s3", "put_bucket_versioning", Bucket="sf-landing", VersioningConfiguration={"Status": "Enabled"})
    for text in ("one", "two"):
        done(server, "s3", "put_object", Bucket="sf-landing", Key="key", Body=text)
    done(server, "s3", "delete_object", Bucket="sf-landing", Key="key")
    assert code_of(server, "s3", "delete_bucket", Bucket="sf-landing") == "BucketNotEmpty"
    found = done(server, "s3", "list_object_versions", Bucket="sf-landing")
    objects = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in found["Versions"] + found["DeleteMarkers"]]
    assert len(objects) == 3
    done(server, "s3", "delete_objects", Bucket="sf-landing", Delete={"Objects": objects, "Quiet": True})
    done(server, "s3", "delete_bucket", Bucket="sf-landing")
    assert server.control("GET", "inventory") == {}


def test_an_object_in_parts_is_put_together(server):
    make_bucket(server)
    where = {"Bucket": "sf-landing", "Key": "large & odd"}
    upload = done(server, "s3", "create_multipart_upload", **where)["UploadId"]
    assert [row["UploadId"] for row in done(server, "s3", "list_multipart_uploads", Bucket="sf-landing")["Uploads"]] == [upload]
    parts = [{"PartNumber": n, "ETag": done(server, "s3", "upload_part", **where, UploadId=upload, PartNumber=n, Body=body)["ETag"]}
             for n, body in ((1, "a" * 5 * 1024 * 1024), (2, "b"))]
    done(server, "s3", "complete_multipart_upload", **where, UploadId=upload, MultipartUpload={"Parts": parts})
    assert done(server, "s3", "head_object", **where)["ContentLength"] == 5 * 1024 * 1024 + 1


def test_policies_and_roles_go_only_when_nothing_hangs_on_them(server):
    make_role(server)
    arn = done(server, "iam", "create_policy", PolicyName="read", PolicyDocument=policy())["Policy"]["Arn"]
    done(server, "iam", "attach_role_policy", RoleName="sf-role", PolicyArn=arn)
    for _ in range(4):
        done(server, "iam", "create_policy_version", PolicyArn=arn, PolicyDocument=policy(), SetAsDefault=True)
    assert code_of(server, "iam", "create_policy_version", PolicyArn=arn, PolicyDocument=policy()) == "LimitExceeded"
    assert code_of(server, "iam", "delete_policy", PolicyArn=arn) == "DeleteConflict"
    assert code_of(server, "iam", "delete_role", RoleName="sf-role") == "DeleteConflict"
    done(server, "iam", "detach_role_policy", RoleName="sf-role", PolicyArn=arn)
    assert code_of(server, "iam", "delete_policy", PolicyArn=arn) == "DeleteConflict"
    for version in ("v1", "v2", "v3", "v4"):
        done(server, "iam", "delete_policy_version", PolicyArn=arn, VersionId=version)
    done(server, "iam", "delete_policy", PolicyArn=arn)
    done(server, "iam", "delete_role", RoleName="sf-role")
    assert server.control("GET", "inventory") == {}


def test_a_change_of_a_role_leaves_the_rest_as_it_is(server):
    make_role(server)
    done(server, "iam", "update_role", RoleName="sf-role", Description="first")
    done(server, "iam", "update_role", RoleName="sf-role", MaxSessionDuration=7200)
    role = done(server, "iam", "get_role", RoleName="sf-role")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("first", 7200)


def test_networks_and_ports_of_rules_are_what_ec2_makes_of_them(server):
    group = make_group(server)

    def rule(**more):
        return {"IpProtocol": "tcp", "FromPort": 5439, "ToPort": 5439, "IpRanges": [{"CidrIp": "10.1.2.3/8", "Description": "all"}]} | more

    done(server, "ec2", "authorize_security_group_ingress", GroupId=group, IpPermissions=[rule()])
    shown = done(server, "ec2", "describe_security_groups", GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    assert shown[0]["IpRanges"] == [{"CidrIp": "10.0.0.0/8", "Description": "all"}]
    add = ("ec2", "authorize_security_group_ingress")
    assert code_of(server, *add, GroupId=group, IpPermissions=[rule()]) == "InvalidPermission.Duplicate"
    assert code_of(server, *add, GroupId=group, IpPermissions=[rule(ToPort=70000)]) == "InvalidParameterValue"
    assert code_of(server, *add, GroupId=group, IpPermissions=[rule(FromPort=6000)]) == "InvalidParameterValue"
    assert code_of(server, *add, GroupId=group, IpPermissions=[rule(IpRanges=[{"CidrIp": "10.0.0.0/33"}])]) == "InvalidParameterValue"
    done(server, "ec2", "revoke_security_group_ingress", GroupId=group, IpPermissions=[rule()])


def test_a_security_group_is_in_use_until_some_time_after_its_cluster_is_gone(server):
    group = make_group(server)
    make_cluster(server, VpcSecurityGroupIds=[group])
    settle(server)
    assert cluster(server)["VpcSecurityGroups"] == [{"VpcSecurityGroupId": group, "Status": "active"}]
    assert code_of(server, "ec2", "delete_security_group", GroupId=group) == "DependencyViolation"
    set_up(server, delays={"cluster_delete": 0, "interface_delete": 60})
    done(server, "redshift", "delete_cluster", ClusterIdentifier="dw", SkipFinalClusterSnapshot=True)
    assert code_of(server, "redshift", "describe_clusters", ClusterIdentifier="dw") == "ClusterNotFound"
    codes = [code_of(server, "ec2", "delete_security_group", GroupId=group) for _ in range(2)]
    assert codes == ["DependencyViolation", None]


# --- Transfer Family ---


def test_a_transfer_server_has_aws_defaults_and_goes_through_its_states(server):
    there = make_server(server, Tags=[{"Key": "owner", "Value": "controller"}])
    set_up(server, delays={"server_start": 60, "server_stop": 60})
    states = []
    for verb in ("stop_server", "start_server"):
        done(server, "transfer", "describe_server", ServerId=there)
        done(server, "transfer", verb, ServerId=there)
        states += [done(server, "transfer", "describe_server", ServerId=there)["Server"]["State"] for _ in range(2)]
    assert states == ["STOPPING", "OFFLINE", "STARTING", "ONLINE"]
    shown = done(server, "transfer", "describe_server", ServerId=there)["Server"]
    expected = {"Domain": "S3", "EndpointType": "PUBLIC", "IdentityProviderType": "SERVICE_MANAGED", "Protocols": ["SFTP"],
                "Tags": [{"Key": "owner", "Value": "controller"}], "UserCount": 0}
    assert expected.items() <= shown.items()
    assert not {"EndpointDetails", "WorkflowDetails", "IdentityProviderDetails", "LoggingRole"} & shown.keys()


def test_a_user_is_changed_listed_and_tagged(server):
    there, role = make_server(server), make_role(server)
    user = {"ServerId": there, "UserName": "uploader"}
    done(server, "transfer", "create_user", **user, Role=role, HomeDirectory="/landing/in")
    done(server, "transfer", "update_user", **user, HomeDirectoryType="LOGICAL",
         HomeDirectoryMappings=[{"Entry": "/", "Target": "/landing/out"}])
    shown = done(server, "transfer", "describe_user", **user)["User"]
    assert shown["HomeDirectoryMappings"] == [{"Entry": "/", "Target": "/landing/out"}] and "HomeDirectory" not in shown
    done(server, "transfer", "tag_resource", Arn=shown["Arn"], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    done(server, "transfer", "untag_resource", Arn=shown["Arn"], TagKeys=["a"])
    assert done(server, "transfer", "list_tags_for_resource", Arn=shown["Arn"])["Tags"] == [{"Key": "b", "Value": "2"}]
    assert [row["UserName"] for row in done(server, "transfer", "list_users", ServerId=there)["Users"]] == ["uploader"]


def test_a_server_in_a_vpc_has_an_endpoint_there(server):
    vpc = done(server, "ec2", "describe_vpcs")["Vpcs"][0]["VpcId"]
    subnet = done(server, "ec2", "describe_subnets")["Subnets"][0]["SubnetId"]
    group = make_group(server)
    there = make_server(server, EndpointType="VPC", EndpointDetails={"VpcId": vpc, "SubnetIds": [subnet], "SecurityGroupIds": [group]})
    details = done(server, "transfer", "describe_server", ServerId=there)["Server"]["EndpointDetails"]
    endpoint = done(server, "ec2", "describe_vpc_endpoints", VpcEndpointIds=[details["VpcEndpointId"]])["VpcEndpoints"][0]
    assert [row["GroupId"] for row in endpoint["Groups"]] == [group]
    assert code_of(server, "ec2", "delete_security_group", GroupId=group) == "DependencyViolation"
    done(server, "transfer", "delete_server", ServerId=there)
    assert server.control("GET", "inventory") == {"security group": [group]}


@pytest.mark.parametrize("kind", [("-t", "ed25519"), ("-t", "ecdsa", "-b", "384"), ("-t", "rsa", "-b", "2048", "-m", "PEM")])
def test_host_keys_have_the_fingerprint_that_ssh_keygen_shows(server, tmp_path, kind):
    private, fingerprint = make_key(tmp_path, *kind)
    there = make_server(server, HostKey=private)
    assert done(server, "transfer", "describe_server", ServerId=there)["Server"]["HostKeyFingerprint"].rstrip("=") == fingerprint
    assert code_of(server, "transfer", "import_host_key", ServerId=there, HostKeyBody=private) == "ResourceExistsException"
    other, other_fingerprint = make_key(tmp_path, "-t", "ed25519")
    key = done(server, "transfer", "import_host_key", ServerId=there, HostKeyBody=other, Description="next")["HostKeyId"]
    listed = done(server, "transfer", "list_host_keys", ServerId=there)["HostKeys"]
    assert [row["Fingerprint"].rstrip("=") for row in listed] == [fingerprint, other_fingerprint]
    done(server, "transfer", "delete_host_key", ServerId=there, HostKeyId=listed[0]["HostKeyId"])
    assert [row["HostKeyId"] for row in done(server, "transfer", "list_host_keys", ServerId=there)["HostKeys"]] == [key]


def test_a_role_is_unknown_to_other_services_at_first(server):
    set_up(server, delays={"role_visible": 60})  # two looks
    role = make_role(server)
    assert code_of(server, "transfer", "create_server", LoggingRole=role) == "InvalidRequestException"
    answer = server.call("redshift", "create_cluster", ClusterIdentifier="dw", NodeType="ra3.large", ClusterType="single-node",
                         MasterUsername="steward", MasterUserPassword=PASSWORD, IamRoles=[role])
    assert answer.get("error") is None
    other = make_role(server, "second")
    answer = server.call("redshift-serverless", "create_namespace", namespaceName="sf-dw", iamRoles=[other])
    assert answer["error"] == "ValidationException" and "must delegate access to an Amazon Redshift account" in answer["message"]


# --- Redshift ---


def test_a_cluster_goes_through_its_states(server):
    role = make_role(server)
    make_cluster(server)
    assert "Endpoint" not in cluster(server)
    assert settle(server) == ["available"]
    assert cluster(server)["Endpoint"]["Port"] == 5439
    done(server, "redshift", "modify_cluster_iam_roles", ClusterIdentifier="dw", AddIamRoles=[role])
    set_up(server, delays={"cluster_roles": 60})
    done(server, "redshift", "describe_clusters")
    done(server, "redshift", "modify_cluster_iam_roles", ClusterIdentifier="dw", RemoveIamRoles=[role])
    assert cluster(server)["IamRoles"] == [{"IamRoleArn": role, "ApplyStatus": "removing"}]
    assert code_of(server, "redshift", "pause_cluster", ClusterIdentifier="dw") == "InvalidClusterState"
    assert settle(server) == ["available"] and cluster(server)["IamRoles"] == []
    done(server, "redshift", "modify_cluster", ClusterIdentifier="dw", ClusterType="multi-node", NumberOfNodes=2)
    assert settle(server) == ["resizing", "available"] and cluster(server)["NumberOfNodes"] == 2
    done(server, "redshift", "modify_cluster", ClusterIdentifier="dw", NewClusterIdentifier="warehouse", MasterUserPassword=PASSWORD + "x")
    assert code_of(server, "redshift", "describe_clusters", ClusterIdentifier="dw") == "ClusterNotFound"  # this look ended the change
    done(server, "redshift", "pause_cluster", ClusterIdentifier="warehouse")
    assert settle(server, "warehouse") == ["paused"]
    done(server, "redshift", "resume_cluster", ClusterIdentifier="warehouse")
    assert settle(server, "warehouse") == ["resuming", "available"]


def test_a_cluster_leaves_a_snapshot_unless_told_not_to(server):
    make_cluster(server)
    settle(server)
    assert code_of(server, "redshift", "delete_cluster", ClusterIdentifier="dw") == "InvalidParameterCombination"
    assert code_of(server, "redshift", "delete_cluster", ClusterIdentifier="dw", SkipFinalClusterSnapshot=True,
                   FinalClusterSnapshotIdentifier="last") == "InvalidParameterCombination"
    done(server, "redshift", "delete_cluster", ClusterIdentifier="dw", FinalClusterSnapshotIdentifier="last")
    assert cluster(server)["ClusterStatus"] == "final-snapshot"
    assert code_of(server, "redshift", "describe_clusters", ClusterIdentifier="dw") == "ClusterNotFound"
    assert server.control("GET", "inventory") == {"redshift snapshot": ["last"]}


def test_a_managed_password_is_a_secret_that_lives_with_its_cluster(server):
    answer = done(server, "redshift", "create_cluster", ClusterIdentifier="dw", NodeType="ra3.large", ClusterType="single-node",
                  MasterUsername="steward", ManageMasterPassword=True)
    arn = answer["Cluster"]["MasterPasswordSecretArn"]
    assert json.loads(done(server, "secretsmanager", "get_secret_value", SecretId=arn)["SecretString"])["username"] == "steward"
    settle(server)
    done(server, "redshift", "delete_cluster", ClusterIdentifier="dw", SkipFinalClusterSnapshot=True)
    for _ in range(2):
        code_of(server, "redshift", "describe_clusters", ClusterIdentifier="dw")
    assert server.control("GET", "inventory") == {}


def test_serverless_changes_one_thing_at_a_time_and_goes_workgroup_first(server):
    call = ("redshift-serverless",)
    done(server, *call, "create_namespace", namespaceName="sf-dw", adminUsername="steward", adminUserPassword=PASSWORD)
    made = done(server, *call, "create_workgroup", workgroupName="sf-dw", namespaceName="sf-dw", baseCapacity=8)["workgroup"]
    assert made["status"] == "CREATING" and "endpoint" not in made
    assert code_of(server, *call, "update_workgroup", workgroupName="sf-dw", baseCapacity=16) == "ConflictException"
    states = [done(server, *call, "get_workgroup", workgroupName="sf-dw")["workgroup"]["status"] for _ in range(2)]
    assert states == ["CREATING", "AVAILABLE"]
    assert code_of(server, *call, "create_workgroup", workgroupName="two", namespaceName="sf-dw") == "ConflictException"
    assert code_of(server, *call, "update_workgroup", workgroupName="sf-dw", baseCapacity=16, port=5440) == "ValidationException"
    assert code_of(server, *call, "update_workgroup", workgroupName="sf-dw", baseCapacity=9) == "ValidationException"
    assert done(server, *call, "update_workgroup", workgroupName="sf-dw", baseCapacity=16)["workgroup"]["status"] == "MODIFYING"
    assert done(server, *call, "get_workgroup", workgroupName="sf-dw")["workgroup"]["baseCapacity"] == 16
    assert code_of(server, *call, "delete_namespace", namespaceName="sf-dw") == "ConflictException"
    done(server, *call, "delete_workgroup", workgroupName="sf-dw")
    for _ in range(2):
        gone = code_of(server, *call, "get_workgroup", workgroupName="sf-dw")
    assert gone == "ResourceNotFoundException"
    done(server, *call, "delete_namespace", namespaceName="sf-dw")
    assert code_of(server, *call, "get_namespace", namespaceName="sf-dw") == "ResourceNotFoundException"


# --- faults and the control of the server ---

FAULTS = {  # what arrives, whether the work was done
    "throttle": ("400 ThrottlingException", False), "deny": ("400 AccessDeniedException", False),
    "500": ("500 InternalServiceError", False), "500-after": ("500 InternalServiceError", True),
    "reset-before": ("ConnectionResetError", False), "reset-after": ("ConnectionResetError", True), "truncate": ("IncompleteRead", True),
    "html": ("502 <html>", True), "wrong-json": ("200 hello", True), "expired-token": ("400 ExpiredTokenException", False),
}


def ask(server, action):
    """Status and beginning of the reply to an unsigned call of Transfer, or the name of what went wrong on the way."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TransferService." + action}
    try:
        connection.request("POST", "/", "{}", headers)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    except (ConnectionResetError, http.client.IncompleteRead) as error:
        return type(error).__name__, ""
    finally:
        connection.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_hit_the_call_that_they_name_and_only_that(lax_server, fault):
    lax_server.control("POST", "faults", [{"fault": fault, "service": "transfer", "action": "CreateServer", "nth": 1}])
    ask(lax_server, "ListServers")
    status, body = ask(lax_server, "CreateServer")
    wanted, is_done = FAULTS[fault]
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
    times = []
    for _ in range(4):
        began = time.monotonic()
        done(server, "transfer", "list_servers")
        times.append(time.monotonic() - began > 0.15)
    assert times == [False, True, False, True]


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
