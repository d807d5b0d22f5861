"""Horizon in a temporary directory, a dashboard that writes down what it is sent, and the browser in which people use them."""

import contextlib
import http.server
import pathlib
import threading
import urllib.parse

from selenium import webdriver
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.chrome.remote_connection import ChromeRemoteConnection
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from harness import processes, wire
from harness.checks import Failed
from harness.keystones import VENVS
from harness.processes import LOOPBACK

# Names that only the browser and Horizon know, so that the dashboard, Keystone and the provider are three sites. Browsers
# keep secure cookies of `localhost` without https.
HORIZON, KEYSTONE = "horizon.test", "keystone.localhost"
SCREENSHOTS = pathlib.Path(__file__).parent.parent.parent / "target/test-logs/websso"

# Regions with a Keystone each, of which nobody is at the first one.
SETTINGS = """\
import socket

find = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: find("127.0.0.1" if host == "{keystone}" else host, *rest, **more)

DEBUG = False
ALLOWED_HOSTS = ["{host}", "127.0.0.1"]
SECRET_KEY = "of no importance"
STATIC_ROOT = "{directory}/static"
CACHES = {{"default": {{"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}}}
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
# The page of a project needs Nova.
LOGIN_REDIRECT_URL = "/identity/"
OPENSTACK_KEYSTONE_URL = "http://127.0.0.1:1/v3"
AVAILABLE_REGIONS = [(OPENSTACK_KEYSTONE_URL, "Elsewhere"), *((f"{{it}}/v3", it) for it in {regions})]
WEBSSO_ENABLED = True
WEBSSO_CHOICES = (
    ("credentials", "Keystone Credentials"),
    ("openid", "OpenID Connect"),
    ("corp", "Corp"),
    ("saml2", "SAML"),
    ("corp-saml", "Corp by SAML"),
)
WEBSSO_IDP_MAPPING = {{"corp": ("corp", "openid"), "corp-saml": ("corp", "saml2")}}
LOGGING = {{
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {{"console": {{"class": "logging.StreamHandler"}}}},
    "root": {{"handlers": ["console"], "level": "INFO"}},
}}
"""


class Horizon:
    def __init__(self, directory):
        self.directory = directory / "horizon"
        self.port = processes.free_port()
        self.url = f"http://{HORIZON}:{self.port}"
        self.dashboard = f"{self.url}/auth/websso/"

    def start(self, regions):
        """Serves the cloud that browsers find at these addresses, each under the name of a region."""
        local = self.directory / "local"
        local.mkdir(parents=True)
        (local / "__init__.py").touch()
        settings = SETTINGS.format(host=HORIZON, keystone=KEYSTONE, directory=self.directory, regions=regions)
        (local / "local_settings.py").write_text(settings)
        python = VENVS / "horizon/bin/python"
        command = [python, "-m", "django", "runserver", "--noreload", "--insecure", f"{LOOPBACK}:{self.port}"]
        environment = {
            **{"DJANGO_SETTINGS_MODULE": "openstack_dashboard.settings", "PYTHONPATH": str(self.directory)},
            **{"HOME": str(self.directory)},
        }
        self.daemon = processes.Daemon("Horizon", command, self.directory / "log", env=environment)
        address = f"http://{LOOPBACK}:{self.port}"
        processes.wait_for("Horizon", lambda: wire.answers(address), daemon=self.daemon)
        return self


class Recorder:
    """A dashboard that writes down what a browser sends."""

    def __init__(self):
        self.seen = []
        self.status = 200
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                fields = urllib.parse.parse_qs(self.rfile.read(length).decode())
                recorder.seen.append((dict(self.headers), fields))
                self.send_response(recorder.status)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                if recorder.status == 200:
                    self.wfile.write(b"<p>taken</p>")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://{HORIZON}:{self.server.server_port}"
        self.dashboard = f"{self.url}/auth/websso/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @contextlib.contextmanager
    def silent(self):
        """Answers without a page, so that browsers stay where they are."""
        self.status = 204
        try:
            yield
        finally:
            self.status = 200


class Chromium:
    """A fresh browser without a window."""

    def __init__(self, directory, scripts=True):
        home = directory / f"chromium-{processes.free_port()}"
        home.mkdir()
        port = processes.free_port()
        command = ["chromedriver", f"--port={port}"]
        environment = {"HOME": str(home), "TMPDIR": str(home)}
        self.daemon = processes.Daemon("chromedriver", command, home / "log", env=environment)
        processes.wait_for("chromedriver", lambda: processes.listening(port), daemon=self.daemon)
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        names = ", ".join(f"MAP {name} {LOOPBACK}" for name in (HORIZON, KEYSTONE))
        for argument in (
            *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--window-size=1200,900"),
            *(f"--user-data-dir={home}/profile", "--disable-background-networking", "--disable-component-update"),
            *("--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable", "--lang=en"),
            f"--host-resolver-rules={names}, MAP * ~NOTFOUND, EXCLUDE {LOOPBACK}",
        ):
            options.add_argument(argument)
        if not scripts:
            never = {"profile.managed_default_content_settings.javascript": 2}
            options.add_experimental_option("prefs", never)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # The page with the token moves on by itself.
        options.page_load_strategy = "none"
        connection = ChromeRemoteConnection(f"http://{LOOPBACK}:{port}")
        self.driver = webdriver.Remote(connection, options=options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()
        self.daemon.stop()

    def go(self, url):
        self.driver.get(url)

    def wait(self, what, condition, timeout=60):
        """Waits until the condition on the driver holds; returns its value."""
        try:
            return WebDriverWait(self.driver, timeout, poll_frequency=0.1).until(lambda driver: attempt(condition, driver))
        except TimeoutException:
            raise Failed(f"{what}; the browser is at {self.driver.current_url}") from None

    def see(self, selector, timeout=60):
        """The element, once it is shown."""
        return self.wait(
            f"no {selector}",
            lambda driver: next((it for it in driver.find_elements(By.CSS_SELECTOR, selector) if it.is_displayed()), None),
            timeout,
        )

    def at(self, prefix, timeout=60):
        """Waits until the browser is at a page whose address begins so, completely."""
        self.wait(
            f"not at {prefix}",
            lambda driver: driver.current_url.startswith(prefix)
            and driver.execute_script("return document.readyState") == "complete",
            timeout,
        )

    def choose(self, selector, text):
        Select(self.see(selector)).select_by_visible_text(text)

    def text(self):
        return self.driver.find_element(By.TAG_NAME, "body").text

    def log(self):
        """What the browser has complained about since the last time."""
        return [line["message"] for line in self.driver.execute("getLog", {"type": "browser"})["value"]]

    def screenshot(self, name):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    def prove(self, issuer, user, name, consents=True):
        """Logs in at the provider, and consents if that asks."""
        self.at(issuer)
        self.see("input[name=login]").send_keys(user)
        self.see("input[name=password]").send_keys("any")
        self.screenshot(f"{name}-provider")
        self.see("button[type=submit]").click()
        if not consents:
            return
        self.wait("no consent", lambda driver: not driver.find_elements(By.NAME, "login") and self.see("button[type=submit]", 1))
        self.screenshot(f"{name}-consent")
        self.see("button[type=submit]").click()


def attempt(condition, driver):
    """A page that is going away can't be asked."""
    try:
        return condition(driver)
    except WebDriverException:
        return None
