"""A ProFTPD with the derived configuration, without engine and territory: what the verb tests log in to.

The configuration comes from sftp_harness.c, so it is the very text that the local world would write for the same rights.
"""

import json
import os
import grp
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time

from sftp_raw import Raw

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))


def libraries():
    """What the Makefile links the programs with."""
    with open(f"{ROOT}/Makefile") as file:
        packages = re.search(r"^PKGS = (.*)", file.read(), re.M).group(1).split()
    return subprocess.run(["pkg-config", "--libs", *packages], text=True, capture_output=True, check=True).stdout.split() + ["-lpthread"]


def sanitizer_flags():
    """What the library was built with, so that the harness links against it."""
    wanted = subprocess.run(["nm", "-u", f"{BUILD}/obj/engine/core/arena.o"], text=True, capture_output=True, check=True).stdout
    if "__asan_" in wanted:
        return ["-fsanitize=address,undefined"]
    return ["-fsanitize=thread"] if "__tsan_" in wanted else []


def build_harness(where):
    """Compiles sftp_harness.c against the built library. Path."""
    out = f"{where}/sftp_harness"
    subprocess.run(
        [os.environ.get("CC", "gcc"), "-std=c11", "-D_GNU_SOURCE", "-O1", f"-I{ROOT}", f"-I{BUILD}/gen", "-I/usr/include/postgresql",
         "-o", out, f"{ROOT}/tests/local/sftp_harness.c", f"{BUILD}/libsf.a", *sanitizer_flags(), *libraries()], check=True)
    return out


def run_account():
    """Name of the account that servers run as: never root."""
    return "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


class Site:
    """One server over one or more buckets. `logins` are dictionaries: name, bucket, prefix, grants."""

    def __init__(self, harness):
        self.harness = harness
        self.dir = tempfile.mkdtemp(prefix="sf-sftp-", dir="/var/tmp")
        self.account = pwd.getpwnam(run_account())
        os.chmod(self.dir, 0o755)
        os.makedirs(f"{self.dir}/srv")
        self.server = None
        self.keys = {}
        self.key("host", "ed25519", f"{self.dir}/srv/host_key_0")
        self.give_away()

    # --- files ---
    def key(self, name, kind="ed25519", path=None):
        path = path or f"{self.dir}/key_{name}"
        form = ["-t", "ed25519"] if kind == "ed25519" else ["-t", "rsa", "-b", "4096", "-m", "PEM"]
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-C", name, "-f", path, *form], check=True)
        self.keys[name] = path
        return path

    def data(self, bucket):
        return f"{self.dir}/buckets/{bucket}/data"

    def write(self, bucket, key, text="x"):
        path = f"{self.data(bucket)}/{key}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        self.give_away()
        return path

    def clear(self, bucket, key):
        path = f"{self.data(bucket)}/{key}"
        shutil.rmtree(path, ignore_errors=True)
        if os.path.lexists(path):
            os.unlink(path)

    def give_away(self):
        """Everything but the users' private keys belongs to the run account."""
        if os.geteuid() != 0:
            return
        for where in ("srv", "buckets"):
            for at, dirs, files in os.walk(f"{self.dir}/{where}"):
                for name in [".", *dirs, *files]:
                    os.chown(os.path.join(at, name), self.account.pw_uid, self.account.pw_gid, follow_symlinks=False)

    def tree(self, bucket):
        """Every entry below the bucket with what a verb could change: type and content."""
        found = {}
        for at, dirs, files in os.walk(self.data(bucket)):
            for name in dirs + files:
                path = os.path.join(at, name)
                key = os.path.relpath(path, self.data(bucket))
                if os.path.islink(path):
                    found[key] = "-> " + os.readlink(path)
                elif os.path.isdir(path):
                    found[key] = "dir"
                else:
                    with open(path, "rb") as file:
                        found[key] = (oct(os.stat(path).st_mode), file.read())
        return found

    # --- server ---
    def configure(self, logins):
        described = []
        for login in logins:
            os.makedirs(f"{self.data(login['bucket'])}/{login.get('prefix', '')}", exist_ok=True)
            names = login.get("keys", [login["name"]])
            for name in names:
                if name not in self.keys:
                    self.key(name)
            described.append({
                "name": login["name"], "data_dir": self.data(login["bucket"]), "prefix": login.get("prefix", ""),
                "keys": [open(self.keys[name] + ".pub").read().strip() for name in names], "grants": login["grants"]})
        if not hasattr(self, "port"):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        spec = {"address": "127.0.0.1", "port": self.port, "user": self.account.pw_name,
                "group": grp.getgrgid(self.account.pw_gid).gr_name, "uid": self.account.pw_uid, "gid": self.account.pw_gid,
                "host_keys": ["host_key_0"], "logins": described}
        shutil.rmtree(f"{self.dir}/srv/keys", ignore_errors=True)
        done = subprocess.run([self.harness, "conf", f"{self.dir}/srv"], input=json.dumps(spec), text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        self.give_away()

    def start(self, logins, mode="serve"):
        self.configure(logins)
        with open(f"{self.dir}/known_hosts", "w") as file:
            host = open(self.keys["host"] + ".pub").read().split()
            file.write(f"[127.0.0.1]:{self.port} {host[0]} {host[1]}\n")
        as_account = {}
        if os.geteuid() == 0:
            as_account = {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        self.server = subprocess.Popen([self.harness, mode, f"{self.dir}/srv", shutil.which("proftpd", path="/usr/sbin:/usr/bin:/sbin")],
                                       cwd="/", **as_account)
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.server.poll() is None and time.monotonic() < until, self.log()
                time.sleep(0.01)

    def log(self):
        try:
            return open(f"{self.dir}/srv/log").read()
        except OSError:
            return "no log"

    def close(self):
        if self.server:
            self.server.terminate()
            self.server.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- clients ---
    def options(self, key):
        return ["-F", "none", "-i", self.keys[key], "-o", f"UserKnownHostsFile={self.dir}/known_hosts",
                "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "IdentityAgent=none"]

    def raw(self, user, key=None):
        return Raw(["ssh", *self.options(key or user), "-p", str(self.port), f"{user}@127.0.0.1"])

    def openssh(self, user, *lines, key=None):
        """Runs sftp with these commands, each allowed to fail. CompletedProcess."""
        batch = "".join(f"-{line}\n" for line in lines)
        return subprocess.run(["sftp", "-q", *self.options(key or user), "-P", str(self.port), "-b", "-", f"{user}@127.0.0.1"],
                              input=batch, text=True, capture_output=True)

    def fingerprint(self):
        return subprocess.run(["ssh-keygen", "-lf", self.keys["host"] + ".pub"], text=True, capture_output=True,
                              check=True).stdout.split()[1]

    def deliver(self, user, files, port=None):
        """Puts files [(step, local path, remote path)] as an upload does: (code, text, number put)."""
        done = subprocess.run([self.harness, "deliver", "127.0.0.1", str(port or self.port), user, self.keys[user], self.fingerprint()],
                              input="".join(f"{step}\t{local}\t{remote}\n" for step, local, remote in files), text=True,
                              capture_output=True)
        assert done.returncode == 0, done.stderr
        code, text, n = done.stdout.rstrip("\n").split("\t")
        return code, text, int(n)

    def libssh2(self, user, *commands, key=None, fingerprint=None):
        """Runs commands over our own transport: (code, text) of the login, then of each command."""
        done = subprocess.run([self.harness, "client", "127.0.0.1", str(self.port), user, self.keys[key or user],
                               fingerprint or self.fingerprint()],
                              input="".join("\t".join(c) + "\n" for c in commands), text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
        return [tuple(line.split("\t", 1)) for line in done.stdout.splitlines()]
