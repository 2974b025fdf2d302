"""Standard streams that are closed, full, or read by nobody."""

import json

import pytest

STACK = """
stack: streams
resources:
  one: {kind: value, input: 1}
  two: {kind: value, input: "${one.output}", triggers_replace: a}
"""


@pytest.fixture
def streams(ws1):
    ws1.write("stack.yaml", STACK)
    return ws1


@pytest.mark.parametrize("command", ["sfplan", "sfplan -json -detailed-exitcode", "sfstate list", "sfapply -auto-approve -replace=two"])
def test_what_cannot_be_printed_is_a_failure(streams, command):
    streams.apply()
    result = streams.shell(f"{command} > /dev/full")
    assert result.code == 1 and "stdout could not be written" in result.err, result


def test_a_reader_that_has_seen_enough_is_none(streams):
    result = streams.shell("(sfplan; echo $? >code) | true; cat code")
    assert result.out == "0\n", result


def test_closed_streams_are_not_mistaken_for_files_of_ours(streams):
    result = streams.shell("sfapply -auto-approve <&- >&- 2>&-")
    assert result.code == 0, result
    assert streams.read(".sf/streams/local/state.db.lock") == ""
    assert streams.changes() == {}


def test_json_output_is_json_to_the_last_line(streams):
    streams.write("stack.yaml", STACK + "  kept: {kind: value, input: 2, protect: true}\n")
    lines = []
    for command in (["sfapply", "-auto-approve"], ["sfapply"], ["sfplan", "-replace=two"], ["sfplan", "-target=no"],
                    ["sfdestroy", "-auto-approve"], ["sfdestroy", "-auto-approve", "-target=two"], ["sfstate", "list"]):
        lines += streams.run(command[0], "-json", *command[1:]).out.splitlines()
    assert len(lines) > 20 and all(isinstance(json.loads(line), dict) for line in lines)
