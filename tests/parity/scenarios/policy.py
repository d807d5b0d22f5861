"""What the policy is asked: the credentials of every kind of token, and what each route asks about."""

from harness import wire

from .cast import ask, get, login, post, scenario

ADMIN_TOKEN = {"X-Auth-Token": "an-admin-token"}
SCOPES = {
    "demo": {"project": {"id": "{demo}"}},
    "works": {"project": {"id": "{works}"}},
    "acme": {"domain": {"id": "{acme}"}},
    "system": {"system": {"all": True}},
    "nowhere": "unscoped",
}


def everywhere():
    """One person with roles everywhere, and a token for each scope: by password, and from the unscoped token."""
    user = {"name": "zoe", "domain_id": "default", "password": "zoe", "email": "zoe@x"}
    steps = [post("user", "zoe", **user)]
    places = ("projects/{demo}", "projects/{works}", "domains/{acme}", "system")
    steps += [ask("PUT", f"{place}/users/{{zoe}}/roles/{{member}}") for place in places]
    steps += [login(f"{name} by password", "{zoe}", "zoe", scope) for name, scope in SCOPES.items()]
    token = {"methods": ["token"], "token": {"id": "{token:nowhere by password}"}}
    rescoped = {name: wire.auth(token, scope) for name, scope in SCOPES.items()}
    return steps + [
        {"method": "POST", "path": "/v3/auth/tokens", "body": body, "login": f"{name} by token"} for name, body in rescoped.items()
    ]


def callers():
    names = [f"{name} by {method}" for name in SCOPES for method in ("password", "token")]
    asked = [ask("GET", "regions/north", who=who) for who in [*names, "admin", None]]
    return everywhere() + asked + [ask("GET", "regions/north", who=None, headers=ADMIN_TOKEN)]


@scenario(config={"DEFAULT": {"admin_token": "an-admin-token"}}, questions=True)
def credentials_of_callers():
    """Every kind of token."""
    return callers()


@scenario(
    config={
        "DEFAULT": {"admin_token": "an-admin-token"},
        "resource": {"admin_project_name": "demo", "admin_project_domain_name": "Default"},
        "oslo_policy": {"remote_content_type": "application/json"},
    },
    questions=True,
)
def credentials_beside_an_admin_project():
    """The same where one project is the administrators', asked in the other form."""
    return callers()


@scenario(config={"resource": {"admin_project_name": "demo"}}, questions=True)
def credentials_beside_half_an_admin_project():
    """The option without its domain has no effect."""
    return [ask("GET", "regions/north", who=who) for who in ("member", "admin")]


@scenario(questions=True)
def targets_of_people():
    """Users and groups."""
    user = {"name": "zoe", "domain_id": "{acme}", "password": "zoe", "colour": {"hair": {"tone": "red"}}, "tags": ["a", {"b": 1}]}
    made = post("user", "zoe", **user, enabled=False, default_project_id="{works}", options={"lock_password": True}, empty={}, **{"a.b": 1})
    user, group = "users/{zoe}", "groups/{crew}"
    queries = ("?domain_id={acme}", "?enabled=false&name=zoe&colour=red", "?name=&name=second", "?name__contains=z", "?idp_id=i&protocol_id=p&unique_id=u")
    return [
        made,
        ask("POST", "users", {"user": {"name": "yan"}, "beside": {"is": ["a", {"list": 1}]}}),
        *get("users", *(f"users{query}" for query in queries), "users?password_expires_at=lt:2030-01-01T00:00:00Z"),
        *get(user, f"{user}/groups", f"{user}/groups?name=x&domain_id=y", f"{user}/projects", f"{user}/projects?enabled&name=x&domain_id=y&tags=z"),
        *get("users/{alice}", "users/nobody", who="member"),
        ask("GET", user, {"user": {"domain_id": "default"}, "user_id": "mine", "target": {"user": {"id": "mine"}}}),
        ask("PATCH", user, {"user": {"name": "zoë", "password": "secret", "options": {"lock_password": None}}}),
        ask("DELETE", f"{user}/tokens"),
        post("group", "choir", name="choir", domain_id="{acme}", colour="red"),
        post("group", name="band"),
        *get("groups", "groups?name=x&domain_id=y&colour=z", group, f"{group}/users", f"{group}/users?enabled=1&name=x&domain_id=y&id=z"),
        *get("groups", "users", "domains", "projects", "role_assignments", f"{group}/users", who="domain admin"),
        ask("PATCH", group, {"group": {"description": "all"}}),
        *(ask(method, f"{group}/{user}") for method in ("PUT", "GET", "HEAD", "DELETE")),
        *(ask("DELETE", path) for path in ("groups/{choir}", user, "groups/nothing", "users/nobody")),
    ]


@scenario(questions=True)
def targets_of_places():
    """Projects, domains, their tags and configuration."""
    project, domain, config = "projects/{child}", "domains/{acme}", "domains/{acme}/config"
    group, option = f"{config}/identity", f"{config}/identity/driver"
    body = {"config": {"identity": {"driver": "ldap"}, "ldap": {"url": "ldap://x", "password": "secret"}}}
    return [
        post("project", "new", name="new", domain_id="{acme}", tags=["x"], colour={"of": {"the": "door"}}, options={}, is_domain=False),
        ask("POST", "projects", {"project": {"name": "other"}}),
        *get("projects", "projects?domain_id=x&enabled=0&name=y&parent_id=z&is_domain=true&tags=t&tags-any=u", "projects?is_domain", project),
        *get("projects/{acme}", f"{project}?parents_as_list", "projects/nothing"),
        ask("GET", "projects/{demo}", who="member"),
        ask("PATCH", "projects/{new}", {"project": {"description": None, "tags": []}}),
        *(ask(method, f"{project}/tags") for method in ("GET", "DELETE")),
        ask("PUT", f"{project}/tags", {"tags": ["one", "two"]}),
        *(ask(method, f"{project}/tags/blue") for method in ("PUT", "GET", "HEAD", "DELETE")),
        post("domain", "ours", name="Ours", colour="blue"),
        *get("domains", "domains?name=x&enabled=true&id=y", domain, "domains/nothing"),
        ask("PATCH", "domains/{ours}", {"domain": {"enabled": False}}),
        ask("PUT", config, body),
        ask("PATCH", config, body),
        ask("PATCH", group, {"config": {"identity": {"driver": "sql"}}}),
        ask("PATCH", option, {"config": {"driver": "ldap"}}),
        *get(config, group, option, "domains/config/default", "domains/config/identity/default", "domains/config/identity/driver/default"),
        *(ask("DELETE", path) for path in (option, group, config, "domains/{ours}", "projects/{new}", "domains/nothing")),
    ]


@scenario(questions=True)
def targets_of_roles():
    """Roles, what they imply, and grants."""
    role, local = "roles/{user}", "roles/{local}"
    implied = "roles/{user}/implies/{reader}"
    actors, places = ("users/{alice}", "groups/{staff}"), ("projects/{demo}", "domains/{acme}", "system")
    grants = [f"{place}/{actor}/roles" for place in places for actor in actors]
    inherited = [f"OS-INHERIT/{place}/{actor}/roles/{{user}}/inherited_to_projects" for place in places[:2] for actor in actors]
    tree = "scope.project.id={demo}&include_subtree"
    return [
        post("role", "new", name="new", description="x"),
        post("role", "theirs", name="theirs", domain_id="{acme}", colour="red"),
        *get("roles", "roles?name=x&id=y", "roles?domain_id={acme}&name=local", "roles?domain_id=", role, local, "roles/nothing"),
        *(ask("PATCH", f"roles/{{{name}}}", {"role": {"description": "y"}}) for name in ("new", "theirs")),
        *(ask(method, implied) for method in ("PUT", "GET", "HEAD")),
        *get("roles/{user}/implies", "role_inferences"),
        ask("DELETE", implied),
        *(ask("DELETE", f"roles/{{{name}}}") for name in ("new", "theirs")),
        *get(*grants),
        *(ask(method, f"{grant}/{{user}}") for grant in grants for method in ("PUT", "GET", "HEAD", "DELETE")),
        *(ask(method, path) for path in inherited for method in ("PUT", "GET", "HEAD", "DELETE")),
        *get(*(f"OS-INHERIT/domains/{{acme}}/{actor}/roles/inherited_to_projects" for actor in actors)),
        *get("role_assignments", "role_assignments?user.id=x&group.id=y&role.id=z&scope.domain.id=u&scope.project.id=v&effective&names"),
        *get("role_assignments?scope.system=all&scope.OS-INHERIT:inherited_to=projects", f"role_assignments?{tree}", f"role_assignments?{tree}&role.id={{member}}"),
        *get("role_assignments?include_subtree"),
    ]


@scenario(questions=True)
def targets_of_services():
    """Regions, services, endpoints, what filters them, and policies."""
    filters, group = "OS-EP-FILTER", "OS-EP-FILTER/endpoint_groups/{group}"
    linked = f"{filters}/projects/{{demo}}/endpoints/{{public}}"
    placed = f"{filters}/endpoint_groups/{{group}}/projects/{{demo}}"
    policy = "policies/{policy}/OS-ENDPOINT-POLICY"
    policies = [f"{policy}/{place}" for place in ("endpoints/{public}", "services/{images}", "services/{images}/regions/north")]
    return [
        post("region", description="x"),
        ask("PUT", "regions/west", {"region": {"description": "y"}}),
        *get("regions", "regions?parent_region_id=RegionOne&description=x"),
        ask("PATCH", "regions/west", {"region": {"description": "z"}}),
        ask("DELETE", "regions/west"),
        post("service", "new", type="new", name="new"),
        *get("services", "services?type=x&name=y&enabled=true", "services/{images}", "services/nothing"),
        ask("PATCH", "services/{new}", {"service": {"name": "newer"}}),
        ask("DELETE", "services/{new}"),
        post("endpoint", "new end", service_id="{images}", interface="internal", url="http://i"),
        *get("endpoints", "endpoints?interface=public&service_id=x&region_id=y&region=z", "endpoints/{public}"),
        ask("PATCH", "endpoints/{new end}", {"endpoint": {"url": "http://j"}}),
        ask("DELETE", "endpoints/{new end}"),
        ask("POST", f"{filters}/endpoint_groups", {"endpoint_group": {"name": "g", "filters": {"interface": "public"}}}, save="group"),
        *get(f"{filters}/endpoint_groups", f"{filters}/endpoint_groups?name=g&n=m", group),
        ask("PATCH", group, {"endpoint_group": {"name": "h"}}),
        *(ask(method, path) for path in (linked, placed) for method in ("PUT", "GET", "HEAD")),
        *get(f"{filters}/projects/{{demo}}/endpoints", f"{filters}/projects/{{demo}}/endpoint_groups", f"{filters}/endpoints/{{public}}/projects"),
        *get(f"{group}/projects", f"{group}/endpoints"),
        *(ask("DELETE", path) for path in (placed, linked, group)),
        ask("POST", "policies", {"policy": {"blob": "{}", "type": "application/json"}}, save="policy"),
        *get("policies", "policies?type=x", "policies/{policy}"),
        ask("PATCH", "policies/{policy}", {"policy": {"blob": "x"}}),
        *(ask(method, path) for path in policies for method in ("PUT", "GET", "HEAD")),
        *get(f"{policy}/policy", f"{policy}/endpoints", "endpoints/{public}/OS-ENDPOINT-POLICY/policy"),
        *(ask("DELETE", path) for path in (*policies, "policies/{policy}")),
    ]


@scenario(questions=True)
def targets_of_limits():
    """Registered limits and limits."""
    registered = {"service_id": "{images}", "resource_name": "volumes", "default_limit": 5}
    limits = [{"service_id": "{images}", "resource_name": "volumes", "resource_limit": 1, place: f"{{{name}}}"} for place, name in (("project_id", "demo"), ("domain_id", "acme"))]
    queries = "?service_id=x&region_id=y&resource_name=z&project_id=u&domain_id=v"
    return [
        ask("POST", "registered_limits", {"registered_limits": [registered]}, save={"registered": "registered_limits/0/id"}),
        *get("registered_limits", f"registered_limits{queries}", "registered_limits/{registered}"),
        ask("PATCH", "registered_limits/{registered}", {"registered_limit": {"default_limit": 6}}),
        *(ask("POST", "limits", {"limits": [limit]}, save={name: "limits/0/id"}) for name, limit in zip(("one", "two"), limits)),
        *get("limits", f"limits{queries}", "limits/{one}", "limits/{two}", "limits/model", "limits/nothing"),
        ask("GET", "limits/{one}", who="member"),
        ask("PATCH", "limits/{one}", {"limit": {"resource_limit": 2}}),
        *(ask("DELETE", path) for path in ("limits/{one}", "limits/{two}", "registered_limits/{registered}")),
    ]


@scenario(questions=True)
def targets_of_secrets():
    """Credentials, tokens, and where they could be scoped to."""
    credential = "credentials/{key}"
    about = {"headers": {"X-Subject-Token": "{token:domain admin}"}}
    return [
        post("credential", "key", user_id="{alice}", type="cert", blob="secret", project_id="{demo}"),
        post("credential", "other", user_id="{bob}", type="cert", blob="secret", colour="red"),
        *get("credentials", "credentials?user_id=x&type=y&id=z", credential),
        *get("credentials", credential, who="member"),
        *get("credentials", who="system reader"),
        ask("PATCH", credential, {"credential": {"blob": "changed"}}),
        *(ask("DELETE", path) for path in (credential, "credentials/nothing")),
        *get("auth/catalog", "auth/projects", "auth/domains", "auth/system", "OS-REVOKE/events"),
        *(ask(method, "auth/tokens", **about) for method in ("GET", "HEAD")),
        ask("GET", "auth/tokens?nocatalog&allow_expired=1", who="member", **about),
        ask("GET", "auth/tokens"),
        ask("GET", "regions/north", **about),
        ask("GET", "users/{alice}", **about),
        ask("DELETE", "auth/tokens", **about),
    ]
