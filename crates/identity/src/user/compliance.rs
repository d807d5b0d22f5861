//! Rules of `[security_compliance]` about new passwords.

use chrono::Duration;
use keystone_python::Undecided;
use keystone_storage::{Db, sql};
use keystone_types::{Error, Result, Secret};

use crate::identity::Identity;
use crate::password::Claimant;
use crate::user::account::NewPassword;
use crate::user::from_micros;

impl Identity {
    /// `password_regex`, which applies to everybody who sets a password; `null` does not match.
    pub(crate) fn check_strength(&self, password: &NewPassword) -> Result<()> {
        let compliance = &self.settings.compliance;
        let regex = compliance.password_regex.as_ref();
        let Some(regex) = regex.filter(|_| password.is_given()) else {
            return Ok(());
        };
        let invalid = |why: &str| Error::Validation(format!("Password validation error: {why}."));
        let Some(password) = password.secret() else {
            return Err(invalid("Password must be a string type"));
        };
        // The hasher refuses a password of this length.
        if password.reveal().len() > self.settings.passwords.max_password_length {
            return Ok(());
        }
        match regex.is_match(password.reveal()) {
            Ok(true) => Ok(()),
            Ok(false) => {
                // Python prints `None`.
                let description = compliance.password_regex_description.as_deref();
                let description = description.unwrap_or("None");
                Err(Error::Validation(format!(
                    "The password does not match the requirements: {description}."
                )))
            }
            Err(Undecided) => {
                tracing::error!(
                    pattern = regex.pattern(),
                    "[security_compliance] password_regex takes too many steps: the password was refused"
                );
                Err(invalid(
                    "Unable to validate password due to invalid configuration",
                ))
            }
        }
    }

    /// `minimum_password_age`, which applies to passwords that the user chose.
    pub(crate) async fn check_age(&self, user_id: &str) -> Result<()> {
        let days = self.settings.compliance.minimum_password_age_days;
        let current = recent(&self.db, user_id).await?.into_iter().next();
        let Some(current) = current.filter(|current| days > 0 && current.self_service) else {
            return Ok(());
        };
        let created = from_micros(current.created_at_int).unwrap_or_default();
        let left = created + Duration::days(days) - self.clock.precise();
        if left <= Duration::zero() {
            return Ok(());
        }
        Err(Error::Validation(format!(
            "You cannot change your password at this time due to the minimum password age. Once you change your password, it \
             must be used for {days} day(s) before it can be changed. Please try again in {} day(s) or contact your \
             administrator to reset your password.",
            left.num_days()
        )))
    }

    /// `unique_last_password_count`
    pub(crate) async fn check_history(
        &self,
        user_id: &str,
        new: &Secret,
        claimant: &Claimant,
    ) -> Result<()> {
        let count = self.settings.compliance.unique_last_password_count;
        if count == 0 {
            return Ok(());
        }
        let used = recent(&self.db, user_id).await?;
        for password in used.into_iter().take(count) {
            let matches = self.matches(user_id, new.clone(), password.password_hash, claimant);
            if matches.await? == Some(true) {
                return Err(Error::Validation(format!(
                    "The new password cannot be identical to a previous password. The total number which includes the new \
                     password must be unique is {count}."
                )));
            }
        }
        Ok(())
    }
}

#[derive(Debug, sqlx::FromRow)]
struct StoredPassword {
    password_hash: Option<String>,
    created_at_int: i64,
    self_service: bool,
}

/// The passwords of a user, newest first.
async fn recent(db: &Db, user_id: &str) -> Result<Vec<StoredPassword>> {
    Ok(sql("\
        SELECT p.password_hash, p.created_at_int, p.self_service \
          FROM password p JOIN local_user l ON l.id = p.local_user_id \
         WHERE l.user_id = ? ORDER BY p.created_at_int DESC, p.id DESC")
    .bind(user_id)
    .fetch_all(db)
    .await?)
}
