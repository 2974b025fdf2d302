"""Statements to a cluster of the AWS test server by our own two roads, without a stack: `sfprobe warehouse`."""

import json
import os
import signal
import subprocess
import tempfile

from conftest import BUILD
from server_client import PASSWORD, done, make_warehouse


class Warehouse:
    """A cluster or workgroup, as a stack's state would tell of it."""

    def __init__(self, server, deployment="provisioned", **attrs):
        self.server, self.id = server, "dw" if deployment == "provisioned" else "sf-dw"
        self.endpoint = make_warehouse(server) if deployment == "provisioned" else make_workgroup(server)
        self.port = self.endpoint.get("Port") or self.endpoint["port"]
        self.attrs = {"deployment": deployment, "database": "dev", "username": "steward", "connection": "direct", "running": True,
                      "host": "localhost", "port": self.port, "ca": server.control("GET", "sql")["ca"], **attrs}

    def asked(self, do, sql, more):
        request = {"region": "us-west-2", "cluster": {"id": self.id, "attrs": self.attrs}, "do": do, "sql": sql, **more}
        file = tempfile.NamedTemporaryFile("w", suffix=".json")
        json.dump(request, file)
        file.flush()
        return file

    def environment(self, env):
        return {**os.environ, **self.server.env, **env}

    def __call__(self, do, sql, env=(), **more):
        """What came of it: {rows, columns} or {exit, message, ...}"""
        with self.asked(do, sql, more) as file:
            process = subprocess.run([f"{BUILD}/sfprobe", "warehouse", file.name], env=self.environment(dict(env)), capture_output=True,
                                     text=True, timeout=120)
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)

    def interrupted(self, do, sql, is_under_way, **more):
        """The same, with a SIGINT once it is under way."""
        with self.asked(do, sql, more) as file:
            process = subprocess.Popen([f"{BUILD}/sfprobe", "warehouse", file.name], env=self.environment({}), stdout=subprocess.PIPE,
                                       text=True)
            while not is_under_way():
                assert process.poll() is None, process.stdout.read()
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=120)
        return json.loads(out)


def make_workgroup(server):
    done(server, "redshift-serverless", "create_namespace", namespaceName="sf-dw", adminUsername="steward", adminUserPassword=PASSWORD)
    done(server, "redshift-serverless", "create_workgroup", workgroupName="sf-dw", namespaceName="sf-dw")
    while (group := done(server, "redshift-serverless", "get_workgroup", workgroupName="sf-dw")["workgroup"])["status"] != "AVAILABLE":
        pass
    return group["endpoint"]
