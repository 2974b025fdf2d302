"""The worked example of resources/README.md is taken from the page, built into a copy of the programs, and lives one life."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import BUILD, ROOT, Workspace


def blocks(page):
    """{language: first code block in it} of a Markdown file."""
    with open(page) as file:
        found = re.findall(r"^```(\w+)\n(.*?)^```$", file.read(), re.M | re.S)
    return {language: text for language, text in reversed(found)}


@pytest.fixture
def with_notice(tmp_path):
    """A workspace of the programs rebuilt with the kind `notice`: only what follows from the two new files is compiled."""
    if "san" in os.path.basename(BUILD):
        pytest.skip("builds with the ordinary flags, which do not fit the objects of a sanitizer build")
    example, tree, build = blocks(f"{ROOT}/resources/README.md"), tmp_path / "tree", tmp_path / "build"
    for name in ("engine", "resources", "schemas", "stacks", "state", "tests", "Makefile"):
        (shutil.copytree if os.path.isdir(f"{ROOT}/{name}") else shutil.copy2)(f"{ROOT}/{name}", tree / name)
    shutil.copytree(BUILD, build)
    (tree / "schemas/kinds/notice.yaml").write_text(example["yaml"])
    (tree / "resources/local/notice.c").write_text(example["c"])
    made = subprocess.run(["make", "-C", tree, f"BUILD={build}", "all"], capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    installed = tmp_path / "installed"
    (installed / "bin").mkdir(parents=True)
    for name in ("sfplan", "sfapply", "sfdestroy", "sfstate"):
        shutil.copy2(build / name, installed / "bin" / name)
    shutil.copytree(tree / "schemas", installed / "share/sfstack/schemas")
    workspace = Workspace(str(installed), None)
    yield workspace
    workspace.close()


def test_a_kind_is_one_schema_and_one_driver(with_notice):
    ws = with_notice
    ws.write("stack.yaml", 'stack: notices\nresources:\n  hello: {kind: notice, name: hello, text: "in ${stack.name}"}\n')
    ws.apply()
    assert ws.changes() == {}
    ws.edit("stack.yaml", ("in ${stack.name}", "here"))
    assert ws.changes() == {"notice.hello": "update"}
    ws.apply()
    path = os.path.join(ws.territory(), "notices/hello.json")
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace("here", "there"))
    assert ws.drift() == {"notice.hello": "update"} and ws.changes() == {"notice.hello": "update"}
    os.remove(path)
    assert ws.changes() == {"notice.hello": "create"}
    ws.apply()
    ws.edit("stack.yaml", ("text: ", "txet: "))
    ws.refuse(65, "sfplan")
    ws.edit("stack.yaml", ("txet: ", "text: "))
    ws.ok("sfdestroy", "-auto-approve")
    ws.assert_clean()
