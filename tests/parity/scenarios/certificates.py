"""Callers and clients by X.509 certificate, which a web server in front has verified: tokenless authorisation, and OAuth 2.0
with mutual TLS.

`certificates/` has the certificates, whose keys nobody has: of the issuer `O=Test, CN=ca`, but for one.
"""

import pathlib

from harness import wire

from .cast import NOTHING, ask, mapping, post, scenario, wait

ISSUER = "CN=ca,O=Test"
OTHER = "CN=other,O=Test"
NAME = "SSL_CLIENT_S_DN_CN"
DEFAULT = {"id": "default"}
DEMO = {"X-Project-Id": "{demo}"}
ACME = {"X-Domain-Id": "{acme}"}
TRUSTED = {"tokenless_auth": {"trusted_issuer": ISSUER}}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MAPPING = "oauth2_mapping"


def rule(user=None, remote=(), **local):
    """A rule for certificates; in it, `{0}` is the common name."""
    mapped = [{"user": user}] if user else []
    return {"remote": [{"type": NAME}, *remote], "local": [*mapped, *([local] if local else [])]}


def local(**user):
    return rule({"type": "local", **user})


def call(path, headers=(), name="alice", method="GET", body=None, who=None, issuer=ISSUER, **environ):
    """A request without a token, with a certificate of this common name and the scope in headers."""
    environ = {"SSL_CLIENT_I_DN": issuer, NAME: name, **environ}
    environ = {key: value for key, value in environ.items() if value is not None}
    return ask(method, path, body, who, headers=dict(headers), environ=environ)


@scenario(config=TRUSTED)
def tokenless_callers():
    """Of local users: their scope, and what they may do."""
    own = "users/{alice}/projects"
    steps = [mapping("certificates", [local(name="{0}", domain=DEFAULT)], ISSUER), ask("PUT", "domains/{acme}/users/{alice}/roles/{reader}")]
    scopes = ({}, DEMO, ACME, {**DEMO, **ACME}, {"X-Project-Name": "demo"}, {"X-Project-Name": "demo", "X-Project-Domain-Id": "default"})
    scopes += ({"X-Project-Name": "demo", "X-Project-Domain-Name": "Default"}, {"X-Project-Name": "demo", "X-Project-Domain-Name": "Acme"}, {"X-Domain-Name": "Acme"})
    scopes += ({"X-Project-Name": "demo", "X-Project-Domain-Id": "default", "X-Project-Domain-Name": "Acme"}, {"X-Project-Id": ""}, {"X-Project-Id": "", "X-Domain-Name": "Acme"})
    scopes += ({"X-Project-Id": "nowhere"}, {"X-Project-Id": "{closed}"}, {"X-Project-Id": "{works}"}, {"X-Domain-Id": "{off}"}, {"X-Domain-Name": "Off"}, {"X-Domain-Id": "nowhere"})
    scopes += ({"X-Domain-Name": "Nowhere"}, {"X-Project-Name": "nowhere", "X-Project-Domain-Id": "default"}, {"X-Project-Name": "demo", "X-Project-Domain-Id": "nowhere"})
    scopes += ({"X-Project-Domain-Id": "default"}, {"OpenStack-System-Scope": "all"}, {"X-Domain-Id": "default"}, {"X-Project-Id": "{child}"})
    steps += [call(own, scope) for scope in scopes]
    # Whose certificate it is, and of which issuer.
    steps += [call(own, DEMO, name) for name in ("bob", "carol", "nobody", None)]
    steps += [call(own, DEMO, issuer=issuer) for issuer in (OTHER, "O=Test,CN=ca", ISSUER.lower(), ISSUER + " ", "", None)]
    steps += [call(own, issuer=OTHER), call(own, issuer=None), call(own, DEMO, REMOTE_USER="alice")]
    # A token counts first, and an invalid one as none.
    steps += [call(own, DEMO, "bob", who=who) for who in ("member", "admin")] + [call(own, {**DEMO, "X-Auth-Token": "nonsense"}), call(own, {**DEMO, "X-Auth-Token": ""})]
    # Requests of all kinds. Where a rule looks into the token, which is null, Keystone fails: such are left out.
    paths = ("users", "projects", "projects/{demo}", "auth/projects", "auth/domains", "auth/system", "auth/tokens", "regions", "")
    paths += ("services", "endpoints", "roles", "credentials", "users/{alice}/groups", "users/{alice}/application_credentials", "users/{alice}/credentials/OS-EC2", "OS-TRUST/trusts")
    paths += ("role_assignments?user.id={alice}&effective", "limits", "registered_limits", "nowhere", "OS-REVOKE/events", "groups/{staff}/users", "policies", "OS-EP-FILTER/endpoint_groups")
    steps += [call(path, scope) for path in paths for scope in (DEMO, ACME)]
    steps += [call("users/{alice}/projects", DEMO, method="HEAD"), call("auth/projects", DEMO, method="HEAD"), call("users", DEMO, method="HEAD")]
    return steps


@scenario(config=TRUSTED)
def tokenless_administrators():
    """What an administrator may do with a certificate."""
    steps = [mapping("certificates", [local(name="{0}", domain=DEFAULT)], ISSUER), ask("PUT", "projects/{demo}/users/{bob}/roles/{admin}")]

    def bob(path, method="GET", body=None, **headers):
        return call(path, {**DEMO, **headers}, "bob", method, body)

    paths = ("users", "users/{alice}", "projects", "projects/{demo}", "domains/{acme}", "roles", "auth/projects", "auth/domains", "auth/system", "credentials")
    paths += ("users/{alice}/application_credentials", "users/{bob}/application_credentials", "users/{alice}/credentials/OS-EC2", "OS-TRUST/trusts", "role_assignments", "services")
    paths += ("groups/{staff}/users", "users/{alice}/OS-OAUTH1/access_tokens", "OS-OAUTH1/consumers", "OS-REVOKE/events", "limits", "domains/{acme}/config", "policies")
    steps += [bob(path) for path in paths]
    subject = {"X-Subject-Token": "{token:member}"}
    steps += [bob("auth/tokens", **subject), bob("auth/tokens", "HEAD", **subject), bob("auth/tokens", "DELETE", **subject), bob("auth/tokens", **{"X-Subject-Token": "nonsense"})]
    bodies = (("users", {"user": {"name": "heidi", "domain_id": "default"}}), ("users", {"user": {"name": "ivan"}}), ("projects", {"project": {"name": "new", "domain_id": "default"}}))
    bodies += (("projects", {"project": {"name": "new"}}), ("groups", {"group": {"name": "new"}}), ("roles", {"role": {"name": "new"}}), ("regions", {"region": {"id": "south"}}))
    bodies += (("credentials", {"credential": {"type": "cert", "blob": "x", "user_id": "{bob}"}}), ("credentials", {"credential": {"type": "cert", "blob": "x"}}))
    bodies += (("users/{bob}/application_credentials", {"application_credential": {"name": "one"}}), ("users/{bob}/credentials/OS-EC2", {"tenant_id": "{demo}"}))
    bodies += (("users/{alice}/password", {"user": {"original_password": "alice", "password": "new"}}), ("OS-OAUTH1/consumers", {"consumer": {}}))
    steps += [bob(path, "POST", body) for path, body in bodies]
    login = wire.auth({"methods": ["password"], "password": {"user": {"id": "{alice}", "password": "new"}}}, None)
    steps += [bob("auth/tokens", "POST", login), call("auth/tokens", {}, "bob", "POST", login), call("auth/tokens", DEMO, "bob", "POST", login, issuer=OTHER)]
    steps += [bob("users/{alice}", "PATCH", {"user": {"description": "new"}}), bob("projects/{child}/tags/x", "PUT"), bob("projects/{demo}/users/{dave}/roles/{member}", "PUT")]
    return steps + [bob("groups/{staff}/users/{alice}", "DELETE"), bob("regions/south", "DELETE"), bob("users/{dave}", "DELETE")]


@scenario(config=TRUSTED)
def tokenless_users():
    """Which user of the database a mapping names, and whether that one is let in."""
    users = ({"id": "{alice}"}, {"id": "{alice}", "name": "bob", "domain": DEFAULT}, {"id": "{alice}", "domain": {"id": "{acme}"}}, {"id": NOTHING})
    users += ({"name": "alice", "domain": {"name": "Default"}}, {"name": "alice", "domain": {"name": "Acme"}}, {"name": "carol", "domain": {"name": "Acme"}})
    users += ({"name": "alice", "domain": {"id": "{acme}", "name": "Default"}}, {"name": "alice", "domain": {**DEFAULT, "name": "Acme"}}, {"name": "Alice", "domain": DEFAULT})
    users += ({"name": "alice", "domain": {"id": NOTHING}}, {"name": "alice", "domain": {"name": "Nowhere"}}, {"name": "alice", "domain": {"id": "{off}"}})
    users += ({"name": "alice"}, {"domain": DEFAULT}, {"email": "alice@x"}, {"id": "{0}", "name": "{0}", "domain": DEFAULT}, {"id": "", "name": "alice", "domain": DEFAULT})
    steps = [mapping("certificates", [local(name="{0}", domain=DEFAULT)], ISSUER)]
    for user in users:
        steps += [mapping("certificates", [local(**user)]), call("users/{alice}/projects", DEMO), call("auth/projects", DEMO)]
    steps += [mapping("certificates", [local(name="{0}", domain=DEFAULT), local(name="bob", domain=DEFAULT)]), call("auth/projects", DEMO)]
    steps += [mapping("certificates", [rule({"name": "{0}", "type": "local", "domain": DEFAULT}, group={"id": "{crew}"})]), call("auth/projects", DEMO)]
    for name, domain in (("{0}", {"name": "Acme"}), ("{0}", {"id": "{acme}"})):
        steps += [mapping("certificates", [local(name=name, domain=domain)]), call("auth/domains", ACME, "carol"), call("auth/projects", DEMO, "carol")]
    steps += [mapping("certificates", [local(name="{0}", domain=DEFAULT)])]
    # Scopes beside each other: the first of a project's id, its name, a domain's id and its name counts.
    named = {"X-Project-Name": "demo", "X-Project-Domain-Id": "default"}
    scopes = ({**DEMO, "X-Project-Name": "child", "X-Project-Domain-Id": "default"}, {"X-Project-Id": "{works}", **named}, {**named, **ACME}, {"X-Project-Name": "demo", **ACME})
    scopes += ({"X-Domain-Id": "{acme}", "X-Domain-Name": "Default"}, {"X-Domain-Id": "default", "X-Domain-Name": "Acme"}, {"X-Project-Domain-Id": "default", **ACME}, {"X-Domain-Id": "{demo}"})
    scopes += ({"X-Project-Id": "{acme}"}, {"X-Project-Id": "default"}, {"X-Project-Name": "Default", "X-Project-Domain-Id": "default"}, {**named, "X-Project-Domain-Id": "", "X-Project-Domain-Name": "Default"})
    steps += [call(path, scope) for scope in scopes for path in ("projects/{demo}", "auth/catalog")]
    # Of a local user the roles on the scope count, and those elsewhere do not.
    steps += [ask("PUT", "projects/{child}/users/{bob}/roles/{admin}")]
    steps += [call("users", {"X-Project-Id": project}, "bob") for project in ("{child}", "{demo}", "{grandchild}")]
    path = "projects/{child}/users/{bob}/roles/{admin}"
    steps += [ask("DELETE", path), call("users", {"X-Project-Id": "{child}"}, "bob"), ask("PUT", path)]
    steps += [call("users", {"X-Project-Id": "{child}"}, "bob"), ask("PATCH", "projects/{grandchild}", {"project": {"enabled": False}})]
    steps += [ask("PATCH", "projects/{child}", {"project": {"enabled": False}}), call("users", {"X-Project-Id": "{child}"}, "bob")]
    steps += [ask("DELETE", "users/{bob}"), call("users", DEMO, "bob")]
    # Whether the identity provider is enabled is not asked.
    return [*steps, mapping("certificates", [local(name="{0}", domain=DEFAULT)], ISSUER, enabled=False), call("auth/projects", DEMO)]


@scenario(config=TRUSTED)
def tokenless_groups():
    """Callers who are nobody but in groups."""
    nobody = {"name": "{0}", "type": "ephemeral"}
    staff = {"id": "{staff}"}
    steps = [mapping("certificates", [rule(nobody, group=staff)], ISSUER)]
    grants = ("projects/{demo}/groups/{staff}/roles/{admin}", "domains/{acme}/groups/{crew}/roles/{reader}", "system/groups/{crew}/roles/{reader}")
    grants += ("OS-INHERIT/domains/{acme}/groups/{crew}/roles/{reader}/inherited_to_projects", "OS-INHERIT/projects/{demo}/groups/{crew}/roles/{member}/inherited_to_projects")
    seen = [call("auth/projects", DEMO), call("auth/domains", ACME), call("auth/system", DEMO), call("users", DEMO), call("users", ACME)]
    steps += [*seen, *(ask("PUT", grant) for grant in grants)]
    users = (nobody, {"name": "{0}"}, {"name": "alice", "domain": DEFAULT}, {"id": "{alice}"}, {"id": "{alice}", "type": "ephemeral"}, None)
    for user in users:
        steps += [mapping("certificates", [rule(user, group=staff)]), *seen]
    mapped = ({"group": {"id": "{crew}"}}, {"group": {"name": "staff", "domain": DEFAULT}}, {"group": {"name": "crew", "domain": {"name": "Acme"}}}, {"group": {"name": "crew", "domain": DEFAULT}})
    mapped += ({"group": {"name": "nowhere", "domain": DEFAULT}}, {"group": {"name": "staff", "domain": {"name": "Nowhere"}}}, {"group": {"id": NOTHING}}, {})
    mapped += ({"groups": "staff", "domain": DEFAULT}, {"groups": "['staff', 'nowhere']", "domain": {"name": "Default"}}, {"group_ids": "['{staff}', '{crew}']"}, {"group_ids": "{staff}"})
    mapped += ({"projects": [{"name": "demo", "roles": [{"name": "admin"}]}], "domain": DEFAULT},)
    for groups in mapped:
        steps += [mapping("certificates", [rule(nobody, **groups)]), *seen]
    two = [rule(nobody, group=staff), rule(None, group={"id": "{crew}"})]
    steps += [mapping("certificates", two), *seen]
    scopes = ({}, {"X-Project-Id": "{child}"}, {"X-Project-Id": "{works}"}, {"X-Project-Id": "{closed}"}, {"X-Domain-Id": "default"}, {"X-Domain-Id": "{off}"}, {**DEMO, **ACME})
    steps += [call("auth/projects", scope) for scope in scopes] + [call("regions", scope) for scope in scopes]
    steps += [mapping("certificates", [rule(nobody, group=staff)])]
    steps += [post("endpoint", service_id="{images}", interface="internal", url="http://i/$(user_id)s/$(project_id)s"), ask("POST", "OS-TRUST/trusts", trust(), "member", save="trust")]
    paths = ("users/{alice}", "projects/{demo}", "projects?parent_id={demo}", "roles", "auth/catalog", "credentials", "users/{alice}/application_credentials", "limits")
    paths += ("OS-TRUST/trusts", "OS-TRUST/trusts?trustor_user_id={alice}", "OS-TRUST/trusts/{trust}", "OS-TRUST/trusts/{trust}/roles", "OS-TRUST/trusts/{trust}/roles/{member}")
    paths += ("role_assignments", "groups/{staff}/users", "users/{alice}/credentials/OS-EC2")
    steps += [call(path, scope) for path in paths for scope in (DEMO, ACME)]
    steps += [call("auth/tokens", {**DEMO, "X-Subject-Token": "{token:member}"})]
    bodies = (("users", {"user": {"name": "heidi", "domain_id": "default"}}), ("projects", {"project": {"name": "new", "domain_id": "default"}}), ("regions", {"region": {"id": "south"}}))
    bodies += (("OS-TRUST/trusts", trust()), ("users/{alice}/application_credentials", {"application_credential": {"name": "one"}}), ("users/{alice}/credentials/OS-EC2", {"tenant_id": "{demo}"}))
    steps += [call(path, DEMO, "alice", "POST", body) for path, body in bodies] + [call("OS-TRUST/trusts/{trust}", DEMO, method="DELETE")]
    return [*steps, mapping("certificates", [rule(nobody, group=staff)], ISSUER, enabled=False), call("auth/projects", DEMO)]


def trust(**fields):
    roles = [{"name": "member"}]
    return {"trust": {"trustor_user_id": "{alice}", "trustee_user_id": "{bob}", "project_id": "{demo}", "impersonation": False, "roles": roles, **fields}}


@scenario(config=TRUSTED)
def tokenless_trusts():
    """What callers by certificate delegate, and who sees it."""
    steps = [mapping("certificates", [local(name="{0}", domain=DEFAULT)], ISSUER), ask("PUT", "projects/{child}/users/{alice}/roles/{user}")]

    def trusts(body=None, name="alice", method="GET", path="", scope=DEMO, **more):
        return {**call(f"OS-TRUST/trusts{path}", scope, name, method, body), **more}

    steps += [trusts(trust(), method="POST", save="one"), trusts(trust(impersonation=True), method="POST", save="two")]
    steps += [trusts(trust(allow_redelegation=True, redelegation_count=1), method="POST", scope=ACME), trusts(trust(), method="POST", scope=DEMO, name="bob")]
    steps += [trusts(trust(roles=roles), method="POST") for roles in ([], [{"name": "admin"}], [{"id": "{reader}"}], [{"name": "nowhere"}])]
    steps += [trusts(trust(project_id="{child}", roles=[{"name": "user"}]), method="POST"), trusts(trust(project_id=None, roles=[]), method="POST", scope={"X-Project-Id": "{child}"})]
    steps += [trusts(trust(trustee_user_id=NOTHING), method="POST"), trusts(trust(trustor_user_id="{bob}", trustee_user_id="{alice}"), method="POST")]
    people = ("alice", "bob", "frank")
    paths = ("", "?trustor_user_id={alice}", "?trustee_user_id={bob}", "?trustor_user_id={bob}", "/{one}", "/{one}/roles", "/{one}/roles/{member}", "/{one}/roles/{admin}", "/nowhere")
    steps += [trusts(name=name, path=path) for path in paths for name in people]
    taken = {"methods": ["password"], "password": {"user": {"id": "{bob}", "password": "bob"}}}
    steps += [ask("POST", "auth/tokens", wire.auth(taken, {"OS-TRUST:trust": {"id": "{two}"}}), None)]
    steps += [trusts(name=name, method="DELETE", path="/{one}") for name in ("frank", "bob", "alice", "alice")]
    steps += [ask("PUT", "projects/{demo}/users/{bob}/roles/{admin}"), trusts(name="bob"), trusts(name="bob", path="/{two}"), trusts(name="bob", method="DELETE", path="/{two}")]
    return [*steps, ask("POST", "auth/tokens", wire.auth(taken, {"OS-TRUST:trust": {"id": "{two}"}}), None)]


OTHERWISE = {"trusted_issuer": ISSUER, "protocol": "certificates", "issuer_attribute": "SSL_CLIENT_ISSUER"}


@scenario(config={"tokenless_auth": OTHERWISE})
def tokenless_by_another_protocol():
    """The operator's own names of the protocol and of the issuer's variable."""
    people = [local(name="{0}", domain=DEFAULT)]
    issued = {"issuer": None, "SSL_CLIENT_ISSUER": ISSUER}
    steps = [call("auth/projects", DEMO, **issued), mapping("certificates", people, ISSUER), call("auth/projects", DEMO, **issued)]
    steps += [mapping("certificates", people, ISSUER, protocol="certificates"), call("auth/projects", DEMO, **issued), call("auth/projects", DEMO)]
    steps += [mapping("certificates", [rule({"name": "{0}"}, group={"id": "{staff}"})]), call("auth/projects", DEMO, **issued)]
    return [*steps, call("auth/projects", DEMO, issuer=None, SSL_CLIENT_ISSUER=OTHER), call("auth/projects", DEMO, issuer=OTHER, SSL_CLIENT_ISSUER=ISSUER)]


def pem(name):
    return (pathlib.Path(__file__).parent.parent / f"certificates/{name}.pem").read_text()


def token(client="{alice}", certificate="alice", form="grant_type=client_credentials", headers=(), save="", **more):
    """A token of OAuth 2.0 for a client with a certificate, by the name of its file."""
    form += "" if client is None else f"&client_id={client}"
    environ = {} if certificate is None else {"SSL_CLIENT_CERT": certificate if " " in certificate else pem(certificate)}
    saved = {"save": {f"token:{save}": "access_token"}} if save else {}
    return ask("POST", "OS-OAUTH2/token", who=None, raw=form, headers={**FORM, **dict(headers)}, environ={**environ, **more}, **saved)


def bound(name, method="GET", path="auth/tokens", certificate=None):
    """The administrator's request about a token, or where `path` says so the token's own."""
    environ = {"environ": {"SSL_CLIENT_CERT": pem(certificate)}} if certificate else {}
    if path == "auth/tokens":
        return ask(method, path, headers={"X-Subject-Token": f"{{token:{name}}}"}, **environ)
    return ask(method, path, who=None, headers={"X-Auth-Token": f"{{token:{name}}}"}, **environ)


def client(name, project="{demo}"):
    return ask("PATCH", f"users/{{{name}}}", {"user": {"default_project_id": project}})


def whose(user, *remote):
    return [{"remote": [{"type": "SSL_CLIENT_SUBJECT_DN_CN"}, {"type": "SSL_CLIENT_ISSUER_DN_CN", "any_one_of": ["ca"]}, *remote], "local": [{"user": user}]}]


BOTH = {"oauth2": {"oauth2_authn_methods": "tls_client_auth,client_secret_basic"}, "token": {"expiration": 600}}


@scenario(config=BOTH)
def oauth2_tokens_by_certificate():
    """Issued, used and refused."""
    steps = [token(), client("alice"), token(), mapping(MAPPING, whose({"name": "{0}", "domain": {"name": "Default"}})), token(save="bound")]
    steps += [bound("bound"), bound("bound", "HEAD"), bound("bound", certificate="alice"), bound("bound", certificate="bob")]
    paths = ("auth/projects", "auth/catalog", "users/{alice}", "users", "regions", "users/{alice}/application_credentials", "OS-TRUST/trusts?trustor_user_id={alice}")
    steps += [bound("bound", path=path, certificate=certificate) for path in paths for certificate in (None, "alice", "bob")]
    held = {"methods": ["token"], "token": {"id": "{token:bound}"}}
    scopes = (None, "unscoped", {"project": {"id": "{demo}"}}, {"project": {"id": "{child}"}}, "system")
    steps += [ask("POST", "auth/tokens", wire.auth(held, scope), None) for scope in scopes]
    own = {"X-Auth-Token": "{token:bound}"}
    steps += [ask("POST", "users/{alice}/application_credentials", {"application_credential": {"name": "one"}}, None, headers=own)]
    steps += [ask("POST", "users/{alice}/credentials/OS-EC2", {"tenant_id": "{demo}"}, None, headers=own)]
    trust = {"trustor_user_id": "{alice}", "trustee_user_id": "{bob}", "impersonation": False, "project_id": "{demo}", "roles": [{"id": "{member}"}]}
    steps += [ask("POST", "OS-TRUST/trusts", {"trust": trust}, None, headers=own)]
    # Whose certificate it is not, and which is none.
    certificates = ("bob", "alice-of-another-issuer", "many-attributes", "comma", "equals-sign", "umlaut", "no-subject", "no certificate", pem("alice").replace("MIH", "MIX"), pem("alice").replace("-----END", "--"))
    steps += [token(certificate=certificate) for certificate in certificates] + [token(certificate=None), token(certificate=pem("bob") + pem("alice"))]
    # Which client it is.
    steps += [token(who) for who in (None, "", "{bob}", "{carol}", "nobody", "alice", NOTHING)]
    basic = {"Authorization": "Basic YTpi"}
    steps += [token(headers=basic), token(None, headers=basic), token(certificate=None, headers=basic), token(form="grant_type=client_credentials&client_secret=x"), token(form="grant_type=password")]
    steps += [token(certificate=None, SSL_CLIENT_S_DN_CN="alice", SSL_CLIENT_SUBJECT_DN_CN="alice", SSL_CLIENT_VERIFY="SUCCESS"), token(SSL_CLIENT_VERIFY="NONE", SSL_CLIENT_S_DN_CN="bob")]
    # Its project and its roles there.
    steps += [client("alice", "{child}"), token(), client("alice", "{works}"), token(), client("alice", "{closed}"), token(), client("alice", "nowhere"), token(), client("alice", None), token()]
    return steps + [client("alice"), token(), bound("bound", "DELETE"), bound("bound"), bound("bound", path="auth/projects")]


@scenario(config=BOTH)
def oauth2_tokens_by_certificate_ended():
    place = [ask("PUT", "projects/{grandchild}/users/{alice}/roles/{member}"), client("alice", "{grandchild}")]
    steps = [*place, mapping(MAPPING, whose({"name": "{0}", "domain": {"id": "default"}}))]
    seen = [bound("bound"), token()]
    steps += [token(save="bound")]
    for path, kind in (("users/{alice}", "user"), ("projects/{grandchild}", "project")):
        steps += [ask("PATCH", path, {kind: {"enabled": False}}), *seen, ask("PATCH", path, {kind: {"enabled": True}}), *seen, wait(1), token(save="bound")]
    role = "projects/{grandchild}/users/{alice}/roles/{member}"
    steps += [ask("DELETE", role), *seen, ask("PUT", role), *seen, wait(1), token(save="bound"), ask("PATCH", "users/{alice}", {"user": {"password": "new"}}), *seen]
    rules = {"user": {"options": {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]}}}
    return [*steps, ask("PATCH", "users/{alice}", rules), *seen, ask("DELETE", "users/{alice}"), *seen]


@scenario(config={**BOTH, "oauth2": {**BOTH["oauth2"], "oauth2_cert_dn_mapping_id": "people"}})
def oauth2_tokens_by_certificates_of_many_attributes():
    """What of a certificate a mapping can look at."""
    steps = [client("alice"), mapping(MAPPING, whose({"name": "alice"})), token()]
    names = ("C", "ST", "L", "STREET", "O", "OU", "DC", "SN", "SURNAME", "GN", "GIVENNAME", "TITLE", "SERIALNUMBER", "UID", "CN", "EMAILADDRESS", "EMAIL", "2.5.4.4", "cn")
    for name in names:
        rules = [{"remote": [{"type": f"SSL_CLIENT_SUBJECT_DN_{name}"}], "local": [{"user": {"name": "alice"}}]}]
        steps += [mapping("people", rules), token(certificate="many-attributes")]
    # Of two, the last one; and as which texts values are seen.
    values = {"OU": ("one", "two", "one;two"), "CN": ("Liddell\\, Alice", "Liddell, Alice", "Liddell", "ümläut", "a=b", "alice")}
    for name, value in ((name, value) for name, texts in values.items() for value in texts):
        rules = [{"remote": [{"type": f"SSL_CLIENT_SUBJECT_DN_{name}", "any_one_of": [value]}], "local": [{"user": {"name": "alice"}}]}]
        steps += [mapping("people", rules), *(token(certificate=name) for name in ("many-attributes", "comma", "umlaut", "equals-sign", "alice"))]
    for name in ("SSL_CLIENT_S_DN_CN", "SSL_CLIENT_ISSUER_DN_CN", "SSL_CLIENT_I_DN_CN", "SSL_CLIENT_CERT", "REMOTE_USER"):
        steps += [mapping("people", [{"remote": [{"type": name}], "local": [{"user": {"name": "alice"}}]}]), token(REMOTE_USER="alice", SSL_CLIENT_S_DN_CN="alice")]
    return steps


@scenario(config=BOTH)
def oauth2_tokens_by_certificates_mapped():
    """What a mapping says of the user is held against the client."""
    users = ({"id": "{alice}"}, {"id": "{bob}"}, {"email": "alice@x"}, {"email": "bob@x"}, {"name": "alice", "email": "alice@x", "id": "{alice}"}, {"name": "alice", "email": "bob@x"})
    users += ({"name": "alice", "domain": {"id": "default"}}, {"name": "alice", "domain": {"id": "{acme}"}}, {"name": "alice", "domain": {"name": "Acme"}}, {"name": "Alice"})
    users += ({"name": "alice", "domain": {"id": "default", "name": "Acme"}}, {"name": "alice", "type": "local"}, {"name": "alice", "type": "ephemeral"}, {"name": "{0}"}, {"name": "{1}"})
    steps = [client("alice"), client("carol")]
    for user in users:
        steps += [mapping(MAPPING, whose(user)), token(), token("{carol}")]
    odd = ([], [{"remote": [{"type": "SSL_CLIENT_SUBJECT_DN_CN"}], "local": [{"group": {"id": "{staff}"}}, {"user": {"name": "{0}"}}]}])
    odd += (whose({"name": "{0}"}, {"type": "SSL_CLIENT_SUBJECT_DN_O"}), whose({"name": "alice"}) + whose({"name": "bob"}), whose({"name": "bob"}) + whose({"name": "alice"}))
    return steps + [step for rules in odd for step in (mapping(MAPPING, rules), token())]


@scenario(config={"oauth2": {"oauth2_authn_methods": "client_secret_basic"}})
def oauth2_tokens_by_certificate_not_enabled():
    steps = [client("alice"), mapping(MAPPING, whose({"name": "{0}"})), token(), token("nobody"), token(None)]
    return steps + [token(headers={"Authorization": "Basic YTpi"}), token(certificate=None)]
