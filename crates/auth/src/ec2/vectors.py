"""Writes vectors.json: signed requests and malformed ones, with what Python Keystone makes of each.

Run with the interpreter of an environment that has keystone 30.0.0 and botocore:
    python vectors.py > vectors.json
"""

import base64
import copy
import datetime
import hashlib
import json
import pathlib
import sys

import keystone.conf
from keystone import exception
from keystone.api import ec2tokens, s3tokens
from keystoneclient.contrib.ec2 import utils

sys.path.insert(0, str(pathlib.Path(__file__).parents[4] / "tests/lib"))
from harness import signed  # noqa: E402

keystone.conf.configure()

WHEN = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
SECRETS = ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "sécret ☃", "k" * 100, "")
CHECKS = {
    "ec2": ec2tokens.EC2TokensResource._check_signature,
    "s3": s3tokens.S3Resource._check_signature,
}
ODD = {"b b": "ä ö/~*'()", "A": "", "a": "x&y=z+%", "ß": "☃", "B-_.~": "\n"}
# Names that botocore and Keystone sort alike.
PLAIN = {"b-b": "ä ö/~*'()", "A": "", "a": "x&y=z+%"}


def outcome(protocol, claim, secret):
    """`right`, `wrong`, or `fails` where the reference answers 500."""
    try:
        CHECKS[protocol]({"secret": secret}, copy.deepcopy(claim))
    except exception.Unauthorized:
        return "wrong"
    except Exception:
        return "fails"
    return "right"


def by_keystoneclient(secret, params, **claim):
    """Signed by keystoneclient, whatever is in it."""
    claim = {"access": "a", "host": "cloud.test:8773", "verb": "GET", "path": "/", "headers": {}, "body_hash": "", "params": params, **claim}
    claim["signature"] = utils.Ec2Signer(secret).generate(copy.deepcopy(claim))
    return claim


def text(scope="20260101/RegionOne/s3/aws4_request", lines=("AWS4-HMAC-SHA256", "20260101T120000Z", None, "0" * 64)):
    return "\n".join(scope if line is None else line for line in lines).encode()


def s3(secret, string, **more):
    """Signed as an S3 client would, whether Keystone takes it or not."""
    sign = s3tokens._calculate_signature_v4 if string[:4] == b"AWS4" else s3tokens._calculate_signature_v1
    try:
        signature = sign(string, secret)
    except exception.Unauthorized:
        signature = "0" * 64
    return {"access": "a", "token": base64.urlsafe_b64encode(string).decode(), "signature": signature, **more}


def right_ones(secret):
    """Requests whose signature fits."""
    keys = signed.keys("a", secret)
    if secret:
        for sign in signed.EC2:
            yield "ec2", sign(keys)
            for method in ("GET", "POST", "PUT", "get"):
                if sign is not signed.version_4_query or method != "POST":
                    yield "ec2", sign(keys, method, params=ODD if sign is signed.version_2 else PLAIN)
        agents = ("Boto/2.9.2 (linux2)", "Boto/2.9.3", "Boto/2.10.0", "aws-cli/2")
        for agent in agents:
            yield "ec2", signed.version_4(keys, headers={"User-Agent": agent, "X-Amz-Target": "  spaces  ", "x-amz-empty": ""})
        for sign in signed.S3:
            for method in ("GET", "PUT"):
                yield "s3", sign(keys, method, headers={"Content-Type": "text/plain", "x-amz-meta-a": "b"})
    odd = {**ODD, "number": 5, "float": 1.5, "none": None, "true": True, "list": ["a", 1], "Action": "Run", "Timestamp": "t", "SignatureMethod": "x"}
    for version in "012":
        yield "ec2", by_keystoneclient(secret, {"SignatureVersion": version, **odd})
        for host, bare in (("Cloud.Test:8773", "cloud.test"), ("u@[::1]:80", "::1"), ("h:1/x", "h"), ("h", "h"), ("H:", "h")):
            claim = by_keystoneclient(secret, {"SignatureVersion": version, "Action": "Run", "Timestamp": "t"}, host=bare)
            yield "ec2", {**claim, "host": host}
            yield "ec2", by_keystoneclient(secret, {"SignatureVersion": version, "Action": "Run", "Timestamp": "t"}, host=host)
    scope = "AK/20260101/RegionOne/ec2/aws4_request"
    header = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date;missing, Signature=0"
    headers = {"Authorization": header, "X-Amz-Date": "20260101T120000Z", "HOST": "one", "host": " two:80 ", "User-Agent": "Boto/2.9.2"}
    for more in ({}, {"User-Agent": "Boto/2.9"}, {"user-agent": "x"}, {"host": "\u2003wide\x1c"}):
        yield "ec2", by_keystoneclient(secret, {"a": "b"}, headers={**headers, **more})
    for changed in (f"{scope}/more", "AK/20260101/RegionOne/ec2", "AK//RegionOne/ec2/aws4_request", "/2026/r/s", "AK/20260101T120000Z/r/s"):
        yield "ec2", by_keystoneclient(secret, {}, headers={**headers, "Authorization": header.replace(scope, changed)})
    query = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": scope, "X-Amz-SignedHeaders": "host", "X-Amz-Date": "20260101T120000Z"}
    yield "ec2", by_keystoneclient(secret, query)
    yield "ec2", by_keystoneclient(secret, {**query, "SignatureVersion": "4"}, verb="post")
    strings = (b"", b"x", b"GET\n\n\n\n/", "ü".encode(), b"\xff\xfe", b"AWS", text(), text("d/r/iam/aws4_request"), text("//sts/aws4_request"))
    for string in strings:
        claim = s3(secret, string)
        yield "s3", claim
        token = claim["token"]
        for spelling in (token.replace("-", "+").replace("_", "/"), f"{token}\n", f" {token}", f"{token}=", f"{token}ignored", f"{token}===="):
            yield "s3", {**claim, "token": spelling}


def malformed(secret):
    """Requests with something missing or of another type, and what an S3 client must not sign."""
    keys = signed.keys("a", secret)
    values = (None, "", 5, True, ["x"], {"x": 1}, "\ud800")
    sources = [("ec2", sign(keys)) for sign in signed.EC2] + [("s3", sign(keys)) for sign in signed.S3]
    sources += [("ec2", by_keystoneclient(secret, {"SignatureVersion": version, "Action": "Run", "Timestamp": "t"})) for version in "01"]
    for protocol, claim in sources:
        for name in sorted(claim.keys() - {"access"}):
            yield protocol, {key: value for key, value in claim.items() if key != name}
            yield from ((protocol, {**claim, name: value}) for value in values)
        for group in ("params", "headers"):
            for name in claim.get(group, {}):
                yield protocol, {**claim, group: {key: value for key, value in claim[group].items() if key != name}}
                yield from ((protocol, {**claim, group: {**claim[group], name: value}}) for value in values)
    for version in ("", "3", "4", "02", 2, None, "٢"):
        yield "ec2", {**sources[0][1], "params": {**sources[0][1]["params"], "SignatureVersion": version}}
    for authorization in ("", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=", "AWS4-HMAC-SHA256 Credential=a/b/c", "AWS a:b"):
        yield "ec2", {**sources[1][1], "headers": {**sources[1][1]["headers"], "Authorization": authorization}}
    for host in ("[", "[::1", ":", ":80", "a:b:c", "@:1", "[x]y:1"):
        yield "ec2", {**sources[0][1], "host": host}
    strings = (
        *(text(scope) for scope in ("", "d/r/ec2/aws4_request", "d/r/s3", "d/r/s3/aws4_request/x", "d/r/S3/aws4_request", "d/r/s3/other")),
        *(text(lines=lines) for lines in (("AWS4",), ("AWS4-HMAC-SHA1", "t", None, "h"), ("AWS4-HMAC-SHA256", "t", None), ("AWS4-HMAC-SHA256", "t", None, "h", ""))),
    )
    yield from (("s3", s3(secret, string)) for string in strings)
    yield from (("s3", {**s3(secret, b"x"), "token": token}) for token in ("eA", "e", "=", "====", "e===", "eA=", "eA==eA==", "ü", "eA==\u2003"))


def main():
    with signed.at(WHEN):
        cases = [(protocol, claim, secret) for secret in SECRETS for protocol, claim in right_ones(secret)]
        cases += [(protocol, claim, SECRETS[0]) for protocol, claim in malformed(SECRETS[0])]
    seen = set()
    for protocol, claim, secret in cases:
        row = json.dumps([protocol, secret, outcome(protocol, claim, secret), claim])
        digest = hashlib.sha256(row.encode()).digest()
        if digest not in seen:
            print("[" if not seen else ",", row, sep="")
            seen.add(digest)
    print("]")


main()
