//! `/v3/projects`

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use keystone_identity::Project;
use keystone_types::{Error, Listing, Result};
use serde_json::{Map, Value, json};

use crate::Live;
use crate::body::{Body, resource};
use crate::context::{Context, Target, no_content};
use crate::failure::{Failure, json_line};

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

pub(crate) fn routes() -> Router<Live> {
    Router::new()
        .route("/v3/projects", get(list).post(create))
        .route(
            "/v3/projects/{project_id}",
            get(show).patch(update).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, Failure> {
    let scope = cx.domain_scope();
    let target = match scope {
        Some(id) => Target::new().with("domain_id", &id)?,
        None => Target::new(),
    };
    let app = cx.allow("identity:list_projects", target).await?;
    let listing = cx.listing(&FILTERS)?;
    let mut narrowed = listing.clone();
    if !cx.has("is_domain") {
        narrowed = narrowed.with("is_domain", "0");
    }
    if let Some(id) = scope {
        narrowed = narrowed.with("domain_id", id);
    }
    cx.collection(&app.identity.projects(&narrowed).await?, &listing)
}

async fn create(cx: Context, body: Body) -> Result<Response, Failure> {
    cx.authenticated()?;
    let mut project = body.required("project")?;
    let app = cx
        .allow(
            "identity:create_project",
            Target::new().with("project", &project)?,
        )
        .await?;
    let is_domain = project.get("is_domain") == Some(&Value::Bool(true));
    let named = project
        .get("domain_id")
        .is_some_and(|id| id.as_str().is_some_and(|id| !id.is_empty()));
    if !is_domain && !named {
        project.insert("domain_id".to_owned(), cx.default_domain()?.into());
    }
    let project: Project = resource(project)?;
    // A parent or domain that does not exist is the request's fault.
    let created = app
        .identity
        .create_project(project)
        .await
        .map_err(|error| match error {
            Error::NotFound { .. } => Error::Validation(error.to_string()),
            other => other,
        })?;
    cx.created(&created)
}

async fn show(cx: Context) -> Result<Response, Failure> {
    let target = target(&cx).await?;
    let app = cx.allow("identity:get_project", target).await?;
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
    let mut member = serde_json::to_value(&project).map_err(Error::internal)?;
    if cx.flag("parents_as_list") {
        member["parents"] = visible(&cx, app.identity.parents(&project.id).await?).await?;
    } else if cx.flag("parents_as_ids") {
        let parents = app.identity.parents(&project.id).await?;
        member["parents"] = parents.iter().rev().fold(
            Value::Null,
            |above, parent| json!({ parent.id.as_str(): above }),
        );
    }
    if cx.flag("subtree_as_list") {
        member["subtree"] = visible(&cx, app.identity.subtree(&project.id).await?).await?;
    } else if cx.flag("subtree_as_ids") {
        member["subtree"] = as_ids(&project.id, &app.identity.subtree(&project.id).await?);
    }
    member["links"] = cx.links::<Project>(&project.id);
    Ok(json_line(StatusCode::OK, &json!({ "project": member })))
}

async fn update(cx: Context, body: Body) -> Result<Response, Failure> {
    let target = target(&cx).await?;
    let app = cx.allow("identity:update_project", target).await?;
    let id = cx.path("project_id");
    let project = app
        .identity
        .update_project(id, body.patch("project", id)?)
        .await?;
    let mut member = cx.linked(&project)?;
    // The reference repeats what no column holds.
    member["extra"] = json!(project.extra);
    Ok(json_line(StatusCode::OK, &json!({ "project": member })))
}

async fn delete(cx: Context) -> Result<Response, Failure> {
    let target = target(&cx).await?;
    let app = cx.allow("identity:delete_project", target).await?;
    app.identity.delete_project(cx.path("project_id")).await?;
    Ok(no_content())
}

/// The project in the path, for rules about it.
pub(super) async fn target(cx: &Context) -> Result<Target> {
    cx.authenticated()?;
    let found = cx.unchecked().identity.project(cx.path("project_id")).await;
    Target::new().maybe("project", found)
}

/// The projects among these on which the caller has a role, each as a member; with their limits, where those are asked for.
async fn visible(cx: &Context, mut projects: Vec<Project>) -> Result<Value> {
    let identity = &cx.unchecked().identity;
    if let Some(token) = cx.token() {
        let caller = &token.subject.user.id;
        let held = identity
            .projects_for_user(caller, &Listing::default())
            .await?
            .items;
        projects.retain(|project| held.iter().any(|held| held.id == project.id));
    }
    let limits = if cx.flag("include_limits") {
        let ids: Vec<String> = projects.iter().map(|project| project.id.clone()).collect();
        Some(identity.limits_of_projects(&ids).await?)
    } else {
        None
    };
    let members = projects.iter().map(|project| {
        let mut member = cx.linked(project)?;
        if let Some(limits) = &limits {
            let own = limits
                .iter()
                .filter(|limit| limit.project_id.as_deref() == Some(&project.id));
            member["limits"] = json!(own.collect::<Vec<_>>());
        }
        Ok(json!({ "project": member }))
    });
    members.collect()
}

/// The tree below a project, as nested ids.
fn as_ids(id: &str, subtree: &[Project]) -> Value {
    let children = subtree
        .iter()
        .filter(|project| project.parent_id.as_deref() == Some(id));
    let children: Map<String, Value> = children
        .map(|child| (child.id.clone(), as_ids(&child.id, subtree)))
        .collect();
    if children.is_empty() {
        Value::Null
    } else {
        Value::Object(children)
    }
}
