"""What tests of the live source share: a portal with a table, and a workspace whose stack has it as a data set. Import the fixtures
that a file needs: `from live_portal import live, portal, text  # noqa: F401`."""

import contextlib
import os
import subprocess
import sys

import pytest

from conftest import Workspace, wait_until

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import soda  # noqa: E402

TABLE = "bpnb-jwfb"
ROWS = 6000
STACK = """stack: live
variables:
  source: {type: map, default: {datasf: bpnb-jwfb}}
  contract: {type: string, default: freeze}
resources:
  d: {kind: dataset, source: "${var.source}", conform: builtin:sf/spending_revenue, schema_contract: "${var.contract}"}
"""
META, BULK, PAGE, PAGE3 = "api/views/bpnb-jwfb.json", "rows.csv", "/resource/bpnb-jwfb.csv", "/api/v3/"


def sample(installed, *options, rows=ROWS):
    return subprocess.run([f"{installed}/bin/sfsample", "-rows", str(rows), *options], check=True, stdout=subprocess.PIPE,
                          encoding="utf-8").stdout


@pytest.fixture(scope="module")
def text(installed):
    return sample(installed)


@pytest.fixture
def portal(text):
    with soda.Portal(tokens={"good"}) as portal:
        portal.publish(TABLE, text)
        yield portal


@pytest.fixture
def live(installed, portal):
    workspace = Workspace(installed, None)
    workspace.write("stack.yaml", STACK)
    workspace.env["SF_DATASF_HOSTS"] = portal.origin
    workspace.source = lambda text: workspace.env.__setitem__("SF_VAR_source", text)
    yield workspace
    portal.release()
    workspace.close()


@pytest.fixture(scope="module")
def expected(installed, text):
    """What the same rows come to as a file."""
    with contextlib.closing(Workspace(installed, None)) as workspace:
        workspace.write("stack.yaml", STACK)
        workspace.write("rows.csv", text)
        workspace.env["SF_VAR_source"] = "{file: rows.csv}"
        workspace.apply()
        yield workspace.show("dataset.d")


def snapshots(workspace):
    folder = workspace.path(".sf/cache/source/snapshots")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def assert_same(workspace, expected):
    shown = workspace.show("dataset.d")
    assert {k: shown[k] for k in ("rows", "snapshot", "years", "tables")} == \
        {k: expected[k] for k in ("rows", "snapshot", "years", "tables")}


def arrived(live):
    folder = live.path(".sf/cache/source/partial")
    return sum(os.path.getsize(f"{folder}/{name}") for name in os.listdir(folder) if name.endswith(".part"))


def stop_in_the_middle(live, portal, where, how, arrived_bytes=0, **fault):
    portal.fault(where, **fault)
    run = live.spawn("sfplan", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert portal.stalled.wait(30)
    wait_until(lambda: arrived(live) >= arrived_bytes)
    run.send_signal(how)
    result = live.finish(run)
    portal.release()
    assert snapshots(live) == []
    return result
