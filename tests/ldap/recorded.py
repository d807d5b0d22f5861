"""What Python Keystone 30.0.0 answers about the fixture: `recorded.json`, in the form and by the recorder of `tests/parity`.
`tests/ldap/run --record` writes it anew. `DIFFERENCES` has what this server answers instead, and why."""

import hashlib
import itertools
import json
import pathlib
import sys
import types

from harness import keystones
from harness.checks import equal, expect

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "parity"))
import record  # noqa: E402

FILE = HERE / "recorded.json"
ANSWERED = ("status", "answered", "answer", "dropped")
PEOPLE = {"alice": "Alice Adams", "bob": "Bob Brown", "dave": "Dave Disabled", "frank": "Frank Foster"}
GROUPS = ("devs", "ops", "staff", "ghosts", "enabled_users", "contractors")
ODD = ("ALICE", "smith, john", "paren(theses)*", "back\\slash", "plus+sign", "zoë", "multi", "nopass", "nobody")
FILTERS = ("name=ALICE", "name__icontains=LI", "name__contains=LI", "name__istartswith=AL", "name__endswith=ice")
FILTERS += ("enabled=false", "name=alice&enabled=false", "name__iendswith=e&enabled=true")
PLAIN = ("Upper", "alice", "back\\slash", "bob", "carol", "dave", "erin", "frank", "gina", "hugo", "multi", "nopass")
PLAIN += ("paren(theses)*", "plus+sign", "smith, john", "staff", "zoë")
# Variants that are about more than who is found and who is enabled.
WHOLE = ("plain", "sub", "mail", "uuid", "posix")

# By reason: variants, request, and the status and the names of this server's answer.
DIFFERENCES = {
    "a group among the members is passed over; there a 404 shows its entry": [
        (("plain", "sub", "mail"), "GET /v3/groups/{group staff}/users", 200, ["erin"]),
        (("uuid",), "GET /v3/groups/{group staff}/users", 200, ["Erin Evans"]),
    ],
    "a member of another tree is nobody of the same name": [
        (("plain",), "GET /v3/groups/{group contractors}/users", 200, []),
    ],
    "members are found by any id attribute; there a 404 shows the first one's entry, or the connection ends": [
        (("uuid",), "GET /v3/groups/{group devs}/users", 200, ["Alice Adams", "Bob Brown", "Zoë Zárate"]),
        (("uuid",), "GET /v3/groups/{group ops}/users", 200, ["Carol Clark", "Dave Disabled", "Smith, John"]),
        (("uuid",), "GET /v3/groups/{group enabled_users}/users", 200, ["Alice Adams", "Bob Brown", "Carol Clark", "Zoë Zárate"]),
        (("uuid",), "GET /v3/groups/{group contractors}/users", 200, []),
        (("uuid", "mail"), "GET /v3/groups/{group ghosts}/users", 200, []),
        (("uuid",), "HEAD /v3/groups/{group devs}/users/{user Alice Adams}", 204, []),
        (("uuid",), "HEAD /v3/groups/{group enabled_users}/users/{user Alice Adams}", 204, []),
        (("uuid",), "HEAD /v3/groups/{group ghosts}/users/{user Alice Adams}", 404, []),
        (("mail",), "HEAD /v3/groups/{group ghosts}/users/{user alice}", 404, []),
        # There the second search is for the address, which no directory may have with such a letter.
        (("mail",), "GET /v3/groups/{group devs}/users", 200, ["alice", "bob", "zoë"]),
        (("mail",), "GET /v3/groups/{group enabled_users}/users", 200, ["alice", "bob", "carol", "zoë"]),
    ],
    "of two entries with one id both have that of the table; there one has the directory's, or counts as the other": [
        (("sub",), "GET /v3/users?domain_id={domain}", 200, sorted([*PLAIN, "bob", "ivan", "judy"])),
        # The attributes are those of the entry that is the member.
        (("sub",), "GET /v3/groups/{group contractors}/users", 200, ["bob", "ivan", "judy"]),
    ],
    "pages begin behind their marker; there it is passed over": [
        (("plain",), "GET /v3/users?domain_id={domain}&marker=nobody", 404, []),
    ],
    "referrals are never followed; there anonymously, unless chase_referrals says no": [
        (("elsewhere",), "GET /v3/users?domain_id={domain}", 500, []),
    ],
}


def public_id(domain_id, entity, local_id):
    return hashlib.sha256(f"{domain_id}{entity}{local_id}".encode()).hexdigest()


def steps(variant):
    """The requests for a variant, as scenarios of `tests/parity` have them."""
    users, groups = "/v3/users?domain_id={domain}", "/v3/groups?domain_id={domain}"
    names = {uid: name if variant == "uuid" else uid for uid, name in PEOPLE.items()}
    if variant == "limited":
        # Which ones are in a page is chance.
        yield from (get(f"{users}{query}", count=True) for query in ("", "&limit=1", "&limit=5"))
        yield from (get(path, count=True) for path in (groups, "/v3/groups/{group devs}/users", "/v3/users/{user alice}/groups"))
        yield get(f"{users}&name=alice")
        return
    yield get(users)
    if variant in ("partly", "elsewhere"):
        return
    for uid in ("alice",) if variant == "filtered" else PEOPLE:
        yield get(f"/v3/users/{{user {names[uid]}}}")
        yield login(names[uid], f"{uid}-secret")
    if variant not in WHOLE:
        return
    yield get(groups)
    yield from (get(f"/v3/users/{{user {name}}}/groups") for name in names.values())
    for name in ("unix",) if variant == "posix" else GROUPS:
        yield get(f"/v3/groups/{{group {name}}}")
        yield get(f"/v3/groups/{{group {name}}}/users")
        yield {**get(f"/v3/groups/{{group {name}}}/users/{{user {names['alice']}}}"), "method": "HEAD"}
    yield from (get(f"{users}&{query}") for query in FILTERS)
    yield from (get(f"{groups}&{query}") for query in ("name=DEVS", "name__icontains=ST"))
    if variant == "plain":
        yield from (login(name, f"{name.lower()}-secret") for name in ODD)
        yield from (login("alice", secret) for secret in ("wrong", ""))
        yield get(f"{users}&limit=3", count=True)
        yield get(f"{users}&marker=nobody")


def get(path, **more):
    return {"as": "admin", "method": "GET", "path": path, **more}


def login(name, secret):
    user = {"name": name, "domain": {"id": "{domain}"}, "password": secret}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    return {"method": "POST", "path": "/v3/auth/tokens", "body": body}


def ask(cloud, variant, domain_id, asked):
    """Sends the requests; returns them with their answers, in which ids are names."""
    recorder = record.Recorder(types.SimpleNamespace(reference=cloud.keystone))
    recorder.tokens["admin"] = cloud.admin.token
    recorder.ids["domain"] = domain_id
    for kind, some in (("user", PEOPLE), ("group", GROUPS)):
        recorder.ids |= {f"{kind} {name}": public_id(domain_id, kind, name) for name in some}
        if variant == "elsewhere":
            continue
        for item in cloud.admin.get(f"/v3/{kind}s?domain_id={domain_id}").json[f"{kind}s"]:
            local_id = item["email"] if (variant, kind) == ("mail", "user") else item["name"]
            # No other id is told than the one of the table, which `uuid` has new ones for each time.
            id = item["id"] if (variant, kind) == ("uuid", "user") else public_id(domain_id, kind, local_id)
            recorder.ids[f"{kind} {item['name']}"] = id
    recorder.names |= {id: name for name, id in recorder.ids.items()}
    return [recorder.record(step) for step in asked]


def write(cloud, ids):
    texts = []
    for variant, domain_id in ids.items():
        lines = (json.dumps(step, ensure_ascii=False) for step in ask(cloud, variant, domain_id, steps(variant)))
        texts.append(f'"{variant}": [\n' + ",\n".join(lines) + "\n]")
    FILE.write_text("{" + ",\n".join(texts) + "}\n")


def compare(run, cloud, ids):
    run.section("The recorded answers of Python Keystone")
    for variant, wanted in json.loads(FILE.read_text()).items():
        with run.check(f"{variant}: {len(wanted)} answers"):
            asked = [{key: value for key, value in step.items() if key not in ANSWERED} for step in wanted]
            for step, found in zip(wanted, ask(cloud, variant, ids[variant], asked)):
                different = keystones.is_native() and difference(variant, step)
                if not different:
                    equal(found, step, "the answer")
                    continue
                expect(found != step, f"{told(step)} is no difference any more")
                equal((found["status"], names(found["answer"])), different, told(step))


def difference(variant, step):
    """The status and the names that are expected instead."""
    for variants, request, status, members in itertools.chain(*DIFFERENCES.values()):
        if variant in variants and told(step) == request:
            return status, members
    return None


def told(step):
    user = step["body"]["auth"]["identity"]["password"]["user"]["name"] if "body" in step else ""
    return f"{step['method']} {step['path']} {user}".strip()


def names(answer):
    """The names in a list; none of an error."""
    lists = [value for value in (answer or {}).values() if isinstance(value, list)]
    return sorted(item["name"] for item in lists[0]) if lists else []
