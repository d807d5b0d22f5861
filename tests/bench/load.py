"""Requests, and what wrk counts when it sends them."""

import contextlib
import dataclasses
import json
import pathlib
import re
import statistics
import subprocess

from harness import processes

# How long a server may take for a first answer, in seconds, before it counts as one that does not answer.
LONGEST = 60
SCRIPT = pathlib.Path(__file__).with_name("load.lua")


@dataclasses.dataclass(frozen=True)
class Request:
    """`owner` is the user whom an answer about `subject`, a token, must name."""

    method: str
    path: str
    token: str | None = None
    subject: str | None = None
    owner: str = "-"
    body: object = None

    def raw(self):
        # One name for all servers: links in bodies have it.
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: keystone.bench"]
        lines += [f"X-Auth-Token: {self.token}"] if self.token else []
        lines += [f"X-Subject-Token: {self.subject}"] if self.subject else []
        body = ""
        if self.body is not None:
            body = json.dumps(self.body)
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", body])


@dataclasses.dataclass(frozen=True)
class Result:
    """Of one run: answers per second, latencies in seconds, SQL statements for each answer."""

    rate: float
    p50: float
    p99: float
    requests: int
    sent: int
    statements: float = 0


def median(results):
    """The median of each figure of some runs."""
    return Result(
        rate=statistics.median(result.rate for result in results),
        p50=statistics.median(result.p50 for result in results),
        p99=statistics.median(result.p99 for result in results),
        requests=sum(result.requests for result in results),
        sent=sum(result.sent for result in results),
        statements=statistics.median(result.statements for result in results),
    )


class Load:
    """Some requests in turn, on a number of connections."""

    def __init__(self, directory, name, requests, connections):
        self.file = directory / f"{name}.requests"
        self.requests, self.connections = requests, connections
        with open(self.file, "w") as file:
            for request in requests:
                raw = request.raw()
                file.write(f"{len(raw)} {request.subject or '-'} {request.owner}\n{raw}\n")

    def command(self, url, seconds, *how):
        return [
            *("wrk", "-t", 1, "-c", self.connections, "-d", f"{seconds}s", "--timeout", "60s", "-s", SCRIPT),
            *(url, "--", self.file, *how),
        ]

    def drive(self, url, seconds, check=False, lenient=False):
        """Every answer must be a success, unless `lenient`; with `check` each must be about its token. Takes longer if so
        short a run sees no answer."""
        done = processes.run(self.command(url, seconds, *(["check"] if check else [])), timeout=seconds + 120)
        found = {name: int(value) for name, value in re.findall(r"^found (\w+) (\d+)$", done.stdout, re.M)}
        faults = [] if lenient else ["refused", "timeout", "broken", "wrong"]
        if done.returncode or not found or any(found[name] for name in faults):
            raise RuntimeError(f"wrk on {url}, {self.file.stem}: {found}\n{done.stdout}{done.stderr}")
        if not found["requests"]:
            if seconds > LONGEST:
                raise RuntimeError(f"{url} answers no {self.file.stem} in {seconds} s")
            return self.drive(url, seconds * 4, check, lenient)
        return Result(
            rate=found["requests"] / found["microseconds"] * 1e6,
            p50=found["p50"] / 1e6,
            p99=found["p99"] / 1e6,
            requests=found["requests"],
            sent=found["sent"],
        )

    @contextlib.contextmanager
    def behind(self, url, seconds):
        """Sends the requests during the body, for at most so many seconds; the answers may be anything,
        and who is turned away comes again when told to."""
        command = [str(part) for part in self.command(url, seconds, "patient")]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.kill()
            process.wait()
