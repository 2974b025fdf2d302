"""A session on one of the databases behind Redshift: takes Redshift's SQL, gives PostgreSQL's messages.

Both ways to a database use it: server_statements.py (the Data API) and server_proxy.py (libpq).
"""

import hashlib

import server_copy
import server_dialect
from server_pg import DONE, ERROR, NOTICE, PgError, Result, error_of, literal, quoted

# "Serializable isolation errors" of the Database Developer Guide
CONFLICT = "1023\nDetail: Serializable isolation violation on table - 100254, transactions forming the cycle are: 1753, 1757 (pid:17503)"


# of 8.0: what is a table, view or sequence in later texts is a relation
RENAMED = ((b"permission denied for table ", b"permission denied for relation "), (b"permission denied for view ", b"permission denied for relation "),
           (b"must be owner of table ", b"must be owner of relation "), (b"must be owner of view ", b"must be owner of relation "))


def in_own_words(payload):
    """An ErrorResponse of PostgreSQL as Redshift would write it."""
    for new, old in RENAMED:
        payload = payload.replace(b"M" + new, b"M" + old)
    return payload


class Cut(Exception):
    """The session ended, by a fault of server_faults.SqlRule."""


class Session:
    def __init__(self, databases, thing, store, connection, database):
        self.databases, self.thing, self.store = databases, thing, store
        self.connection, self.database = connection, database
        self.last_copy_id, self.last_copy_count, self.late_looks, self.bad_row, self.is_gone = -1, 0, 0, 0, False

    @property
    def status(self):
        return self.connection.status

    def run(self, statement):
        """Runs one statement (tokens). Yields (kind, payload) up to, without, ReadyForQuery; the last is CommandComplete or ErrorResponse."""
        try:
            if self.status == "E" and statement[0].upper() not in ("ROLLBACK", "ABORT", "END", "COMMIT"):
                raise PgError("current transaction is aborted, commands ignored until end of transaction block", "25P02")
            plan = server_dialect.plan(statement, self)
            rule = self.databases.world.sql_fault(server_dialect.shape(statement))
            fault = rule.fault if rule else ""
            if fault == "cut":
                raise Cut
            if fault in ("conflict", "error"):
                raise PgError(CONFLICT if fault == "conflict" else rule.message, "40001" if fault == "conflict" else "XX000")
            if fault == "stuck":
                self.connection.run("set local statement_timeout to 0")  # no limit of the session's ends it
                self.connection.run("select pg_sleep(3600)")
            self.late_looks += rule.looks if fault == "late" else 0
            self.bad_row, self.is_gone = rule.row if fault == "row" else 0, fault == "gone"
            if fault == "cut-after":
                for _ in self.work(plan, statement):
                    pass
                raise Cut
            yield from self.work(plan, statement)
        except PgError as error:
            self.fail()
            yield ERROR, in_own_words(error.encoded())

    def work(self, plan, statement):
        if plan.kind == "copy":
            yield from server_copy.run(self, statement)
        elif plan.kind == "nothing":
            yield DONE, plan.tag.encode() + b"\0"
        else:
            yield from self.run_sql(plan)

    def run_sql(self, plan):
        was_open = self.status == "T"
        is_done = False
        for sql in plan.steps[:-1]:
            for kind, payload in self.connection.query(sql):
                if kind == ERROR:
                    yield kind, in_own_words(payload)
                    return
        for kind, payload in self.connection.query(plan.steps[-1] if plan.steps else plan.sql):
            if kind == ERROR:
                payload = in_own_words(payload)
            if kind == DONE:
                is_done = True
                payload = plan.tag.encode() + b"\0" if plan.tag else payload
            yield kind, payload
        if plan.kind == "truncate" and was_open and is_done:
            self.connection.run("COMMIT")  # TRUNCATE commits the transaction that it is in

    def fail(self):
        """A transaction that an error of ours hits is a failed one."""
        if self.status == "T":
            for _ in self.connection.query("do $$ begin raise exception 'failed'; end $$"):
                pass

    def results(self, statement):
        """Result of one statement; raises PgError. Notices are dropped."""
        result, error = Result(), None
        for kind, payload in self.run(statement):
            if kind == ERROR:
                error = error_of(payload)
            elif kind != NOTICE:
                result.take(kind, payload)
        if error:
            raise error
        return result

    def close(self):
        self.connection.close()


def check_limit(databases, thing):
    """A usage limit whose breach turns off user queries: "Setting usage limits" of the Management Guide. The words are our own."""
    if getattr(thing, "name", None) in databases.world.exhausted:
        raise PgError(f"Query cancelled: workgroup {thing.name} has reached its usage limit, and user queries are turned off", "53400")


def open_as(databases, thing, user, database, password=None):
    """A session of the Data API: as `user`, whom AWS has vouched for, or whose password is in a secret. Raises PgError.

    The user of an IAM identity (IAM:name, IAMR:name) is made when it is not there, as GetClusterCredentialsWithIAM does.
    """
    check_limit(databases, thing)
    store = databases.store_of(thing)
    if not store.has_database(database):
        raise PgError(f'database "{database}" does not exist', "3D000")
    engine = store.engine(database)
    try:
        found = engine.run("select rolpassword from pg_authid where rolname = " + literal(user)).texts()
        if not found and user.startswith(("IAM:", "IAMR:")):
            engine.run("create role " + quoted(user) + " login")
        elif not found:
            raise PgError(f'user "{user}" does not exist', "28000")
        if password is not None and found[0][0] != "md5" + hashlib.md5((password + user).encode()).hexdigest():
            raise PgError(f'password authentication failed for user "{user}"', "28000")
        engine.run("set session authorization " + quoted(user))
    except PgError:
        engine.close()
        raise
    return Session(databases, thing, store, engine, database)
