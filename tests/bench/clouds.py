"""A seeded database, the configuration of the servers that use it, and people in it."""

import getpass
import grp
import os

import bcrypt
import minted
import seed

from harness import keystones, processes, services, wire

CONF = """\
[database]
connection = {connection}

[token]
provider = fernet

[cache]
enabled = true
backend = dogpile.cache.memcached
memcache_servers = {memcached}

[identity]
# The default of Python Keystone; both servers verify the same hashes.
password_hash_algorithm = bcrypt

[fernet_tokens]
key_repository = {keys}/fernet-keys/

[fernet_receipts]
key_repository = {keys}/fernet-keys/

[credential]
key_repository = {keys}/credential-keys/
"""

PASSWORD = "000000"

class MariaDb(services.MariaDb):
    """With a counter of the statements that others send."""

    def __init__(self, directory):
        self.looks, self.of_a_look = 0, 0
        super().__init__(directory)
        self.of_a_look = -self.statements() + self.statements()
        self.looks = 0

    def options(self):
        # Size L in memory, as a cloud's would be.
        return ["--innodb-buffer-pool-size=1G", "--innodb-log-file-size=512M"]

    def statements(self):
        ((_, count),) = self.sql("SHOW GLOBAL STATUS LIKE 'Questions'")
        self.looks += 1
        return int(count) - self.looks * self.of_a_look

    def quiet(self):
        """The counter once nobody sends statements."""
        counts = [self.statements()]

        def is_still():
            counts.append(self.statements())
            return counts[-1] == counts[-2]

        processes.wait_for("silence", is_still, timeout=120, pause=0.2)
        return counts[-1]


class Cloud:
    """A database of a size, bootstrapped and seeded."""

    def __init__(self, directory, mariadb, memcached, size_name, catalog, sync_options=()):
        self.directory = directory / f"cloud-{size_name}"
        self.directory.mkdir()
        self.keys, self.mariadb = directory, mariadb
        self.size = seed.SIZES[size_name]
        self.database = f"keystone_{size_name.lower()}"
        self.config = self.directory / "keystone.conf"
        connection = mariadb.database(self.database, "KEYSTONE_DBPASS")
        self.config.write_text(CONF.format(connection=connection, memcached=memcached.address, keys=directory))
        self.set_up(sync_options)
        self.fill(catalog)
        self.mint = minted.Mint(directory / "fernet-keys")
        self.admin = self.token_of_admin()

    def set_up(self, sync_options):
        keystone = keystones.Native(self.directory, self.config)
        owner = ("--keystone-user", getpass.getuser(), "--keystone-group", grp.getgrgid(os.getgid()).gr_name)
        url = "http://keystone.bench:5000/v3"
        urls = [part for name in ("admin", "internal", "public") for part in (f"--bootstrap-{name}-url", url)]
        for command in (
            ("db_sync", *sync_options),
            ("fernet_setup", *owner),
            ("credential_setup", *owner),
            ("bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-region-id", seed.REGIONS[0], *urls),
        ):
            done = keystone.manage(*command)
            if done.returncode:
                raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")

    def fill(self, catalog):
        password_hash = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(12)).decode()
        self.sql(seed.population(self.size, password_hash), timeout=1800)
        self.sql(seed.revocation_events(self.size.revocation_events), timeout=600)
        if catalog == "real":
            self.sql(seed.catalog())
        if self.sql("SHOW TABLES LIKE 'keystone_change'"):
            # A database of this size was not filled within the hour: most of its changes are pruned.
            self.sql(
                "SELECT MAX(id) INTO @newest FROM keystone_change; DELETE FROM keystone_change WHERE id < @newest",
                timeout=600,
            )
        tables = "assignment, local_user, password, project, revocation_event, user"
        self.sql(f"ANALYZE TABLE {tables}", timeout=600)

    def sql(self, text, timeout=120):
        return self.mariadb.sql(text, self.database, timeout=timeout)

    def token_of_admin(self):
        query = "SELECT user_id FROM local_user WHERE name = 'admin'; SELECT id FROM project WHERE name = 'admin'"
        (user,), (project,) = self.sql(query)
        return self.mint.project(user, project)

    def token(self, user, rescoped=False):
        """A token of the user of this number, on one of the own projects."""
        project = seed.identifier("project", seed.project_of(self.size, user))
        return self.mint.project(seed.identifier("user", user), project, rescoped)

    def other_project(self, user):
        """One that the token is not of."""
        return seed.identifier("project", seed.project_of(self.size, user, grant=2))

    def application_credential(self, keystone, user):
        """Creates one; returns its id and secret."""
        path = f"/v3/users/{seed.identifier('user', user)}/application_credentials"
        body = {"application_credential": {"name": "bench"}}
        answer = wire.request("POST", f"{keystone.url}{path}", body, self.token(user))
        if answer.status != 201:
            raise RuntimeError(f"POST {path}: {answer}")
        made = answer.json["application_credential"]
        return made["id"], made["secret"]
