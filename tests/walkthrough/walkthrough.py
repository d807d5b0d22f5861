"""OpenStack's install guide from `CREATE DATABASE` to an image in Glance, each command's output checked."""

import getpass
import grp
import os
import pwd
import stat

import glance
import guide
from guide import HOST
from harness import checks, keystones, processes, services, wire
from harness.checks import Skipped, contains, equal, expect
from harness.shell import Shell, fields, is_id, rows

CONF = """\
[DEFAULT]
# The file of a Queens package with the edits of the install guide.

[database]
connection = {connection}

[memcache]
servers = {memcached}

[token]
provider = fernet

[revoke]
driver = sql

[fernet_tokens]
key_repository = {directory}/fernet-keys/

[credential]
key_repository = {directory}/credential-keys/

[extra_headers]
Distribution = Ubuntu
"""

OPENRC = """\
export OS_PROJECT_DOMAIN_NAME=Default
export OS_USER_DOMAIN_NAME=Default
export OS_PROJECT_NAME={project}
export OS_USERNAME={user}
export OS_PASSWORD={password}
export OS_AUTH_URL={url}
export OS_IDENTITY_API_VERSION=3
export OS_IMAGE_API_VERSION=2
"""

ADMIN_PASSWORD = "000000"
DEMO_PASSWORD = "DEMO_PASS"


class Cloud:
    """The servers of the guide."""

    def __init__(self, directory):
        self.directory = directory
        self.public, self.admin = guide.port(5000), guide.port(35357)
        self.public_url = f"http://{HOST}:{self.public}/v3/"
        self.admin_url = f"http://{HOST}:{self.admin}/v3/"
        self.mariadb = services.MariaDb(directory, guide.port(3306), HOST)
        self.memcached = services.Memcached(directory, guide.port(11211), HOST)
        self.keystone = keystones.under_test(directory, directory / "keystone.conf")

    def shell(self, user, project, password, url=None):
        text = OPENRC.format(user=user, project=project, password=password, url=url or self.admin_url)
        variables = dict(line[len("export "):].split("=", 1) for line in text.splitlines())
        return Shell(self.directory, variables)

    def openrc(self, name, user, project, password):
        path = self.directory / name
        path.write_text(OPENRC.format(user=user, project=project, password=password, url=self.public_url))
        return path


def database_and_configuration(run, cloud):
    run.section("The database and keystone.conf")
    with run.check("create the database and its grants", needed=True):
        connection = cloud.mariadb.database("keystone", "KEYSTONE_DBPASS")
        grants = cloud.mariadb.sql("SHOW GRANTS FOR 'keystone'@'%'")
        contains(str(grants), "ALL PRIVILEGES ON `keystone`.*")
        cloud.keystone.config.write_text(
            CONF.format(connection=connection, memcached=cloud.memcached.address, directory=cloud.directory)
        )


def manage(run, cloud):
    run.section("keystone-manage")
    with run.check("keystone-manage db_sync", needed=True):
        done = cloud.keystone.manage("db_sync")
        equal(done.returncode, 0, f"the exit status ({done.stderr})")
        tables = cloud.mariadb.sql("SHOW TABLES", "keystone")
        expect(len(tables) >= 49, f"only {len(tables)} tables")
        heads = cloud.mariadb.sql("SELECT version_num FROM alembic_version ORDER BY 1", "keystone")
        equal(heads, [["742c857f1dfb"], ["c88cdce8f248"]], "alembic_version")
    with run.check("keystone-manage db_sync --check has nothing left to do"):
        equal(cloud.keystone.manage("db_sync", "--check").returncode, 0, "the exit status")
    # The guide's user `keystone` comes with the packages; root can give the keys to another that every machine has.
    user, group = ("nobody", "nogroup") if os.getuid() == 0 else (getpass.getuser(), None)
    group = group or grp.getgrgid(os.getgid()).gr_name
    for command, repository in (("fernet_setup", "fernet-keys"), ("credential_setup", "credential-keys")):
        with run.check(f"keystone-manage {command} --keystone-user {user} --keystone-group {group}", needed=True):
            done = cloud.keystone.manage(command, "--keystone-user", user, "--keystone-group", group)
            equal(done.returncode, 0, f"the exit status ({done.stderr})")
            check_repository(cloud.directory / repository, user)
        with run.check(f"{command} again keeps the keys"):
            before = (cloud.directory / repository / "1").read_text()
            done = cloud.keystone.manage(command, "--keystone-user", user, "--keystone-group", group)
            equal(done.returncode, 0, "the exit status")
            equal((cloud.directory / repository / "1").read_text(), before, "the primary key")
    with run.check("keystone-manage bootstrap", needed=True):
        bootstrap(cloud)
    with run.check("bootstrap again changes nothing"):
        counted = "SELECT (SELECT COUNT(*) FROM user), (SELECT COUNT(*) FROM endpoint), (SELECT COUNT(*) FROM role)"
        before = cloud.mariadb.sql(counted, "keystone")
        equal(before, [["1", "3", "5"]], "users, endpoints, roles")
        bootstrap(cloud)
        equal(cloud.mariadb.sql(counted, "keystone"), before, "users, endpoints, roles")


def check_repository(path, user):
    equal(sorted(entry.name for entry in path.iterdir()), ["0", "1"], f"the keys in {path}")
    equal(stat.S_IMODE(path.stat().st_mode), 0o700, "the mode of the directory")
    for key in path.iterdir():
        equal(stat.S_IMODE(key.stat().st_mode), 0o600, f"the mode of {key}")
        equal(pwd.getpwuid(key.stat().st_uid).pw_name, user, f"the owner of {key}")


def bootstrap(cloud):
    done = cloud.keystone.manage(
        "bootstrap",
        *("--bootstrap-password", ADMIN_PASSWORD),
        *("--bootstrap-admin-url", cloud.admin_url),
        *("--bootstrap-internal-url", cloud.public_url),
        *("--bootstrap-public-url", cloud.public_url),
        *("--bootstrap-region-id", "RegionOne"),
    )
    equal(done.returncode, 0, f"the exit status ({done.stderr})")
    expect(ADMIN_PASSWORD not in done.stdout + done.stderr, "the password is in the output")


def serve(run, cloud):
    run.section("The server")
    with run.check("serve on 5000 and 35357", needed=True):
        cloud.keystone.serve(cloud.public, cloud.admin)
        for port in (cloud.public, cloud.admin):
            answer = wire.request("GET", f"http://{HOST}:{port}/")
            equal(answer.status, 300, "the status of /")
            version = answer.json["versions"]["values"][0]
            equal(version["links"][0]["href"], f"http://{HOST}:{port}/v3/", "the link")
            equal(version["status"], "stable", "the status of v3")


def projects_users_roles(run, cloud):
    run.section("Projects, users and roles")
    admin = cloud.shell("admin", "admin", ADMIN_PASSWORD)
    for name, description in (("service", "Service Project"), ("demo", "Demo Project")):
        with run.check(f"openstack project create --domain default --description '{description}' {name}"):
            made = fields(
                admin.openstack("project", "create", "--domain", "default", "--description", description, name)
            )
            expect(is_id(made["id"]), f"id {made['id']}")
            wanted = {
                **{"name": name, "description": description, "enabled": "True", "is_domain": "False"},
                **{"domain_id": "default", "parent_id": "default", "tags": "[]", "options": "{}"},
            }
            equal({key: made.get(key) for key in wanted}, wanted, "the project")
    with run.check("openstack user create --domain default --password-prompt demo, at a terminal"):
        shown = admin.openstack_at_terminal(
            *("user", "create", "--domain", "default", "--password-prompt", "demo"),
            answers=[("User Password:", DEMO_PASSWORD), ("Repeat User Password:", DEMO_PASSWORD)],
        )
        made = fields(shown)
        wanted = {"name": "demo", "domain_id": "default", "enabled": "True", "options": "{}"}
        wanted["password_expires_at"] = "None"
        equal({key: made.get(key) for key in wanted}, wanted, "the user")
        expect(is_id(made["id"]), f"id {made['id']}")
    with run.check("openstack role create user"):
        made = fields(admin.openstack("role", "create", "user"))
        equal((made["name"], made["domain_id"]), ("user", "None"), "the role")
    with run.check("openstack role add --project demo --user demo user"):
        equal(admin.openstack("role", "add", "--project", "demo", "--user", "demo", "user"), "", "the output")
        check_assignment(admin, "demo", "demo", "user")
    with run.check("a second project of the same name is refused"):
        done = admin.try_openstack("project", "create", "--domain", "default", "demo")
        equal(done.returncode, 1, "the exit status")
        contains(done.stderr, "409", "Conflict occurred attempting to store project")


def check_assignment(admin, user, project, role):
    listed = rows(admin.openstack("role", "assignment", "list", "--names", "--user", user, "--project", project))
    found = [(row["Role"], row["User"], row["Project"]) for row in listed]
    equal(found, [(role, f"{user}@Default", f"{project}@Default")], "the role assignments")


def check_token(text):
    token = fields(text)
    expect(token["id"].startswith("gAAAAA"), f"the token {token['id']!r}")
    expect(is_id(token["project_id"]) and is_id(token["user_id"]), f"the ids of {token}")
    contains(token["expires"], "T", "+0000")
    return token


def tokens(run, cloud):
    run.section("Verify operation")
    for user, project, url, password in (
        ("admin", "admin", cloud.admin_url, ADMIN_PASSWORD),
        ("demo", "demo", cloud.public_url, DEMO_PASSWORD),
    ):
        names = ("--os-project-domain-name", "Default", "--os-user-domain-name", "Default")
        with run.check(f"openstack --os-username {user} … token issue, the password asked for"):
            check_token(
                Shell(cloud.directory, {"OS_IDENTITY_API_VERSION": "3"}).openstack_at_terminal(
                    *("--os-auth-url", url, *names),
                    *("--os-project-name", project, "--os-username", user, "token", "issue"),
                    answers=[("Password:", password)],
                )
            )
        with run.check(f"openstack token issue as {user}, from the environment"):
            check_token(cloud.shell(user, project, password, url).openstack("token", "issue"))
        with run.check(f"openstack token issue as {user}, from a sourced script"):
            script = cloud.openrc(f"{user}-openrc", user, project, password)
            done = Shell(cloud.directory, {}).script(f". {script}; openstack token issue")
            equal(done.returncode, 0, f"the exit status ({done.stderr})")
            check_token(done.stdout)
    with run.check("a wrong password is refused"):
        done = cloud.shell("demo", "demo", "WRONG").try_openstack("token", "issue")
        equal(done.returncode, 1, "the exit status")
        contains(done.stderr, "The request you have made requires authentication. (HTTP 401)")
    with run.check("demo may not list users"):
        done = cloud.shell("demo", "demo", DEMO_PASSWORD).try_openstack("user", "list")
        equal(done.returncode, 1, "the exit status")
        contains(done.stderr, "403", "You are not authorized to perform the requested action: identity:list_users.")


def end(run, cloud, secrets):
    run.section("The end")
    with run.check("no secret in the server's log"):
        text = cloud.keystone.daemon.log.read_text(errors="replace")
        for secret in secrets:
            expect(secret not in text, f"{secret[:12]}… is in the log")
    with run.check("SIGTERM ends the server"):
        status = cloud.keystone.stop()
        if not keystones.is_native():
            raise Skipped(f"uWSGI has its own exit status ({status})")
        equal(status, 0, "the exit status")


def walkthrough(run):
    cloud = Cloud(processes.scratch("walkthrough"))
    database_and_configuration(run, cloud)
    manage(run, cloud)
    serve(run, cloud)
    projects_users_roles(run, cloud)
    tokens(run, cloud)
    admin = cloud.shell("admin", "admin", ADMIN_PASSWORD)
    demo = cloud.shell("demo", "demo", DEMO_PASSWORD)
    secrets = [DEMO_PASSWORD, "KEYSTONE_DBPASS", *glance.walk(run, cloud, admin, demo)]
    end(run, cloud, secrets)


checks.run("walkthrough", walkthrough)
