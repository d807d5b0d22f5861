"""Swift's S3 API: objects through botocore's signed requests, which Keystone checks with /v3/s3tokens."""

import urllib.request

import botocore.config
import botocore.exceptions
import botocore.session
from servers import Swift

from harness import checks, clouds, processes, wire
from harness.checks import contains, equal, expect
from harness.clouds import made

BUCKET = "bucket"
TEXT = b"An object of some length. " * 1000

# botocore's names of Amazon's Signature Version 4 and 2.
VERSIONS = ("s3v4", "s3")


def keys(person):
    """New EC2 credentials of the person, for the project."""
    path = f"/v3/users/{person.id}/credentials/OS-EC2"
    return made(person.client().post(path, {"tenant_id": person.project_id}))


def client(swift, access, secret, version="s3v4"):
    options = {"signature_version": version, "s3": {"addressing_style": "path"}}
    return botocore.session.Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=swift.url,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        config=botocore.config.Config(**options, retries={"total_max_attempts": 1}, proxies={}),
    )


def of(swift, credential, version="s3v4"):
    return client(swift, credential["access"], credential["secret"], version)


def refused(status, code, request, **arguments):
    """The request must fail with this status and S3's code."""
    try:
        request(**arguments)
    except botocore.exceptions.ClientError as error:
        found = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
        equal(found, (status, code), "status and code")
        return
    expect(False, "the request succeeded")


def objects(run, swift, person):
    credential = keys(person)
    buckets(run, of(swift, credential))
    for version in VERSIONS:
        s3, key = of(swift, credential, version), f"a key/with ümlauts for {version}"
        run.section(f"Objects with signatures {version}")
        with run.check("the buckets are listed"):
            equal([found["Name"] for found in s3.list_buckets()["Buckets"]], [BUCKET], "the buckets")
        with run.check("an object is stored and read"):
            s3.put_object(Bucket=BUCKET, Key=key, Body=TEXT)
            equal(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read(), TEXT, "the object")
        with run.check("a presigned address reads it without another header"):
            address = s3.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": key}, ExpiresIn=600)
            with urllib.request.urlopen(address, timeout=60) as answer:
                equal(answer.read(), TEXT, "the object")
        with run.check("a wrong secret is refused"):
            wrong = client(swift, credential["access"], "0" * 32, version)
            refused(403, "SignatureDoesNotMatch", wrong.list_buckets)
            refused(403, "SignatureDoesNotMatch", wrong.get_object, Bucket=BUCKET, Key=key)
        with run.check("an unknown access key is refused"):
            unknown = client(swift, "0" * 32, credential["secret"], version)
            refused(403, "SignatureDoesNotMatch", unknown.list_buckets)


def buckets(run, s3):
    """Only with version 4: with version 2 botocore signs a bucket's address as of a host with the bucket's name."""
    run.section("A bucket")
    with run.check("a bucket is made and its objects are listed"):
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="one", Body=b"1")
        listed = [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
        equal(listed, ["one"], "the keys")


def one_account(run, cloud, swift, person):
    run.section("Swift's own API")
    with run.check("the person's token finds the same buckets in the project's account"):
        token = person.client().token
        account = f"{swift.url}/v1/AUTH_{person.project_id}"
        answer = wire.request("GET", account, token=token)
        equal((answer.status, answer.text.split()), (200, [BUCKET]), "the buckets")
    with run.check("another project's token and key do not"):
        stranger = cloud.person("member")
        equal(wire.request("GET", account, token=stranger.client().token).status, 403, "the status")
        refused(404, "NoSuchBucket", of(swift, keys(stranger)).list_objects_v2, Bucket=BUCKET)


def what_ends(run, cloud, swift):
    run.section("What ends the access")

    def ends(what, change, code):
        with run.check(what):
            person = cloud.person("member", "reader")
            credential = keys(person)
            s3 = of(swift, credential)
            s3.list_buckets()
            change(person, credential)
            refused(403, code, s3.list_buckets)

    def withdraw(person, _):
        for role in ("member", "reader"):
            cloud.withdraw(person.id, role, person.project_id)

    def delete_key(person, credential):
        path = f"/v3/users/{person.id}/credentials/OS-EC2/{credential['access']}"
        made(person.client().delete(path), 204)

    def disable(person, _):
        made(cloud.admin.patch(f"/v3/users/{person.id}", {"user": {"enabled": False}}), 200)

    def close(person, _):
        made(cloud.admin.patch(f"/v3/projects/{person.project_id}", {"project": {"enabled": False}}), 200)

    ends("the roles withdrawn", withdraw, "SignatureDoesNotMatch")
    ends("the key deleted", delete_key, "SignatureDoesNotMatch")
    ends("the user disabled", disable, "SignatureDoesNotMatch")
    ends("the project disabled", close, "SignatureDoesNotMatch")
    with run.check("the operator's role withdrawn, another one left"):
        person = cloud.person("member", "reader")
        s3 = of(swift, keys(person))
        s3.list_buckets()
        cloud.withdraw(person.id, "member", person.project_id)
        refused(403, "AccessDenied", s3.list_buckets)


def swift(run):
    cloud = clouds.Cloud(processes.scratch("swift"))
    run.section("Swift's servers")
    with run.check("the service, its user and the four servers", needed=True):
        service = cloud.project("service")
        user = cloud.user("swift", Swift.PASSWORD)
        cloud.grant(user["id"], "service", service["id"])
        servers = Swift(cloud)
        cloud.service("swift", "object-store", f"{servers.url}/v1/AUTH_%(project_id)s")
    person = cloud.person("member")
    objects(run, servers, person)
    one_account(run, cloud, servers, person)
    what_ends(run, cloud, servers)


checks.run("swift", swift)
