"""Credentials: whose they are, what their blobs must hold, and what may change."""

import json

from .cast import CALLERS, JSON, NOTHING, ask, delete, get, head, login, post, scenario

EC2 = {"access": "AKIA", "secret": "s3cr3t", "trust_id": None}


def ec2(**more):
    return json.dumps({**EC2, **more})


@scenario
def credentials():
    mine = {"user_id": "{alice}", "type": "cert", "blob": "plain ☃ text"}
    steps = [
        post("credential", "cert", **mine),
        post("credential", "totp", user_id="{alice}", type="totp", blob="GEZDGNBVGY3TQOJQ", colour="red", **{"a-b:c": [1, None]}),
        post("credential", "bobs", user_id="{bob}", type="cert", blob="", project_id=None),
        post("credential", "ec2", user_id="{alice}", type="ec2", blob=ec2(), project_id="{demo}"),
        post("credential", "Ec2", user_id="{alice}", type="EC2", blob=ec2(access="other"), project_id="{demo}"),
        post("credential", "named", user_id="{dave}", type="x y", blob="x", project_id="{works}", id="mine", enabled="yes", name="n"),
        post("credential", "nobodys", user_id="nobody", type="cert", blob="x", project_id="nowhere"),
        post("credential", "forged", user_id="{bob}", type="cert", blob="x", key_hash="h", encrypted_blob="e", extra={"a": 1}),
    ]
    for who in CALLERS:
        steps += get("credentials", "credentials/{cert}", "credentials/{bobs}", f"credentials/{NOTHING}", who=who)
        steps += head("credentials", "credentials/{cert}", "credentials/{bobs}", who=who)
        steps += [
            post("credential", who=who, user_id="{alice}", type="cert", blob="x"),
            post("credential", who=who, user_id="{bob}", type="cert", blob="x"),
            post("credential", who=who, user_id="{erin}", type="ec2", blob="x", project_id="{demo}"),
            ask("PATCH", "credentials/{cert}", {"credential": {"blob": f"by {who}"}}, who),
            ask("PATCH", "credentials/{bobs}", {"credential": {"blob": f"by {who}"}}, who),
            ask("PATCH", f"credentials/{NOTHING}", {"credential": {"blob": "x"}}, who),
        ]
        steps += delete(f"credentials/{NOTHING}", who=who)
    steps += get("credentials", "credentials/{cert}", "credentials/{ec2}", "credentials/{Ec2}", "credentials/{totp}", "credentials/{forged}")
    steps += delete("credentials/{bobs}", who="member") + delete("credentials/{bobs}", who="system reader")
    steps += delete("credentials/{named}", who="domain manager") + get("credentials/{named}")
    steps += delete("credentials/{bobs}", "credentials/{bobs}") + get("credentials/{bobs}")
    steps += delete("credentials/{cert}", who="unscoped") + get("credentials/{cert}", who="member")
    return steps


@scenario
def credential_lists():
    steps = [
        post("credential", "one", user_id="{alice}", type="cert", blob="x"),
        post("credential", "two", user_id="{alice}", type="Cert", blob="x"),
        post("credential", "three", user_id="{alice}", type="ec2", blob=ec2(), project_id="{demo}"),
        post("credential", "four", user_id="{bob}", type="ec2", blob=ec2(access="b"), project_id="{demo}"),
        post("credential", "five", user_id="{bob}", type="totp%_!", blob="x"),
    ]
    queries = [
        "user_id={alice}", "user_id={bob}", "user_id=nobody", "user_id=", "user_id={alice}&type=ec2", "type=cert", "type=CERT",
        "type=nothing", "type=", "type=ec2&type=cert", "type__contains=er", "type__contains=ER", "type__icontains=ER", "type__startswith=c",
        "type__istartswith=C", "type__endswith=rt", "type__iendswith=RT", "type__contains=%25", "type__icontains=_!", "type__equals=cert",
        "type__unknown=x", "type__iunknown=x", "user_id__contains=x", "user_id__icontains=", "user_id__startswith={alice}",
        "project_id={demo}", "colour=red", "id={one}", f"type={'x' * 256}", f"type__contains={'x' * 256}", f"user_id={'x' * 65}",
        "limit=100", "limit=", "user_id={alice}&type=ec2&limit=1", "user_id={bob}&limit=2", "sort_key=type", "marker=",
    ]  # fmt: skip
    steps += get(*(f"credentials?{query}" for query in queries))
    steps += head(*(f"credentials?{query}" for query in queries[:3]))
    for who in ("member", "system reader", "domain reader", "unscoped"):
        steps += get("credentials?user_id={bob}", "credentials?user_id={alice}", "credentials?type__icontains=C", who=who)
    steps += [ask("GET", f"credentials?limit={limit}", count=True) for limit in (1, 4, 5, 6)]
    steps += [ask("GET", "credentials?limit=2&type__icontains=e", count=True)]
    return steps


@scenario
def credential_input():
    good = {"user_id": "{alice}", "type": "ec2", "blob": ec2(), "project_id": "{demo}"}
    blobs = ("", "not json", "null", "[]", "{}", "5", '"x"', '{"secret": "x"}', '{"access": null}', '[{"access": "x"}]')
    steps = []
    for kind in ("ec2", "EC2", "cert"):
        steps += [ask("POST", "credentials", {"credential": {**good, "type": kind, "blob": blob}}) for blob in blobs]
        # Not the interpreter's words for what is no text.
        steps += [ask("POST", "credentials", {"credential": {**good, "type": kind, "blob": blob}}) for blob in (None, 5, {}, {"access": "x"}, [])]
        missing = [{key: value for key, value in {**good, "type": kind}.items() if key != left_out} for left_out in good]
        steps += [ask("POST", "credentials", {"credential": fields}) for fields in missing]
        steps += [ask("POST", "credentials", {"credential": {**good, "type": kind, "project_id": value}}) for value in (5, [], True)]
    for field in ("user_id", "type"):
        steps += [ask("POST", "credentials", {"credential": {**good, "type": "cert", field: value}}) for value in (None, 5, [], "x" * 256)]
    steps += [ask("POST", "credentials", {"credential": {**good, "type": "cert", "project_id": "x" * 65}})]
    steps += [ask("POST", "credentials", body) for body in ({}, {"credential": {}}, {"credential": None}, {"credential": []}, {"other": {}})]
    steps += [ask("POST", "credentials", raw=raw, headers=JSON) for raw in ("", "{", "[]")]
    steps += [ask("POST", "credentials", {"credential": {}, "target": {}}, None)]
    steps += [
        post("credential", "ec2", **{**good, "blob": ec2(access="taken")}),
        post("credential", **{**good, "blob": ec2(access="taken")}),
        post("credential", **{**good, "user_id": "{bob}", "type": "EC2", "blob": ec2(access="taken")}),
        post("credential", "tied", **{**good, "blob": ec2(access="tied", trust_id="t", app_cred_id="a", access_token_id="o", access_id="i")}),
        post("credential", "cert", user_id="{alice}", type="cert", blob="x", colour="red"),
    ]
    for changes in (
        {}, {"blob": None}, {"blob": 5}, {"blob": {}}, {"type": "cert"}, {"user_id": "{bob}"}, {"project_id": "{child}"}, {"id": "{ec2}"},
        {"blob": "y", "type": "cert"}, {"blob": "y", "colour": "blue"}, {"blob": "y", "user_id": "{alice}"}, {"blob": "y"}, {"blob": "not json"},
        {"blob": "{}"}, {"blob": '{"secret": "x"}'}, {"blob": ec2(access="changed")}, {"blob": ec2(trust_id="x")}, {"blob": ec2(app_cred_id="x")},
        {"blob": ec2(access_token_id="x")}, {"blob": ec2(access_id="x")}, {"blob": ec2(other="x")},
    ):  # fmt: skip
        for name in ("ec2", "tied", "cert"):
            steps += [ask("PATCH", f"credentials/{{{name}}}", {"credential": changes}), ask("GET", f"credentials/{{{name}}}")]
    tied = {"trust_id": "t", "app_cred_id": "a", "access_token_id": "o", "access_id": "i"}
    steps += [ask("PATCH", "credentials/{tied}", {"credential": {"blob": ec2(**{**tied, key: None})}}) for key in tied]
    steps += [ask("PATCH", "credentials/{tied}", {"credential": {"blob": ec2(**tied, secret="new")}}), *get("credentials/{tied}")]
    steps += [ask("PATCH", "credentials/{cert}", body) for body in ({}, {"credential": None}, {"credential": []}, {"other": {}})]
    steps += [ask(method, "credentials") for method in ("PUT", "PATCH", "DELETE", "OPTIONS")]
    steps += [ask(method, "credentials/{cert}") for method in ("PUT", "POST", "OPTIONS")]
    forged = {"target": {"credential": {"user_id": "{bob}"}}, "credential": {"blob": "y"}, "user_id": "{bob}"}
    steps += [
        login("bob", "{bob}", "bob", "unscoped"),
        ask("GET", "credentials/{cert}?target.credential.user_id={bob}&user_id={bob}", who="bob"),
        ask("GET", "credentials/{cert}", forged, "bob"),
        ask("PATCH", "credentials/{cert}", forged, "bob"),
        ask("DELETE", "credentials/{cert}", forged, "bob"),
        post("credential", who="bob", user_id="{alice}", type="cert", blob="x", target={"credential": {"user_id": "{bob}"}}),
    ]
    return steps


@scenario
def credential_clean_up():
    steps = [
        post("credential", "alices", user_id="{alice}", type="cert", blob="x"),
        post("credential", "bobs", user_id="{bob}", type="ec2", blob=ec2(), project_id="{grandchild}"),
        post("credential", "carols", user_id="{carol}", type="ec2", blob=ec2(access="c"), project_id="{works}"),
        post("credential", "daves", user_id="{dave}", type="cert", blob="x", project_id="{acme}"),
        post("credential", "franks", user_id="{frank}", type="cert", blob="x", project_id="{acme}"),
    ]
    steps += delete("users/{alice}") + get("credentials", "credentials/{alices}")
    steps += delete("projects/{grandchild}") + get("credentials", "credentials/{bobs}")
    steps += [ask("PATCH", "domains/{acme}", {"domain": {"enabled": False}}), *delete("domains/{acme}"), *get("credentials")]
    return steps


@scenario(config={"credential": {"user_limit": 2}})
def credential_user_limit():
    steps = [post("credential", name, user_id="{alice}", type="cert", blob="x") for name in ("one", "two")]
    steps += [post("credential", user_id="{alice}", type="cert", blob="x"), post("credential", who="member", user_id="{alice}", type="totp", blob="x")]
    steps += [post("credential", user_id="{alice}", type="ec2", blob="bad", project_id="{demo}"), post("credential", "bobs", user_id="{bob}", type="cert", blob="x")]
    steps += delete("credentials/{one}") + [post("credential", "three", user_id="{alice}", type="cert", blob="x"), *get("credentials")]
    return steps
