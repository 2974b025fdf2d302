"""Redshift's SQL made into PostgreSQL's, and what Redshift does not have refused, so that SQL for PostgreSQL alone fails here.

Works on tokens, not on a grammar: a statement that neither knows fails in PostgreSQL. Sources of the refusals are the Amazon Redshift
Database Developer Guide's pages: "Unsupported PostgreSQL features" [F], "Unsupported PostgreSQL functions" [N], "Unsupported
PostgreSQL data types" [T], and the page of the command where its syntax has no such clause [its name].
"""

import re

import server_nodes
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
     r"|CONCAT_WS|ENCODE|DIGEST|SHA224|SHA256|SHA384|SHA512|CONVERT_TO|CONVERT_FROM|FORMAT|NORMALIZE|UNISTR|STARTS_WITH|REGEXP_MATCH(ES)?"
     r"|REGEXP_SPLIT_TO_\w+|STRING_TO_ARRAY|ARRAY_LENGTH|JSONB?_(AGG|BUILD|OBJECT|ARRAY|EACH|SET|TO|STRIP)\w*|(ROW_)?TO_JSONB?|NUM_NONNULLS|NUM_NULLS"
     r"|MAKE_(DATE|TIME|TIMESTAMP|TIMESTAMPTZ|INTERVAL)|DATE_BIN|GEN_RANDOM_UUID|HASHTEXT\w*|TXID_\w+|PG_CURRENT_\w+|PG_SIZE_PRETTY|PG_TYPEOF"
     r"|PG_HAS_ROLE|HAS_(ANY_)?COLUMN_PRIVILEGE|STATEMENT_TIMESTAMP|TIMEOFDAY_TZ|MODE|CARDINALITY|PARSE_IDENT|SCALE|MIN_SCALE|TRIM_SCALE|GCD|LCM"
     r"|ERF|LASTVAL|PG_GET_SERIAL_SEQUENCE|SHOBJ_DESCRIPTION|PG_DATABASE_SIZE|PG_TABLE_SIZE|PG_COLUMN_SIZE|LO_\w+|XMLPARSE|XPATH) \(",
     NO_FUNCTION, "this function does not exist"),  # [N]; absent from "SQL functions reference"
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
    (r"^WITH .*\) (INSERT|UPDATE|DELETE|MERGE) ", SYNTAX, "syntax error: WITH stands before SELECT"),  # [WITH clause]: INSERT INTO t WITH ...
    (r"\bAS \( (INSERT|UPDATE|DELETE|MERGE) ", SYNTAX, "syntax error: WITH names queries only"),  # [WITH clause]
    (r"\bAS (NOT )?MATERIALIZED \(", SYNTAX, 'syntax error at or near "MATERIALIZED"'),  # [WITH clause]
    (r"\b(EXCEPT|INTERSECT|MINUS) ALL\b", UNSUPPORTED, "EXCEPT ALL and INTERSECT ALL are not supported"),  # [UNION, INTERSECT, and EXCEPT]
    (r"\bFETCH (FIRST|NEXT)\b.*\bONLY\b", SYNTAX, 'syntax error at or near "FETCH"'),  # [SELECT]: LIMIT
    (r"\bTABLESAMPLE\b", SYNTAX, 'syntax error at or near "TABLESAMPLE"'),  # [FROM clause]
    (r"\bGROUPS (BETWEEN|UNBOUNDED|CURRENT)\b|\bEXCLUDE (CURRENT|GROUP|TIES|NO)\b", SYNTAX, "syntax error in a window's frame"),  # [Window functions]
    (r"\b(ANY|SOME|ALL) \( ''", UNSUPPORTED, "array types are not supported"),  # [T]
    (r"\bCOLLATE (?!CASE_(IN)?SENSITIVE\b)", SYNTAX, 'syntax error at or near "COLLATE"'),  # [CREATE TABLE]; [COLLATE function]
    (r"^MERGE .*\bUSING \(|^MERGE .*\bMATCHED AND\b|^MERGE .*\bDO NOTHING\b", SYNTAX, "syntax error: not a form of MERGE"),  # [MERGE]
    (r"^COMMENT ON (SCHEMA|ROLE|FUNCTION|INDEX|SEQUENCE|TYPE|EXTENSION|MATERIALIZED|TRIGGER|POLICY)\b", SYNTAX, "syntax error: COMMENT ON { TABLE"
     " | COLUMN | CONSTRAINT | DATABASE | VIEW }"),  # [COMMENT]
    (r"^CREATE ROLE \S+ (?!EXTERNALID\b)\S", SYNTAX, "syntax error: CREATE ROLE role_name [ EXTERNALID external_id ]"),  # [CREATE ROLE]
    (r"^ALTER ROLE \S+ (?!RENAME|OWNER|WITH RENAME|WITH OWNER|EXTERNALID)", SYNTAX, "syntax error: not a form of ALTER ROLE"),  # [ALTER ROLE]
    (r"^DROP ROLE IF\b", SYNTAX, 'syntax error at or near "IF"'),  # [DROP ROLE]
    (r"^(CREATE|ALTER) USER .*\b(SUPERUSER|NOSUPERUSER|LOGIN|NOLOGIN|INHERIT|NOINHERIT|REPLICATION|BYPASSRLS|CREATEROLE|NOCREATEROLE|ENCRYPTED)\b",
     SYNTAX, "syntax error: not an option of a user"),  # [CREATE USER]
    (r"^CREATE USER IF\b", SYNTAX, 'syntax error at or near "IF"'),  # [CREATE USER]
    (r"^ALTER DATABASE \S+ (SET|RESET)\b", SYNTAX, "syntax error: not a form of ALTER DATABASE"),  # [ALTER DATABASE]
    (r"^(GRANT|REVOKE) .*\b(CONNECT|MAINTAIN)\b.* ON DATABASE\b", SYNTAX, 'syntax error at or near "CONNECT"'),  # [GRANT]
    (r"^(DROP|REASSIGN) OWNED\b", SYNTAX, 'syntax error at or near "OWNED"'),  # absent from "SQL commands"
    (r"^ALTER TABLE \S+ (\. \S+ )?(SET SCHEMA|INHERIT|NO INHERIT|CLUSTER|ENABLE|DISABLE|SET LOGGED|SET UNLOGGED|SET WITH|ATTACH|DETACH|VALIDATE)\b",
     SYNTAX, "syntax error: not a form of ALTER TABLE"),  # [ALTER TABLE]
    (r"^ALTER TABLE .*\bAPPEND FROM\b", UNSUPPORTED, "ALTER TABLE APPEND is not part of this test server"),
    (r"^ALTER TABLE .*\bALTER (COLUMN )?\S+ (SET|DROP) DEFAULT\b", SYNTAX, "ALTER COLUMN SET DEFAULT is not supported"),  # [ALTER TABLE]
    (r"^ALTER TABLE .*\bALTER (COLUMN )?\S+ (SET DATA )?TYPE (?!VARCHAR|CHARACTER VARYING)", UNSUPPORTED,
     "ALTER COLUMN TYPE changes the length of a VARCHAR only"),  # [ALTER TABLE]
    (r"^CREATE (TEMP |TEMPORARY )?TABLE .*\bON (DELETE|UPDATE) |^CREATE .*TABLE .*\b(DEFERRABLE|INITIALLY|NOT VALID)\b", SYNTAX,
     "syntax error: not a form of a key"),  # [CREATE TABLE]
    (r"^CREATE .*TABLE .*\) WITH \(", SYNTAX, 'syntax error at or near "WITH"'),  # [CREATE TABLE]
    (r"^(CREATE|ALTER) (TEMP |TEMPORARY )?TABLE .* INTERVAL( \(|,| \)| NOT| NULL| ENCODE| DEFAULT|$)", SYNTAX,
     "INTERVAL needs YEAR TO MONTH or DAY TO SECOND"),  # [Interval data types and literals]
    (r"^ANALY[ZS]E [^(]*,", SYNTAX, "syntax error: ANALYZE takes one table"),  # [ANALYZE]
    (r"^(VACUUM|ANALY[ZS]E|TRUNCATE) IF\b", SYNTAX, 'syntax error at or near "IF"'),  # [VACUUM], [ANALYZE], [TRUNCATE]
    (r"\bAS (AES128|AES256|ALLOWOVERWRITE|BACKUP|BLANKSASNULL|BYTEDICT|BZIP2|CREDENTIALS|DEFLATE|DEFRAG|DELTA|DELTA32K|EMPTYASNULL|ENABLE|ENCODE"
     r"|ENCRYPT|ENCRYPTION|EXPLICIT|GZIP|IDENTITY|IGNORE|LANGUAGE|LUN|LUNS|LZO|LZOP|MINUS|NULLS|OFFLINE|OFFSET|OID|OPEN|PARALLEL|PARTITION|PERCENT"
     r"|PERMISSIONS|RAW|RECOVER|RESPECT|REJECTLOG|RESORT|RESTORE|SNAPSHOT|SYSDATE|SYSTEM|TAG|TDES|TOP|TRUNCATECOLUMNS|WALLET|WITHOUT)\b(?! \()",
     SYNTAX, "syntax error at or near a reserved word"),  # [Reserved words]
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

    def __init__(self, kind, sql="", tag=None, steps=()):
        self.kind, self.sql, self.tag = kind, sql, tag  # kind: sql, copy, truncate, alone (no transaction), nothing
        self.steps = steps  # what PostgreSQL 8.0 does one after the other


def plan(statement, session):
    """Plan of a statement (tokens); raises PgError when Redshift has no such thing. `session` answers for pg_last_copy_id."""
    form = shape(statement)
    for pattern, state, message in REFUSED:
        if pattern.search(form):
            raise PgError(message, state)
    server_nodes.check(statement)
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
    return Plan("truncate" if first == "TRUNCATE" else "sql", sql, steps=single_drops(statement, form))


def single_drops(statement, form):
    """Of a DROP of several: until PostgreSQL 8.4 one may not stand on another that is named before it."""
    head = re.match(r"DROP (TABLE|VIEW)( IF EXISTS)? ", form)
    if not head:
        return ()
    start = head.group().count(" ")
    end = len(statement) - (statement[-1].upper() in ("CASCADE", "RESTRICT"))
    return [joined([*statement[:start], *name, *statement[end:]]) for name in split_commas(statement[start:end])]


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
        if is_call and (word == "CONCAT" or word == "REGEXP_REPLACE"):
            sql, at = call_of(word, statement, at, session)
            found += sql
            continue
        if is_type(statement, at) and not (is_call and word != "CHARACTER"):
            found.append(DEFAULT_LENGTHS[word])
        elif word == "NVL" and is_call:
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


# of a type that is cast to without its length: "Character types", "Numeric types"
DEFAULT_LENGTHS = {"TEXT": "varchar(256)", "VARCHAR": "varchar(256)", "NVARCHAR": "varchar(256)", "BPCHAR": "char(256)", "NUMERIC": "numeric(18,0)",
                   "DECIMAL": "numeric(18,0)"}


def is_type(statement, at):
    """Whether a word without a length is what something is cast to."""
    if statement[at].kind != "word" or statement[at].upper() not in DEFAULT_LENGTHS or at + 1 < len(statement) and statement[at + 1] == "(":
        return False
    before = statement[at - 1] if at else ""
    if before == "::":
        return True
    if before.upper() != "AS" or at + 1 >= len(statement) or statement[at + 1] != ")":
        return False
    depth, back = 0, at
    while back and depth <= 0:
        back -= 1
        depth += (statement[back] == "(") - (statement[back] == ")")
    return statement[back - 1].upper() == "CAST" if back else False


def call_of(word, statement, at, session):
    """CONCAT has two arguments. REGEXP_REPLACE replaces all there are, and its fourth argument is a position."""
    end = closing(statement, at + 1)
    items = [rewritten(item, session) for item in split_commas(statement[at + 2:end])]
    if word == "CONCAT" and len(items) != 2:
        raise PgError("function concat() takes two arguments", NO_FUNCTION)
    if word == "REGEXP_REPLACE" and len(items) == 2:
        items.append([raw("''")])
    elif word == "REGEXP_REPLACE" and len(items) > 3:
        raise PgError("function regexp_replace(..., position) is not part of this test server; PostgreSQL's flags do not exist", NO_FUNCTION)
    body = []
    for item in items + ([[raw("'g'")]] if word == "REGEXP_REPLACE" else []):
        body += [raw(","), *item] if body else item
    return [word, "(", *body, ")"], end + 1


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
        if word in ("NUMERIC", "DECIMAL") and following != "(":
            found.append("numeric(18,0)")
        elif word in ("TEXT", "NVARCHAR", "VARCHAR", "BPCHAR"):
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
