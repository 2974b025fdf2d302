"""kind upload on AWS: over Transfer Family's SFTP under the user's role, and straight into the bucket."""

import contextlib
import csv
import json
import os
import signal
import subprocess

import pytest
from conftest import wait_until

DELIVERY, BUCKET = "upload.delivery", "city-landing"
LANDING = """stack: city
provider: aws
aws: {region: us-west-2}
resources:
  landing: {kind: bucket, name: city-landing, versioning: true}
  figures: {kind: dataset, source: {file: rows.csv}, conform: builtin:sf/spending_revenue}
"""
SFTP = """  landing_write:
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
  delivery: {kind: upload, of: figures, to: landing, as: uploader, key: mine}
"""
DIRECT = "  delivery: {kind: upload, of: figures, to: landing, via: bucket}\n"


def source(ws, rows=400, change=None):
    """rows.csv of the sample; `change(row)` changes rows, dicts of text."""
    ws.ok("sfsample", "-rows", str(rows), "-o", "rows.csv")
    if change:
        with open(ws.path("rows.csv"), newline="") as file:
            table = list(csv.DictReader(file))
        for row in table:
            change(row)
        with open(ws.path("rows.csv"), "w", newline="") as file:
            writer = csv.DictWriter(file, table[0])
            writer.writeheader()
            writer.writerows(table)


def prepare(ws, road):
    ws.write("stack.yaml", LANDING + road)
    source(ws)
    return ws


@pytest.fixture
def over(sftp_aws):
    return prepare(sftp_aws, SFTP)


@pytest.fixture
def straight(aws):
    return prepare(aws, DIRECT)


@pytest.fixture(params=["sftp", "bucket"])
def city(request):
    return request.getfixturevalue("over" if request.param == "sftp" else "straight")


def objects(ws):
    """{key: bytes} of the bucket."""
    listed = ws.call("s3", "list_objects_v2", Bucket=BUCKET).get("Contents", [])
    return {thing["Key"]: thing["Size"] for thing in listed}


def versions(ws):
    """{key: [version ids]}"""
    found = {}
    for version in ws.call("s3", "list_object_versions", Bucket=BUCKET).get("Versions", []):
        found.setdefault(version["Key"], []).append(version["VersionId"])
    return found


def files_of(ws):
    return ws.show(DELIVERY)["files"]


def check_objects(ws):
    """The bucket holds what state says, to the byte, and nothing else."""
    files = files_of(ws)
    assert objects(ws) == {key: file["bytes"] for key, file in files.items()}
    for key, file in files.items():
        assert ws.call("s3", "get_object", Bucket=BUCKET, Key=key)["sha256"] == file["sha256"], key


def a_year(ws):
    return next(key for key in sorted(files_of(ws)) if "/fy=" in key)


# --- both roads ---


def test_all_files_arrive_the_plan_after_it_is_empty_and_destroy_leaves_nothing(city):
    city.apply()
    check_objects(city)
    assert {len(ids) for ids in versions(city).values()} == {1}
    calls = city.calls_of("sfplan", "-detailed-exitcode")
    assert [call["action"] for call in calls if call["action"] == "GetObject"] == []
    assert city.changes() == {} and city.drift() == {}
    city.ok("sfdestroy", "-auto-approve")
    assert city.inventory() == {}


def test_a_changed_year_uploads_its_files_only(city):
    city.apply()
    before = versions(city)
    year = a_year(city)
    number = year.split("/fy=")[1][:4]

    def one_cent_more(row):
        if row["fiscal_year"] == number:
            row["amount"] = f"{float(row['amount']) + 0.01:.2f}"
    source(city, change=one_cent_more)
    city.apply()
    after = versions(city)
    assert {key: after[key] for key in before} == before
    fresh = sorted(set(after) - set(before))
    assert [key.rpartition("/")[0] for key in fresh] == ["code_alias", f"code_alias/fy={number}", "delivery", "transaction",
                                                           f"transaction/fy={number}"], fresh
    assert city.changes() == {}
    city.ok("sfdestroy", "-auto-approve")
    assert city.inventory() == {}


def test_what_was_done_to_an_object_is_seen_and_put_right_alone(city):
    city.apply()
    before, key = versions(city), a_year(city)
    size = files_of(city)[key]["bytes"]
    for change in ("delete", "same size", "shorter"):
        if change == "delete":
            city.call("s3", "delete_object", Bucket=BUCKET, Key=key)
        else:
            city.call("s3", "put_object", Bucket=BUCKET, Key=key, Body="x" * (size - (change == "shorter")))
        assert city.changes() == {DELIVERY: "update"}, change
        city.apply()
        assert city.changes() == {}, change
        check_objects(city)
    after = versions(city)
    assert {k: v for k, v in after.items() if k != key} == {k: v for k, v in before.items() if k != key}
    city.ok("sfdestroy", "-auto-approve")
    assert city.inventory() == {}


def test_the_same_bytes_put_by_somebody_else_are_no_change(city):
    city.apply()
    key = next(key for key in files_of(city) if key.startswith("delivery/"))
    body = city.call("s3", "get_object", Bucket=BUCKET, Key=key)["Body"]
    city.call("s3", "put_object", Bucket=BUCKET, Key=key, Body=body)
    assert city.changes() == {}


def test_other_peoples_objects_stay(city):
    city.apply()
    city.call("s3", "put_object", Bucket=BUCKET, Key="transaction/notes.txt", Body="mine")
    city.refuse(1, "sfdestroy", "-auto-approve")
    assert objects(city) == {"transaction/notes.txt": 4}


def test_the_road_can_change_without_a_file_being_sent_again(over):
    over.apply()
    before = versions(over)
    over.edit("stack.yaml", ("as: uploader, key: mine", "via: bucket, as: uploader, key: mine"))
    assert over.changes() == {DELIVERY: "update"}
    over.apply()
    assert over.changes() == {} and versions(over) == before


def test_the_flagship_delivers_as_it_stands(sftp_aws):
    with open(f"{sftp_aws.share}/stacks/sf-finance.yaml") as file:
        sftp_aws.write("stack.yaml", file.read())
    sftp_aws.edit("stack.yaml", ("provider: local # or aws; --provider overrides", "provider: aws"))
    sftp_aws.env["SF_VAR_source"] = "{sample: {rows: 400, seed: 1}}"
    sftp_aws.apply("-target=delivery")
    assert sftp_aws.changes("-target=delivery") == {}
    files = files_of(sftp_aws)
    listed = sftp_aws.call("s3", "list_objects_v2", Bucket="sf-finance-landing-123456789012")["Contents"]
    assert {thing["Key"]: thing["Size"] for thing in listed} == {key: file["bytes"] for key, file in files.items()}
    sftp_aws.ok("sfdestroy", "-auto-approve")
    assert sftp_aws.inventory() == {}


# --- what is said while planning ---


@pytest.mark.parametrize("policy", ["2024-01", "2025-03", "FIPS-2024-01"])
def test_a_server_that_this_ssh_cannot_talk_to_is_explained_before_anything_is_made(over, policy):
    over.edit("stack.yaml", ("TransferSecurityPolicy-2022-03", f"TransferSecurityPolicy-{policy}"))
    plan = over.refuse(65, "sfplan")
    for word in ("libssh2", "'sftp_server.sftp'", policy, "MAC", "TransferSecurityPolicy-2022-03", "via: bucket"):
        assert word in plan.err, (word, plan.err)
    over.refuse(65, "sfapply", "-auto-approve")
    assert over.inventory() == {}


def test_a_policy_that_nobody_wrote_is_pointed_at_nowhere(over):
    over.edit("stack.yaml", (", aws: {security_policy: TransferSecurityPolicy-2022-03}", ""))
    plan = over.refuse(65, "sfplan")
    assert "libssh2" in plan.err and "schema:" not in plan.err, plan.err


def test_both_ways_out_work(over):
    over.edit("stack.yaml", (", aws: {security_policy: TransferSecurityPolicy-2022-03}", ""))
    over.refuse(65, "sfplan")
    over.edit("stack.yaml", ("as: uploader, key: mine", "via: bucket"))
    over.apply()
    check_objects(over)


@pytest.mark.parametrize("change, words", [
    (("TransferSecurityPolicy-2022-03", "TransferSecurityPolicy-2099-01"), ("no security policy 'TransferSecurityPolicy-2099-01'", "list-security-policies")),
    (("host: {kind: ssh_key}", "host: {kind: ssh_key, algorithm: rsa, format: pem}"), ("rsa host key", "ed25519", "via: bucket")),
    (("mine: {kind: ssh_key}", "mine: {kind: ssh_key, algorithm: rsa}"), ("rsa key", "ed25519", "via: bucket")),
    ((", as: uploader", ""), ("`as`", "via: bucket")),
    ((", key: mine", ""), ("`key`", "via: bucket")),
])
def test_what_cannot_work_is_said_while_planning(over, change, words):
    over.edit("stack.yaml", change)
    plan = over.refuse(65, "sfplan")
    assert [word for word in words if word not in plan.err] == [], plan.err


def test_a_server_that_makes_its_own_host_key_is_warned_of(over):
    over.edit("stack.yaml", ("host_keys: [host], ", ""))
    assert "makes its own host key" in over.ok("sfplan").out


def test_who_may_not_ask_for_the_policy_is_told_and_goes_on(over):
    over.fault("DescribeSecurityPolicy", "deny")
    assert "not known beforehand" in over.ok("sfplan").out


@pytest.mark.parametrize("road, is_needed", [("straight", True), ("over", False)])
def test_the_rights_that_a_road_takes_are_asked_for(request, road, is_needed):
    ws = request.getfixturevalue(road)
    policy = json.loads(ws.ok("sfplan", "-caller-policy").out)
    allowed = {(action, resource) for s in policy["Statement"] for action in s["Action"] for resource in s["Resource"]}
    for action in ("PutObject", "ListMultipartUploadParts"):
        assert ((f"s3:{action}", f"arn:aws:s3:::{BUCKET}/*") in allowed) is is_needed, allowed
    assert ("s3:GetObject", f"arn:aws:s3:::{BUCKET}/*") in allowed


# --- SFTP that breaks ---


def test_a_connection_that_is_cut_in_a_file_is_made_good(over):
    over.settings(sftp_faults=[{"fault": "cut", "after_bytes": 40000, "times": 1}])
    over.apply()
    check_objects(over)
    assert over.changes() == {}


def test_a_server_that_falls_silent_ends_in_time_with_an_error_and_the_next_run_finishes(over):
    over.edit("stack.yaml", ("as: uploader, key: mine", "as: uploader, key: mine, timeouts: {create: 4s, update: 4s}"))
    over.settings(sftp_faults=[{"fault": "stall", "after_bytes": 20000}])
    failed = over.run("sfapply", "-auto-approve")
    assert failed.code in (1, 6), failed
    assert "a transfer broke off" in failed.out + failed.err and "no answer in time" in failed.out + failed.err, failed
    over.settings(sftp_faults=[])
    over.edit("stack.yaml", (", timeouts: {create: 4s, update: 4s}", ""))
    over.apply()
    check_objects(over)


def test_a_role_that_may_not_put_is_named(over):
    over.edit("stack.yaml", ("Action: s3:PutObject", "Action: s3:GetObject"))
    failed = over.refuse(4, "sfapply", "-auto-approve")
    assert "user 'uploader'" in failed.err and "policies of its role" in failed.err, failed
    over.edit("stack.yaml", ("Action: s3:GetObject", "Action: s3:PutObject"))
    over.apply()
    check_objects(over)


def test_a_policy_that_was_changed_behind_the_plan_is_explained_by_the_handshake(over):
    over.apply()
    server = over.call("transfer", "list_servers")["Servers"][0]["ServerId"]
    over.call("transfer", "update_server", ServerId=server, SecurityPolicyName="TransferSecurityPolicy-2024-01")
    over.call("s3", "delete_object", Bucket=BUCKET, Key=a_year(over))
    over.edit("stack.yaml", ("TransferSecurityPolicy-2022-03", "TransferSecurityPolicy-2024-01"))
    failed = over.refuse(1, "sfapply", "-auto-approve")
    assert "no algorithm in common" in failed.err and "via: bucket" in failed.err, failed


def test_nothing_is_sent_to_a_server_with_another_host_key(over):
    over.apply()
    server = over.call("transfer", "list_servers")["Servers"][0]["ServerId"]
    key = over.call("transfer", "list_host_keys", ServerId=server)["HostKeys"][0]["HostKeyId"]
    over.ok("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", over.path("other"))
    over.call("s3", "delete_object", Bucket=BUCKET, Key=a_year(over))
    over.call("transfer", "import_host_key", ServerId=server, HostKeyBody=over.read("other"))
    over.call("transfer", "delete_host_key", ServerId=server, HostKeyId=key)
    failed = over.refuse(4, "sfapply", "-auto-approve", "-refresh=false", "-replace=delivery")
    assert "host key" in failed.err and "not the expected one" in failed.err, failed
    over.apply()
    check_objects(over)


# --- S3 that breaks ---


@pytest.mark.parametrize("fault", ["500", "500-after", "throttle", "reset-before", "reset-after"])
def test_calls_that_fail_now_and_then_are_made_again(straight, fault):
    straight.faults([{"service": "s3", "action": "PutObject", "fault": fault, "every": 3}])
    straight.apply()
    check_objects(straight)
    assert straight.changes() == {}


def test_s3_that_falls_silent_ends_in_time_with_an_error_and_the_next_run_finishes(straight):
    straight.edit("stack.yaml", ("via: bucket", "via: bucket, timeouts: {create: 3s}"))
    straight.faults([{"service": "s3", "action": "PutObject", "fault": "hang-before", "nth": 5}])
    failed = straight.run("sfapply", "-auto-approve")
    assert failed.code in (1, 6) and "in time" in failed.err, failed
    straight.faults([])
    straight.apply()
    check_objects(straight)


def test_who_may_not_put_reads_which_statement_is_missing(straight):
    straight.fault("PutObject", "deny", service="s3")
    failed = straight.refuse(4, "sfapply", "-auto-approve")
    assert "s3:PutObject" in failed.err and f"arn:aws:s3:::{BUCKET}/" in failed.err and '"Effect":"Allow"' in failed.err, failed
    assert "while delivering" in failed.err


def test_a_key_that_the_caller_may_not_use_is_named_with_the_statement(straight):
    key = "arn:aws:kms:us-west-2:123456789012:key/0a0a0a0a-0000-4000-8000-000000000000"
    straight.faults([{"service": "s3", "action": "PutObject", "fault": "error", "code": "AccessDenied", "status": 403,
                      "message": "User: arn:aws:iam::123456789012:user/admin is not authorized to perform: kms:GenerateDataKey on resource: "
                                 f"{key} because no identity-based policy allows the kms:GenerateDataKey action"}])
    failed = straight.refuse(4, "sfapply", "-auto-approve")
    assert "kms:GenerateDataKey" in failed.err and f'"Action":"kms:GenerateDataKey","Resource":"{key}"' in failed.err, failed


def test_a_bucket_in_another_region_names_both(straight):
    straight.edit("stack.yaml", ("  delivery:", "  #delivery:"))
    straight.apply()
    straight.edit("stack.yaml", ("  #delivery:", "  delivery:"))
    straight.faults([{"service": "s3", "action": "PutObject", "fault": "error", "code": "AuthorizationHeaderMalformed", "status": 400,
                      "message": "The authorization header is malformed; the region 'us-west-2' is wrong; expecting 'eu-west-1'"}])
    failed = straight.refuse(1, "sfapply", "-auto-approve")
    assert "eu-west-1" in failed.err and "us-west-2" in failed.err, failed


def test_a_bucket_that_went_away_comes_back_with_all_files(city):
    city.apply()
    for key, ids in versions(city).items():
        for version in ids:
            city.call("s3", "delete_object", Bucket=BUCKET, Key=key, VersionId=version)
    city.call("s3", "delete_bucket", Bucket=BUCKET)
    city.apply()
    check_objects(city)


def kill_in(ws, action, nth, *argv, is_time=lambda: True):
    """Ends a program by SIGKILL while its nth call of an action is not answered, and `is_time()`."""
    ws.faults([{"action": action, "fault": "hang-before", "nth": nth}])
    process = ws.spawn(*argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: ws.control("GET", "faults")[0]["fired"] or process.poll() is not None, 60)
    wait_until(is_time, 60)
    assert process.poll() is None
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    ws.faults([])


@pytest.mark.parametrize("nth", [1, 10, 40])
def test_killed_between_two_files_the_next_run_puts_the_rest(straight, nth):
    kill_in(straight, "PutObject", nth, "sfapply", "-auto-approve")
    there = versions(straight)
    straight.apply()
    check_objects(straight)
    after = versions(straight)
    assert {key: after[key] for key in there} == there  # nothing was put twice
    straight.ok("sfdestroy", "-auto-approve")
    assert straight.inventory() == {}


# --- files of many parts ---


@pytest.fixture
def large(straight):
    """One year of 19 MB, which is three parts."""
    straight.write("rows.csv", "")
    straight.ok("sfsample", "-rows", "776841", "-o", "all.csv")
    with open(straight.path("all.csv")) as file, open(straight.path("rows.csv"), "w") as out:
        out.write(file.readline())
        out.writelines("2020" + line[4:] for line in file)
    return straight


def uploads(ws):
    return ws.call("s3", "list_multipart_uploads", Bucket=BUCKET).get("Uploads", [])


def test_a_large_file_goes_in_parts_with_their_checksums(large):
    calls = large.calls_of("sfapply", "-auto-approve")
    names = [call["action"] for call in calls]
    assert (names.count("CreateMultipartUpload"), names.count("UploadPart"), names.count("CompleteMultipartUpload")) == (1, 3, 1)
    check_objects(large)
    assert uploads(large) == []
    actions = large.actions_of("sfplan", "-detailed-exitcode")
    assert "GetObject" not in actions and large.changes() == {}
    large.ok("sfdestroy", "-auto-approve")
    assert large.inventory() == {}


def parts_there(ws):
    upload = uploads(ws)[0]
    return len(ws.call("s3", "list_parts", Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"]).get("Parts", []))


@pytest.mark.parametrize("action, nth, there", [("UploadPart", 3, 2), ("CompleteMultipartUpload", 1, 3)])
def test_killed_in_a_large_file_the_next_run_sends_what_is_missing(large, action, nth, there):
    kill_in(large, action, nth, "sfapply", "-auto-approve", is_time=lambda: parts_there(large) == there)
    names = [call["action"] for call in large.calls_of("sfapply", "-auto-approve")]
    assert (names.count("CreateMultipartUpload"), names.count("UploadPart")) == (0, 3 - there)
    check_objects(large)
    assert uploads(large) == []


@pytest.mark.parametrize("fault", ["500-after", "reset-after"])
@pytest.mark.parametrize("action", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_an_answer_that_is_lost_in_a_large_file_is_found_out(large, action, fault):
    large.faults([{"action": action, "fault": fault, "nth": 1}])
    large.apply()
    check_objects(large)
    assert uploads(large) == [] and large.changes() == {}


def test_what_a_killed_run_had_begun_goes_when_the_data_are_others_by_then(large):
    kill_in(large, "UploadPart", 2, "sfapply", "-auto-approve")
    assert len(uploads(large)) == 1
    source(large)
    large.apply()
    assert uploads(large) == [] and set(files_of(large)) < set(objects(large))  # what had arrived stays until a load is published
    large.ok("sfdestroy", "-auto-approve")
    assert large.inventory() == {}
