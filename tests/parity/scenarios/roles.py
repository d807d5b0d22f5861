"""Roles, of all and of one domain."""

from .cast import CALLERS, NAMES, NOTHING, ask, get, patch, post, scenario


@scenario
def roles():
    queries = ("", "?name=admin", "?name=ADMIN", "?name=local", "?domain_id={acme}", "?domain_id=default", "?name__contains=em", "?unknown=1")
    made = ({"name": "user"}, {"name": "USER"}, {"name": " user "}, {"name": "user", "domain_id": "{acme}"}, {"name": "r1", "description": None})
    made += ({"name": "LOCAL", "domain_id": "{acme}"}, {"name": "r2", "domain_id": None}, {"name": "r3", "domain_id": NOTHING})
    made += ({"name": "r4", "domain_id": ""}, {"name": "r5", "description": 5}, {"name": "r6", "description": "x" * 256})
    made += ({"name": "r7", "options": {"immutable": "x"}}, {"name": "r8", "options": {"other": 1}}, {"name": "r9", "extra": {"a": 1}, "a-b": 2})
    changes = ({}, {"name": " renamed "}, {"name": "user"}, {"name": None}, {"description": None}, {"domain_id": None}, {"domain_id": "{acme}"})
    changes += ({"id": "x"}, {"colour": "x"}, {"options": {"immutable": True}}, {"name": "held"}, {"options": {"immutable": None}}, {"options": {}})
    return [
        *get(*(f"roles{query}" for query in queries)),
        *(step for who in CALLERS for step in get("roles", "roles?domain_id={acme}", "roles/{user}", "roles/{local}", f"roles/{NOTHING}", who=who)),
        *(post("role", who=who, name=f"by {who}") for who in CALLERS),
        *(post("role", who=who, name=f"in acme by {who}", domain_id="{acme}") for who in CALLERS),
        *(ask("PATCH", f"roles/{role}", {"role": {"description": "d"}}, who) for who in CALLERS for role in ("{user}", "{local}", NOTHING)),
        *(ask("POST", "roles", {"role": body}) for body in (*NAMES, *made)),
        post("role", "changed", name="changed", colour="red"),
        *patch("role", "roles/{changed}", *changes),
        ask("PATCH", "roles/{admin}", {"role": {"name": "boss"}}),
        ask("DELETE", "roles/{admin}"),
        *(ask("DELETE", "roles/{local}", who=who) for who in CALLERS[::-1]),
        *(ask("DELETE", "roles/{user}", who=who) for who in CALLERS[::-1]),
        ask("DELETE", f"roles/{NOTHING}"),
    ]
