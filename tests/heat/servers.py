"""Heat in a temporary directory: its API, its CloudFormation API and one engine, with RabbitMQ."""

import shutil

from harness import processes, services, wire
from harness.checks import equal
from harness.clouds import ADMIN_PASSWORD
from harness.keystones import VENVS
from harness.processes import LOOPBACK

VENV = VENVS / "heat"

PASSWORD = "HEAT_PASS"
DOMAIN_ADMIN = {"name": "heat_domain_admin", "password": "HEAT_DOMAIN_PASS"}

CONF = """\
[DEFAULT]
transport_url = {rabbitmq}
host = engine
num_engine_workers = 1
use_stderr = true
auth_encryption_key = 0123456789abcdef0123456789abcdef
environment_dir = {directory}/environment.d
template_dir = {directory}/templates
heat_metadata_server_url = {cfn_url}
heat_waitcondition_server_url = {cfn_url}/v1/waitcondition
deferred_auth_method = trusts
stack_user_domain_id = {domain_id}
stack_domain_admin = {domain_admin}
stack_domain_admin_password = {domain_password}

[database]
connection = {connection}

[paste_deploy]
api_paste_config = {directory}/api-paste.ini

[oslo_concurrency]
lock_path = {directory}/locks

[clients_keystone]
auth_uri = {url}

[keystone_authtoken]
www_authenticate_uri = {url}/v3
{service_user}
project_name = service
project_domain_id = default

[trustee]
{service_user}

[ec2authtoken]
{service_user}
project_name = service
project_domain_id = default
# Heat adds /v3/ec2tokens to it.
endpoint_override = {url}
"""

SERVICE_USER = """\
auth_type = password
auth_url = {url}/v3
username = heat
password = {password}
user_domain_id = default
"""


class Heat:
    def __init__(self, cloud, domain_id):
        """Starts the servers; Keystone's services, their user and Heat's domain must exist."""
        self.directory = cloud.directory / "heat"
        # oslo.config finds the file there: the WSGI applications take no arguments.
        self.config = self.directory / ".heat/heat.conf"
        shutil.copytree(VENV / "etc/heat", self.directory)
        self.config.parent.mkdir()
        self.port, self.cfn_port = processes.free_port(), processes.free_port()
        self.rabbitmq = services.RabbitMq(cloud.directory)
        self.config.write_text(
            CONF.format(
                rabbitmq=self.rabbitmq.url,
                directory=self.directory,
                cfn_url=f"http://{LOOPBACK}:{self.cfn_port}",
                domain_id=domain_id,
                domain_admin=DOMAIN_ADMIN["name"],
                domain_password=DOMAIN_ADMIN["password"],
                connection=cloud.mariadb.database("heat", "HEAT_DBPASS"),
                url=cloud.url,
                service_user=SERVICE_USER.format(url=cloud.url, password=PASSWORD),
            )
        )
        done = processes.run([VENV / "bin/heat-manage", "--config-file", self.config, "db_sync"], timeout=600)
        equal(done.returncode, 0, f"the exit status of heat-manage ({done.stderr[-2000:]})")
        command = [VENV / "bin/heat-engine", "--config-file", self.config]
        self.engine = processes.Daemon("heat-engine", command, self.directory / "engine.log")
        self.api("heat.wsgi.api", self.port)
        self.api("heat.wsgi.cfn", self.cfn_port)

    def api(self, module, port):
        command = [
            VENVS / "keystone/bin/uwsgi",
            *("--virtualenv", VENV, "--http-socket", f"{LOOPBACK}:{port}"),
            *("--module", f"{module}:application", "--master", "--die-on-term", "--need-app", "--lazy-apps"),
            *("--processes", 1, "--threads", 4, "--enable-threads", "--buffer-size", 65535, "--disable-logging"),
            *("--add-header", "Connection: close"),
        ]
        log = self.directory / f"{module}.log"
        daemon = processes.Daemon(module, command, log, env={"HOME": str(self.directory)})
        url = f"http://{LOOPBACK}:{port}/healthcheck"
        processes.wait_for(f"answer of {module}", lambda: wire.answers(url), daemon=daemon, timeout=180)

    def url(self, project_id):
        return f"http://{LOOPBACK}:{self.port}/v1/{project_id}"


def set_up_domain(cloud):
    """Heat's domain and its administrator, by the command that Heat ships; returns the domain's id."""
    environment = {
        **{"OS_USERNAME": "admin", "OS_PASSWORD": ADMIN_PASSWORD, "OS_PROJECT_NAME": "admin"},
        **{"OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default", "OS_AUTH_URL": cloud.auth_url},
    }
    command = [
        VENV / "bin/heat-keystone-setup-domain",
        *("--stack-user-domain-name", "heat", "--stack-domain-admin", DOMAIN_ADMIN["name"]),
        *("--stack-domain-admin-password", DOMAIN_ADMIN["password"]),
    ]
    done = processes.run(command, env=environment)
    equal(done.returncode, 0, f"the exit status of heat-keystone-setup-domain ({done.stderr[-2000:]})")
    options = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return options["stack_user_domain_id"]
