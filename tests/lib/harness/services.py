"""MariaDB and memcached of the test's own, in its directory and on free ports."""

import getpass
import os

from . import processes
from .processes import LOOPBACK


class MariaDb:
    """A private server; `sql` speaks to it as root over its socket."""

    def __init__(self, directory, port=None, host=LOOPBACK):
        self.directory = directory / "mariadb"
        self.directory.mkdir()
        self.socket = self.directory / "sock"
        self.port = port or processes.free_port()
        self.host = host
        self.daemon = None
        made = processes.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={self.directory / 'data'}",
                f"--user={getpass.getuser() if os.getuid() else 'root'}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ]
        )
        if made.returncode:
            raise RuntimeError(f"mariadb-install-db: {made.stdout}{made.stderr}")
        self.start()
        # Nobody without a name: the grants of the install guide are for `'localhost'` and `'%'`.
        self.sql("DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES;")

    def start(self):
        command = [
            "mariadbd",
            "--no-defaults",
            f"--datadir={self.directory / 'data'}",
            f"--socket={self.socket}",
            f"--port={self.port}",
            f"--bind-address={LOOPBACK}",
            f"--pid-file={self.directory / 'pid'}",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=32M",
            "--max-connections=300",
            # What a Debian server has; the client's choice must not depend on it.
            "--character-set-server=utf8mb4",
        ]
        if os.getuid() == 0:
            command.append("--user=root")
        self.daemon = processes.Daemon("mariadbd", command, self.directory / "log")
        processes.wait_for(
            "MariaDB's socket",
            lambda: self.socket.exists() and processes.listening(self.port),
            daemon=self.daemon,
        )

    def stop(self):
        return self.daemon.stop()

    def kill(self):
        return self.daemon.stop(number=9)

    def sql(self, text, database=""):
        """Runs statements; gives the rows as lists of texts."""
        done = processes.run(
            ["mariadb", "--no-defaults", f"--socket={self.socket}", "-uroot", "-N", "-B", database],
            input=text,
        )
        if done.returncode:
            raise RuntimeError(f"{text}\n{done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def database(self, name, password, user=None):
        """A database and its grants, as the install guide makes them; gives SQLAlchemy's URL."""
        user = user or name
        self.sql(
            f"CREATE DATABASE {name};"
            f"GRANT ALL PRIVILEGES ON {name}.* TO '{user}'@'localhost' IDENTIFIED BY '{password}';"
            f"GRANT ALL PRIVILEGES ON {name}.* TO '{user}'@'%' IDENTIFIED BY '{password}';"
        )
        return self.url(name, password, user)

    def url(self, name, password, user=None):
        address = self.host if self.port == 3306 else f"{self.host}:{self.port}"
        return f"mysql+pymysql://{user or name}:{password}@{address}/{name}"


class Memcached:
    def __init__(self, directory, port=None, host=LOOPBACK):
        self.port = port or processes.free_port()
        self.address = f"{host}:{self.port}"
        command = ["memcached", "-l", LOOPBACK, "-p", self.port, "-U", 0, "-m", 64]
        if os.getuid() == 0:
            command += ["-u", "root"]
        self.daemon = processes.Daemon("memcached", command, directory / "memcached.log")
        processes.wait_for("memcached", lambda: processes.listening(self.port), daemon=self.daemon)
