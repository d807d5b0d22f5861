"""Where the guard does better than Python's middleware: by situation, the reason and what is expected instead.

`DIFFERENCES` are there wherever Keystone is, `AFAR` where it is asked over HTTP, `INSIDE` where it is in the same process, and
`NEVER_INSIDE` has what can't happen there.

`crates/middleware/README.md` ("Differences") says the same in words.
"""

from situations import SPELLINGS

INVALID = {"x-identity-status": "Invalid"}
REFUSED = {
    "status": 401,
    "body": {
        "error": {
            "code": 401,
            "message": "The request you have made requires authentication.",
            "title": "Unauthorized",
        }
    },
    "content-type": "application/json",
    "www-authenticate": 'Keystone uri="<keystone>"',
}
SCOPE = "openstack-system-scope"


def with_headers(changes):
    """The same with these headers, and without those that are None."""

    def changed(told):
        headers = {**told["headers"], **changes}
        return {**told, "headers": {name: value for name, value in headers.items() if value is not None}}

    return changed


def instead(whole):
    return lambda _: whole


DIFFERENCES = {
    **{
        f"forged headers {spelling} without a token, delaying": (
            "OpenStack-System-Scope is an identity header too, which nobody may forge",
            with_headers({SCOPE: None}),
        )
        for spelling in SPELLINGS
    },
    **{
        f"system by nova, {service}": (
            "the scope of a service's token does not hide that of the user's",
            with_headers({SCOPE: "all"}),
        )
        for service in ("guarded", "delaying")
    },
    "project by system": (
        "the scope of a service's token is not taken for that of the user's",
        with_headers({SCOPE: None}),
    ),
    "limited to images, another path by garbage, delaying": (
        "a service token that is not valid does not pass over access rules",
        instead({"status": 200, "headers": {**INVALID, "x-service-identity-status": "Invalid"}}),
    ),
    "limited to images, another path by bob, lenient": (
        "a service token without a role of services does not pass over access rules",
        instead(REFUSED),
    ),
}

AFAR = {
    "200 concurrent first requests": (
        "concurrent requests share a call",
        instead({"statuses": [200], "one call": True}),
    ),
    "Keystone is slow": (
        "a Keystone that does not answer in time can't be asked: that is no fault of the service",
        instead({"cached": 200, "not cached": 503, "delaying": {"status": 200, "headers": INVALID}}),
    ),
}

INSIDE = {
    "revoked while cached": (
        "a Keystone in the same process is asked at each request",
        instead({"before": {"guarded": 200, "forgetful": 200}, "after": {"guarded": 401, "forgetful": 401}}),
    ),
}

NEVER_INSIDE = {
    "Keystone answers 500": "no HTTP is between the guard and Keystone",
    "Keystone is down": "it ends with the service",
    "Keystone is restarted": "it ends with the service",
    "Keystone is slow": "no network and no time limit is between the guard and Keystone",
    "the middleware's own token is revoked": "the guard needs no service user",
}
