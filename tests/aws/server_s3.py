"""S3: moto's, with the rules for names, regions, owners and public access that it lacks, and AWS's defaults of a new bucket."""

import ipaddress
import json
import re

import server_model
from server_iam import as_list
from server_wire import AwsError
from server_world import HANDLERS, handles, tag_dict

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PREFIXES, SUFFIXES = ("xn--", "sthree-", "amzn-s3-demo-"), ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
DEFAULT_ENCRYPTION = {"ServerSideEncryptionConfiguration": {"Rules": [
    {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]}}


def denied(bucket, region):
    return AwsError("AccessDenied", "Access Denied", 403, {"x-amz-bucket-region": region}, BucketName=bucket)


def owned_bucket(call):
    """moto's bucket, or None; raises for one that another account owns or that lies in another region."""
    name = call.params.get("Bucket")
    if name in call.world.foreign_buckets:
        raise denied(name, call.region)
    bucket = call.moto(region="aws").buckets.get(name)
    if bucket is None and owner_of(call, name):
        raise denied(name, call.region)
    if bucket is not None and bucket.region_name != call.region and call.action != "GetBucketLocation":
        raise AwsError("PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.",
                       301, {"x-amz-bucket-region": bucket.region_name}, Bucket=name,
                       Endpoint=f"s3.{bucket.region_name}.amazonaws.com")
    return bucket


def owner_of(call, name):
    """Account in which a bucket of this name is."""
    import moto.backends

    for account, backend in moto.backends.get_backend("s3").items():
        if name in backend["aws"].buckets:
            return account
    return None


def check_name(name):
    is_address = False
    try:
        is_address = bool(ipaddress.IPv4Address(name))
    except ValueError:
        pass
    if not NAME.fullmatch(name) or ".." in name or is_address or name.startswith(PREFIXES) or name.endswith(SUFFIXES):
        raise AwsError("InvalidBucketName", "The specified bucket is not valid.", BucketName=name)


@handles("s3", "CreateBucket")
def create_bucket(call):
    name = call.params["Bucket"]
    check_name(name)
    place = (call.params.get("CreateBucketConfiguration") or {}).get("LocationConstraint")
    check_place(call.region, place)
    owner = owner_of(call, name)
    if name in call.world.foreign_buckets or owner not in (None, call.account):
        raise AwsError("BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all users"
                       " of the system. Please select a different name and try again.", 409, BucketName=name)
    backend = call.moto(region="aws")
    if owner and call.region != "us-east-1":
        raise AwsError("BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.",
                       409, BucketName=name)
    call.check_quota("buckets", len(backend.buckets) - bool(owner), "TooManyBuckets")
    answer = call.pass_on()
    if answer.status == 200 and not owner:
        # what every new bucket has since April 2023
        backend.put_public_access_block(name, dict.fromkeys(BLOCKS, "true"))
        backend.put_bucket_tagging(name, tag_dict((call.params.get("CreateBucketConfiguration") or {}).get("Tags")))
    return answer


def check_place(region, place):
    if region == "us-east-1":
        if place == "us-east-1":
            raise AwsError("InvalidLocationConstraint", "The specified location-constraint is not valid", LocationConstraint=place)
    elif not place:
        raise AwsError("IllegalLocationConstraintException", "The unspecified location constraint is incompatible for the region"
                       " specific endpoint this request was sent to.")
    elif place != region and not (place == "EU" and region == "eu-west-1"):
        raise AwsError("IllegalLocationConstraintException", f"The {place} location constraint is incompatible for the region specific"
                       " endpoint this request was sent to.")


@handles("s3", "HeadBucket")
def head_bucket(call):
    answer = pass_on_owned(call)
    if answer.status == 200:
        answer.headers["x-amz-bucket-region"] = call.moto(region="aws").buckets[call.params["Bucket"]].region_name
    return answer


@handles("s3", "DeleteObjects")
def delete_objects(call):
    """A quiet one tells of errors only."""
    answer = pass_on_owned(call)
    if (call.params.get("Delete") or {}).get("Quiet"):
        answer.body = re.sub(rb"<Deleted>.*?</Deleted>", b"", answer.body, flags=re.DOTALL)
    return answer


@handles("s3", "GetBucketEncryption")
def get_bucket_encryption(call):
    bucket = owned_bucket(call)
    if bucket is not None and not bucket.encryption:
        return DEFAULT_ENCRYPTION
    return call.pass_on()


@handles("s3", "PutBucketPolicy")
def put_bucket_policy(call):
    bucket = owned_bucket(call)
    if bucket is not None:
        statements = check_policy(call.params["Bucket"], call.request.body)
        block = bucket.public_access_block
        if block and str(block.block_public_policy).lower() == "true" and any(map(is_public, statements)):
            raise AwsError("AccessDenied", f"User: {call.caller} is not authorized to perform: s3:PutBucketPolicy on resource:"
                           f' "arn:aws:s3:::{call.params["Bucket"]}" because public policies are prevented by the BlockPublicPolicy'
                           " setting in S3 Block Public Access.", 403)
    return call.pass_on()


def check_policy(bucket, body):
    """The statements of a bucket policy; raises when S3 would not take it."""
    try:
        document = json.loads(body)
        statements = as_list(document["Statement"])
    except (KeyError, TypeError, ValueError) as error:
        raise AwsError("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'") from error
    for statement in statements:
        for field in (("Effect",), ("Principal", "NotPrincipal"), ("Action", "NotAction"), ("Resource", "NotResource")):
            if not any(name in statement for name in field):
                raise AwsError("MalformedPolicy", f"Missing required field {field[0]}")
        for resource in as_list(statement.get("Resource", [])):
            if resource != f"arn:aws:s3:::{bucket}" and not resource.startswith(f"arn:aws:s3:::{bucket}/"):
                raise AwsError("MalformedPolicy", "Policy has invalid resource")
    return statements


def is_public(statement):
    principal = statement.get("Principal")
    is_everybody = principal == "*" or isinstance(principal, dict) and "*" in as_list(principal.get("AWS", []))
    return statement.get("Effect") == "Allow" and is_everybody and not statement.get("Condition")


def pass_on_owned(call):
    owned_bucket(call)
    return call.pass_on()


def prepare():
    """Lets moto judge no request by a bucket's policy: it takes a Deny whose condition is not met for a denial. And it need not copy
    what is in all versions of a bucket to list them."""
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket, FakeKey

    FakeKey.__deepcopy__ = twin
    FakeBucket.get_permission = lambda _bucket, _action, _resource: PermissionResult.NEUTRAL


def twin(key, _memo):
    """A key with the same content, which it must not close when it goes."""
    new = object.__new__(type(key))
    new.__dict__.update(key.__dict__, dispose=lambda garbage=False: None)
    return new


def register_all():
    """Every other operation on a bucket goes to moto once it is known that the bucket is the caller's."""
    prepare()
    for action in server_model.service_model("s3").operation_names:
        if action != "ListBuckets":
            HANDLERS.setdefault(("s3", action), pass_on_owned)
