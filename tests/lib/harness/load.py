"""Clients that repeat requests without a pause, and what they were answered."""

import collections
import http.client
import itertools
import threading
import time


class Answered:
    """One request: when it ended, its status (`None` without an answer), and how long it took."""

    def __init__(self, begun, status):
        self.at = time.monotonic()
        self.status, self.seconds = status, self.at - begun

    @property
    def failed(self):
        return self.status is None or self.status >= 400


class Load:
    """`kinds` has for each kind of request the number of clients, and a function that sends one and returns its answer."""

    def __init__(self, kinds):
        self.answers = collections.defaultdict(list)
        self.over = threading.Event()
        self.threads = [
            threading.Thread(target=self.repeat, args=(kind, ask, number))
            for kind, (clients, ask) in kinds.items()
            for number in range(clients)
        ]
        for thread in self.threads:
            thread.start()

    def repeat(self, kind, ask, number):
        for turn in itertools.count(number):
            if self.over.is_set():
                return
            begun = time.monotonic()
            try:
                status = ask(turn).status
            except (OSError, http.client.HTTPException):
                status = None
                # Nobody listens, perhaps: not a thousand times a second.
                time.sleep(0.01)
            self.answers[kind].append(Answered(begun, status))

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def failures(self, kind):
        return [answer for answer in self.answers[kind] if answer.failed]

    def seconds_of_failures(self, kind):
        """From the first to the last of them."""
        times = [answer.at for answer in self.failures(kind)]
        return max(times) - min(times) if times else 0.0

    def longest(self, kind):
        return max(answer.seconds for answer in self.answers[kind])

    def statuses(self, kind):
        return dict(collections.Counter(answer.status or "no answer" for answer in self.answers[kind]))
