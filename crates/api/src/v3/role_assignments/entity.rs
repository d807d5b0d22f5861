//! A role assignment as it is served: with links to the grant that it comes from.

use std::collections::HashMap;

use keystone_identity::{Actor, Assignment, GrantTarget, Inheritance, Named, Names};
use serde_json::{Map, Value, json};

/// Renders an assignment, with names where they were asked for, and URLs that begin with `base`.
pub(super) fn render(base: &str, item: &Assignment, names: Option<&Names>) -> Value {
    let mut entity = Map::new();
    entity.insert("links".to_owned(), links(base, item));
    entity.insert("scope".to_owned(), scope(item, names));
    let (kind, id, known) = match &item.actor {
        Actor::User(id) => ("user", id, names.map(|names| &names.users)),
        Actor::Group(id) => ("group", id, names.map(|names| &names.groups)),
    };
    entity.insert(kind.to_owned(), named(id, known));
    entity.insert("role".to_owned(), role(&item.role_id, names));
    Value::Object(entity)
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

fn links(base: &str, item: &Assignment) -> Value {
    let source = &item.source;
    let mut links = Map::new();
    let actor = match (&item.actor, &source.group_id) {
        (Actor::User(user), Some(group)) => {
            let membership = format!("{base}groups/{group}/users/{user}");
            links.insert("membership".to_owned(), membership.into());
            format!("groups/{group}")
        }
        (Actor::User(id), None) => format!("users/{id}"),
        (Actor::Group(id), _) => format!("groups/{id}"),
    };
    let target = match granted_on(item) {
        GrantTarget::Project(id, _) => format!("projects/{id}"),
        GrantTarget::Domain(id, _) => format!("domains/{id}"),
        GrantTarget::System => "system".to_owned(),
    };
    let role = source.prior_role_id.as_ref().unwrap_or(&item.role_id);
    let mut assignment = format!("{target}/{actor}/roles/{role}");
    if is_inherited(item) {
        assignment = format!("OS-INHERIT/{assignment}/inherited_to_projects");
    }
    links.insert(
        "assignment".to_owned(),
        format!("{base}{assignment}").into(),
    );
    if let Some(prior) = &source.prior_role_id {
        // As in `keystone/api/role_assignments.py`, the ids are the wrong way round and the path leads nowhere.
        let url = format!("{base}prior_role/{}/implies/{prior}", item.role_id);
        links.insert("prior_role".to_owned(), url.into());
    }
    Value::Object(links)
}

fn scope(item: &Assignment, names: Option<&Names>) -> Value {
    let known = names.map(|names| &names.projects);
    let mut scope = match &item.target {
        GrantTarget::Project(id, _) => json!({ "project": named(id, known) }),
        GrantTarget::Domain(id, _) => {
            let mut domain = json!({ "id": id });
            if let Some(known) = known {
                domain["name"] = known.get(id).map_or("", |named| &named.name).into();
            }
            json!({ "domain": domain })
        }
        GrantTarget::System => json!({ "system": { "all": true } }),
    };
    if is_inherited(item) {
        scope["OS-INHERIT:inherited_to"] = "projects".into();
    }
    scope
}

/// An id with the names of the resource and of its domain, which are empty where the resource is gone.
fn named(id: &str, known: Option<&HashMap<String, Named>>) -> Value {
    let Some(known) = known else {
        return json!({ "id": id });
    };
    let gone = Named::default();
    let named = known.get(id).unwrap_or(&gone);
    let domain_id = named.domain_id.as_deref().unwrap_or_default();
    let domain_name = named.domain_name.as_deref().unwrap_or_default();
    json!({ "id": id, "name": named.name, "domain": { "id": domain_id, "name": domain_name } })
}

/// A role; only one of a domain says which.
fn role(id: &str, names: Option<&Names>) -> Value {
    let mut role = json!({ "id": id });
    if let Some(names) = names {
        let gone = Named::default();
        let known = names.roles.get(id).unwrap_or(&gone);
        role["name"] = known.name.as_str().into();
        if let (Some(id), Some(name)) = (&known.domain_id, &known.domain_name) {
            role["domain"] = json!({ "id": id, "name": name });
        }
    }
    role
}
