"""engine/tools/deps.sh with stand-ins for dpkg, apt, id and sudo: what it asks, what it runs, what it leaves behind.

The stand-in for apt-get writes down its arguments and how the machine looked at that moment.
"""

import os
import pty
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = f"{ROOT}/engine/tools/deps.sh"
POLICY = "usr/sbin/policy-rc.d"
CLUSTERS = "etc/postgresql-common/createcluster.conf"

FAKES = {
    # -W -f=FORMAT NAME...: names what it knows, and fails if one of them is unknown
    "dpkg-query": r"""
        shift 2
        for package in "$@"; do
            case " $MISSING " in
                *" $package "*) ;;
                *) case " $REMOVED " in *" $package "*) echo "config-files $package" ;; *) echo "installed $package" ;; esac ;;
            esac
        done
        [ -z "$MISSING" ]""",
    "apt-get": r"""
        {
            echo "apt-get $*"
            echo "policy: $(cat "$SF_DEPS_ROOT/usr/sbin/policy-rc.d" 2>/dev/null | tr '\n' ' ')"
            "$SF_DEPS_ROOT/usr/sbin/policy-rc.d" proftpd start >/dev/null 2>&1
            echo "answers $?"
            echo "clusters: $(cat "$SF_DEPS_ROOT/etc/postgresql-common/createcluster.conf" 2>/dev/null)"
        } >> "$LOG"
        [ "$1" = install ] && [ "$(grep -c '^apt-get install' "$LOG")" -le "${FAILS:-0}" ] && exit 100
        [ -z "${DIES:-}" ] || kill -TERM $PPID
        exit 0""",
    "id": 'echo "${FAKE_UID:-0}"',
    "sudo": 'echo sudo >> "$LOG"; exec "$@"',
    "update-rc.d": 'echo "update-rc.d $*" >> "$LOG"',
}


class Machine:
    def __init__(self, tmp_path):
        self.root, self.bin, self.log = tmp_path / "root", tmp_path / "bin", tmp_path / "log"
        for folder in (self.bin, self.root / "usr/sbin", self.root / "etc/postgresql-common"):
            folder.mkdir(parents=True)
        for name, body in FAKES.items():
            self.fake(name, body)
        self.env = {"PATH": f"{self.bin}:/usr/bin:/bin", "SF_DEPS_ROOT": str(self.root), "LOG": str(self.log), "MISSING": "", "REMOVED": ""}

    def fake(self, name, body):
        (self.bin / name).write_text(f"#!/bin/sh\n{body}\n")
        (self.bin / name).chmod(0o755)

    def run(self, what="demo", stdin=subprocess.DEVNULL, **env):
        done = subprocess.run(["/bin/sh", SCRIPT, what], env={**self.env, **env}, stdin=stdin, text=True, capture_output=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def answer(self, text, **env):
        """Runs it with a terminal on which `text` is typed."""
        ours, theirs = pty.openpty()
        try:
            os.write(ours, text.encode())
            return self.run(stdin=theirs, **env)
        finally:
            os.close(ours)
            os.close(theirs)

    def logged(self):
        return self.log.read_text() if self.log.exists() else ""

    def files(self):
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*") if not p.is_dir())


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize("what", ["demo", "dev"])
def test_nothing_missing_is_silent_and_does_nothing(machine, what):
    assert machine.run(what) == (0, "", "")
    assert machine.logged() == "" and machine.files() == []


def test_what_is_missing_is_listed_with_the_one_line_and_refused_without_a_terminal(machine):
    code, out, err = machine.run(MISSING="proftpd-core libisal-dev", REMOVED="postgresql")
    assert code == 1
    assert "missing packages: libisal-dev postgresql proftpd-core\n" in out
    assert re.findall(r"(?:sudo )?apt-get .*", out) == ["apt-get install -y --no-install-recommends libisal-dev postgresql proftpd-core"]
    assert "YES=1" in err
    assert machine.logged() == "" and machine.files() == []


def test_the_demo_needs_no_test_tools(machine):
    assert machine.run("demo", MISSING="libcmocka-dev cppcheck")[0] == 0
    assert machine.run("dev", MISSING="libcmocka-dev cppcheck")[0] == 1


def test_a_typed_no_installs_nothing_and_a_yes_installs(machine):
    code, out, _ = machine.answer("n\n", MISSING="libisal-dev")
    assert code == 1 and "[y/N]" in out and machine.logged() == ""
    code, out, _ = machine.answer("y\n", MISSING="libisal-dev")
    assert code == 0 and "apt-get install -y --no-install-recommends libisal-dev\n" in machine.logged()


def test_while_apt_runs_no_service_starts_and_no_cluster_is_made_and_nothing_is_left_after(machine):
    assert machine.run(MISSING="postgresql", YES="1")[0] == 0
    log = machine.logged()
    assert "apt-get install -y --no-install-recommends postgresql\n" in log
    assert "answers 101\n" in log
    assert "clusters: create_main_cluster = off\n" in log
    assert machine.files() == []


def test_a_failed_install_is_tried_once_more_after_an_update_and_cleans_up(machine):
    code, _, _ = machine.run(MISSING="postgresql", YES="1", FAILS="1")
    assert code == 0
    assert re.findall(r"^apt-get (\w+)", machine.logged(), re.M) == ["install", "update", "install"]
    assert machine.files() == []
    machine.log.unlink()
    code, _, _ = machine.run(MISSING="postgresql", YES="1", FAILS="2")
    assert code == 100
    assert machine.files() == []


def test_a_signal_cleans_up(machine):
    assert machine.run(MISSING="postgresql", YES="1", DIES="1")[0] == 1
    assert "answers 101\n" in machine.logged()
    assert machine.files() == []


@pytest.mark.parametrize("is_link", [False, True])
def test_a_policy_of_the_owner_is_neither_changed_nor_removed(machine, is_link):
    for path, text in ((POLICY, "#!/bin/sh\nexit 42\n"), (CLUSTERS, "start_conf = 'manual'\n")):
        place = machine.root / path
        if is_link:
            place.symlink_to("nowhere")
        else:
            place.write_text(text)
            place.chmod(0o755)
    assert machine.run(MISSING="postgresql", YES="1")[0] == 0
    assert machine.files() == [CLUSTERS, POLICY]
    if is_link:
        assert all(os.readlink(machine.root / path) == "nowhere" for path in (POLICY, CLUSTERS))
    else:
        assert "answers 42\n" in machine.logged()
        assert "exit 42" in (machine.root / POLICY).read_text() and "manual" in (machine.root / CLUSTERS).read_text()


def test_clusters_that_exist_keep_their_defaults(machine):
    (machine.root / "etc/postgresql/15/main").mkdir(parents=True)
    assert machine.run(MISSING="postgresql", YES="1")[0] == 0
    assert "clusters: \n" in machine.logged()


def test_a_proftpd_that_came_along_is_disabled_and_one_that_was_here_is_left_alone(machine):
    machine.fake("apt-get", 'touch "$SF_DEPS_ROOT/usr/sbin/proftpd"')
    assert machine.run(MISSING="proftpd-core", YES="1")[0] == 0
    assert machine.logged() == "update-rc.d proftpd disable\n"
    machine.log.unlink()
    assert machine.run(MISSING="proftpd-mod-vroot", YES="1")[0] == 0
    assert machine.logged() == ""


def test_an_ordinary_user_uses_sudo_for_the_one_line_only(machine):
    code, out, _ = machine.run(MISSING="libisal-dev", YES="1", FAKE_UID="1000")
    assert code == 0 and "sudo apt-get install -y --no-install-recommends libisal-dev\n" in out
    assert re.findall("^sudo$", machine.logged(), re.M) == ["sudo"]


def test_without_root_and_sudo_the_line_is_printed_and_refused(machine, tmp_path):
    (machine.bin / "sudo").unlink()
    tools = tmp_path / "tools"  # a PATH without the real sudo
    tools.mkdir()
    for name in ("sed", "tr", "cat"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    code, out, err = machine.run(MISSING="libisal-dev", YES="1", FAKE_UID="1000", PATH=f"{machine.bin}:{tools}")
    assert code == 1 and "apt-get install" in out and "neither root nor sudo" in err
    assert machine.logged() == ""


def test_elsewhere_than_on_debian_the_packages_are_named(machine, tmp_path):
    (machine.bin / "dpkg-query").unlink()
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "tr").symlink_to("/usr/bin/tr")
    code, _, err = machine.run(PATH=f"{machine.bin}:{tools}")
    assert code == 1 and "not Debian" in err and "libyaml-dev" in err
