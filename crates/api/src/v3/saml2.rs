//! `/v3/auth/OS-FEDERATION/saml2` and `/v3/OS-FEDERATION/saml2/metadata`: this cloud as the identity provider of others.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use keystone_auth::AssertionProfile;
use keystone_types::{Error, Result};
use serde_json::Value;

use crate::body::Body;
use crate::context::Context;
use crate::error::ApiError;
use crate::html::method_not_allowed_json;
use crate::routes::{Routes, get};
use crate::schema;

const XML: (axum::http::HeaderName, &str) = (CONTENT_TYPE, "text/xml");

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route(
            "/v3/auth/OS-FEDERATION/saml2",
            get(refuse).post(create_response),
        )
        .route(
            "/v3/auth/OS-FEDERATION/saml2/ecp",
            get(refuse).post(create_envelope),
        )
        .route("/v3/OS-FEDERATION/saml2/metadata", get(metadata))
}

/// 405 without a look at the caller.
async fn refuse() -> Response {
    method_not_allowed_json("POST")
}

async fn create_response(cx: Context, body: Body) -> Result<Response, ApiError> {
    let route = "POST /v3/auth/OS-FEDERATION/saml2";
    create(&cx, route, body, AssertionProfile::Response).await
}

async fn create_envelope(cx: Context, body: Body) -> Result<Response, ApiError> {
    let route = "POST /v3/auth/OS-FEDERATION/saml2/ecp";
    create(&cx, route, body, AssertionProfile::Ecp).await
}

/// The token in the body proves the request; the caller's own is not asked for.
async fn create(
    cx: &Context,
    route: &str,
    body: Body,
    profile: AssertionProfile,
) -> Result<Response, ApiError> {
    let auth = body.value("auth").unwrap_or(Value::Null);
    schema::inline(route, "saml_create", &auth).map_err(Error::Validation)?;
    let service = &cx.without_policy().auth;
    let issued = service.issue_assertion(&auth, profile).await?;
    let mut response = (StatusCode::OK, [XML], issued.xml).into_response();
    let headers = response.headers_mut();
    let recipient = issued.recipient;
    // Keystone's have the quotes of Python's bytes around them (`_build_response_headers` in `keystone/api/auth.py`).
    for (name, url) in [
        ("x-sp-url", recipient.sp_url),
        ("x-auth-url", recipient.auth_url),
    ] {
        let url = HeaderValue::from_bytes(url.as_bytes()).map_err(Error::internal)?;
        headers.insert(name, url);
    }
    // Whoever has the assertion can log in with it.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn metadata(cx: Context) -> Result<Response, ApiError> {
    let service = &cx.without_policy().auth;
    let metadata = service.identity_provider_metadata().await?;
    Ok((StatusCode::OK, [XML], metadata).into_response())
}
