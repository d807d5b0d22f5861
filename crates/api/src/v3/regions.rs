//! `/v3/regions`, which are listed whole: the schema of the query has no limit and no marker.

use axum::response::Response;
use keystone_catalog::Region;
use keystone_types::{Error, Result};

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
    cx.created(&app.catalog.create_region(region).await?)
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
        _ => cx.created(&app.catalog.create_region(parse_member(region)?).await?),
    }
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_region").await?;
    cx.member(&app.catalog.region(cx.path("region_id")).await?)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:update_region").await?;
    let id = cx.path("region_id");
    let patch = body.patch("region", id)?;
    cx.member(&app.catalog.update_region(id, patch).await?)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:delete_region").await?;
    app.catalog.delete_region(cx.path("region_id")).await?;
    Ok(no_content())
}
