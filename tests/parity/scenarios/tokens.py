"""Tokens: asked for, scoped, looked at, and ended."""

from harness import wire

from .cast import CALLERS, JSON, NOTHING, ask, get, head, login, post, scenario, wait

PROJECT = {"project": {"id": "{demo}"}}
ALICE = {"id": "{alice}", "password": "alice"}


def attempt(user=None, scope=None, query="", methods=("password",), who=None, **identity):
    """A login of which everything counts."""
    if user is not None:
        identity["password"] = {"user": user}
    body = wire.auth({"methods": list(methods), **identity}, scope)
    return ask("POST", f"auth/tokens{query}", body, who)


def rescope(name, scope=None, **more):
    return attempt(scope=scope, methods=("token",), **{"token": {"id": f"{{token:{name}}}"}, **more})


def about(method, subject, who="admin", query=""):
    """A request about the token of a login, or about a text that is none."""
    subject = subject if subject is None or subject.startswith("!") else f"{{token:{subject}}}"
    headers = {} if subject is None else {"headers": {"X-Subject-Token": subject.lstrip("!")}}
    return ask(method, f"auth/tokens{query}", who=who, **headers)


def renewed(name, scope=None, source="member"):
    """A token made from another; of the answer only the status matters."""
    body = wire.auth({"methods": ["token"], "token": {"id": f"{{token:{source}}}"}}, scope)
    return {"method": "POST", "path": "/v3/auth/tokens", "body": body, "login": name}


@scenario
def tokens_asked_for():
    """Who somebody says to be, and what the body must look like."""
    users = (ALICE, {"name": "alice", "domain": {"id": "default"}, "password": "alice"}, {"name": "alice", "domain": {"name": "Default"}, "password": "alice"})
    users += ({"name": "ALICE", "domain": {"name": "DEFAULT"}, "password": "alice"}, {"name": "alice", "password": "alice"}, {"password": "alice"}, {})
    users += ({"id": "{alice}"}, {"id": "{alice}", "password": "wrong"}, {"id": "{alice}", "password": ""}, {"id": "{alice}", "password": None})
    users += ({"id": "{alice}", "password": 5}, {"id": 5, "password": "x"}, {"id": NOTHING, "password": "alice"}, {"id": "", "password": "alice"})
    users += ({"name": "nobody", "domain": {"id": "default"}, "password": "x"}, {"name": "alice", "domain": {"id": NOTHING}, "password": "alice"})
    users += ({"name": "alice", "domain": {}, "password": "alice"}, {"name": "alice", "domain": {"name": "nowhere"}, "password": "alice"})
    users += ({"name": "", "domain": {"id": "default"}, "password": "x"}, {"name": None, "domain": {"id": "default"}, "password": "x"})
    users += ({"name": "carol", "domain": {"name": "Acme"}, "password": "carol"}, {"name": "carol", "domain": {"id": "default"}, "password": "carol"})
    users += ({**ALICE, "name": "bob", "domain": {"id": "default"}}, {**ALICE, "domain": {"id": "{acme}"}}, {**ALICE, "extra": 1}, {"id": "{ghost}", "password": "ghost"})
    users += ({"name": "locked", "domain": {"id": "{off}"}, "password": "locked"}, "alice", [], None, {"id": "{keyless}", "password": "x"})
    bodies = ({}, {"auth": None}, {"auth": {}}, {"auth": []}, {"auth": "x"}, {"auth": {"identity": None}}, {"auth": {"identity": {}}})
    bodies += ({"auth": {"identity": {"methods": []}}}, {"auth": {"identity": {"methods": ["password"]}}}, {"auth": {"identity": {"methods": "password"}}})
    bodies += ({"auth": {"identity": {"methods": ["password"], "password": {}}}}, {"auth": {"identity": {"methods": [5]}}}, {"auth": {"scope": PROJECT}})
    bodies += ({"auth": {"identity": {"methods": ["nonsense"], "nonsense": {}}}}, {"auth": {"identity": {"methods": ["token"]}}}, {"other": 1})
    bodies += ({"auth": {"identity": {"methods": ["token"], "token": {}}}}, {"auth": {"identity": {"methods": ["token"], "token": {"id": ""}}}})
    bodies += ({"auth": {"identity": {"methods": ["token"], "token": {"id": 5}}}}, {"auth": {"identity": {"methods": ["token"], "token": {"id": "x"}}}})
    bodies += ({"auth": {"identity": {"methods": ["token"], "token": "x"}}}, {"auth": {"identity": {"methods": ["password", "password"], "password": {"user": ALICE}}}})
    bodies += ({"auth": {"identity": {"methods": ["password", "nonsense"], "password": {"user": ALICE}}}}, {"auth": {"identity": {"methods": ["totp"], "totp": {}}}})
    bodies += ({"auth": {"identity": {"methods": ["password", "token"], "password": {"user": ALICE}, "token": {"id": "{token:admin}"}}}},)
    bodies += ({"auth": {"identity": {"methods": ["token", "password"], "password": {"user": ALICE}, "token": {"id": "{token:member}"}}}},)
    bodies += ({"auth": {"identity": {"methods": ["password"], "password": {"user": ALICE}}, "more": 1}, "beside": 2},)
    bodies += ({"auth": {"identity": {"methods": ["external"], "external": {}}}}, {"auth": {"identity": {"methods": ["password"], "password": None}}})
    raws = ("", "{", "[]", "null", '"x"', '{"auth": {}} x')
    good = {"auth": {"identity": {"methods": ["password"], "password": {"user": ALICE}}}}
    return [
        post("user", "ghost", name="ghost", domain_id="default", password="ghost", enabled=False),
        post("user", "keyless", name="keyless", domain_id="default"),
        post("user", "locked", name="locked", domain_id="{off}", password="locked"),
        *(attempt(user) for user in users),
        *(ask("POST", "auth/tokens", body, None) for body in bodies),
        *(ask("POST", "auth/tokens", raw=raw, who=None, headers=JSON) for raw in raws),
        ask("POST", "auth/tokens", raw="{}", who=None, headers={"Content-Type": "text/plain"}),
        *(ask("POST", "auth/tokens", good, who) for who in ("admin", "nobody known")),
        ask("POST", "auth/tokens", good, None, headers={"X-Auth-Token": "garbage"}),
        ask("POST", "auth/tokens", good, None, headers={"Openstack-Auth-Receipt": "garbage"}),
        *(ask("POST", f"auth/tokens{query}", good, None) for query in ("?nocatalog", "?nocatalog=0", "?unknown=1")),
        *(ask(method, "auth/tokens", good, "admin") for method in ("PUT", "PATCH", "OPTIONS")),
    ]


@scenario
def tokens_scoped():
    """What a token is for."""
    scopes = (None, "unscoped", {"unscoped": {}}, {"unscoped": None}, PROJECT, {"project": {"name": "demo", "domain": {"id": "default"}}}, {})
    scopes += ({"project": {"name": "DEMO", "domain": {"name": "default"}}}, {"project": {"name": "demo"}}, {"project": {}}, {"project": None})
    scopes += ({"project": {"id": NOTHING}}, {"project": {"id": "{works}"}}, {"project": {"id": "{closed}"}}, {"project": {"id": "default"}})
    scopes += ({"project": {"id": "{child}"}}, {"project": {"name": "nowhere", "domain": {"id": "default"}}}, {"project": {"id": 5}}, {"project": "demo"})
    scopes += ({"project": {"name": "demo", "domain": {"id": NOTHING}}}, {"project": {"name": "demo", "domain": {}}}, {"project": {"id": "{acme}"}})
    scopes += ({"project": {"id": "{demo}", "name": "child", "domain": {"id": "default"}}}, {"project": {"id": "{demo}", "domain": {"id": "{acme}"}}})
    scopes += ({"domain": {"id": "default"}}, {"domain": {"name": "Default"}}, {"domain": {"name": "acme"}}, {"domain": {"id": "{acme}"}}, {"domain": {}})
    scopes += ({"domain": {"id": NOTHING}}, {"domain": {"id": "{off}"}}, {"domain": {"id": "{demo}"}}, {"domain": None}, {"domain": {"id": "default", "name": "Acme"}})
    scopes += ({"system": {"all": True}}, {"system": {"all": False}}, {"system": {}}, {"system": None}, {"system": "all"}, {"other": {}})
    scopes += ({"project": {"id": "{demo}"}, "domain": {"id": "default"}}, {"project": {"id": "{demo}"}, "system": {"all": True}}, {"OS-TRUST:trust": {}})
    scopes += ({"OS-TRUST:trust": {"id": NOTHING}}, {"system": {"all": True}, "domain": {"id": "{acme}"}}, {"unscoped": {}, "project": {"id": "{demo}"}})
    strings = ("system", "project", "domain", "x", "")
    people = ({"id": "{carol}", "password": "carol"}, {"id": "{frank}", "password": "frank"}, {"id": "{bob}", "password": "bob"})
    direct = [{"auth": {"identity": {"methods": ["password"], "password": {"user": ALICE}}, "scope": scope}} for scope in (*strings, 5, None, [])]
    steps = [attempt(ALICE, scope) for scope in scopes] + [ask("POST", "auth/tokens", body, None) for body in direct]
    steps += [attempt(user, scope) for user in people for scope in (None, PROJECT, {"domain": {"id": "{acme}"}}, {"system": {"all": True}})]
    sources = ("member", "unscoped", "domain admin", "system reader")
    targets = (None, "unscoped", PROJECT, {"project": {"id": "{child}"}}, {"project": {"id": "{works}"}}, {"domain": {"id": "{acme}"}}, {"system": {"all": True}})
    steps += [rescope(source, scope) for source in sources for scope in targets]
    return [
        *steps,
        ask("PATCH", "users/{alice}", {"user": {"default_project_id": "{demo}"}}),
        *(attempt(ALICE, scope) for scope in (None, "unscoped", {"project": {"id": "{child}"}})),
        rescope("unscoped"),
        ask("PATCH", "users/{alice}", {"user": {"default_project_id": "{works}"}}),
        attempt(ALICE),
        ask("PATCH", "users/{alice}", {"user": {"default_project_id": NOTHING}}),
        attempt(ALICE),
        ask("PATCH", "projects/{demo}", {"project": {"options": {"immutable": True}}}),
        attempt(ALICE, PROJECT),
    ]


@scenario(config={"token": {"allow_rescope_scoped_token": False, "expiration": 600}})
def tokens_not_rescoped():
    targets = (None, "unscoped", PROJECT, {"domain": {"id": "{acme}"}}, {"system": {"all": True}})
    return [rescope(source, scope) for source in ("member", "unscoped", "domain admin", "system reader") for scope in targets]


@scenario
def tokens_looked_at():
    """GET, HEAD and DELETE of the token that a header names."""
    subjects = ("member", "domain admin", "system reader", "unscoped", "admin", "!garbage", "!gAAAAAB", "!", None)
    queries = ("?nocatalog", "?nocatalog=0", "?allow_expired", "?allow_expired=1", "?allow_expired=0", "?unknown=1")
    ended = [renewed(f"ended {who}") for who in CALLERS]
    return [
        *(about(method, subject) for subject in subjects for method in ("GET", "HEAD")),
        *(about("GET", "member", query=query) for query in queries),
        *(about("HEAD", "member", query=query) for query in queries[::2]),
        *(about(method, subject, who) for who in CALLERS[1:] for subject in ("member", "domain reader", "unscoped") for method in ("GET", "HEAD")),
        about("GET", "member", "member"),
        *ended,
        *(about("DELETE", f"ended {who}", who) for who in CALLERS[::-1]),
        *(about("GET", f"ended {who}") for who in CALLERS),
        *(about("DELETE", subject) for subject in ("!garbage", "!", None, "ended admin")),
        about("DELETE", "!garbage", None),
    ]


@scenario
def tokens_ended():
    """What ends with a token, and what ends tokens, where Python Keystone's processes agree despite their caches."""
    chain = [renewed("second"), renewed("third", PROJECT, "second"), renewed("fourth", PROJECT, "third")]
    alive = [about("GET", name, query="?nocatalog") for name in ("member", "second", "third", "fourth")]
    own = get("auth/projects", "users/{alice}", who="member")
    back = login("member", "{alice}", "alice", PROJECT)
    ends = (
        [ask("PATCH", "projects/{demo}", {"project": {"enabled": False}}), *own, ask("PATCH", "projects/{demo}", {"project": {"enabled": True}})],
        [ask("DELETE", "groups/{staff}/users/{alice}"), *own, ask("PUT", "groups/{staff}/users/{alice}")],
        [ask("PATCH", "users/{alice}", {"user": {"password": "new"}}), *own, ask("PATCH", "users/{alice}", {"user": {"password": "alice"}})],
        [ask("PATCH", "users/{alice}", {"user": {"enabled": False}}), *own, ask("PATCH", "users/{alice}", {"user": {"enabled": True}})],
        [ask("PATCH", "users/{alice}", {"user": {"name": "alicia"}}), *own, ask("PATCH", "users/{alice}", {"user": {"name": "alice"}})],
        [ask("PATCH", "domains/{acme}", {"domain": {"enabled": False}}), *get("users", who="domain admin"), ask("PATCH", "domains/{acme}", {"domain": {"enabled": True}})],
        [ask("DELETE", "roles/{member}"), *own],
    )
    steps = []
    for end in ends:
        steps += [wait(1), back, *own, wait(1), *end, *own, wait(1)]
    return [
        *chain,
        *alive,
        about("DELETE", "third", query="?cascade=false"),
        *alive,
        about("DELETE", "second"),
        *alive,
        back,
        *chain,
        about("DELETE", "fourth"),
        *alive,
        *get("OS-REVOKE/events"),
        *steps,
        *get("OS-REVOKE/events"),
        ask("DELETE", "users/{alice}"),
        *get("auth/projects", who="member"),
        about("GET", "member"),
        ask("DELETE", "domains/{off}"),
        ask("DELETE", "projects/{child}"),
        *get("OS-REVOKE/events", "OS-REVOKE/events?since=2030-01-01T00:00:00Z", "OS-REVOKE/events?since=x", "OS-REVOKE/events?since="),
        *get("OS-REVOKE/events?since=2001-01-01T00:00:00Z", "OS-REVOKE/events?since=2001-01-01", "OS-REVOKE/events?unknown=1"),
        *(step for who in CALLERS[1:] for step in get("OS-REVOKE/events?since=2030-01-01T00:00:00Z", who=who)),
        *head("OS-REVOKE/events"),
        ask("POST", "OS-REVOKE/events"),
    ]


@scenario(config={"token": {"expiration": 20, "allow_expired_window": 25}}, on_stage=False)
def tokens_expired():
    back = login("admin", "{boss}", "000000", {"project": {"name": "admin", "domain": {"id": "default"}}})
    queries = ("", "?allow_expired=1", "?allow_expired=true", "?allow_expired", "?allow_expired=0", "?allow_expired=yes&nocatalog")
    return [
        {"method": "POST", "path": "/v3/auth/tokens", "body": wire.password("admin", "000000", "admin"), "login": "admin"},
        ask("GET", "users?name=admin", save={"boss": "users/0/id"}),
        post("user", "ann", name="ann", domain_id="default", password="ann"),
        login("ann", "{ann}", "ann", "unscoped"),
        *get("auth/projects", who="ann"),
        wait(20),
        *get("auth/projects", who="ann"),
        back,
        *(about(method, "ann", query=query) for query in queries for method in ("GET", "HEAD")),
        rescope("ann"),
        about("DELETE", "ann", query="?allow_expired=1"),
        wait(25),
        back,
        *(about("GET", "ann", query=query) for query in queries),
    ]


@scenario
def auth_lists():
    """What a caller could scope to, and its catalog."""
    paths = ("auth/projects", "auth/domains", "auth/system", "auth/catalog")
    return [
        ask("PUT", "domains/default/users/{alice}/roles/{reader}"),
        ask("PUT", "OS-INHERIT/domains/{acme}/users/{erin}/roles/{reader}/inherited_to_projects"),
        ask("PUT", "domains/{off}/users/{bob}/roles/{reader}"),
        ask("PUT", "projects/{closed}/users/{bob}/roles/{reader}"),
        ask("PUT", "projects/{works}/groups/{staff}/roles/{reader}"),
        ask("PUT", "system/groups/{staff}/roles/{reader}"),
        login("unscoped", "{alice}", "alice", "unscoped"),
        login("bob", "{bob}", "bob", "unscoped"),
        *(step for who in (*CALLERS, "bob") for path in paths for step in (*get(path, who=who), *head(path, who=who))),
        *get(*(f"{path}?{query}" for path in paths for query in ("name=demo", "limit=1", "domain_id=default", "enabled=true", "unknown")), who="unscoped"),
        *(ask(method, path) for path in paths for method in ("POST", "PUT", "DELETE", "OPTIONS")),
        *(post("endpoint", service_id="{images}", interface="internal", region_id="north", url=url) for url in ("http://p/%(project_id)s", "http://t/$(tenant_id)s", "http://u/$(user_id)s")),
        post("endpoint", service_id="{images}", interface="public", enabled=False, url="http://off"),
        post("endpoint", service_id="{compute}", interface="public", url="http://of-a-disabled-service"),
        *(step for who in ("admin", "member", "domain admin", "system reader") for step in get("auth/catalog", who=who)),
        *(about("GET", name) for name in ("member", "domain admin", "system reader", "unscoped")),
    ]
