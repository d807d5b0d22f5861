"""Projects and their trees."""

from .cast import CALLERS, NAMES, NOTHING, ask, get, patch, post, scenario


@scenario
def projects():
    queries = ("", "?name=demo", "?name=DEMO", "?name=", "?name=nobody", "?enabled=true", "?enabled=false", "?enabled=0")
    queries += ("?enabled", "?domain_id={acme}", "?domain_id=nowhere", "?parent_id={demo}", "?parent_id=default")
    queries += ("?is_domain=true", "?is_domain=1&name=Acme", "?name__contains=EM", "?name__icontains=EM", "?name__foo=x")
    queries += ("?name__startswith=de", "?name__iendswith=MO", "?name__contains=_", "?name__equals=demo", "?unknown=1")
    queries += ("?tags=a", "?tags=a,b", "?tags=a,z", "?tags-any=a,z", "?not-tags=a,z", "?not-tags=a", "?not-tags-any=a,z")
    queries += ("?tags=", f"?marker={NOTHING}", "?name=" + "x" * 65)
    views = ("", "?parents_as_list", "?parents_as_ids", "?subtree_as_list", "?subtree_as_ids", "?parents_as_ids=0")
    views += ("?parents_as_ids&subtree_as_ids", "?parents_as_list&parents_as_ids", "?subtree_as_list&subtree_as_ids")
    made = ({"name": "demo"}, {"name": "DEMO"}, {"name": "demo "}, {"name": " trimmed "}, {"name": "x" * 65})
    made += ({"name": "n1", "description": None}, {"name": "n2", "description": 5}, {"name": "n3", "enabled": None})
    made += ({"name": "n4", "enabled": 1}, {"name": "n5", "is_domain": None}, {"name": "n6", "parent_id": None})
    made += ({"name": "n7", "parent_id": ""}, {"name": "n8", "parent_id": NOTHING}, {"name": "n9", "parent_id": "{acme}"})
    made += ({"name": "n10", "parent_id": "{works}"}, {"name": "n11", "parent_id": "{closed}", "domain_id": "{acme}"})
    made += ({"name": "n12", "domain_id": "{off}"}, {"name": "n13", "domain_id": NOTHING}, {"name": "n14", "domain_id": None})
    made += ({"name": "n15", "domain_id": "{demo}"}, {"name": "n16", "id": "mine"}, {"name": "n17", "a:b": 1, "c-d": 2})
    made += ({"name": "n18", "extra": {"a": 1}}, {"name": "n19", "options": {}}, {"name": "n20", "options": None})
    made += ({"name": "n21", "options": {"immutable": "yes"}}, {"name": "n22", "options": {"other": 1}})
    made += ({"name": "n23", "tags": ["b", "a", "é"]}, {"name": "n24", "tags": ["a", "a"]}, {"name": "n25", "tags": ["a,b"]})
    made += ({"name": "n26", "tags": ["Ab", "aB"]}, {"name": "n27", "tags": None}, {"name": "n28", "tags": [5]})
    made += ({"name": "n29", "nested": {"a": [1, None, 1.5, True, {"b": "é"}]}}, {"name": "Realm", "is_domain": True})
    made += ({"name": "Acme", "is_domain": True}, {"name": "Sub", "is_domain": True, "parent_id": "{demo}"})
    changes = ({}, {"name": " renamed "}, {"name": ""}, {"name": None}, {"description": None}, {"enabled": False})
    changes += ({"enabled": True}, {"enabled": None}, {"domain_id": "default"}, {"domain_id": "{acme}"}, {"domain_id": None})
    changes += ({"parent_id": "default"}, {"parent_id": "{demo}"}, {"is_domain": False}, {"is_domain": True}, {"id": "{changed}"})
    changes += ({"id": "other"}, {"id": 5}, {"id": None}, {"colour": "blue"}, {"colour": None}, {"extra": {"z": 1}})
    changes += ({"tags": ["z", "y"]}, {"tags": []}, {"tags": None}, {"options": {"immutable": True}}, {"name": "held"})
    changes += ({"colour": "x", "options": {"immutable": False}}, {"options": {"immutable": None}}, {"options": {"other": 1}})
    off = ({"project": {"enabled": False}}, {"project": {"enabled": True}})
    return [
        *get(*(f"projects{query}" for query in queries)),
        *get(*(f"projects/{{{project}}}{view}" for project in ("demo", "child", "grandchild") for view in views)),
        *get(*(f"projects/{{child}}{view}" for view in views), who="member"),
        *(step for who in CALLERS for step in get("projects", "projects/{works}", f"projects/{NOTHING}", who=who)),
        *(post("project", who=who, name=f"by {who}", domain_id="{acme}") for who in CALLERS),
        *(ask("POST", "projects", {"project": {"domain_id": "default", **body}}) for body in (*NAMES[1:], *made)),
        post("project", "fourth", name="fourth", domain_id="default", parent_id="{grandchild}"),
        post("project", "fifth", name="fifth", domain_id="default", parent_id="{fourth}"),
        post("project", name="sixth", domain_id="default", parent_id="{fifth}"),
        post("project", "changed", name="changed", domain_id="default", colour="red"),
        *patch("project", "projects/{changed}", *changes),
        ask("PATCH", "projects/{child}", off[0]),
        ask("PATCH", "projects/{fifth}", off[0]),
        ask("PATCH", "projects/{fourth}", off[0]),
        ask("PATCH", "projects/{fifth}", off[1]),
        post("project", name="under", domain_id="default", parent_id="{fourth}"),
        ask("DELETE", "projects/{demo}"),
        ask("DELETE", "projects/{fifth}", who="member"),
        ask("DELETE", "projects/{fifth}"),
        ask("DELETE", "projects/{fifth}"),
        ask("PATCH", "projects/{changed}", {"project": {"options": {"immutable": True}}}),
        ask("DELETE", "projects/{changed}"),
        ask("DELETE", "projects/default"),
        ask("DELETE", "projects/{acme}"),
    ]
