//! A role assignment as it is served: with links to the grant that it comes from.

use std::collections::HashMap;

use keystone_identity::{Actor, Assignment, GrantTarget, Inheritance, Named, Names};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct Entity<'a> {
    links: Links,
    scope: Scope<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Shown<'a>>,
    role: Shown<'a>,
}

#[derive(Debug, Serialize)]
struct Links {
    #[serde(skip_serializing_if = "Option::is_none")]
    membership: Option<String>,
    assignment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    prior_role: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Scope<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<Domain<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<System>,
    #[serde(
        rename = "OS-INHERIT:inherited_to",
        skip_serializing_if = "Option::is_none"
    )]
    inherited_to: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct System {
    all: bool,
}

/// An id with the names of the resource and of its domain, where they were asked for.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<Domain<'a>>,
}

#[derive(Debug, Serialize)]
struct Domain<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl<'a> Entity<'a> {
    /// An assignment, with names where they were asked for, and URLs that begin with `base`.
    pub(super) fn of(base: &str, item: &'a Assignment, names: Option<&'a Names>) -> Self {
        let (user, group) = match &item.actor {
            Actor::User(id) => (Some(named(id, names.map(|names| &names.users))), None),
            Actor::Group(id) => (None, Some(named(id, names.map(|names| &names.groups)))),
        };
        Self {
            links: links(base, item),
            scope: scope(item, names),
            user,
            group,
            role: role(&item.role_id, names),
        }
    }
}

/// The target that was granted on, which another may inherit from.
fn granted_on(item: &Assignment) -> &GrantTarget {
    item.source.target.as_ref().unwrap_or(&item.target)
}

fn is_inherited(item: &Assignment) -> bool {
    matches!(
        granted_on(item),
        GrantTarget::Project(_, Inheritance::Inherited)
            | GrantTarget::Domain(_, Inheritance::Inherited)
    )
}

fn links(base: &str, item: &Assignment) -> Links {
    let source = &item.source;
    let (actors, actor) = match (&item.actor, &source.group_id) {
        (Actor::User(_), Some(id)) | (Actor::Group(id), _) => ("groups", id),
        (Actor::User(id), None) => ("users", id),
    };
    let (targets, target) = match granted_on(item) {
        GrantTarget::Project(id, _) => ("projects/", id.as_str()),
        GrantTarget::Domain(id, _) => ("domains/", id.as_str()),
        GrantTarget::System => ("system", ""),
    };
    let (inherit, inherited) = if is_inherited(item) {
        ("OS-INHERIT/", "/inherited_to_projects")
    } else {
        ("", "")
    };
    let role = source.prior_role_id.as_ref().unwrap_or(&item.role_id);
    Links {
        membership: match (&item.actor, &source.group_id) {
            (Actor::User(user), Some(group)) => Some(format!("{base}groups/{group}/users/{user}")),
            _ => None,
        },
        assignment: format!(
            "{base}{inherit}{targets}{target}/{actors}/{actor}/roles/{role}{inherited}"
        ),
        // As in `keystone/api/role_assignments.py`, the ids are the wrong way round and the path leads nowhere.
        prior_role: source
            .prior_role_id
            .as_ref()
            .map(|prior| format!("{base}prior_role/{}/implies/{prior}", item.role_id)),
    }
}

fn scope<'a>(item: &'a Assignment, names: Option<&'a Names>) -> Scope<'a> {
    let known = names.map(|names| &names.projects);
    let scope = Scope {
        inherited_to: is_inherited(item).then_some("projects"),
        ..Scope::default()
    };
    match &item.target {
        GrantTarget::Project(id, _) => Scope {
            project: Some(named(id, known)),
            ..scope
        },
        GrantTarget::Domain(id, _) => Scope {
            domain: Some(Domain {
                id,
                name: known.map(|known| known.get(id).map_or("", |named| &named.name)),
            }),
            ..scope
        },
        GrantTarget::System => Scope {
            system: Some(System { all: true }),
            ..scope
        },
    }
}

/// An id with the names of the resource and of its domain, which are empty where the resource is gone.
fn named<'a>(id: &'a str, known: Option<&'a HashMap<String, Named>>) -> Shown<'a> {
    let Some(known) = known else {
        return nameless(id);
    };
    let found = known.get(id);
    Shown {
        id,
        name: Some(found.map_or("", |named| &named.name)),
        domain: Some(Domain {
            id: found
                .and_then(|named| named.domain_id.as_deref())
                .unwrap_or_default(),
            name: Some(
                found
                    .and_then(|named| named.domain_name.as_deref())
                    .unwrap_or_default(),
            ),
        }),
    }
}

/// A role; only one of a domain says which.
fn role<'a>(id: &'a str, names: Option<&'a Names>) -> Shown<'a> {
    let Some(names) = names else {
        return nameless(id);
    };
    let found = names.roles.get(id);
    let domain =
        found.and_then(|named| named.domain_id.as_deref().zip(named.domain_name.as_deref()));
    Shown {
        id,
        name: Some(found.map_or("", |named| &named.name)),
        domain: domain.map(|(id, name)| Domain {
            id,
            name: Some(name),
        }),
    }
}

fn nameless(id: &str) -> Shown<'_> {
    Shown {
        id,
        name: None,
        domain: None,
    }
}
