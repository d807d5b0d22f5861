"""Writes vectors.json: certificates, and how Keystone and OpenSSL read their names.

Run with the interpreter of an environment that has keystone 30.0.0, where `openssl` is installed:
    python vectors.py > vectors.json
"""

import json
import subprocess
import tempfile

from keystone.common import utils

SUBJECTS = [
    '/CN=alice',
    '/C=DE/ST=Bayern/L=M\xfcnchen/O=Example, Inc./OU=first/OU=second/CN=Zo\xeb Li/emailAddress=zoe@example.test/UID=42/DC=example/DC=test',
    r'/CN= #a\+"b";<c> ',
    '/CN=a=b',
    '/title=Dr/SN=Li/GN=Zo/initials=Z/serialNumber=7/street=Road 1',
    '/',
]


def openssl(*arguments, **options):
    done = subprocess.run(['openssl', *arguments], check=True, capture_output=True, **options)
    return done.stdout.decode()


def read(function, pem):
    try:
        return function(pem)
    except Exception:
        return None


def vector(directory, subject):
    key, path = f'{directory}/key.pem', f'{directory}/cert.pem'
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-utf8',
            '-subj', subject, '-days', '36500', '-keyout', key, '-out', path)
    pem = open(path).read()
    return {
        'pem': pem,
        'thumbprint': utils.get_certificate_thumbprint(pem),
        'names': read(utils.get_certificate_subject_dn, pem),
        'rfc2253': openssl('x509', '-in', path, '-noout', '-subject', '-nameopt', 'RFC2253,-esc_msb').rstrip('\n').removeprefix('subject='),
    }


with tempfile.TemporaryDirectory() as directory:
    print(json.dumps([vector(directory, subject) for subject in SUBJECTS], indent=1))
