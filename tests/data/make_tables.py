"""Made-up rows of the city's budget and vendor payments: their columns, shapes and quirks, invented names and amounts.

    python3 tests/data/make_tables.py vendor-payments -rows 8070000 -o vendor.csv

The same options give the same bytes. Only what a test or a measurement needs: no answer key, the recount is reference_conform.py.
"""
import argparse
import csv
import random
import sys
from itertools import accumulate

BUDGET = ["fiscal_year", "revenue_or_spending", "related_govt_unit", "organization_group_code", "organization_group",
          "department_code", "department", "program_code", "program", "character_code", "character", "object_code", "object",
          "sub_object_code", "sub_object", "fund_type_code", "fund_type", "fund_code", "fund", "fund_category_code", "fund_category",
          "budget", "data_as_of", "data_loaded_at"]
VENDOR_PAYMENTS = ["fiscal_year", "related_govt_units", *BUDGET[3:21], "purchase_order", "vendor", "vouchers_paid",
                   "vouchers_pending", "vouchers_pending_retainage", "voucher", "data_as_of", "data_loaded_at",
                   "non_profit_indicator", "contract_number", "contract_title", "purchasing_authority_title"]
DISPLAY = {"sub_object_code": "Sub-object Code", "sub_object": "Sub-object", "revenue_or_spending": "Revenue or Spending",
           "vendor": "Supplier & Other Non-Supplier Payees", "non_profit_indicator": "Non-Profit Indicator",
           "data_as_of": "data_as_of", "data_loaded_at": "data_loaded_at"}
# data_as_of of vendor payments: text, in whatever way the system of the day wrote it
AS_OF = ["2017-07-03 00:00:00-07:00", "2024-11-05 00:00:00.000", "09/14/2025", "2026-09-20T23:05:20.000", "20-SEP-26", ""]
GROUPS = ["Public Protection", "Public Works, Transportation & Commerce", "Human Welfare & Neighborhood Development",
          "Community Health", "Culture & Recreation", "General Administration & Finance", "General City Responsibilities"]
SHAPES = {  # rows of a small and of a real table differ in how many members they have
    "budget": {"first": 2010, "last": 2027, "departments": 60, "programs": 700, "types": 2500, "funds": 500},
    "vendor-payments": {"first": 2007, "last": 2027, "departments": 60, "programs": 900, "types": 1800, "funds": 600,
                        "vendors": 40000, "contracts": 25000},
}


def display_name(field):
    return DISPLAY.get(field, field.replace("_", " ").title())


class Draw:
    """Choices with a few favourites, drawn in batches: one by one they would take most of the time."""

    def __init__(self, rng, items, favour=0.9):
        self.rng, self.items = rng, items
        self.weights = list(accumulate(1 / (n + 1) ** favour for n in range(len(items))))
        self.batch = []

    def __call__(self):
        if not self.batch:
            self.batch = self.rng.choices(self.items, cum_weights=self.weights, k=4096)
        return self.batch.pop()


def money(cents):
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def grouped(cents):
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


class Members:
    """Rows of each dimension as lists of fields, for the chart of accounts through 2017 and the one since."""

    def __init__(self, rng, shape):
        words = ["Harbor", "Street", "Permit", "Library", "Garden", "Water", "Bridge", "Health", "Records", "Transit", "Housing",
                 "Court", "Fleet", "Music", "Tree", "Port", "Archive", "Signal", "Shelter", "Light"]

        def name(n):
            return f"{words[n % len(words)]} {words[n * 7 // 3 % len(words)]} {n // len(words)}"
        departments = []
        for n in range(shape["departments"]):
            code = "".join(chr(65 + (n * step + 3) % 26) for step in (1, 5, 11))
            departments.append((f"0{1 + n % 7}", GROUPS[n % 7], code, f"{code} {name(n)} Department"))
        self.programs = []
        for n in range(shape["programs"]):
            group_code, group, code, department = departments[min(n, rng.randrange(len(departments)))]
            program = ("", "") if n % 97 == 5 else (f"{n:05d}", f"{name(n)} Program" if n % 31 else "Administration")
            other = department.replace(" ", "  ", 1) if n % 41 == 7 else department.upper() if n % 43 == 9 else department
            self.programs.append(([group_code, group, code, department, *program], [group_code, group, code, other, *program]))
        self.types = []
        for n in range(shape["types"]):
            character, thing, sub = n % 40, n % 300, n
            sub_name = f"{name(sub)} \u2013 Costs" if n % 53 == 2 else f'{name(sub)}, "Other"' if n % 59 == 4 else f"{name(sub)} Costs"
            if n == 11:
                self.types.append((["NKE", "", "", "", "NKEY", ""],) * 2)
                continue
            character_name = ["Transfers Out", "Intrafund Transfers Out", f"Character {character}"][min(character, 2)]
            old = [f"{1 + character:03d}", character_name, f"{thing:03d}", f"Object {thing}", f"{sub:05d}", sub_name]
            new = [f"CHAR_{character:02d}", character_name, f"{5000 + thing}", f"Object {thing}", f"{500000 + sub}", sub_name]
            if n % 3 == 0:  # the code lives on, of some under another name
                new[4] = old[4]
                new[5] += " (new)" if n % 6 == 0 else ""
            elif n % 7 == 1:  # the name lives on, in another place
                new[3] += " (new)"
            self.types.append((old, new))
        self.funds = []
        for n in range(shape["funds"]):
            kind = n % 30
            category = ["", ""] if n % 83 == 3 else [str(n % 8), f"Category {n % 8}"]
            fund = "General Fund" if n == 0 else f"{name(n)} Fund"
            self.funds.append(([f"{kind}G", f"Fund Type {kind}", f"{kind}G{n:03d}", fund, *category],
                               [f"TYPE_{kind}", f"Fund Type {kind}", f"TYPE_{kind}~{10000 + n}", fund, *category]))


def vendors(rng, n_vendors):
    """(name, other spelling, non-profit): the banks first, so that they are paid the most."""
    found = []
    for n in range(n_vendors):
        if n < 3:
            bank = ["HARBOR TRUST BANK", "Pacific Fiscal Agents", "BAY CLEARING HOUSE"][n]
            found.append((f"{bank} NA", f"{bank}, N.A." if n == 0 else f"{bank}  na", ""))
            continue
        kind = rng.choice(["INC", "LLC", "Co, Inc.", "SERVICES", "ASSOCIATES", "d/b/a \"Best\"", "FOUNDATION", "& Sons"])
        name = f"VENDOR {n:05d} {kind}"
        found.append((name, name.title() if n % 5 == 0 else name, "X" if kind == "FOUNDATION" else ""))
    return found


def budget_rows(rows, seed):
    """Rows as lists. The sides of a year are equal but for a few dollars: the last row of each year sees to it."""
    rng = random.Random(seed)
    shape = SHAPES["budget"]
    members = Members(rng, shape)
    draws = [Draw(rng, members.programs), Draw(rng, members.types), Draw(rng, members.funds)]
    years = range(shape["first"], shape["last"] + 1)
    per_year = [rows // len(years) + (n < rows % len(years)) for n in range(len(years))]
    for year, n_rows in zip(years, per_year):
        balance = 0
        for n in range(n_rows):
            side = "Revenue" if n + 1 == n_rows or rng.random() < 0.2 else "Spending"
            cents = int(rng.lognormvariate(13, 2.5)) if side == "Spending" else int(rng.lognormvariate(15, 2.5))
            if rng.random() < 0.03:
                cents = -cents  # transfer adjustments and the like
            if n % 50 == 7:
                cents = cents // 100 * 100
            if n + 1 == n_rows:
                cents = balance + 3
            balance += cents if side == "Spending" else -cents
            parts = [draw()[year >= 2018] for draw in draws]
            yield [str(year), side, side, *parts[0], *parts[1], *parts[2], cents, "2026-09-20T23:05:20.000", "2026-09-21T03:03:01.000"]


def vendor_payment_rows(rows, seed):
    rng = random.Random(seed)
    shape = SHAPES["vendor-payments"]
    members = Members(rng, shape)
    small = rows < 1000000  # a small table has fewer members, so that they occur in more than one row
    payees = vendors(rng, 300 if small else shape["vendors"])
    contracts = [(f"{1000000000 + n}", f"Services of contract {n}, as amended" if n % 3 else f"Contract {n}", f"Chapter 2{n % 4}.{n % 9}")
                 for n in range(200 if small else shape["contracts"])]
    draws = [Draw(rng, members.programs), Draw(rng, members.types), Draw(rng, members.funds)]
    draw_contract = Draw(rng, contracts, 0.5)
    years = range(shape["first"], shape["last"] + 1)
    n_of_year = len(payees) // 6
    voucher_number = 0
    for at, year in enumerate(years):
        # vendors come and go; the banks stay
        begin = (len(payees) - n_of_year) * at // len(years)
        draw_vendor = Draw(rng, [*payees[:3], *payees[3 + begin:begin + n_of_year]])
        n_rows = rows // len(years) + (at < rows % len(years))
        voucher = ""
        while n_rows > 0:
            voucher_number += 1
            voucher = "" if voucher_number % 2003 == 0 else f"{voucher_number:08d}"
            name, other, non_profit = draw_vendor()
            name = other if rng.random() < 0.1 else name
            contract = draw_contract() if rng.random() < 0.3 else ("", "", "")
            order = f"{rng.randrange(10 ** 7):010d}" if contract[0] or rng.random() < 0.4 else "Direct Payments"
            parts = [draw()[year >= 2018] for draw in draws]
            # most vouchers have one line, some a few that differ in the account, a few that differ in the amount alone
            for line in range(1 if rng.random() < 0.93 else rng.randrange(2, 6)):
                if n_rows == 0:
                    break
                n_rows -= 1
                if line % 2:
                    parts[1] = draws[1]()[year >= 2018]
                paid = int(rng.lognormvariate(11, 2))
                if rng.random() < 0.04:
                    paid = -paid
                if name.startswith(("HARBOR", "Pacific", "BAY")):
                    paid *= 1000
                pending = int(rng.lognormvariate(9, 2)) if rng.random() < 0.02 else 0
                retainage = pending // 10 if pending % 7 == 0 else 0
                related = ("Yes" if voucher_number % 50 == 0 else "No") if year < 2018 else ("YES" if voucher_number % 50 == 0 else "NO")
                yield [str(year), related, *parts[0], *parts[1], *parts[2], order, name, paid,
                       None if voucher_number % 11 == 0 and not pending else pending, retainage or None, voucher,
                       AS_OF[voucher_number % len(AS_OF)], "2026-09-21T03:03:01.000", non_profit, *contract]


TABLES = {"budget": (BUDGET, budget_rows), "vendor-payments": (VENDOR_PAYMENTS, vendor_payment_rows)}


def write(table, out, rows, seed=1, display=False, thousands=False, without=(), rename=None, shuffle=None):
    """CSV text of a table. `without` leaves columns out, `rename` gives others another name."""
    fields, make = TABLES[table]
    keep = [n for n, field in enumerate(fields) if field not in without]
    text = grouped if thousands else money
    writer = csv.writer(out, lineterminator="\n")
    names = [(rename or {}).get(field, display_name(field) if display else field) for field in fields]
    writer.writerow([names[n] for n in keep])
    found = make(rows, seed)
    if shuffle is not None:
        found = list(found)
        random.Random(shuffle).shuffle(found)
    for row in found:
        row = [text(value) if isinstance(value, int) else "" if value is None else value for value in row]
        writer.writerow(row if len(keep) == len(row) else [row[n] for n in keep])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("-rows", type=int, default=20000)
    parser.add_argument("-seed", type=int, default=1)
    parser.add_argument("-display", action="store_true")
    parser.add_argument("-thousands", action="store_true")
    parser.add_argument("-o", default="/dev/stdout")
    options = parser.parse_args()
    with open(options.o, "w", newline="", encoding="utf-8") as out:
        write(options.table, out, options.rows, options.seed, options.display, options.thousands)


if __name__ == "__main__":
    sys.exit(main())
