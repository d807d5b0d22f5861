"""Stops and starts a server under load: every accepted request is answered, and the process exits after its last answer.

With --socket the socket outlives the server, as one of systemd does: no connection is refused. With --certificates the
server goes on, and its certificate is replaced every second.
"""

import argparse
import getpass
import grp
import json
import os
import signal
import socket
import ssl
import time

import load
from harness import checks, keystones, processes, services, wire

CONF = """\
[database]
connection = {connection}

[fernet_tokens]
key_repository = {directory}/fernet-keys/

[credential]
key_repository = {directory}/credential-keys/

[identity]
# Few rounds, so that hashing does not slow the requests down.
password_hash_algorithm = bcrypt
password_hash_rounds = 4
"""

PASSWORD = "000000"

# How many seconds after its last answer a server may take to exit.
AFTER_THE_LAST = 2


class Activated(keystones.Native):
    """A server on a socket that outlives it."""

    def spawn(self, *ports):
        if not self.sockets:
            self.listener = socket.create_server(("127.0.0.1", *ports), backlog=1024)
            self.sockets = (self.listener.fileno(),)
        return super().spawn(*ports)

    def command(self, ports):
        serve = [keystones.NATIVE_BIN / "keystone", "serve", "--config-file", self.config]
        # LISTEN_PID is the id of the process: the shell becomes the server.
        script = f'LISTEN_PID=$$ exec "$@" 3<&{self.sockets[0]}'
        return ["bash", "-c", script, "activated", *serve], {"LISTEN_FDS": "1"}


class Https(keystones.Native):
    """A server that speaks TLS."""

    def command(self, ports):
        command, env = super().command(ports)
        files = (self.directory / "tls.pem", self.directory / "tls.key")
        return [*command, "--tls-certificate", files[0], "--tls-key", files[1]], env


def settled(kind=keystones.Native):
    """A bootstrapped server that is not yet running, and its port."""
    directory = processes.scratch("restarts")
    connection = services.MariaDb(directory).database("keystone", "KEYSTONE_DBPASS")
    config = directory / "keystone.conf"
    config.write_text(CONF.format(connection=connection, directory=directory))
    server = kind(directory, config)
    owner = ("--keystone-user", getpass.getuser(), "--keystone-group", grp.getgrgid(os.getgid()).gr_name)
    # If possible outside of the ephemeral ports, so that no outgoing connection takes the port between two servers.
    port = 5000 if os.environ.get("KEYSTONE_TESTS_OWN_NETWORK") else processes.free_port()
    for command in (
        ("db_sync",),
        ("fernet_setup", *owner),
        ("credential_setup", *owner),
        ("bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-public-url", f"http://127.0.0.1:{port}/v3"),
    ):
        done = server.manage(*command)
        checks.equal(done.returncode, 0, f"keystone-manage {command[0]}: {done.stderr}")
    return server, port


def restarts(run, minutes, period, kind):
    server, port = settled(kind)
    server.serve(port)
    admin = wire.login(server.url, "admin", PASSWORD, "admin")
    projects = []
    for n in range(2):
        made = admin.post("/v3/projects", {"project": {"name": f"p{n}", "domain_id": "default"}})
        projects.append(made.json["project"]["id"])
    record = load.Record()
    threads = load.start(port, record, admin.token, projects, PASSWORD)
    end, endings = time.monotonic() + minutes * 60, []
    run.section(f"{minutes:g} minutes, a restart every {period} seconds")
    while time.monotonic() + period < end:
        time.sleep(period)
        with run.check(f"restart {len(endings) + 1}", needed=True):
            endings.append(stopped(server, record))
            server.serve(port)
    record.over.set()
    for thread in threads:
        thread.join(timeout=60)
    for what, count in sorted(record.counts.items()):
        print(f"  {count:8}  {what}")
    print(f"  the longest shutdown took {max(endings):.2f} s")
    if kind is Activated:
        with run.check("no connection was refused"):
            checks.equal(record.counts["refused"], 0, "the number of refused connections")
    with run.check("every request that was accepted has its answer, and none a failure"):
        checks.expect(not record.faults, f"{len(record.faults)}: " + "\n".join(record.faults[:20]))
    with run.check("the last server ends too"):
        stopped(server, record)


def certificates(run, minutes):
    """Replaces the certificate every second while clients that trust each of them go on."""
    server, port = settled(Https)
    names = ("one", "two")
    for name in names:
        made = processes.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
                *("-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-keyout", server.directory / f"{name}.key", "-out", server.directory / f"{name}.pem"),
            ]
        )
        checks.equal(made.returncode, 0, made.stderr)
    authorities = server.directory / "authorities.pem"
    authorities.write_text("".join((server.directory / f"{name}.pem").read_text() for name in names))

    def install(name):
        for kind in ("key", "pem"):
            (server.directory / f"tls.{kind}").write_text((server.directory / f"{name}.{kind}").read_text())

    install("one")
    server.spawn(port)
    processes.wait_for("the server", lambda: processes.listening(port), daemon=server.daemon)
    record = load.Record(authorities)
    first = load.Connection(port, record)
    body = wire.password("admin", PASSWORD, "admin")
    token = first.ask("login", "POST", "/v3/auth/tokens", body)[0].getheader("x-subject-token")
    projects = []
    for n in range(2):
        wanted = {"project": {"name": f"p{n}", "domain_id": "default"}}
        projects.append(json.loads(first.ask("create", "POST", "/v3/projects", wanted, token)[1])["project"]["id"])
    threads = load.start(port, record, token, projects, PASSWORD)
    run.section(f"{minutes:g} minutes, a new certificate every second")
    end, number = time.monotonic() + minutes * 60, 0
    while time.monotonic() < end:
        number += 1
        name = names[number % 2]
        install(name)
        server.daemon.send(signal.SIGHUP)
        wanted = ssl.PEM_cert_to_DER_cert((server.directory / f"{name}.pem").read_text())
        processes.wait_for("the new certificate", lambda: shown(port) == wanted, daemon=server.daemon, timeout=10)
        time.sleep(1)
    record.over.set()
    for thread in threads:
        thread.join(timeout=60)
    for what, count in sorted(record.counts.items()):
        print(f"  {count:8}  {what}")
    with run.check(f"no request failed and no connection was lost while {number} certificates came"):
        checks.expect(not record.faults, f"{len(record.faults)}: " + "\n".join(record.faults[:20]))
        lost = record.counts["refused"] + record.counts["kept connection closed"]
        checks.equal(lost, 0, "the number of lost connections")
        checks.expect(number > 5, "too few reloads")


def shown(port):
    """The certificate that a new connection is shown."""
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port)))


def stopped(server, record):
    """Stops the server; returns how long it took."""
    begun = time.monotonic()
    status = server.daemon.stop(timeout=60)
    ended = time.monotonic()
    checks.equal(status, 0, "the exit status")
    rest = ended - max(begun, record.last_answer)
    checks.expect(rest <= AFTER_THE_LAST, f"it took {rest:.1f} s after its last answer")
    return ended - begun


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("minutes", nargs="?", type=float, default=10)
parser.add_argument("--quick", action="store_true", help="restart every 5 seconds instead of every minute")
how = parser.add_mutually_exclusive_group()
how.add_argument("--socket", action="store_true", help="on a socket that outlives the server, as one of systemd")
how.add_argument("--certificates", action="store_true", help="replace the certificate instead, every second")
arguments = parser.parse_args()
period, kind = 5 if arguments.quick else 60, Activated if arguments.socket else keystones.Native
if arguments.certificates:
    checks.run("restarts", lambda run: certificates(run, arguments.minutes))
else:
    checks.run("restarts", lambda run: restarts(run, arguments.minutes, period, kind))
