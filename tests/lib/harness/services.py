"""Private MariaDB, memcached, RabbitMQ and Apache servers, in the test's directory and on free ports."""

import getpass
import os
import shutil
import signal

from . import processes, wire
from .processes import LOOPBACK


class MariaDb:
    """A private MariaDB; `sql` connects as root over its socket."""

    # The user of the process if root starts it.
    account = "root"

    def __init__(self, directory, port=None, host=LOOPBACK):
        self.directory = directory / "mariadb"
        self.directory.mkdir(parents=True)
        self.temporary = self.directory / "tmp"
        self.temporary.mkdir()
        if os.getuid() == 0:
            shutil.chown(self.directory, self.account)
            shutil.chown(self.temporary, self.account)
        self.socket = self.directory / "sock"
        self.port = port or processes.free_port()
        self.host = host
        self.daemon = None
        made = processes.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={self.directory / 'data'}",
                f"--user={getpass.getuser() if os.getuid() else self.account}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
            ]
        )
        if made.returncode:
            raise RuntimeError(f"mariadb-install-db: {made.stdout}{made.stderr}")
        self.start()
        # Drops anonymous users: the grants of the install guide are for `'localhost'` and `'%'`.
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
            # In /tmp, servers delete each other's tables when they start.
            f"--tmpdir={self.temporary}",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=2",
            "--skip-sync-frm",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=32M",
            "--max-connections=300",
            # Debian's default; the client must not depend on it.
            "--character-set-server=utf8mb4",
        ]
        command += self.options()
        if os.getuid() == 0:
            command.append(f"--user={self.account}")
        self.daemon = processes.Daemon("mariadbd", command, self.directory / "log")
        processes.wait_for(
            "MariaDB's socket",
            lambda: self.socket.exists() and processes.listening(self.port) and self.is_ready(),
            daemon=self.daemon,
        )

    def is_ready(self):
        """Whether the server is usable, once it listens."""
        return True

    def options(self):
        """Further command line options."""
        return []

    def stop(self):
        return self.daemon.stop()

    def kill(self):
        return self.daemon.stop(number=9)

    def sql(self, text, database="", timeout=120):
        """Runs statements; returns the rows as lists of strings."""
        done = processes.run(
            ["mariadb", "--no-defaults", f"--socket={self.socket}", "-uroot", "-N", "-B", database],
            input=text,
            timeout=timeout,
        )
        if done.returncode:
            raise RuntimeError(f"{text}\n{done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def database(self, name, password, user=None):
        """Creates a database and its grants as in the install guide; returns SQLAlchemy's URL."""
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


class GaleraNode(MariaDb):
    """A node of a Galera cluster: the first one, or one that joins `other` and copies its data."""

    # The transfer to a new node runs in an rsync daemon, which drops root privileges.
    account = "mysql"

    PROVIDER = "/usr/lib/galera/libgalera_smm.so"

    def __init__(self, directory, other=None):
        self.other = other
        self.cluster_port = processes.free_port()
        super().__init__(directory)

    def options(self):
        peer = f"{LOOPBACK}:{self.other.cluster_port}" if self.other else ""
        ports = {
            "base_port": self.cluster_port,
            "gmcast.listen_addr": f"tcp://{LOOPBACK}:{self.cluster_port}",
            "ist.recv_addr": f"{LOOPBACK}:{processes.free_port()}",
        }
        return [
            "--wsrep-on=ON",
            f"--wsrep-provider={self.PROVIDER}",
            f"--wsrep-provider-options={';'.join(f'{name}={value}' for name, value in ports.items())}",
            f"--wsrep-cluster-address=gcomm://{peer}",
            f"--wsrep-node-address={LOOPBACK}:{self.cluster_port}",
            f"--wsrep-node-incoming-address={LOOPBACK}:{self.port}",
            "--wsrep-sst-method=rsync",
            f"--wsrep-sst-receive-address={LOOPBACK}:{processes.free_port()}",
            "--wsrep-slave-threads=2",
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
        ]

    def is_ready(self):
        try:
            (row,) = self.sql("SHOW STATUS LIKE 'wsrep_local_state_comment'")
        except RuntimeError:
            return False
        return row[1] == "Synced"

    def counts(self, *names):
        """Counters of the server's status, by name."""
        named = ", ".join(f"'{name}'" for name in names)
        rows = self.sql(f"SHOW GLOBAL STATUS WHERE variable_name IN ({named})")
        return {name: int(value) for name, value in rows}


class Memcached:
    def __init__(self, directory, port=None, host=LOOPBACK):
        self.port = port or processes.free_port()
        self.address = f"{host}:{self.port}"
        command = ["memcached", "-l", LOOPBACK, "-p", self.port, "-U", 0, "-m", 64]
        if os.getuid() == 0:
            command += ["-u", "root"]
        self.daemon = processes.Daemon("memcached", command, directory / "memcached.log")
        processes.wait_for("memcached", lambda: processes.listening(self.port), daemon=self.daemon)


def make_certificate(directory, name):
    """`name.pem` and `name.key`, which the user of Apache's processes may read."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-days", "2"]
    done = processes.run([*command, "-keyout", directory / f"{name}.key", "-out", directory / f"{name}.pem"])
    if done.returncode:
        raise RuntimeError(done.stderr)
    (directory / f"{name}.key").chmod(0o644)


# What `mod_auth_mellon` needs to be a service provider at all.
MELLON = """\
MellonLockFile {directory}/lock
MellonCacheSize 10
<Location />
  Require all granted
  MellonEnable info
  MellonEndpointPath /mellon
  MellonSecureCookie Off
  MellonSPentityId {entity}
  MellonSPPrivateKeyFile {key}
  MellonSPCertFile {certificate}
  MellonIdPMetadataFile {metadata}
</Location>
"""


class Apache:
    """Apache httpd with Debian's modules, as a web server on one port."""

    MODULES = "/usr/lib/apache2/modules"
    CONFIG = """\
ServerRoot {directory}
ServerName 127.0.0.1
PidFile {directory}/pid
DefaultRuntimeDir {directory}
Listen 127.0.0.1:{port}
ErrorLog {directory}/log
LogLevel info
DocumentRoot {directory}/public
{loaded}
User {user}
Group {group}
"""

    def __init__(self, directory, loaded, text, port=None):
        """`loaded` are the names of modules, and `text` is the rest of the configuration."""
        self.directory = directory
        self.port = port or processes.free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.loaded, self.text = loaded, text
        (directory / "public").mkdir(parents=True, exist_ok=True)

    def start(self):
        loaded = (f"LoadModule {name}_module {self.MODULES}/mod_{name}.so" for name in self.loaded)
        is_root = os.getuid() == 0
        user, group = ("www-data", "www-data") if is_root else (f"#{os.getuid()}", f"#{os.getgid()}")
        head = self.CONFIG.format(
            **{"directory": self.directory, "port": self.port, "loaded": "\n".join(loaded)},
            **{"user": user, "group": group},
        )
        config = self.directory / "apache.conf"
        config.write_text(head + self.text)
        command = ["apache2", "-f", config, "-D", "FOREGROUND"]
        self.daemon = processes.Daemon("apache2", command, self.directory / "output")
        processes.wait_for("Apache", lambda: wire.answers(self.url), daemon=self.daemon)
        return self

    def log(self):
        return (self.directory / "log").read_text()

    def stop(self):
        return self.daemon.stop()


class RabbitMq:
    """A private RabbitMQ with its own port mapper, so that the machine's one is neither used nor started."""

    # Debian's wrapper in the path changes to the user `rabbitmq`.
    SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"

    def __init__(self, directory, certificates=None):
        """`certificates` are the paths of `ca`, `broker` and `broker-key`, for a port that speaks TLS."""
        self.directory = directory = directory / "rabbitmq"
        directory.mkdir()
        self.port = processes.free_port()
        # The user `guest` is limited to loopback.
        self.url = f"rabbit://guest:guest@{LOOPBACK}:{self.port}/"
        mapper = processes.free_port()
        command = ["epmd", "-address", LOOPBACK, "-port", mapper]
        self.mapper = processes.Daemon("epmd", command, directory / "epmd.log")
        processes.wait_for("epmd", lambda: processes.listening(mapper), daemon=self.mapper)
        options = directory / "none.conf"
        if certificates:
            self.tls_port = processes.free_port()
            options = directory / "options.conf"
            names = {"cacertfile": "ca", "certfile": "broker", "keyfile": "broker-key"}
            # A client may log in by the name in its certificate.
            (directory / "plugins").write_text("[rabbitmq_auth_mechanism_ssl].\n")
            lines = [f"auth_mechanisms.{number} = {name}" for number, name in enumerate(("PLAIN", "AMQPLAIN", "EXTERNAL"), 1)]
            lines += ["ssl_cert_login_from = common_name", f"listeners.ssl.default = {LOOPBACK}:{self.tls_port}"]
            lines += ["ssl_options.verify = verify_peer", "ssl_options.fail_if_no_peer_cert = false"]
            lines += [f"ssl_options.{option} = {certificates[name]}" for option, name in names.items()]
            options.write_text("\n".join(lines) + "\n")
        environment = {
            "HOME": directory,
            "ERL_EPMD_PORT": mapper,
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": f"tests-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": self.port,
            "RABBITMQ_DIST_PORT": processes.free_port(),
            "RABBITMQ_MNESIA_BASE": directory / "data",
            "RABBITMQ_LOG_BASE": directory,
            "RABBITMQ_CONF_ENV_FILE": directory / "none.conf",
            "RABBITMQ_CONFIG_FILE": options.with_suffix(""),
            "RABBITMQ_ENABLED_PLUGINS_FILE": directory / "plugins",
            "RABBITMQ_PID_FILE": directory / "pid",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        }
        self.environment = {name: str(value) for name, value in environment.items()}
        self.start()

    def start(self):
        command, log = [self.SERVER], self.directory / "log"
        self.daemon = processes.Daemon("rabbitmq", command, log, env=self.environment, cwd=self.directory)
        processes.wait_for("RabbitMQ", lambda: processes.listening(self.port), daemon=self.daemon, timeout=180)

    def kill(self):
        self.daemon.stop(signal.SIGKILL)
