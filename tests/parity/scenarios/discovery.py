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


# What proxies say.
PROXIES = (
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Proto": "http"},
    {"X-Forwarded-Proto": "https", "Host": "keystone.test:443"},
    {"X-Forwarded-Proto": "https", "Host": "keystone.test:80"},
    {"X-Forwarded-Host": "cloud.test"},
    {"X-Forwarded-Host": "cloud.test:5000", "X-Forwarded-Port": "6000"},
    {"X-Forwarded-Prefix": "/identity"},
    {"X-Forwarded-Prefix": "/identity/v3"},
    {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cloud.test", "X-Forwarded-Prefix": "/identity/", "X-Forwarded-For": "10.0.0.1"},
    {"Forwarded": "for=10.0.0.1;proto=https;host=cloud.test"},
    {"Forwarded": "For=10.0.0.1; Proto=https , for=10.0.0.2;host=second.test", "X-Forwarded-Host": "third.test"},
    {"Forwarded": "host=cloud.test", "X-Forwarded-Proto": "https"},
    {"Forwarded": "nonsense", "X-Forwarded-Host": "cloud.test"},
)


def through(proxies):
    paths = ("/v3", "/", "/v3/users", "/v3//users")
    asked = [(path, said) for said in proxies for path in paths]
    # Where the prefix has the version too, a redirect of Keystone leads nowhere.
    asked.remove(("/v3//users", {"X-Forwarded-Prefix": "/identity/v3"}))
    return [ask("GET", path, who=None, headers=said) for path, said in asked]


@scenario(on_stage=False)
def proxies():
    lists = ({"X-Forwarded-Proto": "http, https"}, {"X-Forwarded-Proto": "https,http"}, {"X-Forwarded-Proto": '"https"'}, {"X-Forwarded-Proto": "https, "})
    return through(PROXIES + lists)


@scenario(on_stage=False, config={"oslo_middleware": {"enable_proxy_headers_parsing": True}})
def proxies_parsed():
    return through(PROXIES)


DASHBOARD = "https://horizon.test"


def pages(*origins):
    """What browsers ask on behalf of pages of these origins."""
    asked = [ask(method, path, who=None, headers={"Origin": origin}) for origin in origins for path in ("/v3", "/v3/users", "/nowhere") for method in METHODS]
    for origin in origins:
        for method in ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "post", ""):
            wants = {"Origin": origin, "Access-Control-Request-Method": method}
            asked += [ask("OPTIONS", path, who=None, headers=wants) for path in ("/", "/v3", "/v3/auth/tokens", "/v3/users/{alice}", "/nowhere", "/healthcheck")]
        for headers in ("X-Auth-Token", "x-auth-token, content-type", "X-Auth-Token,X-Secret", "", " , ", "Accept,Pragma,Expires", "Authorization"):
            wants = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": headers}
            asked += [ask("OPTIONS", path, who=None, headers=wants) for path in ("/v3/auth/tokens", "/nowhere")]
    return asked


@scenario(on_stage=False, config={"cors": {"allowed_origin": [DASHBOARD, "https://other.test:8443"]}})
def browsers():
    foreign_origins = ("http://horizon.test", "https://horizon.test:443", "https://Horizon.test", "https://horizon.test.evil.test", "null", "*")
    return [
        *pages(DASHBOARD, "https://other.test:8443", foreign_origins[0]),
        *(ask(method, "/v3/users", who=None, headers={"Origin": origin}) for origin in foreign_origins for method in ("GET", "OPTIONS")),
        *(ask(method, "/v3/users", who=None) for method in METHODS),
    ]


@scenario(
    on_stage=False,
    config={
        "cors": {
            "allowed_origin": ["*", DASHBOARD],
            "allow_credentials": False,
            "expose_headers": [],
            "max_age": 0,
            "allow_methods": ["GET", "HEAD"],
            "allow_headers": ["X-Own"],
        }
    },
)
def browsers_of_all_origins():
    return [
        *pages("https://any.test", DASHBOARD),
        ask(
            "OPTIONS",
            "/v3/users",
            who=None,
            headers={"Origin": DASHBOARD, "Access-Control-Request-Method": "HEAD", "Access-Control-Request-Headers": "x-own,Accept"},
        ),
    ]


@scenario(on_stage=False)
def health():
    paths = ("/healthcheck", "/healthcheck/", "/healthcheck/more", "/healthcheck?detailed=1", "/healthchecks", "/v3/healthcheck")
    kinds = ("text/plain", "text/html", "application/json", "application/xml", "*/*", "text/html, application/json;q=0.5", "application/json, text/plain")
    steps = [ask("GET", path, who=None) for path in paths] + [ask(method, "/healthcheck", who=None) for method in METHODS]
    steps += [ask("GET", "/healthcheck", who=None, headers={"Accept": kind}) for kind in kinds]
    return steps


@scenario
def removed_routes():
    """Routes that are there and only refuse, and the pages of no route."""
    gone = ("OS-SIMPLE-CERT/ca", "OS-SIMPLE-CERT/certificates", "auth/tokens/OS-PKI/revoked", "/static/x", "/static/x/y", "/static/", "/static")
    gone += ("users/{alice}/password", "OS-SIMPLE-CERT", "OS-SIMPLE-CERT/nothing", "auth/tokens/OS-PKI", "OS-REVOKE", "certificates")
    return [ask(method, path, who=who) for path in gone for who in ("admin", "member", None) for method in METHODS if who == "admin" or method in ("GET", "POST")]
