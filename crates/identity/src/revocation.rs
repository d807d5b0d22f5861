//! Revocation events: how tokens end before they expire.
//!
//! Written in the transaction of what causes them, so that one is never without the other.
//! Matching a token against them is the business of whoever validates tokens.

mod events;

use chrono::NaiveDateTime;
use keystone_storage::{Tx, sql};
use keystone_types::Result;

use crate::Settings;

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

/// Stores an event that revokes what was issued up to `now`, and drops old ones.
pub async fn revoke(
    tx: &mut Tx,
    settings: &Settings,
    event: RevocationEvent,
    now: NaiveDateTime,
) -> Result<()> {
    sql("INSERT INTO revocation_event (user_id, project_id, audit_id, audit_chain_id, issued_before, revoked_at) \
         VALUES (?, ?, ?, ?, ?, ?)")
    .bind(event.user_id)
    .bind(event.project_id)
    .bind(event.audit_id)
    .bind(event.audit_chain_id)
    .bind(now)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    prune(tx, settings, now).await
}

/// Drops the events that no token can outlive.
pub(crate) async fn prune(tx: &mut Tx, settings: &Settings, now: NaiveDateTime) -> Result<()> {
    sql("DELETE FROM revocation_event WHERE revoked_at < ?")
        .bind(now - settings.revocation_lifetime)
        .execute(tx)
        .await?;
    Ok(())
}
