"""Sends the generated requests to Python Keystone, each with the database as the cast left it."""

import json
import pathlib
import subprocess
import sys
import time
import urllib.parse

import lifecycle
import matrix
import people
from harness import wire

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "parity"), str(HERE.parent / "swap")]
import record as parity  # noqa: E402

# Keystone must cache nothing, because the database is restored without its knowledge.
OPTIONS = {
    "auth": {"methods": "external,password,token,oauth1,mapped,application_credential,ec2credential,totp"},
    "cache": {"enabled": "true", "backend": "dogpile.cache.null"},
    "identity": {"password_hash_rounds": 4},
    "token": {"expiration": 36000},
    "tokenless_auth": {"trusted_issuer": people.ISSUER},
}


class Restorer:
    """Restores every table in one go, over a connection that stays open."""

    def __init__(self, client):
        self.process = subprocess.Popen(
            ["mariadb", *client, "-N", "-B", "--unbuffered"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        tables = [name for name in self.run("SHOW TABLES;") if not name.startswith("saved_")]
        copies = (f"DROP TABLE IF EXISTS saved_{name}; CREATE TABLE saved_{name} AS SELECT * FROM `{name}`;" for name in tables)
        self.run("".join(copies))
        undo = "".join(f"DELETE FROM `{name}`;" for name in tables)
        undo += "".join(f"INSERT INTO `{name}` SELECT * FROM saved_{name};" for name in tables)
        self.script = f"SET FOREIGN_KEY_CHECKS = 0; BEGIN; {undo} COMMIT;"

    def run(self, statements):
        self.process.stdin.write(f"{statements}\nSELECT 'done';\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline().rstrip("\n")) != "done":
            if not line and self.process.poll() is not None:
                raise RuntimeError(f"the client ended after {statements}")
            lines.append(line)
        return lines

    def restore(self):
        self.run(self.script)


class Cloud:
    def __init__(self, stage, cast, holders, mapping=None):
        subprocess.run(["mariadb", *stage.client], input=stage.fresh, check=True)
        stage.configure(OPTIONS)
        stage.reference.processes = stage.reference.threads = 1
        stage.reference.serve()
        self.url, self.ids, self.tokens, self.certificates = stage.reference.url, {}, {"nobody": None}, {}
        self.tokens["admin"] = wire.token(self.url, wire.password("admin", "000000", "admin"))[0]
        for role in self.client().get("/v3/roles").json["roles"]:
            self.ids[role["name"]] = role["id"]
        for step in cast:
            self.make(step)
        if mapping:
            stage.store(self.fill(mapping))
        for holder in holders:
            self.log_in(holder)
        self.restorer = Restorer(stage.client)

    def make(self, step, holder=None):
        who = step.get("as", "admin")
        answer = self.ask(holder if who == "self" else who, step)
        if answer.status >= 300:
            raise SystemExit(f"{step}: {answer}")
        if "save" in step:
            self.save(step["save"], answer)
        return answer

    def save(self, names, answer):
        if isinstance(names, str):
            made = next(iter(answer.json.values()))
            self.ids[names] = (made[0] if isinstance(made, list) else made)["id"]
            return
        values = answer.json if answer.text.startswith("{") else dict(urllib.parse.parse_qsl(answer.text))
        for name, path in names.items():
            self.ids[name] = parity.at(values, path)

    def log_in(self, holder):
        for step in holder["steps"]:
            answer = self.make(step, holder["name"])
            found = parity.at(answer.json, step["token"]) if "token" in step else None
            if token := found or answer.header("x-subject-token"):
                self.tokens[holder["name"]] = self.ids["token"] = token
        if certificate := holder.get("certificate"):
            vouched = wire.vouched(certificate["environ"])
            self.certificates[holder["name"]] = {**self.fill(certificate["headers"]), **vouched}

    def client(self, who="admin"):
        return wire.Client(self.url, None if who in self.certificates else self.tokens[who])

    def ask(self, who, step):
        subject = {"self": who}.get(step.get("subject"), step.get("subject"))
        self.ids["now"] = str(int(time.time()))
        headers = {"Host": parity.HOST, **self.certificates.get(who, {}), **self.fill(step.get("headers", {}))}
        if "environ" in step:
            headers |= wire.vouched(step["environ"])
        if subject:
            headers["X-Subject-Token"] = self.tokens[subject]
        path = self.fill(step["path"])
        body = {"body": self.fill(step.get("body")), "raw": self.fill(step.get("raw"))}
        return self.client(who)(step["method"], path, headers=headers, **body)

    def fill(self, value):
        return parity.filled(value, self.ids)

    def state(self, holder):
        """Whether a token is valid for an administrator: not every token may validate itself."""
        answer = self.ask("admin", {"method": "GET", "path": "/v3/auth/tokens", "subject": holder})
        return {200: "lives", 404: "ended"}.get(answer.status, str(answer.status))

    def restore(self):
        self.restorer.restore()
        self.forget()

    def forget(self):
        """Makes Keystone's thread forget what its previous request read, which it does when it accepts a token."""
        self.client().get("/v3/regions")

    def outcome(self, who, question):
        """The status, and the length of a list."""
        try:
            answer = self.ask(who, question)
        except ConnectionError:
            return "dropped"
        if question["method"] not in ("GET", "HEAD") and answer.status < 300 and "/auth/tokens" not in question["path"]:
            self.restore()
        elif question["method"] == "DELETE" and answer.status not in (401, 403):
            self.restore()
        lists = []
        if answer.status == 200 and question["method"] == "GET" and answer.text.startswith("{"):
            lists = [value for value in answer.json.values() if isinstance(value, list)]
        return f"{answer.status}/{len(lists[0])}" if lists else str(answer.status)


def record_matrix(stage, names):
    """All holders, or those with these names beside the recorded ones."""
    bob = people.holder("bob", people.on_project("other"), "bob")
    mapping = matrix.certificates()
    cloud = Cloud(stage, matrix.CAST, [*matrix.HOLDERS, bob], mapping)
    rows = matrix.questions()
    answers = recorded_answers(rows) if names else {}
    holders = {holder["name"]: holder for holder in matrix.HOLDERS}
    for number, name in enumerate(names or holders):
        user = holders[name]["user"]
        cloud.ids.update({"me": cloud.ids[user], "mine": cloud.ids[f"{user}s"], "token": cloud.tokens[name]})
        answers[name] = [cloud.outcome(name, row) for row in rows]
        print(f"{number + 1} of {len(names or holders)}: {name}", flush=True)
        # Those that are not asked are there all the same, because lists have what was made for them.
        order = sorted(holders, key=lambda name: name not in answers)
        columns = [answers[name] for name in order if name in answers]
        done = [{**row, "answers": " ".join(found)} for row, *found in zip(rows, *columns, strict=True)]
        head = {"cast": matrix.CAST, "mappings": [mapping], "holders": [*(holders[name] for name in order), bob]}
        write("matrix", head, done)


def recorded_answers(rows):
    """The answers that each holder got to these questions."""
    recorded = json.loads((HERE / "recorded/matrix.json").read_text())
    answers = [row.pop("answers").split() for row in recorded["rows"]]
    if recorded["rows"] != rows or recorded["cast"] != matrix.CAST:
        raise SystemExit("other questions are recorded: record all of them")
    names = (holder["name"] for holder in recorded["holders"])
    return dict(zip(names, map(list, zip(*answers, strict=True)), strict=False))


def record_lifecycle(stage):
    cloud = Cloud(stage, lifecycle.CAST, lifecycle.HOLDERS)
    rows = []
    for name, steps in lifecycle.events():
        cloud.restore()
        answers = [cloud.ask(step.get("as", "admin"), step) for step in steps]
        if any(answer.status >= 300 for answer in answers):
            print(f"left out, for it is refused: {name}: {answers}", flush=True)
            continue
        cloud.forget()
        found = [cloud.state(holder["name"]) for holder in lifecycle.HOLDERS]
        rows.append({"event": name, "steps": steps, "answers": " ".join(found)})
        print(name, flush=True)
    write("lifecycle", {"cast": lifecycle.CAST, "holders": lifecycle.HOLDERS}, rows)


def write(name, head, rows):
    parts = [f'"{key}": [\n' + ",\n".join(json.dumps(item) for item in items) + "\n]" for key, items in head.items()]
    parts.append('"rows": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]")
    (HERE / f"recorded/{name}.json").write_text("{" + ", ".join(parts) + "}\n")
    print(f"{name}: {len(rows)} rows", flush=True)


def main(name=None, *holders):
    suites = {"matrix": lambda stage: record_matrix(stage, holders), "lifecycle": record_lifecycle}
    stage = parity.Stage()
    for name in [name] if name else suites:
        suites[name](stage)
        stage.reference.stop()


main(*sys.argv[1:])
