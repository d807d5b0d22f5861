"""Tokens made with the key repository, without logins."""

import time
import uuid

import msgpack
from cryptography.fernet import Fernet

# Older than the revocation events, which are about older tokens only.
AGE = 3600
LIFETIME = 12 * 3600
# Bits of the default `[auth] methods`.
PASSWORD, TOKEN = 2, 4


class Mint:
    def __init__(self, repository):
        primary = max((file for file in repository.iterdir() if file.name.isdigit()), key=lambda file: int(file.name))
        self.fernet = Fernet(primary.read_text().strip())

    def project(self, user_id, project_id, rescoped=False):
        """A token of a project; one that is rescoped belongs to a chain that began with another."""
        audit_ids = [uuid.uuid4().bytes for _ in range(2 if rescoped else 1)]
        payload = [
            2,
            # Ids of users of directories are no UUIDs.
            [True, bytes.fromhex(user_id)] if len(user_id) == 32 else [False, user_id],
            PASSWORD | TOKEN if rescoped else PASSWORD,
            [True, bytes.fromhex(project_id)],
            float(int(time.time()) + LIFETIME),
            audit_ids,
        ]
        return self.fernet.encrypt_at_time(msgpack.packb(payload), int(time.time()) - AGE).rstrip(b"=").decode()
