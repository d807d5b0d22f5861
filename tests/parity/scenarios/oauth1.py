"""OAuth 1.0a: consumers, request and access tokens, and the tokens that they are exchanged for."""

from harness import wire

from .cast import CALLERS, NOTHING, ask, delete, get, head, login, patch, post, scenario, wait

CONSUMERS = "OS-OAUTH1/consumers"
REQUEST = "OS-OAUTH1/request_token"
ACCESS = "OS-OAUTH1/access_token"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def oauth(secrets, **changed):
    """The header of a request that is signed in clear with these secrets; `None` leaves a parameter out."""
    parameters = {
        "oauth_consumer_key": "{app}",
        "oauth_nonce": "0a1b2c3d",
        "oauth_timestamp": "{now}",
        "oauth_version": "1.0",
        "oauth_signature_method": "PLAINTEXT",
        "oauth_signature": secrets,
        **changed,
    }
    pairs = (f'{name}="{value}"' for name, value in parameters.items() if value is not None)
    return {"Authorization": "OAuth " + ", ".join(pairs)}


def request(save="", project="{demo}", query="", more=(), secrets="{app secret}%26", path=REQUEST, **changed):
    """A request token; `save` names it, its secret and what it becomes."""
    headers = {**oauth(secrets, **{"oauth_callback": "oob", **changed}), **dict(more)}
    if project is not None:
        headers["Requested-Project-Id"] = project
    saved = {"save": {f"{save}": "oauth_token", f"{save} secret": "oauth_token_secret"}} if save else {}
    return ask("POST", path + query, who=None, headers=headers, **saved)


def authorize(name, *roles, who="bob", save=True):
    saved = {"save": {f"{name} verifier": "token/oauth_verifier"}} if save else {}
    return ask("PUT", f"OS-OAUTH1/authorize/{{{name}}}", {"roles": list(roles)}, who, **saved)


def access(name, save="", query="", more=(), secrets=None, path=ACCESS, **changed):
    """An access token for the request token of this name."""
    secrets = secrets or f"{{app secret}}%26{{{name} secret}}"
    parameters = {"oauth_token": f"{{{name}}}", "oauth_verifier": f"{{{name} verifier}}", **changed}
    saved = {"save": {save: "oauth_token", f"{save} secret": "oauth_token_secret"}} if save else {}
    return ask("POST", path + query, who=None, headers={**oauth(secrets, **parameters), **dict(more)}, **saved)


def enter(name, scope=None, query="", more=(), secrets=None, methods=("oauth1",), save="", identity=(), **changed):
    """A login by the access token of this name."""
    secrets = secrets or f"{{app secret}}%26{{{name} secret}}"
    headers = {**oauth(secrets, **{"oauth_token": f"{{{name}}}", **changed}), **dict(more)}
    headers = {name: value for name, value in headers.items() if value is not None}
    body = wire.auth({"methods": list(methods), "oauth1": {}, **dict(identity)}, scope)
    return ask("POST", f"auth/tokens{query}", body, None, headers=headers, **({"token": save} if save else {}))


def about(name, who="admin", method="GET"):
    return ask(method, "auth/tokens", who=who, headers={"X-Subject-Token": f"{{token:{name}}}"})


def stage():
    """A consumer, and a user who may authorize on two projects."""
    return [
        ask("POST", CONSUMERS, {"consumer": {"description": "an application"}}, save={"app": "consumer/id", "app secret": "consumer/secret"}),
        ask("POST", CONSUMERS, {"consumer": {}}, save={"other": "consumer/id", "other secret": "consumer/secret"}),
        ask("PUT", "projects/{demo}/users/{bob}/roles/{admin}"),
        ask("PUT", "projects/{works}/users/{bob}/roles/{admin}"),
        login("bob", "{bob}", "bob", {"project": {"id": "{demo}"}}),
    ]


def granted(name, *roles, project="{demo}"):
    """An access token."""
    return [request(f"{name} request", project), authorize(f"{name} request", *roles), access(f"{name} request", name)]


@scenario
def oauth1_consumers():
    bodies = ({}, {"consumer": None}, {"consumer": {"description": None}}, {"consumer": {"description": 5}}, {"consumer": {"description": "x" * 65}})
    bodies += ({"consumer": {"description": "ümläut", "id": "mine", "secret": "mine", "colour": "red", "a-b:c": [1, None]}},)
    bodies += ({"other": {}}, {"consumer": {"extra": {"a": 1}}}, {"consumer": {"description": ""}})
    patches = ({"description": "new"}, {"description": None}, {"secret": "x"}, {"secret": None}, {}, {"id": NOTHING}, {"id": "{app}"}, {"colour": "blue"})
    patches += ({"description": 5}, {"description": "y" * 65}, {"a-b": 1, "description": "d"}, {"colour": None}, {"links": {}, "extra": {"b": 2}})
    steps = stage()
    for who in CALLERS:
        steps += get(CONSUMERS, f"{CONSUMERS}/{{app}}", f"{CONSUMERS}/{NOTHING}", who=who) + head(CONSUMERS, f"{CONSUMERS}/{{app}}", who=who)
        steps += [
            ask("POST", CONSUMERS, {"consumer": {"description": f"by {who}"}}, who),
            ask("POST", CONSUMERS, {"consumer": {"description": 5}}, who),
            ask("PATCH", f"{CONSUMERS}/{{app}}", {"consumer": {"description": f"by {who}"}}, who),
            ask("PATCH", f"{CONSUMERS}/{NOTHING}", {"consumer": {"description": "x"}}, who),
            ask("PATCH", f"{CONSUMERS}/{{app}}", {"consumer": {"secret": "x"}}, who),
        ]
        steps += delete(f"{CONSUMERS}/{NOTHING}", who=who)
    steps += [ask("POST", CONSUMERS, body) for body in bodies]
    steps += [ask("POST", CONSUMERS), ask("PATCH", f"{CONSUMERS}/{{app}}"), ask("PATCH", f"{CONSUMERS}/{NOTHING}", {"consumer": {"secret": "x"}})]
    steps += patch("consumer", f"{CONSUMERS}/{{app}}", *patches)
    steps += [ask("PATCH", CONSUMERS, {"consumer": {}}), ask("POST", f"{CONSUMERS}/{{app}}", {"consumer": {}})]
    steps += delete(CONSUMERS) + delete(f"{CONSUMERS}/{{other}}", who="domain reader") + delete(*[f"{CONSUMERS}/{{other}}"] * 2)
    steps += get(f"{CONSUMERS}/{{other}}", CONSUMERS, f"{CONSUMERS}?description=new", f"{CONSUMERS}?limit=100", "OS-REVOKE/events")
    return steps


@scenario
def oauth1_flow():
    """From a consumer to a token, and what may be seen of it."""
    tokens = "users/{bob}/OS-OAUTH1/access_tokens"
    steps = stage() + get(REQUEST, ACCESS, f"OS-OAUTH1/authorize/{NOTHING}") + head(REQUEST, ACCESS)
    steps += [request("asked"), authorize("asked", {"id": "{reader}"}), access("asked", "given"), access("asked")]
    steps += [enter("given", save="oauth")]
    steps += [enter("given", scope={"project": {"id": "{works}"}}), enter("given", scope="system"), enter("given", "unscoped"), enter("given", query="?nocatalog")]
    steps += [enter("given", scope={"project": {"id": NOTHING}}), enter("given", scope={"domain": {"id": "{acme}"}})]
    steps += [about("oauth"), about("oauth", "oauth"), about("oauth", method="HEAD")]
    steps += [ask("POST", "auth/tokens", wire.auth({"methods": ["token"], "token": {"id": "{token:oauth}"}}, scope), None) for scope in (None, "unscoped", {"project": {"id": "{demo}"}})]
    password = {"password": {"user": {"id": "{bob}", "password": "bob"}}}
    other = {"password": {"user": {"id": "{alice}", "password": "alice"}}}
    held = {"token": {"id": "{token:bob}"}}
    steps += [enter("given", methods=("password", "oauth1"), identity=password, save="both"), enter("given", methods=("oauth1", "password"), identity=other)]
    steps += [enter("given", methods=("token", "oauth1"), identity=held), about("both")]
    # Roles with those that they imply, and no others than the user holds.
    steps += granted("wide", {"name": "member"}) + [enter("wide", save="wide")]
    steps += granted("none") + [enter("none")]
    steps += granted("all", {"name": "admin"}) + [enter("all", save="powerful")]
    for who in (*CALLERS, "oauth", "powerful", "bob"):
        steps += get(tokens, f"{tokens}/{{given}}", f"{tokens}/{{wide}}/roles", f"{tokens}/{{wide}}/roles/{{reader}}", f"{tokens}/{NOTHING}", who=who)
        steps += delete(f"{tokens}/{NOTHING}", who=who)
        steps += head(tokens, f"{tokens}/{{given}}", f"{tokens}/{{given}}/roles", f"{tokens}/{{given}}/roles/{{reader}}", who=who)
    steps += get(f"{tokens}/{NOTHING}/roles", f"{tokens}/{NOTHING}/roles/{{reader}}", f"{tokens}/{{given}}/roles/{{admin}}", f"{tokens}/{{given}}/roles/{NOTHING}")
    steps += get(f"{tokens}/{{none}}/roles", "users/nobody/OS-OAUTH1/access_tokens", "users/{alice}/OS-OAUTH1/access_tokens")
    others = "users/{alice}/OS-OAUTH1/access_tokens/{given}"
    steps += get(others, f"{others}/roles", f"{others}/roles/{{reader}}") + delete(others)
    # What the bearer may do.
    steps += [ask("GET", "users/{bob}", who="powerful"), ask("GET", "projects/{works}", who="powerful"), ask("POST", CONSUMERS, {"consumer": {}}, "powerful")]
    steps += [post("credential", who="powerful", user_id="{bob}", type="cert", blob="x"), ask("GET", "credentials", who="powerful")]
    steps += [request("second"), authorize("second", {"id": "{reader}"}, who="powerful", save=False), authorize("second", {"id": 5}, who="powerful", save=False)]
    steps += delete(f"{tokens}/{{given}}") + [about("oauth"), enter("given"), *get("users", who="oauth")] + delete(f"{tokens}/{{given}}") + get(tokens)
    steps += delete(f"{CONSUMERS}/{{app}}") + [about("wide"), about("powerful"), enter("wide"), *get(tokens, "OS-REVOKE/events"), *get("users", who="powerful")]
    return steps


@scenario
def oauth1_request_tokens():
    """What is refused, and in which order."""
    steps = stage() + [request("good"), request("realm", realm="")]
    for header in ("oauth_consumer_key", "oauth_nonce", "oauth_timestamp", "oauth_version", "oauth_signature_method", "oauth_signature", "oauth_callback"):
        steps += [request(**{header: None}), request(**{header: "nonsense"})]
    methods = ("HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "RSA-SHA1", "RSA-SHA256", "RSA-SHA512", "plaintext", "MD5", "PLAINTEXT%20", "%C3%BC")
    steps += [request(oauth_signature_method=method) for method in methods]
    steps += [request(oauth_timestamp=stamp) for stamp in ("1", "1000000000", "9000000000", "10000000000", "-123456789", "12345 6789", "1_00000000", "{now}%20")]
    steps += [request(oauth_nonce=nonce) for nonce in ("ghi", "ABC", "0", "0 1", "%30%31")]
    steps += [request(oauth_version=version) for version in ("1", "2.0", "1%2E0")]
    steps += [request(oauth_consumer_key=key) for key in (NOTHING, "{other}", "mine", "%61")]
    steps += [request(secrets=secret) for secret in ("{app secret}", "{app secret}&", "%26", "{other secret}%26", "{app secret}%26x", "{app secret}%2526")]
    steps += [request(project=project) for project in (None, NOTHING, "{works}", "{closed}", "default", "nowhere", "")]
    steps += [request(project=NOTHING, oauth_consumer_key=NOTHING), request(project=NOTHING, oauth_version="2"), request(oauth_consumer_key=NOTHING, oauth_version="2")]
    steps += [request(realm=realm) for realm in ("x", "x y", "it's")]
    steps += [request(query=query) for query in ("?a=b", "?oauth_nonce=1", "?realm=x", "?a=b&a=c&%20=%20", "?", "?a=%zz", "?a=%C3%BC+b", "?a={}")]
    steps += [request(query="?a=b", more=FORM), request(more=FORM), request(query="?oauth_x=1", more=FORM), request(oauth_token=NOTHING), request(oauth_token="")]
    steps += [request(oauth_extra="x", other="y"), request(oauth_signature="")]
    good = oauth("{app secret}%26", oauth_callback="oob")["Authorization"]
    headers = ("", "OAuth", "OAuth ", "oauth x", "OAuth =", "OAuth a=", "Basic YTpi", good.replace("OAuth ", "oauth "), good.replace("OAuth ", "OAUTH  "))
    headers += (good.replace('"', ""), good + ",", good + ", ", good + ", x", good + ', oauth_version="1.0"', good + ', oauth_version="2.0"', good + ', a="b,c\\"d"')
    headers += (good.replace(", ", ","), good.replace("oauth_nonce", " oauth_nonce "), good.replace("oauth_nonce", "OAUTH_NONCE"), "Bearer " + good, good + ', realm')
    steps += [ask("POST", REQUEST, who=None, headers={"Requested-Project-Id": "{demo}", "Authorization": header}) for header in headers]
    steps += [ask("POST", REQUEST, who=None), ask("POST", REQUEST, {"a": 1}, None), ask("POST", REQUEST, who="admin", headers={"Requested-Project-Id": "{demo}"})]
    steps += [ask(method, REQUEST, who="admin") for method in ("PUT", "PATCH", "DELETE")]
    return steps


@scenario
def oauth1_authorizations():
    steps = stage() + [request("asked"), request("foreign", "{works}"), request("closed one", "{closed}"), request("domains", "{acme}")]
    for who in CALLERS:
        steps += [authorize("asked", {"id": "{reader}"}, who=who, save=False), authorize("asked", {"id": 5}, who=who, save=False)]
        steps += [ask("PUT", f"OS-OAUTH1/authorize/{NOTHING}", {"roles": []}, who)]
    bodies = [{"roles": roles} for roles in (None, {}, 5, "x", ["reader"], [{}], [{"id": ""}], [{"id": "a b"}], [{"id": None}], [{"id": 5}], [{"name": ""}], [{"name": 5}])]
    bodies += [{"roles": [role]} for role in ({"id": "{reader}", "name": "reader"}, {"id": NOTHING}, {"name": "nothing"}, {"colour": "red"})]
    bodies += [{"roles": [role]} for role in ({"id": "{service}"}, {"name": "local"}, {"id": "{local}"})]
    steps += [ask("PUT", "OS-OAUTH1/authorize/{asked}", body, "bob") for body in bodies]
    saves = {"save": {"empty verifier": "token/oauth_verifier"}}
    steps += [ask("PUT", "OS-OAUTH1/authorize/{asked}", {"role": []}, "bob", **saves), ask("PUT", "OS-OAUTH1/authorize/{asked}", None, "bob", **saves)]
    # The last one counts.
    steps += [authorize("asked", {"id": "{reader}"}), authorize("asked", {"id": "{member}"}, {"name": "member"})]
    steps += [authorize("foreign", {"id": "{admin}"}), authorize("closed one", {"id": "{reader}"}, save=False), authorize("domains", {"id": "{reader}"}, save=False)]
    steps += [authorize("foreign", {"id": "{service}"}, save=False), access("asked", oauth_verifier="{empty verifier}"), access("asked", "given"), enter("given")]
    steps += [access("foreign", "elsewhere"), enter("elsewhere"), authorize("foreign", {"id": "{admin}"}, save=False)]
    steps += [ask(method, "OS-OAUTH1/authorize/{asked}", who="bob") for method in ("GET", "HEAD", "POST", "DELETE")]
    # Two roles of one name.
    steps += [post("role", name="twin", domain_id="{acme}"), post("role", name="twin"), authorize("closed one", {"name": "twin"}, save=False)]
    return steps


@scenario
def oauth1_access_tokens():
    steps = stage() + [request("asked"), request("bare"), access("bare", oauth_verifier="abcdefgh"), access("bare", oauth_verifier=None), authorize("asked", {"id": "{reader}"})]
    for header in ("oauth_consumer_key", "oauth_nonce", "oauth_timestamp", "oauth_version", "oauth_signature_method", "oauth_signature", "oauth_token", "oauth_verifier"):
        steps += [access("asked", **{header: None}), access("asked", **{header: "nonsense"})] if header != "oauth_version" else [access("asked", oauth_version="2")]
    steps += [access("asked", oauth_verifier=verifier) for verifier in ("abcdefgh", "ABCD2345", "0OoIiLl1", "short", "toolongone", "")]
    steps += [access("asked", oauth_consumer_key=key) for key in (NOTHING, "{other}", "x", "")]
    steps += [access("asked", oauth_consumer_key="{other}", secrets="{other secret}%26{asked secret}"), access("asked", oauth_token=NOTHING), access("asked", oauth_token="%61")]
    steps += [access("asked", secrets=secret) for secret in ("{app secret}%26", "%26{asked secret}", "{app secret}%26{bare secret}", "{app secret}", "{app secret}%26{asked secret}%26")]
    steps += [access("asked", oauth_signature_method=method) for method in ("HMAC-SHA1", "HMAC-SHA512", "RSA-SHA1", "MD5")]
    steps += [access("asked", query="?oauth_a=b"), access("asked", realm="x", query="?b=c", save="given"), access("asked")]
    steps += [ask("POST", ACCESS, who=None, headers={"Authorization": header}) for header in ("", "OAuth", 'OAuth oauth_token="{asked}"')]
    steps += [ask("POST", ACCESS, who=None), *(ask(method, ACCESS, who="admin") for method in ("PUT", "PATCH", "DELETE"))]
    # And with the access token.
    for header in ("oauth_consumer_key", "oauth_nonce", "oauth_timestamp", "oauth_signature_method", "oauth_signature", "oauth_token"):
        steps += [enter("given", **{header: None}), enter("given", **{header: "nonsense"})]
    steps += [enter("given", oauth_version="2"), enter("given", oauth_version=None), enter("given", realm="x"), enter("given", oauth_callback="oob", oauth_verifier="x")]
    steps += [enter("given", oauth_consumer_key="{other}"), enter("given", oauth_consumer_key=NOTHING)]
    steps += [enter("given", oauth_consumer_key="{other}", secrets="{other secret}%26{given secret}"), enter("given", query="?oauth_a=b"), enter("given", query="?a=b")]
    steps += [enter("given", secrets=secret) for secret in ("{app secret}%26", "%26{given secret}", "{app secret}%26{app secret}")]
    steps += [enter("given", oauth_signature_method=method) for method in ("HMAC-SHA1", "HMAC-SHA256", "RSA-SHA1", "MD5")]
    steps += [enter("given", more={"Authorization": header}) for header in (None, "", "OAuth", "Basic YTpi", 'OAuth oauth_token="{given}"', 'OAuth oauth_token=""', "OAuth x")]
    return steps


@scenario(config={"oauth1": {"request_token_duration": 2, "access_token_duration": 2}})
def oauth1_expired():
    steps = stage() + [request("late"), request("early"), authorize("late", {"id": "{reader}"}), authorize("early", {"id": "{reader}"})]
    steps += [access("early", "given"), enter("given", save="oauth"), wait(3), access("late"), authorize("late", {"id": "{reader}"}, save=False)]
    return steps + [authorize("late", {"name": "nothing"}, save=False), enter("given"), about("oauth"), *get("users/{bob}/OS-OAUTH1/access_tokens")]


@scenario(config={"oauth1": {"request_token_duration": 0, "access_token_duration": 0}})
def oauth1_for_ever():
    steps = stage() + [request("asked"), authorize("asked", {"id": "{reader}"}), access("asked", "given"), enter("given")]
    return steps + get("users/{bob}/OS-OAUTH1/access_tokens", "users/{bob}/OS-OAUTH1/access_tokens/{given}")


@scenario(config={"DEFAULT": {"public_endpoint": "https://public.test/identity"}})
def oauth1_at_a_public_endpoint():
    return stage() + granted("given", {"id": "{reader}"}) + [enter("given"), *get("users/{bob}/OS-OAUTH1/access_tokens", CONSUMERS)]


@scenario
def oauth1_endings():
    """What ends access tokens and the tokens made with them."""
    role = "projects/{demo}/users/{bob}/roles/{admin}"
    steps = stage() + granted("narrow", {"id": "{reader}"}) + granted("wide", {"id": "{admin}"})
    seen = [enter("narrow"), enter("wide"), about("narrow"), about("wide")]
    steps += [enter("narrow", save="narrow"), enter("wide", save="wide")]
    steps += [ask("PUT", "projects/{demo}/users/{bob}/roles/{member}"), *delete(role), *seen]
    steps += [*delete("projects/{demo}/users/{bob}/roles/{member}"), *seen, ask("PUT", "projects/{demo}/users/{bob}/roles/{user}"), *seen]
    steps += [ask("PUT", role), *seen]
    far = [enter("far"), about("far")]
    steps += [*granted("far", {"id": "{admin}"}, project="{works}"), enter("far", save="far")]
    for path, kind in (("projects/{works}", "project"), ("domains/{acme}", "domain")):
        steps += [ask("PATCH", path, {kind: {"enabled": False}}), *far, ask("PATCH", path, {kind: {"enabled": True}}), *far]
    for enabled in (False, True):
        steps += [ask("PATCH", "users/{bob}", {"user": {"enabled": enabled}}), *seen, wait(1)]
    steps += [enter("narrow", save="narrow"), enter("wide", save="wide"), ask("PATCH", "users/{bob}", {"user": {"password": "new"}}), *seen, wait(1)]
    steps += [enter("narrow", save="narrow"), ask("DELETE", "users/{bob}/tokens"), *seen, wait(1), enter("narrow", save="narrow")]
    steps += [about("narrow", method="DELETE"), about("narrow"), enter("narrow")]
    steps += [ask("PATCH", "users/{bob}", {"user": {"options": {"multi_factor_auth_rules": [["password", "totp"], ["password", "token"]]}}}), enter("narrow")]
    steps += [ask("PATCH", "users/{bob}", {"user": {"options": {"multi_factor_auth_rules": []}}})]
    # A user's role in a role list that is gone.
    steps += [post("role", "passing", name="passing"), ask("PUT", "projects/{demo}/users/{bob}/roles/{passing}"), login("bob", "{bob}", "new", {"project": {"id": "{demo}"}})]
    steps += granted("passing token", {"id": "{passing}"}, {"id": "{reader}"}) + [enter("passing token"), *delete("roles/{passing}"), enter("passing token")]
    tokens = "users/{bob}/OS-OAUTH1/access_tokens"
    steps += get(f"{tokens}/{{passing token}}/roles", f"{tokens}/{{passing token}}/roles/{{passing}}", f"{tokens}/{{passing token}}/roles/{{reader}}")
    return steps


@scenario(questions=True)
def targets_of_oauth1():
    """What the policy is asked, and with which credentials the bearer asks."""
    tokens = "users/{bob}/OS-OAUTH1/access_tokens"
    steps = stage() + granted("given", {"id": "{reader}"}) + [enter("given", save="oauth"), request("asked")]
    steps += get(CONSUMERS, f"{CONSUMERS}?limit=5", f"{CONSUMERS}/{{app}}", f"{CONSUMERS}/{NOTHING}")
    steps += get(tokens, f"{tokens}/{{given}}", f"{tokens}/{NOTHING}", f"{tokens}/{{given}}/roles", f"{tokens}/{{given}}/roles/{{reader}}")
    steps += [ask("PATCH", f"{CONSUMERS}/{{app}}", {"consumer": {"description": "new"}}), ask("PATCH", f"{CONSUMERS}/{{app}}", {"consumer": {}})]
    steps += [authorize("asked", {"id": "{reader}"}, save=False), ask("PUT", f"OS-OAUTH1/authorize/{NOTHING}", {"roles": []})]
    steps += get("regions/north", who="oauth")
    return steps + delete(f"{tokens}/{{given}}", f"{tokens}/{NOTHING}", f"{CONSUMERS}/{{app}}", f"{CONSUMERS}/{NOTHING}")
