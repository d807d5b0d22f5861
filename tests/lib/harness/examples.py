"""The examples of the crates."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).parents[3]


def build(package, name, *features):
    """Builds an example; returns its program."""
    wanted = ("--features", ",".join(features)) if features else ()
    cargo = os.environ.get("CARGO", "cargo")
    command = [cargo, "build", "--locked", "--quiet", "-p", package, "--example", name, *wanted]
    subprocess.run(command, cwd=ROOT, check=True)
    return ROOT / "target/debug/examples" / name
