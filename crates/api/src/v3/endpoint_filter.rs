//! `/v3/OS-EP-FILTER`: endpoint groups, and which project sees which endpoints.
//!
//! The groups are listed whole: the schema of the query has no limit and no marker.

use axum::http::StatusCode;
use axum::response::Response;
use keystone_catalog::{Catalog, EndpointGroup};
use keystone_types::Result;
use serde_json::{Value, json};

use crate::body::{Body, resource};
use crate::context::{Context, no_content};
use crate::error::{ApiError, json_line};
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/OS-EP-FILTER/endpoint_groups", get(list).post(create))
        .route(
            "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}",
            get(show).patch(update).delete(delete),
        )
        .route(
            "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/endpoints",
            get(endpoints_in_group),
        )
        .route(
            "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects",
            get(projects_of_group),
        )
        .route(
            "/v3/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}/projects/{project_id}",
            get(show_group_in_project)
                .put(add_group_to_project)
                .delete(remove_group_from_project),
        )
        .route(
            "/v3/OS-EP-FILTER/endpoints/{endpoint_id}/projects",
            get(projects_of_endpoint),
        )
        .route(
            "/v3/OS-EP-FILTER/projects/{project_id}/endpoint_groups",
            get(groups_of_project),
        )
        .route(
            "/v3/OS-EP-FILTER/projects/{project_id}/endpoints",
            get(endpoints_of_project),
        )
        .route(
            "/v3/OS-EP-FILTER/projects/{project_id}/endpoints/{endpoint_id}",
            get(check_endpoint_in_project)
                .put(add_endpoint_to_project)
                .delete(remove_endpoint_from_project),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:list_endpoint_groups").await?;
    let listing = cx.listing(ListLimit::Unpaged, &["name"])?;
    cx.collection(app.catalog.endpoint_groups(&listing).await?, &listing)
        .await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_endpoint_group").await?;
    let mut group = body.member("endpoint_group")?;
    // The schema lets a body without a group through, and then the filters are what is missing.
    group.entry("name").or_insert_with(|| "".into());
    group.entry("filters").or_insert_with(|| json!({}));
    let group: EndpointGroup = resource(group)?;
    cx.created(&app.catalog.create_endpoint_group(group).await?)
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_endpoint_group").await?;
    cx.member(
        &app.catalog
            .endpoint_group(cx.path("endpoint_group_id"))
            .await?,
    )
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:update_endpoint_group").await?;
    let id = cx.path("endpoint_group_id");
    let patch = body.member("endpoint_group")?;
    cx.member(&app.catalog.update_endpoint_group(id, patch).await?)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:delete_endpoint_group").await?;
    let id = cx.path("endpoint_group_id");
    app.catalog.delete_endpoint_group(id).await?;
    Ok(no_content())
}

async fn endpoints_in_group(cx: Context) -> Result<Response, ApiError> {
    let rule = "identity:list_endpoints_associated_with_endpoint_group";
    let app = cx.allow(rule).await?;
    let id = cx.path("endpoint_group_id");
    cx.paginate(app.catalog.endpoints_in_group(id).await?).await
}

async fn projects_of_group(cx: Context) -> Result<Response, ApiError> {
    let rule = "identity:list_projects_associated_with_endpoint_group";
    let app = cx.allow(rule).await?;
    let id = cx.path("endpoint_group_id");
    cx.paginate(app.identity.projects_of_endpoint_group(id).await?)
        .await
}

async fn show_group_in_project(cx: Context) -> Result<Response, ApiError> {
    let rule = "identity:get_endpoint_group_in_project";
    let (catalog, group, project) = group_and_project(&cx, rule).await?;
    let (group, project) = catalog.endpoint_group_in_project(group, project).await?;
    Ok(json_line(StatusCode::OK, &association(&group, &project)))
}

async fn add_group_to_project(cx: Context) -> Result<Response, ApiError> {
    let rule = "identity:add_endpoint_group_to_project";
    let (catalog, group, project) = group_and_project(&cx, rule).await?;
    catalog
        .add_endpoint_group_to_project(group, project)
        .await?;
    Ok(no_content())
}

async fn remove_group_from_project(cx: Context) -> Result<Response, ApiError> {
    let rule = "identity:remove_endpoint_group_from_project";
    let (catalog, group, project) = group_and_project(&cx, rule).await?;
    catalog
        .remove_endpoint_group_from_project(group, project)
        .await?;
    Ok(no_content())
}

async fn projects_of_endpoint(cx: Context) -> Result<Response, ApiError> {
    let rule = "identity:list_projects_for_endpoint";
    let app = cx.allow(rule).await?;
    let projects = app.identity.projects_of_endpoint(cx.path("endpoint_id"));
    cx.paginate(projects.await?).await
}

async fn groups_of_project(cx: Context) -> Result<Response, ApiError> {
    let rule = "identity:list_endpoint_groups_for_project";
    let app = cx.allow(rule).await?;
    let groups = app
        .catalog
        .endpoint_groups_of_project(cx.path("project_id"));
    cx.paginate(groups.await?).await
}

async fn endpoints_of_project(cx: Context) -> Result<Response, ApiError> {
    let rule = "identity:list_endpoints_for_project";
    let app = cx.allow(rule).await?;
    let endpoints = app.catalog.endpoints_of_project(cx.path("project_id"));
    cx.paginate(endpoints.await?).await
}

async fn check_endpoint_in_project(cx: Context) -> Result<Response, ApiError> {
    let rule = "identity:check_endpoint_in_project";
    let (catalog, endpoint, project) = endpoint_and_project(&cx, rule).await?;
    catalog.check_endpoint_in_project(endpoint, project).await?;
    Ok(no_content())
}

async fn add_endpoint_to_project(cx: Context) -> Result<Response, ApiError> {
    let rule = "identity:add_endpoint_to_project";
    let (catalog, endpoint, project) = endpoint_and_project(&cx, rule).await?;
    catalog.add_endpoint_to_project(endpoint, project).await?;
    Ok(no_content())
}

async fn remove_endpoint_from_project(cx: Context) -> Result<Response, ApiError> {
    let rule = "identity:remove_endpoint_from_project";
    let (catalog, endpoint, project) = endpoint_and_project(&cx, rule).await?;
    catalog
        .remove_endpoint_from_project(endpoint, project)
        .await?;
    Ok(no_content())
}

/// A catalog with a group, or an endpoint, and a project.
type InProject<'a> = (&'a Catalog, &'a str, &'a str);

/// The group and the project of the path, if the rule allows the action.
async fn group_and_project<'a>(cx: &'a Context, rule: &'static str) -> Result<InProject<'a>> {
    let app = cx.allow(rule).await?;
    let (group, project) = (cx.path("endpoint_group_id"), cx.path("project_id"));
    Ok((&app.catalog, group, project))
}

/// The endpoint and the project of the path, if the rule allows the action.
async fn endpoint_and_project<'a>(cx: &'a Context, rule: &'static str) -> Result<InProject<'a>> {
    let app = cx.allow(rule).await?;
    let (endpoint, project) = (cx.path("endpoint_id"), cx.path("project_id"));
    Ok((&app.catalog, endpoint, project))
}

/// As in `keystone/api/os_ep_filter.py`, the only resource whose link is not a URL.
fn association(group: &str, project: &str) -> Value {
    json!({ "project_endpoint_group": {
        "endpoint_group_id": group,
        "project_id": project,
        "links": { "self": format!("/OS-EP-FILTER/endpoint_groups/{group}/projects/{project}") },
    } })
}
