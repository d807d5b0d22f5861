"""Starts each example and uses it, as the file of its name beside this one says.

Such a file has `CRATE`, the package of the example, and functions `test_…`, which get the running example. It may have
`FEATURES`, those of the package, and `prepare`, which gets the example before its start and returns its environment.
"""

import importlib
import os
import pathlib
import re
import signal
import subprocess
import sys

from harness import checks, processes
from harness.checks import equal
from harness.keystones import VENVS

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent


class Example:
    """An example that runs, by its one command but for the address, which is its argument."""

    def __init__(self, module, name):
        self.home, self.port = processes.scratch(f"example-{name}"), processes.free_port()
        self.address = f"{processes.LOOPBACK}:{self.port}"
        which = ["--quiet", "--locked", "-p", module.CRATE, "--example", name]
        which += ["--features", *module.FEATURES] if hasattr(module, "FEATURES") else []
        cargo = os.environ.get("CARGO", "cargo")
        # Before it is waited for.
        subprocess.run([cargo, "build", *which], cwd=ROOT, check=True)
        variables = module.prepare(self) if hasattr(module, "prepare") else {}
        command = [cargo, "run", *which, "--", self.address]
        self.daemon = processes.Daemon(name, command, self.home / "log", env=variables, cwd=ROOT)
        ready = lambda: processes.listening(self.port)
        processes.wait_for(f"the example {name}", ready, daemon=self.daemon)

    def variables(self):
        """The `OS_*` variables among what it prints, which it may do after it listens."""
        printed = lambda: dict(re.findall(r"(OS_\w+)=(\S+)", self.daemon.log.read_text()))
        processes.wait_for("the variables that the example prints", printed, daemon=self.daemon)
        return printed()

    def openstack(self, *arguments, status=0):
        """What the `openstack` client prints with these variables."""
        command = [VENVS / "client/bin/openstack", *arguments]
        done = processes.run(command, env={"HOME": str(self.home), **self.variables()}, cwd=self.home)
        equal(done.returncode, status, f"the exit status of openstack {' '.join(arguments)} ({done.stderr})")
        return (done.stdout if status == 0 else done.stderr).strip()

    def value(self, column, *arguments):
        """One column of what the `openstack` client prints."""
        return self.openstack(*arguments, "-f", "value", "-c", column)


def examples(run):
    known = sorted(path.stem for path in HERE.glob("*.py") if path.stem != "examples")
    for name in sys.argv[1:] or known:
        module = importlib.import_module(name)
        run.section(module.__doc__.strip().rstrip("."))
        example = None
        with run.check("it starts"):
            example = Example(module, name)
        if example is None:
            continue
        for function in (it for key, it in vars(module).items() if key.startswith("test_")):
            with run.check(function.__doc__ or function.__name__.removeprefix("test_").replace("_", " ")):
                function(example)
        with run.check("Ctrl-C ends it"):
            equal(example.daemon.stop(number=signal.SIGINT), 0, "the exit status")


checks.run("examples", examples)
