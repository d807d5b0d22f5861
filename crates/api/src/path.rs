//! Paths as clients write them: slashes too many, and slashes in disguise.

use std::borrow::Cow;

use axum::Router;
use axum::body::Body;
use axum::extract::{OriginalUri, Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tower::ServiceExt as _;

use crate::html;
use crate::middleware::BaseUrl;

/// The path below which the API is mounted.
#[derive(Clone, Debug)]
pub(crate) struct Mounted(pub(crate) String);

/// Gives a request the path that is routed: `/v3/users/` is `/v3/users`, `%2F` is a slash, and
/// what is no UTF-8 is replaced.
pub(crate) fn normalize(mut request: Request) -> Request {
    let path = request.uri().path();
    let original = request.extensions().get::<OriginalUri>();
    let original = original.map_or(path, |OriginalUri(uri)| uri.path());
    // The path below which it is nested, without a slash at its end, arrives as one slash.
    let mounted = match original.strip_suffix(path) {
        None if path == "/" => original,
        mounted => mounted.unwrap_or_default(),
    };
    let mounted = Mounted(mounted.to_owned());
    request.extensions_mut().insert(mounted);
    let path = request.uri().path();
    let plain = plain(path);
    if plain != path {
        let uri = with_path(request.uri(), &plain);
        *request.uri_mut() = uri;
    }
    request
}

/// What paths have as it is, where `webob` writes them.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The path that access rules are about: with the prefix below which the API is mounted, and in one spelling.
pub(crate) fn in_rules(request: &Request) -> String {
    let mounted = request.extensions().get::<Mounted>();
    let mounted = mounted.map(|Mounted(prefix)| prefix.as_str());
    let decoded = percent_decode_str(request.uri().path()).decode_utf8_lossy();
    let path = utf8_percent_encode(&decoded, PLAIN);
    format!("{}{path}", mounted.unwrap_or_default())
}

fn plain(path: &str) -> String {
    let path = path.replace("%2F", "/").replace("%2f", "/");
    let path = format!("/{}", path.trim_matches('/'));
    match percent_decode_str(&path).decode_utf8_lossy() {
        Cow::Owned(text) if text.contains('\u{fffd}') => {
            let segments = text.split('/');
            let segments =
                segments.map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC).to_string());
            segments.collect::<Vec<_>>().join("/")
        }
        _ => path,
    }
}

pub(crate) fn with_path(uri: &Uri, path: &str) -> Uri {
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = text.parse::<PathAndQuery>().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| uri.clone())
}

/// The path with one slash for several in a row, if there are any.
fn merged(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    path.contains("//").then(|| format!("/{}", parts.join("/")))
}

/// Redirects a path with several slashes in a row to the route without them, if there is one.
pub(crate) async fn redirect(
    State(routes): State<Router>,
    request: Request,
    next: Next,
) -> Response {
    let path = merged(request.uri().path()).filter(|_| request.method() != Method::OPTIONS);
    let Some(path) = path else {
        return next.run(request).await;
    };
    let uri = with_path(request.uri(), &path);
    // No route has a handler for this: the answer tells whether there is one.
    let mut probe = Request::new(Body::empty());
    *probe.method_mut() = Method::OPTIONS;
    *probe.uri_mut() = uri.clone();
    let found = routes
        .oneshot(probe)
        .await
        .unwrap_or_else(|never| match never {});
    if found.status() != StatusCode::METHOD_NOT_ALLOWED {
        return html::not_found();
    }
    let base = request.extensions().get::<BaseUrl>();
    let base = base.map(|base| base.public.as_str()).unwrap_or_default();
    html::redirect(&format!("{base}{uri}"))
}
