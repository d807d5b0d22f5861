//! What was read from answers of a Keystone that is asked each time: an answer that is given again is not read again.

use std::sync::Arc;

use keystone_types::TokenBody;
use quick_cache::Weighter;
use quick_cache::sync::Cache as Entries;

use crate::cache::{MADE_FROM_BODY, OVERHEAD, typical_count};
use crate::token_info::{Malformed, TokenInfo};

/// The last reading by token.
#[derive(Debug)]
pub(crate) struct Readings(Entries<Box<str>, Reading, Weight>);

/// A body, and what it says.
#[derive(Clone, Debug)]
struct Reading {
    body: TokenBody,
    info: Arc<TokenInfo>,
}

#[derive(Clone, Copy, Debug)]
struct Weight;

impl Weighter<Box<str>, Reading> for Weight {
    fn weight(&self, key: &Box<str>, reading: &Reading) -> u64 {
        // The body too is kept for it, once its catalog has changed.
        OVERHEAD + key.len() as u64 + (1 + MADE_FROM_BODY) * reading.body.length() as u64
    }
}

impl Readings {
    /// Readings that take about so many bytes at most.
    pub(crate) fn new(bytes: u64) -> Self {
        Self(Entries::with_weighter(typical_count(bytes), bytes, Weight))
    }

    /// What `body`, the answer about `token` just now, says.
    pub(crate) fn read(&self, token: &str, body: TokenBody) -> Result<Arc<TokenInfo>, Malformed> {
        let known = self.0.get(token);
        if let Some(known) = known.filter(|known| known.body == body) {
            return Ok(known.info);
        }
        let info = Arc::new(TokenInfo::from_body(&body.to_vec())?);
        let reading = Reading {
            body,
            info: Arc::clone(&info),
        };
        self.0.insert(token.into(), reading);
        Ok(info)
    }
}

#[cfg(test)]
mod tests;
