"""EC2 credentials: the command-line client, and requests signed by botocore."""

import datetime
import json

from harness import signed
from harness.checks import contains, equal
from harness.clouds import made

ROUTES = {**dict.fromkeys(signed.EC2, "ec2tokens"), **dict.fromkeys(signed.S3, "s3tokens")}


def create(person, project_id=None):
    """Keys that the person makes."""
    path = f"/v3/users/{person.id}/credentials/OS-EC2"
    credential = made(person.client().post(path, {"tenant_id": project_id or person.project_id}))
    return signed.keys(credential["access"], credential["secret"])


def exchange(cloud, sign, claim, client=None):
    """What a service gets for a signed request."""
    return (client or cloud.admin).post(f"/v3/{ROUTES[sign]}", {"credentials": claim})


def test_command_line(cloud):
    """openstack ec2 credentials create, list, show and delete"""
    person = cloud.person()
    shell = cloud.shell(person.credentials())
    created = json.loads(shell.openstack("ec2", "credentials", "create", "-f", "json"))
    equal((created["user_id"], created["project_id"]), (person.id, person.project_id), "user and project")
    access = created["access"]
    shown = json.loads(shell.openstack("ec2", "credentials", "show", access, "-f", "json"))
    equal(shown["secret"], created["secret"], "the secret")
    contains(shell.openstack("ec2", "credentials", "list"), access)
    claim = signed.version_2(signed.keys(access, created["secret"]))
    equal(exchange(cloud, signed.version_2, claim).status, 200, "the status of a signed request")
    shell.openstack("ec2", "credentials", "delete", access)
    equal(exchange(cloud, signed.version_2, claim).status, 404, "the status of a signed request after it")


def test_signers(cloud):
    """SigV2Auth, SigV4Auth, SigV4QueryAuth, HmacV1Auth and S3SigV4Auth sign requests that give tokens"""
    person = cloud.person()
    keys = create(person)
    for sign in signed.ALL:
        # Keystone takes the parameters of a POST for its body.
        for method in ("GET", "PUT") if sign is signed.version_4_query else ("GET", "POST", "PUT"):
            answer = exchange(cloud, sign, sign(keys, method))
            token = made(answer, 200)
            about = (token["user"]["id"], token["project"]["id"], token["methods"])
            equal(about, (person.id, person.project_id, ["ec2credential"]), f"the token of {sign.__name__}, {method}")
            named = answer.header("x-subject-token") is not None
            equal(named, sign in signed.EC2, f"the token in the header of {sign.__name__}")


def test_what_is_signed(cloud):
    """text in parameters, a port, a body and headers are signed as botocore does it"""
    keys = create(cloud.person())
    odd = {"Filter.1": "ä ö/~*'()+%", "Empty": "", "a&b": "x=y"}
    for claim, sign in (
        (signed.version_2(keys, params=odd), signed.version_2),
        (signed.version_2(keys, url="http://cloud.test/"), signed.version_2),
        (signed.version_4(keys, "GET", params=odd, data=""), signed.version_4),
        (signed.version_4(keys, data="Action=Run&Name=ä".encode(), headers={"X-Amz-Target": " a b "}), signed.version_4),
        (signed.version_4(keys, url="https://cloud.test/services/Cloud/"), signed.version_4),
        (signed.version_4_query(keys, params=odd), signed.version_4_query),
        (signed.s3_version_1(keys, "PUT", headers={"Content-Type": "text/plain", "x-amz-meta-a": "b"}), signed.s3_version_1),
        (signed.s3_version_4(keys, "PUT", headers={"x-amz-meta-a": "ä"}), signed.s3_version_4),
    ):
        answer = exchange(cloud, sign, claim)
        equal(answer.status, 200, f"the status of {claim} ({answer})")


def test_wrong(cloud):
    """another secret, another request and another caller are refused"""
    person = cloud.person()
    keys = create(person)
    others = signed.keys(keys.access_key, "another")
    for sign in signed.ALL:
        equal(exchange(cloud, sign, sign(others)).status, 401, f"the status of another secret, {sign.__name__}")
        unknown = sign(signed.keys("unknown", keys.secret_key))
        equal(exchange(cloud, sign, unknown).status, 404, f"the status of an unknown key, {sign.__name__}")
        equal(exchange(cloud, sign, sign(keys), person.client()).status, 403, f"a member's status, {sign.__name__}")
    for sign in signed.EC2:
        other = {**sign(keys), "path": "/other"}
        equal(exchange(cloud, sign, other).status, 401, f"the status of another path, {sign.__name__}")


def test_expired(cloud):
    """a request that was signed more than a quarter of an hour ago is refused"""
    keys = create(cloud.person())
    now = datetime.datetime.now(datetime.UTC)
    for minutes, status in ((-10, 200), (10, 200), (-16, 401), (-60 * 24 * 365, 401)):
        with signed.at(now + datetime.timedelta(minutes=minutes)):
            for sign in signed.EC2:
                answer = exchange(cloud, sign, sign(keys))
                equal(answer.status, status, f"the status {minutes} minutes from now, {sign.__name__}")


def test_role_withdrawn(cloud):
    """without a role on the project the keys are worth nothing, and their tokens end"""
    person = cloud.person()
    keys = create(person)
    token = exchange(cloud, signed.version_2, signed.version_2(keys)).header("x-subject-token")
    asked = {"X-Subject-Token": token}
    equal(cloud.admin.get("/v3/auth/tokens", headers=asked).status, 200, "the token's status before")
    cloud.withdraw(person.id, "member", person.project_id)
    equal(cloud.admin.get("/v3/auth/tokens", headers=asked).status, 404, "the token's status after")
    for sign in signed.ALL:
        equal(exchange(cloud, sign, sign(keys)).status, 401, f"the status of {sign.__name__}")
