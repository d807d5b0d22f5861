"""Compares the schema that our `db_sync` makes with Python Keystone's, on a running MariaDB and on SQLite.

    compare.py PORT MANAGE PYTHON_MANAGE WORK

PORT is a MariaDB whose user `keystone`, password `p@ss`, may do anything; MANAGE and PYTHON_MANAGE are the two
`keystone-manage`. Runs inside Python Keystone's virtualenv. Checks, on both databases, that

- an empty database ends up the same, whole or by `--expand` and `--contract`;
- each side's `db_sync` finds nothing to do on what the other made;
- our `db_sync` brings every historic pair of revisions to the same head;
- `--check` answers with the same exit status, `db_version` with the same text.
"""
import pathlib
import subprocess
import sys

import pymysql
import structure

PORT, MANAGE, PYTHON_MANAGE, WORK = int(sys.argv[1]), sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4])
HERE = pathlib.Path(__file__).parent
ROOT = "27e647c0fad4"
EXPAND = ["29e87d24a316", "b4f8b3f584e0", "11c3b243b4cb", "47147121", "e8725d6fa226", "742c857f1dfb"]
CONTRACT = ["e25ffa003242", "99de3849d860", "c88cdce8f248"]
failures = []


class Mysql:
    def __init__(self, name):
        self.name = name
        self.root = pymysql.connect(host="127.0.0.1", port=PORT, user="keystone", password="p@ss", autocommit=True)
        # Not the character set of the schema: `db_sync` has to set it.
        self.run(f"DROP DATABASE IF EXISTS `{name}`", f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4", f"USE `{name}`")
        self.url = f"mysql+pymysql://keystone:p%40ss@127.0.0.1:{PORT}/{name}?charset=utf8"

    def run(self, *texts):
        with self.root.cursor() as cursor:
            for text in texts:
                cursor.execute(text)
            return cursor.fetchall()

    def structure(self):
        return structure.mysql(self.run)


class Sqlite:
    def __init__(self, name):
        self.path = WORK / f"{name}.db"
        self.path.unlink(missing_ok=True)
        self.url = f"sqlite:///{self.path}"

    def structure(self):
        return structure.sqlite(self.path)


def manage(binary, database, *arguments):
    conf = WORK / "keystone.conf"
    conf.write_text(f"[database]\nconnection = {database.url}\n")
    done = subprocess.run([binary, "--config-file", conf, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def sync(binary, database, *arguments):
    code, _, err = manage(binary, database, "db_sync", *arguments)
    check(f"{binary} db_sync {' '.join(arguments)}", (code, err if code else ""), (0, ""))


def at(pairs):
    arguments = [f"{database.url}={','.join(revisions)}" for database, revisions in pairs]
    subprocess.run([sys.executable, HERE / "at_revision.py", *arguments], check=True, capture_output=True)


def check(what, found, expected):
    if found == expected:
        return
    print(f"FAILED: {what}")
    if isinstance(expected, list) and expected and isinstance(expected[0], tuple):
        for fact in sorted(set(expected) - set(found)):
            print("  missing:", *fact)
        for fact in sorted(set(found) - set(expected)):
            print("  surplus:", *fact)
        found, expected = len(found), len(expected)
    print(f"  found {found}, expected {expected}")
    failures.append(what)


def answers(what, database):
    for arguments in (["db_sync", "--check"], ["db_version"]):
        ours, theirs = manage(MANAGE, database, *arguments), manage(PYTHON_MANAGE, database, *arguments)
        check(f"{what}: {' '.join(arguments)}", ours[0], theirs[0])
        if arguments == ["db_version"]:
            # Python Keystone logs to standard output as well.
            check(f"{what}: db_version", ours[1].splitlines()[-1:], theirs[1].splitlines()[-1:])


def compare(kind, states):
    label = kind.__name__
    python = kind("python_head")
    sync(PYTHON_MANAGE, python)
    head = python.structure()
    ours = kind("our_head")
    answers(f"{label} empty", ours)
    sync(MANAGE, ours)
    check(f"{label}: head", ours.structure(), head)
    answers(f"{label} head", ours)
    sync(PYTHON_MANAGE, ours)
    check(f"{label}: Python's db_sync on ours", ours.structure(), head)
    sync(MANAGE, python)
    check(f"{label}: our db_sync on Python's", python.structure(), head)
    phases, reference = kind("our_phases"), kind("python_phases")
    for phase in ("--contract", "--expand", "--migrate", "--contract"):
        ours, theirs = manage(MANAGE, phases, "db_sync", phase), manage(PYTHON_MANAGE, reference, "db_sync", phase)
        check(f"{label}: {phase} exit status", ours[0], theirs[0])
        if phase != "--contract" or not theirs[0]:
            check(f"{label}: after {phase}", phases.structure(), reference.structure())
            answers(f"{label} {phase}", phases)
    old = [(kind(f"old_{'_'.join(revisions)}"), revisions) for revisions in states]
    at(old)
    answers(f"{label} at the root", old[0][0])
    for database, revisions in old:
        sync(MANAGE, database, "--without-triggers")
        check(f"{label}: from {' '.join(revisions)}", database.structure(), head)
    print(f"{label}: {len(head)} facts, {len(states)} historic states")


if __name__ == "__main__":
    all_states = [[ROOT]] + [[e, *c] for e in EXPAND for c in [[], *([c] for c in CONTRACT)]]
    compare(Mysql, all_states)
    compare(Sqlite, all_states)
    print("FAILED" if failures else "ok")
    sys.exit(bool(failures))
