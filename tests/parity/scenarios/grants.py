"""Who is given which role where."""

from .cast import CALLERS, NOTHING, ask, get, scenario


@scenario
def grants():
    targets = ("projects/{demo}", f"projects/{NOTHING}", "domains/{acme}", f"domains/{NOTHING}", "domains/{demo}", "system")
    actors = ("users/{bob}", f"users/{NOTHING}", "groups/{staff}")
    steps = []
    for target in targets:
        for actor in actors:
            inherits = () if target == "system" else ("OS-INHERIT/",)
            for role in ("{user}", "{local}", NOTHING if actor.startswith("users/{") else "{admin}"):
                paths = [f"{target}/{actor}/roles/{role}"]
                paths += [f"{inherit}{target}/{actor}/roles/{role}/inherited_to_projects" for inherit in inherits]
                steps += [ask(method, path) for path in paths for method in ("PUT", "HEAD", "GET", "PUT")]
            steps += get(f"{target}/{actor}/roles")
            if target.startswith("domains"):
                steps += get(f"OS-INHERIT/{target}/{actor}/roles/inherited_to_projects")
            for role in ("{user}", NOTHING):
                paths = [f"{target}/{actor}/roles/{role}"]
                paths += [f"{inherit}{target}/{actor}/roles/{role}/inherited_to_projects" for inherit in inherits]
                steps += [ask("DELETE", path) for path in paths for _ in range(2)]
    return steps


@scenario
def grants_by_caller():
    steps = []
    for who in CALLERS[1:]:
        for target in ("projects/{demo}", "projects/{works}", "domains/{acme}", f"domains/{NOTHING}", "system"):
            for actor in ("users/{erin}", f"users/{NOTHING}"):
                steps += get(f"{target}/{actor}/roles", who=who)
                for role in ("{reader}", "{admin}"):
                    path = f"{target}/{actor}/roles/{role}"
                    steps += [ask(method, path, who=who) for method in ("HEAD", "PUT", "DELETE")]
    return steps
