"""IAM: moto's, with trust policies checked, quotas, roles that are known to other services only after a while, and the simulator."""

import fnmatch
import json

from server_wire import AwsError
from server_world import handles

TRUST_SIZE, POLICY_SIZE = 2048, 6144  # characters that are not white space
TRUST_ACTIONS = ("sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:TagSession",
                 "sts:SetSourceIdentity", "sts:SetContext", "sts:*")


def malformed(message):
    return AwsError("MalformedPolicyDocument", message)


def limit(message):
    return AwsError("LimitExceeded", message, 409)


def as_list(value):
    return value if isinstance(value, list) else [value]


def is_denied(world, service, action):
    return any(fnmatch.fnmatchcase(f"{service}:{action}".lower(), pattern.lower()) for pattern in world.denied)


def check_trust(text):
    if sum(not c.isspace() for c in text) > TRUST_SIZE:
        raise limit(f"Cannot exceed quota for ACLSizePerRole: {TRUST_SIZE}")
    try:
        document = json.loads(text)
    except ValueError as error:
        raise malformed("This policy contains invalid Json") from error
    if not isinstance(document, dict) or document.get("Version") not in ("2012-10-17", "2008-10-17"):
        raise malformed("The policy must contain a valid version string")
    if not document.get("Statement"):
        raise malformed("Missing required field Statement")
    for statement in as_list(document["Statement"]):
        check_trust_statement(statement)


def check_trust_statement(statement):
    if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
        raise malformed("Missing required field Effect")
    for field in ("Resource", "NotResource"):
        if field in statement:
            raise malformed(f"Has prohibited field {field}")
    if "Principal" not in statement and "NotPrincipal" not in statement:
        raise malformed("Missing required field Principal")
    principal = statement.get("Principal", "*")
    if isinstance(principal, dict):
        unknown = set(principal) - {"AWS", "Service", "Federated", "CanonicalUser"}
        if unknown or not principal:
            raise malformed(f"Invalid principal in policy: {sorted(unknown)}")
        for name in as_list(principal.get("Service", [])):
            if not name.endswith((".amazonaws.com", ".amazonaws.com.cn")):
                raise malformed(f'Invalid principal in policy: "SERVICE":"{name}"')
    actions = as_list(statement.get("Action", []))
    if not actions and "NotAction" not in statement:
        raise malformed("Missing required field Action")
    for action in actions:
        if action not in TRUST_ACTIONS:
            raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")


@handles("iam", "CreateRole")
def create_role(call):
    check_trust(call.params["AssumeRolePolicyDocument"])
    call.check_quota("roles", len(call.moto(region="aws").roles), "LimitExceeded", 409)
    answer = call.pass_on()
    if answer.status == 200:
        path = call.params.get("Path", "/")
        arn = f"arn:aws:iam::{call.account}:role{path}{call.params['RoleName']}"
        call.world.role_waits[arn] = call.clock.wait("role_visible")
    return answer


@handles("iam", "UpdateAssumeRolePolicy")
def update_assume_role_policy(call):
    check_trust(call.params["PolicyDocument"])
    return call.pass_on()


@handles("iam", "CreatePolicy", "CreatePolicyVersion")
def create_policy(call):
    if sum(not c.isspace() for c in call.params["PolicyDocument"]) > POLICY_SIZE:
        raise limit(f"Cannot exceed quota for PolicySize: {POLICY_SIZE}")
    if call.action == "CreatePolicy":
        policies = [policy for policy in call.moto(region="aws").managed_policies.values() if f"::{call.account}:" in policy.arn]
        call.check_quota("policies", len(policies), "LimitExceeded", 409)
    return call.pass_on()


@handles("iam", "DeletePolicy")
def delete_policy(call):
    policy = call.moto(region="aws").managed_policies.get(call.params["PolicyArn"])
    if policy and policy.attachment_count:
        raise AwsError("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
    if policy and len(policy.versions) > 1:
        raise AwsError("DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the"
                       " policy's versions. The default version is deleted with the policy.", 409)
    return call.pass_on()


def role_named(call):
    """moto's role that the call is about, or None."""
    return next((role for role in call.moto(region="aws").roles.values() if role.name == call.params["RoleName"]), None)


@handles("iam", "UpdateRole")
def update_role(call):
    """What is not given stays as it is; moto forgets it."""
    role = role_named(call)
    if role is None:
        return call.pass_on()
    role.description = call.params.get("Description", role.description)
    role.max_session_duration = call.params.get("MaxSessionDuration", role.max_session_duration)
    return {}


@handles("iam", "AttachRolePolicy")
def attach_role_policy(call):
    role = role_named(call)
    if role and call.params["PolicyArn"] in role.managed_policies:
        return {}  # moto would count it twice, and then never let the policy go
    if role:
        call.check_quota("attachments", len(role.managed_policies), "LimitExceeded", 409)
    return call.pass_on()


@handles("iam", "SimulatePrincipalPolicy")
def simulate_principal_policy(call):
    """Everything is allowed but what the settings deny: no policy is read."""
    results = []
    for action in call.params["ActionNames"]:
        service, _, name = action.partition(":")
        decision = "explicitDeny" if is_denied(call.world, service, name) else "allowed"
        for resource in call.params.get("ResourceArns") or ["*"]:
            results.append({"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision,
                            "MatchedStatements": [], "MissingContextValues": []})
    start = int(call.params.get("Marker") or 0)
    end = start + call.params.get("MaxItems", 100)
    following = {"Marker": str(end)} if end < len(results) else {}
    return {"EvaluationResults": results[start:end], "IsTruncated": bool(following), **following}


@handles("sts", "AssumeRole")
def assume_role(call):
    arn = call.params["RoleArn"]
    message = f"User: {call.caller} is not authorized to perform: sts:AssumeRole on resource: {arn}"
    call.check_role(arn, AwsError("AccessDenied", message, 403))
    return call.pass_on()


@handles("sts", "GetCallerIdentity")
def get_caller_identity(call):
    user_id = "AROASFSTACKSESSION01:session" if ":assumed-role/" in call.caller else "AIDASFSTACK0000000001"
    return {"Account": call.account, "Arn": call.caller, "UserId": user_id}
