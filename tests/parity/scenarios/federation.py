"""OS-FEDERATION: identity providers with their protocols, mappings, service providers, and users with accounts elsewhere."""

from harness import wire

from .cast import CALLERS, NOTHING, ask, delete, get, head, post, scenario
from .users import federated

BELOW = "OS-FEDERATION"
IDPS, MAPPINGS, SPS = f"{BELOW}/identity_providers", f"{BELOW}/mappings", f"{BELOW}/service_providers"
RULES = [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "NAME"}]}]
URLS = {"auth_url": "https://beta/v3/auth", "sp_url": "https://beta/sp"}


def idp(name, /, **fields):
    return ask("PUT", f"{IDPS}/{name}", {"identity_provider": fields})


def protocol(provider, name, mapping, /, **fields):
    return ask("PUT", f"{IDPS}/{provider}/protocols/{name}", {"protocol": {"mapping_id": mapping, **fields}})


def rules(name, rules=RULES, /, **fields):
    return ask("PUT", f"{MAPPINGS}/{name}", {"mapping": {"rules": rules, **fields}})


def sp(name, /, **fields):
    return ask("PUT", f"{SPS}/{name}", {"service_provider": {**URLS, **fields}})


def changed(path, kind, *bodies, who="admin"):
    return [step for body in bodies for step in (ask("PATCH", path, {kind: body}, who), ask("GET", path))]


def by_everybody(*steps):
    """The steps by every caller but the administrator."""
    return [{**step, "as": who} for who in CALLERS[1:] for step in steps]


def looked_at(*paths):
    return [step for who in CALLERS for step in (*get(*paths, who=who), *head(*paths, who=who))]


@scenario
def identity_providers():
    one, none = f"{IDPS}/one", f"{IDPS}/none"
    fine = ({"description": None}, {"remote_ids": None}, {"remote_ids": []}, {"authorization_ttl": None}, {"authorization_ttl": 0}, {"enabled": False})
    fine += ({"remote_ids": ["new", "é", "https://idp.example.com/x?y=z"]}, {"description": "", "authorization_ttl": 90}, {"remote_ids": ["r1"], "enabled": True})
    wrong = ({}, {"id": "one"}, {"name": "x"}, {"links": {}}, {"description": 5}, {"remote_ids": "x"}, {"remote_ids": [5]}, {"remote_ids": ["a", "a"]})
    wrong += ({"authorization_ttl": -1}, {"authorization_ttl": "5"}, {"authorization_ttl": 1.5}, {"enabled": "maybe"}, {"enabled": 5}, {"remote-ids": ["x"]})
    raw = ({"identity_provider": None}, {"identity_provider": []}, {"other": {}}, {"identity_provider": {"enabled": True}, "more": 1}, [])
    queries = ("?id=one", "?id=One", "?id=none", "?enabled=true", "?enabled=false", "?enabled=0", "?enabled=maybe", "?enabled=", "?id__contains=o")
    queries += ("?id__contains=O", "?id__icontains=O", "?description=x", "?domain_id=default", "?id=one&enabled=true")
    return [
        idp("one", domain_id="default", enabled=True, description="First", remote_ids=["r2", "r1"], authorization_ttl=5),
        idp("two", domain_id="default"),
        *looked_at(IDPS, one, none, f"{IDPS}?enabled=true"),
        *by_everybody(
            *(idp("by", domain_id="default"), idp("one"), idp("by", domain_id=NOTHING), idp("by", name="x")),
            *(ask("PATCH", path, {"identity_provider": {"enabled": False}}) for path in (one, none)),
            *delete(one, none),
        ),
        *get(*(f"{IDPS}{query}" for query in queries)),
        *(ask("GET", f"{IDPS}?limit=1", count=True),),
        # Both ids of a provider are its own: its name, and each by which assertions name it.
        *(idp("one"), idp("one", domain_id="default"), idp("ONE", domain_id="default"), idp("three", domain_id="default", remote_ids=["r1"])),
        *(idp("three", domain_id="default", remote_ids=["R1"]), *changed(f"{IDPS}/two", "identity_provider", {"remote_ids": ["x", "r2"]})),
        *(idp("three", **{**fields, "domain_id": "default"}) for fields in wrong[1:]),
        *(ask("PUT", f"{IDPS}/three", body) for body in (*raw, None)),
        *(idp("x" * 65, domain_id="default"), idp("x" * 64, domain_id="default")),
        *(ask("PATCH", path, body) for path in (one, none) for body in (*raw, None)),
        *changed(one, "identity_provider", *fine, *wrong, {"domain_id": "{acme}"}),
        *changed(f"{IDPS}/ONE", "identity_provider", {"description": "by another spelling"}),
        *(ask("PATCH", none, {"identity_provider": fields}) for fields in (fine[0], wrong[4])),
        *(ask(method, path) for method in ("POST", "OPTIONS") for path in (IDPS, one)),
        *get(IDPS),
        *delete(one, one, none),
        *get(one, IDPS),
    ]


@scenario
def identity_provider_domains():
    """Each has one, which is made for it where it names none."""
    return [
        ask("PUT", f"{IDPS}/auto", {"identity_provider": {}}, save={"made": "identity_provider/domain_id"}),
        ask("PUT", f"{IDPS}/bare", save={"other": "identity_provider/domain_id"}),
        *get(f"{IDPS}/auto", "domains/{made}"),
        *(idp("empty", domain_id=None), idp("empty", domain_id=""), idp("empty", domain_id=5)),
        *(idp("lost", domain_id=NOTHING), idp("lost", domain_id="{demo}"), idp("lost", domain_id="x" * 65)),
        *(idp("here", domain_id="{acme}"), idp("closed", domain_id="{off}", enabled=True)),
        # The domain that was made goes again.
        *(idp("auto"), ask("GET", "domains", count=True)),
        idp("taken", remote_ids=["r"]),
        *(idp("late", remote_ids=["r"]), ask("GET", "domains", count=True)),
        # What is made for a provider stays.
        *delete(f"{IDPS}/auto"),
        *get("domains/{made}"),
        ask("PATCH", "domains/{made}", {"domain": {"enabled": False}}),
        *delete("domains/{made}"),
        # The providers of a domain go with it.
        ask("PATCH", "domains/{other}", {"domain": {"enabled": False}}),
        *delete("domains/{other}"),
        *get(f"{IDPS}/bare", IDPS),
    ]


@scenario
def federation_protocols():
    below = f"{IDPS}/one/protocols"
    saml, none = f"{below}/saml2", f"{below}/none"
    elsewhere = (f"{IDPS}/none/protocols", f"{IDPS}/none/protocols/saml2")
    wrong = ({}, {"mapping_id": "none"}, {"mapping_id": None}, {"mapping_id": ""}, {"mapping_id": 5}, {"mapping_id": "x" * 65})
    wrong += ({"remote_id_attribute": "A"}, {"mapping_id": "m", "remote_id_attribute": 5}, {"mapping_id": "m", "remote_id_attribute": "x" * 65})
    wrong += ({"mapping_id": "m", "id": "x"}, {"mapping-id": "m"})
    raw = ({"protocol": None}, {"protocol": []}, {"other": {}}, {"protocol": {"mapping_id": "m"}, "more": 1}, [])
    fine = ({"mapping_id": "n"}, {"mapping_id": "m", "remote_id_attribute": "HTTP_OIDC_ISS"}, {"mapping_id": "m", "remote_id_attribute": ""})
    return [
        *(rules("m"), rules("n")),
        *(idp("one", domain_id="default"), idp("two", domain_id="default")),
        *(protocol("one", "saml2", "m", remote_id_attribute="Shib-Identity-Provider"), protocol("two", "saml2", "n"), protocol("one", "openid", "m")),
        *looked_at(below, saml, none, *elsewhere),
        *by_everybody(
            *(protocol("one", "by", "m"), protocol("one", "by", "none"), protocol("none", "by", "m"), protocol("one", "saml2", "m")),
            *(ask("PATCH", path, {"protocol": {"mapping_id": "n"}}) for path in (saml, none, elsewhere[1])),
            *delete(saml, none, elsewhere[1]),
        ),
        *(protocol("one", "saml2", "n"), protocol("one", "SAML2", "n"), protocol("none", "saml2", "m"), protocol("none", "saml2", "none")),
        *(protocol("one", name, "m") for name in ("x" * 64, "x" * 65)),
        *(protocol("one", "null", "m", remote_id_attribute=None),),
        *(ask("PUT", f"{below}/new", {"protocol": body}) for body in wrong),
        *(ask("PUT", f"{below}/new", body) for body in (*raw, None)),
        *(ask("PATCH", path, {"protocol": body}) for path in (saml, none) for body in wrong),
        *(ask("PATCH", saml, body) for body in (*raw, None, {"protocol": {"mapping_id": "m", "remote_id_attribute": None}})),
        *(step for body in fine for step in (ask("PATCH", saml, {"protocol": body}), *get(saml, below))),
        *(ask("PATCH", path, {"protocol": fine[0]}) for path in (none, elsewhere[1])),
        *(ask(method, path) for method in ("POST", "OPTIONS") for path in (below, saml)),
        # A mapping may go although it is in use.
        *delete(f"{MAPPINGS}/m"),
        *get(f"{below}/openid"),
        *delete(saml, saml, none, elsewhere[1]),
        *get(below, f"{IDPS}/two/protocols"),
        *delete(f"{IDPS}/one"),
        *get(below, f"{below}/openid", f"{IDPS}/two/protocols"),
    ]


@scenario
def mappings():
    one, none = f"{MAPPINGS}/one", f"{MAPPINGS}/none"
    remote = [{"type": "a", "any_one_of": ["x"], "regex": True}, {"type": "b", "blacklist": []}, {"type": "é", "whitelist": [5, None]}]
    local = [{"group": {"id": "g"}}, {"groups": "{0}", "domain": {"name": "d"}}, {"user": {"type": "local", "id": "{1}"}}, {"group_ids": "{0}"}]
    wrong = ([], None, {}, "x", [5], [{}], [{"local": [], "remote": []}], [{"local": {}, "remote": [{"type": "a"}]}], [{**RULES[0], "x": 1}])
    wrong += ([{"local": [{"usr": {}}, {"groups": 5}], "remote": [{"foo": 1}], "x": 1}], [{"local": [], "remote": [{"type": "a", "any_one_of": ["x"], "whitelist": []}]}])
    wrong += ([{"local": [{"group": {}}], "remote": [{"type": 5}]}], [{"local": [{"user": {"type": "x"}}], "remote": [{"type": "a"}]}])
    projects = [{"local": [{"projects": [{"name": "p", "roles": [{"name": "r"}], "domain": {"id": "d"}}]}], "remote": [{"type": "a"}]}]
    in_json = [{"local": [{"projects_json": "{0}"}], "remote": [{"type": "a"}]}]
    # Nobody handles these.
    unknown = ("9", "1", "2", 1.0, 2)
    raw = ({"mapping": {}}, {"other": {}}, {"mapping": {"rules": RULES}, "more": 1}, None)
    return [
        rules("one"),
        rules("two", [{"local": local, "remote": remote}], schema_version="2.0", name="dropped", links={"self": "x"}),
        *looked_at(MAPPINGS, one, f"{MAPPINGS}/two", none),
        *by_everybody(
            *(rules("by"), rules("by", []), rules("one"), *(ask("PATCH", path, {"mapping": {"rules": RULES}}) for path in (one, none))),
            *(ask("PATCH", path, {"mapping": {}}) for path in (one, none)),
            *delete(one, none),
        ),
        *(rules("one"), rules("ONE"), rules("x" * 64), rules("x" * 65)),
        *(rules("new", faulty) for faulty in wrong),
        *(ask("PATCH", path, {"mapping": {"rules": faulty}}) for path in (one, none) for faulty in wrong),
        *(rules(f"v{version}", some, schema_version=version) for version in ("1.0", "2.0", "3.0") for some in (RULES, projects, in_json)),
        *(rules("new", schema_version=version) for version in unknown),
        *(ask("PATCH", one, {"mapping": {"rules": RULES, "schema_version": version}}) for version in unknown),
        *(rules(f"default{number}", schema_version=version) for number, version in enumerate(("", None, 0, [], False))),
        *(rules("renamed", **{"schema-version": "2.0"}), rules("doubled", **{"schema:version": "3.0"})),
        *(ask("PUT", f"{MAPPINGS}/new", body) for body in raw),
        *(ask("PATCH", one, body) for body in raw),
        *changed(one, "mapping", {"rules": [{"local": local, "remote": remote}], "schema_version": "3.0"}, {"rules": RULES, "id": "other", "x": 1}),
        *changed(f"{MAPPINGS}/two", "mapping", {"rules": projects, "schema_version": "2.0"}, {"rules": RULES}, {"schema_version": "2.0"}),
        ask("PATCH", none, {"mapping": {"rules": RULES}}),
        *(ask(method, path, body, who) for who in ("admin", None) for method in ("PUT", "PATCH", "DELETE") for path in (MAPPINGS,) for body in (None, {"mapping": {"rules": RULES}})),
        *(ask(method, path) for method in ("POST", "OPTIONS") for path in (MAPPINGS, one)),
        *get(MAPPINGS, f"{MAPPINGS}?schema_version=1.0", f"{MAPPINGS}?id=one"),
        *delete(one, one, none),
        *get(one),
    ]


@scenario(config={"federation": {"attribute_mapping_default_schema_version": "2.0"}})
def mappings_of_another_version():
    projects = [{"local": [{"projects": [{"name": "p", "roles": [{"name": "r"}], "domain": {"id": "d"}}]}], "remote": [{"type": "a"}]}]
    return [
        *(rules("one", projects), rules("old", projects, schema_version="1.0"), rules("old", schema_version="1.0")),
        *changed(f"{MAPPINGS}/old", "mapping", {"rules": projects}),
    ]


@scenario
def service_providers():
    one, none = f"{SPS}/one", f"{SPS}/none"
    fine = ({"description": None}, {"description": "x"}, {"enabled": False}, {"enabled": True}, {"relay_state_prefix": ""}, {"relay_state_prefix": "https://x"})
    fine += ({"sp_url": "http://other"}, {"auth_url": "urn:x"})
    wrong = ({"id": "x"}, {"name": "x"}, {"auth_url": "x"}, {"auth_url": ""}, {"auth_url": None}, {"sp_url": 5}, {"sp_url": "http://" + "x" * 219})
    wrong += ({"description": 5}, {"relay_state_prefix": 5}, {"relay_state_prefix": "x" * 257}, {"enabled": "maybe"}, {"enabled": 5}, {"auth-uri": "http://x"})
    raw = ({"service_provider": None}, {"service_provider": []}, {"other": {}}, {"service_provider": URLS, "more": 1}, [], {"service_provider": {}})
    raw += ({"service_provider": {"auth_url": "http://a"}}, {"service_provider": {"sp_url": "http://a"}})
    queries = ("?id=one", "?id=none", "?enabled=true", "?enabled=false", "?enabled=maybe", "?id__contains=o", "?id__icontains=O", "?sp_url=x")
    return [
        sp("one", enabled=True, description="First", relay_state_prefix="x:"),
        sp("two"),
        *looked_at(SPS, one, none, f"{SPS}?enabled=false"),
        *by_everybody(
            *(sp("by"), sp("one"), sp("by", id="x"), *(ask("PATCH", path, {"service_provider": {"enabled": False}}) for path in (one, none))),
            *delete(one, none),
        ),
        *get(*(f"{SPS}{query}" for query in queries)),
        ask("GET", f"{SPS}?limit=1", count=True),
        *(sp("one"), sp("ONE"), sp("x" * 64), sp("x" * 65)),
        *(sp("new", **fields) for fields in wrong),
        *(ask("PUT", f"{SPS}/new", body) for body in (*raw, None)),
        *(ask("PATCH", path, body) for path in (one, none) for body in (*raw[:6], None)),
        *changed(one, "service_provider", *fine, *wrong),
        *(ask("PATCH", none, {"service_provider": fields}) for fields in (fine[0], wrong[0])),
        *(ask(method, path) for method in ("POST", "OPTIONS") for path in (SPS, one)),
        *get(SPS),
        *delete(one, one, none),
        *get(one, SPS),
    ]


@scenario(config={"saml": {"relay_state_prefix": "https://sp.example.com/"}})
def service_providers_prefixed():
    return [sp("one"), sp("two", relay_state_prefix="own:"), *get(SPS)]


@scenario
def service_providers_in_tokens():
    """Every token names those that are enabled."""
    known = {"methods": ["password"], "password": {"user": {"id": "{alice}", "password": "alice"}}}
    logins = [wire.auth(known, scope) for scope in ({"project": {"id": "{demo}"}}, "unscoped")]
    of_carol = {"methods": ["password"], "password": {"user": {"id": "{carol}", "password": "carol"}}}
    logins.append(wire.auth(of_carol, {"domain": {"id": "{acme}"}}))
    logins.append(wire.auth({"methods": ["password"], "password": {"user": {"id": "{frank}", "password": "frank"}}}, {"system": {"all": True}}))

    def asked():
        subjects = [{"X-Subject-Token": f"{{token:{who}}}"} for who in ("member", "unscoped", "domain admin", "system reader")]
        return [
            *(ask("POST", f"auth/tokens{query}", login, None) for login in logins for query in ("", "?nocatalog")),
            *(ask("GET", f"auth/tokens{query}", headers=subject) for subject in subjects for query in ("", "?nocatalog")),
        ]

    return [
        *asked(),
        sp("off"),
        *asked(),
        *(sp("beta", enabled=True, description="not told"), sp("alpha", enabled=True)),
        *asked(),
        ask("PATCH", f"{SPS}/beta", {"service_provider": {"enabled": False}}),
        *delete(f"{SPS}/off"),
        *asked(),
        *delete(f"{SPS}/alpha"),
        *asked(),
    ]


@scenario
def federated_accounts():
    """Users with accounts at identity providers, and what is left of them without."""
    accounts = federated(("one", [("saml2", "a@x"), ("openid", "a")]), ("two", [("saml2", "a@x")]))
    queries = ("idp_id=one", "idp_id=two", "protocol_id=saml2", "unique_id=a", "unique_id=A", "unique_id=a%40x", "idp_id=one&protocol_id=saml2&unique_id=a")
    queries += ("idp_id=one&unique_id=a&name=ann", "idp_id=two&protocol_id=openid", "idp_id=none", "idp_id=one&enabled=false", "idp_id=one&domain_id=default")
    wrong = (federated(("none", [("saml2", "u")])), federated(("one", [("none", "u")])), federated(("one", [("saml2", "a@x")])), federated(("one", [("openid", "A")])))
    replaced = federated(("two", [("openid", "b")]))

    def seen():
        return get("users/{ann}", *(f"users?{query}" for query in queries))

    return [
        *(rules("m"), idp("one", domain_id="default"), idp("two", domain_id="default")),
        *(protocol(provider, name, "m") for provider in ("one", "two") for name in ("saml2", "openid")),
        post("user", "ann", name="ann", domain_id="default", federated=accounts),
        *seen(),
        *(ask("GET", f"users?{query}", who=who) for who in CALLERS[1:] for query in queries[:2]),
        *(ask("POST", "users", {"user": {"name": f"w{number}", "domain_id": "default", "federated": links}}) for number, links in enumerate(wrong)),
        ask("PATCH", "users/{ann}", {"user": {"federated": []}}),
        *get("users/{ann}"),
        *(ask("PATCH", "users/{ann}", {"user": {"federated": links}}) for links in wrong[:2]),
        ask("PATCH", "users/{ann}", {"user": {"federated": replaced}}),
        *seen(),
        # A local user stays, without the accounts.
        *delete(f"{IDPS}/two/protocols/openid"),
        *seen(),
        ask("PATCH", "users/{ann}", {"user": {"federated": federated(("one", [("saml2", "c")]))}}),
        *delete(f"{IDPS}/one"),
        *seen(),
    ]


@scenario
def federation_scopes():
    paths = (f"{BELOW}/projects", f"{BELOW}/domains")
    return [
        *looked_at(*paths),
        *get(*(f"{path}?name=demo" for path in paths)),
        *(ask(method, path) for method in ("OPTIONS", "POST", "PUT") for path in paths),
    ]


@scenario(questions=True)
def targets_of_federation():
    below = f"{IDPS}/one/protocols"
    return [
        sp("one", enabled=True),
        *get(SPS, f"{SPS}?id=one&enabled=true&sp_url=x", f"{SPS}/one", f"{SPS}/none"),
        ask("PATCH", f"{SPS}/one", {"service_provider": {"description": "x"}}),
        rules("m"),
        *get(MAPPINGS, f"{MAPPINGS}/m", f"{MAPPINGS}/none"),
        ask("PATCH", f"{MAPPINGS}/m", {"mapping": {"rules": RULES}}),
        idp("one", domain_id="default"),
        *get(IDPS, f"{IDPS}?id=one&enabled=true&domain_id=x", f"{IDPS}/one", f"{IDPS}/none"),
        ask("PATCH", f"{IDPS}/one", {"identity_provider": {"enabled": True}}),
        protocol("one", "saml2", "m"),
        *get(below, f"{below}/saml2", f"{below}/none"),
        ask("PATCH", f"{below}/saml2", {"protocol": {"mapping_id": "m"}}),
        *get(f"{BELOW}/projects", f"{BELOW}/domains"),
        *delete(f"{below}/saml2", f"{IDPS}/one", f"{MAPPINGS}/m", f"{SPS}/one"),
    ]
