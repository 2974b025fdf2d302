"""Who sent a request, and is it as it was sent: Signature Version 4 checked over the raw bytes, with botocore's own signer.

Credentials are fixed, so that tests can name them; sessions that moto's STS hands out are known as well.
"""

import base64
import dataclasses
import datetime
import hashlib
import hmac
import re
import urllib.parse
import zlib

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from server_wire import AwsError
from server_world import ACCOUNT, OTHER_ACCOUNT

REGION = "us-west-2"
SKEW_SECONDS = 15 * 60
REGION_FORM = re.compile(r"(us|eu|ap|ca|sa|af|me|il|mx)-(gov-)?(north|south|east|west|central)(east|west)?-[1-9]")
UNSIGNED_ACTIONS = {"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"}
CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})")
CHECKSUMS = {
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body).digest(),
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "content-md5": lambda body: hashlib.md5(body).digest(),
}
# S3 refuses these without a checksum of the body
CHECKSUM_REQUIRED = {"DeleteObjects", "PutBucketPolicy", "PutBucketTagging", "PutBucketVersioning", "PutBucketEncryption",
                     "PutBucketLifecycleConfiguration", "PutPublicAccessBlock", "PutBucketCors", "PutBucketReplication",
                     "PutObjectTagging", "PutObjectLegalHold", "PutObjectRetention", "PutBucketOwnershipControls"}


@dataclasses.dataclass
class Key:
    secret: str
    account: str
    arn: str
    token: str = None
    is_expired: bool = False


KEYS = {
    "AKIASFSTACKADMIN0001": Key("sfstack/test/secret/of/the/admin/0000001", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/admin"),
    "AKIASFSTACKOTHER0001": Key("sfstack/test/secret/of/the/other/0000001", OTHER_ACCOUNT, f"arn:aws:iam::{OTHER_ACCOUNT}:user/other"),
    "ASIASFSTACKSESSION01": Key("sfstack/test/secret/of/a/session/0000001", ACCOUNT,
                                f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/session", token="sfstack-session-token"),
    "ASIASFSTACKEXPIRED01": Key("sfstack/test/secret/of/the/expired/00001", ACCOUNT,
                                f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/expired",
                                token="sfstack-expired-token", is_expired=True),
}
ANYBODY = KEYS["AKIASFSTACKADMIN0001"]


@dataclasses.dataclass
class Scope:
    """What a signature claims: whose key, and for which day, region and service."""

    access_key: str
    day: str
    region: str
    service: str
    signed_headers: list
    signature: str
    is_query: bool


def scope_of(request):
    """Scope, or None for a request without a signature. Raises AwsError for one that cannot be read."""
    query = dict(request.query_pairs())
    if "X-Amz-Credential" in query:
        credential, signed, signature = (query.get("X-Amz-" + name, "") for name in ("Credential", "SignedHeaders", "Signature"))
    elif "authorization" in request.headers:
        found = CREDENTIAL.fullmatch(request.headers["authorization"])
        if not found:
            raise AwsError("IncompleteSignature", "Authorization header is not a Signature Version 4 one", 400)
        credential, signed, signature = found.groups()
    else:
        return None
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request":
        raise AwsError("IncompleteSignature", f"Credential must have 5 parts ending in aws4_request, got '{credential}'", 400)
    return Scope(*parts[:4], signed.split(";"), signature, "X-Amz-Credential" in query)


def find_key(access_key):
    """Key of a known access key or of a session that moto's STS handed out; None for others."""
    if access_key in KEYS:
        return KEYS[access_key]
    import moto.backends

    for account, backend in moto.backends.get_backend("sts").items():
        for assumed in backend["aws"].assumed_roles:
            if assumed.access_key_id == access_key:
                is_over = assumed.expiration < datetime.datetime.now(assumed.expiration.tzinfo)
                return Key(assumed.secret_access_key, account, assumed.arn, assumed.session_token, is_over)
    return None


def check(request, scope, service, action, now, is_iam_strict):
    """Key that signed the request. `now` is the server's clock, in seconds. Raises the AwsError that AWS would send.

    IAM's signatures are for us-east-1. SDKs that are pointed at an endpoint by its URL sign for their own region all the same,
    hence `is_iam_strict`.
    """
    codes = ERROR_CODES.get(service, ERROR_CODES["*"])
    if scope is None:
        if action in UNSIGNED_ACTIONS:
            return ANYBODY
        raise AwsError(codes["missing"], "Request is missing Authentication Token", 403)
    key = find_key(scope.access_key)
    if key is None:
        raise AwsError(codes["unknown"], codes["unknown_text"], codes.get("status", 403))
    token = request.headers.get("x-amz-security-token") or dict(request.query_pairs()).get("X-Amz-Security-Token")
    if token != key.token:
        raise AwsError(codes["token"], "The security token included in the request is invalid", codes["token_status"])
    if key.is_expired:
        raise AwsError(codes["expired"], "The security token included in the request is expired", codes["expired_status"])
    check_date(request, scope, now, codes)
    check_scope(scope, "us-east-1" if service == "iam" and is_iam_strict else None, codes)
    check_headers(request, scope, codes)
    if not hmac.compare_digest(signature(request, scope, key), scope.signature):
        message = ("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key"
                   " and signing method. Consult the service documentation for details.")
        raise AwsError(codes["mismatch"], message, codes.get("status", 403))
    check_payload(request, service, action)
    return key


ERROR_CODES = {
    "s3": {"missing": "AccessDenied", "unknown": "InvalidAccessKeyId", "token": "InvalidToken", "token_status": 400,
           "unknown_text": "The AWS Access Key Id you provided does not exist in our records.", "expired": "ExpiredToken",
           "expired_status": 400, "skew": "RequestTimeTooSkewed", "skew_status": 403, "mismatch": "SignatureDoesNotMatch",
           "scope": "AuthorizationHeaderMalformed", "scope_status": 400},
    "ec2": {"missing": "MissingParameter", "unknown": "AuthFailure", "token": "AuthFailure", "token_status": 401,
            "unknown_text": "AWS was not able to validate the provided access credentials", "expired": "RequestExpired",
            "expired_status": 400, "skew": "RequestExpired", "skew_status": 400, "mismatch": "AuthFailure", "scope": "AuthFailure",
            "scope_status": 401, "status": 401},
    "query": {"missing": "MissingAuthenticationToken", "unknown": "InvalidClientTokenId", "token": "InvalidClientTokenId",
              "token_status": 403, "unknown_text": "The security token included in the request is invalid.", "expired": "ExpiredToken",
              "expired_status": 403, "skew": "SignatureDoesNotMatch", "skew_status": 403, "mismatch": "SignatureDoesNotMatch",
              "scope": "SignatureDoesNotMatch", "scope_status": 403},
    "*": {"missing": "MissingAuthenticationTokenException", "unknown": "UnrecognizedClientException",
          "token": "UnrecognizedClientException", "token_status": 400,
          "unknown_text": "The security token included in the request is invalid.", "expired": "ExpiredTokenException",
          "expired_status": 400, "skew": "InvalidSignatureException", "skew_status": 400, "mismatch": "InvalidSignatureException",
          "scope": "InvalidSignatureException", "scope_status": 400, "status": 400},
}
for _service in ("iam", "sts", "redshift"):
    ERROR_CODES[_service] = ERROR_CODES["query"]


def check_date(request, scope, now, codes):
    query = dict(request.query_pairs())
    text = query.get("X-Amz-Date") if scope.is_query else request.headers.get("x-amz-date", "")
    try:
        sent = datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()
    except (TypeError, ValueError) as error:
        raise AwsError("IncompleteSignature", "X-Amz-Date must be in ISO8601 basic format", 400) from error
    if not text.startswith(scope.day):
        message = f"Date in Credential scope does not match the date of the request: {scope.day}"
        raise AwsError(codes["scope"], message, codes["scope_status"])
    if scope.is_query and sent <= now <= sent + int(query.get("X-Amz-Expires", 0)):
        return
    if abs(now - sent) > SKEW_SECONDS:
        here = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        side = "expired" if now > sent else "not yet current"
        message = f"Signature {side}: {text} is {'earlier' if now > sent else 'later'} than {here} by more than 15 min."
        if codes is ERROR_CODES["s3"]:
            message = "The difference between the request time and the current time is too large."
        raise AwsError(codes["skew"], message, codes["skew_status"])


def check_scope(scope, wanted, codes):
    if wanted and scope.region != wanted or not REGION_FORM.fullmatch(scope.region):
        message = f"Credential should be scoped to a valid region, not '{scope.region}'."
        raise AwsError(codes["scope"], message, codes["scope_status"], Region=wanted or REGION)


def check_headers(request, scope, codes):
    """Host and every x-amz header must be signed, else somebody in between could change them."""
    needed = {"host"} | {name for name in request.headers if name.startswith("x-amz-") and not scope.is_query}
    missing = needed - set(scope.signed_headers)
    if missing or scope.signed_headers != sorted(scope.signed_headers):
        raise AwsError(codes["mismatch"], f"headers must be signed, in order: {', '.join(sorted(missing))}", 403)


def signature(request, scope, key):
    """Signature as botocore makes it for this request, of which it gets to see the signed headers only."""
    path = urllib.parse.quote(urllib.parse.unquote_to_bytes(request.path), safe="/-_.~")
    pairs = [(name, value) for name, value in request.query_pairs() if name != "X-Amz-Signature"]
    query = urllib.parse.urlencode(pairs, safe="-_.~", quote_via=urllib.parse.quote)
    headers = {name: request.headers[name] for name in scope.signed_headers if name in request.headers}
    again = AWSRequest(request.method, f"http://{headers['host']}{path}" + (f"?{query}" if query else ""), headers, request.body)
    again.context["timestamp"] = dict(pairs)["X-Amz-Date"] if scope.is_query else request.headers["x-amz-date"]
    signer_kind = S3SigV4QueryAuth if scope.is_query else S3SigV4Auth if scope.service == "s3" else SigV4Auth
    signer = signer_kind(Credentials(scope.access_key, key.secret, key.token), scope.service, scope.region)
    return signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)


def check_payload(request, service, action):
    """The body is the one that was signed, and carries the checksums that it should."""
    claimed = request.headers.get("x-amz-content-sha256")
    if claimed and not claimed.startswith(("UNSIGNED-PAYLOAD", "STREAMING-")):
        if claimed != hashlib.sha256(request.body).hexdigest():
            raise AwsError("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
    if service != "s3":
        return
    if not claimed and "X-Amz-Credential" not in request.query:
        raise AwsError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    for name, checksum in CHECKSUMS.items():
        if name in request.headers and request.headers[name] != base64.b64encode(checksum(request.body)).decode():
            raise AwsError("BadDigest", f"The {name} you specified did not match what we received.")
    has_checksum = any(name == "content-md5" or name.startswith("x-amz-checksum-") for name in request.headers)
    if action in CHECKSUM_REQUIRED and not has_checksum:
        raise AwsError("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
