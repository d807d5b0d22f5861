"""Both servers use the new keys after either one's rotation."""

import base64
import hashlib
import hmac
import time

from cloud import ADMIN_PASSWORD, manage, owner
from harness import wire
from harness.checks import equal, expect

REPOSITORY = "fernet-keys"
ACTIVE_KEYS = 6


def tell(run, both, things):
    keys = both.directory / REPOSITORY
    oldest = wire.token(both.reference.url, wire.password("admin", ADMIN_PASSWORD, "admin"))[0]
    equal(signer(keys, oldest), 1, "the key of the first token")
    for number in range(2, ACTIVE_KEYS + 1):
        rotator = (both.reference, both.ours)[number % 2]
        with run.check(f"fernet_rotate by {rotator.name}: key {number} becomes primary"):
            rotate(both, rotator, keys, number)
        with run.check("tokens of the new key and of the old ones are valid at both"):
            for issuer, other in both.both_ways():
                token = of_key(keys, issuer, number)
                equal(validates(other, token), 200, f"the status of {issuer.name}'s token at {other.name}")
            if number < ACTIVE_KEYS:
                equal([validates(side, oldest) for side in (both.reference, both.ours)], [200, 200], "the oldest's")
    with run.check("a token whose key is gone is gone at both"):
        expect(not (keys / "1").exists(), "key 1 is still there")
        equal([validates(side, oldest) for side in (both.reference, both.ours)], [404, 404], "the statuses")
    with run.check("a half-copied repository keeps the last good keys"):
        half_copied(both, keys)
    credentials = both.directory / "credential-keys"
    for rotator, wanted in ((both.reference, [0, 1, 2]), (both.ours, [0, 2, 3]), (both.reference, [0, 3, 4])):
        with run.check(f"credential_rotate by {rotator.name}"):
            staged = (credentials / "0").read_text()
            manage(rotator, "credential_rotate", *owner())
            equal(numbers(credentials), wanted, "the keys")
            equal((credentials / str(wanted[-1])).read_text(), staged, "the primary key, beside the staged before")


def numbers(repository):
    return sorted(int(key.name) for key in repository.iterdir())


def rotate(both, rotator, keys, number):
    staged = (keys / "0").read_text()
    manage(rotator, "fernet_rotate", *owner())
    equal((keys / str(number)).read_text(), staged, "the primary key, beside the staged before")
    expect((keys / "0").read_text() != staged, "the staged key is the old one")
    # The newest `ACTIVE_KEYS - 1` beside the staged one.
    equal(numbers(keys), [0, *range(max(1, number - ACTIVE_KEYS + 2), number + 1)], "the keys")
    for key in keys.iterdir():
        equal(key.stat().st_mode & 0o777, 0o600, f"the mode of key {key.name}")


def of_key(keys, issuer, number):
    """A token signed with the key, which the server must use within seconds of the rotation."""
    deadline = time.monotonic() + 5
    while True:
        token, _ = wire.token(issuer.url, wire.password("admin", ADMIN_PASSWORD, "admin"))
        if signer(keys, token) == number:
            return token
        expect(time.monotonic() < deadline, f"{issuer.name} still signs with key {signer(keys, token)}")
        time.sleep(0.2)


def signer(keys, token):
    """The number of the key that signed a token: the HMAC of Fernet is of the first half of the key."""
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for key in keys.iterdir():
        secret = base64.urlsafe_b64decode(key.read_text())[:16]
        if hmac.compare_digest(hmac.digest(secret, raw[:-32], hashlib.sha256), raw[-32:]):
            return int(key.name)
    return None


def validates(keystone, token):
    client = wire.login(keystone.url, "admin", ADMIN_PASSWORD, "admin")
    return client.get("/v3/auth/tokens", headers={"X-Subject-Token": token}).status


def half_copied(both, keys):
    """An empty key file, as of a key that is still being written, is ignored."""
    unfinished = keys / "99"
    unfinished.touch(mode=0o600)
    try:
        time.sleep(1)
        for issuer, other in both.both_ways():
            token, _ = wire.token(issuer.url, wire.password("admin", ADMIN_PASSWORD, "admin"))
            equal(validates(other, token), 200, f"the status of {issuer.name}'s token at {other.name}")
    finally:
        unfinished.unlink()
