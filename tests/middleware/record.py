"""Writes what services behind Python's middleware answer, with Python Keystone, to recorded/situations.json."""

import json
import pathlib
import sys

from harness import processes
from harness.keystones import VENVS

from situations import SITUATIONS
from world import ReferenceCloud, World

HERE = pathlib.Path(__file__).parent


GUARDED = (VENVS / "keystone/bin/python", HERE / "guarded.py")


def main():
    world = World(processes.scratch("middleware"), ReferenceCloud, GUARDED)
    recorded = {}
    for name, play in SITUATIONS.items():
        recorded[name] = play(world)
        print(f"{name}: {recorded[name].get('status', recorded[name])}", flush=True)
    text = json.dumps(recorded, indent=1, sort_keys=True, ensure_ascii=False)
    (HERE / "recorded/situations.json").write_text(text + "\n")
    world.stop()


if __name__ == "__main__":
    sys.exit(main())
