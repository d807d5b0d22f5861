"""Writes cases.json: what oslo.config reads from sample files, with an installed reference's options.

Each case has files (oldest first), an environment, and the options to look at; the answer is the
value of each, or null with "error" set where oslo.config refuses to give one.
"""

import contextlib
import json
import os
import pathlib
import tempfile

import registry
from oslo_config import cfg

CONF = cfg.ConfigOpts()
for group, option in registry.options():
    option.required = False
    CONF.register_opt(option, None if group == "DEFAULT" else group)


def single(name, group, option, *values):
    """One case for each value of an option."""
    for value in values:
        yield f"{name}: {value!r}", [f"[{group}]\n{option} ={value}\n"], {}, [(group, option)]


def cases():
    yield from single("bool", "DEFAULT", "debug", " true", "TRUE", "1", "on", "Yes", " false", "0", "off", "NO", "", "maybe", "2", "t", '" true"')
    yield from single("int", "token", "expiration", " 60", "+60", "-1", "1_000", "007", "", "  ", "1.5", "0x10", "sixty", "1__0", "_1", '"7"', "1e3")
    yield from single("minimum", "fernet_tokens", "max_active_keys", "0", "1", "-5", "")
    yield from single("range", "database", "connection_debug", "-1", "0", "100", "101")
    yield from single("float", "oslo_policy", "remote_timeout", "1", "1.5", ".5", "5.", "1e3", "-1", "", "x", "1_0.5")
    yield from single("choice", "identity", "password_hash_algorithm", "bcrypt", "Bcrypt", "md5", "")
    yield from single("choice in any case", "DEFAULT", "log_rotation_type", "SIZE", "size", "sizes")
    yield from single("list", "auth", "methods", "a,b", " a , b ", "a,b,", "a,,b", ",a", ",", "", " , ", "a, ,", "a\n  ,b\n  ,c", '"a,b"', "'a','b'")
    yield from single("list of choices", "security_compliance", "report_invalid_password_hash", "event", "event,event", "x", "event,x", "")
    yield from single("dict", "profiler_jaeger", "process_tags", "a:b", "a:b,c:d", " a : b , c:d:e ", "a:b,c", "a", "", ":b", "a:b,a:c", "a:b,")
    yield from single(
        "dict of lists", "domain_config", "additional_whitelisted_options",
        "ldap:[a,b]", "ldap: [a, b], identity: [c]", "ldap:[]", "ldap:[ ]", "ldap:a,b", "ldap:[a,b", "ldap:[a],ldap:[b]", "", "ldap:[a,b,]",
    )
    yield from single(
        "uri", "DEFAULT", "public_endpoint",
        "http://h:5000/v3", "http://h", "h:5000", "http:", "http:///x", "//h/x", "urn:x", "http://h:x/", "http://h:/", "http://[::1]:5000/",
        "http://[::1", "http://[zz]/", "http://u:p@h/", "http://h/a b", "http://h/%41", "http://h/%4", "http://h?q=1", "http://a_b/", "1http://h/", "", "http://$$h/", "ftp://h",
        "http://h#f", "http://256.1.1.1/", "http://u@v@h/",
    )
    yield from single("uri with schemes", "oslo_middleware_tracing", "otlp_endpoint", "http://h", "HTTPS://h", "ftp://h")
    yield from single("long uri", "saml", "idp_entity_id", "http://h/" + "a" * 1015, "http://h/" + "a" * 1016)
    yield from single(
        "text", "token", "provider",
        " x ", '"x"', "'x'", '"x', "x\"", '"', '""', "'a' 'b'", '" x "', "a=b", "a:b", "a # b", "a\n b\n\tc", "a\n  # b", '"a\n b"', "", "\n a",
        "é", "a  b",
    )
    provider = [("token", "provider")]
    for value in (
        "$expiration", "${expiration}s", "$allow_rescope_scoped_token", "$log_dir", "$debug", "${auth.methods}", "$auth.methods", "$$x", r"\$x", "$$$expiration",
        "$(expiration)s", "$", "a$", "${", "${}", "${expiration", "$1", "$nothing", "${nothing.at_all}", "${auth.nothing}", "$auth", "$provider", "%(user)s",
        "$log_file", "${log_file}x", "${cache.backend}", "${token.revocation_cache_time}", "${revoke.cache_time}", "$sso.x", "$oslo_policy.remote_timeout",
        "$expiration$expiration", "${expiration}0", "$Expiration", "${ expiration }",
    ):
        text = f"[DEFAULT]\ndebug = yes\nlog_dir = /l\nexpiration = 1\n[auth]\nmethods = a,b\n[token]\nexpiration = 60\nprovider = {value}\n"
        yield f"reference: {value!r}", [text], {}, provider
    yield "a chain of references", ["[token]\nprovider = $expiration\nexpiration = $cache_time\ncache_time = 5\n"], {}, provider + [("token", "expiration")]
    yield "a reference to a list with quotes", ["[auth]\nmethods = it's,b\\c\n[token]\nprovider = ${auth.methods}\n"], {}, provider
    yield "a reference to a large number", ["[oslo_policy]\nremote_timeout = 1e16\n[token]\nprovider = ${oslo_policy.remote_timeout}\n"], {}, provider
    yield "a reference in a list", ["[DEFAULT]\nlog_dir = x,y\n[auth]\nmethods = a,$log_dir\n"], {}, [("auth", "methods")]
    yield "a circle", ["[token]\nprovider = $cache_time\ncache_time = $provider\n"], {}, provider

    for name, text in {
        "colon": "[token]\nprovider: x\n",
        "colon before equals": "[token]\nprovider: a=b\n",
        "equals before colon": "[token]\nprovider = a:b\n",
        "no spaces": "[token]\nprovider=x",
        "dos lines": "[token]\r\nprovider = x\r\n  y\r\n",
        "comment ends a value": "[token]\nprovider = x\n# c\nexpiration = 5\n",
        "semicolon comment": "[token]\n; provider = y\nprovider = x\n",
        "blank ends a value": "[token]\nprovider = x\n   \nexpiration = 5\n",
        "continued after a comment": "[token]\nprovider = x\n# c\n y\n",
        "continued after a blank": "[token]\nprovider = x\n\n y\n",
        "continued after a header": "[token]\n y\n",
        "same option twice": "[token]\nprovider = x\nprovider = y\n",
        "same group twice": "[token]\nprovider = x\n[auth]\n[token]\nprovider = y\n",
        "group in capitals": "[TOKEN]\nprovider = x\n",
        "both cases": "[Token]\nprovider = x\n[token]\nprovider = y\n[TOKEN]\nprovider = z\n",
        "option in capitals": "[token]\nPROVIDER = x\n",
        "spaces in the header": "[ token ]\nprovider = x\n",
        "space after the header": "[token]  \nprovider = x\n",
        "comment after the header": "[token] # c\nprovider = x\n",
        "header without end": "[token\nprovider = x\n",
        "header without name": "[]\nprovider = x\n",
        "no header": "provider = x\n",
        "no assignment": "[token]\nprovider\n",
        "no name": "[token]\n= x\n",
        "header inside a value": "[token]\nprovider = x\n [auth]\n",
        "no value at all": "[token]\nprovider =\nexpiration = 5\n",
    }.items():
        yield f"syntax: {name}", [text], {}, provider + [("token", "expiration")]

    debug = [("DEFAULT", "debug")]
    yield "default in small letters", ["[default]\ndebug = true\n"], {}, debug
    yield "hyphen in a name", ["[DEFAULT]\nlog-dir = /x\n"], {}, [("DEFAULT", "log_dir")]
    yield "later file wins", ["[token]\nprovider = x\nexpiration = 1\n", "[token]\nprovider = y\n"], {}, provider + [("token", "expiration")]
    driver = [("oslo_messaging_notifications", "driver")]
    yield "multi in one file", ["[oslo_messaging_notifications]\ndriver = a\ndriver = b,c\n"], {}, driver
    yield "multi in two files", ["[oslo_messaging_notifications]\ndriver = a\ndriver = b\n", "[oslo_messaging_notifications]\ndriver = c\n"], {}, driver
    yield "multi empty", ["[oslo_messaging_notifications]\ndriver =\n"], {}, driver
    yield "multi with references", ["[DEFAULT]\nlog_dir = l\n[oslo_messaging_notifications]\ndriver = $log_dir\ndriver = $$x\n"], {}, driver

    caching = [("resource", "caching"), ("resource", "list_limit"), ("revoke", "cache_time")]
    yield "former names", ["[assignment]\ncaching = false\nlist_limit = 7\n[token]\nrevocation_cache_time = 9\n"], {}, caching
    yield "former and present name", ["[assignment]\nlist_limit = 7\n[resource]\nlist_limit = 8\n"], {}, caching
    yield "former name in a later file", ["[resource]\nlist_limit = 8\n", "[assignment]\nlist_limit = 7\n"], {}, caching
    yield "two former names", ["[cache]\nredis_username = r\nmemcache_username = m\n"], {}, [("cache", "username")]
    yield "former name with a hyphen", ["[DEFAULT]\nlog-config = /x\n"], {}, [("DEFAULT", "log_config_append")]

    env = {"OS_TOKEN__PROVIDER": "e", "OS_DEFAULT__DEBUG": "yes"}
    yield "environment over a file", ["[token]\nprovider = x\n"], env, provider + debug
    yield "environment alone", [""], env, provider + debug
    yield "environment with a reference", ["[token]\nexpiration = 5\n"], {"OS_TOKEN__PROVIDER": "$expiration"}, provider
    yield "environment is not stripped", [""], {"OS_DEFAULT__DEBUG": " yes"}, debug
    yield "environment keeps quotes", [""], {"OS_TOKEN__PROVIDER": "'e'"}, provider
    yield "environment empty", ["[token]\nprovider = x\n"], {"OS_TOKEN__PROVIDER": ""}, provider
    yield "environment in small letters", [""], {"os_token__provider": "e"}, provider


@contextlib.contextmanager
def environment(variables):
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


def value(group, option):
    try:
        return (CONF if group == "DEFAULT" else CONF[group])[option], False
    except (Exception, RecursionError):
        return None, True


def answer(files, variables, wanted):
    with tempfile.TemporaryDirectory() as root, environment(variables):
        paths = []
        for number, text in enumerate(files):
            path = pathlib.Path(root, f"{number}.conf")
            path.write_text(text, newline="")
            paths.append(str(path))
        CONF.clear()
        try:
            CONF([], default_config_files=paths, default_config_dirs=[])
        except Exception:
            return [{"group": g, "option": o, "value": None, "error": True} for g, o in wanted]
        answers = []
        for group, option in wanted:
            result, error = value(group, option)
            answers.append({"group": group, "option": option, "value": result, "error": error})
        return answers


def main():
    written = [
        json.dumps({"name": n, "files": f, "environment": e, "expected": answer(f, e, w)}, ensure_ascii=False)
        for n, f, e, w in cases()
    ]
    path = pathlib.Path(__file__).with_name("cases.json")
    path.write_text("[\n" + ",\n".join(written) + "\n]\n")


main()
