"""Managed policies on AWS: made, changed by version, let go, destroyed."""

import json

import pytest

ARN = "arn:aws:iam::123456789012:policy/tryout-write"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})


def document(*actions):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}


def policy(aws, *actions, more="", others=""):
    text = json.dumps(document(*actions))
    aws.resources(f"  write: {{kind: policy, name: tryout-write, document: {text}{more and ', '}{more}}}\n{others}",
                  more="tags: {owner: controller}\n")


def applied(aws, *actions, **kwargs):
    policy(aws, *(actions or ("s3:PutObject",)), **kwargs)
    aws.apply()


def versions(aws):
    return aws.call("iam", "list_policy_versions", PolicyArn=ARN)["Versions"]


def current(aws):
    default, = (v["VersionId"] for v in versions(aws) if v["IsDefaultVersion"])
    return aws.call("iam", "get_policy_version", PolicyArn=ARN, VersionId=default)["PolicyVersion"]["Document"]


def local_policies(aws):
    return [p["Arn"] for p in aws.call("iam", "list_policies", Scope="Local")["Policies"]]


def test_a_policy_is_made_as_the_stack_file_says_and_is_then_left_alone(aws):
    applied(aws, "s3:PutObject", "s3:GetObject", more="description: for writing, aws: {path: /city/}")
    assert aws.changes() == {} and aws.drift() == {}
    arn = ARN.replace("policy/", "policy/city/")
    found = aws.cli("iam", "get-policy", "--policy-arn", arn)["Policy"]
    assert (found["Path"], found["Description"]) == ("/city/", "for writing")
    tags = {t["Key"]: t["Value"] for t in found["Tags"]}
    assert tags["owner"] == "controller" and tags["sfstack:address"] == "policy.write"


def test_no_call_is_made_that_is_not_needed(aws):
    policy(aws, "s3:PutObject")
    assert aws.actions_of("sfplan") == ["GetPolicy", "GetAccountSummary"]
    assert aws.actions_of("sfapply", "-auto-approve") == ["GetPolicy", "GetAccountSummary", "CreatePolicy"]
    assert aws.actions_of("sfplan") == ["GetPolicy", "GetPolicyVersion"]
    assert aws.actions_of("sfdestroy", "-auto-approve") == ["GetPolicy", "GetPolicyVersion", "GetPolicy", "DeletePolicy"]


def test_a_changed_document_is_a_new_version_and_the_oldest_makes_room(aws):
    applied(aws)
    for n in range(7):
        policy(aws, "s3:PutObject", f"s3:GetObject{'Acl' * (n % 2)}")
        assert aws.changes() == {"policy.write": "update"}
        aws.apply()
        assert aws.changes() == {}
    found = versions(aws)
    assert [v["VersionId"] for v in found if v["IsDefaultVersion"]] == ["v8"]
    assert sorted(v["VersionId"] for v in found) == ["v4", "v5", "v6", "v7", "v8"]
    assert current(aws) == document("s3:PutObject", "s3:GetObject")


@pytest.mark.parametrize("more", ["description: other", "aws: {path: /city/}"])
def test_what_iam_cannot_change_replaces_the_policy_though_a_role_of_the_stack_holds_it(aws, more):
    role = "  holder: {kind: role, name: tryout-holder, trust: redshift, policies: [write]}\n"
    applied(aws, others=role)
    policy(aws, "s3:PutObject", more=more, others=role)
    assert aws.changes()["policy.write"] == "replace"
    aws.fault("DeletePolicy", "error", code="DeleteConflict", status=409, times=1)
    aws.apply()
    assert aws.count("DetachRolePolicy") and len(local_policies(aws)) == 1
    if aws.changes():  # under the same ARN nothing changed for the role but that it had to let go: the next run attaches it again
        aws.apply()
    assert aws.changes() == {}
    held = aws.cli("iam", "list-attached-role-policies", "--role-name", "tryout-holder")["AttachedPolicies"]
    assert [p["PolicyArn"] for p in held] == local_policies(aws)


def test_tags_are_changed_and_ours_stay(aws):
    applied(aws)
    policy(aws, "s3:PutObject", more="tags: {owner: treasurer, year: '2025'}")
    aws.apply()
    assert aws.changes() == {}
    policy(aws, "s3:PutObject")
    aws.apply()
    assert aws.changes() == {}
    tags = {t["Key"]: t["Value"] for t in aws.cli("iam", "list-policy-tags", "--policy-arn", ARN)["Tags"]}
    assert tags["owner"] == "controller" and "year" not in tags and "sfstack:intent" in tags


def test_a_document_changed_outside_is_seen_and_put_back(aws):
    applied(aws)
    aws.call("iam", "create_policy_version", PolicyArn=ARN, PolicyDocument=json.dumps(document("s3:*")), SetAsDefault=True)
    assert aws.drift() == {"policy.write": "update"}
    aws.apply()
    assert aws.changes() == {} and current(aws) == document("s3:PutObject")


def test_an_earlier_version_made_the_default_is_seen_and_put_back(aws):
    applied(aws)
    policy(aws, "s3:GetObject")
    aws.apply()
    aws.call("iam", "set_default_policy_version", PolicyArn=ARN, VersionId="v1")
    assert aws.drift() == {"policy.write": "update"}
    aws.apply()
    assert current(aws) == document("s3:GetObject")


def test_tags_changed_outside_are_seen_and_put_back(aws):
    applied(aws)
    aws.call("iam", "tag_policy", PolicyArn=ARN, Tags=[{"Key": "owner", "Value": "somebody"}])
    assert aws.drift() == {"policy.write": "update"}
    aws.apply()
    assert aws.changes() == {}


def test_a_document_that_says_the_same_is_no_change(aws):
    applied(aws)
    same = {"Statement": {"Resource": ["*"], "Action": "S3:putobject", "Effect": "Allow"}, "Version": "2012-10-17"}
    aws.call("iam", "create_policy_version", PolicyArn=ARN, PolicyDocument=json.dumps(same), SetAsDefault=True)
    assert aws.changes() == {} and aws.drift() == {}


def test_a_name_that_is_taken_is_told_at_plan_time(aws):
    aws.call("iam", "create_policy", PolicyName="tryout-write", PolicyDocument=json.dumps(document("s3:*")))
    policy(aws, "s3:PutObject")
    assert "policy 'tryout-write'" in aws.refuse(1, "sfplan").err


def test_the_same_name_on_another_path_is_told_when_it_is_made(aws):
    aws.call("iam", "create_policy", PolicyName="tryout-write", Path="/x/", PolicyDocument=json.dumps(document("s3:*")))
    policy(aws, "s3:PutObject")
    result = aws.run("sfapply", "-auto-approve")
    assert result.code in (0, 1)  # moto, unlike IAM, takes it
    assert result.code == 0 or "EntityAlreadyExists" in result.err


def test_an_adopted_policy_only_gets_marks(aws):
    aws.call("iam", "create_policy", PolicyName="tryout-write", PolicyDocument=json.dumps(document("s3:PutObject")))
    policy(aws, "s3:PutObject", more=f"adopt: '{ARN}', tags: {{}}")
    aws.edit("stack.yaml", ("tags: {owner: controller}\n", ""))
    made = [c for c in aws.actions_of("sfapply", "-auto-approve") if not c.startswith("Get")]
    assert made == ["TagPolicy"]
    assert aws.changes() == {}


def test_a_policy_that_somebody_deleted_is_made_again(aws):
    applied(aws)
    aws.call("iam", "delete_policy", PolicyArn=ARN)
    assert aws.changes() == {"policy.write": "create"}
    aws.apply()
    assert aws.changes() == {}


# --- destroy ---

def test_all_versions_go_with_the_policy(aws):
    applied(aws)
    for action in ("s3:GetObject", "s3:ListBucket"):
        policy(aws, action)
        aws.apply()
    aws.fault("DeletePolicy", "error", code="DeleteConflict", status=409, times=1)
    aws.ok("sfdestroy", "-auto-approve")
    assert aws.count("DeletePolicyVersion") == 2
    assert local_policies(aws) == []


def test_whoever_else_holds_the_policy_stops_the_destroy_and_is_named(aws):
    applied(aws)
    aws.call("iam", "create_role", RoleName="theirs", AssumeRolePolicyDocument=TRUST)
    aws.call("iam", "attach_role_policy", RoleName="theirs", PolicyArn=ARN)
    aws.call("iam", "create_user", UserName="somebody")
    aws.call("iam", "attach_user_policy", UserName="somebody", PolicyArn=ARN)
    aws.fault("DeletePolicy", "error", code="DeleteConflict", status=409, times=1)
    err = aws.refuse(1, "sfdestroy", "-auto-approve").err
    assert "still held by role 'theirs', user 'somebody', not of this stack" in err
    assert local_policies(aws) == [ARN]


def test_a_policy_that_is_gone_already_is_destroyed(aws):
    applied(aws)
    aws.call("iam", "delete_policy", PolicyArn=ARN)
    aws.ok("sfdestroy", "-auto-approve", "-refresh=false")
    assert aws.changes() == {"policy.write": "create"}


# --- calls that fail ---

@pytest.mark.parametrize("fault", ["500-after", "reset-after"])
def test_a_create_whose_answer_was_lost_made_the_policy(aws, fault):
    policy(aws, "s3:PutObject")
    aws.fault("CreatePolicy", fault, times=1)
    aws.apply()
    assert aws.changes() == {} and local_policies(aws) == [ARN] and aws.count("CreatePolicy") == 1


@pytest.mark.parametrize("fault", ["500-after", "reset-after", "throttle"])
def test_a_version_whose_answer_was_lost_is_put_again(aws, fault):
    applied(aws)
    policy(aws, "s3:GetObject")
    aws.fault("CreatePolicyVersion", fault, times=1)
    aws.apply()
    assert aws.changes() == {} and current(aws) == document("s3:GetObject")


def test_a_denied_call_names_right_and_policy(aws):
    policy(aws, "s3:PutObject")
    aws.fault("CreatePolicy", "deny", times=1)
    err = aws.refuse(4, "sfapply", "-auto-approve").err
    assert "iam:CreatePolicy" in err and ARN in err
    aws.apply()
    assert aws.changes() == {}


def test_a_document_that_iam_would_refuse_is_refused_at_plan_time(aws):
    policy(aws, "s3:PutObject")
    aws.apply()
    policy(aws, *(f"s3:{'Action' * 40}{n}" for n in range(30)))
    assert "6144" in aws.refuse(65, "sfplan").err
    policy(aws, "putobject")
    assert "'putobject'" in aws.refuse(65, "sfplan").err
