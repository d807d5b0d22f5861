"""An identity provider for enhanced clients: `pysaml2`."""

import base64
import http.server
import re
import threading

from saml2 import BINDING_SOAP, saml
from saml2.config import IdPConfig
from saml2.server import Server
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

from harness.processes import LOOPBACK
from harness.saml import Provider

ENVELOPE = """\
<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/">\
<S:Header><ecp:Response xmlns:ecp="urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp" S:mustUnderstand="1" \
S:actor="http://schemas.xmlsoap.org/soap/actor/next" AssertionConsumerServiceURL="{consumer}"/></S:Header>\
<S:Body>{response}</S:Body></S:Envelope>"""


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
