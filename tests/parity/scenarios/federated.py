"""Users whom an identity provider vouches for, by a web server in front: logins, their tokens, and what refuses a browser."""

import hashlib

from harness import wire

from .cast import ask, mapping, scenario, wait

ISSUER = "provider"
PROVIDER = hashlib.sha256(ISSUER.encode()).hexdigest()
DEMO = {"project": {"id": "{demo}"}}
STAFF = "projects/{demo}/groups/{staff}/roles/{reader}"


def rules(*local, remote=("NAME", "G")):
    return [{"remote": [{"type": name} for name in remote], "local": list(local)}]


NAMED = {"user": {"name": "{0}"}}
GROUPS = rules(NAMED, {"groups": "{1}", "domain": {"id": "default"}})


def at(protocol="mapped", provider=PROVIDER):
    return f"OS-FEDERATION/identity_providers/{provider}/protocols/{protocol}/auth"


def enter(name="ann", groups="staff", method="GET", path=None, body=None, **more):
    """A login of which the web server says that it is this user's, who is in these groups."""
    environ = {"NAME": name, "G": groups, **more.pop("environ", {})}
    environ = {key: value for key, value in environ.items() if value is not None}
    return ask(method, path or at(), body, None, environ=environ, **more)


def by_method(part=None, scope=None, method="mapped", **more):
    """The same by a method of `POST /v3/auth/tokens`."""
    part = {"identity_provider": PROVIDER, "protocol": "mapped"} if part is None else part
    body = wire.auth({"methods": [method], method: part}, scope)
    return enter(method="POST", path="auth/tokens", body=body, **more)


def rescope(name, scope=None, method="token", **more):
    body = wire.auth({"methods": [method], method: {"id": f"{{token:{name}}}"}}, scope)
    return ask("POST", "auth/tokens", body, None, **more)


def about(name, who="admin", method="GET"):
    return ask(method, "auth/tokens", who=who, headers={"X-Subject-Token": f"{{token:{name}}}"})


def show(path):
    return ask("GET", path)


def begin(own=GROUPS):
    return [ask("PUT", STAFF), mapping("m", own, ISSUER, "mapped")]


@scenario
def federated_logins():
    steps = [*begin(), enter(save={"ann": "token/user/id"}, token="ann"), about("ann"), about("ann", "ann"), about("ann", "ann", "HEAD")]
    steps += [enter(method=method) for method in ("POST", "HEAD")] + [enter(method="POST", body={"x": 1})]
    steps += [enter(method="POST", raw="x", headers={"Content-Type": kind}) for kind in ("text/plain", "application/json")]
    # Whom the mapping does not name.
    steps += [enter(None), enter(groups=None), enter("ann;bob"), enter(" "), enter("jörg ☃"), enter("a/b c%d@e~f+"), enter("n" * 256)]
    steps += [enter(groups=groups) for groups in ("nobody", "staff;nobody", "crew", "staff;staff", "STAFF")]
    # Where to.
    steps += [enter(path=at(protocol)) for protocol in ("openid", "saml2", "password", "token", "external", "nothing")]
    steps += [enter(path=at(provider=provider)) for provider in ("nowhere", "{acme}")]
    # By a method, with a scope.
    scopes = (None, "unscoped", DEMO, {"project": {"name": "demo", "domain": {"id": "default"}}}, {"project": {"id": "{works}"}}, {"project": {"id": "nowhere"}})
    scopes += ({"domain": {"id": "default"}}, {"domain": {"id": "{acme}"}}, "system")
    steps += [by_method(scope=scope) for scope in scopes] + [by_method(scope=DEMO, groups="crew")]
    parts = ({}, {"identity_provider": PROVIDER}, {"protocol": "mapped"}, {"identity_provider": "nowhere", "protocol": "mapped"}, {"identity_provider": PROVIDER, "protocol": "nothing"})
    steps += [by_method(part) for part in parts] + [by_method(method=method) for method in ("openid", "nothing")]
    # The user that came of it.
    steps += [show(f"users/{{ann}}{path}") for path in ("", "/groups", "/projects")] + [show("users?name=ann"), show("role_assignments?user.id={ann}&effective")]
    return steps


@scenario
def federated_tokens():
    steps = [*begin(), ask("PUT", "domains/default/groups/{staff}/roles/{member}"), enter(save={"ann": "token/user/id"}, token="ann")]
    for name, scope in (("demo", DEMO), ("default", {"domain": {"id": "default"}}), ("unscoped", "unscoped")):
        steps += [rescope("ann", scope, token=name), about(name), about(name, name), rescope(name, DEMO), rescope(name, scope, "mapped")]
        steps += [ask("GET", path, who=name) for path in ("auth/projects", "auth/domains", "auth/catalog", "users/{ann}", "users/{ann}/projects")]
    steps += [rescope("ann", scope) for scope in ({"project": {"id": "{works}"}}, {"project": {"id": "nowhere"}}, {"domain": {"id": "{acme}"}})]
    # Roles that end, and groups that change.
    steps += [ask("DELETE", STAFF), about("demo"), about("default"), rescope("ann", DEMO), ask("PUT", STAFF), about("demo")]
    steps += [wait(2), enter(groups="nobody", token="less"), about("ann"), about("demo"), about("less"), rescope("less", DEMO)]
    steps += [wait(2), enter(token="again"), rescope("again", DEMO, token="scoped"), about("scoped"), about("less")]
    steps += [ask("DELETE", "auth/tokens", headers={"X-Subject-Token": "{token:again}"}), about("again"), about("scoped"), rescope("again", DEMO)]
    steps += [wait(2), enter(token="last"), ask("DELETE", "users/{ann}"), about("last"), rescope("last", DEMO), wait(2), enter(token="new"), about("new")]
    return steps


@scenario(config={"federation": {"default_authorization_ttl": 60}})
def federated_memberships():
    """With a life of their own, memberships count where no token names the groups."""
    credential = {"application_credential": {"name": "a", "secret": "s"}}
    steps = [*begin(), enter(save={"ann": "token/user/id"}, token="ann"), rescope("ann", DEMO, token="demo")]
    steps += [show("users/{ann}/projects"), show("role_assignments?user.id={ann}&effective"), ask("HEAD", "groups/{staff}/users/{ann}"), show("groups/{staff}/users")]
    steps += [ask("POST", "users/{ann}/application_credentials", credential, "demo", save={"a": "application_credential/id"})]
    held = wire.auth({"methods": ["application_credential"], "application_credential": {"id": "{a}", "secret": "s"}}, None)
    steps += [ask("POST", "auth/tokens", held, None, token="credential"), about("credential")]
    steps += [wait(2), enter(groups="nobody"), about("credential"), ask("POST", "auth/tokens", held, None), show("users/{ann}/projects")]
    return steps


@scenario
def federated_users():
    """What mappings make of users and projects."""
    steps = [*begin()]
    for number, local in enumerate((
        [{"user": {"id": "{0}", "name": "{1}"}}],
        [{"user": {"name": "{0}", "email": "{1}"}}],
        [{"user": {"name": "{0}", "domain": {"id": "{acme}"}}}],
        [{"user": {"name": "{0}", "domain": {"name": "Acme"}}}],
        [{"user": {"name": "{0}", "domain": {"name": "Nowhere"}}}],
        [{"user": {"name": "{0}", "domain": {"id": "nowhere"}}}],
        [{"user": {"name": "{0}", "domain": {"id": "{off}"}}}],
        [NAMED, {"group": {"id": "{staff}"}}],
        [NAMED, {"group": {"id": "nowhere"}}],
        [NAMED, {"group": {"name": "crew", "domain": {"name": "Acme"}}}],
        [NAMED, {"group": {"name": "crew", "domain": {"name": "Nowhere"}}}],
        [{"user": {"name": "alice", "type": "local", "domain": {"id": "default"}}}],
        [{"user": {"name": "nobody", "type": "local", "domain": {"id": "default"}}}],
        [{"user": {"id": "{alice}", "type": "local"}}],
        [{"user": {"name": "alice", "type": "local"}}],
        [NAMED, {"projects": [{"name": "new-{0}", "roles": [{"name": "member"}]}]}],
        [NAMED, {"projects": [{"name": "demo", "roles": [{"name": "reader"}, {"name": "member"}]}]}],
        [NAMED, {"projects": [{"name": "other", "roles": [{"name": "local"}]}]}],
        [NAMED, {"projects": [{"name": "other", "roles": [{"name": "nothing"}]}]}],
    )):
        name = f"user{number}"
        steps += [mapping("m", rules(*local)), enter(name), enter(name), enter(name, "other")]
    return [*steps, show("projects?name=new-user15"), show("projects?name=other"), show("users?name=user3")]


@scenario(config={"federation": {"trusted_dashboard": "http://Dashboard/auth/"}, "mapped": {"remote_id_attribute": "ISSUER"}})
def browsers_that_are_refused():
    provider = f"auth/OS-FEDERATION/identity_providers/{PROVIDER}/protocols/mapped/websso"
    anywhere = "auth/OS-FEDERATION/websso/mapped"
    steps = begin()
    for path in (provider, anywhere, "auth/OS-FEDERATION/websso/openid"):
        for origin in ("", "?origin=", "?origin=http://Dashboard/auth/", "?origin=http://dashboard/auth", "?x=http://dashboard/auth/"):
            steps += [enter(path=path + origin, method=method) for method in ("GET", "POST")]
            steps += [enter(path=path + origin, environ={"ISSUER": "nobody"})]
    steps += [enter(path=f"{anywhere}?origin=http://dashboard/auth/", environ={"ISSUER": "nobody"})]
    steps += [enter(None, path=f"{provider}?origin=http://dashboard/auth/"), enter(path="auth/OS-FEDERATION/identity_providers/nowhere/protocols/mapped/websso?origin=http://dashboard/auth/")]
    return steps
