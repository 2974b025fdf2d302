"""AWS's own service models, as botocore ships them: which operation a request means, what its parameters are and whether
they are valid, how a reply is written, and whether a reply can be read by the SDK that botocore is part of."""

import collections
import functools
import json
import re
import xml.etree.ElementTree as ElementTree
from datetime import datetime
from xml.sax.saxutils import escape

import botocore.parsers
import botocore.serialize
from moto.core.loaders import create_loader
from moto.core.model import ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.serialize import get_serializer_class
from werkzeug.datastructures import Headers, MultiDict

from server_newer import extended
from server_wire import AwsError, Reply

REQUEST_ID = "7a62c49f-347e-4fc4-9331-6e8e00000000"
# services that need no signature on some operations are told by the API's version
UNSIGNED_VERSIONS = {"2011-06-15": "sts"}
TARGETS = {
    "TransferService": "transfer",
    "RedshiftServerless": "redshift-serverless",
    "RedshiftData": "redshift-data",
    "secretsmanager": "secretsmanager",
    "TrentService": "kms",
    "AWSGlue": "glue",
}
XML_ERRORS = {
    "query": "<ErrorResponse><Error><Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    "<RequestId>{id}</RequestId></ErrorResponse>",
    "ec2": "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
    "<RequestID>{id}</RequestID></Response>",
    "rest-xml": "<Error><Code>{code}</Code><Message>{message}</Message>{members}<RequestId>{id}</RequestId></Error>",
}
# what each protocol's services answer to parameters that break their model: code, code when a required one is missing
INVALID = {
    "query": ("ValidationError", "ValidationError"),
    "ec2": ("InvalidParameterValue", "MissingParameter"),
    "json": ("ValidationException", "ValidationException"),
    "rest-xml": ("InvalidArgument", "InvalidArgument"),
}


@functools.cache
def service_model(service):
    return ServiceModel(extended(service, create_loader().load_service_model(service, "service-2")), service)


def protocol_of(service):
    return service_model(service).metadata["protocol"]


@functools.cache
def operation_model(service, action):
    return service_model(service).operation_model(action)


# --- which operation ---


def service_of(request, scope):
    """Name of the service that a request is for; `scope` is the credential scope of its signature, or None."""
    if scope:
        return scope.service
    target = request.headers.get("x-amz-target", "").partition(".")[0]
    if target:
        return TARGETS.get(target, target.lower())
    version = dict(request.form_pairs()).get("Version") if request.method == "POST" else None
    return UNSIGNED_VERSIONS.get(version, "s3")


def action_of(request, service):
    protocol = protocol_of(service)
    if protocol == "rest-xml":
        return s3_action(request)
    if protocol == "json":
        action = request.headers.get("x-amz-target", "").partition(".")[2]
        unknown = AwsError("UnknownOperationException", f"unknown operation '{action}'")
    else:
        pairs = dict(request.form_pairs() or request.query_pairs())
        action = pairs.get("Action", "")
        version = service_model(service).api_version
        unknown = AwsError("InvalidAction", f"Could not find operation {action} for version {version}")
        if pairs.get("Version") != version:
            raise unknown
    if action not in service_model(service).operation_names:
        raise unknown
    return action


@functools.cache
def s3_routes():
    """(method, has bucket, has key) -> [(names and values that the query must have, headers, operation)], most demanding first."""
    routes = collections.defaultdict(list)
    model = service_model("s3")
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.deprecated:  # a newer one has the same address
            continue
        path, _, static = operation.http["requestUri"].partition("?")
        query = dict((pair + "=").split("=")[:2] for pair in static.split("&") if pair and not pair.startswith("x-id"))
        headers = set()
        shape = operation.input_shape
        for member in shape.required_members if shape else ():
            where = shape.members[member].serialization
            if where.get("location") == "querystring":
                query[where["name"]] = ""
            elif where.get("location") == "header":
                headers.add(where["name"].lower())
        routes[operation.http["method"], "{Bucket}" in path, "{Key+}" in path].append((query, headers, name))
    for found in routes.values():
        found.sort(key=lambda route: -len(route[0]) - len(route[1]))
    return routes


def s3_action(request):
    bucket, _, key = request.path.lstrip("/").partition("/")
    pairs = dict(request.query_pairs())
    for query, headers, name in s3_routes()[request.method, bool(bucket), bool(key)]:
        if all(k in pairs and v in ("", pairs[k]) for k, v in query.items()) and headers <= request.headers.keys():
            return name
    raise AwsError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)


# --- parameters ---


def parse(request, service, action):
    """The parameters of a request, by the names that its model gives them, checked against that model."""
    operation = operation_model(service, action)
    protocol = protocol_of(service)
    shape = operation.input_shape
    if shape is None:
        return {}
    values = MultiDict(request.form_pairs() if protocol in ("query", "ec2") else request.query_pairs())
    if protocol in ("query", "ec2") and not request.body:
        values = MultiDict(request.query_pairs())
    bucket, _, key = request.path.lstrip("/").partition("/")
    parts = {
        "method": request.method,
        "values": values,
        "headers": Headers(request.headers),
        "body": request.body,
        "url_path": request.path,
        "url_params": {"Bucket": bucket, "Key": key},
    }
    if shape.serialization.get("payload") and shape.members[shape.serialization["payload"]].type_name == "blob":
        parts["body"] = b""  # an object's content is no parameter to check
    try:
        params = PROTOCOL_PARSERS[protocol](operation).parse(parts)
    except (ValueError, ElementTree.ParseError, TypeError) as error:
        codes = {"json": "SerializationException", "rest-xml": "MalformedXML"}
        raise AwsError(codes.get(protocol, "MalformedQueryString"), f"the request cannot be read: {error}") from error
    check_known(request, operation, protocol, params, values)
    check_valid(shape, params, protocol)
    return params


def check_known(request, operation, protocol, params, values):
    """Refuses what the model does not know. What botocore would send for the same parameters tells what may be there."""
    if protocol == "json":
        unknown = unknown_members(operation.input_shape, json.loads(request.body or b"{}"))
        code = "SerializationException"
    elif protocol in ("query", "ec2"):
        known = botocore.serialize.create_serializer(protocol, False).serialize_to_request(params, operation)["body"]
        unknown = [name for name in values if name not in known and values[name] != ""]
        code = "UnknownParameter" if protocol == "ec2" else "ValidationError"
    else:
        unknown, code = unknown_elements(request, operation), "MalformedXML"
    if unknown:
        raise AwsError(code, f"The parameter {unknown[0]} is not recognized")


def unknown_members(shape, value, path=""):
    if shape.type_name == "structure" and isinstance(value, dict):
        return [
            name
            for key, item in value.items()
            for name in (unknown_members(shape.members[key], item, f"{path}{key}.") if key in shape.members else [path + key])
        ]
    if shape.type_name == "list" and isinstance(value, list):
        return [name for item in value for name in unknown_members(shape.member, item, path)]
    return []


def unknown_elements(request, operation):
    shape = operation.input_shape
    payload = shape.serialization.get("payload")
    if not payload or shape.members[payload].type_name != "structure" or not request.body:
        return []
    return unknown_children(shape.members[payload], ElementTree.fromstring(request.body))


def unknown_children(shape, node):
    if shape.type_name == "list":
        return [name for child in node for name in unknown_children(shape.member, child)]
    if shape.type_name != "structure":
        return []
    known = {member.serialization.get("name", name): member for name, member in shape.members.items()}
    found = []
    for child in node:
        name = child.tag.rpartition("}")[2]
        member = known.get(name)
        if member is None:
            # a flattened list's items carry the name of their member
            member = next((m for m in known.values() if m.type_name == "list" and m.member.serialization.get("name") == name), None)
        if member is None:
            found.append(name)
            continue
        flat = member.type_name == "list" and member.serialization.get("flattened")
        found += unknown_children(member.member if flat else member, child)
    return found


def check_valid(shape, params, protocol):
    invalid, missing = INVALID[protocol]
    for path, problem in problems(shape, params, ""):
        is_missing = problem == "Member must not be null"
        message = f"1 validation error detected: Value at '{path}' failed to satisfy constraint: {problem}"
        raise AwsError(missing if is_missing else invalid, message)


def problems(shape, value, path):
    """Yields (where, what) for each constraint of the model that a value breaks."""
    kind = shape.type_name
    if kind == "structure":
        for name in shape.required_members:
            if value.get(name) is None:
                yield f"{path}{name}", "Member must not be null"
        for name, item in value.items():
            if item is not None:
                yield from problems(shape.members[name], item, f"{path}{name}" + ("." if is_structure(shape.members[name]) else ""))
    elif kind == "list":
        yield from length_problems(shape, len(value), path)
        for number, item in enumerate(value, 1):
            yield from problems(shape.member, item, f"{path}.{number}." if is_structure(shape.member) else f"{path}.{number}")
    elif kind == "map":
        for key, item in value.items():
            yield from problems(shape.value, item, f"{path}.{key}")
    elif kind == "string":
        yield from string_problems(shape, value, path)
    elif kind in ("integer", "long"):
        yield from length_problems(shape, value, path, "value")


def is_structure(shape):
    return shape.type_name == "structure"


def length_problems(shape, size, path, what="length"):
    if size < shape.metadata.get("min", size):
        yield path, f"Member must have {what} greater than or equal to {shape.metadata['min']}"
    if size > shape.metadata.get("max", size):
        yield path, f"Member must have {what} less than or equal to {shape.metadata['max']}"


def string_problems(shape, value, path):
    if not isinstance(value, str):
        yield path, "Member must be a string"
        return
    yield from length_problems(shape, len(value), path)
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield path, f"Member must satisfy enum value set: [{', '.join(allowed)}]"
    pattern = compiled(shape.metadata.get("pattern"))
    if pattern and not pattern.fullmatch(value):
        yield path, f"Member must satisfy regular expression pattern: {shape.metadata['pattern']}"


@functools.cache
def compiled(pattern):
    """The model's patterns are Java's: a class of letters is widened to what Python knows; what it cannot read is not checked."""
    if not pattern:
        return None
    pattern = re.sub(r"\\p\{(Print|ASCII|Graph)\}", r"\\x20-\\x7e", pattern)
    pattern = re.sub(r"\\p\{(IsLetter|L|Alpha)\}", "A-Za-z\u00c0-\uffff", pattern)
    try:
        return re.compile(pattern) if "\\p" not in pattern else None
    except re.error:
        return None


# --- replies ---


def reply(service, action, result):
    """Writes a result, by the names of the model, in the service's protocol."""
    operation = operation_model(service, action)
    written = serializer(service, protocol_of(service))(operation_model=operation).serialize(result)
    body = written["body"]
    headers = {name.lower(): str(value) for name, value in written["headers"].items()}
    return Reply(written["status_code"], headers, body.encode() if isinstance(body, str) else body)


@functools.cache
def serializer(service, protocol):
    """moto's, but for its search for other names that a member might go by: ours have the model's."""
    return type("Serializer", (get_serializer_class(service, protocol),), {"get_value": lambda _self, value, name, _shape: value.get(name)})


def error_reply(protocol, error):
    if protocol == "json":
        body = json.dumps({"__type": error.code, "message": error.message, "Message": error.message, **error.members}).encode()
        return Reply(error.status, {"content-type": "application/x-amz-json-1.1", **error.headers}, body)
    members = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in error.members.items())
    fault = "Receiver" if error.status >= 500 else "Sender"
    text = XML_ERRORS[protocol].format(
        code=error.code, message=escape(error.message), members=members, fault=fault, id=REQUEST_ID
    )
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return Reply(error.status, {"content-type": "text/xml", **error.headers}, body)


def reply_problems(service, action, answer):
    """What is wrong with a reply by botocore's parser and the model, as texts; error replies are only parsed."""
    operation = operation_model(service, action)
    protocol = protocol_of(service)
    if operation.has_streaming_output or (answer.status < 300 and operation.output_shape is None):
        return []
    response = {"status_code": answer.status, "headers": answer.headers, "body": answer.body}
    try:
        parsed = botocore.parsers.create_parser(protocol).parse(response, operation.output_shape)
    except Exception as error:  # whatever the parser stumbles over is the finding
        return [f"{action}: not readable: {error}"]
    if answer.status >= 300:
        is_coded = parsed.get("Error", {}).get("Code") or not answer.body
        return [] if is_coded else [f"{action}: an error without a code"]
    parsed.pop("ResponseMetadata", None)
    return [f"{action}: {path}: {problem}" for path, problem in output_problems(operation.output_shape, parsed, "")]


def output_problems(shape, value, path):
    """Types, required members and enums of what a reply holds; lengths and patterns are not promised for output."""
    kind = shape.type_name
    if kind == "structure":
        for name in shape.required_members:
            if name not in value:
                yield f"{path}{name}", "is missing"
        for name, item in value.items():
            if item is not None and name in shape.members:
                yield from output_problems(shape.members[name], item, f"{path}{name}.")
    elif kind == "list":
        for item in value:
            yield from output_problems(shape.member, item, path)
    elif kind == "string":
        allowed = shape.metadata.get("enum")
        if not isinstance(value, str) and not isinstance(value, datetime):
            yield path, f"{value!r} is no string"
        elif allowed and value not in allowed:
            yield path, f"'{value}' is not in the model"


def error_code(answer):
    """The code of an error reply, whatever its protocol; None when it has none."""
    found = re.search(rb'<Code>([^<]+)</Code>|"__type": ?"(?:[^"#]*#)?([^"]+)"', answer.body)
    return (found.group(1) or found.group(2)).decode() if found else None
