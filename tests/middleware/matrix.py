"""Plays every situation with services behind the guard, and compares what was recorded behind Python's middleware."""

import json
import pathlib

from harness import checks, keystones, processes
from harness.checks import Skipped, equal
from harness.clouds import Cloud

from differences import DIFFERENCES
from situations import SITUATIONS
from world import ReferenceCloud, World

HERE = pathlib.Path(__file__).parent
GUARDED = HERE.parent.parent / "target/debug/examples/guarded"


def guarded(settings):
    return [GUARDED, settings]


def expected(recorded, name):
    """What Python's middleware did, or what is better here."""
    told = recorded[name]
    if name in DIFFERENCES:
        _, change = DIFFERENCES[name]
        return change(told)
    return told


def play(run, recorded, title, cloud):
    run.section(title)
    directory = processes.scratch("middleware")
    world = None
    with run.check("everything starts", needed=True):
        world = World(directory, cloud, guarded)
    for name, situation in SITUATIONS.items():
        with run.check(name):
            equal(situation(world), expected(recorded, name), "the answer")
    world.stop()


def matrix(run):
    recorded = json.loads((HERE / "recorded/situations.json").read_text())
    with run.check("everything that can be played was recorded"):
        equal(sorted(recorded), sorted(SITUATIONS), "the recorded situations")
    with run.check("each difference is one"):
        same = [name for name in DIFFERENCES if expected(recorded, name) == recorded[name]]
        equal(same, [], "what does not differ")
    if keystones.is_native():
        play(run, recorded, "A Keystone of this project", Cloud)
    else:
        with run.check("a Keystone of this project"):
            raise Skipped("another server is under test")
    play(run, recorded, "Python Keystone", ReferenceCloud)


checks.run("middleware", matrix)
