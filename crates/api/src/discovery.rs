//! Which versions there are, and the JSON-home document that names every route.

pub(crate) mod accept;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, LOCATION, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use keystone_types::to_python_json;

use self::accept::Accept;

/// One relation a line; paths are relative to `/v3`.
const RELATIONS: &str = include_str!("../schemas/json-home.json");

static HOME: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(one_line(RELATIONS)));

/// Only paths are strings that start with a slash.
static HOME_FROM_ROOT: LazyLock<Bytes> =
    LazyLock::new(|| Bytes::from(one_line(RELATIONS).replace("\"/", "\"/v3/")));

/// Answers `GET /`: the choice of versions, or JSON-home with paths from the root.
pub(crate) fn versions(accept: Option<&str>, base: &str) -> Response {
    if wants_json_home(accept) {
        return json_home(&HOME_FROM_ROOT);
    }
    let body = format!(r#"{{"versions": {{"values": [{}]}}}}"#, version(base));
    let mut response = respond(StatusCode::MULTIPLE_CHOICES, "application/json", body);
    if let Ok(location) = HeaderValue::try_from(format!("{base}/v3/")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Answers `GET /v3`: the version, or JSON-home with paths from `/v3`.
pub(crate) fn v3(accept: Option<&str>, base: &str) -> Response {
    if wants_json_home(accept) {
        return json_home(&HOME);
    }
    let body = format!(r#"{{"version": {}}}"#, version(base));
    respond(StatusCode::OK, "application/json", body)
}

fn version(base: &str) -> String {
    let href = to_python_json(&format!("{base}/v3/").into());
    format!(
        concat!(
            r#"{{"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z", "#,
            r#""links": [{{"rel": "self", "href": {}}}], "#,
            r#""media-types": [{{"base": "application/json", "#,
            r#""type": "application/vnd.openstack.identity-v3+json"}}]}}"#,
        ),
        href
    )
}

/// Plain JSON wins ties, and is for clients that accept neither.
fn wants_json_home(accept: Option<&str>) -> bool {
    let accept = Accept::parse(accept.unwrap_or_default());
    let home = accept.preference("application", "json-home");
    home.is_some() && home > accept.preference("application", "json")
}

fn json_home(document: &Bytes) -> Response {
    respond(StatusCode::OK, "application/json-home", document.clone())
}

fn respond(status: StatusCode, media: &'static str, body: impl Into<Body>) -> Response {
    let headers = [(CONTENT_TYPE, media), (VARY, "X-Auth-Token")];
    (status, headers, body.into()).into_response()
}

fn one_line(relations: &str) -> String {
    relations.replace(",\n", ", ").replace('\n', "")
}
