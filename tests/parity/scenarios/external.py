"""Users that a web server in front has authenticated: `external` and `kerberos`."""

from harness import wire

from .cast import ask, get, login, post, scenario, wait

DEMO = {"project": {"id": "{demo}"}}


def enter(user=None, methods=("external",), scope=None, save="", receipt="", parts=(), headers=(), **environ):
    """A login of which the web server says that it is this user's; `parts` are those of the methods."""
    environ = {**({} if user is None else {"REMOTE_USER": user}), **environ}
    identity = {"methods": list(methods), **{method: {} for method in methods}, **dict(parts)}
    more = {**({"environ": environ} if environ else {}), **({"headers": dict(headers)} if headers else {})}
    more |= {**({"token": save} if save else {}), **({"receipt": receipt} if receipt else {})}
    return ask("POST", "auth/tokens", wire.auth(identity, scope), None, **more)


def password(user, secret=None):
    return {"password": {"user": {"id": f"{{{user}}}", "password": secret or user}}}


def about(name, who="admin", method="GET"):
    return ask(method, "auth/tokens", who=who, headers={"X-Subject-Token": f"{{token:{name}}}"})


def change(path, **fields):
    kind = path.split("/")[0][:-1]
    return ask("PATCH", path, {kind: fields})


@scenario
def external_logins():
    held = {"token": {"id": "{token:external}"}}
    steps = [enter(), enter(""), enter("alice", save="external"), enter("alice", scope=DEMO, save="scoped"), about("external"), about("scoped"), about("scoped", "scoped")]
    scopes = ("unscoped", "system", {"domain": {"id": "{acme}"}}, {"project": {"id": "{works}"}}, {"project": {"id": "{closed}"}}, {"project": {"id": "nowhere"}})
    steps += [enter("alice", scope=scope) for scope in scopes] + [enter("frank", scope="system")]
    steps += [enter(user) for user in ("nobody", "carol", "{alice}", "alice@x", "default\\alice", "admin")]
    # The plugin in use does not ask for a domain.
    steps += [enter("alice", REMOTE_DOMAIN="Acme"), enter("carol", REMOTE_DOMAIN="Acme"), enter("alice", AUTH_TYPE="Negotiate"), enter(None, REMOTE_DOMAIN="Default")]
    # What the client says of the method does not matter.
    steps += [enter("alice", parts={"external": part}) for part in (None, "x", [], 5, {"user": {"name": "bob"}})]
    steps += [ask("POST", "auth/tokens", {"auth": {"identity": {"methods": ["external"]}}}, None, environ={"REMOTE_USER": "alice"})]
    steps += [enter("alice", ("external", "external")), enter("alice", ()), enter("nobody", ())]
    # Beside another method, whether it is asked for or not.
    for user in ("alice", "bob", "nobody", "", None):
        steps += [enter(user, ("password",), parts=password("alice")), enter(user, ("external", "password"), parts=password("alice"))]
        steps += [enter(user, ("password", "external"), parts=password("alice")), enter(user, ("password",), parts=password("alice", "wrong"))]
        steps += [enter(user, ("token",), parts=held), enter(user, ("token", "external"), parts=held)]
    steps += [enter("alice", ("password",), DEMO, "both", parts=password("alice")), about("both"), enter("alice", ("kerberos",), AUTH_TYPE="Negotiate")]
    # Exchanged, and on another path.
    steps += [enter(None, ("token",), DEMO, "exchanged", parts=held), about("exchanged")]
    steps += [ask("GET", path, who=None, environ={"REMOTE_USER": "admin"}) for path in ("users", "auth/projects", "auth/tokens", "")]
    steps += [ask("GET", "auth/projects", who="member", environ={"REMOTE_USER": "admin"}), about("scoped", method="DELETE"), about("scoped")]
    # The user's default project.
    steps += [change("users/{alice}", default_project_id="{demo}"), enter("alice"), enter("alice", scope="unscoped")]
    return steps


@scenario
def external_logins_ended():
    """What ends the tokens, and what refuses the login."""
    place = {"project": {"id": "{grandchild}"}}
    seen = [enter("alice", save="again"), about("external"), about("again"), enter("alice", scope=place), enter("alice", ("password",), parts=password("alice"))]
    steps = [enter("alice", scope=place, save="external"), about("external")]
    for path in ("users/{alice}", "projects/{grandchild}"):
        steps += [change(path, enabled=False), *seen, change(path, enabled=True), wait(1), enter("alice", scope=place, save="external")]
    steps += [change("users/{alice}", password="new"), *seen]
    # Somebody without a password.
    return [*steps, post("user", "grace", name="grace", domain_id="default"), enter("grace"), ask("DELETE", "users/{grace}"), enter("grace")]


@scenario
def external_logins_under_rules():
    """The method counts for a user's rules, and for receipts."""

    def rules(*rules):
        return change("users/{alice}", options={"multi_factor_auth_rules": list(rules)})

    receipt = {"OpenStack-Auth-Receipt": "{receipt:first}"}
    steps = [rules(["external", "password"]), enter("alice"), enter("alice", receipt="first"), enter(None, ("password",), parts=password("alice"))]
    steps += [enter("alice", ("password",), parts=password("alice")), enter("bob", ("password",), parts=password("alice"))]
    steps += [enter(None, ("password",), headers=receipt, parts=password("alice"), save="received"), about("received")]
    steps += [enter("alice", headers=receipt), enter("bob", headers=receipt), rules(["external"]), enter("alice"), enter(None, ("password",), parts=password("alice"))]
    return steps + [rules(["password", "totp"]), enter("alice")]


@scenario(config={"auth": {"external": "Domain"}})
def external_logins_of_domains():
    steps = [post("user", name=name, domain_id=domain) for name, domain in (("alice", "{acme}"), ("otto", "{off}"))]
    steps += [enter(user) for user in ("alice", "carol", "nobody")]
    for domain in ("Acme", "Default", "", "{acme}", "default", "Off", "Nowhere", "demo"):
        steps += [enter(user, REMOTE_DOMAIN=domain) for user in ("alice", "carol", "otto")]
    steps += [enter("carol", scope={"domain": {"id": "{acme}"}}, save="carol", REMOTE_DOMAIN="Acme"), about("carol"), enter(None, REMOTE_DOMAIN="Acme")]
    steps += [enter("alice", ("password",), parts=password("alice"), REMOTE_DOMAIN="Acme"), enter("carol", ("password",), parts=password("alice"))]
    return steps + [ask("PATCH", "domains/{acme}", {"domain": {"enabled": False}}), enter("carol", REMOTE_DOMAIN="Acme"), about("carol")]


@scenario(config={"auth": {"methods": ["external", "password", "token", "kerberos"]}})
def kerberos_logins():
    negotiated = {"AUTH_TYPE": "Negotiate"}
    steps = [enter("alice", ("kerberos",), save="kerberos", **negotiated), about("kerberos"), enter(None, ("kerberos",), **negotiated), enter("", ("kerberos",), **negotiated)]
    steps += [enter("alice", ("kerberos",)), *(enter("alice", ("kerberos",), AUTH_TYPE=kind) for kind in ("Basic", "negotiate", ""))]
    steps += [enter("carol", ("kerberos",), REMOTE_DOMAIN=domain, **negotiated) for domain in ("Acme", "Default", "Nowhere", "")]
    steps += [enter("nobody", ("kerberos",), **negotiated), enter("alice", ("kerberos",), REMOTE_DOMAIN="Acme", **negotiated)]
    steps += [enter("alice", ("kerberos", "password"), parts=password(user), **negotiated) for user in ("alice", "bob")]
    steps += [enter("alice", ("external", "kerberos"), **negotiated), enter("alice", ("external",), **negotiated)]
    return steps + [enter(None, ("token",), DEMO, parts={"token": {"id": "{token:kerberos}"}}), ask("GET", "users", who=None, environ={"REMOTE_USER": "admin", **negotiated})]


@scenario(config={"auth": {"methods": ["password", "token", "kerberos"]}})
def kerberos_logins_only():
    """Without `external`, the user of the web server counts for this method alone."""
    negotiated = {"AUTH_TYPE": "Negotiate"}
    steps = [enter("alice", ("kerberos",), save="kerberos", **negotiated), about("kerberos"), enter("alice", ("external",)), enter("alice", ("external", "kerberos"), **negotiated)]
    return steps + [enter("bob", ("password",), parts=password("alice"), **negotiated), enter("bob", ("kerberos", "password"), parts=password("alice"), **negotiated)]


@scenario(config={"auth": {"methods": ["password", "token"]}})
def external_logins_not_enabled():
    steps = [enter("alice"), enter("alice", ("kerberos",), AUTH_TYPE="Negotiate"), enter("bob", ("password",), parts=password("alice"))]
    return steps + [login("alice", "{alice}", "alice", None), *get("auth/projects", who="alice")]
