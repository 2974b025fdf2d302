"""Signatures against botocore's, stage by stage: random requests to S3 and to others; and against a signing test suite, if one is at hand.

botocore runs in a process of its own, under whichever Python has it. SF_VECTORS names a folder of cases in the form of AWS's own
suite for Signature Version 4 (a folder a case: context.json, request.txt, {header,query}-{canonical-request,string-to-sign,signature}.txt).
SF_SEED repeats a run."""

import json
import os
import random
import subprocess

import pytest

from aws.conftest import ask_botocore

STAGES = ["canonical-request", "string-to-sign", "signature"]

# one line a request: the question for sfprobe, then what botocore's signer made of it at each stage
GENERATE = r"""
import datetime, json, random, sys
from urllib.parse import quote
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

rng = random.Random(int(sys.argv[1]))
now = None
botocore.auth.get_current_datetime = lambda *args, **kwargs: now
UNRESERVED = "abcXYZ019-._~"
ODD = " !\"#$%&'()*+,/:;<=>?@[\\]^`{|}\t\n\x01\x7f"
WIDE = "\u00e9\u00df\u0416\u4e2d\u20ac\u0301\u200b\ufeff\uffff\U0001f4b0\U00010348"


def text(longest, alphabet=UNRESERVED * 4 + ODD + WIDE):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(0, longest)))


def path(is_s3):
    segments = [rng.choice(["", ".", "..", "%2F", "a%20b", text(12), text(3)]) if rng.random() < 0.6 else text(20, UNRESERVED)
                for _ in range(rng.randint(0, 6))]
    raw = "/" + "/".join(segments)
    # as clients encode keys; some escape less than they could, and a path may hold ~ ! $ & ' ( ) * + , ; = : @ as they are
    return quote(raw, safe=rng.choice(["/~", "/~!$&'()*+,;=:@", "/~%", "~/"]))


def query():
    names = [text(6) or "k" for _ in range(rng.randint(1, 3))] + ["acl", "uploads", "X-Amz-Meta", "Action", "a", "a-b", "a.b", "A"]
    pairs = []
    for _ in range(rng.choice([0, 0, 1, 2, 3, 8])):
        name = quote(rng.choice(names), safe="-_.~")
        how = rng.random()
        pairs.append(name if how < 0.15 else name + "=" if how < 0.3 else
                     name + "=" + quote(text(12), safe=rng.choice(["-_.~", "-_.~", "-_.~/:,+*=!"])))
    return "&".join(pairs)


def headers():
    names = ["Content-Type", "X-Amz-Target", "x-amz-acl", "X-AMZ-Meta-Note", "x-amz-meta-note", "Content-MD5", "range", "If-Match",
             "X-Amz-Tagging", "User-Agent", "Connection", "Expect", "TE", "X-Amzn-Trace-Id", "Transfer-Encoding", "Upgrade",
             "Proxy-Authorization", "Keep-Alive", "Content-Length", "Cache-Control", "x-amz-", "x-amz-a", "X-Amz-Copy-Source"]
    blanks = ["", " ", "  ", "\t", " \t ", "     "]
    given = []
    for _ in range(rng.choice([0, 1, 2, 3, 6, 12])):
        words = [text(8, UNRESERVED * 3 + "!\"#$%&'()*+,/:;<=>?@[]\u00e9\u4e2d") for _ in range(rng.randint(0, 4))]
        value = rng.choice(blanks) + "".join(word + rng.choice(blanks) for word in words)
        given.append([rng.choice(names), value])
    return given


for i in range(int(sys.argv[2])):
    is_s3 = rng.random() < 0.5
    now = datetime.datetime(1990, 1, 1) + datetime.timedelta(seconds=rng.randrange(3000000000))
    host = rng.choice(["b.s3.us-west-2.amazonaws.com", "EXAMPLE.test", "127.0.0.1:9000", "example.test:443", "example.test:8443",
                       "[::1]:4566"])
    scheme = rng.choice(["https", "https", "http"])
    search = query()
    asked = {
        "method": rng.choice(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"]),
        "url": f"{scheme}://{host}{path(is_s3)}" + (f"?{search}" if search else ""),
        "headers": headers() + ([["Host", "other.test"]] if rng.random() < 0.1 else []),
        "body": "" if rng.random() < 0.4 else text(200),
        "region": rng.choice(["us-west-2", "eu-central-1", "cn-north-1", "us-gov-west-1"]),
        "service": "s3" if is_s3 else rng.choice(["iam", "sts", "ec2", "redshift", "transfer", "glue", "redshift-data"]),
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "access_key": "AKID" + text(16, "ABCDEFGHIJ234567"),
        "secret_key": text(60, UNRESERVED + "+/=") + "k",
    }
    if rng.random() < 0.5:
        asked["session_token"] = text(400, UNRESERVED + "+/=") + "t"
    request = AWSRequest(method=asked["method"], url=asked["url"], data=asked["body"].encode())
    for name, value in asked["headers"]:
        request.headers.add_header(name, value)
    credentials = Credentials(asked["access_key"], asked["secret_key"], asked.get("session_token"))
    signer = (botocore.auth.S3SigV4Auth if is_s3 else botocore.auth.SigV4Auth)(credentials, asked["service"], asked["region"])
    stages = {}
    for stage in ("canonical_request", "string_to_sign", "signature"):
        def noted(*args, made=getattr(signer, stage), stage=stage):
            stages[stage] = made(*args)
            return stages[stage]
        setattr(signer, stage, noted)
    signer.add_auth(request)
    stages["authorization"] = request.headers["Authorization"]
    print(json.dumps([asked, stages]))
"""


def sfprobe(installed, *args):
    return subprocess.run([f"{installed}/bin/sfprobe", *args], capture_output=True, text=True, timeout=120)


def test_ten_thousand_random_requests_are_signed_as_botocore_signs_them(installed, tmp_path):
    seed, n = os.environ.get("SF_SEED") or str(random.randrange(2**32)), 10000
    print(f"seed {seed} (SF_SEED={seed} repeats it)")
    pairs = ask_botocore(GENERATE, seed, str(n))
    file = tmp_path / "requests.json"
    file.write_text("".join(json.dumps(asked) + "\n" for asked, _ in pairs))
    done = sfprobe(installed, "sign", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(pairs) == len(answers) == n
    wrong = [f"{asked}\n  botocore {theirs}\n  ours     {ours}" for (asked, theirs), ours in zip(pairs, answers) if theirs != ours]
    assert not wrong, "\n".join([f"seed {seed}: {len(wrong)} of {n} differ", *wrong[:5]])
    # what was drawn has what makes signing hard
    for part in ("//", "/../", "%25", "%F0%9F%92%B0", "?acl&", "=&"):
        assert any(part in asked["url"] for asked, _ in pairs), part
    assert {asked["service"] == "s3" for asked, _ in pairs} == {"session_token" in asked for asked, _ in pairs} == {True, False}


def test_a_lone_request_that_cannot_be_signed_is_one_line_on_stderr_and_exit_1(installed, tmp_path):
    good = {"method": "GET", "url": "https://example.test/", "region": "us-west-2", "service": "iam", "time": "20261120T133539Z",
            "access_key": "AKID", "secret_key": "secret"}
    bad = [{k: v for k, v in good.items() if k != left_out} for left_out in good]
    bad += [{**good, "url": "example.test/"}, {**good, "time": "yesterday"}, {**good, "headers": [["lonely"]]}, []]
    for question in bad:
        file = tmp_path / "question.json"
        file.write_text(json.dumps(question))
        done = sfprobe(installed, "sign", str(file))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), (question, done)
    file.write_text("\n".join(json.dumps(question) for question in (good, bad[0])))
    first, second = [json.loads(line) for line in sfprobe(installed, "sign", str(file)).stdout.splitlines()]
    assert len(first["signature"]) == 64 and second == {"error": "'method' is missing"}


def test_a_folder_that_is_no_case_is_one_line_on_stderr_and_exit_1(installed, tmp_path):
    context = {"credentials": {"access_key_id": "AKID", "secret_access_key": "secret"}, "region": "us-west-2", "service": "iam",
               "timestamp": "2026-11-20T13:35:39Z"}
    for request in ("", "GET", "GET / HTTP/1.1\nno colon\n", "GET / HTTP/1.1\n of nothing\n"):
        (tmp_path / "context.json").write_text(json.dumps(context))
        (tmp_path / "request.txt").write_text(request)
        done = sfprobe(installed, "sigv4", str(tmp_path))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), (request, done)
    (tmp_path / "request.txt").write_text("GET / HTTP/1.1\nHost:example.test\n")
    assert sfprobe(installed, "sigv4", str(tmp_path), "query").returncode == 0
    (tmp_path / "context.json").write_text("{}")
    assert sfprobe(installed, "sigv4", str(tmp_path)).returncode == 1


@pytest.mark.parametrize("form", ["header", "query"])
def test_every_case_of_the_suite_comes_out_at_every_stage(installed, form):
    folder = os.environ.get("SF_VECTORS")
    if not folder:
        pytest.skip("SF_VECTORS names no folder of a signing test suite")
    cases = sorted(name for name in os.listdir(folder) if os.path.exists(f"{folder}/{name}/context.json"))
    assert cases, f"no case in {folder}"
    wrong = []
    for case in cases:
        wanted = ""
        for stage in STAGES:
            with open(f"{folder}/{case}/{form}-{stage}.txt", encoding="utf-8") as file:
                wanted += f"--- {stage}\n{file.read()}\n"
        done = sfprobe(installed, "sigv4", f"{folder}/{case}", *(["query"] if form == "query" else []))
        if (done.returncode, done.stdout) != (0, wanted):
            wrong.append(f"{case}: {done.stdout}{done.stderr}wanted\n{wanted}")
    assert not wrong, "\n".join([f"{len(wrong)} of {len(cases)} cases are wrong", *wrong])
