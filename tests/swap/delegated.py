"""Delegated tokens at both: application credentials, clients of OAuth2, trusts, OAuth1 and EC2."""

import base64
import hashlib
import hmac
import time
import urllib.parse

import tokens
from cloud import made
from harness import wire
from harness.checks import equal, expect

KINDS = ("application credential's", "OAuth2 client's", "trust's", "impersonating trust's", "access token's", "EC2 key's")


def tell(run, both, things):
    for issuer, other in both.both_ways():
        with run.check(f"users who delegate, through {issuer.name}", needed=True):
            people = People(both.admin(issuer), issuer, things)
        for name, delegate in zip(KINDS, (application_credential, oauth2_client, trust, impersonation, access_token, ec2_key)):
            with run.check(f"{issuer.name}'s {name} tokens at both, until they end at {other.name}"):
                lived(both, issuer, other, people, *delegate(people))


class People:
    """A user who delegates the role `member` on a project, which an administrator of the project may, and another user."""

    def __init__(self, admin, side, things):
        self.side, self.project, self.member = side, things.project, things.member
        self.lender, self.borrower = (
            made(admin.post("/v3/users", {"user": {"name": self.name(who), "password": who, "domain_id": "default"}}))
            for who in ("lender", "borrower")
        )
        for role in (things.member, things.admin_role):
            made(admin.put(f"/v3/projects/{things.project}/users/{self.lender}/roles/{role}"), 204)
        self.admin = admin

    def name(self, who):
        return f"{who} of {self.side.name}"

    def at(self, side):
        """The lender with a fresh token of a side."""
        return wire.login(side.url, self.name("lender"), "lender", {"project": {"id": self.project}})


def lived(both, issuer, other, people, log_in, path, outlives=False):
    """The tokens that `log_in` gives are valid at both sides, until what stands at `path` is deleted."""
    given = []
    for side in (issuer, other):
        token, issued = log_in(side)
        given.append(token)
        tokens.token_alike(both, issuer, token, issued)
    made(people.at(other).delete(path), 204)
    for side in tokens.sides(both):
        admin = both.admin(side)
        statuses = [admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token}).status for token in given]
        equal(statuses, [200, 200] if outlives else [404, 404], f"the statuses of the tokens at {side.name}")
        try:
            log_in(side)
        except AssertionError:
            continue
        expect(False, f"a login at {side.name} succeeded after the end")


def lent(people, name):
    """A new application credential, and its path."""
    fields = {"name": name, "roles": [{"id": people.member}], "description": "both ways"}
    base = f"/v3/users/{people.lender}/application_credentials"
    answer = people.at(people.side).post(base, {"application_credential": fields})
    equal(answer.status, 201, f"the status ({answer})")
    credential = answer.json["application_credential"]
    return credential, f"{base}/{credential['id']}"


def application_credential(people):
    credential, path = lent(people, "lent")
    secret = {"secret": credential["secret"]}
    by_id = {"id": credential["id"], **secret}
    by_name = {"name": "lent", "user": {"id": people.lender}, **secret}

    def log_in(side):
        for named in (by_name, by_id):
            issued = wire.token(side.url, wire.auth({"methods": ["application_credential"], "application_credential": named}, None))
        return issued

    return log_in, path


def oauth2_client(people):
    """The secret goes in the form to one side, and by HTTP's basic authentication to the other."""
    credential, path = lent(people, "client")
    client = {"client_id": credential["id"], "client_secret": credential["secret"]}
    basic = base64.b64encode(":".join(client.values()).encode()).decode()
    type_of_form = {"Content-Type": "application/x-www-form-urlencoded"}

    def log_in(side):
        fields, headers = {"grant_type": "client_credentials"}, type_of_form
        if side is people.side:
            fields |= client
        else:
            headers = {**headers, "Authorization": f"Basic {basic}"}
        form = urllib.parse.urlencode(fields)
        answer = wire.request("POST", f"{side.url}/v3/OS-OAUTH2/token", raw=form, headers=headers)
        if answer.status != 200:
            raise AssertionError(f"200 expected: {answer}")
        token = answer.json["access_token"]
        equal({**answer.json, "access_token": ""}, {"access_token": "", "expires_in": 3600, "token_type": "Bearer"}, "the rest of the answer")
        own = wire.Client(side.url, token).get("/v3/auth/tokens", headers={"X-Subject-Token": token})
        return issued_by(own, 200)

    return log_in, path


def trust(people, impersonation=False):
    fields = {
        **{"trustor_user_id": people.lender, "trustee_user_id": people.borrower, "impersonation": impersonation},
        **{"project_id": people.project, "roles": [{"id": people.member}]},
    }
    id = made(people.at(people.side).post("/v3/OS-TRUST/trusts", {"trust": fields}))
    scope = {"OS-TRUST:trust": {"id": id}}
    return lambda side: wire.token(side.url, wire.password(people.name("borrower"), "borrower", scope)), f"/v3/OS-TRUST/trusts/{id}"


def impersonation(people):
    return trust(people, impersonation=True)


def access_token(people):
    consumer = people.admin.post("/v3/OS-OAUTH1/consumers", {"consumer": {}}).json["consumer"]
    side = people.side
    headers = {"Requested-Project-Id": people.project, **signed(consumer, oauth_callback="oob")}
    request = form(wire.request("POST", f"{side.url}/v3/OS-OAUTH1/request_token", headers=headers))
    roles = {"roles": [{"id": people.member}]}
    answer = people.at(side).put(f"/v3/OS-OAUTH1/authorize/{request['oauth_token']}", roles)
    equal(answer.status, 200, f"the status of the authorisation ({answer})")
    headers = signed(consumer, request, oauth_verifier=answer.json["token"]["oauth_verifier"])
    access = form(wire.request("POST", f"{side.url}/v3/OS-OAUTH1/access_token", headers=headers))

    def log_in(side):
        body = wire.auth({"methods": ["oauth1"], "oauth1": {}}, None)
        answer = wire.request("POST", f"{side.url}/v3/auth/tokens", body, headers=signed(consumer, access))
        return issued_by(answer, 201)

    return log_in, f"/v3/users/{people.lender}/OS-OAUTH1/access_tokens/{access['oauth_token']}"


def signed(consumer, token=None, **more):
    """The header of a request whose signature is the secrets themselves."""
    secrets = f"{consumer['secret']}&{token['oauth_token_secret'] if token else ''}"
    parts = {
        **{"oauth_consumer_key": consumer["id"], "oauth_signature_method": "PLAINTEXT"},
        **{"oauth_signature": secrets.replace("&", "%26"), "oauth_timestamp": int(time.time())},
        **{"oauth_nonce": "0" * 32, "oauth_version": "1.0"},
        **({"oauth_token": token["oauth_token"]} if token else {}),
        **more,
    }
    return {"Authorization": "OAuth " + ", ".join(f'{name}="{value}"' for name, value in parts.items())}


def form(answer):
    equal(answer.status, 201, f"the status ({answer})")
    return dict(pair.split("=", 1) for pair in answer.text.split("&"))


def ec2_key(people):
    base = f"/v3/users/{people.lender}/credentials/OS-EC2"
    answer = people.at(people.side).post(base, {"tenant_id": people.project})
    equal(answer.status, 201, f"the status ({answer})")
    keys = answer.json["credential"]
    params = {"AWSAccessKeyId": keys["access"], "SignatureMethod": "HmacSHA256", "SignatureVersion": "2"}
    query = "&".join(f"{name}={value}" for name, value in sorted(params.items()))
    digest = hmac.digest(keys["secret"].encode(), f"GET\ncloud.test\n/\n{query}".encode(), hashlib.sha256)
    request = {"host": "cloud.test", "verb": "GET", "path": "/", "params": params, "access": keys["access"]}
    body = {"credentials": {**request, "signature": base64.b64encode(digest).decode()}}

    def log_in(side):
        client = wire.login(side.url, "admin", tokens.ADMIN_PASSWORD, "admin")
        return issued_by(client.post("/v3/ec2tokens", body), 200)

    # Keystone does not end the tokens of a deleted key.
    return log_in, f"{base}/{keys['access']}", True


def issued_by(answer, wanted):
    if answer.status != wanted:
        raise AssertionError(f"{wanted} expected: {answer}")
    return answer.header("x-subject-token"), answer.json["token"]
