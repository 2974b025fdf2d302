"""The credential chain from end to end, over the wire: environments that are told to botocore too must lead both to the same credentials.

One stub on loopback plays STS, SSO's portal, a container's agent and instance metadata. Its STS checks signatures and answers with an access
key that says what was asked and by whom, so that equal access keys mean equal ways. Every secret key is "secret of " + access key."""

import datetime
import hashlib
import hmac
import http.server
import json
import os
import subprocess
import threading
import urllib.parse
import xml.sax.saxutils

import pytest

SSO_URL = "https://city.awsapps.example/start"
HOUR = datetime.timedelta(hours=1)
KEYS = "aws_access_key_id = {0}\naws_secret_access_key = secret of {0}\n"
PRINTS = '{{"Version": 1, "AccessKeyId": "{0}", "SecretAccessKey": "secret of {0}"}}'


def keys(name):
    return KEYS.format(name)


def env_keys(name):
    return {"AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": f"secret of {name}"}


def stamp(delta):
    return (datetime.datetime.now(datetime.timezone.utc) + delta).strftime("%Y-%m-%dT%H:%M:%SZ")


class Stub(http.server.BaseHTTPRequestHandler):
    """Answers of all four services. server.clock_ahead: how far its clock is ahead of ours."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return (datetime.datetime.now(datetime.timezone.utc) + self.server.clock_ahead).strftime("%a, %d %b %Y %H:%M:%S GMT")

    def give(self, status, body, kind="application/json"):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        self.server.asked.append(f"PUT {self.path}")
        is_token = self.path == "/latest/api/token" and self.headers.get("x-aws-ec2-metadata-token-ttl-seconds")
        self.give(200 if is_token and not self.server.is_no_instance else 404, "instance-token", "text/plain")

    def do_GET(self):
        self.server.asked.append(f"GET {self.path}")
        url = urllib.parse.urlsplit(self.path)
        roles = "/latest/meta-data/iam/security-credentials/"
        if url.path.startswith("/latest/") and self.headers.get("x-aws-ec2-metadata-token") != "instance-token":
            self.give(401, "no token")
        elif url.path == roles:
            self.give(200, "city-role", "text/plain")
        elif url.path == roles + "city-role":
            self.give(200, {"Code": "Success", **self.temporary("INSTANCE", "Token")})
        elif url.path == "/container" and self.headers.get("Authorization") in (None, "container-token"):
            self.give(200, self.temporary("CONTAINER" + ("+token" if self.headers.get("Authorization") else ""), "Token"))
        elif url.path == "/federation/credentials":
            self.sso(urllib.parse.parse_qs(url.query))
        else:
            self.give(404, {"message": "nothing here"})

    def sso(self, query):
        token = self.headers.get("x-amz-sso_bearer_token", "")
        if not token.startswith("sso-token"):
            self.give(401, {"message": "Session token not found or invalid"})
            return
        name = f"SSO/{query['account_id'][0]}/{query['role_name'][0]}/{token}"
        expiration = datetime.datetime.now(datetime.timezone.utc) + HOUR
        self.give(200, {"roleCredentials": {"accessKeyId": name, "secretAccessKey": f"secret of {name}", "sessionToken": "t",
                                            "expiration": int(expiration.timestamp() * 1000)}})

    def temporary(self, name, token):
        return {"AccessKeyId": name, "SecretAccessKey": f"secret of {name}", token: "session of " + name, "Expiration": stamp(HOUR)}

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        form = {k: v[0] for k, v in urllib.parse.parse_qs(body.decode()).items()}
        self.server.asked.append(f"POST {form.get('Action')}")
        signer, refused = None, self.server.refusal
        if form["Action"] == "AssumeRole":
            signer, refused = self.check_signature(body)
            refused = refused or self.server.refusal
        if refused:
            self.give(403, f"<ErrorResponse><Error><Type>Sender</Type><Code>{refused}</Code><Message>no: {refused}</Message></Error>"
                           "<RequestId>request-1</RequestId></ErrorResponse>", "text/xml")
            return
        session = form["RoleSessionName"]
        asked = [form["Action"], form["RoleArn"], form.get("ExternalId"), form.get("DurationSeconds"), form.get("WebIdentityToken"),
                 "auto" if session.startswith(("botocore-session-", "sfstack-")) else session, "by", signer]
        given = self.temporary("/".join(str(a) for a in asked), "SessionToken")
        inner = "".join(f"<{k}>{xml.sax.saxutils.escape(v)}</{k}>" for k, v in given.items())
        action = form["Action"]
        self.give(200, f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>{inner}'
                       f"</Credentials><AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/x/y</Arn></AssumedRoleUser></{action}Result>"
                       f"</{action}Response>", "text/xml")

    def check_signature(self, body):
        """(access key, None) of a well-signed request, else (None, error)."""
        parts = dict(p.strip().split("=", 1) for p in self.headers["Authorization"].split(" ", 1)[1].split(","))
        access_key, date, region, service, _ = parts["Credential"].rsplit("/", 4)
        names = parts["SignedHeaders"].split(";")
        headers = "".join(f"{n}:{' '.join(self.headers[n].split())}\n" for n in names)
        request = "\n".join(["POST", "/", "", headers, ";".join(names), hashlib.sha256(body).hexdigest()])
        text = "\n".join(["AWS4-HMAC-SHA256", self.headers["x-amz-date"], f"{date}/{region}/{service}/aws4_request",
                          hashlib.sha256(request.encode()).hexdigest()])
        key = f"AWS4secret of {access_key}".encode()
        for part in (date, region, service, "aws4_request", text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        at = datetime.datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        if abs(datetime.datetime.now(datetime.timezone.utc) + self.server.clock_ahead - at) > datetime.timedelta(minutes=5):
            return None, "SignatureDoesNotMatch"
        if not {"host", "x-amz-date"} <= set(names) or (region, service) != ("us-west-2", "sts"):
            return None, "IncompleteSignature"
        return (access_key, None) if key.hex() == parts["Signature"] else (None, "SignatureDoesNotMatch")


class Chain:
    """A home directory, the stub, and the two programs that look for credentials in them."""

    def __init__(self, installed, directory):
        self.sfprobe, self.dir = f"{installed}/bin/sfprobe", str(directory)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stub)
        self.server.asked, self.server.clock_ahead = [], datetime.timedelta()
        self.server.is_no_instance, self.server.refusal = False, None
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.n = 0
        for name, token, delta in ((SSO_URL, "sso-token-legacy", HOUR), ("city", "sso-token-session", HOUR),
                                   ("old", "sso-token-old", -HOUR), ("revoked", "revoked-token", HOUR)):
            self.write(f".aws/sso/cache/{hashlib.sha1(name.encode()).hexdigest()}.json",
                       json.dumps({"startUrl": SSO_URL, "region": "us-west-2", "accessToken": token, "expiresAt": stamp(delta)}))
        self.write("identity-token", "identity")
        self.write("container-token", "container-token")

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def environment(self, case):
        """Environment of a case: {url} and {dir} in its texts are the stub's and the home directory's."""
        self.n += 1

        def fill(text):
            return text.replace("{url}", self.url).replace("{dir}", self.dir)

        return {
            "HOME": self.dir,
            "PATH": os.environ["PATH"],
            "AWS_REGION": "us-west-2",
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.url,
            "AWS_CONFIG_FILE": self.write(f"config-{self.n}", fill(case.get("config", ""))),
            "AWS_SHARED_CREDENTIALS_FILE": self.write(f"credentials-{self.n}", fill(case.get("credentials", ""))),
            **{k: fill(v) for k, v in case.get("env", {}).items()},
        }

    def find(self, case, **env):
        """What sfprobe finds: (result, {access_key, source, ...} or None)."""
        argv = [self.sfprobe, "credentials"] + ([case["profile"]] if "profile" in case else [])
        done = subprocess.run(argv, env={**self.environment(case), **env}, capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 1), done
        assert "secret of" not in done.stdout + done.stderr, done
        return done, json.loads(done.stdout) if done.returncode == 0 else None

    def refused(self, case, *wanted):
        """The case must end in an error that says all of `wanted`."""
        done, found = self.find(case)
        assert found is None, f"{case} found {found}"
        for text in wanted:
            assert text in done.stderr, done.stderr
        return done.stderr


@pytest.fixture
def chain(installed, tmp_path):
    chain = Chain(installed, tmp_path)
    yield chain
    chain.server.shutdown()
    chain.server.server_close()


ROLE = "[profile city]\nrole_arn = arn:aws:iam::1:role/city\n"
MID = "[profile mid]\nrole_arn = arn:aws:iam::1:role/mid\n"
SSO = f"[profile city]\nsso_account_id = 111122223333\nsso_role_name = reader\nsso_start_url = {SSO_URL}\nsso_region = us-west-2\n"
SESSION = ("[profile city]\nsso_session = {0}\nsso_account_id = 111122223333\nsso_role_name = reader\n"
           f"[sso-session {{0}}]\nsso_start_url = {SSO_URL}\nsso_region = us-west-2\n")
CITY = {"AWS_PROFILE": "city"}
WEB = {"AWS_WEB_IDENTITY_TOKEN_FILE": "{dir}/identity-token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/web"}
CONTAINER = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/container"}
OFF = {"AWS_EC2_METADATA_DISABLED": "true"}


def process(name):
    return f"credential_process = printf '%s' '{PRINTS.format(name)}'\n"


# what surrounds the chain, and what it leads to: "?" is an error or nothing, for botocore and for us
CASES = {
    "nothing": ({"env": OFF}, "?"),
    "instance metadata": ({}, "INSTANCE"),
    "environment": ({"env": env_keys("ENV")}, "ENV"),
    "environment with a token": ({"env": {**env_keys("ENV"), "AWS_SESSION_TOKEN": "t"}}, "ENV"),
    "environment without its secret": ({"env": {"AWS_ACCESS_KEY_ID": "ENV"}}, "?"),
    "environment with an empty key": ({"env": {**env_keys("ENV"), "AWS_ACCESS_KEY_ID": ""}, "credentials": "[default]\n" + keys("FILE")}, "FILE"),
    "environment that has expired": ({"env": {**env_keys("ENV"), "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}}, "?"),
    "environment that will expire": ({"env": {**env_keys("ENV"), "AWS_CREDENTIAL_EXPIRATION": "2090-01-01T00:00:00+02:00"}}, "ENV"),
    "environment before AWS_PROFILE": ({"env": {**env_keys("ENV"), **CITY}, "config": "[profile city]\n" + keys("CITY")}, "ENV"),
    "environment before a role": ({"env": {**env_keys("ENV"), **CITY}, "config": ROLE + "source_profile = city\n" + keys("CITY")}, "ENV"),
    "the stack's profile before the environment": ({"env": env_keys("ENV"), "config": "[profile city]\n" + keys("CITY"),
                                                   "profile": "city"}, "CITY"),
    "the stack's profile before AWS_PROFILE": ({"env": {"AWS_PROFILE": "other"}, "config": "[profile city]\n" + keys("CITY"),
                                               "credentials": "[other]\n" + keys("OTHER"), "profile": "city"}, "CITY"),
    "an empty profile of the stack": ({"env": env_keys("ENV"), "config": "[profile city]\n", "profile": "city"}, "INSTANCE"),
    "a profile that is nowhere": ({"env": {"AWS_PROFILE": "nowhere"}, "credentials": "[default]\n" + keys("FILE")}, "?"),
    "AWS_DEFAULT_PROFILE": ({"env": {"AWS_DEFAULT_PROFILE": "city"}, "credentials": "[city]\n" + keys("FILE")}, "FILE"),
    "credentials file": ({"credentials": "[default]\n" + keys("FILE")}, "FILE"),
    "credentials file before config file": ({"credentials": "[default]\n" + keys("FILE"), "config": "[default]\n" + keys("CONFIG")}, "FILE"),
    "config file": ({"config": "[default]\n" + keys("CONFIG")}, "CONFIG"),
    "config file, [profile default]": ({"config": "[profile default]\n" + keys("CONFIG")}, "CONFIG"),
    "config file without the word profile": ({"config": "[city]\n" + keys("CONFIG"), "env": CITY}, "?"),
    "a quoted profile": ({"config": '[profile "north beach"]\n' + keys("CONFIG"), "env": {"AWS_PROFILE": "north beach"}}, "CONFIG"),
    "half a key in the credentials file": ({"credentials": "[default]\naws_access_key_id = X\n", "config": "[default]\n" + keys("CONFIG")}, "?"),
    "a comment beside a value belongs to it": ({"config": "[default]\naws_secret_access_key = s\naws_access_key_id = AK # mine\n"}, "AK # mine"),
    "comments and blanks": ({"config": "# c\n; c\n\n[default]  # c\n  aws_access_key_id : AK\n\n# c\n  aws_secret_access_key=x\n"}, "AK"),
    "keys in upper case": ({"config": "[default]\nAWS_ACCESS_KEY_ID = AK\nAws_Secret_Access_Key = x\n"}, "AK"),
    "[DEFAULT] gives what is lacking": ({"config": "[DEFAULT]\naws_secret_access_key = x\n[default]\naws_access_key_id = AK\n"}, "AK"),
    "nested settings beside the keys": ({"config": "[default]\ns3 =\n  addressing_style = path\n" + keys("CONFIG")}, "CONFIG"),
    "the same key twice": ({"config": "[default]\n" + keys("A") + keys("B"), "env": OFF}, "?"),
    "the same section twice": ({"config": "[default]\n" + keys("A") + "[default]\n" + keys("B"), "env": OFF}, "?"),
    "a line that is nothing": ({"config": "[default]\nwhat\n" + keys("A"), "env": OFF}, "?"),
    "a process": ({"config": "[default]\n" + process("PROCESS")}, "PROCESS"),
    "a process before the config file's keys": ({"config": "[default]\n" + process("PROCESS") + keys("CONFIG")}, "PROCESS"),
    "credentials file before a process": ({"config": "[default]\n" + process("PROCESS"), "credentials": "[default]\n" + keys("FILE")}, "FILE"),
    "a process in the credentials file": ({"credentials": "[default]\n" + process("PROCESS"), "config": "[default]\n" + keys("CONFIG")}, "PROCESS"),
    "a process that fails": ({"config": "[default]\ncredential_process = sh -c 'exit 3'\n"}, "?"),
    "a process of another version": ({"config": "[default]\ncredential_process = printf '{\"Version\": 2}'\n"}, "?"),
    "a process that is not there": ({"config": "[default]\ncredential_process = /nowhere/at/all\n"}, "?"),
    "a role": ({"config": ROLE + "source_profile = base\n[profile base]\n" + keys("BASE"), "env": CITY},
               "AssumeRole/arn:aws:iam::1:role/city/None/None/None/auto/by/BASE"),
    "a role with all that it can have": ({"config": ROLE + "source_profile = base\nexternal_id = e=1&x\nduration_seconds = 1200\n"
                                          "role_session_name = me@city\n", "credentials": "[base]\n" + keys("BASE"), "env": CITY},
                                         "AssumeRole/arn:aws:iam::1:role/city/e=1&x/1200/None/me@city/by/BASE"),
    "a role before the keys beside it": ({"config": ROLE + "source_profile = city\n" + keys("SELF"), "env": CITY},
                                         "AssumeRole/arn:aws:iam::1:role/city/None/None/None/auto/by/SELF"),
    "a role of a role": ({"config": ROLE + "source_profile = mid\n" + MID + "source_profile = base\n[profile base]\n"
                          + keys("BASE"), "env": CITY},
                         "AssumeRole/arn:aws:iam::1:role/city/None/None/None/auto/by/"
                         "AssumeRole/arn:aws:iam::1:role/mid/None/None/None/auto/by/BASE"),
    "a role whose source has a role and keys": ({"config": ROLE + "source_profile = mid\n[profile mid]\nrole_arn = arn:aws:iam::1:role/mid\n"
                                                 "source_profile = base\n" + keys("MID") + "[profile base]\n" + keys("BASE"), "env": CITY},
                                                "AssumeRole/arn:aws:iam::1:role/city/None/None/None/auto/by/MID"),
    "a role by a process": ({"config": ROLE + "source_profile = base\n[profile base]\n" + process("PROCESS"), "env": CITY},
                            "AssumeRole/arn:aws:iam::1:role/city/None/None/None/auto/by/PROCESS"),
    "a role by SSO": ({"config": SSO.replace("city", "base", 1) + ROLE + "source_profile = base\n", "env": CITY},
                      "AssumeRole/arn:aws:iam::1:role/city/None/None/None/auto/by/SSO/111122223333/reader/sso-token-legacy"),
    "a role by web identity": ({"config": ROLE + "source_profile = web\n[profile web]\nrole_arn = arn:aws:iam::1:role/web\n"
                                "web_identity_token_file = {dir}/identity-token\n", "env": CITY},
                               "AssumeRole/arn:aws:iam::1:role/city/None/None/None/auto/by/"
                               "AssumeRoleWithWebIdentity/arn:aws:iam::1:role/web/None/None/identity/auto/by/None"),
    "a role by the environment": ({"config": ROLE + "credential_source = Environment\n", "env": env_keys("ENV"), "profile": "city"},
                                  "AssumeRole/arn:aws:iam::1:role/city/None/None/None/auto/by/ENV"),
    "a role by a container": ({"config": ROLE + "credential_source = EcsContainer\n", "env": {**CITY, **CONTAINER}},
                              "AssumeRole/arn:aws:iam::1:role/city/None/None/None/auto/by/CONTAINER"),
    "a role by the instance": ({"config": ROLE + "credential_source = Ec2InstanceMetadata\n", "env": CITY},
                               "AssumeRole/arn:aws:iam::1:role/city/None/None/None/auto/by/INSTANCE"),
    "a role by a source of another name": ({"config": ROLE + "credential_source = environment\n", "env": env_keys("ENV"), "profile": "city"}, "?"),
    "a role by an environment without keys": ({"config": ROLE + "credential_source = Environment\n", "env": CITY}, "?"),
    "a role by itself": ({"config": ROLE + "source_profile = city\n", "env": CITY}, "?"),
    "a role in a circle": ({"config": ROLE + "source_profile = mid\n" + MID + "source_profile = city\n", "env": CITY}, "?"),
    "a role by a profile that is nowhere": ({"config": ROLE + "source_profile = nowhere\n", "env": CITY}, "?"),
    "a role by a profile without keys": ({"config": ROLE + "source_profile = base\n[profile base]\nregion = x\n", "env": CITY}, "?"),
    "a role by two": ({"config": ROLE + "source_profile = base\ncredential_source = Environment\n[profile base]\n" + keys("B"), "env": CITY}, "?"),
    "a role by nobody": ({"config": ROLE, "env": CITY}, "?"),
    "web identity": ({"env": WEB}, "AssumeRoleWithWebIdentity/arn:aws:iam::1:role/web/None/None/identity/auto/by/None"),
    "web identity with a name": ({"env": {**WEB, "AWS_ROLE_SESSION_NAME": "pod"}},
                                 "AssumeRoleWithWebIdentity/arn:aws:iam::1:role/web/None/None/identity/pod/by/None"),
    "web identity before the credentials file": ({"env": WEB, "credentials": "[default]\n" + keys("FILE")},
                                                 "AssumeRoleWithWebIdentity/arn:aws:iam::1:role/web/None/None/identity/auto/by/None"),
    "a role before web identity": ({"env": {**WEB, **CITY}, "config": ROLE + "source_profile = base\n[profile base]\n" + keys("BASE")},
                                   "AssumeRole/arn:aws:iam::1:role/city/None/None/None/auto/by/BASE"),
    "the stack's profile before web identity": ({"env": WEB, "config": "[profile city]\n" + keys("CITY"), "profile": "city"}, "CITY"),
    "web identity of a profile": ({"config": ROLE + "web_identity_token_file = {dir}/identity-token\n", "env": CITY},
                                  "AssumeRoleWithWebIdentity/arn:aws:iam::1:role/city/None/None/identity/auto/by/None"),
    "web identity without a role": ({"env": {"AWS_WEB_IDENTITY_TOKEN_FILE": "{dir}/identity-token"}}, "?"),
    "web identity without its file": ({"env": {**WEB, "AWS_WEB_IDENTITY_TOKEN_FILE": "{dir}/nowhere"}}, "?"),
    "SSO": ({"config": SSO, "env": CITY}, "SSO/111122223333/reader/sso-token-legacy"),
    "SSO with a session": ({"config": SESSION.format("city"), "env": CITY}, "SSO/111122223333/reader/sso-token-session"),
    "SSO before the credentials file": ({"config": SSO, "credentials": "[city]\n" + keys("FILE"), "env": CITY},
                                        "SSO/111122223333/reader/sso-token-legacy"),
    "SSO that has expired": ({"config": SESSION.format("old"), "env": CITY}, "?"),
    "SSO that is revoked": ({"config": SESSION.format("revoked"), "env": CITY}, "?"),
    "SSO never signed in": ({"config": SESSION.format("new"), "env": CITY}, "?"),
    "SSO without an account": ({"config": SSO.replace("sso_account_id", "x"), "env": CITY}, "?"),
    "SSO with a session that is nowhere": ({"config": "[profile city]\nsso_session = no\nsso_account_id = 1\nsso_role_name = r\n",
                                            "env": CITY}, "?"),
    "SSO whose session says another region": ({"config": SESSION.format("city").replace("[sso", "sso_region = eu-west-1\n[sso"), "env": CITY}, "?"),
    "container": ({"env": CONTAINER}, "CONTAINER"),
    "container with a token": ({"env": {**CONTAINER, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "container-token"}}, "CONTAINER+token"),
    "container with a token's file": ({"env": {**CONTAINER, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "wrong",
                                               "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{dir}/container-token"}}, "CONTAINER+token"),
    "config file before container": ({"env": CONTAINER, "config": "[default]\n" + keys("CONFIG")}, "CONFIG"),
    "container that refuses": ({"env": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{url}/elsewhere"}}, "?"),
    "container at a stranger's": ({"env": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/container"}}, "?"),
}

BOTOCORE = """
import json, os, sys
import botocore.credentials, botocore.session

botocore.credentials.ContainerMetadataFetcher.SLEEP_TIME = 0
for name, profile, env in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update(env)
    try:
        found = botocore.session.Session(profile=profile).get_credentials()
        answer = found.get_frozen_credentials().access_key if found else "?"
    except Exception as e:
        answer = "?"
    print(json.dumps([name, answer]))
"""


def ask_botocore(chain, cases):
    asked = json.dumps([[name, case.get("profile"), chain.environment(case)] for name, case in cases.items()])
    for python in ("python3", "python"):
        try:
            if subprocess.run([python, "-c", "import botocore"], capture_output=True).returncode == 0:
                done = subprocess.run([python, "-c", BOTOCORE], input=asked, capture_output=True, text=True, timeout=300,
                                      env={**os.environ, "HOME": chain.dir})
                assert done.returncode == 0, done.stderr
                return dict(json.loads(line) for line in done.stdout.splitlines())
        except FileNotFoundError:
            continue
    pytest.skip("no Python on PATH has botocore, whose chain is what ours is compared with")


def test_every_environment_leads_where_it_should(chain):
    wrong = {}
    for name, (case, wanted) in CASES.items():
        done, found = chain.find(case)
        if (found["access_key"] if found else "?") != wanted:
            wrong[name] = (wanted, found or done.stderr)
    assert not wrong, "\n".join(f"{n}: wanted {w[0]}, got {w[1]}" for n, w in wrong.items())


def test_botocore_ends_with_the_same_credentials_in_every_environment(chain):
    theirs = ask_botocore(chain, {name: case for name, (case, _) in CASES.items()})
    wrong = {name: (wanted, theirs[name]) for name, (_, wanted) in CASES.items() if theirs[name] != wanted}
    assert len(theirs) == len(CASES) and not wrong, wrong


def test_a_link_that_is_configured_and_fails_ends_the_search(chain):
    case = {"config": "[default]\ncredential_process = sh -c 'echo the vault is sealed >&2; exit 3'\n"}
    chain.refused(case, "credential_process of profile 'default' failed with exit code 3: the vault is sealed")
    assert chain.server.asked == []  # instance metadata would have had some


def test_what_has_expired_says_what_to_do(chain):
    chain.refused({"config": SESSION.format("old"), "env": CITY}, "has expired", "aws sso login --profile city")
    chain.refused({"config": SESSION.format("revoked"), "env": CITY}, "not valid any more", "aws sso login --profile city")
    chain.refused({"config": SESSION.format("new"), "env": CITY}, "has not been done", "aws sso login --profile city")
    chain.refused({"env": {**env_keys("ENV"), "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}},
                  "AWS credentials of environment expired at 2020-01-01T00:00:00Z", "AWS_SESSION_TOKEN")
    chain.refused({"env": {**env_keys("ENV"), "AWS_CREDENTIAL_EXPIRATION": stamp(HOUR / 72)}}, "expire at")  # 50 s: too few


def test_mfa_and_aws_login_are_refused_with_the_command_that_does_it(chain):
    mfa = ROLE + "source_profile = base\nmfa_serial = arn:aws:iam::1:mfa/me\n[profile base]\n" + keys("BASE")
    chain.refused({"config": mfa, "env": CITY}, "MFA", "aws configure export-credentials --profile city")
    chain.refused({"config": "[profile city]\nlogin_session = me\n", "env": CITY}, "aws login", "export-credentials --profile city")
    assert chain.server.asked == []


def test_a_role_that_may_not_be_assumed_is_named_with_sts_own_words(chain):
    chain.server.refusal = "AccessDenied"
    case = {"config": ROLE + "source_profile = base\n[profile base]\n" + keys("BASE"), "env": CITY}
    chain.refused(case, "cannot assume role 'arn:aws:iam::1:role/city': AccessDenied: no: AccessDenied", "sts:AssumeRole")


def test_a_clock_that_is_an_hour_off_is_corrected_by_stss_own(chain):
    for ahead in (HOUR, -HOUR):
        chain.server.clock_ahead = ahead
        del chain.server.asked[:]
        _done, found = chain.find({"config": ROLE + "source_profile = base\n[profile base]\n" + keys("BASE"), "env": CITY})
        assert found["access_key"].endswith("/by/BASE")
        assert chain.server.asked == ["POST AssumeRole", "POST AssumeRole"]


def test_a_wrong_secret_is_refused_and_not_tried_twice(chain):
    case = {"config": ROLE + "source_profile = base\n[profile base]\naws_access_key_id = BASE\naws_secret_access_key = wrong\n", "env": CITY}
    chain.refused(case, "SignatureDoesNotMatch", "check the secret key")
    assert chain.server.asked == ["POST AssumeRole"]


def test_credentials_are_not_asked_for_in_the_clear_over_the_network(chain):
    chain.refused({"env": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/container"}}, "http://192.0.2.1", "https")
    case = {"config": ROLE + "source_profile = base\n[profile base]\n" + keys("BASE"), "env": {**CITY, "AWS_ENDPOINT_URL_STS": "http://192.0.2.1"}}
    chain.refused(case, "AWS_ENDPOINT_URL_STS is plain http to '192.0.2.1'")


def test_instance_metadata_is_asked_by_version_2_only_and_not_at_all_when_that_is_wished(chain):
    chain.server.is_no_instance = True
    chain.refused({}, "there are no AWS credentials", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "aws configure")
    assert chain.server.asked == ["PUT /latest/api/token"]
    chain.refused({"env": OFF}, "there are no AWS credentials")
    assert chain.server.asked == ["PUT /latest/api/token"]


def test_a_process_that_prints_too_much_is_ended(chain):
    chain.refused({"config": "[default]\ncredential_process = yes\n"}, "more than 65536 bytes")


def test_what_a_process_leaves_behind_is_not_waited_for(chain):
    os.mkfifo(f"{chain.dir}/gate")
    command = "sh -c 'read x < {dir}/gate & printf %s \"$0\"' '" + PRINTS.format("PROCESS") + "'"
    _done, found = chain.find({"config": f"[default]\ncredential_process = {command}\n"})
    assert found["access_key"] == "PROCESS"
    with open(f"{chain.dir}/gate", "w"):  # lets it go
        pass


def test_a_process_gets_an_empty_input_and_none_of_our_files(chain):
    ours, other = os.pipe()
    command = f"sh -c 'read x && exit 8; [ -e /proc/$$/fd/{ours} ] && exit 9; printf %s \"$0\"' '" + PRINTS.format("PROCESS") + "'"
    env = chain.environment({"config": f"[default]\ncredential_process = {command}\n"})
    done = subprocess.run([chain.sfprobe, "credentials"], env=env, input="line\n", capture_output=True, text=True, timeout=60, pass_fds=[ours])
    os.close(ours)
    os.close(other)
    assert done.returncode == 0 and json.loads(done.stdout)["access_key"] == "PROCESS", done


def test_a_file_that_cannot_be_used_is_named_with_its_line(chain):
    for text, line, what in (("[default]\nregion\n", 2, "no setting"), ("region = x\n", 1, "before the first [section]"),
                             ("[default]\n[a]\n\n[default]\n", 4, "already is a section 'default'"),
                             ("[default]\nregion = a\nREGION = b\n", 3, "already has a setting 'region'"),
                             ("[default]\ns3 =\n  what\n", 2, "without '=' below 's3'")):
        error = chain.refused({"config": text}, f"line {line}: ", what)
        assert "/config-" in error


def test_the_default_files_are_in_the_home_directory(chain):
    chain.write(".aws/config", "[profile city]\nregion = us-west-2\n")
    chain.write(".aws/credentials", "[city]\n" + keys("HOME"))
    env = {k: v for k, v in chain.environment({"env": CITY}).items() if k not in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")}
    done = subprocess.run([chain.sfprobe, "credentials"], env=env, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["access_key"] == "HOME", done
    done = subprocess.run([chain.sfprobe, "credentials"], env={**env, "AWS_PROFILE": "town"}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "there is no AWS profile 'town'\nhint: profiles there are: city\n")
