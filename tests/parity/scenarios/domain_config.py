"""Domain configuration."""

from .cast import CALLERS, NOTHING, ask, delete, get, head, scenario

URL = {"config": {"url": "ldap://x"}}
WHOLE = {"config": {"ldap": {"url": "ldap://x", "password": "s3cret", "page_size": 0}, "identity": {"driver": "ldap"}}}


@scenario
def domain_config():
    one, none = "domains/{acme}/config", f"domains/{NOTHING}/config"
    parts = ("", "/ldap", "/ldap/url", "/ldap/password", "/ldap/page_size", "/identity", "/identity/list_limit", "/token")
    parts += ("/ldap/unknown", "/token/provider", "/security_compliance", "/security_compliance/password_regex")
    parts += ("/security_compliance/password_regex_description", "/security_compliance/lockout_duration")
    bodies = ({}, {"config": {}}, {"config": None}, {"config": {"ldap": {}}}, {"config": {"ldap": "url"}}, {"other": 1})
    bodies += ({"config": {"ldap": None}}, {"config": {"token": {"provider": "x"}}}, {"config": {"ldap": {"unknown": 1}}})
    bodies += ({"config": {"security_compliance": {"password_regex": "x"}}}, {"config": {"ldap": {"password": "s"}}})
    bodies += ({"config": {"ldap": {"url": "http://%(password)s", "user": "%(nothing)s", "suffix": "%s"}}}, WHOLE)
    bodies += ({"config": {"ldap": {"use_tls": True, "page_size": 5, "user_attribute_ignore": ["a"], "user": None}}},)
    patches = [("", body) for body in bodies]
    patches += [("/ldap", body) for body in (*bodies, {"config": {"identity": {"driver": "sql"}}})]
    patches += [("/ldap/url", body) for body in ({}, URL, {"config": {}}, {"config": {"user": "x"}}, {"config": {"url": "a", "user": "b"}})]
    patches += [("/ldap/password", {"config": {"password": "x"}}), ("/ldap/tls_cacertfile", {"config": {"tls_cacertfile": "x"}})]
    patches += [("/identity", {"config": {"identity": {"driver": "sql"}}}), ("/ldap/unknown", {"config": {"unknown": 1}})]
    patches += [("/token", {"config": {"token": {"a": 1}}}), ("/ldap/url", {"config": {"ldap": {"url": "x"}}})]
    return [
        *get(*(f"{one}{part}" for part in parts), *(f"{none}{part}" for part in parts)),
        *get(*(f"domains/default/config{part}" for part in parts)),
        *(ask("PATCH", f"{one}{part}", body) for part, body in patches),
        *delete(*(f"{one}{part}" for part in parts)),
        *(step for body in bodies for step in (ask("PUT", one, body), *get(one), *delete(one))),
        *(ask("PUT", one, body) for body in (WHOLE, WHOLE, {"config": {"ldap": {"password": "only"}}})),
        *get(*(f"{one}{part}" for part in parts)),
        ask("PUT", one, WHOLE),
        *head(*(f"{one}{part}" for part in parts[:5])),
        *get(*(f"{one}{part}" for part in parts)),
        *(step for part, body in patches for step in (ask("PATCH", f"{one}{part}", body), *get(one))),
        *(step for part in parts for step in (ask("PUT", one, WHOLE), *delete(f"{one}{part}"), *get(one))),
        *(ask("PUT", f"{one}{part}", WHOLE) for part in ("/ldap", "/ldap/url")),
        ask("PUT", none, WHOLE),
        ask("PATCH", none, WHOLE),
        *delete(none),
        *(
            step
            for who in CALLERS
            for step in (
                ask("PUT", one, WHOLE, who),
                *get(one, f"{one}/ldap/url", none, "domains/default/config/security_compliance", who=who),
                ask("PATCH", f"{one}/ldap/url", URL, who),
                *get("domains/config/default", "domains/config/ldap/default", "domains/config/ldap/url/default", who=who),
                *delete(f"{one}/ldap/url", one, none, who=who),
            )
        ),
    ]


@scenario(
    config={
        "identity": {"list_limit": 7},
        "ldap": {"url": "ldap://here", "user": "me", "password": "s3cret", "use_tls": True, "page_size": 3, "user_attribute_ignore": "a,b"},
        "security_compliance": {"password_regex": "^.*$$", "password_regex_description": "Any"},
    }
)
def domain_config_defaults():
    groups = ("ldap", "identity", "token", "security_compliance", "config")
    options = ("ldap/url", "ldap/password", "ldap/unknown", "identity/list_limit", "identity/driver", "token/provider", "ldap/use_tls")
    return [
        *get("domains/config/default", *(f"domains/config/{name}/default" for name in (*groups, *options))),
        *head("domains/config/default", "domains/config/ldap/default", "domains/config/ldap/url/default"),
        *get("domains/default/config/security_compliance", "domains/default/config/security_compliance/password_regex"),
        *get("domains/default/config/security_compliance/password_regex_description", "domains/config", "domains/config/config"),
        *head("domains/default/config/security_compliance", who="member"),
        *(ask(method, "domains/config/default", WHOLE) for method in ("PUT", "PATCH", "DELETE")),
    ]
