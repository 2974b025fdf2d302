"""What keeps a load on AWS from being made: each says what, where and what next, ends with its exit code, and loses nothing: the tables
are those of before, and once it is put right the same command goes on."""

import json

import pytest

from aws.data_world import (BY_BUCKET, PROVISIONED, SERVERLESS, SERVERLESS_DIRECT, Finance, of_years, with_one_amount_changed)
from conftest import Sample
from server_client import trust

BUCKET = "sf-finance-landing-123456789012"
ELSEWHERE = ("S3ServiceException:The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future"
             " requests to this endpoint.,Status 301,Error PermanentRedirect,Rid 5C3A8E4F0BD1A6F2,ExtRid sfstack,CanRetry 1")


@pytest.fixture(scope="module")
def text(installed, tmp_path_factory):
    return of_years(Sample(installed, tmp_path_factory.mktemp("sample"), 2000).text(), 2019)


def test_a_workgroup_at_its_limit_and_the_certificate_of_another_host(installed, data_server, text):
    """First, since an account has one workspace at a time, and the others share one."""
    ws = Finance(installed, data_server)
    try:
        ws.flagship(BY_BUCKET, cluster=SERVERLESS)
        ws.write("rows.csv", text)
        ws.settings(exhausted=["sf-finance"])
        result = ws.refuse(1, "sfapply", "-auto-approve")
        assert "has reached its usage limit" in result.err and "raise it, or wait until its period is over" in result.err, result
        ws.settings(exhausted=[], is_other_host=True)
        ws.edit("stack.yaml", (SERVERLESS, SERVERLESS_DIRECT))
        result = ws.refuse(1, "sfapply", "-auto-approve")
        assert "certificate" in result.err and "hint:" in result.err, result
        ws.settings(is_other_host=False)
        ws.apply()
        assert ws.checksums() and ws.changes() == {} and ws.problems() == []
    finally:
        ws.close()


class Planned:
    """A loaded flagship, a plan of the next week's load, and what may come in between: `undo` has what puts it right."""

    def __init__(self, installed, server, cluster):
        self.ws, self.undo = Finance(installed, server), []
        self.ws.flagship(BY_BUCKET, cluster=cluster)

    def load(self, text):
        self.ws.write("rows.csv", text)
        self.ws.apply()
        self.old = self.ws.checksums()
        self.ws.write("rows.csv", with_one_amount_changed(text, "2020"))
        self.ws.ok("sfplan", "-out", "next.plan")
        return self

    def refused(self, code, *said):
        """The plan cannot be applied: what is said then."""
        result = self.ws.refuse(code, "sfapply", "next.plan")
        assert [text for text in said if text not in result.err] == [] and "hint:" in result.err, result
        return result

    def put_right(self):
        for undo in reversed(self.undo):
            undo()
        self.undo.clear()


@pytest.fixture(scope="module")
def provisioned(installed, data_server, text):
    planned = Planned(installed, data_server, PROVISIONED)
    try:
        yield planned.load(text)
        planned.ws.apply()  # after all that was in its way
        assert planned.ws.checksums() != planned.old and planned.ws.changes() == {}
        planned.ws.ok("sfdestroy", "-auto-approve")
        assert planned.ws.inventory() == {}
    finally:
        planned.ws.close()


@pytest.fixture
def planned(provisioned):
    """Put right again after each test; nothing was published meanwhile."""
    yield provisioned
    provisioned.put_right()
    assert provisioned.ws.checksums() == provisioned.old
    assert provisioned.ws.problems() == []


def settle(ws):
    while ws.call("redshift", "describe_clusters")["Clusters"][0]["ClusterStatus"] not in ("available", "paused"):
        pass


def role(ws):
    return ws.show("role.load_role")["arn"]


def test_a_role_that_is_not_attached(planned):
    ws = planned.ws

    def attach(**change):
        ws.call("redshift", "modify_cluster_iam_roles", ClusterIdentifier="sf-finance", **change)
        settle(ws)
    attach(RemoveIamRoles=[role(ws)])
    planned.undo = [lambda: attach(AddIamRoles=[role(ws)])]
    planned.refused(4, f"role {role(ws)} is not associated to cluster", "attach the role to the warehouse: `roles: [..]` of the cluster")


def test_a_role_that_does_not_trust_the_warehouse(planned):
    ws, name = planned.ws, role(planned.ws).rpartition("/")[2]
    was = ws.call("iam", "get_role", RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    ws.call("iam", "update_assume_role_policy", RoleName=name, PolicyDocument=trust("transfer.amazonaws.com"))
    planned.undo = [lambda: ws.call("iam", "update_assume_role_policy", RoleName=name, PolicyDocument=json.dumps(was))]
    planned.refused(4, f"is not authorized to assume IAM Role {role(ws)}", "the role must trust the warehouse (`trust: redshift`)")


def test_a_role_that_may_not_read_the_bucket(planned):
    ws, name = planned.ws, role(planned.ws).rpartition("/")[2]
    policy = ws.show("policy.landing_read")["arn"]
    ws.call("iam", "detach_role_policy", RoleName=name, PolicyArn=policy)
    planned.undo = [lambda: ws.call("iam", "attach_role_policy", RoleName=name, PolicyArn=policy)]
    planned.refused(4, "S3ServiceException:Access Denied,Status 403", BUCKET, "must allow s3:GetObject")


def test_a_key_that_the_role_may_not_use(planned):
    ws = planned.ws

    def encrypt(algorithm):
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}
        ws.call("s3", "put_bucket_encryption", Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})
    encrypt("aws:kms")
    ws.settings(is_kms_denied=True)
    planned.undo = [lambda: ws.settings(is_kms_denied=False), lambda: encrypt("AES256")]
    planned.refused(4, "not authorized to perform: kms:Decrypt", "must allow kms:Decrypt")


@pytest.mark.parametrize("rule, code, said", [
    ({"fault": "error", "message": ELSEWHERE}, 1, ["PermanentRedirect", "make both in one region"]),
    ({"fault": "gone"}, 1, ["mandatory entry s3://" + BUCKET, "NoSuchKey", "run sfapply again: the upload delivers what is missing"]),
    ({"fault": "row", "row": 3}, 1, ["s3://" + BUCKET, "line 4, column member_id: Invalid digit", "what was published before still stands"]),
    ({"match": "^INSERT", "fault": "error", "message": "permission denied for relation transaction"}, 4,
     ["permission denied for relation transaction", "the database user that runs the load lacks the right"])],
    ids=["a bucket in another region", "an object that is gone", "a row that does not fit", "a user without the right to copy"])
def test_what_copy_does_not_take(planned, rule, code, said):
    planned.ws.sql_faults({"match": "^COPY", **rule})
    planned.undo = [planned.ws.sql_faults]
    result = planned.refused(code, *said)
    assert rule["fault"] == "row" or "rows that did not fit" not in result.err, "the rows are those of another load"


def test_a_cluster_that_is_paused(planned):
    ws = planned.ws
    ws.call("redshift", "pause_cluster", ClusterIdentifier="sf-finance")
    settle(ws)

    def resume():
        ws.call("redshift", "resume_cluster", ClusterIdentifier="sf-finance")
        settle(ws)
    planned.undo = [resume]
    planned.refused(1, "cluster 'sf-finance' is paused", "`running: true` in the stack file")
