"""Filters, inexact ones and pages of users and groups, and the limits of lists."""

from harness import wire

from .cast import CALLERS, NOTHING, ask, get, head, post, scenario

SUFFIXES = ("contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "equals", "in", "")
# What Keystone makes of a negative one is chance, or no answer at all.
LIMITS = ("0", "1", "2", "1000", "99999999999999999999", "abc", "", "1.5", " 1", "%2B1")


def inexact(path, key, *values, suffixes=SUFFIXES):
    return get(*(f"{path}?{key}__{suffix}={value}" for suffix in suffixes for value in values))


def pages(path, *sizes, who="admin"):
    """Page after page of this size; the last one has what is left."""
    join = "&" if "?" in path else "?"
    collection = path.split("?")[0].split("/")[-1]
    steps, marker = [], ""
    for number, size in enumerate(sizes):
        more = {"save": {f"page {number}": f"{collection}/{size - 1}/id"}} if number < len(sizes) - 1 else {}
        steps.append(ask("GET", f"{path}{join}limit={sizes[0]}{marker}", who=who, count=True, **more))
        marker = f"&marker={{page {number}}}"
    return steps


def limits(path):
    join = "&" if "?" in path else "?"
    return [ask("GET", f"{path}{join}limit={limit}", count=True) for limit in LIMITS]


@scenario
def users_listed():
    times = ("2030-01-01T00:00:00Z", "2001-01-01T00:00:00Z", "2030-01-01T00:00:00.000000Z", "2030-01-01 00:00:00", "2030")
    operators = ("lt", "lte", "gt", "gte", "eq", "neq")
    both = ("name=alice&enabled=true", "name=alice&enabled=false", "name=alice&domain_id={acme}", "name=a&name=alice", "name=alice&name=a")
    both += ("name=al%69ce", "name=", "name=%C3%A9", "name=alice&name__contains=z", "enabled=", "enabled", "enabled=True", "enabled=FALSE")
    both += ("enabled=no", "enabled=1", "enabled=x", "domain_id=", "domain_id={off}", "domain_id=default&name__contains=o")
    both += ("unique_id=x", "idp_id=x", "protocol_id=x", "idp_id=x&protocol_id=y", "unique_id=x&idp_id=x&name=alice", "idp_id=")
    both += ("sort_key=name", "sort_key=name&sort_dir=desc", "sort_dir=x", "email__contains=x", "default_project_id={demo}", "id={alice}")
    both += ("password_expires_at__contains=2", "extra=1", "name=alice&unknown", "Name=alice")
    return [
        *get(*(f"users?{query}" for query in both)),
        *inexact("users", "name", "ali", "ALI", "ce", "%25", "_", "x"),
        *get(*(f"users?password_expires_at={operator}:{time}" for operator in operators for time in times[:3])),
        *get(*(f"users?password_expires_at={time}" for time in times)),
        *get("users?password_expires_at=lt:", "users?password_expires_at=:", "users?password_expires_at=LT:2030-01-01T00:00:00Z"),
        *get("users?password_expires_at=gt:2001-01-01T00:00:00Z&password_expires_at=lt:2002-01-01T00:00:00Z"),
        *limits("users"),
        *pages("users", 2, 2, 2, 1),
        *pages("users?domain_id=default", 3, 1),
        *get(f"users?marker={NOTHING}", "users?marker=", f"users?limit=1&marker={NOTHING}", "users?marker={demo}"),
        *pages("users?domain_id={acme}", 2, 1, who="domain reader"),
        *(step for who in CALLERS for step in get("users?name=carol", "users?enabled=true&domain_id={acme}", "users?name__contains=a", who=who)),
        *inexact("users/{alice}/groups", "name", "st", "ST", "ff", suffixes=SUFFIXES[:7]),
        *get(*(f"users/{{alice}}/groups?{query}" for query in ("name=", "name=STAFF", "unknown=1", "domain_id={acme}", "domain_id=default"))),
        *limits("users/{alice}/groups"),
        *inexact("users/{alice}/projects", "name", "de", "DE", "mo", suffixes=SUFFIXES[:7]),
        *get(*(f"users/{{alice}}/projects?{query}" for query in ("name=", "name=DEMO", "unknown=1", "domain_id=default", "enabled=true", "enabled=0"))),
        *get(*(f"users/{{alice}}/projects?{query}" for query in ("parent_id={demo}", "tags=a", "is_domain=true", "description=x"))),
        *limits("users/{alice}/projects"),
        *head("users", "users?name=nobody", "users/{alice}", "users/{alice}/groups", "users/{alice}/projects"),
    ]


@scenario
def groups_listed():
    asked = ("name=", "name=staff&domain_id=default", "name=staff&domain_id={acme}", "domain_id=", "domain_id=nowhere", "description=Everybody")
    asked += ("sort_key=name&sort_dir=desc", "name=staff&name=crew", "unknown", "description__contains=a")
    within = ("name=alice", "name=ALICE", "name=bob", "enabled=true", "enabled=false", "enabled=0", "domain_id=default", "domain_id={acme}")
    within += ("unknown=1", "password_expires_at=gt:2001-01-01T00:00:00Z", "password_expires_at=x", "name__contains=li", "name__foo=x")
    within += ("email=alice@x", "idp_id=x", "unique_id=x", "sort_key=name", "password_expires_at=lt:2030-01-01T00:00:00Z")
    return [
        *(ask("PUT", f"groups/{{staff}}/users/{user}") for user in ("{bob}", "{frank}", "{carol}", "{dave}")),
        *(post("group", name=f"more {number}", domain_id="default") for number in range(3)),
        *get(*(f"groups?{query}" for query in asked)),
        *inexact("groups", "name", "st", "ST", "ff", "%25", "_"),
        *limits("groups"),
        *pages("groups", 2, 2, 1),
        *pages("groups?domain_id=default", 3, 1),
        *get(f"groups?marker={NOTHING}", "groups?marker=", "groups?marker={alice}"),
        *(step for who in CALLERS for step in get("groups?name=crew", "groups?domain_id={acme}", "groups?name__contains=r", who=who)),
        *get(*(f"groups/{{staff}}/users?{query}" for query in within)),
        *limits("groups/{staff}/users"),
        *get(f"groups/{{staff}}/users?marker={NOTHING}"),
        *(step for who in CALLERS for step in get("groups/{staff}/users", "groups/{crew}/users?name=carol", who=who)),
        *(step for who in CALLERS for step in get("groups/{staff}/users/{alice}", "groups/{crew}/users/{carol}", "groups/{crew}/users/{alice}", who=who)),
        *head("groups", "groups/{staff}", "groups/{staff}/users", "groups/{staff}/users/{alice}", f"groups/{NOTHING}", "groups/{crew}/users/{bob}"),
    ]


@scenario(config={"identity": {"domain_specific_drivers_enabled": True}, "DEFAULT": {"admin_token": "ADMIN-TOKEN"}})
def lists_of_one_domain():
    """Where domains may have drivers of their own, a list of users or groups is one domain's."""
    queries = ("", "?domain_id={acme}", "?domain_id=default", "?domain_id=", "?domain_id=nowhere", "?name=alice", "?name=carol")
    lists = ["users?limit=1", *(f"{collection}{query}" for collection in ("users", "groups") for query in queries)]
    others = ("users/{alice}", "users/{carol}", "groups/{crew}", "users/{carol}/groups", "groups/{crew}/users", "projects", "domains", "users/{alice}/projects")
    return [
        {"method": "POST", "path": "/v3/auth/tokens", "body": wire.password("admin", "000000", "system"), "login": "system admin"},
        *(step for who in (*CALLERS, "system admin") for path in (*lists, *others) for step in counted(path, who)),
        *(ask("GET", path, who=None, headers={"X-Auth-Token": "ADMIN-TOKEN"}) for path in (*lists, *others) if "limit" not in path),
    ]


def counted(path, who):
    """Which user a page begins with is chance."""
    return [ask("GET", path, who=who, count=True)] if "limit" in path else get(path, who=who)


@scenario(config={"DEFAULT": {"list_limit": 6, "max_db_limit": 8}})
def list_limits():
    """What the operator allows at once."""
    listed = ("users", "groups", "projects", "domains", "roles", "services", "endpoints", "regions", "role_assignments", "credentials")
    listed += ("policies", "users/{alice}/projects", "users/{alice}/groups", "groups/{staff}/users", "auth/projects", "OS-REVOKE/events")
    more = [post("user", name=f"user {number}", domain_id="default") for number in range(7)]
    more += [post("group", name=f"group {number}", domain_id="default") for number in range(7)]
    more += [post("service", type=f"type {number}") for number in range(7)]
    more += [post("endpoint", service_id="{compute}", interface="public", url=f"http://c{number}") for number in range(7)]
    more += [post("region", id=f"region {number}") for number in range(7)]
    more += [post("project", name=f"project {number}", domain_id="default") for number in range(5)]
    more += [post("domain", name=f"domain {number}") for number in range(7)]
    more += [ask("PUT", f"groups/{{staff}}/users/{user}") for user in ("{bob}", "{carol}", "{dave}", "{erin}", "{frank}")]
    return more + [
        ask("GET", f"{path}{query}", count=True)
        for path in listed
        for query in ("", "?limit=1", "?limit=7", "?limit=9", "?name=x&limit=1")
        # Whether the domain `default` is the last of a page is chance.
        if not (path == "regions" and "limit" in query or path == "domains" and query in ("", "?limit=7", "?limit=9"))
    ]
