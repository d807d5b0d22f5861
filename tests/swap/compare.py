"""Compares the answers of the two servers and describes their differences."""

import json
import re

from harness.checks import Failed

HEADERS = ("content-type", "vary", "www-authenticate", "allow", "location")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?")
ID = re.compile(r"\b[0-9a-f]{32}\b")
REQUEST_ID = re.compile(r"^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
# Lists whose order matters: the first audit id is the token's own.
ORDERED = ("audit_ids",)


def essence(answer, url, fresh=False):
    """An answer in a normal form without what may differ: the address, the order of collections and, if it is `fresh`, the
    values that each server generates (ids, times and audit ids, of which the format is kept)."""

    def text(value):
        value = value.replace(url, "http://HOST").replace(url.removeprefix("http://"), "HOST")
        if fresh:
            value = TIME.sub(lambda time: re.sub(r"\d", "9", time.group()), value)
            value = ID.sub("<id>", value)
        return value

    def tidy(value, key=None):
        if isinstance(value, dict):
            return {name: tidy(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            if fresh and key in ORDERED:
                return [f"<{len(inner)} characters>" for inner in value]
            inner = [tidy(item) for item in value]
            return inner if key in ORDERED else sorted(inner, key=canonical)
        return text(value) if isinstance(value, str) else value

    headers = {name: text(answer.header(name)) for name in HEADERS if answer.header(name) is not None}
    if "allow" in headers:
        headers["allow"] = ", ".join(sorted(headers["allow"].replace(" ", "").split(",")))
    headers["x-subject-token"] = answer.header("x-subject-token") is not None
    # oslo.middleware's size limit answers without one; this server always sends it.
    headers["x-openstack-request-id"] = answer.status == 413 or bool(REQUEST_ID.match(answer.header("x-openstack-request-id") or ""))
    try:
        body = tidy(answer.json)
    except ValueError:
        body = text(answer.text)
    return {"status": answer.status, "headers": headers, "body": body}


def canonical(value):
    return json.dumps(value, sort_keys=True)


def alike(reference, ours, what=""):
    """Fails with a list of the differences."""
    found = list(differences(reference, ours, what))
    if found:
        raise Failed("\n".join(found[:12]))


def differences(reference, ours, where):
    if type(reference) is not type(ours):
        yield f"{where}: Keystone has {shorten(reference)}, ours {shorten(ours)}"
    elif isinstance(reference, dict):
        for key in sorted(reference.keys() | ours.keys()):
            place = f"{where}.{key}"
            if key not in ours:
                yield f"{place}: Keystone has {shorten(reference[key])}, ours nothing"
            elif key not in reference:
                yield f"{place}: Keystone has nothing, ours {shorten(ours[key])}"
            else:
                yield from differences(reference[key], ours[key], place)
    elif isinstance(reference, list):
        if len(reference) != len(ours):
            missing = [item for item in reference if item not in ours]
            extra = [item for item in ours if item not in reference]
            yield f"{where}: {len(reference)} items at Keystone, {len(ours)} at ours; " + (
                f"missing {shorten(missing)}, too many {shorten(extra)}"
            )
        else:
            for index, pair in enumerate(zip(reference, ours)):
                yield from differences(*pair, f"{where}[{index}]")
    elif reference != ours:
        yield f"{where}:\n  Keystone  {shorten(reference)}\n  ours      {shorten(ours)}"


def shorten(value):
    text = json.dumps(value)
    return text if len(text) < 700 else text[:700] + "…"
