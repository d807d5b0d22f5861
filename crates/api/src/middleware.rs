//! Middleware of every request: request id, caller, errors and the log line.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use axum::{Extension, Router};
use chrono::Duration;
use keystone_auth::{AuthToken, TokenError};
use keystone_types::Error;
use tracing::Instrument;
use uuid::Uuid;

use crate::cors::CorsRequest;
use crate::error::{MAX_LOGGED, PendingError, Style, clipped, log, render};
use crate::forwarded::base_url;
use crate::html::{self, TooLarge};
use crate::{App, Live};

/// The caller of a request.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// No token, or an invalid one.
    Nobody,
    /// `[DEFAULT] admin_token`.
    AdminToken,
    /// The holder of a valid token.
    Token(Arc<AuthToken>),
}

impl Caller {
    /// The caller's token; none for the admin token, which may do everything.
    pub(crate) fn token(&self) -> Result<Option<&Arc<AuthToken>>, Error> {
        match self {
            Self::Nobody => Err(Error::unauthorized("no valid token in the request")),
            Self::AdminToken => Ok(None),
            Self::Token(token) => Ok(Some(token)),
        }
    }
}

/// The URL of this server as the client sees it, without `/v3`.
#[derive(Clone, Debug)]
pub(crate) struct BaseUrl(pub(crate) String);

/// The ends of the connection that a request came on: a server puts it among the request's
/// extensions.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The client, or the proxy in front of this server.
    pub remote: SocketAddr,
    /// This server, as that reached it.
    pub local: SocketAddr,
}

impl Connection {
    /// The router for the requests of this connection.
    pub fn on(self, router: &Router) -> Router {
        router.clone().layer(Extension(self))
    }
}

/// Of an answer that is the same for every token: it has no `Vary`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoVary;

/// Wraps the router; see the module.
pub(crate) async fn handle(State(live): State<Live>, mut request: Request, next: Next) -> Response {
    let app = live.app();
    let id = format!("req-{}", Uuid::new_v4());
    // All of a refusal stands on one line, in which the client's part has its bounds.
    let span = tracing::info_span!(
        "request",
        id,
        method = %clipped(request.method().as_str(), MAX_LOGGED),
        path = %clipped(request.uri().path(), MAX_LOGGED),
        token = tracing::field::Empty,
        reason = tracing::field::Empty
    );
    let base = base_url(&app, &request);
    request.extensions_mut().insert(BaseUrl(base.clone()));
    request.extensions_mut().insert(Arc::clone(&app));
    let started = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let asked = CorsRequest::of(&method, request.headers());
    let response = serve(&app, request, next, &base)
        .instrument(span.clone())
        .await;
    let response = as_framework(&method, &path, response);
    let mut response = app.settings.cors.decorate(&asked, response);
    if method == Method::HEAD {
        response = without_body(response);
    }
    let _entered = span.enter();
    tracing::info!(
        status = response.status().as_u16(),
        micros = u64::try_from(started.elapsed().as_micros()).ok(),
        "answered"
    );
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-openstack-request-id", id);
    }
    response
}

async fn serve(app: &App, mut request: Request, next: Next, base: &str) -> Response {
    let settings = &app.settings;
    let length = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > settings.max_request_body_size) {
        return html::too_large(accept(request.headers()), TooLarge::Announced);
    }
    let wanted = accept(request.headers()).map(str::to_owned);
    let mut response = match caller(app, request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            let mut response = next.run(request).await;
            match response.extensions_mut().remove::<PendingError>() {
                Some(PendingError(error)) => {
                    log(&error);
                    match *error {
                        Error::TooLarge => html::too_large(
                            wanted.as_deref(),
                            TooLarge::Read(settings.max_request_body_size),
                        ),
                        _ => render(&error, Style::Resource, base, settings.insecure_debug),
                    }
                }
                None => response,
            }
        }
        Err(error) => {
            log(&error);
            render(
                &error,
                Style::TokenMiddleware,
                base,
                settings.insecure_debug,
            )
        }
    };
    let unvaried = response.extensions().get::<NoVary>().is_some();
    if response.status() != StatusCode::PAYLOAD_TOO_LARGE && !unvaried {
        response
            .headers_mut()
            .insert(header::VARY, HeaderValue::from_static("X-Auth-Token"));
    }
    response
}

/// The router's own answers, as Flask words them for Keystone.
fn as_framework(method: &Method, path: &str, response: Response) -> Response {
    let allow = response
        .headers()
        .get(header::ALLOW)
        .and_then(|allow| allow.to_str().ok());
    let allow = format!("{}, OPTIONS", allow.unwrap_or_default().replace(',', ", "));
    let finished = response.headers().contains_key(header::CONTENT_TYPE);
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED if *method == Method::OPTIONS => html::options(&allow),
        // A handler's own, not the router's.
        StatusCode::METHOD_NOT_ALLOWED if finished => response,
        StatusCode::METHOD_NOT_ALLOWED
            if matches!(path, "/" | "/v3") || path.starts_with("/static/") =>
        {
            html::method_not_allowed_html()
        }
        StatusCode::METHOD_NOT_ALLOWED => html::method_not_allowed_json(&allow),
        _ => response,
    }
}

/// The answer of `GET` without its body.
fn without_body(mut response: Response) -> Response {
    if let Some(length) = response
        .body()
        .size_hint()
        .exact()
        .filter(|length| *length > 0)
    {
        let headers = response.headers_mut();
        headers
            .entry(header::CONTENT_LENGTH)
            .or_insert(length.into());
    }
    response.map(|_| Body::empty())
}

/// An invalid token counts as none; a token whose user or project does not exist is an error.
async fn caller(app: &App, headers: &HeaderMap) -> Result<Caller, Error> {
    let Some(token) = header_text(headers, "x-auth-token").filter(|token| !token.is_empty()) else {
        return Ok(Caller::Nobody);
    };
    if let Some(admin) = &app.settings.admin_token
        && same(admin.reveal(), token)
    {
        tracing::warn!(
            "[DEFAULT] admin_token was used: remove it from the configuration once the cloud is bootstrapped"
        );
        return Ok(Caller::AdminToken);
    }
    match app.auth.validate(token, Duration::zero()).await {
        Ok(token) => Ok(Caller::Token(token)),
        Err(TokenError::NotFound(text)) => {
            // Some of the texts for clients repeat the token.
            let reason = text.replace(token, "[token]");
            tracing::Span::current().record("token", &*clipped(&reason, MAX_LOGGED));
            Ok(Caller::Nobody)
        }
        Err(TokenError::Failed(error)) => Err(error),
    }
}

/// Compares in a time that does not tell where two secrets differ.
fn same(one: &str, other: &str) -> bool {
    use subtle::ConstantTimeEq;
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// 404 for a path that no route has.
pub(crate) async fn no_route() -> Response {
    html::not_found()
}

fn accept(headers: &HeaderMap) -> Option<&str> {
    header_text(headers, "accept")
}
