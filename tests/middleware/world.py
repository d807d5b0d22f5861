"""A Keystone with people, tokens of every kind, and guarded services in front of which requests are made."""

import json

from harness import processes, wire
from harness.clouds import Cloud, made
from harness.keystones import Reference
from harness.processes import LOOPBACK

from gate import Gate

PASSWORD = "secret"
RULES = [{"service": "image", "method": "GET", "path": "/v2/images/*"}]

# The guarded services by name, with the options that are not the defaults.
FAST = {"http_connect_timeout": 3, "http_request_max_retries": 0}
SERVICES = {
    "guarded": {"service_type": "image"},
    "delaying": {"service_type": "image", "delay_auth_decision": True, **FAST},
    "without a type": {},
    "of another type": {"service_type": "compute"},
    "lenient": {"service_type": "image", "service_token_roles_required": False},
    "forgetful": {"service_type": "image", "token_cache_time": -1, **FAST},
}


class ReferenceCloud(Cloud):
    """The same on Python Keystone."""

    def start(self):
        self.keystone = Reference(self.directory, self.config)
        super().start()


class World:
    def __init__(self, directory, cloud_class, guarded, inside=False):
        """`guarded` is the command of the guarded services, which have a Keystone of their own where it is `inside`."""
        self.cloud = cloud_class(directory)
        self.gate = Gate(self.cloud.keystone.ports[0])
        self.names = {}
        self.populate()
        self.tokens = self.issue()
        ports = {name: processes.free_port() for name in SERVICES}
        settings = {
            **{"auth_url": self.gate.url, "username": "glance", "password": PASSWORD, "project_name": "service"},
            "services": [{"port": ports[name], **options} for name, options in SERVICES.items()],
        }
        if inside:
            settings["keystone_conf"] = str(self.cloud.config)
        self.urls = {name: f"http://{LOOPBACK}:{port}" for name, port in ports.items()}
        variables = {"SETTINGS": json.dumps(settings)}
        self.guarded = processes.Daemon("guarded", guarded, directory / "guarded.log", env=variables)
        for port in ports.values():
            processes.wait_for("the guarded services", lambda: processes.listening(port), daemon=self.guarded)

    def populate(self):
        cloud = self.cloud
        # Python's middleware finds the address to ask in the catalog.
        for endpoint in made(cloud.admin.get("/v3/endpoints"), 200):
            made(cloud.admin.patch(f"/v3/endpoints/{endpoint['id']}", {"endpoint": {"url": self.gate.url}}), 200)
        self.name("Default", "default")
        cloud.service("glance", "image", "http://image.example/v2")
        self.images = self.name("images", cloud.project("images")["id"])
        self.service = self.name("service", cloud.project("service")["id"])
        users = ("alice", "bob", "glance", "nova")
        self.users = {user: self.name(user, cloud.user(user, PASSWORD)["id"]) for user in users}
        for user, role, project in (
            *(("alice", "member", self.images), ("bob", "member", self.images)),
            *(("glance", "service", self.service), ("nova", "service", self.service)),
        ):
            cloud.grant(self.users[user], role, project)
        alice = self.users["alice"]
        made(cloud.admin.put(f"/v3/domains/default/users/{alice}/roles/{cloud.roles['member']}"), 204)
        made(cloud.admin.put(f"/v3/system/users/{alice}/roles/{cloud.roles['reader']}"), 204)

    def name(self, name, id):
        """Remembers that an id stands for this name."""
        self.names[id] = name
        return id

    def login(self, user, scope=None):
        return wire.token(self.cloud.url, wire.password(user, PASSWORD, scope))[0]

    def issue(self):
        url, alice = self.cloud.url, self.users["alice"]
        tokens = {
            "project": self.login("alice", "images"),
            "domain": self.login("alice", {"domain": {"id": "default"}}),
            "system": self.login("alice", "system"),
            "unscoped": self.login("alice", "unscoped"),
            "nova": self.login("nova", "service"),
            "bob": self.login("bob", "images"),
            "garbage": "gAAAAABnonsense",
        }
        me = wire.Client(url, tokens["project"])
        for kind, rules in (("credential", None), ("limited credential", RULES)):
            fields = {"name": kind, "secret": PASSWORD, **({"access_rules": rules} if rules else {})}
            path = f"/v3/users/{alice}/application_credentials"
            credential = made(me.post(path, {"application_credential": fields}))
            proof = {"id": credential["id"], "secret": PASSWORD}
            methods = {"methods": ["application_credential"], "application_credential": proof}
            tokens[kind] = wire.token(url, wire.auth(methods, None))[0]
        trust = {
            **{"trustor_user_id": alice, "trustee_user_id": self.users["bob"], "impersonation": True},
            **{"project_id": self.images, "roles": [{"name": "member"}]},
        }
        trust = made(me.post("/v3/OS-TRUST/trusts", {"trust": trust}))
        tokens["trust"] = self.login("bob", {"OS-TRUST:trust": {"id": trust["id"]}})
        tokens["expired"], tokens["expired service"] = self.expired()
        tokens["revoked"] = self.login("alice", "images")
        made(wire.request("DELETE", f"{url}/v3/auth/tokens", token=tokens["revoked"], headers={
            "X-Subject-Token": tokens["revoked"]
        }), 204)
        return tokens

    def expired(self):
        """Tokens of alice and nova that have expired, from a node with the same keys that issues short ones."""
        config = self.cloud.variant("short", {"token": {"expiration": "1"}})
        node = type(self.cloud.keystone)(self.cloud.directory, config)
        node.name = "short"
        node.serve()
        bodies = (wire.password("alice", PASSWORD, "images"), wire.password("nova", PASSWORD, "service"))
        tokens = [wire.token(node.url, body)[0] for body in bodies]
        node.stop()
        for token in tokens:
            gone = lambda: self.validate(token).status == 404  # noqa: B023, E731
            processes.wait_for("the end of a token", gone)
        return tokens

    def validate(self, token):
        return self.cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token})

    def revoke(self, token):
        made(self.cloud.admin.delete("/v3/auth/tokens", headers={"X-Subject-Token": token}), 204)

    def ask(self, service, token=None, by=None, path="/v2/images/1", method="GET", headers=()):
        """Sends a request with the token of this name, by the service with that one; returns what is compared."""
        sent = [*headers]
        if token is not None:
            sent.append(("X-Auth-Token", self.tokens.get(token, token)))
        if by is not None:
            sent.append(("X-Service-Token", self.tokens.get(by, by)))
        answer = wire.request(method, self.urls[service] + path, headers=dict(sent))
        seen = {"status": answer.status}
        challenge = answer.header("www-authenticate")
        if challenge:
            seen["www-authenticate"] = self.named(challenge)
        if answer.status == 200:
            headers = {name: self.named(value) for name, value in answer.json.items()}
            for name in headers.keys() & {"x-role", "x-roles", "x-service-roles"}:
                # Keystone tells roles in no order.
                headers[name] = ",".join(sorted(headers[name].split(",")))
            if "x-service-catalog" in headers:
                headers["x-service-catalog"] = self.catalog(headers["x-service-catalog"])
            seen["headers"] = headers
        elif answer.status == 401:
            seen["body"] = answer.json
            seen["content-type"] = answer.header("content-type")
        return seen

    def named(self, text):
        text = text.replace(self.gate.url, "<keystone>")
        for id, name in self.names.items():
            if id == "default":
                text = f"<{name}>" if text == id else text
            else:
                text = text.replace(id, f"<{name}>")
        return text

    @staticmethod
    def catalog(text):
        return sorted(json.loads(text), key=lambda service: service["type"])

    def restart(self):
        """Ends Keystone and every connection to it, and starts it on the same port."""
        self.gate.fall()
        self.cloud.keystone.stop()
        self.cloud.keystone.serve(*self.cloud.keystone.ports)
        self.gate.rise()

    def stop(self):
        self.guarded.stop()
        self.gate.fall()
        self.cloud.keystone.stop()
        self.cloud.mariadb.stop()

