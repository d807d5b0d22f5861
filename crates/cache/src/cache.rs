//! Answers by key.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use quick_cache::sync::Cache as Entries;
use quick_cache::{DefaultHashBuilder, Lifecycle, Weighter};

use crate::changes::Changes;
use crate::tags::{AsOf, Basis, Dependency};

/// Answers, each for as long as nothing changes that it depends on; clones share them. A reader has to
/// [pass](Changes::pass) first.
///
/// It holds a bounded number of bytes; those that are used least make room for others.
#[derive(Debug)]
pub struct Cache<V> {
    changes: Changes,
    entries: Arc<ByKey<V>>,
    counts: Counted,
}

type ByKey<V> = Entries<Box<str>, Entry<V>, ByBytes, DefaultHashBuilder, Counted>;

/// A cache at one moment, and what has happened so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheState {
    /// How many answers are remembered, those that no longer hold among them.
    pub entries: usize,
    /// About how many bytes they take.
    pub bytes: u64,
    /// The most bytes that they may take.
    pub capacity: u64,
    /// How often an answer was there.
    pub hits: u64,
    /// How often none was.
    pub misses: u64,
    /// How often one was there that no longer held: a miss, too.
    pub outdated: u64,
    /// How many made room for others.
    pub evicted: u64,
}

/// What has happened so far.
#[derive(Clone, Debug, Default)]
struct Counted(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    outdated: AtomicU64,
    evicted: AtomicU64,
}

impl<V> Lifecycle<Box<str>, Entry<V>> for Counted {
    /// Two entries, which are dropped once the lock is released: more are hardly evicted at a time.
    type RequestState = [Option<(Box<str>, Entry<V>)>; 2];

    fn on_evict(&self, dropped: &mut Self::RequestState, key: Box<str>, entry: Entry<V>) {
        self.0.evicted.fetch_add(1, Relaxed);
        if let Some(free) = dropped.iter_mut().find(|place| place.is_none()) {
            *free = Some((key, entry));
        }
    }
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    basis: Arc<Basis>,
}

impl<V: Clone> Clone for Entry<V> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            bytes: self.bytes,
            basis: Arc::clone(&self.basis),
        }
    }
}

#[derive(Clone, Debug)]
struct ByBytes;

/// What an entry takes beside its key and its value.
const OVERHEAD: usize = 256;

impl<V> Weighter<Box<str>, Entry<V>> for ByBytes {
    fn weight(&self, key: &Box<str>, entry: &Entry<V>) -> u64 {
        (key.len() + entry.bytes + OVERHEAD) as u64
    }
}

impl<V> Clone for Cache<V> {
    fn clone(&self) -> Self {
        Self {
            changes: self.changes.clone(),
            entries: Arc::clone(&self.entries),
            counts: self.counts.clone(),
        }
    }
}

impl<V: Clone> Cache<V> {
    /// An empty cache of at most so many bytes, in entries of about `typical` bytes each.
    pub fn new(changes: &Changes, bytes: usize, typical: usize) -> Self {
        let counts = Counted::default();
        let entries = Entries::with(
            bytes / typical.max(1),
            bytes as u64,
            ByBytes,
            DefaultHashBuilder::default(),
            counts.clone(),
        );
        Self {
            changes: changes.clone(),
            entries: Arc::new(entries),
            counts,
        }
    }

    /// The moment before the first statement of a lookup.
    pub fn now(&self) -> AsOf {
        self.changes.tags().now()
    }

    /// The answer that is remembered, if it still holds.
    pub fn get(&self, key: &str) -> Option<V> {
        let counts = &self.counts.0;
        let Some(entry) = self.entries.get(key) else {
            counts.misses.fetch_add(1, Relaxed);
            return None;
        };
        if self.changes.tags().holds(&entry.basis) {
            counts.hits.fetch_add(1, Relaxed);
            return Some(entry.value);
        }
        counts.misses.fetch_add(1, Relaxed);
        counts.outdated.fetch_add(1, Relaxed);
        self.entries.remove(key);
        None
    }

    /// Remembers an answer that was looked up since `as_of`, unless something that it depends on has changed meanwhile.
    pub fn put(
        &self,
        key: &str,
        as_of: AsOf,
        value: V,
        bytes: usize,
        on: impl IntoIterator<Item = Dependency>,
    ) {
        if let Some(basis) = self.changes.tags().basis(as_of, on) {
            let entry = Entry {
                value,
                bytes,
                basis: Arc::new(basis),
            };
            self.entries.insert(key.into(), entry);
        }
    }

    /// The state of the cache.
    pub fn state(&self) -> CacheState {
        let counts = &self.counts.0;
        CacheState {
            entries: self.len(),
            bytes: self.entries.weight(),
            capacity: self.entries.capacity(),
            hits: counts.hits.load(Relaxed),
            misses: counts.misses.load(Relaxed),
            outdated: counts.outdated.load(Relaxed),
            evicted: counts.evicted.load(Relaxed),
        }
    }

    /// How many answers are remembered, those that no longer hold among them.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use keystone_storage::schema::changes::Kind;
    use keystone_storage::{Db, PoolOptions};

    use super::*;
    use crate::Settings;

    #[tokio::test]
    async fn the_state_counts_what_was_found_what_was_not_and_what_made_room() {
        let url = "sqlite://".parse().unwrap();
        let options = PoolOptions::default();
        let db = Db::connect(&url, &options).await.unwrap();
        let changes = Changes::of(&db, Settings::default());
        let cache = Cache::new(&changes, 100_000, 1000);
        let put = |key: &str| {
            let on = [(Kind::User, key.to_owned())];
            cache.put(key, cache.now(), 1, 1000, on);
        };
        put("one");
        assert_eq!((cache.get("one"), cache.get("two")), (Some(1), None));
        changes.tags().apply(Kind::User, "one");
        assert_eq!(cache.get("one"), None);
        let state = cache.state();
        assert_eq!((state.hits, state.misses, state.outdated), (1, 2, 1));
        assert_eq!((state.entries, state.bytes, state.evicted), (0, 0, 0));
        for number in 0..1000 {
            put(&number.to_string());
        }
        let state = cache.state();
        assert_eq!(state.entries as u64 + state.evicted, 1000);
        assert!(state.bytes <= state.capacity && state.capacity <= 100_000);
        assert_eq!(changes.of_kind(Kind::User), 1);
    }
}
