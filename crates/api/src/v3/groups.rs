//! `/v3/groups`

use std::sync::Arc;

use axum::response::Response;
use keystone_identity::{Group, Identity};
use keystone_notify::{Membership, Operation};
use keystone_types::{Listing, Result};
use serde_json::json;

use crate::App;
use crate::body::{Body, resource};
use crate::context::{Context, PolicyTarget, filters, no_content};
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
    let group = cx.domain_scope().map(|id| json!({ "domain_id": id }));
    let target = PolicyTarget::new().with_some("group", group)?;
    let app = cx.allow_on("identity:list_groups", target).await?;
    let listing = cx.listing(ListLimit::Identity, &["domain_id", "name"])?;
    let narrowed = cx.within_domain(&listing)?;
    let own = app.identity.list_limit(narrowed.exact("domain_id")).await?;
    let narrowed = cx.limited_by_backend(narrowed, own);
    let read = |identity: Identity, page: Listing| async move { identity.groups(&page).await };
    cx.long_collection(&app.identity, narrowed, read).await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let mut group = body.member("group")?;
    let target = PolicyTarget::new().with("group", &group)?;
    let app = cx.allow_on("identity:create_group", target).await?;
    cx.add_default_domain(&mut group)?;
    let group: Group = resource(group)?;
    let created = app.identity.create_group(group).await?;
    cx.announce(Operation::Created, "group", &created.id);
    cx.created(&created)
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
    let patch = body.patch("group", id)?;
    let updated = app.identity.update_group(id, patch).await?;
    cx.announce(Operation::Updated, "group", id);
    cx.member(&updated)
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let id = cx.path("group_id");
    let found = cx.unchecked().group(id);
    let app = cx.allow_found("identity:delete_group", found).await?;
    app.identity.delete_group(id).await?;
    cx.announce(Operation::Deleted, "group", id);
    Ok(no_content())
}

async fn users(cx: Context) -> Result<Response, ApiError> {
    const RULE: &str = "identity:list_users_in_group";
    cx.authenticated()?;
    let found = cx.unchecked().group(cx.path("group_id")).await;
    let target = PolicyTarget::new().maybe("group", found)?;
    let app = cx.allow_on(RULE, target).await?;
    let listing = cx.listing(ListLimit::Identity, filters(RULE))?;
    let narrowed = listing.within("domain_id", cx.domain_scope());
    let id: Arc<str> = cx.path("group_id").into();
    let own = app.identity.list_limit_of_group(&id).await?;
    let narrowed = cx.limited_by_backend(narrowed, own);
    let read = move |identity: Identity, page: Listing| {
        let id = Arc::clone(&id);
        async move { identity.users_in_group(&id, &page).await }
    };
    cx.long_collection(&app.identity, narrowed, read).await
}

async fn check_user(cx: Context) -> Result<Response, ApiError> {
    let (app, user, group) = membership(&cx, "identity:check_user_in_group").await?;
    app.identity.check_user_in_group(user, group).await?;
    Ok(no_content())
}

async fn add_user(cx: Context) -> Result<Response, ApiError> {
    let (app, user, group) = membership(&cx, "identity:add_user_to_group").await?;
    app.identity.add_user_to_group(user, group).await?;
    cx.announce_member(group, user, Membership::Added);
    Ok(no_content())
}

async fn remove_user(cx: Context) -> Result<Response, ApiError> {
    let (app, user, group) = membership(&cx, "identity:remove_user_from_group").await?;
    app.identity.remove_user_from_group(user, group).await?;
    cx.announce_member(group, user, Membership::Removed);
    Ok(no_content())
}

async fn target(cx: &Context) -> Result<PolicyTarget> {
    cx.authenticated()?;
    PolicyTarget::new().maybe("group", cx.unchecked().group(cx.path("group_id")).await)
}

/// The user and the group in the path, if the rule allows the caller to touch the membership.
async fn membership<'a>(
    cx: &'a Context,
    rule: &'static str,
) -> Result<(&'a App, &'a str, &'a str)> {
    let (user, group) = (cx.path("user_id"), cx.path("group_id"));
    let target = target(cx).await?;
    let target = target.maybe("user", cx.unchecked().user(user).await)?;
    Ok((cx.allow_on(rule, target).await?, user, group))
}
