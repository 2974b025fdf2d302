"""What stack.yaml describes as a plain boto3 script: one client a service, one call after the other, nothing remembered, nothing compared.

usage: seed.py create|delete     AWS_ENDPOINT_URL says where
"""

import json
import sys
import time

import boto3

BUCKET, ACCOUNT = "bench-landing", "123456789012"
s3, iam, transfer, ec2, redshift = (boto3.client(name, region_name="us-west-2") for name in ("s3", "iam", "transfer", "ec2", "redshift"))


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def create():
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})
    blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=dict.fromkeys(blocks, True))
    arn, roles = f"arn:aws:s3:::{BUCKET}", {}
    for name, service, action in (("sftp", "transfer", "s3:PutObject"), ("load", "redshift", "s3:GetObject")):
        listing = {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": arn}
        rights = document(listing, {"Effect": "Allow", "Action": action, "Resource": arn + "/*"})
        policy = iam.create_policy(PolicyName=f"bench-{name}", PolicyDocument=rights)["Policy"]["Arn"]
        trust = document({"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"})
        roles[name] = iam.create_role(RoleName=f"bench-{name}", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        iam.attach_role_policy(RoleName=f"bench-{name}", PolicyArn=policy)
    server = transfer.create_server(Domain="S3", Protocols=["SFTP"], EndpointType="PUBLIC", IdentityProviderType="SERVICE_MANAGED",
                                    LoggingRole=roles["sftp"])["ServerId"]
    while transfer.describe_server(ServerId=server)["Server"].get("State", "ONLINE") != "ONLINE":
        time.sleep(0.2)
    transfer.create_user(ServerId=server, UserName="uploader", Role=roles["sftp"], HomeDirectory="/" + BUCKET)
    transfer.import_ssh_public_key(ServerId=server, UserName="uploader", SshPublicKeyBody=open("key.pub").read().strip())
    group = ec2.create_security_group(GroupName="bench-sql", Description="who may reach the warehouse")["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 5439, "ToPort": 5439, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    redshift.create_cluster(ClusterIdentifier="bench-dw", ClusterType="single-node", NodeType="ra3.large", DBName="san_francisco",
                            MasterUsername="steward", MasterUserPassword="Passw0rd1234", IamRoles=[roles["load"]],
                            VpcSecurityGroupIds=[group], PubliclyAccessible=False)
    while redshift.describe_clusters(ClusterIdentifier="bench-dw")["Clusters"][0]["ClusterStatus"] != "available":
        time.sleep(0.2)


def delete():
    redshift.delete_cluster(ClusterIdentifier="bench-dw", SkipFinalClusterSnapshot=True)
    try:
        while redshift.describe_clusters(ClusterIdentifier="bench-dw"):
            time.sleep(0.2)
    except redshift.exceptions.ClusterNotFoundFault:
        pass
    found = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["bench-sql"]}])["SecurityGroups"]
    for group in found:
        ec2.delete_security_group(GroupId=group["GroupId"])
    for server in transfer.list_servers()["Servers"]:
        transfer.delete_server(ServerId=server["ServerId"])
    for name in ("sftp", "load"):
        policy = f"arn:aws:iam::{ACCOUNT}:policy/bench-{name}"
        iam.detach_role_policy(RoleName=f"bench-{name}", PolicyArn=policy)
        iam.delete_role(RoleName=f"bench-{name}")
        iam.delete_policy(PolicyArn=policy)
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        objects = [{"Key": o["Key"], "VersionId": o["VersionId"]} for kind in ("Versions", "DeleteMarkers") for o in page.get(kind, [])]
        if objects:
            s3.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})
    s3.delete_bucket(Bucket=BUCKET)


{"create": create, "delete": delete}[sys.argv[1]]()
