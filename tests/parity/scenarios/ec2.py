"""EC2 credentials, and tokens for requests that are signed with them."""

import base64
import hashlib
import hmac
import json
import urllib.parse

from .cast import CALLERS, JSON, NOTHING, ask, delete, get, head, login, post, scenario, wait

DEMO = {"project": {"id": "{demo}"}}
KEYS = "users/{alice}/credentials/OS-EC2"
OLD, FUTURE = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"


def made(name, user="{alice}", project="{demo}", who="admin", **more):
    """A pair of keys; `{name}` is the access key."""
    save = {"save": {name: "credential/access"}} if name else {}
    return ask("POST", f"users/{user}/credentials/OS-EC2", {"tenant_id": project, **more}, who, **save)


def known(access, user="{alice}", project="{demo}", kind="ec2", **more):
    """A pair of keys that the scenario chose."""
    blob = json.dumps({"access": access, "secret": f"{access} secret", **more})
    return post("credential", access, user_id=user, type=kind, blob=blob, project_id=project)


def code(access, text, digest):
    return hmac.new(f"{access} secret".encode(), text, digest).digest()


def ec2(access="alices", **params):
    """A request signed with version 2."""
    params = {"Action": "DescribeInstances", "AWSAccessKeyId": access, "SignatureVersion": "2", **params}
    claim = {"access": access, "verb": "GET", "host": "cloud.test", "path": "/", "params": params}
    query = urllib.parse.urlencode(sorted({**params, "SignatureMethod": "HmacSHA256"}.items()), quote_via=urllib.parse.quote)
    signature = code(access, f"GET\ncloud.test\n/\n{query}".encode(), hashlib.sha256)
    return {**claim, "signature": base64.b64encode(signature).decode()}


def version_4(access="alices", date="20200101T000000Z", in_query=False):
    """A request signed with version 4 at a date, in a header or in the query."""
    scope = f"{date[:8]}/RegionOne/ec2/aws4_request"
    headers, params, body_hash = {"Host": "cloud.test"}, {}, hashlib.sha256(b"").hexdigest()
    if in_query:
        params = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{access}/{scope}", "X-Amz-Date": date, "X-Amz-SignedHeaders": "host"}
    else:
        headers |= {"X-Amz-Date": date, "Authorization": f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders=host, Signature=0"}
    query = urllib.parse.urlencode(sorted(params.items()), quote_via=urllib.parse.quote, safe="")
    request = "\n".join(("GET", "/", query, "host:cloud.test\n", "host", body_hash))
    text = "\n".join(("AWS4-HMAC-SHA256", date, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{access} secret".encode()
    for part in (*scope.split("/"), text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    described = {"verb": "GET", "host": "cloud.test", "path": "/", "params": params, "headers": headers, "body_hash": body_hash}
    return {"access": access, "signature": key.hex(), **described}


def s3(access="alices", text="GET\n\n\n\n/bucket", **more):
    """A text signed with version 1."""
    signature = base64.b64encode(code(access, text.encode(), hashlib.sha1)).decode()
    return {"access": access, "token": base64.urlsafe_b64encode(text.encode()).decode(), "signature": signature, **more}


def exchange(claim, path="ec2tokens", who="admin", **more):
    return ask("POST", path, {"credentials": claim}, who, **more)


def both(claim_of, who="admin"):
    """The same of both protocols."""
    return [exchange(claim_of(ec2), who=who), exchange(claim_of(s3), "s3tokens", who)]


@scenario
def ec2_credentials():
    """Who may do what with whose keys."""
    callers = (*CALLERS, "bob")
    steps = [
        login("bob", "{bob}", "bob", "unscoped"),
        made("own", who="member"),
        made("foreign", user="{bob}", project="{works}"),
        *(made(None, user=user, who=who) for who in callers for user in ("{alice}", "{bob}", "{carol}")),
        ask("DELETE", "projects/{demo}/users/{alice}/roles/{member}"),
        login("reader", "{alice}", "alice", {"project": {"id": "{grandchild}"}}),
        ask("PUT", "projects/{demo}/users/{alice}/roles/{reader}"),
        login("reader", "{alice}", "alice", DEMO),
        made(None, who="reader"),
        *delete(f"{KEYS}/{{own}}", who="reader"),
        ask("PUT", "projects/{demo}/users/{alice}/roles/{member}"),
        login("member", "{alice}", "alice", DEMO),
    ]
    for who in (*callers, "reader"):
        steps += get(KEYS, f"{KEYS}/{{own}}", f"{KEYS}/{NOTHING}", "users/{bob}/credentials/OS-EC2", "users/{carol}/credentials/OS-EC2", who=who)
        # The user in the path need not be the owner.
        steps += get("users/{bob}/credentials/OS-EC2/{foreign}", f"{KEYS}/{{foreign}}", f"users/{NOTHING}/credentials/OS-EC2/{{own}}", who=who)
        steps += head(KEYS, f"{KEYS}/{{own}}", who=who)
        steps += get(f"users/{NOTHING}/credentials/OS-EC2", who=who) + delete(f"{KEYS}/{NOTHING}", f"users/{NOTHING}/credentials/OS-EC2/{{own}}", who=who)
    for who in callers:
        steps += [made("spare"), *delete(f"{KEYS}/{{spare}}", who=who)]
    steps += delete(f"{KEYS}/{{own}}", who="member") + get(f"{KEYS}/{{own}}", KEYS, who="member") + delete(f"{KEYS}/{{own}}")
    return steps


@scenario
def ec2_credential_input():
    """What is asked for, and how it is stored."""
    tenants = (None, "", True, "nothing", NOTHING, "default", "{closed}", "{works}", "{acme}", "DEFAULT", "x" * 65)
    bodies = ({}, {"tenant": "{demo}"}, {"tenant_id": "{demo}", "access": "x", "secret": "y", "trust_id": "z", "user_id": "{bob}"}, {"project_id": "{demo}"})
    steps = [made(None, project=tenant) for tenant in tenants] + [ask("POST", KEYS, body) for body in bodies]
    steps += [ask("POST", KEYS, raw=raw, headers=JSON) for raw in ("", "{", "[]", "null")]
    steps += [ask("POST", KEYS), ask("POST", KEYS, raw="tenant_id={demo}", headers={"Content-Type": "text/plain"})]
    steps += [ask("POST", f"users/{NOTHING}/credentials/OS-EC2", {"tenant_id": tenant}) for tenant in ("{demo}", NOTHING)]
    steps += [ask(method, KEYS) for method in ("PUT", "PATCH", "DELETE", "OPTIONS")]
    steps += [made("keys"), *(ask(method, f"{KEYS}/{{keys}}") for method in ("PUT", "PATCH", "POST", "OPTIONS"))]
    steps += get(f"{KEYS}/{{keys}}", f"{KEYS}?limit=1", f"{KEYS}?type=cert", f"{KEYS}/{{keys}}?x=y", "credentials?type=ec2", "credentials?type=EC2")
    # Of another type, with more, with less, by another API.
    steps += [known("upper", kind="EC2"), known("bare"), known("tied", trust_id="t", app_cred_id="a", other="o")]
    steps += [post("credential", user_id="{alice}", type="ec2", project_id="{demo}", blob='{"access": "secretless"}')]
    steps += [post("credential", "cert", user_id="{alice}", type="cert", blob='{"access": "cert"}')]
    steps += get(KEYS, *(f"{KEYS}/{access}" for access in ("upper", "bare", "tied", "secretless", "cert", "{cert}", "BARE")))
    steps += delete(*(f"{KEYS}/{access}" for access in ("upper", "bare", "secretless", "cert", "{cert}"))) + get(KEYS)
    return steps


@scenario(config={"credential": {"user_limit": 1}})
def ec2_credential_limit():
    return [made("one"), made(None), made(None, user="{bob}"), *delete(f"{KEYS}/{{one}}"), made("two", who="member"), made(None, who="member")]


@scenario
def ec2_tokens():
    """Tokens for signed requests: who may ask, what is in them, what they are good for."""
    steps = [
        known("alices"),
        known("bobs", user="{bob}"),
        known("nowheres", project="{works}"),
        known("domains", user="{carol}", project="{acme}"),
        ask("PUT", "projects/{acme}/users/{carol}/roles/{user}"),
        ask("PUT", "projects/{demo}/users/{bob}/roles/{service}"),
        login("service", "{bob}", "bob", DEMO),
        ask("PUT", "projects/{works}/users/{dave}/roles/{service}"),
        login("foreign service", "{dave}", "dave", {"project": {"id": "{works}"}}),
    ]
    for who in (*CALLERS, "service", "foreign service", "nobody known"):
        steps += both(lambda sign: sign(), who)
        steps += [ask("POST", path, {}, who) for path in ("ec2tokens", "s3tokens")]
        steps += get("ec2tokens", "s3tokens", who=who)
    steps += both(lambda sign: sign("bobs")) + both(lambda sign: sign("nowheres")) + both(lambda sign: sign("domains"))
    steps += [ask(method, path) for path in ("ec2tokens", "s3tokens") for method in ("HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")]
    steps += [exchange(ec2(), token="ec2"), ask("GET", "auth/tokens", headers={"X-Subject-Token": "{token:ec2}"})]
    steps += [ask("GET", "auth/tokens?nocatalog", headers={"X-Subject-Token": "{token:ec2}"}, who=who) for who in ("service", "member")]
    own = {"X-Subject-Token": "{token:ec2}"}
    # As the caller's it is good for nothing, whatever the route.
    steps += [ask(method, "auth/tokens", who="ec2", headers=own) for method in ("GET", "HEAD", "DELETE")]
    steps += get("", "/", "users/{alice}", f"users/{NOTHING}", "auth/projects", "auth/catalog", "regions", "credentials", KEYS, f"{KEYS}/alices", "nothing", who="ec2")
    steps += [made(None, who="ec2"), exchange(ec2(), who="ec2"), ask("POST", "users/{alice}/password", {"user": {"original_password": "alice", "password": "new"}}, "ec2")]
    rescoped = {"identity": {"methods": ["token"], "token": {"id": "{token:ec2}"}}}
    scopes = ({}, {"scope": DEMO}, {"scope": "unscoped"}, {"scope": {"system": {"all": True}}})
    steps += [ask("POST", "auth/tokens", {"auth": {**rescoped, **scope}}, who) for who in (None, "ec2") for scope in scopes]
    steps += [ask("POST", "auth/tokens", {"auth": {"identity": {"methods": ["ec2credential"], "ec2credential": data}}}, None) for data in ({}, ec2())]
    # How they end.
    seen = ask("GET", "auth/tokens?nocatalog", headers=own)
    steps += [ask("PATCH", "users/{alice}", {"user": {"enabled": False}}), seen, *both(lambda sign: sign())]
    steps += [ask("PATCH", "users/{alice}", {"user": {"enabled": True}}), seen, wait(1), exchange(ec2(), token="ec2"), seen]
    leaf = ask("GET", "auth/tokens?nocatalog", headers={"X-Subject-Token": "{token:leaf}"})
    steps += [known("leafs", project="{grandchild}"), exchange(ec2("leafs"), token="leaf"), leaf]
    steps += [ask("PATCH", "projects/{grandchild}", {"project": {"enabled": False}}), leaf, *both(lambda sign: sign("leafs"))]
    steps += [ask("PATCH", "projects/{grandchild}", {"project": {"enabled": True}}), leaf]
    steps += [ask("DELETE", "projects/{demo}/users/{alice}/roles/{member}"), seen, *both(lambda sign: sign())]
    steps += [ask("PUT", "projects/{demo}/users/{alice}/roles/{reader}"), seen, *both(lambda sign: sign())]
    steps += [ask("DELETE", "credentials/{alices}"), seen, *both(lambda sign: sign())]
    steps += [ask("DELETE", "auth/tokens", headers=own), seen]
    return steps


@scenario
def ec2_tokens_refused():
    """Requests that are not right, and the order in which that is noticed."""
    good, wrong = ec2(), {**ec2(), "signature": "x"}
    steps = [
        known("alices"),
        known("upper", kind="EC2"),
        known("certs", kind="cert"),
        known("lost", project=NOTHING),
        known("ownerless", user=NOTHING),
        known("closeds", project="{closed}"),
        ask("PUT", "projects/{closed}/users/{alice}/roles/{member}"),
        post("user", "disabled", name="disabled", domain_id="default", enabled=False),
        post("user", "locked", name="locked", domain_id="{off}"),
        known("disableds", user="{disabled}"),
        known("lockeds", user="{locked}"),
        *(ask("PUT", f"projects/{{demo}}/users/{{{name}}}/roles/{{member}}") for name in ("disabled", "locked")),
    ]
    for path in ("ec2tokens", "s3tokens"):
        bodies = ({}, {"credentials": None}, {"credentials": {}}, {"credentials": []}, {"credentials": "x"}, {"credentials": ["x"]}, {"other": good})
        bodies += ({"credentials": {"signature": "x"}}, {"credentials": {"access": "nothing"}}, {"credentials": {"access": ""}})
        bodies += ({"credential": {"access": "nothing"}, "credentials": {}}, {"credentials": {"x": 1}, "credential": good})
        bodies += ({"ec2Credentials": {"access": "nothing"}, "credential": 0, "credentials": False}, {"credentials": {"access": "ALICES"}})
        steps += [ask("POST", path, body, who) for body in bodies for who in ("admin", "member")]
        steps += [ask("POST", path, raw=raw, headers=JSON) for raw in ("", "{", "[]", "null")]
        steps += [ask("POST", path, who="admin"), ask("POST", path, raw="x", headers={"Content-Type": "text/plain"})]
    for name in ("credentials", "credential", "ec2Credentials"):
        steps += [ask("POST", "ec2tokens", {name: good}), ask("POST", "s3tokens", {name: s3()})]
    names = ("upper", "certs", "lost", "ownerless", "closeds", "disableds", "lockeds")
    steps += [step for name in names for step in both(lambda sign, name=name: sign(name))]
    steps += [step for name in names for step in both(lambda sign, name=name: {**sign(name), "signature": "x"})]
    unsigned = {key: value for key, value in good.items() if key != "signature"}
    steps += [exchange(claim) for claim in (wrong, unsigned, {**good, "signature": ""}, {**good, "signature": None}, {**good, "verb": "POST"})]
    steps += [exchange(claim) for claim in ({**good, "host": "CLOUD.test:8773"}, {**good, "host": "other.test:8773"}, {**good, "more": {"x": 1}})]
    steps += [exchange({**good, "params": {**good["params"], "Action": "x"}}), exchange({**good, "access": "lost"})]
    steps += [exchange({**s3(), "signature": signature}, "s3tokens") for signature in ("", "x", good["signature"])]
    steps += [exchange({**s3(), "token": "eA=="}, "s3tokens"), exchange(good, "s3tokens", who="member")]
    # Too late: the first of the times counts, and none is none.
    for time in (OLD, FUTURE, "2020", "yesterday", ""):
        steps += [exchange(ec2(Timestamp=time)), exchange(s3(params={"Timestamp": time}), "s3tokens"), exchange({**ec2(Timestamp=time), "signature": "x"})]
    for date in ("20200101T000000Z", "20990101T000000Z"):
        steps += [exchange(version_4(date=date, in_query=in_query)) for in_query in (False, True)]
        steps += [exchange(s3(headers={"X-Amz-Date": date}), "s3tokens"), exchange(s3(params={"X-Amz-Date": date}), "s3tokens")]
    return steps


@scenario(config={"auth": {"methods": ["password", "token"]}})
def ec2_tokens_switched_off():
    """Without its marker method there are no such tokens."""
    steps = [known("alices")]
    for who in ("admin", "member", None):
        steps += both(lambda sign: sign(), who)
        steps += [ask("POST", path, body, who) for path in ("ec2tokens", "s3tokens") for body in ({}, {"credentials": {"access": "x"}})]
    return steps + get("ec2tokens", KEYS, f"{KEYS}/alices")


@scenario(config={"credential": {"auth_ttl": 50000000}})
def ec2_tokens_long_lived():
    return [known("alices"), exchange(ec2(Timestamp=OLD)), exchange(version_4()), exchange(ec2(Timestamp="0001-01-01T00:00:00Z"))]
