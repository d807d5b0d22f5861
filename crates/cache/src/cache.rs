//! Answers by key.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache as Entries;

use crate::changes::Changes;
use crate::tags::{AsOf, Basis, Dependency};

/// Answers, each for as long as nothing changes that it depends on; clones share them. A reader has to
/// [pass](Changes::pass) first.
///
/// It holds a bounded number of bytes; those that are used least make room for others.
#[derive(Debug)]
pub struct Cache<V> {
    changes: Changes,
    entries: Arc<Entries<Box<str>, Entry<V>, ByBytes>>,
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
        }
    }
}

impl<V: Clone> Cache<V> {
    /// An empty cache of at most so many bytes, in entries of about `typical` bytes each.
    pub fn new(changes: &Changes, bytes: usize, typical: usize) -> Self {
        let entries = Entries::with_weighter(bytes / typical.max(1), bytes as u64, ByBytes);
        Self {
            changes: changes.clone(),
            entries: Arc::new(entries),
        }
    }

    /// The moment before the first statement of a lookup.
    pub fn now(&self) -> AsOf {
        self.changes.tags().now()
    }

    /// The answer that is remembered, if it still holds.
    pub fn get(&self, key: &str) -> Option<V> {
        let entry = self.entries.get(key)?;
        if self.changes.tags().holds(&entry.basis) {
            return Some(entry.value);
        }
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

    /// How many answers are remembered, those that no longer hold among them.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
