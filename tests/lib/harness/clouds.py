"""A bootstrapped Keystone on MariaDB, and people with a project in it."""

import configparser
import getpass
import grp
import io
import itertools
import os

from . import keystones, services, wire

ADMIN_PASSWORD = "admin-secret"
REGION = "RegionOne"

CONFIG = {
    "DEFAULT": {"max_token_size": 255},
    "token": {"provider": "fernet"},
    "fernet_tokens": {"key_repository": "{directory}/fernet-keys/"},
    "fernet_receipts": {"key_repository": "{directory}/receipt-keys/"},
    "credential": {"key_repository": "{directory}/credential-keys/"},
    # Both servers write and read these hashes; few rounds make the tests fast.
    "identity": {"password_hash_algorithm": "bcrypt", "password_hash_rounds": 4},
}


class Person:
    """A user of the domain `default`, with a role on one project."""

    def __init__(self, cloud, name, password, id, project, project_id):
        self.cloud, self.name, self.password, self.id = cloud, name, password, id
        self.project, self.project_id = project, project_id

    def credentials(self):
        """What keystoneauth1's `v3.Password` takes, for a token of the project."""
        return {
            **{"auth_url": self.cloud.auth_url, "username": self.name, "password": self.password},
            **{"user_domain_id": "default", "project_id": self.project_id},
        }

    def environment(self):
        """The same as `OS_*` variables."""
        return variables(self.credentials())

    def client(self, scope=None):
        """A client with a fresh token, of the project unless a scope is given."""
        scope = scope or {"project": {"id": self.project_id}}
        return wire.login(self.cloud.url, self.name, self.password, scope)


class Cloud:
    def __init__(self, directory, config=None, mariadb=None, database="keystone", port=None):
        """`config` has further options of keystone.conf: section → option → value."""
        self.directory = directory
        self.mariadb = mariadb or services.MariaDb(directory)
        self.config = directory / "keystone.conf"
        self.write_config(self.mariadb.database(database, "KEYSTONE_DBPASS"), config or {})
        self.keystone = keystones.under_test(directory, self.config)
        self.numbers = itertools.count(1)
        self.start(*([port] if port else []))
        self.admin = wire.login(self.url, "admin", ADMIN_PASSWORD, "admin")
        roles = made(self.admin.get("/v3/roles"), 200)
        self.roles = {role["name"]: role["id"] for role in roles}

    @property
    def url(self):
        return self.keystone.url

    @property
    def auth_url(self):
        return f"{self.url}/v3"

    def write_config(self, connection, config):
        self.configure(self.config, None, {"database": {"connection": connection}}, CONFIG, config)

    def variant(self, name, config):
        """The same configuration with other options, in a file of its own."""
        return self.configure(self.directory / f"{name}.conf", self.config, config)

    def configure(self, path, base, *parts):
        """Writes a configuration; later parts win."""
        text = configparser.RawConfigParser(default_section=None)
        text.read(base or ())
        for part in parts:
            text.read_dict(part)
        written = io.StringIO()
        text.write(written)
        path.write_text(written.getvalue().replace("{directory}", str(self.directory)))
        return path

    def start(self, *ports):
        self.manage("db_sync")
        owner = ("--keystone-user", getpass.getuser(), "--keystone-group", grp.getgrgid(os.getgid()).gr_name)
        for command in ("fernet_setup", "credential_setup", "receipt_setup"):
            self.manage(command, *owner)
        self.keystone.serve(*ports)
        self.manage(
            *("bootstrap", "--bootstrap-password", ADMIN_PASSWORD, "--bootstrap-region-id", REGION),
            *("--bootstrap-admin-url", self.auth_url, "--bootstrap-internal-url", self.auth_url),
            *("--bootstrap-public-url", self.auth_url),
        )

    def manage(self, *arguments):
        done = self.keystone.manage(*arguments)
        if done.returncode:
            raise RuntimeError(f"keystone-manage {arguments[0]}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def create(self, kind, plural, **fields):
        """Creates a resource as admin; returns it."""
        return made(self.admin.post(f"/v3/{plural}", {kind: fields}))

    def project(self, name, **fields):
        return self.create("project", "projects", **{"name": name, "domain_id": "default", **fields})

    def user(self, name, password, **fields):
        return self.create(
            *("user", "users"), **{"name": name, "password": password, "domain_id": "default", **fields}
        )

    def grant(self, user_id, role, project_id):
        made(self.admin.put(self.grant_path(user_id, role, project_id)), 204)

    def withdraw(self, user_id, role, project_id):
        made(self.admin.delete(self.grant_path(user_id, role, project_id)), 204)

    def grant_path(self, user_id, role, project_id):
        return f"/v3/projects/{project_id}/users/{user_id}/roles/{self.roles[role]}"

    def person(self, *roles):
        """A new user with the roles (`member` if none is given) on a new project."""
        number = next(self.numbers)
        name, password, project = f"person-{number}", f"secret-{number}", f"project-{number}"
        project_id = self.project(project)["id"]
        user = self.user(name, password)
        for role in roles or ("member",):
            self.grant(user["id"], role, project_id)
        return Person(self, name, password, user["id"], project, project_id)

    def administrator(self):
        """The user that the bootstrap created."""
        user = made(self.admin.get("/v3/users?name=admin"), 200)[0]
        project = made(self.admin.get("/v3/projects?name=admin"), 200)[0]
        return Person(self, "admin", ADMIN_PASSWORD, user["id"], "admin", project["id"])

    def service(self, name, type, url):
        """A service with its three endpoints."""
        service = self.create("service", "services", name=name, type=type)
        for interface in ("public", "internal", "admin"):
            self.create(
                *("endpoint", "endpoints"),
                **{"service_id": service["id"], "interface": interface, "url": url, "region_id": REGION},
            )
        return service


def variables(credentials, **more):
    """keystoneauth1's options as the `OS_*` variables of the command-line client."""
    named = {f"OS_{name.upper()}": value for name, value in {**credentials, **more}.items()}
    return {"OS_IDENTITY_API_VERSION": "3", **named}


def made(answer, wanted=201):
    """The resource or list in an answer, whose status must be `wanted`."""
    if answer.status != wanted:
        raise RuntimeError(f"{wanted} expected: {answer}")
    if not answer.text:
        return None
    body = {name: value for name, value in answer.json.items() if name not in ("links", "truncated")}
    (resource,) = body.values()
    return resource
