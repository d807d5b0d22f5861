"""An application that nests Keystone below /identity."""

from harness import wire
from harness.checks import contains, equal

CRATE = "keystone"


def test_catalog(example):
    "the printed variables log in, and the catalog leads below the prefix"
    token = example.value("id", "token", "issue")
    url = example.variables()["OS_AUTH_URL"]
    equal(url, f"http://{example.address}/identity/v3", "the printed URL")
    contains(example.openstack("catalog", "list"), f"public: {url}")
    found = wire.request("GET", f"{url}/auth/tokens", token=token, headers={"X-Subject-Token": token})
    equal(found.status, 200, "the status of the token's validation")


def test_resources(example):
    "projects, users and roles are made, found and used"
    example.openstack("project", "create", "laboratory")
    example.openstack("user", "create", "--project", "laboratory", "--password", "alice", "alice")
    example.openstack("role", "add", "--project", "laboratory", "--user", "alice", "member")
    alice = ["--os-username", "alice", "--os-password", "alice", "--os-project-name", "laboratory"]
    issued = example.value("project_id", *alice, "token", "issue")
    equal(issued, example.value("id", "project", "show", "laboratory"), "the project of the token")
    refused = example.openstack(*alice, "user", "list", status=1)
    contains(refused, "identity:list_users", "403")


def test_pages(example):
    "every page leads to the next one below the prefix"
    token = example.value("id", "token", "issue")
    url, names = f"{example.variables()['OS_AUTH_URL']}/roles?limit=2", []
    while url:
        contains(url, f"http://{example.address}/identity/v3/roles")
        page = wire.request("GET", url, token=token).json
        names += [role["name"] for role in page["roles"]]
        url = page["links"]["next"]
    equal(sorted(names), ["admin", "manager", "member", "reader", "service"], "the roles")


def test_discovery(example):
    "the versions are found at the prefix, without and with a slash"
    for end in ("", "/"):
        found = wire.request("GET", f"http://{example.address}/identity{end}")
        link = found.json["versions"]["values"][0]["links"][0]["href"]
        equal((found.status, link), (300, f"http://{example.address}/identity/v3/"), "the versions")


def test_application(example):
    "the application answers beside it"
    contains(wire.request("GET", f"http://{example.address}/").text, "An application")
