//! How an error is shown to a client and to the operator.

use std::borrow::Cow;
use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use keystone_types::{Error, to_python_json};
use serde_json::{Value, json};

/// An error on its way out of a handler. The middleware, which knows the request, renders it.
#[derive(Debug)]
pub(crate) struct ApiError(pub(crate) Error);

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// The error of a response that is yet to be rendered.
#[derive(Clone, Debug)]
pub(crate) struct PendingError(pub(crate) std::sync::Arc<Error>);

/// How else a client may authenticate, in a response that is yet to be rendered.
#[derive(Clone, Debug)]
pub(crate) struct Challenge(pub(crate) HeaderValue);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response
            .extensions_mut()
            .insert(PendingError(self.0.into()));
        response
    }
}

/// Which part of Keystone would have answered: their bodies differ in spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// A resource.
    Resource,
    /// The middleware that looks at the caller's token.
    TokenMiddleware,
}

/// Renders an error for the client. `base` is the URL without `/v3`.
pub(crate) fn render(error: &Error, style: Style, base: &str, insecure_debug: bool) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Error::Receipt { receipt, body } = error {
        let mut response = json_line(status, body);
        if let Ok(value) = HeaderValue::from_str(receipt) {
            response
                .headers_mut()
                .insert("openstack-auth-receipt", value);
        }
        return response;
    }
    let message = message(error, insecure_debug);
    let title = status.canonical_reason().unwrap_or_default();
    let identity = match error {
        Error::Authentication { identity, .. } => identity.as_ref(),
        _ => None,
    };
    let text = match style {
        Style::Resource => {
            let mut content = json!({ "code": status.as_u16() });
            if let Some(identity) = identity {
                content["identity"] = identity.clone();
            }
            content["message"] = message.into();
            content["title"] = title.into();
            to_python_json(&json!({ "error": content })) + "\n"
        }
        Style::TokenMiddleware => to_python_json(
            &json!({ "error": { "code": status.as_u16(), "title": title, "message": message } }),
        ),
    };
    let mut response = json_response(status, text);
    if status == StatusCode::UNAUTHORIZED {
        let uri = match style {
            Style::Resource => format!("Keystone uri=\"{base}/v3\""),
            Style::TokenMiddleware => format!("Keystone uri=\"{base}\""),
        };
        if let Ok(value) = HeaderValue::from_str(&uri) {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, value);
        }
    }
    if matches!(error, Error::TooSlow) {
        // The rest of the body is not awaited.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    if let Error::Unavailable { retry_after, .. } = error {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, (*retry_after).into());
    }
    response
}

pub(crate) fn json_response(status: StatusCode, text: String) -> Response {
    json_body(status, text.into())
}

/// The same of a text in parts, which are not copied.
pub(crate) fn json_parts<const N: usize>(status: StatusCode, parts: [Bytes; N]) -> Response {
    let length: usize = parts.iter().map(Bytes::len).sum();
    let parts = stream::iter(parts.map(Ok::<_, Infallible>));
    let mut response = json_body(status, Body::from_stream(parts));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    response
}

fn json_body(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// The message for the client; with `[DEFAULT] insecure_debug` it has the details.
fn message(error: &Error, insecure_debug: bool) -> String {
    const NOTE: &str = "(Disable insecure_debug mode to suppress these details.)";
    match error {
        Error::Unauthorized { detail } | Error::Forbidden { detail } if insecure_debug => {
            format!("{detail} {NOTE}")
        }
        Error::Internal(_) if insecure_debug => format!("{} {NOTE}", error.cause()),
        _ => error.to_string(),
    }
}

/// The most that a line of the log repeats of one thing that a client wrote.
pub(crate) const MAX_LOGGED: usize = 120;

/// The same of a cause, which may quote what a client wrote.
pub(crate) const MAX_LOGGED_CAUSE: usize = 1000;

/// A text as far as the log repeats it: what clients write would fill it.
pub(crate) fn clipped(text: &str, most: usize) -> Cow<'_, str> {
    match &text[..text.floor_char_boundary(most)] {
        whole if whole.len() == text.len() => text.into(),
        part => format!("{part}… ({} bytes)", text.len()).into(),
    }
}

/// Writes one line for the operator about an error that is not the client's. The reason of a refusal goes into the line
/// about the answer.
pub(crate) fn log(error: &Error) {
    match error {
        Error::Failed { .. } | Error::Internal(_) => {
            tracing::error!(cause = %clipped(&error.cause(), MAX_LOGGED_CAUSE), "a request failed");
        }
        Error::Unavailable { .. } => {
            tracing::error!(
                cause = %clipped(&error.cause(), MAX_LOGGED_CAUSE),
                "a request was turned away: a part this server needs is not available"
            );
        }
        Error::SwitchedOff(text) => tracing::error!(text, "a request was turned away"),
        Error::Unauthorized { detail } | Error::Forbidden { detail } => {
            tracing::Span::current().record("reason", &*clipped(detail, MAX_LOGGED));
        }
        Error::ForbiddenAction { action } => {
            tracing::Span::current().record("reason", &*clipped(action, MAX_LOGGED));
        }
        // Not the text: it may repeat a token, a receipt or what the client sent.
        _ => tracing::debug!(status = error.status(), "a request was refused"),
    }
}

/// Writes the line about a list that ends before its last member: the client, who has the head of the answer, finds the
/// connection closed.
pub(crate) fn log_cut_off(error: &Error) {
    tracing::error!(
        cause = %clipped(&error.cause(), MAX_LOGGED_CAUSE),
        "the rest of a list could not be read, and its connection was closed"
    );
}

/// `value` with a line end, as Keystone ends its JSON bodies.
pub(crate) fn json_line(status: StatusCode, value: &Value) -> Response {
    json_response(status, to_python_json(value) + "\n")
}
