"""Processes that end with the test, and free ports."""

import atexit
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

LOOPBACK = "127.0.0.1"
_running = []
_given = set()


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Daemon:
    """A process in its own process group, with its output in a file."""

    def __init__(self, name, command, log, env=None, cwd=None, pass_fds=()):
        self.name, self.log = name, pathlib.Path(log)
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                pass_fds=pass_fds,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        _running.append(self)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def send(self, number):
        if self.alive():
            os.kill(self.pid, number)

    def freeze(self):
        """Stops the process until it is sent SIGCONT; returns when all of its threads have stopped."""
        self.send(signal.SIGSTOP)

        def is_still():
            stats = [(task / "stat").read_text() for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir()]
            return all(stat.rsplit(")", 1)[1].split()[0] == "T" for stat in stats)

        wait_for(f"{self.name} to stop", is_still, pause=0.001)

    def stop(self, number=signal.SIGTERM, timeout=20):
        """Signals the process to end, and kills its group if it does not; returns its exit status."""
        if self in _running:
            _running.remove(self)
        self.send(number)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
        killed = self.alive()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        status = self.process.wait()
        return "killed" if killed else status

    def tail(self, lines=40):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def family(self):
        """The process and all its descendants."""
        parents = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
        found = [self.pid]
        for pid in found:
            found.extend(parents.get(pid, []))
        return found

    def sum_of(self, file, name):
        """The sum, over the process and its descendants, of a size that the kernel tells in kB; in bytes."""
        texts = (pathlib.Path(f"/proc/{pid}/{file}").read_text() for pid in self.family())
        return 1024 * sum(int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M)[1]) for text in texts)

    def memory(self):
        """Bytes of all its processes that are in memory; what they share counts once."""
        return self.sum_of("smaps_rollup", "Pss")


@atexit.register
def _stop_all():
    for daemon in reversed(list(_running)):
        daemon.stop(timeout=5)


def _end(number, _frame):
    sys.exit(128 + number)


for _number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(_number, _end)


def scratch(name):
    """A directory that is removed at the end, or kept and printed with KEYSTONE_TESTS_KEEP=1."""
    path = pathlib.Path(tempfile.mkdtemp(prefix=f"keystone-{name}-"))
    path.chmod(0o755)
    if os.environ.get("KEYSTONE_TESTS_KEEP"):
        print(f"keeping {path}")
    else:
        atexit.register(shutil.rmtree, path, ignore_errors=True)
        # Handlers run in reverse order of registration: the servers must stop before their files are removed.
        atexit.unregister(_stop_all)
        atexit.register(_stop_all)
    return path


def free_port():
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


def wait_for(what, condition, timeout=60, daemon=None, pause=0.05):
    """Waits until the condition holds; the error shows the last output of the daemon."""
    deadline = time.monotonic() + timeout
    while True:
        if condition():
            return
        if daemon and not daemon.alive():
            raise RuntimeError(f"{daemon.name} ended before {what}:\n{daemon.tail()}")
        if time.monotonic() > deadline:
            told = f":\n{daemon.tail()}" if daemon else ""
            raise TimeoutError(f"no {what} within {timeout} s{told}")
        time.sleep(pause)


def listening(port, host=LOOPBACK):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def run(command, env=None, input=None, timeout=120, cwd=None):
    """Runs a command to its end; returns its completed process, with text input and output."""
    return subprocess.run(
        [str(part) for part in command],
        input=input if input is not None else "",
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    )
