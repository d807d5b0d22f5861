"""Who holds what, in every way to ask for it."""

import itertools

from .cast import CALLERS, NOTHING, ask, get, head, post, scenario

GRANTS = (
    *("projects/{demo}/groups/{staff}/roles/{user}", "projects/{child}/users/{bob}/roles/{member}", "domains/default/users/{bob}/roles/{reader}"),
    *("domains/default/groups/{staff}/roles/{reader}", "system/groups/{staff}/roles/{reader}", "projects/{works}/users/{erin}/roles/{local}"),
    *("projects/{works}/groups/{crew}/roles/{manager}", "OS-INHERIT/domains/default/users/{bob}/roles/{member}/inherited_to_projects"),
    "OS-INHERIT/domains/{acme}/groups/{crew}/roles/{user}/inherited_to_projects",
    "OS-INHERIT/projects/{demo}/groups/{staff}/roles/{manager}/inherited_to_projects",
)
ACTORS = ("", "user.id={alice}", "user.id={bob}", "user.id={carol}", "group.id={staff}", f"user.id={NOTHING}")
SCOPES = ("", "scope.project.id={demo}", "scope.project.id={grandchild}", "scope.project.id={works}", "scope.domain.id=default", "scope.domain.id={acme}")
SCOPES += ("scope.system=all", f"scope.project.id={NOTHING}")


def asked(*parts):
    return "role_assignments" + ("?" if any(parts) else "") + "&".join(part for part in parts if part)


def stage():
    return [*(ask("PUT", grant) for grant in GRANTS), post("role", "deep", name="deep"), ask("PUT", "roles/{user}/implies/{deep}")]


@scenario
def role_assignments():
    ways = ("", "effective", "include_names", "effective&include_names")
    plain = [asked(*parts) for parts in itertools.product(ACTORS, SCOPES, ("", "effective"))]
    # Two things are missing at once: Keystone tells of the project, this server of the user.
    plain.remove(asked(f"user.id={NOTHING}", f"scope.project.id={NOTHING}", "effective"))
    named = [asked(*parts) for parts in itertools.product(ACTORS[:3], SCOPES[:5:2], ways[2:])]
    return [*stage(), *get(*plain, *named)]


@scenario
def role_assignments_narrowed():
    by_role = ("role.id={reader}", "role.id={deep}", "role.id={local}", f"role.id={NOTHING}", "role.id=")
    inherited = ("scope.OS-INHERIT:inherited_to=projects", "scope.OS-INHERIT:inherited_to=x", "scope.OS-INHERIT:inherited_to=")
    whole = ("include_subtree&scope.project.id={demo}", "include_subtree=1&scope.project.id={child}", "include_subtree=0&scope.project.id={demo}")
    odd = ("user.id={alice}&group.id={staff}", "effective&group.id={staff}", "scope.project.id={demo}&scope.domain.id=default", "include_subtree")
    odd += ("scope.system=all&scope.project.id={demo}", "scope.system=all&scope.domain.id=default", "scope.system=x", "scope.system=", "scope.system=ALL")
    odd += ("include_subtree&scope.domain.id=default", "effective&scope.domain.id=default&scope.OS-INHERIT:inherited_to=projects", "unknown=1")
    odd += ("effective=0", "effective=false", "effective=1", "include_names=0", "include_names=false", "user.id=", "group.id=", "scope.project.id=")
    odd += ("scope.domain.id=", "limit=1", "limit=2&effective", "limit=abc", f"marker={NOTHING}", "user=x", "role.id={reader}&role.id={member}")
    odd += ("effective&user.id={alice}&group.id={staff}", "effective&scope.system=all&scope.OS-INHERIT:inherited_to=projects", "user.id__contains=a")
    odd += ("effective&scope.OS-INHERIT:inherited_to=projects&scope.project.id={demo}", "include_names&scope.system=all", "group.id={crew}&include_names")
    return [
        *stage(),
        *get(*(asked(role, scope, way) for role in by_role for scope in ("", "scope.project.id={demo}") for way in ("", "effective"))),
        *get(*(asked(inherit, scope, way) for inherit in inherited for scope in (*SCOPES[:2], *SCOPES[4:7]) for way in ("", "effective"))),
        *get(*(asked(tree, actor, way) for tree in whole for actor in ("", *ACTORS[1:5:3]) for way in ("", "effective", "include_names"))),
        *get(*(asked(query) for query in odd)),
        *(
            step
            for who in CALLERS
            for scope in (*SCOPES[:2], SCOPES[3], *SCOPES[4:], "include_subtree&scope.project.id={demo}", "include_names&user.id={carol}")
            for step in get(asked(scope), who=who)
        ),
        *head("role_assignments", asked("effective"), asked(odd[0])),
        *head("role_assignments", who=None),
        *(ask(method, "role_assignments") for method in ("POST", "PUT", "DELETE", "OPTIONS")),
    ]
