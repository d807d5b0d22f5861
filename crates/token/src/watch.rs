//! Directories of keys that are followed while the server runs.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::error::{Error, Result};
use crate::fingerprint::Fingerprint;

/// The time for which a directory that looks half copied must stay unchanged before it is accepted,
/// and the age of a change from which on file stamps reliably show the next one.
const QUIET: Duration = Duration::from_secs(2);

/// A directory that holds keys.
pub(crate) trait Directory: fmt::Debug {
    /// All keys in it.
    type Keys: Keys;
    /// Whether nobody but its owner and group may read the files.
    const SECRET: bool;

    fn path(&self) -> &Path;

    /// Looks at the files without reading them.
    fn look(&self) -> Result<Fingerprint>;

    /// Reads the files that were seen.
    fn read(&self, seen: &Fingerprint) -> Result<Self::Keys>;
}

/// The keys in a directory at one moment; what it shows for debugging names them without telling them.
pub(crate) trait Keys: fmt::Debug {
    fn same_as(&self, other: &Self) -> bool;

    /// Whether this may be the successor of `before`, and not a part of it during a copy.
    fn may_follow(&self, before: &Self) -> bool;

    /// What an operator should know of files that are not used.
    fn remarks(&self) -> &[String] {
        &[]
    }
}

/// The state of a directory at one moment.
pub(crate) struct Snapshot<K> {
    /// Absent when the directory can't be read.
    fingerprint: Option<Fingerprint>,
    pub(crate) keys: Result<K>,
}

/// Reads a directory until its fingerprint holds for the whole time of reading, three times at most.
pub(crate) fn snapshot<D: Directory>(directory: &D) -> Snapshot<D::Keys> {
    let mut tries = 0..3;
    loop {
        let fingerprint = match directory.look() {
            Ok(fingerprint) => fingerprint,
            Err(error) => {
                return Snapshot {
                    fingerprint: None,
                    keys: Err(error),
                };
            }
        };
        let keys = directory.read(&fingerprint);
        if fingerprint.still_holds() || tries.next().is_none() {
            return Snapshot {
                fingerprint: Some(fingerprint),
                keys,
            };
        }
    }
}

/// The keys of a directory; a change shows on the next use.
///
/// A set is accepted whole or not at all. The last good set stays while a file is not a key or can't
/// be read, and while the directory looks half copied and still changes.
#[derive(Debug)]
pub(crate) struct Watch<D: Directory> {
    directory: D,
    quiet: Duration,
    state: ArcSwap<State<D::Keys>>,
    /// When somebody began to look at the directory last, of those who share their look.
    looked: ArcSwapOption<Instant>,
    refreshing: Mutex<()>,
}

/// The outcome of the last refresh.
#[derive(Debug)]
struct State<K> {
    keys: Result<Arc<K>>,
    seen: Option<Fingerprint>,
    /// Whether comparing with `seen` suffices, without reading the files again.
    settled: bool,
    /// Since when the files look like this.
    since: Instant,
    /// The last logged message.
    complaints: Vec<String>,
}

/// The decision about a set of keys that was found.
enum Verdict<K> {
    Take(Result<Arc<K>>),
    /// Stay with the last good set, for this reason.
    Keep(String),
}

impl<D: Directory> Watch<D> {
    /// Follows a directory, which need not exist yet.
    pub(crate) fn new(directory: D) -> Self {
        Self::accepting_after(QUIET, directory)
    }

    /// The same, with another time before a directory that looks half copied is accepted.
    pub(crate) fn accepting_after(quiet: Duration, directory: D) -> Self {
        let keys = Err(Error::NoKeys {
            path: directory.path().to_owned(),
        });
        let state = State {
            keys,
            seen: None,
            settled: false,
            since: Instant::now(),
            complaints: Vec::new(),
        };
        Self {
            directory,
            quiet,
            state: ArcSwap::from_pointee(state),
            looked: ArcSwapOption::empty(),
            refreshing: Mutex::new(()),
        }
    }

    /// The current keys: the same `Arc` for as long as they stay the same.
    pub(crate) fn keys(&self) -> Result<Arc<D::Keys>> {
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

    /// When a file of the directory was written last; none where that can't be seen.
    pub(crate) fn written(&self) -> Option<SystemTime> {
        self.directory.look().ok()?.written()
    }

    /// The keys as they were at `since` or later: many who ask since then share a look at the directory.
    pub(crate) fn keys_since(&self, since: Instant) -> Result<Arc<D::Keys>> {
        if self
            .looked
            .load()
            .as_ref()
            .is_some_and(|looked| **looked >= since)
        {
            return self.state.load().keys.clone();
        }
        let begun = Instant::now();
        let keys = self.keys();
        self.looked.store(Some(Arc::new(begun)));
        keys
    }

    /// Whether the next use compares stamps without reading the files again.
    #[cfg(test)]
    pub(crate) fn is_settled(&self) -> bool {
        self.state.load().settled
    }

    fn refresh(&self, last: &State<D::Keys>) -> State<D::Keys> {
        let Snapshot {
            fingerprint: seen,
            keys: found,
        } = snapshot(&self.directory);
        let age = seen.as_ref().map_or(Duration::ZERO, Fingerprint::age);
        let changed = seen != last.seen;
        let since = if changed { Instant::now() } else { last.since };
        // A file of a time to come, as is left where the clock was ahead, has no age, but has been seen for a while.
        let age = age.max(since.elapsed());
        let quiet = age >= self.quiet;

        let mut complaints = complaints::<D>(seen.as_ref());
        let (keys, held) = match judge(found, last.keys.as_ref().ok(), quiet) {
            Verdict::Take(keys) => {
                match &keys {
                    Ok(keys) => complaints.extend_from_slice(keys.remarks()),
                    Err(error) => complaints.push(error.to_string()),
                }
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
            since,
            seen,
            complaints,
        };
        self.log(last, &state, changed);
        state
    }

    fn log(&self, last: &State<D::Keys>, next: &State<D::Keys>, changed: bool) {
        let path = self.directory.path().display();
        if changed || next.complaints != last.complaints {
            for complaint in &next.complaints {
                tracing::warn!(%path, "key repository: {complaint}");
            }
        }
        if let Ok(keys) = &next.keys
            && !last.keys.as_ref().is_ok_and(|last| Arc::ptr_eq(last, keys))
        {
            tracing::info!(%path, ?keys, "loaded keys");
        }
    }
}

fn judge<K: Keys>(found: Result<K>, last: Option<&Arc<K>>, quiet: bool) -> Verdict<K> {
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

fn complaints<D: Directory>(seen: Option<&Fingerprint>) -> Vec<String> {
    let Some(seen) = seen else { return Vec::new() };
    let open = seen.world_readable().filter(|_| D::SECRET);
    let open = open.map(|path| format!("{} is world readable", path.display()));
    let empty = seen.files.iter().filter(|file| file.stamp.size == 0);
    open.chain(empty.map(|file| format!("ignoring empty key {}", file.path.display())))
        .collect()
}
