"""Somebody who changes users by SQL all the time."""

import contextlib
import subprocess
import threading
import time

import seed


class Writer:
    """Renames users in turn, so many in a second."""

    def __init__(self, cloud, users, rate):
        self.cloud, self.users, self.rate = cloud, users, rate
        self.count, self.over = 0, threading.Event()

    @contextlib.contextmanager
    def __call__(self):
        self.over.clear()
        command = ["mariadb", "--no-defaults", f"--socket={self.cloud.mariadb.socket}", "-uroot", self.cloud.database]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        thread = threading.Thread(target=self.write, args=[client.stdin])
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            thread.join()
            client.stdin.close()
            status = client.wait()
        if status:
            raise RuntimeError("a user could not be renamed")

    def write(self, stream):
        begun, written = time.monotonic(), 0
        while not self.over.is_set():
            stream.write(seed.rename(self.user_of(self.count), self.count) + "\n")
            stream.flush()
            self.count += 1
            written += 1
            self.over.wait(max(0, begun + written / self.rate - time.monotonic()))

    def user_of(self, count):
        return count % self.users + 1

    def latest(self):
        """The user who was renamed last, and the name."""
        user = self.user_of(self.count - 1)
        return user, f"user-{user}-{self.count - 1}"
