"""kind cluster on AWS, provisioned: made, changed one thing at a time, paused, drifted, destroyed; what is wrong is said while planning."""

import pytest

from aws.city import CLIENTS, FOR_CLIENTS, HEAD, PASSWORD, WAREHOUSE, city_on

STACK = HEAD + CLIENTS + WAREHOUSE + FOR_CLIENTS + "    #more\n"
CHANGING = ("CreateCluster", "ModifyCluster", "ResizeCluster", "ModifyClusterIamRoles", "PauseCluster", "ResumeCluster", "DeleteCluster",
            "CreateTags", "DeleteTags")


@pytest.fixture
def city(aws):
    return city_on(aws, STACK)


def more(ws, text):
    ws.write("stack.yaml", STACK.replace("#more", text))


def cluster(ws):
    [found] = ws.call("redshift", "describe_clusters", ClusterIdentifier="city-dw")["Clusters"]
    return found


def changing(entries):
    """What was changed: [(action, params without the identifier)]."""
    return [(e["action"], {k: v for k, v in e["params"].items() if k != "ClusterIdentifier"}) for e in entries
            if e["action"] in CHANGING and e["service"] == "redshift" and e["status"] < 300]


def apply(ws):
    return changing(ws.calls_of("sfapply", "-auto-approve"))


def test_a_cluster_is_made_waited_for_and_the_plan_after_it_is_empty(city):
    [(action, params)] = apply(city)
    found = cluster(city)
    assert action == "CreateCluster" and params["NodeType"] == "ra3.large" and params["ClusterType"] == "single-node", params
    assert (found["ClusterStatus"], found["DBName"], found["MasterUsername"]) == ("available", "san_francisco", "steward")
    assert len(city.cli("redshift", "describe-clusters", "--cluster-identifier", "city-dw")["Clusters"]) == 1
    assert not found["PubliclyAccessible"] and found["Encrypted"] and found["Endpoint"]["Port"] == 5439
    tags = {t["Key"]: t["Value"] for t in found["Tags"]}
    assert tags["owner"] == "controller" and tags["sfstack:address"] == "cluster.dw" and tags["sfstack:stack"].startswith("city/")
    assert city.changes() == {} and city.drift() == {}
    assert [e["action"] for e in city.calls_of("sfplan") if e["service"] == "redshift"] == ["DescribeClusters"]
    city.ok("sfdestroy", "-auto-approve")
    left = city.inventory()
    assert not [kind for kind in left if "cluster" in kind or "snapshot" in kind], left


CHANGES = {
    "size": ("aws: {node_type: ra3.xlplus, number_of_nodes: 2}", ["ResizeCluster"]),
    "public": ("aws: {publicly_accessible: true}", ["ModifyCluster"]),
    "routing": ("aws: {enhanced_vpc_routing: true}", ["ModifyCluster"]),
    "snapshots": ("aws: {snapshot_days: 7}", ["ModifyCluster"]),
    "window": ("aws: {maintenance_window: 'mon:10:00-mon:10:30'}", ["ModifyCluster"]),
    "tags": ("tags: {a: b}", ["CreateTags"]),
    "paused": ("running: false", ["PauseCluster"]),
    "several": ("aws: {snapshot_days: 7, publicly_accessible: true, enhanced_vpc_routing: true}", ["ModifyCluster"]),
    "final_snapshot": ("aws: {final_snapshot: last}", []),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_attribute_is_changed_in_place(city, name):
    text, calls = CHANGES[name]
    city.apply()
    made = cluster(city)["ClusterNamespaceArn"]
    more(city, text)
    assert city.changes() == {"cluster.dw": "update"}
    assert [action for action, _ in apply(city)] == calls
    assert city.changes() == {} and city.drift() == {}
    assert cluster(city)["ClusterNamespaceArn"] == made


@pytest.mark.parametrize("old, new", [("san_francisco", "oakland"), ("steward", "keeper"), ("city-dw", "city-dw2")])
def test_what_redshift_cannot_change_replaces_the_cluster(city, old, new):
    city.apply()
    city.edit("stack.yaml", (old, new))
    assert "delete" in city.changes()["cluster.dw"] or "replace" in city.changes()["cluster.dw"]
    assert [action for action, _ in apply(city)] == ["DeleteCluster", "CreateCluster"]
    assert city.changes() == {}


def test_a_new_password_is_set_once_and_only_when_it_is_new(city):
    city.apply()
    more(city, "aws: {snapshot_days: 3}")
    assert apply(city) == [("ModifyCluster", {"AutomatedSnapshotRetentionPeriod": 3})]
    city.env["SF_VAR_password"] = "Another1horse2battery"
    assert city.changes() == {"cluster.dw": "update"}
    [(action, params)] = apply(city)
    assert action == "ModifyCluster" and list(params) == ["MasterUserPassword"]
    assert city.changes() == {}
    more(city, "running: false\n    aws: {snapshot_days: 5}")
    city.env["SF_VAR_password"] = "Third1horse2battery"
    assert [(a, sorted(p)) for a, p in apply(city)] == [
        ("ModifyCluster", ["AutomatedSnapshotRetentionPeriod", "MasterUserPassword"]), ("PauseCluster", [])]
    assert city.changes() == {}


def test_secrets_manager_can_keep_the_password(city):
    city.write("stack.yaml", STACK.replace('password: "${var.password}"', "aws: {manage_password: true}"))
    city.apply()
    assert cluster(city)["MasterPasswordSecretArn"].startswith("arn:aws:secretsmanager:")
    assert city.changes() == {}
    city.write("stack.yaml", STACK)
    [(action, params)] = apply(city)
    assert action == "ModifyCluster" and sorted(params) == ["ManageMasterPassword", "MasterUserPassword"]
    assert "MasterPasswordSecretArn" not in cluster(city)
    assert city.changes() == {}


def test_roles_are_added_and_taken_away_and_waited_for(city):
    trust = '{Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: redshift.amazonaws.com}, Action: "sts:AssumeRole"}]}'
    city.write("stack.yaml", STACK.replace("  dw:\n", f"  one: {{kind: role, name: one, trust: {trust}}}\n"
                                           f"  two: {{kind: role, name: two, trust: {trust}}}\n  dw:\n").replace("#more", "roles: [one]"))
    city.apply()
    assert city.changes() == {}
    city.edit("stack.yaml", ("roles: [one]", "roles: [two]"))
    [(action, params)] = apply(city)
    assert action == "ModifyClusterIamRoles" and params["AddIamRoles"][0].endswith(":role/two"), params
    assert [(r["IamRoleArn"].rpartition("/")[2], r["ApplyStatus"]) for r in cluster(city)["IamRoles"]] == [("two", "in-sync")]
    assert city.changes() == {}


def test_a_paused_cluster_is_resumed_before_it_is_changed(city):
    city.apply()
    more(city, "running: false")
    city.apply()
    assert cluster(city)["ClusterStatus"] == "paused" and city.changes() == {}
    more(city, "running: false\n    aws: {snapshot_days: 7}")
    assert "is paused" in city.refuse(1, "sfapply", "-auto-approve").err
    more(city, "aws: {snapshot_days: 7}")
    assert [action for action, _ in apply(city)] == ["ResumeCluster", "ModifyCluster"]
    assert city.changes() == {}


def test_without_security_groups_nobody_is_let_in_but_the_vpcs_own(city):
    city.apply()
    city.edit("stack.yaml", ("security_groups: [sql]", "security_groups: []"))
    assert [action for action, _ in apply(city)] == ["ModifyCluster"]
    [group] = cluster(city)["VpcSecurityGroups"]
    [found] = city.cli("ec2", "describe-security-groups", "--group-ids", group["VpcSecurityGroupId"])["SecurityGroups"]
    assert found["GroupName"] == "default"
    assert city.changes() == {} and city.drift() == {}


DRIFT = {
    "snapshots": ["modify-cluster", "--automated-snapshot-retention-period", "9"],
    "public": ["modify-cluster", "--publicly-accessible"],
    "routing": ["modify-cluster", "--enhanced-vpc-routing"],
    "paused": ["pause-cluster"],
}


@pytest.mark.parametrize("name", DRIFT)
def test_a_change_outside_is_seen_and_put_back(city, name):
    city.apply()
    before = cluster(city)
    city.cli("redshift", DRIFT[name][0], "--cluster-identifier", "city-dw", *DRIFT[name][1:])
    city.cli("redshift", "wait", "cluster-available", "--cluster-identifier", "city-dw") if name != "paused" else [cluster(city) for _ in "123"]
    assert city.drift() == city.changes() == {"cluster.dw": "update"}
    city.apply()
    after = cluster(city)
    assert {k: after[k] for k in before if k != "NextMaintenanceWindowStartTime"} == {
        k: before[k] for k in before if k != "NextMaintenanceWindowStartTime"}
    assert city.changes() == {}


def test_tags_that_drift_are_put_back(city):
    city.apply()
    arn = "arn:aws:redshift:us-west-2:123456789012:cluster:city-dw"
    city.cli("redshift", "create-tags", "--resource-name", arn, "--tags", "Key=owner,Value=mallory", "Key=more,Value=1")
    assert city.drift() == city.changes() == {"cluster.dw": "update"}
    city.apply()
    tags = {t["Key"]: t["Value"] for t in cluster(city)["Tags"]}
    assert tags["owner"] == "controller" and "more" not in tags


def make_by_hand(city):
    city.cli("redshift", "create-cluster", "--cluster-identifier", "city-dw", "--node-type", "ra3.large", "--cluster-type", "single-node",
             "--master-username", "anna", "--master-user-password", PASSWORD)


def test_an_identifier_that_is_taken_is_refused_while_planning_saying_whose_it_is(city):
    make_by_hand(city)
    refused = city.refuse(1, "sfplan")
    assert "cluster 'city-dw' exists already" in refused.err
    city.refuse(1, "sfapply", "-auto-approve")
    assert cluster(city)["MasterUsername"] == "anna"


def test_a_cluster_deleted_outside_is_made_again(city):
    city.apply()
    city.cli("redshift", "delete-cluster", "--cluster-identifier", "city-dw", "--skip-final-cluster-snapshot")
    city.cli("redshift", "wait", "cluster-deleted", "--cluster-identifier", "city-dw")
    assert city.changes() == {"cluster.dw": "create"}
    assert [action for action, _ in apply(city)] == ["CreateCluster"]
    assert city.changes() == {}


@pytest.mark.parametrize("action", ["CreateCluster", "ModifyCluster", "DescribeClusters"])
@pytest.mark.parametrize("fault", ["reset-after", "500-after", "throttle"])
def test_a_reply_that_never_comes_or_says_later_makes_nothing_twice(city, action, fault):
    city.fault(action, fault, nth=1)
    city.apply()
    city.faults([])
    assert city.changes() == {}
    city.fault(action, fault, nth=1)
    more(city, "aws: {snapshot_days: 7}")
    city.apply()
    city.faults([])
    assert cluster(city)["AutomatedSnapshotRetentionPeriod"] == 7 and city.changes() == {}
    assert len(city.cli("redshift", "describe-clusters")["Clusters"]) == 1


def test_a_final_snapshot_is_taken_and_told_of(city):
    city.apply()
    more(city, "aws: {final_snapshot: city-last}")
    city.apply()
    result = city.ok("sfdestroy", "-auto-approve")
    assert "snapshot 'city-last' stays, and costs money" in result.out + result.err
    [snapshot] = city.cli("redshift", "describe-cluster-snapshots")["Snapshots"]
    assert snapshot["SnapshotIdentifier"] == "city-last"


@pytest.mark.parametrize("changes, says", [
    ([('    password: "${var.password}"\n', "")], "needs a password, or manage_password"),
    ([("    #more", "    aws: {manage_password: true}")], "not both"),
    ([("    #more", "    port: 5000")], "5431 to 5455"),
    ([("    #more", "    aws: {node_type: dc2.large}")], "makes no clusters of 'dc2.large'"),
    ([("    #more", "    aws: {node_type: ra4.huge}")], "not a node type"),
    ([("    #more", "    aws: {node_type: ra3.4xlarge}")], "at least 2 nodes"),
    ([("    #more", "    aws: {encrypted: false}")], "does not encrypt"),
    ([("    #more", "    aws: {subnets: [subnet-1]}")], "'subnets' is for a serverless cluster"),
    ([("    #more", "    aws: {serverless: {base_rpus: 12}}")], "multiple of 8"),
    ([("    #more", "    aws: {serverless: {base_rpus: 64, max_rpus: 32}}")], "less than base_rpus"),
    ([("    #more", "    running: false\n    aws: {serverless: {}}")], "costs nothing"),
    ([("    #more", "    aws: {serverless: {}, node_type: ra3.large}")], "'node_type' is for a provisioned cluster"),
    ([("city-dw", "city--dw")], "identifier"),
    ([("steward", "public")], "username"),
])
def test_what_redshift_would_refuse_is_an_error_of_the_plan(city, changes, says):
    city.edit("stack.yaml", *changes)
    assert says in city.refuse(65, "sfplan").err


@pytest.mark.parametrize("password, says", [
    ("alllowercase1", "no upper-case"), ("ALLUPPERCASE1", "no lower-case"), ("NoDigitsHere", "no digit"), ("With@Sign123", "blank or one of"),
    ("With blank 1", "blank or one of"), ("Sh0rt", "8"),
])
def test_a_password_that_redshift_would_refuse_is_an_error_of_the_plan_and_is_not_shown(city, password, says):
    city.env["SF_VAR_password"] = password
    refused = city.refuse(65, "sfplan")
    assert says in refused.err and password not in refused


def test_a_role_that_does_not_trust_redshift_is_an_error_of_the_plan(city):
    city.write("stack.yaml", STACK.replace("  dw:\n", "  one: {kind: role, name: one, trust: transfer}\n  dw:\n").replace(
        "#more", "roles: [one]"))
    assert "does not trust Redshift" in city.refuse(65, "sfplan").err
