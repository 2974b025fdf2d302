"""Planner scenarios as text files (*.test): a stack, what was applied before, and the plan that must come out.

A file is a list of sections, each a line `--- WORD [arguments]` and its text:
  stack              the stack file from here on
  file NAME          another file beside it
  apply [args]       applies it (must succeed unless an `exit` section follows)
  plan [args]        plans it; the text is the expected stdout, exactly
  refuse [args]      plans it; every line of the text must occur in stderr, and it must fail
  sh                 shell commands, to change something outside; $WORLD is the territory
  exit N             the exit code of the run before
Lines of the form `# ...` before the first section say what the scenario is about.
"""

import glob
import os
import re

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


def sections(path):
    """[(word, arguments, text)] of a scenario file."""
    found = []
    for part in re.split(r"^--- ", open(path).read(), flags=re.M)[1:]:
        head, _, text = part.partition("\n")
        word, *arguments = head.split()
        found.append((word, arguments, text))
    return found


def normal(text):
    """Without what differs between machines: UUIDs, generated ids."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.mark.parametrize("path", sorted(glob.glob(f"{HERE}/*.test")), ids=os.path.basename)
def test_scenario(ws1, path):
    result, expected = None, 0
    steps = sections(path)
    assert steps, f"{path} has no sections"
    for i, (word, arguments, text) in enumerate(steps):
        if word == "stack":
            ws1.write("stack.yaml", text)
        elif word == "file":
            ws1.write(arguments[0], text)
        elif word == "sh":
            result = ws1.shell(text, env={"WORLD": ws1.territory() or ""})
            assert result.code == 0, result
        elif word == "exit":
            assert result.code == int(arguments[0]), result
        else:
            has_exit = i + 1 < len(steps) and steps[i + 1][0] == "exit"
            program = ["sfapply", "-auto-approve"] if word == "apply" else ["sfplan"]
            result = ws1.run(*program, *arguments)
            if word == "refuse":
                assert result.code != 0, result
                for line in text.strip().splitlines():
                    assert line.strip() in result.err, f"{line.strip()!r} is not in:\n{result.err}"
                continue
            assert has_exit or result.code == 0, result
            if word == "plan":
                assert normal(result.out) == normal(text), f"the plan is:\n{result.out}"
