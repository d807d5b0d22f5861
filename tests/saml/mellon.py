"""Apache with `mod_auth_mellon`, Debian's service provider for SAML: for a page, and for Python Keystone."""

from harness import keystones, processes, services, wire
from harness.processes import LOOPBACK

LOADED = ("mpm_event", "authn_core", "authz_core", "authz_user", "headers", "auth_mellon")

PROTECTED = """\
<Location /protected>
  AuthType Mellon
  MellonEnable auth
  Require valid-user
  MellonMergeEnvVars On ";"
  Header always set X-User "%{MELLON_openstack_user}e"
  Header always set X-Roles "%{MELLON_openstack_roles}e"
</Location>
"""
# By uWSGI's protocol, which carries the variables of the module, under the names that Keystone's guide has for them.
KEYSTONE = """\
ProxyPass /mellon/ !
ProxyPass / uwsgi://127.0.0.1:{port}/
<Location /mellon>
  MellonIdP IDP
</Location>
<Location {login}>
  AuthType Mellon
  MellonEnable auth
  Require valid-user
  MellonSetEnvNoPrefix openstack_user openstack_user
  MellonSetEnvNoPrefix openstack_project openstack_project
</Location>
"""


class Mellon(services.Apache):
    def __init__(self, directory, metadata, text=PROTECTED, loaded=LOADED):
        super().__init__(directory, loaded, "")
        own = {"directory": directory, "entity": f"{self.url}/mellon/metadata", "metadata": metadata}
        own |= {"key": directory / "sp.key", "certificate": directory / "sp.pem"}
        self.text = services.MELLON.format(**own) + text
        services.make_certificate(directory, "sp")
        (directory / "public/protected").mkdir()
        (directory / "public/protected/page").write_text("a page\n")

    @property
    def consumer(self):
        return f"{self.url}/mellon/paosResponse"

    def take(self, envelope):
        """Posts an assertion as keystoneauth's client does; returns the answer."""
        headers = {"Content-Type": "application/vnd.paos+xml"}
        return wire.request("POST", self.consumer, raw=envelope, headers=headers)

    def page(self, cookie=None, path="/protected/page"):
        headers = {"Cookie": cookie} if cookie else {}
        return wire.request("GET", f"{self.url}{path}", headers=headers)


class PythonBehind(keystones.Reference):
    """Python Keystone that takes at one login whom `mod_auth_mellon` vouches for."""

    def __init__(self, directory, config, metadata, login):
        super().__init__(directory, config)
        self.vouched = processes.free_port()
        text = KEYSTONE.format(port=self.vouched, login=login)
        self.apache = Mellon(directory / "mellon", metadata, text, (*LOADED, "proxy", "proxy_uwsgi"))

    def command(self, ports):
        command, environment = super().command(ports)
        return [*command, "--uwsgi-socket", f"{LOOPBACK}:{self.vouched}"], environment

    def serve(self, *ports):
        super().serve(*ports)
        self.apache.start()
        return self
