"""Faults on demand: which call fails, how, and how often. Rules come from `/_test/faults`, see server.py."""

import dataclasses
import re
import threading

from server_wire import AwsError, Reply

AFTER = {"500-after", "reset-after", "truncate", "html", "wrong-json"}  # the work is done, the answer is lost or spoilt
KNOWN = AFTER | {"throttle", "deny", "500", "reset-before", "slow", "expired-token", "clock", "error", "hang-before", "hang-after",
                 "together"}
READS = ("Get", "List", "Describe", "Head", "Simulate")  # operations so named change nothing

THROTTLES = {"ec2": ("RequestLimitExceeded", 503), "s3": ("SlowDown", 503), "iam": ("Throttling", 400), "sts": ("Throttling", 400),
             "redshift": ("Throttling", 400)}
DENIALS = {"ec2": ("UnauthorizedOperation", 403), "transfer": ("AccessDeniedException", 400),
           "redshift-data": ("AccessDeniedException", 400), "redshift-serverless": ("AccessDeniedException", 400), "secretsmanager": ("AccessDeniedException", 400)}
INTERNAL = {"transfer": "InternalServiceError", "redshift-serverless": "InternalServerException",
            "redshift-data": "InternalServerException", "iam": "ServiceFailure",
            "ec2": "InternalError", "s3": "InternalError", "redshift": "InternalFailure"}
EXPIRED = {"ec2": "RequestExpired", "transfer": "ExpiredTokenException", "redshift-serverless": "ExpiredTokenException",
           "redshift-data": "ExpiredTokenException", "secretsmanager": "ExpiredTokenException"}


@dataclasses.dataclass
class Rule:
    fault: str
    service: str = "*"
    action: str = "*"
    is_change: bool = False  # only calls that change something
    nth: int = 0  # only the nth matching call, from 1
    every: int = 0  # each so-manieth matching call
    times: int = 0  # at most so many times; 0: no limit
    ms: int = 0  # slow; together: how long the others are waited for
    offset: int = 0  # clock: seconds that the server's clock is ahead
    code: str = ""  # error: code, message and status of the reply
    message: str = ""
    status: int = 400
    barrier: threading.Barrier = None  # together
    matched: int = 0
    fired: int = 0

    def fires(self, service, action):
        if self.service not in ("*", service) or self.action not in ("*", action) or self.is_change and action.startswith(READS):
            return False
        self.matched += 1
        if self.nth and self.matched != self.nth or self.every and self.matched % self.every:
            return False
        if self.times and self.fired >= self.times:
            return False
        self.fired += 1
        return True


SQL_FAULTS = {"conflict", "error", "cut", "cut-after", "late", "row", "gone", "stuck"}


@dataclasses.dataclass
class SqlRule:
    """A fault of a SQL statement, by whatever way it comes. `match` is a pattern for its shape: words in upper case, literals as ''.

    conflict: a serializable isolation violation, error 1023. error: `message`. cut: the session ends before it is run. cut-after: the
    session ends when it is done, and nobody is told. late: the Data API goes on to say STARTED for `looks` looks after it is committed. row: a COPY finds a letter where a
    digit has to be, in row `row` of all its files. gone: the first object that its manifest names is no longer there. stuck: it runs
    until it is told to stop.
    """

    match: str
    fault: str
    nth: int = 0
    times: int = 0
    looks: int = 0
    row: int = 0
    message: str = ""
    matched: int = 0
    fired: int = 0

    def __post_init__(self):
        if self.fault not in SQL_FAULTS:
            raise ValueError(f"unknown fault of SQL '{self.fault}': one of {', '.join(sorted(SQL_FAULTS))}")

    def fires(self, text):
        if not re.search(self.match, text):
            return False
        self.matched += 1
        if self.nth and self.matched != self.nth or self.times and self.fired >= self.times:
            return False
        self.fired += 1
        return True


class Faults:
    def __init__(self):
        self.rules = []

    def set(self, rules):
        self.rules = [Rule(**rule) for rule in rules]
        for rule in self.rules:
            if rule.fault == "together":
                rule.barrier = threading.Barrier(rule.times, timeout=rule.ms / 1000)
        unknown = [rule.fault for rule in self.rules if rule.fault not in KNOWN]
        if unknown:
            raise ValueError(f"unknown fault '{unknown[0]}': one of {', '.join(sorted(KNOWN))}")

    def of(self, service, action):
        """The rules that hit this call; counts it for all of them."""
        return [rule for rule in self.rules if rule.fires(service, action)]


def refusal(service, action, rule, caller):
    """The error that a fault answers with instead of doing the work, or None."""
    if rule.fault == "throttle":
        code, status = THROTTLES.get(service, ("ThrottlingException", 400))
        return AwsError(code, "Rate exceeded", status)
    if rule.fault == "together":
        try:
            rule.barrier.wait()
        except threading.BrokenBarrierError:  # an error that no client tries again
            return AwsError("ValidationError", f"of {rule.times} calls that should come together not all came", 400)
    if rule.fault == "deny":
        return denial(service, action, caller)
    if rule.fault == "500":
        return internal(service)
    if rule.fault == "expired-token":
        return AwsError(EXPIRED.get(service, "ExpiredToken"), "The security token included in the request is expired",
                        400 if service != "iam" else 403)
    if rule.fault == "error":
        return AwsError(rule.code, rule.message, rule.status)
    return None


def denial(service, action, caller):
    code, status = DENIALS.get(service, ("AccessDenied", 403))
    return AwsError(code, f"User: {caller} is not authorized to perform: {service}:{action} because no identity-based policy "
                    f"allows the {service}:{action} action", status)


def internal(service):
    return AwsError(INTERNAL.get(service, "InternalFailure"), "An internal error has occurred", 500)


def spoil(rule, answer):
    """What arrives instead of an answer: Reply. A truncated or cut one is up to the connection."""
    if rule.fault == "html":
        page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
        return Reply(502, {"content-type": "text/html"}, page)
    if rule.fault == "wrong-json":
        return Reply(200, {"content-type": "application/json"}, b'{"hello": ["world"]}')
    return answer
