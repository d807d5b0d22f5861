"""Glance of the install guide: its user, endpoints, API and an image, and refused requests for the image."""

import shutil
import socket

import guide
from guide import HOST
from harness import processes, wire
from harness.checks import contains, equal, expect
from harness.keystones import VENVS
from harness.shell import fields, is_id, rows

GLANCE_PASSWORD = "GLANCE_PASS"

CONF = """\
[DEFAULT]
enabled_backends = fs:file
worker_self_reference_url = {url}
use_stderr = true

[database]
connection = {connection}

[keystone_authtoken]
www_authenticate_uri = {public_url}
auth_url = {admin_url}
memcached_servers = {memcached}
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = glance
password = {password}

[paste_deploy]
flavor = keystone

[glance_store]
default_backend = fs

[fs]
filesystem_store_datadir = {directory}/images/

[os_glance_staging_store]
filesystem_store_datadir = {directory}/staging/

[os_glance_tasks_store]
filesystem_store_datadir = {directory}/tasks/
"""


def walk(run, cloud, admin, demo):
    """The guide's chapter; returns the secrets that no log may contain."""
    run.section("Glance's user, service and endpoints")
    port = guide.port(9292)
    url = f"http://{HOST}:{port}"
    users_and_endpoints(run, cloud, admin, url)
    run.section("Glance's API")
    with run.check("glance-manage db_sync and Glance's API under uWSGI", needed=True):
        start(cloud, url, port)
    images(run, cloud, admin, demo)
    return [GLANCE_PASSWORD, *refusals(run, cloud, admin, demo, url)]


def users_and_endpoints(run, cloud, admin, url):
    with run.check("openstack user create --domain default glance"):
        made = fields(
            admin.openstack("user", "create", "--domain", "default", "--password", GLANCE_PASSWORD, "glance")
        )
        equal((made["name"], made["domain_id"], made["enabled"]), ("glance", "default", "True"), "the user")
    with run.check("openstack role add --project service --user glance admin"):
        equal(admin.openstack("role", "add", "--project", "service", "--user", "glance", "admin"), "", "the output")
        listed = rows(admin.openstack("role", "assignment", "list", "--names", "--user", "glance"))
        found = [(row["Role"], row["User"], row["Project"]) for row in listed]
        equal(found, [("admin", "glance@Default", "service@Default")], "the role assignments")
    with run.check("openstack service create --name glance --description 'OpenStack Image service' image"):
        named = ("--name", "glance", "--description", "OpenStack Image service")
        made = fields(admin.openstack("service", "create", *named, "image"))
        wanted = {"name": "glance", "type": "image", "enabled": "True", "description": "OpenStack Image service"}
        equal({key: made.get(key) for key in wanted}, wanted, "the service")
        service = made["id"]
    for interface in ("public", "internal", "admin"):
        with run.check(f"openstack endpoint create --region RegionOne image {interface} {url}"):
            made = fields(admin.openstack("endpoint", "create", "--region", "RegionOne", "image", interface, url))
            wanted = {
                **{"interface": interface, "url": url, "region": "RegionOne", "region_id": "RegionOne"},
                **{"service_id": service, "service_name": "glance", "service_type": "image", "enabled": "True"},
            }
            equal({key: made.get(key) for key in wanted}, wanted, "the endpoint")
            expect(is_id(made["id"]), f"id {made['id']}")
    with run.check("openstack endpoint list"):
        listed = rows(admin.openstack("endpoint", "list"))
        found = sorted((row["Service Name"], row["Interface"], row["URL"]) for row in listed)
        identity = [("admin", cloud.admin_url), ("internal", cloud.public_url), ("public", cloud.public_url)]
        wanted = [("glance", interface, url) for interface in ("admin", "internal", "public")]
        equal(found, wanted + [("keystone", *pair) for pair in identity], "the endpoints")
    with run.check("openstack catalog list"):
        text = admin.openstack("catalog", "list")
        listed = {row["Name"]: row["Type"] for row in rows(text) if row["Name"]}
        equal(listed, {"keystone": "identity", "glance": "image"}, "the catalog")
        contains(text, f"public: {url}", f"admin: {cloud.admin_url}")


def start(cloud, url, port):
    directory = cloud.directory / "glance"
    for name in ("images", "staging", "tasks"):
        (directory / name).mkdir(parents=True)
    (directory / "glance-api.conf").write_text(
        CONF.format(
            url=url,
            connection=cloud.mariadb.database("glance", "GLANCE_DBPASS"),
            public_url=cloud.public_url,
            admin_url=cloud.admin_url,
            memcached=cloud.memcached.address,
            password=GLANCE_PASSWORD,
            directory=directory,
        )
    )
    venv = VENVS / "glance"
    shutil.copy(venv / "etc/glance/glance-api-paste.ini", directory)
    manage = [venv / "bin/glance-manage", "--config-file", directory / "glance-api.conf", "db_sync"]
    done = processes.run(manage)
    equal(done.returncode, 0, f"the exit status of glance-manage ({done.stderr[-2000:]})")
    command = [
        VENVS / "keystone/bin/uwsgi",
        *("--virtualenv", venv, "--http-socket", f"{processes.LOOPBACK}:{port}"),
        *("--module", "glance.wsgi.api:application", "--master", "--die-on-term", "--need-app"),
        *("--processes", 1, "--threads", 4, "--enable-threads", "--buffer-size", 65535, "--disable-logging"),
        *("--add-header", "Connection: close"),
    ]
    daemon = processes.Daemon(
        "glance-api", command, directory / "log", env={"OS_GLANCE_CONFIG_DIR": str(directory)}
    )
    processes.wait_for("answer of Glance", lambda: wire.answers(f"{url}/"), daemon=daemon, timeout=90)


def images(run, cloud, admin, demo):
    image = cloud.directory / "cirros.img"
    with run.check("qemu-img create -f qcow2"):
        done = processes.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "16M"])
        equal(done.returncode, 0, f"the exit status ({done.stderr})")
    with run.check("openstack image create cirros --public"):
        made = fields(
            admin.openstack(
                *("image", "create", "cirros", "--file", str(image)),
                *("--disk-format", "qcow2", "--container-format", "bare", "--public"),
            )
        )
        wanted = {"name": "cirros", "status": "active", "visibility": "public", "disk_format": "qcow2"}
        # The client prints the image before the upload; `image show` has the status after it.
        made["status"] = fields(admin.openstack("image", "show", "cirros"))["status"]
        equal({key: made.get(key) for key in wanted}, wanted, "the image")
        stored = list((cloud.directory / "glance/images").iterdir())
        equal([file.stat().st_size for file in stored], [image.stat().st_size], "the stored files' sizes")
    with run.check("openstack image list"):
        listed = rows(admin.openstack("image", "list"))
        equal([(row["Name"], row["Status"]) for row in listed], [("cirros", "active")], "the images")
    with run.check("demo's token may not delete it"):
        done = demo.try_openstack("image", "delete", "cirros")
        expect(done.returncode != 0, "the deletion succeeded")
        listed = rows(admin.openstack("image", "list"))
        equal([(row["Name"], row["Status"]) for row in listed], [("cirros", "active")], "the images")


def refusals(run, cloud, admin, demo, url):
    image = f"{url}/v2/images"
    keystone = cloud.public_url.rstrip("/")
    token = demo.openstack("token", "issue", "-f", "value", "-c", "id").strip()
    admins = admin.openstack("token", "issue", "-f", "value", "-c", "id").strip()
    with run.check("Glance hides the image from demo's role, and forbids its deletion to a member"):
        listed = wire.request("GET", image, token=admins)
        equal(listed.status, 200, "the status for admin")
        path = f"{image}/{listed.json['images'][0]['id']}"
        equal(wire.request("DELETE", path, token=token).status, 404, "the status for the role user")
        admin.openstack("role", "add", "--project", "demo", "--user", "demo", "member")
        token = demo.openstack("token", "issue", "-f", "value", "-c", "id").strip()
        equal(wire.request("DELETE", path, token=token).status, 403, "the status for the role member")
    with run.check("Glance's middleware keeps what it validated in memcached"):
        expect(memcached_items(cloud.memcached.port) > 0, "memcached holds nothing")
    with run.check("a revoked token gets 401 from Keystone and from Glance"):
        revoked = demo.openstack("token", "issue", "-f", "value", "-c", "id").strip()
        equal(wire.request("GET", f"{keystone}/auth/projects", token=revoked).status, 200, "the status before")
        equal(admin.openstack("token", "revoke", revoked), "", "the output of openstack token revoke")
        equal(wire.request("GET", f"{keystone}/auth/projects", token=revoked).status, 401, "Keystone's status")
        unauthorized(wire.request("GET", image, token=revoked), cloud)
    with run.check("a garbage token gets 401 from Keystone and from Glance"):
        garbage = "gAAAAABgarbage"
        equal(wire.request("GET", f"{keystone}/auth/projects", token=garbage).status, 401, "Keystone's status")
        unauthorized(wire.request("GET", image, token=garbage), cloud)
    with run.check("no token gets 401"):
        equal(wire.request("GET", f"{keystone}/auth/projects").status, 401, "Keystone's status")
    with run.check("openstack image delete as admin"):
        equal(admin.openstack("image", "delete", "cirros"), "", "the output")
        equal(admin.openstack("image", "list").strip(), "", "the images")
    return [token, admins, revoked]


def unauthorized(answer, cloud):
    equal(answer.status, 401, f"Glance's status of {answer}")
    contains(answer.header("WWW-Authenticate") or "", f'Keystone uri="{cloud.public_url.rstrip("/")}')


def memcached_items(port):
    with socket.create_connection((processes.LOOPBACK, port), timeout=5) as memcached:
        memcached.sendall(b"stats\r\n")
        text = b""
        while b"END\r\n" not in text:
            text += memcached.recv(4096)
    stats = dict(line.split()[1:3] for line in text.decode().splitlines() if line.startswith("STAT"))
    return int(stats["total_items"])
