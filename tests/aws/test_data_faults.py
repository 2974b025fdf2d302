"""Faults of the data plane on AWS: whatever breaks at whatever point, a week is published once or not at all, and the next run finishes.

Each case starts from tables of one week and plans those of the next, which differ in one year; afterwards they are those of the one or of
the other, never of both, and after another run of the same command those of the next week.
"""

import contextlib
import os
import signal
import subprocess

import pytest

from aws.data_world import BY_BUCKET, SERVERLESS, SERVERLESS_DIRECT, Finance, of_years, with_one_amount_changed
from conftest import Sample, wait_until

PUBLISH = r'^INSERT INTO "report" \. "transaction"'
CHECKS = "checks: builtin:sf/checks"
FINISHES, MAY_FAIL = True, False  # whether the run under the fault must go on by itself
SQL = {
    "a row that does not fit": ({"match": "^COPY", "fault": "row", "row": 2, "times": 1}, MAY_FAIL),
    "an object that is gone": ({"match": "^COPY", "fault": "gone", "times": 1}, MAY_FAIL),
    "a copy that is stopped": ({"match": "^COPY", "fault": "cut", "times": 1}, MAY_FAIL),
    "a conflict": ({"match": PUBLISH, "fault": "conflict", "times": 1}, FINISHES),
    "stopped while it publishes": ({"match": PUBLISH, "fault": "cut", "times": 1}, MAY_FAIL),
    "stopped before it commits": ({"match": "^COMMIT", "fault": "cut", "nth": 2}, MAY_FAIL),
    "stopped after it committed": ({"match": "^COMMIT", "fault": "cut-after", "nth": 3}, MAY_FAIL),
    "every commit is told of late": ({"match": "^INSERT", "fault": "late", "looks": 3}, FINISHES),
    "nothing can be put in order afterwards": ({"match": "^(VACUUM|ANALYZE)", "fault": "error", "message": "out of order"}, FINISHES),
}
CALLS = {
    "a submission whose reply is lost": ({"action": "BatchExecuteStatement", "fault": "reset-after", "times": 2}, FINISHES),
    "a submission that fails after the work": ({"action": "BatchExecuteStatement", "fault": "500-after", "every": 2}, FINISHES),
    "a submission whose reply is cut short": ({"action": "BatchExecuteStatement", "fault": "truncate", "every": 2}, FINISHES),
    "too many requests": ({"service": "redshift-data", "fault": "throttle", "every": 3}, FINISHES),
    "too many statements": ({"action": "BatchExecuteStatement", "fault": "error", "code": "ActiveStatementsExceededException", "times": 2,
                             "message": "Active statements exceeded the allowed quota (500)."}, FINISHES),
    "looks that fail": ({"action": "DescribeStatement", "fault": "500", "every": 2}, FINISHES),
    "results that are cut off": ({"action": "GetStatementResult", "fault": "reset-after", "every": 2}, FINISHES),
    "uploads that fail": ({"service": "s3", "action": "PutObject", "fault": "500-after", "times": 2}, FINISHES),
}


class Weeks:
    """A loaded flagship and the tables of two weeks, in turn what is published and what comes next."""

    def __init__(self, installed, server, text, changes, cluster):
        self.ws = Finance(installed, server)
        self.ws.flagship(*changes, cluster=cluster)
        self.ws.settings(seconds_per_wall_ms=1)  # what a killed run left running ends by itself
        self.texts, self.sums = [with_one_amount_changed(text, "2020"), text], []
        for text in self.texts:  # the second is what is published when the first case begins
            self.ws.write("rows.csv", text)
            self.ws.apply()
            self.sums.append(self.ws.checksums())
        assert self.sums[0] != self.sums[1]

    def turn(self):
        """The other week is the next one."""
        self.ws.write("rows.csv", self.texts[0])
        return self

    def is_published(self):
        """Whether the tables are those of the next week; fails when they are of neither, or anything is there twice."""
        self.ws.ledger()
        found = self.ws.checksums()
        assert found in self.sums
        return found == self.sums[0]

    def stop(self):
        """Nothing breaks any more."""
        self.ws.faults([])
        self.ws.settings(sql_faults=[], sftp_faults=[])

    def finish(self):
        """A run without faults."""
        self.stop()
        self.ws.apply()
        assert self.is_published()
        assert self.ws.problems() == []
        self.texts.reverse()
        self.sums.reverse()

    def survive(self, must_finish):
        result = self.ws.run("sfapply", "-auto-approve")
        assert result.code == 0 or not must_finish, result
        assert result.code or self.is_published(), result
        assert result.code == 0 or "error" in result.err, result
        self.is_published()
        self.finish()

    def close(self):
        assert self.ws.changes() == {}
        self.ws.ok("sfdestroy", "-auto-approve")
        assert self.ws.inventory() == {}


ROADS = {"data_api": ((BY_BUCKET,), SERVERLESS), "direct": ((), SERVERLESS_DIRECT)}  # into the bucket; over SFTP


@pytest.fixture(scope="module", params=ROADS)
def loaded(request, installed, data_server, tmp_path_factory):
    text = of_years(Sample(installed, tmp_path_factory.mktemp("sample"), 2000).text(), 2020)
    weeks = Weeks(installed, data_server, text, *ROADS[request.param])
    try:
        yield weeks
        weeks.close()
    finally:
        weeks.ws.close()


@pytest.fixture
def weeks(loaded):
    yield loaded.turn()
    loaded.stop()


@pytest.mark.parametrize("fault", SQL)
def test_a_statement_that_breaks(weeks, fault):
    rule, must_finish = SQL[fault]
    weeks.ws.sql_faults(rule)
    weeks.survive(must_finish)


OVER_THE_DATA_API = pytest.mark.parametrize("loaded", ["data_api"], indirect=True)
OVER_SFTP = pytest.mark.parametrize("loaded", ["direct"], indirect=True)


@OVER_THE_DATA_API
@pytest.mark.parametrize("fault", CALLS)
def test_a_call_that_breaks(weeks, fault):
    rule, must_finish = CALLS[fault]
    weeks.ws.faults([rule])
    weeks.survive(must_finish)


@OVER_SFTP
def test_a_transfer_that_breaks_off(weeks):
    weeks.ws.settings(sftp_faults=[{"fault": "cut", "after_bytes": 4000, "times": 2}])
    weeks.survive(MAY_FAIL)


# --- stopped ---

STUCK = ["^COPY", PUBLISH]
SHORT = ", timeouts: {create: 9s, update: 9s}"


def is_anything_stuck(ws):
    return ws.rows("select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep%' and query not like '%activity%'") != [["0"]]


@pytest.mark.parametrize("statement", STUCK)
def test_past_the_deadline_a_statement_is_stopped_in_the_warehouse(weeks, statement):
    weeks.ws.edit("stack.yaml", (CHECKS, CHECKS + SHORT))
    weeks.ws.sql_faults({"match": statement, "fault": "stuck"})
    late = weeks.ws.run("sfapply", "-auto-approve")
    weeks.ws.edit("stack.yaml", (CHECKS + SHORT, CHECKS))
    assert late.code == 1 and "'timeouts'" in late.err, late
    assert not is_anything_stuck(weeks.ws)
    weeks.finish()


@OVER_THE_DATA_API
def test_what_was_committed_and_never_told_of_is_known_by_its_ledger(weeks):
    weeks.ws.edit("stack.yaml", (CHECKS, CHECKS + SHORT))
    weeks.ws.sql_faults({"match": PUBLISH, "fault": "late", "looks": 1000, "times": 1})
    late = weeks.ws.run("sfapply", "-auto-approve")
    weeks.ws.edit("stack.yaml", (CHECKS + SHORT, CHECKS))
    assert late.code == 6 and "its end was not seen" in late.err, late
    assert weeks.is_published()
    weeks.stop()
    assert weeks.ws.run("sfplan", "-detailed-exitcode").code in (0, 2)
    weeks.finish()


@pytest.mark.parametrize("statement", STUCK)
def test_at_a_second_signal_a_statement_is_stopped_in_the_warehouse(weeks, statement):
    weeks.ws.sql_faults({"match": statement, "fault": "stuck"})
    process = weeks.ws.spawn("sfapply", "-auto-approve", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_until(lambda: is_anything_stuck(weeks.ws) or process.poll() is not None, 60)
    process.send_signal(signal.SIGINT)  # two of one kind may be told of as one
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode in (130, 143), out
    assert not is_anything_stuck(weeks.ws)
    weeks.finish()


# --- killed ---


def kill_at(ws, rule):
    """Ends a run by SIGKILL while the call that the rule names has no reply, be it done or not. Whether it came to that."""
    ws.faults([rule])
    process = ws.spawn("sfapply", "-auto-approve", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: ws.control("GET", "faults")[0]["fired"] or process.poll() is not None, 60)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return bool(ws.control("GET", "faults")[0]["fired"])


@OVER_THE_DATA_API
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("n", range(1, 6))
def test_killed_while_a_statement_is_submitted(weeks, n, when):
    has_come = kill_at(weeks.ws, {"action": "BatchExecuteStatement", "fault": f"hang-{when}", "nth": n})
    assert has_come or n > 3, "these are no longer points of a load"
    weeks.is_published()
    weeks.finish()
