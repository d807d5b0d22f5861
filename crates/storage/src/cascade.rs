//! Cascades: what a crate deletes of its own tables when another crate deletes projects, users, groups or roles.
//!
//! The tables have few foreign keys. A crate therefore declares statements as data, and the crate that deletes the
//! resources runs them in the transaction of the deletion. Neither crate needs to know the other.

use chrono::NaiveDateTime;
use keystone_types::Result;

use crate::{Tx, sql};

/// How many ids a statement names at most.
const BATCH: usize = 500;

/// The statements of one crate, by the resource that is deleted; they run in order, before the resource is deleted.
#[derive(Clone, Copy, Debug)]
pub struct Cascade {
    /// When projects are deleted, or domains, which are projects too.
    pub projects: &'static [Cleanup],
    /// When groups are deleted.
    pub groups: &'static [Cleanup],
    /// When users are deleted.
    pub users: &'static [Cleanup],
    /// When roles are deleted.
    pub roles: &'static [Cleanup],
    /// What is deleted with users and returned as [`Deleted`], to be announced: the kind, and a query for the ids.
    pub named_with_users: &'static [(&'static str, &'static str)],
}

/// A resource that was deleted with another one: the kind, and the id.
pub type Deleted = (&'static str, String);

/// A statement that names the ids of the deleted resources once, as `IN (?)`.
#[derive(Clone, Copy, Debug)]
pub struct Cleanup {
    text: &'static str,
    times: usize,
}

impl Cascade {
    /// No statements.
    pub const NONE: Self = Self {
        projects: &[],
        groups: &[],
        users: &[],
        roles: &[],
        named_with_users: &[],
    };

    /// The resources of this crate that are deleted with these users.
    pub async fn deleted_with_users(&self, tx: &mut Tx, ids: &[String]) -> Result<Vec<Deleted>> {
        let mut deleted = Vec::new();
        for (kind, query) in self.named_with_users {
            for batch in ids.chunks(BATCH) {
                let found = sql(query).bind_all(batch).fetch_texts(&mut *tx).await?;
                deleted.extend(found.into_iter().map(|id| (*kind, id)));
            }
        }
        Ok(deleted)
    }
}

impl Cleanup {
    /// A statement that takes the ids alone.
    pub const fn new(text: &'static str) -> Self {
        Self { text, times: 0 }
    }

    /// A statement that takes the time of the deletion, so often, before the ids.
    pub const fn timed(times: usize, text: &'static str) -> Self {
        Self { text, times }
    }

    /// Runs statements for resources that are deleted, in as few calls as their ids allow.
    pub async fn run_all(
        cleanups: &[Self],
        tx: &mut Tx,
        now: NaiveDateTime,
        ids: &[String],
    ) -> Result<()> {
        for batch in ids.chunks(BATCH) {
            for cleanup in cleanups {
                let timed = (0..cleanup.times).fold(sql(cleanup.text), |query, _| query.bind(now));
                timed.bind_all(batch).execute(&mut *tx).await?;
            }
        }
        Ok(())
    }
}
