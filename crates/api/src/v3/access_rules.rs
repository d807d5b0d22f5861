//! `/v3/users/{user_id}/access_rules`: what application credentials may do.

use axum::response::Response;
use keystone_notify::Operation;
use keystone_types::Result;

use super::application_credentials::check_delegation;
use crate::context::{Context, PolicyTarget, no_content};
use crate::error::ApiError;
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/users/{user_id}/access_rules", get(list))
        .route(
            "/v3/users/{user_id}/access_rules/{access_rule_id}",
            get(show).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let target = target(&cx).await?;
    let app = cx.allow_on("identity:list_access_rules", target).await?;
    check_delegation(&cx)?;
    let listing = cx.listing(ListLimit::Client, &["service", "path", "method"])?;
    let rules = app.auth.access_rules(cx.path("user_id"), &listing);
    cx.collection(rules.await?, &listing).await
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let target = target(&cx).await?;
    let app = cx.allow_on("identity:get_access_rule", target).await?;
    check_delegation(&cx)?;
    let (user_id, id) = (cx.path("user_id"), cx.path("access_rule_id"));
    cx.member(&app.auth.access_rule(user_id, id).await?)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let target = target(&cx).await?;
    let app = cx.allow_on("identity:delete_access_rule", target).await?;
    check_delegation(&cx)?;
    let (user_id, id) = (cx.path("user_id"), cx.path("access_rule_id"));
    app.auth.delete_access_rule(user_id, id).await?;
    cx.announce(Operation::Deleted, "access_rule", id);
    Ok(no_content())
}

async fn target(cx: &Context) -> Result<PolicyTarget> {
    cx.authenticated()?;
    let found = cx.unchecked().user(cx.path("user_id")).await;
    PolicyTarget::new().maybe("user", found)
}
