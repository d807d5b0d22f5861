"""Asks Keystone every route and method, and writes each status to statuses.json.

A row tells what nobody gets without a body, what nobody gets with a well-formed one (`bodies.json`), and what the
administrator gets with it; ids in the paths are of nothing that exists. Arguments such as `POST /v3/users` ask
only these again.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
CONF = """\
[DEFAULT]
max_token_size = 255
[database]
connection = sqlite:///{directory}/keystone.db
[fernet_tokens]
key_repository = {directory}/fernet
[credential]
key_repository = {directory}/credential
[identity]
password_hash_rounds = 4
[cache]
enabled = false
"""
PARAMETERS = {"group": "identity", "option": "driver", "value": "blue"}
UNKNOWN = "1" * 32


def cloud(directory):
    """A bootstrapped Keystone as a WSGI application."""
    config = directory / "keystone.conf"
    config.write_text(CONF.format(directory=directory))
    for repository in ("fernet", "credential"):
        (directory / repository).mkdir(mode=0o700)
    manage = pathlib.Path(sys.executable).parent / "keystone-manage"
    bootstrap = ["bootstrap", "--bootstrap-password", "000000", "--bootstrap-region-id", "RegionOne"]
    url = "http://keystone.test:5000/v3"
    for kind in ("admin", "internal", "public"):
        bootstrap += [f"--bootstrap-{kind}-url", url]
    owner = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
    for command in (["db_sync"], ["fernet_setup", *owner], ["credential_setup", *owner], bootstrap):
        subprocess.run([manage, "--config-file", config, *command], check=True, capture_output=True)
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = str(config)
    from keystone.wsgi.api import application

    return application


class Client:
    def __init__(self, application):
        from werkzeug.test import Client as Werkzeug

        self.wsgi = Werkzeug(application)

    def ask(self, method, path, body=None, token=None):
        headers = {"Host": "keystone.test:5000"}
        if token:
            headers["X-Auth-Token"] = token
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body), "application/json"
        return self.wsgi.open(path, method=method, data=data, headers=headers)

    def status(self, *asked):
        """The status, or 0 where Keystone drops the connection."""
        try:
            answer = self.ask(*asked)
        except Exception:
            return 0
        return answer.status_code


def main():
    # Keystone would take the arguments for its own.
    wanted, sys.argv[1:] = sys.argv[1:], []
    routes = json.loads((HERE.parent / "parity/routes.json").read_text())
    bodies = json.loads((HERE / "bodies.json").read_text())
    with tempfile.TemporaryDirectory() as directory:
        client = Client(cloud(pathlib.Path(directory)))
        user = {"name": "admin", "domain": {"id": "default"}, "password": "000000"}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        token = client.ask("POST", "/v3/auth/tokens", {"auth": auth}).headers["X-Subject-Token"]
        rows = json.loads((HERE / "statuses.json").read_text()) if wanted else {}
        for route in routes:
            path = re.sub(r"\{(\w+)\}", lambda found: PARAMETERS.get(found[1], UNKNOWN), route["path"])
            for method in route["methods"]:
                key = f"{method} {route['path']}"
                if wanted and key not in wanted:
                    continue
                body = bodies.get(key)
                asked = [(method, path), (method, path, body), (method, path, body, token)]
                rows[key] = [client.status(*one) for one in asked]
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(row)}" for key, row in rows.items())
    (HERE / "statuses.json").write_text("{\n" + lines + "\n}\n")


main()
