//! `/v3/groups`

use axum::response::Response;
use keystone_identity::Group;
use keystone_types::{Error, Result};
use serde_json::json;

use crate::body::{Body, resource};
use crate::context::{Context, PolicyTarget, no_content};
use crate::error::ApiError;
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/groups", get(list).post(create).renaming())
        .route(
            "/v3/groups/{group_id}",
            get(show).patch(update).delete(delete),
        )
        .route("/v3/groups/{group_id}/users", get(users))
        .route(
            "/v3/groups/{group_id}/users/{user_id}",
            get(check_user).put(add_user).delete(remove_user),
        )
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let scope = cx.domain_scope();
    let target = match scope {
        Some(id) => PolicyTarget::new().with("group", &json!({ "domain_id": id }))?,
        None => PolicyTarget::new(),
    };
    let app = cx.allow_on("identity:list_groups", target).await?;
    let listing = cx.listing(ListLimit::Identity, &["domain_id", "name"])?;
    let narrowed = cx.within_domain(&listing)?;
    cx.collection(app.identity.groups(&narrowed).await?, &listing)
        .await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let mut group = body.member("group")?;
    let app = cx
        .allow_on(
            "identity:create_group",
            PolicyTarget::new().with("group", &group)?,
        )
        .await?;
    if group
        .get("domain_id")
        .is_none_or(|id| id.as_str().is_none_or(str::is_empty))
    {
        group.insert("domain_id".to_owned(), cx.default_domain()?.into());
    }
    let group: Group = resource(group)?;
    cx.created(&app.identity.create_group(group).await?)
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let target = target(&cx).await?;
    let app = cx.allow_on("identity:get_group", target).await?;
    cx.member(&app.identity.group(cx.path("group_id")).await?)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    let target = target(&cx).await?;
    let app = cx.allow_on("identity:update_group", target).await?;
    let id = cx.path("group_id");
    cx.member(
        &app.identity
            .update_group(id, body.patch("group", id)?)
            .await?,
    )
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let id = cx.path("group_id");
    let found = cx.unchecked().group(id);
    let app = cx.allow_found("identity:delete_group", found).await?;
    app.identity.delete_group(id).await?;
    Ok(no_content())
}

async fn users(cx: Context) -> Result<Response, ApiError> {
    let target = target(&cx).await?;
    let app = cx.allow_on("identity:list_users_in_group", target).await?;
    let listing = cx.listing(
        ListLimit::Identity,
        &["domain_id", "enabled", "name", "password_expires_at"],
    )?;
    let narrowed = match cx.domain_scope() {
        Some(id) => listing.clone().with("domain_id", id),
        None => listing.clone(),
    };
    cx.collection(
        app.identity
            .users_in_group(cx.path("group_id"), &narrowed)
            .await?,
        &listing,
    )
    .await
}

async fn check_user(cx: Context) -> Result<Response, ApiError> {
    let target = membership_target(&cx).await?;
    let app = cx.allow_on("identity:check_user_in_group", target).await?;
    app.identity
        .check_user_in_group(cx.path("user_id"), cx.path("group_id"))
        .await?;
    Ok(no_content())
}

async fn add_user(cx: Context) -> Result<Response, ApiError> {
    let target = membership_target(&cx).await?;
    let app = cx.allow_on("identity:add_user_to_group", target).await?;
    app.identity
        .add_user_to_group(cx.path("user_id"), cx.path("group_id"))
        .await?;
    Ok(no_content())
}

async fn remove_user(cx: Context) -> Result<Response, ApiError> {
    let target = membership_target(&cx).await?;
    let app = cx
        .allow_on("identity:remove_user_from_group", target)
        .await?;
    app.identity
        .remove_user_from_group(cx.path("user_id"), cx.path("group_id"))
        .await?;
    Ok(no_content())
}

async fn target(cx: &Context) -> Result<PolicyTarget, Error> {
    cx.authenticated()?;
    PolicyTarget::new().maybe("group", cx.unchecked().group(cx.path("group_id")).await)
}

async fn membership_target(cx: &Context) -> Result<PolicyTarget, Error> {
    target(cx)
        .await?
        .maybe("user", cx.unchecked().user(cx.path("user_id")).await)
}
