//! `/v3/users`

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use keystone_auth::announce_password;
use keystone_identity::{Holder, Identity, NewUser, User, VerifiedUser};
use keystone_notify::{Event, Operation};
use keystone_types::{Error, Listing, Result, Secret};
use serde_json::{Value, json};

use crate::body::{Body, parse_member, without_id};
use crate::context::{Context, PolicyTarget, filters, no_content};
use crate::error::{ApiError, json_line};
use crate::listing::ListLimit;
use crate::routes::{self, Routes, get};
use crate::{App, html, schema};

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
    const RULE: &str = "identity:list_users";
    let target = PolicyTarget::new().with_some("domain_id", cx.domain_scope())?;
    let listing = cx.listing(ListLimit::Identity, filters(RULE))?;
    let app = cx.allow_on(RULE, target).await?;
    let narrowed = cx.within_domain(&listing)?;
    let own = app.identity.list_limit(narrowed.exact("domain_id")).await?;
    let narrowed = cx.limited_by_backend(narrowed, own);
    let read = |identity: Identity, page: Listing| async move { identity.users(&page).await };
    cx.long_collection(&app.identity, narrowed, read).await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let mut user = body.member("user")?;
    let target = PolicyTarget::new().with("user", &user)?;
    let app = cx.allow_on("identity:create_user", target).await?;
    cx.add_default_domain(&mut user)?;
    if user.get("options").is_some_and(Value::is_null) {
        user.shift_remove("options");
    }
    let user: NewUser = parse_member(user)?;
    let created = app.identity.create_user(user).await?;
    cx.announce(Operation::Created, "user", &created.id);
    cx.created(&created)
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let app = allow(&cx, "identity:get_user").await?;
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
    let mut patch = without_id(patch, id)?;
    if null_id {
        // Here Keystone takes null for another id (`keystone/api/users.py`).
        patch.insert("id".to_owned(), Value::Null);
    }
    let user = app.identity.update_user(id, patch).await?;
    cx.announce(Operation::Updated, "user", id);
    let mut member = cx.linked(&user)?;
    // Keystone repeats what no column holds.
    let mut extra = user.extra;
    extra.0.shift_remove("tenants");
    member["extra"] = json!(extra);
    Ok(json_line(StatusCode::OK, &json!({ "user": member })))
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    let app = allow(&cx, "identity:delete_user").await?;
    let id = cx.path("user_id");
    let deleted = app.identity.delete_user(id).await?;
    cx.announce_deleted(&deleted);
    cx.announce(Operation::Deleted, "user", id);
    Ok(no_content())
}

async fn groups(cx: Context) -> Result<Response, ApiError> {
    cx.authenticated()?;
    let found = cx.unchecked().user(cx.path("user_id")).await;
    let target = PolicyTarget::new().maybe("user", found)?;
    let app = cx.allow_on("identity:list_groups_for_user", target).await?;
    let listing = cx.listing(ListLimit::Identity, &["name"])?;
    let narrowed = listing.within("domain_id", cx.domain_scope());
    let id: Arc<str> = cx.path("user_id").into();
    let own = app.identity.list_limit_of_user(&id).await?;
    let narrowed = cx.limited_by_backend(narrowed, own);
    let read = move |identity: Identity, page: Listing| {
        let id = Arc::clone(&id);
        async move { identity.groups_for_user(&id, &page).await }
    };
    cx.long_collection(&app.identity, narrowed, read).await
}

async fn projects(cx: Context) -> Result<Response, ApiError> {
    const RULE: &str = "identity:list_user_projects";
    let app = allow(&cx, RULE).await?;
    let listing = cx.listing(ListLimit::Client, filters(RULE))?;
    let user = Holder::User(cx.path("user_id"));
    let projects = app.identity.projects_of(user, &listing).await?;
    cx.collection(projects, &listing).await
}

async fn revoke_tokens(cx: Context) -> Result<Response, ApiError> {
    let app = allow(&cx, "identity:revoke_tokens_for_user").await?;
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
    let id = cx.path("user_id");
    let claimant = cx.claimant().marked(id);
    let verified = identity.verify_original(id, text("original_password"), &claimant);
    let verified = verified.await;
    let announcer = cx.announcer();
    if let Some(announcer) = &announcer {
        let name = if let Ok(user) = &verified {
            user.name().map(str::to_owned)
        } else {
            let found = cx.unchecked().user(id).await.ok();
            found.and_then(|user| user.name)
        };
        let accepted = verified.as_ref().map(VerifiedUser::check_expiry);
        let accepted = accepted.unwrap_or_else(|rejected| Err(rejected.clone()));
        let accepted = accepted.as_ref().copied();
        // Keystone announces no hash here (`keystone/identity/core.py`).
        announce_password(announcer, id, name.as_deref(), accepted, None);
    }
    let changed = identity.change_password(verified?, text("password"), &claimant);
    let changed = changed.await;
    if let Some(announcer) = &announcer {
        let event = Event::resource(Operation::Updated, "user", id);
        match &changed {
            Ok(()) => announcer.send(event),
            // What the rules of passwords refuse is announced with the reason (`keystone/identity/core.py`).
            Err(error @ Error::Validation(text)) => {
                announcer.send(event.because(text, error.status()));
            }
            Err(_) => {}
        }
    }
    changed?;
    Ok(no_content())
}

/// Lets the caller through if the rule allows it on the user in the path, who may be missing.
async fn allow<'a>(cx: &'a Context, rule: &'static str) -> Result<&'a App> {
    cx.authenticated()?;
    let found = cx.unchecked().user(cx.path("user_id")).await;
    cx.allow_on(rule, PolicyTarget::new().maybe("user", found)?)
        .await
}
