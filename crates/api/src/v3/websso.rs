//! Logins in a browser: the page that carries the token to the dashboard where the user came from.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use keystone_auth::{Login, ProviderAssertion};
use keystone_types::{Error, Result};
use percent_encoding::percent_decode_str;

use super::{oidc, saml_login};
use crate::App;
use crate::context::Context;
use crate::error::ApiError;
use crate::routes::{Routes, get};

/// The page that Keystone comes with.
const PAGE: &str = include_str!("websso.html");

/// The digest of the only script that may run in it, which a test compares.
const SCRIPT: &str = "sha256-oBahlBFQem+nMs1JwgcBB03Hy8nRh5e8qEGTOcxmAuM=";

/// What a browser is told whose login nobody knows.
pub(super) const NOT_BEGUN: &str =
    "The login was not begun in this browser, or more than ten minutes ago. Please begin again.";

/// Logins in a browser: `[federation] trusted_dashboard` and `sso_callback_template`.
#[derive(Clone, Debug, Default)]
pub struct WebSso {
    /// The pages of dashboards that get tokens, as [`WebSso::dashboard`] has them.
    pub dashboards: Vec<String>,
    /// The page of the operator, in place of Keystone's.
    pub page: Option<Page>,
}

/// A page with places for a dashboard and a token: `string.Template` of Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Host,
    Token,
}

impl WebSso {
    /// The URL of a dashboard as it is compared: with scheme and host in small letters.
    pub fn dashboard(url: &str) -> String {
        let Some((scheme, rest)) = url.split_once("://") else {
            return url.to_owned();
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let (scheme, host) = (scheme.to_lowercase(), host.to_lowercase());
        format!("{scheme}://{host}{path}")
    }
}

impl Page {
    /// Reads a page; it may name `$host` and `$token` only.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            pieces.push(Piece::Text(before.to_owned()));
            if let Some(after) = after.strip_prefix('$') {
                pieces.push(Piece::Text("$".to_owned()));
                rest = after;
                continue;
            }
            let (name, after) = match after.strip_prefix('{') {
                Some(braced) => braced.split_once('}').unwrap_or_default(),
                None => after.split_at(
                    after
                        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                        .unwrap_or(after.len()),
                ),
            };
            pieces.push(match name {
                "host" => Piece::Host,
                "token" => Piece::Token,
                other => {
                    return Err(format!(
                        "it names ${other}, and may name $host and $token; $$ is a $"
                    ));
                }
            });
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    fn fill(&self, host: &str, token: &str) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Host => host,
            Piece::Token => token,
        });
        pieces.collect()
    }
}

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route(
            "/v3/auth/OS-FEDERATION/websso/{protocol_id}",
            get(anywhere).post(anywhere),
        )
        .route(
            "/v3/auth/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/websso",
            get(at_provider).post(at_provider),
        )
}

/// The identity provider is the one that names itself in the attributes. Where there are none, it is the only one with the
/// protocol that this server asks itself.
async fn anywhere(cx: Context) -> Result<Response, ApiError> {
    let service = &cx.without_policy().auth;
    let protocol = cx.path("protocol_id");
    let named = service.remote_id(protocol, cx.environment()).await;
    if is_without_proxy(&named)
        && let Some(provider) = only_asked(&cx, protocol).await?
    {
        let host = origin(&cx)?;
        return begin(&cx, (&provider, protocol), &host).await;
    }
    let remote_id = named?;
    let host = origin(&cx)?;
    let provider = service.provider_named(&remote_id).await?;
    deliver(&cx, (&provider, protocol), &host, None).await
}

async fn at_provider(cx: Context) -> Result<Response, ApiError> {
    let host = origin(&cx)?;
    let app = cx.without_policy();
    let at = (cx.path("idp_id"), cx.path("protocol_id"));
    let by_saml = app.saml.as_ref().is_some_and(|saml| saml.asks(at));
    if (by_saml || is_asked(app, at))
        && is_without_proxy(&app.auth.remote_id(at.1, cx.environment()).await)
    {
        return begin(&cx, at, &host).await;
    }
    deliver(&cx, at, &host, None).await
}

/// Whether this server can send browsers to an identity provider itself, for logins by this protocol.
fn is_asked(app: &App, at: (&str, &str)) -> bool {
    let saml = app.saml.as_ref();
    oidc::asked(app, at).is_some() || saml.is_some_and(|saml| saml.has_sign_on(at))
}

/// The only such identity provider with a protocol.
async fn only_asked(cx: &Context, protocol: &str) -> Result<Option<String>> {
    let app = cx.without_policy();
    if app.oidc.is_empty() && app.saml.is_none() {
        return Ok(None);
    }
    let protocols = app.federation.protocols_named(protocol).await?;
    let mut asked = protocols
        .into_iter()
        .map(|it| it.idp_id)
        .filter(|id| is_asked(app, (id, protocol)));
    let only = asked.next();
    Ok(only.filter(|_| asked.next().is_none()))
}

/// Sends a browser there.
async fn begin(cx: &Context, at: (&str, &str), host: &str) -> Result<Response, ApiError> {
    let app = cx.without_policy();
    app.auth.check_federated(at.0, at.1).await?;
    match &app.saml {
        Some(saml) if saml.asks(at) => saml_login::begin(saml, at, host),
        _ => oidc::begin(cx, at, host).await,
    }
}

/// Whether no web server in front says who the provider is.
pub(super) fn is_without_proxy(named: &Result<String>) -> bool {
    matches!(named, Err(Error::Unauthorized { .. }))
}

/// Logs in at an identity provider by a protocol, and answers with the page that carries the token to the dashboard. Where this
/// server has asked nobody itself, a web server in front vouches.
pub(crate) async fn deliver(
    cx: &Context,
    (provider, protocol): (&str, &str),
    host: &str,
    vouched: Option<&ProviderAssertion>,
) -> Result<Response, ApiError> {
    let service = &cx.without_policy().auth;
    let login = Login {
        is_at_provider: true,
        assertion: vouched,
        ..cx.login(None)
    };
    let token = service.log_in_federated(provider, protocol, &login).await?;
    page(cx.settings().websso.page.as_ref(), host, &token.id)
}

/// Sends a browser or a client somewhere else, with cookies.
pub(super) fn redirect(
    status: StatusCode,
    url: &str,
    cookies: impl IntoIterator<Item = String>,
) -> Result<Response> {
    let url = HeaderValue::try_from(url).map_err(Error::internal)?;
    let no_store = HeaderValue::from_static("no-store");
    let headers = [(header::LOCATION, url), (header::CACHE_CONTROL, no_store)];
    let mut response = (status, headers).into_response();
    set_cookies(&mut response, cookies)?;
    Ok(response)
}

pub(super) fn set_cookies(
    response: &mut Response,
    cookies: impl IntoIterator<Item = String>,
) -> Result<()> {
    for cookie in cookies {
        let cookie = HeaderValue::try_from(cookie).map_err(Error::internal)?;
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(())
}

/// The values of the `Cookie` headers of a request.
pub(super) fn sent_cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::COOKIE).into_iter();
    values.filter_map(|value| value.to_str().ok())
}

/// The answer to a browser that is back, and the end of its login's cookie. While something is away it keeps the cookie: it
/// can try again.
pub(super) fn answered(
    finished: Result<Response, ApiError>,
    end: String,
) -> Result<Response, ApiError> {
    if matches!(&finished, Err(error) if error.0.status() == 503) {
        return finished;
    }
    let mut response = finished.unwrap_or_else(IntoResponse::into_response);
    set_cookies(&mut response, [end])?;
    Ok(response)
}

/// 401 for a browser that did not begin the login, or whose login has no place to go to any more.
pub(super) fn not_begun(flow: &str, reason: &str) -> Error {
    tracing::info!(
        flow,
        reason,
        "a login of a browser was refused: its cookie is missing or of no use; if that is often so, compare the key \
         repositories of all nodes, and the host name in [DEFAULT] public_endpoint with the one that browsers use"
    );
    refusal(NOT_BEGUN)
}

/// 401 with a text for the person at the browser.
pub(super) fn refusal(message: &str) -> Error {
    let message = message.to_owned();
    let identity = None;
    Error::Authentication { message, identity }
}

/// Checks that the dashboard of a login that was begun some time ago is still one of the operator's.
pub(super) fn check_dashboard(cx: &Context, flow: &str, address: &str) -> Result<()> {
    if is_dashboard(cx, address) {
        return Ok(());
    }
    Err(not_begun(
        flow,
        "its dashboard is no trusted_dashboard any more",
    ))
}

/// Whether an address is that of one of the operator's dashboards.
fn is_dashboard(cx: &Context, address: &str) -> bool {
    let dashboards = &cx.settings().websso.dashboards;
    dashboards.iter().any(|it| it == address)
}

/// The dashboard that the user came from, if it is one of the operator's.
fn origin(cx: &Context) -> Result<String> {
    let origin = cx.query("origin").filter(|origin| !origin.is_empty());
    let origin = origin.ok_or_else(|| {
        Error::Validation("Request must have an origin query parameter".to_owned())
    })?;
    // Once more than the query itself, as in `keystone/api/auth.py`.
    let origin = origin.replace('+', " ");
    let origin = percent_decode_str(&origin).decode_utf8_lossy();
    if is_dashboard(cx, &origin) {
        return Ok(origin.into_owned());
    }
    Err(Error::unauthorized(format!(
        "{origin:?} is not a page of [federation] trusted_dashboard"
    )))
}

/// The page with the token, which is for nobody else: no cache keeps it. Horizon takes the site that its browser comes from for
/// Keystone's (`WEBSSO_USE_HTTP_REFERER`), and the path if that is its own site, so it is told as much as browsers tell of pages
/// of Python Keystone.
fn page(own: Option<&Page>, host: &str, token: &str) -> Result<Response, ApiError> {
    let ours = Page::parse(PAGE).map_err(Error::internal)?;
    let page = own.unwrap_or(&ours);
    let mut response = (StatusCode::OK, page.fill(host, token)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let referrer = HeaderValue::from_static("strict-origin-when-cross-origin");
    headers.insert(header::REFERRER_POLICY, referrer);
    // What a page of the operator needs is not known.
    if *page == ours {
        let policy = HeaderValue::try_from(content_policy(host)).map_err(Error::internal)?;
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// The one script may run, and send the form to the dashboard.
fn content_policy(host: &str) -> String {
    let policy = format!(
        "default-src 'none'; script-src '{SCRIPT}'; base-uri 'none'; frame-ancestors 'none'"
    );
    let end = host.find("://").map(|at| at + 3);
    let end = end.map(|at| {
        host[at..]
            .find(['/', '?', '#'])
            .map_or(host.len(), |to| at + to)
    });
    let site = &host[..end.unwrap_or_default()];
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".:/_-".contains(c);
    // The grammar of policies has no addresses of IPv6.
    if site.is_empty() || !site.chars().all(is_plain) {
        return policy;
    }
    format!("{policy}; form-action {site}")
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_digest_is_that_of_the_only_script() {
        let scripts: Vec<_> = PAGE.split("<script>").skip(1).collect();
        let [script] = scripts[..] else {
            panic!("{scripts:?}");
        };
        let (script, _) = script.split_once("</script>").unwrap();
        let digest = BASE64_STANDARD.encode(Sha256::digest(script));
        assert_eq!(SCRIPT, format!("sha256-{digest}"));
    }
}
