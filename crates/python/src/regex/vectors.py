"""Writes vectors.json: for every pattern, which of the texts `re.match` and `re.search` take.

Run with Python 3.11 or later:
    python vectors.py > vectors.json
"""

import json
import re

PATTERNS = [
    r'^(?=.*\d)(?=.*[a-zA-Z]).{7,}$', '^.{6,}$', 'abc', 'a|b$',
    '^(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])(?=.*[!@#$%^&*()_+\\-=\\[\\]{};\\\':"\\\\|,.<>\\/?]).{8,}$',
    r'^[^\s]+$', r'\S{3}', r'^\w+\Z', '[!-/:-@[-`{-~]', '^[a-z&&b]+$', '[--/]x', '[]a]+$', '[^]a]+$',
    '(?i)^abc$', '(?m)a$', 'a(?#note)b', r'^(.)\1$', '(?P<c>.)(?P=c)', 'x{,2}y', 'x{,}y', '{x}', 'x{2',
    r'\x41\u00e9', r'\101', r'[\101\b]', r'^(?!.*(.)\1\1).*$', '(?<=a)b|ab', r'^[\w.-]+$', r'^[\d\D]$',
    r'^[\W]+$', r'^[^\W\d_]+$', '(a)?(?(1)b|c)', '(?P<q>x)?a(?(q)b|c)', '^(?P<q>x)?a(?(q)b|c)$', '(?>a+)b', 'a++b', '(?s).{3}', r'(?s:.)\n', '(?u)é',
    '^.{3}$', r'\#\ \-\/', '~+', '^[~~a]+$', '[[:alpha:]]', r'\bfoo\b', '', '$', '(?-i:a)B',
    '^(?=(?:.*[A-Z]){2}).+$', 'é', '[à-ü]+', r'\s', r'[\s]', r'[^\S]',
]
TEXTS = [
    '', 'a', 'b', 'ab', 'abc', 'ABC', 'xabc', 'passw0rd', 'password', '1234567', 'short1', 'Passw0rd!',
    'abc\n', 'abc\n\n', 'a\nb', 'aa', 'aab', 'aaa', 'a b', '\x1c', '²', '‿', 'é', 'éclair9', '[', '~', '&',
    '-x', '.x', '/x', ']', '^', 'a]', 'xxy', 'y', 'xxxy', '{x}', 'x{2', 'Aé', 'A', '\x08', 'ac', 'aB',
    '# -/', 'foo bar', 'foobar', 'A1B2', 'ü', '日本語', 'a-b.c', '_', '\n', 'b', 'c', 'aaab', 'aaB', 'xab', 'xac',
]



def found(function):
    return ",\n".join(f"{json.dumps(pattern)}: {json.dumps([text for text in TEXTS if function(pattern, text)])}" for pattern in PATTERNS)


print('{"texts": %s,\n"match": {\n%s\n},\n"search": {\n%s\n}}' % (json.dumps(TEXTS), found(re.match), found(re.search)))
