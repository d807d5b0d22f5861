"""The command-line client in an environment of its own, and the tables that it draws."""

import os
import pathlib
import re
import sys

import pexpect

from . import processes
from .checks import Failed

# Of the virtualenv that runs the test.
CLIENT = pathlib.Path(sys.executable).with_name("openstack")


class Shell:
    """Runs the client with the given `OS_*` variables and none of the user's."""

    def __init__(self, home, variables):
        self.home, self.variables = home, variables

    @property
    def environment(self):
        return {"HOME": str(self.home), "NO_PROXY": "*", **self.variables}

    def try_openstack(self, *arguments):
        return processes.run([CLIENT, *arguments], env=self.environment)

    def openstack(self, *arguments):
        """Runs a command that must succeed; returns its output."""
        done = self.try_openstack(*arguments)
        if done.returncode:
            told = f"openstack {' '.join(arguments)}\n{done.stdout}{done.stderr}"
            raise Failed(f"exit {done.returncode} of {told}")
        return done.stdout

    def openstack_at_terminal(self, *arguments, answers):
        """Runs a command at a terminal; waits for each prompt of `answers` and answers it."""
        child = pexpect.spawn(
            str(CLIENT),
            list(arguments),
            env={**os.environ, **self.environment},
            encoding="utf-8",
            timeout=60,
            dimensions=(60, 250),
        )
        shown = ""
        try:
            for prompt, answer in answers:
                child.expect_exact(prompt)
                shown += child.before
                # The client prints the prompt before it turns the echo off, which discards earlier input.
                child.waitnoecho(timeout=10)
                child.sendline(answer)
            child.expect(pexpect.EOF)
            shown += child.before
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            raise Failed(f"openstack {' '.join(arguments)}: {error}") from error
        finally:
            child.close()
        if child.exitstatus:
            raise Failed(f"exit {child.exitstatus} of openstack {' '.join(arguments)}\n{shown}")
        for _, answer in answers:
            if answer in shown:
                raise Failed(f"the password is shown:\n{shown}")
        return shown

    def script(self, text):
        """Runs shell lines with the client on the path."""
        path = f"{CLIENT.parent}:{os.environ['PATH']}"
        return processes.run(["bash", "-ec", text], env={**self.environment, "PATH": path})


def rows(text):
    """The rows of a table as the client draws it."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    if not cells:
        raise Failed(f"no table in\n{text}")
    return [dict(zip(cells[0], row)) for row in cells[1:]]


def fields(text):
    """A table of `Field` and `Value`."""
    return {row["Field"]: row["Value"] for row in rows(text)}


def is_id(text):
    return bool(re.fullmatch(r"[0-9a-f]{32}", text))
