//! Revocation events, which end tokens before they expire.
//!
//! An event is written in the transaction of its cause. Whoever validates tokens compares them with the events.

use chrono::NaiveDateTime;
use keystone_storage::schema::server_time;
use keystone_storage::{Tx, select, sql};
use keystone_types::{Result, render_time};
use serde::{Serialize, Serializer};

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
    /// Every token that was made with an access token of a consumer of `OAuth1`.
    pub consumer_id: Option<String>,
}

impl RevocationEvent {
    /// Ends every token of a user.
    pub fn user(id: &str) -> Self {
        Self {
            user_id: Some(id.to_owned()),
            ..Self::default()
        }
    }

    /// Ends every token that was made with an access token of a consumer.
    pub fn consumer(id: &str) -> Self {
        Self {
            consumer_id: Some(id.to_owned()),
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
    revoke_issued(tx, event, now, now).await
}

/// The same for what was issued up to another time.
pub(crate) async fn revoke_issued(
    tx: &mut Tx,
    event: RevocationEvent,
    until: NaiveDateTime,
    now: NaiveDateTime,
) -> Result<()> {
    sql("INSERT INTO revocation_event \
           (user_id, project_id, audit_id, audit_chain_id, consumer_id, issued_before, revoked_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?)")
    .bind(event.user_id)
    .bind(event.project_id)
    .bind(event.audit_id)
    .bind(event.audit_chain_id)
    .bind(event.consumer_id)
    .bind(until)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// A revocation event, which is served without the attributes that it does not name.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Revocation {
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

impl Serialize for Revocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // As in `keystone/models/revoke_model.py`, the domain of an event that expires is the scope of the tokens.
        let domain = match self.expires_at {
            Some(_) => "domain_scope_id",
            None => "domain_id",
        };
        let expires_at = self.expires_at;
        let expires_at = expires_at.map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        let attributes = [
            ("user_id", &self.user_id),
            ("role_id", &self.role_id),
            (domain, &self.domain_id),
            ("project_id", &self.project_id),
            ("audit_id", &self.audit_id),
            ("audit_chain_id", &self.audit_chain_id),
            ("OS-TRUST:trust_id", &self.trust_id),
            ("OS-OAUTH1:consumer_id", &self.consumer_id),
            ("OS-OAUTH1:access_token_id", &self.access_token_id),
            ("expires_at", &expires_at),
            ("issued_before", &Some(render_time(self.issued_before))),
            ("revoked_at", &Some(render_time(self.revoked_at))),
        ];
        let named = attributes.into_iter();
        serializer.collect_map(named.filter_map(|(name, value)| Some((name, value.as_ref()?))))
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
        Ok(query.fetch_all(&self.db).await?)
    }

    /// How many revocation events there are.
    pub async fn count_revocations(&self) -> Result<u64> {
        let (count,): (i64,) = sql("SELECT COUNT(*) FROM revocation_event")
            .fetch_one(&self.db)
            .await?;
        Ok(count.unsigned_abs())
    }

    /// The time of the slower clock, this node's or the database server's: a node whose clock is ahead must not delete what
    /// others rely on.
    pub(crate) async fn past(&self) -> Result<NaiveDateTime> {
        let (ours, theirs) = (self.clock.now(), server_time(&self.db).await?);
        Ok(theirs.map_or(ours, |theirs| theirs.min(ours)))
    }

    /// Deletes the events that are older than any valid token, and returns their number.
    ///
    /// This is not part of requests, because there are many events and deleting them conflicts with writing new ones.
    pub async fn prune_revocations(&self) -> Result<u64> {
        let end = self.past().await? - self.settings.revocation_lifetime;
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
