"""Apache with `mod_auth_mellon`, Debian's service provider for SAML."""

import os

from harness import processes, wire
from harness.processes import LOOPBACK

MODULES = "/usr/lib/apache2/modules"
LOADED = ("mpm_event", "authn_core", "authz_core", "authz_user", "headers", "auth_mellon")

CONFIG = """\
ServerRoot {directory}
ServerName 127.0.0.1
PidFile {directory}/pid
Listen 127.0.0.1:{port}
ErrorLog {directory}/log
LogLevel info
DocumentRoot {directory}/public
{loaded}
User {user}
Group {group}
MellonLockFile {directory}/lock
MellonCacheSize 10
<Location />
  Require all granted
  MellonEnable info
  MellonEndpointPath /mellon
  MellonSecureCookie Off
  MellonSPentityId {url}/mellon/metadata
  MellonSPPrivateKeyFile {directory}/sp.key
  MellonSPCertFile {directory}/sp.pem
  MellonIdPMetadataFile {metadata}
</Location>
<Location /protected>
  AuthType Mellon
  MellonEnable auth
  Require valid-user
  MellonMergeEnvVars On ";"
  Header always set X-User "%{{MELLON_openstack_user}}e"
  Header always set X-Roles "%{{MELLON_openstack_roles}}e"
</Location>
"""


class Mellon:
    def __init__(self, directory, port, metadata):
        self.directory = directory / "mellon"
        self.port, self.metadata = port, metadata
        (self.directory / "public/protected").mkdir(parents=True)
        (self.directory / "public/protected/page").write_text("a page\n")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=sp", "-days", "2"]
        made = processes.run([*command, "-keyout", self.directory / "sp.key", "-out", self.directory / "sp.pem"])
        if made.returncode:
            raise RuntimeError(made.stderr)

    @property
    def url(self):
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def consumer(self):
        return f"{self.url}/mellon/paosResponse"

    def start(self):
        loaded = (f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
        is_root = os.getuid() == 0
        user, group = ("www-data", "www-data") if is_root else (f"#{os.getuid()}", f"#{os.getgid()}")
        text = CONFIG.format(
            **{"directory": self.directory, "port": self.port, "url": self.url, "metadata": self.metadata},
            **{"loaded": "\n".join(loaded), "user": user, "group": group},
        )
        config = self.directory / "apache.conf"
        config.write_text(text)
        for name in ("sp.key", "sp.pem"):
            (self.directory / name).chmod(0o644)
        command = ["apache2", "-f", config, "-D", "FOREGROUND"]
        self.daemon = processes.Daemon("apache2", command, self.directory / "output")
        processes.wait_for("Apache", lambda: wire.answers(self.url), daemon=self.daemon)
        return self

    def take(self, envelope):
        """Posts an assertion as keystoneauth's client does; returns the answer."""
        headers = {"Content-Type": "application/vnd.paos+xml"}
        return wire.request("POST", self.consumer, raw=envelope, headers=headers)

    def page(self, cookie=None):
        headers = {"Cookie": cookie} if cookie else {}
        return wire.request("GET", f"{self.url}/protected/page", headers=headers)
