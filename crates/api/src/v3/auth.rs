//! `/v3/auth`: issuing, validating and revoking tokens, and where one could be scoped to.

use axum::Router;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::get;
use chrono::Duration;
use keystone_auth::TokenError;
use keystone_types::{Error, Result};
use serde_json::{Value, json};

use crate::Live;
use crate::body::Body;
use crate::context::{Context, Target, no_content};
use crate::edge::header_text;
use crate::failure::{Failure, json_line, json_response};
use crate::schema;

pub(crate) fn routes() -> Router<Live> {
    Router::new()
        .route("/v3/auth/catalog", get(catalog))
        .route("/v3/auth/domains", get(domains))
        .route("/v3/auth/projects", get(projects))
        .route("/v3/auth/system", get(system))
        .route("/v3/auth/tokens", get(validate).post(issue).delete(revoke))
}

async fn issue(cx: Context, Body(body): Body) -> Result<Response, Failure> {
    let auth = body.get("auth").filter(|auth| !auth.is_null());
    let auth = auth.ok_or_else(|| Error::expecting("auth", "request body"))?;
    schema::inline("POST /v3/auth/tokens", "auth", auth).map_err(Error::Validation)?;
    if auth.as_object().is_some_and(serde_json::Map::is_empty) {
        return Err(Error::expecting("auth", "request body").into());
    }
    let service = &cx.unchecked().auth;
    let token = service
        .issue(auth, header_text(&cx.headers, "openstack-auth-receipt"))
        .await?;
    let catalog = if cx.has("nocatalog") {
        None
    } else {
        service.catalog_of(&token).await?
    };
    let body = token.body(
        service.settings(),
        catalog.map(|catalog| (*catalog).clone()),
    );
    token_response(StatusCode::CREATED, &token.id, &body)
}

async fn validate(cx: Context) -> Result<Response, Failure> {
    let rule = if cx.method == Method::HEAD {
        "identity:check_token"
    } else {
        "identity:validate_token"
    };
    cx.authenticated()?;
    let id = header_text(&cx.headers, "x-subject-token").unwrap_or_default();
    let service = &cx.unchecked().auth;
    let window = if cx.query("allow_expired").is_some_and(is_true) {
        service.settings().allow_expired_window
    } else {
        Duration::zero()
    };
    let found = if id.is_empty() {
        None
    } else {
        Some(
            service
                .validate(id, window)
                .await
                .map_err(TokenError::into_error)?,
        )
    };
    let target = match &found {
        Some(token) => token_target(&token.subject.user.id, &token.subject.user.domain_id)?,
        None => Target::new(),
    };
    cx.allow(rule, target).await?;
    let token = found.ok_or_else(|| Error::Missing("No token in the request".to_owned()))?;
    let catalog = if cx.has("nocatalog") {
        None
    } else {
        service.catalog_of(&token).await?
    };
    let body = token.body(
        service.settings(),
        catalog.map(|catalog| (*catalog).clone()),
    );
    token_response(StatusCode::OK, id, &body)
}

async fn revoke(cx: Context) -> Result<Response, Failure> {
    cx.authenticated()?;
    let id = header_text(&cx.headers, "x-subject-token").unwrap_or_default();
    let service = &cx.unchecked().auth;
    let found = if id.is_empty() {
        None
    } else {
        Some(
            service
                .validate(id, Duration::zero())
                .await
                .map_err(TokenError::into_error)?,
        )
    };
    let target = match &found {
        Some(token) => token_target(&token.subject.user.id, &token.subject.user.domain_id)?,
        None => Target::new(),
    };
    cx.allow("identity:revoke_token", target).await?;
    let cascade = cx.query("cascade").is_none_or(|value| !is_false(value));
    service
        .revoke(id, cascade)
        .await
        .map_err(TokenError::into_error)?;
    Ok(no_content())
}

async fn projects(cx: Context) -> Result<Response, Failure> {
    let app = cx
        .allow("identity:get_auth_projects", Target::new())
        .await?;
    let projects = app.identity.projects_for_user(caller_id(&cx)).await?;
    cx.all(projects)
}

async fn domains(cx: Context) -> Result<Response, Failure> {
    let app = cx.allow("identity:get_auth_domains", Target::new()).await?;
    let domains = app.identity.domains_for_user(caller_id(&cx)).await?;
    cx.all(domains)
}

async fn system(cx: Context) -> Result<Response, Failure> {
    let app = cx.allow("identity:get_auth_system", Target::new()).await?;
    let roles = app.identity.roles_on_system(caller_id(&cx)).await?;
    let system = if roles.is_empty() {
        json!([])
    } else {
        json!([{ "all": true }])
    };
    Ok(json_line(
        StatusCode::OK,
        &json!({ "system": system, "links": { "self": cx.url("auth/system") } }),
    ))
}

async fn catalog(cx: Context) -> Result<Response, Failure> {
    let app = cx.allow("identity:get_auth_catalog", Target::new()).await?;
    let token = cx.token().filter(|token| token.project().is_some());
    let token = token.ok_or_else(|| Error::Forbidden {
        detail: "A project-scoped token is required to produce a service catalog.".to_owned(),
    })?;
    let catalog = app.auth.catalog_of(token).await?;
    let links = json!({ "self": cx.url("auth/catalog") });
    Ok(json_line(
        StatusCode::OK,
        &json!({ "catalog": catalog.as_deref(), "links": links }),
    ))
}

fn caller_id(cx: &Context) -> &str {
    cx.token()
        .map(|token| token.subject.user.id.as_str())
        .unwrap_or_default()
}

/// What the rules about tokens may look at.
fn token_target(user_id: &str, user_domain_id: &str) -> Result<Target> {
    Target::new().with(
        "token",
        &json!({ "user_id": user_id, "user": { "domain": { "id": user_domain_id } } }),
    )
}

fn token_response(status: StatusCode, id: &str, body: &Value) -> Result<Response, Failure> {
    let mut response = json_response(status, body.to_string());
    let id = HeaderValue::from_str(id).map_err(Error::internal)?;
    response.headers_mut().insert("x-subject-token", id);
    Ok(response)
}

/// Yes, in one of the reference's spellings.
fn is_true(value: &str) -> bool {
    ["1", "t", "true", "on", "y", "yes"].contains(&value.trim().to_ascii_lowercase().as_str())
}

/// No, in one of the reference's spellings.
fn is_false(value: &str) -> bool {
    ["0", "f", "false", "off", "n", "no"].contains(&value.trim().to_ascii_lowercase().as_str())
}
