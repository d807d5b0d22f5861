//! `/v3/registered_limits`

use axum::response::Response;
use keystone_identity::RegisteredLimit;
use keystone_types::Result;

use crate::body::Body;
use crate::context::{Context, filters, no_content};
use crate::error::ApiError;
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
    const RULE: &str = "identity:list_registered_limits";
    let app = cx.allow(RULE).await?;
    let listing = cx.listing(ListLimit::Client, filters(RULE))?;
    cx.collection(app.identity.registered_limits(&listing).await?, &listing)
        .await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_registered_limits").await?;
    let limits = body.members::<RegisteredLimit>("registered_limits")?;
    cx.all_created(&app.identity.create_registered_limits(limits).await?)
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
