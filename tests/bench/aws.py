"""`bench.py aws`: what a stack on AWS costs, side by side with Terraform and a plain boto3 script against one server, and how many
requests the client keeps in the air. See bench.py.

The server is tests/aws/server.py, whose things are ready at the first look: what is measured are the tools, not the waiting.
"""

import contextlib
import glob
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
RUNS = int(os.environ.get("RUNS", "5"))
SAMPLE_SECONDS, SAMPLE_OFTEN_FOR = 0.02, 0.3
MIRRORS = ["/opt/*", "/opt/*/*", "/usr/share/*/*", "/usr/local/share/terraform/plugins", "~/.terraform.d/plugins"]
BUCKETS, LATENCY_MS = 200, 20


class Cost:
    """What a command took: wall seconds, peak MB of its process tree, requests, seconds until its first output."""

    def __init__(self, wall, mb, requests, first):
        self.wall, self.mb, self.requests, self.first = wall, mb, requests, first


def median(costs):
    return Cost(*(statistics.median(getattr(c, name) for c in costs) for name in ("wall", "mb", "requests", "first")))


# --- running ---


def tree_mb(pid):
    """Most megabytes that a process and all that it started had resident so far. (The rusage of a child counts the parent's, too.)"""
    total = 0
    with contextlib.suppress(OSError, ValueError):
        with open(f"/proc/{pid}/status") as file:
            total = sum(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
        for thread in glob.glob(f"/proc/{pid}/task/*/children"):
            with open(thread) as file:
                total += sum(tree_mb(child) for child in file.read().split())
    return total


def measure(argv, cwd, env, requests=lambda: 0, expect=(0,)):
    """Runs argv to its end. Cost."""
    before, output, peak = requests(), [], 0.0
    start = time.perf_counter()
    process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    first = []

    def read():
        while data := os.read(process.stdout.fileno(), 1 << 16):
            first.append(time.perf_counter() - start)
            output.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    while reader.is_alive():
        peak = max(peak, tree_mb(process.pid))
        reader.join(SAMPLE_SECONDS if time.perf_counter() - start > SAMPLE_OFTEN_FOR else SAMPLE_SECONDS / 10)
    process.wait()
    wall = time.perf_counter() - start
    process.stdout.close()
    if process.returncode not in expect:
        raise SystemExit(f"{' '.join(argv)}: exit {process.returncode}\n" + b"".join(output).decode(errors="replace")[-4000:])
    return Cost(wall, peak, requests() - before, first[0] if first else wall)


def python_with(module):
    """The first Python on PATH that has a module, or None."""
    for name in ("python3", "python"):
        program = shutil.which(name)
        if program and subprocess.run([program, "-c", f"import {module}"], capture_output=True).returncode == 0:
            return program
    return None


class Server:
    """tests/aws/server.py, or None of it: start() says why."""

    def __init__(self, python):
        self.process = subprocess.Popen([python, "-B", f"{ROOT}/tests/aws/server.py", "--no-auth", "--print-env"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.env = {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "SF_STATE_KEY": "00" * 32}
        for line in self.process.stdout:
            name, is_pair, value = line.strip().partition("=")
            if is_pair:
                self.env[name] = value
            if name == "AWS_EC2_METADATA_DISABLED":
                break
        self.url = self.env["AWS_ENDPOINT_URL"]
        self.reset()

    def reset(self):
        self.control("POST", "reset", {})
        delays = json.loads(self.control("GET", "settings"))["delays"]
        self.control("POST", "settings", {"delays": dict.fromkeys(delays, 0)})

    def control(self, method, what, value=None):
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        connection.request(method, f"/_test/{what}", json.dumps(value) if value is not None else None)
        data = connection.getresponse().read()
        connection.close()
        return data

    def requests(self):
        return sum(json.loads(self.control("GET", "counts")).values())

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


# --- the three tools ---


def terraform_mirror():
    """Directory of a filesystem mirror that holds the AWS provider, or None."""
    for pattern in [os.environ.get("TF_PLUGIN_MIRROR", "")] + MIRRORS:
        for found in glob.glob(os.path.expanduser(pattern)) if pattern else ():
            if os.path.isdir(f"{found}/registry.terraform.io/hashicorp/aws"):
                return found
    return None


def terraform(server, work):
    """{step: Cost} of Terraform, one run; None where it cannot run."""
    mirror = terraform_mirror()
    if not shutil.which("terraform") or not mirror:
        print("(no Terraform here, or no mirror with its AWS provider, see TF_PLUGIN_MIRROR: no figures of it)")
        return None
    with open(f"{work}/terraformrc", "w") as file:
        file.write(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\ndisable_checkpoint = true\n')
    env = {**server.env, "TF_CLI_CONFIG_FILE": f"{work}/terraformrc", "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1",
           "TF_VAR_endpoint": server.url}
    steps = {"init": ["init"], "apply": ["apply", "-auto-approve"], "no change": ["plan", "-detailed-exitcode"], "destroy": ["destroy", "-auto-approve"]}
    return {step: measure(["terraform", *argv, "-no-color", "-input=false"], work, env, server.requests) for step, argv in steps.items()}


def sfstack(server, work):
    steps = {"apply": ["sfapply", "-auto-approve"], "no change": ["sfplan", "-detailed-exitcode"], "destroy": ["sfdestroy", "-auto-approve"]}
    return {step: measure(argv, work, server.env, server.requests) for step, argv in steps.items()}


def boto3(server, work, python):
    steps = {"apply": "create", "destroy": "delete"}
    return {step: measure([python, "seed.py", word], work, server.env, server.requests) for step, word in steps.items()}


def medians(runs):
    return {step: median([run[step] for run in runs]) for step in runs[0]}


def show(tool, costs):
    for step, cost in costs.items():
        print(f"{tool + ', ' + step:<58} {cost.wall:8.3f} s {cost.mb:8.1f} MB {cost.requests:6.0f} requests"
              + (f", first output after {cost.first * 1000:.0f} ms" if step == "no change" else ""), flush=True)


def bar(what, value, limit, is_least, unit=""):
    is_met = value >= limit if is_least else value <= limit
    print(f"  {what:<56} {value:8.1f}{unit:<3} bar: {'at least' if is_least else 'at most'} {limit:g}{unit}{'' if is_met else '   MISSED'}")


def bars(ours, tf, script):
    print("bars, medians against medians:")
    for step, least in (("no change", 70), ("apply", 20), ("destroy", 20)):
        if tf:
            bar(f"{step}: times faster than Terraform", tf[step].wall / ours[step].wall, least, True)
        if script and step in script:
            bar(f"{step}: times faster than the boto3 script", script[step].wall / ours[step].wall, 2, True)
    for step, most in (("apply", 67), ("no change", 38), ("destroy", 66)):
        bar(f"{step}: requests", ours[step].requests, most, False)
    bar("no change: megabytes", ours["no change"].mb, 25, False)
    bar("no change: first output", ours["no change"].first * 1000, 50, False, "ms")


def side_by_side(python):
    server = Server(python)
    try:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
            for name in ("stack.yaml", "main.tf", "seed.py"):
                shutil.copy(f"{HERE}/aws/{name}", work)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{work}/key"], check=True)
            script = python_with("boto3")
            sfstack(server, work)  # the server loads each service when it is first asked
            ours = medians([sfstack(server, work) for _ in range(RUNS)])
            server.reset()
            theirs = medians([boto3(server, work, script) for _ in range(RUNS)]) if script else None
            server.reset()
            tf = terraform(server, work)
    finally:
        server.stop()
    for tool, costs in (("sfstack", ours), ("boto3 script", theirs), ("terraform", tf)):
        if costs:
            show(tool, costs)
    bars(ours, tf, theirs)


# --- how many requests are in the air ---


def concurrency():
    print(f"\n# {BUCKETS} buckets, every answer {LATENCY_MS} ms away")
    stack = "stack: buckets\nprovider: aws\naws: {region: us-west-2}\nresources:\n"
    stack += "".join(f"  b{i}: {{kind: bucket, name: bench-{i}}}\n" for i in range(BUCKETS))
    for parallelism in (10, 50):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
            with open(f"{work}/stack.yaml", "w") as file:
                file.write(stack)
            stub = subprocess.Popen([sys.executable, f"{HERE}/latency_stub.py", str(LATENCY_MS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            env = {**os.environ, "AWS_ENDPOINT_URL": stub.stdout.readline().split()[-1], "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                   "AWS_EC2_METADATA_DISABLED": "true", "SF_STATE_KEY": "00" * 32}
            try:
                for name, argv in (("apply", ["sfapply", "-auto-approve"]), ("no change", ["sfplan", "-detailed-exitcode"]),
                                   ("destroy", ["sfdestroy", "-auto-approve"])):
                    program = [f"{BUILD}/{argv[0]}", *argv[1:], f"-parallelism={parallelism}"]
                    cost = measure(program, work, env)
                    print(f"{f'sfstack -parallelism={parallelism}, {name}':<58} {cost.wall:8.3f} s {cost.mb:8.1f} MB", flush=True)
            finally:
                print("  " + stub.communicate()[0].strip())


def main():
    print("\n# ten resources on AWS's interfaces: bucket, policies, roles, SFTP server, user and key, security group, cluster")
    python = python_with("moto")
    if python:
        side_by_side(python)
    else:
        print("(no Python with moto here: left out)")
    concurrency()
