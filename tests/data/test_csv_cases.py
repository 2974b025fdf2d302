"""`sfprobe csv` over published cases: SF_CSV_VECTORS names a folder with csvs/NAME.csv and json/NAME.json, objects by header."""

import json
import os
import subprocess

import pytest

from conftest import BUILD


def test_every_published_case_comes_out_as_it_says():
    folder = os.environ.get("SF_CSV_VECTORS")
    if not folder:
        pytest.skip("SF_CSV_VECTORS names no folder of CSV cases")
    names = sorted(name[:-4] for name in os.listdir(f"{folder}/csvs") if name.endswith(".csv"))
    assert names, f"no case in {folder}"
    wrong = []
    for name in names:
        done = subprocess.run([f"{BUILD}/sfprobe", "csv", f"{folder}/csvs/{name}.csv"], capture_output=True, text=True)
        with open(f"{folder}/json/{name}.json", encoding="utf-8") as file:
            want = json.load(file)
        header, *records = json.loads(done.stdout) if done.returncode == 0 else [[]]
        have = [dict(zip(header, record)) for record in records]
        if done.returncode or have != want:
            wrong.append(f"{name}: {have}{done.stderr}\nwanted {want}")
    assert not wrong, "\n".join([f"{len(wrong)} of {len(names)} cases are wrong", *wrong])
