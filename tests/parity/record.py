"""Records what Python Keystone answers, with ids under the names that the scenario gave them."""

import base64
import hmac
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.parse

import questions
import scenarios
from harness import keystones, processes, services, wire

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "swap"))
import cloud  # noqa: E402

HOST = "keystone.test:5000"
# The scenario that is the beginning of most others, and is kept in its own recording only.
CAST = "cast"
# Those that matter; of the last ones only that they are there.
HEADERS = ("allow", "content-type", "location", "vary", "www-authenticate")
HEADERS += tuple(f"access-control-{part}" for part in ("allow-credentials", "allow-headers", "allow-methods", "allow-origin"))
HEADERS += ("access-control-expose-headers", "access-control-max-age")
SECRET_HEADERS = ("openstack-auth-receipt", "x-subject-token")
NAME = re.compile(r"\{([\w: -]+)\}")
PASSCODE = re.compile(r"totp:([A-Z2-7]+)(?::(-?[0-9]+))?")
TOKEN = re.compile(r"gAAAA[0-9A-Za-z_=-]{20,}|eyJ[0-9A-Za-z_=-]+\.[0-9A-Za-z_=.-]+")
# Of an application credential.
SECRET = re.compile(r"[0-9A-Za-z_-]{86}")
WORD = re.compile(r"[0-9A-Za-z]+")
ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?")
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}")
AUDITS = ("audit_chain_id", "audit_id", "audit_ids")


class Recorder:
    def __init__(self, stage, oracle=None, heard=None):
        self.stage, self.url = stage, stage.reference.url
        self.ids, self.names, self.tokens = {}, {}, {}
        self.oracle, self.credentials = oracle, []
        self.heard = heard

    def record(self, step):
        """The step with its answer; where Keystone drops the connection, with word of that."""
        if "wait" in step:
            time.sleep(step["wait"] + 0.1)
            return step
        if "mapping" in step:
            self.stage.store(filled(step["mapping"], self.ids))
            return step
        self.ids["now"] = str(int(time.time()))
        asked = filled({key: step[key] for key in ("path", "body", "raw", "headers", "environ") if key in step}, self.ids)
        vouched = wire.vouched(asked["environ"]) if "environ" in asked else {}
        try:
            answer = wire.request(
                step["method"],
                self.url + asked["path"].replace(" ", "%20"),
                asked.get("body"),
                raw=asked.get("raw"),
                token=self.tokens.get(step.get("as")),
                headers={"Host": HOST, **vouched, **asked.get("headers", {})},
            )
        except ConnectionError:
            return {**step, "dropped": True}
        try:
            body = answer.json
        except ValueError:
            body = answer.text or None
        self.learn(step, answer, body)
        if self.heard:
            return {**step, "status": answer.status, "announced": self.announced()}
        if "login" in step:
            if self.oracle:
                self.oracle.take()
            return {**step, "status": answer.status}
        headers = {name: self.hide(answer.header(name)) for name in HEADERS if answer.header(name)}
        headers |= {name: "{secret}" for name in SECRET_HEADERS if answer.header(name)}
        if "allow" in headers:
            headers["allow"] = ", ".join(sorted(headers["allow"].split(", ")))
        if self.oracle:
            return {**step, "status": answer.status, "asked": self.asked()}
        body = counted(body) if step.get("count") else self.hide(body)
        return {**step, "status": answer.status, "answered": headers, "answer": body}

    def asked(self):
        """What the policy was asked; equal credentials are kept once."""
        asked = []
        for kind, rule, target, credentials in self.oracle.take():
            credentials = self.hide(credentials)
            if credentials not in self.credentials:
                self.credentials.append(credentials)
            asked.append([kind, rule, self.hide(target), self.credentials.index(credentials)])
        return asked

    def announced(self):
        """What was announced since the last time, in order."""
        lines = (line for line in self.heard.readlines() if " oslo.messaging.notification." in line)
        return [uncounted(self.hide(json.loads(line[line.index("{") :]))) for line in lines]

    def learn(self, step, answer, body):
        if "receipt" in step:
            self.ids[f"receipt:{step['receipt']}"] = answer.header("openstack-auth-receipt")
        login = step.get("login") or step.get("token")
        if login and answer.status < 300:
            self.tokens[login] = answer.header("x-subject-token")
            self.ids[f"token:{login}"] = self.tokens[login]
        save = step.get("save", {})
        if isinstance(body, str):
            body = dict(urllib.parse.parse_qsl(body))
        try:
            if isinstance(save, str):
                ((envelope, _),) = body.items()
                save = {save: f"{envelope}/id"}
            for name, path in save.items():
                self.ids[name] = found = at(body, path)
                self.names[found] = name
        except (AttributeError, IndexError, KeyError, StopIteration, TypeError, ValueError) as error:
            raise SystemExit(f"nothing to save: {step}\n{answer}\n{error!r}") from error

    def hide(self, value, key=None):
        if isinstance(value, dict):
            return {self.hide(name): self.hide(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return sorted((self.hide(inner, key) for inner in value), key=canonical)
        if isinstance(value, str):
            if value in self.names:
                return "{%s}" % self.names[value]
            if key in AUDITS:
                return "{audit}"
            if SECRET.fullmatch(value):
                return "{secret}"
            value = TOKEN.sub("{secret}", value)
            value = hide_ids(value, self.names)
            return TIME.sub(lambda found: re.sub(r"[0-9]", "9", found[0]), value)
        return value


def uncounted(value):
    """A message without what is new each time."""
    if isinstance(value, dict):
        return {key: uncounted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [uncounted(inner) for inner in value]
    if isinstance(value, str):
        return STAMP.sub(lambda found: re.sub(r"[0-9]", "9", found[0]), UUID.sub("{uuid}", value))
    return value


def hide_ids(text, names):
    return WORD.sub(lambda found: "{%s}" % names.get(found[0], "id") if ID.fullmatch(found[0]) else found[0], text)


def filled(value, ids):
    """A value with ids in the places of their names."""
    if isinstance(value, dict):
        return {key: filled(inner, ids) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, ids) for inner in value]
    if isinstance(value, str):
        return NAME.sub(lambda found: ids.get(found[1]) or passcode(found[1]) or found[0], value)
    return value


def passcode(name):
    """The one-time password of `totp:SECRET` or `totp:SECRET:windows`, at the time of a request made soon."""
    found = PASSCODE.fullmatch(name)
    if not found:
        return None
    # Not so late that the window ends before the request does.
    late = time.time() % 30 - 27
    if late > 0:
        time.sleep(3 - late)
    secret, windows = found[1], int(found[2] or 0)
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, (int(time.time()) // 30 + windows).to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 15
    return f"{(int.from_bytes(digest[offset : offset + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def at(body, path):
    """The value at a path of keys, indices and `key=value` for the first of a list that has it."""
    for part in path.split("/"):
        key, wanted, value = part.partition("=")
        if wanted:
            body = next(item for item in body if str(item.get(key)) == value)
        else:
            body = body[int(part) if isinstance(body, list) else part]
    return body


def counted(value):
    """The lengths in place of lists, and no id under its name: which ones are there is chance."""
    if isinstance(value, dict):
        return {key: counted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return len(value)
    if isinstance(value, str):
        return hide_ids(value, {})
    return value


class Stage:
    """Python Keystone on a MariaDB of its own, which every scenario finds as bootstrap left it."""

    def __init__(self):
        self.directory = processes.scratch("recording")
        self.mariadb = services.MariaDb(self.directory)
        self.connection = self.mariadb.database("keystone", "KEYSTONE_DBPASS")
        self.config = self.directory / "keystone.conf"
        self.configure({})
        self.reference = keystones.Reference(self.directory, self.config, module="harness.vouching")
        self.client = ["--no-defaults", f"--socket={self.mariadb.socket}", "-uroot", "keystone"]
        self.fresh = self.settled()

    def configure(self, options):
        lines = [cloud.CONF.format(connection=self.connection, directory=self.directory)]
        if options.get("token", {}).get("provider") == "jws":
            lines += self.key_pair(options.get("jwt_tokens", {}).get("jws_algorithm", "ES256"))
        for group, values in options.items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in values.items())]
        self.config.write_text("\n".join(lines) + "\n")

    def key_pair(self, algorithm):
        """The options of a new key pair for signed tokens."""
        lines = ["[jwt_tokens]"]
        for kind in ("private", "public"):
            directory = self.directory / f"jws-{kind}"
            directory.mkdir(exist_ok=True)
            lines.append(f"jws_{kind}_key_repository = {directory}")
        paths = [str(self.directory / f"jws-{kind}/{kind}.pem") for kind in ("private", "public")]
        make = "import sys; from keystone.common import jwt_utils; jwt_utils.create_jws_keypair(*sys.argv[1:])"
        subprocess.run([keystones.VENVS / "keystone/bin/python", "-c", make, *paths, algorithm], check=True, capture_output=True)
        return lines

    def settled(self):
        """The database after bootstrap; kept beside the virtualenv, because making it takes long."""
        kept = keystones.VENVS / "keystone/settled"
        if not (kept / "fresh.sql").exists():
            cloud.settle(self.reference, f"http://{HOST}/v3")
            dump = subprocess.run(["mariadb-dump", *self.client], capture_output=True, check=True).stdout
            shutil.rmtree(kept, ignore_errors=True)
            for keys in ("fernet-keys", "credential-keys"):
                shutil.copytree(self.directory / keys, kept / keys)
            (kept / "fresh.sql").write_bytes(dump)
        else:
            for keys in ("fernet-keys", "credential-keys"):
                shutil.copytree(kept / keys, self.directory / keys)
        return (kept / "fresh.sql").read_bytes()

    def sql(self, script):
        subprocess.run(["mariadb", *self.client], input=script, check=True)

    def store(self, mapping):
        """A mapping, in place of one of its id, and the identity provider whose protocol it is, where one is named."""
        rows = [("mapping", {"id": mapping["id"], "rules": json.dumps(json.dumps(mapping["rules"])), "schema_version": mapping["version"]})]
        if "provider" in mapping:
            enabled = "0" if mapping.get("disabled") else "1"
            rows.append(("identity_provider", {"id": mapping["provider"], "enabled": enabled, "domain_id": "default"}))
            protocol = {"idp_id": mapping["provider"], "id": mapping["protocol"], "mapping_id": mapping["id"]}
            rows.append(("federation_protocol", protocol))
        for table, row in rows:
            values = ", ".join("'" + value.replace("\\", "\\\\").replace("'", "''") + "'" for value in row.values())
            self.sql(f"REPLACE INTO {table} ({', '.join(row)}) VALUES ({values});".encode())

    def record(self, steps, options, kind):
        self.sql(self.fresh)
        oracle = questions.Oracle() if kind == "questions" else None
        log = self.directory / "announced.log"
        if kind == "announced":
            log.write_text("")
            options = {**options, "DEFAULT": {**options["DEFAULT"], "log_file": log}}
        if oracle:
            rules = self.directory / "questions.json"
            oracle.write_rules(rules)
            options = {**options, "oslo_policy": {"policy_file": rules, **options.get("oslo_policy", {})}}
        self.configure(options)
        self.reference.serve()
        recorder = Recorder(self, oracle, log.open() if kind == "announced" else None)
        recorded = [recorder.record(step) for step in steps]
        self.reference.stop()
        return recorded, recorder.credentials


def begins_with_cast(steps):
    """Whether the recording of the cast has the first steps, with the same answers."""
    recorded = json.loads((HERE / f"recorded/{CAST}.json").read_text())["steps"]
    return json.loads(json.dumps(steps[: len(recorded)])) == recorded


def main(names):
    unknown = set(names) - scenarios.ALL.keys()
    if unknown:
        sys.exit(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(sorted(scenarios.ALL))}")
    stage = Stage()
    # The cast first, as the others are compared with it.
    for name in sorted(names or scenarios.ALL, key=lambda name: (name != CAST, name)):
        make, options, kind, on_stage = scenarios.ALL[name]
        asks = kind == "questions"
        steps, credentials = stage.record(make(), options, kind)
        texts = [f'"config": {json.dumps(options, ensure_ascii=False)}']
        announces = kind == "announced" and on_stage
        if announces or (kind == "recorded" and name != CAST and begins_with_cast(steps)):
            texts.append(f'"after": "{CAST}"')
            steps = steps[len(scenarios.ALL[CAST][0]()) :]
        parts = {"credentials": credentials, "steps": steps} if asks else {"steps": steps}
        for key, rows in parts.items():
            lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
            texts.append(f'"{key}": [\n{lines}\n]')
        (HERE / kind / f"{name}.json").write_text("{" + ", ".join(texts) + "}\n")
        print(f"{name}: {len(steps)} steps", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
