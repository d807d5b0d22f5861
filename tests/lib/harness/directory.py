"""A private OpenLDAP server with the users and groups of `crates/ldap/tests/slapd/fixture.ldif`."""

import pathlib
import shutil

from . import processes
from .processes import LOOPBACK

ROOT = pathlib.Path(__file__).parents[3]
CONFIGURATION = ROOT / "tests/ldap/slapd.conf"
FIXTURE = ROOT / "crates/ldap/tests/slapd"
SUFFIX = "dc=example,dc=org"
PEOPLE = f"ou=People,{SUFFIX}"
GROUPS = f"ou=Groups,{SUFFIX}"
AS_ROOT = ("-D", f"cn=root,{SUFFIX}", "-w", "root-secret")


def many(count):
    """A tree of so many users, as LDIF."""
    people = (
        f"dn: uid=user{n},ou=Many,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: user{n}\ncn: u\nsn: u\nuserPassword: user{n}-secret\n"
        for n in range(count)
    )
    return "\n".join([f"\ndn: ou=Many,{SUFFIX}\nobjectClass: organizationalUnit\nou: Many\n", *people])


class Slapd:
    """`more` is LDIF beside the fixture."""

    def __init__(self, directory, more=""):
        self.directory = directory / "slapd"
        self.config = self.directory / "slapd.conf"
        self.port = processes.free_port()
        self.daemon = None
        (self.directory / "data").mkdir(parents=True)
        text = CONFIGURATION.read_text()
        text = text.replace("{directory}", str(self.directory)).replace("{fixture}", str(FIXTURE))
        self.config.write_text(text)
        # Under the name of the package's program, AppArmor would keep it from the test's files.
        self.program = shutil.copy("/usr/sbin/slapd", self.directory)
        entries = self.directory / "all.ldif"
        entries.write_text((FIXTURE / "fixture.ldif").read_text() + more)
        done = processes.run([self.program, "-T", "add", "-q", "-f", self.config, "-l", entries])
        if done.returncode:
            raise RuntimeError(f"slapadd: {done.stdout}{done.stderr}")

    @property
    def url(self):
        return f"ldap://{LOOPBACK}:{self.port}"

    def start(self):
        command = [self.program, "-f", self.config, "-h", self.url, "-d", "stats"]
        self.daemon = processes.Daemon("slapd", command, self.directory / "log")
        processes.wait_for("slapd", lambda: processes.listening(self.port), daemon=self.daemon)
        return self

    def stop(self):
        return self.daemon.stop()

    def modify(self, ldif):
        done = processes.run(["ldapmodify", "-x", "-H", self.url, *AS_ROOT], input=ldif)
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
