#!/usr/bin/env python3
"""Writes surface.json: the commands of Python Keystone's keystone-manage and their options.

target/venv/keystone/bin/python crates/server/tests/commands/surface.py
"""

import argparse
import json
import os
import pathlib

os.geteuid = lambda: 1000  # For root more is required.

from keystone.cmd import cli  # noqa: E402

parser = argparse.ArgumentParser()
commands = parser.add_subparsers()
for command in cli.CMDS:
    command.add_argument_parser(commands)

lines = []
for name, command in sorted(commands.choices.items()):
    options = [
        {
            "flag": (action.option_strings or [action.dest])[0],
            "required": action.required,
            "takes_value": action.nargs != 0,
            "choices": action.choices or [],
        }
        for action in command._actions
        if not isinstance(action, argparse._HelpAction)
    ]
    exclusive = [
        [action.option_strings[0] for action in group._group_actions]
        for group in command._mutually_exclusive_groups
    ]
    lines.append(json.dumps({"command": name, "options": options, "exclusive": exclusive}))
path = pathlib.Path(__file__).with_name("surface.json")
path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
