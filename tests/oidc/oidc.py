"""`crates/oidc` with a real provider: what it accepts, what it refuses, and what it makes of it."""

import base64
import json
import pathlib
import re
import subprocess
import urllib.parse

from harness import checks, processes, wire
from harness.checks import contains, equal, expect

ROOT = pathlib.Path(__file__).parent.parent.parent
RELYING_PARTY = ROOT / "target/debug/examples/relying_party"
MODULES = ROOT / "target/openid-provider/node_modules"
BACK = "http://127.0.0.1:1/back"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class OpenIdProvider:
    """The provider; it forgets its tokens when it restarts, but not its keys."""

    def __init__(self, directory):
        self.directory = directory
        self.port = processes.free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.keys = directory / "keys.json"
        self.start()

    def start(self):
        script = pathlib.Path(__file__).parent / "provider.mjs"
        command = [MODULES / ".bin/node", script, MODULES, self.port, self.keys]
        self.daemon = processes.Daemon("oidc-provider", command, self.directory / "provider.log")
        processes.wait_for("the provider", lambda: processes.listening(self.port), daemon=self.daemon)

    def stop(self):
        self.daemon.stop()

    def restart_with_new_keys(self):
        self.stop()
        self.keys.unlink()
        self.start()

    def form(self, path, client=None, **fields):
        """Sends a form, as a client of the provider."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if client:
            pair = base64.b64encode(f"{client}:cli".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        raw = urllib.parse.urlencode(fields)
        return wire.request("POST", self.issuer + path, raw=raw, headers=headers)

    def token(self, client, **fields):
        answer = self.form("/token", client, **fields)
        equal(answer.status, 200, f"the status of {answer}")
        return answer.json["access_token"]

    def program_token(self, client):
        return self.token(client, grant_type="client_credentials")

    def device_token(self, client, user):
        """The device flow, with a browser that approves it."""
        begun = self.form("/device/auth", client, client_id=client, scope="openid email groups").json
        browser = Browser()
        page = browser.get(begun["verification_uri_complete"])
        # The page of the code, its confirmation, the login and the consent are forms each.
        for _ in range(5):
            if "<form" not in page.text:
                break
            page = browser.submit(page, prompt_fields(page, user))
        return self.token(client, grant_type=DEVICE, device_code=begun["device_code"])

    def code(self, url, user):
        """The query with which a browser comes back that logs in at this address."""
        browser = Browser()
        page = browser.get(url)
        for _ in range(4):
            if browser.back:
                break
            page = browser.submit(page, prompt_fields(page, user))
        expect(browser.back, f"the browser is still at {browser.url}:\n{page.text}")
        return urllib.parse.urlsplit(browser.back).query


def prompt_fields(page, user):
    """What a person enters."""
    return {"login": user, "password": "any"} if 'name="login"' in page.text else {}


class Browser:
    """Follows redirects with cookies, up to the one that leaves the provider."""

    def __init__(self):
        self.cookies, self.url, self.back = {}, None, None

    def get(self, url):
        return self.go("GET", url)

    def submit(self, page, entered):
        form = re.search(r"<form.*?</form>", page.text, re.S)[0]
        action = re.search(r'action="([^"]*)"', form)[1].replace("&amp;", "&")
        fields = {}
        for field in re.findall(r"<input[^>]*>", form):
            told = dict(re.findall(r'(\w+)="([^"]*)"', field))
            if "name" in told:
                fields[told["name"]] = told.get("value", "")
        url = urllib.parse.urljoin(self.url, action)
        return self.go("POST", url, urllib.parse.urlencode({**fields, **entered}))

    def go(self, method, url, raw=None):
        for _ in range(12):
            self.url = url
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()) or None}
            if raw is not None:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            answer = wire.request(method, url, raw=raw, headers=headers)
            for name, value in answer.headers:
                if name == "set-cookie":
                    key, _, rest = value.partition("=")
                    self.cookies[key] = rest.partition(";")[0]
            if answer.status not in (302, 303):
                return answer
            url, method, raw = urllib.parse.urljoin(url, answer.header("location")), "GET", None
            if url.startswith(BACK):
                self.back = url
                return answer
        raise checks.Failed(f"redirected too often, to {url}")


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
    party = RelyingParty(provider, "--introspection")
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
    party.stop()


def changes(run, provider):
    run.section("A provider that changes")
    party = RelyingParty(provider, "--audience", "cloud")
    asking = RelyingParty(provider, "--introspection")
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


checks.run("oidc", oidc)
