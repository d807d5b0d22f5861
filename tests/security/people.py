"""The cloud of the generated suites, and the ways in which its people hold tokens."""

import base64
import hashlib
import hmac
import json

PASSWORD = "secret"
# Of the certificates that stand for a token.
ISSUER = "CN=ca,O=Test"


def post(plural, save, **fields):
    kind = plural.rsplit("/", 1)[-1][:-1].replace("policie", "policy")
    return {"method": "POST", "path": f"/v3/{plural}", "body": {kind: fields}, "save": save}


def put(path, body=None):
    step = {"method": "PUT", "path": f"/v3/{path}"}
    return step if body is None else {**step, "body": body}


def user(name, domain):
    return post("users", name, name=name, domain_id=domain, password=PASSWORD)


def project(name, domain, **fields):
    return post("projects", name, name=name, domain_id=domain, **fields)


def group(name, domain):
    return post("groups", name, name=name, domain_id=domain)


def on_project(name):
    return {"project": {"id": "{%s}" % name}}


def on_domain(name):
    return {"domain": {"id": "{%s}" % name}}


SYSTEM = {"system": {"all": True}}
UNSCOPED = "unscoped"


def log_in(who, scope):
    """The request of a login by password."""
    identity = {"methods": ["password"], "password": {"user": {"id": "{%s}" % who, "password": PASSWORD}}}
    return authenticate(identity, scope)


def exchange(scope):
    """The request that exchanges the holder's token for another one."""
    return authenticate({"methods": ["token"], "token": {"id": "{token}"}}, scope)


def authenticate(identity, scope=None):
    auth = {"identity": identity} if scope is None else {"identity": identity, "scope": scope}
    return {"method": "POST", "path": "/v3/auth/tokens", "body": {"auth": auth}, "as": "nobody"}


def holder(who, scope, name, rescoped=False):
    """A token of a user for a scope, by password or by exchange of an unscoped token."""
    return holder_by(who, name, *([log_in(who, UNSCOPED), exchange(scope)] if rescoped else [log_in(who, scope)]))


def holder_by(who, name, *steps):
    """A token of a user that these requests give: the last `X-Subject-Token` among their answers, or what is at the path
    `token` in an answer. A request can have `headers`, a body as text in `raw`, and variables in `environ` that a web server in
    front vouches for; `as` names another holder or `self`, whose token so far it sends; `save` names the id of the created
    resource, or is an object of names and the paths of values in the answer. `{token}` is the token so far, `{now}` the
    time in seconds."""
    return {"name": name, "user": who, "steps": list(steps)}


def by_certificate(who, scope, headers, name, common_name=None):
    """A caller without a token, whose certificate the mapping of its issuer maps to the user, or to what else it has for the
    common name; the scope is in `headers`. The user's token for the same scope is what requests about a token are about."""
    environ = {"SSL_CLIENT_I_DN": ISSUER, "SSL_CLIENT_S_DN_CN": common_name or who}
    return {**holder(who, scope, name), "certificate": {"headers": headers, "environ": environ}}


def provider(domain, group):
    """An identity provider whose users are in a group."""
    rules = [{"remote": [{"type": "NAME"}], "local": [{"user": {"name": "{0}"}}, {"group": {"id": "{%s}" % group}}]}]
    path = "OS-FEDERATION/identity_providers/provider"
    return [
        put("OS-FEDERATION/mappings/mapping", {"mapping": {"rules": rules}}),
        put(path, {"identity_provider": {"enabled": True, "domain_id": "{%s}" % domain}}),
        put(f"{path}/protocols/mapped", {"protocol": {"mapping_id": "mapping"}}),
    ]


def federated(who, name, *steps, scope=None):
    """A token of a user whom the identity provider vouches for: unscoped, or exchanged for one with a scope. The requests
    between are about the user, who exists from the first login on."""
    path = "/v3/OS-FEDERATION/identity_providers/provider/protocols/mapped/auth"
    login = {"method": "GET", "path": path, "environ": {"NAME": who}, "as": "nobody", "save": {who: "token/user/id"}}
    return holder_by(who, name, login, *steps, *([exchange(scope)] if scope else []))


def application_credential(owner, who, name, **fields):
    """A token of an application credential, which the user creates with the token of `owner`. Of its access rules, the
    first one's id is `{rule of …}`."""
    kind, secret = "application_credential", "secret of " + name
    fields = {"name": name, "secret": secret, **fields}
    save = {name: f"{kind}/id"}
    if "access_rules" in fields:
        save["rule of " + name] = f"{kind}/access_rules/0/id"
    path = "/v3/users/{%s}/application_credentials" % who
    create = {"method": "POST", "path": path, "body": {kind: fields}, "as": owner, "save": save}
    identity = {
        "methods": ["application_credential"],
        "application_credential": {"id": "{%s}" % name, "secret": secret},
    }
    return holder_by(who, name, create, authenticate(identity))


def oauth2_client(owner, who, name):
    """A token of OAuth 2.0 for an application credential, which the user creates with the token of `owner`."""
    create, _ = application_credential(owner, who, name)["steps"]
    secret = create["body"]["application_credential"]["secret"]
    form = "grant_type=client_credentials&client_id={%s}&client_secret=%s" % (name, secret.replace(" ", "+"))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    granted = {"method": "POST", "path": "/v3/OS-OAUTH2/token", "raw": form, "headers": headers, "as": "nobody"}
    return holder_by(who, name, create, {**granted, "token": "access_token"})


def trust(owner, trustor, trustee, project, name, **fields):
    """A token of a trust, which the trustor creates with the token of `owner`: the trustor's, with impersonation."""
    fields = {
        "trustor_user_id": "{%s}" % trustor,
        "trustee_user_id": "{%s}" % trustee,
        "project_id": "{%s}" % project,
        **fields,
    }
    create = {"method": "POST", "path": "/v3/OS-TRUST/trusts", "body": {"trust": fields}, "as": owner, "save": name}
    who = trustor if fields["impersonation"] else trustee
    return holder_by(who, name, create, log_in(trustee, {"OS-TRUST:trust": {"id": "{%s}" % name}}))


def passcode(owner, who, scope, name):
    """A token by password and by a one-time password, whose secret the user stores with the token of `owner`."""
    secret, user = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", {"id": "{%s}" % who}
    identity = {
        "methods": ["password", "totp"],
        "password": {"user": {**user, "password": PASSWORD}},
        "totp": {"user": {**user, "passcode": "{totp:%s}" % secret}},
    }
    create = post("credentials", name, type="totp", blob=secret, user_id=user["id"])
    return holder_by(who, name, {**create, "as": owner}, authenticate(identity, scope))


def access_token(owner, who, project, roles, name):
    """A token of OAuth1, which the user authorises with the token of `owner`; its signatures are the secrets themselves."""
    consumer, request, access = (f"{what} of {name}" for what in ("consumer", "request", "access"))

    def signed(path, key="", **more):
        secrets = "%s&%s" % ("{secret of %s}" % consumer, "{secret of %s}" % key if key else "")
        fields = {
            "oauth_consumer_key": "{%s}" % consumer,
            "oauth_signature_method": "PLAINTEXT",
            "oauth_signature": secrets.replace("&", "%26"),
            "oauth_timestamp": "{now}",
            "oauth_nonce": "0" * 32,
            "oauth_version": "1.0",
            **({"oauth_token": "{%s}" % key} if key else {}),
            **more,
        }
        header = "OAuth " + ", ".join(f'{field}="{value}"' for field, value in fields.items())
        return {"method": "POST", "path": path, "headers": {"Authorization": header}, "as": "nobody"}

    def kept(what):
        return {"save": {what: "oauth_token", f"secret of {what}": "oauth_token_secret"}}

    requested = {**signed("/v3/OS-OAUTH1/request_token", oauth_callback="oob"), **kept(request)}
    requested["headers"]["Requested-Project-Id"] = "{%s}" % project
    return holder_by(
        who,
        name,
        {
            **post("OS-OAUTH1/consumers", consumer),
            "save": {consumer: "consumer/id", f"secret of {consumer}": "consumer/secret"},
        },
        requested,
        {
            **put("OS-OAUTH1/authorize/{%s}" % request, {"roles": [{"id": "{%s}" % role} for role in roles]}),
            "as": owner,
            "save": {f"verifier of {name}": "token/oauth_verifier"},
        },
        {
            **signed("/v3/OS-OAUTH1/access_token", request, oauth_verifier="{verifier of %s}" % name),
            **kept(access),
        },
        {
            **signed("/v3/auth/tokens", access),
            "body": {"auth": {"identity": {"methods": ["oauth1"], "oauth1": {}}}},
        },
    )


def ec2_credential(owner, who, project, name):
    """A token of an EC2 credential, which the user creates with the token of `owner`. Its signature has no timestamp, and
    is therefore valid forever."""
    access, secret = name.replace(" ", "-"), "secret of " + name
    blob = json.dumps({"access": access, "secret": secret})
    fields = {"type": "ec2", "blob": blob, "user_id": "{%s}" % who, "project_id": "{%s}" % project}
    params = {"AWSAccessKeyId": access, "SignatureMethod": "HmacSHA256", "SignatureVersion": "2"}
    query = "&".join(f"{field}={value}" for field, value in sorted(params.items()))
    signed = f"GET\ncloud.test\n/\n{query}".encode()
    signature = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    request = {"host": "cloud.test", "verb": "GET", "path": "/", "params": params}
    credentials = {"access": access, "signature": signature, **request}
    return holder_by(
        who,
        name,
        {**post("credentials", name, **fields), "as": owner},
        {"method": "POST", "path": "/v3/ec2tokens", "body": {"credentials": credentials}, "as": "admin"},
    )
