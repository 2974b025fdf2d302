"""The README's commands and the first screen that it promises, so that neither can rot."""

import os
import re
import shutil

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def commands():
    """Command lines of the README's indented blocks that run our programs."""
    text = open(f"{ROOT}/README.md").read()
    return re.findall(r"^    (build/\S[^#\n]*?)\s*(?:#.*)?$", text, flags=re.M)


def test_the_demo_ends_as_the_readme_says_and_the_readmes_commands_work(ws1):
    shutil.copytree(f"{ROOT}/stacks", ws1.path("stacks"), ignore=shutil.ignore_patterns(".sf"))
    os.makedirs(ws1.path("engine/tools"))
    shutil.copy(f"{ROOT}/engine/tools/demo.sh", ws1.path("engine/tools/demo.sh"))
    os.symlink(ws1.bin, ws1.path("build"))
    try:
        screen = ws1.ok("sh", "engine/tools/demo.sh", "build").out
        last = screen[screen.rindex("\nrows ") :].strip().splitlines()
        assert re.fullmatch(r"rows     776,841   \(SAMPLE DATA, NOT THE CITY'S FIGURES\)", last[0])
        assert last[1] == "years    1999 to 2027, 1 of 29 partial"
        assert last[2] == "rejects  0"
        assert re.fullmatch(r"checks   \d+ passed", last[3])
        assert re.fullmatch(r"seconds  \d+\.\d", last[4])
        assert "Fiscal year 2026 by organization group" in last[6]
        assert any(line.startswith(" All groups") for line in last)
        psql, sftp, destroy = (line.strip() for line in last[last.index("Try these:") + 2 :])
        assert ws1.shell(f"{psql} -Atc 'select count(*) from transaction'").out == "776841\n"
        ws1.write("batch", "ls -1\n")
        listed = ws1.shell(f"{sftp} -b batch")
        assert listed.code == 0 and "transaction" in listed.out, listed
        assert destroy == "build/sfdestroy -f stacks/sf-finance.yaml"
        lines = commands()
        assert len(lines) >= 4, lines
        for line in lines:
            asks = line.startswith(("build/sfapply", "build/sfdestroy"))
            result = ws1.shell(line + (" -auto-approve" if asks else ""))
            assert result.code == 0, f"{line}: {result}"
        assert lines[-1] == destroy and "Nothing of this stack is left" in result.out
    finally:
        ws1.run("build/sfdestroy", "-f", "stacks/sf-finance.yaml", "-auto-approve")
