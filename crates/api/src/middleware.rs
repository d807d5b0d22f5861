//! Middleware of every request: request id, caller, errors and the log line.

use std::future::pending;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use axum::{Extension, Router};
use chrono::Duration;
use keystone_auth::{AuthToken, Bearer, Environment, Pass, Scope, TokenError, Tokenless};
use keystone_identity::{Holder, RoleRef};
use keystone_types::Error;
use tracing::Instrument;
use uuid::Uuid;

use crate::cors::CorsRequest;
use crate::error::{Challenge, MAX_LOGGED, PendingError, Style, clipped, log, render};
use crate::forwarded::base_url;
use crate::html::{self, TooLarge};
use crate::v3::take_callback;
use crate::{App, Live, path, trusted_proxy};

/// The caller of a request.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// No token, or an invalid one.
    Nobody,
    /// `[DEFAULT] admin_token`.
    AdminToken,
    /// The holder of a valid token.
    Token(Arc<AuthToken>),
    /// Somebody with a certificate in place of a token.
    Tokenless(Arc<Tokenless>),
}

impl Caller {
    /// 401 for nobody.
    pub(crate) fn authenticated(&self) -> Result<(), Error> {
        match self {
            Self::Nobody => Err(Error::unauthorized("no valid token in the request")),
            Self::AdminToken | Self::Token(_) | Self::Tokenless(_) => Ok(()),
        }
    }

    /// The caller's token.
    pub(crate) fn token(&self) -> Option<&Arc<AuthToken>> {
        match self {
            Self::Token(token) => Some(token),
            Self::Nobody | Self::AdminToken | Self::Tokenless(_) => None,
        }
    }

    /// The caller's scope; none for nobody and for the admin token.
    pub(crate) fn scope(&self) -> Option<&Scope> {
        match self {
            Self::Token(token) => Some(&token.scope),
            Self::Tokenless(tokenless) => Some(&tokenless.scope),
            Self::Nobody | Self::AdminToken => None,
        }
    }

    /// The caller's roles; none for nobody and for the admin token.
    pub(crate) fn roles(&self) -> &[RoleRef] {
        match self {
            Self::Token(token) => &token.roles,
            Self::Tokenless(tokenless) => &tokenless.roles,
            Self::Nobody | Self::AdminToken => &[],
        }
    }

    /// The caller's id; a caller that a mapping puts into groups has none.
    pub(crate) fn user_id(&self) -> Option<&str> {
        match self {
            Self::Token(token) => Some(&token.subject.user.id),
            Self::Tokenless(tokenless) => match &tokenless.bearer {
                Bearer::User(id) => Some(id),
                Bearer::Groups(_) => None,
            },
            Self::Nobody | Self::AdminToken => None,
        }
    }

    /// Whose assignments the caller's are; none for nobody and for the admin token.
    pub(crate) fn holder(&self) -> Option<Holder<'_>> {
        match self {
            Self::Token(token) => Some(token.holder()),
            Self::Tokenless(tokenless) => Some(tokenless.bearer.holder()),
            Self::Nobody | Self::AdminToken => None,
        }
    }
}

/// The URL of this server, without `/v3`.
#[derive(Clone, Debug)]
pub(crate) struct BaseUrl {
    /// As clients are told it.
    pub(crate) public: String,
    /// As this request names it.
    pub(crate) sent_to: String,
}

/// The ends of the connection that a request came on: a server puts it among the request's
/// extensions.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The client, or the proxy in front of this server.
    pub remote: SocketAddr,
    /// This server, as that reached it.
    pub local: SocketAddr,
    /// How that speaks to it.
    pub scheme: Scheme,
}

/// The scheme of URLs that lead to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS, which the server terminates itself.
    Https,
}

impl Connection {
    /// The router for the requests of this connection.
    pub fn on(self, router: &Router) -> Router {
        router.clone().layer(Extension(self))
    }
}

/// The router for requests of which the server knows these variables: of the certificate that the client has shown on
/// their connection, or of a user that an embedder has authenticated.
pub fn with_environment(router: &Router, environment: Environment) -> Router {
    router.clone().layer(Extension(environment))
}

/// The id of a request.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

/// Of an answer that is the same for every token: it has no `Vary`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoVary;

/// Wraps the router; see the module. Where changes are announced, a request that may change something goes on when its client
/// leaves: the service would commit, and nothing be announced.
pub(crate) async fn handle(State(live): State<Live>, request: Request, next: Next) -> Response {
    let may_change =
        !request.method().is_safe() || request.uri().path().contains("/OS-FEDERATION/");
    if !may_change || live.app().notifier.is_none() {
        return answer(live, request, next).await;
    }
    let Some(unfinished) = live.unfinished() else {
        return answer(live, request, next).await;
    };
    let answered = async move {
        let response = answer(live, request, next).await;
        drop(unfinished);
        response
    };
    match tokio::spawn(answered.in_current_span()).await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime ends.
            Err(_) => pending().await,
        },
    }
}

async fn answer(live: Live, mut request: Request, next: Next) -> Response {
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
    request.extensions_mut().insert(base.clone());
    take_environment(&app, &mut request);
    take_callback(&app, &mut request);
    request.extensions_mut().insert(Arc::clone(&app));
    if app.notifier.is_some() {
        request.extensions_mut().insert(RequestId(id.clone()));
    }
    let started = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let asked = CorsRequest::of(&method, request.headers());
    let response = serve(&app, request, next, &base.public)
        .instrument(span.clone())
        .await;
    let response = as_framework(&method, &path, response);
    let mut response = app.settings.cors.decorate(&asked, response);
    if method == Method::HEAD {
        response = without_body(response);
    }
    let _entered = span.enter();
    let (status, took) = (response.status(), started.elapsed());
    live.requests().count(&method, &path, status, took);
    tracing::info!(
        status = status.as_u16(),
        micros = u64::try_from(took.as_micros()).ok(),
        "answered"
    );
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-openstack-request-id", id);
    }
    response
}

/// Adds the variables that somebody vouches for: the server of this connection, which an embedder may have written, or a
/// trusted proxy. Nothing that a client sends is left to be taken for one.
fn take_environment(app: &App, request: &mut Request) {
    let connection = request.extensions().get().copied();
    let proxy = app.settings.trusted_proxy.as_ref();
    let from_proxy = trusted_proxy::take(proxy, connection, request.headers_mut());
    let extensions = request.extensions_mut();
    // The certificate of a trusted proxy's own connection is not its client's.
    let environment = from_proxy.or_else(|| extensions.remove());
    extensions.insert(environment.unwrap_or_default());
}

/// The response with another way to authenticate, where there is one.
fn challenged(mut response: Response, challenge: Option<Challenge>) -> Response {
    if let Some(Challenge(value)) = challenge {
        response
            .headers_mut()
            .append(header::WWW_AUTHENTICATE, value);
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
    let asked = (request.method().as_str(), &*path::in_rules(&request));
    let environment = request.extensions().get();
    let mut passed = None;
    let caller = caller(app, request.headers(), asked, environment, &mut passed).await;
    let mut response = match caller {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            if let Some(pass) = passed {
                request.extensions_mut().insert(pass);
            }
            let mut response = next.run(request).await;
            let challenge = response.extensions_mut().remove::<Challenge>();
            match response.extensions_mut().remove::<PendingError>() {
                Some(PendingError(error)) => {
                    log(&error);
                    let cookie = response.headers_mut().remove(header::SET_COOKIE);
                    let mut rendered = match *error {
                        Error::TooLarge => html::too_large(
                            wanted.as_deref(),
                            TooLarge::Read(settings.max_request_body_size),
                        ),
                        _ => render(&error, Style::Resource, base, settings.insecure_debug),
                    };
                    if let Some(cookie) = cookie {
                        rendered.headers_mut().insert(header::SET_COOKIE, cookie);
                    }
                    challenged(rendered, challenge)
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
async fn caller(
    app: &App,
    headers: &HeaderMap,
    (method, path): (&str, &str),
    environment: Option<&Environment>,
    passed: &mut Option<Pass>,
) -> Result<Caller, Error> {
    let Some(token) = header_text(headers, "x-auth-token").filter(|token| !token.is_empty()) else {
        return tokenless(app, headers, environment).await;
    };
    if let Some(admin) = &app.settings.admin_token
        && same(admin.reveal(), token)
    {
        tracing::warn!(
            "[DEFAULT] admin_token was used: remove it from the configuration once the cloud is bootstrapped"
        );
        return Ok(Caller::AdminToken);
    }
    let pass = app.auth.pass().await?;
    let validated = app.auth.validate_with(pass, token, Duration::zero()).await;
    passed.replace(pass);
    match validated {
        Ok(token) => {
            token.check_caller()?;
            let service = header_text(headers, "x-service-token");
            let checked = app.auth.check_request(&token, method, path, service, pass);
            checked.await.map(|()| Caller::Token(token))
        }
        Err(TokenError::NotFound(text)) => {
            // Some of the texts for clients repeat the token.
            let reason = text.replace(token, "[token]");
            tracing::Span::current().record("token", &*clipped(&reason, MAX_LOGGED));
            tokenless(app, headers, environment).await
        }
        Err(TokenError::Failed(error)) => Err(error),
    }
}

/// The caller by certificate, where there is one of a trusted issuer.
async fn tokenless(
    app: &App,
    headers: &HeaderMap,
    environment: Option<&Environment>,
) -> Result<Caller, Error> {
    let Some(environment) = environment else {
        return Ok(Caller::Nobody);
    };
    let header = |name: &str| header_text(headers, name);
    let found = app.auth.tokenless(environment, header).await?;
    Ok(found.map_or(Caller::Nobody, |it| Caller::Tokenless(Arc::new(it))))
}

/// Compares in a time that does not tell where two secrets differ.
pub(crate) fn same(one: &str, other: &str) -> bool {
    use subtle::ConstantTimeEq;
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A header as WSGI passes it on: each byte as a character.
pub(crate) fn latin1(value: &HeaderValue) -> String {
    value.as_bytes().iter().copied().map(char::from).collect()
}

/// 404 for a path that no route has.
pub(crate) async fn no_route() -> Response {
    html::not_found()
}

fn accept(headers: &HeaderMap) -> Option<&str> {
    header_text(headers, "accept")
}
