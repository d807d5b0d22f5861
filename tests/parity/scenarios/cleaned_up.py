"""What goes with what is deleted, and what turned off takes with it."""

from .cast import NOTHING, ask, delete, get, login, patch, post, scenario

WHO_HOLDS = ("role_assignments", "role_assignments?effective")


@scenario
def cleaned_up():
    return [
        *(ask("PUT", f"{place}/{actor}/roles/{{user}}") for place in ("projects/{demo}", "domains/{acme}", "system") for actor in ("users/{bob}", "groups/{crew}")),
        ask("PUT", "OS-INHERIT/domains/{acme}/users/{bob}/roles/{user}/inherited_to_projects"),
        ask("PUT", "projects/{works}/groups/{staff}/roles/{local}"),
        ask("PUT", "roles/{user}/implies/{reader}"),
        ask("PATCH", "users/{bob}", {"user": {"default_project_id": "{demo}"}}),
        ask("PATCH", "users/{frank}", {"user": {"default_project_id": "{works}"}}),
        ask("PUT", "groups/{crew}/users/{bob}"),
        *get(*WHO_HOLDS),
        *delete("groups/{crew}"),
        *get(*WHO_HOLDS, "users/{bob}/groups"),
        *delete("users/{carol}"),
        *get(*WHO_HOLDS, "groups/{staff}/users"),
        *delete("roles/{user}"),
        *get(*WHO_HOLDS, "role_inferences"),
        *delete("roles/{local}"),
        *get(*WHO_HOLDS),
        *delete("projects/{grandchild}", "projects/{child}", "projects/{demo}"),
        *get(*WHO_HOLDS, "users/{bob}", "projects", "auth/projects"),
        *get("auth/projects", who="member"),
        *delete("services/{images}"),
        *get("endpoints", "services", "endpoints/{public}", "auth/catalog"),
        *delete("regions/north", "regions/RegionOne"),
        *get("regions"),
    ]


@scenario
def domains_cleaned_up():
    return [
        post("group", "club", name="club", domain_id="{acme}"),
        post("project", "below", name="below", domain_id="{acme}", parent_id="{works}"),
        ask("PUT", "groups/{club}/users/{alice}"),
        ask("PUT", "groups/{staff}/users/{dave}"),
        ask("PUT", "domains/default/users/{dave}/roles/{reader}"),
        ask("PUT", "projects/{demo}/groups/{club}/roles/{reader}"),
        ask("PUT", "projects/{below}/users/{alice}/roles/{local}"),
        ask("PUT", "system/users/{dave}/roles/{reader}"),
        login("dave", "{dave}", "dave", "unscoped"),
        *get(*WHO_HOLDS),
        *patch("domain", "domains/{acme}", {"enabled": False}),
        *get("projects/{works}", "users/{dave}", "groups/{club}", "projects?domain_id={acme}"),
        *get("auth/projects", who="dave"),
        *get("users", who="domain admin"),
        login("refused", "{dave}", "dave", "unscoped"),
        post("user", name="late", domain_id="{acme}"),
        post("project", name="late", domain_id="{acme}"),
        *delete("domains/{acme}"),
        *get(*WHO_HOLDS, "domains/{acme}", "projects/{acme}", "projects/{works}", "users/{dave}", "groups/{club}", "groups/{staff}/users"),
        *get("users/{alice}/groups", "users", "groups", "projects", "domains", "roles"),
        *get("auth/projects", who="dave"),
        *delete("domains/{acme}", f"domains/{NOTHING}", "domains/{demo}"),
        *patch("domain", "domains/default", {"enabled": False}),
        *get("users"),
    ]


@scenario(config={"assignment": {"prohibited_implied_role": ["admin", "user"]}, "identity": {"default_domain_id": "default"}})
def roles_not_implied():
    return [
        ask("PUT", "roles/{reader}/implies/{user}"),
        ask("PUT", "roles/{reader}/implies/{admin}"),
        ask("PUT", "roles/{user}/implies/{reader}"),
        *get("role_inferences"),
    ]
