"""HTTP requests exactly as given: no redirects, no added headers."""

import base64
import http.client
import json
import urllib.parse

# The header of variables that a web server in front of Python Keystone vouches for; see `vouching.py`.
VOUCHED = "X-Tests-Vouched"


class Answer:
    def __init__(self, response, body):
        self.status, self.reason = response.status, response.reason
        self.headers = [(name.lower(), value) for name, value in response.getheaders()]
        self.text = body.decode("utf-8", "replace")

    def header(self, name):
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None

    @property
    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.status} {self.reason} {self.text[:600]}"


def request(method, url, body=None, token=None, headers=None, raw=None, timeout=60):
    """Sends one request; `body` is sent as JSON, `raw` unchanged."""
    parts = urllib.parse.urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"Host": parts.netloc, "Accept": "*/*", **(headers or {})}
    if token:
        sent["X-Auth-Token"] = token
    if body is not None:
        raw = json.dumps(body)
        sent.setdefault("Content-Type", "application/json")
    data = raw.encode() if isinstance(raw, str) else raw
    if data is not None or method in ("POST", "PUT", "PATCH"):
        sent.setdefault("Content-Length", str(len(data or b"")))
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(data)
        response = connection.getresponse()
        return Answer(response, response.read())
    finally:
        connection.close()


def answers(url):
    try:
        request("GET", url, timeout=5)
    except (OSError, http.client.HTTPException):
        return False
    return True


class Client:
    """Requests to one Keystone with one token."""

    def __init__(self, url, token=None):
        self.url, self.token = url, token

    def __call__(self, method, path, body=None, **options):
        options.setdefault("token", self.token)
        return request(method, self.url + path, body, **options)

    def get(self, path, **options):
        return self("GET", path, **options)

    def post(self, path, body=None, **options):
        return self("POST", path, body, **options)

    def put(self, path, body=None, **options):
        return self("PUT", path, body, **options)

    def patch(self, path, body=None, **options):
        return self("PATCH", path, body, **options)

    def delete(self, path, **options):
        return self("DELETE", path, **options)


def vouched(variables):
    """The header that names these variables."""
    return {VOUCHED: base64.b64encode(json.dumps(variables).encode()).decode()}


def password(name, secret, scope=None, domain="default"):
    """The body of a password authentication; a scope is `system`, `unscoped`, a project's name or an object."""
    user = {"name": name, "domain": {"id": domain}, "password": secret}
    return auth({"methods": ["password"], "password": {"user": user}}, scope)


def rescope(token, scope=None):
    return auth({"methods": ["token"], "token": {"id": token}}, scope)


def auth(identity, scope):
    body = {"auth": {"identity": identity}}
    if scope == "system":
        body["auth"]["scope"] = {"system": {"all": True}}
    elif scope == "unscoped":
        body["auth"]["scope"] = "unscoped"
    elif isinstance(scope, str):
        body["auth"]["scope"] = {"project": {"name": scope, "domain": {"id": "default"}}}
    elif scope is not None:
        body["auth"]["scope"] = scope
    return body


def token(url, body, query=""):
    """Authenticates; returns the token and its body, or fails unless the status is 201."""
    answer = request("POST", f"{url}/v3/auth/tokens{query}", body)
    if answer.status != 201:
        raise AssertionError(f"POST {url}/v3/auth/tokens answers {answer}")
    return answer.header("x-subject-token"), answer.json["token"]


def login(url, name, secret, scope=None):
    """A client with a fresh token."""
    return Client(url, token(url, password(name, secret, scope))[0])
