//! Tokens by their text.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use keystone_types::{Clock, NotValidated, TokenBody, Validate, Wanted};

use crate::cache::{Cache, Limits, Outcome};
use crate::readings::Readings;
use crate::token_info::{Malformed, TokenInfo, system_time};

/// Validates tokens, and keeps the answers of a validator that allows it.
///
/// [`TokenLayer`](crate::TokenLayer) has one; it is of use by itself where there is no HTTP request, such as for a
/// websocket or a queue.
#[derive(Debug)]
pub struct Tokens<V> {
    validator: V,
    catalog: bool,
    clock: Clock,
    limits: Limits,
    memory: Memory,
}

/// What is kept of what the validator says.
#[derive(Debug)]
enum Memory {
    /// Its answers, which are given again for a while.
    Answers(Cache),
    /// What was read from its answers: it is asked each time.
    Readings(Readings),
}

impl Memory {
    fn new(limits: Limits, answers: bool) -> Self {
        if answers {
            Self::Answers(Cache::new(limits))
        } else {
            Self::Readings(Readings::new(limits.bytes))
        }
    }
}

impl<V: Validate> Tokens<V> {
    /// Tokens that `validator` knows. Its answers are kept for five minutes, and that a token is invalid for five
    /// seconds, in at most 32 MiB. A Keystone in the same process is asked each time; kept is only what was read from its
    /// answers, so that one that is the same as before costs little.
    pub fn new(validator: V) -> Self {
        let limits = Limits {
            valid_for: Duration::from_mins(5),
            invalid_for: Duration::from_secs(5),
            bytes: 32 << 20,
        };
        let memory = Memory::new(limits, validator.may_be_kept());
        Self {
            validator,
            catalog: true,
            clock: Clock::system(),
            limits,
            memory,
        }
    }

    /// How long a valid token is taken for valid without asking again, and thus how long it may outlive its revocation
    /// (`token_cache_time`). Nothing outlives its own end.
    #[must_use]
    pub fn keep_valid(mut self, lifetime: Duration) -> Self {
        self.limits.valid_for = lifetime;
        self.with_new_memory()
    }

    /// How long an invalid token is taken for invalid without asking again.
    #[must_use]
    pub fn keep_invalid(mut self, lifetime: Duration) -> Self {
        self.limits.invalid_for = lifetime;
        self.with_new_memory()
    }

    /// How many bytes of memory the answers, or what was read from them, may take, about; what was of use least goes first.
    #[must_use]
    pub fn keep_at_most(mut self, bytes: u64) -> Self {
        self.limits.bytes = bytes;
        self.with_new_memory()
    }

    /// Whether tokens come with the catalog (`include_service_catalog`).
    #[must_use]
    pub fn with_catalog(mut self, catalog: bool) -> Self {
        self.catalog = catalog;
        self
    }

    /// What tells when a token has expired; the machine's clock unless a test has its own.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    fn with_new_memory(mut self) -> Self {
        self.memory = Memory::new(self.limits, self.validator.may_be_kept());
        self
    }

    /// Who validates.
    pub fn validator(&self) -> &V {
        &self.validator
    }

    /// What Keystone says about a token.
    ///
    /// A token that access rules limit to certain requests is not valid here, where there is no request:
    /// [`TokenLayer`](crate::TokenLayer) compares them. Neither is one that is bound to a Kerberos ticket.
    ///
    /// # Errors
    ///
    /// The token is not valid, or Keystone can't be asked.
    pub async fn validate(&self, token: &str) -> Result<Arc<TokenInfo>, NotValidated> {
        self.validate_unlimited(token, false).await
    }

    /// The same also for a token that has expired, as long ago as Keystone allows: for the sake of a service that goes
    /// on with what a user began.
    ///
    /// # Errors
    ///
    /// The token is not valid, or Keystone can't be asked.
    pub async fn validate_expired(&self, token: &str) -> Result<Arc<TokenInfo>, NotValidated> {
        self.validate_unlimited(token, true).await
    }

    async fn validate_unlimited(&self, token: &str, expired: bool) -> Outcome {
        let info = self.validate_wanted(token, expired).await?;
        if info.access_rules().is_some() || info.is_bound() {
            return Err(NotValidated::Invalid);
        }
        Ok(info)
    }

    /// The same for the guard, which sees the request.
    pub(crate) async fn validate_wanted(&self, token: &str, expired: bool) -> Outcome {
        let cache = match &self.memory {
            Memory::Answers(cache) => cache,
            Memory::Readings(readings) => {
                let body = self.ask(token, expired).await?;
                // It has said so just now, by its own clock.
                return readings.read(token, body).map_err(unreadable);
            }
        };
        let look_up = || async {
            match self.ask(token, expired).await {
                Ok(body) => (read(&body), body.length() as u64),
                Err(error) => (Err(error), 0),
            }
        };
        let info = cache.get_or(token, expired, look_up).await?;
        if !expired && info.has_expired(self.now()) {
            return Err(NotValidated::Invalid);
        }
        Ok(info)
    }

    async fn ask(&self, token: &str, expired: bool) -> Result<TokenBody, NotValidated> {
        let wanted = Wanted::default().expired(expired).catalog(self.catalog);
        let answer = self.validator.validate(token, wanted).await;
        if let Err(NotValidated::Unreachable { reason }) = &answer {
            tracing::error!(%reason, "a token could not be validated");
        }
        answer
    }

    fn now(&self) -> SystemTime {
        // A clock before 1970 is broken; then nothing is valid.
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX) * 2);
        system_time(self.clock.precise()).unwrap_or(far)
    }
}

fn read(body: &TokenBody) -> Outcome {
    let info = TokenInfo::from_body(&body.to_vec()).map_err(unreadable)?;
    Ok(Arc::new(info))
}

fn unreadable(error: Malformed) -> NotValidated {
    tracing::error!(%error, "Keystone's answer about a token can't be read");
    NotValidated::unreachable(error)
}
