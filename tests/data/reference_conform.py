"""The data contract's rules for the city's spending-and-revenue table, once more, as plainly as possible.

An oracle for the conform engine: written from the contract, not from the engine; one pass over lists and dicts, no speed, no
streaming. It knows the table's names by heart, where the engine reads them from the rule file.
"""
import csv
import hashlib
import io
import re
from collections import defaultdict

DIMENSIONS = {  # levels from the top: (name column, code column, label)
    "program": [("organization_group", "organization_group_code", "Organization Group"),
                ("department", "department_code", "Department"),
                ("program", "program_code", "Program")],
    "type": [("character", "character_code", "Character"),
             ("object", "object_code", "Object"),
             ("sub_object", "sub_object_code", "Sub Object")],
    "fund": [("fund_type", "fund_type_code", "Fund Type"),
             ("fund", "fund_code", "Fund"),
             ("fund_category", "fund_category_code", "Fund Category")],
}
SIDES = {"Spending": 1, "Revenue": 2}
SOURCE = ["fiscal_year", "related_govt_units", "organization_group_code", "organization_group", "department_code", "department",
          "program_code", "program", "character_code", "character", "object_code", "object", "sub_object_code", "sub_object",
          "fund_type_code", "fund_type", "fund_code", "fund", "fund_category_code", "fund_category", "revenue_or_spending",
          "amount", "data_as_of", "data_loaded_at"]
RAW = {"program": SOURCE[1:8], "type": SOURCE[8:14], "fund": SOURCE[14:20]}
HEADERS = {"related_gov_t_units": "related_govt_units", "related_gov’t_units": "related_govt_units",
           "related_gov't_units": "related_govt_units"}
FIRST_YEAR, LAST_YEAR, CURRENT_FROM = 1999, 2049, 2018
JAVASCRIPT = 2 ** 53 - 1


def canonical_header(name):
    name = re.sub(r"[ -]", "_", name.strip().lower())
    return HEADERS.get(name, name)


def trim(text):
    return text.strip(" \t")


def fold(text):
    text = re.sub(" +", " ", text.replace("\t", " ")).strip(" ")
    return "".join(c.lower() if "A" <= c <= "Z" else c for c in text)


def part(text):
    data = text.encode()
    return str(len(data)).encode() + b":" + data


def hash60(data):
    return int(hashlib.sha256(data).hexdigest()[:15], 16)


def member_key(parts):
    return 1 + hash60(b"".join(part(fold(p)) for p in parts)) % JAVASCRIPT


def cents(text):
    """Integer cents, or None."""
    text = trim(text)
    if not re.fullmatch(r"[+-]?(\d+|\d{1,3}(,\d{3})+)?(\.\d{1,2})?", text) or not re.search(r"\d", text):
        return None
    sign = -1 if text.startswith("-") else 1
    whole, _, fraction = text.lstrip("+-").replace(",", "").partition(".")
    value = int(whole or "0") * 100 + int((fraction + "00")[:2])
    return sign * value if value < 2 ** 63 else None


def money(value):
    return f"{'-' if value < 0 else ''}{abs(value) // 100}.{abs(value) % 100:02d}"


def width(column):
    return 50 if column.endswith("_code") else 100


def problem(row):
    """(column, why) of the first bad value in column order, or None."""
    year = trim(row["fiscal_year"])
    if not re.fullmatch("[0-9]{4}", year) or not FIRST_YEAR <= int(year) <= LAST_YEAR:
        return "fiscal_year"
    if fold(row["related_govt_units"]) not in ("yes", "y", "true", "no", "n", "false"):
        return "related_govt_units"
    for column in SOURCE[2:20]:
        if len(trim(row[column]).encode()) > width(column):
            return column
    if fold(row["revenue_or_spending"]) not in [fold(s) for s in SIDES]:
        return "revenue_or_spending"
    if cents(row["amount"]) is None:
        return "amount"
    return None


def name_of(row, column, label):
    return trim(row[column]) or f"No {label}"


def code_of(row, column, label):
    return trim(row[column]) or f"No {label} Code"


def related(row):
    return "Yes" if fold(row["related_govt_units"]) in ("yes", "y", "true") else "No"


def path(row, dimension):
    names = [name_of(row, name, label) for name, _, label in DIMENSIONS[dimension]]
    return [dimension] + names + ([related(row)] if dimension == "program" else [])


def line(values):
    out = io.StringIO()
    texts = []
    for value in values:
        text = "" if value is None else str(value)
        texts.append('"' + text.replace('"', '""') + '"' if re.search('[",\r\n]', text) else text)
    out.write(",".join(texts))
    return out.getvalue()


def digest_of(n, total):
    return hashlib.sha256(f"{n}:{total % 2 ** 64}".encode()).hexdigest()[:16]


def digest(lines):
    return digest_of(len(lines), sum(hash60(text.encode()) for text in lines))


def horner(numbers):
    total = 0
    for number in numbers:
        total = total * 11400714819323198485 + number
    return 2 * total + 1


def year_digest(lines):
    """Of fact lines: the key is a hash already, and is multiplied with all the rest."""
    total = 0
    for text in lines:
        key, *others, amount = text.split(",")
        total += int(key) * horner([int(v) for v in others] + [cents(amount)])
    return digest_of(len(lines), total)


def alias_digest(lines):
    total = 0
    for dimension, level, member, year, code, name, count, amount in csv.reader(lines, strict=True):
        key = hash60(b"".join(part(p) for p in (dimension, level, member, code, name)))
        total += key * horner([int(year), int(count), cents(amount)])
    return digest_of(len(lines), total)


class Conformed:
    """tables: name -> list of lines; years: year -> list of lines; both without header, in the contract's order."""

    def __init__(self):
        self.tables, self.years, self.rejected, self.totals = {}, {}, [], defaultdict(lambda: [0, 0])


def read_rows(text):
    """Rows as dicts of raw text, with the header's names made canonical."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [canonical_header(name) for name in next(reader)]
    return [dict(zip(header, row)) for row in reader]


def conform(rows):
    out = Conformed()
    good = []
    for number, row in enumerate(rows):
        bad = problem(row)
        if bad:
            out.rejected.append((number, bad))
        else:
            good.append(row)

    # current codes and spellings: of the latest fiscal year of each name path, then bytewise smallest
    latest, codes, names = {}, defaultdict(set), defaultdict(set)
    for row in good:
        year = int(trim(row["fiscal_year"]))
        for dimension, levels in DIMENSIONS.items():
            for depth in range(len(levels)):
                name, code, label = levels[depth]
                key = tuple(fold(p) for p in path(row, dimension)[:depth + 2])
                if year > latest.get(key, 0):
                    latest[key], codes[key], names[key] = year, set(), set()
                if year == latest[key]:
                    codes[key].add(code_of(row, code, label).encode())
                    names[key].add(name_of(row, name, label).encode())

    members = {d: {} for d in DIMENSIONS}
    aliases = defaultdict(lambda: [0, 0])
    groups = defaultdict(list)
    types = {}
    for row in good:
        year, amount = int(trim(row["fiscal_year"])), cents(row["amount"])
        side = next(s for s in SIDES if fold(s) == fold(row["revenue_or_spending"]))
        ids, hashes = [], []
        for dimension, levels in DIMENSIONS.items():
            names_path = path(row, dimension)
            key = member_key(names_path)
            ids.append(key)
            hashes.append(hashlib.sha256(b"".join(part(row[c]) for c in RAW[dimension])).hexdigest())
            values = [key]
            for depth in reversed(range(len(levels))):
                at = tuple(fold(p) for p in names_path[:depth + 2])
                values += [min(names[at]).decode(), min(codes[at]).decode()]
            members[dimension][key] = values + ([related(row)] if dimension == "program" else [])
            for depth, (name, code, _) in enumerate(levels):
                alias = aliases[list(DIMENSIONS).index(dimension), key, year, depth, trim(row[code]).encode(), trim(row[name]).encode()]
                alias[0] += 1
                alias[1] += amount
        groups[(year, side, *hashes, *ids)].append(amount)
        out.totals[year, side][0] += 1
        out.totals[year, side][1] += amount
        known = types.setdefault(ids[1], {"current": False, "row": row})
        known["current"] |= year >= CURRENT_FROM

    facts = defaultdict(list)
    for (year, side, program_hash, type_hash, fund_hash, *ids), amounts in groups.items():
        for occurrence, amount in enumerate(sorted(amounts), 1):
            parts = [str(year), side, program_hash, type_hash, fund_hash, str(occurrence)]
            key = 1 + hash60(b"".join(part(p) for p in parts))
            facts[year].append(line([key, year, *ids, SIDES[side], money(amount)]))
    out.years = dict(facts)

    for dimension in DIMENSIONS:
        out.tables[dimension] = [line(members[dimension][key]) for key in sorted(members[dimension])]
    out.tables["finance"] = [f"{key},{side}" for side, key in SIDES.items()]
    out.tables["code_alias"] = [
        line([list(DIMENSIONS)[d], DIMENSIONS[list(DIMENSIONS)[d]][depth][0], key, year, code.decode(), name.decode(), count,
              money(total)])
        for (d, key, year, depth, code, name), (count, total) in sorted(aliases.items())]
    out.tables["type_crosswalk"] = crosswalk(types, members["type"])
    return out


def crosswalk(types, members):
    by_code, by_name = defaultdict(list), defaultdict(list)
    for key, known in types.items():
        sub_object, code = members[key][1], members[key][2]
        if known["current"]:
            by_code[code].append(key)
            by_name[fold(sub_object)].append(key)
    lines = []
    for key in sorted(types):
        if types[key]["current"]:
            continue
        sub_object, code = members[key][1], members[key][2]
        same_code = by_code[code] if code != "No Sub Object Code" else []
        same_name = by_name[fold(sub_object)] if sub_object != "No Sub Object" else []
        if len(same_code) == 1:
            lines.append(f"{key},{same_code[0]},same_sub_object_code")
        elif len(same_name) == 1:
            lines.append(f"{key},{same_name[0]},same_sub_object_name")
    return lines
