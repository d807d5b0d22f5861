"""Keystone as a process: this workspace's server and Python Keystone under uWSGI, with one interface."""

import os
import pathlib

from . import processes, wire
from .processes import LOOPBACK

VENVS = pathlib.Path(os.environ["KEYSTONE_VENVS"])
NATIVE_BIN = pathlib.Path(os.environ["KEYSTONE_BIN"])


class Native:
    name = "native"
    # Descriptors of sockets that the process is to have.
    sockets = ()

    def __init__(self, directory, config):
        self.directory, self.config = directory, config
        self.daemon = None
        self.ports = []

    def manage(self, *arguments, env=None, input=None):
        """Runs `keystone-manage` with this configuration."""
        command = [self.manage_command(), "--config-file", self.config, *arguments]
        return processes.run(command, env=env, input=input)

    def manage_command(self):
        return NATIVE_BIN / "keystone-manage"

    def command(self, ports):
        listen = [part for port in ports for part in ("--listen", f"{LOOPBACK}:{port}")]
        return [NATIVE_BIN / "keystone", "serve", "--config-file", self.config, *listen], {}

    def spawn(self, *ports):
        self.ports = list(ports) or [processes.free_port()]
        command, env = self.command(self.ports)
        log = self.directory / f"{self.name}-{self.ports[0]}.log"
        self.daemon = processes.Daemon(f"{self.name} keystone", command, log, env=env, pass_fds=self.sockets)
        return self.daemon

    def serve(self, *ports):
        """Starts the server and waits until every port answers."""
        self.spawn(*ports)
        for port in self.ports:
            processes.wait_for(
                f"answer of {self.name} keystone on port {port}",
                lambda: wire.answers(self.url_of(port)),
                daemon=self.daemon,
                timeout=90,
            )
        return self

    def stop(self):
        return self.daemon.stop()

    def url_of(self, port):
        return f"http://{LOOPBACK}:{port}"

    @property
    def url(self):
        return self.url_of(self.ports[0])


class Operated(Native):
    """A server of this workspace with a listener for metrics."""

    metrics_port = None

    def command(self, ports):
        self.metrics_port = self.metrics_port or processes.free_port()
        command, env = super().command(ports)
        return [*command, "--metrics-listen", f"{LOOPBACK}:{self.metrics_port}"], env

    def operations(self, path):
        return wire.request("GET", f"http://{LOOPBACK}:{self.metrics_port}{path}", timeout=10)


class Reference(Native):
    name = "reference"

    def __init__(self, directory, config, processes=2, threads=4, module="keystone.wsgi.api"):
        super().__init__(directory, config)
        self.processes, self.threads, self.module = processes, threads, module
        # oslo.middleware reads its options from the standard path of keystone.conf, whatever the server was started with.
        self.home = directory / "home"
        (self.home / ".keystone").mkdir(parents=True, exist_ok=True)
        usual = self.home / ".keystone/keystone.conf"
        if not usual.is_symlink():
            usual.symlink_to(config)

    def manage_command(self):
        return VENVS / "keystone/bin/keystone-manage"

    def command(self, ports):
        sockets = [part for port in ports for part in ("--http-socket", f"{LOOPBACK}:{port}")]
        command = [
            VENVS / "keystone/bin/uwsgi",
            *sockets,
            "--module",
            f"{self.module}:application",
            "--master",
            "--die-on-term",
            "--need-app",
            "--enable-threads",
            "--processes",
            self.processes,
            "--threads",
            self.threads,
            "--buffer-size",
            65535,
            # Reads every body completely, as Apache does: otherwise an early answer resets the connection.
            "--post-buffering",
            65536,
            "--disable-logging",
            # uWSGI closes each connection and must say so: otherwise clients send the next request on a closed one.
            "--add-header",
            "Connection: close",
        ]
        return command, {"OS_KEYSTONE_CONFIG_FILES": str(self.config), "HOME": str(self.home)}


def under_test(directory, config):
    """The server that KEYSTONE_UNDER_TEST names."""
    if is_native():
        return Native(directory, config)
    stand_in = Reference(directory, config)
    stand_in.name = "stand-in"
    return stand_in


def is_native():
    return os.environ["KEYSTONE_UNDER_TEST"] == "native"
