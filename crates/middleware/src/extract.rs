//! [`Token`] as an extractor of axum, and its errors as answers.

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::token::{PolicyError, Token};

/// The answer to a request without a valid token: 401, to which the guard adds `WWW-Authenticate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The request you have made requires authentication.")]
#[non_exhaustive]
pub struct Unauthenticated;

impl<S: Sync> FromRequestParts<S> for Token {
    type Rejection = Unauthenticated;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Unauthenticated> {
        parts.extensions.get().cloned().ok_or(Unauthenticated)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Token {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get().cloned())
    }
}

impl IntoResponse for Unauthenticated {
    fn into_response(self) -> Response {
        answer(StatusCode::UNAUTHORIZED, "Unauthorized", &self.to_string())
    }
}

impl IntoResponse for PolicyError {
    /// 403 for what the policy forbids, in Keystone's format. That there is no policy is a fault of the service.
    fn into_response(self) -> Response {
        match self {
            Self::Denied(denied) => {
                let text = "You are not authorized to perform the requested action.";
                tracing::info!(%denied, "refused by policy");
                answer(StatusCode::FORBIDDEN, "Forbidden", text)
            }
            Self::NoPolicy => {
                tracing::error!("a handler asks for the policy, but the guard was given none");
                let text = "The server could not ask its policy.";
                answer(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Internal Server Error",
                    text,
                )
            }
        }
    }
}

fn answer(status: StatusCode, title: &str, message: &str) -> Response {
    let error = json!({ "error": { "code": status.as_u16(), "title": title, "message": message } });
    let mut response = Response::new(Body::from(error.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
