"""Plays every situation with services behind the guard, and compares what was recorded behind Python's middleware."""

import json
import pathlib

from harness import checks, keystones, processes
from harness.checks import Skipped, equal
from harness.clouds import Cloud

from differences import AFAR, DIFFERENCES, INSIDE, NEVER_INSIDE
from situations import SITUATIONS
from world import ReferenceCloud, World

HERE = pathlib.Path(__file__).parent
GUARDED = (HERE.parent.parent / "target/debug/examples/guarded",)


def expected(recorded, differences, name):
    """What Python's middleware did, or what is better here."""
    told = recorded[name]
    if name in differences:
        _, change = differences[name]
        return change(told)
    return told


def play(run, recorded, title, cloud, inside=False):
    run.section(title)
    directory = processes.scratch("middleware")
    world = None
    with run.check("everything starts", needed=True):
        world = World(directory, cloud, GUARDED, inside)
    differences = DIFFERENCES | (INSIDE if inside else AFAR)
    for name, situation in SITUATIONS.items():
        with run.check(name):
            if inside and name in NEVER_INSIDE:
                raise Skipped(NEVER_INSIDE[name])
            equal(situation(world), expected(recorded, differences, name), "the answer")
    world.stop()


def matrix(run):
    recorded = json.loads((HERE / "recorded/situations.json").read_text())
    with run.check("everything that can be played was recorded"):
        equal(sorted(recorded), sorted(SITUATIONS), "the recorded situations")
    with run.check("each difference is one"):
        all_differences = (DIFFERENCES, AFAR, INSIDE)
        same = [
            *(name for known in all_differences for name in known if expected(recorded, known, name) == recorded[name]),
            *(name for name in NEVER_INSIDE if name not in recorded),
        ]
        equal(same, [], "what does not differ")
    if keystones.is_native():
        play(run, recorded, "A Keystone of this project", Cloud)
        play(run, recorded, "A Keystone in the process, on one database with another of this project", Cloud, inside=True)
    else:
        with run.check("a Keystone of this project"):
            raise Skipped("another server is under test")
    play(run, recorded, "Python Keystone", ReferenceCloud)
    play(run, recorded, "A Keystone in the process, on one database with Python Keystone", ReferenceCloud, inside=True)


checks.run("middleware", matrix)
