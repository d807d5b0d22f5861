"""SAML: what this server makes for other clouds is what Python Keystone makes, and others take it; and it takes theirs."""

import re
import xml.etree.ElementTree as tree

import logins
import mellon
from saml2 import md, saml, samlp, soap
from saml2.profile import ecp

from harness import checks, clouds, keystones, processes, services, wire
from harness.checks import contains, equal, expect

ISSUER = "https://idp.example.org/v3/OS-FEDERATION/saml2/idp"
SP_URL = "https://beta.example.org/Shibboleth.sso/SAML2/ECP?a=b&c=d"
AUTH_URL = "https://beta.example.org/v3/OS-FEDERATION/identity_providers/alpha/protocols/saml2/auth"
SP = "beta"
CONFIG = {
    "saml": {
        **{"idp_entity_id": ISSUER, "idp_sso_endpoint": "https://idp.example.org/v3/OS-FEDERATION/saml2/sso"},
        **{"certfile": "{directory}/signing.pem", "keyfile": "{directory}/signing.key"},
        **{"idp_metadata_path": "{directory}/metadata.xml", "idp_organization_name": "Ümläut & <Sons>"},
    }
}
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}"
# What is new each time.
NEW = ("ID", "IssueInstant", "AuthnInstant", "SessionIndex", "SessionNotOnOrAfter", "NotOnOrAfter")


def exchange(server, token, path="saml2", sp=SP):
    identity = {"methods": ["token"], "token": {"id": token}}
    body = {"auth": {"identity": identity, "scope": {"service_provider": {"id": sp}}}}
    return wire.request("POST", f"{server.url}/v3/auth/OS-FEDERATION/{path}", body)


def shape(element):
    """An element as nested tuples, without what is new each time and without the signature."""
    attributes = {name: "…" if name in NEW else value for name, value in element.attrib.items()}
    inner = [shape(child) for child in element if child.tag != f"{SIGNATURE}Signature"]
    # Roles and groups are in no order.
    inner = sorted(inner) if element.tag == f"{{{saml.NAMESPACE}}}Attribute" else inner
    text = re.sub("[0-9a-f]{32}", "…", element.text or "")
    return element.tag, sorted(attributes.items()), text, inner


def verified(directory, text, name):
    """Holds a signature against xmlsec1."""
    path = directory / f"{name}.xml"
    path.write_text(text)
    command = ["xmlsec1", "--verify", "--pubkey-cert-pem", directory / "signing.pem"]
    return processes.run([*command, "--id-attr:ID", f"{saml.NAMESPACE}:Assertion", path])


def metadata(run, cloud, reference):
    run.section("Metadata")
    with run.check("the command prints what Keystone's prints"):
        ours, theirs = (server.manage("saml_idp_metadata") for server in (cloud.keystone, reference))
        equal(ours.stdout, theirs.stdout, "the metadata")
        (cloud.directory / "metadata.xml").write_text(ours.stdout)
    with run.check("pysaml2 reads them"):
        read = md.entity_descriptor_from_string(ours.stdout)
        equal((read.entity_id, len(read.idpsso_descriptor)), (ISSUER, 1), "the entity")
    with run.check("they are served as text/xml to everybody"):
        for server in (cloud.keystone, reference):
            answer = wire.request("GET", f"{server.url}/v3/OS-FEDERATION/saml2/metadata")
            equal((answer.status, answer.text), (200, ours.stdout), "the answer")
            contains(answer.header("content-type"), "text/xml")
            equal(wire.request("HEAD", f"{server.url}/v3/OS-FEDERATION/saml2/metadata").status, 200, "the status of a HEAD")


def assertions(run, cloud, reference, person):
    run.section("Assertions")
    directory, token = cloud.directory, person.client().token
    texts = {}
    for path in ("saml2", "saml2/ecp"):
        with run.check(f"{path}: the same elements as Keystone's, the signature apart"):
            ours, theirs = (exchange(server, token, path) for server in (cloud.keystone, reference))
            equal((ours.status, theirs.status), (200, 200), f"the statuses ({ours} {theirs})")
            texts[path] = ours.text
            equal(*(shape(tree.fromstring(answer.text)) for answer in (ours, theirs)), "the elements")
        with run.check(f"{path}: the headers tell where it goes"):
            contains(ours.header("content-type"), "text/xml")
            equal((ours.header("x-sp-url"), ours.header("x-auth-url")), (SP_URL, AUTH_URL), "the addresses")
            equal(ours.header("cache-control"), "no-store", "Cache-Control")
        with run.check(f"{path}: xmlsec1 verifies the signature"):
            done = verified(directory, texts[path], path.replace("/", "-"))
            equal(done.returncode, 0, f"the status of xmlsec1 ({done.stderr})")
            contains(texts[path], "xmldsig-more#rsa-sha256", "xmlenc#sha256")
        with run.check(f"{path}: xmlsec1 refuses it once it is changed"):
            changed = texts[path].replace(f">{person.project}<", ">other<")
            expect(changed != texts[path], "nothing to change")
            done = verified(directory, changed, "changed")
            expect(done.returncode != 0, "xmlsec1 took it")
    with run.check("pysaml2 reads the response and its attributes"):
        response = samlp.response_from_string(texts["saml2"])
        (statement,) = response.assertion[0].attribute_statement
        found = {item.name: [value.text for value in item.attribute_value] for item in statement.attribute}
        equal((found["openstack_user"], found["openstack_project"]), ([person.name], [person.project]), "the names")
        equal(response.destination, SP_URL, "the destination")
    with run.check("pysaml2 takes the envelope apart"):
        parts = soap.class_instances_from_soap_enveloped_saml_thingies(texts["saml2/ecp"], [ecp, samlp])
        (state,) = parts["header"]
        expect(state.text.startswith("ss:mem:"), state.text)
        equal(parts["body"].destination, SP_URL, "the destination")


def refusals(run, cloud, reference, person):
    run.section("Refusals")
    scoped, unscoped = person.client().token, person.client("unscoped").token
    for what, arguments in (
        ("an unknown service provider", (scoped, "saml2", "unknown")),
        ("a disabled one", (scoped, "saml2", "off")),
        ("an unknown token", ("0" * 32, "saml2/ecp")),
        ("an unscoped token", (unscoped, "saml2")),
    ):
        with run.check(what):
            ours, theirs = (exchange(server, *arguments) for server in (cloud.keystone, reference))
            equal((ours.status, ours.json), (theirs.status, theirs.json), "the answer")
            expect(ours.status >= 400, ours)


def service_provider(run, cloud, person):
    run.section("mod_auth_mellon as the service provider")
    apache = mellon.Mellon(cloud.directory / "mellon", cloud.directory / "metadata.xml").start()
    # What the state begins with is where mellon sends the client, which does not go there.
    add(cloud, "mellon", apache.consumer, f"{apache.url}/protected/page?")
    with run.check("without an assertion there is no page"):
        equal(apache.page().status, 303, "the status")
    with run.check("it takes the envelope, and its cookie opens the page"):
        envelope = exchange(cloud.keystone, person.client().token, "saml2/ecp", "mellon")
        taken = apache.take(envelope.text)
        equal(taken.status, 303, f"the status ({taken} {(apache.directory / 'log').read_text()[-2000:]})")
        page = apache.page(taken.header("set-cookie").split(";")[0])
        equal((page.status, page.text), (200, "a page\n"), "the page")
        equal(page.header("x-user"), person.name, "the user")
        equal(sorted(page.header("x-roles").split(";")), ["member", "reader"], "the roles")
    with run.check("it refuses one that was changed"):
        changed = envelope.text.replace(f">{person.name}<", ">admin<")
        expect(changed != envelope.text, "nothing to change")
        expect(apache.take(changed).status >= 400, "mellon took it")


def add(cloud, name, sp_url, prefix="ss:mem:", enabled=1):
    """A service provider, as its row."""
    columns = "(id, enabled, auth_url, sp_url, relay_state_prefix)"
    row = f"('{name}', {enabled}, '{AUTH_URL}', '{sp_url}', '{prefix}')"
    cloud.mariadb.sql(f"INSERT INTO service_provider {columns} VALUES {row}", "keystone")


def keystone(run):
    directory = processes.scratch("saml")
    services.make_certificate(directory, "signing")
    cloud = clouds.Cloud(directory, CONFIG)
    reference = keystones.Reference(directory, cloud.config).serve()
    add(cloud, SP, SP_URL)
    add(cloud, "off", SP_URL, enabled=0)
    person = cloud.person("member", "reader")
    group = cloud.create("group", "groups", name="Öps & <\"x\">", domain_id="default")
    clouds.made(cloud.admin.put(f"/v3/groups/{group['id']}/users/{person.id}"), 204)
    metadata(run, cloud, reference)
    assertions(run, cloud, reference, person)
    refusals(run, cloud, reference, person)
    service_provider(run, cloud, person)
    logins.logins(run, cloud, reference, person, ISSUER)


checks.run("saml", keystone)
