"""What Keystone announces: every type of event, in both formats, by the log driver of oslo.messaging."""

from harness import wire

from . import application_credentials as credentials
from . import federated, oauth1, trusts
from .cast import NOTHING, ask, cast, login, post, scenario
from .tokens import attempt

NAMED = ask("GET", "users?name=admin", save={"root": "users/0/id"})
HEADERS = {
    "User-Agent": "openstacksdk/4.0.1 keystoneauth1/5.8.0",
    "X-Forwarded-For": "198.51.100.9, 203.0.113.7",
    "X-OpenStack-Request-ID": "req-0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f",
}


def announced(make=None, *, opt_out="", on_stage=True, **options):
    """A scenario in both formats; `opt_out` None leaves Keystone's default."""
    if make is None:
        return lambda make: announced(make, opt_out=opt_out, on_stage=on_stage, **options)
    for form in ("basic", "cadf"):
        default = {"default_publisher_id": "controller", "notification_format": form}
        if opt_out is not None:
            default["notification_opt_out"] = opt_out

        def steps():
            return [NAMED, *make()] if on_stage else make()

        steps.__name__ = f"{make.__name__}_{form}"
        config = {"DEFAULT": default, "oslo_messaging_notifications": {"driver": "log"}, **options}
        scenario(config=config, announces=True, on_stage=on_stage)(steps)
    return make


def remove(*paths, **more):
    return [ask("DELETE", path, **more) for path in paths]


@announced(on_stage=False)
def announced_cast():
    return cast()


@announced
def announced_people():
    return [
        post("user", "gus", name="gus", domain_id="default", password="gus"),
        ask("POST", "users", {"user": {"name": "hal", "domain_id": "{acme}"}}, "domain admin", save="hal", headers=HEADERS),
        ask("PATCH", "users/{gus}", {"user": {"email": "g@x"}}, headers={**HEADERS, "X-OpenStack-Request-ID": "req-not-an-id"}),
        ask("PATCH", "users/{gus}", {"user": {"enabled": False}}, "system reader"),
        ask("PATCH", f"users/{NOTHING}", {"user": {"email": "g@x"}}),
        post("user", name="gus", domain_id="default"),
        post("group", "trio", name="trio", domain_id="default"),
        ask("PATCH", "groups/{trio}", {"group": {"description": "three"}}),
        ask("PUT", "groups/{trio}/users/{gus}"),
        ask("PUT", f"groups/{{trio}}/users/{NOTHING}"),
        ask("HEAD", "groups/{trio}/users/{gus}"),
        *remove("groups/{trio}/users/{gus}", "groups/{trio}/users/{bob}", "groups/{trio}"),
        *remove("users/{hal}", "users/{gus}", "users/{gus}"),
        post("role", "cook", name="cook"),
        post("role", "baker", name="baker", domain_id="{acme}"),
        ask("PATCH", "roles/{cook}", {"role": {"description": "cooks"}}),
        ask("PUT", "roles/{cook}/implies/{reader}"),
        *remove("roles/{cook}/implies/{reader}", "roles/{cook}", "roles/{baker}"),
    ]


@announced
def announced_places():
    return [
        post("domain", "umbrella", name="Umbrella"),
        post("domain", name="Umbrella"),
        post("project", "tower", name="tower", domain_id="{umbrella}"),
        post("project", "floor", name="floor", domain_id="{umbrella}", parent_id="{tower}"),
        post("project", "acting", name="Acting", is_domain=True),
        ask("PATCH", "projects/{tower}", {"project": {"description": "tall"}}),
        ask("PATCH", "projects/{acting}", {"project": {"description": "plays"}}),
        ask("PATCH", "projects/{acting}", {"project": {"enabled": False}}),
        *remove("projects/{acting}"),
        ask("PUT", "projects/{tower}/tags/red brick"),
        ask("PUT", "projects/{tower}/tags/red brick"),
        ask("PUT", "projects/{tower}/tags", {"tags": ["a", "b"]}),
        *remove("projects/{tower}/tags/a", "projects/{tower}/tags/a", "projects/{tower}/tags"),
        *remove("projects/{tower}"),
        post("user", "ida", name="ida", domain_id="{umbrella}", password="ida"),
        post("group", "ids", name="ids", domain_id="{umbrella}"),
        ask("PUT", "projects/{tower}/users/{ida}/roles/{member}"),
        login("ida", "{ida}", "ida", {"project": {"id": "{tower}"}}),
        credentials.made("key", "key", "ida", "users/{ida}/application_credentials", access_rules=[credentials.rule("/v3/users")]),
        ask("PATCH", "domains/{umbrella}", {"domain": {"description": "wide"}}),
        *remove("domains/{umbrella}"),
        ask("PATCH", "domains/{umbrella}", {"domain": {"enabled": False}}, headers=HEADERS),
        *remove("domains/{umbrella}"),
        ask("PATCH", "projects/{child}", {"project": {"enabled": False}}),
        *remove("projects/{grandchild}", "projects/{child}"),
        ask("PUT", "domains/{acme}/config", {"config": {"identity": {"driver": "sql"}}}),
        *remove("domains/{acme}/config"),
    ]


@announced
def announced_catalog():
    return [
        post("region", id="south"),
        ask("PUT", "regions/east", {"region": {"description": "x"}}),
        ask("PATCH", "regions/south", {"region": {"description": "warm"}}),
        post("service", "volumes", type="volume", name="cinder"),
        ask("PATCH", "services/{volumes}", {"service": {"description": "v"}}),
        post("endpoint", "one", service_id="{volumes}", interface="public", region_id="south", url="http://v"),
        post("endpoint", "two", service_id="{volumes}", interface="admin", region="west", url="http://v"),
        post("endpoint", service_id="{volumes}", interface="internal", region="west", url="http://v"),
        post("endpoint", service_id="{volumes}", interface="internal", region_id="nowhere", url="http://v"),
        ask("PATCH", "endpoints/{one}", {"endpoint": {"url": "http://w"}}),
        ask("PATCH", "endpoints/{one}", {"endpoint": {"region": "far"}}),
        *remove("endpoints/{one}", "services/{volumes}", "regions/south", "regions/nowhere"),
        ask("POST", "policies", {"policy": {"blob": "{}", "type": "application/json"}}, save="law"),
        ask("PATCH", "policies/{law}", {"policy": {"type": "text/plain"}}),
        ask("PUT", "policies/{law}/OS-ENDPOINT-POLICY/services/{images}"),
        *remove("policies/{law}/OS-ENDPOINT-POLICY/services/{images}", "policies/{law}"),
        ask("PUT", "OS-EP-FILTER/projects/{demo}/endpoints/{public}"),
        *remove("OS-EP-FILTER/projects/{demo}/endpoints/{public}"),
    ]


@announced
def announced_grants():
    direct = ("projects/{demo}/users/{bob}", "projects/{demo}/groups/{staff}", "domains/{acme}/users/{bob}", "domains/{acme}/groups/{staff}")
    inherited = [f"OS-INHERIT/{path}/roles/{{reader}}/inherited_to_projects" for path in direct]
    paths = [f"{path}/roles/{{reader}}" for path in direct] + inherited
    steps = [ask("PUT", path) for path in paths]
    steps += [ask("DELETE", path) for path in paths]
    # What fails: nothing is there any more, or never was.
    steps += [ask("DELETE", path) for path in paths]
    steps += [ask("PUT", f"projects/{{demo}}/users/{{bob}}/roles/{NOTHING}"), ask("PUT", f"projects/{NOTHING}/users/{{bob}}/roles/{{reader}}")]
    steps += [ask("PUT", f"projects/{{demo}}/users/{NOTHING}/roles/{{reader}}"), ask("PUT", paths[0], None, "system reader")]
    steps += [ask("PUT", f"OS-INHERIT/projects/{{demo}}/users/{{bob}}/roles/{NOTHING}/inherited_to_projects")]
    steps += [ask("PUT", "projects/{demo}/users/{bob}/roles/{local}")]
    steps += [ask("PUT", "domains/{acme}/users/{carol}/roles/{reader}", None, "domain admin", headers=HEADERS)]
    steps += [ask("PUT", "system/users/{bob}/roles/{reader}"), *remove("system/users/{bob}/roles/{reader}")]
    return steps


@announced
def announced_secrets():
    blob = {"credential": {"type": "cert", "blob": "b", "user_id": "{bob}", "project_id": "{demo}"}}
    mine, rules = credentials.MINE, credentials.RULES
    return [
        ask("POST", "credentials", blob, save="blob"),
        ask("PATCH", "credentials/{blob}", {"credential": {"blob": "c"}}),
        *remove("credentials/{blob}"),
        ask("POST", "users/{alice}/credentials/OS-EC2", {"tenant_id": "{demo}"}, "member", save={"pair": "credential/access"}),
        *remove("users/{alice}/credentials/OS-EC2/{pair}"),
        credentials.made("one", "one", access_rules=[credentials.rule("/v3/users")]),
        ask("GET", rules, who="member", save={"rule": "access_rules/0/id"}),
        *remove(rules + "/{rule}", who="member"),
        *remove(f"{mine}/{{one}}", rules + "/{rule}", who="member"),
        trusts.create("parent", trustee_user_id="{bob}", impersonation=True, allow_redelegation=True),
        trusts.entered("bob", "parent"),
        trusts.redelegate("bob", "grandparent", redelegation_count=2, allow_redelegation=True),
        *remove("OS-TRUST/trusts/{parent}", who="member", headers=HEADERS),
        trusts.create("left"),
        credentials.made("two", "two", access_rules=[credentials.rule("/v3/groups")]),
        ask("POST", "credentials", {"credential": {"type": "cert", "blob": "b", "user_id": "{alice}"}}),
        *remove("users/{alice}", "projects/{grandchild}"),
    ]


@announced
def announced_oauth1():
    return [
        *oauth1.stage(),
        ask("PATCH", "OS-OAUTH1/consumers/{app}", {"consumer": {"description": "x"}}),
        *oauth1.granted("first", {"id": "{admin}"}),
        *oauth1.granted("second", {"id": "{admin}"}),
        *remove("users/{bob}/OS-OAUTH1/access_tokens/{first}", who="bob"),
        oauth1.request(oauth_signature="wrong%26"),
        *remove("OS-OAUTH1/consumers/{app}"),
    ]


def guess(user, secret="wrong", **more):
    body = wire.auth({"methods": ["password"], "password": {"user": {**user, "password": secret}}}, None)
    return ask("POST", "auth/tokens", body, None, **more)


def change(name, old, new):
    return ask("POST", f"users/{{{name}}}/password", {"user": {"original_password": old, "password": new}}, None)


RULES = {
    "lockout_failure_attempts": 2,
    "lockout_duration": 3600,
    "unique_last_password_count": 2,
    "password_regex": "^.{3,}$",
    "password_regex_description": "Three characters.",
}


@announced(security_compliance=RULES)
def announced_logins():
    default = {"domain": {"id": "default"}}
    return [
        guess({"id": "{bob}"}, "bob", headers=HEADERS),
        guess({"name": "bob", **default}, "bob"),
        guess({"id": "{bob}"}, headers=HEADERS),
        guess({"name": "ghost", **default}),
        guess({"name": "ghost", "domain": {"name": "Acme"}}),
        guess({"name": "ghost", "domain": {"name": "nowhere"}}),
        guess({"id": NOTHING}),
        guess({"name": "bob", "domain": {"id": "{off}"}}),
        ask("PATCH", "users/{frank}", {"user": {"enabled": False}}),
        guess({"id": "{frank}"}, "frank"),
        ask("PATCH", "domains/{acme}", {"domain": {"enabled": False}}),
        guess({"id": "{erin}"}, "erin"),
        # With a token of somebody else.
        ask("POST", "auth/tokens", wire.auth({"methods": ["password"], "password": {"user": {"id": "{bob}", "password": "no"}}}, None), "member"),
        guess({"id": "{bob}"}, "bob"),
        guess({"id": "{bob}"}, "bob", headers=HEADERS),
        change("alice", "wrong", "alice2"),
        change("alice", "alice", "xx"),
        change("alice", "alice", "alice"),
        change("alice", "alice", "alice2"),
        ask("POST", f"users/{NOTHING}/password", {"user": {"original_password": "a", "password": "alice3"}}, None),
        change("bob", "bob", "bob2"),
        # Methods other than `password`.
        attempt(methods=["application_credential"], application_credential={"name": "x", "secret": "y", "user": {"name": "ghost", **default}}, who=None),
        attempt(methods=["application_credential"], application_credential={"id": NOTHING, "secret": "y"}, who=None),
        ask("POST", "auth/tokens", wire.rescope("{token:unscoped}"), None),
    ]


REPORTED = {"report_invalid_password_hash": "event", "invalid_password_hash_secret_key": "Pfeffer ☃"}


@announced(security_compliance={**RULES, **REPORTED, "invalid_password_hash_max_chars": 5})
def announced_wrong_passwords():
    return [
        guess({"id": "{bob}"}, "Grüße", headers=HEADERS),
        guess({"name": "alice", "domain": {"id": "default"}}, "Grüße"),
        guess({"name": "ghost", "domain": {"id": "default"}}),
        guess({"id": "{bob}"}, ""),
        # Locked by then.
        guess({"id": "{bob}"}),
        guess({"id": "{alice}"}, "alice"),
        change("alice", "wrong", "alice2"),
        post("user", "mute", name="mute", domain_id="default"),
        guess({"id": "{mute}"}),
        ask("PATCH", "users/{frank}", {"user": {"enabled": False}}),
        guess({"id": "{frank}"}, "frank"),
    ]


@announced(security_compliance={**REPORTED, "invalid_password_hash_function": "sha384"})
def announced_whole_hashes():
    return [guess({"id": "{bob}"}), guess({"id": "{bob}"}, "x" * 72)]


@announced(auth={"methods": "password,token,totp"})
def announced_passcodes():
    users = ({"id": "{bob}"}, {"name": "ghost", "domain": {"id": "default"}}, {"id": NOTHING})
    return [attempt(methods=["totp"], totp={"user": {**user, "passcode": "000000"}}, who=None) for user in users]


@announced(opt_out=None)
def announced_by_default():
    return [
        guess({"id": "{bob}"}, "bob"),
        guess({"id": "{bob}"}),
        post("user", "jo", name="jo", domain_id="default", password="jo", options={"ignore_password_expiry": False}),
        ask("PUT", "groups/{staff}/users/{jo}"),
    ]


@announced(opt_out="identity.user.created", security_compliance={"password_expires_days": 1})
def announced_expiry():
    return [
        post("user", "old", name="old", domain_id="default", password="old"),
        guess({"id": "{old}"}, "old"),
    ]


@announced
def announced_federation():
    projects = federated.rules(
        federated.NAMED,
        {"groups": "{1}", "domain": {"id": "default"}},
        {"projects": [{"name": "lab", "roles": [{"name": "reader"}]}]},
    )
    return [
        *federated.begin(),
        federated.enter(save={"ann": "token/user/id"}, token="ann"),
        federated.enter(headers=HEADERS),
        federated.enter(None),
        federated.enter(path=federated.at(provider="nowhere")),
        federated.by_method(scope=federated.DEMO),
        federated.rescope("ann", federated.DEMO),
        federated.rescope("ann", federated.DEMO, "mapped"),
        *federated.begin(projects),
        federated.enter("eve", save={"eve": "token/user/id"}),
        *federated.begin(federated.rules({"user": {"name": "{0}", "type": "local", "domain": {"id": "default"}}}, remote=("NAME",))),
        federated.enter("bob"),
        federated.enter("nobody"),
        ask("PUT", "OS-FEDERATION/identity_providers/made", {"identity_provider": {"enabled": True}}),
        ask("PATCH", "OS-FEDERATION/identity_providers/made", {"identity_provider": {"description": "x"}}),
        *remove("OS-FEDERATION/identity_providers/made"),
    ]
