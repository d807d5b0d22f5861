"""What can happen to a token: by a request or by SQL, and how it is undone.

A request is a method, a path and the attributes to send. What is in braces is filled in: see `World.names`.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Change:
    """`request` and `sql` are pairs, what does it and what undoes it; what was deleted is made `again` instead.

    `ends` are the tokens that it ends: those of the `user`, the `token` or its `chain`, or those of another kind. They are
    made again later. A change that is only about rows of the user may stay `open` for some time, in the way of nobody else.
    """

    name: str
    request: tuple | None = None
    sql: tuple | None = None
    again: str | None = None
    ends: str | None = None
    open: bool = False
    weight: int = 4

    @property
    def is_revocation(self):
        return self.request is not None and self.request[0][1] == "/v3/auth/tokens"


def turned(path, kind, **attributes):
    """Attributes that are changed, and back."""
    return tuple(("PATCH", path, {kind: {name: pair[n] for name, pair in attributes.items()}}) for n in (0, 1))


def unlinked(path):
    return ("DELETE", path, None), ("PUT", path, None)


def linked(path):
    return ("PUT", path, None), ("DELETE", path, None)


def deleted(path):
    return (("DELETE", path, None),)


def without(table, **columns):
    """A row that is deleted, and inserted."""
    where = " AND ".join(f"{name} = '{value}'" for name, value in columns.items())
    names, values = ", ".join(columns), ", ".join(f"'{value}'" for value in columns.values())
    return f"DELETE FROM {table} WHERE {where}", f"INSERT INTO {table} ({names}) VALUES ({values})"


def updated(table, where, column, new, old):
    return tuple(f"UPDATE {table} SET {column} = {value} WHERE {where}" for value in (new, old))


def event(**columns):
    """A revocation event."""
    names, values = ", ".join(columns), ", ".join(f"'{value}'" for value in columns.values())
    return (
        f"INSERT INTO revocation_event ({names}, issued_before, revoked_at) "
        f"VALUES ({values}, UTC_TIMESTAMP(), UTC_TIMESTAMP())",
    )


def grant(type, actor, target, role, inherited=0):
    return without("assignment", type=type, actor_id=actor, target_id=target, role_id=role, inherited=inherited)


OFF = (False, True)
RENAMED = ("{fresh}", "{name}")
ON_TOP = "/v3/projects/{top}/users/{user}/roles/{role}"

CHANGES = (
    Change("token revoked", (("DELETE", "/v3/auth/tokens", None),), ends="token", weight=12),
    Change("event about the token", sql=event(audit_id="{audit}"), ends="token", weight=8),
    Change("event about the chain", sql=event(audit_chain_id="{chain}"), ends="chain"),
    Change("event about the user", sql=event(user_id="{user}"), ends="user", open=True),
    Change("event about the project", sql=event(project_id="{top}"), ends="project", weight=1),
    Change(
        *("user disabled", turned("/v3/users/{user}", "user", enabled=OFF)),
        updated("user", "id = '{user}'", "enabled", 0, 1),
        **{"ends": "user", "open": True},
    ),
    Change(
        *("user renamed", turned("/v3/users/{user}", "user", name=RENAMED)),
        updated("local_user", "user_id = '{user}'", "name", "'{fresh}'", "'{name}'"),
        open=True,
    ),
    Change("user deleted", deleted("/v3/users/{user}"), again="person", ends="user", weight=2),
    Change("password set", turned("/v3/users/{user}", "user", password=("{fresh}", "{password}"))),
    Change(
        "password that expires",
        sql=updated(
            *("password", "local_user_id = (SELECT id FROM local_user WHERE user_id = '{user}')"),
            *("expires_at_int", "4102444800000000", "NULL"),
        ),
    ),
    Change(
        "own password changed",
        tuple(
            ("POST", "/v3/users/{user}/password", {"user": {"original_password": old, "password": new}})
            for old, new in (("{password}", "{fresh}"), ("{fresh}", "{password}"))
        ),
        ends="user",
    ),
    Change(
        *("project disabled", turned("/v3/projects/{leaf}", "project", enabled=OFF)),
        updated("project", "id = '{leaf}'", "enabled", 0, 1),
        ends="leaf",
    ),
    Change(
        *("project renamed", turned("/v3/projects/{top}", "project", name=("{fresh}", "top"))),
        updated("project", "id = '{top}'", "name", "'{fresh}'", "'top'"),
    ),
    Change("project moved", sql=updated("project", "id = '{leaf}'", "parent_id", "'{domain}'", "'{top}'")),
    Change("project deleted", deleted("/v3/projects/{leaf}"), again="leaf", ends="leaf", weight=1),
    Change(
        *("domain disabled", turned("/v3/domains/{domain}", "domain", enabled=OFF)),
        updated("project", "id = '{domain}'", "enabled", 0, 1),
        **{"ends": "user", "weight": 1},
    ),
    Change(
        *("domain renamed", turned("/v3/domains/{domain}", "domain", name=("{fresh}", "people"))),
        updated("project", "id = '{domain}'", "name", "'{fresh}'", "'people'"),
    ),
    Change("role withdrawn", unlinked(ON_TOP), grant("UserProject", "{user}", "{top}", "{role}")),
    Change(
        *("inherited role withdrawn", unlinked(f"/v3/OS-INHERIT/{ON_TOP[4:]}/inherited_to_projects")),
        grant("UserProject", "{user}", "{top}", "{role}", 1),
    ),
    Change("role granted", linked("/v3/projects/{leaf}/users/{user}/roles/{implied}")),
    Change(
        *("domain's role withdrawn", unlinked("/v3/domains/{domain}/users/{user}/roles/{role}")),
        grant("UserDomain", "{user}", "{domain}", "{role}"),
        ends="domain",
    ),
    Change(
        *("system's role withdrawn", unlinked("/v3/system/users/{user}/roles/{role}")),
        without(
            *("system_assignment",),
            **{"type": "UserSystem", "actor_id": "{user}", "target_id": "system", "role_id": "{role}", "inherited": 0},
        ),
        ends="system",
    ),
    Change(
        *("group's role withdrawn", unlinked("/v3/projects/{leaf}/groups/{group}/roles/{shared}")),
        grant("GroupProject", "{group}", "{leaf}", "{shared}"),
    ),
    Change(
        *("member removed", unlinked("/v3/groups/{group}/users/{user}")),
        without("user_group_membership", user_id="{user}", group_id="{group}"),
        open=True,
    ),
    Change("group deleted", deleted("/v3/groups/{group}"), again="group", weight=2),
    Change(
        *("role implied no more", unlinked("/v3/roles/{role}/implies/{implied}")),
        without("implied_role", prior_role_id="{role}", implied_role_id="{implied}"),
    ),
    Change(
        *("role renamed", turned("/v3/roles/{role}", "role", name=("{fresh}", "role"))),
        updated("role", "id = '{role}'", "name", "'{fresh}'", "'role'"),
    ),
    Change("role deleted", deleted("/v3/roles/{implied}"), again="implied", weight=2),
    Change("trust deleted", deleted("/v3/OS-TRUST/trusts/{trust}"), ends="trust"),
    Change("event about the trust", sql=event(trust_id="{trust}"), ends="trust"),
    Change(
        "trust marked as deleted",
        sql=updated("trust", "id = '{trust}'", "deleted_at", "UTC_TIMESTAMP()", "NULL"),
        ends="trust",
    ),
    Change(
        *("application credential deleted", deleted("/v3/users/{user}/application_credentials/{credential}")),
        ("DELETE FROM application_credential WHERE id = '{credential}'",),
        ends="credential",
    ),
    Change(
        "endpoint changed",
        turned("/v3/endpoints/{endpoint}", "endpoint", url=("http://{fresh}/$(project_id)s", "http://first/")),
        updated("endpoint", "id = '{endpoint}'", "url", "'http://{fresh}/$(user_id)s'", "'http://first/'"),
    ),
    Change(
        *("endpoint disabled", turned("/v3/endpoints/{endpoint}", "endpoint", enabled=OFF)),
        updated("endpoint", "id = '{endpoint}'", "enabled", 0, 1),
    ),
    Change(
        "endpoint in another region",
        turned("/v3/endpoints/{endpoint}", "endpoint", region_id=("north", "RegionOne")),
        updated("endpoint", "id = '{endpoint}'", "region_id", "'north'", "'RegionOne'"),
    ),
    Change("endpoint deleted", deleted("/v3/endpoints/{endpoint}"), again="endpoint"),
    Change("endpoint of a project", linked("/v3/OS-EP-FILTER/projects/{leaf}/endpoints/{endpoint}")),
    Change("service renamed", turned("/v3/services/{service}", "service", name=("{fresh}", "first"))),
    Change(
        *("service disabled", turned("/v3/services/{service}", "service", enabled=OFF)),
        updated("service", "id = '{service}'", "enabled", 0, 1),
    ),
    Change(
        "service provider changed",
        turned("/v3/OS-FEDERATION/service_providers/elsewhere", "service_provider", sp_url=("https://{fresh}/", "https://first/")),
        updated("service_provider", "id = 'elsewhere'", "sp_url", "'https://{fresh}/'", "'https://first/'"),
    ),
    Change(
        *("service provider disabled", turned("/v3/OS-FEDERATION/service_providers/elsewhere", "service_provider", enabled=OFF)),
        updated("service_provider", "id = 'elsewhere'", "enabled", 0, 1),
    ),
    Change("region described", turned("/v3/regions/north", "region", description=("{fresh}", "")), weight=1),
    Change(
        "region made",
        (("POST", "/v3/regions", {"region": {"id": "{fresh}"}}), ("DELETE", "/v3/regions/{fresh}", None)),
        weight=1,
    ),
)
