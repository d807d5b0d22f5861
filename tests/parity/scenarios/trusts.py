"""Trusts: who may see and end them, what they may hold, the tokens made from them, and what ends those."""

from harness import wire

from .cast import CALLERS, JSON, NOTHING, ask, delete, get, head, login, post, scenario, wait

DEMO = {"project": {"id": "{demo}"}}
# What alice delegates to bob, who has no role of his own.
TRUST = {"trustor_user_id": "{alice}", "trustee_user_id": "{bob}", "project_id": "{demo}", "impersonation": False, "roles": [{"id": "{member}"}]}
REDELEGABLE = {**TRUST, "impersonation": True, "allow_redelegation": True}
LATER = "2099-12-31T23:59:59"
# Other processes of Python Keystone would answer from their caches.
UNCACHED = {"cache": {"enabled": False}}


def create(save=None, who="member", **fields):
    """Alice's trust for bob, with other fields; None leaves one out."""
    trust = {name: value for name, value in {**TRUST, **fields}.items() if value is not ...}
    return ask("POST", "OS-TRUST/trusts", {"trust": trust}, who, **({"save": save} if save else {}))


def redelegate(who, save=None, **fields):
    return create(save, who, **{"trustee_user_id": "{frank}", "impersonation": True, **fields})


def scope(trust):
    return {"OS-TRUST:trust": {"id": f"{{{trust}}}"}}


def used(name, trust, user="bob", query=""):
    """A login for a trust, of which everything counts."""
    body = wire.auth({"methods": ["password"], "password": {"user": {"id": f"{{{user}}}", "password": user}}}, scope(trust))
    return ask("POST", f"auth/tokens{query}", body, None, token=name)


def entered(name, trust, user="bob"):
    """The same, of which only the status counts."""
    return login(name, f"{{{user}}}", user, scope(trust))


def seen(name, who="admin", query="?nocatalog"):
    return ask("GET", f"auth/tokens{query}", who=who, headers={"X-Subject-Token": f"{{token:{name}}}"})


def own(name):
    """The token as that of a caller."""
    return ask("GET", "auth/projects", who=name)


def routes(trust, who):
    """Every way to read a trust."""
    paths = [f"OS-TRUST/trusts/{trust}", f"OS-TRUST/trusts/{trust}/roles", f"OS-TRUST/trusts/{trust}/roles/{{member}}"]
    paths += [f"OS-TRUST/trusts/{trust}/roles/{{reader}}", f"OS-TRUST/trusts/{trust}/roles/{NOTHING}"]
    return get(*paths, who=who) + head(*paths, who=who)


@scenario
def trusts():
    """Every route by every kind of caller."""
    steps = [
        login("bob", "{bob}", "bob", "unscoped"),
        create("trust", remaining_uses=3, expires_at=f"{LATER}.000000Z", colour="red", extra={"a": 1}),
        create("open", impersonation=True, expires_at=f"{LATER}.123456Z", roles=[{"name": "member"}, {"name": "reader"}]),
        entered("bob by trust", "open"),
        ask("POST", "OS-TRUST/trusts", {"trust": {**TRUST, "trustor_user_id": "{frank}"}}, "system reader"),
    ]
    for who in (*CALLERS, "bob", "bob by trust"):
        for query in ("", "?trustor_user_id={alice}", "?trustee_user_id={bob}", "?trustor_user_id={bob}", "?trustor_user_id={alice}&trustee_user_id={frank}"):
            steps += get(f"OS-TRUST/trusts{query}", who=who) + head(f"OS-TRUST/trusts{query}", who=who)
        steps += routes("{trust}", who) + routes(NOTHING, who)
        steps += [create(who=who), create(who=who, trustor_user_id="{carol}"), *delete(f"OS-TRUST/trusts/{NOTHING}", who=who)]
    queries = ("?trustor_user_id=", "?trustee_user_id=", "?unknown=1", "?trustor_user_id=nobody", "?trustor_user_id__icontains=a", "?trustee_user_id={bob}&x=1")
    for who in ("admin", "member"):
        steps += get(*(f"OS-TRUST/trusts{query}" for query in queries), who=who)
    steps += [ask(method, "OS-TRUST/trusts") for method in ("PUT", "PATCH", "DELETE", "OPTIONS")]
    steps += [ask(method, "OS-TRUST/trusts/{trust}") for method in ("PUT", "PATCH", "POST", "OPTIONS")]
    steps += [ask(method, "OS-TRUST/trusts/{trust}/roles/{member}") for method in ("PUT", "DELETE")]
    for who in ("bob", "system reader", "domain admin", "unscoped", None):
        steps += delete("OS-TRUST/trusts/{trust}", who=who)
    steps += delete("OS-TRUST/trusts/{trust}", "OS-TRUST/trusts/{trust}", who="member") + get("OS-TRUST/trusts?trustor_user_id={alice}", who="member")
    steps += delete("OS-TRUST/trusts/{open}") + routes("{open}", "admin")
    return steps


@scenario
def trust_input():
    """What a new trust may hold."""
    steps = [ask("POST", "roles", {"role": {"name": "member", "domain_id": "{acme}"}}, save="twin")]
    for name in TRUST:
        steps += [create(**{name: ...})] + [create(**{name: value}) for value in (None, "", 5, [], {}, "x" * 65, NOTHING, True)]
    for name in ("expires_at", "remaining_uses", "redelegation_count", "allow_redelegation", "redelegated_trust_id", "deleted_at", "id"):
        steps += [create(**{name: value}) for value in ("", "x", [], {}, False)]
    steps += [create(expires_at=time) for time in (LATER, f"{LATER}Z", "2000-01-01T00:00:00Z", "2099-13-01T00:00:00Z", "2099-12-31", 5, "2099-12-31T00:00:00+02:00")]
    steps += [create(remaining_uses=uses) for uses in (0, -1, 1, 1.5, 2147483647, 2147483648, None)]
    steps += [create(allow_redelegation=True, redelegation_count=count) for count in (-1, 0, 1, 3, 4, 2147483648)]
    steps += [create(allow_redelegation=False, redelegation_count=count) for count in (0, 1, 4)]
    steps += [create(allow_redelegation=allowed, remaining_uses=1, redelegation_count=count) for allowed in (True, False, None) for count in (None, 0, 1)]
    roles = ([], [{}], [5], [{"id": "{member}", "name": "member"}], [{"name": "nothing"}], [{"name": "reader"}], [{"name": "READER"}], [{"name": "manager"}], [{"id": NOTHING}])
    roles += ([{"id": "{admin}"}], [{"id": "{local}"}], [{"name": "local"}], [{"name": ""}], [{"name": None}], [{"id": None}], [{"id": "a b"}], [{"other": "x"}])
    roles += ([{"id": "{member}"}, {"id": "{member}"}], [{"id": "{reader}"}, {"name": "reader"}], [{"name": "member"}], [{"id": "{member}"}, {"id": "{admin}"}])
    steps += [create(roles=given) for given in roles]
    steps += [create(project_id=project, roles=given) for project in (None, ...) for given in (..., [], [{"id": "{member}"}], [{"id": NOTHING}])]
    steps += [create(project_id=project) for project in ("{child}", "{works}", "{closed}", "default", "{acme}")]
    steps += [create(trustee_user_id=user) for user in ("{alice}", "{carol}")]
    # No two with the same end.
    steps += [create(expires_at=f"{LATER}Z"), create(expires_at=f"{LATER}Z"), create(expires_at=f"{LATER}Z", impersonation=True)]
    steps += [create(expires_at=f"{LATER}Z", name="taken"), create(expires_at=f"{LATER}Z", name="taken", domain_id="d"), create(expires_at=f"{LATER}.5Z")]
    steps += [ask("POST", "OS-TRUST/trusts", body, "member") for body in ({}, {"trust": {}}, {"trust": None}, {"trust": []}, {"other": {}}, {"trust": TRUST, "more": 1})]
    steps += [ask("POST", "OS-TRUST/trusts", raw=raw, who="member", headers=JSON) for raw in ("", "{", "[]")]
    steps += [ask("POST", "OS-TRUST/trusts", {"trust": {}}, None)]
    forged = {"trust": {**TRUST, "trustor_user_id": "{carol}"}, "target": {"trust": {"trustor_user_id": "{alice}"}}}
    steps += [ask("POST", "OS-TRUST/trusts?target.trust.trustor_user_id={alice}", forged, "member")]
    return steps


@scenario
def trust_tokens():
    """Tokens for a trust: what is in them, and what they can be used for."""
    steps = [
        create("plain", remaining_uses=2),
        create("acting", impersonation=True),
        create("bare", project_id=..., roles=...),
        create("once", remaining_uses=1),
        used("plain", "plain"),
        *get("OS-TRUST/trusts/{plain}", who="member"),
        used("acting", "acting", query="?nocatalog"),
        used("bare", "bare"),
        seen("plain", query=""),
        seen("acting"),
        used(None, "plain", user="alice"),
        used(None, "plain", user="frank"),
        used("last", "plain"),
        used(None, "plain"),
        seen("last"),
        seen("plain"),
        own("plain"),
        *get("OS-TRUST/trusts/{plain}", "OS-TRUST/trusts?trustee_user_id={bob}"),
        used("only", "once"),
        seen("only"),
        own("only"),
    ]
    for trust in ({}, {"id": None}, {"id": ""}, {"id": 5}, {"id": []}, {"id": NOTHING}, {"name": "x"}, [], "x", None, {"id": "{acting}", "name": "x"}):
        user = {"id": "{bob}", "password": "bob"}
        steps += [ask("POST", "auth/tokens", wire.auth({"methods": ["password"], "password": {"user": user}}, {"OS-TRUST:trust": trust}), None)]
    wrong = {"id": "{bob}", "password": "wrong"}
    steps += [ask("POST", "auth/tokens", wire.auth({"methods": ["password"], "password": {"user": wrong}}, scope("acting")), None)]
    scopes = (None, "unscoped", DEMO, {"project": {"id": "{child}"}}, {"domain": {"id": "default"}}, {"system": {"all": True}}, scope("acting"))
    steps += [ask("POST", "auth/tokens", wire.rescope("{token:acting}", wanted), None) for wanted in scopes]
    steps += [login("unscoped bob", "{bob}", "bob", "unscoped"), ask("POST", "auth/tokens", wire.rescope("{token:unscoped bob}", scope("acting")), None)]
    steps += [ask("POST", "auth/tokens", wire.rescope("{token:member}", scope("acting")), None)]
    steps += get("auth/projects", "auth/domains", "auth/system", "auth/catalog", who="acting")
    steps += get("users/{alice}", "users/{bob}", "credentials", "users/{alice}/projects", who="acting")
    steps += [post("credential", who="acting", user_id="{alice}", type="cert", blob="x"), create(who="acting", trustor_user_id="{bob}")]
    steps += [ask("DELETE", "auth/tokens", who="acting", headers={"X-Subject-Token": "{token:acting}"}), seen("acting"), own("acting")]
    return steps


@scenario
def trusts_redelegated():
    """Chains of trusts."""
    steps = [
        create("root", **REDELEGABLE),
        entered("first", "root"),
        create("plain"),
        entered("plain", "plain"),
        create("limited", **{**REDELEGABLE, "expires_at": f"{LATER}Z", "redelegation_count": 1}),
        entered("limited", "limited"),
        create("stiff", **{**REDELEGABLE, "impersonation": False}),
        entered("stiff", "stiff"),
        create("unset", **REDELEGABLE, redelegation_count=None),
        entered("unset", "unset"),
        # Not by a trust that can't be redelegated, nor with more than it gives.
        redelegate("plain"),
        redelegate("plain", trustor_user_id="{bob}"),
        redelegate("first", trustor_user_id="{bob}"),
        redelegate("first", remaining_uses=1),
        redelegate("first", roles=[{"id": "{reader}"}]),
        redelegate("first", allow_redelegation=True, redelegation_count=1),
        redelegate("first", allow_redelegation=True, redelegation_count=4),
        redelegate("first", project_id="{child}"),
        redelegate("limited", expires_at="2100-01-01T00:00:00Z"),
        redelegate("stiff"),
        redelegate("stiff", trustor_user_id="{bob}", impersonation=False),
        redelegate("unset"),
        redelegate("limited", "short", expires_at="2099-12-30T00:00:00Z", allow_redelegation=True),
        redelegate("limited", "same"),
        redelegate("first", "ended", allow_redelegation=False),
        redelegate("first", "second", allow_redelegation=True),
        redelegate("first", "counted", allow_redelegation=True, redelegation_count=2, trustee_user_id="{carol}"),
        redelegate("first", "nulled", allow_redelegation=True, redelegation_count=None, trustee_user_id="{dave}"),
        used("second", "second", user="frank"),
        seen("second"),
        redelegate("second", "third", allow_redelegation=True, trustee_user_id="{dave}"),
        used("third", "third", user="dave"),
        redelegate("third", "fourth", allow_redelegation=True, trustee_user_id="{erin}"),
        used("fourth", "fourth", user="erin"),
        redelegate("fourth", allow_redelegation=True, trustee_user_id="{bob}"),
        redelegate("fourth", trustee_user_id="{bob}"),
        used("ended", "ended", user="frank"),
        redelegate("ended", trustee_user_id="{bob}"),
        # A client can name the trust before its own, too.
        create("claimed", redelegated_trust_id="{root}", trustee_user_id="{carol}"),
        create(redelegated_trust_id=NOTHING),
        create("idle", redelegated_trust_id="{plain}", trustee_user_id="{carol}"),
        *get("OS-TRUST/trusts/{claimed}", "OS-TRUST/trusts/{idle}", "OS-TRUST/trusts?trustor_user_id={alice}"),
        used("claimed", "claimed", user="carol"),
        used("idle", "idle", user="carol"),
        # In the middle of the chain somebody is disabled, and comes back.
        ask("PATCH", "users/{frank}", {"user": {"enabled": False}}),
        *get("OS-TRUST/trusts/{third}", "OS-TRUST/trusts/{second}", who="member"),
        seen("third"),
        own("third"),
        used(None, "third", user="dave"),
        ask("PATCH", "users/{frank}", {"user": {"enabled": True}}),
        *get("OS-TRUST/trusts/{third}", who="member"),
        seen("third"),
    ]
    # The end of one ends those after it.
    steps += delete("OS-TRUST/trusts/{second}", who="member")
    steps += get("OS-TRUST/trusts/{third}", "OS-TRUST/trusts/{fourth}", "OS-TRUST/trusts/{root}", who="member")
    steps += [seen("fourth"), seen("third"), seen("first"), *get("OS-REVOKE/events", "OS-TRUST/trusts")]
    return steps


@scenario(config={"trust": {"max_redelegation_count": 1}})
def trusts_redelegated_once():
    return [
        create("root", **REDELEGABLE),
        create(**REDELEGABLE, redelegation_count=2),
        entered("first", "root"),
        redelegate("first", "second", allow_redelegation=True),
        entered("second", "second", user="frank"),
        redelegate("second", trustee_user_id="{bob}"),
        *get("OS-TRUST/trusts/{second}", who="member"),
    ]


@scenario(config={"trust": {"allow_redelegation": False, "max_redelegation_count": 0}})
def trusts_not_redelegated():
    return [create("root", **REDELEGABLE), create(**REDELEGABLE, redelegation_count=1), entered("first", "root"), redelegate("first")]


ENDINGS = {
    "trustor disabled": [ask("PATCH", "users/{alice}", {"user": {"enabled": False}})],
    "trustor enabled": [ask("PATCH", "users/{alice}", {"user": {"enabled": True}})],
    "trustee disabled": [ask("PATCH", "users/{bob}", {"user": {"enabled": False}})],
    "trustee enabled": [ask("PATCH", "users/{bob}", {"user": {"enabled": True}})],
    "new password of the trustor": [ask("PATCH", "users/{alice}", {"user": {"password": "alice"}})],
    "role taken": [ask("DELETE", "projects/{demo}/users/{alice}/roles/{member}")],
    "role given": [ask("PUT", "projects/{demo}/users/{alice}/roles/{member}")],
    "project disabled": [ask("PATCH", "projects/{demo}", {"project": {"enabled": False}})],
    "project enabled": [ask("PATCH", "projects/{demo}", {"project": {"enabled": True}})],
    "implied role added": [ask("PUT", "roles/{member}/implies/{user}")],
    "tokens of the trustor ended": [ask("DELETE", "users/{alice}/tokens")],
    "tokens of the trustee ended": [ask("DELETE", "users/{bob}/tokens")],
}


@scenario(config=UNCACHED)
def trusts_ended():
    """What ends the tokens of a trust, for good or for a while; each with a token from before and a new one."""
    steps = [create("trust"), create("acting", impersonation=True)]
    for name, ending in ENDINGS.items():
        steps += [entered(f"{trust} before {name}", trust) for trust in ("trust", "acting")] + ending
        for trust in ("trust", "acting"):
            token = f"{trust} before {name}"
            steps += [seen(token), own(token), used(None, trust, query="?nocatalog")]
        steps += [*get("OS-TRUST/trusts/{trust}", "OS-TRUST/trusts?trustee_user_id={bob}"), wait(1)]
    return steps


@scenario(config=UNCACHED)
def trusts_cleaned_up():
    """Whose deletion ends a trust."""
    carols = {"trustor_user_id": "{carol}", "trustee_user_id": "{dave}", "project_id": "{works}", "roles": [{"id": "{user}"}]}
    steps = [
        *(ask("PUT", f"projects/{{works}}/users/{{{who}}}/roles/{{user}}") for who in ("carol", "dave")),
        ask("PUT", "projects/{demo}/users/{frank}/roles/{member}"),
        login("carol", "{carol}", "carol", {"project": {"id": "{works}"}}),
        login("dave", "{dave}", "dave", {"project": {"id": "{works}"}}),
        login("frank", "{frank}", "frank", DEMO),
        create("by role", "carol", **carols),
        create("by project", "dave", **{**carols, "trustor_user_id": "{dave}", "trustee_user_id": "{erin}", "roles": [{"id": "{user}"}]}),
        create("by trustor"),
        create("by trustee", "frank", trustor_user_id="{frank}", trustee_user_id="{erin}"),
        *(entered(name, name, user) for name, user in (("by role", "dave"), ("by project", "erin"), ("by trustor", "bob"), ("by trustee", "erin"))),
    ]
    for path, names in (("roles/{user}", ("by role", "by project")), ("projects/{works}", ("by project",)), ("users/{alice}", ("by trustor",)), ("users/{erin}", ("by trustee",))):
        steps += delete(path)
        for name in names:
            user = {"by role": "dave", "by project": "erin", "by trustor": "bob", "by trustee": "erin"}[name]
            steps += [seen(name), own(name), used(None, name, user), *get(f"OS-TRUST/trusts/{{{name}}}", f"OS-TRUST/trusts/{{{name}}}/roles")]
        steps += get("OS-TRUST/trusts")
    return steps
