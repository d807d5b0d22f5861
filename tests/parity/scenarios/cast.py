"""The words that scenarios are written in, and the small cloud that they begin with.

`{name}` in a path, a header or a body stands for what an earlier step saved; `{token:name}` for the token of a login,
`{receipt:name}` for its receipt, `{totp:SECRET}` for the one-time password at the time of the request,
`{totp:SECRET:-1}` for that of the window before, and `{now}` for the time in seconds.
"""

import hashlib

from harness import wire

NOTHING = "0" * 32
JSON = {"Content-Type": "application/json"}
CALLERS = ("admin", "member", "domain admin", "domain manager", "domain reader", "system reader", "unscoped", None)
NAMES = ({}, {"name": ""}, {"name": None}, {"name": 5}, {"name": "   "}, {"name": "x" * 256}, {"name": "ümläut"})

# Name to (its steps, its options of keystone.conf, the directory of its recording, whether it follows the cast).
ALL = {}


def scenario(make=None, *, config=None, on_stage=True, questions=False, announces=False):
    """A scenario under the function's name: its steps follow the cast's. `config` is {group: {option: value}}.

    With `questions`, what the policy was asked is recorded in place of the answers; with `announces`, what was announced.
    """
    kind = "questions" if questions else "announced" if announces else "recorded"

    def register(make):
        if make.__name__ in ALL:
            raise ValueError(f"two scenarios are called {make.__name__}")
        texts = {group: {name: text(value) for name, value in options.items()} for group, options in (config or {}).items()}
        ALL[make.__name__] = (lambda: (cast() if on_stage else []) + make(), texts, kind, on_stage)
        return make

    return register(make) if make else register


def text(value):
    """As keystone.conf has it."""
    if isinstance(value, (list, tuple)):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def ask(method, path, body=None, who="admin", **more):
    """A request below /v3, or of a whole path where it begins with a slash.

    More: `raw` (a body as text), `headers`, `environ` (the variables that a web server in front vouches for), `save`,
    `token` (the name for the token that it answers), `receipt` (the name for the receipt), `count` (of lists only their
    lengths matter, as when a page has as many as it may of those that there are).

    `save="name"` names the id of the one resource answered; `save={"name": "limits/0/id"}` whatever is at the path,
    and `save={"name": "limits/resource_name=volumes/id"}` of the first in a list that has this value there.
    """
    whole = path if path.startswith("/") else f"/v3/{path}"
    step = {"as": who, "method": method, "path": whole, **more}
    return step if body is None else {**step, "body": body}


def get(*paths, who="admin"):
    return [ask("GET", path, who=who) for path in paths]


def head(*paths, who="admin"):
    return [ask("HEAD", path, who=who) for path in paths]


def post(kind, save=None, who="admin", **fields):
    return ask("POST", f"{kind}s", {kind: fields}, who, **({"save": save} if save else {}))


def patch(kind, path, *bodies):
    """Each change, and what is there after it."""
    return [step for body in bodies for step in (ask("PATCH", path, {kind: body}), ask("GET", path))]


def delete(*paths, who="admin"):
    return [ask("DELETE", path, who=who) for path in paths]


def login(name, user, password, scope):
    """A login by a user's id; of its answer only the status matters."""
    body = wire.auth({"methods": ["password"], "password": {"user": {"id": user, "password": password}}}, scope)
    return {"method": "POST", "path": "/v3/auth/tokens", "body": body, "login": name}


def wait(seconds):
    """Time passes."""
    return {"wait": seconds}


def mapping(name, rules, issuer=None, protocol="x509", version="1.0", enabled=True):
    """A mapping is stored; with an issuer of certificates, as the one of its identity provider for tokenless callers, which
    is enabled or not."""
    stored = {"id": name, "rules": rules, "version": version}
    if issuer:
        stored |= {"provider": hashlib.sha256(issuer.encode()).hexdigest(), "protocol": protocol}
        stored |= {} if enabled else {"disabled": True}
    return {"mapping": stored}


def pick(collection, *names):
    """Names each of a listed collection as it is called there."""
    return {name: f"{collection}/name={name}/id" for name in names}


def cast():
    """A small cloud, and one caller of each kind."""
    admin = wire.password("admin", "000000", "admin")
    people = {"alice": "default", "bob": "default", "carol": "{acme}", "dave": "{acme}", "erin": "{acme}", "frank": "default"}
    return [
        {"method": "POST", "path": "/v3/auth/tokens", "body": admin, "login": "admin"},
        ask("GET", "roles", save=pick("roles", "admin", "manager", "member", "reader", "service")),
        ask("GET", "services", save=pick("services", "keystone")),
        post("domain", "acme", name="Acme", description="A second one", colour="red"),
        post("domain", "off", name="Off", enabled=False),
        post("project", "demo", name="demo", domain_id="default", description="Démo ☃", tags=["b", "a"]),
        post("project", "child", name="child", domain_id="default", parent_id="{demo}"),
        post("project", "grandchild", name="grandchild", domain_id="default", parent_id="{child}"),
        post("project", "works", name="works", domain_id="{acme}"),
        post("project", "closed", name="closed", domain_id="{acme}", enabled=False),
        *(post("user", name, name=name, domain_id=domain, password=name, email=f"{name}@x") for name, domain in people.items()),
        post("group", "staff", name="staff", domain_id="default", description="Everybody"),
        post("group", "crew", name="crew", domain_id="{acme}"),
        post("role", "user", name="user", description="of the install guide"),
        post("role", "local", name="local", domain_id="{acme}"),
        ask("PUT", "groups/{staff}/users/{alice}"),
        ask("PUT", "groups/{crew}/users/{carol}"),
        ask("PUT", "projects/{demo}/users/{alice}/roles/{member}"),
        ask("PUT", "domains/{acme}/users/{carol}/roles/{admin}"),
        ask("PUT", "domains/{acme}/users/{dave}/roles/{manager}"),
        ask("PUT", "domains/{acme}/users/{erin}/roles/{reader}"),
        ask("PUT", "system/users/{frank}/roles/{reader}"),
        ask("PUT", "OS-INHERIT/projects/{demo}/users/{alice}/roles/{reader}/inherited_to_projects"),
        login("member", "{alice}", "alice", {"project": {"id": "{demo}"}}),
        *(
            login(f"domain {role}", who, name, {"domain": {"id": "{acme}"}})
            for role, who, name in (("admin", "{carol}", "carol"), ("manager", "{dave}", "dave"), ("reader", "{erin}", "erin"))
        ),
        login("system reader", "{frank}", "frank", {"system": {"all": True}}),
        login("unscoped", "{alice}", "alice", "unscoped"),
        post("region", id="north", parent_region_id="RegionOne", description="Up"),
        post("service", "images", type="image", name="glance", description="Images"),
        post("service", "compute", type="compute", name="nova", enabled=False),
        post("endpoint", "public", service_id="{images}", interface="public", region_id="north", url="http://i/$(project_id)s"),
        post("endpoint", service_id="{images}", interface="admin", url="http://i"),
    ]


scenario(cast, on_stage=False)
