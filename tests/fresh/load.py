"""Many clients at once: whose answers they get, and what they leave."""

import asyncio
import contextlib
import json
import random
import statistics
import time
import urllib.parse

from minted import Mint

from harness import processes, wire
from harness.checks import equal, expect

PEOPLE = 50
TOKENS = 500
CLIENTS = 200
# By how much memory may grow after the first third of the mixed load, which fills the caches.
GROWTH = 1.1


class Connection:
    """A connection that is kept, from one request to the next."""

    def __init__(self, url):
        self.address = urllib.parse.urlsplit(url)
        self.writer = None

    async def ask(self, method, path, token=None, subject=None, body=None):
        """The status and the body."""
        head = [f"{method} {path} HTTP/1.1", f"Host: {self.address.netloc}"]
        head += [f"X-Auth-Token: {token}"] if token else []
        head += [f"X-Subject-Token: {subject}"] if subject else []
        text = "" if body is None else json.dumps(body)
        head += ["Content-Type: application/json", f"Content-Length: {len(text)}"] if text else []
        if not self.writer:
            self.reader, self.writer = await asyncio.open_connection(self.address.hostname, self.address.port)
        self.writer.write("\r\n".join([*head, "", text]).encode())
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        length = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), 0)
        return int(lines[0].split()[1]), await self.reader.readexactly(length)

    def leave(self):
        """Goes away, mostly before the answer."""
        if self.writer:
            self.writer.transport.abort()
        self.writer = None


class Load:
    """Some kinds of clients of one node until a time."""

    def __init__(self, cloud, seconds):
        self.cloud, self.url, self.admin = cloud, cloud.url, cloud.admin.token
        self.end = time.monotonic() + seconds
        self.answers, self.faults = 0, []

    def is_over(self):
        return time.monotonic() > self.end

    def count(self, what, status, fine=(200,)):
        self.answers += 1
        if status not in fine:
            self.faults.append(f"{what} is answered {status}")

    async def compare(self, bodies):
        """Validates tokens whose bodies are known."""
        connection = Connection(self.url)
        tokens = list(bodies)
        while not self.is_over():
            token = random.choice(tokens)
            status, body = await connection.ask("GET", "/v3/auth/tokens", self.admin, token)
            self.count("a validation", status)
            if body != bodies[token]:
                self.faults.append(f"{body[:1000]}\n  instead of {bodies[token][:1000]}")

    async def validate(self, tokens):
        connection = Connection(self.url)
        while not self.is_over():
            status, _ = await connection.ask("GET", "/v3/auth/tokens", self.admin, random.choice(tokens))
            self.count("a validation", status)

    async def validate_new(self, mint, people):
        connection = Connection(self.url)
        while not self.is_over():
            person = random.choice(people)
            token = mint.project(person.id, person.project_id)
            status, _ = await connection.ask("GET", "/v3/auth/tokens", self.admin, token)
            self.count("a validation", status)

    async def log_in(self, people):
        connection = Connection(self.url)
        while not self.is_over():
            person = random.choice(people)
            body = wire.password(person.name, person.password, {"project": {"id": person.project_id}})
            status, _ = await connection.ask("POST", "/v3/auth/tokens", body=body)
            self.count("a login", status, (201,))

    async def write(self, people):
        """Changes what tokens show, so that they are looked up again."""
        connection = Connection(self.url)
        while not self.is_over():
            person = random.choice(people)
            body = {"project": {"description": str(random.random())}}
            status, _ = await connection.ask("PATCH", f"/v3/projects/{person.project_id}", self.admin, body=body)
            self.count("a change", status)

    async def list(self):
        connection = Connection(self.url)
        while not self.is_over():
            for path in ("/v3/users", "/v3/projects", "/v3/role_assignments?include_names"):
                status, _ = await connection.ask("GET", path, self.admin)
                self.count("a list", status)

    async def leave(self, people, mint):
        """Asks and does not wait."""
        connection = Connection(self.url)
        while not self.is_over():
            person = random.choice(people)
            token = mint.project(person.id, person.project_id)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(connection.ask("GET", "/v3/auth/tokens", self.admin, token), random.random() * 0.01)
            connection.leave()

    async def measure(self, samples):
        while not self.is_over():
            samples.append((time.monotonic(), self.cloud.keystone.daemon.memory()))
            await asyncio.sleep(2)


def tell(run, cloud, minutes):
    people = [cloud.person() for _ in range(PEOPLE)]
    mint = Mint(cloud.directory / "fernet-keys")
    seconds = min(60, minutes * 60)
    run.section(f"{TOKENS} tokens, {CLIENTS} clients, {seconds:g} s")
    with run.check("every body belongs to its token"):
        bodies = {}
        for n in range(TOKENS):
            person = people[n % PEOPLE]
            token = mint.project(person.id, person.project_id)
            answer = cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token})
            equal(answer.json["token"]["user"]["id"], person.id, "the user")
            bodies[token] = answer.text.encode()
        equal(len(set(bodies.values())), TOKENS, "the number of bodies")
        load = Load(cloud, seconds)
        drive(*(load.compare(bodies) for _ in range(CLIENTS)))
        print(f"    {load.answers} answers", flush=True)
        expect(not load.faults, "\n".join(load.faults[:10]))
    run.section(f"mixed load, {minutes:g} minutes")
    samples = []
    with run.check("no request fails"):
        load = Load(cloud, minutes * 60)
        work = [load.measure(samples), load.list(), load.write(people), load.write(people)]
        work += [load.log_in(people) for _ in range(2)] + [load.leave(people, mint) for _ in range(4)]
        work += [load.validate_new(mint, people) for _ in range(8)] + [load.validate(list(bodies)) for _ in range(16)]
        drive(*work)
        print(f"    {load.answers} answers", flush=True)
        expect(not load.faults, f"{len(load.faults)}: " + "\n".join(load.faults[:10]))
    with run.check("memory stays level"):
        sizes = [size >> 20 for _, size in samples]
        third = statistics.median(sizes[len(sizes) // 3 :][:10])
        last = statistics.median(sizes[-10:])
        print(f"    {sizes[0]} MiB at the start, {third:g} after a third of the time, {last:g} at the end, {max(sizes)} at most")
        expect(last <= third * GROWTH, f"it grows from {third:g} MiB to {last:g}")
    with run.check("no connection is in use afterwards"):
        busy = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'keystone' AND command <> 'Sleep'"
        processes.wait_for("end of the last statement", lambda: cloud.mariadb.sql(busy) == [["0"]], timeout=10)
        opened = cloud.mariadb.sql("SELECT COUNT(*) FROM information_schema.innodb_trx")
        equal(opened, [["0"]], "the number of open transactions")


def drive(*tasks):
    async def all_of_them():
        await asyncio.gather(*tasks)

    asyncio.run(all_of_them())
