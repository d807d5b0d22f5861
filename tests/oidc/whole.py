"""The whole server with a real provider: the command-line client with every plugin, a browser, a logout."""

import base64
import functools
import pathlib
import re
import subprocess
import sys
import urllib.parse

from harness import clouds, processes, wire
from harness.checks import contains, equal, expect
from harness.openid import BACK, Browser, OpenIdProvider, token_in
from harness.shell import CLIENT, Shell, fields

DASHBOARD = "https://horizon.example/auth/websso/"
CALLBACK = "/v3/auth/OS-FEDERATION/identity_providers/corp/oidc/redirect"
LOGOUT = "/v3/auth/OS-FEDERATION/identity_providers/corp/oidc/backchannel_logout"
WEBSSO = "/v3/auth/OS-FEDERATION/identity_providers/corp/protocols/openid/websso"
HERE = pathlib.Path(__file__).parent
PAGE = HERE.parent.parent / "deploy/openid.md"


def blocks(language):
    """The blocks of the page in `deploy/`."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.M | re.S)


class Cloud(clouds.Cloud):
    """What the page in `deploy/` makes, and beside it a provider whose access tokens are opaque."""

    def __init__(self, directory):
        self.ports = {"corp": processes.free_port(), "beta": processes.free_port()}
        self.here = processes.free_port()
        self.websso = processes.free_port()
        (directory / "secret").write_text("s3cr:t/+\n")
        beta = {
            **{"issuer": self.issuer("beta"), "client_id": "keystone", "client_secret_file": "{directory}/secret"},
            **{"access_token": "introspection", "audience": "cli"},
        }
        super().__init__(directory, {"oidc:beta": beta})
        self.rows()
        self.corp = OpenIdProvider(directory, [self.url + CALLBACK], self.url + LOGOUT, self.ports["corp"])
        self.beta = OpenIdProvider(directory, port=self.ports["beta"])

    def issuer(self, name):
        return f"http://127.0.0.1:{self.ports[name]}"

    def here_instead(self, text):
        """A block of the page, with the addresses and clients of this test."""
        for there, here in (
            ("https://cloud.example:5000", f"http://127.0.0.1:{self.here}"),
            ("https://idp.example/realms/cloud", self.issuer("corp")),
            ("/etc/keystone/oidc-secret", f"{self.directory}/secret"),
            ("9990", str(self.websso)),
            ('"cli"', '"cli-jwt"'),
            ("OS_CLIENT_ID=cli OS_CLIENT_SECRET=secret", "OS_CLIENT_ID=cli-jwt OS_CLIENT_SECRET=cli"),
        ):
            text = text.replace(there, here)
        return text

    def start(self):
        (page,) = blocks("ini")
        with self.config.open("a") as file:
            file.write(self.here_instead(page))
        self.keystone.serve = functools.partial(self.keystone.serve, self.here)
        super().start()

    def rows(self):
        rows, *_ = blocks("sh")
        shell = self.administrator_shell()
        succeeded(shell.script(f"cd {self.directory}\n{self.here_instead(rows)}"))
        self.project_id = clouds.made(self.admin.get("/v3/projects?name=cloud"), 200)[0]["id"]
        path = "/v3/OS-FEDERATION/identity_providers/beta"
        provider = {"enabled": True, "remote_ids": [self.issuer("beta")]}
        clouds.made(self.admin.put(path, {"identity_provider": provider}))
        clouds.made(self.admin.put(f"{path}/protocols/openid", {"protocol": {"mapping_id": "openid"}}))

    def administrator_shell(self):
        return Shell(self.directory, self.administrator().environment())

    def shell(self, plugin, name="corp", client="cli-jwt", **options):
        """The command-line client with a plugin of keystoneauth1."""
        of_all = {
            **{"auth_type": plugin, "auth_url": self.auth_url, "identity_provider": name, "protocol": "openid"},
            **{"project_id": self.project_id},
        }
        if plugin.startswith("v3oidc"):
            discovery = f"{self.issuer(name)}/.well-known/openid-configuration"
            of_all |= {"discovery_endpoint": discovery, "openid_scope": "openid email groups"}
            if plugin != "v3oidcaccesstoken":
                of_all |= {"client_id": client, "client_secret": "cli"}
        return Shell(self.directory, clouds.variables(of_all, **options))

    def validated(self, token):
        return self.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token})

    def is_of(self, user, table):
        """Holds what `token issue` prints against the user and the project."""
        told = fields(table)
        equal(told["project_id"], self.project_id, "the project")
        token = self.validated(told["id"]).json["token"]
        equal(token["user"]["name"], user if user == "robot" else f"{user}@example.org", "the user")
        equal(token["methods"], ["openid", "token"], "the methods")


def plugins(run, cloud):
    run.section("The command-line client")
    issue = ("token", "issue")
    with run.check("logs in with v3oidcpassword"):
        shell = cloud.shell("v3oidcpassword", username="alice", password="any")
        cloud.is_of("alice", shell.openstack(*issue))
    with run.check("does not with a wrong password"):
        shell = cloud.shell("v3oidcpassword", username="alice", password="wrong")
        expect(shell.try_openstack(*issue).returncode, "a wrong password")
    with run.check("logs in with v3oidcpassword and an opaque access token"):
        shell = cloud.shell("v3oidcpassword", "beta", "cli", username="bob", password="any")
        cloud.is_of("bob", shell.openstack(*issue))
    with run.check("logs in with v3oidcclientcredentials"):
        cloud.is_of("robot", cloud.shell("v3oidcclientcredentials").openstack(*issue))
    with run.check("logs in with v3oidcaccesstoken"):
        token = cloud.corp.device_token("cli-jwt", "carol")
        cloud.is_of("carol", cloud.shell("v3oidcaccesstoken", access_token=token).openstack(*issue))
    with run.check("does not with the access token of another provider"):
        token = cloud.beta.device_token("cli-jwt", "carol")
        done = cloud.shell("v3oidcaccesstoken", access_token=token).try_openstack(*issue)
        contains(done.stderr, "401")
    with run.check("logs in with v3oidcauthcode"):
        query = {"response_type": "code", "client_id": "cli-jwt", "redirect_uri": BACK, "scope": "openid groups"}
        url = f"{cloud.corp.issuer}/auth?{urllib.parse.urlencode(query)}"
        code = urllib.parse.parse_qs(cloud.corp.code(url, "dan"))["code"][0]
        shell = cloud.shell("v3oidcauthcode", redirect_uri=BACK, code=code)
        cloud.is_of("dan", shell.openstack(*issue))
    with run.check("logs in with v3oidcdeviceauthz"):
        cloud.is_of("eve", device(cloud, "eve", *issue))
    _, with_browser, programs = blocks("sh")
    with run.check("logs in with v3websso, as the page says"):
        shell = Shell(cloud.directory, {"BROWSER": f"{sys.executable} {HERE / 'browser.py'} frank %s &"})
        command = cloud.here_instead(with_browser).replace(" token issue", f" --os-redirect-port {cloud.websso} token issue")
        cloud.is_of("frank", succeeded(shell.script(command)))
    with run.check("logs in for a program, as the page says"):
        command, _ = cloud.here_instead(programs).rsplit("openstack", 1)
        cloud.is_of("robot", succeeded(Shell(cloud.directory, {}).script(command)))


def succeeded(done):
    equal(done.returncode, 0, f"the status: {done.stdout}{done.stderr}")
    return done.stdout


def device(cloud, user, *command):
    """Runs the client, and approves the device at the address that it shows."""
    shell = cloud.shell("v3oidcdeviceauthz")
    client = subprocess.Popen(
        [CLIENT, *command],
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in client.stderr:
        if found := re.search(r"go to: (\S+)", line):
            Browser().visit(found[1], user)
            break
    out, told = client.communicate(timeout=60)
    equal(client.returncode, 0, f"the status of the client: {told}")
    return out


def browsers(run, cloud):
    run.section("A browser")
    begin = f"{cloud.url}{WEBSSO}?origin={urllib.parse.quote(DASHBOARD)}"
    browser = Browser()
    with run.check("gets a token for the dashboard", needed=True):
        page = browser.visit(begin, "grace")
        contains(page.text, DASHBOARD)
        token = token_in(page)
        user = cloud.validated(token).json["token"]["user"]
        equal(user["name"], "grace@example.org", "the user")
        # There is no group `ops`.
        equal(len(user["OS-FEDERATION"]["groups"]), 1, "the groups")
    with run.check("that is logged in at the provider already needs no password"):
        again = token_in(browser.get(begin))
        expect(again != token, "the same token")
    with run.check("that names no provider is refused where two have the protocol"):
        anywhere = f"{cloud.url}/v3/auth/OS-FEDERATION/websso/openid?origin={urllib.parse.quote(DASHBOARD)}"
        equal(browser.get(anywhere).status, 401, "the status")
    with run.check("that does not agree is told so"):
        other = Browser()
        page = other.get(begin)
        abort = re.search(r'href="([^"]*/abort)"', page.text)
        expect(abort, page.text)
        page = other.get(urllib.parse.urljoin(other.url, abort[1]))
        equal(page.status, 401, "the status")
        contains(page.text, "The identity provider refused the login.")
    with run.check("that logs out at the provider loses its tokens"):
        page = browser.get(f"{cloud.corp.issuer}/session/end")
        browser.submit(page, {"logout": "yes"})
        equal([cloud.validated(it).status for it in (token, again)], [404, 404], "the statuses")
        # A token of the second of the logout is not told from those before it.
        is_valid = lambda: cloud.validated(token_in(Browser().visit(begin, "grace"))).status == 200
        processes.wait_for("login after the logout", is_valid)
    with run.check("that comes back when the provider is away is told so"):
        cloud.corp.stop()
        answer = wire.request("GET", begin)
        equal(answer.status, 302, "the documents are known")
        state = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.header("location")).query)["state"][0]
        cookie = answer.header("set-cookie").partition(";")[0]
        code = "a-code-that-nobody-took"
        query = urllib.parse.urlencode({"code": code, "state": state, "iss": cloud.corp.issuer})
        answer = wire.request("GET", f"{cloud.url}{CALLBACK}?{query}", headers={"Cookie": cookie})
        equal(answer.status, 503, "the status")
        cloud.corp.start()
        secrets = {"state": state, "cookie": cookie.partition("=")[2]}
    with run.check("leaves one line for the operator, and no secret"):
        access = cloud.corp.device_token("cli-jwt", "carol")
        cloud.shell("v3oidcaccesstoken", access_token=access).openstack("token", "issue")
        log = cloud.keystone.daemon.log.read_text()
        refused = [line for line in log.splitlines() if "access_denied" in line]
        equal(len(refused), 1, "\n".join(refused))
        pair = urllib.parse.quote_plus("keystone") + ":" + urllib.parse.quote_plus("s3cr:t/+")
        secrets |= {
            **{"token": token, "client secret": "s3cr", "code": code, "access token": access},
            **{"credentials": base64.b64encode(pair.encode()).decode()},
        }
        found = [name for name, secret in secrets.items() if secret in log]
        equal(found, [], "the secrets in the log")


def server(run, directory):
    run.section("The server")
    with run.check("starts", needed=True):
        cloud = Cloud(directory)
    plugins(run, cloud)
    browsers(run, cloud)
