"""The Redshift Data API: statements that are submitted, run on the databases of server_sql.py, are looked at and cancelled.

A statement runs in a thread of its own, in a transaction that is committed once its virtual time is over (`statement_queue`, then
`statement_run`; DescribeStatement lets time pass). Until then it can be cancelled, and leaves nothing. Without --sql there is no
database: then every statement fails.
"""

import base64
import hashlib
import json
import re
import threading
import time
import uuid

import server_dialect
import server_sql
from server_pg import PgError, literal
from server_wire import AwsError
from server_world import BEFORE, handles

TOKEN_SECONDS = 8 * 3600
ENDED = ("FINISHED", "FAILED", "ABORTED")
# PostgreSQL's type OIDs: name of the type, field of the union
TYPES = {16: ("bool", "booleanValue"), 20: ("int8", "longValue"), 21: ("int2", "longValue"), 23: ("int4", "longValue"),
         26: ("oid", "longValue"), 700: ("float4", "doubleValue"), 701: ("float8", "doubleValue"), 17: ("varbyte", "blobValue"),
         1042: ("bpchar", "stringValue"), 1043: ("varchar", "stringValue"), 25: ("varchar", "stringValue"), 19: ("name", "stringValue"),
         1082: ("date", "stringValue"), 1114: ("timestamp", "stringValue"), 1184: ("timestamptz", "stringValue"),
         1700: ("numeric", "stringValue")}
PLACEHOLDER = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|::|:([0-9A-Za-z_]+)")


class Statements:
    """Everything of one account in one region."""

    def __init__(self):
        self.statements, self.tokens = {}, {}


class Statement:
    def __init__(self, call, thing, user, password):
        params = call.params
        self.id = str(uuid.UUID(call.world.hex_id("", 32), version=4))
        self.world, self.thing, self.user, self.password, self.database = call.world, thing, user, password, params["Database"]
        self.is_batch = "Sqls" in params
        self.sqls = params["Sqls"] if self.is_batch else [params["Sql"]]
        self.parameters = params.get("Parameters", [])
        self.name, self.format = params.get("StatementName"), params.get("ResultFormat", "JSON")
        self.where = {key: params[key] for key in ("ClusterIdentifier", "WorkgroupName", "SecretArn", "DbUser") if key in params}
        self.parts = [Part(f"{self.id}:{number}", sql) for number, sql in enumerate(self.sqls, 1)]
        self.status, self.error, self.pid, self.late_looks = "SUBMITTED", None, 0, 0
        self.created = self.updated = time.time()
        self.thread, self.session, self.is_cancelled = None, None, False
        self.queue, self.run_wait = call.clock.wait("statement_queue"), None
        if self.queue.is_over():
            self.begin()

    def begin(self):
        self.status, self.run_wait = "STARTED", self.world.clock.wait("statement_run")
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def let_pass(self, seconds):
        """Lets as much time pass as somebody waits who has asked for it; the caller holds the world's lock."""
        if self.status == "SUBMITTED":
            seconds = self.queue.let_pass(seconds)
            if self.queue.is_over():
                self.begin()
        if self.status == "STARTED":
            self.run_wait.let_pass(seconds)

    def is_kept(self):
        return self.status not in ENDED or time.time() - self.updated <= self.world.clock.delays["statement_kept"]

    def look(self):
        """Lets one look's time pass; the caller holds the world's lock."""
        if self.status == "SUBMITTED" and self.queue.look():
            self.begin()
        elif self.status == "STARTED" and self.run_wait:
            self.run_wait.look()
        elif self.late_looks:
            self.late_looks -= 1

    # --- in its thread ---

    def work(self):
        try:
            self.run()
        except PgError as error:
            self.end("FAILED", f"ERROR: {error.message}" + (f"\n  Detail: {error.detail}" if error.detail else ""))
        except server_session().Cut:
            self.end("ABORTED", "Connection to the database was lost")
        except (OSError, EOFError):
            self.end("FAILED", "Connection to the database was lost")
        except Exception as error:  # a mistake of the server
            self.world.problems.append(f"redshift-data statement: {error!r}")
            self.end("FAILED", "InternalServerException")
        finally:
            if self.session:
                self.session.close()

    def run(self):
        if not self.world.databases:
            raise PgError("the test server was started without --sql: there is no database")
        self.session = server_session().open_as(self.world.databases, self.thing, self.user, self.database, self.password)
        self.pid = self.session.connection.pid
        for part in self.parts:
            part.status = "SUBMITTED"
        statements = [self.read(part) for part in self.parts]
        # a batch is a transaction, of one statement too: "Run multiple SQL statements" of the Management Guide
        is_alone = not self.is_batch and (statements[0][0].upper() == "VACUUM" or re.match(
            r"(CREATE|DROP) DATABASE\b|CREATE EXTERNAL|BEGIN|START|COMMIT|END|ROLLBACK|ABORT", server_dialect.shape(statements[0])))
        if is_alone:
            self.wait()
        else:
            self.session.connection.run("BEGIN")
        for number, (part, statement) in enumerate(zip(self.parts, statements), 1):
            self.run_part(number, part, statement)
        self.wait()
        if self.session.status != "I" and not is_alone:
            self.session.results(server_dialect.tokens("COMMIT"))
        self.late_looks = self.session.late_looks
        self.end("FINISHED")

    def read(self, part):
        values = {parameter["name"]: parameter["value"] for parameter in self.parameters}
        sql = PLACEHOLDER.sub(lambda found: literal(values[found.group(1)]) if found.group(1) in values else found.group(), part.sql)
        found = server_dialect.split(sql)
        return found[0] if found else server_dialect.tokens("SELECT 1 WHERE false")

    def run_part(self, number, part, statement):
        part.begin(self.world)
        try:
            if self.is_batch and statement[0].upper() in ("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT"):
                raise PgError("a batch is one transaction already", "25001")
            part.result = self.session.results(statement)
        except PgError as error:
            part.end("FAILED", f"ERROR: {error.message}")
            if not self.is_batch:
                raise
            raise PgError(f"Query #{number} failed with ERROR: {error.message}", error.state, error.detail) from error
        if part.size() > self.world.quotas["result_bytes"]:
            raise PgError(f"the result is larger than the limit of {self.world.quotas['result_bytes']} bytes", "54000")
        part.end("FINISHED")

    def wait(self):
        while not self.run_wait.is_over():
            if self.is_cancelled:
                raise PgError("Query cancelled on user's request", "57014")
            time.sleep(0.005)
        if self.is_cancelled:
            raise PgError("Query cancelled on user's request", "57014")

    def end(self, status, error=None):
        with self.world.lock:
            if self.is_cancelled:
                status, error = "ABORTED", "Query cancelled on user's request"
            for part in self.parts:
                if part.status in ("SUBMITTED", "STARTED"):
                    part.end("ABORTED", None)
            self.status, self.error, self.updated = status, error and error.replace("ERROR: Query #", "Query #", 1), time.time()

    # --- as it is shown ---

    def shown_status(self):
        return "STARTED" if self.late_looks and self.status == "FINISHED" else self.status

    def has_result_set(self):
        return self.shown_status() == "FINISHED" and any(part.result and part.result.columns for part in self.parts)

    def describe(self):
        status = self.shown_status()
        last = self.parts[-1]
        shown = self.where | {
            "Id": self.id, "Status": status, "CreatedAt": self.created, "UpdatedAt": self.updated, "Database": self.database,
            "RedshiftPid": self.pid, "QueryString": self.sqls[0], "ResultFormat": self.format, "HasResultSet": False,
            "Duration": int((self.updated - self.created) * 1e9) if status in ENDED else -1, "ResultRows": -1, "ResultSize": -1,
            "RedshiftQueryId": last.query if status in ENDED else 0}
        if self.parameters:
            shown["QueryParameters"] = self.parameters
        if self.error and status in ENDED:
            shown["Error"] = self.error
        if self.is_batch:
            del shown["QueryString"]
            shown["SubStatements"] = [part.describe(status) for part in self.parts]
            shown["HasResultSet"] = self.has_result_set()
        elif status == "FINISHED":
            shown |= {"HasResultSet": bool(last.result.columns), "ResultRows": last.rows(), "ResultSize": last.size()}
        return shown


class Part:
    """One statement of a batch, or the only one."""

    def __init__(self, part_id, sql):
        self.id, self.sql, self.status, self.error, self.result, self.query = part_id, sql, "SUBMITTED", None, None, 0
        self.began = self.updated = time.time()

    def begin(self, world):
        self.status, self.query, self.began = "STARTED", world.next_query(), time.time()

    def end(self, status, error=None):
        self.status, self.error, self.updated = status, error, time.time()

    def rows(self):
        """Rows of a result, or rows that were changed; -1 for statements that have none."""
        if self.result is None:
            return -1
        if self.result.columns:
            return len(self.result.rows)
        found = re.search(r" (\d+)$", self.result.tag)
        return int(found.group(1)) if found else 0

    def size(self):
        return sum(len(field or b"") for row in self.result.rows for field in row) if self.result else 0

    def describe(self, status):
        is_told = status in ENDED or self.status == "SUBMITTED"
        shown = {"Id": self.id, "QueryString": self.sql, "Status": self.status if is_told else "STARTED", "CreatedAt": self.began,
                 "UpdatedAt": self.updated, "ResultRows": self.rows(), "ResultSize": self.size(), "RedshiftQueryId": self.query,
                 "HasResultSet": bool(self.result and self.result.columns), "Duration": int((self.updated - self.began) * 1e9)}
        return shown | ({"Error": self.error} if self.error and is_told else {})


def server_session():
    import server_session as module

    return module


def invalid(message):
    return AwsError("ValidationException", message)


def not_found(statement_id, message=None):
    return AwsError("ResourceNotFoundException", message or "Query does not exist.", ResourceId=statement_id)


# --- submitting ---


def user_of(call, thing):
    """(database user whom a call stands for, password that has to be right or None)"""
    params = call.params
    if "SecretArn" in params:
        if "DbUser" in params:
            raise invalid("SecretArn and DbUser cannot be given together")
        try:
            secret = json.loads(server_sql.secret_text(params["SecretArn"]))
        except Exception as error:  # moto's own, of which there are many
            raise invalid("Secrets Manager can't find the specified secret.") from error
        return secret["username"], secret["password"]
    if "DbUser" in params:
        if "WorkgroupName" in params:
            raise invalid("DbUser is not allowed with WorkgroupName")
        return params["DbUser"], None
    return iam_user(call), None


def iam_user(call):
    """The database user of who signed the call."""
    kind, _, name = call.caller.rpartition(":")[2].partition("/")
    return f"{'IAMR' if kind == 'assumed-role' else 'IAM'}:{name.partition('/')[0]}"


def check_call(call):
    params = call.params
    if params.get("SessionId") or params.get("SessionKeepAliveSeconds"):
        raise invalid("sessions are not part of this test server")
    if params.get("ExecutionMode") == "AUTO_COMMIT":
        raise invalid("a batch that is not one transaction is not part of this test server")
    if ("ClusterIdentifier" in params) == ("WorkgroupName" in params):
        raise invalid("Either ClusterIdentifier or WorkgroupName must be given")
    if not params.get("Database"):
        raise invalid("Database is required")
    sqls = params.get("Sqls") or [params.get("Sql", "")]
    for sql in sqls:
        if len(sql.encode()) > call.world.quotas["statement_bytes"]:
            raise invalid(f"SQL statement exceeds the limit of {call.world.quotas['statement_bytes']} bytes")
        if not sql.strip():
            raise invalid("SQL statement must not be empty")
        if len(server_dialect.split(sql)) > 1:
            raise invalid("Only one SQL statement is allowed in a string: use BatchExecuteStatement")
    names = {parameter["name"] for parameter in params.get("Parameters", [])}
    used = {found.group(1) for sql in sqls for found in PLACEHOLDER.finditer(sql) if found.group(1)}
    if names != used:
        raise invalid(f"Parameters list contains unused parameters: {sorted(names - used)}" if names - used
                      else f"Parameter is not set: {', '.join(sorted(used - names))}")
    thing = server_sql.find_endpoint(call.world, call.account, call.region, params.get("ClusterIdentifier"), params.get("WorkgroupName"))
    if thing.status not in server_sql.SERVING:
        raise invalid(f"Redshift endpoint is not available: it is {thing.status}")
    return thing


def submit(call):
    state, token = call.state(Statements), call.params.get("ClientToken")
    asked = {**call.params, "ClientToken": call.action, "WaitTimeSeconds": 0}
    wanted = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    if token in state.tokens and state.tokens[token][2] > time.monotonic():
        have, statement, _ = state.tokens[token]
        if have != wanted:
            raise invalid("The ClientToken was used before, with other parameters")
        return statement
    thing = check_call(call)
    active = sum(statement.shown_status() not in ENDED for statement in state.statements.values() if statement.thing is thing)
    if active >= call.world.quotas["active_statements"]:
        quota = call.world.quotas["active_statements"]
        raise AwsError("ActiveStatementsExceededException", f"Active statements exceeded the allowed quota ({quota}).")
    user, password = user_of(call, thing)
    statement = Statement(call, thing, user, password)
    state.statements[statement.id] = statement
    if token:
        state.tokens[token] = (wanted, statement, time.monotonic() + TOKEN_SECONDS)
    return statement


def submit_and_wait(call):
    """Before the world is locked for the reply."""
    with call.world.lock:
        call.statement = submit(call)
    wait(call, call.statement)


@handles("redshift-data", "ExecuteStatement", "BatchExecuteStatement")
def execute_statement(call):
    statement = call.statement
    answer = statement.where | {"Id": statement.id, "CreatedAt": statement.created, "Database": statement.database}
    if "WaitTimeSeconds" in call.params:
        answer |= {"Status": statement.shown_status(), "RedshiftPid": statement.pid, "HasResultSet": statement.has_result_set()}
    return answer


# --- looking ---


def find(call):
    statement_id = call.params["Id"]
    statement = call.state(Statements).statements.get(statement_id.partition(":")[0])
    if statement is None or not statement.is_kept():
        raise not_found(statement_id)
    return statement


def look(call):
    """Before the world is locked: lets time pass, and waits for what has none left, for a while."""
    with call.world.lock:
        statement = call.state(Statements).statements.get(call.params["Id"].partition(":")[0])
        if statement and call.action == "DescribeStatement":
            statement.look()
    if statement:
        wait(call, statement)


def wait(call, statement):
    """Long polling: so many seconds may pass, or fewer when the statement is over; with nothing asked for only what is over is waited for."""
    seconds = call.params.get("WaitTimeSeconds", 0)
    with call.world.lock:
        if seconds:
            statement.let_pass(seconds)
        is_over = statement.run_wait and statement.run_wait.is_over()
        does_pass = seconds and call.clock.seconds_per_wall_ms
        thread = statement.thread
    if thread and (is_over or does_pass) and (seconds or not call.action.endswith("ExecuteStatement")):
        thread.join(seconds or 10)


BEFORE["redshift-data", "DescribeStatement"] = BEFORE["redshift-data", "GetStatementResult"] = look
BEFORE["redshift-data", "ExecuteStatement"] = BEFORE["redshift-data", "BatchExecuteStatement"] = submit_and_wait


@handles("redshift-data", "DescribeStatement")
def describe_statement(call):
    return find(call).describe()


@handles("redshift-data", "GetStatementResult")
def get_statement_result(call):
    statement, number = find(call), int(call.params["Id"].partition(":")[2] or 0)
    if statement.is_batch and not number:
        raise invalid("The Id of a sub-statement is needed for the result of a batch: <id>:1, <id>:2, ...")
    if number > len(statement.parts):
        raise not_found(call.params["Id"])
    part = statement.parts[number - 1 if number else 0]
    if statement.shown_status() != "FINISHED" or not part.result.columns:
        raise not_found(call.params["Id"], "Query does not have result. Please check query status with DescribeStatement.")
    if statement.format == "CSV":
        raise invalid("The result is in CSV: use GetStatementResultV2")
    start, rows = token_place(call), part.result.rows
    end = start + call.world.quotas["result_page_rows"]
    records = [[field(value, column) for value, column in zip(row, part.result.columns)] for row in rows[start:end]]
    answer = {"Records": records, "ColumnMetadata": [metadata(column) for column in part.result.columns], "TotalNumRows": len(rows)}
    return answer | ({"NextToken": base64.b64encode(str(end).encode()).decode()} if end < len(rows) else {})


def token_place(call):
    try:
        return int(base64.b64decode(call.params["NextToken"])) if call.params.get("NextToken") else 0
    except ValueError as error:
        raise invalid("Invalid NextToken") from error


def field(value, column):
    if value is None:
        return {"isNull": True}
    kind = TYPES.get(column[1], ("varchar", "stringValue"))[1]
    text = value.decode()
    if kind == "booleanValue":
        return {kind: text == "t"}
    if kind == "longValue":
        return {kind: int(text)}
    if kind == "doubleValue":
        return {kind: float(text)}
    return {kind: bytes.fromhex(text[2:]) if kind == "blobValue" else text}


def metadata(column):
    name, oid, modifier = column
    kind, union = TYPES.get(oid, ("varchar", "stringValue"))
    precision, scale, length = 0, 0, 0
    if kind == "numeric" and modifier >= 4:
        precision, scale = (modifier - 4) >> 16, (modifier - 4) & 0xFFFF
    elif kind in ("varchar", "bpchar"):
        length = precision = max(modifier - 4, 0)
    return {"name": name, "label": name, "typeName": kind, "nullable": 1, "precision": precision, "scale": scale, "length": length,
            "isCaseSensitive": kind in ("varchar", "bpchar"), "isCurrency": False, "schemaName": "", "tableName": "",
            "isSigned": union in ("longValue", "doubleValue") or kind == "numeric"}


@handles("redshift-data", "CancelStatement")
def cancel_statement(call):
    statement = find(call)
    if statement.status in ENDED:
        raise invalid(f"Could not cancel a query that is already in {statement.status} state with ID: {statement.id}")
    statement.is_cancelled = True
    if statement.thread is None:
        statement.end("ABORTED")
    elif statement.session:
        engine = statement.session.store.engine("postgres")
        engine.run(f"select pg_cancel_backend({statement.pid})")
        engine.close()
    return {"Status": True}


@handles("redshift-data", "ListStatements")
def list_statements(call):
    params = call.params
    found = [statement for statement in call.state(Statements).statements.values()
             if params.get("Status", "ALL") in ("ALL", statement.shown_status())
             and (statement.name or "").startswith(params.get("StatementName", ""))
             and params.get("Database") in (None, statement.database)
             and all(params.get(key) in (None, statement.where.get(key)) for key in ("ClusterIdentifier", "WorkgroupName"))]
    found.reverse()
    start, most = token_place(call), params.get("MaxResults") or 100
    rows = []
    for statement in found[start:start + most]:
        row = {"Id": statement.id, "Status": statement.shown_status(), "CreatedAt": statement.created, "UpdatedAt": statement.updated,
               "IsBatchStatement": statement.is_batch, "ResultFormat": statement.format}
        row |= {"QueryStrings": statement.sqls} if statement.is_batch else {"QueryString": statement.sqls[0]}
        row |= {"StatementName": statement.name} if statement.name else {}
        row |= {"SecretArn": statement.where["SecretArn"]} if "SecretArn" in statement.where else {}
        rows.append(row)
    more = {"NextToken": base64.b64encode(str(start + most).encode()).decode()} if start + most < len(found) else {}
    return {"Statements": rows, **more}
