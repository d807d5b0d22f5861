"""Invalid requests, each kind for every resource that it concerns."""

from cloud import ADMIN_PASSWORD

NO_ID = "0" * 32
JSON = {"Content-Type": "application/json"}


def requests(things):
    """(caller, method, path, options); no request may change anything."""
    t = vars(things)
    return [
        (who, method, path.format(**t), options)
        for who, method, path, options in (
            *malformed(),
            *wrong_types(things),
            *missing_keys(),
            *routes(),
            *callers(things),
            *duplicates(things),
            *references(things),
            *authentication(things),
        )
    ]


def malformed():
    for path in ("/v3/auth/tokens", "/v3/projects", "/v3/users", "/v3/regions"):
        yield "admin", "POST", path, {"raw": '{"project": ', "headers": JSON, "title": "malformed JSON"}
        yield "admin", "POST", path, {"raw": "", "headers": JSON, "title": "an empty body"}
    yield "admin", "POST", "/v3/projects", {"raw": b"\xff\xfe{}", "headers": JSON, "title": "not UTF-8"}
    yield "admin", "POST", "/v3/projects", {"raw": "[]", "headers": JSON, "title": "a list"}
    yield "admin", "POST", "/v3/projects", {"raw": '"x"', "headers": JSON, "title": "a string"}
    xml = {"Content-Type": "application/xml"}
    yield "admin", "POST", "/v3/auth/tokens", {"raw": "<auth/>", "headers": xml, "title": "XML"}
    yield "admin", "POST", "/v3/users", {"raw": "<user/>", "headers": xml, "title": "XML"}
    yield "admin", "PATCH", "/v3/users/{demo}", {"raw": '{"user"', "headers": JSON, "title": "malformed JSON"}
    oversized = '{"project": {"name": "%s"}}' % ("x" * 120_000)
    yield "admin", "POST", "/v3/projects", {"raw": oversized, "headers": JSON, "title": "an oversized body"}
    yield "nobody", "POST", "/v3/auth/tokens", {"raw": oversized, "headers": JSON, "title": "an oversized body"}


def wrong_types(things):
    def post(kind, plural, **fields):
        return "admin", "POST", f"/v3/{plural}", {"body": {kind: fields}, "title": f"{fields}"[:60]}

    yield post("project", "projects", name=7, domain_id="default")
    yield post("project", "projects", name="", domain_id="default")
    yield post("project", "projects", name="x" * 65, domain_id="default")
    yield post("project", "projects", name="x", domain_id="default", enabled="perhaps")
    yield post("project", "projects", name="x", domain_id="default", is_domain="perhaps")
    yield post("project", "projects", name="x", domain_id="default", tags=["a,b"])
    yield post("user", "users", name=["x"])
    yield post("user", "users", name="x", enabled="perhaps")
    yield post("user", "users", name="x" * 256)
    yield post("user", "users", name="x", password=5)
    yield post("user", "users", name="x", options={"no_such_option": True})
    yield post("domain", "domains", name={"a": 1})
    yield post("domain", "domains", name="x", enabled="perhaps")
    yield post("domain", "domains", name="x", explicit_domain_id="not an id")
    yield post("group", "groups", name=True)
    yield post("role", "roles", name=None)
    yield post("region", "regions", id=9)
    yield post("region", "regions", parent_region_id=9)
    yield post("service", "services", type=1)
    yield post("service", "services", type="x", enabled="perhaps")
    yield post("endpoint", "endpoints", service_id=things.service, interface="sideways", url="http://x")
    yield post("endpoint", "endpoints", service_id=things.service, interface="public", url="")
    yield post("endpoint", "endpoints", service_id=things.service, interface="public", url="http://x/$(secret)s")
    for kind in ("project", "user", "domain", "group", "role", "region", "service", "endpoint"):
        yield "admin", "POST", f"/v3/{kind}s", {"body": {kind: "x"}, "title": "a string for the resource"}
        yield "admin", "POST", f"/v3/{kind}s", {"body": {kind: []}, "title": "a list for the resource"}
    yield "admin", "PATCH", "/v3/users/{demo}", {"body": {"user": {"enabled": "perhaps"}}}
    yield "admin", "PATCH", "/v3/projects/{project}", {"body": {"project": {"domain_id": things.domain}}}
    yield "admin", "PATCH", "/v3/projects/{project}", {"body": {"project": {"id": NO_ID}}}
    yield "admin", "PATCH", "/v3/regions/north", {"body": {"region": {"parent_region_id": "nowhere"}}}
    yield "admin", "GET", "/v3/regions?no_such_parameter=1", {}


def missing_keys():
    # No endpoint: there Python Keystone answers with the text of a Python error.
    for kind in ("user", "domain", "group", "role"):
        yield "admin", "POST", f"/v3/{kind}s", {"body": {}, "title": "nothing in it"}
        yield "admin", "POST", f"/v3/{kind}s", {"body": {kind: {}}, "title": "an empty resource"}
        yield "admin", "POST", f"/v3/{kind}s", {"body": {"other": {"name": "x"}}, "title": "another key"}
    yield "admin", "POST", "/v3/services", {"body": {"service": {"name": "x"}}}
    yield "admin", "POST", "/v3/projects", {"body": {"project": {"domain_id": "default"}}}
    yield "admin", "PATCH", "/v3/users/{demo}", {"body": {"other": {}}}
    yield "admin", "POST", "/v3/users/{demo}/password", {"body": {"user": {"password": "x"}}}
    yield "admin", "POST", "/v3/users/{demo}/password", {"body": {"user": {"original_password": "x"}}}


def routes():
    for path in ("/nowhere", "/v3/nowhere", "/v3/users/{demo}/nowhere", "/v4", "/v2.0/tokens", "/v3/auth"):
        yield "admin", "GET", path, {"title": "unknown route"}
    yield "nobody", "POST", "/v3/nowhere", {"body": {}, "title": "unknown route"}
    for method, path in (
        *(("PUT", "/v3/users"), ("DELETE", "/v3/projects"), ("POST", "/v3/users/{demo}"), ("PUT", "/v3/auth/tokens")),
        *(("POST", "/v3/auth/projects"), ("PATCH", "/v3/regions"), ("DELETE", "/"), ("POST", "/v3")),
        *(("GET", "/v3/users/{demo}/password"), ("PATCH", "/v3/auth/tokens")),
    ):
        yield "admin", method, path, {"title": "wrong method"}


def callers(things):
    for who in ("nobody", "garbage", "a revoked token", "a deleted user"):
        for path in ("/v3/users", "/v3/auth/projects", "/v3/auth/catalog", "/v3/projects/{project}"):
            yield who, "GET", path, {}
        yield who, "POST", "/v3/projects", {"body": {"project": {"name": "x", "domain_id": "default"}}}
        yield who, "POST", "/v3/projects", {"body": {"project": {}}, "title": "and a missing key"}
        yield who, "GET", "/v3/auth/tokens", {"headers": {"X-Subject-Token": "gAAAAABgarbage"}}
    for path in (
        *("/v3/users", "/v3/domains", "/v3/projects", "/v3/groups", "/v3/roles", "/v3/services", "/v3/endpoints"),
        *("/v3/role_assignments", "/v3/users/{alice}", "/v3/projects/{acme_project}", "/v3/domains/{domain}"),
        *("/v3/users/{alice}/projects", "/v3/projects/{project}/users/{demo}/roles", "/v3/groups/{group}/users"),
        *("/v3/users/" + NO_ID, "/v3/projects/" + NO_ID, "/v3/system/users/{alice}/roles"),
    ):
        yield "demo", "GET", path, {"title": "a plain user"}
    for kind, fields in (
        *(("project", {"name": "x", "domain_id": "default"}), ("user", {"name": "x", "domain_id": "default"})),
        *(("domain", {"name": "x"}), ("group", {"name": "x"}), ("role", {"name": "x"}), ("region", {"id": "x"})),
        *(("service", {"type": "x"}),),
        ("endpoint", {"service_id": things.service, "interface": "public", "url": "http://x"}),
    ):
        yield "demo", "POST", f"/v3/{kind}s", {"body": {kind: fields}, "title": "a plain user"}
        yield "system reader", "POST", f"/v3/{kind}s", {"body": {kind: fields}, "title": "a reader"}
    for path in ("/v3/users/{alice}", "/v3/projects/{project}", "/v3/roles/{role}", "/v3/endpoints/{endpoint}"):
        yield "demo", "DELETE", path, {"title": "a plain user"}
    yield "demo", "PATCH", "/v3/users/{demo}", {"body": {"user": {"enabled": False}}, "title": "a plain user"}
    yield "demo", "PUT", "/v3/projects/{project}/users/{demo}/roles/{admin_role}", {"title": "a plain user"}
    yield "domain reader", "GET", "/v3/users?domain_id=default", {"title": "another domain"}
    yield "domain reader", "GET", "/v3/users/{demo}", {"title": "another domain"}
    for headers in ({}, {"X-Subject-Token": "x"}, {"X-Subject-Token": "gAAAAABgarbage"}):
        for method in ("GET", "HEAD", "DELETE"):
            yield "admin", method, "/v3/auth/tokens", {"headers": headers, "title": f"{headers}"}


def duplicates(things):
    for kind, fields in (
        *(("project", {"name": "demo", "domain_id": "default"}), ("user", {"name": "demo", "domain_id": "default"})),
        *(("domain", {"name": "Acme"}), ("group", {"name": "staff", "domain_id": "default"})),
        *(("role", {"name": "user"}), ("region", {"id": "north"}), ("role", {"name": "USER"})),
        *(("project", {"name": "DEMO", "domain_id": "default"}), ("project", {"name": "Acme", "is_domain": True})),
    ):
        yield "admin", "POST", f"/v3/{kind}s", {"body": {kind: fields}, "title": f"duplicate {fields}"}
    yield "admin", "PATCH", "/v3/users/{demo}", {"body": {"user": {"name": "alice"}}, "title": "another's name"}
    yield "admin", "PATCH", "/v3/projects/{child}", {"body": {"project": {"name": "demo"}}, "title": "another's name"}
    yield "admin", "PATCH", "/v3/roles/{role}", {"body": {"role": {"name": "member"}}, "title": "another's name"}
    yield "admin", "PATCH", "/v3/roles/{member}", {"body": {"role": {"name": "x"}}, "title": "immutable"}
    yield "admin", "DELETE", "/v3/roles/{member}", {"title": "immutable"}
    yield "admin", "DELETE", "/v3/domains/default", {"title": "the default domain"}
    yield "admin", "DELETE", "/v3/domains/{domain}", {"title": "an enabled domain"}
    yield "admin", "DELETE", "/v3/projects/{project}", {"title": "not a leaf"}
    yield "admin", "DELETE", "/v3/regions/north", {"title": "with endpoints"}


def references(things):
    for plural in ("users", "projects", "domains", "groups", "roles", "regions", "services", "endpoints"):
        for method in ("GET", "DELETE"):
            yield "admin", method, f"/v3/{plural}/{NO_ID}", {"title": "no such thing"}
        kind = plural[:-1]
        yield "admin", "PATCH", f"/v3/{plural}/{NO_ID}", {"body": {kind: {"description": "x"}}, "title": "no such thing"}

    def post(kind, **fields):
        return "admin", "POST", f"/v3/{kind}s", {"body": {kind: fields}, "title": f"{fields}"[:70]}

    yield post("project", name="x", domain_id=NO_ID)
    yield post("project", name="x", parent_id=NO_ID)
    yield post("project", name="x", parent_id=things.project, domain_id=things.domain)
    yield post("user", name="x", domain_id=NO_ID)
    yield post("group", name="x", domain_id=NO_ID)
    yield post("region", id="x", parent_region_id="nowhere")
    yield post("endpoint", service_id=NO_ID, interface="public", url="http://x")
    yield post("endpoint", service_id=things.service, interface="public", url="http://x", region_id="nowhere")
    for path in (
        *("/v3/projects/{project}/users/{demo}/roles/" + NO_ID, "/v3/projects/" + NO_ID + "/users/{demo}/roles/{role}"),
        *("/v3/projects/{project}/users/" + NO_ID + "/roles/{role}", "/v3/system/users/{demo}/roles/" + NO_ID),
        *("/v3/domains/{domain}/groups/" + NO_ID + "/roles/{role}", "/v3/groups/{group}/users/" + NO_ID),
        "/v3/projects/{project}/users/{demo}/roles/{domain_role}",
    ):
        yield "admin", "PUT", path, {"title": "a reference to nothing"}
        yield "admin", "HEAD", path, {"title": "a reference to nothing"}
    yield "admin", "DELETE", "/v3/projects/{project}/users/{demo}/roles/{reader}", {"title": "never granted"}
    yield "admin", "DELETE", "/v3/groups/{group}/users/{demo}", {"title": "not a member"}


def authentication(things):
    def ask(auth, title=None):
        return "nobody", "POST", "/v3/auth/tokens", {"body": {"auth": auth}, "title": title or f"{auth}"[:80]}

    def password(scope=None, methods=("password",), **user):
        auth = {"identity": {"methods": list(methods), "password": {"user": user}}}
        return ask(auth | ({"scope": scope} if scope is not None else {}), f"user {user} scope {scope}")

    admin = {"name": "admin", "domain": {"id": "default"}, "password": ADMIN_PASSWORD}
    yield ask({})
    yield ask([])
    yield ask({"identity": {}})
    yield ask({"identity": {"methods": "password"}})
    yield ask({"identity": {"methods": []}})
    yield ask({"identity": {"methods": ["password"]}})
    yield ask({"identity": {"methods": ["telepathy"]}})
    yield ask({"identity": {"methods": ["token"]}})
    yield ask({"identity": {"methods": ["token"], "token": {}}})
    yield ask({"identity": {"methods": ["token"], "token": {"id": "gAAAAABgarbage"}}})
    yield ask({"identity": {"methods": ["password"], "password": {}}})
    yield password(name="admin", password="x")
    yield password(password="x")
    yield password(id=5, password="x")
    yield password(**{**admin, "password": "wrong"})
    yield password(**{**admin, "password": ""})
    yield password(**{**admin, "name": "nobody"})
    yield password(**{**admin, "domain": {"id": NO_ID}})
    yield password(**{**admin, "domain": {"name": "Nowhere"}})
    yield password(**{**admin, "domain": {}})
    yield password(id=NO_ID, password="x")
    yield password(id=things.disabled, password="GHOST")
    for scope in (
        *({"project": {"id": NO_ID}}, {"project": {"name": "demo"}}, {"project": {}}, {"project": {"name": "nope"}}),
        *({"domain": {"id": NO_ID}}, {"domain": {"name": "Nowhere"}}, {"domain": {}}, {"system": {}}, {}),
        *({"project": {"id": things.acme_project}}, {"domain": {"id": things.domain}}, "nonsense", {"OS-TRUST:trust": {}}),
        {"project": {"id": things.project}, "domain": {"id": "default"}},
    ):
        yield password(scope, **admin)
    yield password("unscoped", ("password", "password"), **admin)
    demo = {"name": "demo", "domain": {"id": "default"}, "password": "DEMO_PASS"}
    yield password({"system": {"all": True}}, **demo)
    yield password({"project": {"id": things.admin_project}}, **demo)
