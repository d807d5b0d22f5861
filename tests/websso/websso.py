"""Logins in a browser: behind modules of Apache httpd, and with Horizon in Chromium."""

import argparse
import re

import cloud as clouds
import proxies
from dashboard import KEYSTONE, Chromium, Horizon

from harness import checks, processes, wire
from harness.checks import contains, equal, expect
from harness.openid import Browser, OpenIdProvider, prompt_fields
from harness.processes import LOOPBACK

OPENID = {"openid": ("HTTP_OIDC_EMAIL", "HTTP_OIDC_GROUPS")}
SAML = {"saml2": ("MELLON_NAME_ID",)}
OTHER = "https://other.example"
# What a client says of itself that it should not.
CLAIMS = {"OIDC-iss": OTHER, "OIDC-sub": "mallory", "OIDC-email": "mallory", "OIDC-groups": "devs"}
VARIABLES = {
    **{"REMOTE-USER": "admin", "MELLON-IDP": clouds.ENTITY, "MELLON-NAME-ID": "mallory", "MELLON-groups": "devs"},
    **{"Shib-Identity-Provider": clouds.ENTITY, "SSL-CLIENT-I-DN": "CN=x", "SSL-CLIENT-S-DN-CN": "admin"},
}


def forged(secret="0" * 64):
    """Headers of clients that say what a proxy says, in each spelling: name → value."""
    own = {f"X-Keystone-Env-{name}": value for name, value in VARIABLES.items()}
    own["X-Keystone-Proxy-Secret"] = secret
    plain = {**own, **CLAIMS, **{f"MELLON_{name}": "x" for name in ("IDP", "NAME_ID")}, "Shib-Identity-Provider": "x"}
    yield "as they are", plain
    yield "with _", {name.replace("-", "_"): value for name, value in plain.items()} | {"X-Keystone-Proxy-Secret": secret}
    yield "in other case", {name.swapcase(): value for name, value in plain.items()}
    removed = ", ".join(["close", *plain])
    yield "with headers to remove", {**plain, "Connection": removed}


def is_login(answer):
    return answer.header("x-subject-token") or 'name="token"' in answer.text


def no_login(answer, what):
    expect(not is_login(answer), f"{what} is a login: {answer}")


def token_of(page):
    expect('name="token"' in page.text, f"no page with a token: {page}")
    return re.search(r'id="token" value="([^"]+)"', page.text)[1]


def spoofing(run, url, cloud, protocol):
    """A client that says what a proxy says, at every route by a web server, gets what it gets without."""
    with run.check("a client that forges headers gets nothing at any login, however it spells its path"):
        for path in (path for provider in ("corp", "other") for path in clouds.logins(protocol, provider)):
            for spelled in (path, *clouds.detours(path)):
                for method in ("GET", "POST"):
                    for what, headers in forged():
                        answer = wire.request(method, f"{url}{spelled}?origin={cloud.dashboard}", headers=headers)
                        no_login(answer, f"{method} {spelled} {what}")
    with run.check("nor at any other route"):
        for method, path in clouds.routes():
            plain = wire.request(method, url + path)
            for what, headers in forged():
                answer = wire.request(method, url + path, headers=headers)
                equal(answer.status, plain.status, f"the status of {method} {path} {what}")
                no_login(answer, f"{method} {path} {what}")
    with run.check("nor by a method of authentication"):
        for method in ("external", protocol, "mapped"):
            part = {"identity_provider": "other", "protocol": protocol}
            body = wire.auth({"methods": [method], method: {} if method == "external" else part}, None)
            for what, headers in forged():
                answer = wire.request("POST", f"{url}/v3/auth/tokens", body, headers=headers)
                equal(answer.status, 401, f"the status of {method} {what} ({answer})")
    with run.check("nor at the server itself, where it has no secret"):
        for path in clouds.logins(protocol, "other"):
            for what, headers in forged():
                answer = wire.request("GET", f"{cloud.url}{path}?origin={cloud.dashboard}", headers=headers)
                no_login(answer, f"{path} {what}")
                equal(answer.status, 401, f"the status of {path} {what}")


def vouched(run, cloud, protocol, headers):
    """What is forged is worth forging."""
    with run.check("with the secret, the server takes the same headers for a login"):
        headers = {"X-Keystone-Proxy-Secret": cloud.secret, **headers}
        path = clouds.logins(protocol, "other")[0]
        answer = wire.request("POST", cloud.url + path, headers=headers)
        equal(answer.status, 201, f"the status of {answer}")
        equal(answer.json["token"]["user"]["name"], "mallory", "the user")


def through(run, cloud, provider, url, what):
    """Logins of a browser without scripts through a web server."""
    for path in clouds.logins("openid"):
        with run.check(f"{what}: a browser logs in at {path}"):
            browser = Browser()
            page = browser.get(f"{url}{path}?origin={cloud.dashboard}")
            expect(browser.url.startswith(provider.issuer), f"not at the provider but at {browser.url}: {page}")
            for _ in range(3):
                if not browser.url.startswith(provider.issuer):
                    break
                page = browser.submit(page, prompt_fields(page, "alice"))
            token = page.header("x-subject-token") or token_of(page)
            told = cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token}).json["token"]["user"]
            equal(told["name"], "alice@example.org", "the user")
            equal(len(told["OS-FEDERATION"]["groups"]), 2, "the number of groups")
        with run.check(f"{what}: nor can who is logged in say who that is"):
            for spelling, headers in forged():
                headers = {**headers, "Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
                answer = wire.request("GET", f"{url}{path}?origin={cloud.dashboard}", headers=headers)
                if not is_login(answer):
                    continue
                token = answer.header("x-subject-token") or token_of(answer)
                told = cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token}).json["token"]["user"]
                equal(told["name"], "alice@example.org", f"the user {spelling}")


def openid_connect(run, cloud, directory):
    run.section("mod_auth_openidc, as deploy/README.md says")
    snippet, _ = proxies.snippets(proxies.PROVIDERS)
    cloud.restart("openid", cloud.documented(snippet))
    ports = [processes.free_port(), processes.free_port()]
    hosts = [f"http://{name}:{port}" for port in ports for name in (LOOPBACK, KEYSTONE)]
    with run.check("the provider starts", needed=True):
        provider = OpenIdProvider(directory, *(f"{host}/v3/redirect_uri" for host in hosts))
    cloud.provider("corp", [provider.issuer], OPENID)
    with run.check("Apache starts with the documented lines", needed=True):
        apache = proxies.apache(
            *(directory / "openidc", cloud, "auth_openidc", snippet["Apache httpd"], ports[0]),
            **{"https://idp.example": provider.issuer, 'Secret "…"': 'Secret "s3cr:t/+"', 'Passphrase "…"': 'Passphrase "x"'},
            **{"https://keystone.example": ""},
        )
    through(run, cloud, provider, apache.url, "Apache")
    vouched(run, cloud, "openid", CLAIMS)
    spoofing(run, apache.url, cloud, "openid")
    return apache, provider


def horizon_behind_apache(run, cloud, directory, horizon):
    run.section("Horizon in Chromium, with mod_auth_openidc")
    with run.check("Horizon starts", needed=True):
        public = f"http://{KEYSTONE}:{apache.port}"
        horizon.start(cloud.url, public)
    in_horizon(run, cloud, directory, horizon, public, provider, ("OpenID Connect", "Corp"))


def log_in(browser, horizon, choice, issuer, name):
    """A person's steps, from Horizon's login page to the end."""
    browser.go(horizon.url)
    browser.choose("#id_auth_type", choice)
    browser.screenshot(f"{name}-1-horizon")
    browser.see("#loginBtn").click()
    browser.prove(issuer, "alice", f"{name}-2")
    browser.at(horizon.url)


def in_horizon(run, cloud, directory, horizon, public, provider, choices):
    for choice in choices:
        name = re.sub("[^a-z]+", "-", choice.lower())
        with run.check(f"Chromium logs in by {choice!r}, and the page of the project names the user"):
            with Chromium(directory) as browser:
                log_in(browser, horizon, choice, provider.issuer, name)
                browser.screenshot(f"{name}-3-in")
                print(browser.driver.current_url, browser.text()[:600], browser.log())


def websso(run):
    parser = argparse.ArgumentParser()
    parser.add_argument("only", nargs="*", help="parts to run")
    only = parser.parse_args().only
    directory = processes.scratch("websso")
    horizon = Horizon(directory)
    with run.check("Keystone starts", needed=True):
        cloud = clouds.Cloud(directory, horizon.dashboard)
        cloud.people()
        cloud.provider("other", [OTHER], {**OPENID, **SAML})
    global apache, provider
    apache, provider = openid_connect(run, cloud, directory)
    horizon_behind_apache(run, cloud, directory, horizon)


checks.run("websso", websso)
