"""Writes the seeds of the fuzz targets from what Python Keystone has recorded: seeds.py DIRECTORY."""

import base64
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

# Claims with what decides about them, queries of callbacks, headers and cookies.
claims = {"iss": "http://127.0.0.1:1", "aud": ["keystone"], "sub": "a", "exp": 1767225660, "nbf": 1, "iat": 1.5, "cnf": None}
parts = [{"alg": "EdDSA", "typ": "at+jwt", "kid": "k", "crit": []}, claims]
encoded = [base64.urlsafe_b64encode(compact(part).encode()).decode().rstrip("=") for part in parts]
back = "code=c&state=s&iss=http%3A%2F%2F127.0.0.1&error=access_denied&error_description=d"
cookie = "__Host-keystone-oidc-043a718774c572bd=gAAAAABp"
write("oidc", [compact(claims), ".".join([*encoded, "AAAA"]), back, "Bearer abc", f"a=b; {cookie}", compact({"a": {"b": [1, True]}})])

samples = ROOT / "crates/saml/tests/samples"
attributes = '<saml:Attribute Name="groups" FriendlyName="g"><saml:AttributeValue>a</saml:AttributeValue></saml:Attribute>'
write("assertion", [path.read_bytes() for path in sorted(samples.glob("*.xml"))] + [attributes])

engine = recorded("federation/tests/vectors.json")["engine"]
write("mapping", [compact({key: vector.get(key) for key in ("mapping", "environment")}) for vector in engine])
