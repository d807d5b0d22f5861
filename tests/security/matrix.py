"""Every route and method but HEAD, asked with every kind of token about one's own things, another project's and another user's."""

import hashlib
import json
import pathlib

from people import (
    ISSUER,
    SYSTEM,
    UNSCOPED,
    access_token,
    application_credential,
    by_certificate,
    ec2_credential,
    federated,
    group,
    holder,
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

ROUTES = pathlib.Path(__file__).parents[1] / "parity/routes.json"
# Of files, and of assertions that need a key to sign them, which tests/saml asks for.
LEFT_OUT = ("static", "saml")
# Calls whose callers a signature or a secret proves.
SIGNED = ("/v3/OS-OAUTH1/request_token", "/v3/OS-OAUTH1/access_token", "/v3/OS-OAUTH2/token")

GRANTED = [
    f"{target}/{actor}/roles/{{spare}}{tail}"
    for prefix, targets, tail in (
        ("", ("projects/{own}", "projects/{other}", "domains/{home}", "domains/{away}", "system"), ""),
        ("OS-INHERIT/", ("projects/{own}", "projects/{other}", "domains/{home}", "domains/{away}"), "/inherited_to_projects"),
    )
    for target in (prefix + target for target in targets)
    for actor in ("users/{alice}", "users/{chief}", "users/{bob}", "groups/{crew}", "groups/{guild}")
]

PARTNER = {"auth_url": "https://partner/auth", "sp_url": "https://partner/sp"}

CAST = [
    *(post("domains", name, name=name) for name in ("home", "away")),
    *(user(name, "{home}") for name in ("alice", "bob", "chief")),
    *(group(name, domain) for name, domain in (("crew", "{home}"), ("guild", "{away}"))),
    *(project(name, domain, tags=["blue"]) for name, domain in (("own", "{home}"), ("other", "{away}"))),
    *(post("roles", name, name=name) for name in ("spare", "prior", "implied")),
    put("roles/{prior}/implies/{implied}"),
    *(put(f"groups/{{crew}}/users/{{{name}}}") for name in ("alice", "bob", "chief")),
    *(
        put(f"{target}/users/{{{who}}}/roles/{{{role}}}")
        for who, role in (("alice", "member"), ("chief", "admin"))
        for target in ("projects/{own}", "domains/{home}", "system")
    ),
    put("projects/{other}/users/{bob}/roles/{member}"),
    *(put(path) for path in GRANTED),
    post("regions", "north", id="north"),
    post("services", "service", type="image", name="glance"),
    post("endpoints", "endpoint", service_id="{service}", interface="public", region_id="north", url="http://i"),
    post("OS-EP-FILTER/endpoint_groups", "endpoint_group", name="some", filters={"interface": "public"}),
    put("OS-EP-FILTER/endpoint_groups/{endpoint_group}/projects/{own}"),
    put("OS-EP-FILTER/projects/{own}/endpoints/{endpoint}"),
    post("policies", "policy", type="application/json", blob="x"),
    put("policies/{policy}/OS-ENDPOINT-POLICY/services/{service}"),
    *(put(f"domains/{{{name}}}/config", {"config": {"ldap": {"url": "ldap://x"}}}) for name in ("home", "away")),
    *(post("credentials", f"{who}s", type="cert", blob="x", user_id="{%s}" % who) for who in ("alice", "bob", "chief")),
    *(
        {
            "method": "POST",
            "path": "/v3/registered_limits",
            "body": {"registered_limits": [{"service_id": "{service}", "resource_name": name, "default_limit": 9}]},
            "save": name,
        }
        for name in ("things", "rest")
    ),
    *(
        {
            "method": "POST",
            "path": "/v3/limits",
            "body": {
                "limits": [
                    {"service_id": "{service}", "project_id": "{%s}" % name, "resource_name": "things", "resource_limit": 5}
                ]
            },
            "save": f"limit of {name}",
        }
        for name in ("own", "other")
    ),
    *provider("home", "crew"),
    put("OS-FEDERATION/service_providers/partner", {"service_provider": PARTNER}),
]

MEMBER, ADMIN, GUEST = "alice", "chief", "fay"
OWNER, CHIEF, FEDERATED = "a member on a project", "an admin on a project", "a federated member on a project"
AS_MEMBER, AS_ADMIN = ({"roles": [{"name": name}]} for name in ("member", "admin"))
RULES = [{"service": "identity", "method": "GET", "path": "/v3/users/**"}]
HOLDERS = [
    holder(MEMBER, on_project("own"), OWNER),
    holder(ADMIN, on_domain("home"), "an admin on a domain"),
    holder(MEMBER, on_domain("home"), "a member on a domain"),
    holder(ADMIN, SYSTEM, "an admin on the system"),
    holder(MEMBER, UNSCOPED, "a member, unscoped"),
    holder(ADMIN, on_project("own"), CHIEF),
    holder(MEMBER, SYSTEM, "a member on the system"),
    holder(MEMBER, on_project("own"), "a member on a project, rescoped", rescoped=True),
    passcode(OWNER, MEMBER, on_project("own"), "a member with a passcode"),
    application_credential(OWNER, MEMBER, "an application credential"),
    application_credential(OWNER, MEMBER, "an unrestricted application credential", unrestricted=True),
    application_credential(OWNER, MEMBER, "an application credential with rules", unrestricted=True, access_rules=RULES),
    application_credential(CHIEF, ADMIN, "an application credential of an admin", unrestricted=True),
    trust(OWNER, MEMBER, ADMIN, "own", "a trust", impersonation=False, **AS_MEMBER),
    trust(
        *(OWNER, MEMBER, ADMIN, "own", "a trust with impersonation"),
        **{"impersonation": True, "allow_redelegation": True, "redelegation_count": 2, **AS_MEMBER},
    ),
    trust("a trust with impersonation", MEMBER, ADMIN, "own", "a redelegated trust", impersonation=True, **AS_MEMBER),
    trust(CHIEF, ADMIN, MEMBER, "own", "a trust of an admin", impersonation=True, **AS_ADMIN),
    access_token(CHIEF, ADMIN, "own", ["admin"], "an access token"),
    ec2_credential(OWNER, MEMBER, "own", "an EC2 credential"),
    by_certificate(MEMBER, on_project("own"), {"X-Project-Id": "{own}"}, "a member's certificate"),
    by_certificate(ADMIN, on_project("own"), {"X-Project-Id": "{own}"}, "an admin's certificate"),
    by_certificate(ADMIN, on_domain("home"), {"X-Domain-Id": "{home}"}, "an admin's certificate on a domain"),
    by_certificate(MEMBER, on_project("own"), {"X-Project-Id": "{own}"}, "a certificate of a group", "guild"),
    federated(
        *(GUEST, "a federated member, unscoped"),
        post("credentials", "fays", type="cert", blob="x", user_id="{fay}"),
        *(put(f"{target}/users/{{fay}}/roles/{{member}}") for target in ("projects/{own}", "domains/{home}")),
    ),
    federated(GUEST, FEDERATED, scope=on_project("own")),
    federated(GUEST, "a federated member on a domain", scope=on_domain("home")),
    application_credential(FEDERATED, GUEST, "an application credential of a federated member", **AS_MEMBER),
    trust(FEDERATED, GUEST, ADMIN, "own", "a trust of a federated member", impersonation=True, **AS_MEMBER),
]


def certificates():
    """The mapping of the issuer: to a user of that name, and to one that is nobody but in a group."""

    def rule(names, *local):
        remote = [{"type": "SSL_CLIENT_S_DN_CN"}, {"type": "SSL_CLIENT_S_DN_CN", "any_one_of": names}]
        return {"remote": remote, "local": list(local)}

    user = {"name": "{0}", "domain": {"name": "home"}, "type": "local"}
    nobody = {"name": "{0}", "type": "ephemeral"}
    rules = [rule([MEMBER, ADMIN], {"user": user}), rule(["guild"], {"user": nobody}, {"group": {"id": "{guild}"}})]
    provider = hashlib.sha256(ISSUER.encode()).hexdigest()
    return {"id": "certificates", "rules": rules, "version": "1.0", "provider": provider, "protocol": "x509"}

OWN = {
    "user_id": "{me}",
    "project_id": "{own}",
    "domain_id": "{home}",
    "group_id": "{crew}",
    "credential_id": "{mine}",
    "limit_id": "{limit of own}",
    "role_id": "{spare}",
    "prior_role_id": "{prior}",
    "implied_role_id": "{implied}",
    "region_id": "north",
    "service_id": "{service}",
    "endpoint_id": "{endpoint}",
    "endpoint_group_id": "{endpoint_group}",
    "policy_id": "{policy}",
    "registered_limit_id": "{rest}",
    "group": "ldap",
    "option": "url",
    "value": "blue",
    "application_credential_id": "{an application credential}",
    "trust_id": "{a trust}",
    "consumer_id": "{consumer of an access token}",
    "request_token_id": "{request of an access token}",
    "access_token_id": "{access of an access token}",
    "access_rule_id": "{rule of an application credential with rules}",
    "subject": "self",
    "idp_id": "provider",
    "protocol_id": "mapped",
    "mapping_id": "mapping",
    "service_provider_id": "partner",
}
NEW = {"idp_id": "new", "protocol_id": "new", "mapping_id": "new", "service_provider_id": "new"}
BINDINGS = [
    OWN,
    {**OWN, **NEW, "project_id": "{other}", "domain_id": "{away}", "group_id": "{guild}", "limit_id": "{limit of other}"},
    {**OWN, "user_id": "{bob}", "credential_id": "{bobs}", "subject": "bob"},
]

LIMIT = {"service_id": "{service_id}", "project_id": "{project_id}", "resource_name": "rest", "resource_limit": 3}
CONFIG = {"config": {"ldap": {"url": "ldap://y"}}}
FEDERATION = {
    "identity_providers/{idp_id}": {"identity_provider": {"description": "new"}},
    "identity_providers/{idp_id}/protocols/{protocol_id}": {"protocol": {"mapping_id": "mapping"}},
    "mappings/{mapping_id}": {"mapping": {"rules": [{"remote": [{"type": "X"}], "local": [{"user": {"name": "{0}"}}]}]}},
    "service_providers/{service_provider_id}": {"service_provider": PARTNER},
}
BODIES = {
    "POST /v3/OS-OAUTH1/consumers": {"consumer": {"description": "new"}},
    "PATCH /v3/OS-OAUTH1/consumers/{consumer_id}": {"consumer": {"description": "new"}},
    "PUT /v3/OS-OAUTH1/authorize/{request_token_id}": {"roles": [{"name": "member"}]},
    "POST /v3/OS-TRUST/trusts": {
        "trust": {
            "trustor_user_id": "{user_id}",
            "trustee_user_id": "{bob}",
            "project_id": "{project_id}",
            "impersonation": False,
            "roles": [{"name": "member"}],
        }
    },
    "POST /v3/ec2tokens": {"credentials": {"access": "none", "signature": "x"}},
    "POST /v3/s3tokens": {"credentials": {"access": "none", "signature": "x", "token": "eA=="}},
    "POST /v3/users/{user_id}/application_credentials": {"application_credential": {"name": "new"}},
    "POST /v3/users/{user_id}/credentials/OS-EC2": {"tenant_id": "{project_id}"},
    "POST /v3/OS-EP-FILTER/endpoint_groups": {"endpoint_group": {"name": "new", "filters": {"interface": "admin"}}},
    "PATCH /v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}": {"endpoint_group": {"name": "new"}},
    "POST /v3/credentials": {
        "credential": {"type": "cert", "blob": "new", "user_id": "{user_id}", "project_id": "{project_id}"}
    },
    "PATCH /v3/credentials/{credential_id}": {"credential": {"blob": "new"}},
    **{f"{method} /v3/OS-FEDERATION/{path}": body for method in ("PUT", "PATCH") for path, body in FEDERATION.items()},
    "POST /v3/domains": {"domain": {"name": "new"}},
    "PATCH /v3/domains/{domain_id}": {"domain": {"description": "new"}},
    "PUT /v3/domains/{domain_id}/config": CONFIG,
    "PATCH /v3/domains/{domain_id}/config": CONFIG,
    "PATCH /v3/domains/{domain_id}/config/{group}": CONFIG,
    "PATCH /v3/domains/{domain_id}/config/{group}/{option}": {"config": {"url": "ldap://y"}},
    "POST /v3/endpoints": {"endpoint": {"service_id": "{service_id}", "interface": "admin", "url": "http://new"}},
    "PATCH /v3/endpoints/{endpoint_id}": {"endpoint": {"url": "http://new"}},
    "POST /v3/groups": {"group": {"name": "new", "domain_id": "{domain_id}"}},
    "PATCH /v3/groups/{group_id}": {"group": {"description": "new"}},
    "POST /v3/limits": {"limits": [LIMIT]},
    "PATCH /v3/limits/{limit_id}": {"limit": {"resource_limit": 4}},
    "POST /v3/policies": {"policy": {"type": "application/json", "blob": "new"}},
    "PATCH /v3/policies/{policy_id}": {"policy": {"blob": "new"}},
    "POST /v3/projects": {"project": {"name": "new", "domain_id": "{domain_id}"}},
    "PATCH /v3/projects/{project_id}": {"project": {"description": "new"}},
    "PUT /v3/projects/{project_id}/tags": {"tags": ["red"]},
    "POST /v3/regions": {"region": {"id": "new"}},
    "PUT /v3/regions/{region_id}": {"region": {"description": "new"}},
    "PATCH /v3/regions/{region_id}": {"region": {"description": "new"}},
    "POST /v3/registered_limits": {
        "registered_limits": [{"service_id": "{service_id}", "resource_name": "new", "default_limit": 1}]
    },
    "PATCH /v3/registered_limits/{registered_limit_id}": {"registered_limit": {"default_limit": 2}},
    "POST /v3/roles": {"role": {"name": "new"}},
    "PATCH /v3/roles/{role_id}": {"role": {"description": "new"}},
    "POST /v3/services": {"service": {"type": "new"}},
    "PATCH /v3/services/{service_id}": {"service": {"name": "new"}},
    "POST /v3/users": {"user": {"name": "new", "domain_id": "{domain_id}"}},
    "PATCH /v3/users/{user_id}": {"user": {"description": "new"}},
    "POST /v3/users/{user_id}/password": {"user": {"original_password": "secret", "password": "new"}},
}

QUERIES = (
    *("users?domain_id={domain_id}", "groups?domain_id={domain_id}", "projects?domain_id={domain_id}"),
    *("projects?parent_id={project_id}", "credentials?user_id={user_id}", "limits?project_id={project_id}"),
    *("role_assignments?user.id={user_id}", "role_assignments?scope.project.id={project_id}", "roles?domain_id={domain_id}"),
    *("role_assignments?scope.project.id={project_id}&include_subtree", "role_assignments?scope.domain.id={domain_id}"),
    *("role_assignments?scope.system=all", "role_assignments?effective", "role_assignments?group.id={group_id}"),
    *("projects/{project_id}?parents_as_list", "projects/{project_id}?subtree_as_ids", "users?name=bob", "domains?name=away"),
)


def change(method, path, kind, **fields):
    return method, f"/v3/{path}", {kind: fields}


CHANGES = [
    change("POST", "roles", "role", name="new", domain_id="{domain_id}"),
    change("POST", "projects", "project", name="new", parent_id="{project_id}", domain_id="{domain_id}"),
    change("POST", "projects", "project", name="new", is_domain=True),
    change("POST", "users", "user", name="new"),
    change("POST", "groups", "group", name="new"),
    change("POST", "projects", "project", name="new"),
    change("POST", "credentials", "credential", type="cert", blob="{}", user_id="{user_id}"),
    change(
        *("POST", "credentials", "credential"),
        **{"type": "ec2", "blob": '{"access": "x", "secret": "y"}', "user_id": "{user_id}", "project_id": "{project_id}"},
    ),
    change("PATCH", "users/{user_id}", "user", enabled=False),
    change("PATCH", "users/{user_id}", "user", password="new"),
    change("PATCH", "users/{user_id}", "user", default_project_id="{project_id}"),
    change("PATCH", "users/{user_id}", "user", options={"multi_factor_auth_enabled": True}),
    change("PATCH", "projects/{project_id}", "project", enabled=False),
    change("PATCH", "domains/{domain_id}", "domain", enabled=False),
    change("PATCH", "credentials/{credential_id}", "credential", project_id="{project_id}"),
    change("PATCH", "credentials/{credential_id}", "credential", user_id="{user_id}"),
]


def rescopes():
    for scope in ({"project": {"id": "{project_id}"}}, {"domain": {"id": "{domain_id}"}}, SYSTEM, UNSCOPED, None):
        auth = {"identity": {"methods": ["token"], "token": {"id": "{token}"}}}
        yield "POST", "/v3/auth/tokens", {"auth": auth if scope is None else {**auth, "scope": scope}}


def templates():
    for route in json.loads(ROUTES.read_text()):
        if route["family"] not in LEFT_OUT and route["path"] not in SIGNED:
            for method in route["methods"]:
                if method != "HEAD" and (method, route["path"]) != ("POST", "/v3/auth/tokens"):
                    yield method, route["path"], BODIES.get(f"{method} {route['path']}")
    yield from (("GET", f"/v3/{query}", None) for query in QUERIES)
    yield from CHANGES
    yield from rescopes()


def bind(value, binding):
    if isinstance(value, dict):
        return {key: bind(inner, binding) for key, inner in value.items()}
    if isinstance(value, list):
        return [bind(inner, binding) for inner in value]
    if isinstance(value, str):
        for name, bound in binding.items():
            value = value.replace("{%s}" % name, bound)
    return value


def questions():
    """Each request once, although a binding may not change it."""
    asked = {}
    for method, path, body in templates():
        for binding in BINDINGS:
            question = {"method": method, "path": bind(path, binding)}
            if body is not None:
                question["body"] = bind(body, binding)
            if path == "/v3/auth/tokens" and method != "POST":
                question["subject"] = binding["subject"]
            asked.setdefault(json.dumps(question), question)
    return list(asked.values())
