"""Roles on AWS: made, each part changed and put back, destroyed."""

import json

import pytest

NAME, ARN = "tryout-load", "arn:aws:iam::123456789012:role/tryout-load"
READ = "arn:aws:iam::123456789012:policy/theirs0"
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
OWN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
POLICY = f"  read: {{kind: policy, name: tryout-read, document: {json.dumps(OWN)}}}\n"


def role(aws, more="", trust="redshift", others=POLICY, policies="[read]"):
    aws.resources(f"{others}  load: {{kind: role, name: {NAME}, trust: {trust}, policies: {policies}{more and ', '}{more}}}\n",
                  more="tags: {owner: controller}\n")


def applied(aws, *args, **kwargs):
    role(aws, *args, **kwargs)
    aws.apply()


def their_policies(aws, n=1):
    """ARNs of policies that are not the stack's. The first is READ."""
    for i in range(n):
        aws.call("iam", "create_policy", PolicyName=f"theirs{i}", PolicyDocument=json.dumps(OWN))
    return [f"{READ[:-1]}{i}" for i in range(n)]


def get_role(aws):
    return aws.call("iam", "get_role", RoleName=NAME)["Role"]


def names(aws, *args):
    return sorted(aws.cli("iam", *args, "--role-name", NAME).popitem()[1], key=str)


def test_a_role_is_made_as_the_stack_file_says_and_is_then_left_alone(aws):
    applied(aws, f"description: loads, inline: {{own: {json.dumps(OWN)}}}, "
            f"aws: {{max_session_s: 7200, boundary: '{READ}', path: /city/}}", trust="transfer")
    assert aws.changes() == {} and aws.drift() == {}
    found = get_role(aws)
    assert found["Arn"] == "arn:aws:iam::123456789012:role/city/tryout-load"
    assert (found["Description"], found["MaxSessionDuration"], found["Path"]) == ("loads", 7200, "/city/")
    assert found["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ
    statement, = found["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "transfer.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
    tags = {t["Key"]: t["Value"] for t in found["Tags"]}
    assert tags["owner"] == "controller" and tags["sfstack:address"] == "role.load"
    assert [p["PolicyName"] for p in names(aws, "list-attached-role-policies")] == ["tryout-read"]
    assert names(aws, "list-role-policies") == ["own"]


def test_no_call_is_made_that_is_not_needed(aws):
    their_policies(aws)
    role(aws, others="", policies="[]")
    assert aws.actions_of("sfplan") == ["GetRole", "GetAccountSummary"]
    assert aws.actions_of("sfapply", "-auto-approve") == ["GetRole", "GetAccountSummary", "CreateRole"]
    read = ["GetRole", "ListAttachedRolePolicies", "ListRolePolicies"]
    assert aws.actions_of("sfplan") == read
    role(aws, others="", policies=f"['{READ}']")
    assert aws.actions_of("sfapply", "-auto-approve") == [*read, "AttachRolePolicy"]
    assert aws.actions_of("sfdestroy", "-auto-approve") == [*read, "GetRole", "DetachRolePolicy", "DeleteRole"]


CHANGES = {
    "trust": ("", {"trust": json.dumps(TRUST)}, {"UpdateAssumeRolePolicy"}),
    "description": ("description: other", {}, {"UpdateRole"}),
    "max_session_s": ("aws: {max_session_s: 7200}", {}, {"UpdateRole"}),
    "boundary": (f"aws: {{boundary: '{READ}'}}", {}, {"PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary"}),
    "policies": ("", {"policies": f"['{READ}', read]"}, {"AttachRolePolicy", "DetachRolePolicy"}),
    "inline": (f"inline: {{own: {json.dumps(OWN)}}}", {}, {"PutRolePolicy", "DeleteRolePolicy"}),
    "tags": ("tags: {year: '2025'}", {}, {"TagRole", "UntagRole"}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_one_attribute_is_changed_in_place_by_one_call_and_back(aws, what):
    more, others, calls = CHANGES[what]
    their_policies(aws)
    applied(aws)
    for wanted, kwargs in ((more, others), ("", {})):
        role(aws, wanted, **kwargs)
        assert aws.changes() == {"role.load": "update"}
        made = [c for c in aws.actions_of("sfapply", "-auto-approve") if not c.startswith(("Get", "List"))]
        assert len(made) == 1 and made[0] in calls
        assert aws.changes() == {} and aws.drift() == {}


@pytest.mark.parametrize("more", ["aws: {path: /city/}", None])
def test_another_path_or_name_is_another_role(aws, more):
    applied(aws)
    if more:
        role(aws, more)
    else:
        aws.edit("stack.yaml", (f"name: {NAME}", "name: tryout-other"))
    assert aws.changes() == {"role.load": "replace"}
    aws.apply()
    assert aws.changes() == {} and len(aws.cli("iam", "list-roles")["Roles"]) == 1


DRIFT = {
    "trust": ("update_assume_role_policy", {"PolicyDocument": json.dumps(TRUST)}),
    "description": ("update_role", {"Description": "changed", "MaxSessionDuration": 7200}),
    "boundary": ("put_role_permissions_boundary", {"PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
    "no boundary": ("delete_role_permissions_boundary", {}),
    "a policy": ("attach_role_policy", {"PolicyArn": READ}),
    "no policy": ("detach_role_policy", {"PolicyArn": "arn:aws:iam::123456789012:policy/tryout-read"}),
    "inline": ("put_role_policy", {"PolicyName": "own", "PolicyDocument": json.dumps(OWN).replace("GetObject", "*")}),
    "more inline": ("put_role_policy", {"PolicyName": "more", "PolicyDocument": json.dumps(OWN)}),
    "no inline": ("delete_role_policy", {"PolicyName": "own"}),
    "tags": ("tag_role", {"Tags": [{"Key": "owner", "Value": "somebody"}]}),
}


@pytest.mark.parametrize("what", DRIFT)
def test_what_was_changed_outside_is_seen_and_put_back(aws, what):
    action, params = DRIFT[what]
    their_policies(aws)
    applied(aws, f"description: loads, inline: {{own: {json.dumps(OWN)}}}, aws: {{boundary: '{READ}'}}")
    aws.call("iam", action, RoleName=NAME, **params)
    assert aws.drift() == {"role.load": "update"} and aws.changes() == {"role.load": "update"}
    aws.apply()
    assert aws.changes() == {} and aws.drift() == {}


def test_a_trust_policy_that_says_the_same_is_no_change(aws):
    applied(aws, trust="transfer")
    same = {"Version": "2012-10-17", "Statement": {
        "Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": ["transfer.amazonaws.com"]},
        "Condition": {"StringEquals": {"aws:SourceAccount": ["123456789012"]}}}}
    aws.call("iam", "update_assume_role_policy", RoleName=NAME, PolicyDocument=json.dumps(same))
    assert aws.changes() == {} and aws.drift() == {}


def test_all_policies_are_exchanged_though_both_sets_together_are_too_many(aws):
    theirs = their_policies(aws, 18)
    applied(aws, others="", policies=json.dumps(theirs[:10]))
    role(aws, others="", policies=json.dumps(theirs[8:18]))
    aws.apply()
    assert sorted(p["PolicyArn"] for p in names(aws, "list-attached-role-policies")) == sorted(theirs[8:18])


def test_a_policy_that_does_not_exist_fails_the_role_at_once_and_one_named_twice_is_attached_once(aws):
    role(aws, policies="['arn:aws:iam::aws:policy/NoSuchPolicy']")
    result = aws.run("sfapply", "-auto-approve")
    assert result.code == 1 and "NoSuchPolicy does not exist" in result.err and "hint: correct its ARN" in result.err
    aws.control("DELETE", "log")
    applied(aws, policies="[read, read]")
    assert aws.count("AttachRolePolicy") == 1
    assert aws.changes() == {}


def test_a_name_that_is_taken_is_told_at_plan_time(aws):
    aws.call("iam", "create_role", RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST))
    role(aws)
    assert f"role '{NAME}'" in aws.refuse(1, "sfplan").err


def test_an_adopted_role_only_gets_marks(aws):
    their_policies(aws)
    aws.call("iam", "create_role", RoleName=NAME, AssumeRolePolicyDocument=json.dumps(TRUST))
    aws.call("iam", "attach_role_policy", RoleName=NAME, PolicyArn=READ)
    aws.resources(f"  load: {{kind: role, name: {NAME}, adopt: {NAME}, trust: {json.dumps(TRUST)}, policies: ['{READ}']}}\n")
    made = [c for c in aws.actions_of("sfapply", "-auto-approve") if not c.startswith(("Get", "List"))]
    assert made == ["TagRole"]
    assert aws.changes() == {}


def test_a_role_that_somebody_deleted_is_made_again(aws):
    applied(aws, policies="[]")
    aws.call("iam", "delete_role", RoleName=NAME)
    assert aws.changes() == {"role.load": "create"}
    aws.apply()
    assert aws.changes() == {}


# --- destroy ---

def test_what_others_hung_on_the_role_goes_with_it(aws):
    applied(aws)
    their_policies(aws)
    aws.call("iam", "attach_role_policy", RoleName=NAME, PolicyArn=READ)
    aws.call("iam", "put_role_policy", RoleName=NAME, PolicyName="theirs", PolicyDocument=json.dumps(OWN))
    aws.call("iam", "create_instance_profile", InstanceProfileName="theirs")
    aws.call("iam", "add_role_to_instance_profile", InstanceProfileName="theirs", RoleName=NAME)
    aws.ok("sfdestroy", "-auto-approve")
    assert aws.cli("iam", "list-roles")["Roles"] == []
    assert [p["Arn"] for p in aws.cli("iam", "list-policies", "--scope", "Local")["Policies"]] == [READ]


def test_a_role_that_somebody_else_took_since_is_not_destroyed(aws):
    applied(aws)
    aws.call("iam", "tag_role", RoleName=NAME, Tags=[{"Key": "sfstack:stack", "Value": "others/1"}])
    aws.refuse(1, "sfdestroy", "-auto-approve")
    assert not aws.count("DeleteRole") and not aws.count("DetachRolePolicy")


def test_a_role_that_is_gone_already_is_destroyed(aws):
    applied(aws, policies="[]", others="")
    aws.call("iam", "delete_role", RoleName=NAME)
    aws.ok("sfdestroy", "-auto-approve", "-refresh=false")
    assert aws.changes() == {"role.load": "create"}


# --- calls that fail ---

@pytest.mark.parametrize("fault", ["500-after", "reset-after"])
def test_a_create_whose_answer_was_lost_made_the_role(aws, fault):
    role(aws)
    aws.fault("CreateRole", fault, times=1)
    aws.apply()
    assert aws.changes() == {} and aws.count("CreateRole") == 1


@pytest.mark.parametrize("fault", ["500-after", "reset-after", "throttle"])
@pytest.mark.parametrize("call", ["AttachRolePolicy", "PutRolePolicy"])
def test_a_part_whose_answer_was_lost_is_put_again(aws, call, fault):
    role(aws, f"inline: {{own: {json.dumps(OWN)}}}")
    aws.fault(call, fault, times=1)
    aws.apply()
    assert aws.changes() == {} and aws.count("CreateRole") == 1


def test_an_incomplete_role_is_finished_by_the_next_run(aws):
    role(aws)
    aws.fault("AttachRolePolicy", "deny", times=1)
    err = aws.refuse(4, "sfapply", "-auto-approve").err
    assert "iam:AttachRolePolicy" in err and ARN in err
    assert aws.changes() == {"role.load": "update"}
    aws.apply()
    assert aws.changes() == {} and aws.count("CreateRole") == 1


@pytest.mark.parametrize("call", ["DetachRolePolicy", "DeleteRole"])
def test_a_destroy_whose_answer_was_lost_is_finished(aws, call):
    applied(aws)
    aws.fault(call, "reset-after", times=1)
    aws.ok("sfdestroy", "-auto-approve")
    assert aws.cli("iam", "list-roles")["Roles"] == []


def test_documents_that_iam_would_refuse_are_refused_at_plan_time(aws):
    applied(aws)
    big = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:" + "A" * 180] * 30, "Resource": "*"}]}
    for more, kwargs, message in (
            (f"inline: {{a: {json.dumps(big)}, b: {json.dumps(big)}}}", {}, "10240"),
            ("", {"trust": json.dumps(OWN)}, "trust policy"),
            ("", {"trust": "lambda"}, "is not a service that a role can trust by name")):
        role(aws, more, **kwargs)
        assert message in aws.refuse(65, "sfplan").err
