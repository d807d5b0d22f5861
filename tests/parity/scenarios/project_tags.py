"""Tags of projects, and lists by them."""

from .cast import CALLERS, NOTHING, ask, delete, get, head, patch, post, scenario


def put(path, *tags, who="admin"):
    return ask("PUT", f"projects/{path}/tags", {"tags": list(tags)}, who)


@scenario
def project_tags():
    many = [f"tag {number}" for number in range(81)]
    bodies = ({}, {"tags": None}, {"tags": "a"}, {"tags": {}}, {"tags": [5]}, {"tags": [None]}, {"tags": [""]})
    bodies += ({"tags": ["a,b"]}, {"tags": ["a/b"]}, {"tags": ["a", "a"]}, {"tags": ["x" * 255]}, {"tags": ["x" * 256]})
    bodies += ({"tags": [" a "]}, {"tags": ["B", "é", "☃", "a b"]}, {"tags": ["a"], "other": 1}, {"project": {"tags": ["a"]}})
    bodies += ({"tags": ["!", "?", "#", "a:b", "tab\there", "line\nend"]}, {"tags": []}, {"tags": many}, {"tags": many[:80]})
    single = ("a", "a", "b%20c", "a,b", "A%2Cb", "x" * 255, "x" * 256, "%C3%A9%E2%98%83", "what%3F", "a%23b", "a:b", "%20a2%20", "=")
    one = "projects/{demo}/tags"
    return [
        *get(one, f"{one}?name=a", "projects/{works}/tags", f"projects/{NOTHING}/tags", "projects/default/tags"),
        *head(one, f"{one}/a", f"{one}/z", f"projects/{NOTHING}/tags"),
        *get(f"{one}/a", f"{one}/A", f"{one}/z", f"projects/{NOTHING}/tags/a"),
        *(
            step
            for who in CALLERS
            for project in ("{demo}", "{works}", NOTHING)
            for step in (
                put(project, "a", "w", who=who),
                *get(f"projects/{project}/tags", f"projects/{project}/tags/w", f"projects/{project}/tags/z", who=who),
                ask("PUT", f"projects/{project}/tags/by {who}", who=who),
                *delete(f"projects/{project}/tags/w", f"projects/{project}/tags/z", f"projects/{project}/tags", who=who),
            )
        ),
        *(step for body in bodies for step in (ask("PUT", one, body), *get(one))),
        ask("PUT", f"{one}/one-too-many"),
        ask("PUT", f"{one}/tag 0"),
        *delete(one, one),
        *get(one),
        *(step for tag in single for step in (ask("PUT", f"{one}/{tag}"), *get(f"{one}/{tag}"))),
        ask("PUT", f"{one}/body", {"tags": ["ignored"]}),
        *get(one, "projects/{demo}"),
        *delete(f"{one}/a", f"{one}/a", f"{one}/b%20c", f"{one}/%C3%A9%E2%98%83"),
        *get(one),
        # Of a domain.
        put("{acme}", "domestic"),
        ask("PUT", "projects/{acme}/tags/foreign"),
        *get("projects/{acme}/tags", "domains/{acme}"),
        *delete("projects/{acme}/tags/foreign", "projects/{acme}/tags"),
        # Nothing changes in what is immutable.
        *patch("project", "projects/{demo}", {"tags": ["kept"], "options": {"immutable": True}}),
        put("{demo}", "other"),
        ask("PUT", f"{one}/other"),
        *delete(f"{one}/kept", f"{one}/nothing", one),
        *get(one, f"{one}/kept"),
        # A change counts as enabling.
        ask("PATCH", "projects/{grandchild}", {"project": {"enabled": False}}),
        ask("PATCH", "projects/{child}", {"project": {"enabled": False}}),
        put("{grandchild}", "a"),
        ask("PUT", "projects/{grandchild}/tags/b"),
        *delete("projects/{grandchild}/tags"),
        ask("PATCH", "projects/{grandchild}", {"project": {"description": "new"}}),
        ask("PATCH", "projects/{grandchild}", {"project": {"description": "new", "enabled": False}}),
    ]


@scenario
def projects_by_tag():
    tagged = {"t0": [], "t1": ["red"], "t2": ["red", "green"], "t3": ["red", "green", "blue"], "t4": ["blue"], "t5": ["RED"]}
    tagged["t6"] = ["a b", "é"]
    kinds = ("tags", "tags-any", "not-tags", "not-tags-any")
    values = ("red", "green", "red,green", "green,red", "red,blue", "red,red", "none", "red,none", "", "red,", ",", "a%20b", "%C3%A9", "r")
    pairs = (("tags", "tags-any"), ("tags", "not-tags"), ("tags", "not-tags-any"), ("tags-any", "not-tags-any"), ("tags-any", "not-tags"))
    return [
        *(post("project", name, name=name, domain_id="default", tags=tags) for name, tags in tagged.items()),
        *get(*(f"projects?domain_id=default&{kind}={value}" for kind in kinds for value in values)),
        *get(*(f"projects?{one}=red&{other}=green" for one, other in pairs)),
        *get("projects?tags=red&name=t2", "projects?tags=red&name__contains=3", "projects?tags=red&tags=green"),
        *get("projects?tags__contains=red", "projects?tags-any=red&enabled=false", "projects?tags=" + "x" * 256),
        *(step for who in CALLERS for step in get("projects?tags=red", "projects?not-tags=red", who=who)),
    ]
