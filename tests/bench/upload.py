"""bench.py upload: the sample's delivery put by our upload and by OpenSSH's `sftp -b`, to the same ProFTPD with the same key, on
loopback and over a line that takes 25 ms each way; and straight into a bucket of the AWS test server, beside `aws s3 cp`.

The line is a relay on loopback that passes bytes on 25 ms later, at any speed; both sides go through it. (A TCP connect to a relay
is answered at once, so both save one round trip in ten.)
"""

import glob
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
RUNS = int(os.environ.get("RUNS", "5"))
sys.path.insert(0, f"{ROOT}/tests/local")


def delivery(where):
    """The conformed sample, its manifests and commit file by their sizes. [(step, local, remote)]"""
    subprocess.run([f"{BUILD}/sfsample", "-rows", "776841", "-o", f"{where}/rows.csv"], check=True)
    subprocess.run([f"{BUILD}/sfprobe", "conform", f"{where}/rows.csv", f"{ROOT}/schemas/data/sf/spending_revenue.yaml", f"{where}/out"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.unlink(f"{where}/rows.csv")
    files = [(0, path, os.path.relpath(path, f"{where}/out")) for path in sorted(glob.glob(f"{where}/out/**/*.csv.gz", recursive=True))]
    for i, table in enumerate(sorted({remote.split("/")[0] for _, _, remote in files})):
        with open(f"{where}/m{i}", "w") as file:
            file.write("x" * (4500 if table == "transaction" else 160))
        files.append((1, f"{where}/m{i}", f"{table}/0123456789abcde{i}.manifest"))
    with open(f"{where}/commit", "w") as file:
        file.write("x" * 700)
    return files + [(2, f"{where}/commit", "delivery/0123456789abcdef.json")]


STRAIGHT = """stack: straight
provider: aws
aws: {region: us-west-2}
resources:
  landing: {kind: bucket, name: straight-landing}
  figures: {kind: dataset, source: {file: rows.csv}, conform: builtin:sf/spending_revenue}
"""


def straight():
    """The sample's delivery straight into a bucket of the AWS test server: `sfapply` of one upload, with the plan before it and the
    look after it, and `aws s3 cp` of the same files, which only copies. The server, in Python, is most of both."""
    import aws
    python, program = aws.python_with("moto"), shutil.which("aws")
    if not python or not program:
        print("straight into a bucket: not measured, moto or the aws command line is not installed")
        return
    work, server = tempfile.mkdtemp(dir="/var/tmp"), aws.Server(python)
    try:
        subprocess.run([f"{BUILD}/sfsample", "-rows", "776841", "-o", f"{work}/rows.csv"], check=True)
        with open(f"{work}/stack.yaml", "w") as file:
            file.write(STRAIGHT)
        aws.measure(["sfapply", "-auto-approve"], work, server.env)
        with open(f"{work}/stack.yaml", "a") as file:
            file.write("  delivery: {kind: upload, of: figures, to: landing, via: bucket}\n")
        rows = {"sfapply of one upload, via: bucket": [], "aws s3 cp --recursive": []}
        for _ in range(RUNS):
            rows["sfapply of one upload, via: bucket"].append(aws.measure(["sfapply", "-auto-approve"], work, server.env))
            if not os.path.isdir(f"{work}/files"):
                aws.measure([program, "s3", "cp", "--recursive", "s3://straight-landing", f"{work}/files"], work, server.env)
            rows["aws s3 cp --recursive"].append(
                aws.measure([program, "s3", "cp", "--recursive", f"{work}/files", "s3://straight-landing/again"], work, server.env))
            aws.measure(["sfdestroy", "-auto-approve", "-target=delivery"], work, server.env)
        for name, costs in rows.items():
            print(f"{name:<58} {min(c.wall for c in costs):8.3f} {aws.median(costs).wall:8.3f} {max(c.wall for c in costs):8.3f} s"
                  f" {aws.median(costs).mb:6.0f} MB", flush=True)
    finally:
        server.stop()
        shutil.rmtree(work, ignore_errors=True)


def main():
    over_sftp()
    straight()


def over_sftp():
    import sftp_site
    from sftp_line import Line
    print("\n# upload: one delivery of 776,841 facts, to ProFTPD; 1 session when a login is quick, else 12")
    where = tempfile.mkdtemp(dir="/var/tmp")
    os.chmod(where, 0o755)  # the server's account runs the harness
    site = sftp_site.Site(sftp_site.build_harness(where))
    try:
        files = delivery(where)
        site.key("up")
        site.start([{"name": "up", "bucket": "b", "prefix": "", "keys": ["up"],
                     "grants": [{"prefix": "", "verbs": ["list", "get", "put", "delete"]}]}])
        print(f"{len(files)} files, {sum(os.path.getsize(f[1]) for f in files) / 1e6:.1f} MB")
        folders = sorted({os.path.dirname(f[2])[:i] for f in files for i in range(1, len(os.path.dirname(f[2])) + 1)
                          if (os.path.dirname(f[2]) + "/")[i] == "/"})
        with open(f"{where}/batch", "w") as file:
            file.write("".join(f"-mkdir {d}\n" for d in folders) + "".join(f"put {local} {remote}\n" for _, local, remote in files))
        for name, delay in (("loopback", 0), ("50 ms round trip", 25)):
            port = Line(site.port, delay_ms=delay).port if delay else site.port
            peer = ["sftp", "-q", "-b", f"{where}/batch", "-i", site.keys["up"], "-P", str(port), "-o", "StrictHostKeyChecking=no",
                    "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", "up@127.0.0.1"]
            ours = [site.harness, "deliver", "127.0.0.1", str(port), "up", site.keys["up"], site.fingerprint()]
            medians = []
            for who, argv, text in (("sftp -b", peer, None), ("sfstack", ours, "".join(f"{s}\t{l}\t{r}\n" for s, l, r in files))):
                walls = []
                for _ in range(RUNS if not delay else max(1, RUNS // 2)):
                    shutil.rmtree(site.data("b"), ignore_errors=True)
                    os.makedirs(site.data("b"))
                    site.give_away()
                    start = time.perf_counter()
                    done = subprocess.run(argv, input=text, text=True, capture_output=True)
                    walls.append(time.perf_counter() - start)
                    if done.returncode or (text and not done.stdout.startswith("OK")):
                        raise SystemExit(f"{who}: {done.stdout}{done.stderr[-2000:]}")
                    for _, local, remote in files:
                        assert os.path.getsize(f"{site.data('b')}/{remote}") == os.path.getsize(local), remote
                medians.append(statistics.median(walls))
                print(f"{f'{name}: {who}':<58} {min(walls):8.3f} {medians[-1]:8.3f} {max(walls):8.3f} s", flush=True)
            print(f"{f'{name}: times faster than sftp':<58} {medians[0] / medians[1]:17.2f}")
    finally:
        site.close()
        shutil.rmtree(where, ignore_errors=True)
