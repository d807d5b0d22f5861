"""Clients that send requests without a pause, and a record of the outcomes."""

import collections
import http.client
import json
import random
import socket
import ssl
import threading
import time

from harness import wire
from harness.processes import LOOPBACK

# The errors that a new connection may have while no server accepts it.
REFUSED = (ConnectionRefusedError, ConnectionResetError, ConnectionAbortedError)


class Record:
    """The outcomes of all clients' requests."""

    def __init__(self, authority=None):
        # Clients speak TLS where there is an authority to trust: a file of certificates.
        self.tls = ssl.create_default_context(cafile=authority) if authority else None
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.faults = []
        self.last_answer = 0.0
        self.over = threading.Event()

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def answered(self, what, status):
        with self.lock:
            self.counts[f"{what} {status}"] += 1
            self.last_answer = time.monotonic()
            if status >= 500:
                self.faults.append(f"{what} was answered {status}")

    def fault(self, text):
        with self.lock:
            self.faults.append(text)


class Connection:
    """A connection that is kept for some requests, and opened again when it is closed."""

    def __init__(self, port, record):
        self.port, self.record = port, record
        self.http, self.left = None, 0

    def ask(self, what, method, path, body=None, token=None):
        """Sends one request until it is answered; returns the answer, or `None` once the load ends."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["X-Auth-Token"] = token
        text = None if body is None else json.dumps(body)
        while not self.record.over.is_set():
            first = self.http is None
            if first and not self.connect():
                continue
            try:
                self.http.request(method, path, text, headers)
                response = self.http.getresponse()
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if first:
                    self.record.fault(f"{what} on a new connection got no answer: {error!r}")
                else:
                    self.record.count("kept connection closed")
                continue
            try:
                found = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.close()
                self.record.fault(f"the answer to {what} was cut off: {error!r}")
                continue
            self.record.answered(what, response.status)
            self.left -= 1
            if self.left == 0 or self.http.sock is None:
                self.close()
            return response, found
        return None

    def connect(self):
        if self.record.tls:
            self.http = http.client.HTTPSConnection(LOOPBACK, self.port, timeout=60, context=self.record.tls)
        else:
            self.http = http.client.HTTPConnection(LOOPBACK, self.port, timeout=60)
        self.left = random.randint(1, 30)
        try:
            self.http.connect()
        except REFUSED:
            self.record.count("refused")
            self.close()
            time.sleep(0.03)
            return False
        return True

    def close(self):
        if self.http:
            self.http.close()
        self.http = None


def read(connection, admin):
    """Reads lists and validates a token."""
    while not connection.record.over.is_set():
        connection.ask("list", "GET", "/v3/projects", token=admin)
        connection.ask("token", "GET", "/v3/auth/catalog", token=admin)


def log_in(connection, name, secret):
    """Logs in and uses the new token at once."""
    body = wire.password(name, secret, "admin")
    while not connection.record.over.is_set():
        found = connection.ask("login", "POST", "/v3/auth/tokens", body)
        if found and found[0].status == 201:
            connection.ask("fresh token", "GET", "/v3/auth/projects", token=found[0].getheader("x-subject-token"))


def write(connection, admin, project):
    """Changes its own project and checks that the change is visible."""
    path, n = f"/v3/projects/{project}", 0
    while not connection.record.over.is_set():
        n += 1
        wanted = f"change {n}"
        connection.ask("change", "PATCH", path, {"project": {"description": wanted}}, admin)
        found = connection.ask("project", "GET", path, token=admin)
        if found and found[0].status == 200:
            description = json.loads(found[1])["project"]["description"]
            if description != wanted:
                connection.record.fault(f"{wanted!r} was answered, and the project has {description!r}")


def hang_up(port, record, admin):
    """Sends requests and disconnects, mostly before the answer."""
    request = f"GET /v3/users HTTP/1.1\r\nHost: keystone\r\nX-Auth-Token: {admin}\r\n\r\n".encode()
    while not record.over.is_set():
        try:
            with socket.create_connection((LOOPBACK, port), timeout=10) as connection:
                connection.sendall(request[: random.choice([len(request), 20])])
                time.sleep(random.uniform(0, 0.02))
            record.count("hung up")
        except OSError:
            time.sleep(0.03)


def stay_silent(port, record):
    """Opens connections and sends nothing, as a load balancer with spare connections."""
    while not record.over.is_set():
        try:
            with socket.create_connection((LOOPBACK, port), timeout=10) as connection:
                connection.settimeout(0.5)
                while not record.over.is_set():
                    try:
                        if not connection.recv(1):
                            break
                    except TimeoutError:
                        continue
            record.count("silent connection closed")
        except OSError:
            pass
        time.sleep(0.03)


def start(port, record, admin, projects, secret):
    """Starts the clients; returns their threads."""
    work = [(read, Connection(port, record), admin) for _ in range(2)]
    work += [(log_in, Connection(port, record), "admin", secret) for _ in range(2)]
    work += [(write, Connection(port, record), admin, project) for project in projects]
    work += [(hang_up, port, record, admin) for _ in range(2)]
    work += [(stay_silent, port, record)]
    threads = [threading.Thread(target=task, args=arguments, daemon=True) for task, *arguments in work]
    for thread in threads:
        thread.start()
    return threads
