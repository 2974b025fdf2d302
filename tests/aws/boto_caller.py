"""Calls AWS as another client does, for tests that look or change things behind the programs' back.

Runs under a Python that has boto3, once for many calls: lines of JSON in, [service, operation, params]; lines of JSON out, {"reply"} or
{"error", "message"}.
"""

import hashlib
import json
import sys

import boto3
import botocore.config
import botocore.exceptions
import botocore.loaders
from server_newer import extended


load_as_shipped = botocore.loaders.Loader.load_service_model


def load(loader, service, kind, api_version=None):
    model = load_as_shipped(loader, service, kind, api_version)
    return extended(service, model) if kind == "service-2" else model


botocore.loaders.Loader.load_service_model = load
CONFIG = botocore.config.Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, parameter_validation=True)
clients = {}
for line in sys.stdin:
    service, operation, params = json.loads(line)
    if service not in clients:
        clients[service] = boto3.client(service, config=CONFIG)
    try:
        reply = getattr(clients[service], operation)(**params)
        reply.pop("ResponseMetadata", None)
        if hasattr(reply.get("Body"), "read"):
            body = reply["Body"].read()
            reply |= {"Body": body.decode(errors="replace"), "sha256": hashlib.sha256(body).hexdigest()}
        answer = {"reply": reply}
    except botocore.exceptions.ClientError as error:
        answer = {"error": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}
    except botocore.exceptions.BotoCoreError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(answer, default=str), flush=True)
