//! Secrets of application credentials that were verified a short time ago: a program logs in often, and hashing its secret
//! is almost all that a login costs.
//!
//! Only random secrets are kept here, not passwords, and not as they are: an entry is a code over the secret and the stored
//! hash under a key that only this process knows. The stored hash is read anew for each login, so a secret that was changed
//! or deleted anywhere is unknown at once. Only a hash makes an entry: whoever presents a wrong secret waits for one.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keystone_types::{Error, Result, Secret};

use crate::mac;

/// For how long a secret is remembered after it was hashed.
const LIFETIME: Duration = Duration::from_mins(1);

/// How many are remembered: less than a megabyte.
const CAPACITY: usize = 4_096;

/// See the module.
pub(crate) struct VerifiedSecrets {
    key: [u8; 32],
    entries: Mutex<Entries>,
}

/// The code of a secret and its stored hash.
type Code = Vec<u8>;

#[derive(Default)]
struct Entries {
    codes: HashSet<Code>,
    /// In the order in which they expire.
    ends: VecDeque<(Instant, Code)>,
}

impl VerifiedSecrets {
    pub(crate) fn new() -> Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(Error::internal)?;
        Ok(Self {
            key,
            entries: Mutex::default(),
        })
    }

    /// Whether this secret was verified against this stored hash a short time ago.
    pub(crate) fn contains(&self, secret: &Secret, hash: &str) -> bool {
        self.contains_at(Instant::now(), secret, hash)
    }

    /// Remembers a secret that was verified against a stored hash.
    pub(crate) fn insert(&self, secret: &Secret, hash: &str) {
        self.insert_at(Instant::now(), secret, hash);
    }

    fn contains_at(&self, now: Instant, secret: &Secret, hash: &str) -> bool {
        let code = self.code(secret, hash);
        let mut entries = self.entries();
        entries.expire(now);
        entries.codes.contains(&code)
    }

    fn insert_at(&self, now: Instant, secret: &Secret, hash: &str) {
        let code = self.code(secret, hash);
        let mut entries = self.entries();
        entries.expire(now);
        if entries.codes.insert(code.clone()) {
            entries.ends.push_back((now + LIFETIME, code));
        }
        if entries.ends.len() > CAPACITY {
            entries.forget_first();
        }
    }

    /// The hash's length keeps it apart from the secret.
    fn code(&self, secret: &Secret, hash: &str) -> Code {
        let length = hash.len().to_be_bytes();
        let message = [&length[..], hash.as_bytes(), secret.reveal().as_bytes()].concat();
        mac::sha256(&self.key, &message)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn expire(&mut self, now: Instant) {
        while self.ends.front().is_some_and(|(end, _)| *end <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, code)) = self.ends.pop_front() {
            self.codes.remove(&code);
        }
    }
}

impl std::fmt::Debug for VerifiedSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifiedSecrets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_for_its_hash_until_it_expires() {
        let secrets = VerifiedSecrets::new().unwrap();
        let (one, other) = (Secret::from("one"), Secret::from("other"));
        let start = Instant::now();
        secrets.insert_at(start, &one, "$hash");
        let soon = start + Duration::from_secs(59);
        assert!(secrets.contains_at(soon, &one, "$hash"));
        assert!(!secrets.contains_at(soon, &other, "$hash"));
        assert!(!secrets.contains_at(soon, &one, "$hash2"));
        assert!(!secrets.contains_at(soon, &Secret::from("hone"), "$has"));
        // A second insertion does not prolong it.
        secrets.insert_at(soon, &one, "$hash");
        assert!(!secrets.contains_at(start + LIFETIME, &one, "$hash"));
        assert!(secrets.entries().codes.is_empty());
    }

    #[test]
    fn the_oldest_gives_way_where_there_are_too_many() {
        let secrets = VerifiedSecrets::new().unwrap();
        let (now, secret) = (Instant::now(), Secret::from("secret"));
        for n in 0..=CAPACITY {
            secrets.insert_at(now, &secret, &n.to_string());
        }
        assert!(!secrets.contains_at(now, &secret, "0"));
        assert!(secrets.contains_at(now, &secret, "1"));
        assert!(secrets.contains_at(now, &secret, &CAPACITY.to_string()));
        let entries = secrets.entries();
        assert_eq!(
            (entries.codes.len(), entries.ends.len()),
            (CAPACITY, CAPACITY)
        );
    }

    #[test]
    fn each_process_has_its_own_codes() {
        let (one, other) = (
            VerifiedSecrets::new().unwrap(),
            VerifiedSecrets::new().unwrap(),
        );
        let secret = Secret::from("secret");
        assert_ne!(one.code(&secret, "$hash"), other.code(&secret, "$hash"));
    }
}
