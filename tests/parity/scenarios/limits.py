"""Registered limits and limits, under both enforcement models."""

from .cast import CALLERS, JSON, NOTHING, ask, cast, delete, get, head, login, post, scenario

FLAT = {"unified_limit": {"enforcement_model": "flat"}}
STRICT = {"unified_limit": {"enforcement_model": "strict_two_level"}}
WRONG = (
    {"service_id": None}, {"service_id": 5}, {"service_id": "x"}, {"service_id": NOTHING}, {"region_id": ""}, {"region_id": 5},
    {"region_id": "nowhere"}, {"region_id": "x" * 256}, {"resource_name": ""}, {"resource_name": None}, {"resource_name": 5},
    {"resource_name": "x" * 256}, {"description": 5}, {"description": "D ☃"}, {"other": 1}, {"id": NOTHING},
)  # fmt: skip
NUMBERS = (None, "10", 1.5, -2, -1, 0, 2147483647, 2147483648, True)


def registered(*names, who="admin", **more):
    limits = [{"service_id": "{images}", "resource_name": name, "default_limit": 10, **more} for name in names]
    saved = {name: f"registered_limits/resource_name={name}/id" for name in names}
    return ask("POST", "registered_limits", {"registered_limits": limits}, who, save=saved)


def limit(name, value=5, **more):
    return {"service_id": "{images}", "resource_name": name, "resource_limit": value, **more}


def create(*limits, who="admin", save=None):
    saved = {"save": {save: "limits/0/id"}} if save else {}
    return ask("POST", "limits", {"limits": list(limits)}, who, **saved)


@scenario
def registered_limits():
    one = {"service_id": "{images}", "resource_name": "r", "default_limit": 10}
    steps = [registered("cores", "ram", description="D ☃"), registered("disk", region_id="north"), registered("ports", region_id=None)]
    for who in CALLERS:
        steps += get("registered_limits", "registered_limits/{cores}", f"registered_limits/{NOTHING}", who=who)
        steps += head("registered_limits", "registered_limits/{cores}", f"registered_limits/{NOTHING}", who=who)
        steps += [ask("PATCH", "registered_limits/{cores}", {"registered_limit": {"default_limit": 11}}, who)]
        steps += [ask("PATCH", f"registered_limits/{NOTHING}", {"registered_limit": {"default_limit": 11}}, who)]
        steps += delete(f"registered_limits/{NOTHING}", who=who)
        if who != "admin":
            steps += [ask("POST", "registered_limits", {"registered_limits": [one]}, who), *delete("registered_limits/{cores}", who=who)]
    for wrong in (*WRONG, *({"default_limit": number} for number in NUMBERS)):
        body = {**one, "resource_name": f"r{len(steps)}", **wrong}
        steps += [ask("POST", "registered_limits", {"registered_limits": [body]})]
        steps += [ask("PATCH", "registered_limits/{ram}", {"registered_limit": wrong}), *get("registered_limits/{ram}")]
    for left_out in one:
        steps += [ask("POST", "registered_limits", {"registered_limits": [{key: one[key] for key in one if key != left_out}]})]
    for body in ({}, {"registered_limits": []}, {"registered_limits": {}}, {"registered_limits": None}, {"registered_limits": [5]}, {"other": []}):
        steps += [ask("POST", "registered_limits", body)]
    for body in ({}, {"registered_limit": {}}, {"registered_limit": None}, {"registered_limit": []}, {"other": {}}):
        steps += [ask("PATCH", "registered_limits/{cores}", body)]
    steps += [ask("POST", "registered_limits", raw=raw, headers=JSON) for raw in ("", "{", "[]")]
    steps += [ask("POST", "registered_limits", {"registered_limits": []}, None)]
    steps += [ask(method, "registered_limits") for method in ("PUT", "PATCH", "DELETE", "OPTIONS")]
    steps += [ask(method, "registered_limits/{cores}") for method in ("PUT", "POST", "OPTIONS")]
    steps += delete("registered_limits/{ports}", "registered_limits/{ports}") + get("registered_limits/{ports}", "registered_limits")
    return steps


@scenario
def registered_limit_conflicts():
    def twice(*limits):
        return ask("POST", "registered_limits", {"registered_limits": [{"service_id": "{images}", "default_limit": 1, **limit} for limit in limits]})

    steps = [registered("cores"), registered("disk", region_id="north"), registered("ram")]
    steps += [
        twice({"resource_name": "cores"}),
        twice({"resource_name": "CORES"}),
        twice({"resource_name": "cores", "region_id": None}),
        twice({"resource_name": "cores", "service_id": "{compute}"}),
        twice({"resource_name": "cores", "region_id": "north"}),
        twice({"resource_name": "disk", "region_id": "north"}),
        twice({"resource_name": "disk"}),
        twice({"resource_name": "new"}, {"resource_name": "cores"}),
        twice({"resource_name": "new"}, {"resource_name": "new"}),
        twice({"resource_name": "new"}, {"resource_name": "other", "region_id": "nowhere"}),
        *get("registered_limits"),
    ]
    for changes in (
        {"resource_name": "cores"}, {"resource_name": "ram"}, {"region_id": None}, {"region_id": "north"}, {"region_id": "RegionOne", "resource_name": "disk"},
        {"service_id": "{images}"}, {"service_id": "{compute}"}, {"service_id": "{compute}", "resource_name": "cores", "region_id": None},
        {"description": None}, {"description": ""}, {"description": "D"}, {"default_limit": 0}, {"default_limit": 5, "resource_name": "renamed"},
    ):  # fmt: skip
        steps += [ask("PATCH", "registered_limits/{ram}", {"registered_limit": changes}), *get("registered_limits/{ram}")]
    steps += [
        create(limit("cores", project_id="{demo}"), save="limit"),
        ask("PATCH", "registered_limits/{cores}", {"registered_limit": {"description": "in use"}}),
        ask("PATCH", "registered_limits/{cores}", {"registered_limit": {"service_id": NOTHING}}),
        ask("PATCH", "registered_limits/{cores}", {"registered_limit": {}}),
        *delete("registered_limits/{cores}", "limits/{limit}", "registered_limits/{cores}"),
        *get("registered_limits"),
    ]
    return steps


@scenario(config=FLAT)
def limits():
    steps = [
        registered("cores", "ram", "disk"),
        registered("ports", region_id="north"),
        create(limit("cores", project_id="{demo}", description="D ☃"), save="demos"),
        create(limit("cores", project_id="{works}"), limit("ram", project_id="{works}"), save="workss"),
        create(limit("cores", domain_id="{acme}"), save="acmes"),
        create(limit("ports", domain_id="default", region_id="north"), save="defaults"),
        create(limit("ram", project_id="{acme}"), save="acting"),
    ]
    for who in CALLERS:
        steps += get("limits", "limits/model", who=who) + head("limits", "limits/model", who=who)
        for one in ("{demos}", "{workss}", "{acmes}", "{defaults}", "{acting}", NOTHING):
            steps += get(f"limits/{one}", who=who) + head(f"limits/{one}", who=who)
        steps += [
            ask("PATCH", "limits/{demos}", {"limit": {"resource_limit": 6}}, who),
            ask("PATCH", f"limits/{NOTHING}", {"limit": {"resource_limit": 6}}, who),
            *delete(f"limits/{NOTHING}", who=who),
        ]
        if who != "admin":
            steps += [create(limit("disk", project_id="{demo}"), who=who), *delete("limits/{demos}", who=who)]
    steps += [
        ask("PUT", "projects/{child}/users/{bob}/roles/{service}"),
        ask("PUT", "projects/{works}/users/{bob}/roles/{manager}"),
        ask("PUT", "system/users/{bob}/roles/{user}"),
        login("service", "{bob}", "bob", {"project": {"id": "{child}"}}),
        login("manager", "{bob}", "bob", {"project": {"id": "{works}"}}),
        login("system user", "{bob}", "bob", {"system": {"all": True}}),
    ]
    for who in ("service", "manager", "system user"):
        steps += get("limits", "limits?project_id={demo}", "limits/{demos}", "limits/{workss}", "limits/{acmes}", who=who)
    steps += delete("limits/{demos}", "limits/{demos}") + get("limits/{demos}", "limits")
    return steps


@scenario
def limit_lists():
    steps = [
        registered("cores", "ram", "Random"),
        registered("ports", region_id="north"),
        create(*(limit(name, project_id="{demo}") for name in ("cores", "ram", "Random"))),
        create(limit("cores", domain_id="{acme}"), limit("cores", project_id="{works}"), limit("ports", project_id="{works}", region_id="north")),
    ]
    # Not `__contains` of what may be null: Keystone answers that with the interpreter's words.
    queries = [
        "service_id={images}", "service_id={compute}", "service_id=x", "service_id=", "region_id=north", "region_id=NORTH", "region_id=nowhere",
        "region_id=", f"region_id={'x' * 65}", f"region_id={'x' * 256}", "resource_name=cores", "resource_name=CORES", "resource_name=", "resource_name=no",
        f"resource_name={'x' * 256}", "resource_name__contains=r", "resource_name__contains=R", "resource_name__icontains=R", "resource_name__startswith=ra",
        "resource_name__istartswith=RA", "resource_name__endswith=s", "resource_name__iendswith=S", "resource_name__unknown=x",
        "service_id__icontains=x", "resource_name=cores&service_id={images}", "resource_name=cores&region_id=north", "default_limit=10", "description=x",
        "limit=100", "limit=", "resource_name=ports&limit=1", "marker=", "sort_key=resource_name",
    ]  # fmt: skip
    steps += get(*(f"registered_limits?{query}" for query in queries))
    steps += [ask("GET", f"registered_limits?limit={limit}", count=True) for limit in (1, 3, 4, 5)]
    steps += [ask("GET", "registered_limits?limit=1&resource_name__icontains=r", count=True)]
    queries += [
        "project_id={demo}", "project_id={works}", "project_id=x", "project_id=", "project_id=no_such!", "domain_id={acme}", "domain_id=x", "domain_id=",
        f"domain_id={'x' * 65}", "project_id={works}&resource_name=cores", "project_id={works}&domain_id={acme}",
        "resource_limit=5",
    ]  # fmt: skip
    steps += get(*(f"limits?{query}" for query in queries))
    steps += [ask("GET", f"limits?limit={limit}", count=True) for limit in (1, 5, 6, 7)]
    for who in ("member", "domain reader", "system reader", "unscoped"):
        steps += get("limits?resource_name=cores", "limits?project_id={demo}", "limits?project_id={works}", "limits?domain_id={acme}", who=who)
        steps += get("registered_limits?resource_name=cores", who=who)
    return steps


@scenario
def limit_input():
    one = limit("cores", project_id="{demo}")
    steps = [registered("cores", "ram", "disk"), registered("ports", region_id="north"), create(limit("ram", 7, project_id="{demo}", description="D"), save="ram")]
    for wrong in (*WRONG, *({"resource_limit": number} for number in NUMBERS)):
        steps += [create({**one, "project_id": "{child}", **wrong})]
        steps += [ask("PATCH", "limits/{ram}", {"limit": wrong}), *get("limits/{ram}")]
    for wrong in (
        {"project_id": ""}, {"project_id": 5}, {"project_id": NOTHING}, {"project_id": "a b"}, {"domain_id": "{acme}"}, {"domain_id": None},
        {"project_id": "x" * 65}, {"project_id": "{acme}", "resource_name": "disk"},
    ):  # fmt: skip
        steps += [create({**one, **wrong})]
    for wrong in ({"domain_id": ""}, {"domain_id": 5}, {"domain_id": NOTHING}, {"domain_id": "{demo}"}, {"domain_id": "DEFAULT"}, {"domain_id": "x" * 65}):
        steps += [create({**limit("cores"), **wrong})]
    steps += [create({key: one[key] for key in one if key != left_out}) for left_out in one]
    steps += [
        create(limit("nothing", project_id="{demo}")),
        create(limit("ports", project_id="{demo}")),
        create(limit("cores", project_id="{demo}", region_id="north")),
        create(limit("ports", project_id="{demo}", region_id="north")),
        create(limit("ports", project_id="{demo}", region_id="NORTH")),
        create(limit("cores", project_id="{works}"), save="first"),
        create(limit("cores", project_id="{works}")),
        create(limit("CORES", project_id="{works}")),
        create(limit("disk", project_id="{works}"), limit("disk", project_id="{works}")),
        create(limit("disk", project_id="{works}"), limit("nothing", project_id="{works}")),
        create(limit("disk", project_id="{works}"), limit("disk", project_id=NOTHING)),
        create(limit("cores", domain_id="{off}")),
        create(limit("cores", project_id="{off}")),
        *get("limits"),
    ]
    for changes in (
        {}, {"resource_limit": 0}, {"resource_limit": -1}, {"resource_limit": 8, "description": ""}, {"description": None}, {"description": "New"},
        {"project_id": "{child}"}, {"resource_name": "cores"},
    ):  # fmt: skip
        steps += [ask("PATCH", "limits/{ram}", {"limit": changes}), *get("limits/{ram}")]
    steps += [ask("PATCH", "limits/{ram}", body) for body in ({}, {"limit": None}, {"limit": []}, {"other": {}}, {"limit": {}, "more": 1})]
    for body in ({}, {"limits": []}, {"limits": {}}, {"limits": None}, {"limits": [5]}, {"other": []}):
        steps += [ask("POST", "limits", body)]
    steps += [ask("POST", "limits", raw=raw, headers=JSON) for raw in ("", "{", "[]")]
    steps += [ask("POST", "limits", {"limits": []}, None)]
    steps += [ask(method, "limits") for method in ("PUT", "PATCH", "DELETE", "OPTIONS")]
    steps += [ask(method, "limits/{ram}") for method in ("PUT", "POST", "OPTIONS")]
    steps += [ask(method, "limits/model") for method in ("PUT", "POST", "PATCH", "DELETE", "OPTIONS")]
    return steps


@scenario
def limit_clean_up():
    steps = [
        registered("cores", "ram"),
        registered("ports", region_id="north"),
        create(limit("cores", project_id="{grandchild}"), save="grandchilds"),
        create(limit("cores", project_id="{works}"), save="workss"),
        create(limit("ports", project_id="{demo}", region_id="north"), save="demos"),
    ]
    steps += delete("projects/{grandchild}") + get("limits", "limits/{grandchilds}")
    steps += [ask("PATCH", "domains/{acme}", {"domain": {"enabled": False}}), *delete("domains/{acme}"), *get("limits", "limits/{workss}")]
    steps += delete("endpoints/{public}", "regions/north") + get("limits", "registered_limits", "registered_limits/{ports}")
    steps += [create(limit("ports", project_id="{child}", region_id="north"))]
    steps += [ask("PATCH", "limits/{demos}", {"limit": {"resource_limit": 9}})]
    steps += delete("services/{images}") + get("limits", "registered_limits", "limits/{demos}")
    steps += [create(limit("ram", project_id="{child}")), ask("PATCH", "registered_limits/{ram}", {"registered_limit": {"default_limit": 3}})]
    steps += delete("limits/{demos}", "registered_limits/{ports}") + get("registered_limits")
    return steps


@scenario(config=STRICT, on_stage=False)
def limits_strict():
    # The cast without the one that would be too deep.
    steps = [step for step in cast() if step.get("save") != "grandchild"]
    steps += [registered("cores", "ram"), registered("ports", region_id="north"), registered("free", default_limit=-1), registered("none", default_limit=0)]
    steps += get("limits/model")
    steps += [post("project", name="too deep", domain_id="default", parent_id="{child}"), post("project", name="at the top", domain_id="{acme}")]
    steps += [
        create(limit("cores", 10, project_id="{works}"), save="workss"),
        create(limit("cores", 11, project_id="{closed}")),
        create(limit("cores", 9, domain_id="{acme}")),
        create(limit("cores", 20, domain_id="{acme}"), save="acmes"),
        create(limit("cores", 20, project_id="{closed}"), save="closeds"),
        create(limit("ports", 11, project_id="{works}", region_id="north")),
        create(limit("ports", 10, project_id="{works}", region_id="north")),
        create(limit("ram", 8, project_id="{works}"), limit("ram", 7, domain_id="{acme}")),
        create(limit("ram", 7, domain_id="{acme}"), limit("ram", 8, project_id="{works}")),
        create(limit("ram", 9, domain_id="{acme}"), limit("ram", 8, project_id="{works}"), limit("ram", 10, project_id="{closed}")),
        create(limit("ram", 12, domain_id="{acme}"), limit("ram", 11, project_id="{works}")),
        create(limit("free", 1, project_id="{works}")),
        create(limit("free", -1, project_id="{works}")),
        create(limit("none", 50, project_id="{works}")),
        create(limit("none", 5, domain_id="{acme}")),
        create(limit("none", 0, domain_id="{acme}")),
        create(limit("cores", 11, project_id="{child}")),
        create(limit("cores", 10, project_id="{child}")),
        create(limit("cores", 5, domain_id="default")),
        create(limit("cores", 5, project_id="default")),
        create(limit("cores", 30, project_id="{acme}")),
        *get("limits"),
    ]
    for name, values in {"workss": (21, 20, 0, -1), "acmes": (19, 20, 25, 0, -1), "closeds": (26, 25)}.items():
        for value in values:
            steps += [ask("PATCH", f"limits/{{{name}}}", {"limit": {"resource_limit": value}}), *get(f"limits/{{{name}}}")]
    steps += [ask("PATCH", "limits/{acmes}", {"limit": {"description": "D"}}), *delete("limits/{acmes}")]
    steps += [ask("PATCH", "limits/{workss}", {"limit": {"description": "D"}}), *get("limits")]
    return steps
