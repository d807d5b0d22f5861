"""Signed tokens, one-time passwords and receipts at both."""

import base64
import hmac
import time

import tokens
from cloud import made, owner
from compare import alike, essence
from harness import processes, wire
from harness.checks import equal, expect

METHODS = "external,password,token,oauth1,mapped,application_credential,ec2credential,totp"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def tell(run, both, things):
    usual = both.config.read_text()
    makers = (both.reference, both.ours, both.ours, both.reference)
    for algorithm, maker in zip(("ES256", "ES384", "ES512", "EdDSA"), makers):
        with run.check(f"{maker.name} makes a key pair for {algorithm}, and both start with it"):
            begin(both, usual, algorithm, maker)
        for issuer, other in both.both_ways():
            for name, body in list(tokens.bodies(things).items())[:: 1 if algorithm == "ES256" else 3]:
                with run.check(f"{issuer.name}'s {name} token, signed by {algorithm}, at both"):
                    # Microseconds of the issue are told once, and not kept in the token.
                    tokens.validated_alike(both, issuer, body, fields=("audit_ids", "expires_at", "user"))
            with run.check(f"{issuer.name}'s signed token buys another at {other.name}"):
                tokens.rescoped(both, issuer, other)
            with run.check(f"{issuer.name}'s signed token ends at {other.name}"):
                ended(both, issuer, other)
    with run.check("a user who needs a password and a code"):
        user = enrol(both.admin(both.reference))
    for issuer, other in both.both_ways():
        with run.check(f"{issuer.name}'s receipt at {other.name}"):
            received(both, issuer, other, user)
    both.config.write_text(usual)
    restart(both)


def begin(both, usual, algorithm, maker):
    lines = ["[jwt_tokens]", f"jws_algorithm = {algorithm}", f"jws_accepted_algorithms = {algorithm}"]
    directories = {kind: both.directory / f"jws-{kind}" for kind in ("private", "public")}
    for kind, directory in directories.items():
        directory.mkdir(exist_ok=True)
        lines.append(f"jws_{kind}_key_repository = {directory}")
    lines += ["[auth]", f"methods = {METHODS}"]
    both.config.write_text(usual.replace("provider = fernet", "provider = jws") + "\n".join(lines) + "\n")
    command = [maker.manage_command(), "--config-file", both.config, "create_jws_keypair", *owner(), "--force"]
    done = processes.run(command, cwd=both.directory)
    equal(done.returncode, 0, f"the exit status ({done.stdout}{done.stderr})")
    for kind, directory in directories.items():
        (both.directory / f"{kind}.pem").rename(directory / f"{kind}.pem")
    restart(both)
    for side in (both.reference, both.ours):
        token = wire.login(side.url, "admin", "000000", "admin").token
        expect(token.startswith("eyJ") and token.count(".") == 2, f"{side.name}'s token is {token}")


def restart(both):
    for side in (both.reference, both.ours):
        side.stop()
        side.serve(*side.ports)


def ended(both, issuer, other):
    client, admin = both.admin(issuer), both.admin(other)
    subject = {"X-Subject-Token": client.token}
    equal(admin("DELETE", "/v3/auth/tokens", headers=subject).status, 204, "the status of its end")
    answers = [essence(wire.Client(side.url, both.admin(side).token).get("/v3/auth/tokens", headers=subject), side.url) for side in (both.reference, both.ours)]
    equal([answer["status"] for answer in answers], [404, 404], "the statuses")
    alike(*answers, "the token that ended")


def enrol(admin):
    options = {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]}
    user = made(admin.post("/v3/users", {"user": {"name": "careful", "domain_id": "default", "password": "CAREFUL", "options": options}}))
    made(admin.post("/v3/credentials", {"credential": {"type": "totp", "user_id": user, "blob": SECRET}}))
    return user


def passcode():
    """The code of now, which the window before allows to be late."""
    digest = hmac.digest(base64.b32decode(SECRET), (int(time.time()) // 30).to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 15
    return f"{(int.from_bytes(digest[offset : offset + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def received(both, issuer, other, user):
    def prove(side, method, secret, receipt=None):
        body = wire.auth({"methods": [method], method: {"user": {"id": user, **secret}}}, "unscoped")
        headers = {"Openstack-Auth-Receipt": receipt} if receipt else {}
        return wire.request("POST", f"{side.url}/v3/auth/tokens", body, headers=headers)

    by_password = prove(issuer, "password", {"password": "CAREFUL"})
    equal(by_password.status, 401, "the status of a password alone")
    receipt = by_password.header("openstack-auth-receipt")
    expect(receipt, f"there is no receipt: {by_password}")
    by_code = prove(other, "totp", {"passcode": passcode()}, receipt)
    equal(by_code.status, 201, f"the status with the receipt ({by_code})")
    equal(sorted(by_code.json["token"]["methods"]), ["password", "totp"], "the methods")
    by_code = prove(issuer, "totp", {"passcode": passcode()})
    receipt = by_code.header("openstack-auth-receipt")
    equal(prove(other, "password", {"password": "CAREFUL"}, receipt).status, 201, "the status the other way round")
