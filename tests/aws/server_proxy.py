"""The endpoint of a cluster or workgroup as libpq meets it: TLS, then PostgreSQL's protocol, with Redshift's SQL in it.

PostgreSQL itself asks for the password, and its requests and answers are passed on. Queries meet the translator of server_session.py.
Of the extended protocol a statement that PostgreSQL can take goes through as it is; one that is ours to do (COPY, TRUNCATE) is done at
its Sync. Startup parameters are those that Redshift takes; what it reports is what Redshift says of itself.
"""

import contextlib
import os
import socket
import ssl
import struct

import server_dialect
import server_sql
from server_pg import ERROR, READY, Connection, PgError, message, read_message, text
from server_relay import Listener
from server_session import Cut, Session, check_limit, in_own_words

SSL_REQUEST, CANCEL, GSS_REQUEST, VERSION_3 = 80877103, 80877102, 80877104, 196608
TAKEN = {"user", "database", "client_encoding", "application_name", "options", "replication", "datestyle", "extra_float_digits",
         "fallback_application_name", "timezone"}
REPORTED = {b"server_version": b"8.0.2", b"client_encoding": b"UNICODE", b"server_encoding": b"UNICODE"}
DROPPED = {b"IntervalStyle", b"default_transaction_read_only", b"in_hot_standby", b"standard_conforming_strings"}
OWN = ("copy", "truncate", "nothing", "alone")


class Proxy:
    """A listening port and its connections."""

    def __init__(self, databases, thing):
        self.databases, self.thing, self.clients = databases, thing, set()
        self.cancels = {}  # (pid, secret) -> Unix socket of its PostgreSQL
        self.listener = Listener(self.serve)
        self.port = self.listener.port

    def serve(self, client):
        self.clients.add(client)
        link = Link(self, client)
        try:
            link.serve()
        except (OSError, EOFError, Cut):
            pass  # either side may leave at any time
        except Exception as error:
            self.databases.world.problems.append(f"sql proxy: {error!r}")
        finally:
            link.close()
            self.clients.discard(client)

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        host = server_sql.OTHER_HOST if self.databases.world.is_other_host else "localhost"
        context.load_cert_chain(os.path.join(self.databases.folder, host + ".pem"))
        return context

    def disconnect(self):
        for client in list(self.clients):
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self.listener.close()
        self.disconnect()


class Link:
    """One client and its session."""

    def __init__(self, proxy, client):
        self.proxy, self.client, self.file, self.session = proxy, client, None, None
        self.waiting = bytearray()  # for the client, who gets it when it is our turn to listen
        self.plans = {}  # name of a prepared statement of ours -> tokens
        self.portals = {}

    def close(self):
        with contextlib.suppress(OSError, ValueError):
            self.flush()  # why it ends
        if self.session:
            self.session.close()
        for thing in (self.file, self.client):
            if thing:
                try:
                    thing.close()
                except OSError:
                    pass

    def send(self, kind, payload=b""):
        self.waiting += message(kind, payload)
        if len(self.waiting) > 65536:
            self.flush()

    def flush(self):
        if self.waiting:
            self.client.sendall(self.waiting)
            self.waiting.clear()

    def receive(self):
        self.flush()
        return read_message(self.file)

    def refuse(self, error):
        self.send(ERROR, error.encoded(b"FATAL"))

    # --- how a connection begins ---

    def serve(self):
        code, body = self.first_packet()
        is_private = False
        while code in (SSL_REQUEST, GSS_REQUEST):
            if code == SSL_REQUEST and not is_private:
                self.client.sendall(b"S")
                old = self.client
                self.client = self.proxy.context().wrap_socket(old, server_side=True)
                self.proxy.clients.discard(old)
                self.proxy.clients.add(self.client)
                is_private = True
            else:
                self.client.sendall(b"N")
            code, body = self.first_packet()
        if code == CANCEL:
            self.cancel(body)
            return
        self.file = self.client.makefile("rb")
        pairs = body.rstrip(b"\0").decode().split("\0")
        parameters = dict(zip(pairs[::2], pairs[1::2]))
        if code != VERSION_3:
            self.refuse(PgError(f"unsupported frontend protocol {code >> 16}.{code & 65535}", "0A000"))
        elif not is_private:
            self.refuse(PgError("no pg_hba.conf entry for host: SSL is required (require_ssl)", "28000"))
        elif unknown := [name for name in parameters if name.lower() not in TAKEN]:
            self.refuse(PgError(f'unrecognized configuration parameter "{unknown[0]}"', "42704"))
        elif self.connect(parameters):
            self.talk()

    def first_packet(self):
        """Read byte by byte: what follows may be TLS, and must stay in the socket."""
        head = self.exactly(8)
        size, code = struct.unpack("!II", head)
        if not 8 <= size <= 10000:
            raise EOFError("not a startup packet")
        return code, self.exactly(size - 8)

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.client.recv(count - len(data))
            if not more:
                raise EOFError("the client has left")
            data += more
        return data

    def cancel(self, body):
        path = self.proxy.cancels.get(struct.unpack("!II", body))
        if path:
            with socket.socket(socket.AF_UNIX) as other:
                other.connect(path)
                other.sendall(struct.pack("!II", 16, CANCEL) + body)

    def connect(self, parameters):
        """Passes on the login; True when the client is in."""
        databases, thing = self.proxy.databases, self.proxy.thing
        user = parameters["user"]
        database = parameters.get("database") or user
        with databases.world.lock:
            is_serving = thing.status in server_sql.SERVING
        if not is_serving:
            return False  # nobody listens there
        try:
            check_limit(databases, thing)
        except PgError as error:
            self.refuse(error)
            return False
        store = databases.store_of(thing)
        passed = ("application_name", "datestyle", "options", "timezone")
        given = {name: value for name, value in parameters.items() if name.lower() in passed}
        connection = Connection(store.socket, user, database, client_encoding="UTF8", **given)
        self.session = Session(databases, thing, store, connection, database)
        while True:
            kind, payload = read_message(connection.file)
            if kind == b"S":
                self.report(payload)
                continue
            if kind == b"K":
                connection.pid, connection.secret = struct.unpack("!II", payload)
                self.proxy.cancels[connection.pid, connection.secret] = store.socket
            self.send(kind, payload)
            if kind == ERROR:
                return False
            if kind == READY:
                return True
            if kind == b"R" and struct.unpack("!I", payload[:4])[0] in (3, 5):
                answer_kind, answer = self.receive()
                connection.send(answer_kind, answer)

    def report(self, payload):
        name = payload.split(b"\0")[0]
        if name in REPORTED:
            payload = name + b"\0" + REPORTED[name] + b"\0"
        if name not in DROPPED:
            self.send(b"S", payload)

    # --- queries ---

    def talk(self):
        while True:
            kind, payload = self.receive()
            if kind == b"X":
                return
            if kind == b"Q":
                self.simple(payload.rstrip(b"\0").decode())
                self.ready()
            elif kind in (b"P", b"B", b"D", b"E", b"C", b"H", b"S", b"F"):
                self.extended(kind, payload)
            else:
                self.refuse(PgError(f"message {kind!r} is not supported", "08P01"))
                return

    def ready(self):
        self.send(READY, self.session.status.encode())

    def simple(self, sql):
        """A text of statements is one transaction, unless it says otherwise, as in PostgreSQL 8.0."""
        statements = server_dialect.split(sql)
        if not statements:
            self.send(b"I")
            return
        words = {statement[0].upper() for statement in statements}
        is_one = len(statements) > 1 and self.session.status == "I" and not words & {
            "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "VACUUM"}
        if is_one:
            self.session.connection.run("BEGIN")
        for statement in statements:
            if not self.run(statement):
                break
        if is_one and self.session.status != "I":
            self.session.connection.run("COMMIT")

    def run(self, statement):
        is_good = True
        for kind, payload in self.session.run(statement):
            is_good = is_good and kind != ERROR
            if kind == b"S":
                self.report(payload)
            else:
                self.send(kind, payload)
        return is_good

    def extended(self, kind, payload):
        """Messages up to a Sync, together."""
        batch = [(kind, payload)]
        while batch[-1][0] not in (b"S", b"H"):
            batch.append(self.receive())
        try:
            self.work(batch)
        except PgError as error:
            self.session.fail()
            self.send(ERROR, error.encoded())
            while batch[-1][0] != b"S":
                batch.append(self.receive())
            self.ready()

    def work(self, batch):
        """Ours alone, or PostgreSQL's alone: libpq sends one statement a time."""
        passed = []
        for kind, payload in batch:
            if kind == b"P":
                name, sql, rest = payload.split(b"\0", 2)
                statements = server_dialect.split(sql.decode())
                if len(statements) > 1:
                    raise PgError("cannot insert multiple commands into a prepared statement", "42601")
                if statements:
                    plan = server_dialect.plan(statements[0], self.session)
                    rule = plan.kind == "sql" and self.proxy.databases.world.sql_fault(server_dialect.shape(statements[0]))
                    if plan.kind in OWN or rule:
                        self.plans[name] = statements[0]
                        self.send(b"1")
                        continue
                    self.plans.pop(name, None)
                    payload = name + b"\0" + text(plan.sql) + rest
            elif kind == b"B":
                portal, name = payload.split(b"\0", 2)[:2]
                if name in self.plans:
                    self.portals[portal] = self.plans[name]
                    self.send(b"2")
                    continue
                self.portals.pop(portal, None)
            elif kind == b"D" and (payload[1:-1] in self.portals if payload[:1] == b"P" else payload[1:-1] in self.plans):
                if payload[:1] == b"S":
                    self.send(b"t", struct.pack("!H", 0))
                self.send(b"n")
                continue
            elif kind == b"E" and payload.split(b"\0")[0] in self.portals:
                if not self.run(self.portals[payload.split(b"\0")[0]]):
                    break
                continue
            passed.append((kind, payload))
        self.pass_on(passed if passed and passed[-1][0] == batch[-1][0] else [*passed, batch[-1]])

    def pass_on(self, batch):
        connection = self.session.connection
        connection.socket.sendall(b"".join(message(kind, payload) for kind, payload in batch))
        if batch[-1][0] == b"H":
            return
        for kind, payload in connection.until_ready():
            if kind == b"S":
                self.report(payload)
            else:
                self.send(kind, in_own_words(payload) if kind == ERROR else payload)
        self.ready()
