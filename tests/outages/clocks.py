"""A node whose clock is two hours ahead beside one whose clock is right, of this server and of Python Keystone, and both once
the clock is put right. Only the node's own clock moves: Debian's libfaketime stands between it and the kernel."""

import base64
import collections
import contextlib
import getpass
import grp
import hmac
import os
import pathlib
import re
import time

from harness import checks, clouds, keystones, processes, wire
from harness.load import Load

# Seconds of load with the right clock, the one ahead, and the right one again.
BEFORE, DURING, AFTER = 2, 5, 4

TOTP = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
# As deploy/README.md has it.
REPAIR = """
    UPDATE revocation_event SET issued_before = UTC_TIMESTAMP() - INTERVAL 1 SECOND
     WHERE issued_before > UTC_TIMESTAMP() AND audit_id IS NULL AND audit_chain_id IS NULL
"""
PROBE = "import time; print(time.time(), time.monotonic())"
PHASES = {"before": "+0", "ahead": "+2h", "put right": "+0"}


class Clock:
    """What the node that has this environment takes for the time."""

    def __init__(self, file):
        self.file = file
        (library,) = pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        self.put("+0")

    def put(self, offset):
        """At once, and whole: a reader sees the old time or the new one."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{offset}\n")
        new.rename(self.file)


class Shifted:
    def __init__(self, directory, config, clock):
        super().__init__(directory, config)
        self.clock = clock

    def command(self, ports):
        command, env = super().command(ports)
        return command, {**env, **self.clock.environment}

    def manage(self, *arguments, env=None, input=None):
        return super().manage(*arguments, env={**(env or {}), **self.clock.environment}, input=input)


class ShiftedNative(Shifted, keystones.Operated):
    pass


class ShiftedReference(Shifted, keystones.Reference):
    def __init__(self, directory, config, clock):
        super().__init__(directory, config, clock)
        self.module = "shifted_reference"
        # Several threads hang beneath it under load.
        self.processes, self.threads = 4, 1

    def command(self, ports):
        command, env = super().command(ports)
        return command, {**env, "PYTHONPATH": str(pathlib.Path(__file__).parent)}


def asked(node, token):
    return wire.request("GET", f"{node.url}/v3/auth/tokens", token=token, headers={"X-Subject-Token": token})


class Pair:
    """Two nodes on one database."""

    def __init__(self, cloud, config, kind, shifted):
        self.cloud = cloud
        # Keys may have been rotated since its last token.
        cloud.admin = self.admin(cloud.keystone)
        self.clock = Clock(cloud.directory / f"{kind.name}.time")
        self.right = kind(cloud.directory, config).serve()
        self.ahead = shifted(cloud.directory, config, self.clock).serve()
        self.nodes = {"right": self.right, "ahead": self.ahead}
        self.phase = "before"

    def stop(self):
        for node in self.nodes.values():
            node.stop()

    def admin(self, node):
        return wire.login(node.url, "admin", clouds.ADMIN_PASSWORD, "admin")

    def log_in(self, node, person, password=None):
        scope = {"project": {"id": person.project_id}}
        body = wire.password(person.name, password or person.password, scope)
        return wire.request("POST", f"{node.url}/v3/auth/tokens", body)

    def token(self, node, person):
        return self.log_in(node, person).header("x-subject-token")

    def status(self, node, token):
        """What the bearer of a token gets that asks about it twice: 401 if it is not valid. The second answer of this server
        is from memory."""
        first, second = (self.told(node, token) for _ in range(2))
        return first if first == second else (first, second)

    def told(self, node, token):
        try:
            return asked(node, token).status
        except ConnectionError:
            # Processes of uWSGI end now and then beneath libfaketime.
            if not isinstance(node, keystones.Reference):
                raise
            return "closed"

    def at_both(self, *tokens):
        return [self.status(node, token) for token in tokens for node in self.nodes.values()]

    def end(self, node, token):
        return self.admin(node).delete("/v3/auth/tokens", headers={"X-Subject-Token": token}).status

    def set_password(self, node, person, password):
        return self.admin(node).patch(f"/v3/users/{person.id}", {"user": {"password": password}}).status

    def pass_code(self, node, person):
        """By the right time."""
        digest = hmac.digest(base64.b32decode(TOTP), (int(time.time()) // 30).to_bytes(8, "big"), "sha1")
        offset = digest[-1] & 15
        code = f"{(int.from_bytes(digest[offset : offset + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"
        body = wire.auth({"methods": ["totp"], "totp": {"user": {"id": person.id, "passcode": code}}}, "unscoped")
        return wire.request("POST", f"{node.url}/v3/auth/tokens", body).status

    def put_clock(self, phase):
        self.phase = None
        self.clock.put(PHASES[phase])
        self.phase = phase


def story(pair):
    """What happens, what is right, and the statuses that were answered."""
    right, ahead = pair.nodes.values()
    ann, bob = pair.cloud.person(), pair.cloud.person()
    credential = {"type": "totp", "user_id": bob.id, "blob": TOTP}
    clouds.made(pair.cloud.admin.post("/v3/credentials", {"credential": credential}))
    known = pair.token(right, ann), pair.token(ahead, ann)
    spent = pair.token(right, ann)
    yield "before: a token of the right node and one of the other, at both", [200] * 4, pair.at_both(*known)
    yield "before: one ended at the right node, at both", [204, 401, 401], [pair.end(right, spent), *pair.at_both(spent)]

    pair.put_clock("ahead")
    yield "ahead: the tokens of before, which live an hour, at both", [200, 401, 200, 401], pair.at_both(*known)
    fresh = pair.token(right, ann), pair.token(ahead, ann)
    yield "ahead: new tokens of both, at both", [200, 401, 200, 200], pair.at_both(*fresh)
    other = pair.token(ahead, ann)
    yield (
        "ahead: a new one of the node ahead, known at both, ended at the right node",
        [200, 200, 204, 401, 401],
        [*pair.at_both(other), pair.end(right, other), *pair.at_both(other)],
    )
    later = pair.token(right, ann)
    yield "ahead: one ended at the right node, there", [204, 401], [pair.end(right, later), pair.status(right, later)]
    # Python Keystone deletes old revocation events whenever one is written, this server when it starts and now and then.
    ahead.stop()
    ahead.serve(*ahead.ports)
    pair.end(ahead, pair.token(ahead, ann))
    if isinstance(ahead, keystones.Operated):
        # They are counted then; that none is left is for the tokens to tell.
        counted = re.compile(r"^keystone_revocation_events [1-9]", re.M)
        with contextlib.suppress(TimeoutError):
            processes.wait_for("events", lambda: counted.search(ahead.operations("/metrics").text), timeout=10)
    yield (
        "ahead: the same, and that of before, once the node ahead has deleted old revocation events",
        [401, 401],
        [pair.status(right, later), pair.status(right, spent)],
    )
    first = [pair.set_password(ahead, bob, "first"), pair.log_in(right, bob, "first").status]
    yield "ahead: a password set at the node ahead, and a login at the right one", [200, 201], first
    early = pair.log_in(right, bob, "first").header("x-subject-token")
    # All tokens of before the change end, by the clock of the node that makes it.
    yield "ahead: the token of that login, at the right node", [401], [pair.status(right, early)]
    second = [pair.set_password(right, bob, "second"), pair.log_in(right, bob, "second").status]
    second_of_change = int(time.time())
    yield (
        "ahead: another password set at the right node, a login with it, and with the one before",
        [200, 201, 401],
        [*second, pair.log_in(right, bob, "first").status],
    )
    codes = [pair.pass_code(node, bob) for node in (right, ahead)]
    yield "ahead: a one-time password at both", [201, 401], codes

    pair.put_clock("put right")
    yield "put right: the tokens of before, at both", [200] * 4, pair.at_both(*known)
    yield "put right: those of meanwhile, at both", [200] * 4, pair.at_both(*fresh)
    yield "put right: the three that were ended, at both", [401] * 6, pair.at_both(spent, other, later)
    pair.cloud.mariadb.sql(REPAIR, "keystone")
    # Tokens of the second of a change are not valid.
    processes.wait_for("the next second", lambda: int(time.time()) > second_of_change)
    repaired = pair.log_in(right, bob, "second").header("x-subject-token")
    yield "put right: a token of the user with the new password, once the event is put right, at both", [200] * 2, pair.at_both(repaired)
    yield "put right: the three that were ended, at both, once more", [401] * 6, pair.at_both(spent, other, later)
    yield "put right: a one-time password at the node that was ahead", [201], [pair.pass_code(ahead, bob)]
    pair.cloud.manage("fernet_rotate", *owner())
    yield "put right: new tokens of both under a new key, at both", [200] * 4, pair.at_both(pair.token(right, ann), pair.token(ahead, ann))


def signed_story(pair):
    """The same of signed tokens, which say when they were made."""
    person = pair.cloud.person()
    pair.put_clock("ahead")
    signed = pair.token(pair.right, person), pair.token(pair.ahead, person)
    yield "ahead: new signed tokens of both, at both", [200, 401, 200, 200], pair.at_both(*signed)
    pair.put_clock("put right")
    yield "put right: the same", [200] * 4, pair.at_both(*signed)


def with_signed_tokens(cloud, config):
    """The same configuration, and a pair of keys."""
    kinds = ("private", "public")
    directories = {kind: cloud.directory / f"jws-{kind}" for kind in kinds}
    options = {f"jws_{kind}_key_repository": directories[kind] for kind in kinds}
    signed = cloud.configure(config.with_name("signed.conf"), config, {"token": {"provider": "jws"}, "jwt_tokens": options})
    command = [cloud.keystone.manage_command(), "--config-file", signed, "create_jws_keypair", *owner()]
    done = processes.run(command, cwd=cloud.directory)
    checks.equal(done.returncode, 0, f"the exit status ({done.stdout}{done.stderr})")
    for kind, directory in directories.items():
        directory.mkdir()
        (cloud.directory / f"{kind}.pem").rename(directory / f"{kind}.pem")
    return signed


def owner():
    return "--keystone-user", getpass.getuser(), "--keystone-group", grp.getgrgid(os.getgid()).gr_name


def loaded(pair):
    """How often what was answered in each phase, under load that goes through all of them."""
    person = pair.cloud.person()
    counts = {phase: collections.defaultdict(collections.Counter) for phase in PHASES}
    pair.put_clock("before")

    def bearer(issuer):
        def turn(_):
            phase = pair.phase
            found = [(f"logins at {issuer}", answer := pair.log_in(pair.nodes[issuer], person))]
            token = answer.header("x-subject-token")
            for at, node in pair.nodes.items():
                found += [(f"tokens of {issuer} at {at}", asked(node, token)) for _ in range(2)]
            # What the clock moved in has either answer.
            if phase and phase == pair.phase:
                for what, answer in found:
                    counts[phase][what][answer.status] += 1
            return answer

        return turn

    # Each of uWSGI's processes takes long for its first request.
    for node in pair.nodes.values():
        for _ in range(20):
            pair.status(node, pair.token(node, person))
    load = Load({issuer: (2, bearer(issuer)) for issuer in pair.nodes})
    try:
        for phase, seconds in zip(PHASES, (BEFORE, DURING, AFTER)):
            pair.put_clock(phase)
            time.sleep(seconds)
    finally:
        load.end()
    lost = sum(answer.status is None for answers in load.answers.values() for answer in answers)
    return counts, lost


def only_its_own_clock(run, pair):
    with run.check("the clock of the node ahead is two hours off, and its timers go by the right one"):
        pair.put_clock("ahead")
        begun = time.time(), time.monotonic()
        found = processes.run([keystones.VENVS / "keystone/bin/python", "-c", PROBE], env=pair.clock.environment)
        wall, monotonic = (float(word) for word in found.stdout.split())
        checks.expect(begun[0] <= wall - 7200 <= time.time(), f"the time is {wall}, and {begun[0]} here")
        checks.expect(begun[1] <= monotonic <= time.monotonic(), f"the monotonic clock is at {monotonic}, and {begun[1]} here")
    pair.put_clock("before")


def told(run, pair):
    """What this server tells its operator of the node ahead."""
    pair.put_clock("ahead")
    skew = re.compile(r"the clock of this node is 7(199|200) s ahead of that of the database")
    with run.check("/ready of the node ahead remarks it, and is 200"):
        answer = pair.ahead.operations("/ready")
        checks.equal(answer.status, 200)
        checks.expect(any(skew.match(remark) for remark in answer.json["remarks"]), answer.text)
    with run.check("doctor finds it on the node ahead, and not on the other"):
        found = [skew.search(node.manage("doctor").stdout) is not None for node in (pair.ahead, pair.right)]
        checks.equal(found, [True, False])
    pair.put_clock("put right")
    with run.check("once it is put right there is no remark, no count below zero or out of bounds, and no panic"):
        checks.equal(pair.ahead.operations("/ready").json["remarks"], [])
        text = pair.ahead.operations("/metrics").text
        samples = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        checks.equal([name for name, value in samples if not 0 <= float(value) < 2**53], [], "the wrong samples")
        checks.expect("panicked" not in pair.ahead.daemon.log.read_text(), "it panicked")


def tell(run, cloud):
    options = {"token": {"allow_expired_window": 0}, "auth": {"methods": "password,token,totp"}}
    config = cloud.variant("clocks", options)
    signed = with_signed_tokens(cloud, config)
    kinds = {"this server": (keystones.Operated, ShiftedNative), "Python Keystone": (keystones.Reference, ShiftedReference)}
    for name, (kind, shifted) in kinds.items():
        run.section(f"The clock of one of two nodes is two hours ahead: {name}")
        pair = Pair(cloud, config, kind, shifted)
        is_ours = kind is keystones.Operated
        if is_ours:
            only_its_own_clock(run, pair)
        heard(run, story(pair), is_ours)
        counts, lost = loaded(pair)
        for phase, kinds_of in counts.items():
            for what, statuses in sorted(kinds_of.items()):
                print(f"    under load, {phase}: {what}: {dict(statuses)}", flush=True)
        if is_ours:
            with run.check("under load: each request is answered, and only tokens of the right node end at the one ahead"):
                checks.equal(lost, 0, "the requests without an answer")
                for phase, kinds_of in counts.items():
                    for what, statuses in kinds_of.items():
                        login = what.startswith("logins")
                        over = phase == "ahead" and what == "tokens of right at ahead"
                        checks.equal(set(statuses), {201 if login else 401 if over else 200}, f"{phase}: {what}")
                    checks.equal(len(kinds_of), 6, f"{phase}: what was asked")
            told(run, pair)
        pair.stop()
        pair = Pair(cloud, signed, kind, shifted)
        heard(run, signed_story(pair), is_ours)
        pair.stop()


def heard(run, steps, is_ours):
    for title, wanted, found in steps:
        print(f"    {title}: {found}", flush=True)
        if is_ours:
            with run.check(title):
                checks.equal(found, wanted)
