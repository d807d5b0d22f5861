"""What befalls nodes, the database and its log while people ask: each answer is right, or a 503, or as old as a node may be.

The first node is not told otherwise, and answers 503 while it can't ask the database. The second has `[cache] stale_for`:
it goes on with what held at the last moment.
"""

import collections
import contextlib
import signal
import threading
import time

from world import Said

from harness.checks import equal, expect

# `[cache] stale_for` of the second node.
STALE_FOR = 15
# How often the triggers are compared with what they should be, and what a busy machine adds to that.
TRIGGERS_CHECKED = 10 + 2
# Seconds that an answer may take on its way.
ON_ITS_WAY = 1


def tell(run, world, proxy, steps):
    mariadb = world.cloud.mariadb
    world.writers = world.nodes
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
        ("frozen", mariadb.daemon.freeze, lambda: mariadb.daemon.send(signal.SIGCONT)),
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
    _, bold = world.nodes
    # A change that is committed late would leave nothing to be old.
    world.settle()
    person = world.somebody()
    world.renew(person)
    tokens = person.tokens
    before = world.step("nothing", lambda: None, tokens)
    begun = time.monotonic()
    begin()
    try:
        if writes:
            world.run_sql(f"UPDATE user SET enabled = 0 WHERE id = '{person.id}'")
        answers = world.ask_until(begun + STALE_FOR + 5, tokens)
    finally:
        end()
    act = (lambda: enable(world, person)) if writes else (lambda: None)
    world.step("the database is back", act, tokens)
    for node in world.nodes:
        told = collections.Counter(said.status for *_, said in answers[node])
        print(f"    {node.name}: " + ", ".join(f"{status} {count} times" for status, count in told.items()), flush=True)
        for answered, token, said in answers[node]:
            is_right = said.same(Said(404) if writes else before[token])
            may_be_old = node is bold and answered - begun <= STALE_FOR + ON_ITS_WAY
            expect(
                said.status == 503 or is_right or (may_be_old and said.same(before[token])),
                f"{node.name} says {answered - begun:.1f} s after the database went: {said}",
            )
        equal(answers[node][-1][-1].status, 503, f"what {node.name} says in the end")
    expect(any(said.status == 200 for answered, _, said in answers[bold] if answered > begun + 3), "no answer was old")


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
            world.run_sql(f"CREATE OR REPLACE TABLE kept AS SELECT * FROM {log}")
            world.run(steps)
            # What changes tables waits for transactions that use them.
            world.settle()
            for text in texts:
                world.run_sql(text)
            world.run(steps)
            world.settle()
            if "DROP" in texts[0]:
                world.cloud.manage("db_sync")
            if "RENAME" in texts[0]:
                world.run_sql(f"RENAME TABLE away TO {log}")
            world.run(steps)


def without_triggers(world, steps):
    world.settle()
    for trigger in ("user_update", "revocation_event_insert"):
        world.run_sql(f"DROP TRIGGER keystone_change_{trigger}")
    end = time.monotonic() + TRIGGERS_CHECKED
    with excused(world, {node: lambda said: True for node in world.nodes}):
        while time.monotonic() < end:
            world.run(1)
    world.run(steps)
    logs = [node.daemon.log.read_text() for node in world.nodes]
    expect(all("every validation asks the database" in log for log in logs), "a node did not say that it asks the database")
    world.settle()
    world.cloud.manage("db_sync")
    time.sleep(TRIGGERS_CHECKED)
    world.run(steps)
    # Nobody looks at the triggers meanwhile.
    world.settle()
    person = world.somebody()
    world.renew(person)
    tokens = world.interesting(person)

    def unseen():
        world.run_sql("DROP TRIGGER keystone_change_user_update")
        world.run_sql(f"UPDATE user SET enabled = 0 WHERE id = '{person.id}'")
        world.cloud.manage("db_sync")

    world.step("a change between a loss of triggers and db_sync", unseen, tokens)
    world.step("undone", lambda: enable(world, person), tokens)
