"""Logins in a browser: behind modules of Apache httpd, and with Horizon in Chromium."""

import argparse
import re

import cloud as clouds
import proxies
from dashboard import KEYSTONE, Chromium, Horizon, Recorder

from harness import checks, processes, services, wire
from harness.checks import contains, equal, expect
from harness.clouds import made
from harness.openid import Browser, OpenIdProvider, prompt_fields
from harness.processes import LOOPBACK
from harness.saml import FormProvider

OPENID = {"openid": ("HTTP_OIDC_EMAIL", "HTTP_OIDC_GROUPS")}
SAML = {"saml2": ("MELLON_NAME_ID",)}
OTHER = "https://other.example"
# Of the client that the provider knows.
SECRET = "s3cr:t/+"
# What a client says of itself that it should not.
CLAIMS = {"OIDC-iss": OTHER, "OIDC-sub": "mallory", "OIDC-email": "mallory", "OIDC-groups": "devs"}
VARIABLES = {
    **{"MELLON-IDP": OTHER, "MELLON-NAME-ID": "trudy", "MELLON-groups": "devs"},
    **{"Shib-Identity-Provider": OTHER, "SSL-CLIENT-I-DN": "CN=x", "SSL-CLIENT-S-DN-CN": "admin"},
}


def forged():
    """Headers of clients that say what a proxy says, in several spellings."""
    own = {f"X-Keystone-Env-{name}": value for name, value in VARIABLES.items()}
    plain = {**own, **CLAIMS, "MELLON_IDP": OTHER, "Shib-Identity-Provider": OTHER}
    secret = {"X-Keystone-Proxy-Secret": "0" * 64}
    yield "as they are", {**plain, **secret}
    yield "with _", {name.replace("-", "_"): value for name, value in plain.items()} | secret
    yield "in other case", {name.swapcase(): value for name, value in {**plain, **secret}.items()}
    yield "with headers to remove", {**plain, **secret, "Connection": ", ".join(["close", *plain, *secret])}
    # Beside another user it would be refused.
    yield "with a user", {"X-Keystone-Env-REMOTE-USER": "admin", **secret}


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


def vouched(run, cloud, protocol, user, headers):
    """What is forged is worth forging."""
    with run.check("with the secret, the server takes the same headers for a login"):
        headers = {"X-Keystone-Proxy-Secret": cloud.secret, **headers}
        path = clouds.logins(protocol, "other")[0]
        answer = wire.request("POST", cloud.url + path, headers=headers)
        equal(answer.status, 201, f"the status of {answer}")
        equal(answer.json["token"]["user"]["name"], user, "the user")


def through(run, site, url, what, way):
    """Logins of a browser without scripts through a web server."""
    cloud = site.cloud
    for path in clouds.logins(way.protocol):
        with run.check(f"{what}: a browser logs in at {path}"):
            browser = Browser()
            page = browser.get(f"{url}{path}?origin={cloud.dashboard}")
            expect(browser.url.startswith(way.provider), f"not at the provider but at {browser.url}: {page}")
            for _ in range(3):
                if not browser.url.startswith(way.provider):
                    break
                page = browser.submit(page, prompt_fields(page, "alice"))
            token = page.header("x-subject-token") or token_of(page)
            told = cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token}).json["token"]["user"]
            equal(told["name"], way.user, "the user")
            equal(len(told["OS-FEDERATION"]["groups"]), way.groups, "the number of groups")
        with run.check(f"{what}: nor can who is logged in say who that is"):
            for spelling, headers in forged():
                headers = {**headers, "Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
                answer = wire.request("GET", f"{url}{path}?origin={cloud.dashboard}", headers=headers)
                if not is_login(answer):
                    continue
                token = answer.header("x-subject-token") or token_of(answer)
                told = cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token}).json["token"]["user"]
                equal(told["name"], way.user, f"the user {spelling}")


class ByOpenId:
    """What is the same wherever people log in at the provider of OpenID Connect."""

    protocol, choices, consents = "openid", ("OpenID Connect", "Corp"), True
    user, groups = "alice@example.org", 2

    @property
    def provider(self):
        return self.peer.issuer


class BySaml:
    """And at the one of SAML."""

    protocol, choices, consents = "saml2", ("SAML", "Corp by SAML"), False
    user, groups = "alice", 1

    @property
    def provider(self):
        return self.peer.url


class OpenIdConnect(ByOpenId):
    """Apache with `mod_auth_openidc`, and the provider where it sends people."""

    def __init__(self, cloud, directory, nginx_port):
        snippet, _ = proxies.snippets(proxies.PROVIDERS)
        self.config = cloud.documented(snippet)
        cloud.restart("openid", self.config)
        port = processes.free_port()
        hosts = (f"{LOOPBACK}:{port}", f"{KEYSTONE}:{port}", f"{LOOPBACK}:{nginx_port}")
        self.peer = OpenIdProvider(directory, [f"http://{host}/v3/redirect_uri" for host in hosts])
        replaced = {
            **{"https://idp.example": self.provider, "https://keystone.example": ""},
            **{'OIDCClientSecret "…"': f'OIDCClientSecret "{SECRET}"', 'Passphrase "…"': 'Passphrase "any"'},
        }
        text = snippet["Apache httpd"]
        self.apache = proxies.apache(directory / "openidc", cloud, "auth_openidc", text, port, **replaced)
        self.public = f"http://{KEYSTONE}:{port}"


class Mellon(BySaml):
    """Apache with `mod_auth_mellon`."""

    def __init__(self, cloud, directory, peer):
        self.peer = peer
        _, snippet = proxies.snippets(proxies.PROVIDERS)
        self.config = cloud.documented(snippet)
        port = processes.free_port()
        self.public = f"http://{KEYSTONE}:{port}"
        # The address that the module gives to the identity provider.
        named = f"ServerName {self.public}\nUseCanonicalName On\n"
        with_mellon(cloud, directory / "mellon-chromium", peer.metadata, port, named)


class NativeOpenId(ByOpenId):
    """Keystone speaks to the provider itself."""

    def __init__(self, cloud, directory):
        (port,) = cloud.keystone.ports
        self.public = f"http://{KEYSTONE}:{port}"
        self.peer = OpenIdProvider(directory, [f"{self.public}/v3/auth/OS-FEDERATION/identity_providers/corp/oidc/redirect"])
        secret = directory / "client-secret"
        secret.write_text(SECRET)
        registered = {"client_id": "keystone", "client_secret_file": str(secret), "scopes": "openid,email,groups"}
        self.config = {"oidc:corp": {"issuer": self.provider, **registered}}


class NativeSaml(BySaml):
    """And by SAML."""

    def __init__(self, cloud, directory, peer):
        self.peer = peer
        (port,) = cloud.keystone.ports
        self.public = f"http://{KEYSTONE}:{port}"
        own = {"certfile": directory / "signing.pem", "keyfile": directory / "signing.key"}
        self.config = {
            "DEFAULT": {"public_endpoint": self.public},
            "saml_sp": {"entity_id": f"{self.public}/v3/OS-FEDERATION/saml2/sp/metadata", **own},
            "saml_idp:corp": {"metadata_file": peer.metadata},
        }


def with_mellon(cloud, directory, metadata, port=None, before="", **replaced):
    """Apache with the documented lines, and the key and the certificate of the cloud."""
    _, snippet = proxies.snippets(proxies.PROVIDERS)
    signing = {"key": cloud.directory / "signing.key", "certificate": cloud.directory / "signing.pem"}
    own = {"directory": directory, "entity": "https://keystone.example/mellon", "metadata": metadata}
    before += services.MELLON.format(**own, **signing)
    return proxies.apache(directory, cloud, "auth_mellon", snippet["Apache httpd"], port, before, **replaced)


def openid_connect(run, site):
    run.section("mod_auth_openidc, as deploy/README.md says")
    through(run, site, site.openid.apache.url, "Apache", site.openid)
    vouched(run, site.cloud, "openid", "mallory", CLAIMS)
    spoofing(run, site.openid.apache.url, site.cloud, "openid")


def nginx_in_front(run, site):
    run.section("nginx in front of mod_auth_openidc, as deploy/README.md says")
    with run.check("nginx starts", needed=True):
        empty = ("X-Keystone-Proxy-Secret", "X-Keystone-Env-REMOTE-USER", *CLAIMS)
        lines = [f'proxy_set_header {name} "";' for name in empty]
        lines += ["proxy_set_header Host $http_host;", f"proxy_pass {site.openid.apache.url};"]
        nginx = proxies.Nginx(site.directory / "front", "\n".join(lines), site.nginx_port)
    through(run, site, nginx.url, "nginx", site.openid)
    spoofing(run, nginx.url, site.cloud, "openid")
    nginx.stop()


def certificates(run, site):
    run.section("nginx alone, as deploy/README.md says")
    cloud = site.cloud
    config, servers = proxies.snippets(proxies.PROXY)
    cloud.restart("certificates", cloud.documented({"keystone.conf": config[""]}))
    with run.check("nginx starts with the documented lines", needed=True):
        text = proxies.filled(servers["nginx"], {"…": cloud.secret, proxies.KEYSTONE: cloud.url})
        nginx = proxies.Nginx(site.directory / "nginx", text)
    with run.check("with the secret, the server takes a forged user for a login"):
        headers = {"X-Keystone-Proxy-Secret": cloud.secret, "X-Keystone-Env-REMOTE-USER": "admin"}
        body = wire.auth({"methods": ["external"], "external": {}}, None)
        answer = wire.request("POST", f"{cloud.url}/v3/auth/tokens", body, headers=headers)
        equal(answer.status, 201, f"the status of {answer}")
    spoofing(run, nginx.url, cloud, "openid")
    nginx.stop()


def mellon(run, site):
    run.section("mod_auth_mellon, as deploy/README.md says")
    cloud, directory, metadata = site.cloud, site.directory / "mellon", site.directory / "metadata.xml"
    _, snippet = proxies.snippets(proxies.PROVIDERS)
    cloud.restart("mellon", cloud.documented(snippet))
    metadata.write_text(cloud.manage("saml_idp_metadata").stdout)
    with run.check("Apache starts with the documented lines", needed=True):
        apache = with_mellon(cloud, directory, metadata)
    with run.check("an assertion is taken"):
        # Keystone itself is the identity provider.
        person = cloud.person("member")
        consumer = f"{apache.url}/mellon/paosResponse"
        row = {"auth_url": apache.url, "sp_url": consumer, "relay_state_prefix": f"{apache.url}/", "enabled": True}
        made(cloud.admin.put("/v3/OS-FEDERATION/service_providers/mellon", {"service_provider": row}))
        identity = {"methods": ["token"], "token": {"id": person.client().token}}
        body = {"auth": {"identity": identity, "scope": {"service_provider": {"id": "mellon"}}}}
        envelope = wire.request("POST", f"{cloud.url}/v3/auth/OS-FEDERATION/saml2/ecp", body)
        taken = wire.request("POST", consumer, raw=envelope.text, headers={"Content-Type": "application/vnd.paos+xml"})
        equal(taken.status, 303, f"the status ({taken} {apache.log()[-2000:]})")
        cookie = taken.header("set-cookie").split(";")[0]
    for path in clouds.logins("saml2"):
        with run.check(f"its user is logged in at {path}, and can't say that it is somebody else"):
            for _, headers in (("", {}), *forged()):
                url = f"{apache.url}{path}?origin={cloud.dashboard}"
                answer = wire.request("GET", url, headers={**headers, "Cookie": cookie})
                token = answer.header("x-subject-token") or token_of(answer)
                told = cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": token}).json["token"]["user"]
                equal(told["name"], person.name, "the user")
    vouched(run, cloud, "saml2", "trudy", {f"X-Keystone-Env-{name}": value for name, value in VARIABLES.items()})
    spoofing(run, apache.url, cloud, "saml2")
    apache.stop()
    run.section("mod_auth_mellon that lets everybody in")
    everybody = {"MellonEnable auth": "MellonEnable info", "valid-user": "all granted"}
    apache = with_mellon(cloud, directory, metadata, **everybody)
    spoofing(run, apache.url, cloud, "saml2")
    apache.stop()


SHIBBOLETH = """\
<SPConfig xmlns="urn:mace:shibboleth:3.0:native:sp:config" logger="{directory}/logger">
  <OutOfProcess logger="{directory}/logger"/>
  <InProcess logger="{directory}/logger"/>
  <UnixListener address="{directory}/socket"/>
  <StorageService type="Memory" id="memory"/>
  <SessionCache type="StorageService" StorageService="memory"/>
  <ReplayCache StorageService="memory"/>
  <ApplicationDefaults entityID="https://keystone.example/shibboleth">
    <Sessions handlerSSL="false" cookieProps="http"><SSO entityID="{entity}" ECP="true">SAML2</SSO></Sessions>
    <MetadataProvider type="XML" path="{metadata}"/>
    <AttributeExtractor type="XML" path="{directory}/attributes.xml"/>
    <CredentialResolver type="File" key="{certificates}/signing.key" certificate="{certificates}/signing.pem"/>
  </ApplicationDefaults>
  <SecurityPolicyProvider type="XML" path="/etc/shibboleth/security-policy.xml"/>
  <ProtocolProvider type="XML" path="/etc/shibboleth/protocols.xml"/>
</SPConfig>
"""
# Under the name that the mapping has.
ATTRIBUTES = """\
<Attributes xmlns="urn:mace:shibboleth:2.0:attribute-map" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <Attribute name="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified" id="MELLON_NAME_ID">
    <AttributeDecoder xsi:type="NameIDAttributeDecoder" formatter="$Name"/>
  </Attribute>
</Attributes>
"""
LOGGER = """\
log4j.rootCategory=INFO, it
log4j.appender.it=org.apache.log4j.ConsoleAppender
log4j.appender.it.layout=org.apache.log4j.BasicLayout
"""


def shibboleth(run, site):
    cloud, directory, peer = site.cloud, site.directory / "shibboleth", site.saml.peer
    _, snippet = proxies.snippets(proxies.PROVIDERS)
    cloud.restart("shibboleth", cloud.documented(snippet), {"saml2": {"remote_id_attribute": "Shib-Identity-Provider"}})
    directory.mkdir()
    (directory / "logger").write_text(LOGGER)
    (directory / "attributes.xml").write_text(ATTRIBUTES)
    config = directory / "shibboleth2.xml"
    files = {"directory": directory, "certificates": site.directory, "metadata": peer.metadata}
    config.write_text(SHIBBOLETH.format(entity=peer.entity_id, **files))
    daemon = processes.Daemon("shibd", ["shibd", "-F", "-f", "-c", config, "-p", directory / "pid"], directory / "shibd.log")
    with run.check("shibd starts", needed=True):
        processes.wait_for("shibd", (directory / "socket").exists, daemon=daemon)
    documented = ("AuthType Mellon", "  MellonEnable auth\n", '  MellonMergeEnvVars On ";"\n', "  MellonIdP IDP\n")
    documented += ("  MellonSecureCookie On\n",)
    for what, session, who in (
        ("as deploy/README.md says", "true", "valid-user"),
        ("that lets everybody in", "false", "shibboleth"),
    ):
        run.section(f"mod_shib {what}")
        active = ("AuthType shibboleth", f"  ShibRequestSetting requireSession {session}\n", "", "", "")
        text = proxies.filled(snippet["Apache httpd"], {**dict(zip(documented, active)), "valid-user": who})
        with run.check("Apache starts", needed=True):
            before = f"LoadModule mod_shib {services.Apache.MODULES}/mod_shib.so\nShibConfig {config}"
            apache = proxies.apache(site.directory / f"shib-{session}", cloud, None, text, before=before)
        if session == "true":
            through(run, site, apache.url, "Apache", site.saml)
        else:
            with run.check("the module is active"):
                answer = wire.request("POST", apache.url + clouds.logins("saml2")[0])
                contains(answer.text, "Unauthorized")
        spoofing(run, apache.url, cloud, "saml2")
        apache.stop()


def log_in(browser, horizon, choice, way, name):
    """A person's steps, from Horizon's login page to the end."""
    browser.go(f"{horizon.url}/auth/login/")
    browser.choose("#id_auth_type", choice)
    browser.choose("#id_region", way.public)
    browser.screenshot(f"{name}-1-horizon")
    browser.see("#loginBtn").click()
    browser.prove(way.provider, "alice", f"{name}-2", way.consents)
    browser.at(horizon.url)
    browser.screenshot(f"{name}-3-in")


def in_chromium(run, site):
    run.section("Horizon in Chromium")
    ways = (site.openid, site.saml)
    with run.check("Horizon starts", needed=True):
        site.horizon.start(sorted({way.public for way in ways}))
    for way, choice in ((way, choice) for way in ways for choice in way.choices):
        site.open(way)
        name = re.sub("[^a-z]+", "-", choice.lower())
        with run.check(f"{choice!r} leads to the page of the project, which names the user"):
            with Chromium(site.directory) as browser:
                log_in(browser, site.horizon, choice, way, name)
                equal(browser.driver.current_url, f"{site.horizon.url}/identity/", "the page")
                contains(browser.text(), f"\n{way.user}\n", "Projects", "web")
                without_complaints(browser)


def without_complaints(browser):
    told = [line for line in browser.log() if "Content Security Policy" in line or "Referrer" in line]
    expect(not told, told)


def complaint(browser, text):
    """Waits until the browser has complained of this."""
    told = []
    processes.wait_for(f"a complaint of {text}", lambda: told.extend(browser.log()) or text in " ".join(told))


OWN_PAGE = """\
<!DOCTYPE html>
<title>Our cloud</title>
<style>body { background: rgb(200, 220, 255) }</style>
<body onload="document.getElementById('out').submit()">
<h1>Welcome to our cloud, which costs $$0</h1>
<form id="out" action="$host" method="post"><input type="hidden" name="token" value="${token}"></form>
"""


def pages(run, site):
    """What a dashboard is sent by the page with the token."""
    recorder = Recorder()
    dashboard = {"federation": {"trusted_dashboard": recorder.dashboard}}
    site.open(site.openid, dashboard)
    url = f"{site.openid.public}{site.login}?origin={recorder.dashboard}"
    run.section("Keystone's page in Chromium")
    with Chromium(site.directory) as browser:
        with run.check("sends the token, and its own address without the rest"):
            browser.go(url)
            browser.prove(site.openid.provider, "alice", "page")
            sent(site, recorder)
            without_complaints(browser)
        with run.check("lets no other script run"):
            with recorder.silent():
                browser.go(url)
                sent(site, recorder)
                browser.screenshot("page-held")
                run_in = "const it = document.createElement('script'); it.text = 'window.ran = 1'; document.body.append(it)"
                browser.driver.execute_script(run_in)
                expect(not browser.driver.execute_script("return window.ran"), "the script ran")
                complaint(browser, "Content Security Policy")
        with run.check("sends nothing elsewhere"):
            elsewhere = Recorder()
            with recorder.silent():
                browser.go(url)
                sent(site, recorder)
                browser.driver.execute_script(f"document.forms.sso.action = '{elsewhere.dashboard}'; document.forms.sso.submit()")
                complaint(browser, "form-action")
                expect(not elsewhere.seen, elsewhere.seen)
    with run.check("has a button where scripts are off"):
        with Chromium(site.directory, scripts=False) as browser:
            browser.go(url)
            browser.prove(site.openid.provider, "alice", "page-without-scripts")
            browser.see("#submit_no_javascript")
            browser.screenshot("page-without-scripts")
            browser.see("#submit_no_javascript").click()
            sent(site, recorder)
    run.section("An operator's page in Chromium")
    own = site.directory / "own.html"
    own.write_text(OWN_PAGE)
    dashboard["federation"]["sso_callback_template"] = str(own)
    site.open(site.openid, dashboard)
    with run.check("has its styles and scripts, and sends the token"):
        with Chromium(site.directory) as browser, recorder.silent():
            browser.go(url)
            browser.prove(site.openid.provider, "alice", "own-page")
            sent(site, recorder)
            browser.screenshot("own-page")
            contains(browser.text(), "Welcome to our cloud, which costs $0")
            colour = browser.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
            equal(colour, "rgb(200, 220, 255)", "the colour")
            without_complaints(browser)


def sent(site, recorder):
    """What the dashboard was sent is alice's token, and where it came from."""
    processes.wait_for("the token at the dashboard", lambda: recorder.seen)
    headers, fields = recorder.seen.pop()
    told = site.cloud.admin.get("/v3/auth/tokens", headers={"X-Subject-Token": fields["token"][0]}).json["token"]["user"]
    equal(told["name"], "alice@example.org", "the user")
    equal((headers.get("Referer"), headers.get("Origin")), (f"{site.openid.public}/", site.openid.public), "where it came from")


class Site:
    """A cloud, Horizon, and web servers in front."""

    login = clouds.logins("openid")[1]

    def __init__(self, directory, native):
        self.directory = directory
        self.horizon = Horizon(directory)
        self.cloud = clouds.Cloud(directory, self.horizon.dashboard)
        self.cloud.people()
        self.nginx_port = processes.free_port()
        self.openid = NativeOpenId(self.cloud, directory) if native else OpenIdConnect(self.cloud, directory, self.nginx_port)
        self.saml = (NativeSaml if native else Mellon)(self.cloud, directory, FormProvider(directory))
        remote_ids = [self.openid.provider, self.saml.peer.entity_id, clouds.ENTITY]
        self.cloud.provider("corp", remote_ids, {**OPENID, **SAML})
        self.cloud.provider("other", [OTHER], {**OPENID, **SAML})

    def open(self, way, config=None):
        """Opens logins of browsers, with further options."""
        self.cloud.restart("opened", way.config, config or {})


def websso(run):
    in_browser = (in_chromium, pages)
    parts = (openid_connect, nginx_in_front, *in_browser, mellon, shibboleth, certificates)
    parser = argparse.ArgumentParser()
    names = ", ".join(part.__name__ for part in parts)
    parser.add_argument("only", nargs="*", help=f"parts of {names}")
    parser.add_argument("--native", action="store_true", help="Chromium alone, and Keystone asks the providers itself")
    chosen = parser.parse_args()
    parts = in_browser if chosen.native else parts
    with run.check("Keystone and the provider start", needed=True):
        site = Site(processes.scratch("websso"), chosen.native)
    for part in parts:
        if not chosen.only or part.__name__ in chosen.only:
            part(run, site)


checks.run("websso", websso)
