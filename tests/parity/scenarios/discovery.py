"""What is found without an account: versions, JSON-home, health, and what has nothing to say any more."""

from .cast import ask, scenario

KINDS = ("*/*", "application/json", "application/json-home", "application/json-home;q=0.1, application/json", "text/html", "", "application/*")
KINDS += ("application/json;q=0.5, application/json-home;q=0.9", "text/plain, application/json-home", "text/plain", "application/xml;q=0.9, */*;q=0.1")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@scenario(on_stage=False)
def discovery():
    paths = ("/", "/v3", "/v3/", "/v2.0", "/v3.14", "/V3", "/v3//")
    steps = [ask("GET", path, who=None) for path in paths]
    steps += [ask(method, path, who=None) for path in ("/", "/v3") for method in METHODS]
    steps += [ask("GET", path, who=None, headers={"Accept": kind}) for path in ("/", "/v3") for kind in KINDS]
    steps += [ask("HEAD", path, who=None, headers={"Accept": KINDS[2]}) for path in ("/", "/v3")]
    steps += [ask("GET", "/v3", who=None, headers={"Host": host}) for host in ("keystone.test", "keystone.test:80", "[::1]:5000")]
    steps += [ask("GET", path, who=None, headers={"X-Auth-Token": "garbage"}) for path in ("/", "/v3")]
    steps += [ask("GET", f"{path}?unknown=1", who=None) for path in ("/", "/v3")]
    return steps


@scenario(on_stage=False, config={"DEFAULT": {"public_endpoint": "https://id.example/identity/"}})
def discovery_at_a_public_endpoint():
    return [ask("GET", path, who=None, headers={"Accept": kind}) for path in ("/", "/v3") for kind in KINDS[:3]]


@scenario(on_stage=False)
def health():
    paths = ("/healthcheck", "/healthcheck/", "/healthcheck/more", "/healthcheck?detailed=1", "/healthchecks", "/v3/healthcheck")
    kinds = ("text/plain", "text/html", "application/json", "application/xml", "*/*", "text/html, application/json;q=0.5", "application/json, text/plain")
    steps = [ask("GET", path, who=None) for path in paths] + [ask(method, "/healthcheck", who=None) for method in METHODS]
    steps += [ask("GET", "/healthcheck", who=None, headers={"Accept": kind}) for kind in kinds]
    return steps


@scenario
def leftovers():
    """Routes that are there and only refuse, and the pages of no route."""
    gone = ("OS-SIMPLE-CERT/ca", "OS-SIMPLE-CERT/certificates", "auth/tokens/OS-PKI/revoked", "/static/x", "/static/x/y", "/static/", "/static")
    gone += ("users/{alice}/password", "OS-SIMPLE-CERT", "OS-SIMPLE-CERT/nothing", "auth/tokens/OS-PKI", "OS-REVOKE", "certificates")
    return [ask(method, path, who=who) for path in gone for who in ("admin", "member", None) for method in METHODS if who == "admin" or method in ("GET", "POST")]
