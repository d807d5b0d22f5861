"""The OpenID provider of npm, and a browser without scripts that logs in there."""

import base64
import pathlib
import re
import urllib.parse

from . import checks, processes, wire
from .checks import equal, expect

ROOT = pathlib.Path(__file__).parent.parent.parent.parent
MODULES = ROOT / "target/openid-provider/node_modules"
SCRIPT = ROOT / "tests/oidc/provider.mjs"
# Where nobody listens: what a browser brings back there is for the test.
BACK = "http://127.0.0.1:1/back"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class OpenIdProvider:
    """The provider; it forgets its tokens when it restarts, but not its keys."""

    def __init__(self, directory, callbacks=(), logout="", port=None):
        """`callbacks` are the addresses at which browsers come back to a server, `logout` is where it is told of logouts."""
        self.directory, self.callbacks, self.logout = directory, callbacks, logout
        self.port = port or processes.free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.keys = directory / f"keys-{self.port}.json"
        self.start()

    def start(self):
        command = [MODULES / ".bin/node", SCRIPT, MODULES, self.port, self.keys, ",".join(self.callbacks), self.logout]
        self.daemon = processes.Daemon("oidc-provider", command, self.directory / f"provider-{self.port}.log")
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
        Browser().visit(begun["verification_uri_complete"], user)
        return self.token(client, grant_type=DEVICE, device_code=begun["device_code"])

    def code(self, url, user):
        """The query with which a browser comes back that logs in at this address."""
        browser = Browser()
        page = browser.visit(url, user)
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

    def visit(self, url, user):
        """Logs in and agrees to what the provider asks, with a form each; returns the last page."""
        page = self.get(url)
        for _ in range(6):
            if self.back or "<form" not in page.text or 'name="token"' in page.text:
                break
            page = self.submit(page, prompt_fields(page, user))
        return page

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
            # keystoneauth insists on them.
            headers |= {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site"}
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


def token_in(page):
    """The token that Keystone's page carries to a dashboard."""
    found = re.search(r'name="token"[^>]*value="([^"]+)"', page.text)
    expect(found, f"no token in {page}")
    return found[1]
