"""Two nodes with what an operator has beside the API: Prometheus, the dashboard, probes, and HAProxy in front."""

import collections
import configparser
import contextlib
import http.client
import json
import pathlib
import re
import signal
import ssl
import threading
import time
import urllib.parse

import kubernetes_validate
import yaml
from harness import checks, clouds, keystones, processes, wire
from harness.processes import LOOPBACK
from prometheus_client.openmetrics import parser

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"


class Node(keystones.Operated):
    def samples(self):
        """The samples by name and labels; the parser refuses what the format does not allow."""
        families = parser.text_string_to_metric_families(self.operations("/metrics").text)
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }


def metrics(run, cloud, nodes):
    run.section("Metrics")
    node = nodes[0]
    before = node.samples()

    def gained(name, **labels):
        key = (name, frozenset(labels.items()))
        return node.samples().get(key, 0) - before.get(key, 0)

    for _ in range(3):
        client = wire.login(node.url, "admin", clouds.ADMIN_PASSWORD, "admin")
        checks.equal(client.get("/v3/auth/tokens", headers={"X-Subject-Token": client.token}).status, 200)
    refused = wire.request("POST", f"{node.url}/v3/auth/tokens", wire.password("admin", "wrong", "admin"))
    checks.equal(refused.status, 401)
    for number in range(50):
        wire.request("GET", f"{node.url}/v3/users/{number}")
        wire.request("GET", f"{node.url}/{number}/{number}")
    with run.check("the text is OpenMetrics, by the parser of prometheus_client"):
        checks.contains(node.operations("/metrics").header("content-type"), "openmetrics-text; version=1.0.0")
        checks.expect(len(before) > 100, f"only {len(before)} samples")
    with run.check("requests are counted by route, and all paths without one together"):
        checks.equal(gained("keystone_http_requests_total", route="unmatched", method="GET", status="404"), 50)
        users = {"route": "/v3/users/{user_id}", "method": "GET"}
        checks.equal(gained("keystone_http_requests_total", **users, status="401"), 50)
        checks.equal(gained("keystone_http_request_duration_seconds_count", **users), 50)
    with run.check("logins are counted by method and outcome"):
        checks.equal(gained("keystone_logins_total", method="password", outcome="success"), 3)
        checks.equal(gained("keystone_logins_total", method="password", outcome="refused"), 1)
    with run.check("a change that another node makes is counted"):
        of_projects = ("keystone_changes_total", frozenset({("kind", "project")}))
        cloud.project("metrics")
        node_client = wire.login(node.url, "admin", clouds.ADMIN_PASSWORD, "admin")
        checks.equal(node_client.get("/v3/auth/catalog").status, 200)
        checks.expect(node.samples()[of_projects] > before[of_projects], "no change was seen")
    with run.check("the nodes have the same keys, by their codes"):
        codes = [{key for key in node.samples() if key[0] == "keystone_key_set_info"} for node in nodes]
        checks.equal(len(codes[0]), 3)
        checks.equal(codes[0], codes[1], "the codes of the second node")


def dashboard(run, directory, nodes):
    run.section("The dashboard, at a real Prometheus")
    targets = [f"{LOOPBACK}:{node.metrics_port}" for node in nodes]
    config = directory / "prometheus.yml"
    config.write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s"},
                "scrape_configs": [{"job_name": "keystone", "static_configs": [{"targets": targets}]}],
            }
        )
    )
    port = processes.free_port()
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'prometheus'}",
        f"--web.listen-address={LOOPBACK}:{port}",
    ]
    daemon = processes.Daemon("prometheus", command, directory / "prometheus.log")

    def query(text):
        answer = wire.request("POST", f"http://{LOOPBACK}:{port}/api/v1/query", raw=urllib.parse.urlencode({"query": text}), headers=FORM)
        checks.equal(answer.status, 200, f"{text}: {answer.text}")
        return answer.json["data"]["result"]

    def scraped():
        url = f"http://{LOOPBACK}:{port}/-/ready"
        ready = processes.listening(port) and wire.request("GET", url).status == 200
        return ready and len(query("count_over_time(up[1m]) >= 5")) == len(nodes)

    processes.wait_for("scrapes", scraped, daemon=daemon)
    with run.check("Prometheus reads both nodes"):
        checks.equal([float(found["value"][1]) for found in query("up")], [1.0, 1.0])
    for panel in json.loads((DEPLOY / "grafana.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            with run.check(f"{panel['title']}: {target['legendFormat'] or 'all'}"):
                text = target["expr"].replace("$__rate_interval", "10s").replace("$job", ".*").replace("$instance", ".*")
                found = query(text)
                checks.expect(found, f"no data for {text}")
                labels = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
                checks.expect(labels <= set(found[0]["metric"]), f"{labels} in {found[0]['metric']}")
    daemon.stop()


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def readiness(run, cloud, node):
    run.section("Readiness")

    def state():
        answer = node.operations("/ready")
        failed = [check for check in answer.json["checks"] if not check["ok"]]
        return answer.status, failed, answer.json["remarks"]

    with run.check("a node that works is ready"):
        checks.equal(state(), (200, [], []))
    cloud.mariadb.stop()
    with run.check("without its database it is not, and says why and what to do"):
        status, failed, _ = state()
        checks.equal((status, [check["name"] for check in failed]), (503, ["database"]))
        checks.contains(failed[0]["cause"], "[database] connection")
    with run.check("its metrics and its health check need no database"):
        checks.equal(node.operations("/metrics").status, 200)
        checks.equal(wire.request("GET", f"{node.url}/healthcheck").status, 200)
    cloud.mariadb.start()
    with run.check("with it, it is ready again at once"):
        checks.equal(state()[:2], (200, []))
    with run.check("a database that hangs is told, and told in time"):
        cloud.mariadb.daemon.freeze()
        begun = time.monotonic()
        status, failed, _ = state()
        cloud.mariadb.daemon.send(signal.SIGCONT)
        checks.equal((status, [check["name"] for check in failed]), (503, ["database"]))
        checks.contains(failed[0]["cause"], "did not answer within")
        checks.expect(time.monotonic() - begun < 5, "a probe would have given up")
    with run.check("and then it is ready again"):
        processes.wait_for("readiness", lambda: state()[0] == 200)


def backup(run, directory, cloud, node):
    run.section("Backup and restore, by deploy/README.md")
    person = cloud.person()
    socket = f"--socket={cloud.mariadb.socket}"
    dumped = processes.run(["mariadb-dump", socket, "--user=root", "--single-transaction", "keystone"])
    checks.equal(dumped.returncode, 0, dumped.stderr)
    connection = cloud.mariadb.database("restored", "KEYSTONE_DBPASS")
    loaded = processes.run(["mariadb", socket, "--user=root", "restored"], input=dumped.stdout)
    checks.equal(loaded.returncode, 0, loaded.stderr)
    config = cloud.variant("restored", {"database": {"connection": connection}})
    restored = Node(directory, config)
    with run.check("an account that may not make triggers is told that writes are refused"):
        cloud.mariadb.sql("CREATE USER no_trigger@'%' IDENTIFIED BY 'KEYSTONE_DBPASS'")
        cloud.mariadb.sql("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON restored.* TO no_trigger@'%'")
        theirs = cloud.mariadb.url("restored", "KEYSTONE_DBPASS", "no_trigger")
        done = Node(directory, cloud.variant("no-trigger", {"database": {"connection": theirs}})).manage("db_sync")
        checks.equal(done.returncode, 1, done.stderr)
        checks.contains(done.stderr, "the database refuses to write")
    with run.check("the schema is complete, and the triggers are made anew for the account of the restored database"):
        checks.equal(restored.manage("db_sync", "--check").returncode, 0, "the exit status")
        # They run as an account that may not write there.
        checks.contains(restored.manage("doctor").stdout, "WARNING: The database refuses to write.")
        done = restored.manage("db_sync")
        checks.equal(done.returncode, 0, done.stderr)
        checks.expect("refuses to write" not in restored.manage("doctor").stdout, "it still does")
    with run.check("its users log in, and validations are answered from memory, since there are triggers"):
        restored.serve()
        scope = {"project": {"id": person.project_id}}
        client = wire.login(restored.url, person.name, person.password, scope)
        checks.equal(client.get("/v3/auth/catalog").status, 200)
        memory = ("keystone_answers_from", frozenset({("keystone_answers_from", "memory")}))
        checks.equal(restored.samples()[memory], 1)
    with run.check("a token of before is valid there, and its end at the old one is none here"):
        token = node_token(node, person)
        checks.equal(wire.Client(restored.url, token).get("/v3/auth/catalog").status, 200)
        gone = wire.request("DELETE", f"{node.url}/v3/auth/tokens", token=token, headers={"X-Subject-Token": token})
        checks.equal(gone.status, 204)
        checks.equal(wire.Client(restored.url, token).get("/v3/auth/catalog").status, 200)
    restored.stop()


def node_token(node, person):
    return wire.login(node.url, person.name, person.password, {"project": {"id": person.project_id}}).token


class Https(Node):
    """A node that speaks TLS."""

    def command(self, ports):
        command, env = super().command(ports)
        files = (self.directory / "certificate.pem", self.directory / "key.pem")
        return [*command, "--tls-certificate", files[0], "--tls-key", files[1]], env


def http2(run, directory, config):
    run.section("HTTP/2, with curl")
    node = Https(directory, config)
    node.spawn(processes.free_port())
    processes.wait_for("the server", lambda: processes.listening(node.ports[0]), daemon=node.daemon)
    url = f"https://{LOOPBACK}:{node.ports[0]}/v3"

    def curl(*options):
        command = ["curl", "-sS", "--fail", "--cacert", directory / "certificate.pem", *options]
        done = processes.run(command)
        checks.equal(done.returncode, 0, done.stderr)
        return done.stdout

    for version in ("2", "1.1"):
        with run.check(f"a client that offers HTTP/{version} gets it, and links to its host"):
            text, got = curl(f"--http{version}", "-w", "\n%{http_version}", url).rsplit("\n", 1)
            checks.equal(got, version)
            checks.equal(json.loads(text)["version"]["links"][0]["href"], f"{url}/")
    with run.check("many requests share a connection, with bodies and headers"):
        body = json.dumps(wire.password("admin", clouds.ADMIN_PASSWORD, "admin"))
        login = ("-H", "Content-Type: application/json", "-d", body, "-o", "/dev/null", f"{url}/auth/tokens")
        token = curl("--http2", "-w", "%header{x-subject-token}", *login)
        before = node.samples()[("keystone_connections_accepted_total", frozenset())]
        urls = [f"{url}/users?name={number}" for number in range(200)]
        text = curl("--http2", "--parallel", "-H", f"X-Auth-Token: {token}", *urls)
        checks.equal(text.count('"users": []'), 200)
        made = node.samples()[("keystone_connections_accepted_total", frozenset())] - before
        checks.expect(made < 50, f"{made} connections")
    with run.check("it ends at once when nothing is asked"):
        checks.equal(node.stop(), 0, "the exit status")


def load(port, over, counts, faults):
    """Requests one after another on kept connections, through HAProxy."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    body = json.dumps(wire.password("admin", clouds.ADMIN_PASSWORD, "admin"))
    token, connection, number = None, None, 0
    while not over.is_set():
        try:
            connection = connection or http.client.HTTPSConnection(LOOPBACK, port, timeout=60, context=context)
            number += 1
            if token is None or number % 10 == 0:
                connection.request("POST", "/v3/auth/tokens", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                what, wanted, token = "login", 201, answer.getheader("x-subject-token")
            else:
                connection.request("GET", "/v3/auth/tokens", None, {"X-Auth-Token": token, "X-Subject-Token": token})
                answer = connection.getresponse()
                what, wanted = "validation", 200
            answer.read()
            counts[what] += 1
            if answer.status != wanted:
                faults.append(f"{what}: {answer.status}")
            if connection.sock is None:
                connection = None
        except (OSError, http.client.HTTPException) as error:
            faults.append(repr(error))
            connection = None


def through(port, method, path, body=None, **headers):
    """One request through HAProxy."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.closing(http.client.HTTPSConnection(LOOPBACK, port, timeout=60, context=context)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer


def without_database(run, cloud, nodes, port):
    token = node_token(nodes[0], cloud.person())
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    # Each knows the token by then.
    for node in nodes:
        checks.equal(wire.request("GET", f"{node.url}/v3/auth/tokens", headers=headers).status, 200)
    cloud.mariadb.stop()
    with run.check("a token that is known is valid while the database is stopped, by [cache] stale_for"):
        begun, statuses = time.monotonic(), collections.Counter()
        # Longer than HAProxy takes to leave a node out.
        while time.monotonic() - begun < 8:
            statuses[through(port, "GET", "/v3/auth/tokens", **headers).status] += 1
        checks.equal(set(statuses), {200}, f"what validations got: {dict(statuses)}")
    with run.check("the nodes are ready, and remark why they can't do more"):
        for node in nodes:
            answer = node.operations("/ready")
            checks.equal(answer.status, 200)
            checks.contains(answer.text, "[database] connection")
            checks.contains(answer.text, "[cache] stale_for")
    cloud.mariadb.start()


def haproxy(run, directory, cloud, nodes):
    run.section("HAProxy, by deploy/haproxy.cfg")
    pem = directory / "haproxy.pem"
    pem.write_text((directory / "certificate.pem").read_text() + (directory / "key.pem").read_text())
    port = processes.free_port()
    text = (DEPLOY / "haproxy.cfg").read_text()
    text = text.replace("bind :5000", f"bind {LOOPBACK}:{port}").replace("/etc/haproxy/keystone.pem", str(pem))
    for node, address in zip(nodes, ("192.0.2.11", "192.0.2.12")):
        there = f"{LOOPBACK}:{node.ports[0]} port {node.metrics_port}"
        text = text.replace(f"{address}:5000 port 9350", there)
    checks.expect("192.0.2" not in text, "an address of the example is left")
    config = directory / "haproxy.cfg"
    config.write_text(text)
    with run.check("the configuration is valid, and without a warning", needed=True):
        found = processes.run(["haproxy", "-c", "-f", config])
        said = found.stdout + found.stderr
        checks.expect(found.returncode == 0 and "WARNING" not in said, said)
    daemon = processes.Daemon("haproxy", ["haproxy", "-f", config], directory / "haproxy.log")
    processes.wait_for("HAProxy", lambda: processes.listening(port), daemon=daemon)
    with run.check("links lead to HAProxy by https, whatever a client says"):
        context = ssl.create_default_context(cafile=directory / "certificate.pem")
        context.check_hostname = False
        connection = http.client.HTTPSConnection(LOOPBACK, port, context=context)
        connection.request("GET", "/v3", headers={"Host": "id.example", "X-Forwarded-Proto": "http"})
        link = json.load(connection.getresponse())["version"]["links"][0]["href"]
        checks.equal(link, "https://id.example/v3/")
    over, counts, faults = threading.Event(), collections.Counter(), []
    threads = [threading.Thread(target=load, args=(port, over, counts, faults), daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    with run.check("each node is restarted under load, and no client has an error", needed=True):
        for node in (*nodes, *nodes):
            time.sleep(3)
            checks.equal(node.stop(), 0, "the exit status")
            time.sleep(1)
            node.serve(*node.ports)
        time.sleep(3)
        over.set()
        for thread in threads:
            thread.join(timeout=60)
        print(f"        {dict(counts)}")
        checks.equal(faults, [], f"of {sum(counts.values())} requests, the errors")
        checks.expect(counts["validation"] > 100, "there was no load")
    without_database(run, cloud, nodes, port)


def unit(run):
    run.section("systemd")
    found = configparser.ConfigParser(interpolation=None, strict=False)
    found.optionxform = str
    found.read(DEPLOY / "keystone.service")
    with run.check("what is written for the group can be read by it"):
        checks.equal(int(found["Service"]["UMask"], 8) & 0o040, 0, "what is taken from the group")
    with run.check("a server is started again for as long as its database is away"):
        checks.equal(found["Service"]["Restart"], "on-failure")
        checks.equal(found["Unit"]["StartLimitIntervalSec"], "0", "what makes systemd give up")


def certificate(directory):
    made = processes.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", f"subjectAltName=IP:{LOOPBACK}"),
            *("-keyout", directory / "key.pem", "-out", directory / "certificate.pem"),
        ]
    )
    checks.equal(made.returncode, 0, made.stderr)


def manifests(run):
    run.section("Kubernetes, by the schemas of its API")
    for item in yaml.safe_load((DEPLOY / "kubernetes.yaml").read_text())["items"]:
        # Of the first release with all that is used, and of the newest that is known.
        for version in ("1.25", "1.37"):
            with run.check(f"{item['kind']} {item['metadata']['name']}, {version}"):
                checks.equal(kubernetes_validate.validate(item, version, strict=True), version)
        pod = item["spec"].get("template", {}).get("spec", {})
        for container in pod.get("containers", ()):
            with run.check(f"the volumes of {container['name']}"):
                mounted = {mount["name"] for mount in container["volumeMounts"]}
                checks.equal(mounted, {volume["name"] for volume in pod["volumes"]})


def operations(run):
    unit(run)
    manifests(run)
    directory = processes.scratch("operations")
    certificate(directory)
    cloud = clouds.Cloud(directory)
    config = cloud.variant("announcing", {"notifications": {"json_lines": directory / "announced"}})
    nodes = [Node(directory, config).serve() for _ in range(2)]
    metrics(run, cloud, nodes)
    dashboard(run, directory, nodes)
    readiness(run, cloud, nodes[0])
    backup(run, directory, cloud, nodes[1])
    http2(run, directory, cloud.config)
    for node in nodes:
        node.stop()
    config = cloud.variant("stale", {"cache": {"stale_for": 60}})
    haproxy(run, directory, cloud, [Node(directory, config).serve() for _ in range(2)])


checks.run("operations", operations)
