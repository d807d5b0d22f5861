"""The cloud of the generated suites, and the ways in which its people hold tokens."""

PASSWORD = "secret"


def post(plural, save, **fields):
    kind = plural.rsplit("/", 1)[-1][:-1].replace("policie", "policy")
    return {"method": "POST", "path": f"/v3/{plural}", "body": {kind: fields}, "save": save}


def put(path, body=None):
    step = {"method": "PUT", "path": f"/v3/{path}"}
    return step if body is None else {**step, "body": body}


def user(name, domain):
    return post("users", name, name=name, domain_id=domain, password=PASSWORD)


def project(name, domain, **fields):
    return post("projects", name, name=name, domain_id=domain, **fields)


def group(name, domain):
    return post("groups", name, name=name, domain_id=domain)


def on_project(name):
    return {"project": {"id": "{%s}" % name}}


def on_domain(name):
    return {"domain": {"id": "{%s}" % name}}


SYSTEM = {"system": {"all": True}}
UNSCOPED = "unscoped"


def holder(who, scope, name, rescoped=False):
    """A token: of whom, for which scope, by password or with an unscoped token. Another kind of token is another field
    here, and a way to get it in record.py and suites.rs."""
    return {"name": name, "user": who, "scope": scope, "rescoped": rescoped}
