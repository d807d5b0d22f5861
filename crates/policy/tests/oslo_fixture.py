"""Asks the real oslo.policy, and writes its answers to fixtures/oslo.json.

Run with a Python that has keystone 30.0.0 and oslo.policy 6.0.1:

    python oslo_fixture.py > fixtures/oslo.json

Answers are letters: T allowed, F denied, S wrong scope, E an exception.
"""

import copy
import http.server
import itertools
import json
import logging
import os
import random
import tempfile
import threading
import warnings

from oslo_config import cfg
from oslo_policy import _parser
from oslo_policy import policy

from keystone.common import policies

warnings.simplefilter('ignore')
logging.disable(logging.NOTSET)
LOGGED = []


class Record(logging.Handler):
    def emit(self, record):
        LOGGED.append(record.getMessage())


logging.getLogger('oslo_policy').addHandler(Record())
logging.getLogger('oslo_policy').propagate = False

CREDENTIALS = [
    {},
    {
        'user_id': 'u1', 'project_id': 'p1', 'roles': ['Admin', 'member'],
        'is_admin': 1, 'system_scope': None, 'domain_id': None,
        'user': {'id': 'u1', 'domain': {'id': 'd1'}}, 'is_admin_project': True,
    },
    {
        'user_id': 'u2', 'system_scope': 'all', 'roles': ['reader'],
        'groups': ['g1', 'g2'], 'level': 3, 'ratio': 1.5, 'is_admin': False,
        'user': {'id': 'u2', 'groups': [{'id': 'g1'}, {'id': 'g2'}]},
    },
    {
        'user_id': 'u3', 'domain_id': 'd1', 'roles': [], 'flag': True,
        'user': None, 'a-b': 'dash', 'tags': [['x', 'y'], "it's"],
        'user.id': 'flat', 'roles.x': 'y', 'empty': '',
    },
]

TARGETS = [
    {},
    {'user_id': 'u1', 'project_id': 'p1', 'target.role.name': 'member', 'target.user.id': 'u2'},
    {
        'user_id': 'u2', 'target.role.domain_id': None, 'target.role.name': 'admin',
        'group': 'g2', 'enabled': True, 'n': 3, 'f': 1.5, 'domain_id': 'd1', 'role': 'READER',
        'dash': 'dash', 'quoted': "['x', 'y']", 'odd': "it's", 'none': 'None', 'blank': '',
    },
]

CHECKS = [
    '', '@', '!', ' ', '  @  ', 'not @', 'not !', 'not not @', 'NOT @', 'Not not NOT !',
    'role:admin', 'role:ADMIN', 'role:reader', 'role:nobody', 'Role:admin', 'role:%(role)s',
    'role:%(target.role.name)s', 'role:', 'role:a:b', 'rule:yes', 'rule:no', 'rule:missing',
    'rule:admin', 'rule:%(role)s', 'not rule:missing', 'not rule:admin',
    'user_id:%(user_id)s', 'user_id:u1', 'user.id:%(user_id)s', 'user.id:u1', 'user.domain.id:d1',
    'user.domain.id:%(domain_id)s', 'user.groups.id:%(group)s', 'user.groups.id:g1', 'groups:%(group)s',
    'groups:g2', 'groups:g3', 'level:3', 'level:%(n)s', 'ratio:1.5', 'ratio:%(f)s', 'flag:True', 'flag:true',
    'is_admin:1', 'is_admin:True', 'is_admin:False', 'is_admin_project:True', 'domain_id:None', 'project_id:None',
    'system_scope:all', 'system:all', 'system_scope:None', 'system:None', 'roles:Admin', 'roles:reader', 'roles.x:y',
    'a-b:dash', 'a-b:%(dash)s', 'tags:%(quoted)s', 'tags:%(odd)s', "tags:it's", 'empty:', 'empty:%(blank)s',
    'user:None', 'user.id:None', 'nothing:x', 'nothing.at.all:x', 'user_id.id:x', 'level.id:x',
    "'member':%(target.role.name)s", '"member":%(target.role.name)s', "'admin':%(target.role.name)s",
    'True:%(enabled)s', 'False:%(enabled)s', 'true:%(enabled)s', 'None:%(target.role.domain_id)s',
    'None:%(none)s', 'None:%(target.nothing)s', '3:%(n)s', '-3:%(n)s', '+3:%(n)s', '1.5:%(f)s', '1.50:%(f)s',
    '3:3', '03:3', '00:0', '0:0', '-0:0', '1e3:1000.0', '1e16:1e+16', '1e15:1000000000000000.0', '1e-5:1e-05',
    '0.0001:0.0001', '1.:1.0', '.5:0.5', '2.50:2.5', '1e400:inf', '1_0:10',
    "'':%(blank)s", "'a':a", "'a':'a'", "'a'", '"a"', "''", "'a':b", "it's:x", "'it:x", "'a'b':x", "'a:b':x",
    'x:%%', "'50%%':50%%", "'50%':50%%", 'x:%', 'x:%(', 'x:%(a', 'x:%(a)', 'x:%(a)d', 'x:50%(n)s', "'503':50%(n)s",
    "'u1-p1':%(user_id)s-%(project_id)s", "'member':%(nope)s%(bad", '@:x', '!:x', ':x', ':', 'a:', ':%(nope)s',
    'not:x', 'and:x', 'class:x', 'class:%(nope)s', 'a.class:x', 'a..b:x', '.a:x', 'a.:x', '1a:x', 'a1:x', 'a$:x',
    '1a:%(nope)s', 'not 1a:%(nope)s', 'not 1a:x', '@ or 1a:x', '! and 1a:x', '1a:x or @', '1a:x and !', 'not x:%(a',
    'a-1:x', 'a-1b:x', 'role-admin:x', 'b\u00e9:x', '\u00e9l\u00e9ment.id:x',
    'foo', 'not foo', 'role:admin or foo', 'foo or role:admin', 'foo and role:admin', 'role:admin and not foo',
    'and', 'or', 'not', '(', ')', '()', '( )', ') (', '(@', '@)', '((@))', '( ( @ ) )', '((@)', '(@))', '(!)',
    '@ @', '@ !', '@ and', 'and @', '@ or', 'or @', '@ and and @', '@ and or @', '@ or and @', '@ not @', '@ not',
    'not (@)', 'not (!)', 'not(@)', 'not(!', '(not @)', '(not !) and @', 'not (not (not !))', 'not (@ and !)',
    '@ and @', '@ and !', '! and @', '! or @', '! or !', '@ AND @', '! Or @', '@ && @', '@ or(@)', '@and @',
    '@ or @ and !', '! and ! or @', '(@ or @) and !', '@ or (@ and !)', '! and (! or @)', 'not ! and !',
    'not @ or @', 'not @ and !', '! or not ! and @', '@ and not ! or !', '! or ! and ! or @', '@ and ! or ! and @ or @',
    '! or (@ and @) and !', '@ or (! and @) and !', '(@ and @) and !', '(! and !) and @ or @', '! or (@ or !) and @',
    '! or not (@ and @) and @', '@ or ! or (! and !) and ! or !', 'not not (! or @) and @ or !', '(@ and !) or (@)',
    '@ and (@ or ! and !) and (not !)', '((! or @) and (@ or !)) or !', '! or @ and @ and @ and !',
    'role:admin and user_id:%(user_id)s', 'role:admin or user_id:%(user_id)s', 'not role:admin',
    '(role:admin and user_id:u1) or (role:reader and system_scope:all)', 'role:reader and not system_scope:all',
    'not user_id:%(nope)s', 'role:admin\tor\nrole:reader', 'role:admin\u00a0or\u2003role:reader', 'role:admin\x1cor\x1frole:reader',
    "'member':%(target.role.name)s or 'admin':%(target.role.name)s", "'Cloud Admin':%(target.role.name)s",
    '(user_id:%(user_id)s)', '((user_id:%(user_id)s) or role:x)', 'user_id:%(user_id)s)', '(user_id:(u1))',
    'role:admin,role:reader', 'role: admin', 'rule :yes', '"role:admin"', "'role:admin'", '"role:admin',
    'role:admin or "quoted text"', 'role:\u0130', 'user_id:U1',
]

LISTS = [
    [], [[]], [[], []], [''], ['@'], ['!'], [['@']], ['role:admin'], ['role:admin', 'role:reader'],
    [['role:admin', 'user_id:u1'], ['role:reader']], [['role:admin', 'role:reader']], [['@', '!'], ['!']],
    [['@'], '!'], [[], '!'], [['foo']], ['foo', '@'], ['role:admin or role:reader'], [['not @']],
    [["'Cloud Admin':Cloud Admin"]], [["'member':%(target.role.name)s"]], [['']], [['(@)']],
    [['rule:yes', 'rule:no'], ['rule:yes']], [['rule:missing']], [["'a':'a'"]], [[' 3:3']], [['1a:x'], ['@']],
]

SHARED = {'yes': '@', 'no': '!', 'admin': 'role:admin or is_admin:1'}

PERSONAS = [
    {'user_id': 'u1', 'roles': ['admin', 'manager', 'member', 'reader'], 'project_id': 'p1', 'domain_id': None,
     'system_scope': None, 'is_admin': False, 'project_domain_id': 'd1', 'user_domain_id': 'd1'},
    {'user_id': 'u1', 'roles': ['admin', 'member', 'reader'], 'domain_id': 'd1', 'project_id': None},
    {'user_id': 'u1', 'roles': ['admin', 'member', 'reader'], 'system_scope': 'all', 'domain_id': None},
    {'user_id': 'u2', 'roles': ['reader'], 'system_scope': 'all'},
    {'user_id': 'u2', 'roles': ['manager', 'member', 'reader'], 'domain_id': 'd1'},
    {'user_id': 'u2', 'roles': ['member', 'reader'], 'domain_id': 'd2'},
    {'user_id': 'u3', 'roles': ['manager', 'member', 'reader'], 'project_id': 'p1', 'user_domain_id': 'd1'},
    {'user_id': 'u3', 'roles': ['member', 'reader'], 'project_id': 'p1', 'project_domain_id': 'd2'},
    {'user_id': 'u3', 'roles': [], 'project_id': None, 'domain_id': None, 'system_scope': None},
    {'user_id': 's1', 'roles': ['service'], 'project_id': 'p9'},
    {'user_id': 'x', 'roles': [], 'is_admin': 1},
    {'user_id': 'u2', 'roles': ['admin'], 'domain_id': 'd2'},
]


def flat(prefix, value):
    for key, item in value.items():
        if isinstance(item, dict):
            yield from flat(f'{prefix}{key}.', item)
        else:
            yield prefix + key, item


# Nested here, so that both forms come from one place: oslo.policy is given the flat one.
NESTED = [
    {},
    {'user_id': 'u1', 'project_id': 'p1', 'target': {
        'user': {'id': 'u1', 'domain_id': 'd1'}, 'project': {'id': 'p1', 'domain_id': 'd1'}, 'domain': {'id': 'd1'},
        'domain_id': 'd1', 'role': {'name': 'member', 'domain_id': None}, 'group': {'domain_id': 'd1'},
        'token': {'user_id': 'u1', 'user': {'domain': {'id': 'd1'}}}, 'trust': {'trustor_user_id': 'u1', 'trustee_user_id': 'u2'},
        'credential': {'user_id': 'u1'}, 'limit': {'domain': {'id': 'd1'}, 'project': {'domain_id': 'd1'}, 'project_id': 'p1'}}},
    {'user_id': 'u3', 'trust': {'trustor_user_id': 'u3'}, 'target': {
        'user': {'id': 'u3', 'domain_id': 'd2'}, 'project': {'id': 'p1', 'domain_id': 'd2'}, 'domain': {'id': 'd2'},
        'domain_id': 'd2', 'role': {'name': 'admin', 'domain_id': None}, 'group': {'domain_id': 'd2'},
        'token': {'user_id': 'u3', 'user': {'domain': {'id': 'd2'}}}, 'trust': {'trustor_user_id': 'u2', 'trustee_user_id': 'u3'},
        'credential': {'user_id': 'u3'}, 'limit': {'domain': {'id': 'd2'}, 'project': {'domain_id': 'd2'}, 'project_id': 'p1'}}},
    {'target': {'role': {'name': 'reader', 'domain_id': 'd1'}, 'domain': {'id': None}, 'user': {'domain_id': 'd1'},
                'project': {'domain_id': 'd1', 'id': 'p2'}, 'group': {'domain_id': 'd2'}, 'domain_id': 'd1'},
     'domain_id': 'd1', 'filter_attr': {'domain_id': 'd1'}, 'request_body': {'user': {'domain_id': 'd1'}}},
    {'user_id': 'u2', 'domain_id': 'd2', 'target': {'role': {'name': 'manager', 'domain_id': 'd2'}, 'user': {'id': 'u2'}}},
]

# Service rules for the deprecation cases: name, check, scope types, (old name, old check).
SERVICE = [
    ('admin', 'role:admin', None, None),
    ('svc:same', 'role:new', ['project'], ('svc:same', 'role:old')),
    ('svc:new', 'role:new', ['project', 'system'], ('svc:old', 'role:old')),
    ('svc:split', 'rule:admin', ['system'], ('svc:old', 'role:old')),
    ('svc:unchanged', 'role:old', None, ('svc:before', 'role:old')),
    ('svc:plain', 'rule:admin or user_id:%(user_id)s', ['domain', 'project'], None),
]

FILES = [
    ('', True), ('', False), ('{}', True), ('# only a comment\n', False),
    ('svc:same: role:mine\n', True), ('svc:same: role:mine\n', False),
    ('"svc:old": "role:mine"\n', True), ('"svc:old": "role:mine"\n', False),
    ('svc:old: role:old\n', True), ('svc:old: role:old\n', False),
    ('svc:old: rule:svc:new\n', True), ('svc:old: rule:svc:new\n', False),
    ('svc:old: role:mine\nsvc:new: role:admin\n', True), ('svc:old: role:mine\nsvc:new: role:admin\n', False),
    ('svc:before: role:mine\n', True), ('svc:before: "role:old"\n', False),
    ('{"svc:old": [["role:mine"], ["role:admin"]], "svc:plain": ""}', True),
    ('{\n\t"svc:plain": "!",\n\t"admin": "role:mine"\n}', None),
    ('default: role:mine\n', True), ('{"default": "role:mine", "svc:same": "rule:nowhere"}', True),
    ('default: "!"\nadmin: rule:nowhere or role:old\n', False),
    ('svc:plain:\nextra: role:new\n', True), ('svc:plain: ~\nsvc:same: "@"\n', True),
    ('svc:plain: >-\n  role:mine\n  or role:old\nsvc:split: [role:mine, "role:old"]\n', True),
    ('svc:same: role:mine\nsvc:same: role:old\n', True),
    ('svc:new: "role:mine and"\n', True), ('svc:new: "role:mine or nonsense"\n', True),
    ('a: &x role:mine\nsvc:same: *x\n', True),
]

FILE_PERSONAS = [
    {'roles': [role], **scope}
    for role in ('new', 'old', 'mine', 'admin')
    for scope in ({'project_id': 'p', 'user_id': 'u'}, {'domain_id': 'd'}, {'system_scope': 'all'})
]


def enforcer(text=None, new_defaults=True):
    conf = cfg.ConfigOpts()
    conf([], project='fixture')
    path = '/nonexistent/policy.yaml'
    if text is not None:
        handle, path = tempfile.mkstemp(suffix='.yaml')
        os.write(handle, text.encode())
        os.close(handle)
    made = policy.Enforcer(conf, policy_file=path)
    conf.set_override('policy_dirs', [], group='oslo_policy')
    conf.set_override('enforce_new_defaults', new_defaults, group='oslo_policy')
    made.suppress_deprecation_warnings = True
    return made


def answer(made, rule, target, credentials):
    try:
        allowed = made.enforce(rule, copy.deepcopy(target), copy.deepcopy(credentials), do_raise=True)
        return 'T' if allowed else 'F'
    except policy.PolicyNotAuthorized:
        return 'F'
    except policy.InvalidScope:
        return 'S'
    except Exception:
        return 'E'


def answers(made, rule, targets, credentials):
    return ''.join(answer(made, rule, t, c) for c, t in itertools.product(credentials, targets))


def checks():
    made = enforcer()
    for name, text in SHARED.items():
        made.register_default(policy.RuleDefault(name, text))
    for rule in CHECKS + LISTS:
        LOGGED.clear()
        tree = _parser.parse_rule(rule)
        failed = any('Failed to understand' in line for line in LOGGED)
        yield [rule, str(tree), failed, answers(made, tree, TARGETS, CREDENTIALS)]


def mixtures():
    """Random rows of words, most of which do not parse, with the tree that each makes."""
    chance = random.Random(6)
    atoms = ['@', '!', 'role:a', 'b:%(c)s', "'d':e"]
    for _ in range(700):
        words = []
        for _ in range(chance.randint(1, 7)):
            atom = 'not ' * chance.choice([0, 0, 0, 1, 2]) + chance.choice(atoms)
            if chance.random() < 0.25:
                atom = f'({atom} {chance.choice(["and", "or"])} {chance.choice(atoms)})'
            words += [atom, chance.choice(['and', 'or'])]
        words.pop()
        words = ' '.join(words).split(' ')
        if chance.random() < 0.2:
            words.insert(chance.randint(0, len(words)), chance.choice(['(', ')', 'and', 'or', 'not', '@']))
        if chance.random() < 0.3:
            at = chance.randint(0, len(words) - 1)
            words[at] = '(' + words[at]
            to = chance.randint(at, len(words) - 1)
            words[to] += ')'
        text = ' '.join(words)
        LOGGED.clear()
        tree = str(_parser.parse_rule(text))
        yield [text, tree, any('Failed to understand' in line for line in LOGGED)]


def defaults():
    for new_defaults in (True, False):
        made = enforcer(new_defaults=new_defaults)
        made.register_defaults(policies.list_rules())
        targets = [dict(flat('', t)) for t in NESTED]
        rules = {r.name: answers(made, r.name, targets, PERSONAS) for r in policies.list_rules()}
        yield {'new_defaults': new_defaults, 'answers': rules}


def files():
    for text, new_defaults in FILES:
        if new_defaults is None:
            # PyYAML refuses tabs, which JSON allows; the file is then taken for what it is.
            made, new_defaults = enforcer(json.dumps(json.loads(text))), True
        else:
            made = enforcer(text, new_defaults)
        for name, check, scopes, old in SERVICE:
            if old:
                old = policy.DeprecatedRule(*old, deprecated_reason='r', deprecated_since='s')
            made.register_default(policy.RuleDefault(name, check, deprecated_rule=old, scope_types=scopes))
        names = [s[0] for s in SERVICE] + ['svc:old', 'svc:before', 'extra', 'unknown']
        targets = [{'user_id': 'u'}]
        rules = {name: answers(made, name, targets, FILE_PERSONAS) for name in names}
        yield {'text': text, 'new_defaults': new_defaults, 'answers': rules}


REMOTE = [
    ({'user_id': 'u 1/\u00e9', 'target.user.name': 'Zo\u00eb \u2603 \U0001f600', 'target.user.tags': ['a', {'b': None}], 'n': 1.5, 'big': 1e16,
      'request_body.user.password': 'a&b=c+d%7e~_.-*!\'()"\\\n\t\x01\x7f', 'true': True, 'list': [], 'i': -3},
     {'token': {'roles': [{'id': 'r', 'name': 'member'}], 'catalog': []}, 'domain_id': None, 'user_id': 'u', 'roles': ['member'],
      'system_scope': None, 'is_admin_project': True}),
    ({'user_id': ''}, {'user_id': None, 'system_scope': 'all', 'roles': []}),
    ({'user_id': float('-inf'), 'nan': float('nan'), 'half': '\ud800', 'ends': '\U0010ffff', 'list': [float('inf')]}, {'big': 1 << 64, 'low': -(1 << 64)}),
]


def remote():
    """What an `http:` check sends: the path, the content type and the body."""
    sent = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers['Content-Length'])).decode()
            sent.append([self.path, self.headers['Content-Type'], body])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'"True"')

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for kind in ('application/x-www-form-urlencoded', 'application/json'):
        made = enforcer()
        made.conf.set_override('remote_content_type', kind, group='oslo_policy')
        made.register_default(policy.RuleDefault('asks', f'http://127.0.0.1:{server.server_port}/ask/%(user_id)s'))
        made.register_default(policy.RuleDefault('svc:outer', 'not ! and rule:asks'))
        for target, credentials in REMOTE:
            allowed = answer(made, 'svc:outer', target, credentials)
            # Nothing is sent where the values have no JSON.
            assert allowed == ('T' if sent else 'E')
            yield [kind, target, credentials, *(sent.pop() if sent else [None] * 3)]


def main():
    fixture = {
        'shared': SHARED, 'credentials': CREDENTIALS, 'targets': TARGETS, 'checks': list(checks()), 'mixtures': list(mixtures()),
        'personas': PERSONAS, 'nested': NESTED, 'defaults': list(defaults()),
        'service': SERVICE, 'file_personas': FILE_PERSONAS, 'files': list(files()), 'remote': list(remote()),
    }
    rows = []
    for key, value in fixture.items():
        lists = isinstance(value, list)
        body = ',\n'.join(json.dumps(item) for item in value) if lists else json.dumps(value)
        rows.append(f'{json.dumps(key)}: ' + (f'[\n{body}\n]' if lists else body))
    print('{\n' + ',\n'.join(rows) + '\n}')


if __name__ == '__main__':
    main()
