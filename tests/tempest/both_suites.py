"""tempest's identity tests and keystone-tempest-plugin: everything that Python Keystone passes must pass here.

`skipped-by-reference.txt` names tests that are skipped on Python Keystone, `serial.txt` classes that must run alone,
`counts.txt` the number of tests.
"""

import argparse
import os
import pathlib
import sys
import time
from collections import Counter

import cloud
import suites
from harness import checks, processes

HERE = pathlib.Path(__file__).parent


def names(file):
    lines = (HERE / file).read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def arguments():
    parser = argparse.ArgumentParser(prog="tests/tempest/run", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="modules, classes or tests to run instead of all")
    parser.add_argument("--workers", type=int, default=3, help="processes that ask at once (default: 3)")
    parser.add_argument("--record", action="store_true", help="write down what Keystone has and skips")
    return parser.parse_args()


class Selection:
    """The tests to run, and the classes that must run alone."""

    def __init__(self, classes, wanted):
        every = [test for tests in classes.values() for test in tests]
        self.unknown = [prefix for prefix in wanted if not any(suites.covers(prefix, test) for test in every)]
        chosen = {test for test in every if not wanted or any(suites.covers(prefix, test) for prefix in wanted)}
        self.classes = {}
        for name, tests in classes.items():
            kept = {test: case for test, case in tests.items() if test in chosen}
            if kept:
                self.classes[name] = kept
        self.count = len(chosen)

    def parts(self, serial):
        """The classes that run in parallel, and those that run alone."""
        alone = {name for name in self.classes if any(suites.covers(prefix, name) for prefix in serial)}
        together = {name: tests for name, tests in self.classes.items() if name not in alone}
        return together, {name: self.classes[name] for name in alone}


def run_all(selection, serial, workers):
    """Runs and reports every class; returns the outcomes by test."""
    outcomes, begun = {}, time.monotonic()
    for classes, team in zip(selection.parts(serial), (workers, 1)):
        for name, found, seconds in suites.run(classes, team) if classes else ():
            outcomes.update(found)
            counts = Counter(status for status, _ in found.values())
            told = ", ".join(f"{counts[status]} {status}" for status in ("passed", "skipped", "failed") if counts[status])
            print(f"  {'FAIL' if counts['failed'] else 'ok  '}  {name}: {told} in {seconds:.1f} s", flush=True)
            for test, (status, text) in sorted(found.items()):
                if status == "failed":
                    print(f"        {test}\n            " + text.replace("\n", "\n            "), flush=True)
    print(f"\n{len(outcomes)} tests in {time.monotonic() - begun:.0f} s", flush=True)
    return outcomes


def record(classes, outcomes):
    """Writes the expected counts and skips, from a run on Python Keystone."""
    counts = [f"{suite} {sum(len(t) for n, t in classes.items() if suites.covers(suite, n))}" for suite in suites.SUITES]
    (HERE / "counts.txt").write_text("\n".join(["# How many tests each suite has at its pinned version.", *counts, ""]))
    kept = {name for name in names("skipped-by-reference.txt") if name not in outcomes}
    skipped = sorted(kept | {test for test, (status, _) in outcomes.items() if status == "skipped"})
    header = "# What skips itself on Python Keystone with the settings of cloud.py; nothing else may."
    (HERE / "skipped-by-reference.txt").write_text("\n".join([header, *skipped, ""]))


def verify_lists(run, classes, selection):
    run.section("The lists")
    with run.check("every name given is that of a test"):
        checks.expect(not selection.unknown, f"no such test: {', '.join(selection.unknown)}")
    with run.check("every name of skipped-by-reference.txt is that of a test"):
        every = {test for tests in classes.values() for test in tests}
        checks.equal([name for name in names("skipped-by-reference.txt") if name not in every], [], "the rest")
    with run.check("the suites are as large as on Keystone"):
        for line in names("counts.txt"):
            suite, count = line.split()
            found = sum(len(tests) for name, tests in classes.items() if suites.covers(suite, name))
            checks.equal(found, int(count), f"the number of tests of {suite}")


def judge(run, outcomes, selection):
    """Counts each test once: passed, skipped as on Python Keystone, or failed."""
    allowed = set(names("skipped-by-reference.txt"))
    counts = Counter(status for status, _ in outcomes.values())
    run.passed += counts["passed"]
    run.failed += counts["failed"]
    with run.check("nothing is skipped that Keystone runs"):
        extra = sorted(name for name, (status, _) in outcomes.items() if status == "skipped" and name not in allowed)
        checks.expect(not extra, "\n".join(f"{name}: {outcomes[name][1]}" for name in extra))
    with run.check("every test has an outcome"):
        checks.equal(len(outcomes), selection.count, "the number of outcomes")
    print(f"\n{counts['skipped']} skip themselves, as on Keystone")


def main(run):
    options = arguments()
    directory = processes.scratch("tempest")
    run.section("The servers")
    with run.check("Keystone on MariaDB", needed=True):
        servers, config = cloud.start(directory)
    os.environ["TEMPEST_CONFIG_DIR"], os.environ["TEMPEST_CONFIG"] = str(config.parent), config.name
    classes = suites.discover()
    selection = Selection(classes, options.names)
    if not options.record:
        verify_lists(run, classes, selection)
    run.section("The tests")
    outcomes = run_all(selection, names("serial.txt"), options.workers)
    if options.record:
        record(classes, outcomes)
    for server in servers:
        with run.check(f"{server.name} is still there"):
            checks.expect(server.alive(), f"it ended; it last wrote\n{server.tail(80)}")
    judge(run, outcomes, selection)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    checks.run("tempest", main)
