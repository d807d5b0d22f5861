//! Assertions that somebody has logged in with, in a table that Keystone does not have: none is taken twice, on whatever node.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use keystone_storage::{Error as StorageError, OrConflict, sql, transaction};
use keystone_types::{Error, Result};

use crate::Federation;

/// How much longer than it would be taken an assertion is remembered: the clocks of nodes differ, and a column may have whole
/// seconds only.
const LONGER: TimeDelta = TimeDelta::hours(1);

/// The last second that the databases can store.
const LAST: NaiveDateTime = NaiveDate::from_ymd_opt(9999, 12, 31)
    .expect("it is a date")
    .and_hms_opt(23, 59, 59)
    .expect("it is a time");

/// The number of assertions that a statement forgets.
const BATCH: u32 = 500;

impl Federation {
    /// Records an assertion as used until `until`; 401 if it was used before. The hash tells it from all others.
    pub async fn take_assertion(&self, hash: &str, until: NaiveDateTime) -> Result<()> {
        let until = until.checked_add_signed(LONGER).unwrap_or(until).min(LAST);
        let taken = transaction!(self.db, |tx| {
            let insert =
                sql("INSERT INTO keystone_native_assertion (hash, expires_at) VALUES (?, ?)");
            let done = insert.bind(hash).bind(until).execute(tx).await;
            done.or_conflict(|| {
                Error::unauthorized(
                    "somebody has logged in with this assertion already: it was sent twice, or stolen",
                )
            })
        });
        taken.await.map(drop)
    }

    /// Checks that assertions can be taken at all: the table is there after `db_sync` of this release.
    pub async fn check_assertions(&self) -> Result<(), StorageError> {
        let any = sql("SELECT hash FROM keystone_native_assertion LIMIT 1");
        any.fetch_optional::<(String,)>(&self.db).await.map(drop)
    }

    /// Forgets assertions that nobody would take any more; returns how many.
    pub async fn prune_assertions(&self, now: NaiveDateTime) -> Result<u64> {
        let mut forgotten = 0;
        loop {
            let old = "SELECT hash FROM keystone_native_assertion WHERE expires_at < ? LIMIT ?";
            let old: Vec<(String,)> = sql(old).bind(now).bind(BATCH).fetch_all(&self.db).await?;
            if old.is_empty() {
                return Ok(forgotten);
            }
            // By primary key, so that it waits for no login.
            forgotten += sql("DELETE FROM keystone_native_assertion WHERE hash IN (?)")
                .bind_all(old.into_iter().map(|(hash,)| hash))
                .execute(&self.db)
                .await?;
        }
    }
}
