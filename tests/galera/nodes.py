"""Runs a command with two Galera nodes, which KEYSTONE_TEST_DATABASE and KEYSTONE_TEST_NEIGHBOUR name."""

import os
import subprocess
import sys

from harness import processes, services

COUNTERS = ("wsrep_replicated", "wsrep_local_cert_failures", "wsrep_local_bf_aborts", "wsrep_cluster_size")


def main(command):
    directory = processes.scratch("galera")
    one = services.GaleraNode(directory / "one")
    other = services.GaleraNode(directory / "other", one)
    one.sql("CREATE DATABASE test")
    environment = {
        **os.environ,
        "KEYSTONE_TEST_DATABASE": address(one),
        "KEYSTONE_TEST_NEIGHBOUR": address(other),
    }
    status = subprocess.run(command, env=environment).returncode
    for name, node in (("one", one), ("other", other)):
        counts = node.counts(*COUNTERS)
        print(f"galera: node {name}: " + ", ".join(f"{key} {value}" for key, value in counts.items()), flush=True)
    return status


def address(node):
    return f"mysql://root@{processes.LOOPBACK}:{node.port}/test"


sys.exit(main(sys.argv[1:]))
