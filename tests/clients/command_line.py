"""The command-line client: trusts and access rules."""

import json

from harness.checks import equal, expect

RULE = {"service": "compute", "method": "GET", "path": "/v2.1/servers"}


def run(shell, *arguments):
    """A command whose output is an object or a list."""
    return json.loads(shell.openstack(*arguments, "-f", "json"))


def test_trusts(cloud):
    """openstack trust create, list, show and delete, and a token of the trust"""
    trustor, trustee = cloud.person("member", "manager"), cloud.person()
    shell = cloud.shell(trustor.credentials())
    for impersonate, user in ((True, trustor), (False, trustee)):
        options = ("--project", trustor.project_id, "--role", cloud.roles["member"])
        options += ("--impersonate",) if impersonate else ()
        trust = run(shell, "trust", "create", *options, trustor.id, trustee.id)
        equal((trust["trustor_user_id"], trust["trustee_user_id"]), (trustor.id, trustee.id), "who and whom")
        listed = run(shell, "trust", "list", "--trustor", trustor.id)
        expect(trust["id"] in [row["ID"] for row in listed], f"the list is {listed}")
        equal(run(shell, "trust", "show", trust["id"])["is_impersonation"], impersonate, "the shown impersonation")
        unscoped = {key: value for key, value in trustee.credentials().items() if key != "project_id"}
        holder = cloud.shell({**unscoped, "auth_type": "v3password", "trust_id": trust["id"]})
        issued = run(holder, "token", "issue")
        equal((issued["user_id"], issued["project_id"]), (user.id, trustor.project_id), "user and project")
        shown = cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": issued["id"]}).json["token"]
        equal(shown["OS-TRUST:trust"]["id"], trust["id"], "the token's trust")
        equal(sorted(role["name"] for role in shown["roles"]), ["member", "reader"], "the roles, implied ones included")
        shell.openstack("trust", "delete", trust["id"])
        status = cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": issued["id"]}).status
        equal(status, 404, "the status of the token after the deletion")


def test_access_rules(cloud):
    """openstack access rule list, show and delete, for a rule of an application credential"""
    person = cloud.person("member")
    shell = cloud.shell(person.credentials())
    create = ("application", "credential", "create", "ruled", "--access-rules", json.dumps([RULE]))
    run(shell, *create)
    (listed,) = run(shell, "access", "rule", "list")
    equal({name: listed[name.capitalize()] for name in RULE}, RULE, "the list")
    shown = run(shell, "access", "rule", "show", listed["ID"])
    equal({name: shown[name.capitalize()] for name in RULE}, RULE, "the shown rule")
    expect(shell.try_openstack("access", "rule", "delete", listed["ID"]).returncode, "a rule in use was deleted")
    shell.openstack("application", "credential", "delete", "ruled")
    shell.openstack("access", "rule", "delete", listed["ID"])
    equal(run(shell, "access", "rule", "list"), [], "the list after the deletion")
