"""A TCP proxy that slows, stops or cuts what goes through it."""

import contextlib
import socket
import threading
import time

from .processes import LOOPBACK


class Proxy:
    def __init__(self):
        self.target = None
        # Seconds that each piece takes in each direction.
        self.delay = 0.0
        self.flows = threading.Event()
        self.flows.set()
        self.is_cut = False
        self.sockets = set()
        self.listener = socket.create_server((LOOPBACK, 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def cut(self):
        """Closes every connection, and each new one at once."""
        self.is_cut = True
        for end in list(self.sockets):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self):
        self.is_cut, self.delay = False, 0.0
        self.flows.set()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            if self.is_cut:
                client.close()
                continue
            try:
                server = socket.create_connection((LOOPBACK, self.target))
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sockets.add(end)
            for way in ((client, server), (server, client)):
                threading.Thread(target=self.pump, args=way, daemon=True).start()

    def pump(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self.flows.wait()
                time.sleep(self.delay)
                sink.sendall(data)
        for end in (source, sink):
            self.sockets.discard(end)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
