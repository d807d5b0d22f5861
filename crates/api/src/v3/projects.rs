//! `/v3/projects`

use std::collections::HashMap;

use axum::http::StatusCode;
use axum::response::Response;
use keystone_identity::{Identity, Limit, Project, Relatives};
use keystone_notify::Operation;
use keystone_types::{Error, Listing, Result, to_python_json};
use serde_json::{Value, json};

use crate::App;
use crate::body::{Body, resource};
use crate::context::{Context, PolicyTarget, linked, no_content};
use crate::error::{ApiError, json_line, json_response};
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

const FILTERS: [&str; 9] = [
    "domain_id",
    "enabled",
    "name",
    "parent_id",
    "is_domain",
    "tags",
    "tags-any",
    "not-tags",
    "not-tags-any",
];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/projects", get(list).post(create).renaming())
        .route(
            "/v3/projects/{project_id}",
            get(show).patch(update).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let scope = cx.domain_scope();
    let target = PolicyTarget::new().with_some("domain_id", scope)?;
    let app = cx.allow_on("identity:list_projects", target).await?;
    let listing = cx.listing(ListLimit::Resource, &FILTERS)?;
    let projects = (!cx.has("is_domain")).then_some("0");
    let narrowed = listing.within("is_domain", projects);
    let narrowed = narrowed.within("domain_id", scope);
    let read = |identity: Identity, page: Listing| async move { identity.projects(&page).await };
    cx.long_collection_or_all(&app.identity, narrowed, read)
        .await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    cx.authenticated()?;
    let mut project = body.required("project")?;
    let target = PolicyTarget::new().with("project", &project)?;
    let app = cx.allow_on("identity:create_project", target).await?;
    if project.get("is_domain") != Some(&Value::Bool(true)) {
        cx.add_default_domain(&mut project)?;
    }
    let project: Project = resource(project)?;
    let created = app.identity.create_project(project).await?;
    cx.announce_project(Operation::Created, &created.id, created.is_domain);
    cx.created(&created)
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let app = allow(&cx, "identity:get_project").await?;
    let project = app.identity.project(cx.path("project_id")).await?;
    for (list, ids) in [
        ("parents_as_list", "parents_as_ids"),
        ("subtree_as_list", "subtree_as_ids"),
    ] {
        if cx.flag(list) && cx.flag(ids) {
            return Err(Error::Validation(format!(
                "Cannot use {list} and {ids} query params at the same time."
            ))
            .into());
        }
    }
    let parents = if cx.flag("parents_as_list") {
        let parents = app.identity.parents(&project.id).await?;
        Some(as_list(&cx, app, &project.id, Relatives::Ancestors, parents).await?)
    } else if cx.flag("parents_as_ids") {
        Some(as_ids(&cx, app, &project, Relatives::Ancestors).await?)
    } else {
        None
    };
    let subtree = if cx.flag("subtree_as_list") {
        let subtree = app.identity.subtree(&project.id).await?;
        Some(as_list(&cx, app, &project.id, Relatives::Descendants, subtree).await?)
    } else if cx.flag("subtree_as_ids") {
        Some(as_ids(&cx, app, &project, Relatives::Descendants).await?)
    } else {
        None
    };
    let mut member = cx.linked(&project)?;
    let mut text = String::new();
    for (name, relatives) in [("parents", parents), ("subtree", subtree)] {
        if let (Some(relatives), Some(members)) = (relatives, member.as_object_mut()) {
            members.shift_remove(name);
            text = format!("{text}, \"{name}\": {relatives}");
        }
    }
    let mut member = to_python_json(&member);
    // Before the brace at the end.
    member.insert_str(member.len() - 1, &text);
    let text = format!("{{\"project\": {member}}}\n");
    Ok(json_response(StatusCode::OK, text))
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = allow(&cx, "identity:update_project").await?;
    let id = cx.path("project_id");
    let patch = body.patch("project", id)?;
    let project = app.identity.update_project(id, patch).await?;
    cx.announce_project(Operation::Updated, id, project.is_domain);
    let mut member = cx.linked(&project)?;
    // Keystone repeats what no column holds.
    member["extra"] = json!(project.extra);
    Ok(json_line(StatusCode::OK, &json!({ "project": member })))
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let app = allow(&cx, "identity:delete_project").await?;
    let id = cx.path("project_id");
    let deleted = app.identity.delete_project(id).await?;
    cx.announce_deleted(deleted.as_deref().unwrap_or_default());
    cx.announce_project(Operation::Deleted, id, deleted.is_some());
    Ok(no_content())
}

/// Lets the caller through if the rule allows it on the project in the path, which may be missing.
pub(super) async fn allow<'a>(cx: &'a Context, rule: &'static str) -> Result<&'a App> {
    cx.authenticated()?;
    let found = cx.unchecked().project(cx.path("project_id")).await;
    cx.allow_on(rule, PolicyTarget::new().maybe("project", found)?)
        .await
}

/// The projects among these on which the caller has a role, each as a member; with their limits, where those are asked for.
async fn as_list(
    cx: &Context,
    app: &App,
    id: &str,
    relatives: Relatives,
    mut projects: Vec<Project>,
) -> Result<String> {
    let identity = &app.identity;
    if let Some(holder) = cx.caller().holder() {
        let held = identity.project_ids_of(holder).await?;
        projects.retain(|project| held.contains(&project.id));
    }
    let limits = if cx.flag("include_limits") {
        Some(identity.limits_of_relatives(id, relatives).await?)
    } else {
        None
    };
    let (count, base) = (projects.len(), cx.url(""));
    let render = move || {
        let mut own: HashMap<String, Vec<Limit>> = HashMap::new();
        let limited = limits.is_some();
        for limit in limits.into_iter().flatten() {
            let id = limit.project_id.clone().unwrap_or_default();
            own.entry(id).or_default().push(limit);
        }
        let members = projects.into_iter().map(|project| {
            let mut member = linked(&project, &base)?;
            if limited {
                member["limits"] = json!(own.remove(&project.id).unwrap_or_default());
            }
            Ok(to_python_json(&json!({ "project": member })))
        });
        let members: Vec<String> = members.collect::<Result<_>>()?;
        Ok(format!("[{}]", members.join(", ")))
    };
    cx.bulk(count, render).await
}

/// The projects above or below one as nested ids.
async fn as_ids(
    cx: &Context,
    app: &App,
    project: &Project,
    relatives: Relatives,
) -> Result<String> {
    let mut rows = app.identity.relative_ids(&project.id, relatives).await?;
    if relatives == Relatives::Ancestors {
        rows.push((project.id.clone(), project.parent_id.clone()));
    }
    let (count, id) = (rows.len(), project.id.clone());
    let render = move || {
        let mut within: HashMap<String, Vec<String>> = HashMap::new();
        for (project, parent) in rows {
            let (outer, inner) = match (relatives, parent) {
                (Relatives::Descendants, Some(parent)) => (parent, project),
                (Relatives::Ancestors, Some(parent)) => (project, parent),
                (_, None) => continue,
            };
            within.entry(outer).or_default().push(inner);
        }
        Ok(nested(id, within))
    };
    cx.bulk(count, render).await
}

/// Renders a tree of ids as `{"…": {"…": null}}`, in linear time and without recursion.
fn nested(top: String, mut within: HashMap<String, Vec<String>>) -> String {
    let mut text = String::new();
    let mut open: Vec<std::vec::IntoIter<String>> = Vec::new();
    let mut id = top;
    loop {
        // Removed, so that a cycle in corrupt rows ends.
        match within.remove(&id) {
            Some(inner) => {
                text.push('{');
                open.push(inner.into_iter());
            }
            None => text.push_str("null"),
        }
        loop {
            let Some(rest) = open.last_mut() else {
                return text;
            };
            if let Some(next) = rest.next() {
                let comma = if text.ends_with('{') { "" } else { ", " };
                text = text + comma + &to_python_json(&next.as_str().into()) + ": ";
                id = next;
                break;
            }
            text.push('}');
            open.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(edges: &[(&str, &[&str])]) -> HashMap<String, Vec<String>> {
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let edges = edges.iter();
        edges
            .map(|(id, within)| ((*id).to_owned(), owned(within)))
            .collect()
    }

    #[test]
    fn ids_nest_as_projects_do() {
        let tree = edges(&[("a", &["b", "c"]), ("c", &["d\""])]);
        let text = nested("a".to_owned(), tree);
        assert_eq!(text, r#"{"b": null, "c": {"d\"": null}}"#);
        assert_eq!(nested("a".to_owned(), HashMap::new()), "null");
    }

    #[test]
    fn a_circle_of_projects_ends() {
        let circle = edges(&[("a", &["b"]), ("b", &["a"])]);
        assert_eq!(nested("a".to_owned(), circle), r#"{"b": {"a": null}}"#);
    }

    #[test]
    fn no_depth_is_too_deep_and_no_breadth_too_broad() {
        let chain = (0..70_000).map(|n| (n.to_string(), vec![(n + 1).to_string()]));
        let text = nested("0".to_owned(), chain.collect());
        assert_eq!(text.matches('{').count(), 70_000);
        let children = (0..70_000).map(|n| n.to_string()).collect();
        let text = nested(
            "top".to_owned(),
            HashMap::from([("top".to_owned(), children)]),
        );
        assert_eq!(text.matches("null").count(), 70_000);
    }
}
