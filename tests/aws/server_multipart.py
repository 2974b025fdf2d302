"""S3's checksums of objects and parts, and multipart uploads that keep to them; moto stores the bytes.

Source: S3 User Guide, "Checking object integrity for data uploads"; API reference of CreateMultipartUpload, UploadPart, ListParts and
CompleteMultipartUpload.
"""

import base64
import hashlib
import re
import zlib

from server_s3 import owned_bucket
from server_wire import AwsError
from server_world import handles

DIGESTS = {"SHA256": lambda data: hashlib.sha256(data).digest(), "SHA1": lambda data: hashlib.sha1(data).digest(),
           "CRC32": lambda data: zlib.crc32(data).to_bytes(4, "big")}
# algorithm -> kinds of checksum that a multipart upload may have, the first by default
KINDS = {"SHA256": ["COMPOSITE"], "SHA1": ["COMPOSITE"], "CRC32": ["COMPOSITE", "FULL_OBJECT"], "CRC32C": ["COMPOSITE", "FULL_OBJECT"],
         "CRC64NVME": ["FULL_OBJECT"]}
MIN_PART = 5 << 20


class Uploads:
    """Of one account: what moto does not keep. {upload id: Upload}; {(bucket, key, ETag): (algorithm, kind, checksum)}"""

    def __init__(self):
        self.uploads, self.checksums = {}, {}


class Upload:
    def __init__(self, algorithm, kind):
        self.algorithm, self.kind, self.parts = algorithm, kind, {}  # number -> (checksum, bytes)


def encoded(data):
    return base64.b64encode(data).decode()


def sent(call):
    """(algorithm, checksum) in the headers of a request, or (None, None); that it is right is checked with the signature."""
    for algorithm in KINDS:
        value = call.request.headers.get(f"x-amz-checksum-{algorithm.lower()}")
        if value:
            return algorithm, value
    return None, None


def no_upload():
    return AwsError("NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or"
                    " completed.", 404)


def invalid(message):
    return AwsError("InvalidRequest", message)


def tell(answer, algorithm, value, kind=None):
    """Adds a checksum to the headers of a reply."""
    if answer.status < 300:
        answer.headers[f"x-amz-checksum-{algorithm.lower()}"] = value
        if kind:
            answer.headers["x-amz-checksum-type"] = kind


def found(call):
    """(moto's upload, ours) of a call; raises NoSuchUpload."""
    bucket = owned_bucket(call)
    theirs = bucket.multiparts.get(call.params["UploadId"]) if bucket is not None else None
    if theirs is None or theirs.key_name != call.params["Key"]:
        raise no_upload()
    return theirs, call.state(Uploads).uploads.setdefault(call.params["UploadId"], Upload(None, None))


@handles("s3", "PutObject")
def put_object(call):
    owned_bucket(call)
    answer = call.pass_on()
    algorithm, value = sent(call)
    if answer.status == 200 and algorithm:
        call.state(Uploads).checksums[call.params["Bucket"], call.params["Key"], answer.headers.get("etag")] = algorithm, "FULL_OBJECT", value
        tell(answer, algorithm, value, "FULL_OBJECT")
    return answer


@handles("s3", "HeadObject", "GetObject")
def read_object(call):
    owned_bucket(call)
    answer = call.pass_on()
    for name in [name for name in answer.headers if name.startswith("x-amz-checksum-")]:
        del answer.headers[name]  # moto's own are not those of S3
    kept = call.state(Uploads).checksums.get((call.params["Bucket"], call.params["Key"], answer.headers.get("etag")))
    if kept and call.params.get("ChecksumMode") == "ENABLED" and answer.status == 200:
        tell(answer, kept[0], kept[2], kept[1])
    return answer


@handles("s3", "CreateMultipartUpload")
def create_multipart_upload(call):
    owned_bucket(call)
    algorithm, kind = call.params.get("ChecksumAlgorithm"), call.params.get("ChecksumType")
    if kind and not algorithm:
        raise invalid("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
    if kind and kind not in KINDS[algorithm]:
        raise invalid(f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm.")
    kind = kind or (KINDS[algorithm][0] if algorithm else None)
    answer = call.pass_on()
    if answer.status == 200:
        upload_id = re.search(rb"<UploadId>([^<]+)</UploadId>", answer.body).group(1).decode()
        call.state(Uploads).uploads[upload_id] = Upload(algorithm, kind)
        if algorithm:
            answer.headers |= {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind}
    return answer


@handles("s3", "UploadPart")
def upload_part(call):
    _, upload = found(call)
    algorithm, value = sent(call)
    if upload.algorithm and algorithm and algorithm != upload.algorithm:
        raise invalid(f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm.lower()}, actual checksum Type:"
                      f" {algorithm.lower()}")
    if upload.algorithm and not algorithm:
        raise invalid(f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm.lower()}, actual checksum Type: null")
    answer = call.pass_on()
    if answer.status == 200:
        upload.parts[int(call.params["PartNumber"])] = value, call.request.body
        if algorithm:
            tell(answer, algorithm, value)
    return answer


@handles("s3", "ListParts")
def list_parts(call):
    _, upload = found(call)
    answer = call.pass_on()
    if answer.status == 200 and upload.algorithm:
        def with_checksum(match):
            number = int(re.search(rb"<PartNumber>(\d+)<", match.group()).group(1))
            text = f"<Checksum{upload.algorithm}>{upload.parts[number][0]}</Checksum{upload.algorithm}></Part>"
            return match.group()[:-len(b"</Part>")] + text.encode()
        answer.body = re.sub(rb"<Part>.*?</Part>", with_checksum, answer.body, flags=re.DOTALL)
        told = f"<ChecksumAlgorithm>{upload.algorithm}</ChecksumAlgorithm><ChecksumType>{upload.kind}</ChecksumType>"
        end = answer.body.rindex(b"</")
        answer.body = answer.body[:end] + told.encode() + answer.body[end:]
    return answer


@handles("s3", "AbortMultipartUpload")
def abort_multipart_upload(call):
    found(call)
    call.state(Uploads).uploads.pop(call.params["UploadId"], None)
    return call.pass_on()


@handles("s3", "CompleteMultipartUpload")
def complete_multipart_upload(call):
    theirs, upload = found(call)
    parts = (call.params.get("MultipartUpload") or {}).get("Parts", [])
    numbers = [int(part["PartNumber"]) for part in parts]
    if not parts:
        raise AwsError("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
    if numbers != sorted(set(numbers)):
        raise AwsError("InvalidPartOrder", "The list of parts was not in ascending order. The parts list must be specified in order by part number.")
    for number, part in zip(numbers, parts):
        have = theirs.parts.get(number)
        if have is None or have.etag.strip('"') != part.get("ETag", "").strip('"'):
            raise bad_part(part)
        if upload.algorithm and upload.kind == "COMPOSITE":
            said = part.get(f"Checksum{upload.algorithm}")
            if said is None:
                raise invalid(f"The upload was created using a {upload.algorithm.lower()} checksum. The complete request must include the"
                              f" checksum for each part. It was missing for part {number} in the request.")
            if said != upload.parts[number][0]:
                raise bad_part(part)
    data = [upload.parts[number][1] for number in numbers if number in upload.parts]
    if any(len(part) < MIN_PART for part in data[:-1]):
        raise AwsError("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
    answer = call.pass_on()
    if answer.status == 200 and b"<Error>" not in answer.body:
        call.state(Uploads).uploads.pop(call.params["UploadId"], None)
        if upload.algorithm in DIGESTS:
            tell_whole(call, answer, upload, data)
    return answer


def bad_part(part):
    return AwsError("InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified"
                    " entity tag may not match the part's entity tag.", PartNumber=part["PartNumber"], ETag=part.get("ETag", ""))


def tell_whole(call, answer, upload, data):
    """The checksum of checksums, or that of all bytes."""
    digest = DIGESTS[upload.algorithm]
    if upload.kind == "COMPOSITE":
        value = f"{encoded(digest(b''.join(digest(part) for part in data)))}-{len(data)}"
    else:
        value = encoded(digest(b"".join(data)))
    etag = re.search(rb"<ETag>([^<]+)</ETag>", answer.body).group(1).decode().replace("&quot;", '"').replace("&#34;", '"')
    call.state(Uploads).checksums[call.params["Bucket"], call.params["Key"], etag] = upload.algorithm, upload.kind, value
    told = f"<Checksum{upload.algorithm}>{value}</Checksum{upload.algorithm}><ChecksumType>{upload.kind}</ChecksumType>"
    end = answer.body.rindex(b"</")
    answer.body = answer.body[:end] + told.encode() + answer.body[end:]
