"""Bodies, methods, paths and tokens that are none."""

from .cast import JSON, NOTHING, ask, get, scenario


@scenario
def bad_input():
    kinds = ("project", "user", "domain", "group", "role", "region", "service", "endpoint")
    steps = []
    for kind in kinds:
        path = f"{kind}s"
        for who in ("admin", None):
            for raw in ("", "{", "[]", '"x"', "5", "null", "{}", " \n ", "{'a':1}", '{"%s":{}} x' % kind):
                # Keystone answers this one with a text of the interpreter.
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
