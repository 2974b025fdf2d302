"""A PostgreSQL of a test's own: on a socket in a temporary directory, gone with it."""

import glob
import os
import shutil
import subprocess
import tempfile

from conftest import ORDINARY


class Server:
    """PostgreSQL on a socket in a temporary directory, which the server's account may read."""

    def __init__(self):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
        self.bin = found[-1] if found else os.path.dirname(os.path.realpath(shutil.which("initdb")))
        self.dir = tempfile.mkdtemp(prefix="sf-csv-", dir="/var/tmp")
        self.account = {"user": ORDINARY, "extra_groups": []} if os.geteuid() == 0 else {}
        if self.account:
            shutil.chown(self.dir, ORDINARY)
            os.chmod(self.dir, 0o755)

    def tool(self, name, *args):
        with open(f"{self.dir}/log", "a") as log:  # a server that inherits a pipe would keep its reader waiting
            done = subprocess.run([f"{self.bin}/{name}", "-D", f"{self.dir}/data", *args], cwd=self.dir, stdout=log, stderr=log,
                                  stdin=subprocess.DEVNULL, **self.account)
        assert done.returncode == 0, open(f"{self.dir}/log").read()

    def start(self):
        self.tool("initdb", "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
        self.tool("pg_ctl", "start", "-w", "-o", f"-k {self.dir} -c listen_addresses= -c fsync=off -c synchronize_seqscans=off")

    def stop(self):
        if os.path.exists(f"{self.dir}/data/postmaster.pid"):
            self.tool("pg_ctl", "stop", "-w", "-m", "immediate")
        shutil.rmtree(self.dir)

    def psql(self, *args, **kwargs):
        return subprocess.run([f"{self.bin}/psql", "-X", "-q", "-h", self.dir, "-U", "tester", *args, "postgres"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"LANG": "C.UTF-8"}, **kwargs)
