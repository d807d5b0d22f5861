"""A real provider, for `crates/oidc` alone and for the whole server: what is accepted, what is refused, and what comes of it."""

import json
import pathlib
import re
import subprocess
import urllib.parse

import whole
from harness import checks, processes
from harness.checks import contains, equal, expect
from harness.openid import BACK, OpenIdProvider

ROOT = pathlib.Path(__file__).parent.parent.parent
RELYING_PARTY = ROOT / "target/debug/examples/relying_party"


class RelyingParty:
    """The example of the crate."""

    def __init__(self, provider, *options):
        command = [RELYING_PARTY, provider.issuer, "keystone", "--secret", "s3cr:t/+", *options]
        self.process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, command, argument):
        self.process.stdin.write(f"{command} {argument}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def attributes(self, command, argument):
        told = self.ask(command, argument)
        expect("attributes" in told, told)
        return told["attributes"]

    def refused(self, command, argument, status=401):
        told = self.ask(command, argument)
        equal(told.get("status"), status, f"the status of {told}")
        return told["error"]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


def logins(run, provider):
    run.section("A browser")
    party = RelyingParty(provider)
    with run.check("logs in with a code, and userinfo tells its groups", needed=True):
        query = provider.code(party.ask("start", BACK)["url"], "alice")
        contains(query, "code=", "state=", "iss=")
        found = party.attributes("finish", query)
        equal(found["REMOTE_USER"], [f"alice@{provider.issuer}"], "the user")
        equal(found["OIDC-groups"], ["devs", "ops"], "the groups")
        equal(found["HTTP_OIDC_EMAIL"], ["alice@example.org"], "the address")
        equal(found["HTTP_OIDC_ISS"], [provider.issuer], "the issuer")
    with run.check("can use its code once"):
        contains(party.refused("finish", query), "invalid_grant")
    with run.check("is not logged in with the code of another login"):
        first = provider.code(party.ask("start", BACK)["url"], "alice")
        party.ask("start", BACK)
        contains(party.refused("finish", first), "not begun in this browser")
    with run.check("is not logged in with the code of another login under its own state"):
        url = party.ask("start", BACK)["url"]
        state = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["state"][0]
        stolen = urllib.parse.parse_qs(provider.code(RelyingParty(provider).ask("start", BACK)["url"], "bob"))
        query = urllib.parse.urlencode({"code": stolen["code"][0], "state": state, "iss": provider.issuer})
        contains(party.refused("finish", query), "invalid_grant")
    with run.check("that comes from elsewhere is refused"):
        query = provider.code(party.ask("start", BACK)["url"], "alice")
        other = re.sub(r"iss=[^&]*", "iss=http%3A%2F%2F127.0.0.1%3A1", query)
        contains(party.refused("finish", other), "was asked")
    party.stop()


def tokens(run, provider):
    run.section("Access tokens that are JSON Web Tokens")
    party = RelyingParty(provider, "--audience", "cloud")
    with run.check("of a device"):
        token = provider.device_token("cli-jwt", "alice")
        found = party.attributes("bearer", token)
        equal(found["REMOTE_USER"], [f"alice@{provider.issuer}"], "the user")
        equal(found["OIDC-groups"], ["devs", "ops"], "the groups")
        equal(found["OIDC-client_id"], ["cli-jwt"], "the client")
    with run.check("of a program"):
        found = party.attributes("bearer", provider.program_token("cli-jwt"))
        equal(found["OIDC-client_id"], ["cli-jwt"], "the client")
    with run.check("for another audience are refused"):
        contains(RelyingParty(provider).refused("bearer", token), '"cloud"', "set audience")
    with run.check("that were changed are refused"):
        head, payload, signature = token.split(".")
        middle = len(signature) // 2
        other = "A" if signature[middle] != "A" else "B"
        changed = f"{head}.{payload}.{signature[:middle]}{other}{signature[middle + 1 :]}"
        contains(party.refused("bearer", changed), "signature")
    with run.check("that are opaque are refused, and the operator reads what to set"):
        opaque = provider.program_token("cli")
        contains(party.refused("bearer", opaque), "access_token = introspection")
    party.stop()

    run.section("Access tokens that are opaque")
    party = RelyingParty(provider, "--introspection", "--audience", "cli")
    with run.check("of a device, with userinfo"):
        token = provider.device_token("cli", "alice")
        found = party.attributes("bearer", token)
        equal(found["REMOTE_USER"], [f"alice@{provider.issuer}"], "the user")
        equal(found["HTTP_OIDC_GROUPS"], ["devs", "ops"], "the groups")
    with run.check("of a program, without a user"):
        found = party.attributes("bearer", opaque)
        equal(found["HTTP_OIDC_CLIENT_ID"], ["cli"], "the client")
        expect("REMOTE_USER" not in found, found)
    with run.check("that were revoked are refused"):
        provider.form("/token/revocation", "cli", token=token)
        contains(party.refused("bearer", token), "not valid")
    with run.check("that nobody issued are refused"):
        contains(party.refused("bearer", "x" * 43), "not valid")
    with run.check("of other clients are refused, and the operator reads what to set"):
        contains(RelyingParty(provider, "--introspection").refused("bearer", opaque), '"cli"', "set audience")
    party.stop()


def changes(run, provider):
    run.section("A provider that changes")
    party = RelyingParty(provider, "--audience", "cloud")
    asking = RelyingParty(provider, "--introspection", "--audience", "cli")
    old = provider.program_token("cli-jwt")
    party.attributes("bearer", old)
    with run.check("with new keys is followed, and the old ones are over"):
        asking.refused("bearer", "x" * 43)
        provider.restart_with_new_keys()
        party.attributes("bearer", provider.program_token("cli-jwt"))
        contains(party.refused("bearer", old), "key")
    new = provider.program_token("cli-jwt")
    provider.stop()
    with run.check("that is away still has its tokens verified"):
        party.attributes("bearer", new)
    with run.check("that is away can't be asked about others"):
        contains(asking.refused("bearer", "x" * 43, status=503), "can't be asked", "Connection refused")
    with run.check("that never was there is away"):
        contains(RelyingParty(provider).refused("start", BACK, status=503), "Connection refused")


def oidc(run):
    directory = processes.scratch("oidc")
    with run.check("the provider starts", needed=True):
        provider = OpenIdProvider(directory)
    logins(run, provider)
    tokens(run, provider)
    changes(run, provider)
    whole.server(run, directory)


checks.run("oidc", oidc)
