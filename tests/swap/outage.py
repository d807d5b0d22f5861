"""An unreachable database, and a database with an unknown schema."""

import threading
import time

import cloud
from harness import keystones, processes, wire
from harness.checks import Skipped, contains, equal, expect
from compare import alike, essence

SECRET = "KEYSTONE_DBPASS"


def tell(run, both):
    with run.check("MariaDB is killed under writes: 503, recovery, and nothing lost that was answered with success"):
        native_only()
        killed_under_writes(both)
    with run.check("MariaDB is stopped: 503, and recovery when it is back"):
        native_only()
        stopped(both)
    with run.check("a database that is down at start: a message and exit 1"):
        native_only()
        down_at_start(both)
    for name, revision, told in (
        ("older", "47147121", "db_sync"),
        ("newer", "ffffffffffff", "ffffffffffff"),
    ):
        with run.check(f"a schema that is {name}: serve says which revision it found and what to run, and exits 1"):
            native_only()
            unknown_schema(both, name, revision, told)
    with run.check("a database without tables: serve says to run db_sync, and exits 1"):
        native_only()
        keystone = variant(both, "blank")
        cloud.make_keys(keystone)
        status, log = refused_start(keystone)
        equal(status, 1, f"the exit status\n{log}")
        contains(log, "db_sync")
    with run.check("migrated but not bootstrapped: serves as Keystone does, and says what to run"):
        not_bootstrapped(both)
    with run.check("without keys: serves, answers as Keystone whose keys were taken away, and says what to run"):
        without_keys(both)


def native_only():
    if not keystones.is_native():
        raise Skipped("Python Keystone is no better than uWSGI here")


def variant(both, name):
    """A server with its own configuration on a new database."""
    directory = both.directory / name
    directory.mkdir()
    config = directory / "keystone.conf"
    connection = both.mariadb.database(name, SECRET)
    config.write_text(cloud.CONF.format(connection=connection, directory=directory))
    return keystones.under_test(directory, config)


def answer_within(seconds, what, ask, status):
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer.status == status:
            return answer
        expect(time.monotonic() < deadline, f"{what} still answers {answer} after {seconds} s")
        time.sleep(0.1)


def unavailable(client):
    for method, path, body in (
        ("GET", "/v3/users", None),
        ("POST", "/v3/auth/tokens", wire.password("admin", cloud.ADMIN_PASSWORD, "admin")),
    ):
        started = time.monotonic()
        answer = client(method, path, body, timeout=60)
        equal(answer.status, 503, f"the status of {method} {path} ({answer})")
        equal(answer.json["error"]["code"], 503, "the code in the body")
        equal(answer.json["error"]["title"], "Service Unavailable", "the title")
        expect(time.monotonic() - started < 35, "the answer took longer than half a minute")
    equal(wire.request("GET", f"{client.url}/v3").status, 200, "the status of discovery meanwhile")


def stopped(both):
    admin = both.admin(both.ours)
    both.mariadb.stop()
    try:
        unavailable(admin)
    finally:
        both.mariadb.start()
    answer_within(15, "GET /v3/users", lambda: admin.get("/v3/users"), 200)
    expect(both.ours.daemon.alive(), "the server ended")


def killed_under_writes(both):
    admin, done, confirmed = both.admin(both.ours), threading.Event(), []

    def write(writer):
        number = 0
        while not done.is_set() and number < 5000:
            number += 1
            region = f"w{writer}-{number}"
            try:
                answer = admin.post("/v3/regions", {"region": {"id": region}})
            except OSError:
                continue
            if answer.status == 201:
                confirmed.append(region)

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for writer in writers:
        writer.start()
    time.sleep(1.5)
    both.mariadb.kill()
    try:
        unavailable(admin)
        done.set()
        for writer in writers:
            writer.join()
    finally:
        done.set()
        both.mariadb.start()
    answer = answer_within(15, "GET /v3/regions", lambda: admin.get("/v3/regions"), 200)
    present = {region["id"] for region in answer.json["regions"]}
    expect(len(confirmed) > 20, f"only {len(confirmed)} writes were confirmed before the end")
    equal([region for region in confirmed if region not in present], [], "the regions that were lost")
    both.mariadb.sql("DELETE FROM region WHERE id LIKE 'w%-%'", "keystone")


def refused_start(keystone):
    daemon = keystone.spawn()
    try:
        processes.wait_for("end of serve", lambda: not daemon.alive(), timeout=45)
        status = daemon.process.returncode
    finally:
        daemon.stop()
    log = daemon.log.read_text(errors="replace")
    expect(SECRET not in log, "the database's password is in the log")
    expect("panicked" not in log, f"a panic:\n{log}")
    return status, log


def down_at_start(both):
    directory = both.directory / "down"
    directory.mkdir()
    port = processes.free_port()
    config = directory / "keystone.conf"
    connection = f"mysql+pymysql://keystone:{SECRET}@{processes.LOOPBACK}:{port}/keystone"
    config.write_text(cloud.CONF.format(connection=connection, directory=directory))
    keystone = keystones.under_test(directory, config)
    cloud.make_keys(keystone)
    status, log = refused_start(keystone)
    equal(status, 1, f"the exit status\n{log}")
    contains(log, f"{processes.LOOPBACK}:{port}")
    done = keystone.manage("db_sync")
    equal(done.returncode, 1, "the exit status of db_sync")
    expect(SECRET not in done.stdout + done.stderr, "the database's password is in the output")


def unknown_schema(both, name, revision, told):
    keystone = variant(both, name)
    cloud.make_keys(keystone)
    cloud.manage(keystone, "db_sync")
    both.mariadb.sql(f"UPDATE alembic_version SET version_num = '{revision}' WHERE version_num = '742c857f1dfb'", name)
    status, log = refused_start(keystone)
    equal(status, 1, f"the exit status\n{log}")
    contains(log, revision, told)


def not_bootstrapped(both):
    keystone = variant(both, "unfinished")
    cloud.make_keys(keystone)
    cloud.manage(keystone, "db_sync")
    reference = keystones.Reference(keystone.directory, keystone.config, processes=1).serve()
    keystone.serve()
    asked_alike(reference, keystone)
    if keystones.is_native():
        contains(keystone.daemon.log.read_text(), "keystone-manage bootstrap")
    keystone.stop()
    reference.stop()


def without_keys(both):
    """Python Keystone reads its keys at start, so its key repository is removed after that."""
    native_only()
    keystone = variant(both, "keyless")
    cloud.settle(keystone)
    reference = keystones.Reference(keystone.directory, keystone.config, processes=1).serve()
    asked_alike(reference, reference)
    for key in (keystone.directory / "fernet-keys").iterdir():
        key.unlink()
    keystone.serve()
    asked_alike(reference, keystone)
    contains(keystone.daemon.log.read_text(), "keystone-manage fernet_setup")
    cloud.manage(keystone, "fernet_setup", *cloud.owner())
    time.sleep(3)
    wire.login(keystone.url, "admin", cloud.ADMIN_PASSWORD, "admin")
    keystone.stop()
    reference.stop()


def asked_alike(reference, keystone):
    login = wire.password("admin", cloud.ADMIN_PASSWORD, "admin")
    for method, path, body in (("GET", "/v3", None), ("GET", "/v3/users", None), ("POST", "/v3/auth/tokens", login)):
        sides = (reference, keystone)
        alike(*(essence(wire.request(method, side.url + path, body), side.url, fresh=True) for side in sides), path)
