"""Endpoints against botocore's own rule sets: every service that we use, every region of every partition, plain, FIPS, dual-stack.

botocore runs in a process of its own, under whichever Python has it."""

import json
import subprocess

from aws.conftest import ask_botocore

SERVICES = ["s3", "iam", "sts", "ec2", "redshift", "redshift-serverless", "redshift-data", "transfer", "secretsmanager", "glue", "kms"]

# one line a question: what was asked and what botocore's rules answer; of unknown regions by the shape of their names too
TABLE = """
import json, sys
import botocore.loaders
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError

loader = botocore.loaders.create_loader()
partitions = loader.load_data("partitions")
for service in sys.argv[1:]:
    rules = EndpointProvider(loader.load_service_model(service, "endpoint-rule-set-1"), partitions)
    metadata = loader.load_service_model(service, "service-2")["metadata"]
    for partition in partitions["partitions"]:
        for region in [*partition["regions"], sorted(partition["regions"])[-1][:-1] + "97"]:
            for fips in (False, True):
                for dual in (False, True):
                    line = {"service": service, "region": region, "fips": fips, "dualstack": dual}
                    try:
                        found = rules.resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=dual)
                        scheme = next((s for s in found.properties.get("authSchemes", []) if s["name"] == "sigv4"), {})
                        answer = {
                            "url": found.url,
                            "signing_region": scheme.get("signingRegion", region),
                            "signing_name": scheme.get("signingName") or metadata.get("signingName") or metadata["endpointPrefix"],
                        }
                    except EndpointProviderError as e:
                        answer = {"error": str(e)}
                    print(json.dumps([line, answer]))
"""

# what a real client puts on the wire: host and credential scope of a request that is stopped before it is sent
WIRE = """
import json, re, sys
import botocore.session

CALLS = {"s3": "list_buckets", "iam": "list_roles", "sts": "get_caller_identity", "ec2": "describe_vpcs", "redshift": "describe_clusters",
         "redshift-serverless": "list_workgroups", "redshift-data": "list_statements", "transfer": "list_servers",
         "secretsmanager": "list_secrets", "glue": "get_databases", "kms": "list_keys"}

class Stop(Exception):
    pass

def stop(request, **_):
    scope = re.search("Credential=[^/]*/[0-9]*/([^/]*)/([^/]*)/", request.headers["Authorization"].decode()
                      if isinstance(request.headers["Authorization"], bytes) else request.headers["Authorization"])
    caught.append((re.match("https://[^/]*", request.url).group(), scope.group(1), scope.group(2)))
    raise Stop

session = botocore.session.Session()
session.set_credentials("AKIDEXAMPLE", "secret")
for region in sys.argv[1:]:
    for service, call in CALLS.items():
        caught = []
        client = session.create_client(service, region_name=region)
        client.meta.events.register("before-send", stop)
        try:
            getattr(client, call)()
        except Stop:
            pass
        url, signing_region, name = caught[0]
        print(json.dumps([{"service": service, "region": region},
                          {"url": url, "signing_region": signing_region, "signing_name": name}]))
"""


def ask_sfprobe(installed, tmp_path, questions):
    file = tmp_path / "questions.json"
    file.write_text("".join(json.dumps(q) + "\n" for q in questions))
    done = subprocess.run([f"{installed}/bin/sfprobe", "endpoint", str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(questions)
    return answers


def differences(pairs, answers):
    return [f"{q}: botocore {theirs}, ours {ours}" for (q, theirs), ours in zip(pairs, answers)
            if theirs != ours and not ("error" in theirs and "error" in ours)]


def test_every_service_in_every_region_is_where_botocores_rules_say_and_signed_as_they_say(installed, tmp_path):
    pairs = ask_botocore(TABLE, *SERVICES)
    assert len(pairs) > 2000
    wrong = differences(pairs, ask_sfprobe(installed, tmp_path, [q for q, _ in pairs]))
    assert not wrong, "\n".join([f"{len(wrong)} of {len(pairs)} differ", *wrong[:20]])


def test_what_a_botocore_client_would_send_has_our_host_and_our_credential_scope(installed, tmp_path):
    regions = ["us-west-2", "eu-central-2", "cn-northwest-1", "us-gov-east-1", "us-iso-west-1", "us-isob-east-1", "eu-isoe-west-1",
               "us-isof-east-1", "eusc-de-east-1"]
    pairs = ask_botocore(WIRE, *regions)
    assert len(pairs) == len(regions) * len(SERVICES)
    wrong = differences(pairs, ask_sfprobe(installed, tmp_path, [q for q, _ in pairs]))
    assert not wrong, "\n".join([f"{len(wrong)} of {len(pairs)} differ", *wrong])


def test_a_lone_question_that_has_no_answer_is_one_line_on_stderr_and_exit_1(installed, tmp_path):
    for question in ({"service": "s4", "region": "us-west-2"}, {"service": "s3"}, {"service": "s3", "region": "us-west-2/x"}, []):
        file = tmp_path / "question.json"
        file.write_text(json.dumps(question))
        done = subprocess.run([f"{installed}/bin/sfprobe", "endpoint", str(file)], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), (question, done)
