"""OS-ENDPOINT-POLICY: which policy is for which endpoint."""

from .cast import CALLERS, NOTHING, ask, delete, get, head, post, scenario
from .policies import policy

BELOW = "policies/{one}/OS-ENDPOINT-POLICY"
OTHER = "policies/{two}/OS-ENDPOINT-POLICY"
FOR = "endpoints/{public}/OS-ENDPOINT-POLICY/policy"


def put(*paths, who="admin"):
    return [ask("PUT", path, who=who) for path in paths]


def found():
    return get(FOR, f"{BELOW}/endpoints", f"{OTHER}/endpoints")


@scenario
def endpoint_policy():
    ways = ("endpoints/{public}", "services/{images}", "services/{images}/regions/north")
    wrong = (f"endpoints/{NOTHING}", f"services/{NOTHING}", f"services/{NOTHING}/regions/north", "services/{images}/regions/nowhere")
    nowhere = [f"policies/{NOTHING}/OS-ENDPOINT-POLICY/{way}" for way in ("endpoints", *ways, *wrong)]
    paths = [f"{BELOW}/{way}" for way in (*ways, *wrong)]
    lists = (FOR, f"endpoints/{NOTHING}/OS-ENDPOINT-POLICY/policy", f"{BELOW}/endpoints")
    return [
        policy("one", blob="1", type="t", name="first"),
        policy("two", blob="2", type="t"),
        post("endpoint", "nowhere", service_id="{images}", interface="internal", url="http://nowhere", name="placeless", enabled=False),
        *get(*lists, *paths, *nowhere),
        *(step for who in CALLERS[1:] for step in put(*paths[:4], *nowhere[1:2], who=who)),
        *put(*paths, *nowhere[1:]),
        *put(*paths),
        *(step for who in CALLERS for step in get(*lists, *paths, *nowhere[:2], who=who)),
        *head(*lists, *paths, *nowhere),
        *(ask("OPTIONS", path) for path in (*lists, *paths[:3])),
        *(ask("POST", path) for path in (*lists, *paths[:3])),
        *(step for who in CALLERS[1:] for step in delete(*paths[:4], *nowhere[1:2], who=who)),
        *delete(*paths, *nowhere[1:]),
        *delete(*paths),
        *get(*lists, *paths),
    ]


@scenario
def endpoint_policy_search():
    """Its own policy, that of its service in its region and in each around it, that of its service."""
    region = "services/{images}/regions"
    return [
        policy("one", blob="1", type="t"),
        policy("two", blob="2", type="t"),
        *found(),
        *put(f"{BELOW}/services/{{images}}"),
        *found(),
        *put(f"{OTHER}/{region}/RegionOne"),
        *found(),
        *put(f"{BELOW}/{region}/north"),
        *found(),
        *put(f"{OTHER}/endpoints/{{public}}"),
        *found(),
        # The other one takes its place.
        *put(f"{BELOW}/endpoints/{{public}}", f"{OTHER}/{region}/north"),
        *found(),
        *get(f"{OTHER}/endpoints/{{public}}", f"{BELOW}/endpoints/{{public}}"),
        # What the other one has is not this one's to end.
        *delete(f"{OTHER}/endpoints/{{public}}"),
        *found(),
        *delete(f"{BELOW}/endpoints/{{public}}"),
        *found(),
        *delete(f"{OTHER}/{region}/north"),
        *found(),
        ask("PATCH", "regions/north", {"region": {"parent_region_id": None}}),
        *found(),
        ask("PATCH", "endpoints/{public}", {"endpoint": {"region_id": "RegionOne"}}),
        *found(),
        ask("PATCH", "endpoints/{public}", {"endpoint": {"service_id": "{compute}"}}),
        *found(),
        *put(f"{BELOW}/services/{{compute}}"),
        *found(),
    ]
