"""Policies, which Keystone keeps for others."""

from .cast import CALLERS, JSON, NOTHING, ask, delete, get, head, scenario


def policy(save=None, who="admin", **fields):
    return ask("POST", "policies", {"policy": fields}, who, **({"save": save} if save else {}))


@scenario
def policies():
    shown = ("policies", "policies/{one}", f"policies/{NOTHING}")
    fine = {"blob": "{}", "type": "t"}
    bodies = [{**fine, **change} for change in ({"blob": ""}, {"blob": None}, {"blob": {"a": 1}}, {"blob": 5}, {"blob": "é" * 300})]
    bodies += [{**fine, **change} for change in ({"type": ""}, {"type": None}, {"type": 5}, {"type": "x" * 255}, {"type": "x" * 256})]
    bodies += [{**fine, **change} for change in ({"id": "x"}, {"name": "n", "a-b:c": 1}, {"name": None}, {"extra": {"a": 1}}, {"list": [1, {"a": None}]})]
    bodies += [{"blob": "x"}, {"type": "x"}, {}]
    changes = [{}, {"id": "{one}"}, {"id": "x"}, {"blob": "new"}, {"blob": None}, {"blob": ""}, {"blob": {"a": 1}}, {"type": "other"}, {"type": None}]
    changes += [{"type": "x" * 256}, {"name": "n"}, {"name": None}, {"a-b": 1}, {"extra": 5}, {"colour": ["red"], "blob": "both"}]
    raw = [{}, {"policy": None}, {"policy": []}, {"policy": "x"}, {"other": {}}, {"policy": fine, "more": 1}, []]
    asked = ("type=Text/x", "type=text/x", "type=", "type=none", "type__contains=ext", "type__contains=EXT", "type__icontains=EXT", "type__startswith=T")
    asked += ("type__istartswith=T", "type__endswith=X", "type__iendswith=X", "type__bogus=1", "blob=x", "unknown=1", "type=Text/x&type=text/x", "sort_key=type")
    asked += ("type__contains=%25", "type__contains=_")
    return [
        policy("one", blob="{}", type="Text/x", name="first"),
        policy("two", blob="{}", type="text/x"),
        *(step for who in CALLERS for step in (*get(*shown, who=who), *head(*shown, who=who))),
        *(policy(who=who, blob="b", type=f"by {who}") for who in CALLERS[1:]),
        *(policy(who=who, type=f"by {who}") for who in CALLERS[1:]),
        *(ask("PATCH", f"policies/{path}", {"policy": body}, who) for who in CALLERS[1:] for path in ("{one}", NOTHING) for body in ({"blob": "x"}, {})),
        *get(*(f"policies?{query}" for query in asked)),
        *(ask("GET", f"policies?{query}", count=True) for query in ("limit=1", "limit=0", "limit=2", "limit=1&type=text/x", "limit=1&type__icontains=text", "limit=")),
        *(ask("POST", "policies", {"policy": body}) for body in bodies),
        *(ask("POST", "policies", body) for body in raw),
        *(ask("PATCH", "policies/{one}", body) for body in raw),
        ask("POST", "policies", raw="no JSON", headers=JSON),
        ask("POST", "policies"),
        ask("PATCH", "policies/{one}"),
        *(step for body in changes for step in (ask("PATCH", "policies/{one}", {"policy": body}), *get("policies/{one}"))),
        ask("PATCH", f"policies/{NOTHING}", {"policy": {"id": "x"}}),
        ask("PATCH", f"policies/{NOTHING}", {"policy": {"blob": "x"}}),
        *(ask(method, path, body, who) for who in ("admin", None) for method, path in (("PATCH", "policies"), ("DELETE", "policies"), ("POST", "policies/{one}")) for body in (None, {"policy": fine})),
        ask("PATCH", "policies", raw="no JSON", headers=JSON),
        *(ask(method, path) for path in ("policies", "policies/{one}") for method in ("PUT", "OPTIONS")),
        *get("policies"),
        *(step for who in CALLERS[1:] for step in delete("policies/{one}", f"policies/{NOTHING}", who=who)),
        *delete("policies/{one}", "policies/{one}"),
        *get("policies/{one}"),
    ]


@scenario(config={"policy": {"list_limit": 2}, "DEFAULT": {"list_limit": 6}})
def policies_limited():
    made = [policy(blob="{}", type=f"text/{number}") for number in range(4)]
    asked = ("", "?limit=1", "?limit=3", "?limit=9", "?type__contains=text", "?unknown=1")
    return [*made, *(ask("GET", f"policies{query}", count=True) for query in asked)]
