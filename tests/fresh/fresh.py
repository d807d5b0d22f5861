"""Answers from memory that are never older than their question, of real servers, for as long as one likes."""

import argparse
import contextlib
import random

import faults
import load
import pymysql
from world import World

from harness import checks, clouds, keystones, processes, services
from harness.proxy import Proxy

LIFETIME = {"token": {"expiration": 86400}}


class Node(keystones.Native):
    """This server, or one of its `fresh_node`, which takes another way to memory."""

    def __init__(self, name, directory, config, mode=None):
        super().__init__(directory, config)
        self.name, self.mode = name, mode

    def command(self, ports):
        if not self.mode:
            return super().command(ports)
        return [keystones.NATIVE_BIN / "fresh_node", self.mode, f"{processes.LOOPBACK}:{ports[0]}", self.config], {}


def connector(*mariadbs):
    """Opens connections of somebody at a SQL prompt, to one of the servers."""

    def connect():
        mariadb = random.choice(mariadbs)
        connection = pymysql.connect(unix_socket=str(mariadb.socket), user="root", database="keystone", autocommit=True)
        with connection.cursor() as cursor:
            # The writers of a step don't wait for the transactions that stay open.
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            cursor.execute("SET SESSION innodb_lock_wait_timeout = 10")
            cursor.execute("SET SESSION wsrep_sync_wait = 7")
        return connection

    return connect


def on(mariadb, **more):
    """The configuration of who uses this database server."""
    return {"database": {"connection": mariadb.url("keystone", "KEYSTONE_DBPASS"), **more}}


def world_of(cloud, configs, python, connect, mode=None):
    """A node of this server for each configuration, one that remembers nothing, and Python Keystone, which does neither."""
    nodes = [Node(f"node {n}", cloud.directory, config, mode).serve() for n, config in enumerate(configs, 1)]
    oracle = Node("oracle", cloud.directory, cloud.config, "database").serve()
    config = cloud.variant("python", {"cache": {"enabled": False}, **python})
    reference = keystones.Reference(cloud.directory, config, processes=1).serve()
    return World(cloud, nodes, oracle, reference, connect, arguments.seed)


@contextlib.contextmanager
def reported(world):
    """Says at the end what was seen, and fails if an answer was stale."""
    try:
        yield world
    finally:
        print(
            f"    {world.steps} steps, {world.asked} answers, {world.changed} of them others than before their step, "
            f"{len(world.found)} stale; sent again or excused: {dict(world.refused)}",
            flush=True,
        )
        checks.expect(not world.found, "\n".join(world.found[:10]))


def beside(run):
    run.section(f"two nodes beside Python Keystone, seed {arguments.seed}")

    def world(mode=None):
        cloud = clouds.Cloud(processes.scratch("fresh"), LIFETIME)
        return world_of(cloud, [cloud.config] * 2, {}, connector(cloud.mariadb), mode)

    with run.check("no answer is older than its question"), reported(world()) as seen:
        seen.run(arguments.steps)
    with run.check("without the gate some are"):
        seen = world("ungated")
        # Who answers from old memory writes by it, too.
        seen.writers = [seen.oracle.server, seen.other_oracle.server]
        seen.run(100)
        print(f"    {len(seen.found)} of {seen.asked} answers are stale", flush=True)
        checks.expect(seen.found, "the run sees nothing")


def through_faults(run):
    cloud, proxy = clouds.Cloud(processes.scratch("fresh"), LIFETIME), Proxy()
    proxy.target = cloud.mariadb.port
    direct = cloud.mariadb.url("keystone", "KEYSTONE_DBPASS")
    through = {"database": {"connection": direct.replace(str(proxy.target), str(proxy.port))}}
    careful = cloud.variant("careful", through)
    bold = cloud.variant("bold", {**through, "cache": {"stale_for": faults.STALE_FOR}})
    world = world_of(cloud, [careful, bold], {}, connector(cloud.mariadb))
    with run.check("no answer is older than it may be"), reported(world):
        faults.tell(run, world, proxy, max(10, arguments.steps // 100))


def on_galera(run):
    run.section("three nodes, each on its own node of a Galera cluster")
    directory = processes.scratch("fresh")
    mariadbs = [services.GaleraNode(directory / "one")]
    mariadbs += [services.GaleraNode(directory / name, mariadbs[0]) for name in ("two", "three")]
    for mariadb in mariadbs:
        # Who may not do this has an administrator run what db_sync prints.
        mariadb.sql("SET GLOBAL log_bin_trust_function_creators = 1")
    cloud = clouds.Cloud(directory, LIFETIME, mariadbs[0])
    configs = [cloud.variant(f"node-{n}", on(mariadb)) for n, mariadb in enumerate(mariadbs, 1)]
    python = on(mariadbs[1], mysql_wsrep_sync_wait=7)
    world = world_of(cloud, configs, python, connector(*mariadbs))
    with run.check("no answer is older than its question"), reported(world):
        world.run(arguments.steps // 2)


def under_load(run):
    load.tell(run, clouds.Cloud(processes.scratch("fresh")), arguments.minutes)


PARTS = {"beside": beside, "faults": through_faults, "galera": on_galera, "load": under_load}


def fresh(run):
    for part in arguments.only or PARTS:
        PARTS[part](run)


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=2000)
parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
parser.add_argument("--minutes", type=float, default=10, help="of mixed load")
parser.add_argument("--only", nargs="+", choices=PARTS)
arguments = parser.parse_args()
checks.run("fresh", fresh)
