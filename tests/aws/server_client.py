"""What the tests of the AWS test server ask of it, by boto3."""

import json
import os
import shutil
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
def sql_server(sql_aws_server):
    sql_aws_server.control("POST", "reset")
    yield sql_aws_server
    assert sql_aws_server.control("GET", "problems") == []


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


# --- databases: a server with --sql ---

ENDED = ("FINISHED", "FAILED", "ABORTED")


def make_warehouse(server, **params):
    """An available cluster `dw`: its endpoint, as psql takes it."""
    make_cluster(server, **params)
    settle(server)
    return cluster(server)["Endpoint"]


def make_workgroup(server, **namespace):
    """An available workgroup `sf-dw`: its endpoint, as psql takes it."""
    done(server, "redshift-serverless", "create_namespace", namespaceName="sf-finance", adminUsername="steward",
         adminUserPassword=PASSWORD, **namespace)
    done(server, "redshift-serverless", "create_workgroup", workgroupName="sf-dw", namespaceName="sf-finance")
    while (group := done(server, "redshift-serverless", "get_workgroup", workgroupName="sf-dw")["workgroup"])["status"] != "AVAILABLE":
        pass
    return {"Address": group["endpoint"]["address"], "Port": group["endpoint"]["port"]}


def statement(server, sql, **more):
    """Id of a statement that was handed in; a list of statements is a batch."""
    where = {"ClusterIdentifier": "dw", "Database": "dev", "DbUser": "steward"}
    if more.keys() & {"WorkgroupName", "SecretArn"}:
        where.pop("DbUser")
    if "WorkgroupName" in more:
        where.pop("ClusterIdentifier")
    operation, key = ("batch_execute_statement", "Sqls") if isinstance(sql, list) else ("execute_statement", "Sql")
    return done(server, "redshift-data", operation, **{**where, key: sql, **more})["Id"]


def describe(server, statement_id):
    return done(server, "redshift-data", "describe_statement", Id=statement_id)


def ended(server, sql, **more):
    """The last DescribeStatement of a statement; `States` are those that were seen."""
    statement_id, states = statement(server, sql, **more), []
    while not states or states[-1] not in ENDED:
        shown = describe(server, statement_id)
        states.append(shown["Status"])
    return shown | {"States": states}


def error_of(server, sql, **more):
    return ended(server, sql, **more).get("Error")


def rows(server, sql, **more):
    """Rows of a query, by the Data API; None of what has none."""
    shown = ended(server, sql, **more)
    assert shown["Status"] == "FINISHED", shown
    if not shown["HasResultSet"]:
        return None
    records = done(server, "redshift-data", "get_statement_result", Id=shown["Id"])["Records"]
    return [[None if "isNull" in field else next(iter(field.values())) for field in record] for record in records]


def psql(server, endpoint, *commands, user="steward", password=PASSWORD, mode="verify-full", options=()):
    """(output, errors) of psql."""
    program = shutil.which("psql")
    if not program:
        pytest.skip("psql is not installed")
    ca = server.control("GET", "sql")["ca"]
    where = f"host={endpoint['Address']} port={endpoint['Port']} user={user} dbname=dev sslmode={mode} sslrootcert={ca}"
    env = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"PGPASSWORD": password}
    argv = [program, "-X", "-At", *options, where]
    for command in commands:
        argv += ["-c", command]
    run = subprocess.run(argv, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return run.stdout, run.stderr
