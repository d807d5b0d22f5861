//! Values that a client keeps for this server, so that no node needs a store and any node reads what another wrote.
//!
//! They are Fernet containers like tokens, but never under the same keys: each purpose has keys of its own, derived from
//! the key repository, so that no token passes for such a value, and no value of one purpose for one of another.

use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDateTime, TimeDelta};

use crate::container;
use crate::error::{Error, Result};
use crate::ring::KeyRing;

/// How far the clocks of two nodes may differ.
const SKEW: TimeDelta = TimeDelta::seconds(60);

/// Seals values for one purpose.
#[derive(Clone, Debug)]
pub struct Seal {
    keys: Arc<KeyRing>,
    purpose: String,
    good_for: TimeDelta,
}

impl Seal {
    /// `purpose` must be the same on all nodes and in all releases, and another one than that of other values; what is sealed
    /// opens for as long as `good_for` says.
    pub fn new(keys: Arc<KeyRing>, purpose: &str, good_for: Duration) -> Self {
        Self {
            keys,
            purpose: purpose.to_owned(),
            good_for: TimeDelta::from_std(good_for).unwrap_or(TimeDelta::MAX),
        }
    }

    /// The same, which opens for another time.
    pub(crate) fn good_for_only(self, good_for: Duration) -> Self {
        let good_for = TimeDelta::from_std(good_for).unwrap_or(TimeDelta::MAX);
        Self { good_for, ..self }
    }

    /// For how long it opens.
    pub(crate) fn good_for(&self) -> TimeDelta {
        self.good_for
    }

    /// The content as text, sealed under the primary key.
    pub fn seal(&self, content: &[u8], now: NaiveDateTime) -> Result<String> {
        let keys = self.keys.keys()?.derived(&self.purpose)?;
        container::seal(&keys, content, now)
    }

    /// Opens what one of the keys has sealed, if that was not too long ago.
    pub fn open(&self, sealed: &str, now: NaiveDateTime) -> Result<Vec<u8>> {
        let keys = self.keys.keys()?.derived(&self.purpose)?;
        let (content, made_at) = container::open(&keys, sealed)?;
        let age = now - made_at;
        if age < -SKEW || age > self.good_for {
            return Err(Error::NotNow(made_at));
        }
        Ok(content)
    }
}
