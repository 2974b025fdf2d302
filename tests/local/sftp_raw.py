"""A bare SFTP version 3 client that speaks over `ssh -s`, so that a test can send what no polite client sends.

Every call returns the status name ("OK", "PERMISSION_DENIED", "FAILURE", "NO_SUCH_FILE", ...) or raises nothing; what a
call reads is in the second element. Packet layouts: draft-ietf-secsh-filexfer-02.
"""
import contextlib
import struct
import subprocess

READ, WRITE, APPEND, CREAT, TRUNC, EXCL = 1, 2, 4, 8, 16, 32
STATUS = {0: "OK", 1: "EOF", 2: "NO_SUCH_FILE", 3: "PERMISSION_DENIED", 4: "FAILURE", 5: "BAD_MESSAGE", 8: "OP_UNSUPPORTED"}


def _s(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack(">I", len(data)) + data


class Raw:
    def __init__(self, argv):
        """argv: an ssh command line that ends in the host; `-s sftp` is added."""
        self.proc = subprocess.Popen([*argv, "-s", "sftp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.next = 0
        self.extensions = {}
        self.ok = False
        self._put(1, struct.pack(">I", 3))
        reply = self._get()
        if reply is None:
            self.error = self.proc.stderr.read().decode(errors="replace")
            return
        kind, body = reply
        assert kind == 2, kind
        self.version = struct.unpack(">I", body[:4])[0]
        at = 4
        while at < len(body):
            name, at = self._str(body, at)
            value, at = self._str(body, at)
            self.extensions[name.decode()] = value
        self.ok = True

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.proc.stdin.close()
        self.proc.stdout.close()
        self.proc.stderr.close()
        self.proc.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def _str(body, at):
        n = struct.unpack(">I", body[at:at + 4])[0]
        return body[at + 4:at + 4 + n], at + 4 + n

    def _put(self, kind, body):
        self.proc.stdin.write(struct.pack(">IB", len(body) + 1, kind) + body)
        self.proc.stdin.flush()

    def _get(self):
        head = self.proc.stdout.read(4)
        if len(head) < 4:
            return None
        body = self.proc.stdout.read(struct.unpack(">I", head)[0])
        return body[0], body[1:]

    def _ask(self, kind, body):
        self.next += 1
        try:
            self._put(kind, struct.pack(">I", self.next) + body)
        except BrokenPipeError:
            return "CLOSED", None
        reply = self._get()
        if reply is None:
            return "CLOSED", None
        kind, body = reply
        assert struct.unpack(">I", body[:4])[0] == self.next
        body = body[4:]
        if kind == 101:
            return STATUS.get(struct.unpack(">I", body[:4])[0], "OTHER"), None
        if kind == 102:
            return "OK", self._str(body, 0)[0]
        if kind == 103:
            return "OK", self._str(body, 0)[0]
        if kind == 104:
            count, names, at = struct.unpack(">I", body[:4])[0], [], 4
            for _ in range(count):
                name, at = self._str(body, at)
                _, at = self._str(body, at)
                _, at = self._attrs(body, at)
                names.append(name.decode())
            return "OK", names
        if kind == 105:
            return "OK", self._attrs(body, 0)[0]
        return "OK", body

    @staticmethod
    def _attrs(body, at):
        flags = struct.unpack(">I", body[at:at + 4])[0]
        at += 4
        attrs = {}
        if flags & 1:
            attrs["size"] = struct.unpack(">Q", body[at:at + 8])[0]
            at += 8
        if flags & 2:
            at += 8
        if flags & 4:
            attrs["mode"] = struct.unpack(">I", body[at:at + 4])[0]
            at += 4
        if flags & 8:
            at += 8
        return attrs, at

    # --- the verbs ---
    def open(self, path, flags, attrs=b"\0\0\0\0"):
        return self._ask(3, _s(path) + struct.pack(">I", flags) + attrs)

    def shut(self, handle):
        return self._ask(4, _s(handle))[0]

    def read(self, handle, n=32768, offset=0):
        return self._ask(5, _s(handle) + struct.pack(">QI", offset, n))

    def write(self, handle, data, offset=0):
        return self._ask(6, _s(handle) + struct.pack(">Q", offset) + _s(data))[0]

    def lstat(self, path):
        return self._ask(7, _s(path))

    def fstat(self, handle):
        return self._ask(8, _s(handle))

    def setstat(self, path, size=None, mode=None):
        return self._ask(9, _s(path) + self._set(size, mode))[0]

    def fsetstat(self, handle, size=None, mode=None):
        return self._ask(10, _s(handle) + self._set(size, mode))[0]

    @staticmethod
    def _set(size, mode):
        flags = (1 if size is not None else 0) | (4 if mode is not None else 0)
        out = struct.pack(">I", flags)
        if size is not None:
            out += struct.pack(">Q", size)
        if mode is not None:
            out += struct.pack(">I", mode)
        return out

    def opendir(self, path):
        return self._ask(11, _s(path))

    def readdir(self, handle):
        return self._ask(12, _s(handle))

    def remove(self, path):
        return self._ask(13, _s(path))[0]

    def mkdir(self, path):
        return self._ask(14, _s(path) + b"\0\0\0\0")[0]

    def rmdir(self, path):
        return self._ask(15, _s(path))[0]

    def realpath(self, path):
        return self._ask(16, _s(path))

    def stat(self, path):
        return self._ask(17, _s(path))

    def rename(self, old, new):
        return self._ask(18, _s(old) + _s(new))[0]

    def readlink(self, path):
        return self._ask(19, _s(path))

    def symlink(self, target, link):
        # OpenSSH's order of the two; with the other order the test would only probe another pair
        return self._ask(20, _s(target) + _s(link))[0]

    def link21(self, new, old, symbolic):
        """SSH_FXP_LINK of version 6."""
        return self._ask(21, _s(new) + _s(old) + (b"\1" if symbolic else b"\0"))[0]

    def extended(self, name, *parts):
        return self._ask(200, _s(name) + b"".join(_s(p) for p in parts))

    # --- small journeys ---
    def get(self, path):
        """Status of open and read together, and the bytes."""
        status, handle = self.open(path, READ)
        if status != "OK":
            return status, None
        status, data = self.read(handle)
        self.shut(handle)
        return ("OK", b"") if status == "EOF" else (status, data)

    def put(self, path, data=b"new", flags=WRITE | CREAT | TRUNC):
        status, handle = self.open(path, flags)
        if status != "OK":
            return status
        status = self.write(handle, data)
        self.shut(handle)
        return status

    def ls(self, path):
        status, handle = self.opendir(path)
        if status != "OK":
            return status, None
        names = []
        while True:
            status, some = self.readdir(handle)
            if status != "OK":
                break
            names += some
        self.shut(handle)
        return ("OK", sorted(n for n in names if n not in (".", ".."))) if status == "EOF" else (status, None)
