"""Writes vectors.json: what Python and oslo.utils answer.

Run with the interpreter of an environment that has keystone 30.0.0:
    python vectors.py > vectors.json
"""

import ast
import json
from urllib.parse import quote, quote_plus

from oslo_utils import strutils, timeutils, uuidutils

# Texts that json.loads is given, some of which it refuses.
JSON = [
    'NaN', 'Infinity', '-Infinity', '1e999', '-1E+999', '1e-999', '0', '-0', '-0.0', '1.0', '1e5', '1e15', '1e16', '1E-4', '1E-5',
    '0.1e1', '123456789.123456789123', '5e-324', '1.7976931348623157e308', '-1.5e300', '9223372036854775807',
    '18446744073709551615', '18446744073709551616', '-9223372036854775808', '-9223372036854775809', '1234567890' * 6,
    r'"\ud800"', r'"\uDFFFx"', r'"\udc00\ud800"', r'"\ud800\ud800\udc00"', r'"\ud800\u0041"', r'"\ud83d\ude00"',
    '"\U0001f600\xe9"', '"\U0010ffff"', r'"\udbff\udfff\ud800"', '"\U0010ffff\U000f0000"', '"\U0010ffff\U000f0800NaN"',
    '{"\U0010ffff\U000f0801": 1}', r'"\u0000\b\f\n\r\t\"\\\/"', '"\x7f"', r'{"\ud800": [1,{ }]}', '{"b":1,"a":2,"b":3}', ' [ ] ',
    '[\t1 ,\r\n2 ]', '{ }', 'null', 'true', 'false', '{"x": [NaN, -Infinity, 18446744073709551616]}', '"it\'s"', r'"it\'s"',
    r'"it' "'" r's \"so\""', r'"\"so\""', r'"\\ \n\r\t\u001b"', '"\xe9\xa0\xad\u0301\u200b\u2028\u3000\ue000\uffff\U0001f600\U000e0001"',
    '"\u05d0\u0645\u0e01\u4e2d\u0378\u0600\u180e\ufeff"', '""', '[false, null, true, "", {"a": {}}]',
    '', ' ', 'nope', 'nan', 'infinity', '+1', '-', '01', '-01', '1.', '.5', '1e', '1e+', '0x1', '1_0', '1 2', '[1,]', '[,]', '[1',
    '{', '{"a"}', '{"a":}', '{"a":1,}', '{1:2}', '{a:1}', "'a'", '"', r'"\x"', r'"\u12"', r'"\u+123"', '"\x01"', '"\n"', '[1]]',
    'tru', 'Nan', '-Inf', '\ufeff1', '1' * 4300, '1' * 4301, '-' + '1' * 4300, '1' * 4301 + '.0',
]

# Bytes that json.loads is given.
OBJECT = '{"\xe9\U0001f600": 1}'
BYTES = [
    OBJECT.encode(codec)
    for codec in ('utf-8', 'utf-8-sig', 'utf-16', 'utf-16-be', 'utf-16-le', 'utf-32', 'utf-32-be', 'utf-32-le')
] + [
    b'1', b'{}', b'1\0', b'\0001', b'\xef\xbb\xbf1', b'"a\xed\xa0\x80b\xed\xbf\xbf"', b'"\0\0\xd8"\0', b'"\0"\0\0', b'"\xff"', b'"\xed\xa0"',
    b'"\xc0\x80"', b'\xed\xa0\x80',
]

TIMES = [
    '2026-01-31T12:30:45Z', '2026-01-31T12:30:45.123456Z', '2026-01-31 12:30:45,5', '2026-01-31T12:30:45.1234567+02:00',
    '2026-01-31T12:30:45-0130', '2026-01-31T12+02', '2026-1-3', '2026-01', '2026-1', '2026', '20260131T123045Z', '20260131',
    '2026-0131', '202601-31', '2026-113', '2026-013', '2026-1-31T1', '2026-01-31T12:3', '2026-01-31T123', '2026-01-31T12305',
    '2026-01-31T12:30.5', '2026-01-31T12.5', '2026-01-31T1230:45', '2026-01-31T12:3045', '2026-01-31T12:30:4', '2026-01-31T12:30+05:',
    '2026-01-31T12:30+0530', '2026-01-31T12:30+5', '2026-01-31T12:30:45+23:59', '2026-01-31T12:30:45+00:99', '2026-01-31T12:30:45+24:00',
    '2026-01-31T12:30:45-23:60', '2026-01-31T12:30:45Z\n', '2026-01-31\n', '2026\n', '202601\n', '2026-01-31\n\n', '2026T12:00', '2026-01T12:00',
    'yesterday', '', '2026-02-30', '2026-13-01', '2026-00-01', '2026-01-31T25:00:00Z', '2026-01-31T24:00:00Z', '2026-01-31T12:60:00Z',
    '2026-01-31T12:30:45 00:00', '202601', '2026-01-31T', '1769860000', '2026-01-31Z', '2026-01-31t12:30:45', '2026-01-31T12:30:45z',
    '2026-01-31  12:30', ' 2026-01-31', '2026-01-31T12:30:60Z', '2026-01-31T12:30:45.Z', '2026-01-31T12:30:45+25:00', '0000-01-01',
    '0000-12-31T23:59:59-01:00', '0001-01-01T00:00:00+00:01', '0001-01-01T00:01:00+00:01', '9999-12-31T23:59:59-00:01',
    '\uff12\uff10\uff12\uff16', '+2026-01-31', '12026-01-31', '2026-W05', '2026-031',
]

UUIDS = [
    '0123456789abcdef0123456789ABCDEF', '01234567-89ab-cdef-0123-456789abcdef', '{01234567-89ab-cdef-0123-456789abcdef}',
    'urn:uuid:01234567-89ab-cdef-0123-456789abcdef', 'uuid:0123456789abcdef0123456789abcdef', '}}0123456789abcdef0123456789abcdef{',
    '0-1-2-3-4-5-6-7-8-9abcdef0123456789abcdef', '0123urn:456789abcdef0123456789abcdef', '0123456789abcdef0123456789abcdeg',
    '0123456789abcdef0123456789abcde', '0123456789abcdef0123456789abcdef0', '', '{}', ' 123456789abcdef0123456789abcdef ',
    '0x23456789abcdef0123456789abcdef', '0123_4567_89ab_cdef_0123_4567_89ab', '+123456789abcdef0123456789abcdef',
    '\uff10123456789abcdef0123456789abcdef', 'URN:0123456789abcdef0123456789abcdef',
]

VALUES = {'a': "it's", 'b': 'z\xe9 \u4e2d', 'a(b)': 'nested', '': 'empty', 'c': ''}
FORMATS = [
    '', 'plain', '%%', '100%%', '%', '100%', '%(a)s', '%(b)s', '%(c)s|', '%()s', '%(a(b))s', '%(a(b)s', '%(a', '%(a)', '%(z)s', '%(a)r',
    '%(b)r', '%(a)a', '%(b)a', '%(a)d', '%(a)x', '%(a)f', '%(a)q', '%(a)10s|', '%(a)-10s|', '%(a)010s|', '%(a)+s', '%(a) s', '%(a)#s',
    '%(a).2s', '%(a).s|', '%(a).0s|', '%(b)8.2r|', '%(b)-8.3a|', '%(a)ls', '%(a)hhs', '%(a)Ls', '%(a)*s', '%(a).*s', '%(a)%', '%(z)%',
    '%5%', '%-%', '%.%', '% %', '%l%', '%(a)s%%%(b)s', '%%(a)s', '%%%(a)s', '%(a)s %(z)s', '%(a)s %(b)', '%(z', '%(z)q', '$(a)s', '%(a)S',
    '%\xe9', '%(a)\xe9', '\xe9%(a)s\u4e2d',
]

# What str.format is given, and what it is called on. Left out is what is not offered here: attributes and nested fields.
ARGUMENTS = [['bob'], ['a\xe9', "o'neil"], [], ['']]
TEMPLATES = [
    '', 'plain', '{0}', '{0}{0} {1}', '{}', '{} {}', '{} {} {} {}', '{} {} {} {} {}', '{2}', '{3}', '{4}', '{00}', '{{0}}', '{{{0}}}', '{{}}',
    '{', '}', '{0', '0}', '}}', '{{', '{{{', '{0}}', '{{0}', '{} {0}', '{0} {}', '{name}', '{-1}', '{ 0 }', '{0!r}', '{0!s}', '{1[0]!a}',
    '{1!r}', '{1!s}', '{1!a}', '{2!r}', '{0!x}', '{0!}', '{0!rr}', '{0!r:>8}', '{1!s:.4}', '{0:}', '{0:>6}', '{0:<6}|', '{0:^6}|', '{0:*^6}|', '{0:6}|',
    '{0:06}|', '{0:*<06}|', '{0:.2}', '{0:.0}|', '{0:>6.2s}', '{0:s}', '{0:d}', '{0:.}', '{0:=6}', '{0:+6}', '{0: 6}', '{0:,}', '{0:>>6}', '{1:>6}', '{1:}',
    '{0[0]}', '{0[2]}', '{0[3]}', '{0[0][0]}', '{0[1][0]}', '{1[1]}', '{1[1][0]}', '{1[2]}', '{2[0]}', '{1[1]:>8}', '{0[x]}', '{0[]}', '{0[0}', '{0]}',
    '{0[0]x}', '{[1]}', '{:>6}', '{!r}', '{99999999999999999999999}', '\xe9{0}\u20ac', '%(0)s $0',
]

# What ast.literal_eval is given. Left out is what is not read here: see text_list.
LITERALS = [
    '[]', '[ ]', '[,]', "['a']", "['a',]", "['a',,]", "['a', 'b']", '["a"]', "['a' 'b']", "['a''b']", "['''a''']", " \t['a']", "\n['a']", "['a']\n", "['a'] # c",
    "['a', # c\n'b']", "[\n'a'\n]", "['a'] x", "['a'", "'a'", 'a', '', '[', '[a]', "['a' b]", "['a\nb']", "['a\0b']", "[r'a\\n']", "[R'\\'']", "[u'a']", "[U'a']",
    "[ur'a']", "[r'a\\']", r"['\x41\u00e9\U0001f600\101\7\18']", r"['\\\'\"\a\b\f\n\r\t\v']", r"['\q\.']", r"['\x4']", r"['\u12']", r"['\777']", "['a\\\nb']",
    "[\f'a']", "['\xe9\u4e2d']", "[\xa0'a']", "['a'];", "('a',)", "['a'] + ['b']",
]

WORDS = [
    '1', 't', 'true', 'on', 'y', 'yes', '0', 'f', 'false', 'off', 'n', 'no', 'True', 'FALSE', ' yes ', '\tno\n', '\x1cno\x1f', '\xa0on\u3000',
    '', ' ', 'nope', '2', '01', 'none', 'o n',
]

TEXTS = ['', 'a b', 'a+b', 'A-Za-z0-9_.-~', '*!\'()"\\\n\t\x01\x7f', '/?#[]@!$&\'()*+,;=', '%7e', '\xe9\u4e2d\U0001f600']


def attempt(call, *args):
    """The answer; none where Python raises an exception."""
    try:
        return call(*args)
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


def loaded(text):
    """How Python writes what it reads: as JSON, as repr and as str; and whether it takes it for true."""
    value = json.loads(text)
    shown = None if isinstance(value, str) else str(value)
    return [json.dumps(value), repr(value), shown, bool(value)]


def rendered(text):
    try:
        return text.format(*(values[0] if len(values) == 1 else values for values in ARGUMENTS))
    except (IndexError, ValueError, TypeError, KeyError):
        return None


def texts(text):
    """The list of texts that a text is a literal of."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return found if isinstance(found, list) and all(isinstance(item, str) for item in found) else None


def moment(text):
    return timeutils.normalize_time(timeutils.parse_isotime(text)).isoformat()


def truth(text):
    answers = {strutils.bool_from_string(text, default=default) for default in (True, False)}
    return answers.pop() if len(answers) == 1 else None


vectors = {
    'json': [[text, attempt(loaded, text)] for text in JSON],
    # A character a byte.
    'bytes': [[text.decode('latin-1'), (attempt(loaded, text) or [None])[0]] for text in BYTES],
    'times': [[text, attempt(moment, text)] for text in TIMES],
    'uuids': [[text, uuidutils.is_uuid_like(text)] for text in UUIDS],
    'values': VALUES,
    'formats': [[text, attempt(text.__mod__, VALUES)] for text in FORMATS],
    'arguments': ARGUMENTS,
    'templates': [[text, rendered(text)] for text in TEMPLATES],
    'literals': [[text, texts(text)] for text in LITERALS],
    'words': [[text, truth(text)] for text in WORDS],
    'escaped': [[text, quote(text, safe='')] for text in TEXTS],
    'quoted': [[text, quote_plus(text)] for text in TEXTS],
    'spaces': [code for code in range(0x110000) if chr(code).isspace()],
}
print(json.dumps(vectors, indent=1))
