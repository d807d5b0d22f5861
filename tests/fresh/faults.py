"""What befalls nodes, the database and its log while people ask: each answer is right, or a 503, or as old as a node may be.

The first node is not told otherwise, and answers 503 while it can't ask the database. The second has `[cache] stale_for`:
it goes on with what held at the last moment.
"""

import contextlib
import random
import signal
import threading
import time

from world import Said, ends

from harness import processes
from harness.checks import equal, expect

# `[cache] stale_for` of the second node.
STALE_FOR = 15
# How often the triggers are compared with what they should be, and what a busy machine adds to that.
TRIGGERS_CHECKED = 10 + 2
# Seconds that an answer may take on its way.
ON_ITS_WAY = 1
REFUSALS = (401, 403, 404)


def tell(run, world, proxy, steps):
    mariadb = world.cloud.mariadb
    run.section("nodes that end")
    with run.check("a node is killed in the middle of writes and started again"):
        killed(world, steps)
    run.section("a database that is away")
    with run.check("slow: every answer is right"):
        proxy.delay = 0.03
        world.run(steps)
        proxy.mend()
    for name, begin, end in (
        ("so slow that it is away", lambda: setattr(proxy, "delay", 3.0), proxy.mend),
        ("cut off", proxy.cut, proxy.mend),
        ("silent", proxy.flows.clear, proxy.mend),
    ):
        with run.check(f"{name}, and others write meanwhile"):
            away(world, begin, end, writes=True)
            world.run(steps)
    for name, begin, end in (
        ("frozen", lambda: mariadb.daemon.send(signal.SIGSTOP), lambda: mariadb.daemon.send(signal.SIGCONT)),
        ("killed and started again", mariadb.kill, mariadb.start),
    ):
        with run.check(name):
            away(world, begin, lambda: (end(), world.connect_again()), writes=False)
            world.run(steps)
    run.section("a log that is damaged")
    lost_logs(run, world, steps)
    with run.check("triggers are dropped by hand"):
        without_triggers(world, steps)


def killed(world, steps):
    node = world.nodes[1]
    for _ in range(3):
        world.run(steps)
        person = world.somebody()
        world.renew(person)
        tokens = world.interesting(person)
        path, body = f"/v3/users/{person.id}", {"user": {"enabled": False}}

        def write():
            # Whether it gets that far is a matter of luck.
            with contextlib.suppress(OSError):
                world.admin(node).patch(path, body)

        def kill():
            writer = threading.Thread(target=write)
            writer.start()
            time.sleep(world.chance.random() * 0.02)
            node.daemon.stop(signal.SIGKILL)
            writer.join()
            equal(world.admin(world.nodes[0]).patch(path, body).status, 200, "the status at the other node")

        with excused(world, {node: lambda said: said.status == 0}):
            world.step(f"{node.name} is killed", kill, tokens)
        enabled = {"user": {"enabled": True}}
        world.step("it is back", lambda: (node.serve(*node.ports), world.admin(node).patch(path, enabled)), tokens)


@contextlib.contextmanager
def excused(world, excuses):
    """Lets nodes give some answers that are not right."""
    world.excuses = excuses
    try:
        yield
    finally:
        world.excuses = {}


def away(world, begin, end, writes):
    """Both nodes lose the database for longer than one of them may go on without it."""
    careful, bold = world.nodes
    person = world.somebody()
    world.renew(person)
    tokens = person.tokens
    before = world.step("nothing", lambda: None, tokens)
    begun = time.monotonic()
    begin()
    try:
        if writes:
            world.run_sql(f"UPDATE user SET enabled = 0 WHERE id = '{person.id}'")
        old = fresh = 0
        while time.monotonic() < begun + STALE_FOR + 10:
            asked = time.monotonic()
            answers = world.ask_each(tokens, 2)
            for (node, token), said in answers.items():
                if said.status == 503:
                    world.refused[node.name] += 1
                    continue
                is_old = said.same(before[token])
                age = time.monotonic() - begun
                if node is bold and is_old and age <= STALE_FOR + ON_ITS_WAY:
                    old += 1
                    continue
                # Until its connections end, a node may still have asked the database.
                fresh += 1
                right = Said(404) if writes else before[token]
                expect(said.same(right), f"{node.name} says after {age:.1f} s: {said}\n  instead of {right}")
            print(f"    {asked - begun:.1f}", {n.name: [s.status for (m, _), s in answers.items() if m is n] for n in world.nodes}, flush=True)
        expect(old, "the node that may be old never was")
        equal({said.status for said in answers.values()}, {503}, "what both say in the end")
    finally:
        end()
    if writes:
        world.step("it is back, and the user is enabled", lambda: enable(world, person), tokens)
    else:
        world.step("it is back", lambda: None, tokens)
    print(f"    {old} answers from before, {fresh} others", flush=True)


def enable(world, person):
    world.run_sql(f"UPDATE user SET enabled = 1 WHERE id = '{person.id}'")


def lost_logs(run, world, steps):
    log = "keystone_change"
    for name, texts in (
        ("emptied", (f"DELETE FROM {log}",)),
        ("truncated", (f"TRUNCATE {log}",)),
        ("restored as it was before", (f"DELETE FROM {log}", f"INSERT INTO {log} SELECT * FROM kept")),
        ("made anew by db_sync after it was dropped", (f"DROP TABLE {log}",)),
        ("away for some time", (f"RENAME TABLE {log} TO away",)),
    ):
        with run.check(name):
            for sleeper in world.sleepers:
                sleeper.move(world, at_once=True)
            world.run_sql(f"CREATE OR REPLACE TABLE kept AS SELECT * FROM {log}")
            world.run(steps)
            for text in texts:
                world.run_sql(text)
            world.run(steps)
            if "DROP" in texts[0]:
                world.cloud.manage("db_sync")
            if "RENAME" in texts[0]:
                world.run_sql(f"RENAME TABLE away TO {log}")
            world.run(steps)


def without_triggers(world, steps):
    for trigger in ("user_update", "revocation_event_insert"):
        world.run_sql(f"DROP TRIGGER keystone_change_{trigger}")
    end = time.monotonic() + TRIGGERS_CHECKED
    with excused(world, {node: lambda said: True for node in world.nodes}):
        while time.monotonic() < end:
            world.run(1)
    world.run(steps)
    logs = [node.daemon.log.read_text() for node in world.nodes]
    expect(all("every validation asks the database" in log for log in logs), "a node did not say that it asks the database")
    # Nobody has looked at the triggers meanwhile.
    person = world.somebody()
    world.renew(person)
    world.cloud.manage("db_sync")
    time.sleep(TRIGGERS_CHECKED)
    world.run(steps)
    tokens = world.interesting(person)

    def unseen():
        world.run_sql("DROP TRIGGER keystone_change_user_update")
        world.run_sql(f"UPDATE user SET enabled = 0 WHERE id = '{person.id}'")
        world.cloud.manage("db_sync")

    world.step("a change between a loss of triggers and db_sync", unseen, tokens)
    world.step("undone", lambda: enable(world, person), tokens)
