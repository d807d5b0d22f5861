"""Paths and queries as nobody should write them, and HEAD wherever GET is."""

from .cast import JSON, NOTHING, ask, get, head, scenario

LISTS = ("users", "groups", "projects", "domains", "roles", "regions", "services", "endpoints", "role_assignments", "role_inferences")


@scenario
def odd_requests():
    segments = ("a%2Fb", "a%2fb", "%7Balice%7D", "a%20b", "a+b", "%C3%A9", "%FF", "a%00b", "%25", "a;b", "a,b", "a'b", "x" * 300, "%E2%98%83")
    kinds = ("users", "projects", "regions", "services", "roles", "groups", "endpoints")
    doubled = ("//v3/users", "/v3//users", "/v3/users//", "/v3/users///", "/v3/users/{alice}//", "/v3//users/{alice}", "/v3/users//{alice}", "//", "///v3")
    doubled += ("/v3/groups/{staff}//users", "/v3/users/%2E", "/v3/users/{alice}/groups/", "/V3/users", "/v3/Users")
    queries = ("?", "??", "?&", "?name", "?name=alice&", "?&name=alice", "?=x", "?name=a=b", "?name=%", "?name=%zz", "?name=%ff", "?name=%00", "?n%61me=alice")
    queries += ("?name=alice;enabled=false", "?name=alice%26enabled=false", "?name=é", "?name[]=alice", "?name.x=1", "?name=" + "x" * 500, "?name=a%20b", "?name=a+b")
    return [
        *get(*(f"{kind}/{segment}" for kind in kinds[:2] for segment in segments)),
        *get(*(f"{kind}/{segment}" for kind in kinds[2:] for segment in segments[:6])),
        *(ask(method, f"users/{segment}", {"user": {"name": "x"}} if method == "PATCH" else None) for method in ("PATCH", "DELETE") for segment in segments[:6]),
        *(ask(method, f"regions/{segment}", {"region": {}}) for method in ("PUT", "PATCH") for segment in segments[:6]),
        *get(*(f"groups/{segment}/users/{segment}" for segment in segments[:3])),
        *get(*(f"projects/{segment}/users/{segment}/roles/{segment}" for segment in segments[:3])),
        *get(*doubled),
        *(ask("GET", path, who=None) for path in doubled),
        *get(*(f"{kind}{query}" for kind in ("users", "regions", "roles", "services") for query in queries if "é" not in query)),
        *(ask("GET", "users", headers={"X-Auth-Token": "{token:admin}", "Content-Type": "text/plain"}, who=None) for _ in range(1)),
        *(ask("GET", "users?name=bob", raw=raw, headers=JSON) for raw in ("{}", "{", "[]")),
        *(ask("DELETE", f"users/{NOTHING}", raw=raw, headers=JSON) for raw in ("{}", "{")),
        *(ask("PUT", "groups/{staff}/users/{bob}", raw=raw, headers=JSON) for raw in ("{}", "{", '{"x": 1}')),
        *(ask("HEAD", path, who=who) for path in ("nowhere", "/", "/v3", "users/x/y/z", "auth/tokens/x") for who in ("admin", None)),
    ]


@scenario
def heads():
    """HEAD has GET's status and headers, and no body."""
    members = ("users/{alice}", "users/{alice}/groups", "users/{alice}/projects", "groups/{staff}", "groups/{staff}/users", "projects/{demo}")
    members += ("domains/{acme}", "roles/{user}", "roles/{local}", "regions/north", "services/{images}", "endpoints/{public}", "roles/{admin}/implies")
    members += ("auth/projects", "auth/domains", "auth/system", "auth/catalog", "OS-REVOKE/events", "groups/{staff}/users/{alice}")
    places = ("projects/{demo}", "domains/{acme}", "system")
    actors = ("users/{bob}", "groups/{staff}")
    granted = [f"{place}/{actor}/roles" for place in places for actor in actors]
    inherited = [f"OS-INHERIT/{place}/{actor}/roles" for place in places[:2] for actor in actors]
    steps = []
    for path in granted:
        one = f"{path}/{{user}}"
        steps += [ask("PUT", one), *get(path, one), *head(path, one), ask("DELETE", one), *get(path, one), *head(path, one, f"{path}/{NOTHING}")]
    for path in inherited:
        one = f"{path}/{{user}}/inherited_to_projects"
        listed = [f"{path}/inherited_to_projects"]
        steps += [ask("PUT", one), *get(*listed, one), *head(*listed, one), ask("DELETE", one), *get(*listed, one), *head(*listed, one)]
    return [
        *steps,
        *(step for who in ("admin", "member", None) for step in head(*LISTS, *members, who=who)),
        *(ask("HEAD", f"{kind}/{NOTHING}") for kind in LISTS[:8]),
        *(ask("HEAD", f"{kind}?unknown=1") for kind in LISTS),
        *(ask("OPTIONS", path, who=who) for path in (*LISTS, *members, *granted, *inherited) for who in ("admin", None)),
    ]
