"""Faults of the database, the disk, the keys and the process itself, under load: what clients of this server and of Python
Keystone get meanwhile, on one database, and what is left. A line each says it in figures; the checks are about this server."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time

import clocks
import pymysql

from harness import checks, clouds, keystones, processes, wire
from harness.load import Load
from harness.proxy import Proxy

# Seconds before, during and after a fault.
BEFORE, DURING, AFTER = 2, 5, 4
# Seconds after a fault within which requests must succeed again.
RECOVERED = 2

OURS, REFERENCE = "this server", "Python Keystone"

# Users of whom only a part was written.
HALVES = """
    SELECT u.id FROM user u LEFT JOIN local_user l ON l.user_id = u.id LEFT JOIN password p ON p.local_user_id = l.id
     WHERE l.id IS NULL OR p.id IS NULL
    UNION SELECT l.user_id FROM local_user l LEFT JOIN user u ON u.id = l.user_id WHERE u.id IS NULL
"""


class Work:
    """Clients of one Keystone, which validate tokens that it knows and that it does not, and create users."""

    numbers = itertools.count(1)

    def __init__(self, cloud, keystone):
        self.cloud, self.keystone = cloud, keystone
        self.client = wire.Client(keystone.url, cloud.admin.token)
        self.known = wire.login(keystone.url, "admin", clouds.ADMIN_PASSWORD, "admin").token
        self.created = {}
        for _ in range(20):
            self.validate(0)
            self.create(0)

    def validate(self, _):
        return self.client.get("/v3/auth/tokens", headers={"X-Subject-Token": self.known})

    def log_in(self, _):
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        body = wire.password("admin", clouds.ADMIN_PASSWORD, scope)
        return wire.request("POST", f"{self.keystone.url}/v3/auth/tokens", body)

    def create(self, _):
        name = f"user-{next(self.numbers)}"
        body = {"user": {"name": name, "password": "secret", "domain_id": "default"}}
        answer = self.client.post("/v3/users", body)
        if answer.status == 201:
            self.created[answer.json["user"]["id"]] = name
        return answer

    def through(self, fault):
        load = Load({"validations": (2, self.validate), "logins": (1, self.log_in), "creations": (2, self.create)})
        try:
            time.sleep(BEFORE)
            with fault(self.keystone):
                time.sleep(DURING)
            ended = time.monotonic()
            time.sleep(AFTER)
        finally:
            load.end()
        self.ended = ended
        return load

    def lost(self):
        found = {row[0] for row in self.cloud.mariadb.sql("SELECT id FROM user", "keystone")}
        return [id for id in self.created if id not in found]

    def halves(self):
        return [row[0] for row in self.cloud.mariadb.sql(HALVES, "keystone")]


class Faults:
    """Each is a context manager: the fault lasts as long as the context."""

    def __init__(self, cloud, proxy, logs):
        self.cloud, self.mariadb, self.proxy, self.logs = cloud, cloud.mariadb, proxy, logs

    def all(self):
        yield "the server is killed and started again", self.killed
        yield "the database is stopped", self.stopped
        yield "the database is killed", self.database_killed
        yield "the database is frozen", self.frozen
        yield "the database is slow (0.2 s each way)", self.slow
        yield "the network swallows everything", self.silent
        yield "the database is read-only", self.read_only
        yield "the database has no connections left", self.full
        yield "a key file is half written", self.half_a_key
        if self.logs.small:
            yield "the disk of the log is full", self.logs.filled

    @contextlib.contextmanager
    def killed(self, keystone):
        port = keystone.ports[0]
        keystone.daemon.stop(number=signal.SIGKILL)
        # uWSGI's workers outlive their master for a moment.
        processes.wait_for("the end of all", lambda: not processes.listening(port), timeout=30)
        keystone.serve(port)
        yield

    @contextlib.contextmanager
    def stopped(self, _):
        self.mariadb.stop()
        yield
        self.mariadb.start()

    @contextlib.contextmanager
    def database_killed(self, _):
        self.mariadb.kill()
        yield
        self.mariadb.start()

    @contextlib.contextmanager
    def frozen(self, _):
        self.mariadb.daemon.freeze()
        yield
        self.mariadb.daemon.send(signal.SIGCONT)

    @contextlib.contextmanager
    def slow(self, _):
        self.proxy.delay = 0.2
        yield
        self.proxy.mend()

    @contextlib.contextmanager
    def silent(self, _):
        self.proxy.flows.clear()
        yield
        self.proxy.mend()

    @contextlib.contextmanager
    def read_only(self, _):
        self.mariadb.sql("SET GLOBAL read_only = 1")
        yield
        self.mariadb.sql("SET GLOBAL read_only = 0")

    @contextlib.contextmanager
    def full(self, _):
        """Others take every connection as soon as it is free; root has one more."""
        kept, over = [], threading.Event()
        account = {"host": processes.LOOPBACK, "port": self.mariadb.port, "user": "keystone", "password": "KEYSTONE_DBPASS"}

        def take():
            while not over.is_set():
                with contextlib.suppress(pymysql.err.OperationalError):
                    kept.append(pymysql.connect(**account))
                    continue
                time.sleep(0.01)

        self.mariadb.sql("SET GLOBAL max_connections = 40")
        taking = threading.Thread(target=take)
        taking.start()
        while len(kept) < 35:
            for (id,) in self.mariadb.sql(
                "SELECT id FROM information_schema.processlist WHERE user = 'keystone' AND db = 'keystone'"
            ):
                # It may have gone by itself.
                with contextlib.suppress(RuntimeError):
                    self.mariadb.sql(f"KILL {id}")
        yield
        over.set()
        taking.join()
        for connection in kept:
            connection.close()
        self.mariadb.sql("SET GLOBAL max_connections = 300")

    @contextlib.contextmanager
    def half_a_key(self, _):
        """What a rotation leaves that had no room: the next primary key, half of it."""
        path = self.cloud.directory / "fernet-keys/2"
        path.write_text("3fKzBGJ3o4Sd0tVo")
        yield
        path.unlink()


class Logs:
    """A directory for logs that is a small disk of its own, where the tests may mount one."""

    def __init__(self, directory):
        self.directory = directory / "logs"
        self.directory.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(self.directory)]
        self.small = os.getuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0

    @contextlib.contextmanager
    def filled(self, _):
        filler = self.directory / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 1024)
        yield
        filler.unlink()


def reported(contestant, work, load):
    print(f"    {contestant}:", flush=True)
    for kind in load.answers:
        failures = load.failures(kind)
        late = max([answer.at for answer in failures] or [0.0]) - work.ended
        back = f", the last {late:.1f} s after the fault" if late > 0 else ""
        print(
            f"      {kind}: {load.statuses(kind)}, {len(failures)} failures in {load.seconds_of_failures(kind):.1f} s{back}, "
            f"longest {load.longest(kind):.1f} s",
            flush=True,
        )


def judged(run, title, work, load):
    with run.check(f"{title}: requests succeed again"):
        for kind, answers in load.answers.items():
            late = [answer.status for answer in answers if answer.at > work.ended + RECOVERED and answer.failed]
            checks.equal(late, [], f"what {kind} got after {RECOVERED} s")
            checks.expect(any(answer.at > work.ended and not answer.failed for answer in answers), f"{kind}: no answer")
    with run.check(f"{title}: no client gets anything but an answer or a 503"):
        # Of a server that is not there, nobody gets an answer.
        tolerated = {200, 201, 503, "no answer"} if "server is killed" in title else {200, 201, 503}
        for kind in load.answers:
            checks.expect(set(load.statuses(kind)) <= tolerated, f"{kind}: {load.statuses(kind)}")
    if "key file" in title or "log" in title:
        with run.check(f"{title}: no request fails"):
            for kind in load.answers:
                checks.equal([answer.status for answer in load.failures(kind)], [], kind)
    if "slow" in title or "read-only" in title:
        with run.check(f"{title}: tokens that are known stay valid meanwhile"):
            meanwhile = [answer.status for answer in load.answers["validations"] if answer.at < work.ended]
            checks.equal(set(meanwhile), {200}, f"what {len(meanwhile)} validations got")
            checks.expect(len(meanwhile) > DURING, "there were few")
    with run.check(f"{title}: nothing is lost that was answered with success, and nothing half written"):
        checks.equal(work.lost(), [], "the lost users")
        checks.equal(work.halves(), [], "the halves")


def outages(run):
    cloud = clouds.Cloud(processes.scratch("outages"))
    if sys.argv[1:] != ["clocks"]:
        of_others(run, cloud)
    clocks.tell(run, cloud)


def of_others(run, cloud):
    """Faults of what the servers depend on."""
    proxy, logs = Proxy(), Logs(cloud.directory)
    proxy.target = cloud.mariadb.port
    url = cloud.mariadb.url("keystone", "KEYSTONE_DBPASS").replace(str(proxy.target), str(proxy.port))
    contestants = {}
    for name, kind in ((OURS, keystones.Native), (REFERENCE, keystones.Reference)):
        options = {"database": {"connection": url}, "DEFAULT": {"log_file": logs.directory / f"{kind.name}.log"}}
        config = cloud.variant(f"{kind.name}-outages", options)
        contestants[name] = kind(cloud.directory, config).serve()
    for title, fault in Faults(cloud, proxy, logs).all():
        run.section(title)
        for name, keystone in contestants.items():
            work = Work(cloud, keystone)
            load = work.through(fault)
            reported(name, work, load)
            if name == OURS:
                judged(run, title, work, load)
            else:
                print(f"      lost: {len(work.lost())}, half written: {len(work.halves())}", flush=True)


checks.run("outages", outages)
