//! `/v3/endpoints`

use axum::response::Response;
use keystone_catalog::Endpoint;
use keystone_notify::Operation;
use keystone_types::Result;

use crate::body::{Body, resource};
use crate::context::{Context, filters, no_content};
use crate::error::ApiError;
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/endpoints", get(list).post(create).renaming())
        .route(
            "/v3/endpoints/{endpoint_id}",
            get(show).patch(update).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    const RULE: &str = "identity:list_endpoints";
    let app = cx.allow(RULE).await?;
    let listing = cx.listing(ListLimit::Catalog, filters(RULE))?;
    cx.collection(app.catalog.endpoints(&listing).await?, &listing)
        .await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_endpoint").await?;
    let endpoint: Endpoint = resource(body.required("endpoint")?)?;
    let created = app.catalog.create_endpoint(endpoint).await?;
    announce(&cx, Operation::Created, &created);
    cx.created(&created)
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_endpoint").await?;
    cx.member(&app.catalog.endpoint(cx.path("endpoint_id")).await?)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:update_endpoint").await?;
    let id = cx.path("endpoint_id");
    let patch = body.patch("endpoint", id)?;
    let updated = app.catalog.update_endpoint(id, patch).await?;
    announce(&cx, Operation::Updated, &updated);
    cx.member(&updated)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:delete_endpoint").await?;
    let id = cx.path("endpoint_id");
    app.catalog.delete_endpoint(id).await?;
    cx.announce(Operation::Deleted, "endpoint", id);
    Ok(no_content())
}

/// Announces an endpoint, behind the region that was created for it.
fn announce(cx: &Context, operation: Operation, endpoint: &Endpoint) {
    if endpoint.region_is_new
        && let Some(region) = &endpoint.region_id
    {
        cx.announce(Operation::Created, "region", region);
    }
    cx.announce(operation, "endpoint", &endpoint.id);
}
