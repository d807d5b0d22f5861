"""OS-EP-FILTER: endpoint groups, which project sees which endpoints, and the catalogs that come of it."""

from .cast import CALLERS, JSON, NAMES, NOTHING, ask, delete, get, head, post, scenario

GROUPS = "OS-EP-FILTER/endpoint_groups"
PROJECTS = "OS-EP-FILTER/projects"


def group(save=None, who="admin", **fields):
    return ask("POST", GROUPS, {"endpoint_group": fields}, who, **({"save": save} if save else {}))


def put(*paths, who="admin"):
    return [ask("PUT", path, who=who) for path in paths]


def endpoints():
    """An endpoint of each kind, and the groups that choose them."""
    return [
        post("endpoint", "inside", service_id="{images}", interface="internal", region_id="RegionOne", url="http://in"),
        post("endpoint", "off", service_id="{images}", interface="public", region_id="north", url="http://off", enabled=False),
        post("endpoint", "nowhere", service_id="{images}", interface="public", url="http://nowhere", name="placeless"),
        post("endpoint", "dormant", service_id="{compute}", interface="public", region_id="north", url="http://dormant"),
        group("northern", name="northern", filters={"region_id": "north"}),
        group("imaging", name="imaging", description="Images", filters={"service_id": "{images}", "interface": "public"}),
    ]


def routes():
    associated = ("{northern}/projects/{demo}", "{northern}/projects/{works}", f"{{northern}}/projects/{NOTHING}", f"{NOTHING}/projects/{{demo}}")
    return (
        GROUPS,
        *(f"{GROUPS}/{path}" for path in ("{northern}", NOTHING, "{northern}/endpoints", f"{NOTHING}/endpoints")),
        *(f"{GROUPS}/{path}" for path in ("{northern}/projects", f"{NOTHING}/projects", *associated)),
        *(f"OS-EP-FILTER/endpoints/{path}/projects" for path in ("{public}", "{inside}", NOTHING)),
        *(f"{PROJECTS}/{path}" for project in ("{demo}", "{works}", "{acme}", NOTHING) for path in (f"{project}/endpoint_groups", f"{project}/endpoints")),
        *(f"{PROJECTS}/{path}" for path in ("{demo}/endpoints/{public}", "{works}/endpoints/{public}", f"{{demo}}/endpoints/{NOTHING}")),
        f"{PROJECTS}/{NOTHING}/endpoints/{{public}}",
    )


@scenario
def endpoint_filter():
    pairs = [f"{PROJECTS}/{{demo}}/endpoints/{{inside}}", f"{GROUPS}/{{imaging}}/projects/{{demo}}"]
    return [
        *endpoints(),
        *get(*routes()),
        *put(f"{PROJECTS}/{{demo}}/endpoints/{{public}}", f"{GROUPS}/{{northern}}/projects/{{demo}}"),
        *put(f"{PROJECTS}/{{acme}}/endpoints/{{public}}", f"{GROUPS}/{{northern}}/projects/{{acme}}"),
        *(step for who in CALLERS for step in get(*routes(), who=who)),
        *head(*routes()),
        *head(GROUPS, who=None),
        *(step for who in CALLERS[::-1] for step in put(*pairs, who=who)),
        *put(*pairs),
        *put(f"{PROJECTS}/{NOTHING}/endpoints/{NOTHING}", f"{PROJECTS}/{NOTHING}/endpoints/{{public}}", f"{PROJECTS}/{{demo}}/endpoints/{NOTHING}"),
        *put(f"{GROUPS}/{NOTHING}/projects/{NOTHING}", f"{GROUPS}/{NOTHING}/projects/{{demo}}", f"{GROUPS}/{{northern}}/projects/{NOTHING}"),
        *get(*routes()),
        *(step for who in CALLERS[1:] for step in delete(*pairs, who=who)),
        *delete(*pairs),
        *delete(*pairs),
        *delete(f"{PROJECTS}/{NOTHING}/endpoints/{NOTHING}", f"{PROJECTS}/{NOTHING}/endpoints/{{public}}", f"{PROJECTS}/{{demo}}/endpoints/{NOTHING}"),
        *delete(f"{GROUPS}/{NOTHING}/projects/{NOTHING}", f"{GROUPS}/{NOTHING}/projects/{{demo}}", f"{GROUPS}/{{northern}}/projects/{NOTHING}"),
        *delete("endpoints/{public}", "projects/{demo}"),
        *get(f"{PROJECTS}/{{acme}}/endpoints", f"{GROUPS}/{{northern}}/projects"),
    ]


@scenario
def endpoint_groups():
    fine = {"name": "n", "filters": {"interface": "public"}}
    filters = ({}, None, [], "x", {"interface": "PUBLIC"}, {"interface": None}, {"region_id": None}, {"region_id": 5}, {"region_id": "nowhere"})
    filters += ({"service_id": NOTHING}, {"service_id": None}, {"enabled": True}, {"enabled": "x"}, {"url": "http://x"}, {"interface": "admin", "a": 1})
    bodies = [*({**fine, **name} for name in NAMES), *({**fine, "filters": chosen} for chosen in filters)]
    bodies += [{"name": "n"}, {"filters": {"interface": "public"}}, {}, {**fine, "description": None}, {**fine, "description": 5}]
    bodies += [{**fine, "id": "x"}, {**fine, "links": {}}, {**fine, "extra": 1}, {**fine, "description": "é" * 300}]
    changes = [*NAMES, *({"filters": chosen} for chosen in filters), {"description": None}, {"description": "New"}, {"id": "{one}"}, {"id": "x"}]
    changes += [{"colour": 1}, {"name": "both", "filters": {"service_id": "{images}"}}]
    raw = [{}, {"endpoint_group": None}, {"endpoint_group": []}, {"endpoint_group": "x"}, {"other": {}}, {"endpoint_group": fine, "more": 1}, []]
    asked = ("name=both", "name=", "name=nothing", "name__contains=b", "unknown=1", "sort_key=name", "name=both&name=n", "name=" + "x" * 256)
    return [
        group("one", name="one", filters={"interface": "public"}),
        *(group(who=who, name=f"by {who}", filters={"interface": "public"}) for who in CALLERS[1:]),
        *(ask("PATCH", f"{GROUPS}/{path}", {"endpoint_group": {"name": "x"}}, who) for who in CALLERS[1:] for path in ("{one}", NOTHING)),
        *(ask("POST", GROUPS, {"endpoint_group": body}) for body in bodies),
        *(ask("POST", GROUPS, body) for body in raw),
        *(ask("PATCH", f"{GROUPS}/{{one}}", body) for body in raw),
        ask("POST", GROUPS, raw="no JSON", headers=JSON),
        ask("POST", GROUPS),
        ask("PATCH", f"{GROUPS}/{{one}}"),
        *(step for body in changes for step in (ask("PATCH", f"{GROUPS}/{{one}}", {"endpoint_group": body}), *get(f"{GROUPS}/{{one}}/endpoints"))),
        ask("PATCH", f"{GROUPS}/{NOTHING}", {"endpoint_group": {"name": "x"}}),
        ask("PATCH", f"{GROUPS}/{NOTHING}", {"endpoint_group": {"filters": {"url": "x"}}}),
        *get(f"{GROUPS}/{{one}}", GROUPS, *(f"{GROUPS}?{query}" for query in asked)),
        *get(f"{GROUPS}/{{one}}?unknown=1", f"{GROUPS}/{{one}}/endpoints?unknown=1", f"{PROJECTS}/{{demo}}/endpoints?interface=admin"),
        *(ask(method, GROUPS) for method in ("PUT", "DELETE", "PATCH", "OPTIONS")),
        *(ask(method, f"{GROUPS}/{{one}}") for method in ("PUT", "POST", "OPTIONS")),
        *(ask(method, f"{GROUPS}/{{one}}/projects/{{demo}}") for method in ("PATCH", "POST", "OPTIONS")),
        *(ask("OPTIONS", f"{PROJECTS}/{{demo}}/{path}") for path in ("endpoints", "endpoints/{public}", "endpoint_groups")),
        *put(f"{GROUPS}/{{one}}/projects/{{demo}}"),
        *(step for who in CALLERS[1:] for step in delete(f"{GROUPS}/{{one}}", f"{GROUPS}/{NOTHING}", who=who)),
        *delete(f"{GROUPS}/{{one}}", f"{GROUPS}/{{one}}"),
        *get(f"{PROJECTS}/{{demo}}/endpoint_groups"),
    ]


def catalogs():
    """The catalogs of a project, of another one and of a domain, with every combination of filters."""
    seen = [
        *get("auth/catalog", who="member"),
        *get("auth/catalog"),
        *get("auth/catalog", who="domain admin"),
        ask("GET", "auth/tokens", headers={"X-Subject-Token": "{token:member}"}),
    ]
    steps = [
        put(f"{PROJECTS}/{{demo}}/endpoints/{{off}}"),
        put(f"{PROJECTS}/{{demo}}/endpoints/{{dormant}}"),
        put(f"{PROJECTS}/{{demo}}/endpoints/{{inside}}"),
        put(f"{GROUPS}/{{northern}}/projects/{{demo}}"),
        put(f"{GROUPS}/{{imaging}}/projects/{{demo}}"),
        [ask("PATCH", "endpoints/{inside}", {"endpoint": {"enabled": False}})],
        delete(f"{GROUPS}/{{northern}}/projects/{{demo}}"),
        [ask("PATCH", f"{GROUPS}/{{imaging}}", {"endpoint_group": {"filters": {}}})],
        [ask("PATCH", f"{GROUPS}/{{imaging}}", {"endpoint_group": {"filters": {"region_id": "nowhere"}}})],
        delete("endpoints/{inside}"),
        delete(f"{PROJECTS}/{{demo}}/endpoints/{{off}}", f"{PROJECTS}/{{demo}}/endpoints/{{dormant}}"),
        [ask("PATCH", f"{GROUPS}/{{imaging}}", {"endpoint_group": {"filters": {"region_id": None}}})],
        delete(f"{GROUPS}/{{imaging}}"),
    ]
    return [*endpoints(), *seen, *(step for change in steps for step in (*change, *seen))]


@scenario
def filtered_catalogs():
    return catalogs()


@scenario(config={"endpoint_filter": {"return_all_endpoints_if_no_filter": False}})
def filtered_catalogs_only():
    return catalogs()
