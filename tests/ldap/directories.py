"""LDAP: users and groups of directories, as Python Keystone 30.0.0 serves them (KEYSTONE_UNDER_TEST=reference)."""

import configparser
import http.client
import signal
import sys
import threading

import recorded
from recorded import public_id

from harness import checks, clouds, directory, keystones, processes, wire
from harness.checks import contains, equal, expect

# What the reference makes of the fixture: options, number of users, and those that are disabled.
VARIANTS = {
    "plain": ({}, 17, {"dave"}),
    "sub": ({"query_scope": "sub"}, 20, {"dave", "judy"}),
    "status": ({"user_enabled_attribute": "accountStatus"}, 17, {"dave", "frank"}),
    "mask": (
        {"user_enabled_attribute": "userAccountControl", "user_enabled_mask": 2, "user_enabled_default": 512},
        *(17, {"dave", "frank"}),
    ),
    "invert": (
        {"user_enabled_attribute": "accountLocked", "user_enabled_invert": True, "user_enabled_default": False},
        *(17, {"dave", "frank"}),
    ),
    "emulation": (
        {"user_enabled_emulation": True, "user_enabled_emulation_dn": f"cn=enabled_users,{directory.GROUPS}"},
        *(17, None),
    ),
    "ignored": ({"user_attribute_ignore": "enabled,default_project_id"}, 17, set()),
    "mail": ({"user_id_attribute": "mail"}, 16, {"dave"}),
    "uuid": ({"user_id_attribute": "entryUUID", "user_name_attribute": "cn"}, 17, {"Dave Disabled"}),
    "filtered": ({"user_filter": "(sn=A*)"}, 1, set()),
    "paged": ({"page_size": 3}, 17, {"dave"}),
    "posix": (
        {"group_objectclass": "posixGroup", "group_member_attribute": "memberUid", "group_members_are_ids": True},
        *(17, {"dave"}),
    ),
}
RECORDED = (*VARIANTS, "limited", "partly", "elsewhere")
PARTLY = f"ou=Partly,{directory.SUFFIX}"
ODD = ("smith, john", "paren(theses)*", "back\\slash", "plus+sign", "zoë")
REFUSED = "You are not authorized to perform the requested action."
FAILED = "An unexpected error prevented the server from fulfilling your request."
MANY = 12_000
PAGE_THROUGH = f"""
import sys, openstack
url, domain_id = sys.argv[1:]
cloud = openstack.connect(
    auth_url=url + "/v3", username="admin", password="{clouds.ADMIN_PASSWORD}", user_domain_id="default",
    project_name="admin", project_domain_id="default", interface="public",
)
users = list(cloud.identity.users(domain_id=domain_id, limit=1000))
print(len(users), len({{user.id for user in users}}))
"""


class Sqlite:
    """In the place of `services.MariaDb`."""

    def __init__(self, directory):
        self.directory = directory

    def database(self, name, _password):
        return f"sqlite:///{self.directory}/{name}.db"


def answered(client, method, path, body=None, **options):
    """An answer, or none: uWSGI drops the connection of a request that fails outside of Keystone's own errors."""
    try:
        return client(method, path, body, **options)
    except http.client.RemoteDisconnected:
        return None


def log_in(cloud, domain_id, name, password, scope=None):
    user = {"name": name, "password": password, "domain": {"id": domain_id}}
    identity = {"methods": ["password"], "password": {"user": user}}
    auth = {"identity": identity, **({"scope": scope} if scope else {})}
    return answered(wire.Client(cloud.url), "POST", "/v3/auth/tokens", {"auth": auth})


def validate(cloud, token):
    headers = {"X-Subject-Token": token}
    return answered(cloud.admin, "GET", "/v3/auth/tokens?nocatalog", headers=headers)


def listed(cloud, kind, query):
    return clouds.made(cloud.admin.get(f"/v3/{kind}?{query}"), 200)


def by_name(items):
    return {item["name"]: item for item in items}


def without_links(item):
    return {name: value for name, value in item.items() if name != "links"}


def restart(cloud):
    cloud.keystone.stop()
    cloud.keystone.serve(*cloud.keystone.ports)
    cloud.admin = wire.login(cloud.url, "admin", clouds.ADMIN_PASSWORD, "admin")


def with_files(slapd, mariadb, name):
    """A cloud whose domains have backends in files, and their ids by name."""
    place = slapd.directory.parent / name
    domains = place / "domains"
    (domains / "below").mkdir(parents=True)
    for variant, (options, _, _) in VARIANTS.items():
        write_domain(domains / ("below" if variant == "paged" else "."), variant, slapd.options(**options))
    write_domain(domains, "limited", slapd.options(), list_limit=2)
    write_domain(domains, "partly", slapd.options(user_tree_dn=PARTLY))
    write_domain(domains, "elsewhere", slapd.options(user_tree_dn=f"ou=Elsewhere,{PARTLY}"))
    write_domain(domains, "nobody", slapd.options())
    write_domain(domains, "wrong", slapd.options(password="wrong"))
    write_domain(domains, "stalled", slapd.options(pool_connection_timeout=2))
    write_domain(domains, "many", slapd.options(user_tree_dn=f"ou=Many,{directory.SUFFIX}", page_size=500))
    cloud = clouds.Cloud(
        place,
        {
            "cache": {"enabled": False},
            "identity": {
                **clouds.CONFIG["identity"],
                **{"domain_specific_drivers_enabled": True, "domain_config_dir": domains},
            },
        },
        mariadb=mariadb,
        database=name,
    )
    names = (*RECORDED, "wrong", "stalled", "many", "local")
    ids = {name: cloud.create("domain", "domains", name=name)["id"] for name in names}
    # Python Keystone knows only the domains of its start.
    restart(cloud)
    return cloud, ids


def write_domain(place, name, options, **identity):
    text = configparser.RawConfigParser(default_section=None)
    text.read_dict({"identity": {"driver": "ldap", **identity}, "ldap": options})
    with open(place / f"keystone.{name}.conf", "w") as file:
        text.write(file)


def lists(run, cloud, ids):
    run.section("Lists and single entries")
    for name, (_, count, disabled) in VARIANTS.items():
        with run.check(f"{name}: {count} users, and those of them that are disabled"):
            users = listed(cloud, "users", f"domain_id={ids[name]}")
            equal(len(users), count, "the number of users")
            found = {user["name"] for user in users if user.get("enabled") is False}
            wanted = {user["name"] for user in users} - {"alice", "bob", "carol", "zoë"} if disabled is None else disabled
            equal(found, wanted, "the disabled ones")
            equal({"enabled" in user for user in users}, {name != "ignored"}, "whether they are said to be")
    domain_id = ids["plain"]
    users = by_name(listed(cloud, "users", f"domain_id={domain_id}"))
    groups = by_name(listed(cloud, "groups", f"domain_id={domain_id}"))
    alice = {
        **{"id": public_id(domain_id, "user", "alice"), "name": "alice", "domain_id": domain_id},
        **{"email": "alice@example.org", "description": "first user", "enabled": True},
        **{"options": {}, "password_expires_at": None},
    }
    devs = {
        **{"id": public_id(domain_id, "group", "devs"), "name": "devs", "domain_id": domain_id},
        "description": "developers",
    }
    with run.check("a user, with the id of the mapping"):
        equal(without_links(users["alice"]), alice, "the user in the list")
        equal(without_links(clouds.made(cloud.admin.get(f"/v3/users/{alice['id']}"), 200)), alice, "the user")
    with run.check("a group, and one without a description"):
        equal(set(groups), {"devs", "ops", "staff", "ghosts", "enabled_users", "contractors"}, "the groups")
        equal(without_links(clouds.made(cloud.admin.get(f"/v3/groups/{devs['id']}"), 200)), devs, "the group")
        bare = [name for name, group in groups.items() if "description" not in group]
        expect(all(groups[name].get("description") is not None for name in groups if name not in bare), "no null")
    with run.check("the groups of a user, and the members of a group"):
        mine = clouds.made(cloud.admin.get(f"/v3/users/{alice['id']}/groups"), 200)
        equal({group["name"] for group in mine}, {"devs", "enabled_users"}, "the groups")
        equal({group["membership_expires_at"] for group in mine}, {None}, "their ends")
        members = {"devs": {"alice", "bob", "zoë"}, "ghosts": set()}
        for name, wanted in members.items():
            found = clouds.made(cloud.admin.get(f"/v3/groups/{groups[name]['id']}/users"), 200)
            equal({user["name"] for user in found}, wanted, f"the members of {name}")
    with run.check("a group in a group is no member of it, and nothing of its entry is shown"):
        answer = cloud.admin.get(f"/v3/groups/{groups['staff']['id']}/users")
        if keystones.is_native():
            equal(answer.status, 200, "the status")
        expect(not keystones.is_native() or "dc=example" not in answer.text, "the entry is not in the answer")
    with run.check("a member of another tree is nobody else of the same name"):
        sub = by_name(listed(cloud, "groups", f"domain_id={ids['sub']}"))
        found = clouds.made(cloud.admin.get(f"/v3/groups/{sub['contractors']['id']}/users"), 200)
        equal({user["name"] for user in found}, {"ivan", "judy", "bob"}, "the members, with sub-trees")
        found = clouds.made(cloud.admin.get(f"/v3/groups/{groups['contractors']['id']}/users"), 200)
        if keystones.is_native():
            equal({user["name"] for user in found}, set(), "the members, without")
    with run.check("whether a user is in a group"):
        inside = f"/v3/groups/{devs['id']}/users/{alice['id']}"
        equal(cloud.admin("HEAD", inside).status, 204, "the status of a member")
        outside = cloud.admin.get(f"/v3/groups/{devs['id']}/users/{users['carol']['id']}")
        equal((outside.status, outside.json["error"]["message"]), (404, "User 'carol' not found in group 'devs'"))
    with run.check("filters by name follow the directory, those by case do not"):
        for query, wanted in {
            "name=ALICE": {"alice"},
            "name__icontains=LI": {"alice", "multi"},
            "name__contains=LI": set(),
            "name__istartswith=AL": {"alice"},
            "name__endswith=ice": {"alice"},
            "enabled=false": {"dave"},
            "name=alice&enabled=false": set(),
        }.items():
            found = listed(cloud, "users", f"domain_id={domain_id}&{query}")
            equal({user["name"] for user in found}, wanted, query)
    with run.check("a list without a domain is that of the database, and an unknown domain has nobody"):
        names = {user["name"] for user in listed(cloud, "users", "domain_id=default")}
        equal(names, {"admin"}, "the users of the default domain")
        equal(listed(cloud, "users", "domain_id=nope"), [], "the users of no domain")
    return domain_id, users, groups


def paging(run, cloud, ids):
    run.section("Pages")
    if not keystones.is_native():
        return
    with run.check(f"{MANY:,} users in pages of 1,000, each once"):
        path, names, pages = f"/v3/users?domain_id={ids['many']}&limit=1000", [], 0
        while path:
            body = cloud.admin.get(path).json
            names += [user["name"] for user in body["users"]]
            pages += 1
            following = body["links"]["next"]
            path = following and following.removeprefix(cloud.url)
        equal((len(names), len(set(names)), pages), (MANY, MANY, 12), "the users, and the pages")
    with run.check("so does openstacksdk"):
        command = [keystones.VENVS / "clients/bin/python", "-c", PAGE_THROUGH, cloud.url, ids["many"]]
        done = processes.run(command)
        equal((done.stdout.strip(), done.returncode), (f"{MANY} {MANY}", 0), f"what it prints ({done.stderr[-500:]})")
    with run.check("all of them in one list"):
        equal(len(listed(cloud, "users", f"domain_id={ids['many']}")), MANY, "the users")
    with run.check("a marker that is nobody is not found"):
        equal(cloud.admin.get(f"/v3/users?domain_id={ids['plain']}&marker=nope").status, 404, "the status")


def referrals(run, cloud, slapd, ids):
    run.section("Referrals")
    if not keystones.is_native():
        return
    with run.check("they are not followed, which one line of the log tells for each directory"):
        listed(cloud, "users", f"domain_id={ids['partly']}")
        lines = cloud.keystone.daemon.log.read_text().splitlines()
        lines = [line for line in lines if "referrals are never followed, and its entries are missing" in line]
        equal(len(lines), 1, "the number of lines")
        contains(lines[0], f"the directory {slapd.url} says", PARTLY, f"{slapd.url}/{directory.PEOPLE}")
    with run.check("a tree that is elsewhere as a whole is an error, with its place in the log"):
        equal(cloud.admin.get(f"/v3/users?domain_id={ids['elsewhere']}").status, 500, "the status")
        parts = (f"(elsewhere): the directory {slapd.url} refuses", "see url and the trees of")
        contains(cloud.keystone.daemon.log.read_text(), *parts)


def logins(run, cloud, slapd, domain_id, users):
    run.section("Logins")
    with run.check("the token of a user of a directory"):
        token = log_in(cloud, domain_id, "alice", "alice-secret").json["token"]
        wanted = {
            **{"id": users["alice"]["id"], "name": "alice", "password_expires_at": None},
            "domain": {"id": domain_id, "name": "plain"},
        }
        equal((token["user"], token["methods"]), (wanted, ["password"]), "the user")
    with run.check("names in other letters are those of the directory"):
        equal(log_in(cloud, domain_id, "ALICE", "alice-secret").json["token"]["user"]["name"], "alice")
    for name in ODD:
        with run.check(f"{name!r} logs in"):
            equal(log_in(cloud, domain_id, name, f"{name}-secret").status, 201, "the status")
    with run.check("by id"):
        user = {"id": users["bob"]["id"], "password": "bob-secret"}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
        equal(cloud.admin.post("/v3/auth/tokens", body).status, 201, "the status")
    with run.check("all refusals look the same"):
        refused = [
            log_in(cloud, domain_id, name, password)
            for name, password in (("alice", "wrong"), ("nobody", "x"), ("dave", "dave-secret"), ("alice", ""))
        ]
        equal({answer.status for answer in refused}, {401}, "the statuses")
        equal(len({answer.text for answer in refused}), 1, "the number of different bodies")
    with run.check("SEC-19: an empty password makes no bind"):
        before = slapd.binds("uid=alice")
        expect(before, "there were some before")
        equal(log_in(cloud, domain_id, "alice", "").status, 401, "the status")
        equal(slapd.binds("uid=alice"), before, "the binds")


def enabled(run, cloud, ids):
    run.section("SEC-49: disabled users, told in each way")
    for name, user in {
        "plain": "dave", "status": "frank", "mask": "frank", "invert": "frank", "emulation": "erin", "mail": "dave",
    }.items():
        with run.check(f"{name}: {user} does not log in, and is shown as disabled"):
            equal(log_in(cloud, ids[name], user, f"{user}-secret").status, 401, "the status")
            shown = by_name(listed(cloud, "users", f"domain_id={ids[name]}"))[user]
            equal(shown["enabled"], False, "what the list says")
            shown = clouds.made(cloud.admin.get(f"/v3/users/{shown['id']}"), 200)
            equal(shown["enabled"], False, "what the user says")


def roles(run, cloud, slapd, domain_id, users, groups):
    run.section("Roles")
    project = cloud.project("through-groups")["id"]
    scope = {"project": {"id": project}}
    member = cloud.roles["member"]
    alice, carol, devs = users["alice"]["id"], users["carol"]["id"], groups["devs"]["id"]
    of_devs = f"/v3/projects/{project}/groups/{devs}/roles/{member}"
    with run.check("without a role there is no token"):
        equal(log_in(cloud, domain_id, "alice", "alice-secret", scope).status, 401, "the status")
    with run.check("SEC-23: withdrawing a role that was never granted is a 404, and grants nothing"):
        for actor in (f"users/{carol}", f"groups/{devs}"):
            equal(cloud.admin.delete(f"/v3/projects/{project}/{actor}/roles/{member}").status, 404, actor)
        equal(listed(cloud, "role_assignments", f"scope.project.id={project}"), [], "the assignments")
    with run.check("grants to a user and to a group of a directory, and to nobody"):
        equal(cloud.admin.put(of_devs).status, 204, "the status of the group's")
        equal(cloud.admin.put(of_devs).status, 204, "the status of the same again")
        equal(cloud.admin.put(f"/v3/projects/{project}/users/{carol}/roles/{member}").status, 204, "of the user's")
        equal(cloud.admin.put(f"/v3/projects/{project}/users/nope/roles/{member}").status, 404, "of nobody's")
    with run.check("a role through a group, at login and at validation"):
        answer = log_in(cloud, domain_id, "alice", "alice-secret", scope)
        names = {role["name"] for role in answer.json["token"]["roles"]}
        equal(names, {"member", "reader"}, "the roles")
        again = validate(cloud, answer.header("x-subject-token"))
        equal({role["name"] for role in again.json["token"]["roles"]}, names, "the roles at validation")
    token = answer.header("x-subject-token")
    with run.check("where the user has roles"):
        for client, path in ((cloud.admin, f"/v3/users/{alice}/projects"), (wire.Client(cloud.url, token), "/v3/auth/projects")):
            equal([found["id"] for found in clouds.made(client.get(path), 200)], [project], path)
    with run.check("effective assignments, with names"):
        found = listed(cloud, "role_assignments", f"effective&scope.project.id={project}&include_names")
        found = {(item["user"]["name"], item["user"]["domain"]["name"], item["role"]["name"]) for item in found}
        people = [(name, "plain") for name in ("alice", "bob", "zoë", "carol")]
        equal(found, {(*person, role) for person in people for role in ("member", "reader")}, "the assignments")
        found = listed(cloud, "role_assignments", f"effective&user.id={alice}")
        equal({item["scope"]["project"]["id"] for item in found}, {project}, "the projects of alice")
        found = listed(cloud, "role_assignments", f"scope.project.id={project}&include_names")
        equal({item["group"]["name"] for item in found if "group" in item}, {"devs"}, "the groups")
    with run.check("who leaves the group loses the role at the next validation"):
        leave = f"dn: cn=devs,{directory.GROUPS}\nchangetype: modify\n{{}}: member\nmember: uid=alice,{directory.PEOPLE}\n"
        slapd.modify(leave.format("delete"))
        equal(validate(cloud, token).status, 404, "the status")
        slapd.modify(leave.format("add"))
        equal(validate(cloud, token).status, 200, "the status once the user is back")
    with run.check("SEC-63: a user disabled in the directory loses the token for good"):
        change = f"dn: uid=alice,{directory.PEOPLE}\nchangetype: modify\nreplace: enabled\nenabled: {{}}\n"
        slapd.modify(change.format("FALSE"))
        equal(validate(cloud, token).status, 404, "the status while disabled")
        slapd.modify(change.format("TRUE"))
        equal(validate(cloud, token).status, 404, "the status of the old token")
        # The event ends tokens of the same second, too.
        is_valid = lambda answer: validate(cloud, answer.header("x-subject-token")).status == 200
        processes.wait_for(
            "valid token after the event", lambda: is_valid(log_in(cloud, domain_id, "alice", "alice-secret", scope))
        )
    with run.check("SEC-29: a token for a trust makes no further trust"):
        bob = users["bob"]["id"]
        mine = wire.Client(cloud.url, log_in(cloud, domain_id, "alice", "alice-secret", scope).header("x-subject-token"))
        trust = {
            **{"trustor_user_id": alice, "trustee_user_id": bob, "project_id": project},
            **{"impersonation": True, "roles": [{"id": member}]},
        }
        made = clouds.made(mine.post("/v3/OS-TRUST/trusts", {"trust": trust}))
        answer = log_in(cloud, domain_id, "bob", "bob-secret", {"OS-TRUST:trust": {"id": made["id"]}})
        equal((answer.status, answer.json["token"]["user"]["name"]), (201, "alice"), "the token for the trust")
        theirs = wire.Client(cloud.url, answer.header("x-subject-token"))
        again = theirs.post("/v3/OS-TRUST/trusts", {"trust": {**trust, "trustee_user_id": carol}})
        equal(again.status, 403, "the status of a further trust")
    with run.check("an application credential of a user of a directory"):
        made = {"application_credential": {"name": "mine", "roles": [{"id": member}]}}
        made = clouds.made(mine.post(f"/v3/users/{alice}/application_credentials", made))
        named = {"id": made["id"], "secret": made["secret"]}
        body = {"auth": {"identity": {"methods": ["application_credential"], "application_credential": named}}}
        answer = wire.Client(cloud.url).post("/v3/auth/tokens", body)
        equal((answer.status, answer.json["token"]["user"]["name"]), (201, "alice"), "the token")
    return scope


def refusals(run, cloud, domain_id, users, groups):
    run.section("Nothing in a directory is changed")
    alice, devs = users["alice"]["id"], groups["devs"]["id"]
    password = {"original_password": "alice-secret", "password": "new"}
    membership = f"/v3/groups/{devs}/users/{alice}"
    for what, method, path, body in (
        ("a new user", "POST", "/v3/users", {"user": {"name": "new", "domain_id": domain_id}}),
        ("an attribute of a user", "PATCH", f"/v3/users/{alice}", {"user": {"email": "x"}}),
        ("a user's enabled", "PATCH", f"/v3/users/{alice}", {"user": {"enabled": False}}),
        ("the end of a user", "DELETE", f"/v3/users/{alice}", None),
        ("a password", "POST", f"/v3/users/{alice}/password", {"user": password}),
        ("a new group", "POST", "/v3/groups", {"group": {"name": "new", "domain_id": domain_id}}),
        ("an attribute of a group", "PATCH", f"/v3/groups/{devs}", {"group": {"description": "x"}}),
        ("the end of a group", "DELETE", f"/v3/groups/{devs}", None),
        ("a membership", "PUT", membership, None),
        ("the end of a membership", "DELETE", membership, None),
    ):
        with run.check(what):
            answer = cloud.admin(method, path, body)
            equal((answer.status, answer.json["error"]["message"]), (403, REFUSED), "the answer")
    with run.check("a wrong password is a 401, and another domain a 400"):
        wrong = {"user": {**password, "original_password": "x"}}
        equal(cloud.admin.post(f"/v3/users/{alice}/password", wrong).status, 401, "the status")
        answer = cloud.admin("PATCH", f"/v3/users/{alice}", {"user": {"domain_id": "x"}})
        equal((answer.status, answer.json["error"]["message"]), (400, "Cannot change Domain ID"), "the answer")
    with run.check("no membership across backends"):
        local = cloud.user("local", "secret")["id"]
        for method in ("PUT", "GET", "DELETE"):
            answer = cloud.admin(method, f"/v3/groups/{devs}/users/{local}")
            equal(answer.status, 403, f"the status of a {method}")
            contains(answer.json["error"]["message"], "Group membership across backend boundaries is not allowed.")
        equal(cloud.admin.put(f"/v3/groups/{devs}/users/nope").status, 404, "the status of nobody's")


def failures(run, cloud, slapd, ids, users, scope):
    run.section("A directory that is down")
    domain_id = ids["plain"]
    with run.check("a wrong password of the service"):
        answer = cloud.admin.get(f"/v3/users?domain_id={ids['wrong']}")
        wanted = "Unable to authenticate against Identity backend - Invalid username or password"
        equal((answer.status, answer.json["error"]["message"]), (500, wanted), "the answer")
    token = log_in(cloud, domain_id, "carol", "carol-secret", scope).header("x-subject-token")
    others, stop = [], threading.Event()
    person = cloud.person("member")
    local = person.client().token

    def load():
        while not stop.is_set():
            others.append(validate(cloud, local).status)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        slapd.stop()
        with run.check("lists and users are a 500"):
            for path in (f"/v3/users?domain_id={domain_id}", f"/v3/users/{users['alice']['id']}"):
                answer = answered(cloud.admin, "GET", path)
                if answer is None and not keystones.is_native():
                    continue
                equal((answer.status, answer.json["error"]["message"]), (500, FAILED), path)
        with run.check("so are logins and validations"):
            if keystones.is_native():
                equal(validate(cloud, token).status, 500, "the status of a validation")
                equal(log_in(cloud, domain_id, "carol", "carol-secret").status, 500, "the status of a login")
        with run.check("what needs no directory goes on"):
            body = {"user": {"name": "new", "domain_id": domain_id}}
            equal(cloud.admin.post("/v3/users", body).status, 403, "the status of a new user")
        slapd.start()
        with run.check("once it is back the token is valid as before"):
            equal(validate(cloud, token).status, 200, "the status")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    with run.check("users of other domains noticed nothing"):
        expect(others, "there were validations")
        equal(set(others), {200}, "their statuses")
    with run.check("the log has the domain, the URL and no password"):
        if not keystones.is_native():
            raise checks.Skipped("a line of this server's")
        text = cloud.keystone.daemon.log.read_text()
        lines = [line for line in text.splitlines() if slapd.url in line and domain_id in line]
        expect(lines, "there is a line with both")
        expect("service-secret" not in text and "alice-secret" not in text, "no password is in the log")


def stalls(run, cloud, slapd, domain_id):
    run.section("A directory that takes connections and gives no answers")
    if not keystones.is_native():
        return
    local = cloud.person("member").client().token
    users = by_name(listed(cloud, "users", f"domain_id={domain_id}"))
    path, statuses = f"/v3/users/{users['alice']['id']}", []
    threads = [threading.Thread(target=lambda: statuses.append(cloud.admin.get(path).status)) for _ in range(24)]
    slapd.daemon.freeze()
    try:
        with run.check("under load it holds up nobody of another domain"):
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                equal(validate(cloud, local).status, 200, "the status of a validation")
                equal(len(listed(cloud, "users", "domain_id=default&name=admin")), 1, "the users of another domain")
            equal(set(statuses), {500}, "the statuses of its users")
    finally:
        slapd.daemon.send(signal.SIGCONT)
        for thread in threads:
            thread.join()
    with run.check("it is asked again once it answers"):
        equal(cloud.admin.get(path).status, 200, "the status")
        equal(log_in(cloud, domain_id, "alice", "alice-secret").status, 201, "the status of a login")


def ending(run, cloud, slapd, domain_id, scope):
    run.section("The end of a domain")
    with run.check("a domain goes with the rows and the grants of its users, whether its directory is up or not"):
        project = scope["project"]["id"]
        if keystones.is_native():
            slapd.stop()
        clouds.made(cloud.admin("PATCH", f"/v3/domains/{domain_id}", {"domain": {"enabled": False}}), 200)
        equal(cloud.admin.delete(f"/v3/domains/{domain_id}").status, 204, "the status")
        if keystones.is_native():
            equal(listed(cloud, "role_assignments", f"scope.project.id={project}"), [], "the assignments")
        slapd.start()


def populate(run, cloud, ids):
    run.section("keystone-manage mapping_populate")
    ivan = "/v3/users/" + public_id(ids["sub"], "user", "ivan")
    with run.check("it gives every user of a domain an id, and prints nothing"):
        equal(cloud.admin.get(ivan).status, 404, "the status of a user whom nobody has seen")
        done = cloud.manage("mapping_populate", "--domain-name", "sub")
        # Python Keystone's warnings are among it.
        expect(not keystones.is_native() or not done.stdout, f"it prints {done.stdout}")
        equal(clouds.made(cloud.admin.get(ivan), 200)["name"], "ivan", "the user with that id")


def reload(run, cloud, slapd):
    run.section("A file more")
    if not keystones.is_native():
        return
    with run.check("it counts from SIGHUP on, and a wrong one changes nothing"):
        domains, users = cloud.directory / "domains", f"domain_id={cloud.create('domain', 'domains', name='later')['id']}"
        write_domain(domains, "later", slapd.options())
        equal(listed(cloud, "users", users), [], "the users before")
        cloud.keystone.daemon.send(signal.SIGHUP)
        processes.wait_for("users of the new file", lambda: len(listed(cloud, "users", users)) == 17)
        write_domain(domains, "later", slapd.options(user_filter="nothing"))
        cloud.keystone.daemon.send(signal.SIGHUP)
        text = "[ldap] user_filter"
        processes.wait_for("line about the wrong file", lambda: text in cloud.keystone.daemon.log.read_text())
        equal(len(listed(cloud, "users", users)), 17, "the users")


def files(run, slapd, mariadb, name):
    run.section(f"Backends in files, {name}")
    cloud, ids = with_files(slapd, mariadb, name)
    populate(run, cloud, ids)
    recorded.compare(run, cloud, ids)
    domain_id, users, groups = lists(run, cloud, ids)
    referrals(run, cloud, slapd, ids)
    logins(run, cloud, slapd, domain_id, users)
    enabled(run, cloud, ids)
    scope = roles(run, cloud, slapd, domain_id, users, groups)
    refusals(run, cloud, domain_id, users, groups)
    paging(run, cloud, ids)
    reload(run, cloud, slapd)
    failures(run, cloud, slapd, ids, users, scope)
    stalls(run, cloud, slapd, ids["stalled"])
    ending(run, cloud, slapd, domain_id, scope)
    cloud.keystone.stop()


def database(run, slapd, mariadb, name):
    run.section(f"Backends in the database, {name}")
    place = slapd.directory.parent / name
    place.mkdir()
    drivers = {"domain_specific_drivers_enabled": True, "domain_configurations_from_database": True}
    config = {"cache": {"enabled": False}, "identity": {**clouds.CONFIG["identity"], **drivers}}
    cloud = clouds.Cloud(place, config, mariadb=mariadb, database=name)
    domain_id = cloud.create("domain", "domains", name="corp")["id"]
    path = f"/v3/domains/{domain_id}/config"
    users = f"domain_id={domain_id}"
    with run.check("without a configuration the users are in the database"):
        equal(listed(cloud, "users", users), [], "the users")
    with run.check("a configuration counts at once"):
        equal(cloud.admin.put(path, {"config": {"identity": {"driver": "ldap"}, "ldap": slapd.options()}}).status, 201)
        equal(len(listed(cloud, "users", users)), 17, "the users")
        equal(log_in(cloud, domain_id, "alice", "alice-secret").status, 201, "the status of a login")
    with run.check("so does a change of it"):
        clouds.made(cloud.admin("PATCH", path, {"config": {"ldap": {"query_scope": "sub"}}}), 200)
        equal(len(listed(cloud, "users", users)), 20, "the users")
    with run.check("a reference to a sensitive option is resolved where it is used, and shown as it is"):
        text = "cn=keystone,ou=Services,dc=example,dc=org"
        group = {"user": text.replace("keystone", "%(password)s"), "password": "keystone"}
        clouds.made(cloud.admin("PATCH", path, {"config": {"ldap": group}}), 200)
        answer = cloud.admin.get(f"/v3/users?{users}")
        equal(answer.status, 500, "the status with a user's name and a wrong password")
        contains(answer.text, "Unable to authenticate")
        equal(cloud.admin.get(f"{path}/ldap/user").json["config"]["user"], group["user"], "what is shown")
        clouds.made(cloud.admin("PATCH", path, {"config": {"ldap": {"user": text, "password": "service-secret"}}}), 200)
        equal(len(listed(cloud, "users", users)), 20, "the users")
    with run.check("and the end of it"):
        answer = log_in(cloud, domain_id, "alice", "alice-secret")
        equal(cloud.admin.delete(path).status, 204, "the status")
        equal(validate(cloud, answer.header("x-subject-token")).status, 404, "the status of a token of before")
        equal(log_in(cloud, domain_id, "alice", "alice-secret").status, 401, "the status of a login")
    cloud.keystone.stop()


def default_driver(run, slapd, mariadb):
    """`[identity] driver = ldap` for all: the admin is a user of the directory."""
    run.section("One directory for all")
    place = slapd.directory.parent / "default"
    place.mkdir()
    cloud = clouds.Cloud(place, {"cache": {"enabled": False}}, mariadb=mariadb, database="everyone")
    admin, project = cloud.roles["admin"], clouds.made(cloud.admin.get("/v3/projects?name=admin"), 200)[0]["id"]
    other = cloud.create("domain", "domains", name="other")["id"]
    scope = {"project": {"id": project}}
    slapd_config = {"identity": {**clouds.CONFIG["identity"], "driver": "ldap"}, "ldap": slapd.options()}
    for compatible in (True, False):
        ids = {"identity_mapping": {"backward_compatible_ids": compatible}}
        config = cloud.variant(f"compatible-{compatible}", {**slapd_config, **ids})
        alice = "alice" if compatible else public_id("default", "user", "alice")
        staff = "staff" if compatible else public_id("default", "group", "staff")
        # Nobody is an admin there yet: a row of before the change of driver.
        cloud.mariadb.sql(
            "INSERT IGNORE INTO everyone.assignment (type, actor_id, target_id, role_id, inherited) VALUES "
            f"('UserProject', '{alice}', '{project}', '{admin}', 0), ('GroupProject', '{staff}', '{project}', '{admin}', 0)"
        )
        cloud.keystone.stop()
        if not keystones.is_native():
            # With other ids for the same names a login is a 409 there.
            cloud.mariadb.sql("DELETE FROM everyone.nonlocal_user")
        cloud.keystone = keystones.under_test(place, config).serve()
        cloud.admin = wire.Client(cloud.url)
        with run.check(f"backward_compatible_ids = {compatible}: ids and lists"):
            if not compatible:
                # A mapping exists once a user was seen.
                expect(log_in(cloud, "default", "alice", "alice-secret").status == 201, "alice logs in")
            answer = log_in(cloud, "default", "alice", "alice-secret", scope)
            equal((answer.status, answer.json["token"]["user"]["id"]), (201, alice), "the token")
            cloud.admin = wire.Client(cloud.url, answer.header("x-subject-token"))
            users = listed(cloud, "users", "")
            equal(len(users), 17, "the users")
            equal(by_name(users)["alice"]["id"], alice, "the id in the list")
            if keystones.is_native():
                equal(listed(cloud, "users", f"domain_id={other}"), [], "the users of another domain")
        if compatible and keystones.is_native():
            with run.check("an id is that of the entry, whatever letters it was asked in, and no further value of the attribute"):
                equal(clouds.made(cloud.admin.get("/v3/users/CAROL"), 200)["id"], "carol", "the id")
                equal(cloud.admin.get("/v3/users/multi-alias").status, 404, "the status of a further value")
                grants = f"/v3/projects/{project}/users/CAROL/roles/{admin}"
                equal(cloud.admin.put(grants).status, 204, "the status of a grant")
                actors = cloud.mariadb.sql("SELECT actor_id FROM everyone.assignment WHERE actor_id = 'carol'")
                equal(actors, [["carol"]], "what is stored")
                equal(cloud.admin.delete(grants).status, 204, "the status of its end")
        with run.check(f"backward_compatible_ids = {compatible}: SEC-28: a group's role is not that of its namesake"):
            answer = log_in(cloud, "default", "staff", "staff-secret", scope)
            equal(answer.status, 401, "the status")
        with run.check(f"backward_compatible_ids = {compatible}: nothing is changed"):
            body = {"user": {"name": "new", "domain_id": "default"}}
            equal(cloud.admin.post("/v3/users", body).status, 403, "the status")
    cloud.keystone.stop()


def partly(url):
    """A tree with one user and a referral, which leads to the tree of all the others on the same server."""
    return (
        f"dn: {PARTLY}\nchangetype: add\nobjectClass: organizationalUnit\nou: Partly\n\n"
        f"dn: uid=here,{PARTLY}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: here\ncn: Here\nsn: Here\n\n"
        f"dn: ou=Elsewhere,{PARTLY}\nchangetype: add\nobjectClass: referral\nobjectClass: extensibleObject\nou: Elsewhere\n"
        f"ref: {url}/{directory.PEOPLE}\n"
    )


def body(run):
    place = processes.scratch("ldap")
    slapd = directory.Slapd(place, more=directory.many(MANY)).start()
    slapd.modify(partly(slapd.url))
    (place / "shared").mkdir()
    mariadb = clouds.services.MariaDb(place / "shared")
    if sys.argv[1:] == ["--record"]:
        with run.check("recorded"):
            cloud, ids = with_files(slapd, mariadb, "recorded")
            recorded.write(cloud, {name: ids[name] for name in RECORDED})
        return
    files(run, slapd, mariadb, "files")
    database(run, slapd, mariadb, "database")
    default_driver(run, slapd, mariadb)
    if keystones.is_native():
        files(run, slapd, Sqlite(place), "files_on_sqlite")
        database(run, slapd, Sqlite(place), "database_on_sqlite")


checks.run("ldap", body)
