"""Planner scenarios as text files (*.test): a stack, what was applied before, and the plan that must come out.

A file is a list of sections, each a line `--- WORD [arguments]` and its text. Arguments are split as a shell splits them.

  stack                 the stack file (stack.yaml) from here on
  file NAME             another file beside it; directories are made
  env NAME=VALUE ...    environment of every run from here on; NAME= takes it out
  apply [args]          sfapply -auto-approve; it must succeed unless an `exit` section follows
  plan [args]           sfplan; the text is the expected stdout, exactly
  run PROGRAM [args]    any of the programs, without a terminal; the text, if any, is the expected stdout, exactly
  refuse [PROGRAM args] as `run` (sfplan alone if no program is named): it must fail, and every line of the text must be in stderr
  says                  every line of the text was in stdout or stderr of the run before
  hides                 no line of the text was in stdout or stderr of any run so far, or is in any file under .sf
  sh                    shell commands, to change something outside; $WORLD is the territory
  exit N                the exit code of the run before

Lines before the first section say what the scenario is about. Ids, UUIDs, fingerprints, times and the workspace's path are
replaced by words before texts are compared. `SF_PLANS_WRITE=1 pytest tests/plans` writes what came out into the files: read the
difference before you keep it.
"""

import glob
import os
import re
import shlex

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = ("sfplan", "sfapply", "sfdestroy", "sfstate")
WORDS = ("stack", "file", "env", "apply", "plan", "run", "refuse", "says", "hides", "sh", "exit")


def sections(path):
    """What stands before the first section, and [word, arguments, text] of each."""
    head, *parts = re.split(r"^--- ", open(path).read(), flags=re.M)
    found = []
    for part in parts:
        line, _, text = part.partition("\n")
        word, *arguments = shlex.split(line)
        assert word in WORDS, f"{path}: there is no section '{word}'"
        found.append([word, arguments, text])
    return head, found


class Scenario:
    """One file, while it runs in its workspace."""

    def __init__(self, ws, path):
        self.ws, self.env, self.last, self.output = ws, {}, None, ""
        self.path, (self.head, self.steps) = path, sections(path)
        self.writes = bool(os.environ.get("SF_PLANS_WRITE"))
        os.chmod(ws.dir, 0o755)  # so that the territory is inside the workspace, whatever the account

    def normal(self, text):
        """Without what differs between machines and runs."""
        text = text.replace(self.ws.dir, "WORKSPACE")
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
        text = re.sub(r"SHA256:[A-Za-z0-9+/]{43}", "SHA256:FINGERPRINT", text)
        text = re.sub(r"(ssh-\w+) AAAA[A-Za-z0-9+/=]+", r"\1 KEY", text)
        text = re.sub(r"\bsg-[0-9a-f]{17}\b", "sg-ID", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME", text)
        return "\n".join(line.rstrip() for line in text.strip().splitlines())

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.ws.path(name)), exist_ok=True)
        self.ws.write(name, text)

    def world(self):
        """The territory of the workspace's stack, or nothing before it exists."""
        found = glob.glob(f"{self.ws.dir}/.sf/*/local/world")
        return found[0] if found else ""

    def run(self, program, *arguments, fails):
        """Runs one of the programs. `fails`: True or False when that is known, None when an exit section will tell."""
        self.last = self.ws.run(program, *arguments, env=self.env)
        self.output += self.last.out + self.last.err
        assert "Sanitizer" not in self.last.err, self.last
        if fails is not None:
            assert (self.last.code != 0) == fails, self.last
        return self.last

    def expect(self, step, text):
        """Compares stdout with a section's text, or puts it there."""
        if self.writes:
            step[2] = self.normal(self.last.out) + "\n\n"
            step[2] = step[2].lstrip("\n")
        assert self.normal(self.last.out) == self.normal(step[2]), f"{self.last}\nthe section says:\n{text}"

    def hides(self, line):
        assert line not in self.output, f"{line!r} was printed:\n{self.output}"
        for top, _dirs, files in os.walk(self.ws.path(".sf")):
            for name in files:
                with open(os.path.join(top, name), "rb") as file:
                    assert line.encode() not in file.read(), f"{line!r} is in {top}/{name}"

    def step(self, i):
        step = self.steps[i]
        word, arguments, text = step
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        has_exit = i + 1 < len(self.steps) and self.steps[i + 1][0] == "exit"
        succeeds = None if has_exit else False
        if word == "stack":
            self.write("stack.yaml", text)
        elif word == "file":
            self.write(arguments[0], text)
        elif word == "env":
            self.env.update(one.split("=", 1) for one in arguments)
            self.env = {name: value for name, value in self.env.items() if value}
        elif word == "sh":
            done = self.ws.shell(f"set -e\n{text}", env={**self.env, "WORLD": self.world()})
            assert done.code == 0, done
        elif word == "apply":
            self.run("sfapply", "-auto-approve", *arguments, fails=succeeds)
        elif word == "plan":
            self.run("sfplan", *arguments, fails=succeeds)
            self.expect(step, text)
        elif word == "run":
            assert arguments[0] in PROGRAMS, arguments
            self.run(*arguments, fails=succeeds)
            if lines:
                self.expect(step, text)
        elif word == "refuse":
            named = arguments if arguments and arguments[0] in PROGRAMS else ["sfplan", *arguments]
            self.run(*named, fails=True)
            for line in lines:
                assert line in self.last.err, f"{line!r} is not in:\n{self.last.err}"
        elif word == "says":
            assert lines, "a `says` section without text"
            for line in lines:
                assert line in self.last.out + self.last.err, f"{line!r} is not in:\n{self.last}"
        elif word == "hides":
            assert lines, "a `hides` section without text"
            for line in lines:
                self.hides(line)
        elif word == "exit":
            assert self.last.code == int(arguments[0]), self.last

    def save(self):
        text = self.head
        for i, (word, arguments, body) in enumerate(self.steps):
            is_last = i + 1 == len(self.steps)
            text += f"--- {shlex.join([word, *arguments])}\n" + (body.rstrip("\n") + "\n" if is_last and body.strip() else body)
        with open(self.path, "w") as file:
            file.write(text)


@pytest.mark.parametrize("path", sorted(glob.glob(f"{HERE}/*.test")), ids=lambda path: os.path.basename(path)[:-5])
def test_scenario(ws1, path):
    scenario = Scenario(ws1, path)
    assert scenario.steps, f"{path} has no sections"
    for i in range(len(scenario.steps)):
        scenario.step(i)
    if scenario.writes:
        scenario.save()
