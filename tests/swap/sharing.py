"""Each server sees what is created through the other."""

import json
import time

from cloud import made
from harness import wire
from harness.checks import equal, expect
from compare import alike, essence


def tell(run, both, things):
    for one, other in both.both_ways():
        here, there = both.admin(one), both.admin(other)
        print(f"  -- made through {one.name}, seen by {other.name}")
        people(run, both, things, here, there)
        secrets(run, here, there)
        quotas(run, here, there)
        grants(run, things, here, there)
        passwords(run, here, there)
        revocations(run, things, here, there)
        endings(run, here, there)


def seen_alike(here, there, path):
    alike(*(essence(client.get(path), client.url) for client in (here, there)), path)


def find(client, plural, name):
    (found,) = client.get(f"/v3/{plural}?name={name}").json[plural]
    return found["id"]


def validates(client, token):
    return client.get("/v3/auth/tokens", headers={"X-Subject-Token": token}).status


def people(run, both, things, here, there):
    with run.check("a project"):
        project = made(here.post("/v3/projects", {"project": {"name": "shared", "domain_id": "default"}}))
        seen_alike(here, there, f"/v3/projects/{project}")
        made(there.patch(f"/v3/projects/{project}", {"project": {"description": "Ändern"}}), 200)
        seen_alike(here, there, f"/v3/projects/{project}")
    with run.check("a user, who logs in there"):
        fields = {"name": "shared", "domain_id": "default", "password": "FIRST", "description": "both ways"}
        user = made(here.post("/v3/users", {"user": fields}))
        seen_alike(here, there, f"/v3/users/{user}")
        wire.login(there.url, "shared", "FIRST", "unscoped")
    with run.check("a group and its member"):
        group = made(here.post("/v3/groups", {"group": {"name": "shared", "domain_id": "default"}}))
        made(here.put(f"/v3/groups/{group}/users/{user}"), 204)
        seen_alike(here, there, f"/v3/groups/{group}/users")
        seen_alike(here, there, f"/v3/users/{user}/groups")
    with run.check("a service and an endpoint, in the catalog there"):
        service = made(here.post("/v3/services", {"service": {"type": "dns", "name": "designate"}}))
        fields = {"service_id": service, "interface": "public", "url": "http://d.example.com/$(project_id)s"}
        endpoint = made(here.post("/v3/endpoints", {"endpoint": {**fields, "region_id": "RegionOne"}}))
        seen_alike(here, there, "/v3/auth/catalog")
        names = [entry["name"] for entry in there.get("/v3/auth/catalog").json["catalog"]]
        expect("designate" in names, f"the catalog there has {names}")
        made(there.delete(f"/v3/endpoints/{endpoint}"), 204)
        made(there.delete(f"/v3/services/{service}"), 204)
        seen_alike(here, there, "/v3/auth/catalog")


def secrets(run, here, there):
    user, project = find(here, "users", "shared"), find(here, "projects", "shared")
    keys = json.dumps({"access": "shared", "secret": "Schlüssel"})
    for kind, blob, changed in (("totp", "GEZDGNBV", "MFRGGZDF"), ("ec2", keys, keys.replace("access", "other\": 1, \"access"))):
        with run.check(f"a credential of the type {kind}"):
            fields = {"user_id": user, "project_id": project, "type": kind, "blob": blob, "purpose": "both ways"}
            credential = made(here.post("/v3/credentials", {"credential": fields}))
            equal(there.get(f"/v3/credentials/{credential}").json["credential"]["blob"], blob, "the blob there")
            seen_alike(here, there, f"/v3/credentials/{credential}")
            made(there.patch(f"/v3/credentials/{credential}", {"credential": {"blob": changed}}), 200)
            equal(here.get(f"/v3/credentials/{credential}").json["credential"]["blob"], changed, "the changed blob here")
            seen_alike(here, there, f"/v3/credentials?user_id={user}")
            if kind == "ec2":
                made(there.delete(f"/v3/credentials/{credential}"), 204)
                seen_alike(here, there, f"/v3/credentials?user_id={user}")


def quotas(run, here, there):
    project, service = find(here, "projects", "shared"), find(here, "services", "keystone")
    with run.check("a registered limit, and a project's own"):
        of = {"service_id": service, "resource_name": "shared"}
        answer = here.post("/v3/registered_limits", {"registered_limits": [{**of, "default_limit": 10}]})
        equal(answer.status, 201, "the status")
        registered = answer.json["registered_limits"][0]["id"]
        answer = there.post("/v3/limits", {"limits": [{**of, "resource_limit": 5, "project_id": project}]})
        equal(answer.status, 201, "the status there")
        limit = answer.json["limits"][0]["id"]
        for path in ("/v3/limits", f"/v3/limits/{limit}", "/v3/registered_limits", f"/v3/limits?project_id={project}"):
            seen_alike(here, there, path)
        equal(here.delete(f"/v3/registered_limits/{registered}").status, 403, "the status of a deletion while in use")
        made(here.delete(f"/v3/limits/{limit}"), 204)
        made(there.delete(f"/v3/registered_limits/{registered}"), 204)
        seen_alike(here, there, "/v3/limits")


def grants(run, things, here, there):
    project, user = find(here, "projects", "shared"), find(here, "users", "shared")
    grant = f"/v3/projects/{project}/users/{user}/roles/{things.member}"
    body = wire.password("shared", "FIRST", {"project": {"id": project}})

    with run.check("a grant"):
        equal(wire.request("POST", f"{there.url}/v3/auth/tokens", body).status, 401, "the status before")
        made(here.put(grant), 204)
        _, token = wire.token(there.url, body)
        equal(sorted(role["name"] for role in token["roles"]), ["member", "reader"], "the roles")
        seen_alike(here, there, f"/v3/role_assignments?user.id={user}&effective&include_names")
    with run.check("the end of a grant, and of its tokens"):
        token, _ = wire.token(there.url, body)
        made(here.delete(grant), 204)
        equal(validates(there, token), 404, "the status of the token there")
        equal(validates(here, token), 404, "the status of the token here")
        equal(wire.request("POST", f"{there.url}/v3/auth/tokens", body).status, 401, "the status after")
        made(there.put(grant), 204)
        wire.token(here.url, body)


def passwords(run, here, there):
    user = find(here, "users", "shared")
    with run.check("a password that the user changes"):
        client = wire.login(here.url, "shared", "FIRST", "unscoped")
        equal(validates(there, client.token), 200, "the status of the token before")
        change = {"user": {"original_password": "FIRST", "password": "SECOND"}}
        made(client.post(f"/v3/users/{user}/password", change), 204)
        refused(there, "FIRST")
        wire.login(there.url, "shared", "SECOND", "unscoped")
        equal(validates(there, client.token), 404, "the status of the old token")
    with run.check("a password that an administrator resets"):
        made(here.patch(f"/v3/users/{user}", {"user": {"password": "THIRD"}}), 200)
        refused(there, "SECOND")
        wire.login(there.url, "shared", "THIRD", "unscoped")
        seen_alike(here, there, f"/v3/users/{user}")


def refused(client, password):
    body = wire.password("shared", password, "unscoped")
    equal(wire.request("POST", f"{client.url}/v3/auth/tokens", body).status, 401, f"the status of {password}")


def revocations(run, things, here, there):
    # A changed password revokes every token of that second, even those issued after the change.
    time.sleep(1.1)
    with run.check("a revoked token"):
        token, _ = wire.token(here.url, wire.password("shared", "THIRD", "shared"))
        equal(validates(there, token), 200, "the status before")
        made(here.delete("/v3/auth/tokens", headers={"X-Subject-Token": token}), 204)
        equal(validates(there, token), 404, "the status there")
        equal(there.get("/v3/auth/projects", token=token).status, 401, "the status of its use there")
        seen_alike(here, there, "/v3/OS-REVOKE/events")
    with run.check("a token issued there, revoked here"):
        token, _ = wire.token(there.url, wire.password("shared", "THIRD", "shared"))
        made(here.delete("/v3/auth/tokens", headers={"X-Subject-Token": token}), 204)
        equal(validates(there, token), 404, "the status there")
    with run.check("a revoked token and the one that was bought with it"):
        parent, _ = wire.token(here.url, wire.password("shared", "THIRD", "unscoped"))
        child, _ = wire.token(there.url, wire.rescope(parent, {"project": {"id": find(here, "projects", "shared")}}))
        made(here.delete("/v3/auth/tokens", headers={"X-Subject-Token": parent}), 204)
        equal([validates(client, child) for client in (here, there)], [404, 404], "the statuses of the child")


def endings(run, here, there):
    user, project = find(here, "users", "shared"), find(here, "projects", "shared")
    with run.check("a disabled project's tokens"):
        token, _ = wire.token(there.url, wire.password("shared", "THIRD", "shared"))
        made(here.patch(f"/v3/projects/{project}", {"project": {"enabled": False}}), 200)
        equal(validates(there, token), 404, "the status there")
        made(here.patch(f"/v3/projects/{project}", {"project": {"enabled": True}}), 200)
    with run.check("a disabled user's tokens"):
        token, _ = wire.token(there.url, wire.password("shared", "THIRD", "unscoped"))
        made(here.patch(f"/v3/users/{user}", {"user": {"enabled": False}}), 200)
        equal(validates(there, token), 404, "the status there")
        refused(there, "THIRD")
    with run.check("deletions"):
        made(here.delete(f"/v3/users/{user}"), 204)
        made(there.delete(f"/v3/projects/{project}"), 204)
        made(here.delete(f"/v3/groups/{find(there, 'groups', 'shared')}"), 204)
        for path in (f"/v3/users/{user}", f"/v3/projects/{project}"):
            equal([client.get(path).status for client in (here, there)], [404, 404], f"the statuses of {path}")
