"""Users, and what becomes of their tokens and logins with their passwords."""

from .cast import CALLERS, NAMES, NOTHING, ask, get, login, patch, post, scenario


@scenario
def users():
    queries = ("", "?name=alice", "?name=ALICE", "?enabled=false", "?enabled=0", "?domain_id={acme}", "?domain_id=nowhere")
    queries += ("?name__contains=li", "?name__istartswith=AL", "?name__endswith=CE", "?email=alice@x", "?unknown=1")
    queries += tuple(f"?password_expires_at={value}" for value in (
        *("lt:2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "xx:2030-01-01T00:00:00Z", "abc", "lt:abc", "", "gt:2010-01-01"),
    ))
    made = ({"name": "alice"}, {"name": "ALICE"}, {"name": " alice "}, {"name": "b1", "enabled": None}, {"name": "b2", "enabled": 0})
    made += ({"name": "b3", "domain_id": NOTHING}, {"name": "b4", "domain_id": "{off}"}, {"name": "b5", "domain_id": None})
    made += ({"name": "b6", "password": None}, {"name": "b7", "password": ""}, {"name": "b8", "password": 5})
    made += ({"name": "b10", "default_project_id": NOTHING}, {"name": "b11", "default_project_id": "default"})
    made += ({"name": "b12", "default_project_id": None}, {"name": "b13", "description": None, "email": None}, {"name": "b14", "email": 5})
    made += ({"name": "b15", "options": {"other": 1}}, {"name": "b16", "options": {"lock_password": "yes"}}, {"name": "b17", "options": None})
    made += ({"name": "b18", "options": {"lock_password": True, "ignore_password_expiry": False}}, {"name": "b19", "id": "x"})
    made += ({"name": "b20", "options": {"multi_factor_auth_rules": [["password", "totp"]], "multi_factor_auth_enabled": True}},)
    made += ({"name": "b21", "options": {"multi_factor_auth_rules": ["password"]}}, {"name": "b22", "extra": {"a": 1}, "x-y": 1})
    changes = ({}, {"name": " renamed "}, {"name": "alice"}, {"name": None}, {"enabled": None}, {"enabled": False}, {"enabled": True})
    changes += ({"domain_id": "default"}, {"domain_id": "{acme}"}, {"domain_id": None}, {"id": "{changed}"}, {"id": "x"}, {"id": None}, {"id": 5})
    changes += ({"password": "two"}, {"password": None}, {"password": ""}, {"password": 5}, {"default_project_id": "{demo}"})
    changes += ({"default_project_id": "default"}, {"default_project_id": None}, {"description": "d"}, {"email": None}, {"colour": "red"})
    changes += ({"options": {"lock_password": None}}, {"options": {"ignore_password_expiry": True}}, {"options": {"other": 1}})
    changes += ({"password_expires_at": "2030"}, {"extra": {"z": 1}}, {"options": None})
    about = ("users/{alice}", "users/{carol}", f"users/{NOTHING}")
    return [
        *get(*(f"users{query}" for query in queries)),
        *(step for who in CALLERS for step in get("users", "users?domain_id={acme}", "users?domain_id=default", who=who)),
        *(step for who in CALLERS for user in about for step in get(user, f"{user}/groups", f"{user}/projects", who=who)),
        *get(*(f"users/{{alice}}/projects{query}" for query in ("?name=demo", "?name__contains=ch", "?enabled=false", "?domain_id={acme}"))),
        *get("users/{alice}/groups?name=staff", "users/{alice}/groups?name=nobody"),
        *(post("user", who=who, name=f"by {who}", domain_id="{acme}") for who in CALLERS),
        *(post("user", who=who, name=f"of {who}") for who in CALLERS),
        *(ask("POST", "users", {"user": body}) for body in (*NAMES, *made)),
        post("user", "changed", name="changed", domain_id="default", password="one", email="e", options={"lock_password": True}),
        *patch("user", "users/{changed}", *changes),
        *(ask("PATCH", f"users/{NOTHING}", {"user": {"name": "x"}}, who) for who in CALLERS),
        *passwords(),
        *(ask("DELETE", f"users/{user}", who=who) for who in (None, "member", "domain manager", "admin") for user in ("{bob}", NOTHING, "{erin}")),
    ]


def passwords():
    """What becomes of a user's tokens and logins when its password changes or goes."""

    def tried(name, password):
        return login(name, "{fickle}", password, "unscoped")

    wrong = ({}, {"user": {}}, {"user": {"password": "x"}}, {"user": {"original_password": "x"}}, {"user": {"password": 5, "original_password": "x"}})
    wrong += ({"user": {"password": "n", "original_password": "wrong"}}, {"user": []}, {"user": None})
    return [
        post("user", "fickle", name="fickle", domain_id="default", password="one"),
        tried("fickle", "one"),
        {"wait": 1},
        ask("PATCH", "users/{fickle}", {"user": {"password": None}}),
        *get("auth/projects", who="fickle"),
        {"wait": 1},
        tried("fickle", "one"),
        ask("PATCH", "users/{fickle}", {"user": {"password": "two"}}),
        {"wait": 1},
        tried("fickle", "one"),
        tried("fickle", "two"),
        *get("auth/projects", who="fickle"),
        *(ask("POST", "users/{fickle}/password", body, None) for body in wrong),
        ask("POST", f"users/{NOTHING}/password", {"user": {"password": "n", "original_password": "two"}}, None),
    ]


def federated(*accounts):
    """Identity providers, each with pairs of a protocol and an id."""
    return [
        {"idp_id": idp, "protocols": [{"protocol_id": protocol, "unique_id": unique} for protocol, unique in pairs]}
        for idp, pairs in accounts
    ]


@scenario
def user_attributes():
    """Ids, default projects, links to identity providers, and names that Keystone hides."""
    ids = ({"id": None}, {"id": ""}, {"id": None, "domain_id": "{acme}"}, {"id": "x", "domain_id": "{acme}"}, {"id": None, "password": 5})
    homes = tuple({"default_project_id": value} for value in ("", "{demo}", "{closed}", "{acme}", NOTHING, None, 5, "x" * 65, "default"))
    links = ([], None, "x", [5], [{}], [{"idp_id": "a"}], federated(("a", [])), federated(("nowhere", [("saml2", "u")])))
    links += ([{"idp_id": "a", "protocols": [{"protocol_id": "p"}]}], [{"idp_id": 5, "protocols": [{"protocol_id": "p", "unique_id": "u"}]}])
    hidden = {"tenants": [1], "groups": [2], "domains": {"a": 3}, "created_at": "x", "last_active_at": 5, "password_expires_at": "2030"}
    queries = ("?idp_id=a", "?protocol_id=a", "?unique_id=a", "?idp_id=a&protocol_id=b&unique_id=c", "?idp_id=", "?name=alice&idp_id=a")
    queries += ("?idp_id__contains=a", "?idp_id=a&domain_id=default", "?unique_id=a%40b", "?name=alice&name__contains=zz", "?enabled=true&name=bob")
    scopeless = {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": "{alice}", "password": "alice"}}}}}
    homeless = ({"default_project_id": project} for project in ("{works}", "{closed}", NOTHING, "", "{demo}"))
    return [
        post("user", "plain", name="plain", domain_id="default", password="plain"),
        *patch("user", "users/{plain}", *ids, *homes, hidden, *({"federated": link} for link in links)),
        *(ask("POST", "users", {"user": {"name": f"f{n}", "federated": link}}) for n, link in enumerate(links)),
        *(ask("POST", "users", {"user": {"name": f"d{n}", **home}}) for n, home in enumerate(homes)),
        post("user", name="hidden", domain_id="default", **hidden),
        *get(*(f"users{query}" for query in queries)),
        *(
            step
            for change in homeless
            for step in (
                ask("PATCH", "users/{alice}", {"user": change}),
                {"wait": 1},
                ask("POST", "auth/tokens?nocatalog", scopeless, None),
            )
        ),
        *get(*(f"users/{{alice}}/projects{query}" for query in ("", "?name__icontains=DEM", "?enabled=true&name=demo"))),
    ]


@scenario
def user_options():
    """The options and their values; what each does is in the scenarios of passwords."""
    flags = ("ignore_change_password_upon_first_use", "ignore_password_expiry", "ignore_lockout_failure_attempts", "lock_password")
    flags += ("ignore_user_inactivity", "multi_factor_auth_enabled")
    values = [{flag: value} for flag in flags for value in (True, False, None, 1, "yes", [])]
    rules = ([], [[]], ["password"], [["password"]], [["password", "totp"]], [["a", "a"]], [["a"], ["a"]], [["a", "b"], ["b", "a"]], [[5]], "x", 5, None, {})
    values += [{"multi_factor_auth_rules": rule} for rule in rules]
    values += [{}, {"other": 1}, {"lock_password": True, "other": None}, {"immutable": True}]
    two = {"multi_factor_auth_rules": [["password", "totp"]]}
    off = {"multi_factor_auth_enabled": False}

    def tried():
        user = {"id": "{cautious}", "password": "cautious"}
        return ask("POST", "auth/tokens", {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}, None)

    return [
        *(ask("POST", "users", {"user": {"name": f"o{n}", "options": value}}) for n, value in enumerate(values)),
        post("user", "cautious", name="cautious", domain_id="default", password="cautious"),
        *patch("user", "users/{cautious}", *({"options": value} for value in values)),
        *(step for options in (two, off, {"multi_factor_auth_enabled": None}, {"multi_factor_auth_rules": [["nothing"]]}, {"multi_factor_auth_rules": None})
          for step in (ask("PATCH", "users/{cautious}", {"user": {"options": options}}), tried())),
    ]


@scenario
def user_tokens():
    """All tokens of a user at once: by the user, and by administrators."""
    return [
        post("user", "pat", name="pat", domain_id="default", password="pat"),
        post("user", "quinn", name="quinn", domain_id="{acme}", password="quinn"),
        login("pat", "{pat}", "pat", "unscoped"),
        login("pat too", "{pat}", "pat", "unscoped"),
        login("quinn", "{quinn}", "quinn", "unscoped"),
        {"wait": 1},
        *(ask("DELETE", f"users/{NOTHING}/tokens", who=who) for who in CALLERS),
        *(ask("DELETE", "users/{quinn}/tokens", who=who) for who in (*CALLERS[3:], "pat")),
        *get("users/{quinn}", who="quinn"),
        ask("DELETE", "users/{pat}/tokens", who="pat"),
        *(ask("GET", "users/{pat}", who=who) for who in ("pat", "pat too", "admin")),
        {"wait": 1},
        login("pat", "{pat}", "pat", "unscoped"),
        *get("users/{pat}", who="pat"),
        ask("DELETE", "users/{quinn}/tokens", who="domain admin"),
        *get("users/{quinn}", who="quinn"),
        ask("DELETE", "users/{pat}/tokens"),
        *get("users/{pat}", who="pat"),
        *(ask(method, "users/{pat}/tokens") for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS")),
        *get("OS-REVOKE/events"),
    ]
