"""Ceilometer's notification agent, with the definitions of events that it ships: what it makes of the notifications of both
Keystones."""

import json

from harness import checks, clouds, keystones, processes, services, wire
from harness.clouds import made

CONF = """
[DEFAULT]
transport_url = {url}
event_pipeline_cfg_file = {pipeline}
[notification]
pipelines = event
messaging_urls = {url}
notification_control_exchanges = keystone
"""

PIPELINE = """
sources:
  - name: identity
    events: ["*"]
    sinks: [file]
sinks:
  - name: file
    publishers: ["file://{path}?json"]
"""

# Traits that are others for each event.
CHANGING = ("id", "eventTime", "target_id", "service")


class Agent:
    """The agent, and the events that it has written."""

    def __init__(self, directory, url):
        self.output = directory / "events"
        pipeline, config = directory / "event_pipeline.yaml", directory / "ceilometer.conf"
        pipeline.write_text(PIPELINE.format(path=self.output))
        config.write_text(CONF.format(url=url, pipeline=pipeline))
        command = [keystones.VENVS / "ceilometer/bin/ceilometer-agent-notification", "--config-file", config]
        self.daemon = processes.Daemon("ceilometer", command, directory / "agent.log", cwd=directory)

    def events(self):
        return [json.loads(line) for line in self.output.read_text().splitlines()] if self.output.exists() else []

    def of(self, publisher):
        """The events of one Keystone."""
        return [it for it in self.events() if traits(it)["service"] == f"identity.{publisher}"]


def traits(event):
    return {trait["name"]: trait["value"] for trait in event["traits"]}


def ask(keystone):
    """Requests that announce something; the ids of what they make and delete."""
    admin = wire.login(keystone.url, "admin", clouds.ADMIN_PASSWORD, "admin")
    create = lambda kind, **fields: made(admin.post(f"/v3/{kind}s", {kind: fields}))["id"]  # noqa: E731
    project = create("project", name="ann", domain_id="default")
    user = create("user", name="ann", domain_id="default", password="secret")
    group = create("group", name="ann", domain_id="default")
    role = create("role", name="ann")
    grant = f"/v3/projects/{project}/users/{user}/roles/{role}"
    made(admin.put(grant), 204)
    for secret in ("wrong", "secret"):
        wire.request("POST", f"{keystone.url}/v3/auth/tokens", wire.password("ann", secret))
    made(admin.patch(f"/v3/users/{user}", {"user": {"description": "zwölf ☃"}}), 200)
    for path in (grant, f"/v3/groups/{group}", f"/v3/projects/{project}", f"/v3/users/{user}", f"/v3/roles/{role}"):
        made(admin.delete(path), 204)
    return {project: "project", user: "user", group: "group", role: "role"}


WANTED = [
    *("authenticate", "project.created", "user.created", "group.created", "role.created", "role_assignment.created"),
    *("authenticate", "authenticate", "user.updated", "role_assignment.deleted"),
    *("group.deleted", "project.deleted", "user.deleted", "role.deleted"),
]

# Some of the traits, by the definitions in event_definitions.yaml.
TRAITS = {
    "user.created": {"resource_id": "user"},
    "project.deleted": {"resource_id": "project"},
    "role_assignment.created": {"role": "role", "user": "user", "project": "project"},
    # The last one, which is the right password.
    "authenticate": {"outcome": "success", "action": "authenticate", "initiator_id": "user", "initiator_name": "ann"},
}


def ceilometer(run):
    directory = processes.scratch("ceilometer")
    cloud = clouds.Cloud(directory)
    rabbitmq = services.RabbitMq(directory)
    agent = Agent(directory, rabbitmq.url)
    found = {}
    for kind, publisher in ((keystones.Native, "ours"), (keystones.Reference, "reference")):
        run.section(f"{publisher}: {kind.name} Keystone")
        own = directory / publisher
        own.mkdir()
        options = {"default_publisher_id": publisher, "notification_opt_out": "", "transport_url": rabbitmq.url}
        keystone = kind(own, cloud.variant(publisher, {"DEFAULT": options, "oslo_messaging_notifications": {"driver": "messagingv2"}})).serve()
        names = ask(keystone)
        with run.check("the agent makes an event of each notification", needed=True):
            wanted = [f"identity.{name}" for name in WANTED]
            processes.wait_for("the events", lambda: len(agent.of(publisher)) >= len(wanted), daemon=agent.daemon)
            events = agent.of(publisher)
            checks.equal([it["event_type"] for it in events], wanted, "the events")
        found[publisher] = [(it["event_type"], shape(it, names)) for it in events]
        keystone.stop()
    run.section("Both")
    with run.check("the events have the same traits, of the same types and values"):
        for mine, theirs in zip(found["ours"], found["reference"], strict=True):
            checks.equal(mine, theirs, mine[0])
    with run.check("which are those that Ceilometer's definitions name"):
        by_type = {event_type: values for event_type, values in found["ours"]}
        for event_type, wanted in TRAITS.items():
            told = {name: value for name, _, value in by_type[f"identity.{event_type}"]}
            checks.equal({name: told.get(name) for name in wanted}, wanted, event_type)


def shape(event, names):
    """The traits, with names in place of the ids of what was made."""
    changed = lambda name, value: "" if name in CHANGING else names.get(value, value)  # noqa: E731
    return sorted((trait["name"], trait["dtype"], changed(trait["name"], trait["value"])) for trait in event["traits"])


checks.run("ceilometer", ceilometer)
