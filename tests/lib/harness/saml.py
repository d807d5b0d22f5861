"""Identity providers that speak SAML, and `samlp` of npm, which is one for browsers."""

import base64
import html
import pathlib
import re

from . import processes, services, wire
from .checks import equal
from .processes import LOOPBACK

HERE = pathlib.Path(__file__).parent
MODULES = HERE.parent.parent.parent / "target/saml-provider/node_modules"

METADATA = """\
<?xml version="1.0"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity_id}">
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
      <ds:X509Certificate>{certificate}</ds:X509Certificate>
    </ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:{binding}" Location="{url}"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>
"""


class Provider:
    """An identity provider with a key, a port and metadata; `seen` are the responses that it made."""

    def __init__(self, directory, name, binding):
        self.directory, self.name, self.seen = directory, name, []
        services.make_certificate(directory, name)
        self.port = processes.free_port()
        self.url = f"http://{LOOPBACK}:{self.port}/sso"
        self.entity_id = f"http://{LOOPBACK}:{self.port}/idp"
        certificate = "".join(self.certificate.read_text().splitlines()[1:-1])
        values = {"entity_id": self.entity_id, "certificate": certificate, "binding": binding, "url": self.url}
        self.metadata = directory / f"{name}.xml"
        self.metadata.write_text(METADATA.format(**values))

    @property
    def certificate(self):
        return self.directory / f"{self.name}.pem"


class FormProvider(Provider):
    """samlp, whose page asks a browser for a name; who `alice` says to be has the groups `visitors` and `others`."""

    def __init__(self, directory):
        super().__init__(directory, "forms", "HTTP-Redirect")
        command = ["node", HERE / "samlp.js", MODULES, self.port, self.certificate, directory / "forms.key"]
        self.daemon = processes.Daemon("samlp", command, directory / "samlp.log")
        processes.wait_for("samlp", lambda: processes.listening(self.port), daemon=self.daemon)

    def visit(self, url):
        """Logs alice in at the provider; returns where its page sends the browser, and the fields of the form."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        page = wire.request("POST", url, raw="login=alice&password=any", headers=headers)
        equal(page.status, 200, f"the status of {page}")
        fields = dict(re.findall(r'<input type="hidden"\s+name="([^"]*)"\s+value="([^"]*)"', page.text))
        fields = {name: html.unescape(value) for name, value in fields.items()}
        self.seen.append(base64.b64decode(fields["SAMLResponse"]).decode())
        (action,) = re.findall(r'action="([^"]*)"', page.text)
        return html.unescape(action), fields
