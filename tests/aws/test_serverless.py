"""kind cluster on AWS, serverless: a namespace and a workgroup of one name, one setting a call, one call at a time."""

import pytest

from aws.city import CLIENTS, FOR_CLIENTS, HEAD, WAREHOUSE, city_on

SERVERLESS = "aws: {serverless: {base_rpus: 8}}"
OTHER = "  other: {kind: security_group, name: city-other}\n"
STACK = HEAD + CLIENTS + OTHER + WAREHOUSE + FOR_CLIENTS + f"    #more\n    {SERVERLESS}\n"


@pytest.fixture
def city(aws):
    return city_on(aws, STACK)


def halves(ws):
    space = ws.call("redshift-serverless", "get_namespace", namespaceName="city-dw")["namespace"]
    return space, ws.call("redshift-serverless", "get_workgroup", workgroupName="city-dw")["workgroup"]


def tags(ws, arn):
    return {t["key"]: t["value"] for t in ws.call("redshift-serverless", "list_tags_for_resource", resourceArn=arn)["tags"]}


def changing(entries):
    return [(e["action"], {k: v for k, v in e["params"].items() if k not in ("namespaceName", "workgroupName")}) for e in entries
            if e["service"] == "redshift-serverless" and not e["action"].startswith(("Get", "List")) and e["status"] < 300]


def apply(ws):
    return changing(ws.calls_of("sfapply", "-auto-approve"))


def test_both_halves_are_made_waited_for_and_the_plan_after_it_is_empty(city):
    assert [action for action, _ in apply(city)] == ["CreateNamespace", "CreateWorkgroup"]
    space, group = halves(city)
    assert (space["dbName"], space["adminUsername"], group["baseCapacity"], group["status"]) == ("san_francisco", "steward", 8, "AVAILABLE")
    assert not group["publiclyAccessible"] and group["port"] == 5439 and len(group["securityGroupIds"]) == 1
    for arn in (space["namespaceArn"], group["workgroupArn"]):
        found = tags(city, arn)
        assert found["owner"] == "controller" and found["sfstack:address"] == "cluster.dw" and found["sfstack:stack"].startswith("city/")
    assert city.changes() == {} and city.drift() == {}
    assert city.show("cluster.dw")["endpoint"] == f"{group['endpoint']['address']}:5439"
    city.ok("sfdestroy", "-auto-approve")
    left = city.inventory()
    assert not [kind for kind in left if "namespace" in kind or "workgroup" in kind], left


def test_a_plan_reads_each_half_and_its_tags_once(city):
    city.apply()
    calls = [e["action"] for e in city.calls_of("sfplan") if e["service"] == "redshift-serverless"]
    assert sorted(calls) == ["GetNamespace", "GetWorkgroup", "ListTagsForResource", "ListTagsForResource"]


CHANGES = {
    "base": ("aws: {serverless: {base_rpus: 16}}", [("UpdateWorkgroup", ["baseCapacity"])]),
    "maximum": ("aws: {serverless: {base_rpus: 8, max_rpus: 64}}", [("UpdateWorkgroup", ["maxCapacity"])]),
    "both": ("aws: {serverless: {base_rpus: 16, max_rpus: 64}}", [("UpdateWorkgroup", ["baseCapacity"]), ("UpdateWorkgroup", ["maxCapacity"])]),
    "public": ("aws: {serverless: {base_rpus: 8}, publicly_accessible: true}", [("UpdateWorkgroup", ["publiclyAccessible"])]),
    "routing": ("aws: {serverless: {base_rpus: 8}, enhanced_vpc_routing: true}", [("UpdateWorkgroup", ["enhancedVpcRouting"])]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_setting_is_changed_in_place_by_a_call_of_its_own(city, name):
    text, calls = CHANGES[name]
    city.apply()
    before = halves(city)[0]["namespaceId"]
    city.edit("stack.yaml", (SERVERLESS, text))
    assert city.changes() == {"cluster.dw": "update"}
    assert [(action, sorted(params)) for action, params in apply(city)] == calls
    assert city.changes() == {} and city.drift() == {}
    assert halves(city)[0]["namespaceId"] == before
    city.edit("stack.yaml", (text, SERVERLESS))  # and back
    city.apply()
    assert city.changes() == {}


def test_groups_and_tags_are_changed_in_place(city):
    city.apply()
    city.edit("stack.yaml", ("security_groups: [sql]", "security_groups: [other]"), ("#more", "tags: {a: b}"))
    assert [action for action, _ in apply(city)] == ["TagResource", "TagResource", "UpdateWorkgroup"]
    assert city.changes() == {}
    city.edit("stack.yaml", ("security_groups: [other]", "security_groups: []"), ("tags: {a: b}", "#"))
    assert [action for action, _ in apply(city)] == ["UntagResource", "UntagResource", "UpdateWorkgroup"]
    assert city.changes() == {}


def test_a_new_password_is_set_once_after_all_else(city):
    city.apply()
    city.env["SF_VAR_password"] = "Another1horse2battery"
    city.edit("stack.yaml", (SERVERLESS, "aws: {serverless: {base_rpus: 16}}"))
    assert [(action, sorted(params)) for action, params in apply(city)] == [
        ("UpdateWorkgroup", ["baseCapacity"]), ("UpdateNamespace", ["adminUserPassword", "adminUsername"])]
    assert city.changes() == {}
    city.edit("stack.yaml", ("base_rpus: 16", "base_rpus: 24"))
    assert [action for action, _ in apply(city)] == ["UpdateWorkgroup"]


def test_a_first_plan_that_was_saved_with_a_secret_is_applied_and_later_ones_hold_the_secret(city):
    assert city.run("sfplan", "-out=first").code == 0
    assert city.run("sfapply", "first").code == 0
    assert city.changes() == {}
    city.edit("stack.yaml", (SERVERLESS, "aws: {serverless: {base_rpus: 16}}"))
    assert city.run("sfplan", "-out=second").code == 0
    city.env["SF_VAR_password"] = "Another1horse2battery"
    result = city.run("sfapply", "second")
    assert result.code == 5 and "variable 'password' has another value" in result.err


def test_secrets_manager_can_keep_the_password(city):
    city.edit("stack.yaml", ('    password: "${var.password}"\n', ""), (SERVERLESS, "aws: {serverless: {}, manage_password: true}"))
    city.apply()
    assert halves(city)[0]["adminPasswordSecretArn"].startswith("arn:aws:secretsmanager:")
    assert city.changes() == {}
    city.write("stack.yaml", STACK)
    assert [action for action, _ in apply(city)] == ["UpdateNamespace"]
    assert "adminPasswordSecretArn" not in halves(city)[0] and city.changes() == {}


def test_to_become_provisioned_is_another_cluster(city):
    city.apply()
    city.edit("stack.yaml", (SERVERLESS, "aws: {node_type: ra3.large}"))
    city.apply()
    assert city.changes() == {}
    assert city.cli("redshift", "describe-clusters")["Clusters"][0]["ClusterIdentifier"] == "city-dw"
    assert city.cli("redshift-serverless", "list-namespaces")["namespaces"] == []


DRIFT = {
    "base": ["--base-capacity", "32"],
    "maximum": ["--max-capacity", "64"],
    "public": ["--publicly-accessible"],
    "routing": ["--enhanced-vpc-routing"],
}


@pytest.mark.parametrize("name", DRIFT)
def test_a_change_outside_is_seen_and_put_back(city, name):
    city.apply()
    before = halves(city)[1]
    city.cli("redshift-serverless", "update-workgroup", "--workgroup-name", "city-dw", *DRIFT[name])
    for _ in range(3):
        halves(city)
    assert city.drift() == city.changes() == {"cluster.dw": "update"}
    city.apply()
    assert {k: v for k, v in halves(city)[1].items() if v != -1} == before  # -1: no maximum
    assert city.changes() == {}


@pytest.mark.parametrize("half", [0, 1])
def test_tags_that_drift_on_either_half_are_put_back(city, half):
    city.apply()
    arn = halves(city)[half][["namespaceArn", "workgroupArn"][half]]
    city.cli("redshift-serverless", "tag-resource", "--resource-arn", arn, "--tags", "key=owner,value=mallory")
    assert city.drift() == city.changes() == {"cluster.dw": "update"}
    city.apply()
    assert tags(city, arn)["owner"] == "controller" and city.changes() == {}


def test_a_workgroup_deleted_outside_is_made_again_on_the_same_namespace(city):
    city.apply()
    space = halves(city)[0]["namespaceId"]
    city.cli("redshift-serverless", "delete-workgroup", "--workgroup-name", "city-dw")
    for _ in range(4):
        city.cli("redshift-serverless", "list-workgroups")
    assert city.changes() == {"cluster.dw": "update"}
    assert [action for action, _ in apply(city)] == ["CreateWorkgroup"]
    assert halves(city)[0]["namespaceId"] == space and city.changes() == {}


def test_a_name_that_is_taken_is_refused_while_planning_saying_whose_it_is(city):
    city.cli("redshift-serverless", "create-namespace", "--namespace-name", "city-dw")
    assert "serverless namespace 'city-dw' exists already" in city.refuse(1, "sfplan").err
    city.cli("redshift-serverless", "create-namespace", "--namespace-name", "elsewhere")
    city.cli("redshift-serverless", "create-workgroup", "--namespace-name", "elsewhere", "--workgroup-name", "city-dw2")
    city.edit("stack.yaml", ("identifier: city-dw", "identifier: city-dw2"))
    assert "on namespace 'elsewhere'" in city.refuse(1, "sfplan").err


@pytest.mark.parametrize("action", ["CreateNamespace", "CreateWorkgroup", "UpdateWorkgroup", "DeleteWorkgroup", "DeleteNamespace"])
@pytest.mark.parametrize("fault", ["reset-after", "500-after", "throttle"])
def test_a_reply_that_never_comes_or_says_later_makes_nothing_twice_and_leaves_nothing(city, action, fault):
    city.fault(action, fault, nth=1)
    city.apply()
    city.edit("stack.yaml", ("base_rpus: 8", "base_rpus: 16"))
    city.apply()
    assert city.changes() == {} and halves(city)[1]["baseCapacity"] == 16
    city.ok("sfdestroy", "-auto-approve")
    left = city.inventory()
    assert not [kind for kind in left if "namespace" in kind or "workgroup" in kind], left


def test_what_was_made_but_not_finished_is_finished_by_the_next_run(city):
    city.fault("CreateWorkgroup", "deny", nth=1)
    assert "CreateWorkgroup" in city.refuse(4, "sfapply", "-auto-approve").err
    assert city.changes() == {"cluster.dw": "update"}
    assert [action for action, _ in apply(city)][:1] == ["CreateWorkgroup"]
    assert city.changes() == {}
