"""OAuth 2.0 client credentials with mutual TLS: keystoneauth1's plugin and certificates of OpenSSL."""

import base64
import hashlib
import json
import ssl
import subprocess

import requests
from keystoneauth1 import exceptions, session
from keystoneauth1.identity import v3

from harness import keystones, processes
from harness.checks import equal, expect
from harness.clouds import made

NATIVE_ONLY = "Python Keystone does not terminate TLS"

RULES = [
    {
        "remote": [{"type": "SSL_CLIENT_SUBJECT_DN_CN"}, {"type": "SSL_CLIENT_ISSUER_DN_CN", "any_one_of": ["clients"]}],
        "local": [{"user": {"name": "{0}", "domain": {"id": "default"}}}],
    }
]


class Https(keystones.Native):
    """The server under test once more, with the TLS that it terminates itself."""

    name = "https"

    def command(self, ports):
        command, env = super().command(ports)
        files = {"certificate": "server.pem", "key": "server.key", "client-ca": "clients.pem"}
        options = [part for name, file in files.items() for part in (f"--tls-{name}", self.directory / "tls" / file)]
        return [*command, *options], env

    def url_of(self, port):
        return f"https://localhost:{port}"


def openssl(directory, *arguments):
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def certificate(directory, name, subject, issuer=None):
    """A key and a certificate, of an authority where none issues it."""
    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", subject, "-keyout", f"{name}.key")
    if not issuer:
        openssl(directory, *new, "-x509", "-days", "2", "-out", f"{name}.pem")
        return
    openssl(directory, *new, "-out", f"{name}.csr")
    (directory / "extensions").write_text("basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost\n")
    signed = ("-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial", "-extfile", "extensions")
    openssl(directory, "x509", "-req", "-days", "2", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem")


def served(cloud):
    """The server over TLS, started once."""
    if not hasattr(cloud, "https"):
        directory = cloud.directory / "tls"
        directory.mkdir()
        certificate(directory, "authority", "/CN=authority")
        certificate(directory, "server", "/CN=localhost", "authority")
        certificate(directory, "clients", "/CN=clients")
        # Keystone stores JSON in the string of another JSON.
        rules = json.dumps(json.dumps(RULES)).replace("\\", "\\\\").replace("'", "''")
        cloud.mariadb.sql(f"INSERT INTO mapping (id, rules) VALUES ('oauth2_mapping', '{rules}')", "keystone")
        cloud.https = Https(cloud.directory, cloud.config)
        cloud.https.spawn()
        address = (processes.LOOPBACK, cloud.https.ports[0])
        processes.wait_for("handshake with keystone", lambda: handshake(address), daemon=cloud.https.daemon)
    return cloud.https


def handshake(address):
    try:
        return ssl.get_server_certificate(address)
    except OSError:
        return None


class Client:
    """A person with a default project, and a certificate of the person's name or another one."""

    def __init__(self, cloud, name=None):
        self.cloud, self.server, self.person = cloud, served(cloud), cloud.person()
        change = {"user": {"default_project_id": self.person.project_id}}
        made(cloud.admin.patch(f"/v3/users/{self.person.id}", change), 200)
        self.directory = cloud.directory / "tls"
        self.name = self.person.name
        certificate(self.directory, self.name, f"/CN={name or self.name}", "clients")

    @property
    def options(self):
        files = (self.directory / f"{self.name}{suffix}" for suffix in (".pem", ".key"))
        return {"verify": str(self.directory / "authority.pem"), "cert": tuple(map(str, files))}

    @property
    def endpoint(self):
        return f"{self.server.url}/v3/OS-OAUTH2/token"

    def session(self):
        plugin = v3.OAuth2mTlsClientCredential(f"{self.server.url}/v3", self.endpoint, self.person.id)
        return session.Session(auth=plugin, **self.options)

    def thumbprint(self):
        pem = (self.directory / f"{self.name}.pem").read_text()
        return base64.urlsafe_b64encode(hashlib.sha256(pem.encode()).digest()).decode()


def test_plugin(cloud):
    """v3oauth2mtlsclientcredential logs in with a certificate, to which its token is bound"""
    client = Client(cloud)
    session = client.session()
    access = session.auth.get_access(session)
    equal((access.user_id, access.project_id), (client.person.id, client.person.project_id), "user and project")
    (project,) = session.get(f"{client.server.url}/v3/auth/projects").json()["projects"]
    equal(project["id"], client.person.project_id, "the project")
    shown = cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": access.auth_token})
    bound = made(shown, 200)["oauth2_credential"]
    equal(bound, {"x5t#S256": client.thumbprint()}, "the certificate of the token")


def test_refusals(cloud):
    """another user's certificate, and none, give no token"""
    client = Client(cloud, "somebody else")
    try:
        client.session().get_auth_headers()
    except exceptions.ClientException as error:
        expect("Client authentication failed." in str(error), f"the message {error}")
    else:
        expect(False, "the login succeeded")
    form = {"grant_type": "client_credentials", "client_id": client.person.id}
    answer = requests.post(client.endpoint, data=form, verify=client.options["verify"])
    equal((answer.status_code, answer.json()["error"]), (401, "invalid_client"), "the answer without a certificate")
