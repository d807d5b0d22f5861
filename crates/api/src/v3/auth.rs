//! `/v3/auth`: issuing, validating and revoking tokens, and where one could be scoped to.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use chrono::Duration;
use keystone_auth::{Auth, AuthToken, Pass, Scope, TokenError};
use keystone_identity::{Actor, Asked, Grant, GrantTarget, Holder};
use keystone_python::bool_from_string;
use keystone_types::{Error, Listing, Result, TokenBody};
use serde_json::json;

use crate::body::Body;
use crate::context::{Context, PolicyTarget, no_content};
use crate::error::{ApiError, json_line, json_parts};
use crate::middleware::header_text;
use crate::routes::{Routes, get};
use crate::schema;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/auth/catalog", get(catalog))
        .route("/v3/auth/domains", get(domains))
        .route("/v3/auth/projects", get(projects))
        .route("/v3/auth/system", get(system))
        .route("/v3/auth/tokens", get(validate).post(issue).delete(revoke))
        // The same under another path, in `keystone/api/auth.py`.
        .route("/v3/OS-FEDERATION/domains", get(domains))
        .route("/v3/OS-FEDERATION/projects", get(projects))
}

async fn issue(cx: Context, body: Body) -> Result<Response, ApiError> {
    let auth = body.value("auth").filter(|auth| !auth.is_null());
    let auth = auth.ok_or_else(|| Error::expecting("auth", "request body"))?;
    schema::inline("POST /v3/auth/tokens", "auth", &auth).map_err(Error::Validation)?;
    if auth.as_object().is_some_and(serde_json::Map::is_empty) {
        return Err(Error::expecting("auth", "request body").into());
    }
    let service = &cx.without_policy().auth;
    // Before the token is made: what fails afterwards would lose the use of a trust that was taken for it.
    let pass = cx.pass().await?;
    let token = service.issue(&auth, &cx.login(Some(pass))).await?;
    let body = rendered(&cx, pass, service, &token).await?;
    token_response(StatusCode::CREATED, &token.id, body)
}

async fn validate(cx: Context) -> Result<Response, ApiError> {
    let rule = if cx.method == Method::HEAD {
        "identity:check_token"
    } else {
        "identity:validate_token"
    };
    let window = if cx.query("allow_expired").and_then(bool_from_string) == Some(true) {
        cx.unchecked().auth_settings().allow_expired_window
    } else {
        Duration::zero()
    };
    cx.authenticated()?;
    let found = find_subject(&cx, window).await?;
    let target = token_target(found.as_deref())?;
    let service = &cx.allow_on(rule, target).await?.auth;
    let token = found.ok_or_else(no_subject)?;
    let body = rendered(&cx, cx.pass().await?, service, &token).await?;
    token_response(StatusCode::OK, subject_id(&cx), body)
}

/// The body of a token, with the catalog unless the query says `nocatalog`.
async fn rendered(
    cx: &Context,
    pass: Pass,
    service: &Auth,
    token: &AuthToken,
) -> Result<TokenBody> {
    let shared = if cx.has("nocatalog") {
        service.shared_parts_without_catalog(pass).await?
    } else {
        service.shared_parts(pass, token).await?
    };
    Ok(token.render(service.settings(), shared))
}

async fn revoke(cx: Context) -> Result<Response, ApiError> {
    cx.authenticated()?;
    let found = find_subject(&cx, Duration::zero()).await?;
    let app = cx
        .allow_on("identity:revoke_token", token_target(found.as_deref())?)
        .await?;
    let token = found.ok_or_else(no_subject)?;
    // Keystone validates it again, without the caller's header (`revoke_token` in `keystone/token/provider.py`).
    token.check_reader(None)?;
    let cascade = cx.query("cascade").and_then(bool_from_string) != Some(false);
    app.auth.revoke(&token, cascade).await?;
    Ok(no_content())
}

fn subject_id(cx: &Context) -> &str {
    header_text(&cx.headers, "x-subject-token").unwrap_or_default()
}

/// The token that the request is about, where it names one.
async fn find_subject(cx: &Context, window: Duration) -> Result<Option<Arc<AuthToken>>> {
    let id = subject_id(cx);
    if id.is_empty() {
        return Ok(None);
    }
    let found = if let Some(own) = own_token(cx, id) {
        Arc::clone(own)
    } else {
        let found = cx.unchecked().token(id, window).await;
        found.map_err(TokenError::into_error)?
    };
    found.check_reader(access_rules_version(cx))?;
    Ok(Some(found))
}

/// The version of access rules that the caller can enforce.
fn access_rules_version(cx: &Context) -> Option<&str> {
    header_text(&cx.headers, "openstack-identity-access-rules")
}

/// The caller's token, which was validated for this request already, if it is the subject too.
fn own_token<'a>(cx: &'a Context, id: &str) -> Option<&'a Arc<AuthToken>> {
    cx.token().filter(|own| own.id == id)
}

fn no_subject() -> Error {
    Error::Missing("No token in the request".to_owned())
}

async fn projects(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_auth_projects").await?;
    let everything = Listing::default();
    let projects = app.identity.projects_of(holder(&cx), &everything).await?;
    cx.all(projects.items).await
}

async fn domains(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_auth_domains").await?;
    let domains = app.identity.domains_of(holder(&cx)).await?;
    cx.all(domains).await
}

async fn system(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_auth_system").await?;
    let is_granted = match holder(&cx) {
        Holder::User(id) => {
            let own = Grant {
                actor: Actor::User(id.to_owned()),
                target: GrantTarget::System,
            };
            !app.identity.grants(&own).await?.is_empty()
        }
        // No token of a user whom an identity provider vouches for has this scope. Keystone fails here.
        Holder::Vouched { .. } => false,
        Holder::Groups(ids) => {
            let asked = Asked {
                actors: ids.iter().cloned().collect(),
                on_system: true,
                ..Asked::default()
            };
            let facts = app.identity.facts(asked).await?;
            !facts.roles_on_system(Holder::Groups(ids)).is_empty()
        }
    };
    let system = if is_granted {
        json!([{ "all": true }])
    } else {
        json!([])
    };
    Ok(json_line(
        StatusCode::OK,
        &json!({ "system": system, "links": { "self": cx.url("auth/system") } }),
    ))
}

async fn catalog(cx: Context) -> Result<Response, ApiError> {
    let app = cx.allow("identity:get_auth_catalog").await?;
    let Some(Scope::Project(project)) = cx.caller().scope() else {
        let detail = "A project-scoped token is required to produce a service catalog.";
        let detail = detail.to_owned();
        return Err(Error::Forbidden { detail }.into());
    };
    let pass = cx.pass().await?;
    let catalog = if let Some(token) = cx.token() {
        app.auth.catalog_of(pass, token).await?
    } else {
        // Keystone writes a missing id like this (`keystone/catalog/backends/sql.py`).
        let user_id = cx.caller().user_id().unwrap_or("None");
        let catalog = app.auth.catalog_for(pass, user_id, Some(&project.id));
        Some(catalog.await?)
    };
    let links = json!({ "self": cx.url("auth/catalog") });
    Ok(json_line(
        StatusCode::OK,
        &json!({ "catalog": catalog, "links": links }),
    ))
}

/// Whose scopes are listed; the admin token has none.
fn holder(cx: &Context) -> Holder<'_> {
    cx.caller().holder().unwrap_or(Holder::Groups(&[]))
}

/// The policy target of rules about tokens. Its user is the one who authenticated, whoever is impersonated.
fn token_target(token: Option<&AuthToken>) -> Result<PolicyTarget> {
    let Some(token) = token else {
        return Ok(PolicyTarget::new());
    };
    let user = &token.bearer().user;
    let about = json!({ "user_id": user.id, "user": { "domain": { "id": user.domain_id } } });
    PolicyTarget::new().with("token", &about)
}

pub(super) fn token_response(
    status: StatusCode,
    id: &str,
    body: TokenBody,
) -> Result<Response, ApiError> {
    let mut response = unnamed_token_response(status, body);
    let id = HeaderValue::from_str(id).map_err(Error::internal)?;
    response.headers_mut().insert("x-subject-token", id);
    Ok(response)
}

/// The answer about a token whose id the client does not get.
pub(super) fn unnamed_token_response(status: StatusCode, body: TokenBody) -> Response {
    let mut response = json_parts(status, body.into_pieces().map(Bytes::from_owner));
    // The next validation must see a revocation: no cache in between may keep this answer.
    let no_store = HeaderValue::from_static("no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, no_store);
    response
}
