"""Asks the real oslo.policy about the policies of OpenStack's services, and writes its answers beside this file.

`record` runs it with the environment of `tests/requirements/policies.txt`. For each service NAME it writes

- `NAME.json`: the registered default rules as data, the trees that they make with their decisions, and files that are
  damaged; Keystone's rules are `defaults.json` of the crate instead;
- `NAME.sample.yaml`: the text of `oslopolicy-sample-generator`;
- `NAME.policy.yaml`: the text of `oslopolicy-policy-generator` over the overrides in `OVERRIDES`.

and with all of them `comments.json`, texts and the comments that the generators make of them.

Credentials and targets are drawn from lists of values by a generator of random numbers that `services.rs` has too. A
decision is a bit, 1 if the rule allows. Rules with the same tree and scopes are asked once.
"""

import base64
import importlib
import inspect
import json
import logging
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import types
import warnings

warnings.simplefilter("ignore")
logging.disable()

from oslo_config import cfg  # noqa: E402
from oslo_policy import generator  # noqa: E402
from oslo_policy import policy  # noqa: E402

HERE = pathlib.Path(__file__).parent
BIN = pathlib.Path(sys.executable).parent
QUESTIONS = 10_000
DAMAGED = 60

# The modules with the rules, and those that register kinds of checks.
SERVICES = {
    "barbican": ("barbican.common.policies",),
    "cinder": ("cinder.policies",),
    "glance": ("glance.policies",),
    "heat": ("heat.policies",),
    "keystone": ("keystone.common.policies",),
    "neutron": ("neutron.conf.policies", "neutron.policy"),
    "nova": ("nova.policies", "nova.policy"),
}

# The kinds of checks that a service registers; they do not look a credential up.
REGISTERED = {"neutron": {"field", "project_id", "tenant_id"}, "nova": {"is_admin"}}
LITERAL = re.compile(r"'(.*)'|True|False|None")
# What a service's own checks insist on: without these they raise KeyError, whose effect depends on the rule around it.
ALWAYS = {"neutron": {"network_id", "security_group_id"}, "nova": {"is_admin"}}

OVERRIDES = """\
# An operator's file.
"extra": "role:auditor or rule:{first}"
{last}: '!'
"{first}": ""
{middle}: >-
  role:admin
  or role:auditor
"""


# oslo.policy asks for the signature of each check each time, which takes longer than all else.
SIGNATURES = {}


def signature(call):
    kind = type(call.__self__)
    if kind not in SIGNATURES:
        SIGNATURES[kind] = inspect.getfullargspec(call)
    return SIGNATURES[kind]


policy._checks.inspect = types.SimpleNamespace(getfullargspec=signature)


class Random:
    """SplitMix64."""

    def __init__(self, seed):
        self.state = seed

    def below(self, count):
        self.state = (self.state + 0x9E3779B97F4A7C15) % 2**64
        mixed = self.state
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
        return (mixed ^ mixed >> 31) % count


def drawn(chance, pool):
    """A dictionary with one of the values for each key; an empty list leaves the key out."""
    made = {}
    for key, values in pool.items():
        value = values[chance.below(len(values))]
        if value:
            made[key] = value[0]
    return made


def operations(rule):
    """A method that is a list in Python becomes a request for each."""
    for operation in getattr(rule, "operations", ()):
        methods = operation["method"]
        for method in [methods] if isinstance(methods, str) else methods:
            yield f"{method} {operation['path']}"


def as_data(rule):
    old = rule.deprecated_rule
    data = {
        "name": rule.name,
        "check": rule.check_str,
        "scope_types": rule.scope_types,
        "description": rule.description,
        "operations": list(operations(rule)),
        "deprecated": old and {"name": old.name, "check": old.check_str, "reason": old.deprecated_reason, "since": old.deprecated_since},
        "for_removal": rule.deprecated_for_removal,
        "deprecated_reason": rule.deprecated_reason,
        "deprecated_since": rule.deprecated_since,
    }
    if old:
        data["deprecated"] = {key: value for key, value in data["deprecated"].items() if value is not None}
    return {key: value for key, value in data.items() if value or key == "check"}


def spread(rules):
    """A list of rules with a line for each attribute."""
    lines = (",\n".join(f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in rule.items()) for rule in rules)
    return "[\n" + ",\n".join(f"  {{\n{rule}\n  }}" for rule in lines) + "\n]\n"


def enforcer(rules, path="/nonexistent/policy.yaml", new_defaults=True):
    conf = cfg.ConfigOpts()
    conf([], project="recording", default_config_files=[], default_config_dirs=[])
    made = policy.Enforcer(conf, policy_file=path)
    conf.set_override("policy_dirs", [], group="oslo_policy")
    conf.set_override("enforce_new_defaults", new_defaults, group="oslo_policy")
    made.suppress_deprecation_warnings = True
    made.register_defaults(rules)
    return made


def checks(rules):
    """Kind and match of every check in the rules."""
    texts = [rule.check_str for rule in rules]
    texts += [rule.deprecated_rule.check_str for rule in rules if rule.deprecated_rule]
    for text in texts:
        for word in text.split():
            # A parenthesis at the end belongs to `%(key)s` only in the middle of it.
            kind, colon, match = word.strip("()").partition(":")
            if colon:
                yield kind, match


def pools(name, rules):
    """For each key of the credentials and of the target, the values to draw from."""
    registered = REGISTERED.get(name, set())
    ids = [["one"], ["two"]]
    rest = [[], [None]]
    credentials = {"user_id": ids + rest, "project_id": ids + rest, "domain_id": [["one"]] + rest * 2, "system_scope": [["all"]] + rest * 2}
    target = {"user_id": ids + rest, "project_id": ids + ids + rest}
    roles = set()
    for kind, match in checks(rules):
        for key in re.findall(r"%\((.*?)\)s", match):
            target.setdefault(key, ids + rest + [[True], [False], [1], [1.5], [["one"]]])
            literal = LITERAL.fullmatch(kind)
            if literal:
                target[key] = target[key] + [[literal[1] or {"True": True, "False": False, "None": None}[kind]]]
        if kind == "role":
            roles.add(match)
        elif kind == "field":
            key, value = match.split(":", 1)[1].split("=", 1)
            value = value.removeprefix("~^") + "x" if value.startswith("~^") else value
            target.setdefault(key, rest + [["True"], ["one"]])
            target[key] += [[value]] if key in ("device_owner", "target_project", "target_tenant") else [[True], [False]]
        elif kind not in ("rule", "http", "https") and not LITERAL.fullmatch(kind):
            credentials.setdefault(kind, ids + rest)
            if "%" not in match:
                value = {"True": True, "False": False}.get(match, match)
                credentials[kind] = credentials[kind] + [[match], [value]]
    for key in ALWAYS.get(name, ()):
        pool = credentials if key in registered else target
        pool[key] = [[True], [False]] if key in registered else ids
    chance = random.Random(name)
    roles = sorted(roles | {"admin", "other"})
    lists = [[], roles, [roles[0].upper(), "other"], [1, "admin"]]
    lists += [chance.sample(roles, chance.randint(1, len(roles) - 1)) for _ in range(28)]
    credentials["roles"] = [[]] + [[names] for names in lists]
    return {"credentials": credentials, "target": target}


def fields(rules):
    """The values that neutron compares with, as its attribute maps convert them."""
    found = {}
    for kind, match in checks(rules):
        if kind == "field":
            made = policy._checks.registered_checks["field"]("field", match)
            found[match] = made.value
    return found


def answer(made, rule, target, credentials):
    try:
        allowed = made.enforce(rule, target, credentials, do_raise=True)
        return "T" if allowed else "F"
    except policy.PolicyNotAuthorized:
        return "F"
    except policy.InvalidScope:
        return "S"
    except Exception:
        return "E"


def groups(rules, pool, seed, new_defaults):
    """The trees of the rules, and for each, with its scopes, the decisions."""
    made = enforcer(rules, new_defaults=new_defaults)
    made.load_rules()
    made.load_rules = lambda: None
    together = {}
    for rule in rules:
        key = (str(made.rules[rule.name]), tuple(rule.scope_types or ()))
        together.setdefault(key, []).append(rule.name)
    questions = []
    for number in range(QUESTIONS):
        chance = Random(seed + number)
        questions.append((drawn(chance, pool["credentials"]), drawn(chance, pool["target"])))
    for (tree, scopes), names in together.items():
        answers = [answer(made, names[0], dict(target), dict(credentials)) for credentials, target in questions]
        bits = "".join("1" if letter == "T" else "0" for letter in answers)
        packed = int(bits, 2).to_bytes(QUESTIONS // 8, "big")
        yield {
            "rules": names,
            "tree": tree,
            "scopes": list(scopes),
            "counts": {letter: answers.count(letter) for letter in "TFSE"},
            "decisions": base64.b64encode(packed).decode(),
        }


def damage(text, chance):
    """Some place of a file, what is cut out there and what is put in."""
    cut = chance.choice([0, 0, 1, 1, 2, 5, 40])
    put = chance.choice(["", "", '"', "'", ":", "\t", "\n", " ", "#", "-", "!", "[", "]", "{", "}", "&a", "*a", "%", "- x\n", "\n---\n", ": 5\n", "x"])
    return chance.randrange(len(text)), cut, put


def damaged(text, rules, name):
    """Changes to a policy file, and for each what oslo.policy makes of it: nothing, or the trees that differ."""
    chance = random.Random(name)
    whole = policy.Rules.load(text)
    for _ in range(DAMAGED):
        at, cut, put = damage(text, chance)
        try:
            loaded = policy.Rules.load(text[:at] + put + text[at + cut :])
            {rule: str(check) for rule, check in loaded.items()}
            changed = {
                str(rule): str(loaded[rule]) if rule in loaded else None
                for rule in sorted({*loaded, *whole}, key=str)
                if str(loaded.get(rule)) != str(whole.get(rule))
            }
        except Exception:
            changed = None
        yield [at, cut, put, changed]


def comments():
    """Descriptions of words that are hard to wrap."""
    chance = random.Random("comments")
    words = ["a", "to", "rule", "well-known", "a-b-c", "x--y", "and--", "--all", "2-3", "e-mail", "it's", "(see", "-", "---", "\u00e9l\u00e8ve-s", "w" * 67]
    words += ["w" * 68, "w" * 69, "long-" * 20, "under_score-d", "end.", "?--so", "/v3/users/{user_id}/roles-of-the-user", "\tx", "a\tb"]
    breaks = [" "] * 12 + ["  ", "\n", "\n", "\n\n", "\n  ", " \n", "\n \n", "\r\n", "\x0b", "\u2028", "\u00a0"]
    for _ in range(80):
        count = chance.randint(0, 40)
        yield "".join(chance.choice(words) + chance.choice(breaks) for _ in range(count))


def sample(name):
    command = [BIN / "oslopolicy-sample-generator", "--namespace", name]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def effective(rules, overrides):
    """The tool finds the enforcer by the service's entry point, which needs the whole service."""
    with tempfile.TemporaryDirectory() as directory:
        given, written = pathlib.Path(directory, "given.yaml"), pathlib.Path(directory, "written.yaml")
        given.write_text(overrides)
        generator._get_enforcer = lambda _: enforcer(rules, str(given))
        generator._generate_policy("any", str(written))
        return written.read_text()


def record(name):
    module, *checks_of = SERVICES[name]
    for other in checks_of:
        importlib.import_module(other)
    rules = list(importlib.import_module(module).list_rules())
    names = [rule.name for rule in rules]
    overrides = OVERRIDES.format(first=names[0], middle=names[len(names) // 2], last=names[-1])
    (HERE / f"{name}.sample.yaml").write_text(sample(name))
    (HERE / f"{name}.policy.yaml").write_text(effective(rules, overrides))
    pool = pools(name, rules)
    text = "".join(f'"{rule.name}": "{rule.check_str}"\n' for rule in rules)
    lists = {
        "defaults": list(map(as_data, rules)),
        "groups": [],
        "groups_with_old_defaults": [],
        "damaged": list(damaged(text, rules, name)),
    }
    if name == "keystone":
        # Its decisions are in `tests/surface/decisions.json` at the top of the tree.
        (HERE.parent.parent / "defaults.json").write_text(spread(lists.pop("defaults")))
    else:
        lists["groups"] += groups(rules, pool, 1, True)
        lists["groups_with_old_defaults"] += groups(rules, pool, 1_000_000, False)
    parts = [f'"{key}": {json.dumps(value)}' for key, value in {"overrides": overrides, "fields": fields(rules), **pool}.items()]
    for key, values in lists.items():
        parts.append(f'"{key}": [\n' + ",\n".join(map(json.dumps, values)) + "\n]")
    (HERE / f"{name}.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")
    print(f"{name}: {len(rules)} rules, {len(lists['groups'])} and {len(lists['groups_with_old_defaults'])} trees")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        rows = (json.dumps([text, generator._format_help_text(text)]) for text in comments())
        (HERE / "comments.json").write_text("[\n" + ",\n".join(rows) + "\n]\n")
    for service in sys.argv[1:] or SERVICES:
        # Checks are registered in the process, so that one service's would apply to the others.
        if len(sys.argv) == 2:
            record(service)
        else:
            subprocess.run([sys.executable, __file__, service], check=True)
