"""What keystonemiddleware 13 makes of paths and of tokens, as `python.json` for the tests of this crate.

Run it with the environment of tests/requirements/keystone.txt: target/venv/keystone/bin/python crates/middleware/tests/record.py
"""

import itertools
import json
import pathlib

from keystoneauth1 import access
from keystonemiddleware import auth_token
from keystonemiddleware.auth_token import _request

PATTERNS = [
    *("/v2/images", "/v2/images/*", "/v2/images/{image_id}", "/v2/images/**", "/v2/*/file", "/v2/**/file"),
    *("/v2/images/img-*", "/v2/images/{id}.raw", "**", "/**", "/*", "***", "/v2/images/{", "/v2/images/}", "/v2/{a}{b}"),
    *("/v2/images/***", "/v2/images/*/*", "/v2/images/ä"),
]
PATHS = [
    *("/v2/images", "/v2/images/", "/v2/images/1", "/v2/images/1/file", "/v2/images/1/2/file", "/v2/file", "/v2//file"),
    *("/v2/images/img-1", "/v2/images/img-", "/v2/images/1.raw", "/v2/images/.raw", "/", "", "/v2/a", "/v2/ab"),
    *("/v3/images", "/v2/images/1%2F2", "/v2/imagesx", "/V2/images", "/v2/images/%C3%A4"),
]
# As a client may write them, and as they are compared.
SPELLINGS = ["/v2/im%61ges", "/v2/a b", "/v2/%2e%2E/x", "/v2/a%2fb", "/v2/%7Euser;v=1", "/v2/100%", "/v2/%zz", "/v2/ä", "/v2/a+b[1]"]

DOMAIN = {"id": "d1", "name": "Köln"}
USER = {"id": "u1", "name": "alice", "domain": DOMAIN, "password_expires_at": None}
PROJECT = {"id": "p1", "name": "images", "domain": DOMAIN}
ROLES = [{"id": "r1", "name": "member"}, {"id": "r2", "name": "reader"}]
CATALOG = [
    {
        "id": "s1",
        "type": "image",
        "name": "glance",
        "endpoints": [
            {"id": "e1", "interface": "public", "region": "one", "region_id": "one", "url": "http://image/ü"},
            {"id": "e2", "interface": "internal", "region": "one", "region_id": "one", "url": "http://image.internal"},
            {"id": "e3", "interface": "public", "region": "two", "region_id": "two", "url": "http://image.two"},
            {"id": "e4", "interface": "admin", "region": None, "region_id": None, "url": "http://image.admin"},
        ],
    },
    {"id": "s2", "type": "empty", "endpoints": []},
]


def body(**parts):
    times = {"issued_at": "2026-01-31T12:00:00.000000Z", "expires_at": "2026-01-31T13:00:00.500000Z"}
    return {"token": {"methods": ["password"], "audit_ids": ["a1"], "user": USER, **times, **parts}}


BODIES = {
    "unscoped": body(),
    "project": body(project=PROJECT, roles=ROLES, catalog=CATALOG, is_domain=False),
    "administrators' project": body(project=PROJECT, roles=ROLES, is_admin_project=True),
    "other project": body(project=PROJECT, roles=ROLES, is_admin_project=False),
    "domain": body(domain=DOMAIN, roles=ROLES[:1], catalog=[]),
    "system": body(system={"all": True}, roles=ROLES, catalog=CATALOG[1:]),
    "names in every script": body(user={"id": "u2", "name": "Zoë 東京 😀", "domain": DOMAIN}),
    "line break in a name": body(user={"id": "u2", "name": "two\nlines", "domain": DOMAIN}),
}


def headers(token):
    """The headers for a user with this token, and for a service, of those that a WSGI application sees."""
    told = {}
    for kind in ("user", "service"):
        request = _request._AuthTokenRequest.blank("/")
        before = set(request.environ)
        reference = access.create(body=token)
        if kind == "user":
            request.set_user_headers(reference)
            request.set_service_catalog_headers(reference)
        else:
            request.set_service_headers(reference)
        new = {name: value for name, value in request.environ.items() if name not in before and value is not None}
        told[kind] = {name.removeprefix("HTTP_").replace("_", "-").lower(): value for name, value in new.items()}
    return told


def plain(path):
    environ = _request._AuthTokenRequest.blank("/").environ
    from urllib.parse import unquote_to_bytes

    return _request._AuthTokenRequest({**environ, "PATH_INFO": unquote_to_bytes(path).decode("latin-1")}).path


def main():
    fitting = [
        [pattern, path]
        for pattern, path in itertools.product(PATTERNS, PATHS)
        if auth_token._path_matches(path, pattern)
    ]
    recorded = {
        "patterns": PATTERNS,
        "paths": PATHS,
        "fitting": fitting,
        "plain": {path: plain(path) for path in SPELLINGS},
        "tokens": [{"name": name, "body": token, "headers": headers(token)} for name, token in BODIES.items()],
        "stripped": sorted(name.lower() for name in set(_request._AuthTokenRequest.blank("/")._all_auth_headers())),
    }
    path = pathlib.Path(__file__).with_name("python.json")
    path.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
