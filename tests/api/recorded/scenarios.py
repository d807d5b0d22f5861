"""What Python Keystone is asked. `{name}` stands for an id that an earlier step saved."""

from harness import wire

NOTHING = "0" * 32
JSON = {"Content-Type": "application/json"}


def ask(method, path, body=None, who="admin", **more):
    step = {"as": who, "method": method, "path": f"/v3/{path}", **more}
    return step if body is None else {**step, "body": body}


def get(*paths, who="admin"):
    return [ask("GET", path, who=who) for path in paths]


def post(kind, save=None, who="admin", **fields):
    return ask("POST", f"{kind}s", {kind: fields}, who, **({"save": save} if save else {}))


def patch(kind, path, *bodies):
    """Each change, and what is there after it."""
    return [step for body in bodies for step in (ask("PATCH", path, {kind: body}), ask("GET", path))]


def login(name, user, password, scope):
    body = wire.auth({"methods": ["password"], "password": {"user": {"id": user, "password": password}}}, scope)
    return {"method": "POST", "path": "/v3/auth/tokens", "body": body, "login": name}


def cast():
    """A small cloud, and one caller of each kind."""
    admin = wire.password("admin", "000000", "admin")
    people = {"alice": "default", "bob": "default", "carol": "{acme}", "dave": "{acme}", "erin": "{acme}", "frank": "default"}
    roles = {name: name for name in ("admin", "manager", "member", "reader", "service")}
    return [
        {"method": "POST", "path": "/v3/auth/tokens", "body": admin, "login": "admin"},
        ask("GET", "roles", pick={"roles": roles}),
        ask("GET", "services", pick={"services": {"keystone": "keystone"}}),
        post("domain", "acme", name="Acme", description="A second one", colour="red"),
        post("domain", "off", name="Off", enabled=False),
        post("project", "demo", name="demo", domain_id="default", description="Démo ☃", tags=["b", "a"]),
        post("project", "child", name="child", domain_id="default", parent_id="{demo}"),
        post("project", "grandchild", name="grandchild", domain_id="default", parent_id="{child}"),
        post("project", "works", name="works", domain_id="{acme}"),
        post("project", "closed", name="closed", domain_id="{acme}", enabled=False),
        *(post("user", name, name=name, domain_id=domain, password=name, email=f"{name}@x") for name, domain in people.items()),
        post("group", "staff", name="staff", domain_id="default", description="Everybody"),
        post("group", "crew", name="crew", domain_id="{acme}"),
        post("role", "user", name="user", description="of the install guide"),
        post("role", "local", name="local", domain_id="{acme}"),
        ask("PUT", "groups/{staff}/users/{alice}"),
        ask("PUT", "groups/{crew}/users/{carol}"),
        ask("PUT", "projects/{demo}/users/{alice}/roles/{member}"),
        ask("PUT", "domains/{acme}/users/{carol}/roles/{admin}"),
        ask("PUT", "domains/{acme}/users/{dave}/roles/{manager}"),
        ask("PUT", "domains/{acme}/users/{erin}/roles/{reader}"),
        ask("PUT", "system/users/{frank}/roles/{reader}"),
        ask("PUT", "OS-INHERIT/projects/{demo}/users/{alice}/roles/{reader}/inherited_to_projects"),
        login("member", "{alice}", "alice", {"project": {"id": "{demo}"}}),
        *(
            login(f"domain {role}", who, name, {"domain": {"id": "{acme}"}})
            for role, who, name in (("admin", "{carol}", "carol"), ("manager", "{dave}", "dave"), ("reader", "{erin}", "erin"))
        ),
        login("system reader", "{frank}", "frank", {"system": {"all": True}}),
        login("unscoped", "{alice}", "alice", "unscoped"),
        post("region", id="north", parent_region_id="RegionOne", description="Up"),
        post("service", "images", type="image", name="glance", description="Images"),
        post("service", "compute", type="compute", name="nova", enabled=False),
        post("endpoint", "public", service_id="{images}", interface="public", region_id="north", url="http://i/$(project_id)s"),
        post("endpoint", service_id="{images}", interface="admin", url="http://i"),
    ]


CALLERS = ("admin", "member", "domain admin", "domain manager", "domain reader", "system reader", "unscoped", None)
NAMES = ({}, {"name": ""}, {"name": None}, {"name": 5}, {"name": "   "}, {"name": "x" * 256}, {"name": "ümläut"})
LONE = {"links": {"other": 1}, "extra": {"a": 1}}


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


def users():
    queries = ("", "?name=alice", "?name=ALICE", "?enabled=false", "?enabled=0", "?domain_id={acme}", "?domain_id=nowhere")
    queries += ("?name__contains=li", "?name__istartswith=AL", "?name__endswith=CE", "?email=alice@x", "?unknown=1")
    queries += tuple(f"?password_expires_at={value}" for value in (
        *("lt:2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "xx:2030-01-01T00:00:00Z", "abc", "lt:abc", "", "gt:2010-01-01"),
    ))
    made = ({"name": "alice"}, {"name": "ALICE"}, {"name": " alice "}, {"name": "b1", "enabled": None}, {"name": "b2", "enabled": 0})
    made += ({"name": "b3", "domain_id": NOTHING}, {"name": "b4", "domain_id": "{off}"}, {"name": "b5", "domain_id": None})
    made += ({"name": "b6", "password": None}, {"name": "b7", "password": ""}, {"name": "b8", "password": 5})
    made += ({"name": "b10", "default_project_id": NOTHING}, {"name": "b11", "default_project_id": "default"})
    made += ({"name": "b12", "default_project_id": None}, {"name": "b13", "description": None, "email": None}, {"name": "b14", "email": 5})
    made += ({"name": "b15", "options": {"other": 1}}, {"name": "b16", "options": {"lock_password": "yes"}}, {"name": "b17", "options": None})
    made += ({"name": "b18", "options": {"lock_password": True, "ignore_password_expiry": False}}, {"name": "b19", "id": "x"})
    made += ({"name": "b20", "options": {"multi_factor_auth_rules": [["password", "totp"]], "multi_factor_auth_enabled": True}},)
    made += ({"name": "b21", "options": {"multi_factor_auth_rules": ["password"]}}, {"name": "b22", "extra": {"a": 1}, "x-y": 1})
    changes = ({}, {"name": " renamed "}, {"name": "alice"}, {"name": None}, {"enabled": None}, {"enabled": False}, {"enabled": True})
    changes += ({"domain_id": "default"}, {"domain_id": "{acme}"}, {"domain_id": None}, {"id": "{changed}"}, {"id": "x"})
    changes += ({"password": "two"}, {"password": None}, {"password": ""}, {"password": 5}, {"default_project_id": "{demo}"})
    changes += ({"default_project_id": "default"}, {"default_project_id": None}, {"description": "d"}, {"email": None}, {"colour": "red"})
    changes += ({"options": {"lock_password": None}}, {"options": {"ignore_password_expiry": True}}, {"options": {"other": 1}})
    changes += ({"password_expires_at": "2030"}, {"extra": {"z": 1}}, {"options": None})
    about = ("users/{alice}", "users/{carol}", f"users/{NOTHING}")
    return [
        *get(*(f"users{query}" for query in queries)),
        *(step for who in CALLERS for step in get("users", "users?domain_id={acme}", "users?domain_id=default", who=who)),
        *(step for who in CALLERS for user in about for step in get(user, f"{user}/groups", f"{user}/projects", who=who)),
        *get(*(f"users/{{alice}}/projects{query}" for query in ("?name=demo", "?name__contains=ch", "?enabled=false", "?domain_id={acme}"))),
        *get("users/{alice}/groups?name=staff", "users/{alice}/groups?name=nobody"),
        *(post("user", who=who, name=f"by {who}", domain_id="{acme}") for who in CALLERS),
        *(post("user", who=who, name=f"of {who}") for who in CALLERS),
        *(ask("POST", "users", {"user": body}) for body in (*NAMES, *made)),
        post("user", "changed", name="changed", domain_id="default", password="one", email="e", options={"lock_password": True}),
        *patch("user", "users/{changed}", *changes),
        *(ask("PATCH", f"users/{NOTHING}", {"user": {"name": "x"}}, who) for who in CALLERS),
        *passwords(),
        *(ask("DELETE", f"users/{user}", who=who) for who in (None, "member", "domain manager", "admin") for user in ("{bob}", NOTHING, "{erin}")),
    ]


def passwords():
    """What becomes of a user's tokens and logins when its password changes or goes."""

    def tried(name, password):
        return login(name, "{fickle}", password, "unscoped")

    wrong = ({}, {"user": {}}, {"user": {"password": "x"}}, {"user": {"original_password": "x"}}, {"user": {"password": 5, "original_password": "x"}})
    wrong += ({"user": {"password": "n", "original_password": "wrong"}}, {"user": []}, {"user": None})
    return [
        post("user", "fickle", name="fickle", domain_id="default", password="one"),
        tried("fickle", "one"),
        {"wait": 1},
        ask("PATCH", "users/{fickle}", {"user": {"password": None}}),
        *get("auth/projects", who="fickle"),
        {"wait": 1},
        tried("fickle", "one"),
        ask("PATCH", "users/{fickle}", {"user": {"password": "two"}}),
        {"wait": 1},
        tried("fickle", "one"),
        tried("fickle", "two"),
        *get("auth/projects", who="fickle"),
        *(ask("POST", "users/{fickle}/password", body, None) for body in wrong),
        ask("POST", f"users/{NOTHING}/password", {"user": {"password": "n", "original_password": "two"}}, None),
    ]


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


def grants():
    targets = ("projects/{demo}", f"projects/{NOTHING}", "domains/{acme}", f"domains/{NOTHING}", "domains/{demo}", "system")
    actors = ("users/{bob}", f"users/{NOTHING}", "groups/{staff}")
    steps = []
    for target in targets:
        for actor in actors:
            inherits = () if target == "system" else ("OS-INHERIT/",)
            for role in ("{user}", "{local}", NOTHING):
                paths = [f"{target}/{actor}/roles/{role}"]
                paths += [f"{inherit}{target}/{actor}/roles/{role}/inherited_to_projects" for inherit in inherits]
                steps += [ask(method, path) for path in paths for method in ("PUT", "HEAD", "PUT")]
            steps += get(f"{target}/{actor}/roles")
            if target.startswith("domains"):
                steps += get(f"OS-INHERIT/{target}/{actor}/roles/inherited_to_projects")
            for role in ("{user}", NOTHING):
                paths = [f"{target}/{actor}/roles/{role}"]
                paths += [f"{inherit}{target}/{actor}/roles/{role}/inherited_to_projects" for inherit in inherits]
                steps += [ask("DELETE", path) for path in paths for _ in range(2)]
    for who in CALLERS[1:]:
        for target in ("projects/{demo}", "projects/{works}", "domains/{acme}", f"domains/{NOTHING}", "system"):
            for actor in ("users/{erin}", f"users/{NOTHING}"):
                steps += get(f"{target}/{actor}/roles", who=who)
                for role in ("{reader}", "{admin}"):
                    path = f"{target}/{actor}/roles/{role}"
                    steps += [ask(method, path, who=who) for method in ("HEAD", "PUT", "DELETE")]
    return steps


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


def bad_input():
    kinds = ("project", "user", "domain", "group", "role", "region", "service", "endpoint")
    steps = []
    for kind in kinds:
        path = f"{kind}s"
        for who in ("admin", None):
            for raw in ("", "{", "[]", '"x"', "5", "null", "{}", " \n ", "{'a':1}", '{"%s":{}} x' % kind):
                # The reference answers this one with a text of the interpreter.
                if (kind, who) == ("endpoint", "admin") and raw in ("", "{}"):
                    continue
                steps.append(ask("POST", path, who=who, raw=raw, headers=JSON))
            for media in ("text/plain", "application/json; charset=utf-8", "application/vnd.x+json", "application/x-www-form-urlencoded"):
                steps.append(ask("POST", path, who=who, raw='{"%s":{}}' % kind, headers={"Content-Type": media}))
            steps += [ask("POST", path, {kind: value}, who) for value in (None, [], {}, "x", 5, True)]
            steps += [ask("POST", path, {"other": {}}, who)]
            steps += [ask(method, path, who=who) for method in ("PUT", "DELETE", "PATCH", "OPTIONS")]
            steps += [ask(method, f"{path}/{NOTHING}", who=who) for method in ("POST", "OPTIONS")]
        steps += [ask("GET", f"{path}/"), ask("GET", f"{path}/{NOTHING}/"), ask("GET", f"{path}/{NOTHING}/nowhere")]
        steps += [ask("PATCH", f"{path}/{NOTHING}", raw=raw, headers=JSON) for raw in ("{", "[]", "")]
    for path in ("nowhere", "users/x/y/z", "auth", "auth/nowhere", "system", "system/users", "OS-INHERIT", "projects/x/users"):
        steps += [ask(method, path) for method in ("GET", "POST", "DELETE", "OPTIONS")]
    steps += get("users", who="nobody known")
    steps += [ask("GET", "users", who=None, headers={"X-Auth-Token": token}) for token in ("garbage", "gAAAAAB", "", "x" * 300)]
    return steps


ALL = {
    scenario.__name__: cast() + scenario()
    for scenario in (projects, domains, users, groups, roles, grants, catalog, bad_input)
}
