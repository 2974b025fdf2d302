"""kind security_group on AWS: rules one by one, the VPC, whose a name is, what holds a group."""

import json
import re

import pytest

STACK = """stack: city
provider: aws
tags: {owner: controller}
resources:
  sql:
    kind: security_group
    name: city-sql
    description: who may reach the warehouse
    ingress:
      - {protocol: tcp, port: 5439, from: [203.0.113.7/24], description: dashboards}
      - {protocol: tcp, port: 8000, to_port: 8010, from: [10.0.0.0/8, "2001:db8::/32"]}
      - {protocol: all, from: [192.0.2.1/32]}
      - {protocol: icmp, from: [192.0.2.0/24, "2001:db8:1::/48"]}
      - {protocol: udp, from: [198.51.100.0/24]}
      - {port: 1234, from: []}
"""
RULES = {
    ("tcp", 5439, 5439, "203.0.113.0/24", "dashboards"), ("tcp", 8000, 8010, "10.0.0.0/8", None),
    ("tcp", 8000, 8010, "2001:db8::/32", None), ("-1", None, None, "192.0.2.1/32", None), ("icmp", -1, -1, "192.0.2.0/24", None),
    ("icmpv6", -1, -1, "2001:db8:1::/48", None), ("udp", 0, 65535, "198.51.100.0/24", None),
}
ALL_OUT = {("-1", None, None, "0.0.0.0/0", None)}


@pytest.fixture
def city(aws):
    aws.write("stack.yaml", STACK)
    return aws


def groups(ws, name="city-sql"):
    return ws.call("ec2", "describe_security_groups", Filters=[{"Name": "group-name", "Values": [name]}])["SecurityGroups"]


def rules(group, way="IpPermissions"):
    return {(p["IpProtocol"], p.get("FromPort"), p.get("ToPort"), r.get("CidrIp") or r.get("CidrIpv6"), r.get("Description"))
            for p in group[way] for r in [*p["IpRanges"], *p.get("Ipv6Ranges", [])]}


def authorize(ws, group, permission):
    ws.call("ec2", "authorize_security_group_ingress", GroupId=group["GroupId"], IpPermissions=[permission])


def test_a_group_is_made_with_its_rules_and_marks_and_the_plan_after_it_is_empty(city):
    calls = city.actions_of("sfapply", "-auto-approve")
    [group] = groups(city)
    assert rules(group) == RULES
    assert rules(group, "IpPermissionsEgress") == ALL_OUT
    assert group["Description"] == "who may reach the warehouse"
    tags = {t["Key"]: t["Value"] for t in group["Tags"]}
    assert tags["owner"] == "controller" and tags["sfstack:address"] == "security_group.sql", tags
    assert tags["sfstack:stack"].startswith("city/") and tags["sfstack:intent"], tags
    assert city.cli("ec2", "describe-security-groups", "--group-ids", group["GroupId"])["SecurityGroups"] == [group]
    assert calls.count("CreateSecurityGroup") == calls.count("AuthorizeSecurityGroupIngress") == 1
    assert [c for c in calls if c.startswith(("Create", "Authorize", "Revoke", "Update", "Delete"))] == [
        "CreateSecurityGroup", "AuthorizeSecurityGroupIngress"]
    assert city.changes() == {} and city.drift() == {}
    city.ok("sfdestroy", "-auto-approve")
    assert groups(city) == []


def test_a_plan_asks_for_a_group_once(city):
    city.apply()
    calls = city.actions_of("sfplan")
    assert [c for c in calls if "SecurityGroup" in c or "Vpc" in c] == ["DescribeSecurityGroups"]


def test_only_what_differs_is_authorised_first_and_revoked_then(city):
    city.apply()
    city.edit("stack.yaml", ("203.0.113.7/24], description: dashboards", "203.0.113.7/24, 198.51.100.9/32], description: analysts"),
              ("10.0.0.0/8, ", ""), ("to_port: 8010", "to_port: 8020"))
    calls = city.calls_of("sfapply", "-auto-approve")
    writes = [(c["action"], str(c["params"])) for c in calls if "SecurityGroup" in c["action"] and "Describe" not in c["action"][:8]]
    assert [c for c, _ in writes] == ["AuthorizeSecurityGroupIngress", "UpdateSecurityGroupRuleDescriptionsIngress",
                                     "RevokeSecurityGroupIngress"]
    assert "198.51.100.9" in writes[0][1] and "203.0.113.0" not in writes[0][1]
    assert "203.0.113.0" in writes[1][1] and "analysts" in writes[1][1]
    assert "10.0.0.0" in writes[2][1] and "203.0.113" not in writes[2][1]
    assert rules(groups(city)[0]) == RULES - {
        ("tcp", 5439, 5439, "203.0.113.0/24", "dashboards"), ("tcp", 8000, 8010, "10.0.0.0/8", None),
        ("tcp", 8000, 8010, "2001:db8::/32", None)} | {
        ("tcp", 5439, 5439, "203.0.113.0/24", "analysts"), ("tcp", 5439, 5439, "198.51.100.9/32", "analysts"),
        ("tcp", 8000, 8020, "2001:db8::/32", None)}
    assert city.changes() == {}


def test_every_change_outside_is_seen_and_put_back(city):
    city.apply()
    [group] = groups(city)
    authorize(city, group, {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
    authorize(city, group, {"IpProtocol": "tcp", "FromPort": 23, "ToPort": 23, "UserIdGroupPairs": [{"GroupId": group["GroupId"]}]})
    city.cli("ec2", "revoke-security-group-ingress", "--group-id", group["GroupId"], "--ip-permissions",
             json.dumps([{"IpProtocol": "tcp", "FromPort": 8000, "ToPort": 8010, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]))
    city.cli("ec2", "update-security-group-rule-descriptions-ingress", "--group-id", group["GroupId"], "--ip-permissions", json.dumps(
        [{"IpProtocol": "tcp", "FromPort": 5439, "ToPort": 5439, "IpRanges": [{"CidrIp": "203.0.113.0/24", "Description": "?"}]}]))
    city.cli("ec2", "create-tags", "--resources", group["GroupId"], "--tags", "Key=owner,Value=mallory", "Key=more,Value=1")
    plan = city.run("sfplan", "-no-color").out
    for text in ("0.0.0.0/0", group["GroupId"], "10.0.0.0/8", "mallory", "port = 22"):
        assert text in plan, text
    assert city.drift() == city.changes() == {"security_group.sql": "update"}
    city.apply()
    [group] = groups(city)
    assert rules(group) == RULES and not any(p["UserIdGroupPairs"] for p in group["IpPermissions"])
    tags = {t["Key"]: t["Value"] for t in group["Tags"]}
    assert tags["owner"] == "controller" and "more" not in tags
    assert city.changes() == {} and city.drift() == {}


def test_egress_is_left_alone_until_the_stack_speaks_of_it(city):
    city.apply()
    city.edit("stack.yaml", ("    ingress:", "    aws: {egress: [{protocol: tcp, port: 443, to: [0.0.0.0/0], description: out}]}\n    ingress:"))
    city.apply()
    assert rules(groups(city)[0], "IpPermissionsEgress") == {("tcp", 443, 443, "0.0.0.0/0", "out")}
    assert city.changes() == {}
    city.ok("sfdestroy", "-auto-approve")
    city.apply()  # with egress from the start: AWS's own rule goes
    assert rules(groups(city)[0], "IpPermissionsEgress") == {("tcp", 443, 443, "0.0.0.0/0", "out")}
    assert city.changes() == {}


@pytest.mark.parametrize("old, new", [("city-sql", "city-db"), ("reach the warehouse", "come in")])
def test_name_and_description_replace_the_group(city, old, new):
    city.apply()
    before = groups(city)[0]["GroupId"]
    city.edit("stack.yaml", (old, new))
    assert list(city.changes().values()) in (["replace"], ["create_then_delete"], ["delete_then_create"])
    city.apply()
    [group] = groups(city, "city-db" if new == "city-db" else "city-sql")
    assert group["GroupId"] != before and rules(group) == RULES
    assert city.changes() == {}
    assert len(groups(city) + groups(city, "city-db")) == 1


def test_a_name_that_is_taken_is_refused_while_planning_saying_whose_it_is(city):
    city.cli("ec2", "create-security-group", "--group-name", "city-sql", "--description", "x")
    refused = city.refuse(1, "sfplan")
    assert "security group 'city-sql' exists already" in refused.err and "adopt" in refused.err
    city.refuse(1, "sfapply", "-auto-approve")
    assert len(groups(city)) == 1


def test_a_group_deleted_outside_is_made_again(city):
    city.apply()
    city.cli("ec2", "delete-security-group", "--group-id", groups(city)[0]["GroupId"])
    assert city.changes() == {"security_group.sql": "create"}
    city.apply()
    assert rules(groups(city)[0]) == RULES
    city.cli("ec2", "delete-security-group", "--group-id", groups(city)[0]["GroupId"])
    city.ok("sfdestroy", "-auto-approve")


@pytest.mark.parametrize("action", ["CreateSecurityGroup", "AuthorizeSecurityGroupIngress"])
def test_a_lost_reply_makes_nothing_twice(city, action):
    city.fault(action, "reset-after", times=1)
    city.apply()
    [group] = groups(city)
    assert rules(group) == RULES
    assert city.changes() == {}


@pytest.mark.parametrize("action", ["CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "DescribeSecurityGroups"])
def test_throttling_is_waited_out(city, action):
    city.fault(action, "throttle", times=2)
    city.apply()
    assert rules(groups(city)[0]) == RULES
    assert city.changes() == {}


def test_what_was_made_but_not_finished_is_finished_by_the_next_run(city):
    city.fault("AuthorizeSecurityGroupIngress", "deny", times=1)
    refused = city.refuse(4, "sfapply", "-auto-approve")
    assert "not allowed" in refused.err
    [group] = groups(city)
    assert rules(group) == set()
    assert city.changes() == {"security_group.sql": "update"}
    city.apply()
    assert [g["GroupId"] for g in groups(city)] == [group["GroupId"]] and rules(groups(city)[0]) == RULES
    assert city.changes() == {}


def test_a_group_in_use_is_waited_for_and_its_user_named(city):
    city.edit("stack.yaml", ("    kind: security_group", "    kind: security_group\n    timeouts: {destroy: 4s}"))
    city.apply()
    [group] = groups(city)
    subnet = city.call("ec2", "describe_subnets", Filters=[{"Name": "vpc-id", "Values": [group["VpcId"]]}])["Subnets"][0]["SubnetId"]
    interface = city.cli("ec2", "create-network-interface", "--subnet-id", subnet, "--groups", group["GroupId"], "--description",
                         "RedshiftNetworkInterface")["NetworkInterface"]["NetworkInterfaceId"]
    in_use = {"code": "DependencyViolation", "message": "resource has a dependent object"}
    city.fault("DeleteSecurityGroup", "error", **in_use)
    city.edit("stack.yaml", ("reach the warehouse", "come in"))
    refused = city.refuse(1, "sfapply", "-auto-approve")
    assert re.search(rf"still in use by {interface} \(RedshiftNetworkInterface\)", refused.err), refused
    assert city.counts()["ec2.DeleteSecurityGroup"] > 1
    city.cli("ec2", "delete-network-interface", "--network-interface-id", interface)
    city.fault("DeleteSecurityGroup", "error", **in_use, times=2)  # it takes AWS a moment to notice
    city.apply()
    assert groups(city)[0]["GroupId"] != group["GroupId"]


def test_without_a_default_vpc_one_must_be_named(city):
    vpc = city.call("ec2", "describe_vpcs")["Vpcs"][0]["VpcId"]
    for subnet in city.call("ec2", "describe_subnets", Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]:
        city.call("ec2", "delete_subnet", SubnetId=subnet["SubnetId"])
    city.call("ec2", "delete_vpc", VpcId=vpc)
    refused = city.refuse(1, "sfplan")
    assert "no default VPC" in refused.err and "create-default-vpc" in refused.err
    other = city.cli("ec2", "create-vpc", "--cidr-block", "10.9.0.0/16")["Vpc"]["VpcId"]
    city.edit("stack.yaml", ("    ingress:", f"    aws: {{vpc: {other}}}\n    ingress:"))
    city.apply()
    assert groups(city)[0]["VpcId"] == other
    assert city.changes() == {}


@pytest.mark.parametrize("old, new, says", [
    ("203.0.113.7/24", "127.0.0.1/32", "curl https://checkip.amazonaws.com"),
    ('"2001:db8::/32"', '"::1/128"', "loopback"),
    ("name: city-sql", "name: sg-city", "cannot start with 'sg-'"),
    ("who may reach the warehouse", "who?", "characters that AWS refuses"),
    ("to_port: 8010", "to_port: 80", "`to_port`"),
])
def test_what_aws_would_refuse_is_an_error_of_the_plan(city, old, new, says):
    city.edit("stack.yaml", (old, new))
    refused = city.refuse(65, "sfplan")
    assert says in refused.err
    assert city.inventory() == {}


def test_a_warehouse_open_to_the_world_is_warned_of(city):
    city.edit("stack.yaml", ("203.0.113.7/24", "0.0.0.0/0"))
    result = city.ok("sfplan")
    assert "whole internet" in result.out + result.err


def test_an_existing_group_is_adopted_as_it_is(city):
    made = city.cli("ec2", "create-security-group", "--group-name", "city-sql", "--description", "who may reach the warehouse")["GroupId"]
    authorize(city, {"GroupId": made}, {"IpProtocol": "tcp", "FromPort": 5439, "ToPort": 5439,
                                        "IpRanges": [{"CidrIp": "203.0.113.0/24", "Description": "dashboards"}]})
    city.write("stack.yaml", STACK[:STACK.index("      - {protocol: tcp, port: 8000")].replace("tags: {owner: controller}\n", "")
               .replace("    name:", f"    adopt: {made}\n    name:"))
    calls = city.actions_of("sfapply", "-auto-approve")
    assert "CreateSecurityGroup" not in calls and "AuthorizeSecurityGroupIngress" not in calls
    [group] = groups(city)
    assert group["GroupId"] == made and {t["Key"] for t in group["Tags"]} == {"sfstack:stack", "sfstack:address", "sfstack:intent"}
    assert city.changes() == {}
