//! `/v3/OS-FEDERATION/service_providers`

use axum::response::Response;
use keystone_federation::{NewServiceProvider, ServiceProvider};
use keystone_types::{Resource, Result};
use serde_json::Value;

use crate::body::{Body, parse_member};
use crate::context::{Context, filters, no_content};
use crate::error::ApiError;
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/OS-FEDERATION/service_providers", get(list))
        .route(
            "/v3/OS-FEDERATION/service_providers/{service_provider_id}",
            get(show).put(create).patch(update).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    const RULE: &str = "identity:list_service_providers";
    let app = cx.allow(RULE).await?;
    let listing = cx.listing(ListLimit::Client, filters(RULE))?;
    cx.collection(app.federation.service_providers(&listing).await?, &listing)
        .await
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_service_provider").await?;
    cx.member(&app.federation.service_provider(id(&cx)).await?)
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:create_service_provider").await?;
    let mut member = body.member(ServiceProvider::MEMBER)?;
    let prefix = cx.settings().relay_state_prefix.as_str();
    let named = member.entry("relay_state_prefix").or_insert(Value::Null);
    if named.is_null() {
        *named = prefix.into();
    }
    let new: NewServiceProvider = parse_member(member)?;
    cx.created(&app.federation.create_service_provider(id(&cx), new).await?)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let app = cx.allow("identity:update_service_provider").await?;
    let patch = body.member(ServiceProvider::MEMBER)?;
    let updated = app.federation.update_service_provider(id(&cx), patch);
    cx.member(&updated.await?)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:delete_service_provider").await?;
    app.federation.delete_service_provider(id(&cx)).await?;
    Ok(no_content())
}

fn id(cx: &Context) -> &str {
    cx.path("service_provider_id")
}
