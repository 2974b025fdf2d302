"""Whatever can be changed outside on AWS is seen by the next plan and put back by the next apply, without a new object.

CHANGES is complete: a test compares it, with FIXED, with the schemas. What is looked at before and after is what boto3 reads.
"""

import json

import pytest

from aws.test_attributes import ADDRESS, ALLOW, BASE, KMS_KEY, MAKING, NODES, READER, SERVERLESS, TRUST, is_as_wanted, schema_of, settable, write
from conftest import wait_until

ARN = "arn:aws:iam::123456789012:{}"
BUCKET = {"Bucket": "tryout-landing"}
CLUSTER = {"ClusterIdentifier": "tryout"}
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxCU4ZkIkPgsXkzQPZ5hCqTmMDCDIbdLVn7nvcXxE0W them"
LIFECYCLE = [{"id": "old", "prefix": "in/", "expire_days": 30, "noncurrent_days": 3, "abort_uploads_days": 2}]
MORE = {  # attributes over those of BASE, so that there is something to change
    "bucket": {"versioning": True, "tags": {"owner": "controller"}, "lifecycle": LIFECYCLE, "policy": READER,
               "encryption": {"algorithm": "aws:kms", "kms_key": KMS_KEY, "bucket_key": True}},
    "policy": {"tags": {"owner": "controller"}},
    "role": {"tags": {"owner": "controller"}, "description": "what for", "policies": ["read"], "inline": {"own": ALLOW}, "boundary": "read"},
    "sftp_server": {"tags": {"owner": "controller"}, "logging_role": "logs"},
    "sftp_user": {"tags": {"owner": "controller"}, "policy": ALLOW, "prefix": "in/",
                  "mappings": [{"entry": "/reports", "target": "/tryout-attic/reports"}]},
    "security_group": {"tags": {"owner": "controller"}, "egress": [{"port": 443, "to": ["203.0.113.0/24"], "description": "out"}],
                       "ingress": [{"port": 5439, "from": ["203.0.113.0/24"], "description": "in"}]},
    NODES: {"tags": {"owner": "controller"}, "roles": ["load"], "security_groups": ["sql"], "node_type": "ra3.xlplus", "number_of_nodes": 2,
            "maintenance_window": "mon:10:00-mon:10:30"},
    SERVERLESS: {"tags": {"owner": "controller"}, "roles": ["load"], "security_groups": ["sql"], "serverless": {"base_rpus": 8, "max_rpus": 64}},
}


class Outside:
    """Somebody else with rights in the account."""

    def __init__(self, ws):
        self.ws, self.call = ws, ws.call

    # --- what there is ---

    def look(self, service, operation, **params):
        """A reply; the error where there is none, as of what a bucket does not have."""
        answer = self.ws.server.call(service, operation, **params)
        return answer.get("reply", answer)

    @property
    def server(self):
        return self.ws.show("sftp_server.sftp" if "sftp_user" in self.ws.read("stack.yaml") else "sftp_server.it")["host"].partition(".")[0]

    @property
    def user(self):
        return {"ServerId": self.server, "UserName": "uploader"}

    @property
    def group(self):
        groups = self.call("ec2", "describe_security_groups", Filters=[{"Name": "group-name", "Values": ["tryout"]}])
        return groups["SecurityGroups"][0]

    def looks(self, kind):
        """All that boto3 reads of the thing, without what no stack says."""
        return getattr(self, f"look_at_{kind.partition(' ')[0] if kind != SERVERLESS else 'serverless'}")()

    def look_at_bucket(self):
        of = ("versioning", "encryption", "policy", "lifecycle_configuration", "tagging")
        found = {what: self.look("s3", f"get_bucket_{what}", **BUCKET) for what in of}
        found["tagging"] = sorted(str(tag) for tag in found["tagging"]["TagSet"] if tag["Key"] != "sfstack:intent")
        found["policy"] = json.loads(found["policy"].get("Policy", "{}"))
        return found | self.look("s3", "get_public_access_block", **BUCKET)

    def look_at_policy(self):
        policy = self.call("iam", "get_policy", PolicyArn=ARN.format("policy/tryout"))["Policy"]
        version = self.call("iam", "get_policy_version", PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])
        return version["PolicyVersion"]["Document"], policy["PolicyId"], sorted(map(str, policy["Tags"]))

    def look_at_role(self):
        role, name = self.call("iam", "get_role", RoleName="tryout")["Role"], {"RoleName": "tryout"}
        lists = (self.call("iam", "list_attached_role_policies", **name)["AttachedPolicies"],
                 self.call("iam", "list_role_policies", **name)["PolicyNames"],
                 self.look("iam", "get_role_policy", PolicyName="own", **name))
        return {**role, "Tags": sorted(map(str, role["Tags"])), "RoleLastUsed": None}, lists

    def look_at_sftp_server(self):
        server = self.call("transfer", "describe_server", ServerId=self.server)["Server"]
        keys = self.call("transfer", "list_host_keys", ServerId=self.server)["HostKeys"]
        return {**server, "Tags": sorted(map(str, server["Tags"]))}, [key["Fingerprint"] for key in keys]

    def look_at_sftp_user(self):
        user = self.call("transfer", "describe_user", **self.user)["User"]
        keys = sorted(key["SshPublicKeyBody"] for key in user["SshPublicKeys"])
        return {**user, "SshPublicKeys": keys, "Tags": sorted(map(str, user["Tags"])), "Policy": json.loads(user["Policy"])}

    def look_at_security_group(self):
        group = self.group
        return {**group, "Tags": sorted(map(str, group["Tags"]))}

    def look_at_cluster(self):
        [cluster] = self.call("redshift", "describe_clusters", **CLUSTER)["Clusters"]
        return {**cluster, "Tags": sorted(map(str, cluster["Tags"])), "NextMaintenanceWindowStartTime": None}

    def look_at_serverless(self):
        found = [self.call("redshift-serverless", "get_namespace", namespaceName="tryout")["namespace"],
                 self.call("redshift-serverless", "get_workgroup", workgroupName="tryout")["workgroup"]]
        arns = [found[0]["namespaceArn"], found[1]["workgroupArn"]]
        tags = [self.call("redshift-serverless", "list_tags_for_resource", resourceArn=arn)["tags"] for arn in arns]
        return found, [sorted(map(str, each)) for each in tags]

    # --- what is done to it ---

    def tag_bucket(self):
        tags = [tag for tag in self.call("s3", "get_bucket_tagging", **BUCKET)["TagSet"] if tag["Key"] != "owner"]
        self.call("s3", "put_bucket_tagging", **BUCKET, Tagging={"TagSet": [*tags, {"Key": "owner", "Value": "mallory"}]})

    def lifecycle(self, change):
        rules = self.call("s3", "get_bucket_lifecycle_configuration", **BUCKET)["Rules"]
        change(rules[0])
        self.call("s3", "put_bucket_lifecycle_configuration", **BUCKET, LifecycleConfiguration={"Rules": rules})

    def encrypt(self, **more):
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KMS_KEY}, "BucketKeyEnabled": True} | more
        self.call("s3", "put_bucket_encryption", **BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})

    def bucket_policy(self, change):
        policy = json.loads(self.call("s3", "get_bucket_policy", **BUCKET)["Policy"])
        policy["Statement"] = change(policy["Statement"])
        self.call("s3", "put_bucket_policy", **BUCKET, Policy=json.dumps(policy))

    def role(self, operation, **params):
        self.call("iam", operation, RoleName="tryout", **params)

    def transfer(self, operation, **params):
        self.call("transfer", operation, ServerId=self.server, **params)

    def update_user(self, **params):
        self.call("transfer", "update_user", **self.user, **params)

    def tag(self, service, operation, what, **params):
        self.call(service, operation, **what, **params)

    def rules(self, way, replace, **more):
        """Takes the rule of one direction away and puts others in its place."""
        group, direction = self.group, "" if way == "ingress" else "Egress"
        old = group[f"IpPermissions{direction}"]
        self.call("ec2", f"revoke_security_group_{way}", GroupId=group["GroupId"], IpPermissions=old)
        if replace:
            permission = {"IpProtocol": "tcp", "FromPort": old[0]["FromPort"], "ToPort": old[0]["ToPort"], "IpRanges": old[0]["IpRanges"]} | more
            self.call("ec2", f"authorize_security_group_{way}", GroupId=group["GroupId"], IpPermissions=[permission])

    def default_group(self):
        return [g["GroupId"] for g in self.call("ec2", "describe_security_groups")["SecurityGroups"] if g["GroupName"] == "default"]

    def until_available(self, then="available"):
        wait_until(lambda: self.call("redshift", "describe_clusters", **CLUSTER)["Clusters"][0]["ClusterStatus"] == then)

    def modify(self, operation="modify_cluster", **params):
        self.call("redshift", operation, **CLUSTER, **params)
        self.until_available()

    def pause(self):
        self.call("redshift", "pause_cluster", **CLUSTER)
        self.until_available("paused")

    def update_group(self, **params):
        self.call("redshift-serverless", "update_workgroup", workgroupName="tryout", **params)
        self.until_still()

    def update_space(self, **params):
        self.call("redshift-serverless", "update_namespace", namespaceName="tryout", **params)
        self.until_still()

    def until_still(self):
        def is_still():
            space, group = self.look_at_serverless()[0]
            return space["status"] == group["status"] == "AVAILABLE"
        wait_until(is_still)

    def tag_serverless(self):
        space = self.call("redshift-serverless", "get_namespace", namespaceName="tryout")["namespace"]
        self.call("redshift-serverless", "tag_resource", resourceArn=space["namespaceArn"], tags=[{"key": "owner", "value": "mallory"}])


MALLORY = [{"Key": "owner", "Value": "mallory"}, {"Key": "more", "Value": "1"}]
CHANGES = {  # what is done to a thing, and by that which attribute drifts: the first word
    "bucket": {
        "versioning": lambda o: o.call("s3", "put_bucket_versioning", **BUCKET, VersioningConfiguration={"Status": "Suspended"}),
        "encryption": lambda o: o.call("s3", "delete_bucket_encryption", **BUCKET),
        "encryption algorithm": lambda o: o.encrypt(ApplyServerSideEncryptionByDefault={"SSEAlgorithm": "AES256"}, BucketKeyEnabled=False),
        "encryption key": lambda o: o.encrypt(ApplyServerSideEncryptionByDefault={"SSEAlgorithm": "aws:kms"}),
        "encryption bucket key": lambda o: o.encrypt(BucketKeyEnabled=False),
        "public": lambda o: o.call("s3", "delete_public_access_block", **BUCKET),
        "public a little": lambda o: o.call("s3", "put_public_access_block", **BUCKET, PublicAccessBlockConfiguration={
            "BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False, "RestrictPublicBuckets": True}),
        "tls_only a little": lambda o: o.bucket_policy(
            lambda all_: [{**s, "Action": "s3:PutObject"} if "Sid" in s else s for s in all_]),
        "tls_only": lambda o: o.bucket_policy(lambda all_: [s for s in all_ if "Sid" not in s]),
        "policy": lambda o: o.bucket_policy(lambda all_: [s if "Sid" in s else {**s, "Action": "s3:Get*"} for s in all_]),
        "policy gone": lambda o: o.call("s3", "delete_bucket_policy", **BUCKET),
        "lifecycle": lambda o: o.call("s3", "delete_bucket_lifecycle", **BUCKET),
        "lifecycle name": lambda o: o.lifecycle(lambda rule: rule.update(ID="other")),
        "lifecycle prefix": lambda o: o.lifecycle(lambda rule: rule.update(Filter={"Prefix": ""})),
        "lifecycle days": lambda o: o.lifecycle(lambda rule: rule.update(Expiration={"Days": 31})),
        "lifecycle off": lambda o: o.lifecycle(lambda rule: rule.update(Status="Disabled")),
        "tags": lambda o: o.tag_bucket(),
    },
    "policy": {
        "document": lambda o: o.call("iam", "create_policy_version", PolicyArn=ARN.format("policy/tryout"), SetAsDefault=True,
                                     PolicyDocument=json.dumps(ALLOW).replace("s3:GetObject", "s3:*")),
        "tags": lambda o: o.call("iam", "tag_policy", PolicyArn=ARN.format("policy/tryout"), Tags=MALLORY),
    },
    "role": {
        "description": lambda o: o.role("update_role", Description="mine", MaxSessionDuration=3600),
        "trust": lambda o: o.role("update_assume_role_policy", PolicyDocument=json.dumps(TRUST)),
        "policies": lambda o: o.role("detach_role_policy", PolicyArn=ARN.format("policy/tryout-read")),
        "policies more": lambda o: o.role("attach_role_policy", PolicyArn=o.call(
            "iam", "create_policy", PolicyName="all", PolicyDocument=json.dumps(ALLOW))["Policy"]["Arn"]),
        "inline": lambda o: o.role("put_role_policy", PolicyName="own", PolicyDocument=json.dumps(ALLOW).replace("Get", "Put")),
        "inline more": lambda o: o.role("put_role_policy", PolicyName="back-door", PolicyDocument=json.dumps(ALLOW)),
        "inline gone": lambda o: o.role("delete_role_policy", PolicyName="own"),
        "boundary": lambda o: o.role("delete_role_permissions_boundary"),
        "max_session_s": lambda o: o.role("update_role", Description="what for", MaxSessionDuration=43200),
        "tags": lambda o: o.role("tag_role", Tags=MALLORY),
    },
    "sftp_server": {
        "running": lambda o: o.transfer("stop_server"),
        "security_policy": lambda o: o.transfer("update_server", SecurityPolicyName="TransferSecurityPolicy-2018-11"),
        "logging_role": lambda o: o.transfer("update_server", LoggingRole=""),
        "set_stat": lambda o: o.transfer("update_server", ProtocolDetails={"SetStatOption": "DEFAULT"}),
        "tags": lambda o: o.call("transfer", "tag_resource", Tags=MALLORY,
                                 Arn=o.call("transfer", "describe_server", ServerId=o.server)["Server"]["Arn"]),
    },
    "sftp_user": {
        "role": lambda o: o.update_user(Role=ARN.format("role/tryout-reader")),
        "home": lambda o: o.update_user(HomeDirectoryMappings=[{"Entry": "/", "Target": "/tryout-attic/in"},
                                                               {"Entry": "/reports", "Target": "/tryout-attic/reports"}]),
        "prefix": lambda o: o.update_user(HomeDirectoryMappings=[{"Entry": "/", "Target": "/tryout-landing"},
                                                                 {"Entry": "/reports", "Target": "/tryout-attic/reports"}]),
        "mappings": lambda o: o.update_user(HomeDirectoryMappings=[{"Entry": "/", "Target": "/tryout-landing/in"}]),
        "home_type": lambda o: o.update_user(HomeDirectoryType="PATH", HomeDirectory="/tryout-landing/in"),
        "keys": lambda o: o.call("transfer", "import_ssh_public_key", **o.user, SshPublicKeyBody=OTHER_KEY),
        "keys gone": lambda o: o.call("transfer", "delete_ssh_public_key", **o.user, SshPublicKeyId=o.call(
            "transfer", "describe_user", **o.user)["User"]["SshPublicKeys"][0]["SshPublicKeyId"]),
        "policy": lambda o: o.update_user(Policy=json.dumps(ALLOW).replace("Get", "Put")),
        "tags": lambda o: o.call("transfer", "tag_resource", Tags=MALLORY,
                                 Arn=o.call("transfer", "describe_user", **o.user)["User"]["Arn"]),
    },
    "security_group": {
        "ingress": lambda o: o.rules("ingress", False),
        "ingress protocol": lambda o: o.rules("ingress", True, IpProtocol="udp"),
        "ingress ports": lambda o: o.rules("ingress", True, FromPort=1024),
        "ingress addresses": lambda o: o.rules("ingress", True, IpRanges=[{"CidrIp": "0.0.0.0/0", "Description": "in"}]),
        "ingress description": lambda o: o.rules("ingress", True, IpRanges=[{"CidrIp": "203.0.113.0/24", "Description": "sesame"}]),
        "egress": lambda o: o.rules("egress", False),
        "egress addresses": lambda o: o.rules("egress", True, IpRanges=[{"CidrIp": "0.0.0.0/0", "Description": "out"}]),
        "tags": lambda o: o.call("ec2", "create_tags", Resources=[o.group["GroupId"]], Tags=MALLORY),
    },
    NODES: {
        "roles": lambda o: o.modify("modify_cluster_iam_roles", RemoveIamRoles=[ARN.format("role/tryout-load")]),
        "security_groups": lambda o: o.modify(VpcSecurityGroupIds=o.default_group()[:1]),
        "running": lambda o: o.pause(),
        "node_type": lambda o: o.modify("resize_cluster", NodeType="ra3.4xlarge", NumberOfNodes=2, ClusterType="multi-node"),
        "number_of_nodes": lambda o: o.modify("resize_cluster", NodeType="ra3.xlplus", NumberOfNodes=4, ClusterType="multi-node"),
        "manage_password": lambda o: o.modify(ManageMasterPassword=True),
        "maintenance_window": lambda o: o.modify(PreferredMaintenanceWindow="tue:10:00-tue:10:30"),
        "publicly_accessible": lambda o: o.modify(PubliclyAccessible=True),
        "enhanced_vpc_routing": lambda o: o.modify(EnhancedVpcRouting=True),
        "snapshot_days": lambda o: o.modify(AutomatedSnapshotRetentionPeriod=9),
        "tags": lambda o: o.call("redshift", "create_tags", ResourceName="arn:aws:redshift:us-west-2:123456789012:cluster:tryout",
                                 Tags=MALLORY),
    },
    SERVERLESS: {
        "roles": lambda o: o.update_space(iamRoles=[]),
        "security_groups": lambda o: o.update_group(securityGroupIds=o.default_group()[:1]),
        "serverless": lambda o: o.update_group(baseCapacity=32),
        "serverless maximum": lambda o: o.update_group(maxCapacity=512),
        "publicly_accessible": lambda o: o.update_group(publiclyAccessible=True),
        "enhanced_vpc_routing": lambda o: o.update_group(enhancedVpcRouting=True),
        "tags": lambda o: o.tag_serverless(),
    },
}
FIXED = {  # what nobody can change, or nobody can read
    "bucket": {"name", "force_destroy"},
    "policy": {"name", "description", "path"},
    "role": {"name", "path"},
    "sftp_server": {"host_keys", "port", "vpc", "sftp_endpoint"},  # keys and networks: test_sftp_server.py
    "sftp_user": {"name", "server"},
    "security_group": {"name", "description", "vpc"},
    # a port is a wish; keys and subnets are as they are found when the stack does not name them; a snapshot is to come,
    # and how statements go is nowhere on AWS
    "cluster": {"identifier", "database", "username", "password", "port", "encrypted", "kms_key", "subnet_group", "subnets",
                "final_snapshot", "connection", "ca"},
}


def test_every_attribute_that_can_be_changed_outside_is_in_the_table(ws1):
    for kind, fixed in FIXED.items():
        tested = {name.split()[0] for key in CHANGES if key.split()[0] == kind for name in CHANGES[key]}
        assert {name for name in settable(schema_of(ws1, kind)) if "." not in name} == tested | fixed and not tested & fixed, kind


@pytest.mark.parametrize("kind, name", [(kind, name) for kind, changes in CHANGES.items() for name in changes])
def test_a_change_outside_is_seen_and_put_back(aws, kind, name):
    write(aws, kind, MORE[kind], {})
    aws.apply()
    outside = Outside(aws)
    before = outside.looks(kind)
    CHANGES[kind][name](outside)
    assert outside.looks(kind) != before
    plan = aws.planned()
    seen = {line["type"]: (line["change"]["resource"]["addr"], line["change"]["action"]) for line in plan if "change" in line}
    assert seen == {"resource_drift": (ADDRESS[kind], "update"), "planned_change": (ADDRESS[kind], "update")}
    assert MAKING[kind] not in aws.actions_of("sfapply", "-auto-approve")
    assert outside.looks(kind) == before
    assert is_as_wanted(aws)
