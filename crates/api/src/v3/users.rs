//! `/v3/users`

use axum::http::StatusCode;
use axum::response::Response;
use keystone_identity::{NewUser, User};
use keystone_types::{Error, Result, Secret};
use serde_json::{Value, json};

use crate::body::{Body, parse_member, same_id};
use crate::context::{Context, PolicyTarget, no_content};
use crate::error::{ApiError, json_line};
use crate::listing::ListLimit;
use crate::routes::{self, Routes, get};
use crate::{html, schema};

const FILTERS: [&str; 7] = [
    "domain_id",
    "enabled",
    "idp_id",
    "name",
    "password_expires_at",
    "protocol_id",
    "unique_id",
];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/users", get(list).post(create).renaming())
        .route(
            "/v3/users/{user_id}",
            get(show).patch(update).delete(delete),
        )
        .route("/v3/users/{user_id}/groups", get(groups))
        .route(
            "/v3/users/{user_id}/password",
            get(no_password).post(change_password),
        )
        .route("/v3/users/{user_id}/projects", get(projects))
        .route("/v3/users/{user_id}/tokens", routes::delete(revoke_tokens))
}

async fn list(cx: Context) -> Result<Response, ApiError> {
    let scope = cx.domain_scope();
    let target = match scope {
        Some(id) => PolicyTarget::new().with("domain_id", &id)?,
        None => PolicyTarget::new(),
    };
    let listing = cx.listing(ListLimit::Identity, &FILTERS)?;
    let app = cx.allow_on("identity:list_users", target).await?;
    let narrowed = cx.within_domain(&listing)?;
    cx.collection(app.identity.users(&narrowed).await?, &listing)
        .await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let mut user = body.member("user")?;
    let app = cx
        .allow_on(
            "identity:create_user",
            PolicyTarget::new().with("user", &user)?,
        )
        .await?;
    if user
        .get("domain_id")
        .is_none_or(|id| id.as_str().is_none_or(str::is_empty))
    {
        user.insert("domain_id".to_owned(), cx.default_domain()?.into());
    }
    if user.get("options").is_some_and(Value::is_null) {
        user.shift_remove("options");
    }
    let user: NewUser = parse_member(user)?;
    cx.created(&app.identity.create_user(user).await?)
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let target = target(&cx).await?;
    let app = cx.allow_on("identity:get_user", target).await?;
    cx.member(&app.identity.user(cx.path("user_id")).await?)
}

async fn update(cx: Context, body: Body) -> Result<Response, ApiError> {
    cx.authenticated()?;
    let id = cx.path("user_id");
    let found = cx.unchecked().user(id).await;
    let exists = found.is_ok();
    let target = PolicyTarget::new().maybe("user", found)?;
    let app = cx.allow_on("identity:update_user", target).await?;
    if !exists {
        return Err(Error::not_found::<User>(id).into());
    }
    let patch = body.member("user")?;
    let null_id = patch.get("id") == Some(&Value::Null);
    let mut patch = same_id(patch, id)?;
    if null_id {
        // Here Keystone takes null for another id (`keystone/api/users.py`).
        patch.insert("id".to_owned(), Value::Null);
    }
    let user = app.identity.update_user(id, patch).await?;
    let mut member = cx.linked(&user)?;
    // Keystone repeats what no column holds.
    let mut extra = user.extra;
    extra.0.shift_remove("tenants");
    member["extra"] = json!(extra);
    Ok(json_line(StatusCode::OK, &json!({ "user": member })))
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let target = target(&cx).await?;
    let app = cx.allow_on("identity:delete_user", target).await?;
    app.identity.delete_user(cx.path("user_id")).await?;
    Ok(no_content())
}

async fn groups(cx: Context) -> Result<Response, ApiError> {
    let target = target(&cx).await?;
    let app = cx.allow_on("identity:list_groups_for_user", target).await?;
    let listing = cx.listing(ListLimit::Identity, &["name"])?;
    let narrowed = match cx.domain_scope() {
        Some(id) => listing.clone().with("domain_id", id),
        None => listing.clone(),
    };
    let groups = app
        .identity
        .groups_for_user(cx.path("user_id"), &narrowed)
        .await?;
    cx.collection(groups, &listing).await
}

async fn projects(cx: Context) -> Result<Response, ApiError> {
    let target = target(&cx).await?;
    let app = cx.allow_on("identity:list_user_projects", target).await?;
    app.identity.user(cx.path("user_id")).await?;
    let listing = cx.listing(ListLimit::Client, &["domain_id", "enabled", "name"])?;
    let projects = app
        .identity
        .projects_for_user(cx.path("user_id"), &listing)
        .await?;
    cx.collection(projects, &listing).await
}

async fn revoke_tokens(cx: Context) -> Result<Response, ApiError> {
    let target = target(&cx).await?;
    let rule = "identity:revoke_tokens_for_user";
    let app = cx.allow_on(rule, target).await?;
    app.identity.revoke_tokens(cx.path("user_id")).await?;
    Ok(no_content())
}

/// A password can't be asked for; Keystone names only one of the methods.
async fn no_password() -> Response {
    html::method_not_allowed_json("POST")
}

/// A user's own change of password: the old one stands for a token.
async fn change_password(cx: Context, body: Body) -> Result<Response, ApiError> {
    let user = body.value("user").unwrap_or_else(|| json!({}));
    schema::inline(
        "POST /v3/users/{user_id}/password",
        "password_change",
        &user,
    )
    .map_err(Error::Validation)?;
    let text =
        |name: &str| Secret::from(user.get(name).and_then(Value::as_str).unwrap_or_default());
    let identity = &cx.without_policy().identity;
    identity
        .change_password(
            cx.path("user_id"),
            text("original_password"),
            text("password"),
            cx.claimant(),
        )
        .await?;
    Ok(no_content())
}

async fn target(cx: &Context) -> Result<PolicyTarget> {
    cx.authenticated()?;
    let found = cx.unchecked().user(cx.path("user_id")).await;
    PolicyTarget::new().maybe("user", found)
}
