"""A private OpenLDAP server with the users and groups of `tests/ldap/fixture.ldif`."""

import pathlib

from . import processes
from .processes import LOOPBACK

FILES = pathlib.Path(__file__).parents[2] / "ldap"
SUFFIX = "dc=example,dc=org"
PEOPLE = f"ou=People,{SUFFIX}"
GROUPS = f"ou=Groups,{SUFFIX}"
ROOT = ("-D", f"cn=root,{SUFFIX}", "-w", "root-secret")


class Slapd:
    """`more` is LDIF beside the fixture."""

    def __init__(self, directory, more=""):
        self.directory = directory / "slapd"
        self.config = self.directory / "slapd.conf"
        self.port = processes.free_port()
        self.daemon = None
        (self.directory / "data").mkdir(parents=True)
        text = (FILES / "slapd.conf").read_text()
        self.config.write_text(text.replace("{directory}", str(self.directory)))
        done = processes.run(["slapadd", "-q", "-f", self.config], input=(FILES / "fixture.ldif").read_text() + more)
        if done.returncode:
            raise RuntimeError(f"slapadd: {done.stdout}{done.stderr}")

    @property
    def url(self):
        return f"ldap://{LOOPBACK}:{self.port}"

    def start(self):
        command = ["slapd", "-f", self.config, "-h", self.url, "-d", "stats"]
        self.daemon = processes.Daemon("slapd", command, self.directory / "log")
        processes.wait_for("slapd", lambda: processes.listening(self.port), daemon=self.daemon)
        return self

    def stop(self):
        return self.daemon.stop()

    def modify(self, ldif):
        done = processes.run(["ldapmodify", "-x", "-H", self.url, *ROOT], input=ldif)
        if done.returncode:
            raise RuntimeError(f"ldapmodify: {done.stdout}{done.stderr}")

    def binds(self, name):
        """How many binds there were by names that begin so."""
        return self.daemon.log.read_text(errors="replace").count(f' BIND dn="{name}')

    def options(self, **more):
        """What `[ldap]` needs for it."""
        return {
            "url": self.url,
            "user": f"cn=keystone,ou=Services,{SUFFIX}",
            "password": "service-secret",
            "suffix": SUFFIX,
            "user_tree_dn": PEOPLE,
            "user_id_attribute": "uid",
            "user_name_attribute": "uid",
            "group_tree_dn": GROUPS,
            "group_name_attribute": "cn",
            **more,
        }
