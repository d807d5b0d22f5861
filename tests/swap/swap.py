"""The swap: each Keystone reads what the other writes, and both answer the same requests alike."""

import cloud
import delegated
import federated
import invariants
import outage
import requests_alike
import rotation
import sharing
import python_on_our_database
import signed
import tokens
from harness import checks, processes


def swap(run):
    directory = processes.scratch("swap")
    both = cloud.Cloud(directory)
    run.section("Two servers on one database")
    with run.check("Python Keystone makes the database and the keys", needed=True):
        cloud.settle(both.reference)
    with run.check("this server adopts the database", needed=True):
        before = invariants.schema(both.mariadb, "keystone")
        both.reference.serve()
        both.ours.serve()
        invariants.untouched(before, invariants.schema(both.mariadb, "keystone"))
    with run.check("things to ask about", needed=True):
        things = cloud.furnish(both.admin(both.reference))
    for chapter in (tokens, delegated, federated, requests_alike, sharing, rotation, signed):
        run.section(chapter.__doc__.strip().rstrip("."))
        chapter.tell(run, both, things)
    for chapter in (outage, python_on_our_database):
        run.section(chapter.__doc__.strip().rstrip("."))
        chapter.tell(run, both)


checks.run("swap", swap)
