"""One server that knows three nodes of a cluster, under load: the node that it uses is killed, or cut off from the others."""

import itertools
import time

from harness import checks, clouds, keystones, processes, services, wire
from harness.load import Load

# How long requests may fail once the node in use is gone, and once it is cut off, which it has to notice itself.
TOLERATED, TOLERATED_CUT_OFF = 2.0, 15.0


class Work:
    """Clients that validate tokens which are known, and that create projects."""

    def __init__(self, cloud, tokens):
        self.cloud, self.tokens = cloud, tokens
        self.created, self.names = {}, itertools.count(1)

    def validate(self, turn):
        subject = {"X-Subject-Token": self.tokens[turn % len(self.tokens)]}
        return self.cloud.admin.get("/v3/auth/tokens", headers=subject)

    def create(self, _):
        name = f"project-{next(self.names)}"
        answer = self.cloud.admin.post("/v3/projects", {"project": {"name": name}})
        if answer.status == 201:
            self.created[answer.json["project"]["id"]] = name
        return answer

    def during(self, event, after):
        """The load before `event`, and for so many seconds after it."""
        load = Load({"validation": (4, self.validate), "creation": (2, self.create)})
        try:
            time.sleep(3)
            event()
            time.sleep(after)
        finally:
            load.end()
        for kind in load.answers:
            print(f"    {kind}: {load.statuses(kind)}, at most {load.longest(kind):.2f} s", flush=True)
        return load

    def is_ready(self):
        """Asserts that the server says so."""
        report = self.cloud.keystone.operations("/ready")
        checks.equal(report.status, 200, report.text)

    def is_kept(self, nodes):
        """Asserts that everything is there that was answered with success."""
        checks.expect(self.created, "nothing was created")
        for node in nodes:
            rows = node.sql("SET SESSION wsrep_sync_wait = 7; SELECT id, name FROM project", "keystone")
            found = {row[0]: row[1] for row in rows}
            lost = [id for id, name in self.created.items() if found.get(id) != name]
            checks.expect(not lost, f"{len(lost)} of {len(self.created)} created projects are not there")


def failover(run):
    directory = processes.scratch("galera")
    nodes = [services.GaleraNode(directory / "one")]
    nodes += [services.GaleraNode(directory / name, nodes[0]) for name in ("two", "three")]
    for node in nodes:
        node.sql("SET GLOBAL log_bin_trust_function_creators = 1")
    hosts = ",".join(f"{processes.LOOPBACK}:{node.port}" for node in nodes)
    url = f"mysql+pymysql://keystone:KEYSTONE_DBPASS@{hosts}/keystone"
    cloud = clouds.Cloud(directory, {"database": {"connection": url}}, nodes[0])
    port = cloud.keystone.ports[0]
    cloud.keystone.stop()
    cloud.keystone = keystones.Operated(directory, cloud.config).serve(port)
    tokens = [wire.login(cloud.url, "admin", clouds.ADMIN_PASSWORD, "admin").token for _ in range(20)]

    work = Work(cloud, tokens)

    run.section("the node in use is killed")
    load = work.during(nodes[0].kill, after=12)
    with run.check("tokens that are known stay valid without an error"):
        checks.equal([answer.status for answer in load.failures("validation")], [], "the failures")
    with run.check(f"writes fail for {TOLERATED} s at most"):
        seconds = load.seconds_of_failures("creation")
        checks.expect(seconds <= TOLERATED, f"they failed for {seconds:.1f} s")
    with run.check("nothing is lost that was answered with success"):
        work.is_kept(nodes[1:])
    with run.check("the server is ready with another node"):
        work.is_ready()
    with run.check("the log says which node is used"):
        address = f"{processes.LOOPBACK}:{nodes[1].port}"
        checks.contains(cloud.keystone.daemon.tail(100_000), f"the database is used at {address} from now on")

    run.section("the node in use is cut off from the others")
    nodes[0].other = nodes[1]
    nodes[0].start()
    load = work.during(lambda: nodes[1].sql("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'"), after=25)
    with run.check(f"requests fail or wait for {TOLERATED_CUT_OFF} s at most, and succeed again once it is known"):
        for kind, answers in load.answers.items():
            late = [answer.status for answer in answers if answers[-1].at - answer.at < 1]
            checks.expect(all(status in (200, 201) for status in late), f"{kind}: {late}")
            seconds = load.seconds_of_failures(kind)
            checks.expect(seconds <= TOLERATED_CUT_OFF, f"{kind} failed for {seconds:.1f} s")
            longest = load.longest(kind)
            checks.expect(longest <= TOLERATED_CUT_OFF, f"{kind} waited for {longest:.1f} s")
    with run.check("the server is ready with another node"):
        work.is_ready()
    with run.check("nothing is lost that was answered with success"):
        work.is_kept([nodes[0], nodes[2]])


checks.run("galera", failover)
