//! Revocation events, which end tokens before they expire.
//!
//! An event is written in the transaction of its cause. Whoever validates tokens compares them with the events.

use chrono::NaiveDateTime;
use keystone_storage::{Tx, select, sql};
use keystone_types::{Result, render_time};
use serde::Serialize;

use crate::identity::Identity;

/// A new revocation event. It revokes each token that has all of the given attributes and is not younger.
#[derive(Clone, Debug, Default)]
pub struct RevocationEvent {
    /// Every token of a user.
    pub user_id: Option<String>,
    /// Every token on a project.
    pub project_id: Option<String>,
    /// One token.
    pub audit_id: Option<String>,
    /// A token and every token that was derived from it.
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

/// A revocation event as served, without attributes that it does not name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Revocation {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_scope_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_chain_id: Option<String>,
    #[serde(rename = "OS-TRUST:trust_id", skip_serializing_if = "Option::is_none")]
    trust_id: Option<String>,
    #[serde(
        rename = "OS-OAUTH1:consumer_id",
        skip_serializing_if = "Option::is_none"
    )]
    consumer_id: Option<String>,
    #[serde(
        rename = "OS-OAUTH1:access_token_id",
        skip_serializing_if = "Option::is_none"
    )]
    access_token_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    issued_before: String,
    revoked_at: String,
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    user_id: Option<String>,
    role_id: Option<String>,
    domain_id: Option<String>,
    project_id: Option<String>,
    audit_id: Option<String>,
    audit_chain_id: Option<String>,
    trust_id: Option<String>,
    consumer_id: Option<String>,
    access_token_id: Option<String>,
    expires_at: Option<NaiveDateTime>,
    issued_before: NaiveDateTime,
    revoked_at: NaiveDateTime,
}

impl From<Row> for Revocation {
    fn from(row: Row) -> Self {
        // As in `keystone/models/revoke_model.py`, the domain of an event that expires is the scope of the tokens.
        let (domain_id, domain_scope_id) = match row.expires_at {
            Some(_) => (None, row.domain_id),
            None => (row.domain_id, None),
        };
        Self {
            user_id: row.user_id,
            role_id: row.role_id,
            domain_id,
            domain_scope_id,
            project_id: row.project_id,
            audit_id: row.audit_id,
            audit_chain_id: row.audit_chain_id,
            trust_id: row.trust_id,
            consumer_id: row.consumer_id,
            access_token_id: row.access_token_id,
            expires_at: row
                .expires_at
                .map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
            issued_before: render_time(row.issued_before),
            revoked_at: render_time(row.revoked_at),
        }
    }
}

const EVENTS: &str = "\
    SELECT user_id, role_id, domain_id, project_id, audit_id, audit_chain_id, trust_id, consumer_id, \
           access_token_id, expires_at, issued_before, revoked_at \
      FROM revocation_event";

/// The number of events that a statement deletes.
const BATCH: u32 = 500;

impl Identity {
    /// The revocation events, oldest first; with `since`, those after it.
    pub async fn revocations(&self, since: Option<NaiveDateTime>) -> Result<Vec<Revocation>> {
        let query = select(EVENTS)
            .filter("revoked_at > ?", since)
            .then(" ORDER BY revoked_at, id");
        let rows: Vec<Row> = query.fetch_all(&self.db).await?;
        Ok(rows.into_iter().map(Revocation::from).collect())
    }

    /// Deletes the events that are older than any valid token, and returns their number.
    ///
    /// This is not part of requests, because there are many events and deleting them conflicts with writing new ones.
    pub async fn prune_revocations(&self) -> Result<u64> {
        let end = self.clock.now() - self.settings.revocation_lifetime;
        let mut deleted = 0;
        loop {
            let old =
                "SELECT id FROM revocation_event WHERE revoked_at < ? ORDER BY revoked_at LIMIT ?";
            let old: Vec<(i64,)> = sql(old).bind(end).bind(BATCH).fetch_all(&self.db).await?;
            if old.is_empty() {
                return Ok(deleted);
            }
            deleted += sql("DELETE FROM revocation_event WHERE id IN (?)")
                .bind_all(old.into_iter().map(|(id,)| id))
                .execute(&self.db)
                .await?;
        }
    }
}
