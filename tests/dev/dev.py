"""`keystone dev`: what it prints works with the real client, also after a restart."""

import re
import signal
import stat

from harness import checks, processes, wire
from harness.checks import contains, equal, expect
from harness.keystones import NATIVE_BIN, VENVS

PASSWORD = "dev-pass-1"


class Dev:
    def __init__(self, home):
        self.home, self.data, self.port = home, home / "data", processes.free_port()
        self.url = f"http://{processes.LOOPBACK}:{self.port}"
        self.starts = 0

    def start(self, *more):
        """Starts it, and waits until it answers."""
        self.starts += 1
        command = [NATIVE_BIN / "keystone", "dev", "--data-dir", self.data]
        command += ["--listen", f"{processes.LOOPBACK}:{self.port}", *more]
        self.daemon = processes.Daemon("keystone dev", command, self.home / f"log-{self.starts}", cwd=self.home)
        ready = lambda: processes.listening(self.port) and wire.answers(f"{self.url}/v3")
        processes.wait_for("answer of keystone dev", ready, daemon=self.daemon, pause=0.01)

    def told(self):
        return self.daemon.log.read_text()

    def exports(self):
        """The `OS_*` variables among what it printed, as a shell would take them."""
        lines = [line for line in self.told().splitlines() if line.startswith("export OS_")]
        done = processes.run(["env", "-i", "bash", "-c", "\n".join(lines) + "\nenv"])
        return dict(line.split("=", 1) for line in done.stdout.splitlines() if line.startswith("OS_"))

    def clouds_yaml(self):
        found = re.search(r"^clouds:\n(?:[ ]+.*\n)+", self.told(), re.M)
        expect(found, f"no clouds.yaml in\n{self.told()}")
        return found[0]

    def openstack(self, *arguments, variables):
        command = [VENVS / "client/bin/openstack", *arguments]
        done = processes.run(command, env={"HOME": str(self.home), **variables}, cwd=self.home)
        equal(done.returncode, 0, f"the exit status of openstack {' '.join(arguments)} ({done.stderr})")
        return done.stdout.strip()


def dev(run):
    it = Dev(processes.scratch("dev"))
    with run.check("it starts, with database, keys and bootstrap", needed=True):
        it.start("--admin-password", PASSWORD)
    with run.check("the printed variables log in"):
        variables = it.exports()
        equal(variables.get("OS_AUTH_URL"), f"{it.url}/v3", "OS_AUTH_URL")
        equal(variables.get("OS_PASSWORD"), PASSWORD, "OS_PASSWORD")
        token = it.openstack("token", "issue", "-f", "value", "-c", "id", variables=variables)
        expect(token.startswith("gAAAAA"), token)
    with run.check("the printed clouds.yaml logs in"):
        text = it.clouds_yaml()
        (it.home / "clouds.yaml").write_text(text)
        name = re.search(r"^ +(\S+):$", text, re.M)[1]
        listed = it.openstack("--os-cloud", name, "project", "list", "-f", "value", "-c", "Name", variables={})
        equal(listed, "admin", "the projects")
    with run.check("only the owner can read keys and database"):
        for path in it.data.rglob("*"):
            expect(not path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP), f"{path} is open to others")
    with run.check("it keeps a user"):
        it.openstack("user", "create", "--password", "x", "kept", variables=variables)
    with run.check("Ctrl-C ends it"):
        equal(it.daemon.stop(number=signal.SIGINT), 0, "the exit status")
    with run.check("it starts again with its data and its tokens"):
        it.start()
        contains(it.openstack("user", "list", "-f", "value", "-c", "Name", variables=variables), "kept")
        equal(wire.request("GET", f"{it.url}/v3/users", token=token).status, 200, "the status of the token from before")
    with run.check("a port in use: a message and exit 1"):
        second = [NATIVE_BIN / "keystone", "dev", "--data-dir", it.home / "other"]
        done = processes.run([*second, "--listen", f"{processes.LOOPBACK}:{it.port}"], timeout=20)
        equal(done.returncode, 1, f"the exit status ({done.stdout}{done.stderr})")
        contains(done.stderr, str(it.port))
        expect("panicked" not in done.stderr, done.stderr)
    with run.check("SIGTERM ends it"):
        equal(it.daemon.stop(), 0, "the exit status")


checks.run("dev", dev)
