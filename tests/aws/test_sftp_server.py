"""kind sftp_server on AWS: Transfer Family's servers, their host keys, their endpoints, what is lost on the way."""

import os

import pytest

SERVER = "sftp_server.sftp"
STACK = """stack: city
provider: aws
tags: {owner: controller}
resources:
  first: {kind: ssh_key}
  second: {kind: ssh_key, algorithm: rsa, bits: 2048, format: pem}
  third: {kind: ssh_key}
  logs: {kind: role, name: city-logs, trust: transfer}
  sftp:
    kind: sftp_server
    host_keys: [first]
    tags: {what: files}
"""
KNOWN_HOSTS = ".sf/city/aws/secrets/known_hosts"
CHANGES = ("Create", "Update", "Delete", "Import", "Tag", "Untag", "Start", "Stop")


@pytest.fixture
def city(aws):
    aws.write("stack.yaml", STACK)
    return aws


def servers(ws):
    listed = ws.call("transfer", "list_servers")["Servers"]
    return [ws.call("transfer", "describe_server", ServerId=s["ServerId"])["Server"] for s in listed]


def server(ws):
    [one] = servers(ws)
    return one


def host_keys(ws):
    """Fingerprints that the service lists, without padding."""
    listed = ws.call("transfer", "list_host_keys", ServerId=server(ws)["ServerId"])["HostKeys"]
    return sorted(key["Fingerprint"].rstrip("=") for key in listed)


def fingerprint(ws, name):
    return ws.show(f"ssh_key.{name}")["fingerprint"]


def public_line(ws, name, host):
    return f"{host} {' '.join(ws.show(f'ssh_key.{name}')['public_key'].split()[:2])}"


def tags(ws):
    return {t["Key"]: t["Value"] for t in server(ws)["Tags"]}


def transfer_calls(ws, *argv):
    """Calls about servers that a program made, looks at a server that starts or stops taken together."""
    calls = [call["action"] for call in ws.calls_of(*argv) if call["service"] == "transfer"]
    return [c for i, c in enumerate(calls) if not (c == "DescribeServer" and calls[i - 1 : i] == ["DescribeServer"])]


def test_one_call_makes_a_server_with_its_key_and_marks_and_the_plan_after_it_is_empty(city):
    assert transfer_calls(city, "sfapply", "-auto-approve") == ["CreateServer", "DescribeServer", "ListHostKeys"]
    made = server(city)
    assert city.cli("transfer", "describe-server", "--server-id", made["ServerId"])["Server"] == made
    assert made["State"] == "ONLINE" and made["EndpointType"] == "PUBLIC" and made["Domain"] == "S3"
    assert made["Protocols"] == ["SFTP"] and made["IdentityProviderType"] == "SERVICE_MANAGED"
    assert made["SecurityPolicyName"] == "TransferSecurityPolicy-2024-01"
    assert made["ProtocolDetails"]["SetStatOption"] == "ENABLE_NO_OP"
    assert tags(city).items() >= {"owner": "controller", "what": "files", "sfstack:address": SERVER}.items()
    assert tags(city)["sfstack:stack"].startswith("city/") and tags(city)["sfstack:intent"]
    shown, host = city.show(SERVER), f"{made['ServerId']}.server.transfer.us-west-2.amazonaws.com"
    assert (shown["host"], shown["port"], shown["endpoint"]) == (host, 22, f"{host}:22")
    assert shown["host_key_fingerprints"] == host_keys(city) == [fingerprint(city, "first")]
    assert city.read(KNOWN_HOSTS) == public_line(city, "first", host) + "\n"
    assert transfer_calls(city, "sfplan") == ["DescribeServer", "ListHostKeys"]
    assert city.changes() == {} and city.drift() == {}
    assert transfer_calls(city, "sfdestroy", "-auto-approve") == ["DescribeServer", "ListHostKeys", "DeleteServer", "ListServers"]
    assert servers(city) == [] and not os.path.exists(city.path(KNOWN_HOSTS))


def test_a_changed_host_key_is_shown_old_and_new_and_is_what_the_server_presents(city):
    city.apply()
    old, new = fingerprint(city, "first"), fingerprint(city, "third")
    city.edit("stack.yaml", ("host_keys: [first]", "host_keys: [third]"))
    plan = city.run("sfplan", "-no-color").out
    assert f'- "{old}"' in plan and f'+ "{new}"' in plan and "updated in-place" in plan
    calls = transfer_calls(city, "sfapply", "-auto-approve")
    assert [c for c in calls if c.startswith(CHANGES)] == ["ImportHostKey", "DeleteHostKey"]  # never without a key
    assert host_keys(city) == [new] and server(city)["HostKeyFingerprint"].rstrip("=") == new
    assert city.read(KNOWN_HOSTS) == public_line(city, "third", city.show(SERVER)["host"]) + "\n"
    assert city.changes() == {}


def test_a_replaced_ssh_key_is_rotated_on_the_server(city):
    city.apply()
    old = fingerprint(city, "first")
    city.apply("-replace", "ssh_key.first")
    assert host_keys(city) == [fingerprint(city, "first")] != [old]
    assert city.changes() == {}


def test_several_host_keys_are_kept_as_a_set(city):
    city.edit("stack.yaml", ("host_keys: [first]", "host_keys: [first, second, third]"))
    calls = transfer_calls(city, "sfapply", "-auto-approve")
    assert calls == ["CreateServer", "ImportHostKey", "ImportHostKey", "DescribeServer", "ListHostKeys"]
    assert host_keys(city) == sorted(fingerprint(city, name) for name in ("first", "second", "third"))
    assert len(city.read(KNOWN_HOSTS).splitlines()) == 3
    city.edit("stack.yaml", ("host_keys: [first, second, third]", "host_keys: [third, second, first]"))
    assert city.changes() == {}
    city.edit("stack.yaml", ("host_keys: [third, second, first]", "host_keys: [second]"))
    city.apply()
    assert host_keys(city) == [fingerprint(city, "second")]
    assert city.changes() == {}


@pytest.mark.parametrize("new, seen", [
    ("aws: {security_policy: TransferSecurityPolicy-2020-06}", lambda s: s["SecurityPolicyName"] == "TransferSecurityPolicy-2020-06"),
    ("aws: {set_stat: false}", lambda s: s["ProtocolDetails"]["SetStatOption"] == "DEFAULT"),
    ("aws: {logging_role: logs}", lambda s: s["LoggingRole"].endswith("role/city-logs")),
])
def test_a_property_is_changed_in_place_and_back(city, new, seen):
    city.apply()
    before = server(city)
    city.edit("stack.yaml", ("    tags: {what: files}", f"    tags: {{what: files}}\n    {new}"))
    assert city.changes() == {SERVER: "update"}
    calls = transfer_calls(city, "sfapply", "-auto-approve")
    assert [c for c in calls if c.startswith(CHANGES)] == ["UpdateServer"]
    assert seen(server(city)) and server(city)["ServerId"] == before["ServerId"]
    assert city.changes() == {}
    city.edit("stack.yaml", (f"\n    {new}", ""))
    city.apply()
    assert server(city) == before
    assert city.changes() == {}


def test_tags_are_changed_in_place(city):
    city.apply()
    city.edit("stack.yaml", ("{what: files}", "{which: all}"))
    calls = transfer_calls(city, "sfapply", "-auto-approve")
    assert [c for c in calls if c.startswith(CHANGES)] == ["TagResource", "UntagResource"]
    assert {k: v for k, v in tags(city).items() if not k.startswith("sfstack:")} == {"owner": "controller", "which": "all"}
    assert city.changes() == {}


def test_a_server_is_stopped_and_started_and_stopping_is_said_to_cost_the_same(city):
    city.apply()
    city.edit("stack.yaml", ("    tags:", "    running: false\n    tags:"))
    stopped = city.apply()
    assert "bills a stopped SFTP server like a running one" in stopped.out + stopped.err
    assert server(city)["State"] == "OFFLINE"
    assert city.changes() == {}
    city.edit("stack.yaml", ("running: false", "running: true"))
    city.apply()
    assert server(city)["State"] == "ONLINE"
    assert city.changes() == {}


def test_a_server_can_be_made_stopped(city):
    city.edit("stack.yaml", ("    tags:", "    running: false\n    tags:"))
    city.apply()
    assert server(city)["State"] == "OFFLINE"
    assert city.changes() == {}


def test_every_change_outside_is_seen_and_put_back(city):
    city.apply()
    here, wanted = server(city), host_keys(city)
    city.ok("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", city.path("alien"))
    city.call("transfer", "import_host_key", ServerId=here["ServerId"], HostKeyBody=city.read("alien"))
    city.call("transfer", "tag_resource", Arn=here["Arn"], Tags=[{"Key": "owner", "Value": "mallory"}, {"Key": "more", "Value": "1"}])
    city.call("transfer", "update_server", ServerId=here["ServerId"], SecurityPolicyName="TransferSecurityPolicy-2018-11",
             ProtocolDetails={"SetStatOption": "DEFAULT"})
    city.call("transfer", "stop_server", ServerId=here["ServerId"])
    os.unlink(city.path(KNOWN_HOSTS))
    plan = city.run("sfplan", "-no-color").out
    alien = city.ok("ssh-keygen", "-l", "-f", city.path("alien")).out.split()[1]
    for text in (alien, "mallory", "TransferSecurityPolicy-2018-11", "set_stat", "known_hosts_file", "running"):
        assert text in plan, (text, plan)
    assert city.drift() == city.changes() == {SERVER: "update"}
    city.apply()
    assert server(city) == here and host_keys(city) == wanted and os.path.exists(city.path(KNOWN_HOSTS))
    assert city.changes() == {} and city.drift() == {}


@pytest.mark.parametrize("harm", [os.unlink, lambda path: open(path, "a").write("s-1.server.transfer.us-west-2.amazonaws.com ssh-rsa AAAA\n")])
def test_a_host_key_that_clients_cannot_check_any_more_is_written_again(city, harm):
    city.apply()
    before = city.read(KNOWN_HOSTS)
    harm(city.path(KNOWN_HOSTS))
    is_lost = not os.path.exists(city.path(KNOWN_HOSTS))
    assert city.changes() == ({SERVER: "update"} if is_lost else {})  # lines of other hosts are somebody else's
    city.apply()
    assert city.read(KNOWN_HOSTS).startswith(before)
    assert city.changes() == {}


def test_a_server_deleted_outside_is_made_again(city):
    city.apply()
    before = server(city)["ServerId"]
    city.call("transfer", "delete_server", ServerId=before)
    assert city.changes()[SERVER] == "create"
    city.apply()
    assert server(city)["ServerId"] != before and host_keys(city) == [fingerprint(city, "first")]
    assert city.changes() == {}
    city.call("transfer", "delete_server", ServerId=server(city)["ServerId"])
    city.ok("sfdestroy", "-auto-approve")
    assert servers(city) == []


@pytest.mark.parametrize("action", ["CreateServer", "ImportHostKey", "StopServer", "DescribeServer", "ListHostKeys"])
@pytest.mark.parametrize("how", ["reset-after", "500-after", "throttle"])
def test_a_lost_or_refused_call_leaves_one_server_as_it_should_be(city, action, how):
    city.edit("stack.yaml", ("host_keys: [first]", "host_keys: [first, third]\n    running: false"))
    city.fault(action, how, times=1)
    city.apply()
    assert server(city)["State"] == "OFFLINE" and len(host_keys(city)) == 2
    assert city.changes() == {}


def test_what_was_made_but_not_finished_is_finished_by_the_next_run(city):
    city.edit("stack.yaml", ("host_keys: [first]", "host_keys: [first, third]"))
    city.fault("ImportHostKey", "deny", times=1)
    assert "not allowed" in city.refuse(4, "sfapply", "-auto-approve").err
    before = server(city)["ServerId"]
    assert city.changes() == {SERVER: "update"}
    city.apply()
    assert server(city)["ServerId"] == before and len(host_keys(city)) == 2
    assert city.changes() == {}


@pytest.mark.parametrize("rule", [{"fault": "deny"}, {"fault": "error", "code": "InvalidRequestException", "status": 400},
                                  {"fault": "expired-token"}])
def test_a_server_whose_fate_could_not_be_looked_up_is_not_made_twice(city, rule):
    city.faults([{"action": "CreateServer", "fault": "reset-after", "times": 1}, {"action": "ListServers", **rule}])
    assert city.run("sfapply", "-auto-approve").code == 6
    city.faults([])
    city.apply()
    assert len(city.inventory()["transfer server"]) == 1


def test_a_lost_delete_is_no_error(city):
    city.apply()
    city.fault("DeleteServer", "reset-after", times=1)
    city.ok("sfdestroy", "-auto-approve")
    assert servers(city) == []


def test_an_endpoint_of_ones_own_is_what_clients_are_told(city):
    city.edit("stack.yaml", ("    tags:", "    aws: {sftp_endpoint: \"files.example.org:2022\"}\n    tags:"))
    city.apply()
    shown = city.show(SERVER)
    assert (shown["host"], shown["port"], shown["endpoint"]) == ("files.example.org", 2022, "files.example.org:2022")
    assert city.read(KNOWN_HOSTS) == public_line(city, "first", "[files.example.org]:2022") + "\n"
    assert city.changes() == {}
    city.edit("stack.yaml", ("    aws: {sftp_endpoint: \"files.example.org:2022\"}\n", ""))
    city.apply()
    assert city.show(SERVER)["endpoint"].endswith(".server.transfer.us-west-2.amazonaws.com:22")
    assert "files.example.org" not in city.read(KNOWN_HOSTS)
    assert city.changes() == {}


def vpc(ws):
    """A VPC with three subnets, three addresses, two groups: (id, subnets, addresses, groups)."""
    made = ws.call("ec2", "create_vpc", CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [ws.call("ec2", "create_subnet", VpcId=made, CidrBlock=f"10.9.{i}.0/24")["Subnet"]["SubnetId"] for i in range(3)]
    addresses = [ws.call("ec2", "allocate_address")["AllocationId"] for _ in range(2)]
    group = ws.call("ec2", "create_security_group", GroupName="door", Description="x", VpcId=made)["GroupId"]
    return made, subnets, addresses, group


def in_vpc(ws, made, subnets, addresses=(), groups=()):
    text = ws.read("stack.yaml").split("    aws:")[0].rstrip("\n")
    ws.write("stack.yaml", f"{text}\n    aws: {{vpc: {{id: {made}, subnets: [{', '.join(subnets)}], "
             f"addresses: [{', '.join(addresses)}], security_groups: [{', '.join(groups)}]}}}}\n")


def test_a_public_server_moves_into_a_vpc_and_about_in_it_and_out_again(city):
    made, (a, b, c), (one, two), group = vpc(city)
    city.apply()
    before, text = server(city)["ServerId"], city.read("stack.yaml")
    in_vpc(city, made, [a, b])
    assert city.changes() == {SERVER: "update"}
    calls = transfer_calls(city, "sfapply", "-auto-approve")
    assert [x for x in calls if x.startswith(CHANGES)] == ["StopServer", "UpdateServer", "StartServer"]
    assert server(city)["EndpointType"] == "VPC" and server(city)["EndpointDetails"]["SubnetIds"] == [a, b]
    assert city.changes() == {}
    in_vpc(city, made, [b, a], [one, two])
    city.apply()
    assert server(city)["EndpointDetails"]["AddressAllocationIds"] == [one, two]
    assert city.changes() == {}
    in_vpc(city, made, [c, a], [two, one])
    city.apply()
    assert sorted(server(city)["EndpointDetails"]["SubnetIds"]) == sorted([a, c])
    assert city.changes() == {}
    city.write("stack.yaml", text)
    city.apply()
    assert server(city)["EndpointType"] == "PUBLIC" and server(city)["ServerId"] == before and server(city)["State"] == "ONLINE"
    assert city.changes() == {}


def test_a_server_is_made_in_a_vpc_with_addresses_and_groups(city):
    made, (a, b, _), (one, two), group = vpc(city)
    in_vpc(city, made, [a, b], [one, two], [group])
    city.apply()
    details = server(city)["EndpointDetails"]
    assert (details["VpcId"], details["AddressAllocationIds"]) == (made, [one, two]) and server(city)["State"] == "ONLINE"

    def groups():
        endpoint = city.call("ec2", "describe_vpc_endpoints", VpcEndpointIds=[details["VpcEndpointId"]])["VpcEndpoints"][0]
        return [g["GroupId"] for g in endpoint["Groups"]]

    assert groups() == [group]
    assert city.changes() == {}
    other = city.call("ec2", "create_security_group", GroupName="gate", Description="x", VpcId=made)["GroupId"]
    in_vpc(city, made, [a, b], [one, two], [other])
    actions = city.actions_of("sfapply", "-auto-approve")
    assert "StopServer" not in actions and actions.count("ModifyVpcEndpoint") == 1
    assert groups() == [other]
    assert city.changes() == {}


def test_another_vpc_is_another_server(city):
    made, (a, b, _), _, _ = vpc(city)
    other, (x, y, _), _, _ = vpc(city)
    in_vpc(city, made, [a, b])
    city.apply()
    before = server(city)["ServerId"]
    in_vpc(city, other, [x, y])
    assert city.changes() == {SERVER: "replace"}
    city.apply()
    assert server(city)["EndpointDetails"]["VpcId"] == other and server(city)["ServerId"] != before
    assert city.changes() == {}


@pytest.mark.parametrize("old, new, says", [
    ("    tags:", "    port: 2222\n    tags:", "listens on port 22 only"),
    ("host_keys: [first]", "host_keys: []", "has no host key"),
    ("first: {kind: ssh_key}", "first: {kind: ssh_key, algorithm: rsa, bits: 2048}", "format: pem"),
    ("first: {kind: ssh_key}", "first: {kind: ssh_key, public_key: \"ssh-ed25519 " + "AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43 + "\"}",
     "cannot be a host key"),
    ("    tags:", "    aws: {security_policy: best}\n    tags:", "not the name of a security policy"),
    ("    tags:", "    aws: {sftp_endpoint: here}\n    tags:", "not a host and a port"),
    ("    tags:", "    aws: {vpc: {id: vpc-1, subnets: [a, b], addresses: [c]}}\n    tags:", "elastic addresses for 2 subnets"),
])
def test_what_aws_would_refuse_is_an_error_of_the_plan(city, old, new, says):
    city.edit("stack.yaml", (old, new))
    assert says in city.refuse(65, "sfplan").err
    assert city.inventory() == {}


def test_a_logging_role_must_let_transfer_in(city):
    city.edit("stack.yaml", ("trust: transfer", "trust: redshift"), ("    tags:", "    aws: {logging_role: logs}\n    tags:"))
    assert "does not let Transfer Family assume it" in city.refuse(65, "sfplan").err


def test_an_existing_server_is_adopted_with_the_host_key_it_has(city):
    made = city.call("transfer", "create_server", ProtocolDetails={"SetStatOption": "ENABLE_NO_OP"})["ServerId"]
    [key] = host_keys(city)
    before = server(city)
    city.write("stack.yaml", f"""stack: city
provider: aws
resources:
  sftp: {{kind: sftp_server, adopt: {made}, host_keys: ["{key}"]}}
""")
    calls = transfer_calls(city, "sfapply", "-auto-approve")
    assert [c for c in calls if c.startswith(CHANGES)] == ["TagResource"]
    assert set(tags(city)) == {"sfstack:stack", "sfstack:address", "sfstack:intent"} and host_keys(city) == [key]
    assert {**server(city), "Tags": []} == {**before, "Tags": [], "State": "ONLINE"}
    assert city.changes() == {}
