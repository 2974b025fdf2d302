"""`make install` and `make uninstall`: what they put where, that it works from there, that nothing is left."""

import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))


def make(target, destination):
    subprocess.run(["make", "-s", "-C", ROOT, "-o", "all", target, f"BUILD={BUILD}", f"DESTDIR={destination}", "PREFIX=/usr"], check=True,
                   umask=0o077, env={"PATH": os.environ["PATH"]}, stdout=subprocess.DEVNULL)


def files(top):
    return sorted(os.path.relpath(os.path.join(d, f), top) for d, _, names in os.walk(top) for f in names)


@pytest.fixture
def installed(tmp_path):
    make("install", tmp_path)
    return tmp_path


def test_what_is_installed_plans_the_flagship_from_anywhere(installed, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    (work / "stack.yaml").write_bytes((installed / "usr/share/sfstack/stacks/sf-finance.yaml").read_bytes())
    done = subprocess.run([installed / "usr/bin/sfplan"], cwd=work, text=True, capture_output=True,
                          env={"PATH": "/usr/bin:/bin", "SF_VAR_source": "{sample: {rows: 2000, seed: 1}}"})
    assert done.returncode == 0, done.stderr
    assert "# load.weekly_load will be created" in done.stdout


def test_all_that_is_installed_is_readable_by_all_whatever_the_umask(installed):
    for name in files(installed / "usr"):
        wanted = 0o755 if name.startswith("bin/") else 0o644
        assert os.stat(installed / "usr" / name).st_mode & 0o777 == wanted, name
    assert all(os.stat(d).st_mode & 0o005 == 0o005 for d, _, _ in os.walk(installed / "usr"))


def test_no_state_is_installed_and_none_is_taken_away(installed):
    assert not [name for name in files(installed) if "/.sf/" in name]
    state = installed / "usr/share/sfstack/stacks/.sf/sf-finance/local/state.db"
    state.parent.mkdir(parents=True)
    state.write_text("somebody's")
    make("uninstall", installed)
    assert files(installed) == ["usr/share/sfstack/stacks/.sf/sf-finance/local/state.db"]


def test_uninstall_leaves_nothing(installed):
    assert "usr/bin/sfapply" in files(installed)
    make("uninstall", installed)
    assert files(installed) == [] and not (installed / "usr/share/sfstack").exists()
    make("uninstall", installed)
