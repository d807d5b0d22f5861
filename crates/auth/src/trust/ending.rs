//! The end of trusts: their deletion, which keeps them marked as deleted, and their removal from the database.

use chrono::NaiveDateTime;
use keystone_storage::{Arg, Db, Tx, select, sql, transaction};
use keystone_types::{Error, Result};

use super::{TRUSTS, Trust, TrustRow};
use crate::auth::Auth;

/// How many trusts one transaction removes.
const BATCH: u32 = 500;

/// Which trusts are removed from the database.
#[derive(Clone, Debug)]
pub struct TrustFilter {
    /// Those that expired before this.
    pub before: NaiveDateTime,
    /// Those of one project.
    pub project_id: Option<String>,
    /// Those of one trustor.
    pub trustor_user_id: Option<String>,
    /// Those of one trustee.
    pub trustee_user_id: Option<String>,
}

impl Auth {
    /// Deletes a trust and those that pass it on, and ends their tokens; tells the ids of all, the trust's own first.
    pub async fn delete_trust(&self, id: &str) -> Result<Vec<String>> {
        let now = self.clock.now();
        transaction!(self.db, |tx| {
            let ids = self.with_later(tx, id).await?;
            let mark = "UPDATE trust SET deleted_at = ? WHERE id IN (?) AND deleted_at IS NULL";
            sql(mark).bind(now).bind_all(&ids).execute(&mut *tx).await?;
            let events = "INSERT INTO revocation_event (trust_id, issued_before, revoked_at) \
                          SELECT t.id, ?, ? FROM trust t WHERE t.id IN (?)";
            sql(events)
                .bind(now)
                .bind(now)
                .bind_all(&ids)
                .execute(tx)
                .await?;
            Ok(ids)
        })
        .await
    }

    /// The ids of a trust, which is locked, and of those that pass it on. As in `keystone/trust/core.py` these have the
    /// same trustor, and one that is over ends the search; others do not hold without it either.
    async fn with_later(&self, tx: &mut Tx, id: &str) -> Result<Vec<String>> {
        let locked = sql("SELECT id FROM trust WHERE id = ?").bind(id).locking();
        let locked: Option<(String,)> = locked.fetch_optional(&mut *tx).await?;
        let (id,) = locked.ok_or_else(|| Error::not_found::<Trust>(id))?;
        let own = select(TRUSTS).filter("t.id = ?", Some(&id)).then("");
        let own: Option<TrustRow> = own.fetch_optional(&mut *tx).await?;
        let own = own.ok_or_else(|| Error::not_found::<Trust>(&id))?;
        let now = self.clock.precise();
        let own = Trust::from(own).live(now)?;
        let later = select(TRUSTS)
            .filter("t.trustor_user_id = ?", Some(&own.trustor_user_id))
            .and("t.redelegated_trust_id IS NOT NULL")
            .and("t.deleted_at IS NULL");
        let later: Vec<TrustRow> = later.then(" ORDER BY t.id").fetch_all(tx).await?;
        let mut rest: Vec<Trust> = later.into_iter().map(Trust::from).collect();
        rest.retain(|trust| trust.clone().live(now).is_ok());
        let mut ids = vec![own.id];
        let mut done = 0;
        while let Some(id) = ids.get(done).cloned() {
            let follows = |trust: &mut Trust| trust.redelegated_trust_id.as_ref() == Some(&id);
            ids.extend(rest.extract_if(.., follows).map(|trust| trust.id));
            done += 1;
        }
        Ok(ids)
    }
}

/// Removes deleted and expired trusts from the database; tells `progress` how many are gone.
pub async fn flush_trusts(
    db: &Db,
    filter: &TrustFilter,
    progress: impl Fn(u64) + Send,
) -> Result<u64> {
    let mut removed = 0;
    loop {
        let count = transaction!(db, |tx| flush_some(tx, filter).await).await?;
        if count == 0 {
            return Ok(removed);
        }
        removed += count;
        progress(removed);
    }
}

/// Removes some of the trusts, with their roles; the number of those that it found.
async fn flush_some(tx: &mut Tx, filter: &TrustFilter) -> Result<u64> {
    // Rows of old releases have no microseconds.
    let is_over = "t.deleted_at IS NOT NULL OR t.expires_at_int < ? OR (t.expires_at_int IS NULL AND t.expires_at < ?)";
    let micros = Arg::Int(Some(filter.before.and_utc().timestamp_micros()));
    let query = select("SELECT t.id FROM trust t")
        .filter_all(is_over, [micros, Arg::Time(Some(filter.before))])
        .filter("t.project_id = ?", filter.project_id.as_ref())
        .filter("t.trustor_user_id = ?", filter.trustor_user_id.as_ref())
        .filter("t.trustee_user_id = ?", filter.trustee_user_id.as_ref());
    let found: Vec<(String,)> = query
        .then(" ORDER BY t.id LIMIT ?")
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await?;
    let ids = || found.iter().map(|(id,)| id.as_str());
    if found.is_empty() {
        return Ok(0);
    }
    sql("DELETE FROM trust_role WHERE trust_id IN (?)")
        .bind_all(ids())
        .execute(&mut *tx)
        .await?;
    sql("DELETE FROM trust WHERE id IN (?)")
        .bind_all(ids())
        .execute(tx)
        .await
        .map_err(Into::into)
}
