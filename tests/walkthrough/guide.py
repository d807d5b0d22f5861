"""The machine of the install guide: it is called `controller` and has the guide's ports where possible."""

import os

from harness import processes

OWN_NETWORK = bool(os.environ.get("KEYSTONE_TESTS_OWN_NETWORK"))
HOST = "controller" if OWN_NETWORK else processes.LOOPBACK


def port(number):
    """The guide's port, or a free one without a network namespace."""
    return number if OWN_NETWORK else processes.free_port()
