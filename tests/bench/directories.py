"""Users of a directory: the servers once more, on the same database, with a domain whose backend is OpenLDAP."""

import copy
import hashlib
import itertools
import statistics
import time

import contestants
import report
import seed
from contest import Contest
from load import Request

from harness import directory, wire
from harness.clouds import made

TOKENS = "/v3/auth/tokens"
USERS = 12_000
LOGGED_IN = 100
CONNECTIONS = 8


class Corp:
    """A domain of 12,000 users, the first of whom have a role on a project."""

    def __init__(self, contest):
        place = contest.directory / "corp"
        place.mkdir()
        self.slapd = directory.Slapd(place, more=directory.many(USERS)).start()
        admin = wire.Client(contest.ours.url, contest.cloud.admin)
        self.id = made(admin.post("/v3/domains", {"domain": {"name": "corp"}}))["id"]
        self.project = seed.identifier("project", 1)
        self.cloud = copy.copy(contest.cloud)
        self.cloud.directory, self.cloud.config = place, place / "keystone.conf"
        self.write_config(place / "domains", contest.cloud.config.read_text())
        self.contest = Contest(contest.options, place, self.cloud, contest.memcached)
        done = self.contest.ours.manage("mapping_populate", "--domain-name", "corp")
        if done.returncode:
            raise RuntimeError(f"mapping_populate: {done.stdout}{done.stderr}")
        self.grant()
        self.contest.serve()

    def write_config(self, domains, base):
        domains.mkdir()
        lines = ["[identity]", "driver = ldap", "[ldap]"]
        options = self.slapd.options(user_tree_dn=f"ou=Many,{directory.SUFFIX}", page_size=500)
        lines += [f"{name} = {value}" for name, value in options.items()]
        (domains / "keystone.corp.conf").write_text("\n".join(lines) + "\n")
        drivers = f"[identity]\ndomain_specific_drivers_enabled = true\ndomain_config_dir = {domains}\n"
        self.cloud.config.write_text(base.replace("[identity]\n", drivers))

    def grant(self):
        actors = ", ".join(f"'{self.user(number)}'" for number in range(LOGGED_IN))
        self.cloud.sql(
            "INSERT INTO assignment (type, actor_id, target_id, role_id, inherited) "
            f"SELECT 'UserProject', m.public_id, '{self.project}', r.id, 0 FROM id_mapping m JOIN role r "
            f"WHERE m.public_id IN ({actors}) AND r.name = 'member' AND r.domain_id = '<<null>>'"
        )

    def user(self, number):
        return hashlib.sha256(f"{self.id}useruser{number}".encode()).hexdigest()

    def validation(self, number):
        """About a token of the user that nobody has seen."""
        token = self.cloud.mint.project(self.user(number), self.project)
        return Request("GET", TOKENS, self.cloud.admin, token, self.user(number))

    def login(self, number):
        user = {"name": f"user{number}", "domain": {"id": self.id}, "password": f"user{number}-secret"}
        identity = {"methods": ["password"], "password": {"user": user}}
        return Request("POST", TOKENS, body=wire.auth(identity, {"project": {"id": self.project}}))

    def seconds_to_list(self, keystone):
        begun = time.monotonic()
        answer = contestants.answer(keystone, Request("GET", f"/v3/users?domain_id={self.id}", self.cloud.admin))
        seconds, rows = time.monotonic() - begun, len(answer.json["users"])
        if rows != USERS:
            raise RuntimeError(f"{rows} users of {USERS}")
        return seconds


def figures(contest):
    corp = Corp(contest)
    numbers = itertools.cycle(range(LOGGED_IN))
    fresh = lambda count: [corp.validation(number) for number in itertools.islice(numbers, count)]
    of_directory, connections = "of users of a directory", f"{CONNECTIONS} connections"
    known = corp.contest.compare("directory-known", fresh(LOGGED_IN), CONNECTIONS)
    first = corp.contest.compare_first_sights("directory-first", fresh, CONNECTIONS)
    logins = corp.contest.compare("directory-logins", [corp.login(number) for number in range(LOGGED_IN)], CONNECTIONS)
    lists = {
        contestant: statistics.median(corp.seconds_to_list(keystone) for _ in range(contest.options.rounds))
        for contestant, keystone in corp.contest.keystones.items()
    }
    return [
        report.compared(f"{LOGGED_IN} tokens {of_directory} in turn, {connections}", known),
        report.compared(f"first sight of a token {of_directory}, {connections}", first),
        report.compared(f"login {of_directory}, {connections}", logins),
        report.less(f"list of {USERS:,} users of a directory", lists, report.duration),
    ]
