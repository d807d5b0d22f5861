//! The answers that come from the framework beneath the API rather than from the API:
//! unrouted paths, methods that a path does not have, bodies that are too large.

#[cfg(test)]
mod tests;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, LOCATION, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::discovery::accept::Accept;

const HTML: &str = "text/html; charset=utf-8";

/// How a body was found to be larger than `[oslo_middleware] max_request_body_size`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TooLarge {
    /// Its `Content-Length` said so.
    Announced,
    /// It had no `Content-Length`, and reading it went past this limit.
    Read(usize),
}

/// 404 for a path that has no route.
pub(crate) fn not_found() -> Response {
    let body = "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n\
                <p>The requested URL was not found on the server. If you entered the URL manually \
                please check your spelling and try again.</p>\n";
    framework(StatusCode::NOT_FOUND, HTML, body)
}

/// 308 to where several slashes in a row were meant to lead.
pub(crate) fn redirect(location: &str) -> Response {
    let shown = location
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;");
    let body = format!(
        "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n\
         <p>You should be redirected automatically to the target URL: \
         <a href=\"{shown}\">{shown}</a>. If not, click the link.\n"
    );
    let mut response = framework(StatusCode::PERMANENT_REDIRECT, HTML, body);
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// 405 on `/` and `/v3`.
pub(crate) fn method_not_allowed_html() -> Response {
    let body = "<!doctype html>\n<html lang=en>\n<title>405 Method Not Allowed</title>\n\
                <h1>Method Not Allowed</h1>\n\
                <p>The method is not allowed for the requested URL.</p>\n";
    let response = framework(StatusCode::METHOD_NOT_ALLOWED, HTML, body);
    with_allow(response, "HEAD, OPTIONS, GET")
}

/// 405 on the routes of the API, with the methods that they do have.
pub(crate) fn method_not_allowed_json(allow: &str) -> Response {
    let body = "{\"message\": \"The method is not allowed for the requested URL.\"}\n";
    let response = framework(StatusCode::METHOD_NOT_ALLOWED, "application/json", body);
    with_allow(response, allow)
}

/// The answer to `OPTIONS` on a route.
pub(crate) fn options(allow: &str) -> Response {
    with_allow(framework(StatusCode::OK, HTML, ""), allow)
}

/// 413, before any routing, in the one of three formats that the client likes best.
pub(crate) fn too_large(accept: Option<&str>, found: TooLarge) -> Response {
    let reason = match found {
        // Keystone never fills in this placeholder (`oslo_middleware/sizelimit.py`).
        TooLarge::Announced => {
            "Request is too large. Larger than max_request_body_size (%s).".to_owned()
        }
        TooLarge::Read(limit) => format!("Request is too large. Larger than {limit}."),
    };
    let (media, body) = match Format::choose(accept.unwrap_or_default()) {
        Format::Html => ("text/html; charset=UTF-8", html_too_large(&reason)),
        Format::Json => ("application/json", json_too_large(&reason)),
        Format::Plain => ("text/plain; charset=UTF-8", plain_too_large(&reason)),
    };
    (StatusCode::PAYLOAD_TOO_LARGE, [(CONTENT_TYPE, media)], body).into_response()
}

enum Format {
    Html,
    Json,
    Plain,
}

impl Format {
    fn choose(accept: &str) -> Self {
        let accept = Accept::parse(accept);
        if accept.is_malformed() {
            return Self::Html;
        }
        let quality = |kind, subtype| Some(accept.preference(kind, subtype)?.quality);
        match (quality("text", "html"), quality("application", "json")) {
            (None, None) => Self::Plain,
            (html, json) if html >= json => Self::Html,
            _ => Self::Json,
        }
    }
}

fn html_too_large(reason: &str) -> String {
    format!(
        "<html>\n <head>\n  <title>413 Request Entity Too Large</title>\n </head>\n <body>\n  \
         <h1>413 Request Entity Too Large</h1>\n  {reason}<br /><br />\n\n\n\n </body>\n</html>"
    )
}

fn json_too_large(reason: &str) -> String {
    format!(
        r#"{{"message": "{reason}<br /><br />\n\n\n", "code": "413 Request Entity Too Large", "title": "Request Entity Too Large"}}"#
    )
}

fn plain_too_large(reason: &str) -> String {
    format!("413 Request Entity Too Large\n\n{reason}\n\n   ")
}

fn framework(status: StatusCode, media: &'static str, body: impl Into<Body>) -> Response {
    let headers = [(CONTENT_TYPE, media), (VARY, "X-Auth-Token")];
    (status, headers, body.into()).into_response()
}

fn with_allow(mut response: Response, allow: &str) -> Response {
    if let Ok(allow) = HeaderValue::from_str(allow) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}
