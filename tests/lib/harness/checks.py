"""Checks that are counted and printed, with a summary line at the end."""

import contextlib
import sys
import time
import traceback


class Failed(Exception):
    """An expectation that was not met."""


class Skipped(Exception):
    """A check that does not apply to the server under test."""


class Abort(Exception):
    """A failed check that all later checks depend on."""


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
        """Counts its body as one check. After a failure the run goes on, unless the check is `needed`."""
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
    """Runs `body(checks)` and exits with 1 if a check failed."""
    checks = Checks(name)
    try:
        body(checks)
    except Abort as reason:
        print(f"\nStopped: all later checks depend on: {reason}", flush=True)
    except Exception:
        checks.failed += 1
        traceback.print_exc()
    sys.exit(checks.close())
