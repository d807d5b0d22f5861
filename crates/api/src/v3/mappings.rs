//! `/v3/OS-FEDERATION/mappings`

use axum::response::Response;
use keystone_federation::StoredMapping;
use keystone_types::{Resource, Result};
use serde_json::{Value, json};

use crate::body::Body;
use crate::context::{Context, no_content};
use crate::error::ApiError;
use crate::listing::ListLimit;
use crate::routes::{Routes, get, mismatch};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route(
            "/v3/OS-FEDERATION/mappings",
            get(list)
                .put(mismatch(
                    "MappingResource.put() missing 1 required positional argument: 'mapping_id'",
                ))
                .patch(mismatch(
                    "MappingResource.patch() missing 1 required positional argument: 'mapping_id'",
                ))
                .delete(mismatch(
                    "MappingResource.delete() missing 1 required positional argument: 'mapping_id'",
                )),
        )
        .route(
            "/v3/OS-FEDERATION/mappings/{mapping_id}",
            get(show)
                .put(create)
                .renaming()
                .patch(update)
                .renaming()
                .delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:list_mappings").await?;
    let listing = cx.listing(ListLimit::Client, &[])?;
    cx.collection(app.federation.stored_mappings(&listing).await?, &listing)
        .await
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_mapping").await?;
    let id = cx.path("mapping_id");
    cx.member(&app.federation.stored_mapping(id).await?)
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_mapping").await?;
    let id = cx.path("mapping_id");
    let mapping = sent(&cx, body);
    cx.created(&app.federation.create_mapping(id, mapping).await?)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:update_mapping").await?;
    let id = cx.path("mapping_id");
    let mapping = sent(&cx, body);
    cx.member(&app.federation.update_mapping(id, mapping).await?)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:delete_mapping").await?;
    app.federation.delete_mapping(cx.path("mapping_id")).await?;
    Ok(no_content())
}

/// The mapping in a body, of which the structure is to be checked. Where it names no version, as a `PATCH` may too, it gets
/// the operator's default, as in `keystone/api/os_federation.py`.
fn sent(cx: &Context, body: Body) -> Value {
    let sent = body.value(StoredMapping::MEMBER);
    let mut mapping = sent.unwrap_or_else(|| json!({}));
    if let Some(attributes) = mapping.as_object_mut() {
        let version = attributes.get("schema_version");
        if !version.is_some_and(keystone_python::is_true) {
            let default = cx.settings().mapping_schema_version.as_str();
            attributes.insert("schema_version".to_owned(), default.into());
        }
    }
    mapping
}
