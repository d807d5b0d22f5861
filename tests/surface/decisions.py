"""Asks Keystone's oslo.policy about every rule over a grid of callers and targets, and writes decisions.json.

A rule's answers are a number in hexadecimal, one bit for each pair, callers outside, targets inside, the first pair
first; 1 is yes. A wrong scope is a no.
"""

import itertools
import json
import logging
import pathlib

from keystone.common import policies
from oslo_config import cfg
from oslo_policy import policy

ROLES = {
    "admin": ["admin", "manager", "member", "reader"],
    "manager": ["manager", "member", "reader"],
    "member": ["member", "reader"],
    "reader": ["reader"],
    "service": ["service"],
    "none": [],
}
SCOPES = [("system", None), ("domain", "d1"), ("domain", "d2"), ("project", "d1"), ("project", "d2"), (None, None)]
USERS = [("u1", "d1"), ("u2", "d2")]


def callers():
    for (kind, domain), roles, (user, home) in itertools.product(SCOPES, ROLES.values(), USERS):
        caller = {
            "user_id": user,
            "user_domain_id": home,
            "system_scope": "all" if kind == "system" else None,
            "domain_id": domain if kind == "domain" else None,
            "project_id": f"project-{domain}" if kind == "project" else None,
            "project_domain_id": domain if kind == "project" else None,
            "roles": roles,
            "is_admin": False,
            "is_admin_project": True,
            "token": {"user": {"id": user, "domain": {"id": home}}},
        }
        if kind == "domain":
            caller["token"]["domain"] = {"id": domain}
        if kind == "project":
            caller["token"]["project"] = {"id": f"project-{domain}", "domain": {"id": domain}}
        yield caller
    yield {"user_id": None, "roles": [], "is_admin": True, "system_scope": None, "project_id": None, "domain_id": None}


def about(user, domain, role, people=None):
    """Everything of one domain and, where `people` names another, its users and groups of that one."""
    people = people or domain
    project = {"id": f"project-{domain}", "domain_id": domain}
    return {
        "user_id": user,
        "target": {
            "user": {"id": user, "domain_id": people},
            "group": {"id": "g", "domain_id": people},
            "project": project,
            "domain": {"id": domain},
            "domain_id": domain,
            "role": role,
            "token": {"user_id": user, "user": {"domain": {"id": people}}},
            "trust": {"trustor_user_id": user, "trustee_user_id": "u1" if user == "u2" else "u2"},
            "credential": {"user_id": user},
            "limit": {"domain": {"id": domain}, "project": project, "project_id": project["id"]},
        },
    }


def targets():
    everyday, powerful = {"name": "member", "domain_id": None}, {"name": "admin", "domain_id": "d1"}
    yield {}
    for user, domain, role in itertools.product(("u1", "u2"), ("d1", "d2", None), (everyday, powerful)):
        yield about(user, domain, role)
    yield about("u1", "d1", everyday, people="d2")
    yield about("u2", "d2", everyday, people="d1")
    yield about("u2", "d2", {"name": "reader", "domain_id": "d2"})


def flat(prefix, value):
    for key, item in value.items():
        if isinstance(item, dict):
            yield from flat(f"{prefix}{key}.", item)
        else:
            yield prefix + key, item


def decided(enforcer, rule, target, caller):
    try:
        return bool(enforcer.enforce(rule, dict(flat("", target)), dict(caller)))
    except policy.InvalidScope:
        return False


def main():
    logging.disable(logging.CRITICAL)
    conf = cfg.ConfigOpts()
    conf([], project="decisions")
    enforcer = policy.Enforcer(conf, policy_file="/nonexistent/policy.yaml")
    conf.set_override("policy_dirs", [], group="oslo_policy")
    enforcer.suppress_deprecation_warnings = True
    enforcer.register_defaults(policies.list_rules())
    enforcer.load_rules()
    # It would look for files before every answer.
    enforcer.load_rules = lambda *_: None
    grid = {"callers": list(callers()), "targets": list(targets())}
    answers = {}
    for rule in sorted(rule.name for rule in policies.list_rules()):
        pairs = itertools.product(grid["callers"], grid["targets"])
        bits = "".join("1" if decided(enforcer, rule, target, caller) else "0" for caller, target in pairs)
        bits = bits.ljust(-(-len(bits) // 4) * 4, "0")
        answers[rule] = f"{int(bits, 2):0{len(bits) // 4}x}"
    grid["decisions"] = answers
    parts = []
    for name, part in grid.items():
        rows = [json.dumps(row) for row in part] if isinstance(part, list) else None
        rows = rows or [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in part.items()]
        opened, closed = "[]" if isinstance(part, list) else "{}"
        parts.append(f'"{name}": {opened}\n' + ",\n".join(rows) + f"\n{closed}")
    (pathlib.Path(__file__).parent / "decisions.json").write_text("{" + ",\n".join(parts) + "}\n")


main()
