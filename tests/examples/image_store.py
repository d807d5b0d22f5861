"""The image store of crates/middleware, used by the command-line client through an endpoint in the catalog."""

from harness import checks, examples, processes
from harness.checks import contains, equal, expect
from harness.clouds import Cloud
from harness.processes import LOOPBACK
from harness.shell import Shell, fields, is_id, rows

PASSWORD = "IMAGES_PASS"


def start(cloud):
    """The service user, the catalog entry and the service itself."""
    program = examples.build("keystone-middleware", "image_store", "axum")
    project = cloud.project("service")
    user = cloud.user("images", PASSWORD)
    cloud.grant(user["id"], "service", project["id"])
    port = processes.free_port()
    cloud.service("images", "image", f"http://{LOOPBACK}:{port}")
    command = [program, cloud.auth_url, "images", PASSWORD, f"{LOOPBACK}:{port}"]
    store = processes.Daemon("image_store", command, cloud.directory / "image_store.log")
    processes.wait_for("the image store", lambda: processes.listening(port), daemon=store)
    return port


def image_store(run):
    directory = processes.scratch("examples")
    run.section("An image store behind the guard")
    with run.check("it starts", needed=True):
        cloud = Cloud(directory)
        start(cloud)
        people = {
            "alice": cloud.person("member"),
            "bob": cloud.person("member"),
            "reader": cloud.person("reader"),
            "admin": cloud.administrator(),
        }
        shells = {name: Shell(directory, person.environment()) for name, person in people.items()}
        alice, bob, reader, admin = shells.values()

    with run.check("a member creates an image and sees it"):
        made = fields(alice.openstack("image", "create", "cirros", "--disk-format", "qcow2"))
        expect(is_id(made["id"]), f"the id is {made['id']}")
        equal(made["owner"], people["alice"].project_id, "the owner")
        shown = fields(alice.openstack("image", "show", "cirros"))
        equal((shown["id"], shown["visibility"]), (made["id"], "private"), "what is shown")
        equal([row["Name"] for row in rows(alice.openstack("image", "list"))], ["cirros"], "the list")

    with run.check("others neither see nor delete it"):
        equal(bob.openstack("image", "list").strip(), "", "the list")
        done = bob.try_openstack("image", "show", made["id"])
        expect(done.returncode != 0, done.stdout)
        done = bob.try_openstack("image", "delete", made["id"])
        expect(done.returncode != 0, done.stdout)

    with run.check("a reader creates none, and a member publishes none"):
        for shell, options in ((reader, ()), (bob, ("--public",))):
            done = shell.try_openstack("image", "create", "forbidden", *options)
            expect(done.returncode != 0, done.stdout)
            contains(done.stderr, "403")

    with run.check("an administrator publishes an image, which everybody sees"):
        admin.openstack("image", "create", "public", "--public")
        for shell in (alice, bob, reader):
            names = [row["Name"] for row in rows(shell.openstack("image", "list"))]
            expect("public" in names, names)
        done = bob.try_openstack("image", "delete", "public")
        contains(done.stderr, "403")

    with run.check("its owner deletes an image"):
        alice.openstack("image", "delete", "cirros")
        equal([row["Name"] for row in rows(alice.openstack("image", "list"))], ["public"], "the list")


checks.run("image_store", image_store)
