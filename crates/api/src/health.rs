//! `/healthcheck`: whether the process answers and its operator lets it, for load balancers.
//!
//! Python Keystone reads `[healthcheck]` from `/etc/keystone/keystone.conf`, whichever file it was
//! started with; here it is read from the same files as the rest.
//!
//! What Python Keystone says of its interpreter in detail is answered with what holds here: no
//! garbage collector, no stacks.

mod page;
mod settings;

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use keystone_types::{Clock, Error};
use serde::Serialize;
use serde_json::{Value, json};

use crate::discovery::accept::Accept;
use crate::error::ApiError;
use crate::forwarded::Forwarded;
use crate::middleware::{Connection, NoVary, header_text};
use crate::{App, html};

pub use settings::{Check, Health, Network};

/// The result of a check.
#[derive(Debug)]
struct CheckResult {
    available: bool,
    reason: &'static str,
    details: String,
}

/// Answers every method alike, but for `HEAD`.
pub(crate) async fn show(
    Extension(app): Extension<Arc<App>>,
    connection: Option<Extension<Connection>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let health = &app.settings.health;
    let connection = connection.map(|Extension(connection)| connection);
    let forwarded = Forwarded::read(&headers, app.settings.proxy_headers);
    let client = forwarded.client(connection.map(|connection| connection.remote.ip()));
    if !health.answers(client, &headers) {
        return Ok(html::not_found());
    }
    let port = connection.map(|connection| connection.local.port());
    let checks = health.checks.clone();
    let look = move || checks.iter().map(|check| check.look(port)).collect();
    let found: Vec<CheckResult> = tokio::task::spawn_blocking(look)
        .await
        .map_err(Error::internal)?;
    let available = found.iter().all(|result| result.available);
    let status = match (available, method == Method::HEAD) {
        (false, _) => StatusCode::SERVICE_UNAVAILABLE,
        (true, true) => StatusCode::NO_CONTENT,
        (true, false) => StatusCode::OK,
    };
    let mut response = match method {
        Method::HEAD if available => status.into_response(),
        Method::HEAD => (status, typed(PLAIN), Body::empty()).into_response(),
        _ => match preferred(header_text(&headers, "accept")) {
            PLAIN => (status, typed(PLAIN), plain(&found)).into_response(),
            HTML => (status, typed(HTML), page::render(&found, health.detailed)).into_response(),
            _ => (
                status,
                typed(JSON),
                pretty(&report(&found, health.detailed))?,
            )
                .into_response(),
        },
    };
    response.extensions_mut().insert(NoVary);
    Ok(response)
}

const PLAIN: &str = "text/plain; charset=UTF-8";
const HTML: &str = "text/html; charset=UTF-8";
const JSON: &str = "application/json";

fn typed(media: &'static str) -> [(header::HeaderName, &'static str); 1] {
    [(header::CONTENT_TYPE, media)]
}

/// The format that the client likes best; of equals the first, and plain text where it likes none.
fn preferred(accept: Option<&str>) -> &'static str {
    let Some(accept) = accept
        .map(Accept::parse)
        .filter(|accept| !accept.is_malformed())
    else {
        return PLAIN;
    };
    let offers = [
        (PLAIN, accept.preference("text", "plain")),
        (HTML, accept.preference("text", "html")),
        (JSON, accept.preference("application", "json")),
    ];
    let liked = offers
        .into_iter()
        .filter_map(|(media, preference)| Some((media, preference?.quality)));
    let best = liked.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(PLAIN, |(media, _)| media)
}

fn plain(found: &[CheckResult]) -> String {
    let reasons: Vec<_> = found.iter().map(|result| result.reason).collect();
    reasons.join("\n")
}

fn report(found: &[CheckResult], detailed: bool) -> Value {
    if !detailed {
        let reasons: Vec<_> = found.iter().map(|result| result.reason).collect();
        return json!({ "detailed": false, "reasons": reasons });
    }
    let reasons: Vec<_> = found
        .iter()
        .map(|result| json!({ "class": CLASS, "details": result.details, "reason": result.reason }))
        .collect();
    json!({
        "detailed": true,
        "gc": { "counts": [0, 0, 0], "threshold": [0, 0, 0] },
        "greenthreads": [],
        "now": now(),
        "platform": platform(),
        "python_version": VERSION,
        "reasons": reasons,
        "threads": [],
    })
}

/// The class of every check in Keystone.
const CLASS: &str = "HealthcheckResult";

const VERSION: &str = concat!("none: keystone ", env!("CARGO_PKG_VERSION"), " in Rust");

fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

fn now() -> String {
    let now = Clock::system().precise();
    now.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

fn pretty(report: &Value) -> Result<String, Error> {
    let mut text = Vec::new();
    let indented = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, indented);
    report.serialize(&mut serializer).map_err(Error::internal)?;
    String::from_utf8(text).map_err(Error::internal)
}

#[cfg(test)]
mod tests;
