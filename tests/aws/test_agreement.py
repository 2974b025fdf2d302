"""Two programs that were written apart agree on what is there: what sfapply made, Terraform imports and finds unchanged; what Terraform
made, a stack adopts and finds unchanged. Apart from the tags by which a stack knows its own, which are no business of Terraform's.
"""

import json
import os
import re
import shutil
import subprocess

import pytest

from aws.test_server_terraform import mirror

HERE = os.path.dirname(os.path.abspath(__file__))
MARKS = {"sfstack:stack", "sfstack:address", "sfstack:intent"}
# what Terraform keeps in its own state and no service tells: an import has none of it
UNTOLD = {"manage_master_password", "manage_admin_password"}
BUCKET, READ = "city-landing", "arn:aws:iam::123456789012:policy/city/city-read"

STACK = """stack: city
provider: aws
aws: {region: us-west-2}
tags: {owner: controller}
resources:
  landing: {kind: bucket, name: city-landing, versioning: true, aws: {lifecycle: []}}
  read:
    kind: policy
    name: city-read
    description: what the load may do
    aws: {path: /city/}
    document:
      Version: "2012-10-17"
      Statement:
        - {Sid: List, Effect: Allow, Action: [s3:ListBucket, s3:GetBucketLocation], Resource: "${landing.arn}"}
        - {Sid: Get, Effect: Allow, Action: s3:GetObject, Resource: "${landing.arn}/*"}
  transfer:
    kind: role
    name: city-transfer
    description: for transfer
    trust: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: transfer.amazonaws.com}, Action: "sts:AssumeRole"}]}
    policies: [read]
    aws: {max_session_s: 7200}
  redshift:
    kind: role
    name: city-redshift
    description: for redshift
    trust: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: redshift.amazonaws.com}, Action: "sts:AssumeRole"}]}
    policies: [read]
    inline: {catalog: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "glue:GetTables", Resource: "*"}]}}
    aws: {max_session_s: 7200}
  mine: {kind: ssh_key}
  sftp: {kind: sftp_server, aws: {logging_role: transfer}}
  uploader: {kind: sftp_user, server: sftp, name: uploader, role: transfer, home: landing, prefix: in/, keys: [mine]}
  sql:
    kind: security_group
    name: city-sql
    description: who may reach the warehouse
    ingress: [{port: 5439, from: [192.0.2.0/24, 198.51.100.0/24], description: office}]
    aws: {egress: [{protocol: all, to: [0.0.0.0/0]}]}
  dw:
    kind: cluster
    identifier: city-dw
    database: san_francisco
    username: steward
    roles: [redshift]
    security_groups: [sql]
    aws: {manage_password: true, snapshot_days: 7, maintenance_window: "mon:10:00-mon:10:30", node_type: ra3.large, number_of_nodes: 1}
  less:
    kind: cluster
    identifier: city-less
    database: san_francisco
    username: steward
    roles: [redshift]
    security_groups: [sql]
    aws: {manage_password: true, enhanced_vpc_routing: true, serverless: {base_rpus: 8, max_rpus: 32}}
"""
LIFECYCLE = """
resource "aws_s3_bucket_lifecycle_configuration" "landing" {
  bucket = aws_s3_bucket.landing.id
  rule {
    id     = "unfinished-uploads"
    status = "Enabled"
    filter { prefix = "" }
    abort_incomplete_multipart_upload { days_after_initiation = 7 }
  }
}
"""


class Terraform:
    """agreement.tf in the workspace's folder, on its server."""

    def __init__(self, ws):
        if not shutil.which("terraform"):
            pytest.skip("terraform is not installed")
        plugins = mirror()
        if not plugins:
            pytest.skip("Terraform's AWS provider is not unpacked: SF_TERRAFORM_MIRROR=DIR names a folder with registry.terraform.io/")
        self.folder = ws.path("terraform")
        os.mkdir(self.folder)
        shutil.copy(f"{HERE}/terraform/agreement.tf", f"{self.folder}/main.tf")
        self.write("terraform.rc", f'provider_installation {{\n  filesystem_mirror {{ path = "{plugins}" }}\n}}\n')
        self.env = {**os.environ, **ws.env, "PATH": os.environ["PATH"], "TF_CLI_CONFIG_FILE": f"{self.folder}/terraform.rc",
                    "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
        self.env["TF_VAR_vpc"] = ws.call("ec2", "describe_vpcs", Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
        self.run("init")

    def write(self, name, text, mode="w"):
        with open(f"{self.folder}/{name}", mode) as file:
            file.write(text)

    def run(self, verb, *options):
        done = subprocess.run(["terraform", verb, *options], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=300)
        assert done.returncode == 0, f"{verb}: exit {done.returncode}\n{done.stdout[-6000:]}{done.stderr[-3000:]}"
        return done.stdout

    def differences(self):
        """What a plan would change: {address: {attribute: (is, would be)}}, without what Terraform alone knows and without a stack's marks."""
        self.run("plan", "-out=plan", "-input=false")
        plan = json.loads(self.run("show", "-json", "plan"))
        return {item["address"]: differing(item["change"]) for item in plan["resource_changes"] if differing(item["change"])}


def differing(change):
    if set(change["actions"]) - {"no-op", "update"}:
        return change["actions"]
    is_, will = change["before"], change["after"]
    unknown = {name for name, value in change["after_unknown"].items() if value is True}
    found = {name: (is_.get(name), will.get(name)) for name in {*is_, *will} - UNTOLD - unknown if (is_.get(name) or None) != (will.get(name) or None)}
    for name in ("tags", "tags_all"):
        if name in found and {k: v for k, v in (found[name][0] or {}).items() if k not in MARKS} == (found[name][1] or {}):
            del found[name]
    return found


def imports(ids):
    return "".join(f'import {{\n  to = {to}\n  id = "{id_}"\n}}\n' for to, id_ in ids.items())


def test_what_a_stack_made_terraform_finds_unchanged(aws):
    terraform = Terraform(aws)
    aws.write("stack.yaml", STACK.replace(", aws: {lifecycle: []}", ""))
    aws.apply()
    assert aws.changes() == {}
    terraform.env["TF_VAR_public_key"] = " ".join(aws.show("ssh_key.mine")["public_key"].split()[:2])
    [server], [group] = aws.inventory()["transfer server"], aws.inventory()["security group"]
    user = {"ServerId": server, "UserName": "uploader"}
    key = aws.call("transfer", "describe_user", **user)["User"]["SshPublicKeys"][0]["SshPublicKeyId"]
    parts = ("", "_versioning", "_server_side_encryption_configuration", "_public_access_block", "_policy", "_lifecycle_configuration")
    roles = ("transfer", "redshift")
    terraform.write("main.tf", LIFECYCLE, "a")
    terraform.write("imports.tf", imports(
        {f"aws_s3_bucket{part}.landing": BUCKET for part in parts}
        | {"aws_iam_policy.read": READ, "aws_iam_role_policy.catalog": "city-redshift:catalog"}
        | {f'aws_iam_role.service["{name}"]': f"city-{name}" for name in roles}
        | {f'aws_iam_role_policy_attachment.read["{name}"]': f"city-{name}/{READ}" for name in roles}
        | {"aws_transfer_server.sftp": server, "aws_transfer_user.uploader": f"{server}/uploader",
           "aws_transfer_ssh_key.uploader": f"{server}/uploader/{key}", "aws_security_group.sql": group,
           "aws_redshift_cluster.dw": "city-dw", "aws_redshiftserverless_namespace.dw": "city-less",
           "aws_redshiftserverless_workgroup.dw": "city-less"}))
    assert terraform.differences() == {}


ADOPTED = {"landing": BUCKET, "read": READ, "transfer": "city-transfer", "redshift": "city-redshift", "dw": "city-dw", "less": "city-less"}


def test_what_terraform_made_a_stack_finds_unchanged(aws):
    aws.settings(seconds_per_wall_ms=1)  # it waits between its looks
    terraform = Terraform(aws)
    aws.ok("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", aws.path("mine"))
    public_key = terraform.env["TF_VAR_public_key"] = aws.read("mine.pub").strip()
    terraform.run("apply", "-auto-approve", "-input=false")
    server, group = (terraform.run("output", "-raw", name) for name in ("server", "group"))
    text = STACK.replace("mine: {kind: ssh_key}", f'mine: {{kind: ssh_key, public_key: "{public_key}"}}')
    for name, id_ in {**ADOPTED, "sftp": server, "uploader": f"{server}/uploader", "sql": group}.items():
        text, n = re.subn(rf"^(  {name}:(?: {{|\n    ))(kind: \w+)(, |\n    )", rf'\1\2\3adopt: "{id_}"\3', text, flags=re.M)
        assert n == 1, name
    aws.write("stack.yaml", text)
    plan = aws.ok("sfplan", "-no-color").out
    adopted = re.findall(r"^  # (\S+) will be adopted.*\n((?:  .*\n)*)", plan, re.M)
    assert len(adopted) == 9
    assert [line for _, block in adopted for line in block.splitlines()[2:] if re.match(r" +[-+~] ", line)] == [], plan
    aws.apply()
    assert aws.changes() == {} and aws.drift() == {}
    assert terraform.differences() == {}
