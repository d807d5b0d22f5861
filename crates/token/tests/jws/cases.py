"""Writes cases.json and the keys in public/: signed tokens of an installed reference, and texts near them that are none.

Run with the Python of an installed Keystone 30.0.0. Each algorithm has a key pair, and a token for each origin and scope
that Keystone knows; each refused text names what is wrong with it. The keys are made anew, and are for nothing else.
"""

import base64
import json
import pathlib
import tempfile

import jwt
from keystone.common import jwt_utils
from keystone.token.providers.jws import core

ALGORITHMS = ["ES256", "ES384", "ES512", "EdDSA"]
USER, PROJECT, DOMAIN = "a1b2c3d4e5f60718293a4b5c6d7e8f90", "00112233445566778899aabbccddeeff", "default"
GROUPS = [{"id": "ffeeddccbbaa99887766554433221100"}, {"id": "by-name"}]
FEDERATED = {"federated_group_ids": GROUPS, "identity_provider_id": "myidp", "protocol_id": "openid"}
TOKENS = {
    "unscoped": {},
    "project": {"project_id": PROJECT},
    "domain": {"domain_id": DOMAIN},
    "system": {"system": "all"},
    "federated unscoped": FEDERATED,
    "federated project": {**FEDERATED, "project_id": PROJECT},
    "federated domain": {**FEDERATED, "domain_id": DOMAIN},
    "trust": {"project_id": PROJECT, "trust_id": "0123456789abcdef0123456789abcdef"},
    "access token": {"project_id": PROJECT, "access_token_id": "fedcba9876543210fedcba9876543210"},
    "application credential": {"project_id": PROJECT, "app_cred_id": "99990000aaaabbbbccccddddeeeeffff"},
    "certificate": {"project_id": PROJECT, "thumbprint": "vXh6pFo5mVU0FQcgyrnyRgLbyGCcmYkGfpfN4vUXmVM="},
}


def keypair(algorithm):
    with tempfile.TemporaryDirectory() as home:
        private, public = pathlib.Path(home, "private"), pathlib.Path(home, "public")
        jwt_utils.create_jws_keypair(private, public, algorithm)
        return private.read_text(), public.read_text()


def tokens(signing, private):
    class Formatter(core.JWSFormatter):
        algorithm = property(lambda self: signing)
        private_key = property(lambda self: private)

    for name, attributes in TOKENS.items():
        text, _ = Formatter().create_token(
            USER, "2026-01-01T01:00:00.500000Z", ["AAECAwQFBgcICQoLDA0ODw"], ["password", "oauth2_credential"], **attributes
        )
        yield {"name": name, "token": text, "claims": jwt.decode(text, options={"verify_signature": False})}


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode() if not isinstance(value, bytes) else value).rstrip(b"=").decode()


def near(pairs):
    """A token of the ES256 pair, and texts near it that must not be accepted."""
    private, public = pairs["ES256"]
    algorithm = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256)
    key = algorithm.prepare_key(private)
    claims = {"sub": USER, "iat": 1767225600, "exp": 1767229200, "openstack_methods": ["password"], "openstack_audit_ids": ["AAECAwQFBgcICQoLDA0ODw"]}
    header = {"alg": "ES256", "typ": "JWT"}

    def signed(header, claims):
        text = f"{part(header)}.{part(claims)}"
        return f"{text}.{part(algorithm.sign(text.encode(), key))}"

    good = signed(header, claims)
    yield "accepted", good
    yield "no signature", good.rpartition(".")[0] + "."
    yield "alg none", f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."
    yield "alg none with a signature", signed({"alg": "none", "typ": "JWT"}, claims)
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    text = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    yield "HS256 with the public key as secret", f"{text}.{part(hmac.sign(text.encode(), public.encode()))}"
    yield "another algorithm than the key's", signed({"alg": "ES384", "typ": "JWT"}, claims)
    yield "alg in lower case", signed({"alg": "es256", "typ": "JWT"}, claims)
    yield "alg twice", signed(b'{"alg": "none", "alg": "ES256", "typ": "JWT"}', claims)
    yield "a header that must be understood", signed({**header, "crit": ["b64"], "b64": False}, claims)
    yield "another type", signed({"alg": "ES256", "typ": "JWE"}, claims)
    yield "sub twice", signed(header, json.dumps(claims).replace('{"sub"', '{"sub": "other", "sub"', 1).encode())
    yield "an unknown claim", signed(header, {**claims, "openstack_limit": "1"})
    yield "no methods", signed(header, {name: value for name, value in claims.items() if name != "openstack_methods"})
    yield "two delegations", signed(header, {**claims, "openstack_project_id": PROJECT, "openstack_trust_id": "t", "openstack_app_cred_id": "a"})
    yield "two scopes", signed(header, {**claims, "openstack_project_id": PROJECT, "openstack_system": "all"})
    yield "another system", signed(header, {**claims, "openstack_system": "some"})
    yield "half a federation", signed(header, {**claims, "openstack_idp_id": "myidp"})
    yield "a time that is no number", signed(header, {**claims, "exp": "1767229200"})
    yield "a time past all years", signed(header, {**claims, "exp": 10**15})
    yield "claims that are no object", signed(header, [claims])
    yield "claims that are no JSON", signed(header, b"{")
    yield "padding", good + "=="
    yield "a line end", good + "\n"
    yield "a space before", " " + good
    yield "four parts", good + ".AAAA"
    yield "five parts", "AAAA.AAAA." + good
    yield "a signature that is longer", good + "AA"
    der = key.sign(good.rpartition(".")[0].encode(), jwt.algorithms.ECDSA(jwt.algorithms.hashes.SHA256()))
    yield "a signature in DER", good.rpartition(".")[0] + "." + part(der)
    yield "a character outside the alphabet", good[:-10] + "!" + good[-10:]
    yield "the other alphabet", good.rpartition(".")[0] + "." + "/" * 86
    yield "signed with another key", jwt.encode(claims, pairs["other"][0], "ES256")
    yield "two parts", good.rpartition(".")[0]
    yield "nothing", ""
    yield "dots", ".."


pairs = {algorithm: keypair(algorithm) for algorithm in ALGORITHMS}
pairs["other"] = keypair("ES256")
cases = {
    "keys": {name: {"private": private, "public": public} for name, (private, public) in pairs.items()},
    "tokens": [{"algorithm": algorithm, **case} for algorithm in ALGORITHMS for case in tokens(algorithm, pairs[algorithm][0])],
    "near": [{"name": name, "token": token} for name, token in near(pairs)],
}
pathlib.Path(__file__).with_name("cases.json").write_text(json.dumps(cases, indent=1) + "\n")
for name, (_, public) in pairs.items():
    pathlib.Path(__file__).with_name("public").joinpath(f"{name}.pem").write_text(public)
