"""An image store behind the guard, used through an endpoint in the catalog."""

from harness.checks import contains, equal, expect
from harness.clouds import Cloud
from harness.shell import Shell, fields, is_id, rows

CRATE = "keystone-middleware"
FEATURES = ("axum",)

PASSWORD = "IMAGES_PASS"


def prepare(example):
    """A Keystone with the service user, the catalog entry, and people."""
    cloud = Cloud(example.home)
    user, project = cloud.user("images", PASSWORD), cloud.project("service")
    cloud.grant(user["id"], "service", project["id"])
    cloud.service("images", "image", f"http://{example.address}")
    people = {
        "alice": cloud.person("member"),
        "bob": cloud.person("member"),
        "reader": cloud.person("reader"),
        "admin": cloud.administrator(),
    }
    example.people = people
    example.shells = {name: Shell(example.home, person.environment()) for name, person in people.items()}
    return {
        **{"OS_AUTH_URL": cloud.auth_url, "OS_USERNAME": "images", "OS_PASSWORD": PASSWORD},
        "OS_PROJECT_NAME": "service",
    }


def names(shell):
    """The names of the images that somebody sees."""
    listed = shell.openstack("image", "list")
    return sorted(row["Name"] for row in rows(listed)) if listed.strip() else []


def refused(shell, *arguments):
    """The complaint of a command that must fail."""
    done = shell.try_openstack("image", *arguments)
    expect(done.returncode != 0, f"openstack image {' '.join(arguments)} succeeds:\n{done.stdout}")
    return done.stderr


def test_create(example):
    "a member creates an image and sees it"
    alice = example.shells["alice"]
    made = fields(alice.openstack("image", "create", "cirros", "--disk-format", "qcow2"))
    expect(is_id(made["id"]), f"the id is {made['id']}")
    equal(made["owner"], example.people["alice"].project_id, "the owner")
    shown = fields(alice.openstack("image", "show", "cirros"))
    found = (shown["id"], shown["visibility"], shown["status"])
    equal(found, (made["id"], "private", "active"), "what is shown")
    equal(names(alice), ["cirros"], "the list")


def test_privacy(example):
    "others neither see nor delete it"
    bob = example.shells["bob"]
    equal(names(bob), [], "the list")
    refused(bob, "show", "cirros")
    refused(bob, "delete", "cirros")
    equal(names(example.shells["alice"]), ["cirros"], "the list of its owner")


def test_roles(example):
    "a reader creates none, and a member publishes none"
    contains(refused(example.shells["reader"], "create", "forbidden"), "403")
    contains(refused(example.shells["bob"], "create", "forbidden", "--public"), "403")


def test_publish(example):
    "an administrator publishes an image, which everybody sees and nobody else deletes"
    example.shells["admin"].openstack("image", "create", "public", "--public")
    for name in ("bob", "reader"):
        equal(names(example.shells[name]), ["public"], f"the list of {name}")
    contains(refused(example.shells["bob"], "delete", "public"), "403")


def test_delete(example):
    "its owner deletes an image"
    alice = example.shells["alice"]
    alice.openstack("image", "delete", "cirros")
    equal(names(alice), ["public"], "the list")
