"""Every file of stacks/ works as it stands: applied, nothing to do afterwards, destroyed without a trace."""

import glob
import os

import pytest

from conftest import ROOT

# tested there: too large to do twice, or variables of another stack
ELSEWHERE = {"sf-finance.yaml": "tests/local/test_flagship.py", "live.yaml": "tests/data/test_live.py",
             **dict.fromkeys(["budget.yaml", "vendor-payments.yaml", "books.yaml"], "tests/local/test_city_tables.py")}
STACKS = sorted(os.path.basename(path) for path in glob.glob(f"{ROOT}/stacks/*.yaml"))


def copy(ws, name):
    with open(f"{ws.share}/stacks/{name}") as file:
        ws.write("stack.yaml", file.read())


def test_each_stack_is_tested_here_or_elsewhere():
    assert set(ELSEWHERE) <= set(STACKS)
    assert all(os.path.exists(f"{ROOT}/{path}") for path in ELSEWHERE.values())
    assert len(STACKS) > len(ELSEWHERE)


@pytest.mark.parametrize("name", [name for name in STACKS if name not in ELSEWHERE])
def test_a_stack_is_applied_stays_as_it_is_and_is_destroyed(ws, name):
    copy(ws, name)
    ws.apply()
    assert ws.changes() == {} and ws.drift() == {}
    assert ws.apply().out.startswith("No changes.")
    ws.ok("sfdestroy", "-auto-approve")
    assert ws.recorded() == []
    ws.assert_clean()


def test_the_users_of_files_only_may_do_what_their_policies_say(ws):
    copy(ws, "files-only.yaml")
    ws.write("report.csv", "year,amount\n2025,1.00\n")
    ws.apply()
    supplier, clerk = ws.output("supplier"), ws.output("clerk")

    assert ws.sftp(["mkdir inbox", "put report.csv inbox/report.csv", "ls inbox"], supplier).code == 0
    for denied in ("get inbox/report.csv taken", "rm inbox/report.csv", "put report.csv outbox.csv", "rename inbox/report.csv inbox/x"):
        assert ws.sftp([denied], supplier).code != 0, denied

    assert ws.sftp(["get inbox/report.csv taken", "mkdir outbox", "put taken outbox/done.csv", "rm outbox/done.csv"], clerk).code == 0
    assert ws.read("taken") == ws.read("report.csv")
    for denied in ("put report.csv inbox/other.csv", "rm inbox/report.csv"):
        assert ws.sftp([denied], clerk).code != 0, denied
