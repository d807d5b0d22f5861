"""Python Keystone starts on a database that this server created."""

import cloud
from harness import keystones, wire
from harness.checks import equal, expect
from invariants import schema
from outage import variant

BOOTSTRAPPED = {
    "roles": "SELECT name, domain_id, description, extra FROM role ORDER BY name",
    "role options": "SELECT name, option_id, option_value FROM role_option JOIN role ON id = role_id ORDER BY 1, 2",
    "implied roles": "SELECT p.name, i.name FROM implied_role JOIN role p ON p.id = prior_role_id "
    "JOIN role i ON i.id = implied_role_id ORDER BY 1, 2",
    "assignments": "SELECT type, u.name, p.name, r.name, inherited FROM assignment "
    "JOIN local_user u ON u.user_id = actor_id JOIN project p ON p.id = target_id JOIN role r ON r.id = role_id",
    "system assignments": "SELECT type, u.name, target_id, r.name, inherited FROM system_assignment "
    "JOIN local_user u ON u.user_id = actor_id JOIN role r ON r.id = role_id",
    "projects": "SELECT name, domain_id, parent_id, is_domain, enabled, description, extra FROM project ORDER BY name",
    "users": "SELECT l.name, l.domain_id, u.enabled, u.extra, u.default_project_id, l.failed_auth_count "
    "FROM user u JOIN local_user l ON l.user_id = u.id",
    "passwords": "SELECT LEFT(password_hash, 7), expires_at, self_service FROM password",
    "regions": "SELECT id, description, parent_region_id, extra FROM region",
    "services": "SELECT type, enabled, extra FROM service",
    "endpoints": "SELECT interface, url, region_id, enabled, legacy_endpoint_id, extra FROM endpoint ORDER BY 1",
}


def tell(run, both):
    ours = variant(both, "ours")
    theirs = variant(both, "theirs")
    with run.check("both make a database", needed=True):
        cloud.settle(ours)
        cloud.settle(keystones.Reference(theirs.directory, theirs.config))
    with run.check("the tables are the same"):
        made, wanted = (schema(both.mariadb, name) for name in ("ours", "theirs"))
        for table, parts in wanted.items():
            equal(made.get(table), parts, f"table {table}")
    for what, query in BOOTSTRAPPED.items():
        with run.check(f"bootstrap makes the same {what}"):
            made, wanted = (both.mariadb.sql(query, name) for name in ("ours", "theirs"))
            expect(wanted, "Keystone has none")
            equal(made, wanted, f"the {what}")
    with run.check("this server at work on it", needed=True):
        ours.serve()
        admin = wire.login(ours.url, "admin", cloud.ADMIN_PASSWORD, "admin")
        fields = {"name": "left-behind", "domain_id": "default", "password": "BEFORE"}
        user = cloud.made(admin.post("/v3/users", {"user": fields}))
        seen = admin.get(f"/v3/users/{user}").json["user"]
        ours.stop()
    python = keystones.Reference(ours.directory, ours.config)
    with run.check("Python's db_sync finds nothing to do"):
        equal(python.manage("db_sync", "--check").returncode, 0, "the exit status of --check")
        before = schema(both.mariadb, "ours")
        done = python.manage("db_sync")
        equal(done.returncode, 0, f"the exit status ({done.stderr})")
        expect("Running upgrade" not in done.stdout + done.stderr, done.stdout + done.stderr)
        equal(schema(both.mariadb, "ours"), before, "the schema")
    with run.check("Python Keystone serves it: log in, the token from before, the user from before", needed=True):
        python.serve()
        client = wire.login(python.url, "admin", cloud.ADMIN_PASSWORD, "admin")
        equal(client.get("/v3/users", token=admin.token).status, 200, "the status of the token from before")
        wire.login(python.url, "left-behind", "BEFORE", "unscoped")
        found = client.get(f"/v3/users/{user}").json["user"]
        found["links"], seen["links"] = {}, {}
        equal(found, seen, "the user")
    with run.check("bootstrap by Python on it changes nothing"):
        done = python.manage("bootstrap", "--bootstrap-password", cloud.ADMIN_PASSWORD)
        equal(done.returncode, 0, f"the exit status ({done.stderr})")
        for what in ("roles", "role options", "implied roles", "assignments", "system assignments", "projects"):
            made, wanted = (both.mariadb.sql(BOOTSTRAPPED[what], name) for name in ("ours", "theirs"))
            equal(made, wanted, f"the {what}")
    with run.check("and back: this server again, with what Python wrote"):
        fields = {"name": "written-by-python", "domain_id": "default", "password": "AFTER"}
        cloud.made(client.post("/v3/users", {"user": fields}))
        python.stop()
        ours.serve()
        wire.login(ours.url, "written-by-python", "AFTER", "unscoped")
        equal(wire.Client(ours.url, client.token).get("/v3/users").status, 200, "the status of Python's token")
        ours.stop()
