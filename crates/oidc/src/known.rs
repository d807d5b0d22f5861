//! What a provider publishes about itself, and how long that is kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, Uri};
use serde::Deserialize;
use tokio::time::Instant;

use crate::error::{Error, quoted};
use crate::keys::Keys;
use crate::provider::unusable;
use crate::settings::trusted;

/// For how long documents are good, whatever their headers say.
const SHORTEST: Duration = Duration::from_mins(5);
const LONGEST: Duration = Duration::from_hours(24);

/// For how long they are good if their headers don't say.
const UNSAID: Duration = Duration::from_hours(1);

/// How often tokens with unknown keys may have the provider asked.
const UNKNOWN_KEYS: Duration = Duration::from_secs(30);

/// For how long a provider that was away is not asked again.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The same where there is a last good set to work with.
const AFTER_REFRESH: Duration = Duration::from_mins(1);

/// The documents of a provider.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) document: Document,
    pub(crate) keys: Keys,
}

/// The discovery document, as far as it is of use here.
#[derive(Debug, Deserialize)]
pub(crate) struct Document {
    pub(crate) issuer: String,
    jwks_uri: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    introspection_endpoint: Option<String>,
    pub(crate) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    pub(crate) introspection_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// The callback names the issuer (RFC 9207).
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
}

impl Document {
    pub(crate) fn jwks_uri(&self) -> Result<&str, Error> {
        self.endpoint("jwks_uri", self.jwks_uri.as_deref())
    }

    pub(crate) fn authorization_endpoint(&self) -> Result<&str, Error> {
        let url = self.authorization_endpoint.as_deref();
        self.endpoint("authorization_endpoint", url)
    }

    pub(crate) fn token_endpoint(&self) -> Result<&str, Error> {
        self.endpoint("token_endpoint", self.token_endpoint.as_deref())
    }

    pub(crate) fn introspection_endpoint(&self) -> Result<&str, Error> {
        let url = self.introspection_endpoint.as_deref();
        self.endpoint("introspection_endpoint", url)
    }

    /// The endpoint, if the provider has one.
    pub(crate) fn userinfo_endpoint(&self) -> Result<Option<&str>, Error> {
        let url = self.userinfo_endpoint.as_deref();
        url.map(|url| self.endpoint("userinfo_endpoint", Some(url)))
            .transpose()
    }

    fn endpoint<'a>(&self, name: &str, url: Option<&'a str>) -> Result<&'a str, Error> {
        let reason = match url {
            None => format!("its discovery document names no {name}"),
            Some(url) if self.is_trusted(url) => return Ok(url),
            Some(url) => {
                let url = quoted(url);
                format!("its discovery document names a {name} without https: {url}")
            }
        };
        Err(unusable(&self.issuer, &reason))
    }

    /// Whether an address may be asked: one on this machine without https only if the provider itself is there, or else it
    /// could have others here asked.
    fn is_trusted(&self, url: &str) -> bool {
        let plain = |url: &Uri| url.scheme_str() == Some("http");
        let provider = trusted(&self.issuer);
        trusted(url).is_some_and(|url| !plain(&url) || provider.as_ref().is_some_and(plain))
    }
}

/// For how long an answer is good.
pub(crate) fn good_for(headers: &HeaderMap) -> Duration {
    let told = headers.get_all(CACHE_CONTROL).into_iter();
    let told: Vec<&str> = told.filter_map(|value| value.to_str().ok()).collect();
    let directives = told.iter().flat_map(|value| value.split(','));
    let mut seconds = None;
    for directive in directives {
        let directive = directive.trim().to_ascii_lowercase();
        if directive == "no-store" || directive == "no-cache" {
            return SHORTEST;
        }
        if let Some(age) = directive.strip_prefix("max-age=") {
            seconds = age.trim_matches('"').parse().ok().map(Duration::from_secs);
        }
    }
    seconds.unwrap_or(UNSAID).clamp(SHORTEST, LONGEST)
}

/// The last good documents.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    state: Mutex<State>,
    /// One asks at a time; those who wait take over the outcome.
    pub(crate) asking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Arc<Known>>,
    good_until: Option<Instant>,
    finished: Option<Instant>,
    failure: Option<Error>,
    unknown_key_at: Option<Instant>,
}

/// Why the provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Nothing is known.
    Nothing,
    /// What is known is old, and serves until there is an answer.
    Old,
    /// A token is signed with a key that is not known.
    UnknownKey,
}

impl Kept {
    /// What is known, and whether the caller is to have it refreshed in the background.
    pub(crate) fn look(&self) -> Option<(Arc<Known>, bool)> {
        let mut state = self.state();
        let known = Arc::clone(state.known.as_ref()?);
        let now = Instant::now();
        let is_old = state.good_until.is_none_or(|until| until <= now);
        if is_old {
            // Nobody else refreshes meanwhile, and a task that is lost does no harm.
            state.good_until = Some(now + AFTER_REFRESH);
        }
        Some((known, is_old))
    }

    /// The outcome that a caller has who came at this time, unless it is to ask now. It holds `asking`.
    pub(crate) fn outcome(&self, why: Why, came: Instant) -> Option<Result<Arc<Known>, Error>> {
        let mut state = self.state();
        let within = |time: Option<Instant>, limit| time.is_some_and(|it| it.elapsed() < limit);
        let is_done = match why {
            _ if state.finished.is_some_and(|finished| finished >= came) => true,
            Why::Nothing => {
                let failed = state.failure.is_some() && within(state.finished, AFTER_FAILURE);
                state.known.is_some() || failed
            }
            Why::Old => false,
            Why::UnknownKey => within(state.unknown_key_at, UNKNOWN_KEYS),
        };
        if is_done {
            return state.outcome();
        }
        if why == Why::UnknownKey {
            state.unknown_key_at = Some(Instant::now());
        }
        None
    }

    /// Takes over an answer, or keeps what there is.
    pub(crate) fn store(
        &self,
        answer: Result<(Known, Duration), Error>,
    ) -> Result<Arc<Known>, Error> {
        let mut state = self.state();
        let now = Instant::now();
        state.finished = Some(now);
        match answer {
            Ok((known, good_for)) => {
                let known = Arc::new(known);
                state.known = Some(Arc::clone(&known));
                state.good_until = Some(now + good_for);
                state.failure = None;
                Ok(known)
            }
            Err(error) => {
                if state.known.is_some() {
                    tracing::warn!(%error, "keeping what the identity provider published before");
                }
                state.failure = Some(error.clone());
                Err(error)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole in itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The outcome of the last time that the provider was asked.
    fn outcome(&self) -> Option<Result<Arc<Known>, Error>> {
        let failure = self.failure.clone().map(Err);
        failure.or_else(|| self.known.clone().map(Ok))
    }
}
