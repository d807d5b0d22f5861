//! `/v3/ec2tokens` and `/v3/s3tokens`: tokens for services that have got requests signed with EC2 credentials.

use axum::http::StatusCode;
use axum::response::Response;
use keystone_auth::{AuthToken, SigningProtocol};
use keystone_types::{Result, TokenBody};

use super::auth::{token_response, unnamed_token_response};
use crate::body::Body;
use crate::context::Context;
use crate::error::ApiError;
use crate::html::method_not_allowed_json;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route("/v3/ec2tokens", get(refuse).post(ec2))
        .route("/v3/s3tokens", get(refuse).post(s3))
}

/// 405 without a look at the caller.
async fn refuse() -> Response {
    method_not_allowed_json("POST")
}

async fn ec2(cx: Context, body: Body) -> Result<Response, ApiError> {
    let rule = "identity:ec2tokens_validate";
    let (token, body) = issue(&cx, rule, SigningProtocol::Ec2, body).await?;
    token_response(StatusCode::OK, &token.id, body)
}

async fn s3(cx: Context, body: Body) -> Result<Response, ApiError> {
    let rule = "identity:s3tokens_validate";
    let (_, body) = issue(&cx, rule, SigningProtocol::S3, body).await?;
    Ok(unnamed_token_response(StatusCode::OK, body))
}

/// The token of whoever signed a request, and its body.
async fn issue(
    cx: &Context,
    rule: &'static str,
    protocol: SigningProtocol,
    body: Body,
) -> Result<(AuthToken, TokenBody)> {
    let service = &cx.allow(rule).await?.auth;
    let token = service.issue_for_signature(protocol, &body.whole()).await?;
    let shared = service.shared_parts(cx.pass().await?, &token).await?;
    let body = token.render(service.settings(), shared);
    Ok((token, body))
}
