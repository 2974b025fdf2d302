"""A line to a server on this machine: a relay that passes bytes on later, as a distant server would get them, and that can fail."""

import socket
import threading
import time


class Line:
    """Relays to 127.0.0.1:`to`, each direction `delay_ms` late, at any speed. `admits`: how many connections it lets through, the
    others are closed at once. `breaks_after`: bytes from client to server over all connections, after which every connection is cut."""

    def __init__(self, to, delay_ms=0, admits=None, breaks_after=None):
        self.to, self.delay, self.admits, self.breaks_after = to, delay_ms / 1000, admits, breaks_after
        self.n, self.passed, self.open, self.lock = 0, 0, [], threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.acceptor = threading.Thread(target=self.accept, daemon=True)
        self.acceptor.start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread; closing alone would leave it at work on whatever comes next
        self.acceptor.join()
        self.listener.close()
        self.cut()

    def cut(self):
        for end in self.open:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self):
        while True:
            try:
                here, _ = self.listener.accept()
            except OSError:
                return
            self.n += 1
            if self.admits is not None and self.n > self.admits:
                here.close()
                continue
            there = socket.create_connection(("127.0.0.1", self.to))
            self.open += [here, there]
            for a, b, counts in ((here, there, True), (there, here, False)):
                a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.relay(a, b, counts)

    def relay(self, a, b, counts):
        queue, news = [], threading.Condition()

        def take():
            data = b"x"
            while data:
                try:
                    data = a.recv(1 << 20)
                except OSError:
                    data = b""
                with news:
                    queue.append((time.monotonic() + self.delay, data))
                    news.notify()

        def give():
            while True:
                with news:
                    while not queue:
                        news.wait()
                    due, data = queue.pop(0)
                time.sleep(max(0, due - time.monotonic()))
                with self.lock:
                    self.passed += len(data) if counts else 0
                    is_over = self.breaks_after is not None and self.passed > self.breaks_after
                if is_over:
                    self.cut()
                try:
                    if not data:
                        b.shutdown(socket.SHUT_WR)
                        return
                    b.sendall(data)
                except OSError:
                    return

        for work in (take, give):
            threading.Thread(target=work, daemon=True).start()
