//! A Keystone that is asked over HTTP or HTTPS.

mod http;
mod service_user;

use std::path::PathBuf;
use std::time::Duration;

use ::http::header::{CONTENT_TYPE, USER_AGENT};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use bytes::Bytes;
use chrono::NaiveDateTime;
use keystone_types::{NotValidated, TokenBody, Validate, Wanted};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use self::http::{Answer, Client};
pub use self::service_user::ServiceUser;
use crate::headers::AUTH_TOKEN;
use crate::token_info::system_time;

const SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");

/// Tells Keystone that this reader of tokens enforces access rules of application credentials, in version 1: without
/// it, tokens with access rules are not valid (`keystone/token/provider.py`).
const ACCESS_RULES: HeaderName = HeaderName::from_static("openstack-identity-access-rules");

const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("keystone-middleware/", env!("CARGO_PKG_VERSION")));

/// For how long a refused service user does not try again, so that a mistyped password does not lock the account.
const AFTER_REFUSAL: Duration = Duration::from_secs(5);

/// A Keystone that validates tokens over HTTP or HTTPS for a service user.
///
/// It authenticates by itself: before the first question, before its own token ends, and when that is revoked.
/// Connections are used again. It keeps no answers: [`TokenLayer`](crate::TokenLayer) and
/// [`Tokens`](crate::Tokens) do.
#[derive(Debug)]
pub struct Remote {
    url: String,
    user: ServiceUser,
    client: Client,
    own: Mutex<Own>,
}

/// The token of the service user.
#[derive(Debug)]
enum Own {
    Missing,
    Token {
        text: HeaderValue,
        until: Instant,
    },
    /// Keystone refused the service user.
    Refused {
        until: Instant,
        error: NotValidated,
    },
}

impl Remote {
    /// The Keystone at `url`, such as `https://keystone.example:5000/v3`, with the system's trusted certificates and
    /// the defaults of [`RemoteBuilder`].
    ///
    /// # Errors
    ///
    /// The URL can't be used, or an `https:` one finds no trusted certificates on the system.
    pub fn new(url: &str, user: ServiceUser) -> Result<Self, RemoteError> {
        Self::builder(url, user).build()
    }

    /// The same with other limits or certificates.
    pub fn builder(url: &str, user: ServiceUser) -> RemoteBuilder {
        RemoteBuilder {
            url: url.to_owned(),
            user,
            ca_file: None,
            client_certificate: None,
            limits: Limits::default(),
        }
    }

    /// A token of the service user: the one that was issued last, unless it is about to end or is `rejected`.
    async fn own_token(&self, rejected: Option<&HeaderValue>) -> Result<HeaderValue, NotValidated> {
        let mut own = self.own.lock().await;
        match &*own {
            Own::Token { text, until } if Instant::now() < *until && Some(text) != rejected => {
                return Ok(text.clone());
            }
            Own::Refused { until, error } if Instant::now() < *until => return Err(error.clone()),
            _ => *own = Own::Missing,
        }
        let answer = self.authenticate().await?;
        if answer.status != StatusCode::CREATED {
            let error = refusal(answer.status);
            if answer.status.is_client_error() {
                *own = Own::Refused {
                    until: Instant::now() + AFTER_REFUSAL,
                    error: error.clone(),
                };
            }
            return Err(error);
        }
        let (text, until) = issued(&answer)?;
        tracing::debug!("the service user has a new token");
        *own = Own::Token {
            text: text.clone(),
            until,
        };
        Ok(text)
    }

    async fn authenticate(&self) -> Result<Answer, NotValidated> {
        let body = Bytes::from(self.user.request_body());
        let uri = format!("{}/auth/tokens?nocatalog", self.url);
        self.client
            .send(|| {
                let request = Request::builder().method(Method::POST).uri(&uri);
                let request = request.header(USER_AGENT, AGENT);
                let request = request.header(CONTENT_TYPE, "application/json");
                request.body(body.clone())
            })
            .await
            .map_err(|reason| unreachable(&self.url, &reason))
    }

    async fn ask(
        &self,
        own: &HeaderValue,
        subject: &HeaderValue,
        uri: &str,
    ) -> Result<Answer, NotValidated> {
        self.client
            .send(|| {
                let mut headers = HeaderMap::with_capacity(4);
                headers.insert(AUTH_TOKEN, own.clone());
                headers.insert(SUBJECT_TOKEN, subject.clone());
                headers.insert(ACCESS_RULES, HeaderValue::from_static("1"));
                headers.insert(USER_AGENT, AGENT);
                let mut request = Request::builder().uri(uri).body(Bytes::new())?;
                *request.headers_mut() = headers;
                Ok(request)
            })
            .await
            .map_err(|reason| unreachable(&self.url, &reason))
    }
}

impl Validate for Remote {
    async fn validate(&self, token: &str, wanted: Wanted) -> Result<TokenBody, NotValidated> {
        let Ok(mut subject) = HeaderValue::from_str(token) else {
            return Err(NotValidated::Invalid);
        };
        subject.set_sensitive(true);
        let uri = question(&self.url, wanted);
        let mut own = self.own_token(None).await?;
        let mut answer = self.ask(&own, &subject, &uri).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            tracing::info!(
                "Keystone does not take the service user's token any more; getting another"
            );
            own = self.own_token(Some(&own)).await?;
            answer = self.ask(&own, &subject, &uri).await?;
        }
        match answer.status {
            StatusCode::OK => Ok(Vec::from(answer.body).into()),
            StatusCode::NOT_FOUND => Err(NotValidated::Invalid),
            StatusCode::UNAUTHORIZED => Err(NotValidated::unreachable(
                "Keystone does not take the tokens that it issues to the service user",
            )),
            StatusCode::FORBIDDEN => Err(NotValidated::unreachable(
                "Keystone does not let the service user validate tokens: it needs a role that the rule \
                 identity:validate_token names",
            )),
            status => Err(unreachable(
                &self.url,
                &format!("it answered with {status}"),
            )),
        }
    }

    fn may_be_kept(&self) -> bool {
        true
    }

    fn auth_url(&self) -> Option<&str> {
        Some(&self.url)
    }
}

/// Settings of a [`Remote`].
#[derive(Clone, Debug)]
pub struct RemoteBuilder {
    url: String,
    user: ServiceUser,
    ca_file: Option<PathBuf>,
    client_certificate: Option<(PathBuf, PathBuf)>,
    limits: Limits,
}

/// How long and how often to try.
#[derive(Clone, Copy, Debug)]
struct Limits {
    connect: Duration,
    answer: Duration,
    retries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(10),
            retries: 2,
        }
    }
}

impl RemoteBuilder {
    /// A PEM file with the certificates to trust instead of the system's (`cafile`).
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// PEM files with the certificate to show to Keystone, followed by those between it and its authority, and with
    /// its key (`certfile` and `keyfile`).
    #[must_use]
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.client_certificate = Some((certificate.into(), key.into()));
        self
    }

    /// How long a connection may take to be made; by default three seconds.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.limits.connect = timeout;
        self
    }

    /// How long an answer may take, with the connection for it; by default ten seconds. What takes longer is not tried
    /// again.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.answer = timeout;
        self
    }

    /// How many times to try again, after a tenth of a second and then twice as long each time, if there is no
    /// connection or it breaks; by default two times.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.limits.retries = retries;
        self
    }

    /// Reads the certificates. Keystone is asked later.
    ///
    /// # Errors
    ///
    /// The URL or a file can't be used.
    pub fn build(self) -> Result<Remote, RemoteError> {
        let url = versioned(&self.url)?;
        let client = Client::new(&self, url.starts_with("https:"))?;
        Ok(Remote {
            url,
            user: self.user,
            client,
            own: Mutex::new(Own::Missing),
        })
    }
}

/// Why a [`Remote`] can't be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The URL is none of `http:` or `https:`.
    #[error("{url:?} is no http: or https: URL of a Keystone")]
    Url {
        /// The URL.
        url: String,
    },
    /// There are no certificates to trust, or a certificate or key can't be used.
    #[error("{what}: {reason}")]
    Certificates {
        /// The file, or where else they come from.
        what: String,
        /// The reason.
        reason: String,
    },
}

/// The URL of version 3 of the API, without a slash at its end.
fn versioned(url: &str) -> Result<String, RemoteError> {
    let unusable = || RemoteError::Url {
        url: url.to_owned(),
    };
    let uri: Uri = url.parse().map_err(|_| unusable())?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    // Passwords in URLs end up in logs.
    let names_user = uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'));
    if !is_http || names_user || uri.query().is_some() {
        return Err(unusable());
    }
    let url = url.trim_end_matches('/');
    let version = if url.ends_with("/v3") { "" } else { "/v3" };
    Ok(format!("{url}{version}"))
}

/// The address that says whether a token is valid.
fn question(url: &str, wanted: Wanted) -> String {
    let nocatalog = (!wanted.catalog).then_some("nocatalog");
    let expired = wanted.expired.then_some("allow_expired=1");
    let query: Vec<_> = nocatalog.into_iter().chain(expired).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{url}/auth/tokens{mark}{}", query.join("&"))
}

fn unreachable(url: &str, reason: &str) -> NotValidated {
    NotValidated::unreachable(format!("{url}: {reason}"))
}

fn refusal(status: StatusCode) -> NotValidated {
    let text = "Keystone refused to authenticate the service user with";
    NotValidated::unreachable(format!("{text} {status}"))
}

/// The token of an answer to authentication, and when to get the next: a minute before its end, or after nine tenths
/// of a short life. Its life is measured by Keystone's clock, which may differ from this machine's.
fn issued(answer: &Answer) -> Result<(HeaderValue, Instant), NotValidated> {
    let unreadable = || NotValidated::unreachable("Keystone issued a token that can't be read");
    let text = answer.headers.get(SUBJECT_TOKEN).ok_or_else(unreadable)?;
    let mut text = text.clone();
    text.set_sensitive(true);
    let body: Issued = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
    let time = |text: &str| {
        let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.fZ");
        time.ok().and_then(system_time)
    };
    let (Some(begin), Some(end)) = (time(&body.token.issued_at), time(&body.token.expires_at))
    else {
        return Err(unreadable());
    };
    let life = end.duration_since(begin).unwrap_or_default();
    let good_for = life.saturating_sub((life / 10).min(Duration::from_mins(1)));
    let until = Instant::now()
        .checked_add(good_for)
        .ok_or_else(unreadable)?;
    Ok((text, until))
}

#[derive(Deserialize)]
struct Issued {
    token: Times,
}

#[derive(Deserialize)]
struct Times {
    issued_at: String,
    expires_at: String,
}

#[cfg(test)]
mod conversation;
#[cfg(test)]
mod tests;
