//! Answers of Keystone that are kept for a while, and lookups that concurrent requests share.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keystone_types::NotValidated;
use quick_cache::Weighter;
use quick_cache::sync::Cache as Entries;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::token_info::TokenInfo;

pub(crate) type Outcome = Result<Arc<TokenInfo>, NotValidated>;

/// What an entry takes besides its key and the body of the token.
pub(crate) const OVERHEAD: u64 = 256;

/// How much more memory a token takes than its body, for the headers that are made from it.
pub(crate) const MADE_FROM_BODY: u64 = 3;

/// About how many tokens fit into so many bytes.
pub(crate) fn typical_count(bytes: u64) -> usize {
    let guess = usize::try_from(bytes / 8192).unwrap_or(usize::MAX);
    guess.max(16)
}

/// How long and how much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) valid_for: Duration,
    pub(crate) invalid_for: Duration,
    pub(crate) bytes: u64,
}

/// Answers by token.
#[derive(Debug)]
pub(crate) struct Cache {
    limits: Limits,
    known: Entries<Box<str>, Entry, Weight>,
    lookups: Mutex<HashMap<String, Arc<OnceCell<Outcome>>>>,
}

#[derive(Clone, Debug)]
struct Entry {
    answer: Answer,
    until: Instant,
    bytes: u64,
}

#[derive(Clone, Debug)]
enum Answer {
    Valid(Arc<TokenInfo>),
    /// Invalid even if it may have expired, or only if it may not.
    Invalid {
        even_if_expired: bool,
    },
}

#[derive(Clone, Copy, Debug)]
struct Weight;

impl Weighter<Box<str>, Entry> for Weight {
    fn weight(&self, key: &Box<str>, entry: &Entry) -> u64 {
        OVERHEAD + key.len() as u64 + MADE_FROM_BODY * entry.bytes
    }
}

impl Cache {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            known: Entries::with_weighter(typical_count(limits.bytes), limits.bytes, Weight),
            limits,
            lookups: Mutex::default(),
        }
    }

    /// What is known of a token; `expired` tells whether it may have expired.
    pub(crate) fn get(&self, token: &str, expired: bool) -> Option<Outcome> {
        let entry = self.known.get(token)?;
        if entry.until <= Instant::now() {
            return None;
        }
        match entry.answer {
            Answer::Valid(info) => Some(Ok(info)),
            Answer::Invalid { even_if_expired } if even_if_expired || !expired => {
                Some(Err(NotValidated::Invalid))
            }
            Answer::Invalid { .. } => None,
        }
    }

    /// Keeps an answer with a body of that many bytes. That Keystone can't be asked is not one.
    fn put(&self, token: &str, expired: bool, outcome: &Outcome, bytes: u64) {
        let (answer, lifetime) = match outcome {
            Ok(info) => (Answer::Valid(Arc::clone(info)), self.limits.valid_for),
            Err(NotValidated::Invalid) => {
                let answer = Answer::Invalid {
                    even_if_expired: expired,
                };
                (answer, self.limits.invalid_for)
            }
            Err(_) => return,
        };
        if let Some(until) = Instant::now().checked_add(lifetime) {
            let entry = Entry {
                answer,
                until,
                bytes,
            };
            self.known.insert(token.into(), entry);
        }
    }

    /// What is known, or the outcome of `look_up`, of which one runs at a time for a token; the others wait for it and
    /// share also its failure. `look_up` returns the length of the body with the outcome.
    pub(crate) async fn get_or<F>(
        &self,
        token: &str,
        expired: bool,
        look_up: impl FnOnce() -> F,
    ) -> Outcome
    where
        F: Future<Output = (Outcome, u64)>,
    {
        if let Some(known) = self.get(token, expired) {
            return known;
        }
        let caller = self.join(token, expired);
        let run = || async {
            // Another lookup may have ended between the look into the cache and this one.
            if let Some(known) = self.get(token, expired) {
                return known;
            }
            let (outcome, bytes) = look_up().await;
            self.put(token, expired, &outcome, bytes);
            outcome
        };
        caller.lookup.get_or_init(run).await.clone()
    }

    fn join(&self, token: &str, expired: bool) -> Caller<'_> {
        let key = format!("{}{token}", if expired { '+' } else { '-' });
        let mut lookups = self.lookups();
        let lookup = Arc::clone(lookups.entry(key.clone()).or_default());
        Caller {
            cache: self,
            key,
            lookup,
        }
    }

    fn lookups(&self) -> MutexGuard<'_, HashMap<String, Arc<OnceCell<Outcome>>>> {
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller of a lookup. The first to leave with an outcome, or the last to leave without one, removes the lookup.
struct Caller<'a> {
    cache: &'a Cache,
    key: String,
    lookup: Arc<OnceCell<Outcome>>,
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        let mut lookups = self.cache.lookups();
        let Some(lookup) = lookups.get(&self.key) else {
            return;
        };
        // The map's and this caller's.
        let is_last = Arc::strong_count(lookup) <= 2;
        if Arc::ptr_eq(lookup, &self.lookup) && (is_last || lookup.initialized()) {
            lookups.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests;
