"""A bootstrapped Keystone on MariaDB, and the tempest.conf that describes it."""

import getpass
import grp
import os

from harness import keystones, services

ADMIN_PASSWORD = "tempest-admin"

KEYSTONE_CONF = """\
[DEFAULT]
debug = false

[database]
connection = {connection}

[token]
provider = fernet

[fernet_tokens]
key_repository = {directory}/fernet-keys/

[credential]
key_repository = {directory}/credential-keys/

[identity]
# Each class of the suites creates its own users: few rounds make the tests fast.
password_hash_algorithm = bcrypt
password_hash_rounds = 4

[security_compliance]
lockout_failure_attempts = 2
lockout_duration = 5
unique_last_password_count = 2
"""

# Every feature is on that needs no external identity provider.
TEMPEST_CONF = """\
[DEFAULT]
log_file = {directory}/tempest.log

[oslo_concurrency]
lock_path = {directory}/locks

[auth]
use_dynamic_credentials = true
create_isolated_networks = false
admin_username = admin
admin_password = {password}
admin_domain_name = Default
admin_project_name = admin

[identity]
auth_version = v3
uri_v3 = {url}/v3
region = RegionOne
v3_endpoint_type = public
default_domain_id = default
user_lockout_failure_attempts = 2
user_lockout_duration = 5
user_unique_last_password_count = 2

[identity-feature-enabled]
api_v3 = true
api_extensions = all
security_compliance = true
immutable_user_source = false
trust = true
access_rules = true
enforce_scope = true

[enforce_scope]
keystone = true

[service_available]
cinder = false
glance = false
horizon = false
neutron = false
nova = false
swift = false
"""


def start(directory):
    """Starts both servers; returns them and the path of tempest.conf."""
    config = directory / "keystone.conf"
    mariadb = services.MariaDb(directory)
    connection = mariadb.database("keystone", "KEYSTONE_DBPASS")
    config.write_text(KEYSTONE_CONF.format(connection=connection, directory=directory))
    keystone = keystones.under_test(directory, config)
    manage(keystone, "db_sync")
    owner = ("--keystone-user", getpass.getuser(), "--keystone-group", grp.getgrgid(os.getgid()).gr_name)
    manage(keystone, "fernet_setup", *owner)
    manage(keystone, "credential_setup", *owner)
    keystone.serve()
    url = keystone.url
    manage(
        *(keystone, "bootstrap"),
        *("--bootstrap-password", ADMIN_PASSWORD, "--bootstrap-region-id", "RegionOne"),
        *("--bootstrap-admin-url", f"{url}/v3", "--bootstrap-internal-url", f"{url}/v3"),
        *("--bootstrap-public-url", f"{url}/v3"),
    )
    (directory / "locks").mkdir()
    path = directory / "tempest.conf"
    path.write_text(TEMPEST_CONF.format(directory=directory, password=ADMIN_PASSWORD, url=url))
    return [mariadb.daemon, keystone.daemon], path


def manage(keystone, *arguments):
    done = keystone.manage(*arguments)
    if done.returncode:
        raise RuntimeError(f"keystone-manage {arguments[0]}: {done.returncode}\n{done.stdout}{done.stderr}")
