//! Logins at identity providers: `/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth`.

use axum::http::StatusCode;
use axum::response::Response;

use super::auth::token_response;
use crate::context::Context;
use crate::error::ApiError;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new().route(
        "/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth",
        get(log_in).post(log_in),
    )
}

async fn log_in(cx: Context) -> Result<Response, ApiError> {
    let service = &cx.without_policy().auth;
    let pass = cx.pass().await?;
    let (provider, protocol) = (cx.path("idp_id"), cx.path("protocol_id"));
    let token = service
        .log_in_federated(provider, protocol, &cx.login(Some(pass)))
        .await?;
    // That of a user of the database, whose default project it may hold on.
    let shared = service.shared_parts(pass, &token).await?;
    let body = token.render(service.settings(), shared);
    token_response(StatusCode::CREATED, &token.id, body)
}
