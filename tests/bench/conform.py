"""`bench.py conform`: the conform engine on a table of the city's shape, side by side with DuckDB doing a plainer job (no keys that
never move, no totals, no codes through time, no compression) on the same cores, and with what it takes to count the lines and to
hash the file. See bench.py.

DuckDB is optional: `npm i @duckdb/node-api` in a directory named by NODE_DIR. SIZES names the millions of rows ("1 5 10": 10 need 8 GB
of disk), RUNS how often (at most 3 times above 1 M). Beside the memory used stands what is allowed: 64 MB and 32 bytes a row
of the largest fiscal year. CPU seconds tell more than wall seconds while other programs run.
"""

import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
RUNS = int(os.environ.get("RUNS", "5"))
SIZES = [int(n) for n in os.environ.get("SIZES", "1").split()]
RULES = os.path.join(ROOT, "schemas/data/sf/spending_revenue.yaml")
CORES = len(os.sched_getaffinity(0))


def once(argv, out):
    """(wall seconds, CPU seconds, peak MB) of the process. `out` is new and stays to the end: for five seconds after files were deleted
    ext4 looks long for numbers for new ones."""
    os.makedirs(out)
    start = time.perf_counter()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    words = process.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{' '.join(argv)}: {words[-2000:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def commands(source, work):
    """By name: the arguments, and the folder that is made for what comes out."""
    ours, theirs = f"{work}/ours", f"{work}/theirs"
    found = {"sfstack conform": ([f"{BUILD}/sfprobe", "conform", source, RULES, ours], ours)}
    node_dir = os.environ.get("NODE_DIR")
    if node_dir and shutil.which("node") and os.path.isdir(f"{node_dir}/node_modules/@duckdb"):
        found[f"DuckDB, {CORES} threads"] = (["node", f"{HERE}/conform_duckdb.mjs", node_dir, source, theirs, str(CORES)], theirs)
    else:
        print("no DuckDB: npm i @duckdb/node-api in a directory, and name it by NODE_DIR")
    found["wc -l"] = (["wc", "-l", source], f"{work}/lines")
    found["openssl dgst -sha256"] = (["openssl", "dgst", "-sha256", source], f"{work}/hash")
    return found


def allowed_mb(out):
    """What conforming may use, by the summary it left."""
    with open(f"{out}/summary.json") as f:
        return 64 + 32 * max(year["rows"] for year in json.load(f)["years"].values()) / 1e6


def main():
    for millions in SIZES:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
            source = f"{work}/rows.csv"
            subprocess.run([f"{BUILD}/sfsample", "-rows", str(millions * 1000000), "-o", source], check=True)
            print(f"\n# conform {millions:,} M rows, {os.path.getsize(source) / 1e6:,.0f} MB, load average {os.getloadavg()[0]:.1f}")
            costs, allowed = {}, 0
            for turn in range(RUNS if millions == 1 else min(RUNS, 3)):  # in turn, so that a machine that slows down slows all of them
                for name, (argv, out) in commands(source, f"{work}/{turn}").items():
                    costs.setdefault(name, []).append(once(argv, out))
                    if name.startswith("sfstack"):
                        allowed = allowed_mb(out)
            for name, runs in costs.items():
                wall, cpu, mb = zip(*runs)
                print(f"{name:<58} {min(wall):8.3f} {statistics.median(wall):8.3f} {max(wall):8.3f} s {max(mb):8.1f} MB"
                      f" {statistics.median(cpu):8.3f} s of CPU", flush=True)
            print(f"{'allowed to sfstack':<58} {'':27} {allowed:9.1f} MB")
            ours, theirs = (statistics.median(r[0] for r in runs) for runs in list(costs.values())[:2])
            if len(costs) > 3:
                print(f"{'times faster than DuckDB':<58} {theirs / ours:17.2f}")
