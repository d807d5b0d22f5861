"""Application credentials and access rules: whose they are, what they give, and what they refuse."""

import base64

from harness import wire

from .cast import CALLERS, JSON, NOTHING, ask, delete, get, head, login, post, scenario, wait
from .tokens import about, attempt, rescope

DEMO = {"project": {"id": "{demo}"}}
MINE = "users/{alice}/application_credentials"
RULES = "users/{alice}/access_rules"
BOBS = "users/{bob}/application_credentials"
# Other processes of Python Keystone would answer from their caches.
UNCACHED = {"cache": {"enabled": False}}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def rule(path, method="GET", service="identity", **more):
    return {"path": path, "method": method, "service": service, **more}


def made(name=None, save=None, who="member", path=MINE, **fields):
    body = {"application_credential": {**({"name": name} if name else {}), **fields}}
    return ask("POST", path, body, who, **({"save": save} if save else {}))


def usable(name, who="member", path=MINE, **fields):
    """One whose secret is known, saved under its name."""
    return made(name, {name: "application_credential/id"}, who, path, secret=f"the secret of {name}", **fields)


def presented(credential, **more):
    return {"id": f"{{{credential}}}", "secret": f"the secret of {credential}", **more}


def enter(credential, scope=None, who=None, methods=("application_credential",), **more):
    """A login of which everything counts."""
    return attempt(methods=methods, who=who, scope=scope, application_credential=credential, **more)


def entered(name, of=None):
    """A login by an application credential; of its answer only the status matters."""
    body = wire.auth({"methods": ["application_credential"], "application_credential": presented(of or name)}, None)
    return {"method": "POST", "path": "/v3/auth/tokens", "body": body, "login": name}


def bob():
    return [
        ask("PUT", "projects/{demo}/users/{bob}/roles/{member}"),
        login("bob", "{bob}", "bob", DEMO),
    ]


@scenario
def application_credentials():
    """Each call by each kind of caller."""
    callers = [who for who in CALLERS if who not in ("domain manager", "domain reader")]
    steps = [
        *bob(),
        made("plain", {"plain": "application_credential/id"}),
        made("full", {"full": "application_credential/id"}, description="Démo ☃", secret="s", expires_at="2099-01-31T12:00:00.123456",
             roles=[{"id": "{reader}"}], unrestricted=True, access_rules=[rule("/v3/users"), rule("/v2.1/servers/{id}/**", "DELETE", "compute")]),
        usable("bobs", "bob", BOBS),
    ]  # fmt: skip
    for who in callers:
        steps += get(MINE, f"{MINE}?name=plain", f"{MINE}/{{plain}}", f"{MINE}/{{full}}", f"{MINE}/{NOTHING}", who=who)
        steps += get(f"{BOBS}/{{plain}}", f"{MINE}/{{bobs}}", BOBS, f"{BOBS}/{{bobs}}", f"users/{NOTHING}/application_credentials", who=who)
        steps += head(MINE, f"{MINE}/{{plain}}", f"{MINE}/{{bobs}}", who=who)
        steps += [made(f"by {who}", who=who), made(f"by {who}", who=who, path=BOBS), made(f"by {who}", who=who, path=f"users/{NOTHING}/application_credentials")]
        steps += delete(f"{MINE}/{NOTHING}", f"{BOBS}/{NOTHING}", who=who)
    for who in callers[2:]:
        steps += delete(f"{BOBS}/{{bobs}}", f"{MINE}/{{bobs}}", who=who)
    steps += delete(f"{MINE}/{{plain}}", who="bob") + delete(f"{BOBS}/{{plain}}", who="bob") + get(f"{MINE}/{{plain}}")
    steps += delete(f"{BOBS}/{{plain}}", who="member") + get(f"{MINE}/{{plain}}", MINE)
    steps += delete(f"{MINE}/{{full}}", f"{MINE}/{{full}}") + get(MINE, RULES, who="member")
    return steps


@scenario
def application_credential_input():
    """What a new one may be."""
    times = ("2099-01-01", "2099-01-01T00:00", "2099-01-01T00:00:00", "2099-01-01T00:00:00Z", "2099-01-01T00:00:00.5", "2099-01-01T00:00:00.123456Z")
    times += ("2099-01-01T00:00:00+01:00", "2099-01-01T00:00:00+01:00Z", "2099-01-01 00:00:00", "20990101T000000", "tomorrow", "", None, 5, True, [])
    times += ("2020-01-01T00:00:00", "1969-01-01T00:00:00Z", "2099-13-01T00:00:00Z", "9999-12-31T23:59:59.999999", "10000-01-01T00:00:00")
    roles = ([], None, [{"name": "member"}], [{"id": "{member}"}], [{"name": "MEMBER"}], [{"name": "reader"}], [{"id": "{reader}"}, {"name": "member"}])
    roles += ([{"id": "{reader}"}, {"id": "{reader}"}], [{"name": "reader"}, {"id": "{reader}"}], [{"name": "admin"}], [{"id": "{admin}"}], [{"id": "{user}"}])
    roles += ([{"name": "nothing"}], [{"id": NOTHING}], [{"id": "{local}"}], [{"name": "local"}], [{"name": "twice"}], [{}], [{"id": "{member}", "name": "member"}])
    roles += ([{"id": ""}], [{"id": "a b"}], [{"id": 5}], ["member"], {}, "member", [{"name": ""}], [{"other": 1}], [{"id": "{member}"}, {"name": "nothing"}])
    rules = ([], None, {}, [{}], [rule("/")], [rule("/x", "get")], [rule("/x", "OPTIONS")], [rule("x")], [rule("")], [rule("/x", service="")])
    rules += ([rule("/x", service="a b")], [rule("/" + "p" * 127)], [rule("/" + "p" * 128)], [rule("/" + "p" * 224)], [rule("/" + "p" * 225)])
    rules += ([rule("/x", service="s" * 64)], [rule("/x", service="s" * 65)], [rule("/x", None)], [{"path": "/x", "method": "GET"}], [{"id": NOTHING}])
    rules += ([{"service": "a", "method": "GET"}], [{"service": "a", "path": "/x"}], [rule("/x", id="")], [rule("/x", id=5)], [rule("/x", id="a b")])
    rules += ([rule("/x", other=1)], [rule("/x", user_id="{bob}")], ["/x"], [rule("/é")], [rule("/{"), rule("/(")])
    ids = ({"id": 5}, {"id": "mine"}, {"project_id": "{works}"}, {"project_id": None}, {"system": "all"}, {"system": None}, {"system": 5}, {"user_id": "{bob}"})
    ids += ({"unrestricted": None}, {"unrestricted": False}, {"unrestricted": "true"}, {"unrestricted": 1}, {"description": None}, {"description": 5})
    ids += ({"description": ""}, {"secret": None}, {"secret": ""}, {"secret": 5}, {"secret": "ß" * 100}, {"other": 1}, {"links": {}}, {"extra": {}}, {"secret_hash": "x"})
    fields = ("expires_at", "roles", "access_rules")
    steps = [*bob(), post("role", "twice", name="twice"), post("role", "other twice", name="twice", domain_id="{acme}")]
    for field, values in zip(fields, (times, roles, rules), strict=True):
        steps += [made(f"{field} {number}", **{field: value}) for number, value in enumerate(values)]
    steps += [made(f"other {number}", **more) for number, more in enumerate(ids)]
    steps += [made(name) for name in (" ", "x" * 255, "x" * 256, "ümläut", "twice", "twice", "TWICE")] + [made(), made(name=None, description="x")]
    steps += [ask("POST", MINE, {"application_credential": {"name": name}}, "member") for name in (None, 5, "", [])]
    steps += [ask("POST", MINE, body, "member") for body in ({}, {"application_credential": None}, {"application_credential": []}, {"other": {}})]
    steps += [ask("POST", MINE, {"application_credential": {"name": "y"}, "beside": 1}, "member"), ask("POST", MINE, {"application_credential": {}}, None)]
    steps += [ask("POST", MINE, raw=raw, headers=JSON, who="member") for raw in ("", "{", "[]")]
    steps += [ask("GET", f"{MINE}/{NOTHING}", body, "member") for body in ({}, {"id": "x"}, {"id": 5}, {"other": 1})]
    steps += get(MINE, RULES, who="member")
    steps += [ask(method, MINE, who="member") for method in ("PUT", "PATCH", "DELETE", "OPTIONS")]
    steps += [ask(method, f"{MINE}/{NOTHING}", who="member") for method in ("PUT", "PATCH", "POST", "OPTIONS")]
    return steps


@scenario
def application_credentials_listed():
    steps = [made(name) for name in ("one", "two", "three", "one%_!", "ONEROUS")]
    queries = ("name=one", "name=ONE", "name=", "name=nothing", "name__contains=o", "name__icontains=O", "name__startswith=t", "name__endswith=e")
    queries += ("name__contains=%25", "name__equals=one", "name__unknown=x", "description=x", "id=x", "project_id={demo}", f"name={'x' * 256}", "name=one&name=two")
    queries += ("limit=100", "limit=", "marker=", "sort_key=name", "unrestricted=true", "user_id={bob}")
    steps += get(*(f"{MINE}?{query}" for query in queries), who="member") + get(*(f"{MINE}?{query}" for query in queries[:4]))
    steps += [made("ruled", access_rules=[rule("/a"), rule("/A", "POST"), rule("/b", service="compute"), rule("/b%_", service="Compute")])]
    queries = ("service=identity", "service=IDENTITY", "service=", "path=/a", "path=/A", "path=/nothing", "method=GET", "method=get", "service=compute&method=GET")
    queries += ("path__contains=b", "path__startswith=/", "path__icontains=A", "service__contains=comp", "id=x", "user_id={bob}", "limit=100", "limit=", "marker=")
    steps += get(*(f"{RULES}?{query}" for query in queries), who="member")
    return steps + [ask("GET", f"{RULES}?limit={limit}", who="member", count=True) for limit in (4, 5)]


@scenario
def access_rules():
    """Each call by each caller, and rules that several credentials share."""
    steps = [
        *bob(),
        made("one", {"one": "application_credential/id", "rule": "application_credential/access_rules/0/id"}, access_rules=[rule("/v3/users")]),
        made("same", access_rules=[rule("/v3/users")]),
        made("by id", access_rules=[{"id": "{rule}"}]),
        made("by id and more", access_rules=[rule("/other", id="{rule}")]),
        made("with an own id", access_rules=[rule("/named", id="my-rule")]),
        made("with that id", access_rules=[{"id": "my-rule"}]),
        made("named twice", access_rules=[rule("/named", id="another-id")]),
        made("twice", access_rules=[rule("/twice"), rule("/twice")]),
        made("twice by id", access_rules=[{"id": "{rule}"}, {"id": "{rule}"}]),
        made("in capitals", access_rules=[rule("/V3/USERS")]),
        made("of bob", {"bobs rule": "application_credential/access_rules/0/id"}, "bob", BOBS, access_rules=[rule("/v3/users")]),
        made("bob by alice's id", who="bob", path=BOBS, access_rules=[{"id": "{rule}"}]),
        made("bob by alice's id and more", who="bob", path=BOBS, access_rules=[rule("/x", id="{rule}")]),
        made("bob by alice's name", who="bob", path=BOBS, access_rules=[rule("/y", id="my-rule")]),
    ]
    theirs = "users/{bob}/access_rules"
    for who in [*CALLERS, "bob"]:
        steps += get(RULES, f"{RULES}?service=identity", f"{RULES}/{{rule}}", f"{RULES}/{NOTHING}", f"{RULES}/{{bobs rule}}", theirs, f"{theirs}/{{rule}}", who=who)
        steps += get(f"{theirs}/{{bobs rule}}", f"users/{NOTHING}/access_rules", f"users/{NOTHING}/access_rules/{{rule}}", who=who)
        steps += head(RULES, f"{RULES}/{{rule}}", f"{theirs}/{{rule}}", who=who)
        steps += delete(f"{RULES}/{{rule}}", f"{RULES}/{NOTHING}", f"{RULES}/{{bobs rule}}", f"{theirs}/{{rule}}", f"users/{NOTHING}/access_rules/{{rule}}", who=who)
    steps += delete(f"{MINE}/{{one}}", who="member") + delete(f"{RULES}/{{rule}}", who="member") + get(RULES, who="member")
    steps += [ask("DELETE", f"{RULES}/my-rule", {"any": 1}, "member"), made("lone", {"lone": "application_credential/id", "freed": "application_credential/access_rules/0/id"}, access_rules=[rule("/lone")])]
    steps += delete(f"{MINE}/{{lone}}", who="member") + get(f"{RULES}/{{freed}}", who="member") + delete(f"{RULES}/{{freed}}", f"{RULES}/{{freed}}", who="member")
    steps += [ask(method, RULES, who="member") for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")]
    return steps + [ask(method, f"{RULES}/x", who="member") for method in ("POST", "PUT", "PATCH", "OPTIONS")]


@scenario(config={"application_credential": {"user_limit": 2}, **UNCACHED})
def application_credential_limit():
    steps = [*bob(), usable("one"), usable("two", unrestricted=True), made("three"), made("three", roles=[{"name": "admin"}]), made("one"), made("x", who="bob", path=BOBS)]
    steps += [entered("two"), made("four", who="two"), *delete(f"{MINE}/{{one}}", who="two"), made("four", who="two"), made("five", who="two")]
    return steps + get(MINE, who="member")


@scenario(config=UNCACHED)
def application_credential_logins():
    """Who presents what."""
    alice, named = {"id": "{alice}"}, {"name": "alice", "domain": {"id": "default"}}
    password = {"user": {"id": "{alice}", "password": "alice"}}
    good = {"name": "plain", "secret": "the secret of plain"}
    people = (alice, named, {"name": "alice", "domain": {"name": "Default"}}, {"name": "ALICE", "domain": {"name": "DEFAULT"}}, {"name": "alice"}, {}, None, [], "alice")
    people += ({"id": "{bob}"}, {"id": NOTHING}, {"id": ""}, {"id": 5}, {"name": "nobody", "domain": {"id": "default"}}, {"name": "alice", "domain": {"id": NOTHING}})
    people += ({"name": "alice", "domain": {}}, {"domain": {"id": "default"}}, {**alice, "name": "bob", "domain": {"id": "default"}}, {"name": "alice", "domain": {"id": "{off}"}})
    secrets = ("the secret of plai", "the secret of plainX", "", None, 5, [], {}, True, "x" * 5000)
    credentials = ({"id": NOTHING, "secret": "x"}, {"id": "", "secret": "x"}, {"id": 5, "secret": "x"}, {"id": [], "secret": "x"}, {"id": {}, "secret": "x"}, {"secret": "x"}, {})
    credentials += ({"name": "", "secret": "x"}, {"name": "PLAIN", "user": alice, "secret": "the secret of plain"})
    credentials += ({"name": "nothing", "user": alice, "secret": "x"}, {"name": "bobs", "user": alice, "secret": "the secret of bobs"}, None, [], "x", 5)
    return [
        *bob(),
        usable("plain"),
        usable("reading", roles=[{"name": "reader"}], unrestricted=True, description="x"),
        usable("ruled", access_rules=[rule("/v3/auth/projects"), rule("/v2.1/servers", "POST", "compute")]),
        usable("bobs", "bob", BOBS),
        made("generated", {"generated": "application_credential/id", "generated secret": "application_credential/secret"}),
        *(enter(presented(name)) for name in ("plain", "reading", "ruled", "bobs")),
        enter({"id": "{generated}", "secret": "{generated secret}"}),
        *(enter({**good, "user": user}) for user in people),
        enter(good),
        *(enter({**presented("plain"), "secret": secret}) for secret in secrets),
        *(enter({**good, "user": alice, "secret": secret}) for secret in secrets[:3]),
        enter({"id": "{plain}"}),
        *(enter(credential) for credential in credentials),
        *(enter(presented("plain", user=user)) for user in ({"id": "{bob}"}, {}, None, "bob", {"id": NOTHING})),
        enter(presented("plain", name="nothing", user={"id": "{bob}"})),
        *(enter(presented("plain"), scope) for scope in (DEMO, "unscoped", {"unscoped": {}}, {}, {"system": {"all": True}}, {"OS-TRUST:trust": {"id": NOTHING}})),
        ask("POST", "auth/tokens", {"auth": {"identity": {"methods": ["application_credential"], "application_credential": presented("plain")}, "scope": None}}, None),
        ask("POST", "auth/tokens", {"auth": {"identity": {"methods": ["application_credential"]}}}, None),
        ask("POST", "auth/tokens?nocatalog", {"auth": {"identity": {"methods": ["application_credential"], "application_credential": presented("plain")}}}, None),
        enter(presented("plain"), methods=("application_credential", "application_credential")),
        enter(presented("plain"), methods=("application_credential", "password"), password=password),
        enter(presented("plain"), methods=("password", "application_credential"), password=password),
        enter(presented("plain"), methods=("password", "application_credential"), password={"user": {"id": "{bob}", "password": "bob"}}),
        enter(presented("plain"), methods=("password", "application_credential"), password={"user": {"id": "{alice}", "password": "wrong"}}),
        enter({"id": NOTHING}, methods=("password", "application_credential"), password={"user": {"id": "{alice}", "password": "wrong"}}),
        enter(presented("plain"), DEMO, methods=("password", "application_credential"), password=password),
        enter(presented("plain"), methods=("token", "application_credential"), token={"id": "{token:member}"}),
        enter(presented("plain"), methods=("token", "application_credential"), token={"id": "{token:bob}"}),
        enter(presented("plain"), methods=("application_credential", "nonsense"), nonsense={}),
        enter(presented("plain"), who="bob"),
    ]


@scenario(config={"auth": {"methods": "password,token"}})
def application_credentials_not_enabled():
    return [usable("plain"), enter(presented("plain")), ask("POST", "OS-OAUTH2/token", raw="grant_type=client_credentials&client_id={plain}&client_secret=x", headers=FORM, who=None)]


@scenario(config=UNCACHED)
def application_credential_tokens():
    """What the tokens are good for."""
    targets = (None, "unscoped", DEMO, {"project": {"id": "{child}"}}, {"system": {"all": True}})
    steps = [
        *bob(),
        usable("limited", roles=[{"name": "reader"}]),
        usable("free", unrestricted=True),
        usable("half free", roles=[{"name": "reader"}], unrestricted=True),
        entered("limited"),
        entered("free"),
        entered("half free"),
        ask("GET", "projects/{demo}/users/{alice}/roles/{member}"),
    ]
    for who in ("limited", "free", "half free"):
        steps += [about("GET", who), about("HEAD", who), about("GET", who, who), about("GET", who, "bob"), about("GET", "member", who)]
        steps += get("auth/projects", "auth/domains", "auth/system", "auth/catalog", "users/{alice}", "users/{bob}", "projects/{demo}", "users", who=who)
        steps += [rescope(who, scope) for scope in targets]
        steps += get(MINE, f"{MINE}/{{limited}}", RULES, f"{RULES}/{NOTHING}", BOBS, who=who)
        steps += [made(f"by {who}", who=who), made(f"reading by {who}", who=who, roles=[{"name": "reader"}]), made(f"member by {who}", who=who, roles=[{"name": "member"}])]
        steps += delete(f"{MINE}/{NOTHING}", f"{RULES}/{NOTHING}", f"{BOBS}/{NOTHING}", who=who)
        steps += [post("credential", who=who, user_id="{alice}", type=kind, blob='{"access": "a", "secret": "s"}', project_id="{demo}") for kind in ("ec2", "totp", "cert")]
        steps += get("credentials", f"credentials/{NOTHING}", who=who) + delete(f"credentials/{NOTHING}", who=who)
        steps += [ask("PATCH", f"credentials/{NOTHING}", {"credential": {"blob": "x"}}, who)]
        steps += [ask("PATCH", "users/{alice}", {"user": {"email": "x@y"}}, who), ask("DELETE", "users/{bob}/tokens", who=who)]
    steps += [made("nested", {"nested": "application_credential/id"}, "free", secret="the secret of nested"), entered("nested"), made("by nested", who="nested")]
    steps += delete(f"{MINE}/{{nested}}", who="limited") + delete(f"{MINE}/{{nested}}", who="free") + [about("GET", "nested"), *get("auth/projects", who="nested")]
    steps += delete(f"{MINE}/{{free}}", who="free") + [about("GET", "free"), *get(MINE, who="free")]
    steps += [entered("again", "limited"), ask("DELETE", "auth/tokens", headers={"X-Subject-Token": "{token:again}"}, who="again"), about("GET", "again"), about("GET", "limited")]
    steps += [entered("more", "limited"), *delete("users/{alice}/tokens", who="member"), about("GET", "more")]
    return steps


@scenario(config=UNCACHED)
def access_rules_enforced():
    """Which requests a token with access rules can make, and who may look at it."""
    rules = [
        rule("/v3/auth/projects"), rule("/v3/users/*"), rule("/v3/projects/{id}/tags/**"), rule("/v3/regions", "POST"), rule("/v3/**/nothing"),
        rule("/v3/users/{alice}/application_credentials", "POST"), rule("/v3/roles", service="compute"), rule("/v3/auth/catalog", "HEAD"), rule("/v3/domains/x.z"),
    ]  # fmt: skip
    header = {"OpenStack-Identity-Access-Rules": "1.0"}
    subject = {"X-Subject-Token": "{token:ruled}"}
    versions = ("1.0", "1", "2.5", "0.9", "", "x", "nan", " 1.0 ", "-1", "1e3")
    denied = ("auth/catalog", "users", "roles", "regions", "users/{alice}/groups", "projects/{demo}", "projects/{demo}/tags", "auth/domains", "services", "/v3", "/")
    allowed = ("auth/projects", "users/{alice}", "users/{bob}", "projects/{demo}/tags/a", "projects/{demo}/tags/x/y", "domains/nothing", "anything/nothing", "domains/x.z")
    odd = ("auth/projects?limit=1", "auth/projects/", "users/{alice}/", "users/%7Balice%7D", "users/a%2Fb", "/v3//auth/projects")
    return [
        *bob(),
        usable("ruled", access_rules=rules, unrestricted=True),
        usable("idle", access_rules=[], unrestricted=True),
        usable("foreign", access_rules=[rule("/v2.1/servers", service="compute")]),
        entered("ruled"),
        entered("idle"),
        entered("foreign"),
        *(ask(method, "auth/tokens", who="admin", headers={**subject, "OpenStack-Identity-Access-Rules": version}) for version in versions for method in ("GET", "HEAD")),
        ask("GET", "auth/tokens", who="admin", headers=subject),
        ask("GET", "auth/tokens", who="admin", headers={"X-Subject-Token": "{token:idle}"}),
        ask("GET", "auth/tokens", who="admin", headers={"X-Subject-Token": "{token:member}", **header}),
        ask("GET", "auth/tokens", who="ruled", headers=subject),
        ask("GET", "auth/tokens", who="ruled", headers={**subject, **header}),
        ask("HEAD", "auth/tokens", who="ruled", headers={**subject, **header}),
        ask("GET", "auth/tokens", who="foreign", headers={"X-Subject-Token": "{token:member}"}),
        *get(*allowed, *denied, *odd, who="ruled"),
        *head("auth/projects", "auth/catalog", "users/{alice}", who="ruled"),
        *get("auth/projects", "users/{alice}", "auth/catalog", who="idle"),
        *get("auth/projects", "users/{alice}", "auth/tokens", who="foreign"),
        ask("POST", "regions", {"region": {"id": "new"}}, "ruled"),
        ask("POST", "services", {"service": {"type": "x"}}, "ruled"),
        made("by ruled", who="ruled"),
        rescope("ruled"),
        ask("POST", "auth/tokens", {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": "{bob}", "password": "bob"}}}}}, "ruled"),
        ask("DELETE", "auth/tokens", who="ruled", headers={**subject, **header}),
        ask("DELETE", "auth/tokens", who="admin", headers=subject),
        ask("DELETE", "auth/tokens", who="admin", headers={**subject, **header}),
        ask("GET", "auth/tokens", who="admin", headers={**subject, **header}),
        ask("PATCH", "services/{keystone}", {"service": {"enabled": False}}),
        *get("auth/projects", "users/{alice}", who="ruled"),
        *get("auth/projects", who="idle"),
    ]


@scenario(config=UNCACHED)
def application_credentials_ended():
    """What ends a credential, and what only stops it."""

    def switched(projects, on):
        return [ask("PATCH", f"projects/{{{project}}}", {"project": {"enabled": on}}) for project in projects]

    def stopped(*change, back=()):
        return [*change, about("GET", "one", query="?nocatalog"), *get("auth/projects", who="one"), enter(presented("one")), *get(MINE), *back, about("GET", "one", query="?nocatalog")]

    grant = "projects/{demo}/users/{alice}/roles/{member}"
    steps = [
        ask("DELETE", "OS-INHERIT/projects/{demo}/users/{alice}/roles/{reader}/inherited_to_projects"),
        login("member", "{alice}", "alice", DEMO),
        usable("one"),
        usable("two", roles=[{"name": "reader"}]),
        entered("one"),
        entered("two"),
        *stopped(ask("DELETE", grant), back=[ask("PUT", grant)]),
        *stopped(ask("DELETE", grant), ask("PUT", "projects/{demo}/users/{alice}/roles/{reader}"), back=[ask("PUT", grant)]),
        *stopped(*switched(("grandchild", "child", "demo"), False), back=switched(("demo", "child", "grandchild"), True)),
        *stopped(ask("PATCH", "users/{alice}", {"user": {"enabled": False}}), back=[ask("PATCH", "users/{alice}", {"user": {"enabled": True}})]),
        entered("one"),
        *stopped(ask("PATCH", "users/{alice}", {"user": {"password": "alice2"}})),
        login("member", "{alice}", "alice2", DEMO),
        post("role", "bonus", name="bonus"),
        post("role", "implied", name="implied"),
        ask("PUT", "projects/{demo}/users/{alice}/roles/{bonus}"),
        login("member", "{alice}", "alice2", DEMO),
        usable("extra", roles=[{"name": "bonus"}, {"name": "reader"}]),
        ask("PUT", "roles/{bonus}/implies/{implied}"),
        entered("extra"),
        about("GET", "extra", query="?nocatalog"),
        login("member", "{alice}", "alice2", DEMO),
        usable("implying", roles=[{"name": "bonus"}]),
        enter(presented("implying")),
        ask("DELETE", "roles/{bonus}/implies/{implied}"),
        enter(presented("implying")),
        *delete("roles/{bonus}"),
        *get(MINE),
        about("GET", "extra", query="?nocatalog"),
        enter(presented("two")),
        ask("PUT", "projects/{demo}/groups/{staff}/roles/{implied}"),
        login("member", "{alice}", "alice2", DEMO),
        usable("by group", roles=[{"name": "implied"}, {"name": "member"}]),
        usable("once more"),
        entered("by group"),
        about("GET", "by group", query="?nocatalog"),
        ask("DELETE", "groups/{staff}/users/{alice}"),
        login("member", "{alice}", "alice2", DEMO),
        enter(presented("by group")),
        ask("PUT", "groups/{staff}/users/{alice}"),
        *delete("roles/{implied}"),
        *get(f"{MINE}/{{by group}}", f"{MINE}/{{once more}}"),
        enter(presented("by group")),
        enter(presented("once more")),
        *delete(f"{MINE}/{{by group}}"),
    ]
    # A token of the second in which others are revoked is revoked too.
    return [part for step in steps for part in ([wait(2), step] if "login" in step else [step])]


@scenario(config=UNCACHED)
def application_credentials_cleaned_up():
    """Deleted with what they are of."""
    steps = [
        *bob(),
        ask("PUT", "projects/{child}/users/{bob}/roles/{member}"),
        login("child", "{bob}", "bob", {"project": {"id": "{child}"}}),
        ask("PUT", "projects/{works}/users/{carol}/roles/{member}"),
        login("carol", "{carol}", "carol", {"project": {"id": "{works}"}}),
        usable("alices", access_rules=[rule("/a")]),
        usable("bobs", "bob", BOBS, access_rules=[rule("/b")]),
        usable("carols", "carol", "users/{carol}/application_credentials", access_rules=[rule("/c")]),
        entered("alices"),
        entered("carols"),
        *delete("users/{alice}"),
        *get(MINE, f"{MINE}/{{alices}}", RULES),
        ask("GET", "auth/tokens", who="admin", headers={"X-Subject-Token": "{token:alices}", "OpenStack-Identity-Access-Rules": "1"}),
        enter(presented("alices")),
        ask("PATCH", "domains/{acme}", {"domain": {"enabled": False}}),
        enter(presented("carols")),
        ask("GET", "auth/tokens", who="admin", headers={"X-Subject-Token": "{token:carols}", "OpenStack-Identity-Access-Rules": "1"}),
        *delete("domains/{acme}"),
        *get("users/{carol}/application_credentials", "users/{carol}/access_rules"),
        enter(presented("carols")),
        enter(presented("bobs")),
    ]
    return steps


@scenario(config=UNCACHED)
def application_credentials_under_rules():
    """Users with rules for several methods."""
    change = {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "application_credential"]]}
    password = {"user": {"id": "{alice}", "password": "alice"}}
    return [
        usable("plain"),
        ask("PATCH", "users/{alice}", {"user": {"options": change}}),
        enter(presented("plain")),
        enter(presented("plain"), methods=("password", "application_credential"), password=password),
        ask("POST", "OS-OAUTH2/token", raw="grant_type=client_credentials&client_id={plain}&client_secret=the+secret+of+plain", headers=FORM, who=None),
        ask("PATCH", "users/{alice}", {"user": {"options": {"multi_factor_auth_rules": [["application_credential"]]}}}),
        enter(presented("plain")),
        attempt({"id": "{alice}", "password": "alice"}, DEMO),
    ]


@scenario(config={**UNCACHED, "token": {"expiration": 600}})
def oauth2_tokens():
    """The endpoint of OAuth 2.0."""

    def basic(text):
        return {**FORM, "Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}

    def token(raw, headers=FORM, **more):
        return ask("POST", "OS-OAUTH2/token", raw=raw, headers=headers, **{"who": None, **more})

    granted = "grant_type=client_credentials"
    client = "client_id={plain}&client_secret=the+secret+of+plain"
    return [
        usable("plain"),
        usable("reading", roles=[{"name": "reader"}]),
        made("simple", {"simple": "application_credential/id"}, secret="simple"),
        token(f"{granted}&{client}"),
        token(f"{client}&{granted}&other=1", who="member"),
        *(token(raw) for raw in ("", "a=b", "grant_type=", "grant_type=password", "grant_type=%C3%A4", granted, f"{granted}&client_id={{plain}}", f"{granted}&client_secret=x")),
        *(token(raw) for raw in (f"{granted}&client_id=&client_secret=x", f"{granted}&client_id={{plain}}&client_secret=", f"{granted}&client_id={{plain}}&client_secret=x")),
        token(f"{granted}&client_id=nope&client_secret=x"),
        token(f"{granted}&{granted}&{client}"),
        token(f"grant_type=other&{granted}&{client}"),
        token(granted, basic("nope:x")),
        token(granted, basic("no colon")),
        token(granted, basic(":x")),
        token(granted, basic("x:")),
        token(granted, {**FORM, "Authorization": "Basic %%%"}),
        token(granted, {**FORM, "Authorization": "Bearer x"}),
        token(f"{granted}&{client}", basic("nope:x")),
        token(f"{granted}&{client}", {**FORM, "Authorization": "Bearer x"}),
        token(f"{granted}&{client}", {"Content-Type": "text/plain"}),
        token('{"grant_type": "client_credentials"}', JSON),
        token("{", JSON),
        token(f"{granted}&{client}", {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}),
        *(ask(method, "OS-OAUTH2/token", who=who) for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS") for who in (None, "member")),
        token("a=b", who="nobody known"),
        ask("PATCH", "users/{alice}", {"user": {"enabled": False}}),
        token(f"{granted}&{client}"),
        ask("PATCH", "users/{alice}", {"user": {"enabled": True}}),
        ask("PATCH", "projects/{demo}", {"project": {"enabled": False}}),
        token(f"{granted}&{client}"),
    ]


@scenario(config={"oauth2": {"oauth2_authn_methods": "tls_client_auth"}})
def oauth2_tokens_by_certificate_only():
    return [usable("plain"), ask("POST", "OS-OAUTH2/token", raw="grant_type=client_credentials&client_id={plain}&client_secret=the+secret+of+plain", headers=FORM, who=None)]


@scenario(questions=True)
def targets_of_application_credentials():
    """What the rules about application credentials and access rules are asked about."""
    return [
        *bob(),
        made("one", {"one": "application_credential/id", "rule": "application_credential/access_rules/0/id"}, access_rules=[rule("/x")]),
        *get(MINE, f"{MINE}?name=x&description=y", f"{MINE}/{{one}}", f"{BOBS}/{{one}}", f"{MINE}/{NOTHING}", f"users/{NOTHING}/application_credentials", who="member"),
        *get(RULES, f"{RULES}?service=a&path=b&method=c&id=d", f"{RULES}/{{rule}}", f"{RULES}/{NOTHING}", f"users/{NOTHING}/access_rules", "users/{bob}/access_rules/{rule}", who="member"),
        ask("GET", f"{MINE}/{{one}}", {"id": "x"}, "member"),
        ask("DELETE", f"{MINE}/{{one}}", {"target": {"user": {"id": "x"}}, "user_id": "y"}, "bob"),
        *delete(f"{RULES}/{{rule}}", f"{BOBS}/{NOTHING}", who="bob"),
    ]
