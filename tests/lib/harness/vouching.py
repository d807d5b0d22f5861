"""Python Keystone behind a web server that vouches for variables of a request, as uWSGI loads it.

A request names them in a header of the tests, which Keystone does not see.
"""

import base64
import json

from keystone.wsgi.api import application as keystone

from .wire import VOUCHED


def application(environ, start_response):
    said = environ.pop("HTTP_" + VOUCHED.upper().replace("-", "_"), None)
    if said:
        variables = json.loads(base64.b64decode(said))
        # WSGI has each byte as a character.
        environ.update({name: value.encode().decode("latin-1") for name, value in variables.items()})
    return keystone(environ, start_response)
