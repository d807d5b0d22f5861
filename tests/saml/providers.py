"""Identity providers of others: `pysaml2` for enhanced clients, and `samlp` of npm for browsers."""

import base64
import html
import http.server
import pathlib
import re
import threading

from saml2 import BINDING_SOAP, saml
from saml2.config import IdPConfig
from saml2.server import Server
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

from harness import processes, wire
from harness.checks import expect
from harness.processes import LOOPBACK

MODULES = pathlib.Path(__file__).parent.parent.parent / "target/saml-provider/node_modules"

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

ENVELOPE = """\
<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/">\
<S:Header><ecp:Response xmlns:ecp="urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp" S:mustUnderstand="1" \
S:actor="http://schemas.xmlsoap.org/soap/actor/next" AssertionConsumerServiceURL="{consumer}"/></S:Header>\
<S:Body>{response}</S:Body></S:Envelope>"""


def make_keys(directory, name="signing", subject="idp.example.org"):
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={subject}", "-days", "2"]
    key, certificate = directory / f"{name}.key", directory / f"{name}.pem"
    done = processes.run([*command, "-keyout", key, "-out", certificate])
    expect(done.returncode == 0, done.stderr)


class Provider:
    """An identity provider with a key, a port and metadata; `seen` are the responses that it made."""

    def __init__(self, directory, name, binding):
        self.directory, self.name, self.seen = directory, name, []
        make_keys(directory, name)
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


class EnhancedProvider(Provider):
    """pysaml2, which knows alice by her password."""

    def __init__(self, directory):
        super().__init__(directory, "ecp", "SOAP")

    def start(self, service_metadata):
        endpoints = {"single_sign_on_service": [(self.url, BINDING_SOAP)]}
        policy = {"default": {"lifetime": {"minutes": 5}, "attribute_restrictions": None}}
        config = {
            **{"entityid": self.entity_id, "metadata": {"local": [str(service_metadata)]}},
            **{"key_file": str(self.directory / "ecp.key"), "cert_file": str(self.certificate)},
            **{"service": {"idp": {"endpoints": endpoints, "policy": policy}}, "xmlsec_binary": "/usr/bin/xmlsec1"},
        }
        self.server = Server(config=IdPConfig().load(config))
        handler = type("Handler", (Handler,), {"provider": self})
        served = http.server.ThreadingHTTPServer((LOOPBACK, self.port), handler)
        threading.Thread(target=served.serve_forever, daemon=True).start()

    def answer(self, request):
        asked = self.server.parse_authn_request(request, BINDING_SOAP).message
        consumer = asked.assertion_consumer_service_url
        response = self.server.create_authn_response(
            {"mail": "alice@example.org", "groups": ["visitors", "others"]},
            in_response_to=asked.id,
            destination=consumer,
            sp_entity_id=asked.issuer.text,
            userid="alice",
            name_id=saml.NameID(format=saml.NAMEID_FORMAT_UNSPECIFIED, text="alice"),
            authn={"class_ref": saml.AUTHN_PASSWORD, "authn_auth": self.entity_id},
            sign_assertion=True,
            sign_alg=SIG_RSA_SHA256,
            digest_alg=DIGEST_SHA256,
        )
        response = re.sub(r"^<\?xml[^>]*>\s*", "", str(response))
        self.seen.append(response)
        return ENVELOPE.format(consumer=consumer, response=response)


class Handler(http.server.BaseHTTPRequestHandler):
    provider = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        known = base64.b64encode(b"alice:secret").decode()
        if self.headers["Authorization"] == f"Basic {known}":
            self.answer(200, self.provider.answer(body))
        else:
            self.answer(401, "")

    def answer(self, status, text):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class FormProvider(Provider):
    """samlp, at which the browser is logged in."""

    def __init__(self, directory):
        super().__init__(directory, "forms", "HTTP-Redirect")

    def start(self, consumer):
        script = pathlib.Path(__file__).parent / "samlp.js"
        command = ["node", script, MODULES, self.port, self.certificate, self.directory / "forms.key", consumer]
        self.daemon = processes.Daemon("samlp", command, self.directory / "samlp.log")
        processes.wait_for("samlp", lambda: processes.listening(self.port), daemon=self.daemon)

    def visit(self, url):
        """Goes to the provider; returns where its page sends the browser, and the fields of the form."""
        page = wire.request("GET", url)
        expect(page.status == 200, page)
        fields = dict(re.findall(r'<input type="hidden"\s+name="([^"]*)"\s+value="([^"]*)"', page.text))
        fields = {name: html.unescape(value) for name, value in fields.items()}
        self.seen.append(base64.b64decode(fields["SAMLResponse"]).decode())
        (action,) = re.findall(r'action="([^"]*)"', page.text)
        return html.unescape(action), fields
