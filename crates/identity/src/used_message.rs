//! Messages of identity providers that count once, whatever node they come to: assertions that log in, and tokens that log out.
//! Their hashes are in a table that Keystone does not have.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use keystone_storage::{Error as StorageError, Tx, sql, transaction};
use keystone_types::Result;

use crate::identity::Identity;

/// How much longer than it would be taken a message is remembered: the clocks of nodes differ, and a column may have whole
/// seconds only.
const LONGER: TimeDelta = TimeDelta::hours(1);

/// The last second that the databases can store.
const LAST: NaiveDateTime = NaiveDate::from_ymd_opt(9999, 12, 31)
    .expect("it is a date")
    .and_hms_opt(23, 59, 59)
    .expect("it is a time");

/// The number of messages that a statement forgets.
const BATCH: u32 = 500;

impl Identity {
    /// Records a message as used until `until`; false if it was used before. The hash, of at most 64 characters, tells it from
    /// all others.
    pub async fn use_message(&self, hash: &str, until: NaiveDateTime) -> Result<bool> {
        transaction!(self.db, |tx| use_once(tx, hash, until).await).await
    }

    /// Checks that messages can be recorded at all: the table is there after `db_sync` of this release.
    pub async fn check_messages(&self) -> Result<(), StorageError> {
        let any = sql("SELECT hash FROM keystone_native_message LIMIT 1");
        any.fetch_optional::<(String,)>(&self.db).await.map(drop)
    }

    /// Forgets messages that nobody would take any more; returns how many.
    pub async fn prune_messages(&self) -> Result<u64> {
        let now = self.past().await?;
        let mut forgotten = 0;
        loop {
            let old = "SELECT hash FROM keystone_native_message WHERE expires_at < ? LIMIT ?";
            let old: Vec<(String,)> = sql(old).bind(now).bind(BATCH).fetch_all(&self.db).await?;
            if old.is_empty() {
                return Ok(forgotten);
            }
            // By primary key, so that it waits for no login.
            forgotten += sql("DELETE FROM keystone_native_message WHERE hash IN (?)")
                .bind_all(old.into_iter().map(|(hash,)| hash))
                .execute(&self.db)
                .await?;
        }
    }
}

/// The same within a transaction, at whose end it counts.
pub(crate) async fn use_once(tx: &mut Tx, hash: &str, until: NaiveDateTime) -> Result<bool> {
    let until = until.checked_add_signed(LONGER).unwrap_or(LAST).min(LAST);
    let insert = sql("INSERT INTO keystone_native_message (hash, expires_at) VALUES (?, ?)");
    match insert.bind(hash).bind(until).execute(tx).await {
        Err(error) if error.is_duplicate() => Ok(false),
        other => Ok(other.map(|_| true)?),
    }
}
