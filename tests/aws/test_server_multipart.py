"""The AWS test server's multipart uploads and checksums of objects, by boto3."""

import base64
import hashlib

import pytest
from server_client import code_of, done, make_bucket, server  # noqa: F401  (fixture)

# ruff: noqa: F811

PARTS = ["a" * (5 << 20), "b" * 100]


def sha256(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


WHOLE = base64.b64encode(hashlib.sha256(b"".join(hashlib.sha256(part.encode()).digest() for part in PARTS)).digest()).decode() + "-2"
HERE = {"Bucket": "sf-landing", "Key": "in/a b+c"}


@pytest.fixture
def upload(server):
    """An upload under SHA-256 with both parts: (server, where, parts as CompleteMultipartUpload takes them)."""
    make_bucket(server)
    where = {**HERE, "UploadId": done(server, "s3", "create_multipart_upload", ChecksumAlgorithm="SHA256", **HERE)["UploadId"]}
    parts = []
    for number, text in enumerate(PARTS, 1):
        given = done(server, "s3", "upload_part", PartNumber=number, Body=text, ChecksumSHA256=sha256(text), **where)
        assert given["ChecksumSHA256"] == sha256(text)
        parts.append({"PartNumber": number, "ETag": given["ETag"], "ChecksumSHA256": sha256(text)})
    return server, where, parts


def test_an_upload_is_one_object_with_the_checksum_of_its_parts_checksums(upload):
    server, where, parts = upload
    assert done(server, "s3", "complete_multipart_upload", MultipartUpload={"Parts": parts}, **where)["ChecksumSHA256"] == WHOLE
    head = done(server, "s3", "head_object", ChecksumMode="ENABLED", **HERE)
    assert (head["ChecksumSHA256"], head["ChecksumType"], head["ContentLength"]) == (WHOLE, "COMPOSITE", sum(map(len, PARTS)))
    assert "ChecksumSHA256" not in done(server, "s3", "head_object", **HERE)
    assert code_of(server, "s3", "complete_multipart_upload", MultipartUpload={"Parts": parts}, **where) == "NoSuchUpload"


def test_parts_and_uploads_are_listed_until_they_are_gone(upload):
    server, where, parts = upload
    listed = done(server, "s3", "list_parts", **where)
    assert [(part["PartNumber"], part["ETag"], part["ChecksumSHA256"]) for part in listed["Parts"]] == [
        (part["PartNumber"], part["ETag"], part["ChecksumSHA256"]) for part in parts] and listed["ChecksumAlgorithm"] == "SHA256"
    first = done(server, "s3", "list_parts", MaxParts=1, **where)
    assert first["IsTruncated"] and len(first["Parts"]) == 1
    assert [found["Key"] for found in done(server, "s3", "list_multipart_uploads", Bucket="sf-landing")["Uploads"]] == [HERE["Key"]]
    done(server, "s3", "abort_multipart_upload", **where)
    assert "Uploads" not in done(server, "s3", "list_multipart_uploads", Bucket="sf-landing")
    for operation, more in (("abort_multipart_upload", {}), ("list_parts", {}), ("upload_part", {"PartNumber": 1, "Body": "x"})):
        assert code_of(server, "s3", operation, **where, **more) == "NoSuchUpload", operation


@pytest.mark.parametrize("change, code", [
    (lambda parts: [{**parts[0], "ETag": '"other"'}, parts[1]], "InvalidPart"), (lambda parts: parts[::-1], "InvalidPartOrder"),
    (lambda parts: [parts[0], {**parts[1], "ChecksumSHA256": sha256("other")}], "InvalidPart"),
    (lambda parts: [parts[0], {key: parts[1][key] for key in ("PartNumber", "ETag")}], "InvalidRequest"),
    (lambda parts: [{**parts[0], "PartNumber": 3}], "InvalidPart"), (lambda parts: [], "MalformedXML")])
def test_what_completes_no_upload(upload, change, code):
    server, where, parts = upload
    assert code_of(server, "s3", "complete_multipart_upload", MultipartUpload={"Parts": change(parts)}, **where) == code
    assert done(server, "s3", "list_parts", **where)["Parts"]


def test_parts_are_checked(upload):
    server, where, _ = upload
    part = {"PartNumber": 2, "Body": "text", **where}
    assert code_of(server, "s3", "upload_part", ChecksumSHA256=sha256("other"), **part) == "BadDigest"
    assert code_of(server, "s3", "upload_part", ChecksumCRC32="2kIvlw==", **part) is not None
    for kind, algorithm in (("FULL_OBJECT", "SHA256"), ("COMPOSITE", "CRC64NVME")):
        assert code_of(server, "s3", "create_multipart_upload", ChecksumAlgorithm=algorithm, ChecksumType=kind, **HERE) == "InvalidRequest"


def test_parts_but_for_the_last_have_five_mebibytes(server):
    make_bucket(server)
    where = {**HERE, "UploadId": done(server, "s3", "create_multipart_upload", **HERE)["UploadId"]}
    parts = [{"PartNumber": n, "ETag": done(server, "s3", "upload_part", PartNumber=n, Body="x", **where)["ETag"]} for n in (1, 2)]
    assert code_of(server, "s3", "complete_multipart_upload", MultipartUpload={"Parts": parts}, **where) == "EntityTooSmall"
    done(server, "s3", "complete_multipart_upload", MultipartUpload={"Parts": parts[:1]}, **where)


def test_objects_keep_their_checksum(server):
    make_bucket(server)
    assert done(server, "s3", "put_object", Body="text", ChecksumSHA256=sha256("text"), **HERE)["ChecksumSHA256"] == sha256("text")
    assert done(server, "s3", "head_object", ChecksumMode="ENABLED", **HERE)["ChecksumSHA256"] == sha256("text")
    assert code_of(server, "s3", "put_object", Body="text", ChecksumSHA256=sha256("other"), **HERE) == "BadDigest"
