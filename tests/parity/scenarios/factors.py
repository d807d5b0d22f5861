"""More than a password: one-time passwords, receipts, several methods at once, and signed tokens."""

from harness import wire

from .cast import NOTHING, ask, get, login, patch, post, scenario, wait
from .tokens import PROJECT, about, attempt, rescope

# "12345678901234567890" and the like in base32; the codes of `{totp:SECRET}` are those of the time of the request.
SECRET, OTHER, SHORT = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U", "GEZDGNBVGY3TQOJQ"
UNPADDED = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43UOU"
CODE = "{totp:%s}" % SECRET
METHODS = "external,password,token,oauth1,mapped,application_credential,ec2credential,totp"
WITH_TOTP = {"auth": {"methods": METHODS}}
ALICE, BOB = {"id": "{alice}", "password": "alice"}, {"id": "{bob}", "password": "bob"}
RULES = [["password", "totp"], ["token", "totp"], ["nonsense"], ["totp", "nonsense", "external"]]


def totp(passcode, user="{alice}", **more):
    return {"totp": {"user": {"id": user, "passcode": passcode}, **more}}


def proved(methods, receipt=None, scope=None, save=None, **identity):
    """A login by several methods, with a receipt of an earlier one, which may earn another."""
    step = ask("POST", "auth/tokens", wire.auth({"methods": methods, **identity}, scope), None)
    if receipt is not None:
        step["headers"] = {"Openstack-Auth-Receipt": receipt}
    return {**step, **({"receipt": save} if save else {})}


def by_password(user=ALICE, **more):
    return proved(["password"], password={"user": user}, **more)


def by_code(code=CODE, user="{alice}", **more):
    return proved(["totp"], **totp(code, user), **more)


def ruled(*rules, user="{alice}", enabled=True):
    options = {"multi_factor_auth_enabled": enabled, "multi_factor_auth_rules": [list(rule) for rule in rules]}
    return ask("PATCH", f"users/{user}", {"user": {"options": options}})


@scenario(config=WITH_TOTP)
def one_time_passwords():
    """Whose code is good, and how it must be asked for."""
    users = ({"name": "alice", "domain": {"id": "default"}}, {"name": "alice", "domain": {"name": "Default"}}, {"name": "alice"}, {})
    users += ({"name": "alice", "domain": {}}, {"name": "alice", "domain": {"id": NOTHING}}, {"name": "nobody", "domain": {"id": "default"}})
    users += ({"id": NOTHING}, {"id": "", "name": ""}, {"id": "{ghost}"}, {"id": "{carol}", "name": "alice", "domain": {"id": "default"}})
    users += ({"name": "locked", "domain": {"id": "{off}"}}, {"id": "{alice}", "domain": {"id": "{acme}"}})
    codes = (CODE, "{totp:%s:-1}" % SECRET, "{totp:%s:-2}" % SECRET, "{totp:%s:1}" % SECRET, "{totp:%s}" % OTHER, "{totp:%s}" % SHORT)
    codes += ("{totp:%s}" % UNPADDED, "", None, 123456, "000000", f"{CODE} ", f"0{CODE}", [CODE], {"code": CODE})
    scopes = (None, "unscoped", PROJECT, {"project": {"id": "{child}"}}, {"domain": {"id": "{acme}"}}, {"system": {"all": True}})
    empty = ({}, {"user": {}}, {"user": {"passcode": CODE}}, {"passcode": CODE})
    return [
        by_code(),
        post("credential", "seed", user_id="{alice}", type="totp", blob=SECRET),
        post("credential", user_id="{alice}", type="totp", blob=SHORT),
        post("credential", user_id="{alice}", type="totp", blob="no base32"),
        post("credential", user_id="{alice}", type="totp", blob=SECRET.lower()),
        post("credential", user_id="{alice}", type="cert", blob=OTHER),
        post("credential", user_id="{alice}", type="TOTP", blob=UNPADDED),
        post("credential", user_id="{bob}", type="totp", blob=OTHER),
        post("user", "ghost", name="ghost", domain_id="default", enabled=False),
        post("credential", user_id="{ghost}", type="totp", blob=SECRET),
        post("user", "locked", name="locked", domain_id="{off}"),
        post("credential", user_id="{locked}", type="totp", blob=SECRET),
        *(proved(["totp"], totp={"user": {**user, "passcode": CODE}}) for user in users),
        *(proved(["totp"], totp=part) for part in empty),
        *(by_code(code) for code in codes),
        *(by_code("{totp:%s}" % OTHER, user) for user in ("{bob}", "{alice}")),
        *(by_code(scope=scope) for scope in scopes),
        by_code(),
        {**by_code(scope=PROJECT), "token": "by code"},
        *get("auth/tokens", "credentials/{seed}", who="by code"),
        rescope("by code", "unscoped"),
        wait(61),
        by_code(),
        ask("PATCH", "credentials/{seed}", {"credential": {"blob": OTHER}}),
        *(by_code(code) for code in (CODE, "{totp:%s}" % OTHER)),
        ask("DELETE", "credentials/{seed}"),
        by_code("{totp:%s}" % OTHER),
    ]


@scenario(config={**WITH_TOTP, "totp": {"included_previous_windows": 0}})
def one_time_passwords_of_now():
    return [
        post("credential", user_id="{alice}", type="totp", blob=SECRET),
        *(by_code("{totp:%s:%d}" % (SECRET, window)) for window in (0, -1, 1)),
    ]


@scenario
def one_time_passwords_disabled():
    """A method that is not among the operator's."""
    return [
        post("credential", user_id="{alice}", type="totp", blob=SECRET),
        by_code(),
        proved(["password", "totp"], password={"user": ALICE}, **totp(CODE)),
        ruled(["password", "totp"]),
        by_password(),
        ruled(["totp"]),
        by_password(),
    ]


@scenario(config=WITH_TOTP)
def methods_together():
    """Several methods in one request."""
    both = {"password": {"user": ALICE}, **totp(CODE)}
    orders = (["password", "totp"], ["totp", "password"], ["totp", "password", "totp"], ["password"], ["totp"], [])
    wrong = ({**both, **totp("000000")}, {**both, "password": {"user": {**ALICE, "password": "wrong"}}}, {**both, **totp("{totp:%s}" % OTHER, "{bob}")})
    wrong += ({**both, "password": {"user": BOB}}, totp(CODE), {"password": {"user": ALICE}})
    held = {"token": {"id": "{token:unscoped}"}}
    return [
        post("credential", user_id="{alice}", type="totp", blob=SECRET),
        post("credential", user_id="{bob}", type="totp", blob=OTHER),
        *(proved(order, **both) for order in orders),
        *(proved(["password", "totp"], **identity) for identity in wrong),
        *(proved(["totp", "password"], **identity) for identity in wrong),
        *(proved(order, **both, **held) for order in (["token", "totp"], ["totp", "token"], ["token", "password", "totp"])),
        proved(["token", "totp"], **held, **totp("{totp:%s}" % OTHER, "{bob}")),
        {**proved(["password", "totp"], scope=PROJECT, **both), "token": "both"},
        *get("auth/tokens", who="both"),
        about("GET", "both"),
        {**rescope("both", "unscoped"), "token": "third"},
        about("GET", "third"),
        proved(["password", "external"], password={"user": ALICE}, external={}),
        proved(["external", "totp"], external={}, **totp(CODE)),
    ]


@scenario(config=WITH_TOTP)
def receipts():
    """Logins that need more than one method, and the receipts for those that were there."""
    receipt = "{receipt:password}"
    rules = ([["password"]], [["nonsense"]], [["nonsense", "password"]], [["nonsense"], ["totp"]], [["totp"]], [["password", "totp"], ["password"]], [])
    return [
        post("credential", user_id="{alice}", type="totp", blob=SECRET),
        post("credential", user_id="{bob}", type="totp", blob=OTHER),
        ruled(*RULES),
        by_password(save="password"),
        by_code(save="code"),
        *(by_password(scope=scope) for scope in ("unscoped", PROJECT, {"project": {"id": NOTHING}}, {"system": {"all": True}})),
        by_password({**ALICE, "password": "wrong"}),
        proved(["password", "totp"], password={"user": ALICE}, **totp(CODE)),
        proved(["token"], token={"id": "{token:unscoped}"}, save="token"),
        by_code(receipt=receipt),
        by_code(receipt=receipt, scope=PROJECT),
        by_code(receipt=receipt, scope={"system": {"all": True}}),
        {**by_code(receipt=receipt, scope="unscoped"), "token": "both"},
        about("GET", "both"),
        *(by_code(receipt="{receipt:%s}" % name) for name in ("code", "token")),
        by_password(receipt="{receipt:code}"),
        *(by_password(receipt=receipt, save="again") for _ in range(2)),
        by_code(receipt="{receipt:again}"),
        *(by_code(receipt=text) for text in ("", "garbage", "{token:unscoped}", "{receipt:password}=", "{receipt:password}A")),
        by_code("000000", receipt=receipt),
        # Whose it is, and whether it is needed at all.
        by_password(BOB, receipt=receipt),
        by_code("{totp:%s}" % OTHER, "{bob}", receipt=receipt),
        by_password(BOB, receipt="garbage"),
        *(step for one in rules for step in (ruled(*one), by_password(), by_code(), by_code(receipt=receipt))),
        ruled(*RULES, enabled=False),
        by_password(),
        by_password(receipt="garbage"),
        ruled(*RULES),
        ask("PATCH", "users/{alice}", {"user": {"default_project_id": "{demo}"}}),
        by_password(),
        by_code(receipt=receipt),
        *get("auth/tokens", who="member"),
    ]


@scenario(config={**WITH_TOTP, "receipt": {"expiration": 2}})
def receipts_expired():
    return [
        post("credential", user_id="{alice}", type="totp", blob=SECRET),
        ruled(*RULES),
        by_password(save="password"),
        by_code(receipt="{receipt:password}"),
        wait(3),
        by_code(receipt="{receipt:password}"),
        proved(["password", "totp"], receipt="{receipt:password}", password={"user": ALICE}, **totp(CODE)),
        ruled(),
        by_password(receipt="{receipt:password}"),
        by_password(),
    ]


def signed():
    """What is told of tokens, whatever they are signed with."""
    subjects = ("member", "domain admin", "system reader", "unscoped", "!garbage", "!gAAAAAB", "!a.b.c", "!", None)
    return [
        attempt(ALICE, PROJECT),
        attempt({**ALICE, "password": "wrong"}, PROJECT),
        *(attempt(ALICE, scope) for scope in (None, {"system": {"all": True}}, {"domain": {"id": "{acme}"}})),
        attempt({"id": "{carol}", "password": "carol"}, {"domain": {"id": "{acme}"}}),
        *(about(method, subject) for subject in subjects for method in ("GET", "HEAD")),
        *(about("GET", f"!{{token:{name}}}{tail}") for name in ("member", "unscoped") for tail in ("A", "AAAA", ".", ".AAAA")),
        *(rescope(name, scope) for name in ("member", "unscoped") for scope in (None, PROJECT)),
        {**rescope("unscoped", PROJECT), "token": "second"},
        about("GET", "second"),
        *get("auth/projects", "users/{alice}", who="second"),
        about("DELETE", "second"),
        about("GET", "second"),
        login("again", "{alice}", "alice", PROJECT),
        *patch("user", "users/{alice}", {"password": "alice"}),
        about("GET", "again"),
    ]


@scenario(config={"token": {"provider": "jws"}})
def signed_tokens():
    return signed()


@scenario(config={"token": {"provider": "jws"}, "jwt_tokens": {"jws_algorithm": "ES384", "jws_accepted_algorithms": "ES256,ES384"}})
def signed_tokens_of_es384():
    return signed()[:8]


@scenario(config={"token": {"provider": "jws"}, "jwt_tokens": {"jws_algorithm": "ES512", "jws_accepted_algorithms": "ES512"}})
def signed_tokens_of_es512():
    return signed()[:8]


@scenario(config={"token": {"provider": "jws"}, "jwt_tokens": {"jws_algorithm": "EdDSA", "jws_accepted_algorithms": "EdDSA"}})
def signed_tokens_of_eddsa():
    return signed()[:8]


@scenario(config={**WITH_TOTP, "token": {"provider": "jws"}})
def receipts_beside_signed_tokens():
    return [
        post("credential", user_id="{alice}", type="totp", blob=SECRET),
        ruled(*RULES),
        by_password(save="password"),
        {**by_code(receipt="{receipt:password}", scope=PROJECT), "token": "both"},
        about("GET", "both"),
        *get("auth/projects", who="both"),
        by_code(receipt="{token:both}"),
    ]
