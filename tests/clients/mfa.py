"""One-time passwords and several factors: pyotp's codes and keystoneauth1's plugins."""

import time

import pyotp
from keystoneauth1 import exceptions
from keystoneauth1.identity import v3

from harness.checks import equal, expect
from harness.clouds import made


def enrolled(cloud, *rules):
    """A person with a secret for codes, who needs the methods of one of the rules, and the device with the secret."""
    person = cloud.person()
    device = pyotp.TOTP(pyotp.random_base32())
    credential = {"type": "totp", "user_id": person.id, "blob": device.secret}
    made(person.client().post("/v3/credentials", {"credential": credential}))
    if rules:
        options = {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": list(rules)}
        made(cloud.admin.patch(f"/v3/users/{person.id}", {"user": {"options": options}}), 200)
    return person, device


def named(person):
    credentials = person.credentials()
    del credentials["password"]
    return credentials


def methods(session):
    """The methods of the session's token, as Keystone shows it."""
    token = session.get_token()
    return sorted(session.get("/auth/tokens", headers={"X-Subject-Token": token}).json()["token"]["methods"])


def test_totp(cloud):
    """v3totp logs in with a code of pyotp, and no other code will do"""
    person, device = enrolled(cloud)
    session = cloud.session(v3.TOTP(passcode=device.now(), **named(person)))
    equal(methods(session), ["totp"], "the methods")
    for wrong in (device.at(time.time() - 120), device.at(time.time() + 120), "", "12345"):
        try:
            cloud.session(v3.TOTP(passcode=wrong, **named(person))).get_token()
        except exceptions.Unauthorized:
            continue
        expect(False, f"the code {wrong!r} is accepted")


def test_multifactor(cloud):
    """v3multifactor sends a password and a code together"""
    person, device = enrolled(cloud, ["password", "totp"])
    both = ["v3password", "v3totp"]
    plugin = v3.MultiFactor(auth_methods=both, passcode=device.now(), **person.credentials())
    equal(methods(cloud.session(plugin)), ["password", "totp"], "the methods")


def incomplete(session):
    """What a login says that lacks methods."""
    try:
        session.get_token()
    except exceptions.MissingAuthMethods as missing:
        return missing
    return expect(False, "a password alone is accepted")


def test_receipt(cloud):
    """a password earns a receipt, which a code completes"""
    person, device = enrolled(cloud, ["password", "totp"])
    missing = incomplete(cloud.login(person))
    equal(missing.methods, ["password"], "the methods so far")
    equal([sorted(rule) for rule in missing.required_auth_methods], [["password", "totp"]], "the rules")
    for receipt, status in ((missing.receipt, None), (missing.receipt[:-4] + "AAAA", 401)):
        proofs = [v3.ReceiptMethod(receipt=receipt), v3.TOTPMethod(user_id=person.id, passcode=device.now())]
        session = cloud.session(v3.Auth(cloud.auth_url, proofs, project_id=person.project_id))
        if status is None:
            equal(methods(session), ["password", "totp"], "the methods")
            continue
        try:
            session.get_token()
        except exceptions.Unauthorized as error:
            equal(error.http_status, status, "the status of a damaged receipt")
        else:
            expect(False, "a damaged receipt is accepted")


def test_another_users_receipt(cloud):
    """a receipt is its user's alone"""
    person, device = enrolled(cloud, ["password", "totp"])
    other, _ = enrolled(cloud, ["password", "totp"])
    receipt = incomplete(cloud.login(other)).receipt
    proofs = [v3.ReceiptMethod(receipt=receipt), v3.TOTPMethod(user_id=person.id, passcode=device.now())]
    try:
        cloud.session(v3.Auth(cloud.auth_url, proofs, unscoped=True)).get_token()
    except exceptions.Unauthorized:
        return
    expect(False, "another user's receipt is accepted")
