"""The services of the AWS test server do what AWS documents, state by state: what a driver leans on is seen to hold."""

import json

import pytest
from server_client import (HERE_CONSTRAINT, PASSWORD, cluster, code_of, done, make_bucket, make_cluster, make_group, make_key, make_role,
                           make_server, policy, server, set_up, settle)  # noqa: F401  (server is a fixture)

# ruff: noqa: F811

# --- S3, IAM and EC2 ---


def test_a_new_bucket_has_what_aws_gives_every_bucket(server):
    tags = [{"Key": "owner", "Value": "controller"}]
    done(server, "s3", "create_bucket", Bucket="sf-landing", CreateBucketConfiguration=HERE_CONSTRAINT | {"Tags": tags})
    rules = done(server, "s3", "get_bucket_encryption", Bucket="sf-landing")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    blocks = done(server, "s3", "get_public_access_block", Bucket="sf-landing")["PublicAccessBlockConfiguration"]
    assert set(blocks.values()) == {True}
    assert done(server, "s3", "get_bucket_tagging", Bucket="sf-landing")["TagSet"] == tags
    done(server, "s3", "delete_public_access_block", Bucket="sf-landing")
    assert code_of(server, "s3", "get_public_access_block", Bucket="sf-landing") == "NoSuchPublicAccessBlockConfiguration"
    assert code_of(server, "s3", "put_bucket_policy", Bucket="sf-landing",
                   Policy=policy(Principal="*", Resource="arn:aws:s3:::sf-landing/*")) is None


def test_a_bucket_goes_only_without_versions_and_markers(server):
    make_bucket(server)
    done(server, "s3", "put_bucket_versioning", Bucket="sf-landing", VersioningConfiguration={"Status": "Enabled"})
    for text in ("one", "two"):
        done(server, "s3", "put_object", Bucket="sf-landing", Key="key", Body=text)
    done(server, "s3", "delete_object", Bucket="sf-landing", Key="key")
    assert code_of(server, "s3", "delete_bucket", Bucket="sf-landing") == "BucketNotEmpty"
    found = done(server, "s3", "list_object_versions", Bucket="sf-landing")
    objects = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in found["Versions"] + found["DeleteMarkers"]]
    assert len(objects) == 3
    done(server, "s3", "delete_objects", Bucket="sf-landing", Delete={"Objects": objects, "Quiet": True})
    done(server, "s3", "delete_bucket", Bucket="sf-landing")
    assert server.control("GET", "inventory") == {}


def test_an_object_in_parts_is_put_together(server):
    make_bucket(server)
    where = {"Bucket": "sf-landing", "Key": "large & odd"}
    upload = done(server, "s3", "create_multipart_upload", **where)["UploadId"]
    assert [row["UploadId"] for row in done(server, "s3", "list_multipart_uploads", Bucket="sf-landing")["Uploads"]] == [upload]
    parts = [{"PartNumber": n, "ETag": done(server, "s3", "upload_part", **where, UploadId=upload, PartNumber=n, Body=body)["ETag"]}
             for n, body in ((1, "a" * 5 * 1024 * 1024), (2, "b"))]
    done(server, "s3", "complete_multipart_upload", **where, UploadId=upload, MultipartUpload={"Parts": parts})
    assert done(server, "s3", "head_object", **where)["ContentLength"] == 5 * 1024 * 1024 + 1


def test_policies_and_roles_go_only_when_nothing_hangs_on_them(server):
    make_role(server)
    arn = done(server, "iam", "create_policy", PolicyName="read", PolicyDocument=policy())["Policy"]["Arn"]
    done(server, "iam", "attach_role_policy", RoleName="sf-role", PolicyArn=arn)
    assert code_of(server, "iam", "delete_policy", PolicyArn=arn) == "DeleteConflict"
    for _ in range(4):
        done(server, "iam", "create_policy_version", PolicyArn=arn, PolicyDocument=policy(), SetAsDefault=True)
    assert code_of(server, "iam", "create_policy_version", PolicyArn=arn, PolicyDocument=policy()) == "LimitExceeded"
    assert code_of(server, "iam", "delete_role", RoleName="sf-role") == "DeleteConflict"
    done(server, "iam", "detach_role_policy", RoleName="sf-role", PolicyArn=arn)
    assert code_of(server, "iam", "delete_policy", PolicyArn=arn) == "DeleteConflict"
    for version in ("v1", "v2", "v3", "v4"):
        done(server, "iam", "delete_policy_version", PolicyArn=arn, VersionId=version)
    done(server, "iam", "delete_policy", PolicyArn=arn)
    done(server, "iam", "delete_role", RoleName="sf-role")
    assert server.control("GET", "inventory") == {}


def test_a_change_of_a_role_leaves_the_rest_as_it_is(server):
    make_role(server)
    done(server, "iam", "update_role", RoleName="sf-role", Description="first")
    done(server, "iam", "update_role", RoleName="sf-role", MaxSessionDuration=7200)
    role = done(server, "iam", "get_role", RoleName="sf-role")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("first", 7200)


def test_networks_and_ports_of_rules_are_what_ec2_makes_of_them(server):
    group = make_group(server)

    def rule(**more):
        return {"IpProtocol": "tcp", "FromPort": 5439, "ToPort": 5439, "IpRanges": [{"CidrIp": "10.1.2.3/8", "Description": "all"}]} | more

    done(server, "ec2", "authorize_security_group_ingress", GroupId=group, IpPermissions=[rule()])
    shown = done(server, "ec2", "describe_security_groups", GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    assert shown[0]["IpRanges"] == [{"CidrIp": "10.0.0.0/8", "Description": "all"}]
    add = ("ec2", "authorize_security_group_ingress")
    assert code_of(server, *add, GroupId=group, IpPermissions=[rule()]) == "InvalidPermission.Duplicate"
    assert code_of(server, *add, GroupId=group, IpPermissions=[rule(ToPort=70000)]) == "InvalidParameterValue"
    assert code_of(server, *add, GroupId=group, IpPermissions=[rule(FromPort=6000)]) == "InvalidParameterValue"
    assert code_of(server, *add, GroupId=group, IpPermissions=[rule(IpRanges=[{"CidrIp": "10.0.0.0/33"}])]) == "InvalidParameterValue"
    done(server, "ec2", "revoke_security_group_ingress", GroupId=group, IpPermissions=[rule()])


def test_a_security_group_is_in_use_until_some_time_after_its_cluster_is_gone(server):
    group = make_group(server)
    make_cluster(server, VpcSecurityGroupIds=[group])
    settle(server)
    assert cluster(server)["VpcSecurityGroups"] == [{"VpcSecurityGroupId": group, "Status": "active"}]
    assert code_of(server, "ec2", "delete_security_group", GroupId=group) == "DependencyViolation"
    set_up(server, delays={"cluster_delete": 0, "interface_delete": 60})
    done(server, "redshift", "delete_cluster", ClusterIdentifier="dw", SkipFinalClusterSnapshot=True)
    assert code_of(server, "redshift", "describe_clusters", ClusterIdentifier="dw") == "ClusterNotFound"
    codes = [code_of(server, "ec2", "delete_security_group", GroupId=group) for _ in range(2)]
    assert codes == ["DependencyViolation", None]


# --- Transfer Family ---


def test_a_transfer_server_has_aws_defaults_and_goes_through_its_states(server):
    there = make_server(server, Tags=[{"Key": "owner", "Value": "controller"}])
    set_up(server, delays={"server_start": 60, "server_stop": 60})
    states = []
    for verb in ("stop_server", "start_server"):
        done(server, "transfer", "describe_server", ServerId=there)
        done(server, "transfer", verb, ServerId=there)
        states += [done(server, "transfer", "describe_server", ServerId=there)["Server"]["State"] for _ in range(2)]
    assert states == ["STOPPING", "OFFLINE", "STARTING", "ONLINE"]
    shown = done(server, "transfer", "describe_server", ServerId=there)["Server"]
    expected = {"Domain": "S3", "EndpointType": "PUBLIC", "IdentityProviderType": "SERVICE_MANAGED", "Protocols": ["SFTP"],
                "Tags": [{"Key": "owner", "Value": "controller"}], "UserCount": 0}
    assert expected.items() <= shown.items()
    assert not {"EndpointDetails", "WorkflowDetails", "IdentityProviderDetails", "LoggingRole"} & shown.keys()


def test_a_user_is_changed_listed_and_tagged(server):
    there, role = make_server(server), make_role(server)
    user = {"ServerId": there, "UserName": "uploader"}
    done(server, "transfer", "create_user", **user, Role=role, HomeDirectory="/landing/in")
    done(server, "transfer", "update_user", **user, HomeDirectoryType="LOGICAL",
         HomeDirectoryMappings=[{"Entry": "/", "Target": "/landing/out"}])
    shown = done(server, "transfer", "describe_user", **user)["User"]
    assert shown["HomeDirectoryMappings"] == [{"Entry": "/", "Target": "/landing/out"}] and "HomeDirectory" not in shown
    done(server, "transfer", "tag_resource", Arn=shown["Arn"], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    done(server, "transfer", "untag_resource", Arn=shown["Arn"], TagKeys=["a"])
    assert done(server, "transfer", "list_tags_for_resource", Arn=shown["Arn"])["Tags"] == [{"Key": "b", "Value": "2"}]
    assert [row["UserName"] for row in done(server, "transfer", "list_users", ServerId=there)["Users"]] == ["uploader"]


def test_a_server_in_a_vpc_has_an_endpoint_there(server):
    vpc = done(server, "ec2", "describe_vpcs")["Vpcs"][0]["VpcId"]
    subnet = done(server, "ec2", "describe_subnets")["Subnets"][0]["SubnetId"]
    group = make_group(server)
    there = make_server(server, EndpointType="VPC", EndpointDetails={"VpcId": vpc, "SubnetIds": [subnet], "SecurityGroupIds": [group]})
    details = done(server, "transfer", "describe_server", ServerId=there)["Server"]["EndpointDetails"]
    endpoint = done(server, "ec2", "describe_vpc_endpoints", VpcEndpointIds=[details["VpcEndpointId"]])["VpcEndpoints"][0]
    assert [row["GroupId"] for row in endpoint["Groups"]] == [group]
    assert code_of(server, "ec2", "delete_security_group", GroupId=group) == "DependencyViolation"
    done(server, "transfer", "delete_server", ServerId=there)
    assert server.control("GET", "inventory") == {"security group": [group]}


@pytest.mark.parametrize("kind", [("-t", "ed25519"), ("-t", "ecdsa", "-b", "384"), ("-t", "rsa", "-b", "2048", "-m", "PEM")])
def test_host_keys_have_the_fingerprint_that_ssh_keygen_shows(server, tmp_path, kind):
    private, fingerprint = make_key(tmp_path, *kind)
    there = make_server(server, HostKey=private)
    assert done(server, "transfer", "describe_server", ServerId=there)["Server"]["HostKeyFingerprint"].rstrip("=") == fingerprint
    assert code_of(server, "transfer", "import_host_key", ServerId=there, HostKeyBody=private) == "ResourceExistsException"
    other, other_fingerprint = make_key(tmp_path, "-t", "ed25519")
    key = done(server, "transfer", "import_host_key", ServerId=there, HostKeyBody=other, Description="next")["HostKeyId"]
    listed = done(server, "transfer", "list_host_keys", ServerId=there)["HostKeys"]
    assert [row["Fingerprint"].rstrip("=") for row in listed] == [fingerprint, other_fingerprint]
    done(server, "transfer", "delete_host_key", ServerId=there, HostKeyId=listed[0]["HostKeyId"])
    assert [row["HostKeyId"] for row in done(server, "transfer", "list_host_keys", ServerId=there)["HostKeys"]] == [key]


def test_a_role_is_unknown_to_other_services_at_first(server):
    set_up(server, delays={"role_visible": 60})  # two looks
    role = make_role(server)
    assert code_of(server, "transfer", "create_server", LoggingRole=role) == "InvalidRequestException"
    answer = server.call("redshift", "create_cluster", ClusterIdentifier="dw", NodeType="ra3.large", ClusterType="single-node",
                         MasterUsername="steward", MasterUserPassword=PASSWORD, IamRoles=[role])
    assert answer.get("error") is None
    other = make_role(server, "second")
    answer = server.call("redshift-serverless", "create_namespace", namespaceName="sf-dw", iamRoles=[other])
    assert answer["error"] == "ValidationException" and "must delegate access to an Amazon Redshift account" in answer["message"]


# --- Redshift ---


def test_a_cluster_goes_through_its_states(server):
    role = make_role(server)
    make_cluster(server)
    assert "Endpoint" not in cluster(server)
    assert settle(server) == ["available"]
    assert cluster(server)["Endpoint"]["Port"] == 5439
    done(server, "redshift", "modify_cluster_iam_roles", ClusterIdentifier="dw", AddIamRoles=[role])
    set_up(server, delays={"cluster_roles": 60})
    done(server, "redshift", "describe_clusters")
    done(server, "redshift", "modify_cluster_iam_roles", ClusterIdentifier="dw", RemoveIamRoles=[role])
    assert cluster(server)["IamRoles"] == [{"IamRoleArn": role, "ApplyStatus": "removing"}]
    assert code_of(server, "redshift", "pause_cluster", ClusterIdentifier="dw") == "InvalidClusterState"
    assert settle(server) == ["available"] and cluster(server)["IamRoles"] == []
    done(server, "redshift", "modify_cluster", ClusterIdentifier="dw", ClusterType="multi-node", NumberOfNodes=2)
    assert settle(server) == ["resizing", "available"] and cluster(server)["NumberOfNodes"] == 2
    done(server, "redshift", "modify_cluster", ClusterIdentifier="dw", NewClusterIdentifier="warehouse", MasterUserPassword=PASSWORD + "x")
    assert code_of(server, "redshift", "describe_clusters", ClusterIdentifier="dw") == "ClusterNotFound"  # this look ended the change
    done(server, "redshift", "pause_cluster", ClusterIdentifier="warehouse")
    assert settle(server, "warehouse") == ["paused"]
    done(server, "redshift", "resume_cluster", ClusterIdentifier="warehouse")
    assert settle(server, "warehouse") == ["resuming", "available"]


def test_a_cluster_leaves_a_snapshot_unless_told_not_to(server):
    make_cluster(server)
    settle(server)
    assert code_of(server, "redshift", "delete_cluster", ClusterIdentifier="dw") == "InvalidParameterCombination"
    assert code_of(server, "redshift", "delete_cluster", ClusterIdentifier="dw", SkipFinalClusterSnapshot=True,
                   FinalClusterSnapshotIdentifier="last") == "InvalidParameterCombination"
    done(server, "redshift", "delete_cluster", ClusterIdentifier="dw", FinalClusterSnapshotIdentifier="last")
    assert cluster(server)["ClusterStatus"] == "final-snapshot"
    assert code_of(server, "redshift", "describe_clusters", ClusterIdentifier="dw") == "ClusterNotFound"
    assert server.control("GET", "inventory") == {"redshift snapshot": ["last"]}


def test_a_managed_password_is_a_secret_that_lives_with_its_cluster(server):
    answer = done(server, "redshift", "create_cluster", ClusterIdentifier="dw", NodeType="ra3.large", ClusterType="single-node",
                  MasterUsername="steward", ManageMasterPassword=True)
    arn = answer["Cluster"]["MasterPasswordSecretArn"]
    assert json.loads(done(server, "secretsmanager", "get_secret_value", SecretId=arn)["SecretString"])["username"] == "steward"
    settle(server)
    done(server, "redshift", "delete_cluster", ClusterIdentifier="dw", SkipFinalClusterSnapshot=True)
    for _ in range(2):
        code_of(server, "redshift", "describe_clusters", ClusterIdentifier="dw")
    assert server.control("GET", "inventory") == {}


def test_serverless_changes_one_thing_at_a_time_and_goes_workgroup_first(server):
    call = ("redshift-serverless",)
    done(server, *call, "create_namespace", namespaceName="sf-dw", adminUsername="steward", adminUserPassword=PASSWORD)
    made = done(server, *call, "create_workgroup", workgroupName="sf-dw", namespaceName="sf-dw", baseCapacity=8)["workgroup"]
    assert made["status"] == "CREATING" and "endpoint" not in made
    assert code_of(server, *call, "update_workgroup", workgroupName="sf-dw", baseCapacity=16) == "ConflictException"
    states = [done(server, *call, "get_workgroup", workgroupName="sf-dw")["workgroup"]["status"] for _ in range(2)]
    assert states == ["CREATING", "AVAILABLE"]
    assert code_of(server, *call, "create_workgroup", workgroupName="two", namespaceName="sf-dw") == "ConflictException"
    assert code_of(server, *call, "update_workgroup", workgroupName="sf-dw", baseCapacity=16, port=5440) == "ValidationException"
    assert code_of(server, *call, "update_workgroup", workgroupName="sf-dw", baseCapacity=9) == "ValidationException"
    assert done(server, *call, "update_workgroup", workgroupName="sf-dw", baseCapacity=16)["workgroup"]["status"] == "MODIFYING"
    assert done(server, *call, "get_workgroup", workgroupName="sf-dw")["workgroup"]["baseCapacity"] == 16
    assert code_of(server, *call, "delete_namespace", namespaceName="sf-dw") == "ConflictException"
    done(server, *call, "delete_workgroup", workgroupName="sf-dw")
    for _ in range(2):
        gone = code_of(server, *call, "get_workgroup", workgroupName="sf-dw")
    assert gone == "ResourceNotFoundException"
    done(server, *call, "delete_namespace", namespaceName="sf-dw")
    assert code_of(server, *call, "get_namespace", namespaceName="sf-dw") == "ResourceNotFoundException"
