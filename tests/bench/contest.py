"""The servers of one cloud, and how they are driven in turn."""

import contextlib
import dataclasses
import itertools
import sys
from functools import partial

import contestants
from contestants import CEILING, OURS, REFERENCE
from load import Load, median

from harness import processes

# Python Keystone's longest way to a warm cache, in seconds.
LONGEST_TURN = 150


def say(text):
    print(text, file=sys.stderr, flush=True)


class Contest:
    # Of this server on the small cloud, for the figure that compares sizes.
    small = None

    def __init__(self, options, directory, cloud, memcached):
        self.options, self.directory, self.cloud, self.memcached = options, directory, cloud, memcached
        self.keystones = {OURS: contestants.ours(cloud), REFERENCE: contestants.reference(cloud)}

    @property
    def ours(self):
        return self.keystones[OURS]

    def serve(self):
        for keystone in self.keystones.values():
            contestants.seconds_to_ready(keystone, self.cloud)

    def compare(self, name, requests, connections, among=(OURS, REFERENCE), ceiling=False, writer=None):
        """Drives each server with the requests; returns the medians of the rounds by contestant."""
        load = Load(self.directory, name, requests, connections)
        field = {contestant: self.keystones[contestant] for contestant in among}
        self.memcached.flush()
        for contestant in field:
            self.warm(load, contestant)
        if ceiling:
            field[CEILING] = contestants.Ceiling(self.directory, self.body_of(requests[0]))
        try:
            return self.rounds({name: partial(self.drive, load, keystone, writer) for name, keystone in field.items()})
        finally:
            if ceiling:
                field[CEILING].stop()

    def compare_first_sights(self, name, make, connections, among=(OURS, REFERENCE)):
        """The same with requests that no server has seen before, as `make(count)` makes them."""
        self.memcached.flush()
        return self.rounds({contestant: self.first_sights(name, make, connections, contestant) for contestant in among})

    def first_sights(self, name, make, connections, contestant=OURS):
        """What drives a contestant with requests that it has not seen before."""
        # Loads what does not belong to a token.
        self.warm(Load(self.directory, name, make(100), connections), contestant)
        rate = 200

        def drive():
            nonlocal rate
            while True:
                count = int(rate * self.options.seconds * 1.5) + 200
                load = Load(self.directory, name, make(count), connections)
                found = self.drive(load, self.keystones[contestant])
                rate = max(found.rate, rate)
                if found.sent <= count:
                    return found
                # Some were sent twice.
                rate *= 2

        return drive

    def rounds(self, drives):
        """Calls each of some named functions in turn, some rounds; returns the medians of what they found."""
        results = {name: [] for name in drives}
        for _ in range(self.options.rounds):
            for name, drive in drives.items():
                found = drive()
                say(f"    {name}: {found.rate:,.0f}/s, p50 {found.p50 * 1000:.2f} ms, p99 {found.p99 * 1000:.2f} ms")
                results[name].append(found)
        return {name: median(found) for name, found in results.items()}

    def settle(self):
        """Waits until what was asked of the servers before is done: clients leave, and hashes go on."""
        for keystone in self.keystones.values():
            processes.wait_for("quiet server", lambda keystone=keystone: not contestants.working(keystone))

    def drive(self, load, keystone, writer=None):
        """One run. Requests whose answers wrk did not wait for at its end have statements too."""
        self.settle()

        def act():
            with writer() if writer else contextlib.nullcontext():
                return load.drive(keystone.url, self.options.seconds)

        written = writer.count if writer else 0
        found, statements = self.statements_during(act)
        if writer:
            statements -= writer.count - written
        return dataclasses.replace(found, statements=statements / (found.requests + load.connections))

    def statements_during(self, act):
        """What `act` returns, and the number of statements of it and of what it left running."""
        mariadb = self.cloud.mariadb
        before = mariadb.quiet()
        found = act()
        return found, mariadb.quiet() - before

    def warm(self, load, contestant):
        """Sends each request at least once, and checks the answers, which wrk does not do as fast."""
        keystone = self.keystones[contestant]
        if contestant == REFERENCE:
            self.warm_reference(load, keystone)
        load.drive(keystone.url, self.options.warm_up, check=True)

    def warm_reference(self, load, keystone):
        """Its threads race for the policy file in the first requests, and each token is slow at first sight."""
        for request in itertools.islice(itertools.cycle(load.requests), 16):
            contestants.answer(keystone, request)
        found = load.drive(keystone.url, self.options.warm_up, lenient=True)
        left = len(load.requests) / found.rate
        if found.sent and left > self.options.warm_up and not self.options.quick:
            seconds = min(LONGEST_TURN, int(left * 1.2) + 1)
            say(f"    {REFERENCE}: {seconds} s to warm up")
            load.drive(keystone.url, seconds, lenient=True)

    def body_of(self, request):
        return contestants.answer(self.ours, request).text.encode()
