"""The servers that are measured, each a process on a port of its own."""

import os
import pathlib
import re
import socket
import time

from load import Request

from harness import keystones, processes, services, wire
from harness.processes import LOOPBACK

OURS, REFERENCE, CEILING = "this server", "Python Keystone", "the ceiling"
MEBIBYTE = 1 << 20


class Memcached(services.Memcached):
    def flush(self):
        with socket.create_connection((LOOPBACK, self.port)) as connection:
            connection.sendall(b"flush_all\r\n")
            if connection.recv(16) != b"OK\r\n":
                raise RuntimeError("memcached was not flushed")


def ours(cloud):
    return keystones.Native(cloud.directory, cloud.config)


def reference(cloud):
    return keystones.Reference(cloud.directory, cloud.config, processes=2, threads=4)


class Ceiling:
    """axum answering a fixed body."""

    def __init__(self, directory, body):
        file = directory / "ceiling.body"
        file.write_bytes(body)
        port = processes.free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        command = [keystones.NATIVE_BIN / "ceiling", f"{LOOPBACK}:{port}", file]
        self.daemon = processes.Daemon("ceiling", command, directory / "ceiling.log")
        processes.wait_for("ceiling", lambda: processes.listening(port), daemon=self.daemon)

    def stop(self):
        self.daemon.stop()


def answer(keystone, request):
    """The answer to a request of the bench, which must be a success."""
    headers = {"Host": "keystone.bench", "X-Subject-Token": request.subject}
    url = f"{keystone.url}{request.path}"
    found = wire.request(request.method, url, request.body, request.token, headers=headers, timeout=600)
    if found.status not in (200, 201):
        raise RuntimeError(f"{request.method} {url}: {found}")
    return found


def seconds_to_ready(keystone, cloud):
    """From the start of the process to its first answer about a token."""
    validation = Request("GET", "/v3/auth/tokens", cloud.admin, cloud.admin)
    port = processes.free_port()
    begun = time.monotonic()
    keystone.spawn(port)
    while not processes.listening(port):
        if not keystone.daemon.alive():
            raise RuntimeError(keystone.daemon.tail())
        time.sleep(0.001)
    answer(keystone, validation)
    return time.monotonic() - begun


def working(keystone, seconds=0.2):
    """Whether its processes use more than a tenth of a processor, such as for a hash that nobody waits for any more."""

    def ticks():
        stats = (pathlib.Path(f"/proc/{pid}/stat").read_text() for pid in keystone.daemon.family())
        fields = [stat.rsplit(")", 1)[1].split() for stat in stats]
        return sum(int(of[11]) + int(of[12]) for of in fields)

    before = ticks()
    time.sleep(seconds)
    return ticks() - before > 0.1 * seconds * os.sysconf("SC_CLK_TCK")


def peak_memory(keystone):
    """The most bytes that were in memory since `forget_peak`."""
    return keystone.daemon.sum_of("status", "VmHWM")


def forget_peak(keystone):
    for pid in keystone.daemon.family():
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def machine(mariadb):
    """What the figures were measured on."""
    model = re.search(r"^model name\s*: (.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    kibibytes = int(re.search(r"^MemTotal:\s+(\d+) kB", pathlib.Path("/proc/meminfo").read_text(), re.M)[1])
    ((database,),) = mariadb.sql("SELECT VERSION()")
    kernel = os.uname()
    return (
        f"{os.cpu_count()} cores of {model[1] if model else kernel.machine}, {kibibytes / MEBIBYTE:.0f} GiB, "
        f"Linux {kernel.release}, MariaDB {database} and wrk on the same machine"
    )
