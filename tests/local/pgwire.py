"""A bare PostgreSQL client that chooses the address it comes from, which libpq cannot. Protocol 3.0; SCRAM-SHA-256 (RFC 5802)."""
import base64
import hashlib
import hmac
import os
import re
import socket
import struct


class Refused(Exception):
    """The server's error; its SQLSTATE is in `sqlstate`."""

    def __init__(self, body):
        fields = {f[:1]: f[1:].decode() for f in body.split(b"\0") if f}
        self.sqlstate = fields[b"C"]
        super().__init__(f"{fields[b'M']} [{self.sqlstate}]")


class Session:
    def __init__(self, port, user, password, database, source="127.0.0.1"):
        """Logs in. Raises Refused."""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))
        try:
            self._log_in(user, password, database)
        except BaseException:
            self.close()
            raise

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _send(self, kind, body):
        self.socket.sendall(kind + struct.pack(">I", len(body) + 4) + body)

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise ConnectionError("the server ended the session")
            data += more
        return data

    def _receive(self):
        kind, size = struct.unpack(">cI", self._exactly(5))
        body = self._exactly(size - 4)
        if kind == b"E":
            raise Refused(body)
        return kind, body

    def _until(self, wanted):
        while True:
            kind, body = self._receive()
            if kind == wanted:
                return body

    def _log_in(self, user, password, database):
        self._send(b"", struct.pack(">I", 196608) + f"user\0{user}\0database\0{database}\0\0".encode())
        body = self._until(b"R")
        assert body[:4] == struct.pack(">I", 10) and b"SCRAM-SHA-256\0" in body, f"no SCRAM is asked for: {body}"
        first = "n=,r=" + base64.b64encode(os.urandom(18)).decode()
        self._send(b"p", b"SCRAM-SHA-256\0" + struct.pack(">I", len(first) + 3) + b"n,," + first.encode())
        challenge = self._until(b"R")[4:].decode()
        nonce, salt, rounds = re.fullmatch(r"r=([^,]+),s=([^,]+),i=(\d+)", challenge).groups()
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(rounds))
        key = hmac.digest(salted, b"Client Key", "sha256")
        last = f"c=biws,r={nonce}"
        signature = hmac.digest(hashlib.sha256(key).digest(), f"{first},{challenge},{last}".encode(), "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        self._send(b"p", f"{last},p={proof}".encode())
        self._until(b"Z")

    def query(self, text):
        """First column of the first row, as text. Raises Refused, or ConnectionError when the session was ended."""
        self._send(b"Q", text.encode() + b"\0")
        value = None
        while True:
            kind, body = self._receive()
            if kind == b"D" and value is None:
                size = struct.unpack(">i", body[2:6])[0]
                value = body[6:6 + size].decode()
            elif kind == b"Z":
                return value
