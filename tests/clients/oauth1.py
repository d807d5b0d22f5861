"""OAuth 1.0a: oauthlib's client with each of its shared-secret signatures, keystoneclient, keystoneauth1's plugin, openstack."""

import json
import urllib.parse

from keystoneauth1 import exceptions
from keystoneauth1.extras.oauth1 import v3 as plugins
from keystoneclient.v3 import client
from oauthlib import oauth1

from harness import wire
from harness.checks import contains, equal, expect
from harness.clouds import made

METHODS = (oauth1.SIGNATURE_HMAC_SHA1, oauth1.SIGNATURE_HMAC_SHA256, oauth1.SIGNATURE_HMAC_SHA512, oauth1.SIGNATURE_PLAINTEXT)


class Consumer:
    """A consumer whose requests oauthlib signs."""

    def __init__(self, cloud, method=oauth1.SIGNATURE_HMAC_SHA1):
        self.cloud, self.method = cloud, method
        consumer = cloud.create("consumer", "OS-OAUTH1/consumers", description="a client")
        self.key, self.secret = consumer["id"], consumer["secret"]

    def signed(self, path, body=None, headers=(), query="", **options):
        """The answer to a signed POST, to a URL that is signed without `query`."""
        options.setdefault("signature_method", self.method)
        signer = oauth1.Client(self.key, client_secret=self.secret, **options)
        url, signed, _ = signer.sign(self.cloud.auth_url + path, http_method="POST", headers=dict(headers))
        return wire.request("POST", url + query, body, headers=signed)

    def ask(self, project_id, **options):
        """A request token."""
        headers = {"Requested-Project-Id": project_id}
        return token(self.signed("/OS-OAUTH1/request_token", headers=headers, callback_uri="oob", **options))

    def exchange(self, request, verifier, **options):
        return self.signed("/OS-OAUTH1/access_token", verifier=verifier, **owner(request), **options)

    def login(self, access, query="", **options):
        body = {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}}
        return self.signed("/auth/tokens", body, query=query, **owner(access), **options)

    def granted(self, person, *roles):
        """An access token for roles of a person."""
        request = self.ask(person.project_id)
        return token(self.exchange(request, authorize(self.cloud, person, request, *roles)))


def token(answer):
    """The key and secret in a form."""
    equal(answer.status, 201, f"the status of {answer}")
    equal(answer.header("content-type"), "application/x-www-form-urlencoded", "the content type")
    form = dict(urllib.parse.parse_qsl(answer.text))
    return form["oauth_token"], form["oauth_token_secret"]


def owner(known):
    return {"resource_owner_key": known[0], "resource_owner_secret": known[1]}


def authorize(cloud, person, request, *roles):
    """The verifier of a request token to which the person delegates roles."""
    body = {"roles": [{"id": cloud.roles[role]} for role in roles]}
    return made(person.client().put(f"/v3/OS-OAUTH1/authorize/{request[0]}", body), 200)["oauth_verifier"]


def test_signatures(cloud):
    """a consumer gets from a request token to a token of Keystone with every signature"""
    person = cloud.person("admin")
    for method in METHODS:
        consumer = Consumer(cloud, method)
        answer = consumer.login(consumer.granted(person, "member"))
        equal(answer.status, 201, f"{method}: the status of {answer}")
        found = answer.json["token"]
        equal(found["methods"], ["oauth1"], "the methods")
        equal((found["user"]["id"], found["project"]["id"]), (person.id, person.project_id), "user and project")
        equal(sorted(role["name"] for role in found["roles"]), ["member", "reader"], "the roles")


def test_wrong_secrets(cloud):
    """what is signed with other secrets, for another URL or long ago is refused"""
    person = cloud.person("admin")
    for method in METHODS:
        consumer = Consumer(cloud, method)
        access = consumer.granted(person, "reader")
        equal(consumer.login((access[0], access[1][::-1])).status, 401, f"{method}: the status with another secret")
        if method != oauth1.SIGNATURE_PLAINTEXT:
            asked = consumer.signed("/OS-OAUTH1/request_token", headers={"Requested-Project-Id": person.project_id}, callback_uri="oob", query="?a=b")
            equal(asked.status, 401, f"{method}: the status with a query that is not signed")
        equal(consumer.login(access, timestamp="1000000000").status, 401, f"{method}: the status of an old signature")
        # The query of a login is not part of what is signed.
        equal(consumer.login(access, query="?nocatalog").status, 201, "the status with a query")
        consumer.secret = consumer.secret[::-1]
        equal(consumer.login(access).status, 401, f"{method}: the status with another consumer's secret")


def test_once(cloud):
    """a request token is exchanged once, with its own verifier"""
    person, consumer = cloud.person("admin"), Consumer(cloud)
    request = consumer.ask(person.project_id)
    equal(consumer.exchange(request, "ABCD2345").status, 401, "the status before it is authorized")
    verifier = authorize(cloud, person, request, "reader")
    equal(consumer.exchange(request, "ABCD2345").status, 401, "the status with another verifier")
    token(consumer.exchange(request, verifier))
    equal(consumer.exchange(request, verifier).status, 404, "the status the second time")


def test_keystoneclient(cloud):
    """keystoneclient makes every token, and keystoneauth1's plugin logs in with the last one"""
    person = cloud.person("admin")
    keystone = client.Client(session=cloud.login(person).session, endpoint_override=cloud.auth_url)
    consumer = keystone.oauth1.consumers.create(description="a program")
    request = keystone.oauth1.request_tokens.create(consumer.id, consumer.secret, person.project_id)
    verifier = keystone.oauth1.request_tokens.authorize(request.id, [cloud.roles["reader"]]).oauth_verifier
    access = keystone.oauth1.access_tokens.create(consumer.id, consumer.secret, request.id, request.secret, verifier)
    keys = {"consumer_key": consumer.id, "consumer_secret": consumer.secret}
    session = cloud.session(plugins.OAuth1(cloud.auth_url, access_key=access.id, access_secret=access.secret, **keys))
    subject = session.get_token()
    shown = session.get("/auth/tokens", headers={"X-Subject-Token": subject}).json()["token"]
    equal(shown["OS-OAUTH1"], {"consumer_id": consumer.id, "access_token_id": access.id}, "what it is made with")
    equal([role["name"] for role in shown["roles"]], ["reader"], "the roles")
    keystone.oauth1.consumers.delete(consumer.id)
    other = cloud.session(plugins.OAuth1(cloud.auth_url, access_key=access.id, access_secret=access.secret, **keys))
    try:
        other.get_token()
    except exceptions.NotFound:
        pass
    else:
        expect(False, "the login succeeded after the consumer was deleted")
    equal(cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": subject}).status, 404, "the token's status")


def test_command_line(cloud):
    """openstack creates a consumer and both tokens, and authorizes"""
    person = cloud.person("admin")
    shell = cloud.shell(person.credentials())

    def run(*words):
        return json.loads(shell.openstack(*words, "-f", "json"))

    consumer = run("consumer", "create", "--description", "of the shell")
    keys = ("--consumer-key", consumer["id"], "--consumer-secret", consumer["secret"])
    request = run("request", "token", "create", *keys, "--project", person.project_id)
    verifier = run("request", "token", "authorize", "--request-key", request["key"], "--role", "reader")["oauth_verifier"]
    keys += ("--request-key", request["key"], "--request-secret", request["secret"], "--verifier", verifier)
    access = run("access", "token", "create", *keys)
    found = Consumer.login(shell_consumer(cloud, consumer), (access["key"], access["secret"]))
    equal(found.status, 201, f"the status of {found}")
    contains(shell.openstack("consumer", "list"), consumer["id"])


def shell_consumer(cloud, made_by_shell):
    consumer = Consumer(cloud)
    consumer.key, consumer.secret = made_by_shell["id"], made_by_shell["secret"]
    return consumer
