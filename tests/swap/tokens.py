"""Each server validates the other's tokens."""

from cloud import ADMIN_PASSWORD
from harness import wire
from harness.checks import equal, expect
from compare import alike, essence


def tell(run, both, things):
    for issuer, other in both.both_ways():
        for name, body in bodies(things).items():
            with run.check(f"{issuer.name}'s {name} token at both"):
                validated_alike(both, issuer, body)
        with run.check(f"{issuer.name}'s token buys another at {other.name}"):
            rescoped(both, issuer, other)
        with run.check(f"{other.name} acts on {issuer.name}'s token"):
            client = both.admin(issuer)
            equal(wire.Client(other.url, client.token).get("/v3/users").status, 200, "the status")
    with run.check("the answers to the same authentication are alike"):
        for name, body in bodies(things).items():
            answers = [wire.request("POST", f"{side.url}/v3/auth/tokens", body) for side in sides(both)]
            alike(*(essence(answer, side.url, fresh=True) for answer, side in zip(answers, sides(both))), name)


def sides(both):
    return both.reference, both.ours


def bodies(things):
    by_id = {"user": {"id": things.demo, "password": "DEMO_PASS"}}
    demo = {"project": {"id": things.project}}
    return {
        "project": wire.password("admin", ADMIN_PASSWORD, "admin"),
        "project, by ids": wire.auth({"methods": ["password"], "password": by_id}, demo),
        "domain": wire.password("alice", "ALICE_PASS", {"domain": {"id": things.domain}}),
        "default domain": wire.password("alice", "ALICE_PASS", {"domain": {"name": "Default"}}),
        "system": wire.password("admin", ADMIN_PASSWORD, "system"),
        "unscoped": wire.password("admin", ADMIN_PASSWORD, "unscoped"),
        "default project's": wire.password("alice", "ALICE_PASS"),
        "inherited role's": wire.password("alice", "ALICE_PASS", {"project": {"id": things.child}}),
        "other domain's user's": wire.password("demo", "ACME_PASS", domain=things.domain),
    }


FIELDS = ("audit_ids", "expires_at", "issued_at", "user")


def validated_alike(both, issuer, body, fields=FIELDS):
    token_alike(both, issuer, *wire.token(issuer.url, body), fields)


def token_alike(both, issuer, token, issued, fields=FIELDS):
    """Both sides show the same of a token, and what its login showed."""
    caller = both.admin(issuer).token
    subject = {"X-Subject-Token": token}
    for query in ("", "?nocatalog"):
        seen = []
        for side in sides(both):
            answer = wire.Client(side.url, caller).get(f"/v3/auth/tokens{query}", headers=subject)
            equal(answer.status, 200, f"the status at {side.name}")
            equal(answer.header("x-subject-token"), token, f"the subject token at {side.name}")
            seen.append(essence(answer, side.url))
        alike(*seen, f"GET /v3/auth/tokens{query}")
        validated = answer.json["token"]
        for field in fields:
            equal(validated[field], issued[field], f"the validated {field}, beside the issued")
    for side in sides(both):
        answer = wire.Client(side.url, caller)("HEAD", "/v3/auth/tokens", headers=subject)
        equal((answer.status, answer.text), (200, ""), f"the answer to HEAD at {side.name}")


def rescoped(both, issuer, other):
    unscoped, parent = wire.token(issuer.url, wire.password("admin", ADMIN_PASSWORD, "unscoped"))
    scope = {"project": {"name": "admin", "domain": {"name": "Default"}}}
    token, child = wire.token(other.url, wire.rescope(unscoped, scope))
    equal(child["audit_ids"][1:], parent["audit_ids"], "the chain of audit ids")
    equal(child["expires_at"], parent["expires_at"], "the time of expiry")
    expect(sorted(child["methods"]) == ["password", "token"], f"the methods are {child['methods']}")
    answers = [
        essence(wire.Client(side.url, token).get("/v3/auth/tokens", headers={"X-Subject-Token": token}), side.url)
        for side in sides(both)
    ]
    equal(answers[0]["status"], 200, "the status")
    alike(*answers, "the rescoped token")
