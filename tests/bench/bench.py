"""Start, memory, validations and logins of this server and of Python Keystone 30.0.0 under uWSGI, one after the other on
the same machine, database, configuration and password hashes."""

import getpass
import grp
import json
import os
import pathlib
import platform
import re
import statistics
import time

from harness import keystones, processes, services, wire

CONF = """\
[database]
connection = {connection}

[token]
provider = fernet

[cache]
enabled = true
backend = dogpile.cache.memcached
memcache_servers = {memcached}

[identity]
# The default of Python Keystone; both servers verify the same hashes.
password_hash_algorithm = bcrypt

[fernet_tokens]
key_repository = {directory}/fernet-keys/

[credential]
key_repository = {directory}/credential-keys/
"""

SECONDS = int(os.environ.get("KEYSTONE_BENCH_SECONDS", 10))
PASSWORD = "000000"
# Enough to keep eight threads of uWSGI busy. Every service validates tokens at once; few users log in at once.
CONNECTIONS = {"validations": 64, "logins": 16}
STARTS = 5


def prepare(directory):
    mariadb, memcached = services.MariaDb(directory), services.Memcached(directory)
    config = directory / "keystone.conf"
    connection = mariadb.database("keystone", "KEYSTONE_DBPASS")
    config.write_text(CONF.format(connection=connection, memcached=memcached.address, directory=directory))
    reference = keystones.Reference(directory, config)
    owner = ("--keystone-user", getpass.getuser(), "--keystone-group", grp.getgrgid(os.getgid()).gr_name)
    url = "http://127.0.0.1:5000/v3"
    urls = [part for name in ("admin", "internal", "public") for part in (f"--bootstrap-{name}-url", url)]
    for command in (
        ("db_sync",),
        ("fernet_setup", *owner),
        ("credential_setup", *owner),
        ("bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-region-id", "RegionOne", *urls),
    ):
        done = reference.manage(*command)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr}")
    return [keystones.under_test(directory, config), reference]


def started(keystone):
    """Milliseconds from the start of the process to its first answer."""
    port = processes.free_port()
    begun = time.monotonic()
    keystone.spawn(port)
    while True:
        try:
            if wire.request("GET", f"{keystone.url}/v3").status == 200:
                return (time.monotonic() - begun) * 1000
        except OSError:
            pass
        if not keystone.daemon.alive():
            raise RuntimeError(keystone.daemon.tail())
        time.sleep(0.001)


def memory(keystone):
    """Mebibytes of all its processes; shared memory counts once."""
    total = 0
    for pid in keystone.daemon.family():
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.M)[1])
    return total / 1024


def load(directory, url, lines, seconds, connections, warming=False):
    """Answers per second that wrk gets. Every answer must be a success, except while `warming`: Python Keystone's threads
    race for the policy file in the first requests."""
    script = directory / "load.lua"
    script.write_text("\n".join(lines) + FAILURES)
    command = ["wrk", "-t", 1, "-c", connections, "-d", f"{seconds}s", "--timeout", "30s", "--latency", "-s", script, url]
    done = processes.run(command, timeout=seconds + 60)
    if done.returncode or not warming and "refused: 0\n" not in done.stdout:
        raise RuntimeError(f"wrk: {done.stdout}{done.stderr}")
    latency = re.search(r"^\s+50%\s+(\S+)\s*$", done.stdout, re.M)[1]
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1]), latency


FAILURES = """
done = function(summary, latency, requests)
  io.write("refused: " .. summary.errors.status .. "\\n")
end
"""


def validations(directory, keystone):
    token, _ = wire.token(keystone.url, wire.password("admin", PASSWORD, "admin"))
    lines = [
        'wrk.method = "GET"',
        f'wrk.headers["X-Auth-Token"] = "{token}"',
        f'wrk.headers["X-Subject-Token"] = "{token}"',
    ]
    connections = CONNECTIONS["validations"]
    load(directory, f"{keystone.url}/v3/auth/tokens", lines, 2, connections, warming=True)
    return load(directory, f"{keystone.url}/v3/auth/tokens", lines, SECONDS, connections)


def logins(directory, keystone):
    body = json.dumps(wire.password("admin", PASSWORD, "admin"))
    lines = ['wrk.method = "POST"', 'wrk.headers["Content-Type"] = "application/json"', f"wrk.body = [[{body}]]"]
    return load(directory, f"{keystone.url}/v3/auth/tokens", lines, SECONDS, CONNECTIONS["logins"])


def measure(directory, keystone):
    starts = []
    for _ in range(STARTS):
        starts.append(started(keystone))
        keystone.stop()
    keystone.serve()
    wire.login(keystone.url, "admin", PASSWORD, "admin")
    time.sleep(1)
    figures = {"start": statistics.median(starts), "memory": memory(keystone)}
    figures["validations"] = validations(directory, keystone)
    figures["logins"] = logins(directory, keystone)
    keystone.stop()
    return figures


def ratio(one, other):
    return f"{one / other:.1f} ×" if one / other < 10 else f"{one / other:.0f} ×"


def table(ours, reference):
    def speed(name, unit):
        (mine, my_median), (its, its_median) = ours[name], reference[name]
        cells = (f"{mine:,.0f}/s (median {my_median})", f"{its:,.1f}/s (median {its_median})", ratio(mine, its))
        return f"| {unit} | {' | '.join(cells)} |"

    return "\n".join(
        [
            "| | this server | Python Keystone 30.0.0, uWSGI 2 × 4, memcached | |",
            "|---|---|---|---|",
            f"| start to the first answer | {ours['start']:.0f} ms | {reference['start']:,.0f} ms "
            f"| {ratio(reference['start'], ours['start'])} |",
            f"| memory when idle (PSS) | {ours['memory']:.1f} MiB | {reference['memory']:.0f} MiB "
            f"| {ratio(reference['memory'], ours['memory'])} |",
            speed("validations", f"hot token validations, {CONNECTIONS['validations']} connections"),
            speed("logins", f"logins (bcrypt, 12 rounds), {CONNECTIONS['logins']} connections"),
        ]
    )


def main():
    directory = processes.scratch("bench")
    ours, reference = (measure(directory, keystone) for keystone in prepare(directory))
    cores = os.cpu_count()
    print(f"On {cores} cores, MariaDB on the same machine, {SECONDS} s for each load, {platform.machine()}:\n")
    print(table(ours, reference))


main()
