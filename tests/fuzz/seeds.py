"""Writes the seeds of the fuzz targets from what Python Keystone has recorded: seeds.py DIRECTORY."""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).parents[2]


def recorded(name):
    return json.loads((ROOT / "crates" / name).read_text())


def write(target, seeds):
    directory = pathlib.Path(sys.argv[1], target)
    directory.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (directory / f"{number:04}").write_bytes(seed if isinstance(seed, bytes) else seed.encode())


def compact(value):
    return json.dumps(value, separators=(",", ":"))


# Both the texts and the payloads in them.
vectors = recorded("token/tests/token-vectors.json")["tokens_and_receipts"]
for kind in ["token", "receipt"]:
    found = [vector for vector in vectors if vector["kind"] == kind]
    write(kind, [vector[kind] for vector in found] + [bytes.fromhex(vector["payload_msgpack_hex"]) for vector in found])

cases = recorded("token/tests/jws/cases.json")["tokens"]
write("jws", [case["token"] for case in cases] + [compact(case["claims"]) for case in cases])

# Some of them: a request that is accepted takes tens of statements.
rows = recorded("auth/src/ec2/vectors.json")
write("ec2", [compact(described) for _, _, _, described in rows[::8]])

requests = recorded("auth/tests/oauth1/vectors.json")["requests"]
lines = [
    [url, "form" if is_form else "", header, *(f"{name}={value}" for name, value in query)]
    for _, url, query, is_form, header, _ in requests[::8]
]
write("oauth1", ["\n".join(each) for each in lines if not any("\n" in line for line in each)])
