"""The same requests to both servers."""

import http.client

import bad_input
from cloud import ADMIN_PASSWORD, made
from harness import keystones, wire
from harness.checks import equal, expect
from invariants import row_counts
from compare import alike, essence
from lifecycles import LIFECYCLES


def tell(run, both, things):
    tokens = callers(both, things)
    before = row_counts(both.mariadb, "keystone")
    for who, method, path, options in reads(things) + bad_input.requests(things):
        title = options.pop("title", "")
        with run.check(f"{method} {path[:90]} as {who}{': ' + title if title else ''}"):
            answers = [ask(side, tokens[who], method, path, options) for side in (both.reference, both.ours)]
            if answers[0]:
                equal(answers[1] is None, False, "whether our server dropped the connection")
                alike(*answers)
            elif keystones.is_native():
                better(answers[1])
    with run.check("nothing of what was refused left a row behind"):
        equal(row_counts(both.mariadb, "keystone"), before, "the rows of each table")
    for name, steps in LIFECYCLES.items():
        with run.check(f"a {name} from its creation to its end"):
            alike(*(live(side, tokens["admin"], steps, things) for side in (both.reference, both.ours)), name)


def ask(side, token, method, path, options):
    """The answer in its normal form, or `None` if the server drops the connection."""
    try:
        answer = wire.Client(side.url, token)(method, path, **options)
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return None
    return essence(answer, side.url, fresh=method != "GET")


def better(ours):
    """Where Python Keystone fails with an exception, this server must answer with a 4xx in Keystone's format."""
    expect(ours is not None, "our server drops the connection as Keystone does")
    expect(400 <= ours["status"] < 500, f"the status is {ours['status']}")
    equal(sorted(ours["body"]["error"]), ["code", "message", "title"], "the keys of the error")
    equal(ours["body"]["error"]["code"], ours["status"], "the code in the body")


def callers(both, things):
    """A token for each kind of caller, issued by Python Keystone and used at both servers."""

    def token(name, password, scope=None, domain="default"):
        return wire.token(both.reference.url, wire.password(name, password, scope, domain))[0]

    revoked = token("demo", "DEMO_PASS", "demo")
    admin = both.admin(both.reference)
    equal(admin.delete("/v3/auth/tokens", headers={"X-Subject-Token": revoked}).status, 204, "the revocation")
    fields = {"name": "gone", "domain_id": "default", "password": "GONE"}
    gone = made(admin.post("/v3/users", {"user": fields}))
    of_the_gone = token("gone", "GONE", "unscoped")
    made(admin.delete(f"/v3/users/{gone}"), 204)
    return {
        "admin": admin.token,
        "system admin": token("admin", ADMIN_PASSWORD, "system"),
        "domain reader": token("alice", "ALICE_PASS", {"domain": {"id": things.domain}}),
        "system reader": token("alice", "ALICE_PASS", "system"),
        "demo": token("demo", "DEMO_PASS", "demo"),
        "unscoped": token("demo", "DEMO_PASS", "unscoped"),
        "nobody": None,
        "garbage": "gAAAAABgarbage",
        "a revoked token": revoked,
        "a deleted user": of_the_gone,
    }


def live(side, token, steps, things):
    """Runs the steps of one lifecycle; returns every answer in its normal form."""
    ask, answers, known = wire.Client(side.url, token), {}, dict(vars(things))
    for number, (method, path, body) in enumerate(steps):
        answer = ask(method, path.format(**known), body and fill(body, known))
        answers[f"{number} {method} {path}"] = essence(answer, side.url, fresh=True)
        if method == "POST" and "id" not in known and answer.status == 201:
            (resource,) = answer.json.values()
            known["id"] = resource["id"]
    return answers


def fill(value, known):
    if isinstance(value, dict):
        return {key: fill(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, known) for inner in value]
    return value.format(**known) if isinstance(value, str) else value


HOME = {"Accept": "application/json-home"}


def reads(things):
    """(caller, method, path, options) of every resource that Python Keystone lists."""
    t = vars(things)
    paths = [
        *("/", "/v3", "/v3/"),
        *("/v3/auth/projects", "/v3/auth/domains", "/v3/auth/system", "/v3/auth/catalog"),
        *("/v3/domains", "/v3/domains/default", "/v3/domains/{domain}", "/v3/domains?name=Acme"),
        *("/v3/domains?enabled=true", "/v3/domains?enabled=false"),
        *("/v3/projects", "/v3/projects/{project}", "/v3/projects?name=demo", "/v3/projects?is_domain=true"),
        *("/v3/projects?domain_id={domain}", "/v3/projects?parent_id={project}", "/v3/projects?enabled=false"),
        *("/v3/projects?name__contains=em", "/v3/projects/{child}?parents_as_list", "/v3/projects?user_id={demo}"),
        *("/v3/projects/{child}?parents_as_ids", "/v3/projects/{project}?subtree_as_ids"),
        *("/v3/projects/{project}?subtree_as_list", "/v3/projects/{domain}"),
        *("/v3/users", "/v3/users/{demo}", "/v3/users?name=demo", "/v3/users?domain_id={domain}"),
        *("/v3/users?enabled=false", "/v3/users?name__startswith=al", "/v3/users/{alice}"),
        *("/v3/users/{alice}/groups", "/v3/users/{alice}/projects", "/v3/users/{demo}/projects"),
        *("/v3/groups", "/v3/groups/{group}", "/v3/groups?name=staff", "/v3/groups?domain_id={domain}"),
        *("/v3/groups/{group}/users", "/v3/groups/{group}/users/{alice}"),
        *("/v3/roles", "/v3/roles/{role}", "/v3/roles?name=user", "/v3/roles?domain_id={domain}"),
        *("/v3/roles/{admin_role}/implies", "/v3/role_inferences"),
        "/v3/projects/{project}/users/{demo}/roles",
        "/v3/projects/{project}/users/{demo}/roles/{role}",
        "/v3/projects/{project}/groups/{group}/roles",
        "/v3/projects/{project}/groups/{group}/roles/{member}",
        "/v3/domains/{domain}/users/{alice}/roles",
        "/v3/domains/default/groups/{group}/roles/{reader}",
        *("/v3/system/users/{alice}/roles", "/v3/system/users/{alice}/roles/{reader}"),
        "/v3/system/groups/{group}/roles",
        "/v3/OS-INHERIT/projects/{project}/users/{alice}/roles/inherited_to_projects",
        *("/v3/role_assignments", "/v3/role_assignments?effective", "/v3/role_assignments?include_names"),
        "/v3/role_assignments?user.id={alice}&effective&include_names",
        "/v3/role_assignments?scope.project.id={project}",
        "/v3/role_assignments?scope.system=all",
        "/v3/role_assignments?scope.domain.id={domain}&include_names=true",
        "/v3/role_assignments?group.id={group}",
        "/v3/role_assignments?role.id={reader}&scope.OS-INHERIT:inherited_to=projects",
        *("/v3/regions", "/v3/regions/north", "/v3/regions?parent_region_id=RegionOne"),
        *("/v3/services", "/v3/services/{service}", "/v3/services?type=image", "/v3/services?name=nova"),
        *("/v3/endpoints", "/v3/endpoints/{endpoint}", "/v3/endpoints?interface=public"),
        *("/v3/endpoints?service_id={service}", "/v3/endpoints?region_id=north"),
        "/v3/OS-REVOKE/events",
    ]
    by_admin = [("admin", "GET", path.format(**t), {}) for path in paths]
    heads = ["/v3/users/{demo}", "/v3/projects/{project}", "/v3/projects/{project}/users/{demo}/roles/{role}"]
    return [
        *by_admin,
        *(("admin", "HEAD", path.format(**t), {}) for path in heads),
        *(("nobody", "GET", path, {"headers": HOME, "title": "JSON-home"}) for path in ("/", "/v3")),
        *(("nobody", "GET", path, {}) for path in ("/", "/v3")),
        *(("system admin", "GET", path, {}) for path in ("/v3/users", "/v3/auth/catalog", "/v3/auth/system")),
        *(("system reader", "GET", path, {}) for path in ("/v3/users", "/v3/endpoints", "/v3/role_assignments")),
        *(("domain reader", "GET", path, {}) for path in ("/v3/users", "/v3/projects", "/v3/auth/catalog")),
        *(("unscoped", "GET", path, {}) for path in ("/v3/auth/projects", "/v3/auth/domains", "/v3/auth/catalog")),
        *(("demo", "GET", path.format(**t), {}) for path in ("/v3/users/{demo}", "/v3/projects/{project}")),
        *(("demo", "GET", path, {}) for path in ("/v3/auth/catalog", "/v3/auth/projects", "/v3/regions")),
    ]
