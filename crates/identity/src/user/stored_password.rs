//! The stored passwords of a user: the current one and those that may not be used again.

use chrono::Duration;
use keystone_storage::{Tx, sql};
use keystone_types::Result;

use crate::identity::Identity;
use crate::options::Options;
use crate::user::from_micros;

/// Who set a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetBy {
    Administrator,
    User,
}

/// Whether a new password expires, by the options of its user.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expiry {
    /// `ignore_password_expiry`
    pub(crate) exempt: bool,
    /// `ignore_change_password_upon_first_use`
    pub(crate) keep: bool,
}

impl Expiry {
    pub(crate) fn of(options: &Options) -> Self {
        Self {
            exempt: options.is_on("ignore_password_expiry"),
            keep: options.is_on("ignore_change_password_upon_first_use"),
        }
    }
}

impl Identity {
    /// Stores a new current password, or that the user has none, and expires the others.
    pub(crate) async fn store_password(
        &self,
        tx: &mut Tx,
        user_id: &str,
        hash: Option<&str>,
        expiry: Expiry,
        by: SetBy,
    ) -> Result<()> {
        let compliance = &self.settings.compliance;
        let now = self.clock.precise();
        let (local_id,): (i64,) = sql("SELECT id FROM local_user WHERE user_id = ?")
            .bind(user_id)
            .fetch_one(&mut *tx)
            .await?;
        let old: Vec<(i64, i64)> = sql("\
            SELECT id, created_at_int FROM password \
             WHERE local_user_id = ? ORDER BY created_at_int DESC, id DESC")
        .bind(local_id)
        .fetch_all(&mut *tx)
        .await?;
        for (id, _) in old
            .iter()
            .skip(compliance.unique_last_password_count.max(1))
        {
            sql("DELETE FROM password WHERE id = ?")
                .bind(*id)
                .execute(&mut *tx)
                .await?;
        }
        let micros = now.and_utc().timestamp_micros();
        sql("UPDATE password SET expires_at = ?, expires_at_int = ? \
              WHERE local_user_id = ? AND (expires_at_int IS NULL OR expires_at_int > ?)")
        .bind(now)
        .bind(micros)
        .bind(local_id)
        .bind(micros)
        .execute(&mut *tx)
        .await?;
        let must_change =
            by == SetBy::Administrator && compliance.change_password_upon_first_use && !expiry.keep;
        let expires_at = if must_change {
            Some(now)
        } else {
            let days = compliance.password_expires_days.filter(|_| !expiry.exempt);
            days.map(|days| self.clock.now() + Duration::days(days))
        };
        // The newest is the current one, also where a node whose clock is ahead has set the one before.
        let newest = old
            .first()
            .and_then(|(_, created)| from_micros(created + 1));
        let created = newest.map_or(now, |newest| newest.max(now));
        sql("INSERT INTO password \
               (local_user_id, password_hash, created_at, created_at_int, expires_at, expires_at_int, self_service) \
             VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(local_id)
        .bind(hash)
        .bind(created)
        .bind(created.and_utc().timestamp_micros())
        .bind(expires_at)
        .bind(expires_at.map(|time| time.and_utc().timestamp_micros()))
        .bind(by == SetBy::User)
        .execute(tx)
        .await?;
        Ok(())
    }
}
