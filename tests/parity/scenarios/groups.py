"""Groups and who is in them."""

from .cast import CALLERS, NAMES, NOTHING, ask, get, login, patch, post, scenario


@scenario
def groups():
    queries = ("", "?name=staff", "?name=STAFF", "?domain_id={acme}", "?name__contains=ta", "?unknown=1", f"?marker={NOTHING}")
    made = ({"name": "staff"}, {"name": "STAFF"}, {"name": "staff", "domain_id": "{acme}"}, {"name": "x" * 65})
    made += ({"name": "g1", "description": None}, {"name": "g2", "description": 5}, {"name": "g3", "domain_id": NOTHING})
    made += ({"name": "g4", "domain_id": None}, {"name": "g5", "domain_id": "{off}"}, {"name": " g6 ", "extra": {"a": 1}, "colour": 1})
    changes = ({}, {"name": " renamed "}, {"name": "staff"}, {"name": None}, {"description": None}, {"domain_id": "default"})
    changes += ({"domain_id": "{acme}"}, {"id": "x"}, {"id": "{changed}"}, {"colour": 1}, {"extra": {"z": 1}})
    members = [(group, user) for group in ("{staff}", "{crew}", NOTHING) for user in ("{alice}", "{erin}", NOTHING)]
    return [
        *get(*(f"groups{query}" for query in queries)),
        *(step for who in CALLERS for step in get("groups", "groups/{crew}", "groups/{crew}/users", f"groups/{NOTHING}", who=who)),
        *get("groups/{staff}/users?name=alice", "groups/{staff}/users?enabled=false", f"groups/{NOTHING}/users"),
        *(post("group", who=who, name=f"by {who}", domain_id="{acme}") for who in CALLERS),
        *(ask("POST", "groups", {"group": body}) for body in (*NAMES, *made)),
        post("group", "changed", name="changed", domain_id="default"),
        *patch("group", "groups/{changed}", *changes),
        *(ask("HEAD", f"groups/{g}/users/{u}", who=who) for who in ("admin", "member", "domain reader", None) for g, u in members),
        *(
            ask(method, f"groups/{group}/users/{user}", who=who)
            for who in (None, "member", "domain manager", "admin")
            for group, user in members
            for method in ("PUT", "DELETE", "DELETE")
        ),
        *(ask("DELETE", "groups/{changed}", who=who) for who in (None, "member", "domain admin", "admin", "admin")),
    ]


@scenario
def group_members():
    """Filters on members and memberships, and what becomes of tokens and assignments when a group goes."""
    users = ("", "?name=alice", "?name=ALICE", "?name__contains=li", "?name__icontains=LI", "?enabled=true", "?enabled=0", "?domain_id=default")
    users += ("?domain_id={acme}", "?password_expires_at=gt:2020-01-01T00:00:00Z", "?password_expires_at=xx:2020-01-01T00:00:00Z")
    users += ("?password_expires_at=x", "?unknown=1", "?name=alice&enabled=false")
    mine = ("", "?name=staff", "?name__contains=ta", "?name__startswith=cr", "?domain_id={acme}", "?unknown=1")
    free = ("users/{pat}", "users/{quinn}")
    return [
        ask("PUT", "groups/{staff}/users/{bob}"),
        ask("PUT", "groups/{staff}/users/{carol}"),
        ask("PUT", "groups/{crew}/users/{alice}"),
        *get(*(f"groups/{{staff}}/users{query}" for query in users)),
        *(ask("GET", "groups/{crew}/users", who=who) for who in CALLERS),
        *(ask("HEAD", "groups/{crew}/users", who=who) for who in CALLERS),
        *get(*(f"users/{{alice}}/groups{query}" for query in mine)),
        *(ask("GET", "users/{alice}/groups", who=who) for who in CALLERS),
        *(ask("GET", "groups/{crew}/users/{alice}", who=who) for who in CALLERS),
        *(ask("GET", "groups?domain_id=default", who=who) for who in CALLERS),
        *(ask("PATCH", "groups/{crew}", {"group": {"description": f"by {who}"}}, who) for who in CALLERS),
        *(ask("PATCH", f"groups/{NOTHING}", {"group": {"name": "x"}}, who) for who in CALLERS),
        *(post("user", name, name=name, domain_id="default", password=name) for name in ("pat", "quinn")),
        post("group", "lent", name="lent", domain_id="default"),
        post("group", "idle", name="idle", domain_id="default"),
        ask("PUT", "groups/{lent}/users/{pat}"),
        ask("PUT", "groups/{idle}/users/{quinn}"),
        ask("PUT", "projects/{demo}/groups/{lent}/roles/{member}"),
        ask("PUT", "domains/{acme}/groups/{lent}/roles/{reader}"),
        ask("PUT", "system/groups/{lent}/roles/{reader}"),
        login("pat", "{pat}", "pat", {"project": {"id": "{demo}"}}),
        login("quinn", "{quinn}", "quinn", "unscoped"),
        {"wait": 1},
        *get(free[0], who="pat"),
        *get(free[1], who="quinn"),
        ask("DELETE", "groups/{lent}"),
        ask("DELETE", "groups/{idle}"),
        *get(free[0], who="pat"),
        *get(free[1], who="quinn"),
        *get("users/{pat}/groups", "users/{pat}/projects", "role_assignments?user.id={pat}", "role_assignments?group.id={lent}"),
        *get("projects/{demo}/groups/{lent}/roles", "system/groups/{lent}/roles"),
        ask("PUT", "groups/{staff}/users/{quinn}"),
        *get(free[1], who="quinn"),
        ask("DELETE", "groups/{staff}/users/{quinn}"),
        *get(free[1], who="quinn"),
        ask("DELETE", "groups/{staff}/users/{quinn}"),
        ask("PUT", "groups/{staff}/users/{pat}"),
        ask("DELETE", "users/{pat}"),
        *get("groups/{staff}/users", "OS-REVOKE/events"),
    ]
