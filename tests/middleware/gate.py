"""What stands between the services and Keystone: it counts validations, and can be slow, broken or away."""

import http.client
import http.server
import socket
import threading
import time

from harness import processes
from harness.processes import LOOPBACK

KEPT_BACK = ("connection", "transfer-encoding", "keep-alive", "date", "server")


class Gate:
    """A proxy in front of the Keystone at `port`; `mode` is `open`, `slow` or `broken`."""

    def __init__(self, port):
        self.keystone_port = port
        self.port = processes.free_port()
        self.mode = "open"
        self.validations = 0
        self.last_own_token = None
        self.lock = threading.Lock()
        self.connections = set()
        self.server = None
        self.rise()

    @property
    def url(self):
        return f"http://{LOOPBACK}:{self.port}/v3"

    def rise(self):
        gate = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                gate.connections.add(self.connection)

            def finish(self):
                gate.connections.discard(self.connection)
                try:
                    super().finish()
                except OSError:
                    pass

            def log_message(self, *_):
                pass

            def pass_on(self):
                gate.answer(self)

            do_GET = do_POST = do_HEAD = do_DELETE = pass_on

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256
            allow_reuse_address = True

            def handle_error(self, *_):
                pass

        self.server = Server((LOOPBACK, self.port), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def fall(self):
        """Nothing listens any more, and open connections break."""
        self.server.shutdown()
        self.server.server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def answer(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if request.command == "GET" and request.path.startswith("/v3/auth/tokens"):
            with self.lock:
                self.validations += 1
                self.last_own_token = request.headers["X-Auth-Token"]
        if self.mode == "slow":
            time.sleep(4)
        if self.mode == "broken":
            self.send(request, 500, [("Content-Type", "application/json")], b'{"error": {"code": 500}}')
            return
        connection = http.client.HTTPConnection(LOOPBACK, self.keystone_port, timeout=60)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in KEPT_BACK}
        connection.request(request.command, request.path, body or None, headers)
        response = connection.getresponse()
        self.send(request, response.status, response.getheaders(), response.read())
        connection.close()

    @staticmethod
    def send(request, status, headers, body):
        request.send_response_only(status)
        for name, value in headers:
            if name.lower() not in (*KEPT_BACK, "content-length"):
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
