//! Logins of browsers at OpenID providers that this server asks itself, and logouts that such a provider reports.

use std::borrow::Cow;
use std::str::FromStr;

use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDateTime};
use keystone_auth::{ProviderAssertion, Return, StateCookies, unique_id};
use keystone_oidc::{Error as OidcError, Login, Refusal};
use keystone_types::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::websso::{
    NOT_BEGUN, answered, check_dashboard, deliver, not_begun, redirect, refusal, sent_cookies,
};
use crate::body::Form;
use crate::context::Context;
use crate::error::{ApiError, json_line};
use crate::path::with_path;
use crate::routes::{Handlers, Routes, get};
use crate::{App, Oidc};

/// Where browsers come back to. Each provider has an address of its own, or else one could have a login that another one answers
/// finished at itself (RFC 9700, section 4.4).
const CALLBACK: &str = "/v3/auth/OS-FEDERATION/identity_providers/{idp_id}/oidc/redirect";

/// Another path of this server to which a provider sends browsers back: it begins with `/v3/` and has no escapes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RedirectPath(String);

impl RedirectPath {
    /// All of the path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RedirectPath {
    type Err = &'static str;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
        let is_plain = !path.ends_with('/') && !path.contains("//");
        if path.starts_with("/v3/") && path.chars().all(fits) && is_plain {
            return Ok(Self(path.to_owned()));
        }
        Err(
            "expected a path of this server that begins with /v3/, as it is registered at the provider",
        )
    }
}

/// The path to which a provider sends browsers back if no other one is set.
pub fn redirect_path(provider: &str) -> String {
    CALLBACK.replace("{idp_id}", &keystone_python::percent_encode(provider))
}

/// What the log calls these logins.
const FLOW: &str = "OpenID Connect";

/// What the cookie of a login holds while the browser is at the provider.
#[derive(Serialize, Deserialize)]
struct Begun {
    provider: String,
    protocol: String,
    host: String,
    login: Login,
}

pub(crate) fn routes() -> Routes {
    Routes::new().route(CALLBACK, get(come_back)).route(
        "/v3/auth/OS-FEDERATION/identity_providers/{idp_id}/oidc/backchannel_logout",
        Handlers::default().post(log_out),
    )
}

/// Leads a browser that comes back from a provider by another path to the route for that provider.
pub(crate) fn take_callback(app: &App, request: &mut Request) {
    let path = request.uri().path();
    let has_path = |it: &Oidc| {
        it.redirect_path
            .as_ref()
            .is_some_and(|own| own.as_str() == path)
    };
    let found = app.oidc.iter().find(|(_, it)| has_path(it));
    if let Some((provider, _)) = found
        && request.method() == Method::GET
        && has_state(request.uri())
    {
        let uri = with_path(request.uri(), &redirect_path(provider));
        *request.uri_mut() = uri;
    }
}

fn has_state(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "state")
}

/// The provider, where this server asks it itself for logins by a protocol.
pub(super) fn asked<'a>(app: &'a App, (provider, protocol): (&str, &str)) -> Option<&'a Oidc> {
    app.oidc.get(provider).filter(|it| it.protocol == protocol)
}

/// Sends a browser to the provider.
pub(super) async fn begin(
    cx: &Context,
    (provider, protocol): (&str, &str),
    host: &str,
) -> Result<Response, ApiError> {
    let app = cx.without_policy();
    let asked = asked(app, (provider, protocol));
    let asked = asked.ok_or_else(|| Error::internal("nobody asks this provider"))?;
    let redirect_uri = cx.public_url(&match &asked.redirect_path {
        Some(path) => path.as_str().into(),
        None => Cow::from(redirect_path(provider)),
    });
    let start = match asked.provider.start(&redirect_uri).await {
        Ok(start) => start,
        Err(error) => return Err(refused(provider, error)),
    };
    let begun = Begun {
        provider: provider.to_owned(),
        protocol: protocol.to_owned(),
        host: host.to_owned(),
        login: start.login,
    };
    let kept = serde_json::to_vec(&begun).map_err(Error::internal)?;
    let now = app.auth.clock().now();
    let cookie = cookies(cx).set(begun.login.state(), &kept, now);
    let cookie = cookie.map_err(Error::internal)?;
    Ok(redirect(StatusCode::FOUND, &start.url, [cookie])?)
}

/// Finishes a login, whichever node began it, and ends its cookie, unless the provider is away.
async fn come_back(cx: Context) -> Result<Response, ApiError> {
    let Some(state) = cx.query("state").filter(|state| !state.is_empty()) else {
        let text = "An identity provider sends browsers here, with the parameter state.";
        return Err(Error::Validation(text.to_owned()).into());
    };
    let finished = Box::pin(finish(&cx, state)).await;
    answered(finished, cookies(&cx).clear(state))
}

async fn finish(cx: &Context, state: &str) -> Result<Response, ApiError> {
    let app = cx.without_policy();
    let now = app.auth.clock().now();
    let kept = cookies(cx).get(state, sent_cookies(&cx.headers), now);
    let kept = kept.map_err(|error| not_begun(FLOW, &error.to_string()))?;
    let begun: Begun = serde_json::from_slice(&kept).map_err(Error::internal)?;
    let at = (&*begun.provider, &*begun.protocol);
    let came_from = cx.path("idp_id");
    if came_from != at.0 {
        tracing::warn!(
            began_at = at.0,
            came_from,
            "a login by OpenID Connect was refused: the browser came back to the redirect path of another provider; if no \
             redirect_path has been moved from one to the other, one of them tries to get at logins of the other one"
        );
        return Err(refusal(NOT_BEGUN).into());
    }
    let asked = asked(app, at);
    let asked = asked
        .ok_or_else(|| not_begun(FLOW, "its provider is not in the configuration any more"))?;
    check_dashboard(cx, FLOW, &begun.host)?;
    match asked.provider.finish(&begun.login, cx.raw_query()).await {
        Ok(claims) => {
            let vouched = ProviderAssertion::new(claims.issuer(), claims.attributes());
            deliver(cx, at, &begun.host, Some(&vouched)).await
        }
        Err(error) => Err(refused(at.0, error)),
    }
}

/// The cookies, which browsers keep to https where that is how they reach this server.
fn cookies(cx: &Context) -> StateCookies {
    let https = cx.url("").starts_with("https:");
    let auth = &cx.without_policy().auth;
    auth.login_cookies("oidc", https, Return::Redirect)
}

/// The operator reads what to change, the browser only whose fault it is.
fn refused(provider: &str, error: OidcError) -> ApiError {
    if error.status() == 503 {
        return Error::unavailable(error).into();
    }
    let OidcError::Refused(refused) = error else {
        return Error::internal(error).into();
    };
    let reason = refused.to_string();
    tracing::info!(provider, reason, "a login by OpenID Connect was refused");
    refusal(match refused {
        Refusal::Provider { .. } => "The identity provider refused the login.",
        Refusal::State => NOT_BEGUN,
        _ => {
            "What the identity provider answered was refused. The log of this server has the reason."
        }
    })
    .into()
}

/// Ends the tokens of a user who has logged out at the provider (OpenID Connect Back-Channel Logout 1.0, section 2.8).
async fn log_out(cx: Context, form: Form) -> Result<Response, ApiError> {
    let app = cx.without_policy();
    let id = cx.path("idp_id");
    let Some(asked) = app.oidc.get(id) else {
        let (kind, id) = ("Identity Provider", id.to_owned());
        return Err(Error::NotFound { kind, id }.into());
    };
    let token = form.value("logout_token").unwrap_or_default();
    let logout = match asked.provider.logout_token(token).await {
        Ok(logout) => logout,
        Err(error) => {
            let reason = error.to_string();
            tracing::warn!(
                provider = id,
                reason,
                "a logout by OpenID Connect was refused"
            );
            return Ok(not_done("the logout token can't be accepted"));
        }
    };
    let Some(subject) = &logout.subject else {
        tracing::warn!(
            provider = id,
            "a logout by OpenID Connect names a session only, and tokens know no sessions of providers: have the provider \
             send the subject (sub) too"
        );
        return Ok(not_done("sub is needed: tokens know no sessions"));
    };
    let issuer = asked.provider.settings().issuer.as_str();
    let ids = unique_ids(subject, issuer);
    let message = json!(["logout", issuer, logout.id]).to_string();
    let until = DateTime::from_timestamp(logout.until, 0);
    let until = until.map_or(NaiveDateTime::MAX, |until| until.naive_utc());
    let ended = app.identity.log_out_federated(id, &ids, (&message, until));
    match ended.await? {
        Some(0) => tracing::info!(
            provider = id,
            "a logout by OpenID Connect ended no token: its subject has not logged in here, or the mapping makes the id of the \
             user from another attribute than OIDC-sub or REMOTE_USER"
        ),
        Some(_) => {}
        None => tracing::info!(
            provider = id,
            "a logout by OpenID Connect came again, and ended nothing this time"
        ),
    }
    Ok(no_store(StatusCode::OK.into_response()))
}

/// The ids that a mapping makes of a subject: of `OIDC-sub` or of `REMOTE_USER`, as they are stored.
fn unique_ids(subject: &str, issuer: &str) -> [String; 2] {
    let remote_user = keystone_oidc::remote_user(subject, issuer);
    [subject, &remote_user].map(unique_id)
}

/// 400, which is for whatever keeps a logout from being done.
fn not_done(description: &str) -> Response {
    let body = json!({ "error": "invalid_request", "error_description": description });
    no_store(json_line(StatusCode::BAD_REQUEST, &body))
}

fn no_store(mut response: Response) -> Response {
    let value = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}
