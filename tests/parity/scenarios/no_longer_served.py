"""What is kept of what was: certificates, the list of revoked tokens, files; and the health of the server."""

from .cast import CALLERS, JSON, ask, scenario

GONE = ("OS-SIMPLE-CERT/ca", "OS-SIMPLE-CERT/certificates", "auth/tokens/OS-PKI/revoked")
ACCEPT = ("text/html", "application/json", "text/plain", "*/*", "image/png", "text/*", "application/*", "application/json, text/html")
ACCEPT += ("text/html;q=0.5, application/json;q=0.9", "text/html;q=0, application/json;q=0", "garbage//,", "", "TEXT/HTML", "text/html;level=1")
ACCEPT += ("text/html, text/plain", "application/json;q=0.2, */*;q=0.1", "*/*;q=0.1, text/html;q=0.1")


def health():
    return [
        *(ask(method, "/healthcheck", who=None) for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")),
        *(ask("GET", "/healthcheck", who=None, headers={"Accept": accept}) for accept in ACCEPT),
        *(ask("GET", f"/healthcheck{path}", who=None) for path in ("/", "/foo", "/foo/bar", "foo", "?a=b")),
        ask("GET", "/healthcheck"),
        ask("POST", "/healthcheck", {"a": 1}),
        ask("POST", "/healthcheck", raw="no JSON", headers=JSON),
        ask("HEAD", "/healthcheck", who=None, headers={"Accept": "application/json"}),
    ]


@scenario
def no_longer_served():
    static = ("/static/foo.txt", "/static/a/b", "/static", "/static/")
    return [
        *(ask("GET", path, who=who) for who in CALLERS for path in GONE),
        *(ask(method, path, who=None) for method in ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") for path in GONE),
        *(ask("GET", path, raw="no JSON", headers=JSON) for path in GONE),
        *(ask("GET", f"{path}?unknown=1") for path in GONE),
        *(ask(method, path, who=None) for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS") for path in static),
        ask("GET", "/static/foo.txt"),
        *health(),
    ]


@scenario(config={"token": {"revoke_by_id": False}}, on_stage=False)
def revoked_by_event():
    return [ask(method, GONE[2], who=None) for method in ("GET", "HEAD", "POST", "OPTIONS")]
