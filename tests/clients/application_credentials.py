"""Application credentials: the command-line client and keystoneauth1's plugin."""

import datetime
import json

from keystoneauth1 import exceptions
from keystoneauth1.identity import v3

from harness.checks import contains, equal, expect
from harness.clouds import made


def create(cloud, person, **fields):
    """An application credential that the person makes, with its secret."""
    path = f"/v3/users/{person.id}/application_credentials"
    fields = {"name": "deploy", **fields}
    return made(person.client().post(path, {"application_credential": fields}))


def by_id(cloud, credential, **changed):
    named = {
        **{"application_credential_id": credential["id"]},
        **{"application_credential_secret": credential["secret"], **changed},
    }
    return cloud.session(v3.ApplicationCredential(cloud.auth_url, **named))


def described(session):
    """The session's token as Keystone shows it."""
    token = session.get_token()
    return session.get("/auth/tokens", headers={"X-Subject-Token": token}).json()["token"]


def refused(session, error=exceptions.Unauthorized):
    try:
        session.get_token()
    except error:
        return
    expect(False, f"the login succeeded instead of {error.__name__}")


def test_command_line(cloud):
    """openstack application credential create, then a login by its id and by its name"""
    person = cloud.person("member", "reader")
    shell = cloud.shell(person.credentials())
    options = ("--role", "reader", "--description", "of the pipeline", "-f", "json")
    shown = json.loads(shell.openstack("application", "credential", "create", "pipeline", *options))
    equal((shown["Name"], shown["Project ID"]), ("pipeline", person.project_id), "name and project")
    secret = {"auth_type": "v3applicationcredential", "auth_url": cloud.auth_url}
    secret["application_credential_secret"] = shown["Secret"]
    by_name = {"application_credential_name": "pipeline", "username": person.name, "user_domain_id": "default"}
    for named in ({"application_credential_id": shown["ID"]}, by_name):
        issued = json.loads(cloud.shell({**secret, **named}).openstack("token", "issue", "-f", "json"))
        equal((issued["user_id"], issued["project_id"]), (person.id, person.project_id), f"user, project by {named}")


def test_scope(cloud):
    """a token of the credential's project, with the credential's roles alone and its record"""
    person = cloud.person("member", "manager")
    credential = create(cloud, person, roles=[{"name": "member"}])
    token = described(by_id(cloud, credential))
    equal(token["methods"], ["application_credential"], "the methods")
    equal(token["project"]["id"], person.project_id, "the project")
    equal(sorted(role["name"] for role in token["roles"]), ["member", "reader"], "the roles, implied ones included")
    equal(token["application_credential"]["id"], credential["id"], "the credential")
    equal(token["application_credential"]["restricted"], True, "restricted")


def test_wrong_secret(cloud):
    """a wrong secret and an unknown id are refused, and another user's name does not find it"""
    person, stranger = cloud.person(), cloud.person()
    credential = create(cloud, person)
    by_id(cloud, credential).get_token()
    refused(by_id(cloud, credential, application_credential_secret=f"not-{credential['secret']}"))
    refused(by_id(cloud, credential, application_credential_id="0" * 32), exceptions.NotFound)
    named = {"application_credential_name": credential["name"], "user_domain_id": "default"}
    secret = {"application_credential_secret": credential["secret"]}
    cloud.session(v3.ApplicationCredential(cloud.auth_url, username=person.name, **named, **secret)).get_token()
    other = v3.ApplicationCredential(cloud.auth_url, username=stranger.name, **named, **secret)
    refused(cloud.session(other))


def test_expiry(cloud):
    """the token expires with the credential, and an expired credential is not made"""
    person = cloud.person()
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=10)
    expires_at = soon.strftime("%Y-%m-%dT%H:%M:%S.000000")
    token = described(by_id(cloud, create(cloud, person, expires_at=expires_at)))
    equal(token["expires_at"], f"{expires_at}Z", "the expiry of the token")
    path = f"/v3/users/{person.id}/application_credentials"
    late = {"name": "late", "expires_at": "2020-01-01T00:00:00.000000"}
    equal(person.client().post(path, {"application_credential": late}).status, 400, "the status")


def test_restricted(cloud):
    """only an unrestricted one may make and delete others"""
    person = cloud.person()
    path = f"/users/{person.id}/application_credentials"
    body = {"application_credential": {"name": "second"}}
    restricted = by_id(cloud, create(cloud, person))
    equal(restricted.post(path, json=body, raise_exc=False).status_code, 403, "the restricted one's status")
    unrestricted = by_id(cloud, create(cloud, person, name="free", unrestricted=True))
    made = unrestricted.post(path, json=body, raise_exc=False)
    equal(made.status_code, 201, f"the unrestricted one's status ({made.text})")


def test_access_rules(cloud):
    """access rules are shown to a service that knows them, and the token is invalid for one that does not"""
    person = cloud.person()
    rules = [{"service": "compute", "method": "GET", "path": "/v2.1/servers"}]
    session = by_id(cloud, create(cloud, person, access_rules=rules))
    token = session.get_token()
    asked = {"headers": {"X-Subject-Token": token, "OpenStack-Identity-Access-Rules": "1.0"}}
    shown = cloud.admin.get("/v3/auth/tokens", headers={**asked["headers"]})
    equal(shown.status, 200, f"the status for a service that knows them ({shown})")
    (rule,) = shown.json["token"]["application_credential"]["access_rules"]
    equal({key: rule[key] for key in rules[0]}, rules[0], "the rule")
    equal(cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token}).status, 404, "the status without")


def test_deleted(cloud):
    """openstack application credential delete ends the logins and the tokens"""
    person = cloud.person()
    credential = create(cloud, person)
    session = by_id(cloud, credential)
    token = session.get_token()
    shell = cloud.shell(person.credentials())
    contains(shell.openstack("application", "credential", "list"), credential["id"])
    shell.openstack("application", "credential", "delete", credential["id"])
    refused(by_id(cloud, credential), exceptions.NotFound)
    equal(cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token}).status, 404, "the token's status")


def test_role_withdrawn(cloud):
    """a token has those of the credential's roles that its user still has; without any there is none"""
    person = cloud.person("reader", "service")
    credential = create(cloud, person)
    for withdrawn, left in ((None, ["reader", "service"]), ("reader", ["service"])):
        if withdrawn:
            cloud.withdraw(person.id, withdrawn, person.project_id)
        roles = described(by_id(cloud, credential))["roles"]
        equal(sorted(role["name"] for role in roles), left, f"the roles without {withdrawn}")
    cloud.withdraw(person.id, "service", person.project_id)
    refused(by_id(cloud, credential))
