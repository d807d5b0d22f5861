"""Notifications by RabbitMQ: the same as Python Keystone's to a consumer of oslo.messaging, and none in the way of a request."""

import json
import pathlib
import signal
import subprocess
import sys
import time

from harness import checks, keystones, processes, services, wire
from harness.processes import LOOPBACK

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "swap"))
import cloud  # noqa: E402

NOTIFY = """
[DEFAULT]
default_publisher_id = {name}
notification_opt_out =
control_exchange = keystone
transport_url = {url}
{default}
[oslo_messaging_notifications]
driver = messagingv2
topics = {topics}
{more}
"""


class Consumer:
    """What an oslo.messaging listener gets of a topic."""

    def __init__(self, directory, url, topic, *options):
        self.output = directory / f"consumer-{topic}.log"
        command = [keystones.VENVS / "keystone/bin/python", HERE / "consumer.py", url, topic, *options]
        self.daemon = processes.Daemon(f"consumer of {topic}", command, self.output)
        processes.wait_for("a listener", lambda: "{}" in self.output.read_text(), daemon=self.daemon)

    def messages(self):
        lines = self.output.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"')]

    def wait(self, count, timeout=60):
        processes.wait_for(f"{count} messages", lambda: len(self.messages()) >= count, timeout, self.daemon)
        return self.messages()


class Native(keystones.Native):
    """A server with a listener for metrics."""

    def command(self, ports):
        self.metrics_port = processes.free_port()
        command, env = super().command(ports)
        return [*command, "--metrics-listen", f"{LOOPBACK}:{self.metrics_port}"], env

    def operations(self, path):
        return wire.request("GET", f"http://{LOOPBACK}:{self.metrics_port}{path}", timeout=10)

    def dropped(self):
        lines = self.operations("/metrics").text.splitlines()
        return [line.split()[-1] for line in lines if line.startswith("keystone_notifications_dropped_total")]


class Stage:
    def __init__(self):
        self.directory = processes.scratch("notifications")
        self.mariadb = services.MariaDb(self.directory)
        self.connection = self.mariadb.database("keystone", "KEYSTONE_DBPASS")
        self.certificates = certificates(self.directory)
        self.rabbitmq = services.RabbitMq(self.directory, certificates=self.certificates)
        self.keystones = 0
        config = self.config("settler", "")
        cloud.settle(keystones.Native(self.directory, config))

    def config(self, name, topics, url=None, default="", more="", rabbit="", connection=None):
        path = self.directory / f"{name}.conf"
        text = cloud.CONF.format(connection=connection or self.connection, directory=self.directory)
        if topics:
            text += NOTIFY.format(name=name, url=url or self.rabbitmq.url, topics=topics, default=default, more=more)
            text += "[oslo_messaging_rabbit]\n" + rabbit + "\n"
        path.write_text(text)
        return path

    def native(self, name, topics, **more):
        directory = self.directory / name
        directory.mkdir()
        return Native(directory, self.config(name, topics, **more)).serve()

    def reference(self, name, topics, **more):
        directory = self.directory / name
        directory.mkdir()
        return keystones.Reference(directory, self.config(name, topics, **more), processes=1).serve()

    def consumer(self, topic, *options):
        return Consumer(self.directory, self.rabbitmq.url, topic, *options)


def certificates(directory):
    """An authority, and certificates of it for `localhost` and for the user `guest`: paths of them, and of the keys."""
    names = {name: directory / f"{name}.pem" for name in ("ca", "ca-key", "broker", "broker-key", "client", "client-key")}
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    run = lambda *command: subprocess.run([str(part) for part in command], check=True, capture_output=True)  # noqa: E731
    run(*new, "-subj", "/CN=tests", "-keyout", names["ca-key"], "-out", names["ca"])
    more = ["-CA", names["ca"], "-CAkey", names["ca-key"], "-addext", "subjectAltName=DNS:localhost"]
    more += ["-addext", "basicConstraints=critical,CA:FALSE"]
    for owner, name in (("broker", "localhost"), ("client", "guest")):
        run(*new, "-subj", f"/CN={name}", *more, "-keyout", names[f"{owner}-key"], "-out", names[owner])
    return names


def ask(keystone, token, name):
    """A few requests that announce something."""
    client = wire.Client(keystone.url, token)
    user = client.post("/v3/users", {"user": {"name": name, "domain_id": "default", "password": "Grüße"}})
    checks.equal(user.status, 201, "the status")
    path = f"/v3/users/{user.json['user']['id']}"
    client.patch(path, {"user": {"description": "zwölf ☃"}})
    wire.request("POST", f"{keystone.url}/v3/auth/tokens", wire.password(name, "wrong"))
    client.delete(path)


def shape(value, key=""):
    """The keys, and what is the same in every run."""
    if isinstance(value, dict):
        return {name: shape(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    fixed = ("typeURI", "eventType", "action", "outcome", "name", "username", "address", "event_type", "reasonCode")
    return value if key in fixed else type(value).__name__


def alike(run, stage):
    ours, reference = stage.native("ours", "alike"), stage.reference("reference", "alike")
    for keystone in (ours, reference):
        with run.check(f"a consumer gets what {keystone.name} Keystone announces"):
            consumer = stage.consumer("alike") if keystone is ours else consumer
            before = len(consumer.messages())
            token = wire.login(keystone.url, "admin", cloud.ADMIN_PASSWORD, "admin").token
            ask(keystone, token, "ann")
            messages = consumer.wait(before + 5)[before:]
            events = [message["event_type"] for message in messages]
            wanted = ["authenticate", "user.created", "user.updated", "authenticate", "user.deleted"]
            checks.equal(events, [f"identity.{name}" for name in wanted], "the events")
            keystone.messages = messages
    with run.check("both are the same to it"):
        for mine, theirs in zip(ours.messages, reference.messages, strict=True):
            checks.equal(shape(mine), shape(theirs), mine["event_type"])
            checks.equal(mine["publisher_id"], "identity.ours", "the publisher")
    reference.stop()
    return ours, consumer


def bootstrapped(stage, kind):
    """What a bootstrap announces, and another one with another password."""
    name = f"bootstrap-{kind.name}"
    directory = stage.directory / name
    directory.mkdir()
    connection = stage.mariadb.database(f"bootstrap_{kind.name}", "KEYSTONE_DBPASS")
    consumer = stage.consumer(name)
    keystone = kind(directory, stage.config(name, name, connection=connection))
    cloud.manage(keystone, "db_sync")
    urls = [part for interface in ("admin", "internal", "public") for part in (f"--bootstrap-{interface}-url", "http://k")]
    for password in ("first", "second"):
        cloud.manage(keystone, "bootstrap", "--bootstrap-password", password, "--bootstrap-region-id", "RegionOne", *urls)
    # Python Keystone announces that the administrator has the role already as a failure.
    succeeded = lambda: [it for it in consumer.messages() if it["payload"]["outcome"] == "success"]  # noqa: E731
    processes.wait_for("18 messages", lambda: len(succeeded()) >= 18, daemon=consumer.daemon)
    consumer.daemon.stop()
    return succeeded()


def bootstraps(run, stage):
    with run.check("keystone-manage bootstrap announces what Python Keystone's does"):
        ours, reference = (bootstrapped(stage, kind) for kind in (keystones.Native, keystones.Reference))
        events = [message["event_type"] for message in ours]
        checks.equal(events, [message["event_type"] for message in reference], "the events")
        for mine, theirs in zip(ours, reference, strict=True):
            checks.equal(shape(mine)["payload"], shape(theirs)["payload"], mine["event_type"])


def outage(run, stage, ours, consumer):
    token = wire.login(ours.url, "admin", cloud.ADMIN_PASSWORD, "admin").token
    consumer.wait(1)
    client = wire.Client(ours.url, token)

    def create(name):
        begun = time.monotonic()
        answer = client.post("/v3/projects", {"project": {"name": name, "domain_id": "default"}})
        checks.equal(answer.status, 201, "the status")
        return answer.json["project"]["id"], time.monotonic() - begun

    ids = []
    with run.check("requests go on while the broker is killed, as fast as before"):
        ids.append(create("before")[0])
        processes.wait_for("the first one", lambda: told(consumer, ids) == ids)
        stage.rabbitmq.kill()
        made = [create(f"during {number}") for number in range(30)]
        ids += [id for id, _ in made]
        checks.expect(max(took for _, took in made) < 2, f"a request took {max(took for _, took in made):.1f} s")
    with run.check("all of it arrives once the broker is back, in order"):
        stage.rabbitmq.start()
        ids.append(create("after")[0])
        processes.wait_for("the rest", lambda: set(ids) <= set(told(consumer, ids)), timeout=120)
        checks.equal(list(dict.fromkeys(told(consumer, ids))), ids, "the order")
    with run.check("one line says that it was away, and one that it is back"):
        log = ours.daemon.log.read_text()
        for line in ("notifications can't be sent", "notifications are sent again"):
            checks.equal(log.count(line), 1, line)
    # They would declare it again as it was.
    ours.stop()
    consumer.daemon.stop()


def told(consumer, ids):
    """Those of the ids of projects whose creation was announced, in order."""
    found = (message["payload"].get("resource_info") for message in consumer.messages() if message["event_type"] == "identity.project.created")
    return [id for id in found if id in ids]


def lost(run, stage):
    with run.check("without retries what the broker is away for is lost, counted, and no request's concern"):
        hasty = stage.native("hasty", "hasty", url=f"rabbit://guest:guest@{LOOPBACK}:1/", more="retry = 0")
        token = wire.login(hasty.url, "admin", cloud.ADMIN_PASSWORD, "admin").token
        ask(hasty, token, "bea")
        processes.wait_for("five dropped", lambda: hasty.dropped() == ["5"])
        checks.equal(hasty.stop(), 0, "the status of the server's end")
        log = hasty.daemon.log.read_text()
        checks.contains(log, "notifications can't be sent")
    with run.check("what is left at the end is told after five seconds"):
        late = stage.native("late", "late", url=f"rabbit://guest:guest@{LOOPBACK}:1/")
        wire.login(late.url, "admin", cloud.ADMIN_PASSWORD, "admin")
        remark = "notifications can't be sent to 1:rabbit, 1 wait"
        processes.wait_for("a remark", lambda: remark in late.operations("/ready").text)
        checks.equal(late.operations("/ready").status, 200, "the status of a server whose broker is away")
        checks.equal(late.dropped(), ["0"], "the number of dropped messages")
        late.stop()
        checks.contains(late.daemon.log.read_text(), "notifications were not sent before the end")


def options(run, stage):
    names = f"rabbit://guest:guest@{LOOPBACK}:1,guest:guest@{LOOPBACK}:{stage.rabbitmq.port}/"
    tls = f"rabbit://guest:guest@localhost:{stage.rabbitmq.tls_port}/?ssl=1&ssl_ca_file={stage.certificates['ca']}"
    stranger = tls.replace("guest:guest", "nobody:wrong")

    def external(owner):
        certificate, key = stage.certificates[owner], stage.certificates[f"{owner}-key"]
        return f"rabbit_login_method = EXTERNAL\nssl_cert_file = {certificate}\nssl_key_file = {key}"

    cases = [
        ("a broker is found among several", "hosts", {"url": names}, []),
        ("a broker is spoken to by TLS", "tls", {"url": tls}, []),
        ("one that logs in with PLAIN", "plain", {"rabbit": "rabbit_login_method = PLAIN"}, []),
        ("one that logs in by its certificate", "external", {"url": stranger, "rabbit": external("client")}, []),
        ("each of two topics gets it", "first,second", {}, []),
        ("the basic format", "basic", {"default": "notification_format = basic"}, []),
    ]
    for what, topics, more, flags in cases:
        with run.check(what):
            name = topics.replace(",", "-")
            consumers = [stage.consumer(topic, *flags) for topic in topics.split(",")]
            keystone = stage.native(name, topics, **more)
            token = wire.login(keystone.url, "admin", cloud.ADMIN_PASSWORD, "admin").token
            ask(keystone, token, "cleo")
            for consumer in consumers:
                consumer.wait(5)
                consumer.daemon.stop()
            keystone.stop()
    with run.check("a certificate of another name is refused, and the log says so"):
        wrong = tls.replace("localhost", LOOPBACK)
        keystone = stage.native("wrong", "wrong", url=wrong)
        wire.login(keystone.url, "admin", cloud.ADMIN_PASSWORD, "admin")
        processes.wait_for("a line", lambda: "certificate" in keystone.daemon.log.read_text())
        keystone.daemon.stop(signal.SIGKILL)
    with run.check("a certificate that names no user of the broker is refused, and the log says so"):
        keystone = stage.native("unnamed", "unnamed", url=stranger, rabbit=external("broker"))
        wire.login(keystone.url, "admin", cloud.ADMIN_PASSWORD, "admin")
        processes.wait_for("a line", lambda: "mechanism EXTERNAL" in keystone.daemon.log.read_text())
        keystone.daemon.stop(signal.SIGKILL)
    with run.check("an exchange that is durable already is used as it is, with one line in the log"):
        stage.rabbitmq.kill()
        stage.rabbitmq.start()
        consumer = stage.consumer("durable", "amqp_durable_queues")
        keystone = stage.native("durable", "durable")
        token = wire.login(keystone.url, "admin", cloud.ADMIN_PASSWORD, "admin").token
        ask(keystone, token, "dora")
        consumer.wait(5)
        consumer.daemon.stop()
        keystone.stop()
        # The queue is otherwise as well if the consumer was the first to declare it.
        told = keystone.daemon.log.read_text().count("the exchange keystone is not as it is configured here")
        checks.equal(told, 1, "the number of lines")
    with run.check("durable queues, and quorum queues"):
        for name, flag in (("durably", "amqp_durable_queues"), ("quorum", "rabbit_quorum_queue")):
            consumer = stage.consumer(name, flag)
            keystone = stage.native(name, name, rabbit=f"{flag} = true")
            token = wire.login(keystone.url, "admin", cloud.ADMIN_PASSWORD, "admin").token
            ask(keystone, token, "elsa")
            consumer.wait(5)
            keystone.stop()
            checks.expect("PRECONDITION_FAILED" not in keystone.daemon.log.read_text(), "they were declared otherwise")


def notifications(run):
    run.section("Beside Python Keystone")
    with run.check("a broker, a database and keys", needed=True):
        stage = Stage()
    ours, consumer = alike(run, stage)
    bootstraps(run, stage)
    run.section("Without a broker")
    outage(run, stage, ours, consumer)
    lost(run, stage)
    run.section("Options")
    options(run, stage)


checks.run("notifications", notifications)
