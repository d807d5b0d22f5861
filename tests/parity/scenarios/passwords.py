"""Passwords: changed by their users, and what `[security_compliance]` asks of them."""

from .cast import NOTHING, ask, get, login, patch, post, scenario

FREE = {"ignore_change_password_upon_first_use": True, "ignore_password_expiry": True}


def change(user, original, new, **more):
    body = {"user": {"original_password": original, "password": new, **more}}
    return ask("POST", f"users/{{{user}}}/password", body, None)


def tried(user, password):
    return login(user, f"{{{user}}}", password, "unscoped")


def told(user, password):
    """A login of whose answer the text matters."""
    body = {"id": f"{{{user}}}", "password": password}
    return ask("POST", "auth/tokens", {"auth": {"identity": {"methods": ["password"], "password": {"user": body}}}}, None)


def update(user, **fields):
    return ask("PATCH", f"users/{{{user}}}", {"user": fields})


@scenario
def password_change():
    wrong = ({}, {"user": {}}, {"user": []}, {"user": "x"}, {"user": None}, {"user": {"original_password": "x"}}, {"user": {"password": "x"}})
    wrong += tuple({"user": {"original_password": original, "password": new}} for original, new in ((None, "x"), ("x", None), (5, "x"), ("x", 5)))
    return [
        post("user", "pat", name="pat", domain_id="default", password="one", options={"ignore_password_expiry": True}),
        post("user", "mute", name="mute", domain_id="default"),
        post("user", "void", name="void", domain_id="default", password=None),
        post("user", "gone", name="gone", domain_id="default", password="one", enabled=False),
        post("user", "stray", name="stray", domain_id="{off}", password="one"),
        *(ask("POST", "users/{pat}/password", body, None) for body in wrong),
        *(ask("POST", f"users/{NOTHING}/password", body, "admin") for body in wrong[:2]),
        change("pat", "one", "two", more=1),
        change("pat", "wrong", "two"),
        change("pat", "", "two"),
        *(change(who, "one", "two") for who in ("mute", "void", "gone", "stray")),
        change("gone", "wrong", "two"),
        change("stray", "one", "two"),
        ask("POST", f"users/{NOTHING}/password", {"user": {"original_password": "one", "password": "two"}}, None),
        *(ask(method, "users/{pat}/password") for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")),
        tried("pat", "one"),
        {"wait": 1},
        *get("users/{pat}", who="pat"),
        change("pat", "one", "one"),
        *get("users/{pat}", who="pat"),
        change("pat", "one", "two"),
        tried("pat", "one"),
        change("pat", "one", "three"),
        {"wait": 1},
        tried("pat", "two"),
        *get("users/{pat}", who="pat"),
        *patch("user", "users/{pat}", {"options": {"lock_password": True}}),
        change("pat", "two", "three"),
        change("pat", "wrong", "three"),
        update("pat", password="four"),
        change("pat", "four", "five"),
        update("pat", options={"lock_password": False}),
        change("pat", "four", ""),
        tried("pat", ""),
        *get("OS-REVOKE/events"),
    ]


@scenario(
    config={
        "security_compliance": {
            "password_regex": r"^(?=.*\d)(?=.*[a-zA-Z]).{4,}$",
            "password_regex_description": "A letter, a digit, four characters at least",
            "unique_last_password_count": 2,
            "password_expires_days": 30,
            "change_password_upon_first_use": True,
        }
    },
    on_stage=False,
)
def password_rules():
    admin = {"name": "admin", "domain": {"id": "default"}, "password": "000000"}
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": admin}}, "scope": scope}}
    made = ({"password": None}, {"password": ""}, {"password": "abc"}, {"password": "abcd"}, {"password": "1234"}, {"password": "abc1\n"})
    made += ({"password": "äöü1"}, {"password": "abc1", "domain_id": NOTHING}, {"password": "abc", "domain_id": NOTHING})
    return [
        {"method": "POST", "path": "/v3/auth/tokens", "body": body, "login": "admin"},
        *(ask("POST", "users", {"user": {"name": f"n{n}", "domain_id": "default", **fields}}) for n, fields in enumerate(made)),
        post("user", "new", name="new", domain_id="default", password="abc1"),
        post("user", "free", name="free", domain_id="default", password="abc1", options=FREE),
        *get("users/{new}", "users/{free}"),
        told("new", "abc1"),
        told("new", "wrong"),
        tried("free", "abc1"),
        update("free", password="abc2"),
        tried("free", "abc2"),
        *(update("free", password=password) for password in ("abc", None, "")),
        update("free", password="abc", id=None),
        update("free", password="abc", domain_id="other"),
        update("free", password="abc3", options={"ignore_change_password_upon_first_use": None}),
        tried("free", "abc3"),
        update("free", password="abc4", options={"ignore_change_password_upon_first_use": True, "ignore_password_expiry": None}),
        tried("free", "abc4"),
        update("free", password="abc5", options={"ignore_change_password_upon_first_use": None}),
        told("free", "abc5"),
        change("new", "abc1", "abc"),
        change("new", "wrong", "abc"),
        change("new", "abc1", "abc1"),
        change("new", "abc1", "abc2"),
        tried("new", "abc2"),
        *get("users/{new}"),
        change("new", "abc2", "abc1"),
        change("new", "abc2", "abc2"),
        change("new", "abc2", "abc3"),
        change("new", "abc3", "abc2"),
        change("new", "abc3", "abc1"),
        update("new", password="abc1"),
        told("new", "abc1"),
        change("new", "abc1", "abc3"),
        change("new", "abc1", "abc9"),
        *patch("user", "users/{new}", {"options": {"lock_password": True}}),
        change("new", "abc9", "abc"),
        change("new", "abc9", "abc9"),
        change("new", "abc9", "abc8"),
        *get("users?password_expires_at=gt:2020-01-01T00:00:00Z", "users?password_expires_at=lt:2020-01-01T00:00:00Z"),
    ]


@scenario(
    config={
        "security_compliance": {"lockout_failure_attempts": 2, "lockout_duration": 3, "unique_last_password_count": 2},
    }
)
def lockout():
    def failed(times):
        return [told("pat", "wrong") for _ in range(times)]

    return [
        post("user", "pat", name="pat", domain_id="default", password="one"),
        *failed(1),
        told("pat", "one"),
        *failed(2),
        told("pat", "one"),
        told("pat", "wrong"),
        change("pat", "one", "two"),
        ask("POST", "auth/tokens", {"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": NOTHING, "password": "x"}}}}}, None),
        *get("users/{pat}"),
        {"wait": 3},
        tried("pat", "one"),
        *failed(2),
        {"wait": 3},
        *failed(1),
        tried("pat", "one"),
        *failed(1),
        change("pat", "wrong", "two"),
        tried("pat", "one"),
        update("pat", description="Any change unlocks"),
        tried("pat", "one"),
        *failed(2),
        update("pat", enabled=False),
        tried("pat", "one"),
        update("pat", description="but not of who is disabled"),
        update("pat", enabled=True),
        tried("pat", "one"),
        *failed(2),
        update("pat", password="two"),
        tried("pat", "two"),
        update("pat", options={"ignore_lockout_failure_attempts": True}),
        *failed(3),
        tried("pat", "two"),
        change("pat", "two", "one"),
        change("pat", "two", "two"),
        change("pat", "two", "three"),
        change("pat", "three", "two"),
        change("pat", "three", "one"),
    ]


@scenario(config={"DEFAULT": {"strict_password_check": True}, "security_compliance": {"minimum_password_age": 2}})
def strict_passwords():
    long = "x" * 73
    return [
        *(post("user", name=f"long{n}", domain_id="default", password=password) for n, password in enumerate((long, "é" * 37, "x" * 72, "é" * 36))),
        post("user", name="long", domain_id=NOTHING, password=long),
        post("user", "pat", name="pat", domain_id="default", password="one"),
        update("pat", password=long),
        update("pat", password=long, default_project_id="default"),
        change("pat", "one", long),
        change("pat", "one", "two"),
        {"wait": 1},
        change("pat", "two", "three"),
        change("pat", "two", "two"),
        change("pat", "wrong", "three"),
        update("pat", password="four"),
        change("pat", "four", "five"),
        {"wait": 1},
        change("pat", "five", "six"),
        update("pat", options={"lock_password": True}),
        change("pat", "five", "six"),
    ]
