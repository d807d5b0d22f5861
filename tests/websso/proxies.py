"""Web servers in front of Keystone, configured by what `deploy/README.md` says."""

import configparser
import pathlib
import re

from harness import processes, services, wire
from harness.processes import LOOPBACK

README = pathlib.Path(__file__).parent.parent.parent / "deploy/README.md"
PROXY = "## A web server in front that authenticates"
PROVIDERS = "### Identity providers behind Apache httpd"
LOADED = ("mpm_event", "authn_core", "authz_core", "authz_user", "headers", "proxy", "proxy_http")
KEYSTONE = "http://127.0.0.1:5000"


def snippets(heading):
    """The code blocks of a section, each as its parts: the text below `# keystone.conf`, `# Apache httpd` and `# nginx`."""
    _, section = README.read_text().split(f"{heading}\n")
    section = re.split(r"^##+ ", section, flags=re.M)[0]
    return [parts(block) for block in re.findall(r"^```\n(.*?)^```", section, re.M | re.S)]


def parts(block):
    pieces = re.split(r"^# (keystone\.conf|Apache httpd|nginx)(?=$|:).*\n", block, flags=re.M)
    return {"": pieces[0], **dict(zip(pieces[1::2], pieces[2::2]))}


def options(text, **replaced):
    """Options of keystone.conf: section → option → value."""
    read = configparser.RawConfigParser(default_section=None)
    read.read_string(filled(text, replaced))
    return {name: dict(read[name]) for name in read.sections()}


def filled(text, replaced):
    """Puts in what the operator has to; each must be there."""
    for old, new in replaced.items():
        if old not in text:
            raise RuntimeError(f"{old!r} is not in\n{text}")
        text = text.replace(old, new)
    return text


def apache(directory, cloud, module, text, port=None, before="", **replaced):
    """Apache with a module, and the text of the documentation."""
    text = filled(text, {KEYSTONE: cloud.url, **replaced})
    text = f"Define KEYSTONE_SECRET {cloud.secret}\n{before}\n{text}"
    return services.Apache(directory, (*LOADED, module) if module else LOADED, text, port).start()


class Nginx:
    CONFIG = """\
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/log info;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {directory};
  proxy_temp_path {directory};
  fastcgi_temp_path {directory};
  uwsgi_temp_path {directory};
  scgi_temp_path {directory};
  map $ssl_client_s_dn $client_common_name {{ default ""; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
{text}
    }}
  }}
}}
"""

    def __init__(self, directory, text, port=None):
        directory.mkdir()
        self.port = port or processes.free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        config = directory / "nginx.conf"
        config.write_text(self.CONFIG.format(directory=directory, port=self.port, text=text))
        command = ["nginx", "-p", directory, "-e", directory / "log", "-c", config]
        self.daemon = processes.Daemon("nginx", command, directory / "output")
        processes.wait_for("nginx", lambda: wire.answers(self.url), daemon=self.daemon)

    def stop(self):
        return self.daemon.stop()
