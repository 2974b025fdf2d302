"""`make bench`: what sfstack costs on this machine, whole processes from outside: wall seconds (median of several runs) and peak
memory. Nothing here passes or fails; figures of one run may be compared with each other, not with another machine's.

usage: bench.py [scale|flagship|aws|conform|upload|load|week]...      default: all
Needs no network. Leaves nothing behind.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import aws
import conform
import load
import upload

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
RUNS = int(os.environ.get("RUNS", "5"))


def run(argv, cwd, expect=(0,)):
    """Runs argv to its end. Returns (wall seconds, peak MB of the largest process)."""
    with open(os.path.join(cwd, "bench.log"), "wb") as log:
        start = time.perf_counter()
        process = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    if code not in expect:
        sys.stdout.write(open(os.path.join(cwd, "bench.log")).read()[-4000:])
        raise SystemExit(f"{' '.join(argv)}: exit {code}")
    return wall, usage.ru_maxrss / 1024


def row(name, runs):
    walls = [w for w, _ in runs]
    print(f"{name:<58} {min(walls):8.3f} {statistics.median(walls):8.3f} {max(walls):8.3f} s {max(m for _, m in runs):8.1f} MB", flush=True)
    return statistics.median(walls)


def layered(n, width=100):
    """A stack of n `value` resources, `width` a layer, each with two references into the layer before."""
    lines = ["stack: scale", "provider: local", "resources:"]
    for i in range(n):
        layer, k = divmod(i, width)
        if layer == 0:
            lines.append(f"  v{i}: {{kind: value, input: \"{i}\"}}")
        else:
            a, b = (layer - 1) * width + k, (layer - 1) * width + (k * 7 + 3) % width
            lines.append(f"  v{i}: {{kind: value, input: \"{i}\", triggers_replace: [\"${{v{a}.id}}\", \"${{v{b}.id}}\"]}}")
    return "\n".join(lines) + "\n"


def terraform_layered(n, width=100):
    out = []
    for i in range(n):
        layer, k = divmod(i, width)
        refs = ""
        if layer:
            a, b = (layer - 1) * width + k, (layer - 1) * width + (k * 7 + 3) % width
            refs = f"\n  triggers_replace = [terraform_data.v{a}.id, terraform_data.v{b}.id]"
        out.append(f'resource "terraform_data" "v{i}" {{\n  input = "{i}"{refs}\n}}\n')
    return "".join(out)


def scale():
    print("\n# engine: `value` resources in a graph 100 wide, two references each")
    for n in (1000, 10000):
        plans, applies, noops, destroys = [], [], [], []
        for _ in range(max(1, RUNS // 2)):
            with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
                open(f"{work}/stack.yaml", "w").write(layered(n))
                plans.append(run([f"{BUILD}/sfplan"], work))
                applies.append(run([f"{BUILD}/sfapply", "-auto-approve"], work))
                noops.append(run([f"{BUILD}/sfplan", "-detailed-exitcode"], work))
                destroys.append(run([f"{BUILD}/sfdestroy", "-auto-approve"], work))
        for name, runs in (("plan", plans), ("apply, each durably journaled", applies), ("plan, nothing to change", noops), ("destroy", destroys)):
            row(f"sfstack {n} {name}", runs)
    if shutil.which("terraform"):
        n = 1000
        with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
            open(f"{work}/main.tf", "w").write(terraform_layered(n))
            run(["terraform", "init", "-no-color"], work)
            row(f"terraform {n} plan", [run(["terraform", "plan", "-no-color"], work)])
            row(f"terraform {n} apply", [run(["terraform", "apply", "-no-color", "-auto-approve"], work)])
            row(f"terraform {n} plan, nothing to change", [run(["terraform", "plan", "-no-color"], work)])
    else:
        print("(terraform is not here: no peer figures)")


def flagship_dir():
    work = tempfile.mkdtemp(dir="/var/tmp")
    shutil.copytree(f"{ROOT}/stacks", f"{work}/stacks")
    return work, f"{work}/stacks/sf-finance.yaml"


def flagship():
    print("\n# the flagship stack, local world, 776,841 rows")
    work, stack = flagship_dir()
    try:
        row("first sfapply: servers, generate, conform, upload, load, check", [run([f"{BUILD}/sfapply", "-f", stack, "-auto-approve"], work)])
        args = [f"{BUILD}/sfplan", "-f", stack, "-detailed-exitcode"]
        row("sfplan, nothing to change, every table verified", [run(args, work) for _ in range(RUNS)])
        row("sfplan -refresh=false", [run(args + ["-refresh=false"], work) for _ in range(RUNS)])
        row("sfapply, nothing to change", [run([f"{BUILD}/sfapply", "-f", stack, "-auto-approve"], work) for _ in range(RUNS)])
        row("sfapply -replace=dw: data come back from the bucket",
            [run([f"{BUILD}/sfapply", "-f", stack, "-auto-approve", "-replace=dw"], work)])
    finally:
        row("sfdestroy", [run([f"{BUILD}/sfdestroy", "-f", stack, "-auto-approve"], work)])
        shutil.rmtree(work, ignore_errors=True)


def main():
    parts = {"scale": scale, "flagship": flagship, "aws": aws.main, "conform": conform.main, "upload": upload.main, "load": load.load, "week": load.week}
    wanted = sys.argv[1:] or list(parts)
    print(f"{'':<58} {'min':>8} {'median':>8} {'max':>8}   {'peak':>8}")
    for name in wanted:
        parts[name]()


if __name__ == "__main__":
    main()
