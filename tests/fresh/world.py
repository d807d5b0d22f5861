"""People with tokens of every kind, and steps: something changes, and their tokens are asked about at once."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import http.client
import itertools
import json
import random
import threading
import time
import urllib.parse

import pymysql
from changes import CHANGES
from harness import wire
from harness.checks import Failed, expect
from harness.clouds import made

PEOPLE = 8
# People whose rows only transactions change that stay open for some time.
SLEEPERS = 3
# Statements and requests that lose against others are sent again.
TRIES = 5
# Seconds that a request may wait for a transaction that stays open.
PATIENCE = 20
# A lock that is waited for too long, and a deadlock, which on Galera is any conflict with another node.
LOST = (1205, 1213)


@dataclasses.dataclass(frozen=True)
class Said:
    """What a node says about a token: a status, 0 for no answer, and a body."""

    status: int
    body: bytes = b""

    def same(self, other):
        """Each validation of a disabled user's token writes an event, so that the next refusal may be another."""
        refusals = (401, 403, 404)
        return self == other or (self.status in refusals and other.status in refusals)

    def __str__(self):
        return f"{self.status} {self.body.decode(errors='replace')[:1500]}"


class Line:
    """Questions to a node on a connection that is kept."""

    def __init__(self, server, timeout=60):
        self.server = server
        self.http = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc, timeout=timeout)

    def ask(self, token, caller=None):
        """Asks about a token with another one, or with itself."""
        headers = {"X-Auth-Token": caller or token, "X-Subject-Token": token, "OpenStack-Identity-Access-Rules": "1"}
        is_kept = self.http.sock is not None
        try:
            self.http.request("GET", "/v3/auth/tokens", headers=headers)
            answer = self.http.getresponse()
            return Said(answer.status, answer.read())
        except (OSError, http.client.HTTPException):
            self.http.close()
            # The node may have ended since the last question.
            return self.ask(token, caller) if is_kept else Said(0)


class Person:
    def __init__(self, world, name, group):
        self.world, self.name, self.password, self.group = world, name, f"secret of {name}", group
        self.tokens = []
        self.ready = 0.0
        self.make()

    def make(self):
        """Creates the user with its grants."""
        world, role = self.world, self.world.role
        user = world.create("user", "users", name=self.name, password=self.password, domain_id=world.domain)
        self.id, self.trust, self.credential = user["id"], None, None
        grants = f"users/{self.id}/roles/{role}"
        for path in (
            *(f"groups/{self.group}/users/{self.id}", f"projects/{world.top}/{grants}", f"domains/{world.domain}/{grants}"),
            *(f"OS-INHERIT/projects/{world.top}/{grants}/inherited_to_projects", f"system/{grants}"),
        ):
            world.put(path)

    def log_in(self, scope=None):
        user = {"id": self.id, "password": self.password}
        return wire.auth({"methods": ["password"], "password": {"user": user}}, scope)

    def token(self, scope=None):
        return self.world.token(self.log_in(scope))

    def delegate(self, kind):
        """Makes a trust or an application credential."""
        world = self.world
        holder = wire.Client(world.server().url, self.token({"project": {"id": world.top}}))
        if kind == "trust":
            self.trustee = world.chance.choice(world.people)
            trust = {
                **{"trustor_user_id": self.id, "trustee_user_id": self.trustee.id, "project_id": world.top},
                **{"impersonation": world.chance.random() < 0.5, "roles": [{"id": world.role}]},
            }
            self.trust = made(holder.post("/v3/OS-TRUST/trusts", {"trust": trust}))["id"]
            return
        rule = {"service": "identity", "method": "GET", "path": "/v3/auth/tokens"}
        credential = {"name": world.fresh(), "secret": "s", "access_rules": [rule] if world.chance.random() < 0.5 else []}
        path = f"/v3/users/{self.id}/application_credentials"
        self.credential = made(holder.post(path, {"application_credential": credential}))["id"]

    def delegated(self, kind):
        if kind == "trust":
            unscoped = self.trustee.token("unscoped")
            return wire.rescope(unscoped, {"OS-TRUST:trust": {"id": self.trust}})
        known = {"id": self.credential, "secret": "s"}
        return wire.auth({"methods": ["application_credential"], "application_credential": known}, None)


class Token:
    """A token of a person that can be made again."""

    def __init__(self, person, kind):
        self.person, self.kind = person, kind
        self.text = self.audit = self.chain = None
        self.is_good = True
        person.tokens.append(self)

    def make(self):
        person, world = self.person, self.person.world
        if self.kind in ("trust", "credential"):
            self.keep(self.delegated())
            return
        scope = {
            "unscoped": "unscoped",
            "domain": {"domain": {"id": world.domain}},
            "system": "system",
            "project": {"project": {"id": world.top}},
            "leaf": {"project": {"id": world.leaf}},
            "rescoped": {"project": {"id": world.top}},
        }[self.kind]
        if self.kind == "rescoped":
            self.keep(world.token_of(wire.rescope(person.token("unscoped"), scope)))
        else:
            self.keep(world.token_of(person.log_in(scope)))

    def delegated(self):
        """Made with what is behind it, which is made again if it is gone."""
        if getattr(self.person, self.kind):
            with contextlib.suppress(AssertionError):
                return self.person.world.token_of(self.person.delegated(self.kind))
        self.person.delegate(self.kind)
        return self.person.world.token_of(self.person.delegated(self.kind))

    def keep(self, made):
        self.text, body = made
        self.audit, self.chain, self.is_good = body["audit_ids"][0], body["audit_ids"][-1], True
        self.has_rules = bool(body.get("application_credential", {}).get("access_rules"))


KINDS = ("unscoped", "domain", "system", "project", "leaf", "rescoped", "trust", "credential")


class World:
    """`nodes` remember, `oracle` asks the database each time, `reference` is Python Keystone."""

    def __init__(self, cloud, nodes, oracle, reference, connect, seed):
        self.cloud, self.nodes, self.reference, self.connect = cloud, nodes, reference, connect
        self.writers = nodes
        self.chance = random.Random(seed)
        self.numbers = itertools.count(1)
        self.steps = self.asked = self.changed = 0
        self.refused, self.found = collections.Counter(), []
        # What nodes may answer besides what is right, for some time.
        self.excuses = {}
        # Two at each node: what a change meets half done is looked up by one while it lands, and shared by the other.
        self.lines = [Line(node) for node in nodes for _ in range(2)]
        self.oracle, self.other_oracle = Line(oracle), Line(reference)
        self.pool = concurrent.futures.ThreadPoolExecutor(len(self.lines))
        self.sql = connect()
        self.furnish()
        # Python Keystone takes longer.
        self.writers = [*nodes * 5, reference]

    def furnish(self):
        self.domain = self.create("domain", "domains", name="people")["id"]
        self.role, self.shared = (self.create("role", "roles", name=name)["id"] for name in ("role", "shared"))
        self.make_implied()
        self.top = self.create("project", "projects", name="top", domain_id=self.domain)["id"]
        self.make_leaf()
        self.create("region", "regions", id="north")
        self.service = self.create("service", "services", name="first", type="first")["id"]
        self.make_endpoint()
        urls = {"auth_url": "https://first/auth", "sp_url": "https://first/", "enabled": True}
        made(self.admin().put("/v3/OS-FEDERATION/service_providers/elsewhere", {"service_provider": urls}))
        self.groups = [self.make_group() for _ in range(2)]
        self.people = [Person(self, f"person {n}", self.groups[0]) for n in range(PEOPLE)]
        self.sleepers = [Sleeper(Person(self, f"sleeper {n}", self.groups[1]), self.connect()) for n in range(SLEEPERS)]
        for person in [*self.people, *(sleeper.person for sleeper in self.sleepers)]:
            for kind in KINDS:
                Token(person, kind).make()

    # What is there, and is made again after it was deleted.

    def make_implied(self):
        self.implied = self.create("role", "roles", name=self.fresh())["id"]
        made(self.admin().put(f"/v3/roles/{self.role}/implies/{self.implied}"))

    def make_leaf(self):
        self.leaf = self.create("project", "projects", name="leaf", domain_id=self.domain, parent_id=self.top)["id"]

    def make_endpoint(self):
        self.endpoint = self.create(
            *("endpoint", "endpoints"),
            **{"service_id": self.service, "interface": "public", "url": "http://first/", "region_id": "RegionOne"},
        )["id"]

    def make_group(self):
        group = self.create("group", "groups", name=self.fresh(), domain_id=self.domain)["id"]
        self.put(f"projects/{self.leaf}/groups/{group}/roles/{self.shared}")
        return group

    def again(self, what, person):
        """Makes again what was deleted."""
        if what == "person":
            person.make()
        elif what == "leaf":
            self.make_leaf()
            for group in self.groups:
                self.put(f"projects/{self.leaf}/groups/{group}/roles/{self.shared}")
        elif what == "implied":
            self.make_implied()
        elif what == "endpoint":
            self.make_endpoint()
        elif what == "group":
            self.groups[0] = self.make_group()
            for member in self.people:
                member.group = self.groups[0]
                self.put(f"groups/{member.group}/users/{member.id}")

    # Who writes.

    def server(self):
        return self.chance.choice(self.writers)

    def admin(self, server=None):
        return wire.Client((server or self.server()).url, self.cloud.admin.token)

    def create(self, kind, plural, **fields):
        return made(self.admin().post(f"/v3/{plural}", {kind: fields}))

    def put(self, path):
        made(self.admin().put(f"/v3/{path}"), 204)

    def token_of(self, body):
        return wire.token(self.server().url, body)

    def token(self, body):
        return self.token_of(body)[0]

    def fresh(self):
        return f"n{next(self.numbers)}"

    def send(self, server, request, names, token):
        """Sends a request; what loses against another one is sent again."""
        method, path, body = filled(request, names)
        headers = {"X-Subject-Token": token.text} if path == "/v3/auth/tokens" else {}
        for n in range(TRIES):
            answer = self.admin(server)(method, path, body, headers=headers)
            # One that is sent again may have been done before, and a new token may have ended already: see `renew`.
            gone = answer.status in (404, 409) and (n or path == "/v3/auth/tokens")
            if answer.status < 300 or gone:
                return
            if answer.status < 500:
                break
            self.refused["write"] += 1
        expect(False, f"{method} {path} {body} at {server.name}: {answer}")

    def run_sql(self, text):
        for _ in range(TRIES):
            try:
                with self.sql.cursor() as cursor:
                    return cursor.execute(text)
            except pymysql.err.OperationalError as error:
                if error.args[0] not in LOST:
                    raise
        raise Failed(f"{text} loses {TRIES} times")

    def settle(self):
        """Ends the transactions that are open."""
        for sleeper in self.sleepers:
            sleeper.move(self, at_once=True)

    @contextlib.contextmanager
    def patience(self):
        """Gives up the transactions that are open if a request seems to wait for one: it must not wait for the next step."""
        timer = threading.Timer(PATIENCE, lambda: [sleeper.give_up() for sleeper in self.sleepers])
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def connect_again(self):
        """To a database that was away."""
        self.sql = self.connect()
        for sleeper in self.sleepers:
            sleeper.connection, sleeper.change = self.connect(), None

    # Steps.

    def run(self, steps):
        end = self.steps + steps
        while self.steps < end:
            for sleeper in self.sleepers:
                sleeper.move(self)
            (change,) = self.chance.choices(CHANGES, [change.weight for change in CHANGES])
            with self.patience():
                self.play(change, self.somebody())

    def names(self, person, token):
        names = {
            **{"user": person.id, "name": person.name, "password": person.password, "group": person.group},
            **{"trust": person.trust, "credential": person.credential, "audit": token.audit, "chain": token.chain},
        }
        own = ("domain", "top", "leaf", "role", "shared", "implied", "service", "endpoint")
        return {**names, **{name: getattr(self, name) for name in own}, "fresh": self.fresh()}

    def play(self, change, person):
        """Does something and undoes it."""
        self.renew(person)
        # As Keystone does, the server refuses to revoke a token with access rules.
        is_fit = [not (change.is_revocation and token.has_rules) for token in person.tokens]
        token = self.chance.choice(list(itertools.compress(person.tokens, is_fit)))
        names = self.names(person, token)
        tokens = self.interesting(person)
        for undone in (False, True):
            by, act = self.way(change, undone, names, token)
            if act:
                ended = [other for other in person.tokens if not undone and ends(change, other, token)]
                self.step(f"{change.name} by {by}{', undone' if undone else ''}", act, tokens, ended)

    def way(self, change, undone, names, token):
        """Who does something, and how."""
        kind = self.chance.choice([kind for kind in ("request", "sql") if getattr(change, kind)])
        pair = getattr(change, kind)
        if undone and len(pair) == 1:
            return "requests", change.again and (lambda: self.again(change.again, token.person))
        if kind == "sql":
            return "SQL", lambda: self.run_sql(pair[undone].format(**names))
        server = self.server()
        return server.name, lambda: self.send(server, pair[undone], names, token)

    def interesting(self, person):
        """The tokens of a person and some others."""
        everybody = [*self.people, *(sleeper.person for sleeper in self.sleepers)]
        others = [token for other in everybody if other is not person for token in other.tokens]
        return [*person.tokens, *self.chance.sample(others, 3)]

    def step(self, what, act, tokens, ended=()):
        """Lets something happen while nodes are asked, and asks them at once when it is done; returns what is right then."""
        self.steps += 1
        watch = Watch(tokens, self.cloud.admin.token)
        seeds = [self.chance.random() for _ in self.lines]
        futures = [self.pool.submit(watch.run, line, random.Random(seed)) for line, seed in zip(self.lines, seeds)]
        try:
            watch.wait(len(futures))
            act()
        finally:
            watch.over.set()
            watched = [future.result() for future in futures]
        right = {token: self.oracle.ask(token.text, watch.caller) for token in tokens}
        for token, said in right.items():
            token.is_good = said.status == 200
            if not token.is_good:
                token.person.ready = int(time.time()) + 1.1
        for line, (before, after) in zip(self.lines, watched):
            for token in tokens:
                self.judge(line.server, token, what, before[token], after[token], right[token])
        for token in ended:
            expect(right[token].status in (401, 403, 404), f"after {what} a token is still good: {right[token]}")
        if self.steps % 10 == 0:
            self.compare(what, right)
        return right

    def judge(self, server, token, what, before, after, right):
        self.asked += 1
        self.changed += not before.same(after)
        if after.same(right):
            return
        if server in self.excuses and self.excuses[server](after):
            self.refused[server.name] += 1
        else:
            self.found.append(f"{server.name}, {token.kind}: {after}\n  instead of {right}\n  after {what}\n  before {before}")

    def ask_until(self, end, tokens):
        """What each node says until a time: when it said it, about which of the tokens, and what."""
        futures = {line.server: self.pool.submit(self.go_on, line, end, tokens) for line in self.lines[::2]}
        return {server: future.result() for server, future in futures.items()}

    def go_on(self, line, end, tokens):
        said, chance = [], random.Random(end)
        while time.monotonic() < end:
            token = chance.choice(tokens)
            answer = line.ask(token.text, self.cloud.admin.token)
            said.append((time.monotonic(), token, answer))
        return said

    def compare(self, what, right):
        """What is right must be so for Python Keystone too, which takes long to say."""
        token, said = self.chance.choice(list(right.items()))
        other = self.other_oracle.ask(token.text, self.cloud.admin.token)
        expect(
            tidy(said) == tidy(other), f"after {what} Python Keystone says about a token, {token.kind}: {other}\n  and not {said}"
        )

    def somebody(self):
        """One of those whose tokens can be made again, as soon as there is one."""
        while not (people := [person for person in self.people if person.ready <= time.time()]):
            time.sleep(0.05)
        return self.chance.choice(people)

    def renew(self, person):
        """Makes tokens that have ended again."""
        for token in person.tokens:
            for left in reversed(range(TRIES)):
                if token.is_good:
                    break
                try:
                    token.make()
                except (AssertionError, RuntimeError):
                    # What is made within a second of an event about its user is ended by it.
                    time.sleep(0.5)
                    if not left:
                        raise


class Watch:
    """Questions about some tokens: once before something happens, on and on until it has, and once after that."""

    def __init__(self, tokens, caller):
        self.tokens, self.caller = tokens, caller
        self.over, self.ready = threading.Event(), threading.Semaphore(0)

    def run(self, line, chance):
        try:
            before = self.pass_by(line, chance)
        finally:
            self.ready.release()
        while not self.over.is_set():
            self.ask(line, chance, chance.choice(self.tokens))
        return before, self.pass_by(line, chance)

    def pass_by(self, line, chance):
        order = chance.sample(self.tokens, len(self.tokens))
        return {token: self.ask(line, chance, token) for token in order}

    def ask(self, line, chance, token):
        # The bearer of a trust's token is not always the user that it names, who may ask about it.
        return line.ask(token.text, self.caller if token.kind == "trust" else chance.choice([self.caller, None]))

    def wait(self, lines):
        for _ in range(lines):
            self.ready.acquire()


class Sleeper:
    """Somebody about whom a transaction is open now and then, for some steps."""

    def __init__(self, person, connection):
        self.person, self.connection = person, connection
        self.change = self.until = None

    def move(self, world, at_once=False):
        """Begins or ends; only the latter, if it has to be at once."""
        person, chance = self.person, world.chance
        if self.change is None and not at_once and chance.random() < 0.1:
            with world.patience():
                world.renew(person)
            self.is_given_up = False
            self.token = chance.choice(person.tokens)
            self.change = chance.choice([change for change in CHANGES if change.open])
            self.texts = [text.format(**world.names(person, self.token)) for text in self.change.sql]
            # Some for so long that the gap that they leave in the log is old.
            self.until = world.steps + chance.choice([1, 5, 20, 300])
            self.connection.begin()
            self.run(self.texts[0])
        elif self.change is not None and (at_once or world.steps >= self.until):
            self.is_done = chance.random() < 0.8 and not self.is_given_up
            tokens = world.interesting(person)
            self.ended = [token for token in person.tokens if self.is_done and ends(self.change, token, self.token)]
            world.step(f"{self.change.name} by SQL, late", self.end, tokens, self.ended)
            if self.is_done and self.texts[1:]:
                world.step(f"{self.change.name} by SQL, undone", lambda: world.run_sql(self.texts[1]), tokens)
            self.change = None

    def give_up(self):
        if self.change is not None:
            self.is_given_up = True
            self.connection.rollback()

    def end(self):
        if not self.is_done:
            self.connection.rollback()
            return
        try:
            self.connection.commit()
        except pymysql.err.OperationalError as error:
            if error.args[0] not in LOST:
                raise
            self.is_done = False
            self.ended.clear()

    def run(self, text):
        with self.connection.cursor() as cursor:
            cursor.execute(text)


def ends(change, token, chosen):
    """Whether a change that is about a token or its person ends another token of that person."""
    if change.ends in ("token", "chain"):
        # A chain begins with the second of its tokens.
        return token is chosen and (change.ends == "token" or token.chain != token.audit)
    # What a trustee has is his.
    return change.ends == token.kind or (change.ends == "user" and token.kind != "trust")


def filled(template, names):
    """A request with its names filled in."""
    if isinstance(template, str):
        return template.format(**names)
    if isinstance(template, tuple):
        return tuple(filled(part, names) for part in template)
    if isinstance(template, dict):
        return {name: filled(value, names) for name, value in template.items()}
    return template


def tidy(said):
    """An answer in a form that two servers have in common."""
    if said.status != 200:
        return said.status // 100

    def sort(value):
        if isinstance(value, dict):
            return {name: inner if name == "audit_ids" else sort(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return sorted((sort(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
        return value

    return sort(json.loads(said.body))
