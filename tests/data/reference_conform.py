"""The data contract's rules for three tables of the city, once more, as plainly as possible.

An oracle for the conform engine: written from the contract, not from the engine; one pass over lists and dicts, no speed, no
streaming. It knows the tables' names by heart, where the engine reads them from the rule files.
"""
import csv
import hashlib
import io
import re
from collections import defaultdict

RELATED = "related_govt_units"
PROGRAM = [("organization_group", "organization_group_code", "Organization Group"),
           ("department", "department_code", "Department"),
           ("program", "program_code", "Program")]
TYPE = [("character", "character_code", "Character"),
        ("object", "object_code", "Object"),
        ("sub_object", "sub_object_code", "Sub Object")]
FUND = [("fund_type", "fund_type_code", "Fund Type"),
        ("fund", "fund_code", "Fund"),
        ("fund_category", "fund_category_code", "Fund Category")]
SIDES = {"Spending": 1, "Revenue": 2}
YES, NO = ("yes", "y", "true"), ("no", "n", "false")


class Table:
    """What is different from table to table. `flags` is dimension -> (column, accepted for Yes, accepted for No); `measures` is
    column -> whether nothing counts as 0; `details` are the texts on the row; codes of a level may be None."""

    def __init__(self, source, dimensions, flags, measures, details=(), has_sides=True, has_codes_through_time=True, first_year=1999,
                 headers=None, widths=None):
        self.source, self.dimensions, self.flags, self.measures, self.details = source, dimensions, flags, measures, list(details)
        self.has_sides, self.has_codes_through_time, self.first_year = has_sides, has_codes_through_time, first_year
        self.headers, self.widths = headers or {}, widths or {}

    def raw(self, dimension):
        """Columns of a dimension in the order of the source."""
        mine = {column for name, code, _ in self.dimensions[dimension] for column in (name, code)}
        mine.add(self.flags.get(dimension, (None,))[0])
        return [column for column in self.source if column in mine]

    def width(self, column):
        return self.widths.get(column, 50 if column.endswith("_code") else 100)


SPENDING_REVENUE = Table(
    source=["fiscal_year", RELATED, "organization_group_code", "organization_group", "department_code", "department",
            "program_code", "program", "character_code", "character", "object_code", "object", "sub_object_code", "sub_object",
            "fund_type_code", "fund_type", "fund_code", "fund", "fund_category_code", "fund_category", "revenue_or_spending",
            "amount", "data_as_of", "data_loaded_at"],
    dimensions={"program": PROGRAM, "type": TYPE, "fund": FUND}, flags={"program": (RELATED, YES, NO)}, measures={"amount": False},
    headers={"related_gov_t_units": RELATED, "related_gov’t_units": RELATED, "related_gov't_units": RELATED})
BUDGET = Table(
    source=["fiscal_year", "revenue_or_spending", "related_govt_unit", *SPENDING_REVENUE.source[2:20], "budget", "data_as_of",
            "data_loaded_at"],
    dimensions={"program": PROGRAM, "type": TYPE, "fund": FUND}, flags={}, measures={"budget": False}, first_year=2010)
VENDOR_PAYMENTS = Table(
    source=[*SPENDING_REVENUE.source[:20], "purchase_order", "vendor", "vouchers_paid", "vouchers_pending",
            "vouchers_pending_retainage", "voucher", "data_as_of", "data_loaded_at", "non_profit", "contract_number",
            "contract_title", "purchasing_authority"],
    dimensions={"program": PROGRAM, "type": TYPE, "fund": FUND, "vendor": [("vendor", None, "Vendor")],
                "contract": [("contract_number", None, "Contract"), ("contract_title", None, "Contract Title"),
                             ("purchasing_authority", None, "Purchasing Authority")]},
    flags={"program": (RELATED, YES, NO), "vendor": ("non_profit", ("x", "yes", "y"), ("", "no", "n"))},
    measures={"vouchers_paid": False, "vouchers_pending": True, "vouchers_pending_retainage": True},
    details=["voucher", "purchase_order"], has_sides=False, has_codes_through_time=False, first_year=2007,
    headers={"supplier_&_other_non_supplier_payees": "vendor", "non_profit_indicator": "non_profit",
             "purchasing_authority_title": "purchasing_authority", "purchasing_authority_description": "purchasing_authority"},
    widths={"voucher": 50, "purchase_order": 50, "vendor": 200, "contract_number": 50, "contract_title": 255,
            "purchasing_authority": 255})

DIMENSIONS, SOURCE = SPENDING_REVENUE.dimensions, SPENDING_REVENUE.source
RAW = {dimension: SPENDING_REVENUE.raw(dimension) for dimension in DIMENSIONS}
LAST_YEAR, CURRENT_FROM = 2049, 2018
JAVASCRIPT = 2 ** 53 - 1


def canonical_header(name, table=SPENDING_REVENUE):
    name = re.sub(r"[ -]", "_", name.strip().lower())
    return table.headers.get(name, name)


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


def flag(row, table, dimension):
    """Yes or No, or None when it is neither; [] for a dimension without a flag."""
    if dimension not in table.flags:
        return []
    column, yes, no = table.flags[dimension]
    value = fold(row.get(column, ""))
    return ["Yes"] if value in yes else ["No"] if value in no else None


def amounts_of(row, table):
    """Of each measure integer cents, or None."""
    return [0 if is_zero and not trim(row.get(column, "")) else cents(row.get(column, "")) for column, is_zero in table.measures.items()]


def problem(row, table=SPENDING_REVENUE):
    """Column of the first bad value, or None: the year, dimensions one after the other, the side, the first measure, details, the
    other measures."""
    year = trim(row["fiscal_year"])
    if not re.fullmatch("[0-9]{4}", year) or not table.first_year <= int(year) <= LAST_YEAR:
        return "fiscal_year"
    for dimension in table.dimensions:
        for column in table.raw(dimension):
            if column == table.flags.get(dimension, (None,))[0]:
                if flag(row, table, dimension) is None:
                    return column
            elif len(trim(row.get(column, "")).encode()) > table.width(column):
                return column
    if table.has_sides and fold(row["revenue_or_spending"]) not in [fold(s) for s in SIDES]:
        return "revenue_or_spending"
    (first, *others), (amount, *more) = table.measures, amounts_of(row, table)
    if amount is None:
        return first
    for column in table.details:
        if len(trim(row.get(column, "")).encode()) > table.width(column):
            return column
    return next((column for column, value in zip(others, more) if value is None), None)


def name_of(row, column, label):
    return trim(row.get(column, "")) or f"No {label}"


def code_of(row, column, label):
    return trim(row[column]) or f"No {label} Code"


def path(row, table, dimension):
    return [dimension] + [name_of(row, name, label) for name, _, label in table.dimensions[dimension]] + flag(row, table, dimension)


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


def year_digest(lines, table=SPENDING_REVENUE):
    """Of fact lines: the key is a hash already, texts on the row included, and is multiplied with all the rest."""
    total = 0
    for key, *others in csv.reader(lines, strict=True):
        ids, amounts = others[:-len(table.measures) - len(table.details)], others[-len(table.measures):]
        total += int(key) * horner([int(v) for v in ids] + [cents(amount) for amount in amounts])
    return digest_of(len(lines), total)


def alias_digest(lines):
    total = 0
    for dimension, level, member, year, code, name, count, amount in csv.reader(lines, strict=True):
        key = hash60(b"".join(part(p) for p in (dimension, level, member, code, name)))
        total += key * horner([int(year), int(count), cents(amount)])
    return digest_of(len(lines), total)


class Conformed:
    """tables: name -> list of lines; years: year -> list of lines; both without header, in the contract's order. totals: (year,
    side) -> rows, then the total of each measure; side is None where there are none."""

    def __init__(self, table):
        self.tables, self.years, self.rejected = {}, {}, []
        self.totals = defaultdict(lambda: [0] * (1 + len(table.measures)))


def read_rows(text, table=SPENDING_REVENUE):
    """Rows as dicts of raw text, with the header's names made canonical."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [canonical_header(name, table) for name in next(reader)]
    return [dict(zip(header, row)) for row in reader]


def conform(rows, table=SPENDING_REVENUE):
    out = Conformed(table)
    good = []
    for number, row in enumerate(rows):
        bad = problem(row, table)
        if bad:
            out.rejected.append((number, bad))
        else:
            good.append(row)

    # current codes and spellings: of the latest fiscal year of each name path, then bytewise smallest
    latest, codes, names = {}, defaultdict(set), defaultdict(set)
    for row in good:
        year = int(trim(row["fiscal_year"]))
        for dimension, levels in table.dimensions.items():
            for depth, (name, code, label) in enumerate(levels):
                key = tuple(fold(p) for p in path(row, table, dimension)[:depth + 2])
                if year > latest.get(key, 0):
                    latest[key], codes[key], names[key] = year, set(), set()
                if year == latest[key]:
                    names[key].add(name_of(row, name, label).encode())
                    if code:
                        codes[key].add(code_of(row, code, label).encode())

    members = {d: {} for d in table.dimensions}
    aliases = defaultdict(lambda: [0, 0])
    groups = defaultdict(list)
    types = {}
    for row in good:
        year, amounts = int(trim(row["fiscal_year"])), amounts_of(row, table)
        side = next(s for s in SIDES if fold(s) == fold(row["revenue_or_spending"])) if table.has_sides else None
        ids, hashes = {}, []
        for number, (dimension, levels) in enumerate(table.dimensions.items()):
            names_path = path(row, table, dimension)
            key = ids[dimension] = member_key(names_path)
            hashes.append(hashlib.sha256(b"".join(part(row.get(c, "")) for c in table.raw(dimension))).hexdigest())
            values = [key]
            for depth in reversed(range(len(levels))):
                at = tuple(fold(p) for p in names_path[:depth + 2])
                values.append(min(names[at]).decode())
                if levels[depth][1]:
                    values.append(min(codes[at]).decode())
            members[dimension][key] = values + flag(row, table, dimension)
            for depth, (name, code, _) in enumerate(levels if table.has_codes_through_time else []):
                alias = aliases[number, key, year, depth, trim(row[code]).encode(), trim(row[name]).encode()]
                alias[0] += 1
                alias[1] += amounts[0]
        details = tuple(row.get(column, "") for column in table.details)
        groups[(year, side, *hashes), tuple(ids.values()), details].append(amounts)
        total = out.totals[year, side]
        for n, value in enumerate([1, *amounts]):
            total[n] += value
        known = types.setdefault(ids["type"], {"current": False, "row": row})
        known["current"] |= year >= CURRENT_FROM

    facts = defaultdict(list)
    for ((year, side, *hashes), ids, details), rows_of_group in groups.items():
        for occurrence, amounts in enumerate(sorted(rows_of_group), 1):
            parts = [str(year), *([side] if side else []), *hashes, *details, str(occurrence)]
            key = 1 + hash60(b"".join(part(p) for p in parts))
            facts[year].append(line([key, year, *ids, *([SIDES[side]] if side else []), *[trim(text) for text in details],
                                     *[money(amount) for amount in amounts]]))
    out.years = dict(facts)

    for dimension in table.dimensions:
        out.tables[dimension] = [line(members[dimension][key]) for key in sorted(members[dimension])]
    if table.has_sides:
        out.tables["finance"] = [f"{key},{side}" for side, key in SIDES.items()]
    if table.has_codes_through_time:
        names_of = list(table.dimensions)
        out.tables["code_alias"] = [
            line([names_of[d], table.dimensions[names_of[d]][depth][0], key, year, code.decode(), name.decode(), count, money(total)])
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
