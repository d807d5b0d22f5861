"""What `v3websso` starts for a browser: `browser.py USER URL` logs the user in, and sends the page's form to the client."""

import sys

from harness.openid import Browser

user, url = sys.argv[1:]
browser = Browser()
browser.submit(browser.visit(url, user), {})
