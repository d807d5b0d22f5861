"""One database, one configuration, two Keystones, and the resources that the tests use."""

import getpass
import grp
import os

from harness import keystones, services, wire

CONF = """\
[DEFAULT]
max_token_size = 255

[database]
connection = {connection}

[token]
provider = fernet
allow_rescope_scoped_token = true

[fernet_tokens]
key_repository = {directory}/fernet-keys/
max_active_keys = 6

[credential]
key_repository = {directory}/credential-keys/

[identity]
# Python Keystone must be able to read the hashes; few rounds make the tests fast.
password_hash_algorithm = bcrypt
password_hash_rounds = 4
"""

# How this server is told what Python Keystone gets from WSGI.
PROXY = """
[trusted_proxy]
addresses = 127.0.0.1
secret_file = {directory}/proxy-secret
variables = NAME
"""

# Of the proxy.
SECRET = "s" * 32
ADMIN_PASSWORD = "000000"


class Cloud:
    def __init__(self, directory):
        self.directory = directory
        self.mariadb = services.MariaDb(directory)
        self.config = directory / "keystone.conf"
        (directory / "proxy-secret").write_text(SECRET)
        self.write_config(self.mariadb.database("keystone", "KEYSTONE_DBPASS"))
        self.reference = keystones.Reference(directory, self.config, module="harness.vouching")
        self.ours = keystones.under_test(directory, self.config)

    def write_config(self, connection):
        self.config.write_text((CONF + PROXY).format(connection=connection, directory=self.directory))

    def both_ways(self):
        """Both servers in both orders: (one, the other)."""
        return [(self.reference, self.ours), (self.ours, self.reference)]

    def admin(self, keystone, scope="admin"):
        return wire.login(keystone.url, "admin", ADMIN_PASSWORD, scope)


def owner():
    """The flags that root must pass to the key commands; the calling user owns the keys."""
    return "--keystone-user", getpass.getuser(), "--keystone-group", grp.getgrgid(os.getgid()).gr_name


def settle(keystone, url="http://127.0.0.1:5000/v3"):
    """Schema, keys and bootstrap by one server's `keystone-manage`."""
    manage(keystone, "db_sync")
    make_keys(keystone)
    manage(
        *(keystone, "bootstrap"),
        *("--bootstrap-password", ADMIN_PASSWORD, "--bootstrap-region-id", "RegionOne"),
        *("--bootstrap-admin-url", url, "--bootstrap-internal-url", url, "--bootstrap-public-url", url),
    )


def make_keys(keystone):
    for command in ("fernet_setup", "credential_setup"):
        manage(keystone, command, *owner())


def manage(keystone, *arguments):
    """Runs `keystone-manage`; an error shows its output."""
    done = keystone.manage(*arguments)
    if done.returncode:
        raise RuntimeError(f"keystone-manage {arguments[0]}: {done.returncode}\n{done.stdout}{done.stderr}")


class Things:
    """The ids of the resources that `furnish` created, by short names."""


def made(answer, wanted=201):
    if answer.status != wanted:
        raise RuntimeError(f"{wanted} expected: {answer}")
    if not answer.text:
        return None
    (resource,) = answer.json.values()
    return resource["id"]


def furnish(admin):
    """Creates a small cloud with at least one resource of each kind through one server."""
    things = Things()
    roles = {role["name"]: role["id"] for role in admin.get("/v3/roles").json["roles"]}
    things.admin_role, things.member, things.reader = roles["admin"], roles["member"], roles["reader"]

    def create(kind, plural, **fields):
        return made(admin.post(f"/v3/{plural}", {kind: fields}))

    def grant(path):
        made(admin.put(path), 204)

    things.admin_user = admin.get("/v3/users?name=admin").json["users"][0]["id"]
    things.admin_project = admin.get("/v3/projects?name=admin").json["projects"][0]["id"]
    things.domain = create("domain", "domains", name="Acme", description="A second domain", region_hint="north")
    things.project = create("project", "projects", name="demo", domain_id="default", description="Démo ☃")
    things.child = create("project", "projects", name="child", domain_id="default", parent_id=things.project)
    things.acme_project = create("project", "projects", name="works", domain_id=things.domain, enabled=False)
    things.demo = create(
        *("user", "users"), name="demo", domain_id="default", password="DEMO_PASS", email="demo@example.com"
    )
    things.alice = create(
        *("user", "users"),
        **{"name": "alice", "domain_id": "default", "password": "ALICE_PASS"},
        **{"default_project_id": things.project, "options": {"ignore_lockout_failure_attempts": True}},
    )
    things.disabled = create("user", "users", name="ghost", domain_id="default", password="GHOST", enabled=False)
    things.acme_user = create("user", "users", name="demo", domain_id=things.domain, password="ACME_PASS")
    things.group = create("group", "groups", name="staff", domain_id="default", description="Everybody")
    grant(f"/v3/groups/{things.group}/users/{things.alice}")
    things.role = create("role", "roles", name="user", description="of the install guide")
    things.domain_role = create("role", "roles", name="local", domain_id=things.domain)
    grant(f"/v3/projects/{things.project}/users/{things.demo}/roles/{things.role}")
    grant(f"/v3/projects/{things.project}/groups/{things.group}/roles/{things.member}")
    grant(f"/v3/domains/{things.domain}/users/{things.alice}/roles/{things.reader}")
    grant(f"/v3/domains/default/groups/{things.group}/roles/{things.reader}")
    grant(f"/v3/system/users/{things.alice}/roles/{things.reader}")
    grant(f"/v3/OS-INHERIT/projects/{things.project}/users/{things.alice}/roles/{things.reader}/inherited_to_projects")
    things.region = create("region", "regions", id="north", description="Up", parent_region_id="RegionOne")
    things.service = create("service", "services", type="image", name="glance", description="Images")
    things.endpoint = create(
        *("endpoint", "endpoints"),
        **{"service_id": things.service, "interface": "public", "region_id": "north"},
        url="http://images.example.com/$(project_id)s/v2",
    )
    create("service", "services", type="compute", name="nova", enabled=False)
    return things
