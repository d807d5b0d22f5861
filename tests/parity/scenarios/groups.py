"""Groups and who is in them."""

from .cast import CALLERS, NAMES, NOTHING, ask, get, patch, post, scenario


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
