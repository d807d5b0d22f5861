//! `/v3/roles`. A role of a domain has rules of its own.

use axum::response::Response;
use keystone_identity::Role;
use keystone_types::Result;

use crate::body::{Body, resource};
use crate::context::{Context, PolicyTarget, no_content};
use crate::error::ApiError;
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/roles", get(list).post(create).renaming())
        .route(
            "/v3/roles/{role_id}",
            get(show).patch(update).delete(delete),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    if cx.query("domain_id").is_some_and(|id| !id.is_empty()) {
        let app = cx.allow("identity:list_domain_roles").await?;
        let listing = cx.listing(ListLimit::Role, &["name", "domain_id"])?;
        return cx
            .collection(app.identity.roles(&listing).await?, &listing)
            .await;
    }
    let app = cx.allow("identity:list_roles").await?;
    let listing = cx.listing(ListLimit::Role, &["name"])?;
    cx.collection(app.identity.global_roles(&listing).await?, &listing)
        .await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let attributes = body.member("role")?;
    let role: Role = resource(attributes.clone())?;
    let action = rule(&role, "identity:create_role", "identity:create_domain_role");
    let target = if role.domain_id.is_some() {
        PolicyTarget::new().with("role", &attributes)?
    } else {
        PolicyTarget::new()
    };
    let app = cx.allow_on(action, target).await?;
    cx.created(&app.identity.create_role(role).await?)
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let role = load(&cx).await?;
    cx.allow_on(
        rule(&role, "identity:get_role", "identity:get_domain_role"),
        target(&role)?,
    )
    .await?;
    cx.member(&role)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let role = load(&cx).await?;
    let app = cx
        .allow_on(
            rule(&role, "identity:update_role", "identity:update_domain_role"),
            target(&role)?,
        )
        .await?;
    cx.member(
        &app.identity
            .update_role(&role.id, body.patch("role", &role.id)?)
            .await?,
    )
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let role = load(&cx).await?;
    let app = cx
        .allow_on(
            rule(&role, "identity:delete_role", "identity:delete_domain_role"),
            target(&role)?,
        )
        .await?;
    app.identity.delete_role(&role.id).await?;
    Ok(no_content())
}

/// Which rule applies depends on the role, so it is looked up first.
async fn load(cx: &Context) -> Result<Role> {
    cx.authenticated()?;
    cx.unchecked().role(cx.path("role_id")).await
}

fn target(role: &Role) -> Result<PolicyTarget> {
    PolicyTarget::new().with("role", role)
}

fn rule(role: &Role, global: &'static str, of_domain: &'static str) -> &'static str {
    if role.domain_id.is_some() {
        of_domain
    } else {
        global
    }
}
