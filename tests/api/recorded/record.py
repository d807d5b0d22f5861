"""Records what Python Keystone answers, with ids under the names that the scenario gave them."""

import json
import pathlib
import re
import subprocess
import sys
import time

import scenarios
from harness import keystones, processes, services, wire

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "swap"))
import cloud  # noqa: E402

HOST = "keystone.test:5000"
HEADERS = ("allow", "content-type", "vary", "www-authenticate")
NAME = re.compile(r"\{(\w+)\}")
ID = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?")


class Recorder:
    def __init__(self, url):
        self.url, self.ids, self.names, self.tokens = url, {}, {}, {}

    def record(self, step):
        """The step with its answer, or nothing where the reference drops the connection."""
        if "wait" in step:
            time.sleep(step["wait"] + 0.1)
            return step
        asked = self.fill({key: step[key] for key in ("path", "body", "raw") if key in step})
        try:
            answer = wire.request(
                step["method"],
                self.url + asked["path"],
                asked.get("body"),
                raw=asked.get("raw"),
                token=self.tokens.get(step.get("as")),
                headers={"Host": HOST, **step.get("headers", {})},
            )
        except ConnectionError:
            return None
        try:
            body = answer.json
        except ValueError:
            body = answer.text or None
        self.learn(step, answer, body)
        headers = {name: answer.header(name) for name in HEADERS if answer.header(name)}
        if "allow" in headers:
            headers["allow"] = ", ".join(sorted(headers["allow"].split(", ")))
        if "login" in step:
            return {**step, "status": answer.status}
        return {**step, "status": answer.status, "answered": headers, "answer": self.hide(body)}

    def learn(self, step, answer, body):
        if "login" in step and answer.status == 201:
            self.tokens[step["login"]] = answer.header("x-subject-token")
        if "save" in step:
            ((_, resource),) = body.items()
            self.name(step["save"], resource["id"])
        for collection, names in step.get("pick", {}).items():
            for resource in body[collection]:
                if resource.get("name") in names:
                    self.name(names[resource["name"]], resource["id"])

    def name(self, name, value):
        self.ids[name], self.names[value] = value, name

    def fill(self, value):
        if isinstance(value, dict):
            return {key: self.fill(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.fill(inner) for inner in value]
        if isinstance(value, str):
            return NAME.sub(lambda found: self.ids.get(found[1], found[0]), value)
        return value

    def hide(self, value):
        if isinstance(value, dict):
            return {self.hide(key): self.hide(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return sorted((self.hide(inner) for inner in value), key=canonical)
        if isinstance(value, str):
            value = ID.sub(lambda found: "{%s}" % self.names.get(found[0], "id"), value)
            return TIME.sub(lambda found: re.sub(r"\d", "9", found[0]), value)
        return value


def canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def record():
    directory = processes.scratch("recording")
    mariadb = services.MariaDb(directory)
    config = directory / "keystone.conf"
    connection = mariadb.database("keystone", "KEYSTONE_DBPASS")
    config.write_text(cloud.CONF.format(connection=connection, directory=directory))
    reference = keystones.Reference(directory, config)
    cloud.settle(reference, f"http://{HOST}/v3")
    client = ["--no-defaults", f"--socket={mariadb.socket}", "-uroot", "keystone"]
    fresh = subprocess.run(["mariadb-dump", *client], capture_output=True, check=True).stdout
    for name, steps in scenarios.ALL.items():
        subprocess.run(["mariadb", *client], input=fresh, check=True)
        reference.serve()
        recorder = Recorder(reference.url)
        recorded = [answered for step in steps if (answered := recorder.record(step))]
        reference.stop()
        lines = ",\n".join(json.dumps(step, ensure_ascii=False) for step in recorded)
        (HERE / f"{name}.json").write_text(f"[\n{lines}\n]\n")
        print(f"{name}: {len(recorded)} of {len(steps)} steps", flush=True)


record()
