"""Python Keystone under libfaketime, beneath which `time.sleep` fails (`clock_nanosleep`): threads wait in another way."""

import select
import time

time.sleep = lambda seconds: select.select([], [], [], seconds)

from keystone.wsgi.api import application  # noqa: E402, F401: uWSGI takes it from here.
