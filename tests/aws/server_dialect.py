"""Redshift's SQL made into PostgreSQL's, and what Redshift does not have refused, so that SQL for PostgreSQL alone fails here.

Works on tokens, not on a grammar: a statement that neither knows fails in PostgreSQL. Sources of the refusals are the Amazon Redshift
Database Developer Guide's pages: "Unsupported PostgreSQL features" [F], "Unsupported PostgreSQL functions" [N], "Unsupported
PostgreSQL data types" [T], and the page of the command where its syntax has no such clause [its name].
"""

import re

from server_pg import PgError

TOKEN = re.compile(r"""(?P<space>\s+|--[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)|(?P<string>[eE]?'(?:[^'\\]|''|\\.)*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    |(?P<name>"(?:[^"]|"")*")|(?P<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)
    |(?P<mark>::|<>|!=|<=|>=|\|\||.)""", re.VERBOSE | re.DOTALL)

SYNTAX, UNSUPPORTED, NO_FUNCTION, NO_PARAMETER, IN_TRANSACTION = "42601", "0A000", "42883", "42704", "25001"

# what a statement looks like when each of its tokens is in upper case, and literals are ''
REFUSED = [(re.compile(pattern), state, text) for pattern, state, text in (
    (r"^CREATE (UNIQUE )?INDEX\b", UNSUPPORTED, "SQL command \"CREATE INDEX\" not supported on Redshift tables."),  # [F]
    (r"^(CREATE|ALTER|DROP) SEQUENCE\b", UNSUPPORTED, "CREATE SEQUENCE is not supported"),  # [F] sequences
    (r"^(CREATE|ALTER|DROP) (CONSTRAINT )?(TRIGGER|RULE|TABLESPACE|EXTENSION|DOMAIN|TYPE|AGGREGATE|OPERATOR|FOREIGN|SERVER|COLLATION)\b",
     UNSUPPORTED, "this object is not supported"),  # [F], and no such command in "SQL commands"
    (r"^CREATE (UNLOGGED|GLOBAL|LOCAL (?!TEMP))", SYNTAX, "syntax error: not a form of [CREATE TABLE]"),  # [CREATE TABLE]
    (r"\bON CONFLICT\b", SYNTAX, 'syntax error at or near "ON"'),  # [INSERT]
    (r"\bRETURNING\b", SYNTAX, 'syntax error at or near "RETURNING"'),  # [INSERT], [DELETE], [UPDATE]
    (r"\) FILTER \( WHERE\b", SYNTAX, 'syntax error at or near "("'),  # no such clause in "Aggregate functions"
    (r"\b(STRING_AGG|ARRAY_AGG|EVERY|XML_AGG|XMLAGG|CORR|COVAR_POP|COVAR_SAMP|REGR_\w+|GENERATE_SERIES|GENERATE_SUBSCRIPTS|CLOCK_TIMESTAMP"
     r"|TRANSACTION_TIMESTAMP|PG_SLEEP|JUSTIFY_\w+|DIV|SETSEED|WIDTH_BUCKET|BIT_LENGTH|OVERLAY|UNNEST|NEXTVAL|CURRVAL|SETVAL"
     r"|PG_(TRY_)?ADVISORY_\w+|COL_DESCRIPTION|OBJ_DESCRIPTION|TO_REGCLASS|PG_RELATION_SIZE|PG_TOTAL_RELATION_SIZE|FORMAT_TYPE_NAME"
     r"|CONCAT_WS|ENCODE|DIGEST) \(", NO_FUNCTION, "this function does not exist"),  # [N]; absent from "SQL functions reference"
    (r"\bIS (NOT )?DISTINCT FROM\b", SYNTAX, 'syntax error at or near "DISTINCT"'),  # [N]
    (r":: REG\w+|\bAS REG\w+", UNSUPPORTED, "type of an object identifier is not supported"),  # [T]
    (r"\bDISTINCT ON \(", SYNTAX, "SELECT DISTINCT ON is not supported"),  # [SELECT list]: DISTINCT only
    (r"\bLATERAL\b", SYNTAX, 'syntax error at or near "LATERAL"'),  # [FROM clause]
    (r"\bON COMMIT\b", SYNTAX, 'syntax error at or near "ON"'),  # [CREATE TABLE]
    (r"\bINHERITS \(|\bTABLESPACE\b", SYNTAX, "inheritance and tablespaces are not supported"),  # [F]
    (r"^CREATE .*\bGENERATED (ALWAYS\b|BY DEFAULT AS (IDENTITY (?!\()|\())", SYNTAX, 'syntax error at or near "GENERATED"'),  # [CREATE TABLE]
    (r"^CREATE (TEMP \w*|TEMPORARY )?TABLE .*\) PARTITION BY\b|^CREATE .*\bPARTITION OF\b", SYNTAX, 'syntax error at or near "PARTITION"'),  # [F]
    (r"^(CREATE|ALTER) (TEMP |TEMPORARY )?TABLE .*\b(CHECK|EXCLUDE) ?(USING \w+ )?\(", UNSUPPORTED, "CHECK and EXCLUDE are not supported"),  # [F]
    (r"^(CREATE|ALTER) (TEMP |TEMPORARY )?TABLE .*\b(SMALL|BIG)?SERIAL[248]?\b", UNSUPPORTED,
     "Column \"serial\" has unsupported type \"serial\"."),  # [T]
    (r"^(CREATE|ALTER) (TEMP |TEMPORARY )?TABLE .* (UUID|BYTEA|JSONB?|XML|MONEY|INET|CIDR|MACADDR|TSVECTOR|HSTORE|POINT)\b( |$)(?!\.)",
     UNSUPPORTED, "Column has an unsupported type."),  # [T]
    (r"\bARRAY \[| \[ \]", UNSUPPORTED, "array types are not supported"),  # [F] array constructors, [T] arrays
    (r"\bFROM \( VALUES\b|^VALUES\b|\bAS \( VALUES\b", SYNTAX, 'syntax error at or near "VALUES"'),  # [F] VALUES as constant tables
    (r"^(SAVEPOINT|RELEASE)\b|^ROLLBACK (WORK |TRANSACTION )?TO\b", UNSUPPORTED, "SQL command \"SAVEPOINT\" not supported."),  # [N]
    (r"^(DO|LISTEN|NOTIFY|UNLISTEN|CLUSTER|REINDEX|CHECKPOINT|LOAD|SECURITY|REASSIGN|IMPORT|DISCARD)\b", SYNTAX,
     "syntax error: no such command"),  # absent from "SQL commands"
    (r"^LOCK .*\bIN \w+ .*MODE\b", SYNTAX, 'syntax error at or near "IN"'),  # [LOCK]: LOCK [ TABLE ] name [, ...]
    (r"^SELECT .*\bFOR (UPDATE|SHARE|NO KEY|KEY)\b", UNSUPPORTED, "SELECT FOR UPDATE/SHARE is not supported"),  # [SELECT]
    (r"^TRUNCATE .*(,|\bCASCADE\b|\bRESTRICT\b|\bRESTART\b|\bONLY\b)", SYNTAX, "syntax error: TRUNCATE [ TABLE ] table_name"),  # [TRUNCATE]
    (r"^ALTER TABLE .*\b(ADD|DROP) (COLUMN )?IF (NOT )?EXISTS\b", SYNTAX, 'syntax error at or near "EXISTS"'),  # [ALTER TABLE]
    (r"^ALTER TABLE .*, (ADD|DROP|ALTER) ", SYNTAX, "ALTER TABLE takes one action"),  # [ALTER TABLE]
    (r"^ALTER TABLE .*\bALTER (COLUMN )?\S+ (SET|DROP) NOT NULL\b", SYNTAX, "ALTER COLUMN SET NOT NULL is not supported"),  # [ALTER TABLE]
    (r"^EXPLAIN (\(|ANALYZE)", SYNTAX, "syntax error: EXPLAIN [ VERBOSE ] query"),  # [EXPLAIN]
    (r"^COPY .*\b(FROM|TO) (STDIN|STDOUT|PROGRAM)\b", UNSUPPORTED, "COPY from STDIN is not supported"),  # [COPY]: S3, EMR, DynamoDB, SSH
    (r"^UNLOAD\b", UNSUPPORTED, "UNLOAD is not part of this test server"),
    (r"^VACUUM (.*\b(VERBOSE|FREEZE|ANALYZE)\b|\()", SYNTAX, "syntax error: not a form of VACUUM"),  # [VACUUM]
    (r"^(PREPARE TRANSACTION|COMMIT PREPARED)\b", UNSUPPORTED, "two-phase commit is not supported"),  # absent from "SQL commands"
    (r"\b(CTID|XMIN|XMAX)\b", "42703", "system columns do not exist"),  # [F]
)]

# "Configuration reference", and what every client sets; those that PostgreSQL does not know are dropped
SETTINGS = {"datestyle", "extra_float_digits", "search_path", "statement_timeout", "timezone", "client_encoding", "application_name", "names",
            "session", "seed", "client_min_messages", "standard_conforming_strings"}
OWN_SETTINGS = {"analyze_threshold_percent", "cast_super_null_on_error", "default_geometry_encoding", "describe_field_name_in_uppercase",
                "downcase_delimited_identifier", "enable_case_sensitive_identifier", "enable_case_sensitive_super_attribute",
                "enable_numeric_rounding", "enable_result_cache_for_session", "enable_vacuum_boost", "error_on_nondeterministic_update",
                "json_serialization_enable", "max_concurrency_scaling_clusters", "max_cursor_result_set_size", "mv_enable_aqmv_for_session",
                "navigate_super_null_on_error", "parse_super_null_on_error", "query_group", "stored_proc_log_min_messages", "use_fips_ssl",
                "wlm_query_slot_count", "spectrum_query_maxerror", "enable_case_sensitive_super_attribute"}
DIST = {"AUTO", "EVEN", "KEY", "ALL"}


class Token(str):
    """Text of a token; `kind` is one of TOKEN's groups."""

    kind, lead = "mark", " "


def tokens(sql):
    found, lead = [], ""
    for match in TOKEN.finditer(sql):
        if match.group("space"):
            lead = " "
            continue
        token = Token(match.group())
        token.kind = "string" if match.group("string") else match.lastgroup
        token.lead, lead = lead, ""
        found.append(token)
    return found


def joined(words):
    """Text of tokens, with space where there was some; words that were put in have space around them."""
    return "".join(getattr(word, "lead", " ") + word for word in words).strip()


def split(sql):
    """Statements of a text, as lists of tokens; empty ones are left out."""
    statements, now = [], []
    for token in tokens(sql):
        if token == ";":
            statements, now = [*statements, now], []
        else:
            now.append(token)
    return [statement for statement in [*statements, now] if statement]


def shape(statement):
    """A statement for REFUSED: words in upper case, literals as '', quoted names as they are."""
    return " ".join("''" if token.kind == "string" else token.upper() if token.kind == "word" else token for token in statement)


class Plan:
    """What to do for a statement: SQL for PostgreSQL, and what is special about it."""

    def __init__(self, kind, sql="", tag=None):
        self.kind, self.sql, self.tag = kind, sql, tag  # kind: sql, copy, truncate, alone (no transaction), nothing


def plan(statement, session):
    """Plan of a statement (tokens); raises PgError when Redshift has no such thing. `session` answers for pg_last_copy_id."""
    form = shape(statement)
    for pattern, state, message in REFUSED:
        if pattern.search(form):
            raise PgError(message, state)
    first = form.split(" ")[0]
    if first == "COPY":
        return Plan("copy")
    if first == "VACUUM":
        if session.status != "I":
            raise PgError("VACUUM cannot run inside a transaction block", IN_TRANSACTION)
        return Plan("alone", vacuum(statement), "VACUUM")
    if first in ("ANALYZE", "ANALYSE"):
        return Plan("sql", analyze(statement, form), "ANALYZE")
    if first == "SET":
        return setting(statement)
    statement = rewritten(statement, session)
    if re.match(r"CREATE (TEMP |TEMPORARY |LOCAL TEMP |LOCAL TEMPORARY )?TABLE\b", form):
        statement = create_table(statement)
    elif re.match(r"ALTER TABLE\b", form):
        if re.search(r"\bADD (CONSTRAINT \S+ )?(PRIMARY KEY|UNIQUE|FOREIGN KEY)\b|\bALTER (DISTSTYLE|DISTKEY|SORTKEY|COMPOUND|ENCODE)\b"
                     r"|\bALTER COLUMN \S+ ENCODE\b|\bDROP CONSTRAINT\b", form):
            return Plan("nothing", tag="ALTER TABLE")
        statement = column_types(without_encode(statement))
    elif form.startswith(("CREATE VIEW", "CREATE OR REPLACE VIEW")) and form.endswith("WITH NO SCHEMA BINDING"):
        statement = statement[:-4]
    elif first == "GRANT" and form.startswith("GRANT ROLE "):
        statement = [statement[0], *statement[2:]]
    sql = joined(statement)
    return Plan("truncate" if first == "TRUNCATE" else "sql", sql)


def vacuum(statement):
    """VACUUM [FULL | SORT ONLY | DELETE ONLY | REINDEX | RECLUSTER] [table [TO n PERCENT] [BOOST]]"""
    rest = [token for token in statement[1:] if token.upper() not in ("FULL", "SORT", "DELETE", "ONLY", "REINDEX", "RECLUSTER", "BOOST")]
    at = next((i for i, token in enumerate(rest) if token.upper() == "TO"), len(rest))
    return "VACUUM " + " ".join(rest[:at])


def analyze(statement, form):
    words = [token for token in statement if token.upper() not in ("COMPRESSION", "PREDICATE", "COLUMNS", "ALL", "VERBOSE")]
    return " ".join(words) if "COMPRESSION" not in form else "SELECT 1 WHERE false"


def setting(statement):
    words = [token for token in statement[1:] if token.upper() not in ("LOCAL",)]
    name = words[0].strip('"').lower() if words else ""
    if name == "session" and len(words) > 1 and words[1].upper() not in ("AUTHORIZATION", "CHARACTERISTICS"):
        name = words[1].strip('"').lower()
    if name in OWN_SETTINGS:
        return Plan("nothing", tag="SET")
    if name == "seed" or name not in SETTINGS and "." not in words[0:2]:
        raise PgError(f'unrecognized configuration parameter "{name}"', NO_PARAMETER)
    return Plan("sql", joined(statement))


# --- words that Redshift spells its own way ---


def rewritten(statement, session):
    found, at = [], 0
    while at < len(statement):
        word = statement[at].upper() if statement[at].kind == "word" else ""
        is_call = at + 1 < len(statement) and statement[at + 1] == "("
        if word in ("PG_LAST_COPY_ID", "PG_LAST_COPY_COUNT") and is_call:
            found += [word.lower(), f"({session.last_copy_id if word.endswith('ID') else session.last_copy_count})"]
            at += 3
            continue
        if word == "LISTAGG" and is_call:
            sql, at = listagg(statement, at, session)
            found += sql
            continue
        if word == "NVL" and is_call:
            found.append("COALESCE")
        elif word == "SYSDATE":
            found.append("now()::timestamp")
        elif word == "MINUS" and at and statement[at - 1].kind != "mark":
            found.append("EXCEPT")
        elif word == "VERSION" and is_call:
            found += ["version", f"('{VERSION}')"]
            at += 3
            continue
        else:
            found.append(statement[at])
        at += 1
    return [token if isinstance(token, Token) else raw(token) for token in found]


VERSION = ("PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.74000")


def raw(text):
    token = Token(text)
    token.kind = "raw"
    return token


def closing(statement, at):
    """Index of the parenthesis that closes the one at `at`."""
    depth = 0
    for i in range(at, len(statement)):
        depth += (statement[i] == "(") - (statement[i] == ")")
        if not depth:
            return i
    raise PgError("syntax error at end of input", SYNTAX)


def split_commas(part):
    items, depth = [[]], 0
    for token in part:
        depth += (token == "(") - (token == ")")
        if token == "," and not depth:
            items.append([])
        else:
            items[-1].append(token)
    return items


def listagg(statement, at, session):
    """LISTAGG([DISTINCT] x [, delimiter]) [WITHIN GROUP (ORDER BY ...)] as string_agg."""
    end = closing(statement, at + 1)
    items = split_commas(rewritten(statement[at + 2:end], session))
    order, after = [], end + 1
    if [token.upper() for token in statement[after:after + 3]] == ["WITHIN", "GROUP", "("]:
        close = closing(statement, after + 2)
        order, after = rewritten(statement[after + 3:close], session), close + 1
    head = [items[0][0]] if items[0][0].upper() == "DISTINCT" else []
    delimiter = items[1] if len(items) > 1 else ["''"]
    return ["string_agg", "(", *head, "(", *items[0][len(head):], ")", "::", "text", ",", *delimiter, *order, ")"], after


# --- tables ---


def create_table(statement):
    """Without distribution, sort keys and encodings; keys are kept by nobody, as on Redshift, but for the NOT NULL of a primary key."""
    start = next((i for i, token in enumerate(statement) if token == "("), None)
    as_at = next((i for i, token in enumerate(statement) if token.upper() == "AS"), len(statement))
    if start is None or start > as_at or statement[start - 1].upper() in DIST | {"DISTKEY", "SORTKEY"}:
        return table_attributes(statement[:as_at]) + statement[as_at:]
    end = closing(statement, start)
    columns, keys = [], set()
    for item in split_commas(statement[start + 1:end]):
        words = [token.upper() for token in item]
        if words[:1] == ["CONSTRAINT"]:
            item, words = item[2:], words[2:]
        if words[:2] == ["PRIMARY", "KEY"]:
            keys |= {token.strip('"').lower() for token in item[3:-1] if token != ","}
        elif words[:1] != ["UNIQUE"] and words[:2] != ["FOREIGN", "KEY"]:
            columns.append(item if words[:1] == ["LIKE"] else column(item))
    for item in columns:
        if item[0].strip('"').lower() in keys and "NOT" not in [token.upper() for token in item]:
            item += ["NOT", "NULL"]
    body = []
    for item in columns:
        body += [",", *item] if body else item
    rest = statement[end + 1:]
    as_at = next((i for i, token in enumerate(rest) if token.upper() == "AS"), len(rest))
    return [*statement[:start + 1], *body, ")", *table_attributes(rest[:as_at]), *rest[as_at:]]


def column(item):
    """One column: its type in PostgreSQL's words, no encoding, no keys."""
    found, words, at = [], [token.upper() for token in item], 0
    while at < len(item):
        word = words[at] if item[at].kind == "word" and at else ""
        if word == "ENCODE":
            at += 2
        elif word in ("DISTKEY", "SORTKEY", "UNIQUE"):
            at += 1
        elif word == "PRIMARY":
            found += ["NOT", "NULL"]
            at += 2
        elif word == "REFERENCES":
            at += 2
            while at < len(item) and item[at] == ".":
                at += 2
            at = closing(item, at) + 1 if at < len(item) and item[at] == "(" else at
        elif word == "IDENTITY":
            end = closing(item, at + 1)
            seed, step = [values[0] for values in split_commas(item[at + 2:end])]
            is_default = [token.upper() for token in found[-4:]] == ["GENERATED", "BY", "DEFAULT", "AS"]
            found = found[:-4] if is_default else found
            found.append(f" GENERATED {'BY DEFAULT' if is_default else 'ALWAYS'} AS IDENTITY (START WITH {seed} INCREMENT BY {step})")
            at = end + 1
        elif word == "COLLATE":
            at += 2
        else:
            found.append(item[at])
            at += 1
    return column_types(found)


def column_types(item):
    """VARCHAR without a length is VARCHAR(256), as are TEXT and BPCHAR; MAX is 65535 bytes."""
    found = []
    for i, token in enumerate(item):
        word = token.upper() if i and getattr(token, "kind", "") == "word" else ""
        following = item[i + 1] if i + 1 < len(item) else ""
        if word in ("TEXT", "NVARCHAR", "VARCHAR", "BPCHAR"):
            found.append(raw("varchar" if following == "(" else "varchar(256)"))
        elif word == "MAX" and found[-1] == "(":
            found.append("65535")
        else:
            if word == "" and token.isdigit() and found[-2:] == ["varchar", "("] and int(token) > 65535:
                raise PgError("character length exceeds maximum allowed length of 65535", "22023")
            found.append(token)
    return found


def without_encode(statement):
    at = next((i for i, token in enumerate(statement) if token.upper() == "ENCODE"), None)
    return statement if at is None else statement[:at] + statement[at + 2:]


def table_attributes(rest):
    """What follows a table's columns, without BACKUP, DISTSTYLE, DISTKEY, SORTKEY and ENCODE AUTO."""
    found, at = [], 0
    while at < len(rest):
        word = rest[at].upper()
        if word in ("BACKUP", "ENCODE"):
            at += 2
        elif word == "DISTSTYLE":
            if at + 1 >= len(rest) or rest[at + 1].upper() not in DIST:
                raise PgError("syntax error: DISTSTYLE { AUTO | EVEN | KEY | ALL }", SYNTAX)
            at += 2
        elif word in ("COMPOUND", "INTERLEAVED"):
            at += 1
        elif word in ("DISTKEY", "SORTKEY") and at + 1 < len(rest):
            at = at + 2 if rest[at + 1].upper() == "AUTO" else closing(rest, at + 1) + 1
        else:
            found.append(rest[at])
            at += 1
    return found
