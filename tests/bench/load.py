"""bench.py load: a load of 1 M facts, checked and written into the ledger, against a bare \\copy of the same facts into a bare table of
the same server. bench.py week: the apply after one year of the source has changed, as a share of the first one: in rows, in bytes, in seconds.

Times of single resources are those between a run's own "apply_start" and "apply_complete" lines.
"""

import glob
import gzip
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
RUNS = int(os.environ.get("RUNS", "5"))
COLUMNS = "transaction_id bigint, fiscal_year int, program_id bigint, type_id bigint, fund_id bigint, finance_id bigint, amount numeric(20,2)"


def row(name, walls):
    print(f"{name:<58} {min(walls):8.3f} {statistics.median(walls):8.3f} {max(walls):8.3f} s", flush=True)
    return statistics.median(walls)


class Stack:
    """The flagship in a directory of its own."""

    def __init__(self, source):
        self.dir = tempfile.mkdtemp(dir="/var/tmp")
        os.chmod(self.dir, 0o755)
        shutil.copytree(f"{ROOT}/stacks", f"{self.dir}/stacks")
        self.args = ["-f", f"{self.dir}/stacks/sf-finance.yaml", "-auto-approve"]
        self.source = ["-var", f"source={source}"]

    def apply(self, *more):
        """(wall seconds, {resource kind: seconds, "plan": seconds until the first resource is begun})"""
        start = time.perf_counter()
        process = subprocess.Popen([f"{BUILD}/sfapply", *self.args, *self.source, "-json", *more], stdout=subprocess.PIPE, text=True)
        begun, took, lines = {}, {}, []
        for line in process.stdout:
            now = time.perf_counter() - start
            lines.append(line)
            event = json.loads(line)
            if event.get("type") not in ("apply_start", "apply_complete"):
                continue
            kind = event["hook"]["resource"]["addr"].split(".")[0]
            if event["type"] == "apply_start":
                took.setdefault("plan", now)
                begun[kind] = now
            else:
                took[kind] = now - begun[kind]
        if process.wait():
            raise SystemExit("".join(lines[-3:]))
        return time.perf_counter() - start, took

    def cache(self):
        return f"{self.dir}/stacks/.sf/cache/objects"

    def delivered(self):
        """{key: (rows, bytes)} of every file of the latest evaluation."""
        path = max(glob.glob(f"{self.dir}/stacks/.sf/cache/conform/[0-9a-f]*-*.json"), key=os.path.getmtime)
        with open(path) as file:
            summary = json.load(file)
        entries = list(summary["years"].values())
        for table in summary["tables"].values():
            entries += table["parts"].values() if "parts" in table else [table]
        return {entry["key"]: (entry["rows"], entry["bytes"]) for entry in entries}

    def psql(self, *commands, stdin=None):
        """Runs commands as the cluster's owner, over its socket. Seconds that the last took, from outside."""
        world = f"{self.dir}/stacks/.sf/sf-finance/local/world/clusters/sf-finance"
        port = json.load(open(f"{world}/server.json"))["port"]
        argv = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", f"{world}/run", "-p", str(port), "-U", "steward", "san_francisco"]
        if os.geteuid() == 0:
            argv = ["runuser", "-u", "postgres", "--", *argv]
        for command in commands:
            start = time.perf_counter()
            subprocess.run([*argv, "-c", command], check=True, stdin=stdin, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    def close(self):
        subprocess.run([f"{BUILD}/sfdestroy", *self.args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.dir, ignore_errors=True)


def load(rows=1000000):
    print(f"\n# load: {rows:,} facts; staged, checked, published, in the ledger")
    stack = Stack(f"{{sample: {{rows: {rows}, seed: 1}}}}")
    try:
        stack.apply()
        facts = f"{stack.dir}/facts.csv"
        parts = sorted(glob.glob(f"{stack.cache()}/transaction/*/*.gz"))
        with open(facts, "wb") as file:
            for part in parts:
                file.write(gzip.open(part).read().partition(b"\n")[2])
        os.chmod(facts, 0o644)
        print(f"{os.path.getsize(facts) / 1e6:.0f} MB of facts, {len(parts)} years")
        loads, copies, packed = [], [], []
        for _ in range(RUNS):
            loads.append(stack.apply("-replace=weekly_load")[1]["load"])
            fresh = ("drop table if exists bare", f"create table bare({COLUMNS})", "checkpoint")
            copies.append(stack.psql(*fresh, f"\\copy bare from '{facts}' with (format csv)"))
            stack.psql(*fresh)
            start = time.perf_counter()
            zcat = subprocess.Popen(f"for f in {stack.cache()}/transaction/*/*.gz; do zcat $f | tail -n +2; done", shell=True,
                                    stdout=subprocess.PIPE)
            stack.psql("\\copy bare from stdin with (format csv)", stdin=zcat.stdout)
            zcat.wait()
            packed.append(time.perf_counter() - start)
            stack.psql("drop table bare")
        bare = row("\\copy of the same facts into a bare table", copies)
        unpacked = row("the same from gzip", packed)
        ours = row("load step", loads)
        print(f"{'load / bare copy':<58} {ours / bare:17.2f}")
        print(f"{'load / bare copy from gzip':<58} {ours / unpacked:17.2f}")
    finally:
        stack.close()


def edit(source, target, year):
    """Copies the file with five amounts of `year` one dollar higher."""
    edited = 0
    with open(source, "rb") as file, open(target, "wb") as out:
        for line in file:
            if edited < 5 and line.startswith(b"%d," % year):
                fields = line.rsplit(b",", 3)
                fields[1] = b"%.2f" % (float(fields[1]) + 1)
                line, edited = b",".join(fields), edited + 1
            out.write(line)


def share(name, part, whole, unit):
    print(f"{name:<58} {part:,.0f} of {whole:,.0f} {unit}: {part / whole * 100:.1f} %")


def week():
    print("\n# week: 776,841 rows; first apply, then one year changed")
    parts = ("plan", "upload", "load")
    stack = Stack("x")
    try:
        subprocess.run([f"{BUILD}/sfsample", "-rows", "776841", "-o", f"{stack.dir}/a.csv"], check=True)
        edit(f"{stack.dir}/a.csv", f"{stack.dir}/b.csv", 2026)
        stack.source = ["-var", f"source={{file: {stack.dir}/rows.csv}}"]
        shutil.copy(f"{stack.dir}/a.csv", f"{stack.dir}/rows.csv")
        wall, full = stack.apply()
        first = stack.delivered()
        weeks, noops = [], []
        for i in range(RUNS):
            os.replace(shutil.copy(f"{stack.dir}/{'ab'[(i + 1) % 2]}.csv", f"{stack.dir}/next.csv"), f"{stack.dir}/rows.csv")
            shutil.rmtree(f"{stack.dir}/stacks/.sf/cache", ignore_errors=True)
            weeks.append(stack.apply())
            second = stack.delivered() if i == 0 else second
            noops.append(stack.apply()[0])
        data = sum(full[p] for p in parts)
        row("first apply, servers and all", [wall])
        for part in parts:
            row(f"  {'plan: fetch and conform' if part == 'plan' else part}", [full[part]])
        row("  data part", [data])
        one = row("week, whole process", [w for w, _ in weeks])
        for part in parts:
            row(f"  {'plan: fetch, conform, verify' if part == 'plan' else part}", [w.get(part, 0) for _, w in weeks])
        row("nothing changed, whole process", noops)
        new = {key: entry for key, entry in second.items() if key not in first}
        for i, (what, unit) in enumerate((("rows loaded in a week", "rows"), ("bytes uploaded in a week, but manifests", "bytes"))):
            share(what, sum(entry[i] for entry in new.values()), sum(entry[i] for entry in second.values()), unit)
        print(f"{'week / data part of the first apply':<58} {one / data * 100:15.0f} %")
        print(f"{'week / first apply, servers and all':<58} {one / wall * 100:15.0f} %")
    finally:
        stack.close()
