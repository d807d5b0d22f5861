//! `/v3/roles`. A role of a domain has rules of its own.

use axum::response::Response;
use keystone_identity::Role;
use keystone_notify::Operation;
use keystone_types::Result;

use crate::App;
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
    let app = if role.domain_id.is_some() {
        let target = PolicyTarget::new().with("role", &attributes)?;
        cx.allow_on("identity:create_domain_role", target).await?
    } else {
        cx.allow("identity:create_role").await?
    };
    let created = app.identity.create_role(role).await?;
    cx.announce(Operation::Created, "role", &created.id);
    cx.created(&created)
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let rules = ["identity:get_role", "identity:get_domain_role"];
    let (_, role) = allowed(&cx, rules).await?;
    cx.member(&role)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let rules = ["identity:update_role", "identity:update_domain_role"];
    let (app, role) = allowed(&cx, rules).await?;
    let patch = body.patch("role", &role.id)?;
    let updated = app.identity.update_role(&role.id, patch).await?;
    cx.announce(Operation::Updated, "role", &role.id);
    cx.member(&updated)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let rules = ["identity:delete_role", "identity:delete_domain_role"];
    let (app, role) = allowed(&cx, rules).await?;
    app.identity.delete_role(&role.id).await?;
    cx.announce(Operation::Deleted, "role", &role.id);
    Ok(no_content())
}

/// The role in the path, if the rule for global roles, or that for roles of a domain, allows it. Which one applies depends
/// on the role, so it is looked up first.
async fn allowed<'a>(
    cx: &'a Context,
    [global, of_domain]: [&'static str; 2],
) -> Result<(&'a App, Role)> {
    cx.authenticated()?;
    let role = cx.unchecked().role(cx.path("role_id")).await?;
    let target = PolicyTarget::new().with("role", &role)?;
    let asked = if role.domain_id.is_some() {
        of_domain
    } else {
        global
    };
    Ok((cx.allow_on(asked, target).await?, role))
}
