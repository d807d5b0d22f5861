"""Apache with `mod_auth_mellon`, Debian's service provider for SAML."""

from harness import processes, services, wire

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


class Mellon(services.Apache):
    def __init__(self, directory, port, metadata):
        super().__init__(directory / "mellon", LOADED, "", port)
        own = {"directory": self.directory, "entity": f"{self.url}/mellon/metadata", "metadata": metadata}
        own |= {"key": self.directory / "sp.key", "certificate": self.directory / "sp.pem"}
        self.text = services.MELLON.format(**own) + PROTECTED
        (self.directory / "public/protected").mkdir()
        (self.directory / "public/protected/page").write_text("a page\n")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=sp", "-days", "2"]
        made = processes.run([*command, "-keyout", self.directory / "sp.key", "-out", self.directory / "sp.pem"])
        if made.returncode:
            raise RuntimeError(made.stderr)
        for name in ("sp.key", "sp.pem"):
            (self.directory / name).chmod(0o644)

    @property
    def consumer(self):
        return f"{self.url}/mellon/paosResponse"

    def take(self, envelope):
        """Posts an assertion as keystoneauth's client does; returns the answer."""
        headers = {"Content-Type": "application/vnd.paos+xml"}
        return wire.request("POST", self.consumer, raw=envelope, headers=headers)

    def page(self, cookie=None):
        headers = {"Cookie": cookie} if cookie else {}
        return wire.request("GET", f"{self.url}/protected/page", headers=headers)
