//! `/v3/OS-TRUST/trusts`

use axum::http::StatusCode;
use axum::response::Response;
use keystone_auth::{Delegation, NewTrust, Trust};
use keystone_notify::Operation;
use keystone_types::{Error, Result};
use serde_json::{Value, json};

use crate::App;
use crate::body::{Body, parse_member};
use crate::context::{Context, PolicyTarget, no_content};
use crate::error::{ApiError, json_line};
use crate::listing::ListLimit;
use crate::routes::{Routes, get};

/// As events name a trust.
const TRUST: &str = "OS-TRUST:trust";

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/OS-TRUST/trusts", get(list).post(create))
        .route("/v3/OS-TRUST/trusts/{trust_id}", get(show).delete(delete))
        .route("/v3/OS-TRUST/trusts/{trust_id}/roles", get(roles))
        .route("/v3/OS-TRUST/trusts/{trust_id}/roles/{role_id}", get(role))
}

/// Each of the two filters has a rule of its own, and without one the trusts of all are listed.
async fn list(cx: Context) -> Result<Response, ApiError> {
    const ALL: &str = "identity:list_trusts";
    let filters = [
        ("trustor_user_id", "identity:list_trusts_for_trustor"),
        ("trustee_user_id", "identity:list_trusts_for_trustee"),
    ];
    let filter = filters.into_iter().find_map(|(name, rule)| {
        let id = cx.query(name).filter(|id| !id.is_empty())?;
        Some((name, id, rule))
    });
    let app = match filter {
        Some((name, id, rule)) => {
            let target = PolicyTarget::new().with("trust", &json!({ name: id }))?;
            cx.allow_on(rule, target).await?
        }
        None => cx.allow(ALL).await?,
    };
    check_manager(&cx)?;
    let listing = cx.listing(ListLimit::Client, &[])?;
    let mut pairs = cx.query_pairs().iter();
    let is_bare = pairs.all(|(name, _)| name == "limit" || name == "marker");
    if is_bare && cx.allows_all(ALL) {
        // Rules of old releases allow everybody, and left this to the code.
        cx.allow("admin_required").await?;
    }
    let narrowed = match filter {
        Some((name, id, _)) => listing.clone().with(name, id),
        None if is_bare => listing.clone(),
        // Of a query that it does not know, Keystone makes an empty list.
        None => return cx.all(Vec::<Trust>::new()).await,
    };
    let found = app.auth.trusts(&narrowed).await?;
    cx.collection(found, &listing).await
}

async fn create(cx: Context, body: Body) -> Result<Response, ApiError> {
    let trust = body.member("trust")?;
    let target = PolicyTarget::new().with("trust", &trust)?;
    let app = cx.allow_on("identity:create_trust", target).await?;
    check_manager(&cx)?;
    let new: NewTrust = parse_member(trust)?;
    let settings = cx.unchecked().auth_settings();
    let delegation = cx.token().map(|token| token.delegation(settings));
    let delegation = delegation.unwrap_or(Delegation::None);
    let caller_id = cx.caller().user_id();
    let trust = app.auth.create_trust(new, caller_id, delegation).await?;
    cx.announce(Operation::Created, TRUST, &trust.id);
    answer(&cx, app, StatusCode::CREATED, &trust).await
}

async fn show(cx: Context) -> Result<Response, ApiError> {
    let (app, trust) = found(&cx, "identity:get_trust").await?;
    answer(&cx, app, StatusCode::OK, &trust).await
}

async fn delete(cx: Context) -> Result<Response, ApiError> {
    const RULE: &str = "identity:delete_trust";
    let (app, trust) = allowed(&cx, RULE).await?;
    let is_trustor = cx.caller().user_id() == Some(&*trust.trustor_user_id);
    if cx.allows_all(RULE) && !is_trustor && !cx.is_admin_token() {
        return Err(Error::forbidden_action("Only admin or trustor can delete a trust").into());
    }
    let ended = app.auth.delete_trust(&trust.id).await?;
    // The last one that passes it on first.
    for id in ended.iter().skip(1).rev() {
        cx.announce_without_initiator(Operation::Deleted, TRUST, id);
    }
    cx.announce(Operation::Deleted, TRUST, &trust.id);
    Ok(no_content())
}

async fn roles(cx: Context) -> Result<Response, ApiError> {
    let (app, trust) = found(&cx, "identity:list_roles_for_trust").await?;
    let roles = linked_roles(&cx, app, &trust).await?;
    let body = json!({ "roles": roles, "links": roles_links(&cx, &trust) });
    Ok(json_line(StatusCode::OK, &body))
}

async fn role(cx: Context) -> Result<Response, ApiError> {
    let (app, trust) = found(&cx, "identity:get_role_for_trust").await?;
    let role = app.auth.role_of_trust(&trust, cx.path("role_id"));
    cx.member(&role.await?)
}

/// The trust in the path, which every caller with a token learns to be missing.
async fn allowed<'a>(cx: &'a Context, rule: &'static str) -> Result<(&'a App, Trust)> {
    cx.authenticated()?;
    let trust = cx.unchecked().trust(cx.path("trust_id")).await?;
    let target = PolicyTarget::new().with("trust", &trust)?;
    let app = cx.allow_on(rule, target).await?;
    check_manager(cx)?;
    Ok((app, trust))
}

/// The trust in the path for a caller who may read it: not with the admin token, and only the own ones where the rule, as
/// those of old releases do, leaves that to the code.
async fn found<'a>(cx: &'a Context, rule: &'static str) -> Result<(&'a App, Trust)> {
    let (app, trust) = allowed(cx, rule).await?;
    let is_party = |id| id == trust.trustor_user_id || id == trust.trustee_user_id;
    let is_related = || cx.caller().user_id().is_some_and(is_party);
    if cx.is_admin_token() || (cx.allows_all(rule) && !is_related()) {
        return Err(Error::forbidden_action(
            "Requested user has no relation to this trust",
        ));
    }
    Ok((app, trust))
}

/// 403 for a caller whose token was delegated by anything but a trust.
fn check_manager(cx: &Context) -> Result<()> {
    let settings = cx.unchecked().auth_settings();
    cx.token()
        .map_or(Ok(()), |token| token.check_trust_manager(settings))
}

/// A trust with its roles, which lists do not have.
async fn answer(
    cx: &Context,
    app: &App,
    status: StatusCode,
    trust: &Trust,
) -> Result<Response, ApiError> {
    let mut body = cx.linked(trust)?;
    body["roles"] = linked_roles(cx, app, trust).await?;
    body["roles_links"] = roles_links(cx, trust);
    Ok(json_line(status, &json!({ "trust": body })))
}

async fn linked_roles(cx: &Context, app: &App, trust: &Trust) -> Result<Value> {
    let roles = app.auth.roles_of_trust(trust).await?;
    roles.iter().map(|role| cx.linked(role)).collect()
}

/// Keystone leaves out the path of trusts here.
fn roles_links(cx: &Context, trust: &Trust) -> Value {
    let url = cx.url(&format!("{}/roles", trust.id));
    json!({ "self": url, "next": null, "previous": null })
}
