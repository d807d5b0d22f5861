//! The keys in use, which follow their repository while the server runs.

use std::sync::Arc;
use std::time::Instant;

use crate::error::Result;
use crate::keys::{KeySet, KeyState};
use crate::repository::KeyRepository;
use crate::watch::Watch;

/// The keys in use, shared by all tasks; a change of the repository shows on the next use.
///
/// A set is accepted whole or not at all. The last good set stays while a file is not a key or can't
/// be read, and while the directory looks half copied and still changes.
#[derive(Debug)]
pub struct KeyRing(Keys);

#[derive(Debug)]
enum Keys {
    Fixed(Arc<KeySet>),
    Directory(Box<Watch<KeyRepository>>),
}

impl KeyRing {
    /// The keys of a repository, which need not exist yet.
    pub fn new(repository: KeyRepository) -> Self {
        Self(Keys::Directory(Box::new(Watch::new(repository))))
    }

    /// Keys that never change.
    pub fn fixed(keys: KeySet) -> Self {
        Self(Keys::Fixed(Arc::new(keys)))
    }

    /// The current keys: the same `Arc` for as long as they stay the same.
    pub fn keys(&self) -> Result<Arc<KeySet>> {
        match &self.0 {
            Keys::Fixed(keys) => Ok(Arc::clone(keys)),
            Keys::Directory(watch) => watch.keys(),
        }
    }

    /// What an operator may know of the current keys.
    pub fn state(&self) -> Result<KeyState> {
        let written = match &self.0 {
            Keys::Fixed(_) => None,
            Keys::Directory(watch) => watch.written(),
        };
        Ok(self.keys()?.state(written))
    }

    /// The keys as they were at `since` or later: many who ask since then share a look at the repository.
    pub fn keys_since(&self, since: Instant) -> Result<Arc<KeySet>> {
        match &self.0 {
            Keys::Fixed(keys) => Ok(Arc::clone(keys)),
            Keys::Directory(watch) => watch.keys_since(since),
        }
    }
}

#[cfg(test)]
mod tests;
