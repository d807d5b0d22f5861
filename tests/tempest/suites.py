"""The two suites as classes of tests, and processes that run them.

stestr would import all of tempest once per process, and deals the tests out before it knows how long they take. Here
the identity tests are imported once, and each process takes the next class when it is done with one.
"""

import multiprocessing
import os
import pathlib
import queue
import re
import sys
import time
import traceback
import unittest
from collections import defaultdict

SUITES = {"tempest.api.identity": "tempest/api/identity", "keystone_tempest_plugin": "keystone_tempest_plugin/tests"}
# The requests in the log of a failed test.
CONVERSATION = re.compile(r"Request \(\S+ (\d+ [A-Z]+ \S+)")
# Requests take milliseconds; only a test of lockouts sleeps for some seconds.
os.environ.setdefault("OS_TEST_TIMEOUT", "120")


def discover():
    """Every test of both suites: {class: {test: unittest's case}}, all by their full names."""
    import tempest
    from tempest.test_discover import plugins

    plugins.TempestTestPluginManager()
    packages = pathlib.Path(tempest.__file__).parent.parent
    classes = defaultdict(dict)
    for directory in SUITES.values():
        found = unittest.TestLoader().discover(str(packages / directory), top_level_dir=str(packages))
        for case in cases(found):
            name = case.id().split("[")[0]
            classes[name.rpartition(".")[0]][name] = case
    return dict(classes)


def cases(suite):
    for member in suite:
        if isinstance(member, unittest.TestSuite):
            yield from cases(member)
        else:
            yield member


def covers(prefix, name):
    return name == prefix or name.startswith(prefix + ".")


class Outcomes(unittest.TestResult):
    """The outcome of each test of one class: (status, text) by name; `""` stands for the whole class."""

    def __init__(self):
        super().__init__()
        self.found = {}

    def note(self, test, status, text=""):
        # If both body and clean-up of a test fail, the first failure counts.
        name = test.id().split("[")[0] if isinstance(test, unittest.TestCase) else ""
        if self.found.get(name, ("passed",))[0] == "passed":
            self.found[name] = (status, text)

    def addSuccess(self, test, details=None):
        self.note(test, "passed")

    def addSkip(self, test, reason=None, details=None):
        self.note(test, "skipped", reason or text_of(details, "reason"))

    def addError(self, test, error=None, details=None):
        self.note(test, "failed", failure(error, details))

    addFailure = addError

    def addUnexpectedSuccess(self, test, details=None):
        self.note(test, "failed", "an unexpected success")

    def addExpectedFailure(self, test, error=None, details=None):
        self.note(test, "passed")


def text_of(details, key):
    return details[key].as_text().strip() if details and key in details else ""


def failure(error, details):
    if details is None:
        return essence("".join(traceback.format_exception(*error)).strip())
    traces = [content.as_text() for name, content in details.items() if name.startswith("traceback")]
    said = CONVERSATION.findall(text_of(details, "pythonlogging:''"))
    return "\n".join([essence(trace) for trace in traces] + said[-12:])


def essence(trace):
    """The location in the suites and the error, without the frames of libraries."""
    frames = re.findall(r'^  File ".*/(?:api|tests)/([^"]+)", line (\d+), in (\w+)', trace, re.M)
    places = [f"{path}:{line} in {function}" for path, line, function in frames]
    return "\n".join([*places, *(line for line in trace.splitlines()[1:] if line[:1] != " ")])


def run_class(tests):
    """Runs the tests of one class with its fixtures; every test has an outcome."""
    outcomes = Outcomes()
    unittest.TestSuite(tests.values()).run(outcomes)
    found = outcomes.found
    status, text = found.pop("", ("failed", "it did not run"))
    # A failure of the class's fixtures is one of all its tests, also of those that were done when its clean-up failed.
    if status == "failed" and text != "it did not run":
        return {name: found.get(name) if found.get(name, ("",))[0] == "failed" else (status, text) for name in tests}
    return {name: found.get(name, (status, text)) for name in tests}


def work(classes, jobs, answers):
    sys.stdout = sys.stderr = open(os.devnull, "w")
    for name in iter(jobs.get, None):
        begun = time.monotonic()
        try:
            outcomes = run_class(classes[name])
        except Exception:
            outcomes = {test: ("failed", traceback.format_exc()) for test in classes[name]}
        answers.put((name, outcomes, time.monotonic() - begun))


def run(classes, workers):
    """Yields (class, outcomes, seconds) when a class is done; the largest classes run first."""
    context = multiprocessing.get_context("fork")
    jobs, answers = context.SimpleQueue(), context.Queue()
    team = [context.Process(target=work, args=(classes, jobs, answers), daemon=True) for _ in range(workers)]
    for process in team:
        process.start()
    for name in sorted(classes, key=lambda name: (-len(classes[name]), name)):
        jobs.put(name)
    for _ in team:
        jobs.put(None)
    for _ in classes:
        answer = next_of(answers, team)
        if answer is None:
            break
        yield answer
    for process in team:
        process.join()


def next_of(answers, team):
    """The next answer, or `None` if no process is left; a class that was lost has no outcomes."""
    while True:
        anybody = any(process.is_alive() for process in team)
        try:
            return answers.get(timeout=2)
        except queue.Empty:
            if not anybody:
                return None
