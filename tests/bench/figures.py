"""What is measured: each figure returns rows of the table."""

import functools
import itertools
import statistics
import time

import contestants
import directories
import report
import seed
from clouds import PASSWORD
from contest import say
from contestants import OURS, REFERENCE
from load import Load, Request
from writer import Writer

from harness import wire

TOKENS = "/v3/auth/tokens"
WORKING_SET = 2000
WRITES = 50
EVENTS = 100_000
FIRST_SIGHTS = 8


def users(cloud, count):
    """The numbers of so many users in turn."""
    return list(itertools.islice(itertools.cycle(range(1, cloud.size.users + 1)), count))


def validation(cloud, user, rescoped=False):
    """Asked by the administrator about a token of the user that nobody has seen."""
    return Request("GET", TOKENS, cloud.admin, cloud.token(user, rescoped), seed.identifier("user", user))


def first_sights(cloud, rescoped=False):
    numbers = itertools.cycle(range(1, cloud.size.users + 1))
    return lambda count: [validation(cloud, user, rescoped) for user in itertools.islice(numbers, count)]


def project_scope(project_id):
    return {"project": {"id": project_id}}


def password_login(cloud, user):
    bearer = {"id": seed.identifier("user", user), "password": PASSWORD}
    identity = {"methods": ["password"], "password": {"user": bearer}}
    return Request("POST", TOKENS, body=wire.auth(identity, project_scope(cloud.other_project(user))))


def start(contest):
    """Start to ready, and memory before the first load."""
    found = {}
    memory = {}
    for contestant, keystone in contest.keystones.items():
        times = []
        for _ in range(contest.options.starts):
            times.append(contestants.seconds_to_ready(keystone, contest.cloud))
            keystone.stop()
        found[contestant] = statistics.median(times)
    contest.serve()
    # Whatever a start does in the background.
    time.sleep(1)
    for contestant, keystone in contest.keystones.items():
        memory[contestant] = keystone.daemon.memory()
    return [
        report.less("start to the first validated token, existing database", found, report.duration, "100 ms"),
        report.less("memory when idle (PSS)", memory, report.size, "40 MB"),
    ]


def one(contest):
    found = contest.compare("one", [validation(contest.cloud, 1)], 64, ceiling=True)
    goal = "Python 20 ×" if contest.options.without_triggers else "ceiling 0.5, Python 100 ×"
    return [report.compared("one token, 64 connections", found, goal)]


def working_set(contest):
    return [validation(contest.cloud, user) for user in users(contest.cloud, WORKING_SET)]


def many(contest):
    found = contest.compare("many", working_set(contest), 64, ceiling=True)
    memory = {contestant: keystone.daemon.memory() for contestant, keystone in contest.keystones.items()}
    return [
        report.compared(f"{WORKING_SET:,} tokens in turn, 64 connections", found, "ceiling 0.4"),
        report.less("memory after it (PSS)", memory, report.size, "150 MB"),
    ]


def written(contest):
    """While somebody renames their users; the last rename must be in the next answer."""
    requests = working_set(contest)
    writer = Writer(contest.cloud, min(WORKING_SET, contest.cloud.size.users), WRITES)
    found = contest.compare("written", requests, 64, among=[OURS], ceiling=True, writer=writer)
    user, name = writer.latest()
    told = contestants.answer(contest.ours, requests[user - 1]).json["token"]["user"]["name"]
    if told != name:
        raise RuntimeError(f"user {user} is {name}, and the answer says {told}")
    return [report.compared(f"the same with {WRITES} writes/s that each void one of them", found, "ceiling 0.3")]


def first(contest):
    found = contest.compare_first_sights("first", first_sights(contest.cloud), FIRST_SIGHTS)
    return [report.compared(f"first sight of a token, {FIRST_SIGHTS} connections", found, "Python 100 ×")]


def rescope(contest):
    cloud = contest.cloud
    requests = [
        Request("POST", TOKENS, body=wire.rescope(cloud.token(user), project_scope(cloud.other_project(user))))
        for user in users(cloud, 100)
    ]
    return [report.compared("rescope, 8 connections", contest.compare("rescope", requests, 8), "Python 30 ×")]


def application_credential(contest):
    id, secret = contest.cloud.application_credential(contest.ours, 1)
    identity = {"methods": ["application_credential"], "application_credential": {"id": id, "secret": secret}}
    found = contest.compare("application-credential", [Request("POST", TOKENS, body=wire.auth(identity, None))], 8)
    return [report.compared("login with an application credential, 8 connections", found, "Python 50 ×")]


def password(contest):
    found = contest.compare("password", [password_login(contest.cloud, 1)], 16)
    return [report.compared("login with a password (bcrypt, 12 rounds), 16 connections", found)]


def listing(plural, contest):
    request = Request("GET", f"/v3/{plural}?limit=1000", contest.cloud.admin)
    rows = {}
    for contestant, keystone in contest.keystones.items():
        rows[contestant] = len(contestants.answer(keystone, request).json[plural])
    found = contest.compare(plural, [request], 8)
    title = f"`{request.path}`, 8 connections; rows: {rows[OURS]:,}, Python {rows[REFERENCE]:,}"
    return [report.compared(title, found, "size L: Python 30 ×")]


def assignments(contest):
    """All of them with names, which takes Python Keystone minutes."""
    request = Request("GET", "/v3/role_assignments?include_names", contest.cloud.admin)
    before = contest.ours.daemon.memory()
    contestants.forget_peak(contest.ours)
    times, statements = [], []

    def ask():
        begun = time.monotonic()
        answer = contestants.answer(contest.ours, request)
        times.append(time.monotonic() - begun)
        return answer

    for _ in range(contest.options.rounds):
        answer, asked = contest.statements_during(ask)
        statements.append(asked)
    rows = len(answer.json["role_assignments"])
    if rows < contest.cloud.size.grants:
        raise RuntimeError(f"{rows} assignments of {contest.cloud.size.grants}")
    peak, after = contestants.peak_memory(contest.ours), contest.ours.daemon.memory()
    text = (
        f"{report.duration(statistics.median(times))}, {len(answer.text) / 1e6:.1f} MB, {min(statements)} statements, "
        f"memory {report.size(before)}, at most {report.size(peak)}, then {report.size(after)}"
    )
    title = f"`{request.path}`, {rows:,} rows"
    return [report.alone(title, text, "50,000 rows: 500 ms, 4 statements, memory bounded")]


def busy(contest):
    """The slowest validations while 64 clients log in, and while nobody does."""
    options, cloud, url = contest.options, contest.cloud, contest.ours.url
    load = Load(contest.directory, "busy", [validation(cloud, 1)], 8)
    logins = Load(contest.directory, "logins", [password_login(cloud, user) for user in users(cloud, 64)], 64)

    def idle():
        contest.settle()
        load.drive(url, options.warm_up)
        return load.drive(url, options.seconds)

    def beside_logins():
        with logins.behind(url, options.seconds + options.warm_up + 60):
            load.drive(url, options.warm_up)
            return load.drive(url, options.seconds)

    contest.warm(load, OURS)
    found = contest.rounds({"idle": idle, "beside logins": beside_logins})
    alone, beside = found["idle"].p99, found["beside logins"].p99
    text = f"{report.duration(alone)} when idle, {report.duration(beside)}: {report.times(beside / alone)}"
    return [report.alone("validation p99, 8 connections, while 64 clients log in with passwords", text, "5 ×")]


def pair(title, found):
    """A row about the two rates of this server in different circumstances."""
    (name, one), (other_name, other) = found.items()
    text = f"{report.number(one.rate)}/s {name}, {report.number(other.rate)}/s {other_name}"
    return title, f"{text}: {other.rate / one.rate:.2f}"


def revocations(contest):
    """First sights, for which the events count, with many of them and with none."""
    rows = []
    for kind, rescoped in (("direct", False), ("rescoped", True)):
        say(f"  {kind} tokens")
        drive = contest.first_sights("revocations", first_sights(contest.cloud, rescoped), FIRST_SIGHTS)

        def with_events(count, drive=drive):
            set_revocation_events(contest, count)
            return drive()

        found = contest.rounds({"with none": lambda: with_events(0), "with them": lambda: with_events(EVENTS)})
        title = f"first sight of {kind} tokens, with {EVENTS:,} revocation events"
        rows.append(report.alone(*pair(title, found), "0.95"))
    set_revocation_events(contest, contest.cloud.size.revocation_events)
    return rows


def set_revocation_events(contest, count):
    """Not by `DELETE`, whose rows stay in the way of statements until InnoDB purges them."""
    contest.cloud.sql("TRUNCATE revocation_event; " + seed.revocation_events(count))
    # The server reads what was written before it answers.
    contestants.answer(contest.ours, validation(contest.cloud, 1))


def sizes(contest):
    """This server on a small cloud and on this one."""
    clouds = {"at size S": contest.small, f"at size {contest.options.size}": contest}
    hot, fresh = {}, {}
    for name, each in clouds.items():
        load = Load(contest.directory, name.replace(" ", "-"), [validation(each.cloud, 1)], 64)
        each.warm(load, OURS)
        hot[name] = functools.partial(each.drive, load, each.ours)
        fresh[name] = each.first_sights(f"fresh-{name}".replace(" ", "-"), first_sights(each.cloud), FIRST_SIGHTS)
    return [
        report.alone(*pair("one token, 64 connections", contest.rounds(hot)), "0.9"),
        report.alone(*pair(f"first sight of a token, {FIRST_SIGHTS} connections", contest.rounds(fresh)), "0.9"),
    ]


def after(contest):
    memory = {contestant: keystone.daemon.memory() for contestant, keystone in contest.keystones.items()}
    return [report.less("memory after all of this (PSS)", memory, report.size)]


FIGURES = {
    "start": start,
    "one": one,
    "many": many,
    "written": written,
    "first": first,
    "rescope": rescope,
    "application-credential": application_credential,
    "password": password,
    "busy": busy,
    "revocations": revocations,
    "users": functools.partial(listing, "users"),
    "projects": functools.partial(listing, "projects"),
    "assignments": assignments,
    "sizes": sizes,
    "directory": directories.figures,
    "after": after,
}
