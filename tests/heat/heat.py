"""A stack of Heat: its trust, its users in Heat's domain, their signals, and that nothing of them is left."""

from servers import DOMAIN_ADMIN, PASSWORD, Heat, set_up_domain

from harness import checks, clouds, processes, wire
from harness.checks import Failed, equal, expect
from harness.clouds import made

MEMBER = "OS::Heat::RandomString"

# The policy adds a member to the group when it is signalled: work that Heat does with the stack's trust.
TEMPLATE = {
    "heat_template_version": "2018-08-31",
    "resources": {
        "handle": {"type": "OS::Heat::WaitConditionHandle"},
        "condition": {
            "type": "OS::Heat::WaitCondition",
            "properties": {"handle": {"get_resource": "handle"}, "timeout": 900},
        },
        "group": {
            "type": "OS::Heat::AutoScalingGroup",
            "properties": {
                **{"min_size": 1, "max_size": 5, "desired_capacity": 1},
                "resource": {"type": MEMBER},
            },
        },
        "policy": {
            "type": "OS::Heat::ScalingPolicy",
            "properties": {
                **{"auto_scaling_group_id": {"get_resource": "group"}, "adjustment_type": "change_in_capacity"},
                **{"scaling_adjustment": 1, "cooldown": 0},
            },
        },
    },
}


class Stack:
    """A stack in the API, as its owner sees it."""

    def __init__(self, heat, owner, name="waits"):
        self.base = f"{heat.url(owner.project_id)}/stacks"
        self.token = owner.client().token
        answer = self.request("POST", self.base, {"stack_name": name, "template": TEMPLATE, "timeout_mins": 20})
        self.id = made(answer)["id"]
        self.path = f"{self.base}/{name}/{self.id}"

    def request(self, method, url, body=None):
        return wire.request(method, url, body, token=self.token, timeout=120)

    def resource(self, name, attribute=None):
        query = f"?with_attr={attribute}" if attribute else ""
        return made(self.request("GET", f"{self.path}/resources/{name}{query}"), 200)

    def attribute(self, name, attribute):
        return self.resource(name, attribute)["attributes"][attribute]

    def group_size(self):
        """How many resources the group has: its attribute `current_size` is as old as the group's last change."""
        listed = made(self.request("GET", f"{self.path}/resources?nested_depth=1"), 200)
        return [item["resource_status"] for item in listed if item["resource_type"] == MEMBER].count("CREATE_COMPLETE")

    def status(self):
        """The stack's status; DELETE_COMPLETE also when it is not found."""
        answer = self.request("GET", self.path)
        if answer.status == 404:
            return "DELETE_COMPLETE"
        stack = made(answer, 200)
        if stack["stack_status"].endswith("FAILED"):
            raise Failed(f"{stack['stack_status']}: {stack['stack_status_reason']}")
        return stack["stack_status"]

    def wait_for(self, what, condition):
        processes.wait_for(what, condition, timeout=600, pause=1)


def domain_content(cloud, domain_id):
    """The names of the users and projects in Heat's domain."""
    users = made(cloud.admin.get(f"/v3/users?domain_id={domain_id}"), 200)
    projects = made(cloud.admin.get(f"/v3/projects?domain_id={domain_id}"), 200)
    return [user["name"] for user in users], [project["name"] for project in projects]


def trusts(person):
    return made(person.client().get(f"/v3/OS-TRUST/trusts?trustor_user_id={person.id}"), 200)


def set_up(cloud):
    service = cloud.project("service")
    user = cloud.user("heat", PASSWORD)
    cloud.grant(user["id"], "service", service["id"])
    made(cloud.admin.post("/v3/roles", {"role": {"name": "heat_stack_user"}}))
    domain_id = set_up_domain(cloud)
    heat = Heat(cloud, domain_id)
    cloud.service("heat", "orchestration", heat.url("%(project_id)s"))
    cloud.service("heat-cfn", "cloudformation", f"http://{processes.LOOPBACK}:{heat.cfn_port}/v1")
    return heat, domain_id, user["id"]


def creation(run, cloud, stack, person, domain_id, heat_user):
    run.section("A member's stack")
    with run.check("it waits for its condition", needed=True):
        waiting = ["CREATE_IN_PROGRESS", "CREATE_COMPLETE", "CREATE_COMPLETE", "CREATE_COMPLETE"]
        names = ("condition", "handle", "group", "policy")

        def is_waiting():
            stack.status()
            return [stack.resource(name)["resource_status"] for name in names] == waiting

        stack.wait_for("waiting stack", is_waiting)
    with run.check("Heat holds one trust of the member, with impersonation and the member's roles"):
        (trust,) = trusts(person)
        found = trust["trustee_user_id"], trust["project_id"], trust["impersonation"]
        equal(found, (heat_user, person.project_id, True), "the trust")
        roles = made(person.client().get(f"/v3/OS-TRUST/trusts/{trust['id']}/roles"), 200)
        equal(sorted(role["name"] for role in roles), ["member", "reader"], "its roles")
    with run.check("Heat's domain has the stack's project and a user for each resource that is signalled"):
        users, projects = domain_content(cloud, domain_id)
        equal(projects, [f"{person.project_id}-{stack.id}"[:64]], "the projects")
        equal(sorted(name.split("-")[1] for name in users if "-" in name), ["handle", "policy"], "the users")


def signals(run, cloud, stack, person, domain_id):
    run.section("Signals of the stack's users")
    token, endpoint = stack.attribute("handle", "token"), stack.attribute("handle", "endpoint")
    with run.check("the handle's token is of a user of Heat's domain with the one role"):
        shown = made(cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token}), 200)
        found = shown["user"]["domain"]["id"], shown["project"]["domain"]["id"]
        equal(found, (domain_id, domain_id), "the domains of user and project")
        equal([role["name"] for role in shown["roles"]], ["heat_stack_user"], "the roles")
    with run.check("it may not read the stack"):
        equal(wire.request("GET", stack.path, token=token).status, 403, "the status")
    with run.check("without a token there is no signal"):
        equal(wire.request("POST", endpoint, {"status": "SUCCESS"}).status, 401, "the status")
    with run.check("its signal completes the stack"):
        answer = wire.request("POST", endpoint, {"status": "SUCCESS"}, token=token, timeout=120)
        equal(answer.status, 200, f"the status ({answer})")
        stack.wait_for("complete stack", lambda: stack.status() == "CREATE_COMPLETE")
    address = stack.attribute("policy", "alarm_url")
    with run.check("a presigned address with another signature is refused"):
        changed = address.replace("Signature=", "Signature=0", 1)
        expect(changed != address, f"no signature in {address}")
        equal(wire.request("POST", changed, raw="", timeout=120).status, 403, "the status")
    with run.check("the right one adds to the group with the trust, after the member's token is revoked"):
        owner = wire.Client(cloud.url, stack.token)
        made(owner.delete("/v3/auth/tokens", headers={"X-Subject-Token": stack.token}), 204)
        answer = wire.request("POST", address, raw="", timeout=120)
        equal(answer.status, 200, f"the status ({answer})")
        stack.token = person.client().token
        stack.wait_for("second member of the group", lambda: stack.group_size() == 2)


def deletion(run, cloud, stack, person, domain_id):
    run.section("The end of the stack")
    with run.check("it is deleted", needed=True):
        equal(stack.request("DELETE", stack.path).status, 204, "the status")
        stack.wait_for("end of the stack", lambda: stack.status() == "DELETE_COMPLETE")
    # Heat clears them after the stack shows DELETE_COMPLETE.
    with run.check("no trust is left"):
        stack.wait_for("end of the trust", lambda: trusts(person) == [])
    with run.check("no user and no project is left in Heat's domain"):
        wanted = [DOMAIN_ADMIN["name"]], []
        stack.wait_for("end of the stack's users and project", lambda: domain_content(cloud, domain_id) == wanted)


def heat(run):
    cloud = clouds.Cloud(processes.scratch("heat"))
    run.section("Heat's servers")
    with run.check("the domain by heat-keystone-setup-domain, RabbitMQ, both APIs and the engine", needed=True):
        servers, domain_id, heat_user = set_up(cloud)
    person = cloud.person("member")
    stack = Stack(servers, person)
    creation(run, cloud, stack, person, domain_id, heat_user)
    signals(run, cloud, stack, person, domain_id)
    deletion(run, cloud, stack, person, domain_id)


checks.run("heat", heat)
