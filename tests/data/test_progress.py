"""What a person sees while a source is fetched: on a terminal one line that is written over, elsewhere now and then a line."""

import os
import pty
import re
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from live_portal import BULK, TABLE, live, portal, text  # noqa: E402,F401

CLEAR = "\r\x1b[K"


class Terminal:
    """A program on a terminal of its own: what it wrote there so far."""

    def __init__(self, workspace, *argv, **kwargs):
        here, there = pty.openpty()
        self.fd, self.seen = here, ""
        self.run = workspace.spawn(*argv, stdin=there, stdout=kwargs.pop("stdout", there), stderr=there, **kwargs)
        os.close(there)

    def read_until(self, pattern):
        while not re.search(pattern, self.seen):
            piece = os.read(self.fd, 65536)
            assert piece, self.seen
            self.seen += piece.decode()

    def end(self):
        """Exit code, after all was read."""
        try:
            while piece := os.read(self.fd, 65536):
                self.seen += piece.decode()
        except OSError:  # the other end is closed
            pass
        os.close(self.fd)
        return self.run.wait()


@pytest.fixture
def slow(live, portal):
    portal.fault(BULK, stall=200000)
    live.env["TERM"] = "xterm"
    return live


def test_on_a_terminal_a_line_tells_how_far_it_is_and_is_gone_in_the_end(slow, portal):
    terminal = Terminal(slow, "sfplan")
    terminal.read_until(r"dataset\.d: fetching bpnb-jwfb: [\d,]+ of 6,000 rows.* \[\d+ s\]")
    portal.release()
    assert terminal.end() == 0
    assert "\n" not in terminal.seen[:terminal.seen.rindex(CLEAR)].replace("\r\n", "")
    last = terminal.seen[terminal.seen.rindex(CLEAR) + len(CLEAR):]
    assert "sfstack will do the following" in last and "\x1b[K" not in last


def test_the_line_is_not_wider_than_the_terminal(slow, portal):
    terminal = Terminal(slow, "sh", "-c", "stty cols 30; exec sfplan")
    terminal.read_until(r"fetching")
    portal.release()
    assert terminal.end() == 0
    lines = [part.split("\r")[0] for part in terminal.seen.split(CLEAR)[1:-1]]
    assert any(lines) and all(len(line) < 30 for line in lines)


def test_a_run_that_is_stopped_leaves_no_half_line(slow, portal):
    terminal = Terminal(slow, "sfplan")
    terminal.read_until(r"fetching")
    terminal.run.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert re.search(r"\r\x1b\[K\x1b\[[\d;]+merror", terminal.seen)


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_write_over_gets_lines(slow, portal, term):
    slow.env.update(TERM=term, SF_HEARTBEAT="0s")
    terminal = Terminal(slow, "sfplan")
    terminal.read_until(r"dataset\.d: Still Reading\.\.\. \[\d+s elapsed\] fetching bpnb-jwfb")
    portal.release()
    assert terminal.end() == 0 and "\x1b[K" not in terminal.seen


def test_without_a_terminal_there_are_lines_and_a_last_one(slow, portal):
    slow.env["SF_HEARTBEAT"] = "0s"
    run = slow.spawn("sfplan", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    seen = ""
    while "of 6,000 rows" not in seen:
        seen += run.stderr.readline()
    portal.release()
    seen += run.stderr.read()
    assert run.wait() == 0
    lines = seen.splitlines()
    assert all(re.fullmatch(r"dataset\.d: Still Reading\.\.\. \[\d+s elapsed\].*", line) for line in lines[:-1])
    assert re.fullmatch(r"dataset\.d: Reading ended after \d+\.\ds", lines[-1])
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", seen)


def test_short_steps_are_not_told_of(live, portal):
    for argv in (["sfplan"], ["sfapply", "-auto-approve"]):
        result = live.ok(*argv)
        assert "Still" not in result and "Reading" not in result and "\r" not in result
    terminal = Terminal(live, "sfplan", env={"TERM": "xterm"})
    assert terminal.end() == 0 and "\x1b[K" not in terminal.seen


def test_with_json_the_lines_are_events(slow, portal):
    slow.env["SF_HEARTBEAT"] = "0s"
    run = slow.spawn("sfplan", "-json", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen = ""
    while "of 6,000 rows" not in seen:
        seen += run.stdout.readline()
    portal.release()
    out, err = run.communicate()
    assert run.returncode == 0 and err == ""
    assert '"type":"refresh_progress"' in seen and '"type":"refresh_complete"' in out


def test_the_token_is_in_none_of_it(slow, portal):
    slow.env.update(SF_APP_TOKEN="good", SF_HEARTBEAT="0s")
    terminal = Terminal(slow, "sfplan")
    terminal.read_until(r"fetching")
    portal.release()
    assert terminal.end() == 0 and "good" not in terminal.seen


def test_a_url_tells_bytes_of_how_many(live, portal, text):
    live.env["TERM"] = "xterm"
    live.source(f"{{url: {portal.put_file('rows.csv', text.encode())}}}")
    portal.fault("/files/", stall=400000)
    terminal = Terminal(live, "sfplan")
    terminal.read_until(rf"fetching http.*: 0\.\d of {len(text.encode()) / 1e6:.1f} MB")
    portal.release()
    assert terminal.end() == 0
