"""Which of Redshift's nodes would run a statement, and what each of them cannot do.

A query of user tables or of system tables (STL, STV, SVL, SVV, SYS) runs on the compute nodes, one of catalog tables (PG,
information_schema) or of none on the leader node; some functions are only there on one side, and tables of both sides do not meet in
one statement. Sources: Database Developer Guide, "SQL functions supported on the leader node" [L], "Leader node-only functions" [O],
"Compute node-only functions" [C].
"""

from server_pg import PgError

UNSUPPORTED = "0A000"
# [O], with those that "are deprecated and no longer supported"; SUBSTR is listed as well, and works on tables all the same
LEADER_CALLS = {"CURRENT_SCHEMA", "CURRENT_SCHEMAS", "HAS_DATABASE_PRIVILEGE", "HAS_SCHEMA_PRIVILEGE", "HAS_TABLE_PRIVILEGE", "FACTORIAL", "AGE",
                "ISFINITE", "NOW", "GETBIT", "GET_BYTE", "SET_BIT", "SET_BYTE", "TO_ASCII",
                # and what reads the catalog, see [L]
                "ARRAY_TO_STRING", "FORMAT_TYPE", "PG_GET_USERBYID", "PG_GET_VIEWDEF", "PG_TABLE_IS_VISIBLE", "PG_GET_EXPR", "PG_GET_CONSTRAINTDEF"}
LEADER_WORDS = {"CURRENT_TIME", "CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"}
COMPUTE_CALLS = {"LISTAGG", "MEDIAN", "PERCENTILE_CONT", "PERCENTILE_DISC"}  # [C]
SYSTEM_TABLES = ("STL_", "STV_", "SVL_", "SVV_", "SYS_", "SVCS_")
NO_TABLES = {"PG_ROLES", "PG_AUTHID", "PG_AUTH_MEMBERS", "PG_MATVIEWS", "PG_SEQUENCES", "PG_SEQUENCE", "PG_PARTITIONED_TABLE", "PG_POLICY",
             "PG_EXTENSION", "PG_COLLATION", "PG_ENUM", "PG_RANGE", "PG_STAT_ALL_TABLES", "PG_STAT_USER_TABLES", "PG_PREPARED_XACTS",
             "PG_SHDESCRIPTION", "PG_DB_ROLE_SETTING"}  # newer than 8.0, of which Redshift's catalog is
ENDS = {"WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "UNION", "EXCEPT", "MINUS", "INTERSECT", "ON", "SET", "VALUES", "SELECT", "USING", "WITH",
        "WHEN", "QUALIFY", "OFFSET", "FETCH"}
JOINS = {"JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL"}
STARTS = {"FROM", "JOIN", "INTO", "UPDATE", "USING"}
TAKES_FROM = {"EXTRACT", "SUBSTRING", "TRIM", "BTRIM", "LTRIM", "RTRIM", "POSITION", "OVERLAY"}  # FROM of a call, not of a query


def upper(token):
    return token.upper() if token.kind == "word" else token


def named_before(statement):
    """Names of WITH's queries: what `name [(columns)] AS (` defines."""
    found = set()
    for at, token in enumerate(statement[:-1]):
        if upper(token) == "AS" and statement[at + 1] == "(" and at:
            back = at - 1
            if statement[back] == ")":
                depth = 0
                while back >= 0:
                    depth += (statement[back] == ")") - (statement[back] == "(")
                    if not depth:
                        break
                    back -= 1
                back -= 1
            if back >= 0 and statement[back].kind in ("word", "name"):
                found.add(statement[back].strip('"').lower())
    return found


def tables(statement):
    """Names in lower case, with their schema where it is said, of all that a statement reads or writes."""
    found, opens = set(), []
    for at, token in enumerate(statement):
        word = upper(token)
        if token == "(":
            opens.append(upper(statement[at - 1]) if at else "")
        elif token == ")" and opens:
            opens.pop()
        elif word in STARTS and token.kind == "word" and not (word == "FROM" and opens and opens[-1] in TAKES_FROM):
            found |= set(list_of_tables(statement, at + 1))
    own = named_before(statement)
    return {name for name in found if name not in own}


def list_of_tables(statement, at):
    """From `at` on: name [[AS] alias] [, ...], up to a word that ends it."""
    while at < len(statement):
        token = statement[at]
        if upper(token) == "ONLY":
            at += 1
            continue
        if token.kind not in ("word", "name") or upper(token) in ENDS | {"SELECT", "LATERAL"}:
            return
        name, at = token.strip('"').lower(), at + 1
        while at + 1 < len(statement) and statement[at] == ".":
            name, at = name + "." + statement[at + 1].strip('"').lower(), at + 2
        if at < len(statement) and statement[at] == "(" and token.kind == "word":
            return  # a function
        yield name
        while at < len(statement) and statement[at].kind in ("word", "name") and upper(statement[at]) not in ENDS | JOINS:
            at += 1
        if at >= len(statement) or statement[at] != ",":
            return
        at += 1


def is_catalog(name):
    schema, _, table = name.rpartition(".")
    return schema in ("pg_catalog", "information_schema") and not is_system(name) or (not schema and table.startswith("pg_"))


def is_system(name):
    return name.rpartition(".")[2].upper().startswith(SYSTEM_TABLES)


def check(statement):
    """Raises what Redshift says of a statement (tokens) that would need both sides, or the wrong one."""
    named = tables(statement)
    for name in named:
        if name.rpartition(".")[2].upper() in NO_TABLES and is_catalog(name):
            raise PgError(f'relation "{name}" does not exist', "42P01")
    catalog = sorted(name for name in named if is_catalog(name))
    others = sorted(named - set(catalog))
    calls = {upper(token) for at, token in enumerate(statement[:-1]) if token.kind == "word" and statement[at + 1] == "("}
    words = {upper(token) for token in statement if token.kind == "word"}
    is_table_made = statement[0].upper() == "CREATE" and "TABLE" in words  # defaults are worked out where the rows are
    leader = sorted(calls & LEADER_CALLS | words & LEADER_WORDS)
    if (others or is_table_made) and (leader or catalog):
        what = f'Function "{leader[0].lower()}" not supported.' if leader else f'Relation "{catalog[0]}" is not on the compute nodes.'
        raise PgError("Specified types or functions (one per INFO message) not supported on Redshift tables.", UNSUPPORTED, what)
    if calls & COMPUTE_CALLS and not others:
        raise PgError("One or more of the used functions must be applied on at least one user created tables. Examples of user table only"
                      " functions are LISTAGG, MEDIAN, PERCENTILE_CONT, etc", UNSUPPORTED)
