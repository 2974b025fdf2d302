"""Buckets on AWS: made, changed, put back, emptied, destroyed."""

import json

import pytest

from wire import REGION, aws, wire  # noqa: F401

NAME = "tryout-landing"
S3 = "http://s3.amazonaws.com/doc/2006-03-01/"
READER = '{Version: "2012-10-17", Statement: [{Sid: Reader, Effect: Allow, Principal: {AWS: "123456789012"}, ' \
         f'Action: s3:GetObject, Resource: "arn:aws:s3:::{NAME}/*"}}]}}'
EVERYBODY = '{Version: "2012-10-17", Statement: [{Effect: Allow, Principal: "*", ' \
            f'Action: s3:GetObject, Resource: "arn:aws:s3:::{NAME}/*"}}]}}'


def bucket(aws, more="", name=NAME):
    aws.resources(f"  landing: {{kind: bucket, name: {name}{', ' if more else ''}{more}}}\n", more="tags: {owner: controller}\n")


def applied(aws, more=""):
    bucket(aws, more)
    aws.apply()


def put_object(aws, key, bytes_=b"1"):
    aws.wire.s3("PUT", f"/{NAME}/{key}", bytes_)


def test_a_bucket_is_made_as_the_stack_file_says_and_is_then_left_alone(aws):
    applied(aws, "versioning: true")
    assert aws.changes() == {} and aws.drift() == {}
    one = ["--bucket", NAME]
    assert aws.aws("s3api", "get-bucket-versioning", *one)["Status"] == "Enabled"
    assert set(aws.aws("s3api", "get-public-access-block", *one)["PublicAccessBlockConfiguration"].values()) == {True}
    rule, = aws.aws("s3api", "get-bucket-lifecycle-configuration", *one)["Rules"]
    assert rule["ID"] == "unfinished-uploads" and rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    policy, = json.loads(aws.aws("s3api", "get-bucket-policy", *one)["Policy"])["Statement"]
    assert policy["Sid"] == "SfstackTlsOnly" and policy["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    tags = {t["Key"]: t["Value"] for t in aws.aws("s3api", "get-bucket-tagging", *one)["TagSet"]}
    assert tags["owner"] == "controller" and tags["sfstack:address"] == "bucket.landing"
    assert tags["sfstack:stack"].startswith("tryout/")
    assert set(tags) == {"owner", "sfstack:stack", "sfstack:address", "sfstack:intent"}
    assert aws.aws("s3api", "get-bucket-location", *one)["LocationConstraint"] == REGION


def test_no_call_is_made_that_is_not_needed(aws):
    bucket(aws, "versioning: true")
    assert aws.calls_of("sfplan") == ["GET tagging"]
    made = aws.calls_of("sfapply", "-auto-approve")
    assert made == ["GET tagging", "PUT bucket", "PUT tagging", "PUT publicAccessBlock", "PUT policy", "PUT versioning",
                    "PUT lifecycle"]
    parts = ("tagging", "versioning", "encryption", "publicAccessBlock", "policy", "lifecycle")
    read = sorted(f"GET {part}" for part in parts)
    assert sorted(aws.calls_of("sfplan")) == read
    gone = aws.calls_of("sfdestroy", "-auto-approve")
    assert sorted(gone[:6]) == read and gone[6:] == ["GET list-type", "GET tagging", "DELETE bucket"]


CHANGES = {
    "versioning": ("versioning: true", "PUT versioning"),
    "encryption": ("aws: {encryption: {algorithm: 'aws:kms', kms_key: 'arn:aws:kms:us-west-2:123456789012:key/k', "
                   "bucket_key: true}}", "PUT encryption"),
    "public": ("aws: {public: true}", "DELETE publicAccessBlock"),
    "tls_only": ("aws: {tls_only: false}", "DELETE policy"),
    "policy": (f"aws: {{policy: {READER}}}", "PUT policy"),
    "lifecycle": ("aws: {lifecycle: [{id: old, prefix: in/, expire_days: 30, noncurrent_days: 3}]}", "PUT lifecycle"),
    "no lifecycle": ("aws: {lifecycle: []}", "DELETE lifecycle"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_one_attribute_is_changed_in_place_by_one_call_and_back(aws, what):
    more, call = CHANGES[what]
    applied(aws)
    for wanted in (more, ""):
        bucket(aws, wanted)
        assert aws.changes() == {"bucket.landing": "update"}
        made = [c for c in aws.calls_of("sfapply", "-auto-approve") if not c.startswith("GET")]
        assert len(made) == 1 and made[0].split()[1] == call.split()[1]
        assert made == [call] or not wanted
        assert aws.changes() == {} and aws.drift() == {}


def test_tags_are_changed_and_ours_stay(aws):
    applied(aws)
    bucket(aws, "tags: {owner: treasurer, year: '2025'}")
    assert aws.changes() == {"bucket.landing": "update"}
    aws.apply()
    assert aws.changes() == {}
    text = aws.wire.s3("GET", f"/{NAME}?tagging")
    assert "treasurer" in text and "2025" in text and "sfstack:intent" in text


def test_another_name_is_another_bucket(aws):
    applied(aws)
    bucket(aws, name="tryout-other")
    assert aws.changes() == {"bucket.landing": "replace"}
    aws.apply()
    assert [b["Name"] for b in aws.aws("s3api", "list-buckets")["Buckets"]] == ["tryout-other"]


DRIFT = {
    "versioning": ("PUT", "versioning", f'<VersioningConfiguration xmlns="{S3}"><Status>Enabled</Status></VersioningConfiguration>'),
    "encryption": ("PUT", "encryption",
                   f'<ServerSideEncryptionConfiguration xmlns="{S3}"><Rule><ApplyServerSideEncryptionByDefault>'
                   "<SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"),
    "public access": ("DELETE", "publicAccessBlock", ""),
    "one block": ("PUT", "publicAccessBlock",
                  f'<PublicAccessBlockConfiguration xmlns="{S3}"><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true'
                  "</IgnorePublicAcls><BlockPublicPolicy>false</BlockPublicPolicy><RestrictPublicBuckets>true"
                  "</RestrictPublicBuckets></PublicAccessBlockConfiguration>"),
    "no policy": ("DELETE", "policy", ""),
    "weak policy": ("PUT", "policy", json.dumps({"Version": "2012-10-17", "Statement": [
        {"Sid": "SfstackTlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
         "Resource": f"arn:aws:s3:::{NAME}/*"}]})),
    "no lifecycle": ("DELETE", "lifecycle", ""),
    "lifecycle": ("PUT", "lifecycle",
                  f'<LifecycleConfiguration xmlns="{S3}"><Rule><ID>unfinished-uploads</ID><Filter><Prefix></Prefix></Filter>'
                  "<Status>Disabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>"
                  "</AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>"),
}


@pytest.mark.parametrize("what", DRIFT)
def test_what_was_changed_outside_is_seen_and_put_back(aws, what):
    method, part, body = DRIFT[what]
    applied(aws)
    aws.wire.s3(method, f"/{NAME}?{part}", body.encode())
    assert aws.drift() == {"bucket.landing": "update"} and aws.changes() == {"bucket.landing": "update"}
    aws.apply()
    assert aws.changes() == {} and aws.drift() == {}


def test_changed_tags_are_seen_and_put_back(aws):
    applied(aws)
    text = aws.wire.s3("GET", f"/{NAME}?tagging").replace("controller", "somebody")
    aws.wire.s3("PUT", f"/{NAME}?tagging", text[text.index("<Tagging"):].encode())
    assert aws.drift() == {"bucket.landing": "update"}
    aws.apply()
    assert aws.changes() == {}


def test_a_statement_that_somebody_added_is_seen_only_where_the_stack_file_has_a_policy(aws):
    applied(aws, f"aws: {{policy: {READER}}}")
    document = json.loads(aws.wire.s3("GET", f"/{NAME}?policy"))
    document["Statement"].append({**document["Statement"][1], "Sid": "Added", "Action": "s3:PutObject"})
    aws.wire.s3("PUT", f"/{NAME}?policy", json.dumps(document).encode())
    assert aws.drift() == {"bucket.landing": "update"}
    aws.apply()
    assert [s["Sid"] for s in json.loads(aws.wire.s3("GET", f"/{NAME}?policy"))["Statement"]] == ["SfstackTlsOnly", "Reader"]


def test_a_bucket_that_somebody_deleted_is_made_again(aws):
    applied(aws)
    aws.wire.s3("DELETE", f"/{NAME}")
    assert aws.changes() == {"bucket.landing": "create"}
    aws.apply()
    assert aws.changes() == {}


def test_a_name_that_is_taken_is_told_at_plan_time(aws):
    body = f"<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    aws.wire.s3("PUT", f"/{NAME}", body.encode())
    bucket(aws)
    assert f"bucket '{NAME}'" in aws.refuse(1, "sfplan").err


def test_the_bucket_of_another_address_is_not_taken_over(aws):
    applied(aws)
    aws.resources(f"  landing: {{kind: bucket, name: {NAME}}}\n  again: {{kind: bucket, name: {NAME}}}\n")
    assert "bucket.landing" in aws.refuse(1, "sfplan").err


def test_an_adopted_bucket_only_gets_marks(aws):
    body = f"<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    blocks = "".join(f"<{b}>true</{b}>" for b in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"))
    aws.wire.s3("PUT", f"/{NAME}", body.encode())
    aws.wire.s3("PUT", f"/{NAME}?publicAccessBlock",
                f'<PublicAccessBlockConfiguration xmlns="{S3}">{blocks}</PublicAccessBlockConfiguration>'.encode())
    aws.resources(f"  landing: {{kind: bucket, name: {NAME}, adopt: {NAME}, aws: {{tls_only: false, lifecycle: []}}}}\n")
    made = [c for c in aws.calls_of("sfapply", "-auto-approve") if not c.startswith("GET")]
    assert made == ["PUT tagging"]
    assert aws.changes() == {}


# --- destroy ---

# moto applies a Deny without looking at its condition, so no object can be put under ours
OBJECTS = "versioning: true, aws: {tls_only: false}"

def test_objects_of_others_block_a_destroy_and_are_named(aws):
    applied(aws, OBJECTS)
    for n in range(7):
        put_object(aws, f"in/{n}%20%26%2B.csv")
    planned = aws.ok("sfplan", "-destroy").out
    assert "note: bucket.landing: it holds objects, first 'in/0 &+.csv'; those that this stack did not put there keep it" in planned
    err = aws.refuse(1, "sfdestroy", "-auto-approve").err
    assert "still holds 7 objects: 'in/0 &+.csv'" in err and "and 2 more" in err and "force_destroy" in err
    assert len(aws.aws("s3api", "list-objects-v2", "--bucket", NAME)["Contents"]) == 7


def test_what_is_left_of_deleted_objects_does_not_block_a_destroy(aws):
    applied(aws, OBJECTS)
    for key in ("gone", "gone", "more%20%26%3Cgone%3E"):
        put_object(aws, key)
    aws.wire.s3("DELETE", f"/{NAME}/gone")
    aws.wire.s3("DELETE", f"/{NAME}/more%20%26%3Cgone%3E")
    aws.wire.s3("POST", f"/{NAME}/unfinished?uploads")
    aws.ok("sfdestroy", "-auto-approve")
    assert aws.aws("s3api", "list-buckets")["Buckets"] == []


def test_force_destroy_empties_a_bucket_page_by_page(aws):
    applied(aws, f"{OBJECTS}, force_destroy: true")
    for n in range(520):
        put_object(aws, f"k{n}")
        put_object(aws, f"k{n}", b"2")
    calls = aws.calls_of("sfdestroy", "-auto-approve")
    assert calls.count("POST delete") == 2 and calls.count("GET list-type") == 1  # the plan's look
    assert aws.aws("s3api", "list-buckets")["Buckets"] == []


def test_a_bucket_that_somebody_else_took_since_is_not_destroyed(aws):
    applied(aws)
    text = aws.wire.s3("GET", f"/{NAME}?tagging").replace("tryout/", "others/")
    aws.wire.s3("PUT", f"/{NAME}?tagging", text[text.index("<Tagging"):].encode())
    aws.refuse(1, "sfdestroy", "-auto-approve")
    assert "DELETE bucket" not in aws.wire.calls


def test_a_bucket_that_is_gone_already_is_destroyed(aws):
    applied(aws)
    aws.wire.s3("DELETE", f"/{NAME}")
    aws.ok("sfdestroy", "-auto-approve", "-refresh=false")
    assert aws.changes() == {"bucket.landing": "create"}


# --- calls that fail ---

@pytest.mark.parametrize("fault", ["500-after", "reset-after"])
@pytest.mark.parametrize("call", ["PUT policy", "PUT lifecycle", "PUT tagging", "PUT publicAccessBlock"])
def test_a_part_whose_answer_was_lost_is_put_again(aws, call, fault):
    bucket(aws)
    aws.wire.fail(call, fault)
    aws.apply()
    assert aws.changes() == {} and aws.wire.calls.count("PUT bucket") == 1


@pytest.mark.parametrize("call", ["PUT bucket", "PUT tagging", "GET tagging"])
def test_a_throttled_call_is_made_again(aws, call):
    bucket(aws)
    aws.wire.fail(call, "throttle", 2)
    aws.apply()
    assert aws.changes() == {}


def test_an_incomplete_bucket_is_finished_by_the_next_run(aws):
    bucket(aws)
    aws.wire.fail("PUT tagging", "deny")
    err = aws.refuse(4, "sfapply", "-auto-approve").err
    assert "s3:PutBucketTagging" in err and f"arn:aws:s3:::{NAME}" in err
    assert aws.changes() == {"bucket.landing": "update"}
    aws.apply()
    assert aws.changes() == {} and aws.wire.calls.count("PUT bucket") == 1


def test_what_s3_would_refuse_is_refused_at_plan_time(aws):
    for more, message in ((f"aws: {{policy: {EVERYBODY}}}", "lets everybody in"),
                          ("aws: {lifecycle: [{id: a, prefix: x}]}", "does nothing"),
                          ("aws: {encryption: {kms_key: k}}", "a KMS key is named")):
        bucket(aws, more)
        assert message in aws.refuse(65, "sfplan").err
    assert aws.wire.calls.count("PUT bucket") == 0
