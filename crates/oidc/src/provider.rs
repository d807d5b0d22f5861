//! An identity provider, as this server asks it.

use std::sync::Arc;
use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use form_urlencoded::{Serializer, byte_serialize};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Request, StatusCode};
use keystone_http::{Answer, Client, Limits, Trust};
use keystone_types::Clock;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use crate::error::{Error, Refusal, quoted, short};
use crate::jws::Unverified;
use crate::keys::Keys;
use crate::known::{Document, Kept, Known, Why, good_for};
use crate::settings::{Settings, SettingsError};

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(3),
    answer: Duration::from_secs(5),
    // Nothing is sent a second time: a provider takes a code once. A kept connection that the provider closes just when the
    // next request is sent would cost a login, whatever the time that it is kept for; a new one costs a few milliseconds.
    idle: Duration::ZERO,
    body: 256 << 10,
};

/// How many access tokens, and how many logins, may wait for a provider at once: one that is slow must not hold all that this
/// server has.
const WAITING: usize = 32;

const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("keystone-oidc/", env!("CARGO_PKG_VERSION")));

/// An identity provider; clones share what is known of it.
///
/// What it publishes about itself is fetched when it is needed first, kept for as long as it says (between five minutes and
/// a day), and then refreshed in the background. The last good documents stay while it is away.
#[derive(Clone, Debug)]
pub struct Provider(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    client: Client,
    clock: Clock,
    kept: Arc<Kept>,
    /// Leave for requests about access tokens, which anybody may bring.
    tokens: Semaphore,
    /// Leave for logins of browsers.
    logins: Semaphore,
}

/// A token whose signature is verified, with the type in its header.
pub(crate) struct Verified {
    pub(crate) typ: Option<String>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) algorithm: crate::Algorithm,
}

impl Provider {
    /// Reads the certificates. The provider is asked later.
    ///
    /// # Errors
    ///
    /// A setting is missing, or there are no certificates to trust.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, SettingsError> {
        let missing = |name| Err(SettingsError::Missing { name });
        if settings.client_id.is_empty() {
            return missing("client_id");
        }
        if settings.algorithms.is_empty() {
            return missing("algorithms");
        }
        let trust = Trust {
            ca_file: settings.ca_file.clone(),
            client_certificate: None,
            plain: settings.issuer.as_str().starts_with("http:"),
        };
        let client = Client::new(&trust, LIMITS)
            .map_err(|unusable| SettingsError::Certificates(unusable.to_string()))?;
        Ok(Self(Arc::new(Inner {
            settings,
            client,
            clock,
            kept: Arc::default(),
            tokens: Semaphore::new(WAITING),
            logins: Semaphore::new(WAITING),
        })))
    }

    /// Takes over what another one knows of the same provider, such as one with settings that were replaced. It must not have
    /// clones yet.
    pub fn take_over(&mut self, before: &Self) {
        let (new, old) = (self.settings(), before.settings());
        let is_same = new.issuer == old.issuer && new.ca_file == old.ca_file;
        if is_same && let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.kept = Arc::clone(&before.0.kept);
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.0.clock.now().and_utc().timestamp()
    }

    /// What the provider publishes.
    pub(crate) async fn known(&self) -> Result<Arc<Known>, Error> {
        let Some((known, is_old)) = self.0.kept.look() else {
            return self.ask(Why::Nothing).await;
        };
        if is_old {
            let provider = self.clone();
            // A failure is in the log then, and what is known stays.
            let refresh = async move { drop(provider.ask(Why::Old).await) };
            tokio::spawn(refresh.in_current_span());
        }
        Ok(known)
    }

    /// One asks for all, in a task of its own: a client that leaves does not end what others wait for, and leaves nothing
    /// behind if it was not that one.
    async fn ask(&self, why: Why) -> Result<Arc<Known>, Error> {
        let came = Instant::now();
        let kept = &self.0.kept;
        let alone = Arc::clone(&kept.asking).lock_owned().await;
        if let Some(outcome) = kept.outcome(why, came) {
            return outcome;
        }
        let provider = self.clone();
        let asking = async move {
            let _alone = alone;
            provider.0.kept.store(provider.fetch().await)
        };
        let asked = tokio::spawn(asking.in_current_span()).await;
        asked.unwrap_or_else(|_| Err(self.away("this server stopped asking")))
    }

    /// Leave to ask the provider about an access token.
    pub(crate) fn turn_of_token(&self) -> Result<SemaphorePermit<'_>, Error> {
        let turn = self.0.tokens.try_acquire();
        turn.map_err(|_| self.away(&format!("{WAITING} requests wait for it already")))
    }

    /// Leave to ask the provider for a login. The browser rather waits than to begin again.
    pub(crate) async fn turn_of_login(&self) -> Result<SemaphorePermit<'_>, Error> {
        let turn = timeout(LIMITS.answer, self.0.logins.acquire()).await;
        let turn = turn.ok().and_then(Result::ok);
        turn.ok_or_else(|| self.away(&format!("{WAITING} logins wait for it already")))
    }

    fn away(&self, reason: &str) -> Error {
        away(self.0.settings.issuer.as_str(), reason)
    }

    async fn fetch(&self) -> Result<(Known, Duration), Error> {
        let issuer = self.0.settings.issuer.as_str();
        let base = issuer.trim_end_matches('/');
        let url = format!("{base}/.well-known/openid-configuration");
        let answer = self.published(&url).await?;
        let document: Document = serde_json::from_slice(&answer.body)
            .map_err(|error| unusable(&url, &format!("no discovery document: {error}")))?;
        if document.issuer != issuer {
            let reason = format!(
                "its discovery document is that of {}; set issuer to that if it is the same provider",
                quoted(&document.issuer)
            );
            return Err(unusable(&url, &reason));
        }
        let lifetime = good_for(&answer.headers);
        let url = document.jwks_uri()?;
        let answer = self.published(url).await?;
        let keys = Keys::parse(&answer.body)
            .ok_or_else(|| unusable(url, "there is no key for signatures in it"))?;
        let lifetime = lifetime.min(good_for(&answer.headers));
        Ok((Known { document, keys }, lifetime))
    }

    /// The claims of a token that the provider has signed. If its keys are not known (any more), the provider is asked for
    /// new ones, at most every 30 seconds.
    pub(crate) async fn verified(&self, token: &str) -> Result<Verified, Error> {
        let token = Unverified::parse(token, &self.0.settings.algorithms)?;
        if self.known().await?.keys.verify(&token).is_err() {
            self.ask(Why::UnknownKey).await?.keys.verify(&token)?;
        }
        Ok(Verified {
            typ: token.media_type(),
            claims: token.claims()?,
            algorithm: token.algorithm,
        })
    }

    async fn published(&self, url: &str) -> Result<Answer, Error> {
        let request = Request::get(url).header(ACCEPT, "application/json");
        let answer = self.send(url, request, Bytes::new()).await?;
        ok(url, answer)
    }

    /// Asks for something with an access token.
    pub(crate) async fn get(&self, url: &str, token: &str) -> Result<Answer, Error> {
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let mut value = value.map_err(|_| Refusal::Malformed("no header can carry it"))?;
        value.set_sensitive(true);
        let request = Request::get(url).header(ACCEPT, "application/json, application/jwt");
        let request = request.header(AUTHORIZATION, value);
        self.send(url, request, Bytes::new()).await
    }

    /// Sends a form as this client, authenticated in one of the ways that the endpoint knows.
    pub(crate) async fn post(
        &self,
        url: &str,
        fields: &[(&str, &str)],
        methods: Option<&[String]>,
    ) -> Result<Answer, Error> {
        let (request, body) = self.form(url, fields, methods);
        self.send(url, request, body).await
    }

    fn form(
        &self,
        url: &str,
        fields: &[(&str, &str)],
        methods: Option<&[String]>,
    ) -> (http::request::Builder, Bytes) {
        let mut request = Request::post(url);
        request = request.header(ACCEPT, "application/json");
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let mut form = Serializer::new(String::new());
        form.extend_pairs(fields);
        let client_id = &self.0.settings.client_id;
        let knows = |method: &str| methods.is_none_or(|all| all.iter().any(|it| it == method));
        match &self.0.settings.client_secret {
            None => {
                form.append_pair("client_id", client_id);
            }
            Some(secret) if !knows("client_secret_basic") && knows("client_secret_post") => {
                form.append_pair("client_id", client_id);
                form.append_pair("client_secret", secret.reveal());
            }
            Some(secret) => {
                request = request.header(AUTHORIZATION, basic(client_id, secret.reveal()));
            }
        }
        (request, form.finish().into())
    }

    async fn send(
        &self,
        url: &str,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Answer, Error> {
        let request = request.header(USER_AGENT, AGENT).body(body);
        let request = request.map_err(|error| unusable(url, &error.to_string()))?;
        let answer = self.0.client.send(request).await;
        answer.map_err(|failure| away(url, &failure.to_string()))
    }
}

/// RFC 6749, section 2.3.1: both are encoded as in forms before they are joined.
fn basic(client_id: &str, secret: &str) -> HeaderValue {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(secret));
    let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
    let mut value = HeaderValue::try_from(value).expect("base64 fits into a header");
    value.set_sensitive(true);
    value
}

/// An answer with status 200, or what another one means.
pub(crate) fn ok(url: &str, answer: Answer) -> Result<Answer, Error> {
    let status = answer.status;
    if status == StatusCode::OK {
        return Ok(answer);
    }
    let reason = format!("it answers {status}");
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        Err(away(url, &reason))
    } else if status.is_redirection() {
        let reason = format!("{reason}, and redirects are not followed: correct the address");
        Err(unusable(url, &reason))
    } else {
        Err(unusable(url, &reason))
    }
}

/// Both shorten what they are given: addresses and errors have texts of the provider in them.
pub(crate) fn away(url: &str, reason: &str) -> Error {
    Error::Away {
        url: short(url),
        reason: short(reason),
    }
}

pub(crate) fn unusable(url: &str, reason: &str) -> Error {
    Error::Unusable {
        url: short(url),
        reason: short(reason),
    }
}
