"""A cloud with an identity provider, and what a client may try there."""

import json
import pathlib
import secrets

from harness import clouds, services
from harness.clouds import made

import proxies

ROUTES = pathlib.Path(__file__).parent.parent / "parity/routes.json"
METHODS = "password,token,external,openid,saml2,mapped"
ENTITY = "https://keystone.example/v3/OS-FEDERATION/saml2/idp"


class Cloud(clouds.Cloud):
    """The identity providers `corp`, with the protocols `openid` and `saml2`, and `other`, which no web server guards."""

    def __init__(self, directory, dashboard):
        self.dashboard = dashboard
        self.secret_file = directory / "proxy-secret"
        self.secret = secrets.token_hex(32)
        self.secret_file.write_text(self.secret + "\n")
        services.make_certificate(directory, "signing")
        super().__init__(
            directory,
            {
                "auth": {"methods": METHODS},
                "federation": {"trusted_dashboard": dashboard},
                "saml": {
                    **{"idp_entity_id": ENTITY, "idp_sso_endpoint": f"{ENTITY}/sso"},
                    **{"certfile": "{directory}/signing.pem", "keyfile": "{directory}/signing.key"},
                },
            },
        )

    def restart(self, name, *configs):
        """With further options, and on the same port."""
        self.keystone.stop()
        merged = {}
        for config in configs:
            for section, values in config.items():
                merged.setdefault(section, {}).update(values)
        self.keystone.config = self.variant(name, merged)
        self.keystone.serve(*self.keystone.ports)

    def documented(self, snippet):
        """The options that a snippet has for keystone.conf."""
        return proxies.options(snippet["keystone.conf"], **{"/etc/keystone/proxy-secret": str(self.secret_file)})

    def provider(self, name, issuer, protocols):
        """`protocols` has the attributes of a user's name, and of the groups if there is one, for each protocol."""
        path = f"/v3/OS-FEDERATION/identity_providers/{name}"
        body = {"identity_provider": {"remote_ids": issuer, "enabled": True, "domain_id": "default"}}
        made(self.admin.put(path, body))
        for protocol, attributes in protocols.items():
            local = [{"user": {"name": "{0}"}}, {"group": {"id": self.staff}}]
            if len(attributes) > 1:
                local = [{"user": {"name": "{0}"}}, {"groups": "{1}", "domain": {"id": "default"}}]
            rules = [{"local": local, "remote": [{"type": name} for name in attributes]}]
            mapping = f"{name}-{protocol}"
            made(self.admin.put(f"/v3/OS-FEDERATION/mappings/{mapping}", {"mapping": {"rules": rules}}))
            made(self.admin.put(f"{path}/protocols/{protocol}", {"protocol": {"mapping_id": mapping}}))

    def people(self):
        """The groups of whom the identity providers vouch for, with a project."""
        project = self.project("web")
        for name in ("devs", "ops", "staff"):
            group = self.create("group", "groups", name=name, domain_id="default")
            role = self.roles["member"]
            made(self.admin.put(f"/v3/projects/{project['id']}/groups/{group['id']}/roles/{role}"), 204)
        self.staff = group["id"]


def routes():
    """Every route and method of the API, with the identity providers in their place."""
    for route in json.loads(ROUTES.read_text()):
        for method in route["methods"]:
            for provider in ("corp", "other") if "{idp_id}" in route["path"] else ("",):
                path = route["path"].replace("{idp_id}", provider)
                for protocol in ("openid", "saml2") if "{protocol_id}" in path else ("",):
                    yield method, filled(path.replace("{protocol_id}", protocol))


def filled(path):
    return "/".join("x" if part.startswith("{") else part for part in path.split("/"))


def logins(protocol, provider="corp"):
    """The paths of logins by a protocol: of the API, and two of browsers."""
    at = f"identity_providers/{provider}/protocols/{protocol}"
    auth = "/v3/auth/OS-FEDERATION"
    return f"/v3/OS-FEDERATION/{at}/auth", f"{auth}/websso/{protocol}", f"{auth}/{at}/websso"


def detours(path):
    """The same path as somebody spells it who wants to get around a rule of the web server's."""
    version, rest = path[1:].split("/", 1)
    yield f"//{version}/{rest}"
    yield f"/{version}//{rest}"
    yield f"/{version}/./{rest}"
    yield f"/{version}/x/../{rest}"
    yield f"/{version}/x/%2e%2e/{rest}"
    yield f"/{version}%2f{rest}"
    yield f"/{version}/{rest}/"
    yield f"/{version}/{rest};x"
    yield f"/{version}/{rest}%20"
    yield f"/{version}/{rest}%3f"
    yield f"/{version}/{rest}%23"
    yield f"/{version}/{rest}%2f"
    yield f"/{version.upper()}/{rest}"
    yield f"/{version}/{rest.upper()}"
    yield f"/{version}/{rest.replace('OS-', 'OS%2D')}"
    yield f"/{version}/{rest[:-1]}%{ord(rest[-1]):x}"
    yield f"/{version}/{rest[:-1]}%25{ord(rest[-1]):x}"
