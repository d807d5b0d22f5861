"""Domains."""

from .cast import CALLERS, NAMES, NOTHING, ask, get, patch, post, scenario


@scenario
def domains():
    queries = ("", "?name=Acme", "?name=acme", "?enabled=false", "?name__contains=c", "?is_domain=false", "?unknown=1")
    made = ({"name": "Acme"}, {"name": "ACME"}, {"name": " Acme "}, {"name": "x" * 65}, {"name": "d1", "enabled": None})
    made += ({"name": "d2", "description": None}, {"name": "d3", "description": 7}, {"name": "d4", "options": {"other": 1}})
    made += ({"name": "d5", "explicit_domain_id": "0123456789abcdef0123456789abcdef"}, {"name": "d6", "tags": ["a"]})
    made += ({"name": "d7", "explicit_domain_id": "0123456789abcdef0123456789abcdef"}, {"name": "d8", "tags": ["a,b"]})
    made += ({"name": "d9", "explicit_domain_id": "x"}, {"name": "d10", "explicit_domain_id": None}, {"name": "d11", "id": "x"})
    made += ({"name": "d12", "explicit_domain_id": 5}, {"name": "d13", "parent_id": "default"}, {"name": "d14", "extra": {"a": 1}})
    changes = ({}, {"name": "Renamed"}, {"name": "acme"}, {"name": None}, {"description": None}, {"enabled": None}, {"id": "x"})
    changes += ({"parent_id": "default"}, {"is_domain": False}, {"domain_id": "default"}, {"colour": "blue"}, {"tags": ["w"]})
    changes += ({"options": {"immutable": True}}, {"name": "held"}, {"options": {"immutable": None}}, {"enabled": False})
    return [
        *get(*(f"domains{query}" for query in queries)),
        *get("domains/default", "domains/{acme}", "projects/{acme}", "domains/{demo}", f"domains/{NOTHING}"),
        *(step for who in CALLERS for step in get("domains", "domains/{acme}", "domains/default", f"domains/{NOTHING}", who=who)),
        *(post("domain", who=who, name=f"by {who}") for who in CALLERS[1:]),
        *(ask("POST", "domains", {"domain": body}) for body in (*NAMES, *made)),
        post("domain", "changed", name="changed", colour="red"),
        *patch("domain", "domains/{changed}", *changes),
        ask("PATCH", f"domains/{NOTHING}", {"domain": {"name": "x"}}),
        ask("DELETE", "domains/default"),
        ask("DELETE", "domains/{acme}"),
        ask("DELETE", "domains/{demo}"),
        ask("DELETE", "domains/{off}", who="domain admin"),
        ask("DELETE", "domains/{off}"),
        ask("DELETE", "domains/{off}"),
    ]
