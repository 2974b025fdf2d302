"""Everything that exists on the test server, the operations that work on it, and the way on to moto for all others.

An operation that moto lacks or gets wrong is a function `@handles(service, action)` that takes a Call and returns a dict by the
names of the model. It may ask moto for the reply (`call.pass_on()`) after checks of its own.
"""

import collections
import dataclasses
import functools
import io
import os
import random
import string
import threading
import time
import urllib.parse

import server_model
from server_faults import Faults, SqlRule
from server_time import Clock
from server_wire import AwsError, Reply

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # of images there is no need, and they are read at each reset
HANDLERS = {}
ACCOUNT, OTHER_ACCOUNT = "123456789012", "210987654321"
QUOTAS = {"servers": 50, "host_keys": 10, "ssh_keys": 50, "users": 10000, "clusters": 200, "namespaces": 25, "workgroups": 25,
          "buckets": 10000, "roles": 1000, "policies": 1500, "attachments": 10, "security_groups": 2500,
          # of the Redshift Data API, in bytes where it says so
          "active_statements": 500, "statement_bytes": 100 * 1024, "result_bytes": 500 * 1024 * 1024, "result_page_rows": 1000}
BEFORE = {}  # (service, action) -> what is to be done for a call before the world is locked for it


def handles(service, *actions):
    def register(function):
        for action in actions:
            HANDLERS[service, action] = function
        return function
    return register


def endpoint_of(_thing, address, port):
    """Where a cluster or workgroup is met; server_sql.py puts its own in place."""
    return address, port


class World:
    databases = None  # server_sql.Databases with --sql
    sftp = None  # server_sftp.Endpoints with --sftp

    def __init__(self):
        self.lock = threading.RLock()
        self.moto_apps = {}
        self.reset()

    def reset(self):
        self.clock, self.faults = Clock(), Faults()
        self.quotas = dict(QUOTAS)
        self.states = {}
        self.denied = []  # actions, IAM patterns, that SimulatePrincipalPolicy and every call refuse
        self.foreign_buckets = set()  # names that another account owns
        self.role_waits = {}  # ARN -> Wait until other services know the role
        self.latency_ms = 0
        self.is_iam_strict = False
        self.is_kms_denied = False  # COPY may not decrypt objects under a KMS key
        self.exhausted = []  # names of workgroups whose usage limit is reached
        self.is_other_host = False  # databases answer with the certificate of another host
        self.sql_faults = []  # server_faults.SqlRule
        self.sftp_faults = []  # [{fault: cut or stall, after_bytes, times}], server_relay.py
        self.queries = 0
        self.requests, self.began = 0, time.monotonic()
        self.log = collections.deque(maxlen=200_000)
        self.problems = []  # replies that break the models
        self.random = random.Random(1)
        for service in self.moto_apps:
            reset_moto(service)
        forget_models()

    def settings(self):
        return {"delays": self.clock.delays, "seconds_per_look": self.clock.seconds_per_look, "latency_ms": self.latency_ms,
                "seconds_per_wall_ms": self.clock.seconds_per_wall_ms, "quotas": self.quotas, "denied": self.denied,
                "is_iam_strict": self.is_iam_strict, "is_kms_denied": self.is_kms_denied, "is_other_host": self.is_other_host,
                "exhausted": self.exhausted,
                "sftp_faults": self.sftp_faults, "sql_faults": [vars(rule) for rule in self.sql_faults],
                "foreign_buckets": sorted(self.foreign_buckets)}

    def set(self, changes):
        """Changes settings; ValueError for one that there is none of."""
        for name, value in changes.items():
            if name in ("delays", "quotas"):
                have = self.clock.delays if name == "delays" else self.quotas
                if unknown := set(value) - set(have):
                    raise ValueError(f"unknown {name}: {', '.join(sorted(unknown))}")
                have.update(value)
            elif name in ("seconds_per_look", "seconds_per_wall_ms"):
                setattr(self.clock, name, value)
            elif name in ("latency_ms", "denied", "is_iam_strict", "is_kms_denied", "is_other_host", "exhausted"):
                setattr(self, name, value)
            elif name == "sftp_faults":
                if any(rule.get("fault") not in ("cut", "stall") or not isinstance(rule.get("after_bytes"), int) for rule in value):
                    raise ValueError("sftp_faults: a list of {fault: cut or stall, after_bytes, times}")
                self.sftp_faults = value
            elif name == "sql_faults":
                self.sql_faults = [SqlRule(**rule) for rule in value]
            elif name == "foreign_buckets":
                self.foreign_buckets = set(value)
            else:
                raise ValueError(f"unknown setting '{name}'")

    def state(self, kind, account, region):
        """The one object of class `kind` that holds a service's things in an account and region."""
        key = (kind, account, region)
        if key not in self.states:
            self.states[key] = kind()
        return self.states[key]

    def all_states(self, kind):
        return [(account, region, state) for (k, account, region), state in self.states.items() if k is kind]

    def next_query(self):
        """Number of a query, as Redshift's system views have it."""
        with self.lock:
            self.queries += 1
            return 1000 + self.queries

    def sql_fault(self, text):
        """The rule that hits a statement (its shape, see server_dialect.py), or None."""
        with self.lock:
            return next((rule for rule in self.sql_faults if rule.fires(text)), None)

    def hex_id(self, prefix, digits=17):
        return prefix + "".join(self.random.choices("0123456789abcdef", k=digits))

    def password(self):
        return "Aa1" + "".join(self.random.choices(string.ascii_letters + string.digits, k=29))

    def moto_app(self, service):
        if service not in self.moto_apps:
            from moto.moto_server.werkzeug_app import create_backend_app  # each service when it is first needed: EC2 takes seconds
            self.moto_apps[service] = create_backend_app(service)
        return self.moto_apps[service]


def moto_backend(service, account, region):
    import moto.backends

    return moto.backends.get_backend(service)[account][region]


def reset_moto(service):
    import moto.backends

    for account in moto.backends.get_backend(service).values():
        for backend in account.values():
            backend.reset()


def forget_models():
    """moto keeps what it ever made, to show it in its own interface: after a thousand resets that is a gigabyte."""
    from moto.core.model_instances import reset_model_data

    reset_model_data()


def remember_answers():
    """moto and xmltodict work out a few things anew for each request that are always the same; a seventh of the server's time."""
    import moto.core.responses
    import xmltodict

    for module, name in ((moto.core.responses, "method_names_from_class"), (xmltodict, "_validate_name")):
        if hasattr(module, name):
            setattr(module, name, functools.cache(getattr(module, name)))


@dataclasses.dataclass
class Call:
    """One request on its way through the server."""

    world: World
    request: object
    service: str
    action: str
    account: str
    caller: str  # ARN of who signed it
    region: str
    params: dict

    @property
    def clock(self):
        return self.world.clock

    def state(self, kind):
        return self.world.state(kind, self.account, self.region)

    def arn(self, resource, service=None):
        return f"arn:aws:{service or self.service}:{self.region}:{self.account}:{resource}"

    def moto(self, service=None, region=None):
        """moto's backend of a service in this call's account and region."""
        self.world.moto_app(service or self.service)
        return moto_backend(service or self.service, self.account, region or self.region)

    def check_quota(self, what, count, code="LimitExceededException", status=400):
        if count >= self.world.quotas[what]:
            raise AwsError(code, f"You have reached the quota of {self.world.quotas[what]} {what.replace('_', ' ')}", status)

    def check_role(self, arn, error):
        """Raises `error` when the role is not there, or not known to this service yet."""
        role = self.find_role(arn)
        wait = self.world.role_waits.get(arn)
        if role is None or (wait and not wait.look()):
            raise error
        return role

    def find_role(self, arn):
        account = arn.split(":")[4] if arn.count(":") >= 5 else ""
        self.world.moto_app("iam")
        roles = moto_backend("iam", account, "aws").roles.values() if account else ()
        return next((role for role in roles if role.arn == arn), None)

    def pass_on(self, form=None):
        """moto's reply; `form` replaces the parameters of a query or ec2 request."""
        body = urllib.parse.urlencode(form).encode() if form is not None else self.request.body
        environ = {
            "REQUEST_METHOD": self.request.method, "SCRIPT_NAME": "", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False, "wsgi.input": io.BytesIO(body),
            "PATH_INFO": urllib.parse.unquote(self.request.path, "latin-1"), "QUERY_STRING": self.request.query,
            "RAW_URI": self.request.target, "REQUEST_URI": self.request.target,
        }
        for name, value in self.request.headers.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self.account
        environ["HTTP_USER_AGENT"] = "test"
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["CONTENT_TYPE"] = self.request.headers.get("content-type", "")
        if self.service != "s3":
            environ["HTTP_HOST"] = f"{self.service}.{self.region}.amazonaws.com"
        begun = []
        chunks = self.world.moto_app(self.service)(environ, lambda status, headers, _info=None: begun.append((status, headers)))
        status, headers = begun[0]
        answer = Reply(int(status.split()[0]), {name.lower(): value for name, value in headers}, b"".join(chunks))
        for name in ("connection", "server", "date", "transfer-encoding"):
            answer.headers.pop(name, None)
        if self.request.method != "HEAD":  # only there it says what the body does not
            answer.headers.pop("content-length", None)
        return answer

    def run(self):
        """Does what the request asks for. Reply; raises AwsError."""
        handler = HANDLERS.get((self.service, self.action))
        if handler is None:
            return self.pass_on()
        result = handler(self)
        return result if isinstance(result, Reply) else server_model.reply(self.service, self.action, result or {})


def tag_list(tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_dict(tags):
    return {tag["Key"]: tag.get("Value", "") for tag in tags or []}


def tag_dict_lower(tags):
    return {tag["key"]: tag["value"] for tag in tags or []}
