"""Records in accept.json how Keystone's libraries answer Accept headers.

Each entry: the header; whether discovery answers JSON-home; the type of the 413 answer.
What only the strict parser behind 413 refuses or reads otherwise has null there, and no range is
drawn twice, because that parser takes the first of two and discovery the better.
Run with the interpreter of an environment in which Keystone 30.0.0 is installed.
"""

import json
import pathlib
import random
import re

from webob.acceptparse import create_accept_header
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

HANDMADE = [
    '', 'garbage', '*/*', 'application/*', 'text/html', 'application/json', 'application/json-home',
    'application/json-home, application/json', 'application/json-home, */*',
    'application/json;q=0.5, application/json-home', 'application/json-home;q=0',
    'application/json;q=0, */*', 'application/json;q=0, application/*', 'application/json-home;v=1',
    'application/json-home;q=2', 'application/json-home;q=.9', '*/json-home',
    'application/json-home;q =0.1, application/json', 'application/json-home; v="open',
    'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2',
    'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'application/json-home;q=0.9, application/json;q=0.8', 'text/html;q=0, application/json;q=0',
    'text/html;q=0.2, application/json;q=0.3', 'text/html;q=0.3, application/json;q=0.3',
]
TYPES = [
    'application/json', 'application/json-home', 'application/*', '*/*', 'text/html', 'text/*', '*',
    'APPLICATION/JSON-HOME', 'application/json-home/x', 'application', '"application/json-home"',
    'application/json-home;v=1', 'application/json; charset=utf-8', 'application/*;v=1', '',
    'application/json-home;a="b,c"', 'application/json;a="x;q=0"',
]
QUALITIES = [''] * 6 + [
    ';q=1', ';q=0', ';q=0.5', ';q=.5', ';q=0.', ';q=1.0', ';q=1.1', ';q=-1', ';q=abc', '; q=0.9',
    ' ; q=0.8', ';Q=0.3', ';q="0.4"', ';q =0.1', ';q= 0.1', ';q=0.8;ext=1', ';q=0.2;q=0.7', ';q',
    ';;q=0.6', ';q=0.123456',
]
LENIENT = re.compile(r'q="|q=0\.(\d{4}|\D|$)|(^|,) *([",]|$)|;ext=|;q=[^,]*;q=', re.IGNORECASE)


def json_home(header):
    accept = parse_accept_header(header, MIMEAccept)
    return bool(accept) and accept.best_match(
        ['application/json', 'application/json-home']
    ) == 'application/json-home'


def too_large(header):
    if header not in HANDMADE and LENIENT.search(header):
        return None
    offers = create_accept_header(header).acceptable_offers(['text/html', 'application/json'])
    return offers[0][0] if offers else 'text/plain'


def headers():
    draw = random.Random(30)
    yield from HANDMADE
    for _ in range(300):
        ranges = draw.sample(TYPES, k=draw.randint(1, 4))
        yield draw.choice([',', ', ', ' ,']).join(r + draw.choice(QUALITIES) for r in ranges)


cases = {header: [header, json_home(header), too_large(header)] for header in headers()}
lines = ',\n'.join(json.dumps(case) for case in cases.values())
pathlib.Path(__file__).with_name('accept.json').write_text(f'[\n{lines}\n]\n')
