"""The swap: what one Keystone writes the other reads, what one is asked the other answers alike."""

import cloud
import lasting
import outage
import requests_alike
import rotation
import sharing
import successor
import tokens
from harness import checks, processes


def swap(run):
    directory = processes.scratch("swap")
    both = cloud.Cloud(directory)
    run.section("Two servers on one database")
    with run.check("Python Keystone makes the database and the keys", needed=True):
        cloud.settle(both.reference)
    with run.check("this server adopts the database", needed=True):
        before = lasting.schema(both.mariadb, "keystone")
        both.reference.serve()
        both.ours.serve()
        lasting.untouched(before, lasting.schema(both.mariadb, "keystone"))
    with run.check("things to ask about", needed=True):
        things = cloud.furnish(both.admin(both.reference))
    for chapter in (tokens, requests_alike, sharing, rotation):
        run.section(chapter.__doc__.strip().rstrip("."))
        chapter.tell(run, both, things)
    for chapter in (outage, successor):
        run.section(chapter.__doc__.strip().rstrip("."))
        chapter.tell(run, both)


checks.run("swap", swap)
