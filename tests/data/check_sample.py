#!/usr/bin/python3
"""Recounts a sample's answer key from its CSV alone. Usage: check_sample.py FILE.csv KEY.json

Reads with the csv module and knows the rules of the data contract (nulls, folding), nothing of the generator. Prints each
difference; exit 1 if there is one. Works on every layout, header, quoting and number format that the generator can write.
"""

import csv
import hashlib
import json
import sys
from collections import Counter, defaultdict

COLUMNS = (
    "fiscal_year related_govt_units organization_group_code organization_group department_code department program_code "
    "program character_code character object_code object sub_object_code sub_object fund_type_code fund_type fund_code fund "
    "fund_category_code fund_category revenue_or_spending amount data_as_of data_loaded_at"
).split()
DIMENSIONS = {
    "program": ["organization_group", "department", "program"],
    "type": ["character", "object", "sub_object"],
    "fund": ["fund_type", "fund", "fund_category"],
}
LISTED = 10000


def api_name(name):
    name = name.replace("\u2019", "_").replace(" ", "_").replace("-", "_").lower()
    return "related_govt_units" if name == "related_gov_t_units" else name


def cents_of(text):
    text = text.replace(",", "")
    sign = -1 if text.startswith("-") else 1
    whole, _, part = text.lstrip("-").partition(".")
    assert len(part) <= 2 and whole.isdigit(), text
    return sign * (int(whole) * 100 + int((part + "00")[:2]))


def read(path):
    """Rows as dicts of API names, with the amount in cents."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, strict=True)
        header = [api_name(name) for name in next(lines)]
        rows = []
        for line in lines:
            assert len(line) == len(header), f"row {len(rows) + 1} has {len(line)} fields"
            row = dict(zip(header, line))
            row["amount"] = cents_of(row["amount"])
            rows.append(row)
    return header, rows


def fold(text):
    text = " ".join(part for part in text.replace("\t", " ").split(" ") if part)
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def named(row, level):
    return row[level] or "No " + level.replace("_", " ").title()


def dimension(rows, name):
    """The key's entry for one dimension."""
    levels = DIMENSIONS[name]
    raw = [c for level in levels for c in (level + "_code", level)] + (["related_govt_units"] if name == "program" else [])
    distinct = {tuple(row[c] for c in raw): row for row in rows}.values()
    after = {tuple(fold(named(row, level)) for level in levels)
             + ((fold(row["related_govt_units"]),) if name == "program" else ()) for row in distinct}
    found = []
    for depth, level in enumerate(levels, 1):
        codes = defaultdict(set)
        for row in distinct:
            codes[tuple(named(row, upper) for upper in levels[:depth])].add(row[level + "_code"])
        found.append({
            "level": level,
            "name_paths": len(codes),
            "name_paths_folded": len({tuple(map(fold, path)) for path in codes}),
            "name_paths_with_several_codes": sum(len(c) > 1 for c in codes.values()),
        })
    return {"members_before": len(distinct), "members_after": len(after), "levels": found}


# What a defect looks like in a row of text; those that only the generator can know are not here.
DEFECTS = {
    "null_department": lambda r: not r["department"],
    "null_program": lambda r: not r["program"] and not r["program_code"],
    "null_type": lambda r: (r["character_code"], r["character"], r["object_code"], r["object"], r["sub_object_code"],
                            r["sub_object"]) == ("NKE", "", "", "", "NKEY", ""),
    "null_fund": lambda r: not r["fund"],
    "null_fund_category": lambda r: not r["fund_category"] and not r["fund_category_code"],
    "zero_amount": lambda r: r["amount"] == 0,
    "negative_amount": lambda r: r["amount"] < 0,
    "elimination_source": lambda r: r["character_code"] == "ELS" and r["revenue_or_spending"] == "Revenue",
    "elimination_use": lambda r: r["character_code"] == "ELU" and r["revenue_or_spending"] == "Spending",
    "related_unit": lambda r: r["related_govt_units"].lower() == "yes",
    "double_space": lambda r: any("  " in v for v in members(r)),
    "mojibake": lambda r: any("\u00e2\u20ac" in v for v in members(r)),
    "en_dash": lambda r: any("\u2013" in v for v in members(r)),
    "comma": lambda r: any("," in v for v in members(r)),
    "apostrophe": lambda r: any("'" in v for v in members(r)),
    "ampersand": lambda r: any("&" in v for v in members(r)),
    "tilde": lambda r: any("~" in v for v in members(r)),
    "leading_zero": lambda r: r["object_code"].startswith("0") or r["sub_object_code"].startswith("0"),
}


def members(row):
    return [v for c, v in row.items() if c in COLUMNS[1:20]]


def recount(path):
    """The parts of the key that the file alone can tell."""
    header, rows = read(path)
    totals = defaultdict(lambda: [0, 0])
    for row in rows:
        cell = totals[int(row["fiscal_year"]), row["revenue_or_spending"], row["related_govt_units"].title()]
        cell[0] += 1
        cell[1] += row["amount"]
    natural = Counter(tuple(row[c] for c in COLUMNS[:21]) for row in rows)
    whole = Counter(tuple(row[c] for c in COLUMNS[:22]) for row in rows)
    hits = {kind: [i for i, row in enumerate(rows, 1) if test(row)] for kind, test in DEFECTS.items()}
    with open(path, "rb") as file:
        text = file.read()
    return {
        "rows": len(rows),
        "file": {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()},
        "totals": {k: tuple(v) for k, v in totals.items()},
        "columns": {c: {"distinct": len({r[c] for r in rows} - {""}), "nulls": sum(r[c] == "" for r in rows)} for c in header},
        "dimensions": {name: dimension(rows, name) for name in DIMENSIONS},
        "natural_key": {"excess_rows": len(rows) - len(natural), "excess_identical_rows": len(rows) - len(whole)},
        "defects": hits,
    }


def differences(path, key_path):
    """Texts, one for each disagreement between the key and the file."""
    with open(key_path, encoding="utf-8") as file:
        key = json.load(file)
    seen = recount(path)
    key["totals"] = {(t["fiscal_year"], t["revenue_or_spending"], t["related_govt_units"]): (t["rows"], t["cents"])
                     for t in key["totals"]}
    found = []

    def compare(what, wanted, got):
        if wanted != got:
            found.append(f"{what}: key {wanted!r}, file {got!r}")

    compare("rows", key["rows"], seen["rows"])
    compare("file", key["file"], seen["file"])
    compare("natural_key", key["natural_key"], seen["natural_key"])
    for part in ("totals", "columns", "dimensions"):
        for name in sorted(set(key[part]) | set(seen[part]), key=str):
            compare(f"{part} {name}", key[part].get(name), seen[part].get(name))
    for kind, rows in seen["defects"].items():
        wanted = key["defects"][kind]
        compare(f"count of {kind}", wanted["count"], len(rows))
        if wanted["count"] <= LISTED:
            compare(f"rows of {kind}", sorted(wanted["rows"]), rows)
    return found


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    wrong = differences(sys.argv[1], sys.argv[2])
    print("\n".join(wrong) or "the key agrees with the file")
    sys.exit(1 if wrong else 0)
