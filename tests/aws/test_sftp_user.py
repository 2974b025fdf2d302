"""kind sftp_user on AWS: homes, keys, session policies, whose a name is."""

import json

import pytest

USER = "sftp_user.uploader"
STACK = """stack: city
provider: aws
tags: {owner: controller}
resources:
  host: {kind: ssh_key}
  mine: {kind: ssh_key, comment: me}
  yours: {kind: ssh_key, algorithm: rsa, bits: 2048}
  landing: {kind: bucket, name: city-landing-123}
  writer: {kind: role, name: city-writer, trust: transfer}
  reader: {kind: role, name: city-reader, trust: transfer}
  sftp: {kind: sftp_server, host_keys: [host]}
  uploader:
    kind: sftp_user
    server: sftp
    name: up.loader
    role: writer
    home: landing
    keys: [mine]
outputs:
  command: "${uploader.sftp_command}"
"""
POLICY = """    policy: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: s3:GetObject, Resource: "arn:aws:s3:::${Transfer:HomeBucket}/*"}]}
"""
CHANGES = ("Create", "Update", "Delete", "Import", "Tag", "Untag")


@pytest.fixture
def city(aws):
    aws.write("stack.yaml", STACK)
    return aws


def server_id(ws):
    return ws.call("transfer", "list_servers")["Servers"][0]["ServerId"]


def user(ws, name="up.loader"):
    return ws.call("transfer", "describe_user", ServerId=server_id(ws), UserName=name)["User"]


def users(ws):
    return [u["UserName"] for u in ws.call("transfer", "list_users", ServerId=server_id(ws))["Users"]]


def bodies(ws):
    return sorted(k["SshPublicKeyBody"].split()[1] for k in user(ws)["SshPublicKeys"])


def body(ws, *names):
    return sorted(ws.show(f"ssh_key.{name}")["public_key"].split()[1] for name in names)


def user_calls(ws, *argv):
    """Calls about users that a program made."""
    return [c["action"] for c in ws.calls_of(*argv) if c["service"] == "transfer" and c["action"].endswith(("User", "PublicKey", "Resource"))]


def writes(ws, *argv):
    return [c for c in user_calls(ws, *argv) if c.startswith(CHANGES)]


def test_one_call_makes_a_user_who_sees_one_bucket_and_the_plan_after_it_is_empty(city):
    assert user_calls(city, "sfapply", "-auto-approve") == ["CreateUser"]
    made = user(city)
    shown = city.cli("transfer", "describe-user", "--server-id", server_id(city), "--user-name", "up.loader")["User"]
    assert {**shown, "SshPublicKeys": []} == {**made, "SshPublicKeys": []}
    assert made["HomeDirectoryType"] == "LOGICAL" and made["HomeDirectoryMappings"] == [{"Entry": "/", "Target": "/city-landing-123"}]
    assert made["Role"].endswith(":role/city-writer") and "Policy" not in made and bodies(city) == body(city, "mine")
    tags = {t["Key"]: t["Value"] for t in made["Tags"]}
    assert tags["owner"] == "controller" and tags["sfstack:address"] == USER and tags["sfstack:intent"]
    assert user_calls(city, "sfplan") == ["DescribeUser"]
    assert city.changes() == {} and city.drift() == {}
    city.ok("sfdestroy", "-auto-approve")
    assert city.call("transfer", "list_servers")["Servers"] == []


def test_the_command_that_is_printed_names_key_host_and_known_hosts_and_asks_nothing(city):
    city.apply()
    command, host = city.output("command"), f"{server_id(city)}.server.transfer.us-west-2.amazonaws.com"
    city.write("sftp", '#!/bin/sh\nfor word in "$@"; do echo "$word"; done\n')
    city.ok("chmod", "+x", city.path("sftp"))
    words = city.ok("sh", "-c", f"PATH={city.dir}:$PATH {command} -b batch").out.splitlines()
    secrets = city.path(".sf/city/aws/secrets")
    assert words == ["-i", f"{secrets}/mine", "-P", "22", "-o", f"UserKnownHostsFile={secrets}/known_hosts", "-o",
                     "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-b", "batch", f"up.loader@{host}"]
    assert city.read(".sf/city/aws/secrets/known_hosts").startswith(f"{host} ssh-ed25519 ")


@pytest.mark.parametrize("old, new, seen", [
    ("home: landing", "home: landing\n    prefix: in/weekly/",
     lambda u: u["HomeDirectoryMappings"] == [{"Entry": "/", "Target": "/city-landing-123/in/weekly"}]),
    ("home: landing", "home: landing\n    aws: {home_type: PATH}",
     lambda u: u["HomeDirectoryType"] == "PATH" and u["HomeDirectory"] == "/city-landing-123"),
    ("home: landing", 'home: landing\n    aws: {mappings: [{entry: /reports, target: "/other/reports"}, '
     '{entry: /one, target: "/other/one", type: FILE}]}',
     lambda u: u["HomeDirectoryMappings"][1:] == [{"Entry": "/reports", "Target": "/other/reports"},
                                                  {"Entry": "/one", "Target": "/other/one", "Type": "FILE"}]),
    ("role: writer", "role: reader", lambda u: u["Role"].endswith("city-reader")),
    ("    keys: [mine]\n", "    keys: [mine]\n" + POLICY, lambda u: "${Transfer:HomeBucket}" in u["Policy"]),
])
def test_a_property_is_changed_by_one_call_and_back(city, old, new, seen):
    city.apply()
    before = user(city)
    city.edit("stack.yaml", (old, new))
    assert city.changes() == {USER: "update"}
    assert writes(city, "sfapply", "-auto-approve") == ["UpdateUser"]
    assert seen(user(city)), user(city)
    assert city.changes() == {}
    city.edit("stack.yaml", (new, old))
    city.apply()
    assert user(city) == before
    assert city.changes() == {}


def test_keys_are_added_before_others_go(city):
    city.apply()
    city.edit("stack.yaml", ("keys: [mine]", "keys: [yours]"))
    assert writes(city, "sfapply", "-auto-approve") == ["ImportSshPublicKey", "DeleteSshPublicKey"]
    assert bodies(city) == body(city, "yours")
    city.edit("stack.yaml", ("keys: [yours]", "keys: [mine, yours]"))
    city.apply()
    assert bodies(city) == body(city, "mine", "yours")
    assert city.changes() == {}


def test_several_keys_are_there_from_the_start(city):
    city.edit("stack.yaml", ("keys: [mine]", "keys: [mine, yours]"))
    assert user_calls(city, "sfapply", "-auto-approve") == ["CreateUser", "ImportSshPublicKey"]
    assert bodies(city) == body(city, "mine", "yours")
    assert city.changes() == {}


def test_a_comment_on_a_key_is_no_difference(city):
    city.apply()
    [key] = user(city)["SshPublicKeys"]
    line = " ".join(key["SshPublicKeyBody"].split()[:2]) + " somebody@else"
    where = {"ServerId": server_id(city), "UserName": "up.loader"}
    city.call("transfer", "delete_ssh_public_key", **where, SshPublicKeyId=key["SshPublicKeyId"])
    city.call("transfer", "import_ssh_public_key", **where, SshPublicKeyBody=line)
    assert city.changes() == {} and city.drift() == {}


def test_every_change_outside_is_seen_and_put_back(city):
    city.edit("stack.yaml", ("    keys: [mine]\n", "    keys: [mine]\n" + POLICY))
    city.apply()
    before, where = user(city), {"ServerId": server_id(city), "UserName": "up.loader"}
    city.ok("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mallory", "-f", city.path("alien"))
    city.call("transfer", "import_ssh_public_key", **where, SshPublicKeyBody=city.read("alien.pub"))
    city.call("transfer", "update_user", **where, HomeDirectoryType="PATH", HomeDirectory="/elsewhere/in",
             Role=before["Role"].replace("writer", "reader"),
             Policy=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}))
    city.call("transfer", "tag_resource", Arn=before["Arn"], Tags=[{"Key": "owner", "Value": "nobody"}])
    plan = city.run("sfplan", "-no-color").out
    for text in ("mallory", "elsewhere", "city-reader", "home_type", "nobody", "policy"):
        assert text in plan, (text, plan)
    assert city.drift() == city.changes() == {USER: "update"}
    city.apply()
    assert user(city) == before
    assert city.changes() == {} and city.drift() == {}


def test_another_name_is_another_user(city):
    city.apply()
    city.edit("stack.yaml", ("name: up.loader", "name: loader"))
    assert city.changes() == {USER: "replace"}
    city.apply()
    assert users(city) == ["loader"]
    assert city.changes() == {}


def test_a_user_deleted_outside_is_made_again(city):
    city.apply()
    city.call("transfer", "delete_user", ServerId=server_id(city), UserName="up.loader")
    assert city.changes() == {USER: "create"}
    city.apply()
    assert users(city) == ["up.loader"]
    assert city.changes() == {}


def test_a_user_goes_alone_when_the_server_stays(city):
    city.apply()
    text = city.read("stack.yaml")
    city.write("stack.yaml", text[: text.index("  uploader:")])
    city.apply()
    assert users(city) == []


def test_a_name_that_is_taken_is_refused_while_planning(city):
    text = city.read("stack.yaml")
    city.write("stack.yaml", text[: text.index("  uploader:")])
    city.apply()
    city.call("transfer", "create_user", ServerId=server_id(city), UserName="up.loader", Role="arn:aws:iam::123456789012:role/city-writer")
    city.write("stack.yaml", text)
    refused = city.refuse(1, "sfplan")
    assert "SFTP user 'up.loader' exists already" in refused.err and "adopt" in refused.err


@pytest.mark.parametrize("action", ["CreateUser", "ImportSshPublicKey"])
@pytest.mark.parametrize("how", ["reset-after", "500-after", "throttle"])
def test_a_lost_or_refused_call_leaves_one_user_as_it_should_be(city, action, how):
    city.edit("stack.yaml", ("keys: [mine]", "keys: [mine, yours]"))
    city.fault(action, how, times=1)
    city.apply()
    assert users(city) == ["up.loader"] and bodies(city) == body(city, "mine", "yours")
    assert city.changes() == {}


def test_what_was_made_but_not_finished_is_finished_by_the_next_run(city):
    city.edit("stack.yaml", ("keys: [mine]", "keys: [mine, yours]"))
    city.fault("ImportSshPublicKey", "deny", times=1)
    assert "not allowed" in city.refuse(4, "sfapply", "-auto-approve").err
    assert city.changes() == {USER: "update"}
    city.apply()
    assert bodies(city) == body(city, "mine", "yours")
    assert city.changes() == {}


@pytest.mark.parametrize("old, new, says", [
    ("name: city-writer, trust: transfer", "name: city-writer, trust: redshift", "does not let Transfer Family assume it"),
    ("home: landing", "home: landing\n    aws: {home_type: PATH, mappings: [{entry: /a, target: /b}]}", "has no mappings"),
    ("home: landing", "home: landing\n    aws: {mappings: [{entry: /, target: /b}]}", "is from '/' to '/b'"),
    ("bits: 2048", "bits: 16384", "public keys of 2048 characters"),
    ("    keys: [mine]\n", "    keys: [mine]\n" + POLICY.replace("HomeBucket}/*", "HomeBucket}/" + "x" * 2100), "session policy has"),
])
def test_what_aws_would_refuse_is_an_error_of_the_plan(city, old, new, says):
    city.edit("stack.yaml", (old, new))
    if "bits" in new:
        city.edit("stack.yaml", ("keys: [mine]", "keys: [yours]"))
    assert says in city.refuse(65, "sfplan").err


def test_an_existing_user_is_adopted_as_he_is(city):
    city.apply()
    city.call("transfer", "create_user", ServerId=server_id(city), UserName="analyst", Role="arn:aws:iam::123456789012:role/city-reader",
             HomeDirectoryType="LOGICAL", HomeDirectoryMappings=[{"Entry": "/", "Target": "/city-landing-123/out"}],
             SshPublicKeyBody=city.show("ssh_key.yours")["public_key"])
    before = user(city, "analyst")
    city.edit("stack.yaml", ("outputs:", f"""  analyst:
    kind: sftp_user
    adopt: {server_id(city)}/analyst
    server: sftp
    name: analyst
    role: reader
    home: landing
    prefix: out
    keys: [yours]
outputs:"""))
    assert writes(city, "sfapply", "-auto-approve") == ["TagResource"]
    assert {**user(city, "analyst"), "Tags": []} == {**before, "Tags": []}
    assert city.changes() == {}
