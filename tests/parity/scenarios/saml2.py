"""Keystone to Keystone: what is refused before anything is signed, and metadata that are not there."""

from .cast import CALLERS, NOTHING, ask, get, head, scenario

PATHS = ("auth/OS-FEDERATION/saml2", "auth/OS-FEDERATION/saml2/ecp")
METADATA = "OS-FEDERATION/saml2/metadata"


def exchange(path, token=NOTHING, sp="unknown", who=None, methods=("token",), **more):
    identity = {"methods": list(methods), "token": {"id": token}}
    return ask("POST", path, {"auth": {"identity": identity, "scope": {"service_provider": {"id": sp}}, **more}}, who)


@scenario(config={"saml": {"idp_metadata_path": "/nowhere/metadata.xml"}})
def saml2():
    scope = {"service_provider": {"id": "unknown"}}
    token = {"token": {"id": "{token:admin}"}}
    bodies = (
        {},
        {"auth": {}},
        {"auth": None},
        {"auth": []},
        {"auth": {"identity": {"methods": ["token"], **token}}},
        {"auth": {"scope": scope}},
        {"auth": {"identity": token, "scope": scope}},
        {"auth": {"identity": {"methods": [], **token}, "scope": scope}},
        {"auth": {"identity": {"methods": ["password"], **token}, "scope": scope}},
        {"auth": {"identity": {"methods": ["token"], "token": {}}, "scope": scope}},
        {"auth": {"identity": {"methods": ["token"], "token": {"id": 5}}, "scope": scope}},
        {"auth": {"identity": {"methods": ["token"], **token}, "scope": {"service_provider": {}}}},
        {"auth": {"identity": {"methods": ["token"], **token}, "scope": {"service_provider": {"id": ""}}}},
        {"auth": {"identity": {"methods": ["token"], **token}, "scope": {"project": {"id": "{demo}"}}}},
        {"auth": {"identity": {"methods": ["token"], **token}, "scope": scope, "more": 1}},
    )
    return [
        *get(*PATHS, METADATA, who=None),
        *head(*PATHS, METADATA, who=None),
        *(ask(method, path) for path in (*PATHS, METADATA) for method in ("PUT", "PATCH", "DELETE")),
        *get(METADATA),
        *(ask("POST", path, body, who=None) for path in PATHS for body in bodies),
        *(ask("POST", path, who=None, raw="{") for path in PATHS),
        *(exchange(path, token="{token:admin}", who=who) for path in PATHS for who in CALLERS),
        *(exchange(path, sp=sp) for path in PATHS for sp in ("unknown", "UNKNOWN", "a b", "x" * 100)),
    ]
