"""Buckets on AWS: made, changed, put back, emptied, destroyed."""

import json
import re

import pytest

from aws.conftest import REGION

NAME = "tryout-landing"
READER = '{Version: "2012-10-17", Statement: [{Sid: Reader, Effect: Allow, Principal: {AWS: "123456789012"}, ' \
         f'Action: s3:GetObject, Resource: "arn:aws:s3:::{NAME}/*"}}]}}'
EVERYBODY = '{Version: "2012-10-17", Statement: [{Effect: Allow, Principal: "*", ' \
            f'Action: s3:GetObject, Resource: "arn:aws:s3:::{NAME}/*"}}]}}'


def bucket(aws, more="", name=NAME):
    aws.resources(f"  landing: {{kind: bucket, name: {name}{', ' if more else ''}{more}}}\n", more="tags: {owner: controller}\n")


def applied(aws, more=""):
    bucket(aws, more)
    aws.apply()


def put_object(aws, key, text="1"):
    aws.call("s3", "put_object", Bucket=NAME, Key=key, Body=text)


def test_a_bucket_is_made_as_the_stack_file_says_and_is_then_left_alone(aws):
    applied(aws, "versioning: true")
    assert aws.changes() == {} and aws.drift() == {}
    one = ["--bucket", NAME]
    assert aws.cli("s3api", "get-bucket-versioning", *one)["Status"] == "Enabled"
    assert set(aws.cli("s3api", "get-public-access-block", *one)["PublicAccessBlockConfiguration"].values()) == {True}
    rule, = aws.cli("s3api", "get-bucket-lifecycle-configuration", *one)["Rules"]
    assert rule["ID"] == "unfinished-uploads" and rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    policy, = json.loads(aws.cli("s3api", "get-bucket-policy", *one)["Policy"])["Statement"]
    assert policy["Sid"] == "SfstackTlsOnly" and policy["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    tags = {t["Key"]: t["Value"] for t in aws.cli("s3api", "get-bucket-tagging", *one)["TagSet"]}
    assert tags["owner"] == "controller" and tags["sfstack:address"] == "bucket.landing"
    assert tags["sfstack:stack"].startswith("tryout/")
    assert set(tags) == {"owner", "sfstack:stack", "sfstack:address", "sfstack:intent"}
    assert aws.cli("s3api", "get-bucket-location", *one)["LocationConstraint"] == REGION


def test_no_call_is_made_that_is_not_needed(aws):
    bucket(aws, "versioning: true")
    assert aws.actions_of("sfplan") == ["GetBucketTagging"]
    made = aws.actions_of("sfapply", "-auto-approve")
    assert made == ["GetBucketTagging", "CreateBucket", "PutBucketTagging", "PutPublicAccessBlock", "PutBucketPolicy", "PutBucketVersioning",
                    "PutBucketLifecycleConfiguration"]
    read = ["GetBucketEncryption", "GetBucketLifecycleConfiguration", "GetBucketPolicy", "GetBucketTagging", "GetBucketVersioning",
            "GetPublicAccessBlock"]
    assert sorted(aws.actions_of("sfplan")) == read
    gone = aws.actions_of("sfdestroy", "-auto-approve")
    assert sorted(gone[:6]) == read and gone[6:] == ["ListObjectsV2", "GetBucketTagging", "DeleteBucket"]


CHANGES = {
    "versioning": ("versioning: true", "PutBucketVersioning"),
    "encryption": ("aws: {encryption: {algorithm: 'aws:kms', kms_key: 'arn:aws:kms:us-west-2:123456789012:key/k', "
                   "bucket_key: true}}", "PutBucketEncryption"),
    "public": ("aws: {public: true}", "DeletePublicAccessBlock"),
    "tls_only": ("aws: {tls_only: false}", "DeleteBucketPolicy"),
    "policy": (f"aws: {{policy: {READER}}}", "PutBucketPolicy"),
    "lifecycle": ("aws: {lifecycle: [{id: old, prefix: in/, expire_days: 30, noncurrent_days: 3}]}", "PutBucketLifecycleConfiguration"),
    "no lifecycle": ("aws: {lifecycle: []}", "DeleteBucketLifecycle"),
}


def part_of(call):
    return re.sub("^(Put|Delete)|Configuration$", "", call)


@pytest.mark.parametrize("what", CHANGES)
def test_one_attribute_is_changed_in_place_by_one_call_and_back(aws, what):
    more, call = CHANGES[what]
    applied(aws)
    for wanted in (more, ""):
        bucket(aws, wanted)
        assert aws.changes() == {"bucket.landing": "update"}
        made = [c for c in aws.actions_of("sfapply", "-auto-approve") if not c.startswith("Get")]
        assert [part_of(c) for c in made] == [part_of(call)]
        assert made == [call] or not wanted
        assert aws.changes() == {} and aws.drift() == {}


def test_tags_are_changed_and_ours_stay(aws):
    applied(aws)
    bucket(aws, "tags: {owner: treasurer, year: '2025'}")
    assert aws.changes() == {"bucket.landing": "update"}
    aws.apply()
    assert aws.changes() == {}
    tags = {t["Key"]: t["Value"] for t in aws.call("s3", "get_bucket_tagging", Bucket=NAME)["TagSet"]}
    assert tags["owner"] == "treasurer" and tags["year"] == "2025" and "sfstack:intent" in tags


def test_another_name_is_another_bucket(aws):
    applied(aws)
    bucket(aws, name="tryout-other")
    assert aws.changes() == {"bucket.landing": "replace"}
    aws.apply()
    assert [b["Name"] for b in aws.cli("s3api", "list-buckets")["Buckets"]] == ["tryout-other"]


def test_a_statement_that_somebody_added_is_seen_only_where_the_stack_file_has_a_policy(aws):
    applied(aws, f"aws: {{policy: {READER}}}")
    document = json.loads(aws.call("s3", "get_bucket_policy", Bucket=NAME)["Policy"])
    document["Statement"].append({**document["Statement"][1], "Sid": "Added", "Action": "s3:PutObject"})
    aws.call("s3", "put_bucket_policy", Bucket=NAME, Policy=json.dumps(document))
    assert aws.drift() == {"bucket.landing": "update"}
    aws.apply()
    assert [s["Sid"] for s in json.loads(aws.call("s3", "get_bucket_policy", Bucket=NAME)["Policy"])["Statement"]] == ["SfstackTlsOnly", "Reader"]


def test_a_bucket_that_somebody_deleted_is_made_again(aws):
    applied(aws)
    aws.call("s3", "delete_bucket", Bucket=NAME)
    assert aws.changes() == {"bucket.landing": "create"}
    aws.apply()
    assert aws.changes() == {}


def test_a_name_that_is_taken_is_told_at_plan_time(aws):
    aws.call("s3", "create_bucket", Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": REGION})
    bucket(aws)
    assert f"bucket '{NAME}'" in aws.refuse(1, "sfplan").err


def test_the_bucket_of_another_address_is_not_taken_over(aws):
    applied(aws)
    aws.resources(f"  landing: {{kind: bucket, name: {NAME}}}\n  again: {{kind: bucket, name: {NAME}}}\n")
    assert "bucket.landing" in aws.refuse(1, "sfplan").err


def test_an_adopted_bucket_only_gets_marks(aws):
    aws.call("s3", "create_bucket", Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": REGION})
    blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    aws.call("s3", "put_public_access_block", Bucket=NAME, PublicAccessBlockConfiguration=dict.fromkeys(blocks, True))
    aws.resources(f"  landing: {{kind: bucket, name: {NAME}, adopt: {NAME}, aws: {{tls_only: false, lifecycle: []}}}}\n")
    made = [c for c in aws.actions_of("sfapply", "-auto-approve") if not c.startswith("Get")]
    assert made == ["PutBucketTagging"]
    assert aws.changes() == {}


# --- destroy ---

# moto applies a Deny without looking at its condition, so no object can be put under ours
OBJECTS = "versioning: true, aws: {tls_only: false}"

def test_objects_of_others_block_a_destroy_and_are_named(aws):
    applied(aws, OBJECTS)
    for n in range(7):
        put_object(aws, f"in/{n} &+.csv")
    planned = aws.ok("sfplan", "-destroy").out
    assert "note: bucket.landing: it holds objects, first 'in/0 &+.csv'; those that this stack did not put there keep it" in planned
    err = aws.refuse(1, "sfdestroy", "-auto-approve").err
    assert "still holds 7 objects: 'in/0 &+.csv'" in err and "and 2 more" in err and "force_destroy" in err
    assert len(aws.cli("s3api", "list-objects-v2", "--bucket", NAME)["Contents"]) == 7


def test_what_is_left_of_deleted_objects_does_not_block_a_destroy(aws):
    applied(aws, OBJECTS)
    for key in ("gone", "gone", "more &<gone>"):
        put_object(aws, key)
    aws.call("s3", "delete_object", Bucket=NAME, Key="gone")
    aws.call("s3", "delete_object", Bucket=NAME, Key="more &<gone>")
    aws.call("s3", "create_multipart_upload", Bucket=NAME, Key="unfinished")
    aws.ok("sfdestroy", "-auto-approve")
    assert aws.cli("s3api", "list-buckets")["Buckets"] == []


def test_manifests_that_a_killed_load_left_are_ours_and_nothing_else_is(aws):
    applied(aws, OBJECTS)
    put_object(aws, "sfstack-copy/0123456789abcdef.manifest")
    put_object(aws, "sfstack-copy/0123456789abcdef.manifest")
    put_object(aws, "sfstack-copying.csv")
    assert "still holds 1 object: 'sfstack-copying.csv'" in aws.refuse(1, "sfdestroy", "-auto-approve").err
    aws.call("s3", "delete_object", Bucket=NAME, Key="sfstack-copying.csv")
    aws.ok("sfdestroy", "-auto-approve")
    assert aws.cli("s3api", "list-buckets")["Buckets"] == []


def test_force_destroy_empties_a_bucket_page_by_page(aws):
    applied(aws, f"{OBJECTS}, force_destroy: true")
    for n in range(520):
        put_object(aws, f"k{n}")
        put_object(aws, f"k{n}", "2")
    calls = aws.actions_of("sfdestroy", "-auto-approve")
    assert calls.count("DeleteObjects") == 2 and calls.count("ListObjectsV2") == 1  # the plan's look
    assert aws.cli("s3api", "list-buckets")["Buckets"] == []


def test_a_bucket_that_somebody_else_took_since_is_not_destroyed(aws):
    applied(aws)
    text = json.dumps(aws.call("s3", "get_bucket_tagging", Bucket=NAME)).replace("tryout/", "others/")
    aws.call("s3", "put_bucket_tagging", Bucket=NAME, Tagging=json.loads(text))
    aws.refuse(1, "sfdestroy", "-auto-approve")
    assert not aws.count("DeleteBucket")


def test_a_bucket_that_is_gone_already_is_destroyed(aws):
    applied(aws)
    aws.call("s3", "delete_bucket", Bucket=NAME)
    aws.ok("sfdestroy", "-auto-approve", "-refresh=false")
    assert aws.changes() == {"bucket.landing": "create"}


# --- calls that fail ---

@pytest.mark.parametrize("fault", ["500-after", "reset-after"])
@pytest.mark.parametrize("call", ["PutBucketPolicy", "PutBucketLifecycleConfiguration", "PutBucketTagging", "PutPublicAccessBlock"])
def test_a_part_whose_answer_was_lost_is_put_again(aws, call, fault):
    bucket(aws)
    aws.fault(call, fault, times=1)
    aws.apply()
    assert aws.changes() == {} and aws.count("CreateBucket") == 1


@pytest.mark.parametrize("call", ["CreateBucket", "PutBucketTagging", "GetBucketTagging"])
def test_a_throttled_call_is_made_again(aws, call):
    bucket(aws)
    aws.fault(call, "throttle", times=2)
    aws.apply()
    assert aws.changes() == {}


def test_an_incomplete_bucket_is_finished_by_the_next_run(aws):
    bucket(aws)
    aws.fault("PutBucketTagging", "deny", times=1)
    err = aws.refuse(4, "sfapply", "-auto-approve").err
    assert "s3:PutBucketTagging" in err and f"arn:aws:s3:::{NAME}" in err
    assert aws.changes() == {"bucket.landing": "update"}
    aws.apply()
    assert aws.changes() == {} and aws.count("CreateBucket") == 1


def test_what_s3_would_refuse_is_refused_at_plan_time(aws):
    for more, message in ((f"aws: {{policy: {EVERYBODY}}}", "lets everybody in"),
                          ("aws: {lifecycle: [{id: a, prefix: x}]}", "does nothing"),
                          ("aws: {encryption: {kms_key: k}}", "a KMS key is named")):
        bucket(aws, more)
        assert message in aws.refuse(65, "sfplan").err
    assert aws.count("CreateBucket") == 0
