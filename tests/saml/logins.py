"""Logins by SAML at this server: with real identity providers, real clients, and Python Keystone as the other half."""

import base64
import json
import re
import urllib.parse

import mellon
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from providers import EnhancedProvider
from saml2 import saml

from harness import clouds, keystones, processes, services, wire
from harness.checks import contains, equal, expect
from harness.saml import FormProvider

ORIGIN = "http://127.0.0.1/auth/websso/"
CONSUMER = "/v3/auth/OS-FEDERATION/saml2/acs"
METADATA = "/v3/OS-FEDERATION/saml2/sp/metadata"
ALPHA = "/v3/OS-FEDERATION/identity_providers/alpha/protocols/saml2/auth"
PROVIDERS = "/v3/OS-FEDERATION/service_providers/"
# Where users of Keystone become users of `shared`.
REMOTE = ("--os-remote-project-name", "shared", "--os-remote-project-domain-name", "Default")

# The rules for users of the two other identity providers: those of guides for mod_auth_mellon and mod_shib.
RULES = [
    {
        "remote": [{"type": "REMOTE_USER"}, {"type": "MELLON_groups"}, {"type": "mail"}],
        "local": [
            {"user": {"name": "{0}", "email": "{2}"}},
            {"groups": "{1}", "domain": {"id": "default"}},
        ],
    }
]
# And those of Keystone's own guide for another Keystone.
KEYSTONE_RULES = [
    {
        "remote": [{"type": "openstack_user"}, {"type": "openstack_project", "any_one_of": []}],
        "local": [{"user": {"name": "{0}"}}, {"group": {"name": "visitors", "domain": {"id": "default"}}}],
    }
]


# The same with openstacksdk, which prints whose token it has, and of which project.
SDK = """\
import sys
import openstack
from keystoneauth1.identity.v3 import Keystone2Keystone
from keystoneauth1.session import Session
local = openstack.connect().session.auth
auth = Keystone2Keystone(local, sys.argv[1], project_name="shared", project_domain_name="Default")
remote = openstack.connection.Connection(session=Session(auth))
print(remote.current_user_id, remote.current_project_id)
"""


class ServiceProvider:
    """A cloud of its own, which takes users of the three identity providers."""

    def __init__(self, directory, mariadb, alpha):
        self.directory = directory / "beta"
        (self.directory / "home").mkdir(parents=True)
        services.make_certificate(self.directory, "sp")
        self.enhanced, self.forms = EnhancedProvider(self.directory), FormProvider(self.directory)
        port = processes.free_port()
        url = f"http://{processes.LOOPBACK}:{port}"
        config = {
            "DEFAULT": {"public_endpoint": url},
            "auth": {"methods": "password,token,saml2"},
            "federation": {"trusted_dashboard": ORIGIN},
            "saml_sp": {
                **{"entity_id": f"{url}{METADATA}"},
                **{"certfile": "{directory}/sp.pem", "keyfile": "{directory}/sp.key"},
            },
            # Python Keystone signs with SHA-1.
            "saml_idp:alpha": {"metadata_file": alpha, "keystone": "true", "allow_sha1": "true"},
            "saml_idp:ecp": {"metadata_file": self.enhanced.metadata},
            "saml_idp:forms": {"metadata_file": self.forms.metadata},
        }
        self.cloud = clouds.Cloud(self.directory, config, mariadb, "beta", port)
        self.url = self.cloud.url
        self.shell = Client(self.directory / "home", self.cloud.administrator().environment())
        self.project = self.cloud.project("shared")
        # As deploy/README.md has it.
        for group in ("visitors", "others"):
            self.shell.openstack("group", "create", group)
        self.shell.openstack("role", "add", "--group", "visitors", "--project", "shared", "member")

    def take(self, provider, remote_id, rules):
        path = self.directory / "rules.json"
        path.write_text(json.dumps(rules))
        self.shell.openstack("identity", "provider", "create", "--remote-id", remote_id, provider)
        self.shell.openstack("mapping", "create", "--rules", str(path), provider)
        named = ("--identity-provider", provider, "--mapping", provider)
        self.shell.openstack("federation", "protocol", "create", *named, "saml2")


    def token(self, id):
        answer = self.cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": id})
        equal(answer.status, 200, f"the status of {answer}")
        return answer.json["token"]


class Client:
    """The command-line client with what SAML needs, and with the given `OS_*` variables."""

    def __init__(self, home, variables):
        self.environment = {"HOME": str(home), "NO_PROXY": "*", **variables}

    def try_openstack(self, *arguments):
        return processes.run([keystones.VENVS / "saml/bin/openstack", *arguments], env=self.environment)

    def openstack(self, *arguments):
        done = self.try_openstack(*arguments)
        equal(done.returncode, 0, f"the status of openstack {' '.join(arguments)}\n{done.stderr}")
        return done.stdout

    def token(self, *options):
        return json.loads(self.openstack(*options, "token", "issue", "-f", "json"))

    def at(self, service_provider):
        """The user and the project of a token there, by openstacksdk."""
        command = [keystones.VENVS / "saml/bin/python", "-c", SDK, service_provider]
        done = processes.run(command, env=self.environment)
        equal(done.returncode, 0, f"the status of openstacksdk\n{done.stderr}")
        return done.stdout.split()


def verified(directory, text, certificate):
    """Holds the signature of an accepted response against xmlsec1."""
    path = directory / "accepted.xml"
    path.write_text(text)
    command = ["xmlsec1", "--verify", "--pubkey-cert-pem", certificate]
    done = processes.run([*command, "--id-attr:ID", f"{saml.NAMESPACE}:Assertion", path])
    equal(done.returncode, 0, f"the status of xmlsec1 ({done.stderr})")


def enhanced(run, sp):
    run.section("pysaml2 and the plugin v3samlpassword")
    options = [
        *("--os-auth-type", "v3samlpassword", "--os-auth-url", f"{sp.url}/v3", "--os-identity-provider", "ecp"),
        *("--os-protocol", "saml2", "--os-identity-provider-url", sp.enhanced.url, "--os-username", "alice"),
        *("--os-project-name", "shared", "--os-project-domain-name", "Default", "--os-password"),
    ]
    somebody = Client(sp.directory / "home", {})
    with run.check("openstack token issue"):
        issued = somebody.token(*options, "secret")
        equal(issued["project_id"], sp.project["id"], "the project")
        token = sp.token(issued["id"])
        equal(token["user"]["name"], "alice", "the user")
        equal(token["user"]["OS-FEDERATION"]["identity_provider"], {"id": "ecp"}, "the provider")
        equal({role["name"] for role in token["roles"]}, {"member", "reader"}, "the roles")
    with run.check("xmlsec1 verifies the assertion too"):
        verified(sp.directory, sp.enhanced.seen[-1], sp.enhanced.certificate)
    with run.check("a wrong password gets no token"):
        done = somebody.try_openstack(*options, "wrong", "token", "issue")
        expect(done.returncode != 0, done.stdout)
    with run.check("a response without its login is refused"):
        answer = wire.request("POST", sp.url + CONSUMER, raw=sp.enhanced.seen[-1], headers=PAOS)
        equal(answer.status, 401, f"the status of {answer}")


PAOS = {"Content-Type": "application/vnd.paos+xml"}


def begin(sp):
    origin = urllib.parse.quote(ORIGIN, "")
    path = f"/v3/auth/OS-FEDERATION/identity_providers/forms/protocols/saml2/websso?origin={origin}"
    answer = wire.request("GET", sp.url + path)
    equal(answer.status, 302, f"the status of {answer}")
    return answer.header("location"), answer.header("set-cookie").split(";")[0]


def post(action, fields, cookie):
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie, "Origin": "null"}
    return wire.request("POST", action, raw=urllib.parse.urlencode(fields), headers=headers)


def browsers(run, sp):
    run.section("samlp and a browser")
    url, cookie = begin(sp)
    with run.check("the request is signed with the key of the metadata"):
        signed, signature = url.split("?", 1)[1].split("&Signature=")
        key = x509.load_pem_x509_certificate((sp.directory / "sp.pem").read_bytes()).public_key()
        signature = base64.b64decode(urllib.parse.unquote(signature))
        key.verify(signature, signed.encode(), padding.PKCS1v15(), SHA256())
    with run.check("the browser comes back with a response, and its page has a token"):
        action, fields = sp.forms.visit(url)
        equal(action, sp.url + CONSUMER, "the consumer")
        page = post(action, fields, cookie)
        equal(page.status, 200, f"the status of {page}")
        contains(page.text, f'action="{ORIGIN}"')
        (token,) = re.findall(r'name="token" id="token" value="([^"]*)"', page.text)
        token = sp.token(token)
        equal(token["user"]["name"], "alice", "the user")
        equal(token["user"]["OS-FEDERATION"]["identity_provider"], {"id": "forms"}, "the provider")
        equal(len(token["user"]["OS-FEDERATION"]["groups"]), 2, "the number of groups")
    with run.check("xmlsec1 verifies the assertion too"):
        verified(sp.directory, sp.forms.seen[-1], sp.forms.certificate)
    with run.check("the response is used once"):
        equal(post(action, fields, cookie).status, 401, "the status")
    with run.check("the response of another login, or of another browser, is refused"):
        url, cookie = begin(sp)
        _, others = begin(sp)
        action, fields = sp.forms.visit(url)
        equal(post(action, fields, others).status, 401, "the status")
        equal(post(action, fields, cookie).status, 200, "the status")


def between_keystones(run, cloud, reference, sp, person):
    for what, server in (("this server", cloud.keystone), ("Python Keystone", reference)):
        run.section(f"Keystone to Keystone, {what} as the identity provider")
        credentials = {**person.credentials(), "auth_url": f"{server.url}/v3"}
        client = Client(sp.directory / "home", clouds.variables(credentials))
        with run.check("openstack --os-service-provider token issue"):
            issued = client.token("--os-service-provider", "gamma", *REMOTE)
            equal(issued["project_id"], sp.project["id"], "the project")
            token = sp.token(issued["id"])
            equal(token["user"]["name"], person.name, "the user")
            equal(token["user"]["OS-FEDERATION"]["identity_provider"], {"id": "alpha"}, "the provider")
        with run.check("openstacksdk"):
            equal(client.at("gamma"), [issued["user_id"], sp.project["id"]], "the user and the project")
        identity = {"methods": ["token"], "token": {"id": person.client().token}}
        body = {"auth": {"identity": identity, "scope": {"service_provider": {"id": "gamma"}}}}
        envelope = wire.request("POST", f"{server.url}/v3/auth/OS-FEDERATION/saml2/ecp", body).text
        with run.check("xmlsec1 verifies the assertion too"):
            verified(cloud.directory, envelope, cloud.directory / "signing.pem")
        with run.check("an assertion is used once"):
            statuses = [wire.request("POST", sp.url + CONSUMER, raw=envelope, headers=PAOS).status for _ in range(2)]
            equal(statuses, [303, 401], "the statuses")
        with run.check("one for another cloud is refused, and so is one that was changed"):
            body["auth"]["scope"]["service_provider"]["id"] = "beta"
            other = wire.request("POST", f"{server.url}/v3/auth/OS-FEDERATION/saml2/ecp", body).text
            for text in (other, envelope.replace(f">{person.name}<", ">admin<")):
                answer = wire.request("POST", sp.url + CONSUMER, raw=text, headers=PAOS)
                equal(answer.status, 401, f"the status of {answer}")


def at_python(run, cloud, sp, person):
    run.section("Keystone to Keystone, Python Keystone as the service provider behind mod_auth_mellon")
    config = sp.cloud.variant("python", {"saml2": {"remote_id_attribute": "MELLON_IDP"}})
    with run.check("it starts, and is a service provider of this server", needed=True):
        python = mellon.PythonBehind(sp.directory, config, cloud.directory / "metadata.xml", ALPHA).serve()
        apache = python.apache
        row = {"auth_url": apache.url + ALPHA, "sp_url": apache.consumer, "relay_state_prefix": f"{apache.url}/"}
        clouds.made(cloud.admin.put(PROVIDERS + "python", {"service_provider": {**row, "enabled": True}}))
    with run.check("openstack --os-service-provider token issue"):
        client = Client(sp.directory / "home", person.environment())
        issued = client.token("--os-service-provider", "python", *REMOTE)
        told = wire.request("GET", f"{python.url}/v3/auth/tokens", token=issued["id"], headers={"X-Subject-Token": issued["id"]})
        equal(told.status, 200, f"the status of {told}")
        token = told.json["token"]
        equal((token["project"]["id"], token["user"]["name"]), (sp.project["id"], person.name), "the project and the user")
        equal(token["user"]["OS-FEDERATION"]["identity_provider"], {"id": "alpha"}, "the provider")
    with run.check("openstacksdk, for the user who logs in at this server"):
        equal(client.at("python"), [issued["user_id"], sp.project["id"]], "the user and the project")
        equal(client.at("gamma")[0], issued["user_id"], "the user here")
    with run.check("without an assertion, or with one that was changed, there is no login"):
        equal(apache.page(path=ALPHA).status, 303, "the status")
        identity = {"methods": ["token"], "token": {"id": person.client().token}}
        body = {"auth": {"identity": identity, "scope": {"service_provider": {"id": "python"}}}}
        envelope = wire.request("POST", f"{cloud.url}/v3/auth/OS-FEDERATION/saml2/ecp", body).text
        changed = apache.take(envelope.replace(f">{person.name}<", ">admin<"))
        equal((changed.status, apache.take(envelope).status), (400, 303), f"the statuses ({changed})")


def logins(run, cloud, reference, person, issuer):
    with run.check("a cloud takes users of three identity providers", needed=True):
        sp = ServiceProvider(cloud.directory, cloud.mariadb, cloud.directory / "metadata.xml")
        answer = wire.request("GET", sp.url + METADATA)
        equal((answer.status, answer.header("content-type")), (200, "application/samlmetadata+xml"), "the metadata")
        metadata = sp.directory / "service.xml"
        metadata.write_text(answer.text)
        sp.enhanced.start(metadata)
        rules = json.loads(json.dumps(KEYSTONE_RULES))
        rules[0]["remote"][1]["any_one_of"] = [person.project]
        sp.take("alpha", issuer, rules)
        sp.take("ecp", sp.enhanced.entity_id, RULES)
        sp.take("forms", sp.forms.entity_id, RULES)
        alpha = Client(sp.directory / "home", cloud.administrator().environment())
        addresses = ("--service-provider-url", sp.url + CONSUMER, "--auth-url", sp.url + ALPHA)
        alpha.openstack("service", "provider", "create", *addresses, "gamma")
    enhanced(run, sp)
    browsers(run, sp)
    between_keystones(run, cloud, reference, sp, person)
    at_python(run, cloud, sp, person)
