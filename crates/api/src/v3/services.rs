//! `/v3/services`

use axum::response::Response;
use keystone_catalog::Service;
use keystone_notify::Operation;
use keystone_types::Result;

use crate::body::{Body, resource};
use crate::context::{Context, no_content};
use crate::error::ApiError;
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/services", get(list).post(create).renaming())
        .route(
            "/v3/services/{service_id}",
            get(show).patch(update).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:list_services").await?;
    let listing = cx.listing(ListLimit::Catalog, &["type", "name"])?;
    cx.collection(app.catalog.services(&listing).await?, &listing)
        .await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_service").await?;
    let service: Service = resource(body.required("service")?)?;
    let created = app.catalog.create_service(service).await?;
    cx.announce(Operation::Created, "service", &created.id);
    cx.created(&created)
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_service").await?;
    cx.member(&app.catalog.service(cx.path("service_id")).await?)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:update_service").await?;
    let id = cx.path("service_id");
    let patch = body.patch("service", id)?;
    let updated = app.catalog.update_service(id, patch).await?;
    cx.announce(Operation::Updated, "service", id);
    cx.member(&updated)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:delete_service").await?;
    app.catalog.delete_service(cx.path("service_id")).await?;
    cx.announce(Operation::Deleted, "service", cx.path("service_id"));
    Ok(no_content())
}
