//! `/v3/projects/{project_id}/tags`

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use keystone_notify::Operation;
use keystone_types::{Error, Result};
use serde_json::{Value, json};

use super::projects::allow;
use crate::body::Body;
use crate::context::{Context, no_content};
use crate::error::{ApiError, json_line};
use crate::routes::{Routes, get};
use crate::schema;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route(
            "/v3/projects/{project_id}/tags",
            get(list).put(replace).delete(clear),
        )
        .route(
            "/v3/projects/{project_id}/tags/{value}",
            get(check).put(add).delete(remove),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let app = allow(&cx, "identity:list_project_tags").await?;
    let tags = app.identity.project_tags(cx.path("project_id")).await?;
    Ok(answer(&cx, &tags))
}

async fn replace(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = allow(&cx, "identity:update_project_tags").await?;
    let tags = body.value("tags").unwrap_or_else(|| json!({}));
    schema::inline(
        "PUT /v3/projects/{project_id}/tags",
        "project_tags_update",
        &tags,
    )
    .map_err(Error::Validation)?;
    let tags = serde_json::from_value(tags).map_err(Error::internal)?;
    let id = cx.path("project_id");
    let tags = app.identity.set_project_tags(id, tags).await?;
    cx.announce_without_initiator(Operation::Updated, "project", id);
    Ok(answer(&cx, &tags))
}

async fn clear(cx: Context) -> Result<Response, ApiError> {
    let app = allow(&cx, "identity:delete_project_tags").await?;
    let id = cx.path("project_id");
    app.identity.set_project_tags(id, Vec::new()).await?;
    cx.announce_without_initiator(Operation::Updated, "project", id);
    Ok(no_content())
}

async fn check(cx: Context) -> Result<Response, ApiError> {
    let app = allow(&cx, "identity:get_project_tag").await?;
    let (id, tag) = (cx.path("project_id"), cx.path("value"));
    app.identity.check_project_tag(id, tag).await?;
    Ok(no_content())
}

async fn add(cx: Context) -> Result<Response, ApiError> {
    const ROUTE: &str = "PUT /v3/projects/{project_id}/tags/{value}";
    let app = allow(&cx, "identity:create_project_tag").await?;
    let (id, tag) = (cx.path("project_id"), cx.path("value"));
    schema::inline(ROUTE, "project_tag_create", &tag.into()).map_err(Error::Validation)?;
    let mut tags = app.identity.project_tags(id).await?;
    tags.push(tag.to_owned());
    schema::inline(ROUTE, "project_tags_update", &tags.into()).map_err(Error::Validation)?;
    app.identity.add_project_tag(id, tag).await?;
    cx.announce_without_initiator(Operation::Updated, "project", id);
    cx.announce(Operation::Created, "project tag", tag);
    created(&cx.url(&format!("{id}/tags/{tag}")))
}

async fn remove(cx: Context) -> Result<Response, ApiError> {
    let app = allow(&cx, "identity:delete_project_tag").await?;
    let (id, tag) = (cx.path("project_id"), cx.path("value"));
    app.identity.delete_project_tag(id, tag).await?;
    cx.announce_without_initiator(Operation::Updated, "project", id);
    cx.announce_without_initiator(Operation::Deleted, "project tag", tag);
    Ok(no_content())
}

fn answer(cx: &Context, tags: &[String]) -> Response {
    let body: Value = json!({ "links": { "self": cx.root_url() }, "tags": tags });
    json_line(StatusCode::OK, &body)
}

/// An empty page with the location of the tag, in which `keystone/api/projects.py` leaves out `projects/`.
fn created(url: &str) -> Result<Response, ApiError> {
    let location = HeaderValue::from_str(&ascii(url)).map_err(Error::internal)?;
    let mut response = StatusCode::CREATED.into_response();
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    Ok(response)
}

/// A URL as it is where it can be sent, else encoded.
fn ascii(url: &str) -> String {
    const ESCAPED: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'<')
        .add(b'>')
        .add(b'[')
        .add(b'\\')
        .add(b']')
        .add(b'^')
        .add(b'`')
        .add(b'{')
        .add(b'|')
        .add(b'}');
    if url.bytes().all(|byte| byte.is_ascii_graphic()) {
        // An empty query goes.
        return url.strip_suffix('?').unwrap_or(url).to_owned();
    }
    percent_encoding::utf8_percent_encode(url, ESCAPED).to_string()
}
