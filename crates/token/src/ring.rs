//! The keys in use, which follow their repository while the server runs.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use crate::error::{Error, Result};
use crate::fingerprint::Fingerprint;
use crate::keys::KeySet;
use crate::repository::{KeyRepository, Snapshot};

/// The time for which a directory that looks half copied must stay unchanged before it is accepted,
/// and the age of a change from which on file stamps reliably show the next one.
const QUIET: Duration = Duration::from_secs(2);

/// The keys in use, shared by all tasks; a change of the repository shows on the next use.
///
/// A set is accepted whole or not at all. The last good set stays while a file is not a key or can't
/// be read, and while the directory looks half copied and still changes.
#[derive(Debug)]
pub struct KeyRing(Keys);

#[derive(Debug)]
enum Keys {
    Fixed(Arc<KeySet>),
    Directory(Box<Watch>),
}

impl KeyRing {
    /// The keys of a repository, which need not exist yet.
    pub fn new(repository: KeyRepository) -> Self {
        Self(Keys::Directory(Box::new(Watch::new(repository, QUIET))))
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
}

#[derive(Debug)]
struct Watch {
    repository: KeyRepository,
    quiet: Duration,
    state: ArcSwap<State>,
    refreshing: Mutex<()>,
}

/// The outcome of the last refresh.
#[derive(Debug)]
struct State {
    keys: Result<Arc<KeySet>>,
    seen: Option<Fingerprint>,
    /// Whether comparing with `seen` suffices, without reading the files again.
    settled: bool,
    /// When a set other than `keys` appeared.
    held_since: Option<Instant>,
    /// The last logged message.
    complaints: Vec<String>,
}

/// The decision about a set of keys that was found.
enum Verdict {
    Take(Result<Arc<KeySet>>),
    /// Stay with the last good set, for this reason.
    Keep(String),
}

impl Watch {
    fn new(repository: KeyRepository, quiet: Duration) -> Self {
        let keys = Err(Error::NoKeys {
            path: repository.path().to_owned(),
        });
        let state = State {
            keys,
            seen: None,
            settled: false,
            held_since: None,
            complaints: Vec::new(),
        };
        Self {
            repository,
            quiet,
            state: ArcSwap::from_pointee(state),
            refreshing: Mutex::new(()),
        }
    }

    fn keys(&self) -> Result<Arc<KeySet>> {
        let state = self.state.load();
        if state.settled && state.seen.as_ref().is_some_and(Fingerprint::still_holds) {
            return state.keys.clone();
        }
        let _guard = match self.refreshing.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another thread is reading already; only a caller without keys waits for it.
            Err(TryLockError::WouldBlock) if state.keys.is_ok() => return state.keys.clone(),
            Err(TryLockError::WouldBlock) => self
                .refreshing
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        };
        let next = self.refresh(&self.state.load());
        let keys = next.keys.clone();
        self.state.store(Arc::new(next));
        keys
    }

    fn refresh(&self, last: &State) -> State {
        let Snapshot {
            fingerprint: seen,
            keys: found,
        } = self.repository.snapshot();
        let age = seen.as_ref().map_or(Duration::ZERO, Fingerprint::age);
        let changed = seen != last.seen;
        let since = last
            .held_since
            .filter(|_| !changed)
            .unwrap_or_else(Instant::now);
        let quiet = age.max(since.elapsed()) >= self.quiet;

        let mut complaints = complaints(seen.as_ref());
        let (keys, held) = match judge(found, last.keys.as_ref().ok(), quiet) {
            Verdict::Take(keys) => {
                complaints.extend(keys.as_ref().err().map(Error::to_string));
                (keys, false)
            }
            Verdict::Keep(why) => {
                complaints.push(format!("{why}; staying with the last good keys"));
                (last.keys.clone(), true)
            }
        };
        let state = State {
            keys,
            settled: age >= QUIET && (quiet || !held),
            held_since: held.then_some(since),
            seen,
            complaints,
        };
        self.log(last, &state, changed);
        state
    }

    fn log(&self, last: &State, next: &State, changed: bool) {
        let path = self.repository.path().display();
        if changed || next.complaints != last.complaints {
            for complaint in &next.complaints {
                tracing::warn!(%path, "key repository: {complaint}");
            }
        }
        if let Ok(keys) = &next.keys
            && !last.keys.as_ref().is_ok_and(|last| Arc::ptr_eq(last, keys))
        {
            tracing::info!(%path, keys = keys.len(), primary = keys.primary_number(), "loaded keys");
        }
    }
}

fn judge(found: Result<KeySet>, last: Option<&Arc<KeySet>>, quiet: bool) -> Verdict {
    match (found, last) {
        (Ok(keys), Some(last)) if keys.same_as(last) => Verdict::Take(Ok(Arc::clone(last))),
        (Ok(keys), Some(last)) if !quiet && !keys.may_follow(last) => {
            Verdict::Keep("looks half copied".to_owned())
        }
        (Ok(keys), _) => Verdict::Take(Ok(Arc::new(keys))),
        (Err(error), None) => Verdict::Take(Err(error)),
        (Err(error @ Error::NoKeys { .. }), Some(_)) if quiet => Verdict::Take(Err(error)),
        (Err(error), Some(_)) => Verdict::Keep(error.to_string()),
    }
}

fn complaints(seen: Option<&Fingerprint>) -> Vec<String> {
    let Some(seen) = seen else { return Vec::new() };
    let open = seen
        .world_readable()
        .map(|path| format!("{} is world readable", path.display()));
    let empty = seen.files.iter().filter(|file| file.stamp.size == 0);
    open.chain(empty.map(|file| format!("ignoring empty key {}", file.path.display())))
        .collect()
}

#[cfg(test)]
mod tests;
