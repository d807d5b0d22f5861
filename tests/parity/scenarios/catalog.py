"""Regions, services, endpoints, and the catalog made of them."""

from .cast import CALLERS, NOTHING, ask, get, head, patch, post, scenario
from .listings import inexact, limits, pages


@scenario
def catalog():
    listed = ("regions", "regions?parent_region_id=RegionOne", "regions?unknown=1", "services", "services?type=image")
    listed += ("services?type=IMAGE", "services?name=glance", "services?name=GLANCE", "services?name__contains=LA", "services?enabled=false")
    listed += ("endpoints", "endpoints?interface=public", "endpoints?service_id={images}", "endpoints?region_id=north", "endpoints?interface=x")
    shown = ("regions/north", "regions/nowhere", "services/{images}", f"services/{NOTHING}", "endpoints/{public}", f"endpoints/{NOTHING}")
    regions = ({}, {"id": "north"}, {"id": "NORTH"}, {"id": ""}, {"id": None}, {"id": 5}, {"id": "x" * 256}, {"id": "r1", "description": None})
    regions += ({"id": "r2", "description": 5}, {"id": "r3", "parent_region_id": None}, {"id": "r4", "parent_region_id": ""})
    regions += ({"id": "r5", "parent_region_id": "nowhere"}, {"id": "r7", "extra": 1, "a-b": 1})
    moved = ({}, {"description": None}, {"description": "New"}, {"parent_region_id": None}, {"parent_region_id": "r9"}, {"id": "x"})
    moved += ({"parent_region_id": "north"}, {"parent_region_id": "nowhere"}, {"parent_region_id": 5}, {"colour": 1}, {"id": "north"})
    services = ({}, {"type": "t1"}, {"type": ""}, {"type": None}, {"type": 5}, {"type": "x" * 256}, {"type": "t2", "name": None})
    services += ({"type": "t3", "name": 5}, {"type": "t4", "description": None}, {"type": "t5", "enabled": None}, {"name": "no type"})
    services += ({"type": "t6", "extra": {"a": 1}, "a-b": 1, "id": "x"},)
    renewed = ({}, {"type": "other"}, {"type": None}, {"name": "m"}, {"name": None}, {"enabled": False}, {"enabled": None}, {"id": "x"}, {"colour": 1})
    endpoint = {"service_id": "{images}", "interface": "public", "url": "http://x"}
    urls = ("http://y/%(tenant_id)s", "http://y/$(project_id)s/$(user_id)s", "http://y/$(nope)s", "http://y/%", "http://y/%%", "http://y/$(tenant_id)")
    urls += ("http://y/%(tenant_id)d", "", None, 5, "not a url", "http://" + "x" * 300, "/path")
    endpoints = [{"url": url} for url in urls]
    endpoints += [{"interface": "internal"}, {"interface": "PUBLIC"}, {"interface": None}, {"service_id": NOTHING}, {"service_id": None}]
    endpoints += [{"region_id": "nowhere"}, {"region_id": "north"}, {"region_id": None}, {"region_id": ""}, {"region": "brand-new"}]
    endpoints += [{"region": None}, {"region": "a", "region_id": "north"}, {"name": "n", "description": "d"}, {"enabled": False}, {"enabled": None}]
    turned = ({}, {"url": "http://new"}, {"url": "http://$(nope)s"}, {"url": None}, {"interface": "admin"}, {"interface": "x"}, {"service_id": NOTHING})
    turned += ({"service_id": "{compute}"}, {"region_id": "nowhere"}, {"region_id": None}, {"region": "by-region"}, {"enabled": False}, {"id": "x"})
    return [
        *get(*listed),
        *(step for who in CALLERS for step in get(*shown, who=who)),
        *(post("region", who=who, id=f"by {who}") for who in CALLERS),
        *(post("service", who=who, type="t") for who in CALLERS),
        *(post("endpoint", who=who, **endpoint) for who in CALLERS),
        *(ask("POST", "regions", {"region": body}) for body in regions),
        *(ask("PUT", f"regions/{path}", {"region": body}) for path, body in (("q1", {}), ("q1", {}), ("q2", {"id": "q2"}), ("q3", {"id": "other"}))),
        post("region", id="r9", parent_region_id="north"),
        *patch("region", "regions/north", *moved),
        *(ask("POST", "services", {"service": body}) for body in services),
        post("service", "changed", type="changed", name="n"),
        *patch("service", "services/{changed}", *renewed),
        *(ask("POST", "endpoints", {"endpoint": {**endpoint, **body}}) for body in endpoints),
        *(ask("POST", "endpoints", {"endpoint": {k: v for k, v in endpoint.items() if k != key}}) for key in endpoint),
        post("endpoint", "turned", **endpoint),
        *patch("endpoint", "endpoints/{turned}", *turned),
        *get("regions", "endpoints", "auth/catalog"),
        *get("auth/catalog", who="member"),
        *(ask("DELETE", path, who=who) for who in CALLERS[::-1] for path in ("endpoints/{turned}", "services/{images}", "regions/r1", f"services/{NOTHING}")),
        *(ask("DELETE", path) for path in ("regions/north", "regions/RegionOne", "regions/nowhere", f"endpoints/{NOTHING}")),
        *get("endpoints"),
    ]


@scenario
def catalog_listed():
    """Filters, inexact ones and pages, and the changes that each caller may not make."""
    services = ("type=image&name=glance", "type=image&name=nova", "type=image&type=compute", "type=", "name=", "name=&type=image", "enabled=true")
    services += ("id={images}", "description=Images", "description__contains=mag", "unknown", "type__contains=mag", "type__icontains=MAG", "sort_key=name")
    endpoints = ("interface=", "interface=PUBLIC", "service_id=", f"service_id={NOTHING}", "region_id=", "region_id=NORTH", "region=north", "enabled=false")
    endpoints += ("interface=public&region_id=north", "interface=public&service_id={compute}", "url=http://i", "url__contains=i", "id={public}", "unknown")
    endpoints += ("interface__contains=ub", "region_id__startswith=n", "region_id__icontains=ORT", "interface=public&interface=admin")
    regions = ("parent_region_id=", "parent_region_id=nowhere", "parent_region_id=REGIONONE", "parent_region_id=RegionOne&parent_region_id=x", "id=north")
    regions += ("description=Up", "parent_region_id__contains=e", "description__contains=U", "limit=1", "marker=north", "sort_key=id", "unknown")
    shown = ("regions/north", "services/{images}", "endpoints/{public}")
    changed = (("region", "regions/north"), ("service", "services/{images}"), ("endpoint", "endpoints/{public}"))
    missing = (("region", "regions/nowhere"), ("service", f"services/{NOTHING}"), ("endpoint", f"endpoints/{NOTHING}"))
    return [
        *(post("service", type=f"type {number}", name=f"Service {number}") for number in range(2)),
        *(post("endpoint", service_id="{compute}", interface="internal", url=f"http://c{number}") for number in range(2)),
        *get(*(f"services?{query}" for query in services)),
        *inexact("services", "name", "gl", "GL", "ce", "%25", "_"),
        *limits("services"),
        # Keystone takes no notice of the marker here, so that only full pages are alike.
        *pages("services", 2, 2),
        *pages("services?type=image", 2),
        *get(f"services?marker={NOTHING}", "services?marker="),
        *get(*(f"endpoints?{query}" for query in endpoints)),
        *inexact("endpoints", "url", "http", "HTTP", suffixes=("contains", "istartswith", "endswith", "bogus")),
        *limits("endpoints"),
        *pages("endpoints", 3, 3),
        *pages("endpoints?interface=internal", 2),
        *get(f"endpoints?marker={NOTHING}", "endpoints?marker="),
        *get(*(f"regions?{query}" for query in regions)),
        *(step for who in CALLERS for step in get("regions", "services?type=image", "endpoints?interface=public", who=who)),
        *(ask("PATCH", path, {kind: {"description": f"by {who}"}}, who) for who in CALLERS for kind, path in (*changed, *missing)),
        *(ask("PATCH", path, body, who) for who in ("admin", "member") for _, path in changed for body in ({}, {"other": {}}, None)),
        *(ask("PUT", "regions/put", {"region": {}}, who) for who in CALLERS[1:]),
        *head("regions", "services", "endpoints", *shown, "regions/nowhere", f"services/{NOTHING}", f"endpoints/{NOTHING}"),
        *(ask(method, path) for path in shown for method in ("PUT", "POST") if (path, method) != ("regions/north", "PUT")),
        *(ask("DELETE", path, who=who) for who in CALLERS[1:] for path in shown),
    ]
