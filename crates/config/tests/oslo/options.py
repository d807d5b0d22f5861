"""Writes ../../options.json from an installed reference: `python options.py` in its virtualenv."""

import json
import pathlib

import registry

KINDS = {
    "String": "string",
    "MultiString": "multi",
    "Boolean": "bool",
    "Integer": "int",
    "Float": "float",
    "List": "list",
    "Dict": "dict",
    "URI": "uri",
}
# What the library fills in from the machine or the process that runs it.
MACHINE = {("oslo_messaging_rabbit", "hostname"), ("oslo_messaging_rabbit", "processname")}


def describe(group, option):
    kind = type(option.type).__name__
    about = {"type": KINDS[kind]}
    choices = option.type
    if kind == "List":
        choices = option.type.item_type
        assert not option.type.bounds
    if kind == "Dict":
        assert not option.type.bounds
        inner = type(option.type.value_type).__name__
        assert inner in ("String", "List"), inner
        if inner == "List":
            assert option.type.value_type.bounds
            about["type"] = "lists"
    if option.default is not None and (group, option.dest) not in MACHINE:
        about["default"] = option.type(option.default) if kind == "List" else option.default
    for limit in ("min", "max", "max_length"):
        value = getattr(option.type, limit, None)
        if value is not None and not (limit == "max_length" and value == 0):
            about[limit] = value
    if getattr(choices, "choices", None) is not None:
        about["choices"] = list(choices.choices)
        if choices.ignore_case:
            about["any_case"] = True
    if getattr(option.type, "schemes", None):
        about["schemes"] = list(option.type.schemes)
    assert getattr(option.type, "regex", None) is None
    former = []
    for old in option.deprecated_opts:
        pair = [old.group or group, old.name or option.dest]
        if pair not in former:
            former.append(pair)
    if former:
        about["deprecated_names"] = former
    for flag, name in (("secret", "secret"), ("mutable", "mutable"), ("deprecated_for_removal", "deprecated_for_removal")):
        if getattr(option, flag):
            about[name] = True
    return about


def main():
    groups = {}
    for group, option in registry.options():
        groups.setdefault(group, {})[option.dest] = describe(group, option)
    lines = []
    for group in sorted(groups):
        members = ",\n".join(
            f"  {json.dumps(name)}: {json.dumps(about, sort_keys=True)}"
            for name, about in sorted(groups[group].items())
        )
        lines.append(f" {json.dumps(group)}: {{\n{members}\n }}")
    out = pathlib.Path(__file__).resolve().parents[2] / "options.json"
    out.write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
