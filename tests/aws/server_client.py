"""What the tests of the AWS test server ask of it, by boto3."""

import json
import os
import subprocess

import pytest
from aws.conftest import REGION

HERE_CONSTRAINT = {"LocationConstraint": REGION}
PASSWORD = "Passw0rdPassw0rd"


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
