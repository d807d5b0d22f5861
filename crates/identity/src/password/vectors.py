"""Writes vectors.json: hashes made by Python Keystone's own hashers, few rounds each.

Run with the interpreter of an environment that has keystone 30.0.0:
    python vectors.py > vectors.json
"""

import json
import os

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from keystone.common.password_hashers import bcrypt, pbkdf2, scrypt

PASSWORDS = [
    "openstack",
    "",
    " ",
    "pässwörd-ключ-密码-🔑",
    "nul\0inside",
    "p" * 71,
    "q" * 72,
    "ü" * 36,
    "r" * 73,
    "é" * 60,
    "A" * 72 + "B",
    "s" * 4096,
]


def argon2(password):
    kdf = Argon2id(salt=os.urandom(16), length=32, iterations=1, lanes=1, memory_cost=64)
    return kdf.derive_phc_encoded(password)


HASHERS = {
    # As keystone.common.password_hashing does before it calls this one.
    "bcrypt": lambda p: bcrypt.Bcrypt.hash(p[:72], rounds=4),
    "bcrypt_sha256": lambda p: bcrypt.Bcrypt_sha256.hash(p, rounds=4),
    "scrypt": lambda p: scrypt.Scrypt.hash(p, n=4, r=8, p=1),
    "scrypt with options": lambda p: scrypt.Scrypt.hash(p, salt_size=24, n=3, r=4, p=3),
    "pbkdf2_sha512": lambda p: pbkdf2.Sha512.hash(p, rounds=10),
    "pbkdf2_sha512 by passlib": lambda p: pbkdf2.Sha512.hash(p, rounds=9).replace("+", "."),
    "argon2id": argon2,
}

vectors = [
    {"hasher": name, "password": password, "hash": write(password.encode())}
    for name, write in HASHERS.items()
    for password in PASSWORDS
]
print(json.dumps(vectors, indent=1))
