"""PostgreSQL's wire protocol, version 3: messages as they go over a socket, and a connection of the engine's own account.

Used on both sides: by server_session.py towards the private PostgreSQL, by server_proxy.py towards clients.
"""

import socket
import struct

READY, ERROR, NOTICE, DONE, ROW, COLUMNS, COPY_IN = b"Z", b"E", b"N", b"C", b"D", b"T", b"G"
ENGINE = "sfengine"  # the superuser of the private PostgreSQL; it gets in over the Unix socket without a password


class PgError(Exception):
    """An ErrorResponse: SQLSTATE and text."""

    def __init__(self, message, state="XX000", detail=None):
        super().__init__(message)
        self.message, self.state, self.detail = message, state, detail

    def encoded(self, severity=b"ERROR"):
        detail = b"D" + self.detail.encode() + b"\0" if self.detail else b""
        return b"S" + severity + b"\0C" + self.state.encode() + b"\0M" + self.message.encode() + b"\0" + detail + b"\0"


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def literal(value):
    """Where a backslash escapes, as in Redshift."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def error_of(payload):
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in payload.split(b"\0") if part}
    return PgError(fields.get(b"M", ""), fields.get(b"C", "XX000"), fields.get(b"D"))


def message(kind, payload=b""):
    return kind + struct.pack("!I", len(payload) + 4) + payload


def text(value):
    return value.encode() + b"\0"


def read_exactly(file, count):
    data = file.read(count)
    if len(data) < count:
        raise EOFError("the other side has left")
    return data


def read_message(file):
    """(kind, payload)"""
    head = read_exactly(file, 5)
    return head[:1], read_exactly(file, struct.unpack("!I", head[1:])[0] - 4)


def startup(user, database, **parameters):
    pairs = {"user": user, "database": database, **parameters}
    body = struct.pack("!I", 196608) + b"".join(text(name) + text(value) for name, value in pairs.items()) + b"\0"
    return struct.pack("!I", len(body) + 4) + body


class Result:
    """What one statement gave: columns [(name, type OID, type modifier)], rows of bytes or None, command tag."""

    def __init__(self):
        self.columns, self.rows, self.tag = [], [], ""

    def take(self, kind, payload):
        if kind == COLUMNS:
            self.columns = list(columns_of(payload))
        elif kind == ROW:
            self.rows.append(list(fields_of(payload)))
        elif kind == DONE:
            self.tag = payload.rstrip(b"\0").decode()

    def texts(self):
        return [[None if field is None else field.decode() for field in row] for row in self.rows]


def columns_of(payload):
    (count,), at = struct.unpack_from("!H", payload), 2
    for _ in range(count):
        end = payload.index(b"\0", at)
        _, _, kind, _, modifier, _ = struct.unpack_from("!IhIhih", payload, end + 1)
        yield payload[at:end].decode(), kind, modifier
        at = end + 19


def fields_of(payload):
    (count,), at = struct.unpack_from("!H", payload), 2
    for _ in range(count):
        (size,) = struct.unpack_from("!i", payload, at)
        at += 4
        yield None if size < 0 else payload[at:at + size]
        at += max(size, 0)


class Connection:
    """A connection to the private PostgreSQL. `status` is I (idle), T (in a transaction) or E (in a failed one)."""

    def __init__(self, path, user, database, **parameters):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self.status, self.pid, self.secret = "I", 0, 0
        self.socket.sendall(startup(user, database, **parameters))

    def greet(self):
        """Waits until the connection is ready. Only for the engine's account, which is asked for nothing."""
        for kind, payload in self.until_ready():
            if kind == ERROR:
                raise error_of(payload)
            if kind == b"K":
                self.pid, self.secret = struct.unpack("!II", payload)
        return self

    def send(self, kind, payload=b""):
        self.socket.sendall(message(kind, payload))

    def until_ready(self):
        """Messages up to ReadyForQuery, which is kept back."""
        while True:
            kind, payload = read_message(self.file)
            if kind == READY:
                self.status = payload.decode()
                return
            yield kind, payload

    def query(self, sql):
        self.send(b"Q", text(sql))
        return self.until_ready()

    def run(self, sql):
        """The last result of a query; raises PgError."""
        result, error = Result(), None
        for kind, payload in self.query(sql):
            if kind == ERROR:
                error = error_of(payload)
            if kind == COLUMNS:
                result = Result()
            result.take(kind, payload)
        if error:
            raise error
        return result

    def copy(self, sql, chunks):
        """Feeds a COPY FROM STDIN. The tag; raises PgError."""
        self.send(b"Q", text(sql))
        result, error = Result(), None
        for kind, payload in self.until_ready():
            if kind == COPY_IN:
                for chunk in chunks:
                    self.send(b"d", chunk)
                self.send(b"c")
            elif kind == ERROR:
                error = error_of(payload)
            result.take(kind, payload)
        if error:
            raise error
        return result.tag

    def close(self):
        try:
            self.send(b"X")
        except OSError:
            pass
        self.file.close()
        self.socket.close()
