"""Every situation that a guarded service may get into, as a function of the world that returns what is compared."""

import concurrent.futures

SITUATIONS = {}

FORGED = {
    **{"X-Identity-Status": "Confirmed", "X-Service-Identity-Status": "Confirmed", "X-Is-Admin-Project": "True"},
    **{"X-User-Id": "forged", "X-User-Name": "forged", "X-User-Domain-Id": "forged", "X-User-Domain-Name": "forged"},
    **{"X-Project-Id": "forged", "X-Project-Name": "forged", "X-Project-Domain-Id": "forged"},
    **{"X-Project-Domain-Name": "forged", "X-Domain-Id": "forged", "X-Domain-Name": "forged", "X-Roles": "admin"},
    **{"X-Service-User-Id": "forged", "X-Service-User-Name": "forged", "X-Service-User-Domain-Id": "forged"},
    **{"X-Service-User-Domain-Name": "forged", "X-Service-Project-Id": "forged", "X-Service-Roles": "service"},
    **{"X-Service-Project-Name": "forged", "X-Service-Project-Domain-Id": "forged", "X-Service-Catalog": "[]"},
    **{"X-Service-Project-Domain-Name": "forged", "X-Service-Domain-Id": "forged", "X-Service-Domain-Name": "forged"},
    **{"X-Role": "admin", "X-User": "forged", "X-Tenant": "forged", "X-Tenant-Id": "forged", "X-Tenant-Name": "forged"},
    "OpenStack-System-Scope": "all",
}


def respelt(spell):
    return [(spell(name), value) for name, value in FORGED.items()]


SPELLINGS = {
    "as they are": respelt(str),
    "in lower case": respelt(str.lower),
    "in upper case": respelt(str.upper),
    "with underscores": respelt(lambda name: name.replace("-", "_")),
    "with one underscore": respelt(lambda name: name.replace("-", "_", 1)),
}


def situation(name):
    def add(function):
        SITUATIONS[name] = function
        return function

    return add


def asks(name, *arguments, **options):
    SITUATIONS[name] = lambda world: world.ask(*arguments, **options)


SERVICES = ("guarded", "delaying")
for service in SERVICES:
    asks(f"no token, {service}", service)
    asks(f"an empty token, {service}", service, token="")
    for token in ("garbage", "expired", "revoked"):
        asks(f"{token}, {service}", service, token)
    for token in ("project", "domain", "system", "unscoped", "trust", "credential"):
        asks(f"{token}, {service}", service, token)
    for by in ("nova", "bob", "garbage", "expired service", "unscoped"):
        asks(f"project by {by}, {service}", service, "project", by=by)
    asks(f"only a service, {service}", service, by="nova")
    asks(f"expired by nova, {service}", service, "expired", by="nova")
    asks(f"expired by bob, {service}", service, "expired", by="bob")
    asks(f"garbage by nova, {service}", service, "garbage", by="nova")
    asks(f"revoked by nova, {service}", service, "revoked", by="nova")
    asks(f"system by nova, {service}", service, "system", by="nova")
    for spelling, headers in SPELLINGS.items():
        asks(f"forged headers {spelling} with a token, {service}", service, "project", headers=headers)
        asks(f"forged headers {spelling} without a token, {service}", service, headers=headers)
asks("project by system", "lenient", "project", by="system")
asks("project by bob, lenient", "lenient", "project", by="bob")
asks("expired by bob, lenient", "lenient", "expired", by="bob")


@situation("the token in X-Storage-Token")
def storage_token(world):
    return world.ask("guarded", headers=[("X-Storage-Token", world.tokens["project"])])


@situation("a token between blanks")
def blanks(world):
    return world.ask("guarded", f"  {world.tokens['project']} ")


# Access rules.
LIMITED = "limited credential"
for path in ("/v2/images/1", "/v2/images/1?a=b", "/v2/im%61ges/1", "/v2/images", "/v2/images/1/file", "/v2/images/1%2Ffile"):
    asks(f"limited to images, GET {path}", "guarded", LIMITED, path=path)
asks("limited to images, DELETE", "guarded", LIMITED, method="DELETE")
asks("limited to images, no service_type", "without a type", LIMITED)
asks("limited to images, a service_type that is not in the catalog", "of another type", LIMITED)
asks("limited to images, another path by nova", "guarded", LIMITED, by="nova", path="/v2/tasks")
asks("limited to images, another path by bob", "guarded", LIMITED, by="bob", path="/v2/tasks")
asks("limited to images, another path by bob, lenient", "lenient", LIMITED, by="bob", path="/v2/tasks")
asks("limited to images, another path by garbage, delaying", "delaying", LIMITED, by="garbage", path="/v2/tasks")
asks("limited to images, another path, delaying", "delaying", LIMITED, path="/v2/tasks")
asks("an application credential without rules, no service_type", "without a type", "credential")


# What changes.
@situation("revoked while cached")
def revoked_while_cached(world):
    token = world.login("alice", "images")
    before = {service: world.ask(service, token)["status"] for service in ("guarded", "forgetful")}
    world.revoke(token)
    after = {service: world.ask(service, token)["status"] for service in ("guarded", "forgetful")}
    return {"before": before, "after": after}


@situation("the middleware's own token is revoked")
def own_token_revoked(world):
    before = world.ask("forgetful", "project")["status"]
    world.revoke(world.gate.last_own_token)
    return {"before": before, "after": world.ask("forgetful", "project")["status"]}


@situation("200 concurrent first requests")
def concurrent_requests(world):
    token = world.login("alice", "images")
    before = world.gate.validations
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda _: world.ask("guarded", token)["status"], range(200)))
    return {"statuses": sorted(set(answers)), "one call": world.gate.validations - before == 1}


@situation("Keystone is down")
def down(world):
    world.gate.fall()
    try:
        return without_keystone(world)
    finally:
        world.gate.rise()


@situation("Keystone is slow")
def slow(world):
    return in_mode(world, "slow")


@situation("Keystone answers 500")
def broken(world):
    return in_mode(world, "broken")


def in_mode(world, mode):
    world.gate.mode = mode
    try:
        return without_keystone(world)
    finally:
        world.gate.mode = "open"


def without_keystone(world):
    """A token that is known, and one that is not."""
    world_knows = world.ask("guarded", "project")["status"]
    return {
        "cached": world_knows,
        "not cached": world.ask("forgetful", "project")["status"],
        "delaying": world.ask("delaying", "never seen"),
    }


@situation("Keystone is restarted")
def restarted(world):
    before = world.ask("forgetful", "project")["status"]
    world.restart()
    return {"before": before, "after": world.ask("forgetful", "project")["status"]}
