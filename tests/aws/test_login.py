"""Whom statements log in as on a serverless workgroup: a secret of the stack's own, which follows the password and goes with the cluster."""

import json

import pytest

from aws.city import HEAD, PASSWORD, WAREHOUSE, city_on

STACK = HEAD + WAREHOUSE + """    aws: {serverless: {base_rpus: 8}}
outputs: {editor: "${dw.query_editor_url}", secret: "${dw.master_secret}"}
"""


@pytest.fixture
def city(aws):
    return city_on(aws, STACK)


def held(ws):
    [secret] = ws.call("secretsmanager", "list_secrets")["SecretList"]
    return json.loads(ws.call("secretsmanager", "get_secret_value", SecretId=secret["ARN"])["SecretString"])


def test_the_password_is_put_into_a_secret_of_the_stacks_and_goes_with_the_cluster(city):
    plan = city.run("sfplan").out
    assert 'login                = "kept_secret"' in plan and "$0.40 a month for its password in Secrets Manager" in plan, plan
    city.apply()
    [secret] = city.call("secretsmanager", "list_secrets")["SecretList"]
    tags = {tag["Key"]: tag["Value"] for tag in secret["Tags"]}
    assert secret["Name"].startswith("sfstack/city/") and secret["Name"].endswith("/city-dw")
    assert tags["sfstack:address"] == "cluster.dw" and tags["owner"] == "controller"
    assert held(city) == {"username": "steward", "password": PASSWORD}
    assert city.output("secret") == secret["ARN"]
    assert city.output("editor") == "https://us-west-2.console.aws.amazon.com/sqlworkbench/home?region=us-west-2#/client"
    assert city.changes() == {} and city.drift() == {}
    city.ok("sfdestroy", "-auto-approve")
    assert city.inventory() == {}


def test_it_follows_the_password(city):
    city.apply()
    city.env["SF_VAR_password"] = "Another1horse2battery"
    city.apply()
    assert held(city)["password"] == "Another1horse2battery" and city.changes() == {}


@pytest.mark.parametrize("how", ["deleted", "deleted for good", "changed"])
def test_what_somebody_did_to_it_is_drift_and_is_mended(city, how):
    city.apply()
    arn = city.output("secret")
    if how == "changed":
        city.call("secretsmanager", "put_secret_value", SecretId=arn, SecretString='{"username": "steward", "password": "x"}')
    else:
        city.call("secretsmanager", "delete_secret", SecretId=arn, **({"ForceDeleteWithoutRecovery": True} if "good" in how else {}))
    assert list(city.drift()) == ["cluster.dw"] and city.changes() == {"cluster.dw": "update"}
    city.apply()
    assert held(city) == {"username": "steward", "password": PASSWORD} and city.changes() == {}


def test_it_goes_when_redshift_keeps_the_password_and_comes_back(city):
    city.apply()
    city.edit("stack.yaml", ('    password: "${var.password}"\n', ""), ("aws: {serverless", "aws: {manage_password: true, serverless"))
    city.apply()
    [name] = [secret["Name"] for secret in city.call("secretsmanager", "list_secrets")["SecretList"]]
    assert not name.startswith("sfstack/") and city.changes() == {}
    city.write("stack.yaml", STACK)
    city.apply()
    assert held(city)["password"] == PASSWORD and city.changes() == {}


def test_a_provisioned_cluster_needs_none(city):
    city.edit("stack.yaml", ("serverless: {base_rpus: 8}", "node_type: ra3.large"), (', secret: "${dw.master_secret}"', ""))
    city.apply()
    assert city.show("cluster.dw")["login"] == "temporary_credentials"
    assert city.call("secretsmanager", "list_secrets")["SecretList"] == []
