"""OAuth 2.0 client credentials with a secret: keystoneauth1's plugin and bare requests."""

import requests
from keystoneauth1 import exceptions
from keystoneauth1.identity import v3

from harness.checks import contains, equal, expect
from harness.clouds import made

def endpoint(cloud):
    return f"{cloud.auth_url}/OS-OAUTH2/token"


def client(person):
    """An application credential: the client that OAuth 2.0 speaks of."""
    path = f"/v3/users/{person.id}/application_credentials"
    credential = made(person.client().post(path, {"application_credential": {"name": "oauth2"}}))
    return credential["id"], credential["secret"]


def token(cloud, id, secret, **form):
    form = {"grant_type": "client_credentials", **form}
    return requests.post(endpoint(cloud), data=form, auth=(id, secret))


def test_plugin(cloud):
    """v3oauth2clientcredential logs in, and adds a bearer token that is no X-Auth-Token"""
    person = cloud.person()
    id, secret = client(person)
    plugin = v3.OAuth2ClientCredential(
        *(cloud.auth_url, endpoint(cloud)), oauth2_client_id=id, oauth2_client_secret=secret
    )
    session = cloud.session(plugin)
    headers = session.session.get_auth_headers()
    expect(headers["Authorization"].startswith("Bearer "), f"the headers {headers}")
    bearer = {"Authorization": headers["Authorization"]}
    shown = requests.get(f"{cloud.auth_url}/auth/projects", headers=bearer)
    equal(shown.status_code, 401, "the status of a bearer token in place of X-Auth-Token")
    (project,) = session.get("/auth/projects").json()["projects"]
    equal(project["id"], person.project_id, "the project")


def test_token(cloud):
    """the access token is a token of the application credential"""
    person = cloud.person()
    id, secret = client(person)
    answer = token(cloud, id, secret)
    equal(answer.status_code, 200, f"the status ({answer.text})")
    body = answer.json()
    equal((body["token_type"], body["expires_in"]), ("Bearer", 3600), "type and life")
    shown = cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": body["access_token"]})
    described = made(shown, 200)
    equal((described["user"]["id"], described["project"]["id"]), (person.id, person.project_id), "user and project")
    equal(described["application_credential"]["id"], id, "the credential")


def test_form(cloud):
    """the client's id and secret may be in the form"""
    id, secret = client(cloud.person())
    form = {"grant_type": "client_credentials", "client_id": id, "client_secret": secret}
    equal(requests.post(endpoint(cloud), data=form).status_code, 200, "the status")


def test_refusals(cloud):
    """a wrong secret, another grant type and no client are refused in OAuth 2.0's words"""
    id, secret = client(cloud.person())
    for answer, status, error in (
        (token(cloud, id, "wrong"), 401, "invalid_client"),
        (token(cloud, id, secret, grant_type="password"), 400, "unsupported_grant_type"),
        (token(cloud, id, secret, grant_type=None), 400, "invalid_request"),
        (requests.post(endpoint(cloud), data={"grant_type": "client_credentials"}), 401, "invalid_client"),
    ):
        equal((answer.status_code, answer.json()["error"]), (status, error), f"the answer to {error}")
    contains(token(cloud, id, "wrong").headers["WWW-Authenticate"], "Keystone uri=")


def test_plugin_refused(cloud):
    """the plugin reports a wrong secret"""
    id, _ = client(cloud.person())
    plugin = v3.OAuth2ClientCredential(
        *(cloud.auth_url, endpoint(cloud)), oauth2_client_id=id, oauth2_client_secret="wrong"
    )
    try:
        cloud.session(plugin).session.get_auth_headers()
    except exceptions.Unauthorized:
        return
    expect(False, "the login succeeded")
