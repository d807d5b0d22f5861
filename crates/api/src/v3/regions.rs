//! `/v3/regions`, which are listed whole: the schema of the query has no limit and no marker.

use axum::response::Response;
use keystone_catalog::Region;
use keystone_notify::Operation;
use keystone_types::{Error, Result};

use crate::App;
use crate::body::{Body, parse_member};
use crate::context::{Context, no_content};
use crate::error::ApiError;
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/regions", get(list).post(create).renaming())
        .route(
            "/v3/regions/{region_id}",
            get(show).put(put).renaming().patch(update).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:list_regions").await?;
    let listing = cx.listing(ListLimit::Unpaged, &["parent_region_id"])?;
    cx.collection(app.catalog.regions(&listing).await?, &listing)
        .await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_region").await?;
    let region: Region = parse_member(body.member("region")?)?;
    created(&cx, app, region).await
}

/// Creates a region under the id in the path.
async fn put(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_region").await?;
    let mut region = body.member("region")?;
    let id = cx.path("region_id");
    match region.insert("id".to_owned(), id.into()) {
        Some(other) if other != id => {
            let other = other.as_str().unwrap_or("None");
            Err(Error::Validation(format!(
                "Conflicting region IDs specified: \"{id}\" != \"{other}\""
            ))
            .into())
        }
        _ => created(&cx, app, parse_member(region)?).await,
    }
}

async fn created(cx: &Context, app: &App, region: Region) -> Result<Response, ApiError> {
    let created = app.catalog.create_region(region).await?;
    cx.announce(Operation::Created, "region", &created.id);
    cx.created(&created)
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_region").await?;
    cx.member(&app.catalog.region(cx.path("region_id")).await?)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:update_region").await?;
    let id = cx.path("region_id");
    let patch = body.patch("region", id)?;
    let updated = app.catalog.update_region(id, patch).await?;
    cx.announce(Operation::Updated, "region", id);
    cx.member(&updated)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:delete_region").await?;
    let id = cx.path("region_id");
    app.catalog.delete_region(id).await?;
    cx.announce(Operation::Deleted, "region", id);
    Ok(no_content())
}
