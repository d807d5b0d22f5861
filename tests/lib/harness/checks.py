"""Checks that are counted, printed as they are made, and closed by one line."""

import contextlib
import sys
import time
import traceback


class Failed(Exception):
    """An expectation that was not met."""


class Skipped(Exception):
    """A check that has no meaning for the server under test."""


class Abort(Exception):
    """A check failed on which everything after it depends."""


def expect(condition, message):
    if not condition:
        raise Failed(message)


def equal(found, wanted, what="the value"):
    if found != wanted:
        raise Failed(f"{what} is\n    {found!r}\n  instead of\n    {wanted!r}")


def contains(text, *parts):
    for part in parts:
        if part not in text:
            raise Failed(f"{part!r} is not in\n{text}")


class Checks:
    def __init__(self, name):
        self.name = name
        self.passed = self.failed = self.skipped = 0
        self.started = time.monotonic()

    def section(self, title):
        print(f"\n== {title} [{time.monotonic() - self.started:.0f} s]", flush=True)

    @contextlib.contextmanager
    def check(self, what, needed=False):
        """Counts what its body does; a failure is told and the run goes on, unless the rest needs it."""
        try:
            yield
        except Skipped as reason:
            self.skipped += 1
            print(f"  skip  {what}: {reason}", flush=True)
        except Abort:
            raise
        except Exception as error:
            self.failed += 1
            print(f"  FAIL  {what}", flush=True)
            text = str(error) if isinstance(error, Failed) else traceback.format_exc()
            print("        " + text.strip().replace("\n", "\n        "), flush=True)
            if needed:
                raise Abort(what) from error
        else:
            self.passed += 1
            print(f"  ok    {what}", flush=True)

    def close(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        print(f"\n{self.name}: {self.passed} passed, {self.failed} failed{skipped}", flush=True)
        return 1 if self.failed or not self.passed else 0


def run(name, body):
    """Runs `body(checks)` to its end, whatever happens, and exits with what came of it."""
    checks = Checks(name)
    try:
        body(checks)
    except Abort as reason:
        print(f"\nGiving up: everything after this needs it: {reason}", flush=True)
    except Exception:
        checks.failed += 1
        traceback.print_exc()
    sys.exit(checks.close())
