"""Stops and starts a server under load: every accepted request is answered, and the process exits after its last answer."""

import argparse
import getpass
import grp
import os
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


def settled():
    """A bootstrapped server that is not yet running, and its port."""
    directory = processes.scratch("restarts")
    connection = services.MariaDb(directory).database("keystone", "KEYSTONE_DBPASS")
    config = directory / "keystone.conf"
    config.write_text(CONF.format(connection=connection, directory=directory))
    server = keystones.under_test(directory, config)
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


def restarts(run, minutes, period):
    server, port = settled()
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
    with run.check("every request that was accepted has its answer, and none a failure"):
        checks.expect(not record.faults, f"{len(record.faults)}: " + "\n".join(record.faults[:20]))
    with run.check("the last server ends too"):
        stopped(server, record)


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
arguments = parser.parse_args()
checks.run("restarts", lambda run: restarts(run, arguments.minutes, 5 if arguments.quick else 60))
