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
