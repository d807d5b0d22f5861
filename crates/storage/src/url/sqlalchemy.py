"""Writes sqlalchemy.json: what SQLAlchemy reads in database URLs.

Run with the interpreter of an environment that has the SQLAlchemy of tests/requirements/keystone.txt:
    python sqlalchemy.py > sqlalchemy.json
"""

import json
import sys

# This file has the name of the package.
sys.path.pop(0)

from sqlalchemy.engine import make_url  # noqa: E402

URLS = [
    "mysql+pymysql://keystone:secret@controller/keystone",
    "mysql+pymysql://keystone:secret@controller:3307/keystone?charset=utf8",
    "mysql://h/d",
    "mysql://h:3306/d",
    "mysql:///d?unix_socket=/run/mysqld/mysqld.sock",
    "mysql:///d",
    "mysql://root@h/d",
    "mysql://root:@h/d",
    "mysql://:pw@h/d",
    "mysql://@h/d",
    "mysql://:@/d",
    "mysql://u:p?w@h/d",
    "mysql://u:p?w@h/d?charset=utf8",
    "mysql://u:?@h/d",
    "mysql://u:p/w:x@h/d",
    "mysql://u:p#w@h/d",
    "mysql://u:p%40%2F%3Fw@h/d",
    "mysql://u:p+w@h/d",
    "mysql://u:p%2Bw@h/d",
    "mysql://u:100%@h/d",
    "mysql://u:%zz%4@h/d",
    "mysql://u:%C3%BC%2525@h/d",
    "mysql://u%3Av%40w:p@h/d",
    "mysql://u?v:p@h/d",
    "mysql://u?v@h/d",
    "mysql://u@example@h/d",
    "mysql://h/d%2Fe",
    "mysql://h/d/e",
    "mysql://h/d%3Fe?charset=utf8",
    "mysql://h/d e",
    "mysql://h/d+e",
    "mysql://h/d:e@f",
    "mysql://h/d#e",
    "mysql://u:p@h/d@e",
    "mysql://h/d?ssl_ca=/a:b@c",
    "mysql://h:3306/d?ssl_ca=/a@b",
    "mysql://h:/d",
    "mysql://u:p@[::1]:3308/d",
    "mysql://u:p@[fe80::1%25eth0]/d",
    "mysql://[::1]/d",
    "mysql://u:p@h%2E/d",
    "mysql://h/d?",
    "mysql://h/d?charset=",
    "mysql://h/d?charset",
    "mysql://h/d?charset=&ssl_ca=/x",
    "mysql://h/d?ssl_ca=/a%20b+c&charset=utf8%26x",
    "mysql://h/d?ssl_ca=/a=b?c",
    "mysql://h/d?&charset=utf8&&",
    "mysql://h/d?a;b=c",
    "mysql://u:p@h:http/d",
    "sqlite://",
    "sqlite:///",
    "sqlite:///:memory:",
    "sqlite:///keystone.db",
    "sqlite:////var/lib/keystone.db",
    "sqlite:////var/lib/key%20stone%3F.db?timeout=5",
    "sqlite:////var/lib/a@b:c.db",
]

PARTS = ["username", "password", "host", "port", "database"]


def read(url):
    try:
        found = make_url(url)
    except ValueError:
        return {"url": url, "refused": True}
    return {"url": url, **{part: getattr(found, part) for part in PARTS}, "query": dict(found.query)}


print(json.dumps([read(url) for url in URLS], indent=1))
