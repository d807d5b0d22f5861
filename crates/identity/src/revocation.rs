//! Revocation events: how tokens end before they expire.
//!
//! Written in the transaction of what causes them, so that one is never without the other.
//! Matching a token against them is the business of whoever validates tokens.

mod events;

use chrono::NaiveDateTime;
use keystone_storage::{Tx, sql};
use keystone_types::Result;

use crate::Identity;

pub use events::Revocation;

/// What a revocation event names; a token that matches all of it and is not younger is revoked.
#[derive(Clone, Debug, Default)]
pub struct RevocationEvent {
    /// Every token of a user.
    pub user_id: Option<String>,
    /// Every token on a project.
    pub project_id: Option<String>,
    /// One token.
    pub audit_id: Option<String>,
    /// Every token that was derived from one.
    pub audit_chain_id: Option<String>,
}

impl RevocationEvent {
    /// Ends every token of a user.
    pub fn user(id: &str) -> Self {
        Self {
            user_id: Some(id.to_owned()),
            ..Self::default()
        }
    }

    /// Ends every token on a project.
    pub fn project(id: &str) -> Self {
        Self {
            project_id: Some(id.to_owned()),
            ..Self::default()
        }
    }
}

/// Stores an event that revokes what was issued up to `now`.
pub async fn revoke(tx: &mut Tx, event: RevocationEvent, now: NaiveDateTime) -> Result<()> {
    sql("INSERT INTO revocation_event (user_id, project_id, audit_id, audit_chain_id, issued_before, revoked_at) \
         VALUES (?, ?, ?, ?, ?, ?)")
    .bind(event.user_id)
    .bind(event.project_id)
    .bind(event.audit_id)
    .bind(event.audit_chain_id)
    .bind(now)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// How many events are dropped by a statement.
const BATCH: u32 = 500;

impl Identity {
    /// Drops the events that no token can outlive, and tells how many those were.
    ///
    /// Not part of any request: events are many, and what deletes them meets those who write new ones.
    pub async fn prune_revocations(&self) -> Result<u64> {
        let end = self.clock.now() - self.settings.revocation_lifetime;
        let mut dropped = 0;
        loop {
            let old =
                "SELECT id FROM revocation_event WHERE revoked_at < ? ORDER BY revoked_at LIMIT ?";
            let old: Vec<(i64,)> = sql(old).bind(end).bind(BATCH).fetch_all(&self.db).await?;
            if old.is_empty() {
                return Ok(dropped);
            }
            dropped += sql("DELETE FROM revocation_event WHERE id IN (?)")
                .bind_all(old.into_iter().map(|(id,)| id))
                .execute(&self.db)
                .await?;
        }
    }
}
