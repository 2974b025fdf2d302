"""A listening port that passes bytes on to another: where faults of a connection are made, and a server behind may come and go."""

import select
import socket
import struct
import threading


class Listener:
    """A free port of this machine; `serve(client)` runs in a thread of its own for each connection."""

    def __init__(self, serve):
        self.serve = serve
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def close(self):
        self.socket.close()


class Relay:
    def __init__(self, target, fault):
        """`target()` is the port behind; `fault()` a rule {after_bytes, fault: cut or stall} for a new connection, or None."""
        self.target, self.fault, self.live = target, fault, 0
        self.listener = Listener(self.serve)
        self.port = self.listener.port

    def serve(self, client):
        self.live += 1
        try:
            with client, socket.create_connection(("127.0.0.1", self.target())) as server:
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.pass_on(client, server, self.fault())
        except OSError:
            pass  # either side may leave at any time
        finally:
            self.live -= 1

    def pass_on(self, client, server, rule):
        """`after_bytes` counts what the client has sent."""
        sent = 0
        while True:
            for end in select.select([client, server], [], [])[0]:
                data = end.recv(262144)
                if not data:
                    return
                if end is client:
                    sent += len(data)
                    if rule and sent > rule["after_bytes"]:
                        self.break_off(client, rule)
                        return
                (server if end is client else client).sendall(data)

    def break_off(self, client, rule):
        if rule["fault"] == "stall":
            while client.recv(262144):
                pass  # takes what comes, and answers nothing
        else:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def stop(self):
        self.listener.close()
