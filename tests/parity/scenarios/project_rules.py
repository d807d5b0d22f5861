"""What an operator decides about projects and domains, and what binds the two."""

from .cast import ask, delete, get, login, patch, post, scenario


@scenario
def acting_as_domains():
    """Domains by way of projects."""
    made = ({"domain_id": None}, {"domain_id": "default"}, {"domain_id": ""}, {"parent_id": "default"}, {"parent_id": None})
    made += ({"enabled": False}, {"enabled": None}, {"tags": ["t"]}, {"colour": "red"}, {"options": {"immutable": False}})
    changes = ({"name": "moved"}, {"description": "x"}, {"is_domain": True}, {"is_domain": False}, {"domain_id": None})
    changes += ({"domain_id": "default"}, {"parent_id": None}, {"parent_id": "default"}, {"colour": "blue"}, {"tags": ["u"]})
    changes += ({"enabled": False}, {"enabled": True}, {"options": {"immutable": True}}, {"name": "held"})
    return [
        *(post("project", name=f"realm {number}", is_domain=True, **more) for number, more in enumerate(made)),
        *get("domains?name=realm 0", "projects?is_domain=true&name=realm 0", "projects?name=realm 0"),
        post("project", "realm", name="realm", is_domain=True),
        post("project", name="Realm", is_domain=True),
        post("domain", name="realm"),
        post("project", name="federated", is_domain=True),
        post("domain", name="Federated"),
        post("project", "inside", name="inside", domain_id="{realm}"),
        post("project", "deeper", name="deeper", domain_id="{realm}", parent_id="{inside}"),
        *get("projects/{realm}", "domains/{realm}", "projects/{inside}?parents_as_list", "projects/{inside}?parents_as_ids"),
        *get("projects/{realm}?subtree_as_list", "projects/{realm}?subtree_as_ids", "projects?parent_id={realm}"),
        *patch("project", "projects/{realm}", *changes),
        ask("PATCH", "domains/{realm}", {"domain": {"name": "held"}}),
        *delete("projects/{realm}", "domains/{realm}"),
        ask("PATCH", "projects/{realm}", {"project": {"options": {"immutable": False}}}),
        ask("PATCH", "domains/{realm}", {"domain": {"name": "Federated"}}),
        *delete("projects/{realm}", "projects/{inside}"),
        ask("PATCH", "projects/{realm}", {"project": {"enabled": False}}),
        *get("projects/{inside}", "domains/{realm}"),
        post("project", name="late", domain_id="{realm}"),
        ask("PATCH", "projects/{inside}", {"project": {"description": "new"}}),
        ask("PATCH", "projects/{deeper}", {"project": {"enabled": False}}),
        ask("PATCH", "projects/{deeper}", {"project": {"enabled": True}}),
        ask("PATCH", "projects/{inside}", {"project": {"options": {"immutable": True}}}),
        ask("PATCH", "projects/{realm}", {"project": {"enabled": True}}),
        ask("PATCH", "projects/{inside}", {"project": {"options": {"immutable": True}}}),
        ask("PATCH", "projects/{realm}", {"project": {"enabled": False}}),
        *delete("projects/{inside}"),
        *delete("projects/{realm}?cascade", "projects/{demo}?cascade=true"),
        ask("PATCH", "projects/{demo}?cascade=true", {"project": {"enabled": False}}),
        ask("PATCH", "projects/{demo}", {"project": {"enabled": False, "cascade": True}}),
        *get("projects/{realm}", "projects/{demo}"),
        *(ask("DELETE", f"{kind}/{{child}}/cascade") for kind in ("projects", "domains")),
        ask("PATCH", "projects/{child}/cascade", {"project": {"enabled": False}}),
    ]


@scenario
def immutable_domains():
    changes = ({"options": {"immutable": True}}, {"name": "new"}, {"description": "new"}, {"enabled": False}, {"tags": ["new"]})
    changes += ({"options": {}}, {"options": {"immutable": True}}, {"name": "new", "options": {"immutable": False}})
    changes += ({"options": {"immutable": None}}, {"name": "new"}, {"options": {"immutable": True}}, {"options": {"immutable": False}})
    return [
        *patch("domain", "domains/{acme}", *changes),
        *patch("project", "projects/{demo}", *changes),
        *(ask("PATCH", "domains/{off}", {"domain": {"options": {"immutable": on}}}) for on in (True,)),
        *delete("domains/{off}"),
        post("project", name="into", domain_id="{acme}", options={"immutable": True}),
        ask("PATCH", "domains/{acme}", {"domain": {"enabled": False}}),
        post("domain", "born", name="born", enabled=False, options={"immutable": True}),
        *delete("domains/{born}", "projects/{born}"),
        ask("PATCH", "domains/{born}", {"domain": {"options": {"immutable": None}}}),
        *delete("domains/{born}"),
        *get("domains/{born}"),
    ]


def trees(deepest):
    """Projects below each other until there are no more."""
    names = [f"p{number}" for number in range(deepest + 1)]
    parents = ["default", *(f"{{{name}}}" for name in names)]
    made = [
        post("project", name, name=name, domain_id="default", parent_id=parent)
        for name, parent in zip(names[:deepest], parents)
    ]
    views = ("parents_as_list", "parents_as_ids", "subtree_as_list", "subtree_as_ids", "parents_as_ids&subtree_as_list")
    return [
        *made,
        post("project", name="too deep", domain_id="default", parent_id=parents[deepest]),
        *get(*(f"projects/{parents[1]}?{view}" for view in views), *(f"projects/{parents[deepest]}?{view}" for view in views)),
        *delete(f"projects/{parents[1]}", f"projects/{parents[deepest]}"),
    ]


@scenario(config={"DEFAULT": {"max_project_tree_depth": 3}}, on_stage=False)
def shallow_trees():
    return [ask("POST", "auth/tokens", ADMIN, None, token="admin"), *trees(3)]


@scenario(config={"unified_limit": {"enforcement_model": "strict_two_level"}}, on_stage=False)
def trees_of_two():
    return [ask("POST", "auth/tokens", ADMIN, None, token="admin"), *trees(2)]


USER = {"name": "admin", "domain": {"id": "default"}, "password": "000000"}
SCOPE = {"project": {"name": "admin", "domain": {"name": "Default"}}}
ADMIN = {"auth": {"identity": {"methods": ["password"], "password": {"user": USER}}, "scope": SCOPE}}


@scenario
def limits_in_trees():
    """Limits beside the projects above and below, of those on which the caller has a role."""
    registered = [
        {"service_id": "{images}", "resource_name": name, "default_limit": limit} for name, limit in (("size", 5), ("number", 9))
    ]
    limits = [
        {"project_id": project, "service_id": "{images}", "resource_name": name, "resource_limit": limit}
        for project, name, limit in (("{demo}", "size", 4), ("{demo}", "number", 8), ("{child}", "size", 3))
    ]
    views = ("parents_as_list", "subtree_as_list", "parents_as_list&subtree_as_list", "parents_as_ids&subtree_as_ids")
    return [
        ask("POST", "registered_limits", {"registered_limits": registered}),
        ask("POST", "limits", {"limits": limits}),
        *(
            step
            for project in ("{demo}", "{child}", "{grandchild}")
            for view in views
            for flag in ("", "=1", "=0")
            for who in ("admin", "member")
            for step in get(f"projects/{project}?{view}&include_limits{flag}", who=who)
        ),
        *get("projects/{demo}?include_limits"),
        ask("PUT", "OS-INHERIT/domains/default/users/{alice}/roles/{reader}/inherited_to_projects"),
        *get(*(f"projects/{{child}}?{view}&include_limits" for view in views), who="member"),
    ]


def names():
    """Names that hold what means something in a URL."""
    wrong = ("a/b", "/", "a:b?c", "a&b=c,d;e", "[x]", "it's", "a+b", "(a)", "!!", "a@b", "#1", "$*")
    fine = ("a b", "a-b_c.d~e", "ünsäfe", "100%", '"x"', "<y>", "{z}", "a|b\\c^d`e")
    return [
        *(post("project", name=name, domain_id="default") for name in (*wrong, *fine)),
        *(post("domain", name=name) for name in (*wrong, *fine)),
        *(post("project", name=f"{name}d", is_domain=True) for name in (*wrong[:2], *fine[:2])),
        ask("PATCH", "projects/{demo}", {"project": {"name": "x/y"}}),
        ask("PATCH", "projects/{demo}", {"project": {"name": " fine "}}),
        ask("PATCH", "projects/{demo}", {"project": {"description": "x/y"}}),
        ask("PATCH", "domains/{acme}", {"domain": {"name": "x/y"}}),
        ask("PATCH", "projects/{acme}", {"project": {"name": "x:y"}}),
        ask("PATCH", "domains/{acme}", {"domain": {"name": " fine "}}),
        *get("projects/{demo}", "domains/{acme}"),
    ]


@scenario(config={"resource": {"project_name_url_safe": "new"}})
def safe_project_names():
    return names()


@scenario(config={"resource": {"domain_name_url_safe": "new"}})
def safe_domain_names():
    return names()


@scenario(config={"resource": {"project_name_url_safe": "strict", "domain_name_url_safe": "strict"}})
def strict_names():
    def scoped(scope):
        user = {"id": "{alice}", "password": "alice"}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        return ask("POST", "auth/tokens", {"auth": auth}, None)

    user = {"name": "alice", "domain": {"name": "a/b"}, "password": "alice"}
    return [
        *names(),
        scoped({"project": {"name": "a/b", "domain": {"id": "default"}}}),
        scoped({"project": {"name": "a/b", "domain": {"name": "nowhere"}}}),
        scoped({"project": {"name": "demo", "domain": {"name": "a/b"}}}),
        scoped({"domain": {"name": "a/b"}}),
        scoped({"domain": {"name": "nowhere"}}),
        ask("POST", "auth/tokens", {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}, None),
        login("again", "{alice}", "alice", {"project": {"id": "{demo}"}}),
    ]
