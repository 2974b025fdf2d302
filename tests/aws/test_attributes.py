"""Every attribute of every kind that a person can set, changed once on AWS: in place, or by a new object in the old one's place.

CHANGES is complete: a test compares it with the schemas. What replaces is what AWS has no call for; where CloudFormation, Terraform and
the APIs disagree the API decides: a cluster's database name is in no call that changes a cluster, so it is a new cluster.
"""

import collections
import glob
import json
import os

import pytest

UPDATE, REPLACE = "update", "replace"
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
READER = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::tryout-landing/*"}]}
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
KMS_KEY = "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxCU4ZkIkPgsXkzQPZ5hCqTmMDCDIbdLVn7nvcXxE0W me"
PASSWORDS = {"SF_VAR_password": "Correct1horse2battery", "SF_VAR_other": "Another1horse2battery"}
NODES, SERVERLESS = "cluster", "cluster (serverless)"
ADDRESS = {kind: f"{kind}.it" for kind in ("bucket", "policy", "role", "ssh_key", "sftp_server", "sftp_user", "security_group", "cluster")}
ADDRESS[SERVERLESS] = "cluster.it"
MAKING = {"bucket": "CreateBucket", "policy": "CreatePolicy", "role": "CreateRole", "sftp_server": "CreateServer",
          "sftp_user": "CreateUser", "security_group": "CreateSecurityGroup", NODES: "CreateCluster", SERVERLESS: "CreateNamespace"}

# kind: (the resource, others that it needs)
BASE = {
    "bucket": ({"name": "tryout-landing"}, {}),
    "policy": ({"name": "tryout", "document": {**ALLOW, "Statement": [{**ALLOW["Statement"][0], "Sid": "First"}]}}, {}),
    "role": ({"name": "tryout", "trust": "redshift"}, {"read": {"kind": "policy", "name": "tryout-read", "document": ALLOW}}),
    "ssh_key": ({}, {}),
    "sftp_server": ({"host_keys": ["host"]}, {
        "host": {"kind": "ssh_key"}, "other": {"kind": "ssh_key"}, "logs": {"kind": "role", "name": "tryout-logs", "trust": "transfer"}}),
    "sftp_user": ({"server": "sftp", "name": "uploader", "role": "writer", "home": "landing", "keys": ["mine"]}, {
        "sftp": {"kind": "sftp_server"}, "other": {"kind": "sftp_server"}, "mine": {"kind": "ssh_key"}, "yours": {"kind": "ssh_key"},
        "landing": {"kind": "bucket", "name": "tryout-landing"}, "attic": {"kind": "bucket", "name": "tryout-attic"},
        "writer": {"kind": "role", "name": "tryout-writer", "trust": "transfer"},
        "reader": {"kind": "role", "name": "tryout-reader", "trust": "transfer"}}),
    "security_group": ({"name": "tryout", "ingress": [{"port": 5439, "from": ["203.0.113.0/24"]}]}, {}),
    NODES: ({"identifier": "tryout", "database": "city", "username": "steward", "password": "${var.password}"}, {
        "load": {"kind": "role", "name": "tryout-load", "trust": "redshift"}, "sql": {"kind": "security_group", "name": "tryout-sql", "ingress": [{"port": 5439, "from": ["203.0.113.0/24"]}]}}),
}
BASE[SERVERLESS] = ({**BASE[NODES][0], "serverless": {"base_rpus": 8}}, BASE[NODES][1])

Change = collections.namedtuple("Change", "verdict after before", defaults=({},))  # attributes over those of BASE; None: left out


def change(verdict, **after):
    return Change(verdict, after)


def field(attribute, before, after, verdict=UPDATE):
    """A field of an attribute that is an object or a list of them."""
    return Change(verdict, {attribute: after}, {attribute: before})


def rule(**more):
    return [{"port": 443, "to": ["203.0.113.0/24"], **more}]


def door(**more):
    return [{"port": 443, "from": ["203.0.113.0/24"], **more}]


def lifecycle(**more):
    return [{"id": "old", "expire_days": 30, **more}]


def mapping(**more):
    return [{"entry": "/reports", "target": "/tryout-attic/reports", **more}]


def vpc(**more):
    return {"vpc": {"id": "{vpc}", "subnets": ["{subnet}"], **more}}


CHANGES = {
    "bucket": {
        "name": change(REPLACE, name="tryout-other"),
        "versioning": change(UPDATE, versioning=True),
        "force_destroy": change(UPDATE, force_destroy=True),
        "encryption": change(UPDATE, encryption={"algorithm": "aws:kms", "kms_key": KMS_KEY, "bucket_key": True}),
        "encryption.algorithm": change(UPDATE, encryption={"algorithm": "aws:kms"}),
        "encryption.kms_key": field("encryption", {"algorithm": "aws:kms"}, {"algorithm": "aws:kms", "kms_key": KMS_KEY}),
        "encryption.bucket_key": field("encryption", {"algorithm": "aws:kms"}, {"algorithm": "aws:kms", "bucket_key": True}),
        "public": change(UPDATE, public=True),
        "tls_only": change(UPDATE, tls_only=False),
        "policy": change(UPDATE, policy=READER),
        "lifecycle": change(UPDATE, lifecycle=[]),
        "lifecycle.id": field("lifecycle", lifecycle(), lifecycle(id="older")),
        "lifecycle.prefix": field("lifecycle", lifecycle(), lifecycle(prefix="in/")),
        "lifecycle.expire_days": field("lifecycle", lifecycle(), lifecycle(expire_days=31)),
        "lifecycle.noncurrent_days": field("lifecycle", lifecycle(), lifecycle(noncurrent_days=3)),
        "lifecycle.abort_uploads_days": field("lifecycle", lifecycle(), lifecycle(abort_uploads_days=3)),
        "tags": change(UPDATE, tags={"owner": "controller"}),
    },
    "policy": {
        "name": change(REPLACE, name="tryout-other"),
        "description": change(REPLACE, description="what for"),
        "document": change(UPDATE, document=ALLOW),
        "path": change(REPLACE, path="/city/"),
        "tags": change(UPDATE, tags={"owner": "controller"}),
    },
    "role": {
        "name": change(REPLACE, name="tryout-other"),
        "description": change(UPDATE, description="what for"),
        "trust": change(UPDATE, trust=TRUST),
        "policies": change(UPDATE, policies=["read"]),
        "inline": change(UPDATE, inline={"own": ALLOW}),
        "path": change(REPLACE, path="/city/"),
        "boundary": change(UPDATE, boundary="read"),
        "max_session_s": change(UPDATE, max_session_s=7200),
        "tags": change(UPDATE, tags={"owner": "controller"}),
    },
    "ssh_key": {
        "algorithm": change(REPLACE, algorithm="rsa"),
        "bits": Change(REPLACE, {"algorithm": "rsa", "bits": 3072}, {"algorithm": "rsa", "bits": 2048}),
        "format": Change(REPLACE, {"algorithm": "rsa", "bits": 2048, "format": "pem"}, {"algorithm": "rsa", "bits": 2048}),
        "comment": change(REPLACE, comment="mine"),
        "public_key": change(REPLACE, public_key=PUBLIC_KEY),
    },
    "sftp_server": {
        "host_keys": change(UPDATE, host_keys=["other"]),
        "port": change(None, port=22),  # AWS has no other
        "running": change(UPDATE, running=False),
        "security_policy": change(UPDATE, security_policy="TransferSecurityPolicy-2020-06"),
        "logging_role": change(UPDATE, logging_role="logs"),
        "vpc": Change(UPDATE, vpc()),
        "vpc.id": Change(REPLACE, {"vpc": {"id": "{other_vpc}", "subnets": ["{other_subnet}"]}}, vpc()),
        "vpc.subnets": Change(UPDATE, vpc(subnets=["{subnet2}"]), vpc()),
        "vpc.security_groups": Change(UPDATE, vpc(security_groups=["{group}"]), vpc(security_groups=["{group2}"])),
        "vpc.addresses": Change(UPDATE, vpc(addresses=["{address}"]), vpc()),
        "set_stat": change(UPDATE, set_stat=False),
        "sftp_endpoint": change(UPDATE, sftp_endpoint="files.example.org:22"),
        "tags": change(UPDATE, tags={"owner": "controller"}),
    },
    "sftp_user": {
        "server": change(REPLACE, server="other"),
        "name": change(REPLACE, name="loader"),
        "role": change(UPDATE, role="reader"),
        "home": change(UPDATE, home="attic"),
        "prefix": change(UPDATE, prefix="in/"),
        "keys": change(UPDATE, keys=["yours"]),
        "policy": change(UPDATE, policy=ALLOW),
        "home_type": change(UPDATE, home_type="PATH"),
        "mappings": change(UPDATE, mappings=mapping()),
        "mappings.entry": field("mappings", mapping(), mapping(entry="/papers")),
        "mappings.target": field("mappings", mapping(), mapping(target="/tryout-attic/papers")),
        "mappings.type": field("mappings", mapping(), mapping(type="FILE")),
        "tags": change(UPDATE, tags={"owner": "controller"}),
    },
    "security_group": {
        "name": change(REPLACE, name="tryout-other"),
        "description": change(REPLACE, description="who may come in"),
        "ingress": change(UPDATE, ingress=[]),
        "ingress.protocol": change(UPDATE, ingress=[{"port": 5439, "from": ["203.0.113.0/24"], "protocol": "udp"}]),
        "ingress.port": change(UPDATE, ingress=[{"port": 5438, "to_port": 5439, "from": ["203.0.113.0/24"]}]),
        "ingress.to_port": change(UPDATE, ingress=[{"port": 5439, "to_port": 5440, "from": ["203.0.113.0/24"]}]),
        "ingress.from": change(UPDATE, ingress=[{"port": 5439, "from": ["198.51.100.0/24", "2001:db8::/32"]}]),
        "ingress.description": field("ingress", door(), door(description="office")),
        "egress": change(UPDATE, egress=rule()),
        "egress.protocol": field("egress", rule(), rule(protocol="udp")),
        "egress.port": field("egress", rule(), rule(port=80)),
        "egress.to_port": field("egress", rule(), rule(to_port=444)),
        "egress.to": field("egress", rule(), rule(to=["198.51.100.0/24"])),
        "egress.description": field("egress", rule(), rule(description="out")),
        "vpc": change(REPLACE, vpc="{vpc}"),
        "tags": change(UPDATE, tags={"owner": "controller"}),
    },
    NODES: {
        "identifier": change(REPLACE, identifier="tryout-other"),
        "database": change(REPLACE, database="county"),
        "username": change(REPLACE, username="anna"),
        "password": change(UPDATE, password="${var.other}"),
        "roles": change(UPDATE, roles=["load"]),
        "security_groups": change(UPDATE, security_groups=["sql"]),
        "port": change(None, port=5440),  # a wish that counts when it is made
        "running": change(UPDATE, running=False),
        "tags": change(UPDATE, tags={"owner": "controller"}),
        "serverless": change(REPLACE, serverless={"base_rpus": 8}),
        "node_type": change(UPDATE, node_type="ra3.xlplus"),
        "number_of_nodes": change(UPDATE, number_of_nodes=2),
        "publicly_accessible": change(UPDATE, publicly_accessible=True),
        "encrypted": change(None, encrypted=True),  # AWS makes no others
        "kms_key": change(UPDATE, kms_key=KMS_KEY),
        "manage_password": change(UPDATE, manage_password=True, password=None),
        "subnet_group": change(REPLACE, subnet_group="{subnet_group}"),
        "enhanced_vpc_routing": change(UPDATE, enhanced_vpc_routing=True),
        "snapshot_days": change(UPDATE, snapshot_days=7),
        "final_snapshot": change(UPDATE, final_snapshot="tryout-last"),
        "connection": change(UPDATE, connection="direct", security_groups=["sql"]),
        "ca": change(UPDATE, ca="ca.pem"),
        "maintenance_window": change(UPDATE, maintenance_window="tue:10:00-tue:10:30"),
    },
    SERVERLESS: {
        "identifier": change(REPLACE, identifier="tryout-other"),
        "database": change(REPLACE, database="county"),
        "username": change(REPLACE, username="anna"),
        "password": change(UPDATE, password="${var.other}"),
        "roles": change(UPDATE, roles=["load"]),
        "security_groups": change(UPDATE, security_groups=["sql"]),
        "port": change(None, port=5440),
        "tags": change(UPDATE, tags={"owner": "controller"}),
        "serverless": change(REPLACE, serverless=None),
        "serverless.base_rpus": change(UPDATE, serverless={"base_rpus": 16}),
        "serverless.max_rpus": change(UPDATE, serverless={"base_rpus": 8, "max_rpus": 64}),
        "publicly_accessible": change(UPDATE, publicly_accessible=True),
        "kms_key": change(UPDATE, kms_key=KMS_KEY),
        "manage_password": change(UPDATE, manage_password=True, password=None),
        "subnets": change(UPDATE, subnets=["{default_subnet}", "{default_subnet2}", "{default_subnet3}"]),
        "enhanced_vpc_routing": change(UPDATE, enhanced_vpc_routing=True),
        "final_snapshot": change(UPDATE, final_snapshot="tryout-last"),
        "connection": change(UPDATE, connection="direct", security_groups=["sql"]),
        "ca": change(UPDATE, ca="ca.pem"),
    },
}


def schema_of(ws, kind):
    """{attribute: its schema}."""
    return json.loads(ws.ok("sfprobe", "yaml", f"{ws.share}/schemas/kinds/{kind.partition(' ')[0]}.yaml").out)["attributes"]


def settable(schema):
    """Attributes and fields of them that a person can set on AWS."""
    for name, attribute in schema.items():
        if attribute.get("world") != "local" and not {"computed", "derive"} & set(attribute):
            yield name
            of = attribute.get("of")
            fields = attribute.get("fields") or (of.get("fields") if isinstance(of, dict) else None) or {}
            yield from (f"{name}.{field}" for field in fields)


def test_every_attribute_that_can_be_set_is_in_the_table(ws1):
    kinds = {os.path.basename(path)[:-5] for path in glob.glob(f"{ws1.share}/schemas/kinds/*.yaml")}
    assert set(BASE) - {SERVERLESS} == kinds - {"dataset", "upload", "star_schema", "load", "value"}
    for kind in set(BASE) - {SERVERLESS}:
        tested = set(CHANGES[kind]) | (set(CHANGES[SERVERLESS]) if kind == NODES else set())
        assert set(settable(schema_of(ws1, kind))) == tested, kind


def network(ws):
    """What the stacks here do not make themselves: {name: id}."""
    made = {}
    for name, block in (("", "10.8"), ("other_", "10.9")):
        made[f"{name}vpc"] = ws.call("ec2", "create_vpc", CidrBlock=f"{block}.0.0/16")["Vpc"]["VpcId"]
        for n in ("", "2"):
            cidr, zone = f"{block}.{n or 1}.0/24", f"us-west-2{'b' if n else 'a'}"
            subnet = ws.call("ec2", "create_subnet", VpcId=made[f"{name}vpc"], CidrBlock=cidr, AvailabilityZone=zone)
            made[f"{name}subnet{n}"] = subnet["Subnet"]["SubnetId"]
    for n in ("", "2"):
        made[f"group{n}"] = ws.call("ec2", "create_security_group", GroupName=f"g{n}", Description="g", VpcId=made["vpc"])["GroupId"]
    made["address"] = ws.call("ec2", "allocate_address", Domain="vpc")["AllocationId"]
    made["subnet_group"] = "tryout-subnets"
    ws.call("redshift", "create_cluster_subnet_group", ClusterSubnetGroupName="tryout-subnets", Description="x",
            SubnetIds=[made["subnet"], made["subnet2"]])
    default = ws.call("ec2", "describe_subnets", Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    made |= {f"default_subnet{n}": subnet["SubnetId"] for n, subnet in zip(("", "2", "3"), reversed(default))}
    return made


def write(ws, kind, attributes, names):
    """Writes the stack of BASE with these attributes over those of the kind."""
    own, others = BASE[kind]
    schema = schema_of(ws, kind)
    it = {"kind": kind.partition(" ")[0], "aws": {}}
    for name, value in {**own, **attributes}.items():
        if value is not None:
            (it["aws"] if schema[name].get("world") == "aws" else it)[name] = value
    text = json.dumps({**others, "it": {k: v for k, v in it.items() if v != {} or k != "aws"}})
    for name, id_ in names.items():
        text = text.replace(f"{{{name}}}", id_)
    ws.write("stack.yaml", f"stack: tryout\nprovider: aws\naws: {{region: us-west-2}}\nvariables:\n"
             f"  password: {{type: string, secret: true}}\n  other: {{type: string, secret: true}}\nresources: {text}\n")
    ws.env |= PASSWORDS


def is_as_wanted(ws):
    """Whether nothing would change and nothing drifted, by one plan."""
    return [line for line in ws.planned() if line["type"] in ("planned_change", "resource_drift")] == []


@pytest.mark.parametrize("kind, name", [(kind, name) for kind, changes in CHANGES.items() for name in changes])
def test_one_attribute_is_changed_in_place_or_by_a_new_object(aws, kind, name):
    verdict, after, before = CHANGES[kind][name]
    names = network(aws) if "{" in json.dumps([after, before]).replace("{\"", "") else {}
    address = ADDRESS[kind]
    write(aws, kind, before, names)
    aws.apply()
    old = aws.ok("sfstate", "list", "-json").out
    write(aws, kind, after, names)
    assert aws.changes() == ({address: verdict} if verdict else {})
    actions = aws.actions_of("sfapply", "-auto-approve")
    if kind == "ssh_key":
        assert aws.ok("sfstate", "list", "-json").out != old
    elif name == "serverless" and kind in (NODES, SERVERLESS):
        assert MAKING[SERVERLESS if kind == NODES else NODES] in actions
    else:
        assert actions.count(MAKING[kind]) == (1 if verdict == REPLACE else 0), actions
    assert is_as_wanted(aws)
