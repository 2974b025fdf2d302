"""What goes wrong on AWS gets a clear error with the exit code that fits, loses nothing, and the next run goes on.

`says` are pieces of the message and of its hint. Nothing is made while planning, so an error there leaves the account as it was.
"""

import contextlib
import http.server
import threading

import pytest

from aws.conftest import ACCOUNT

BUCKET = f"sf-infrastructure-landing-{ACCOUNT}"
PLAN, APPLY, DESTROY = ("sfplan",), ("sfapply", "-auto-approve"), ("sfdestroy", "-auto-approve")
EXPIRED = {"AWS_ACCESS_KEY_ID": "ASIASFSTACKEXPIRED01", "AWS_SECRET_ACCESS_KEY": "sfstack/test/secret/of/the/expired/00001",
           "AWS_SESSION_TOKEN": "sfstack-expired-token"}
OTHER = {"AWS_ACCESS_KEY_ID": "AKIASFSTACKOTHER0001", "AWS_SECRET_ACCESS_KEY": "sfstack/test/secret/of/the/other/0000001"}
TRUST = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'


@pytest.fixture
def site(aws):
    aws.infrastructure()
    return aws


def check(result, code, *says):
    """Exactly this exit code; an error and a hint that say these pieces."""
    assert result.code == code, result
    assert "error" in result.err and ("hint: " in result.err or "help: " in result.err), result
    for text in says:
        assert text in result.err, f"{text!r} is missing: {result}"


def goes_on(ws):
    """The next run finishes the job, nothing is there twice, and destroy leaves nothing."""
    ws.faults([])
    ws.ok(*APPLY)
    assert ws.changes() == {} and ws.drift() == {}
    assert {kind: len(names) for kind, names in ws.inventory().items()} == {
        "bucket": 1, "iam policy": 2, "iam role": 2, "redshift namespace": 1, "redshift workgroup": 1, "secret": 1, "security group": 1,
        "transfer server": 1, "transfer user": 1}
    ws.ok(*DESTROY)
    assert ws.inventory() == {}


# --- who asks, and whom ---


@pytest.mark.parametrize("env, says", [
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, ["there are no AWS credentials", "AWS_PROFILE"]),
    (EXPIRED, ["the credentials from environment have expired", "aws sso login"]),
    ({"AWS_SECRET_ACCESS_KEY": "wrong"}, ["not accepted", "SignatureDoesNotMatch", "does not belong to the access key"]),
    ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, ["not accepted", "InvalidClientTokenId", "does not exist"]),
])
@pytest.mark.parametrize("program", [PLAN, APPLY], ids=["plan", "apply"])
def test_credentials_that_are_not_accepted_end_the_run_before_anything_else_is_asked(site, program, env, says):
    check(site.run(*program, env=env), 4, *says)
    assert {call["action"] for call in site.log()} <= {"GetCallerIdentity"}
    assert site.inventory() == {}


def test_credentials_of_another_account_than_the_stack_file_says_are_refused(site):
    site.edit("stack.yaml", ("region: us-west-2", "region: us-west-2, account: '999999999999'"))
    check(site.run(*APPLY), 4, f"for account '{ACCOUNT}'", "'999999999999'", "AWS_PROFILE")
    assert site.inventory() == {}


def test_credentials_of_another_account_than_the_state_was_made_with_are_refused(site):
    site.apply()
    check(site.run(*APPLY, env=OTHER), 5, ACCOUNT, "210987654321", "--state")
    assert site.changes() == {}


def test_another_region_than_the_state_was_made_in_is_refused(site):
    site.apply()
    site.edit("stack.yaml", ("region: us-west-2", "region: us-east-1"))
    check(site.run(*APPLY), 5, "us-west-2", "us-east-1", "--state")
    site.edit("stack.yaml", ("region: us-east-1", "region: Oregon"))
    check(site.run(*APPLY), 65, "'Oregon' is not the name of an AWS region", "us-west-2")


def test_credentials_that_expire_while_it_works_lose_nothing(site):
    site.faults([{"fault": "expired-token", "service": "redshift-serverless", "is_change": True}])
    check(site.run(*APPLY), 4, "have expired", "it goes on where it stopped", "failed:      cluster.dw")
    site.faults([{"fault": "expired-token", "service": "transfer"}])
    check(site.run(*DESTROY), 4, "have expired")
    goes_on(site)


@pytest.mark.parametrize("offset", [3600, -3600])
def test_a_clock_that_is_an_hour_off_is_said_and_no_obstacle(site, offset):
    site.faults([{"fault": "clock", "offset": offset}])
    made = site.ok(*APPLY)
    assert "this machine's clock is 60 minutes" in made.out + made.err
    assert len([call for call in site.log() if call["code"]]) <= 12  # each worker may have met it once
    site.ok("sfplan", "-detailed-exitcode")
    site.ok(*DESTROY)
    assert site.inventory() == {}


# --- not allowed ---


@pytest.mark.parametrize("action, resource", [
    ("s3:CreateBucket", f"arn:aws:s3:::{BUCKET}"), ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/"), ("transfer:CreateServer", "*"),
    ("ec2:CreateSecurityGroup", "arn:aws:ec2:us-west-2"), ("redshift-serverless:CreateNamespace", "arn:aws:redshift-serverless:us-west-2")])
def test_a_denied_action_is_named_with_its_resource_and_the_statement_that_would_allow_it(site, action, resource):
    service, _, name = action.partition(":")
    site.faults([{"fault": "deny", "service": service, "action": name}])
    result = site.run(*APPLY)
    check(result, 4, f"not allowed to do '{action}'", "user/admin", f'{{"Effect":"Allow","Action":"{action}","Resource":"{resource}')
    goes_on(site)


def test_what_the_caller_may_not_do_is_noted_by_the_plan_already(site):
    site.settings(denied=["transfer:CreateServer"])
    assert "not to be allowed transfer:CreateServer" in site.ok(*PLAN).out


def test_a_plan_that_may_not_look_says_what_it_may_not(site):
    site.apply()
    for service, name in (("transfer", "DescribeServer"), ("iam", "GetRole"), ("s3", "GetBucketPolicy")):
        site.faults([{"fault": "deny", "service": service, "action": name}])
        check(site.run(*PLAN), 4, f"{service}:{name}", '"Effect":"Allow"')
    goes_on(site)


# --- names and quotas ---


@pytest.mark.parametrize("what, says", [
    (lambda ws: ws.settings(foreign_buckets=[BUCKET]), ["bucket", BUCKET, "belongs to another account", "unique in the world"]),
    (lambda ws: ws.call("s3", "create_bucket", Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"}),
     [BUCKET, "exists already", "adopt"]),
    (lambda ws: ws.call("iam", "create_role", RoleName="sf-infrastructure-sftp", AssumeRolePolicyDocument=TRUST),
     ["role 'sf-infrastructure-sftp' exists already", "adopt"]),
    (lambda ws: ws.call("iam", "create_policy", PolicyName="sf-infrastructure-landing-read", PolicyDocument=TRUST.replace(
        '"Principal": {"Service": "ec2.amazonaws.com"}', '"Resource": "*"')), ["landing-read", "exists already", "adopt"]),
    (lambda ws: ws.call("ec2", "create_security_group", GroupName="sf-infrastructure-sql", Description="theirs"),
     ["sf-infrastructure-sql", "exists already", "adopt"]),
    (lambda ws: ws.call("redshift-serverless", "create_namespace", namespaceName="sf-infrastructure"),
     ["namespace 'sf-infrastructure' exists already", "adopt"]),
], ids=["another account's bucket", "bucket", "role", "policy", "security group", "namespace"])
def test_a_name_that_somebody_else_has_is_refused_by_the_plan_and_left_alone(site, what, says):
    what(site)
    before = site.inventory()
    check(site.run(*PLAN), 1, *says)
    check(site.run(*APPLY), 1, *says)
    assert site.inventory() == before


def test_a_name_of_another_stack_names_that_stack(site):
    site.apply()
    text = site.read("stack.yaml")
    site.write("stack.yaml", text.replace("stack: sf-infrastructure", "stack: other").replace("${stack.name}", "sf-infrastructure"))
    check(site.run(*PLAN), 1, "belongs to stack 'sf-infrastructure/", "sfdestroy")
    site.write("stack.yaml", text)
    goes_on(site)


@pytest.mark.parametrize("quota, says", [
    ("servers", ["'CreateServer'", "ServiceQuotaExceededException"]), ("roles", ["'CreateRole'", "LimitExceeded"]),
    ("buckets", ["'CreateBucket'", "TooManyBuckets"]), ("policies", ["'CreatePolicy'", "LimitExceeded"]),
    ("security_groups", ["'CreateSecurityGroup'", "SecurityGroupLimitExceeded"])])
def test_a_quota_that_is_used_up_is_said_with_what_to_do(site, quota, says):
    usual = site.control("GET", "settings")["quotas"][quota]
    site.settings(quotas={quota: 0})
    check(site.run(*APPLY), 1, *says, "quota")
    site.settings(quotas={quota: usual})
    goes_on(site)


# --- too many calls ---


@pytest.mark.parametrize("rules", [[5], [7, 17]], ids=str)
def test_when_each_fifth_call_is_turned_away_everything_is_done_all_the_same(site, rules):
    site.faults([{"fault": "throttle", "every": n} for n in rules])
    site.ok(*APPLY)
    site.ok("sfplan", "-detailed-exitcode")
    assert len([call for call in site.log() if call["faults"]]) >= 12
    site.ok(*DESTROY)
    assert site.inventory() == {}


def test_when_every_call_is_turned_away_it_ends_in_good_time_and_the_next_run_goes_on(aws):
    aws.resources("  landing: {kind: bucket, name: tryout-landing, timeouts: {create: 2s}}\n  other: {kind: bucket, name: tryout-other}")
    aws.faults([{"fault": "throttle"}])
    says = ["AWS's sts is throttling 'GetCallerIdentity'", "Throttling"]
    refused = aws.refuse(1, *APPLY)
    assert all(text in refused.err for text in says), refused
    aws.faults([{"fault": "throttle", "action": "CreateBucket", "times": 9}, {"fault": "throttle", "action": "PutBucketPolicy", "nth": 1}])
    refused = aws.refuse(1, *APPLY)
    assert "AWS's s3 is throttling 'CreateBucket'" in refused.err and "goes on from here" in refused.err, refused
    aws.faults([])
    aws.apply()
    assert aws.changes() == {}
    assert aws.inventory() == {"bucket": ["tryout-landing", "tryout-other"]}


# --- answers that are none ---


@pytest.mark.parametrize("service, action, what", [
    ("s3", "CreateBucket", "html"), ("transfer", "CreateServer", "html"), ("transfer", "CreateServer", "wrong-json"),
    ("iam", "CreateRole", "truncate"), ("redshift-serverless", "CreateNamespace", "html"), ("ec2", "CreateSecurityGroup", "truncate"),
    ("iam", "AttachRolePolicy", "html")])
def test_an_answer_that_cannot_be_read_is_found_out_about_and_nothing_is_made_twice(site, service, action, what):
    site.faults([{"fault": what, "service": service, "action": action, "times": 1}])
    first = site.run(*APPLY)
    assert first.code in (0, 1, 6), first
    assert [rule["fired"] for rule in site.control("GET", "faults")] == [1]
    goes_on(site)


def test_web_pages_instead_of_answers_are_called_that(site):
    site.faults([{"fault": "html"}])
    check(site.run(*PLAN), 1, 'an HTML page ("502 Bad Gateway") with status 502', "AWS_ENDPOINT_URL")
    site.faults([{"fault": "html", "service": "iam"}])
    check(site.run(*PLAN), 1, "as AWS's iam would", "HTML page")
    assert site.inventory() == {}


class Foreign(http.server.BaseHTTPRequestHandler):
    """A web server that is no part of AWS, and a proxy that lets nobody through."""

    def answer(self):
        page = b"<html><head><title>Welcome</title></head></html>"
        self.send_response(403 if self.command == "CONNECT" else 200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    do_GET = do_PUT = do_POST = do_CONNECT = answer

    def log_message(self, *_args):
        pass


@contextlib.contextmanager
def foreign_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Foreign)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_an_endpoint_that_is_not_aws_is_doubted(site):
    with foreign_server() as url:
        check(site.run(*PLAN, env={"AWS_ENDPOINT_URL": url}), 1, "did not answer 'GetCallerIdentity'", "Welcome", "AWS_ENDPOINT_URL")
    check(site.run(*PLAN, env={"AWS_ENDPOINT_URL": url}), 1, "cannot reach '127.0.0.1'", "AWS_ENDPOINT_URL")
    check(site.run(*PLAN, env={"AWS_ENDPOINT_URL": "http://192.0.2.1"}), 65, "plain http to '192.0.2.1'", "https")


def test_a_proxy_that_refuses_is_named_as_what_stands_between(site):
    del site.env["AWS_ENDPOINT_URL"]
    with foreign_server() as url:
        check(site.run(*PLAN, env={"HTTPS_PROXY": url}), 1, "sts.us-west-2.amazonaws.com", "403", "HTTPS_PROXY and NO_PROXY")
    check(site.run(*PLAN, env={"HTTPS_PROXY": url}), 1, "cannot reach 'sts.us-west-2.amazonaws.com'", "HTTPS_PROXY and NO_PROXY")
