"""Swift in a temporary directory: a proxy, and an account, a container and an object server with one device."""

import getpass

from harness import processes, wire
from harness.keystones import VENVS
from harness.processes import LOOPBACK

SWIFT = VENVS / "swift/bin"

SWIFT_CONF = """\
[swift-hash]
swift_hash_path_suffix = suffix
swift_hash_path_prefix = prefix
"""

SERVER = """\
[DEFAULT]
swift_dir = {directory}
devices = {directory}/devices
mount_check = false
user = {user}
bind_ip = {host}
bind_port = {port}
workers = 0

[pipeline:main]
pipeline = {name}-server

[app:{name}-server]
use = egg:swift#{app}
"""

# `s3token` asks Keystone at every request: no answer is kept that a withdrawn role must change.
PROXY = """\
[DEFAULT]
swift_dir = {directory}
user = {user}
bind_ip = {host}
bind_port = {port}
workers = 0

[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats bulk authtoken s3api s3token keystoneauth copy slo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:gatekeeper]
use = egg:swift#gatekeeper

[filter:listing_formats]
use = egg:swift#listing_formats

[filter:bulk]
use = egg:swift#bulk

[filter:copy]
use = egg:swift#copy

[filter:slo]
use = egg:swift#slo

[filter:s3api]
use = egg:swift#s3api
location = us-east-1

[filter:s3token]
use = egg:swift#s3token
auth_uri = {auth_url}
secret_cache_duration = 0
auth_type = password
auth_url = {auth_url}
username = swift
password = {password}
user_domain_id = default
project_name = service
project_domain_id = default

[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = {auth_url}
auth_url = {auth_url}
auth_type = password
username = swift
password = {password}
user_domain_id = default
project_name = service
project_domain_id = default
delay_auth_decision = true

[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
"""

# One device, so one replica of every partition.
RINGS = """\
import sys
from swift.common.ring import RingBuilder

directory, host, *ports = sys.argv[1:]
for name, port in zip(("account", "container", "object"), ports):
    builder = RingBuilder(2, 1, 0)
    device = {"id": 0, "region": 1, "zone": 1, "ip": host, "port": int(port), "device": "disk", "weight": 1}
    builder.add_dev({**device, "replication_ip": host, "replication_port": int(port), "meta": ""})
    builder.rebalance()
    builder.get_ring().save(f"{directory}/{name}.ring.gz")
"""


class Swift:
    PASSWORD = "SWIFT_PASS"

    def __init__(self, cloud):
        """Starts the servers; Keystone's service and its user must exist."""
        self.directory = cloud.directory / "swift"
        (self.directory / "devices/disk").mkdir(parents=True)
        (self.directory / "swift.conf").write_text(SWIFT_CONF)
        self.port = processes.free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.filled = {"directory": self.directory, "user": getpass.getuser(), "host": LOOPBACK}
        # The object server in memory needs no file system with extended attributes.
        apps = {"account": "account", "container": "container", "object": "mem_object"}
        ports = {name: processes.free_port() for name in apps}
        command = [SWIFT / "python", "-c", RINGS, self.directory, LOOPBACK, *ports.values()]
        done = processes.run(command, cwd=self.directory)
        if done.returncode:
            raise RuntimeError(f"the rings: {done.stderr}")
        for name, app in apps.items():
            self.spawn(name, ports[name], SERVER.format(**self.filled, port=ports[name], name=name, app=app))
        proxy = PROXY.format(**self.filled, port=self.port, auth_url=cloud.auth_url, password=self.PASSWORD)
        self.spawn("proxy", self.port, proxy)

    def spawn(self, name, port, text):
        config = self.directory / f"{name}-server.conf"
        config.write_text(text)
        command = [SWIFT / f"swift-{name}-server", config, "--verbose"]
        daemon = processes.Daemon(f"swift-{name}-server", command, self.directory / f"{name}.log")
        url = f"http://{LOOPBACK}:{port}/"
        processes.wait_for(f"answer of {daemon.name}", lambda: wire.answers(url), daemon=daemon, timeout=90)
