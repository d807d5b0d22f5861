//! Logins at identity providers that this server asks itself by SAML 2.0: browsers (Redirect, then POST), enhanced clients (ECP,
//! PAOS), and assertions of another Keystone that answer no request.
//!
//! No node keeps anything between two requests. A browser keeps the state of its login in a cookie, and an enhanced client in its
//! `RelayState`, since the clients of OpenStack send the first answer's cookies to nobody. After its response an enhanced client
//! has an unscoped token for a minute in a cookie, with which it repeats its first request. Only the assertions that
//! somebody has logged in with are in the database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use keystone_auth::{Auth, Login, ProviderAssertion, Return, Seal, StateCookies, TokenError};
use keystone_saml::sp::{AuthnRequest, Expected, Message, Metadata, Peer, Refusal};
use keystone_saml::{ServiceProviderSettings, SigningKey};
use keystone_types::{Clock, Error, Result, new_id};
use serde::{Deserialize, Serialize};

use super::auth::token_response;
use super::websso::{
    answered, check_dashboard, deliver, is_without_proxy, not_begun, redirect, sent_cookies,
    set_cookies,
};
use crate::body::{Raw, media_type};
use crate::context::Context;
use crate::error::{ApiError, MAX_LOGGED_CAUSE, clipped};
use crate::middleware::{header_text, no_route};
use crate::routes::{Routes, get, post};

/// The path that takes responses, of browsers and of enhanced clients.
pub(crate) const CONSUMER: &str = "/v3/auth/OS-FEDERATION/saml2/acs";

/// What the log calls these logins.
const FLOW: &str = "SAML";

const PAOS: &str = "application/vnd.paos+xml";
const ENHANCED_PROFILE: &str = "urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp";

/// As long as somebody may take to log in at the identity provider.
const LOGIN_TIME: Duration = Duration::from_mins(10);
/// As long as an enhanced client may take to repeat its first request.
const TOKEN_TIME: Duration = Duration::from_mins(1);

/// This cloud as the service provider of others, with what it knows of them.
#[derive(Clone, Debug)]
pub struct ServiceProvider {
    settings: ServiceProviderSettings,
    key: Option<Arc<SigningKey>>,
    peers: BTreeMap<String, Peer>,
    /// The URL of [`CONSUMER`], which assertions must name.
    consumer: String,
    clock: Clock,
    browsers: StateCookies,
    enhanced: Seal,
    tokens: StateCookies,
}

/// What belongs to a login that has left for its identity provider.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    provider: String,
    protocol: String,
    /// The id of the request that the response has to answer.
    request: String,
    /// The dashboard that a browser came from.
    #[serde(default)]
    origin: Option<String>,
}

impl ServiceProvider {
    /// The service provider of these settings, whose key and identity providers are read already; `public_endpoint` is the URL by
    /// which clients and identity providers know this server.
    pub fn new(
        settings: ServiceProviderSettings,
        key: Option<SigningKey>,
        peers: BTreeMap<String, Peer>,
        public_endpoint: &str,
        auth: &Auth,
    ) -> Self {
        let https = public_endpoint.starts_with("https:");
        let tokens = auth.login_cookies("saml-token", https, Return::Redirect);
        Self {
            settings,
            key: key.map(Arc::new),
            peers,
            consumer: format!("{}{CONSUMER}", public_endpoint.trim_end_matches('/')),
            clock: auth.clock().clone(),
            browsers: auth.login_cookies("saml", https, Return::Post),
            enhanced: auth.login_seal("saml relay state", LOGIN_TIME),
            tokens: tokens.good_for(TOKEN_TIME),
        }
    }

    /// Whether this server itself asks an identity provider about users who log in by the protocol.
    pub(super) fn asks(&self, (provider, protocol): (&str, &str)) -> bool {
        let settings = self.settings.providers.get(provider);
        settings.is_some_and(|settings| settings.protocol == protocol)
    }

    /// Whether browsers are sent there, as far as is known.
    pub(super) fn has_sign_on(&self, at: (&str, &str)) -> bool {
        let peer = self.peers.get(at.0);
        self.asks(at) && peer.is_none_or(|peer| peer.sign_on_url.is_some())
    }

    /// What is known of an identity provider that is asked; 503 where its metadata can't be used.
    fn peer(&self, at: (&str, &str)) -> Result<&Peer> {
        if !self.asks(at) {
            let reason = "no section [saml_idp] has it and this protocol any more";
            return Err(refused(Some(at.0), reason));
        }
        let now = self.clock.now();
        let peer = self.peers.get(at.0);
        let valid = peer.filter(|peer| peer.valid_until.is_none_or(|end| now < end));
        valid.ok_or_else(|| {
            let id = at.0;
            Error::unavailable(format!(
                "the file metadata_file of [saml_idp:{id}] can't be used, or had ended: put a newer one there, and reload"
            ))
        })
    }

    fn request(&self) -> AuthnRequest<'_> {
        AuthnRequest::new(&self.settings.entity_id, &self.consumer, self.clock.now())
    }

    /// Verifies a response as that of an identity provider, and records its assertion as used.
    async fn vouched(
        &self,
        cx: &Context,
        message: Result<Message<'_>, Refusal>,
        at: (&str, &str),
        request: Option<&str>,
    ) -> Result<ProviderAssertion> {
        let provider = at.0;
        let peer = self.peer(at)?;
        let now = self.clock.now();
        let expected = Expected {
            peer,
            audience: &self.settings.entity_id,
            consumer: &self.consumer,
            request,
            now,
        };
        let login = message.and_then(|message| message.verify(&expected));
        let login = login.map_err(|refusal| refused(Some(provider), &refusal.to_string()))?;
        let identity = &cx.without_policy().identity;
        let once = login.once;
        if !identity.use_message(&once.hash, once.until).await? {
            let reason =
                "somebody has logged in with this assertion already: it was sent twice, or stolen";
            return Err(refused(Some(provider), reason));
        }
        Ok(ProviderAssertion::new(&login.issuer, login.attributes))
    }

    /// The login that an enhanced client's response belongs to: the one in its `RelayState`, or a new one of the identity provider
    /// that may begin by itself.
    fn login_of(&self, message: &Message<'_>) -> Result<(String, String, Option<String>)> {
        let unreadable = |refusal: Refusal| refused(None, &refusal.to_string());
        let state = message.relay_state().map_err(unreadable)?;
        let state = state.and_then(|state| self.enhanced.open(&state, self.clock.now()).ok());
        let state = state.and_then(|state| serde_json::from_slice(&state).ok());
        if let Some(State {
            provider,
            protocol,
            request,
            ..
        }) = state
        {
            return Ok((provider, protocol, Some(request)));
        }
        let issuer = message.claimed_issuer().map_err(unreadable)?;
        let mut peers = self.peers.iter();
        let found = peers.find(|(_, peer)| peer.entity_id == issuer && peer.allow_unsolicited);
        let settings =
            found.and_then(|(provider, _)| self.settings.providers.get_key_value(provider));
        let (provider, settings) = settings.ok_or_else(|| {
            let reason = format!(
                "its login was not begun at this server, or more than ten minutes ago, and it is by {issuer:?}, which is no \
                 identity provider with allow_unsolicited or keystone in its section [saml_idp]"
            );
            refused(None, &reason)
        })?;
        Ok((provider.clone(), settings.protocol.clone(), None))
    }
}

pub(crate) fn routes() -> Routes {
    Routes::new()
        .route(CONSUMER, post(consume))
        .route("/v3/OS-FEDERATION/saml2/sp/metadata", get(metadata))
}

/// Sends a browser to the identity provider.
pub(super) fn begin(
    service: &ServiceProvider,
    (provider, protocol): (&str, &str),
    origin: &str,
) -> Result<Response, ApiError> {
    let url = service.peer((provider, protocol))?.sign_on_url.as_deref();
    let url = url.ok_or_else(|| {
        Error::unauthorized(format!(
            "browsers can't be sent to the identity provider {provider}: its metadata have no SingleSignOnService for \
             HTTP-Redirect"
        ))
    })?;
    let request = service.request();
    let login = new_id();
    let state = State {
        provider: provider.to_owned(),
        protocol: protocol.to_owned(),
        request: request.id().to_owned(),
        origin: Some(origin.to_owned()),
    };
    let state = serde_json::to_vec(&state).map_err(Error::internal)?;
    let cookie = service.browsers.set(&login, &state, service.clock.now());
    let cookie = cookie.map_err(Error::internal)?;
    let url = request.redirect(url, Some(&login), service.key.as_deref());
    let url = url.map_err(Error::internal)?;
    Ok(redirect(StatusCode::FOUND, &url, [cookie])?)
}

/// Answers a login of an enhanced client: with a request for its identity provider, or, once it has brought the response,
/// with the token.
pub(crate) async fn answer(cx: &Context) -> Result<Option<Response>, ApiError> {
    let (provider, protocol) = (cx.path("idp_id"), cx.path("protocol_id"));
    let app = cx.without_policy();
    let service = app.saml.as_ref();
    let Some(service) = service.filter(|service| service.asks((provider, protocol))) else {
        return Ok(None);
    };
    let login = place(provider, protocol);
    if let Some(answer) = finish(cx, service, &login).await? {
        return Ok(Some(answer));
    }
    let named = app.auth.remote_id(protocol, cx.environment()).await;
    if !is_enhanced(&cx.headers) || !is_without_proxy(&named) {
        return Ok(None);
    }
    app.auth.check_federated(provider, protocol).await?;
    service.peer((provider, protocol))?;
    let request = service.request();
    let state = State {
        provider: provider.to_owned(),
        protocol: protocol.to_owned(),
        request: request.id().to_owned(),
        origin: None,
    };
    let state = serde_json::to_vec(&state).map_err(Error::internal)?;
    let state = service.enhanced.seal(&state, service.clock.now());
    let envelope = request.envelope(&state.map_err(Error::internal)?);
    let envelope = envelope.map_err(Error::internal)?;
    let headers = [
        (header::CONTENT_TYPE, PAOS),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let mut response = (StatusCode::OK, headers, envelope).into_response();
    // They were of no use.
    let cleared = service
        .tokens
        .clear_parts(&login, sent_cookies(&cx.headers));
    set_cookies(&mut response, cleared)?;
    Ok(Some(response))
}

/// The token that the client has in its cookie for this login, unless it can't be used any more.
async fn finish(
    cx: &Context,
    service: &ServiceProvider,
    login: &str,
) -> Result<Option<Response>, ApiError> {
    let now = service.clock.now();
    let Ok(id) = service.tokens.get(login, sent_cookies(&cx.headers), now) else {
        return Ok(None);
    };
    let id = String::from_utf8(id).map_err(Error::internal)?;
    let auth = &cx.without_policy().auth;
    let token = match cx.unchecked().token(&id, TimeDelta::zero()).await {
        Ok(token) => token,
        // It was revoked since, or its user is gone.
        Err(TokenError::NotFound(_)) => return Ok(None),
        Err(TokenError::Failed(error)) if error.status() < 500 => return Ok(None),
        Err(TokenError::Failed(error)) => return Err(error.into()),
    };
    let shared = auth.shared_parts(cx.pass().await?, &token).await?;
    let body = token.render(auth.settings(), shared);
    let mut response = token_response(StatusCode::CREATED, &token.id, body)?;
    let cleared = service.tokens.clear_parts(login, sent_cookies(&cx.headers));
    set_cookies(&mut response, cleared)?;
    Ok(Some(response))
}

/// Takes a response, of a browser as a form and of an enhanced client as it is.
async fn consume(cx: Context, Raw(body): Raw) -> Result<Response, ApiError> {
    let Some(service) = cx.without_policy().saml.clone() else {
        return Ok(no_route().await);
    };
    match media_type(&cx.headers).as_str() {
        "application/x-www-form-urlencoded" => {}
        PAOS => return consume_enhanced(&cx, &service, &body).await,
        // A page of another site can have a browser send any text, but not with this content type.
        _ => {
            let text = format!("expected a form, or a body of the type {PAOS}");
            return Err(Error::Validation(text).into());
        }
    }
    let fields: BTreeMap<_, _> = form_urlencoded::parse(&body).into_owned().collect();
    let field = |name| fields.get(name).map(String::as_str).unwrap_or_default();
    let login = field("RelayState");
    let finished = consume_form(&cx, &service, login, field("SAMLResponse")).await;
    answered(finished, service.browsers.clear(login))
}

async fn consume_form(
    cx: &Context,
    service: &ServiceProvider,
    login: &str,
    message: &str,
) -> Result<Response, ApiError> {
    let state = service
        .browsers
        .get(login, sent_cookies(&cx.headers), service.clock.now());
    let state = state.map_err(|error| not_begun(FLOW, &error.to_string()))?;
    let state: State = serde_json::from_slice(&state).map_err(Error::internal)?;
    let at = (state.provider.as_str(), state.protocol.as_str());
    let origin = state.origin.unwrap_or_default();
    check_dashboard(cx, FLOW, &origin)?;
    let message = Message::from_form(message);
    let vouched = service.vouched(cx, message, at, Some(&state.request));
    deliver(cx, at, &origin, Some(&vouched.await?)).await
}

async fn consume_enhanced(
    cx: &Context,
    service: &ServiceProvider,
    body: &[u8],
) -> Result<Response, ApiError> {
    let message = Message::from_body(body);
    let message = message.map_err(|refusal| refused(None, &refusal.to_string()))?;
    let (provider, protocol, request) = service.login_of(&message)?;
    let vouched = service.vouched(cx, Ok(message), (&provider, &protocol), request.as_deref());
    let vouched = vouched.await?;
    let login = Login {
        is_at_provider: true,
        assertion: Some(&vouched),
        ..cx.login(None)
    };
    let auth = &cx.without_policy().auth;
    let token = auth.log_in_federated(&provider, &protocol, &login).await?;
    let place = place(&provider, &protocol);
    let now = service.clock.now();
    let parts = service.tokens.set_parts(&place, token.id.as_bytes(), now);
    let mut parts = parts.map_err(Error::internal)?;
    // A longer token before this one had more parts.
    let mut surplus = service
        .tokens
        .clear_parts(&place, sent_cookies(&cx.headers));
    let name = |cookie: &str| cookie.split('=').next().map(str::to_owned);
    surplus.retain(|old| !parts.iter().any(|new| name(new) == name(old)));
    parts.append(&mut surplus);
    Ok(redirect(StatusCode::SEE_OTHER, &cx.url(&place), parts)?)
}

async fn metadata(cx: Context) -> Result<Response, ApiError> {
    let Some(service) = &cx.without_policy().saml else {
        return Ok(no_route().await);
    };
    let consumers = std::slice::from_ref(&service.consumer);
    let metadata = Metadata {
        entity_id: &service.settings.entity_id,
        consumers,
        enhanced_consumers: consumers,
        key: service.key.as_deref(),
    };
    let document = metadata.document().map_err(Error::internal)?;
    let kind = [(header::CONTENT_TYPE, "application/samlmetadata+xml")];
    Ok((StatusCode::OK, kind, document).into_response())
}

/// The place of a login below `/v3`.
fn place(provider: &str, protocol: &str) -> String {
    let [provider, protocol] = [provider, protocol].map(keystone_python::percent_encode);
    format!("OS-FEDERATION/identity_providers/{provider}/protocols/{protocol}/auth")
}

/// Whether the client tells that it can go to an identity provider itself.
fn is_enhanced(headers: &HeaderMap) -> bool {
    let has = |name, text| header_text(headers, name).is_some_and(|value| value.contains(text));
    has("accept", PAOS) && has("paos", ENHANCED_PROFILE)
}

/// 401; the operator reads why, and the client only whose fault it is.
fn refused(provider: Option<&str>, reason: &str) -> Error {
    // As a text, so that what somebody else wrote stays within the line.
    let reason = &*clipped(reason, MAX_LOGGED_CAUSE);
    tracing::info!(
        provider,
        reason,
        "a response of an identity provider was refused"
    );
    Error::unauthorized("the response of the identity provider is not valid")
}
