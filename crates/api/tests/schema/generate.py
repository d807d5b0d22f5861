#!/usr/bin/env python3
"""Writes ../../schemas/v3.json, cases.json beside this file, and the schemas of mappings for `keystone-federation` from
Python Keystone 30.0.0.

Run with a Python that has keystone 30.0.0 installed. The schemas are read off the handlers of the
loaded application; the inline ones are named below. Every expected message comes from Keystone's
own validators.
"""

import copy
import json
import pathlib
import pprint
import random
import sys

from keystone.api import auth  # noqa: F401  (loads the resources)
import keystone.auth.schema
from keystone.api.validation import validators as decorator
from keystone.common.validation import validators as inline
from keystone import exception
from keystone.federation import schema as federation_schema
from keystone.federation import utils as federation
from keystone.identity import schema as identity_schema
from keystone.oauth1 import schema as oauth1_schema
from keystone.policy import schema as policy_schema
from keystone.resource import schema as resource_schema
import keystone.server
from keystone.server.flask import application
from werkzeug.datastructures import ImmutableMultiDict

HERE = pathlib.Path(__file__).parent
SCHEMAS = HERE / "../../schemas/v3.json"
CASES = HERE / "cases.json"
MAPPINGS = HERE / "../../../federation/schemas/mapping.json"
PER_SCHEMA = {"request": 30, "query": 14, "inline": 14}

PROVIDER = "/v3/OS-FEDERATION/identity_providers/{idp_id}"
TAGS = "/v3/projects/{project_id}/tags"
INLINE = {
    "POST /v3/auth/tokens": ("auth", keystone.auth.schema.token_issue),
    "POST /v3/auth/OS-FEDERATION/saml2": ("saml_create", federation_schema.saml_create),
    "POST /v3/auth/OS-FEDERATION/saml2/ecp": ("saml_create", federation_schema.saml_create),
    "POST /v3/users/{user_id}/password": ("password_change", identity_schema.password_change),
    "POST /v3/OS-OAUTH1/consumers": ("consumer_create", oauth1_schema.consumer_create),
    "PATCH /v3/OS-OAUTH1/consumers/{consumer_id}": (
        "consumer_update",
        oauth1_schema.consumer_update,
    ),
    "PUT /v3/OS-OAUTH1/authorize/{request_token_id}": (
        "request_token_authorize",
        oauth1_schema.request_token_authorize,
    ),
    "POST /v3/policies": ("policy_create", policy_schema.policy_create),
    "PATCH /v3/policies/{policy_id}": ("policy_update", policy_schema.policy_update),
    f"PUT {TAGS}": ("project_tags_update", resource_schema.project_tags_update),
    f"PUT {TAGS}/{{value}}": ("project_tag_create", resource_schema.project_tag_create),
}


def path_of(rule):
    return rule.rule.replace("<string:", "{").replace("<path:", "{").replace(
        "<", "{"
    ).replace(">", "}")


def extract():
    """All request and query schemas by key, without those of HEAD, which are GET's."""
    keys = {}
    app = application.application_factory()
    collect(app, keys)
    for route, (label, schema) in INLINE.items():
        keys[f"{route}|request|inline:{label}"] = schema
    keys[f"PUT {TAGS}/{{value}}|request|inline:project_tags_update"] = (
        resource_schema.project_tags_update
    )
    for method in ("PUT", "PATCH"):
        # Keystone takes 64 characters, which is too few for many entity ids; the column holds these.
        schema = copy.deepcopy(keys[f"{method} {PROVIDER}|request"])
        schema["properties"]["identity_provider"]["properties"]["remote_ids"]["items"]["maxLength"] = 255
        keys[f"{method} {PROVIDER}|request"] = schema
    return dict(sorted(keys.items()))


def collect(app, keys):
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        resource = getattr(view, "view_class", None)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            handler = getattr(resource, method.lower(), None)
            for kind, attribute in (
                ("request", "_request_body_schema"),
                ("query", "_request_query_schema"),
            ):
                schema = getattr(handler, attribute, None)
                if schema is not None:
                    keys[f"{method} {path_of(rule)}|{kind}"] = schema


def save_schemas(keys):
    texts, index = [], {}
    for key, schema in keys.items():
        text = json.dumps(schema, separators=(",", ":"))
        assert json.dumps(json.loads(text), separators=(",", ":")) == text
        if text not in texts:
            texts.append(text)
        index[key] = texts.index(text)
    lines = ",\n".join(texts)
    SCHEMAS.write_text(
        '{"keys":' + json.dumps(index, indent=0, separators=(",", ":"))
        + ',"schemas":[\n' + lines + "\n]}\n"
    )


def save_mappings():
    versions = sorted(federation.IDP_ATTRIBUTE_MAPPING_SCHEMAS.items())
    texts = {version: json.dumps(entry["schema"], separators=(",", ":")) for version, entry in versions}
    lines = ",\n".join(f"{json.dumps(version)}:{text}" for version, text in texts.items())
    MAPPINGS.write_text("{\n" + lines + "\n}\n")


def message(key, value):
    """What Keystone answers, None for nothing."""
    schema = KEYS[key]
    try:
        if "|query" in key:
            decorator._SchemaValidator(schema, is_body=True).validate(
                ImmutableMultiDict([tuple(pair) for pair in value])
            )
        elif "inline:" in key:
            inline.SchemaValidator(schema).validate(value)
        else:
            decorator._SchemaValidator(schema, is_body=True).validate(value or {})
    except exception.ValidationError as error:
        return str(error)
    return None


def sample(schema, root, rng):
    """A value that is mostly valid."""
    if "$ref" in schema:
        return sample(root["definitions"][schema["$ref"].rsplit("/", 1)[1]], root, rng)
    if "enum" in schema:
        return rng.choice(schema["enum"])
    kind = schema.get("type", "string")
    if isinstance(kind, list):
        kind = kind[0] if kind[0] != "null" else kind[1]
    if "oneOf" in schema and kind == "object" and "properties" not in schema:
        return sample(rng.choice(schema["oneOf"]), root, rng)
    if kind == "object":
        names = list(schema.get("properties", {}))
        drop = {n for n in names if n not in schema.get("required", []) and rng.random() < 0.4}
        value = {n: sample(schema["properties"][n], root, rng) for n in names if n not in drop}
        return dict(list(value.items())[: schema.get("maxProperties", 99)])
    if kind == "array":
        count = rng.choice([1, 2])
        items = schema.get("items", {"type": "string"})
        return [sample(items, root, rng) for _ in range(count)]
    if kind == "integer":
        return rng.choice([1, 5, 10])
    if kind == "boolean":
        return rng.choice([True, False])
    if schema.get("format") == "uuid":
        return "%032x" % rng.getrandbits(128)
    pattern = schema.get("pattern", "")
    if ":.+" in pattern:
        return "https://controller:5000/v3"
    if pattern.startswith("^/"):
        return "/v2.1/servers"
    return rng.choice(["demo", "abc123", "e0f5", "ec2"])


STRINGS = [
    "", " ", "\x1c\x1f", "a b", "it's", "say \"hi\"", "both ' and \"", "tab\tline\nend\\", "x" * 65,
    "y" * 226, "z" * 256, "a/b", "a,b", "abc\n", "abc\n\n", "naïve café", "日本語", "\u200b\xa0\x7f\x85",
    "😀 \U000e0001", "true", "TRUE", "-1", "10", "1e3", "no-scheme", "12345678-1234-1234-1234-1234567890AB",
    "urn:uuid:{12345678123412341234123456789012}", "0x345678123412341234123456789012ab",
    "words and more words that go on for longer than one line of the printer, so that it has to "
    "cut them\nand a second line of them, " + "unbroken" * 12 + " and an end",
    "crlf\r\nvt\x0bls\u2028" + "padding " * 12,
]
OTHERS = [
    None, True, False, 0, -1, -2, 1, 7, 2147483648, 18446744073709551615, 0.0, -0.5, 1.0, 1.5, -7.0,
    1e16, 1.5e-7, 123456789.125, 1e300, [], {}, [None], [[]], ["a", "a"], [1, 1.0], ["a", 7],
    {"id": 7}, {"id": "a", "name": "b"}, {"name": "it's"}, {"id": "x", "domain": {"id": None}},
    {"required": True, "nested": {"list": [1, 2.5, None, "s"], "text": "é" * 40, "more": {"a": {}}}},
    ["item number %d of a list that is too long for one line" % n for n in range(3)],
    [{"id": "%d" % n} for n in range(81)],
    ["t%d" % n for n in range(81)],
]
NAMES = ["zz", "Extra", "it's", "é", "secret", "id", "effective", "group", "a long name " * 8]


def places(value, way=()):
    yield way
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], way + (key,))
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from places(value[index], way + (index,))


def changed(value, way, act):
    value = copy.deepcopy(value)
    if not way:
        return act([value], 0)
    holder = value
    for step in way[:-1]:
        holder = holder[step]
    act(holder, way[-1])
    return value


def replace(new):
    def act(holder, step):
        holder[step] = copy.deepcopy(new)
        return holder[step]
    return act


def remove(holder, step):
    value = holder[step]
    if isinstance(holder, dict):
        del holder[step]
    return value


def extend(names):
    def act(holder, step):
        if isinstance(holder[step], dict):
            holder[step].update({name: "extra" for name in names})
        elif isinstance(holder[step], list):
            holder[step].extend(copy.deepcopy(holder[step]))
        return holder[step]
    return act


def mutate(value, rng):
    way = rng.choice(list(places(value)))
    roll = rng.random()
    if roll < 0.3:
        return changed(value, way, replace(rng.choice(STRINGS)))
    if roll < 0.6:
        return changed(value, way, replace(rng.choice(OTHERS)))
    if roll < 0.8:
        return changed(value, way, remove)
    return changed(value, way, extend(rng.sample(NAMES, rng.choice([1, 1, 2]))))


def query_sample(schema, rng):
    names = list(schema["properties"]) + ["unknown"]
    chosen = rng.sample(names, min(len(names), rng.choice([1, 2, 3, 4])))
    pairs = []
    for name in chosen:
        for _ in range(rng.choice([1, 1, 1, 2])):
            good = sample(schema["properties"].get(name, {}), schema, rng)
            pairs.append([name, rng.choice([str(good), rng.choice(STRINGS)])])
    rng.shuffle(pairs)
    return pairs


def cases_of(key, rng):
    schema = KEYS[key]
    kind = "inline" if "inline" in key else key.split("|")[1]
    wanted, cases, seen, passes = PER_SCHEMA[kind], [], set(), 0
    kinds = {}
    for _ in range(4000):
        if len(cases) == wanted:
            break
        if kind == "query":
            value = query_sample(schema, rng)
        else:
            value = sample(schema, schema, rng)
            for _ in range(rng.choice([0, 1, 1, 1, 1, 2])):
                value = mutate(value, rng)
            if kind == "request" and not isinstance(value, dict):
                continue
        text = json.dumps(value)
        if text in seen or len(text) > 4000:
            continue
        seen.add(text)
        said = message(key, value)
        # Few that pass, few of the same sort.
        sort = said and said.split(". ")[0][:60] + said[-14:]
        limit = 3 if said is None else 2
        if kinds.get(sort, 0) >= limit or said and len(said) > (6000 if kind == "inline" else 3000):
            continue
        kinds[sort] = kinds.get(sort, 0) + 1
        cases.append([value, said])
    return cases


def pretty_cases(rng):
    """Values of all widths around the printer's 72 columns."""
    def text(length):
        words = ["%s%s" % ("w" * rng.randint(1, 12), rng.choice(" " * 9 + "\n\x1c\u3000")) for _ in range(40)]
        return "".join(words)[:length] if rng.random() < 0.7 else "é" * length
    def value(depth):
        roll = rng.random()
        if depth == 0 or roll < 0.3:
            return rng.choice([text(rng.randint(0, 90)), text(rng.randint(0, 9)), rng.choice(OTHERS[:16])])
        if roll < 0.65:
            return {text(rng.randint(1, 12)): value(depth - 1) for _ in range(rng.randint(0, 3))}
        return [value(depth - 1) for _ in range(rng.randint(0, 4))]
    values = ["x" * n for n in (68, 69, 70, 71, 72)] + [text(n) for n in range(60, 90)]
    values += [["a", "x" * n] for n in range(60, 68)] + [{"key": "a b " + "x" * n} for n in range(52, 62)]
    values += ["a " * 40 + "b" * n for n in range(55, 72)] + [["a " * 40 + "b" * n] for n in range(60, 72)]
    values += ["words\x1fapart " * 8, {"key": "words\x1fapart\xa0" * 8}]
    values += [value(3) for _ in range(130)]
    return [[v, pprint.pformat(v, width=72, sort_dicts=False)] for v in values]


def main():
    save_schemas(KEYS)
    save_mappings()
    rng = random.Random(30)
    lines, count, done = [], 0, set()
    for key, schema in KEYS.items():
        sort = (json.dumps(schema), "inline" in key)
        cases = cases_of(key, rng)
        if sort in done:
            cases = cases[:2]
        done.add(sort)
        count += len(cases)
        rows = ",\n".join(json.dumps(case, ensure_ascii=True, separators=(",", ":")) for case in cases)
        lines.append(json.dumps(key) + ":[\n" + rows + "]")
    pretty = ",\n".join(json.dumps(case, separators=(",", ":")) for case in pretty_cases(rng))
    CASES.write_text('{"messages":{' + ",\n".join(lines) + '},\n"pretty":[\n' + pretty + "]}\n")
    print(f"{len(KEYS)} keys, {count} cases", file=sys.stderr)


if __name__ == "__main__":
    KEYS = extract()
    main()
