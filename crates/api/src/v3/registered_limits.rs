//! `/v3/registered_limits`

use axum::http::StatusCode;
use axum::response::Response;
use keystone_identity::RegisteredLimit;
use keystone_types::Result;
use serde_json::json;

use crate::body::Body;
use crate::context::{Context, no_content};
use crate::error::{ApiError, json_line};
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/registered_limits", get(list).post(create))
        .route(
            "/v3/registered_limits/{registered_limit_id}",
            get(show).patch(update).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:list_registered_limits").await?;
    let listing = cx.listing(
        ListLimit::Client,
        &["service_id", "region_id", "resource_name"],
    )?;
    cx.collection(app.identity.registered_limits(&listing).await?, &listing)
        .await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_registered_limits").await?;
    let limits = body.members::<RegisteredLimit>("registered_limits")?;
    let limits = app.identity.create_registered_limits(limits).await?;
    let limits: Vec<_> = limits
        .iter()
        .map(|limit| cx.linked(limit))
        .collect::<Result<_>>()?;
    let body = json!({ "registered_limits": limits });
    Ok(json_line(StatusCode::CREATED, &body))
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_registered_limit").await?;
    let id = cx.path("registered_limit_id");
    cx.member(&app.identity.registered_limit(id).await?)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:update_registered_limit").await?;
    let id = cx.path("registered_limit_id");
    let patch = body.patch("registered_limit", id)?;
    cx.member(&app.identity.update_registered_limit(id, patch).await?)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:delete_registered_limit").await?;
    let id = cx.path("registered_limit_id");
    app.identity.delete_registered_limit(id).await?;
    Ok(no_content())
}
