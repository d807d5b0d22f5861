"""Users whom an identity provider vouches for, at both."""

import time

import tokens
from cloud import SECRET, made
from harness import wire
from harness.checks import equal, expect


def tell(run, both, things):
    made(both.admin(both.reference).put(f"/v3/projects/{things.project}/groups/{things.group}/roles/{things.reader}"), 204)
    for issuer, other in both.both_ways():
        with run.check(f"an identity provider, through {issuer.name}", needed=True):
            provider = Provider(both.admin(issuer), f"of-{issuer.name}", things.group)
        with run.check(f"who logs in at {issuer.name} and at {other.name} is one user"):
            logins = [provider.log_in(side, "ann") for side in (issuer, other)]
            people = [issued["user"] for _, issued in logins]
            equal(people[1], people[0], "the user")
            for side, (token, issued) in zip((issuer, other), logins):
                tokens.token_alike(both, side, token, issued)
        for name, scope in {"project": {"id": things.project}, "domain": {"id": "default"}}.items():
            with run.check(f"tokens of both buy a {name}'s token at both, which is alike"):
                for token, _ in logins:
                    for side in (issuer, other):
                        bought = wire.token(side.url, wire.rescope(token, {name: scope}))
                        tokens.token_alike(both, side, *bought)
        with run.check(f"a login at {other.name} without the group ends at both what came of it"):
            scope = {"project": {"id": things.project}}
            scoped = [wire.token(side.url, wire.rescope(token, scope))[0] for side, (token, _) in zip((other, issuer), logins)]
            # Events of a second are not those of the next.
            time.sleep(2)
            provider.map([])
            provider.log_in(other, "ann")
            at_both(both, scoped, 404)
            provider.map([{"group": {"id": things.group}}])
            token, _ = provider.log_in(issuer, "ann")
            at_both(both, [token], 200)
        with run.check(f"a provider that {other.name} disables lets nobody in, or exchange a token"):
            provider.patch(both.admin(other), enabled=False)
            for side in (issuer, other):
                equal(provider.ask(side, "ann").status, 403, f"the status of a login at {side.name}")
                answer = wire.request("POST", f"{side.url}/v3/auth/tokens", wire.rescope(token, scope))
                equal(answer.status, 403, f"the status of an exchange at {side.name}")
            provider.patch(both.admin(other), enabled=True)
        with run.check(f"a user whom {other.name} disables has no token at any"):
            token, issued = provider.log_in(issuer, "bob")
            path = f"/v3/users/{issued['user']['id']}"
            equal(both.admin(other).patch(path, {"user": {"enabled": False}}).status, 200, "the status")
            at_both(both, [token], 404)
            # Python Keystone lets the user log in, to a token that is of no use.
            equal(provider.ask(both.ours, "bob").status, 401, "the status of a login here")
            at_both(both, [provider.log_in(both.reference, "bob")[0]], 404)
        with run.check(f"a provider that {other.name} deletes is nobody's"):
            made(both.admin(other).delete(provider.path), 204)
            for side in (issuer, other):
                equal(provider.ask(side, "ann").status, 404, f"the status of a login at {side.name}")


class Provider:
    """An identity provider with one protocol, whose users are in one group."""

    def __init__(self, admin, name, group):
        self.admin, self.name, self.path = admin, name, f"/v3/OS-FEDERATION/identity_providers/{name}"
        self.mapping = f"/v3/OS-FEDERATION/mappings/{name}"
        made(admin.put(self.mapping, self.rules([{"group": {"id": group}}])))
        made(admin.put(self.path, {"identity_provider": {"enabled": True, "domain_id": "default"}}))
        made(admin.put(f"{self.path}/protocols/mapped", {"protocol": {"mapping_id": name}}))

    def rules(self, groups):
        user = {"user": {"name": f"{{0}} {self.name}"}}
        return {"mapping": {"rules": [{"remote": [{"type": "NAME"}], "local": [user, *groups]}]}}

    def map(self, groups):
        equal(self.admin.patch(self.mapping, self.rules(groups)).status, 200, "the status of a new mapping")

    def patch(self, admin, **fields):
        equal(admin.patch(self.path, {"identity_provider": fields}).status, 200, "the status of a change")

    def ask(self, side, name):
        """The answer to a login with what a web server in front vouches for."""
        proxy = {"X-Keystone-Proxy-Secret": SECRET, "X-Keystone-Env-NAME": name}
        headers = wire.vouched({"NAME": name}) if side.name == "reference" else proxy
        return wire.request("GET", f"{side.url}{self.path}/protocols/mapped/auth", headers=headers)

    def log_in(self, side, name):
        answer = self.ask(side, name)
        equal(answer.status, 201, f"the status of a login at {side.name} ({answer})")
        return answer.header("x-subject-token"), answer.json["token"]


def at_both(both, given, wanted):
    for token in given:
        for side in tokens.sides(both):
            answer = both.admin(side).get("/v3/auth/tokens", headers={"X-Subject-Token": token})
            expect(answer.status == wanted, f"{wanted} expected at {side.name}: {answer}")
