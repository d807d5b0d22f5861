//! Passwords put to the test: lockout, verification, expiry, and a user's own change of password.

use chrono::NaiveDateTime;
use keystone_storage::sql;
use keystone_types::{Error, Result, Secret};

use crate::password;
use crate::stored_password::{Expiry, SetBy};
use crate::user::User;
use crate::{Identity, NewPassword, RevocationEvent, revoke};

#[derive(Debug, sqlx::FromRow)]
struct LocalAccount {
    failed_auth_count: Option<i64>,
    failed_auth_at: Option<NaiveDateTime>,
    password_hash: Option<String>,
}

/// The outcome of a password that was right.
enum Verified {
    Current(User),
    Expired(User),
}

impl Identity {
    /// Tests a password; every failure but an expired password looks the same to the client.
    pub async fn authenticate(&self, user_id: &str, password: Secret) -> Result<User> {
        match self.verify(user_id, password).await? {
            Verified::Current(user) => Ok(user),
            Verified::Expired(user) => Err(Error::Authentication {
                message: format!(
                    "The password is expired and needs to be changed for user: {}.",
                    user.id
                ),
                identity: None,
            }),
        }
    }

    /// Takes the time that a wrong password takes, for a user who does not exist.
    pub async fn authenticate_nobody(&self, password: Secret) -> Result<()> {
        Ok(self.hasher.verify_dummy(password).await?)
    }

    async fn verify(&self, user_id: &str, password: Secret) -> Result<Verified> {
        let row = self.user_row(user_id).await?;
        let account: Option<LocalAccount> = sql("\
            SELECT l.failed_auth_count, l.failed_auth_at, p.password_hash \
              FROM local_user l LEFT JOIN password p ON p.local_user_id = l.id \
             WHERE l.user_id = ? ORDER BY p.created_at_int DESC, p.id DESC LIMIT 1")
        .bind(user_id)
        .fetch_optional(&self.db)
        .await?;
        let Some(account) = account else {
            self.hasher.verify_dummy(password).await?;
            return Err(Error::unauthorized(format!(
                "user {user_id} has no local password"
            )));
        };
        let today = self.clock.now().date();
        let (expires_at, last_active) = (row.expires_at(), row.last_active_at);
        let user = row.into_user(&self.settings, today);
        if self.is_locked(&user, &account) {
            self.hasher.verify_dummy(password).await?;
            return Err(Error::unauthorized(format!(
                "the account of user {user_id} is locked"
            )));
        }
        if !self
            .matches(user_id, password, account.password_hash)
            .await?
        {
            self.record_failure(user_id).await?;
            return Err(Error::unauthorized(format!(
                "wrong password for user {user_id}"
            )));
        }
        if !user.enabled {
            return Err(Error::Authentication {
                message: format!("The account is disabled for user: {user_id}."),
                identity: None,
            });
        }
        let exempt = user.options.is_on("ignore_password_expiry");
        if !exempt && expires_at.is_some_and(|end| self.clock.precise() >= end) {
            return Ok(Verified::Expired(user));
        }
        if account.failed_auth_count.unwrap_or_default() != 0 {
            self.forget_failures(user_id).await?;
        }
        if last_active != Some(today) {
            sql("UPDATE user SET last_active_at = ? WHERE id = ?")
                .bind(today)
                .bind(user_id)
                .execute(&self.db)
                .await?;
        }
        Ok(Verified::Current(user))
    }

    pub(crate) async fn matches(
        &self,
        user_id: &str,
        password: Secret,
        hash: Option<String>,
    ) -> Result<bool> {
        let Some(hash) = hash else {
            self.hasher.verify_dummy(password).await?;
            return Ok(false);
        };
        match self.hasher.verify(password, hash).await {
            Ok(matches) => Ok(matches),
            Err(error @ (password::Error::Unreadable(_) | password::Error::Cut)) => {
                tracing::error!(user.id = user_id, table = "password", column = "password_hash", %error,
                    "the stored password can't be used: set it again");
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn is_locked(&self, user: &User, account: &LocalAccount) -> bool {
        let compliance = &self.settings.compliance;
        let Some(limit) = compliance
            .lockout_failure_attempts
            .filter(|limit| *limit > 0)
        else {
            return false;
        };
        if user.options.is_on("ignore_lockout_failure_attempts")
            || account.failed_auth_count.unwrap_or_default() < limit
        {
            return false;
        }
        match (compliance.lockout_duration, account.failed_auth_at) {
            (Some(duration), Some(at)) => at + duration > self.clock.precise(),
            _ => true,
        }
    }

    /// Counts a failure. An earlier lock that has ended starts the count anew.
    async fn record_failure(&self, user_id: &str) -> Result<()> {
        let now = self.clock.now();
        let compliance = &self.settings.compliance;
        if let (Some(limit), Some(duration)) = (
            compliance.lockout_failure_attempts,
            compliance.lockout_duration,
        ) {
            sql("UPDATE local_user SET failed_auth_count = 0 \
                  WHERE user_id = ? AND failed_auth_count >= ? AND failed_auth_at <= ?")
            .bind(user_id)
            .bind(limit)
            .bind(now - duration)
            .execute(&self.db)
            .await?;
        }
        sql("UPDATE local_user SET failed_auth_count = COALESCE(failed_auth_count, 0) + 1, failed_auth_at = ? \
              WHERE user_id = ?")
        .bind(now)
        .bind(user_id)
        .execute(&self.db)
        .await?;
        Ok(())
    }

    async fn forget_failures(&self, user_id: &str) -> Result<()> {
        sql("UPDATE local_user SET failed_auth_count = 0, failed_auth_at = NULL WHERE user_id = ?")
            .bind(user_id)
            .execute(&self.db)
            .await?;
        Ok(())
    }

    /// A user's own change of password; an expired one may be changed too.
    pub async fn change_password(
        &self,
        user_id: &str,
        original: Secret,
        new: Secret,
    ) -> Result<()> {
        let user = match self.verify(user_id, original.clone()).await {
            Ok(Verified::Current(user) | Verified::Expired(user)) => user,
            Err(Error::NotFound { .. }) => {
                self.authenticate_nobody(original).await?;
                return Err(Error::unauthorized(format!("there is no user {user_id}")));
            }
            Err(error) => return Err(error),
        };
        self.check_strength(&NewPassword::Set(new.clone()))?;
        if user.options.is_on("lock_password") {
            return Err(Error::Validation(
                "You cannot change your password at this time due to password policy disallowing password changes. Please \
                 contact your administrator to reset your password."
                    .to_owned(),
            ));
        }
        self.check_age(user_id).await?;
        self.check_history(user_id, &new).await?;
        let hash = self.hasher.hash(new).await?;
        let mut tx = self.db.begin().await?;
        let expiry = Expiry {
            exempt: user.options.is_on("ignore_password_expiry"),
            keep: true,
        };
        self.store_password(&mut tx, user_id, Some(&hash), expiry, SetBy::User)
            .await?;
        revoke(
            &mut tx,
            &self.settings,
            RevocationEvent::user(user_id),
            self.clock.now(),
        )
        .await?;
        Ok(tx.commit().await?)
    }
}
