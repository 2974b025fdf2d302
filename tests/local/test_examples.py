"""The guide in schemas/data: every query in it gives the answer that it shows, and the dictionary is what the warehouse says of itself.

The answers are those of the whole default sample. `SF_GOLDEN=write` rewrites answers and dictionary from what the warehouse says.
"""

import os
import re
import shlex

import pytest

from conftest import ROOT, Workspace

GUIDE = f"{ROOT}/schemas/data/README.md"
DICTIONARY = f"{ROOT}/schemas/data/sf/dictionary.md"
NOTE = "SAMPLE DATA, NOT THE CITY'S FIGURES"
EXAMPLE = re.compile(r"(```sql\n(.*?)\n```\n)(?:\n```text\n(.*?)\n```\n)?", re.S)
WRITES = os.environ.get("SF_GOLDEN") == "write"
# kind, relation, its comment, column, type, the column's comment; in the order people see them
CATALOG = """select c.relkind, c.relname, obj_description(c.oid, 'pg_class'), a.attname, format_type(a.atttypid, a.atttypmod),
 col_description(c.oid, a.attnum) from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
 where c.relnamespace = 'report'::regnamespace and c.relkind in ('r', 'p', 'v') order by c.relkind <> 'v', c.relname, a.attnum"""


def read(path):
    with open(path) as file:
        return file.read()


def check(path, text):
    if WRITES:
        with open(path, "w") as file:
            file.write(text)
    assert read(path) == text, f"{path} is not what the warehouse says; SF_GOLDEN=write rewrites it"


@pytest.fixture(scope="module")
def whole(installed):
    """The flagship stack over the whole default sample."""
    workspace = Workspace(installed, None)
    try:
        workspace.flagship()
        del workspace.env["SF_VAR_source"]
        workspace.apply()
        yield workspace
    finally:
        workspace.close()


def answer(whole, query):
    """What psql shows the reader, without the blanks at the ends of lines."""
    result = whole.shell(f"{whole.output('psql_command')} -X -c {shlex.quote(query)}")
    assert result.code == 0, f"{query}: {result}"
    return "\n".join(line.rstrip() for line in result.out.strip("\n").splitlines())


def test_every_query_of_the_guide_gives_the_answer_it_shows(whole):
    text = read(GUIDE)
    assert text.index(NOTE) < text.index("```sql")
    examples = EXAMPLE.findall(text)
    assert len(examples) == 10
    check(GUIDE, EXAMPLE.sub(lambda m: f"{m.group(1)}\n```text\n{answer(whole, m.group(2))}\n```\n", text))


def test_the_guides_commands_work(whole):
    lines = re.findall(r"^    ((?:sh -c|build/).*)$", read(GUIDE), re.M)
    assert len(lines) == 3
    for line in lines:
        done = whole.shell(line.replace("build/sfstate -f stacks/sf-finance.yaml", "sfstate"), input="\\dv\n\\q\n")
        assert done.code == 0 and done.err == "", done
    assert whole.read("totals.csv").startswith("fiscal_year,is_partial,spending,")


def test_every_query_of_the_guide_can_be_asked_by_sfstate_too(whole):
    for _, query, shown in EXAMPLE.findall(read(GUIDE)):
        rows = whole.ok("sfstate", "query", query).out.splitlines()
        assert rows[-1] == shown.splitlines()[-1]
        assert [re.sub(r"[ |]+", " ", r).strip() for r in rows[2:-1]] == [re.sub(r"[ |]+", " ", r).strip() for r in shown.splitlines()[2:-1]]


def test_the_dictionary_is_what_the_warehouse_says_of_itself(whole):
    rows = whole.query(re.sub(r"\s+", " ", CATALOG))
    lines = ["# Dictionary", "", "Every view and table of the schema `report`, in the words that `\\d+ NAME` shows in psql.", ""]
    lines += ["Written from a loaded warehouse by `SF_GOLDEN=write` and `tests/local/test_examples.py`; the words are those of `star.yaml`.", ""]
    section, relation = None, None
    for kind, name, comment, column, kind_of_column, means in rows:
        if section != (kind == "v"):
            section = kind == "v"
            lines += ["## Views" if section else "## Tables", ""]
        if relation != name:
            assert comment.startswith(NOTE + ". "), name
            lines += [""] * (relation is not None and lines[-1] != "")
            lines += [f"### {name}", "", comment[len(NOTE) + 2:] + ".", "", "| column | type | means |", "| --- | --- | --- |"]
            relation = name
        assert means, f"{name}.{column} has no comment"
        lines.append(f"| `{column}` | {kind_of_column} | {means} |")
    check(DICTIONARY, "\n".join(lines) + "\n")


def test_the_guide_lists_every_view_and_table_and_no_other(whole):
    there = {name for (name,) in whole.query("select relname from pg_class where relnamespace = 'report'::regnamespace and relkind in ('r', 'p', 'v')")}
    part = read(GUIDE).partition("## What is there")[2].partition("## Ten questions")[0]
    named = set(re.findall(r"`(\w+)`", part))
    columns = {name for (name,) in whole.query("select distinct attname from pg_attribute")}
    assert there - {"load_rejects"} <= named
    assert named <= there | columns | {"with_related_units", "_id"}, named - there - columns


def test_names_need_no_quotes(whole):
    names = whole.query("select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0"
                        " where c.relnamespace = 'report'::regnamespace and c.relkind in ('r', 'p', 'v')")
    script = "".join(f"select x.{column} as {column} from {relation} x limit 0;\n" for relation, column in names)
    asked = whole.shell(f"{whole.output('psql_command')} -X -q -v ON_ERROR_STOP=1", input=script)
    assert asked.code == 0 and asked.err == "", asked


# --- what the views promise, against sums made another way ---

def test_the_views_add_up_to_the_books(whole):
    base = ("from transaction t join program p on p.program_id = t.program_id and p.related_govt_units = 'No'"
            " join finance f on f.finance_id = t.finance_id")
    sides = whole.query(f"select fiscal_year, revenue_or_spending, sum(amount) {base} group by 1, 2 order by 1, 2")
    for view in ("department_year", "top_programs", "top_sub_objects", "top_funds", "long_series", "fund_map"):
        assert whole.query(f"select fiscal_year, revenue_or_spending, sum(amount) from {view} group by 1, 2 order by 1, 2") == sides, view
    totals = whole.query("select fiscal_year, revenue, spending from year_totals order by 1")
    assert [[year, amount] for year, revenue, spending in totals for amount in (revenue, spending)] == [[y, a] for y, _, a in sides]
    assert whole.query("select fiscal_year, sum(spending) from personnel_year group by 1 order by 1") == [[y, s] for y, _, s in totals]
    groups = whole.query(f"select fiscal_year, revenue_or_spending, organization_group, sum(amount) {base} group by 1, 2, 3 order by 1, 2, 3")
    assert whole.query("select fiscal_year, revenue_or_spending, organization_group, sum(amount) from department_year where"
                       " amount_with_related_units <> 0 group by 1, 2, 3 order by 1, 2, 3") == [g for g in groups if g]
    assert whole.query("select sum(sources_rows), sum(uses_rows), sum(abs(unpaired_rows)), sum(sources_amount + uses_amount) from eliminations") \
        == [["8113", "8113", "0", "0.00"]]


def test_a_change_is_against_the_year_before_and_empty_where_it_would_mislead(whole):
    rows = whole.query("select fiscal_year, department_code, organization_group_code, revenue_or_spending, is_partial, amount, amount_before,"
                       " change, change_percent from department_year")
    amounts = {(int(y), *key): float(amount) for y, *key, _partial, amount, _before, _change, _percent in rows}
    assert len(amounts) == len(rows)
    for y, *key, partial, amount, before, change, percent in rows:
        was = amounts.get((int(y) - 1, *key), 0.0)
        assert (before == "") == (int(y) == 1999) and (before == "" or float(before) == was)
        assert (change == "") == (before == "" or partial == "Yes")
        assert change == "" or abs(float(change) - (float(amount) - was)) < 0.005
        assert (percent == "") == (change == "" or was <= 0)
        assert percent == "" or abs(float(percent) - 100 * (float(amount) - was) / was) <= 0.051
    gone = [r for r in rows if float(r[5]) == 0 and r[6] and float(r[6]) > 0]
    assert gone and all(r[8] in ("-100.0", "") for r in gone)
    partial = {r[0] for r in rows if r[4] == "Yes"}
    assert partial == {"2027"}


def test_ranks_begin_at_one_and_follow_the_amounts(whole):
    for view in ("top_programs", "top_sub_objects", "top_funds"):
        assert whole.query(f"select count(*) from (select rank - rank() over (partition by fiscal_year, revenue_or_spending order by amount desc)"
                           f" as off from {view}) x where off <> 0") == [["0"]]


def test_a_department_that_was_renamed_keeps_its_series(whole):
    assert whole.query("select count(*), count(distinct department), min(fiscal_year), max(fiscal_year) from department_year"
                       " where department_code = 'ELC' and revenue_or_spending = 'Spending'") == [["29", "1", "1999", "2027"]]


def test_a_long_series_takes_in_what_the_crosswalk_maps(whole):
    moved = whole.query("select t.fiscal_year, sum(t.amount) from transaction t join type_crosswalk x on x.legacy_type_id = t.type_id"
                        " join program p on p.program_id = t.program_id and p.related_govt_units = 'No' group by 1 order by 1")
    assert whole.query("select fiscal_year, sum(amount_by_crosswalk) from long_series where fiscal_year <= 2017 group by 1 order by 1") == moved
    assert whole.query("select count(*) from long_series where amount_by_crosswalk <> 0 and fiscal_year >= 2018") == [["0"]]
