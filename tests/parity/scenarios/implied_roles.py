"""Which role implies which, and the lists of roles."""

from .cast import CALLERS, NOTHING, ask, delete, get, head, post, scenario
from .listings import SUFFIXES, inexact, limits


@scenario
def implied_roles():
    made = ("one", "two", "three")
    pairs = (("{one}", "{two}"), ("{two}", "{three}"), ("{three}", "{one}"), ("{one}", "{one}"), ("{one}", "{admin}"), ("{one}", "{local}"))
    pairs += (("{local}", "{one}"), ("{local}", "{other}"), ("{one}", NOTHING), (NOTHING, "{one}"), ("{admin}", "{one}"), ("{reader}", "{two}"))
    methods = ("GET", "HEAD", "PUT", "PUT", "GET", "HEAD")
    return [
        *(post("role", name, name=name) for name in made),
        post("role", "other", name="other", domain_id="{acme}"),
        *get("role_inferences", "roles/{admin}/implies", "roles/{one}/implies", f"roles/{NOTHING}/implies"),
        *(ask(method, f"roles/{prior}/implies/{implied}") for prior, implied in pairs for method in methods),
        *get("role_inferences", *(f"roles/{role}/implies" for role in ("{admin}", "{one}", "{two}", "{local}"))),
        *head("role_inferences", "roles/{one}/implies", f"roles/{NOTHING}/implies"),
        *(step for who in CALLERS for step in get("role_inferences", "roles/{one}/implies", "roles/{local}/implies", f"roles/{NOTHING}/implies", who=who)),
        *(
            ask(method, f"roles/{pair}", who=who)
            for who in CALLERS[1:]
            for pair in ("{one}/implies/{two}", f"{NOTHING}/implies/{{one}}")
            for method in ("GET", "HEAD", "PUT", "DELETE")
        ),
        *(ask(method, "roles/{one}/implies") for method in ("PUT", "POST", "DELETE", "PATCH", "OPTIONS")),
        *(ask(method, "roles/{one}/implies/{two}") for method in ("POST", "PATCH", "OPTIONS")),
        *(ask("DELETE", f"roles/{prior}/implies/{implied}") for prior, implied in pairs for _ in range(2)),
        *delete("roles/{three}"),
        *get("role_inferences", "roles/{two}/implies"),
    ]


@scenario
def roles_listed():
    asked = ("name=", "name=admin&name=member", "name=admin&domain_id={acme}", "name=local&domain_id={acme}", "domain_id=", f"domain_id={NOTHING}")
    asked += ("domain_id=null", "domain_id=None", "id={user}", "description=x", "description__contains=guide", "unknown")
    asked += ("name__contains=o&domain_id={acme}", "name__startswith=a&name__endswith=n", "options=x")
    return [
        *get(*(f"roles?{query}" for query in asked)),
        *inexact("roles", "name", "ad", "AD", "er", "%25", "_", suffixes=SUFFIXES),
        *limits("roles"),
        *limits("roles?domain_id={acme}"),
        *(step for who in CALLERS for step in get("roles?name=local", "roles?name=local&domain_id={acme}", "roles?domain_id=default", who=who)),
        *head("roles", "roles/{user}", "roles/{local}", f"roles/{NOTHING}", "roles?domain_id={acme}"),
        *(ask(method, "roles") for method in ("PUT", "PATCH", "DELETE")),
        *(ask(method, "roles/{user}") for method in ("PUT", "POST")),
    ]
