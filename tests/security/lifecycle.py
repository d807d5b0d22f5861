"""Every change to what tokens depend on, and which tokens are valid after it."""

from people import (
    PASSWORD,
    SYSTEM,
    UNSCOPED,
    access_token,
    application_credential,
    ec2_credential,
    federated,
    group,
    holder,
    oauth2_client,
    on_domain,
    on_project,
    passcode,
    post,
    project,
    provider,
    put,
    trust,
    user,
)

MEMBER = "roles/{member}"
INHERITED = f"users/{{alice}}/{MEMBER}/inherited_to_projects"
GRANTS = {
    "project": f"projects/{{direct}}/users/{{alice}}/{MEMBER}",
    "group's on a project": f"projects/{{shared}}/groups/{{crew}}/{MEMBER}",
    "project's inherited": f"OS-INHERIT/projects/{{above}}/{INHERITED}",
    "domain's inherited": f"OS-INHERIT/domains/{{isle}}/{INHERITED}",
    "domain": f"domains/{{land}}/users/{{alice}}/{MEMBER}",
    "group's on a domain": f"domains/{{isle}}/groups/{{crew}}/{MEMBER}",
    "system": f"system/users/{{alice}}/{MEMBER}",
    "prior role's": "projects/{implied}/users/{alice}/roles/{prior}",
}
MEMBERSHIP = "groups/{crew}/users/{alice}"

CAST = [
    *(post("domains", name, name=name) for name in ("home", "land", "isle")),
    user("alice", "{home}"),
    user("trent", "{isle}"),
    # Only an administrator may authorise a request token.
    user("olga", "{home}"),
    group("crew", "{home}"),
    put(MEMBERSHIP),
    *(project(name, "{land}") for name in ("direct", "shared", "above", "implied")),
    project("below", "{land}", parent_id="{above}"),
    project("beach", "{isle}"),
    post("roles", "prior", name="prior"),
    put("roles/{prior}/implies/{reader}"),
    *(put(path) for path in GRANTS.values()),
    *(put("projects/{direct}/users/{olga}/roles/{%s}" % role) for role in ("admin", "member")),
    *provider("home", "crew"),
]

SCOPES = {
    "unscoped": UNSCOPED,
    "direct": on_project("direct"),
    "shared": on_project("shared"),
    "below": on_project("below"),
    "beach": on_project("beach"),
    "implied": on_project("implied"),
    "land": on_domain("land"),
    "isle": on_domain("isle"),
    "system": SYSTEM,
}
RESCOPED = ("direct", "land")
OWNER = "direct by password"
ROLE = {"roles": [{"id": "{member}"}]}
HOLDERS = [
    *(holder("alice", scope, f"{name} by password") for name, scope in SCOPES.items()),
    *(holder("alice", SCOPES[name], f"{name} by token", rescoped=True) for name in RESCOPED),
    application_credential(OWNER, "alice", "direct by application credential"),
    trust(OWNER, "alice", "trent", "direct", "direct by trust", impersonation=False, **ROLE),
    trust(OWNER, "alice", "trent", "direct", "direct by impersonation", impersonation=True, **ROLE),
    holder("olga", SCOPES["direct"], "olga by password"),
    access_token("olga by password", "olga", "direct", ["member"], "olga by access token"),
    ec2_credential(OWNER, "alice", "direct", "direct by EC2 credential"),
    passcode(OWNER, "alice", SCOPES["direct"], "direct by passcode"),
    oauth2_client(OWNER, "alice", "direct by OAuth2 client"),
    federated("fay", "fay, unscoped", put("projects/{direct}/users/{fay}/roles/{member}")),
    *(federated("fay", f"fay on {name}", scope=SCOPES[name]) for name in ("direct", "shared", "isle")),
    application_credential("fay on direct", "fay", "fay by application credential"),
    trust("fay on direct", "fay", "trent", "direct", "fay by impersonation", impersonation=True, **ROLE),
]


def patch(path, **fields):
    kind = path.split("/")[0][:-1]
    return {"method": "PATCH", "path": f"/v3/{path}", "body": {kind: fields}}


def delete(path, **more):
    return {"method": "DELETE", "path": f"/v3/{path}", **more}


def things():
    for kind, name in (
        *(("users", name) for name in ("alice", "trent", "olga", "fay")),
        *(("projects", name) for name in ("direct", "above", "below", "beach")),
        *(("domains", name) for name in ("home", "land", "isle")),
    ):
        path = f"{kind}/{{{name}}}"
        leaf = [patch("projects/{below}", enabled=False)] if name == "above" else []
        off = patch(path, enabled=False)
        yield f"{kind} {name}: disable", [*leaf, off]
        yield f"{kind} {name}: disable and enable", [*leaf, off, patch(path, enabled=True)]
        yield f"{kind} {name}: rename", [patch(path, name="renamed")]
        leaf = [delete("projects/{below}")] if name == "above" else []
        yield f"{kind} {name}: delete", [*leaf, *([off] if kind == "domains" else []), delete(path)]


def passwords():
    path = "users/{alice}"
    change = {"user": {"original_password": PASSWORD, "password": "new"}}
    yield "user: password by an administrator", [patch(path, password="new")]
    yield "user: the same password by an administrator", [patch(path, password=PASSWORD)]
    yield "user: own password", [{"method": "POST", "path": f"/v3/{path}/password", "body": change, "as": "nobody"}]
    yield "user: default project", [patch(path, default_project_id="{direct}")]
    yield "user: a rule of methods", [
        patch(path, options={"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]})
    ]
    yield "user: a locked password", [patch(path, options={"lock_password": True})]


def roles():
    for name in ("member", "reader", "prior"):
        path = f"roles/{{{name}}}"
        changeable = patch(path, options={"immutable": None})
        yield f"role {name}: rename", [changeable, patch(path, name="renamed")]
        yield f"role {name}: delete", [changeable, delete(path)]
    yield "inference: delete", [delete("roles/{prior}/implies/{reader}")]
    yield "inference: of more", [put("roles/{prior}/implies/{member}")]
    for name, path in GRANTS.items():
        yield f"grant, {name}: delete", [delete(path)]
        yield f"grant, {name}: delete and grant", [delete(path), put(path)]
    yield "grant: replaced", [put("projects/{direct}/users/{alice}/roles/{reader}"), delete(GRANTS["project"])]


def groups():
    yield "group: rename", [patch("groups/{crew}", name="renamed")]
    yield "group: delete", [delete("groups/{crew}")]
    yield "membership: end", [delete(MEMBERSHIP)]
    yield "membership: end and begin", [delete(MEMBERSHIP), put(MEMBERSHIP)]


def revocations():
    for whole in (holder["name"] for holder in HOLDERS if holder["name"].startswith(("unscoped", "direct", "land", "system", "fay"))):
        yield f"token {whole}: revoke", [delete("auth/tokens", subject=whole)]


def delegations():
    by_owner = {"as": OWNER}
    for name in ("direct by trust", "direct by impersonation"):
        yield f"{name}: delete the trust", [delete("OS-TRUST/trusts/{%s}" % name, **by_owner)]
    for name in ("direct by application credential", "direct by OAuth2 client"):
        yield f"{name}: delete it", [delete("users/{alice}/application_credentials/{%s}" % name, **by_owner)]
    name = "olga by access token"
    yield f"{name}: delete the consumer", [delete("OS-OAUTH1/consumers/{consumer of %s}" % name)]
    path = "users/{olga}/OS-OAUTH1/access_tokens/{access of %s}" % name
    yield f"{name}: delete it", [{**delete(path), "as": "olga by password"}]
    path = "projects/{direct}/users/{olga}/roles/{member}"
    yield f"{name}: delete the grant", [delete(path)]
    name = "direct by passcode"
    yield f"{name}: another secret", [{**patch("credentials/{%s}" % name, blob="MFRGGZDFMZTWQ2LK"), **by_owner}]
    yield f"{name}: delete the secret", [delete("credentials/{%s}" % name, **by_owner)]
    yield "direct by EC2 credential: delete it", [delete("credentials/{direct by EC2 credential}", **by_owner)]


def federation():
    path = "OS-FEDERATION/identity_providers/provider"

    def change(enabled):
        return {"method": "PATCH", "path": f"/v3/{path}", "body": {"identity_provider": {"enabled": enabled}}}

    yield "provider: disable", [change(False)]
    yield "provider: disable and enable", [change(False), change(True)]
    yield "provider: delete", [delete(path)]
    yield "protocol: delete", [delete(f"{path}/protocols/mapped")]
    yield "mapping: of nobody", [
        {
            **put("OS-FEDERATION/mappings/mapping"),
            "method": "PATCH",
            "body": {"mapping": {"rules": [{"remote": [{"type": "X"}], "local": [{"user": {"name": "{0}"}}]}]}},
        }
    ]
    yield "mapping: delete", [delete("OS-FEDERATION/mappings/mapping")]
    path = "users/{fay}"
    yield "fay: without the provider", [patch(path, federated=[])]
    yield "fay: delete the application credential", [
        {**delete(path + "/application_credentials/{fay by application credential}"), "as": "fay on direct"}
    ]
    yield "fay: delete the trust", [{**delete("OS-TRUST/trusts/{fay by impersonation}"), "as": "fay on direct"}]
    yield "fay: delete the grant", [delete("projects/{direct}/users/{fay}/roles/{member}")]
    yield "fay: the group leaves", [delete("projects/{shared}/groups/{crew}/roles/{member}")]


def events():
    yield "nothing", []
    for source in (things, passwords, roles, groups, revocations, delegations, federation):
        yield from source()
