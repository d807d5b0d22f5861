"""Resources from creation to deletion: (method, path, body), where `{id}` is the id in the first answer."""


def life(plural, kind, create, update, *between, before_end=()):
    return [
        ("POST", f"/v3/{plural}", {kind: create}),
        ("GET", f"/v3/{plural}/{{id}}", None),
        ("PATCH", f"/v3/{plural}/{{id}}", {kind: update}),
        ("GET", f"/v3/{plural}/{{id}}", None),
        *between,
        *before_end,
        ("DELETE", f"/v3/{plural}/{{id}}", None),
        ("GET", f"/v3/{plural}/{{id}}", None),
        ("DELETE", f"/v3/{plural}/{{id}}", None),
    ]


def grants(target):
    return [
        step
        for actor in ("users/{demo}", "groups/{group}")
        for step in (
            ("PUT", f"{target}/{actor}/roles/{{reader}}", None),
            ("PUT", f"{target}/{actor}/roles/{{reader}}", None),
            ("HEAD", f"{target}/{actor}/roles/{{reader}}", None),
            ("GET", f"{target}/{actor}/roles", None),
            ("DELETE", f"{target}/{actor}/roles/{{reader}}", None),
            ("DELETE", f"{target}/{actor}/roles/{{reader}}", None),
            ("HEAD", f"{target}/{actor}/roles/{{reader}}", None),
        )
    ]


LIFECYCLES = {
    "domain": life(
        *("domains", "domain", {"name": "Passing", "description": "Soon gone", "colour": "red"}),
        {"description": "Nearly", "enabled": True},
        ("DELETE", "/v3/domains/{id}", None),
        before_end=[("PATCH", "/v3/domains/{id}", {"domain": {"enabled": False}})],
    ),
    "project": life(
        *("projects", "project", {"name": "passing", "domain_id": "default", "tags": ["a", "b"], "colour": "red"}),
        {"name": "passed", "enabled": False, "shape": "round"},
        ("POST", "/v3/projects", {"project": {"name": "passed", "domain_id": "default"}}),
    ),
    "project in a hierarchy": life(
        *("projects", "project", {"name": "leaf", "parent_id": "{child}", "domain_id": "default"}),
        {"description": ""},
        ("DELETE", "/v3/projects/{child}", None),
        ("PATCH", "/v3/projects/{child}", {"project": {"enabled": False}}),
        ("PATCH", "/v3/projects/{id}", {"project": {"parent_id": "{project}"}}),
    ),
    "project acting as a domain": life(
        *("projects", "project", {"name": "Realm", "is_domain": True}),
        {"description": "a domain too"},
        ("GET", "/v3/domains/{id}", None),
        before_end=[("PATCH", "/v3/projects/{id}", {"project": {"enabled": False}})],
    ),
    "user": life(
        *("users", "user", {"name": "passing", "domain_id": "default", "password": "one", "email": "p@example.com"}),
        {"name": "passed", "password": "two", "description": "gone soon", "enabled": True},
        ("POST", "/v3/users/{id}/password", {"user": {"original_password": "wrong", "password": "three"}}),
        ("POST", "/v3/users/{id}/password", {"user": {"original_password": "two", "password": "three"}}),
        ("PUT", "/v3/groups/{group}/users/{id}", None),
        ("HEAD", "/v3/groups/{group}/users/{id}", None),
        ("GET", "/v3/users/{id}/groups", None),
        ("DELETE", "/v3/groups/{group}/users/{id}", None),
        ("HEAD", "/v3/groups/{group}/users/{id}", None),
    ),
    "user with options": life(
        *("users", "user"),
        {"name": "passing", "domain_id": "default", "options": {"lock_password": True, "ignore_password_expiry": True}},
        {"options": {"lock_password": None, "ignore_password_expiry": False}},
    ),
    "group": life(
        *("groups", "group", {"name": "passing", "domain_id": "default", "motto": "here today"}),
        {"name": "passed", "description": "gone tomorrow"},
    ),
    "role": life("roles", "role", {"name": "passing", "description": "x"}, {"name": "passed", "colour": "red"}),
    "domain's role": life("roles", "role", {"name": "passing", "domain_id": "{domain}"}, {"name": "passed"}),
    "immutable role": life(
        *("roles", "role", {"name": "stone", "options": {"immutable": True}}),
        {"name": "sand"},
        ("DELETE", "/v3/roles/{id}", None),
        before_end=[("PATCH", "/v3/roles/{id}", {"role": {"options": {"immutable": False}}})],
    ),
    "region": life(
        *("regions", "region", {"description": "a", "parent_region_id": "RegionOne", "colour": "red"}),
        {"description": "b", "parent_region_id": None},
    ),
    "service": life(
        *("services", "service", {"type": "volume", "name": "cinder", "colour": "red"}),
        {"name": "cinder3", "enabled": False, "description": "b"},
    ),
    "endpoint": life(
        *("endpoints", "endpoint"),
        {"service_id": "{service}", "interface": "internal", "url": "http://i.example.com/%(tenant_id)s"},
        {"url": "http://j.example.com", "enabled": False, "region_id": "north", "name": "j"},
    ),
    "grant on a project": grants("/v3/projects/{project}"),
    "grant on a domain": grants("/v3/domains/{domain}"),
    "grant on the system": grants("/v3/system"),
}
