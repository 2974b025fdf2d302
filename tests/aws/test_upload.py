"""kind upload on AWS: over Transfer Family's SFTP under the user's role, and straight into the bucket."""

import hashlib
import json
import os

import pytest

DELIVERY = "upload.delivery"
STACK = """stack: city
provider: aws
resources:
  landing: {kind: bucket, name: city-landing, versioning: true}
  landing_write:
    kind: policy
    name: city-write
    document:
      Version: "2012-10-17"
      Statement:
        - {Sid: List, Effect: Allow, Action: [s3:ListBucket, s3:GetBucketLocation], Resource: "${landing.arn}"}
        - {Sid: Put, Effect: Allow, Action: s3:PutObject, Resource: "${landing.arn}/*"}
  writer: {kind: role, name: city-writer, trust: transfer, policies: [landing_write]}
  host: {kind: ssh_key}
  mine: {kind: ssh_key}
  sftp: {kind: sftp_server, host_keys: [host], aws: {security_policy: TransferSecurityPolicy-2022-03}}
  uploader: {kind: sftp_user, server: sftp, name: uploader, role: writer, home: landing, keys: [mine]}
  figures: {kind: dataset, source: {sample: {rows: 400, seed: 1}}, conform: builtin:sf/spending_revenue}
  delivery: {kind: upload, of: figures, to: landing, as: uploader, key: mine}
"""


@pytest.fixture
def city(sftp_aws):
    sftp_aws.write("stack.yaml", STACK)
    return sftp_aws


def objects(ws):
    """{key: bytes} of the bucket."""
    listed = ws.call("s3", "list_objects_v2", Bucket="city-landing").get("Contents", [])
    return {thing["Key"]: thing["Size"] for thing in listed}


def test_files_go_over_sftp_and_the_plan_after_it_is_empty(city):
    city.apply()
    files = city.show(DELIVERY)["files"]
    assert objects(city) == {key: file["bytes"] for key, file in files.items()}
    assert city.changes() == {} and city.drift() == {}
    city.ok("sfdestroy", "-auto-approve")
    assert city.inventory() == {}
