//! Logins at identity providers: `/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth`.

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use keystone_auth::ProviderAssertion;
use keystone_oidc::{Provider, bearer_token};
use keystone_types::Error;

use super::auth::token_response;
use super::{oidc, saml_login};
use crate::context::Context;
use crate::error::{ApiError, Challenge};
use crate::middleware::header_text;
use crate::routes::{Routes, get};

pub(crate) fn routes() -> Routes {
    Routes::new().route(
        "/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth",
        get(log_in).post(log_in),
    )
}

async fn log_in(cx: Context) -> Result<Response, ApiError> {
    if let Some(answer) = saml_login::answer(&cx).await? {
        return Ok(answer);
    }
    let service = &cx.without_policy().auth;
    let (provider, protocol) = (cx.path("idp_id"), cx.path("protocol_id"));
    let mut vouched = None;
    if let Some((asked, token)) = bearer(&cx, (provider, protocol)) {
        service.check_federated(provider, protocol).await?;
        match asked.bearer(token).await {
            Ok(claims) => {
                vouched = Some(ProviderAssertion::new(claims.issuer(), claims.attributes()));
            }
            Err(error) => return Ok(refusal(provider, error)),
        }
    }
    // What has changed while the provider was asked counts.
    let pass = service.pass().await?;
    let mut login = cx.login(Some(pass));
    login.is_at_provider = true;
    login.assertion = vouched.as_ref();
    let token = service.log_in_federated(provider, protocol, &login).await?;
    // That of a user of the database, whose default project it may hold on.
    let shared = service.shared_parts(pass, &token).await?;
    let body = token.render(service.settings(), shared);
    token_response(StatusCode::CREATED, &token.id, body)
}

/// The provider to ask about the access token of the request. Where there is none, a web server in front may still vouch.
fn bearer<'a>(cx: &'a Context, at: (&str, &str)) -> Option<(&'a Provider, &'a str)> {
    let asked = &oidc::asked(cx.without_policy(), at)?.provider;
    let header = header_text(&cx.headers, "authorization");
    Some((asked, header.and_then(bearer_token)?))
}

/// The operator reads what to change, the client only whose fault it is.
fn refusal(provider: &str, error: keystone_oidc::Error) -> Response {
    let challenge = error.challenge().map(HeaderValue::from_static);
    let error = match error.status() {
        401 => {
            let reason = error.to_string();
            tracing::info!(provider, reason, "an identity provider's token was refused");
            Error::unauthorized("the token of the identity provider is not valid")
        }
        503 => Error::unavailable(error),
        _ => Error::internal(error),
    };
    let mut response = ApiError(error).into_response();
    if let Some(challenge) = challenge {
        response.extensions_mut().insert(Challenge(challenge));
    }
    response
}
