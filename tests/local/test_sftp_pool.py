"""Many files over several SFTP sessions: whole, in order of their steps, and not at all after a failure."""

import os
import shutil
import tempfile

import pytest

from sftp_line import Line
from sftp_site import Site, build_harness

N = 40
DELAY_MS = 30  # a login takes several round trips, so that this is a long line


@pytest.fixture(scope="module")
def site():
    where = tempfile.mkdtemp(prefix="sf-harness-", dir="/var/tmp")
    os.chmod(where, 0o755)
    made = Site(build_harness(where))
    made.start([{"name": "up", "bucket": "b", "grants": [{"prefix": "", "verbs": ["list", "get", "put", "delete"]}]}])
    yield made
    made.close()
    shutil.rmtree(where, ignore_errors=True)


@pytest.fixture
def files(site, tmp_path):
    """Forty data files in folders that are not there yet, three manifests, a commit file."""
    shutil.rmtree(site.data("b"))
    os.makedirs(site.data("b"))
    site.give_away()
    made = []
    for i in range(N + 4):
        path = tmp_path / f"f{i}"
        path.write_bytes(os.urandom(20000 + i))
        folder = f"t/fy={i}" if i < N else "t" if i < N + 3 else "delivery"
        made.append((0 if i < N else 1 if i < N + 3 else 2, str(path), f"{folder}/f{i}"))
    return made


def arrived(site, files):
    """The files that are there, whole."""
    there = []
    for _, local, remote in files:
        path = f"{site.data('b')}/{remote}"
        if os.path.isfile(path) and open(path, "rb").read() == open(local, "rb").read():
            there.append(remote)
    return there


def test_a_short_line_gets_one_session_and_a_long_one_many(site, files):
    for delay in (0, DELAY_MS):
        line = Line(site.port, delay_ms=delay)
        assert site.deliver("up", files, line.port) == ("OK", "", N + 4)
        assert len(arrived(site, files)) == N + 4
        if delay:
            assert line.n > 4
        line.close()


def test_sessions_that_are_not_admitted_leave_the_work_to_the_others(site, files):
    line = Line(site.port, delay_ms=DELAY_MS, admits=2)
    assert site.deliver("up", files, line.port) == ("OK", "", N + 4)
    assert len(arrived(site, files)) == N + 4
    line.close()


def test_a_failure_ends_the_step_and_begins_no_other(site, files):
    os.makedirs(f"{site.data('b')}/{files[N // 2][2]}")  # a folder where a file should go
    site.give_away()
    code, text, n = site.deliver("up", files)
    assert code != "OK" and files[N // 2][2] in text and n < N
    assert not any(remote in arrived(site, files) for step, _, remote in files if step > 0)


def test_a_line_that_breaks_is_said_to_be_lost_and_names_no_commit(site, files):
    line = Line(site.port, delay_ms=DELAY_MS, breaks_after=300000)
    code, text, n = site.deliver("up", files, line.port)
    assert code == "UNKNOWN" and "lost" in text and n < N
    assert not any(remote in arrived(site, files) for step, _, remote in files if step > 0)
    assert site.deliver("up", files) == ("OK", "", N + 4)
    assert len(arrived(site, files)) == N + 4
    line.close()


def test_the_commit_file_waits_for_the_slowest_of_the_data(site, files):
    with open(files[0][1], "wb") as file:
        file.write(os.urandom(40 << 20))
    few = files[:8] + files[N:]
    line = Line(site.port, delay_ms=DELAY_MS, breaks_after=36 << 20)
    code, _, n = site.deliver("up", few, line.port)
    assert (code, n) == ("UNKNOWN", 7)
    assert arrived(site, few) == [remote for _, _, remote in few[1:8]]
    line.close()


def test_nobody_is_admitted(site, files):
    line = Line(site.port, admits=0)
    code, _, n = site.deliver("up", files, line.port)
    assert (code, n) == ("UNAVAILABLE", 0) and not arrived(site, files)
    line.close()
