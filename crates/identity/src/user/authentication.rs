//! Authentication by password: verification, lockout, expiry, and a user's own change of password.
//!
//! Hashing takes long, and the account can be locked, disabled or given another password meanwhile. It is therefore read
//! again when the outcome is known. Of many guesses at the same time no more count than the operator allows, and none
//! succeeds once the account is locked.

use std::fmt;

use chrono::NaiveDateTime;
use keystone_storage::{Exec, Select, sql, transaction};
use keystone_types::{Error, Result, Secret};

use crate::directory::EntityBackend;
use crate::directory::id_mapping::Entity;
use crate::directory::users::DirectoryUser;
use crate::identity::Identity;
use crate::options::Options;
use crate::password::{self, Claimant};
use crate::project::reference::DomainChoice;
use crate::revocation::{RevocationEvent, revoke};
use crate::user::account::NewPassword;
use crate::user::stored_password::{Expiry, SetBy};
use crate::user::{Subject, User, UserRow, locked, missing, named, users_with_account};

#[derive(Clone, Debug, sqlx::FromRow)]
struct LocalAccount {
    failed_auth_count: Option<i64>,
    failed_auth_at: Option<NaiveDateTime>,
    password_hash: Option<String>,
}

#[derive(Debug, sqlx::FromRow)]
struct UserWithAccount {
    #[sqlx(flatten)]
    row: UserRow,
    #[sqlx(flatten)]
    account: LocalAccount,
}

/// A user whose password is to be verified.
#[derive(Clone)]
pub struct Candidate {
    /// The user, with its domain.
    pub subject: Subject,
    account: Account,
}

/// Where the password is.
#[derive(Clone)]
enum Account {
    /// In the local account, if there is one.
    Local(Option<LocalAccount>),
    Directory(Box<DirectoryUser>),
}

impl From<DirectoryUser> for Candidate {
    fn from(user: DirectoryUser) -> Self {
        Self {
            subject: user.subject.clone(),
            account: Account::Directory(Box::new(user)),
        }
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Candidate");
        shown
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// Why a password was not accepted. All but an expired one look the same to the client.
#[derive(Clone, Debug)]
pub enum Rejected {
    /// Too many wrong ones came before.
    Locked {
        /// The user.
        user_id: String,
    },
    /// It was right, and has expired.
    Expired {
        /// The user.
        user_id: String,
    },
    /// It is wrong.
    Wrong(Error),
    /// The user is disabled or was changed meanwhile, the password can't be verified, or this server failed.
    Other(Error),
}

impl From<Error> for Rejected {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Locked { user_id } => lockout(&user_id),
            Rejected::Expired { user_id } => Self::Authentication {
                message: format!(
                    "The password is expired and needs to be changed for user: {user_id}."
                ),
                identity: None,
            },
            Rejected::Wrong(error) | Rejected::Other(error) => error,
        }
    }
}

/// A user whose password was right.
#[derive(Debug)]
pub struct VerifiedUser {
    user: User,
    expired: bool,
    /// The hash that the password was verified against.
    hash: Option<String>,
}

impl VerifiedUser {
    /// The user's name.
    pub fn name(&self) -> Option<&str> {
        self.user.name.as_deref()
    }

    /// Fails where the password has expired: then it can only be changed.
    pub fn check_expiry(&self) -> Result<(), Rejected> {
        if self.expired {
            return Err(Rejected::Expired {
                user_id: self.user.id.clone(),
            });
        }
        Ok(())
    }
}

impl Identity {
    /// One user, for [`Self::authenticate`].
    pub async fn candidate(&self, id: &str) -> Result<Candidate> {
        match self.entity_backend(Entity::User, id).await? {
            EntityBackend::Database => {}
            EntityBackend::Directory(entry) => return Ok(entry.user().await?.into()),
            EntityBackend::Nowhere => return Err(missing(id)),
        }
        let users = users_with_account().filter("u.id = ?", Some(id));
        self.only_candidate(users, id).await
    }

    /// The same by name.
    pub async fn candidate_by_name(
        &self,
        name: &str,
        domain: DomainChoice<'_>,
    ) -> Result<Candidate> {
        if let Some(found) = self.directory_user_by_name(name, domain).await? {
            return Ok(found.into());
        }
        let users = named(users_with_account(), name, domain);
        self.only_candidate(users, name).await
    }

    async fn only_candidate(&self, users: Select, name: &str) -> Result<Candidate> {
        let found = users.then("").fetch_or(&self.db, || missing(name));
        let UserWithAccount { row, account } = found.await?;
        Ok(Candidate {
            account: Account::Local(row.local_id.map(|_| account)),
            subject: row.into_subject(&self.settings, self.clock.now().date()),
        })
    }

    /// Verifies the password of a user; every failure but an expired password looks the same to the client. The user that is
    /// returned was read after the password was hashed.
    pub async fn authenticate(
        &self,
        candidate: Candidate,
        password: Secret,
        claimant: &Claimant,
    ) -> Result<User, Rejected> {
        let verified = self.verify(candidate, password, claimant).await?;
        verified.check_expiry()?;
        Ok(verified.user)
    }

    /// Takes as long as a wrong password, for a user who does not exist.
    pub async fn authenticate_nobody(&self, password: Secret, claimant: &Claimant) -> Result<()> {
        Ok(self.hasher.verify_dummy(password, claimant).await?)
    }

    async fn verify(
        &self,
        candidate: Candidate,
        password: Secret,
        claimant: &Claimant,
    ) -> Result<VerifiedUser, Rejected> {
        let user = candidate.subject.user;
        let dummy = |password| async {
            let verified = self.hasher.verify_dummy(password, claimant).await;
            verified.map_err(Error::from)
        };
        let account = match candidate.account {
            Account::Local(account) => account,
            Account::Directory(user) => {
                let bound = self.authenticate_in_directory(*user, password, claimant);
                return Ok(VerifiedUser {
                    user: bound.await?,
                    expired: false,
                    hash: None,
                });
            }
        };
        let Some(account) = account else {
            dummy(password).await?;
            let text = format!("user {} has no local password", user.id);
            return Err(Error::unauthorized(text).into());
        };
        if self.is_locked(&user.options, &account) {
            dummy(password).await?;
            return Err(Rejected::Locked { user_id: user.id });
        }
        let hash = account.password_hash;
        let matches = self
            .matches(&user.id, password, hash.clone(), claimant)
            .await?;
        let verified = if matches == Some(true) {
            self.admit(&user.id, hash).await
        } else {
            let recorded = self.record_failure(&user.id, hash.as_deref()).await;
            Err(match recorded {
                Ok(()) if matches == Some(false) => Rejected::Wrong(wrong(&user.id)),
                Ok(()) => wrong(&user.id).into(),
                Err(error) => error.into(),
            })
        };
        // A user who was deleted meanwhile looks like a wrong password.
        verified.map_err(|rejected| match rejected {
            Rejected::Other(Error::NotFound { .. }) => wrong(&user.id).into(),
            other => other,
        })
    }

    /// Checks the current state of a user whose password was right.
    async fn admit(&self, user_id: &str, hash: Option<String>) -> Result<VerifiedUser, Rejected> {
        let users = users_with_account().filter("u.id = ?", Some(user_id));
        let found = users.then("").fetch_or(&self.db, || missing(user_id));
        let UserWithAccount { row, account } = found.await?;
        // Another password was set meanwhile, or there is none any more.
        if row.local_id.is_none() || account.password_hash != hash {
            return Err(wrong(user_id).into());
        }
        if self.is_locked(&row.options, &account) {
            return Err(Rejected::Locked {
                user_id: user_id.to_owned(),
            });
        }
        let today = self.clock.now().date();
        let (expires_at, last_active) = (row.expires_at(), row.last_active_at);
        let user = row.into_user(&self.settings, today);
        if !user.enabled {
            return Err(disabled(user_id).into());
        }
        let exempt = user.options.is_on("ignore_password_expiry");
        let expired = !exempt && expires_at.is_some_and(|end| self.clock.precise() >= end);
        if !expired && account.failed_auth_count.unwrap_or_default() != 0 {
            reset_failed_attempts(&self.db, user_id).await?;
        }
        if !expired && last_active != Some(today) {
            sql("UPDATE user SET last_active_at = ? WHERE id = ?")
                .bind(today)
                .bind(user_id)
                .execute(&self.db)
                .await
                .map_err(Error::from)?;
        }
        Ok(VerifiedUser {
            user,
            expired,
            hash,
        })
    }

    /// Whether a password has a hash; none where the hash can't be read.
    pub(crate) async fn matches(
        &self,
        user_id: &str,
        password: Secret,
        hash: Option<String>,
        claimant: &Claimant,
    ) -> Result<Option<bool>> {
        let Some(hash) = hash else {
            self.hasher.verify_dummy(password, claimant).await?;
            return Ok(Some(false));
        };
        match self.hasher.verify(password, hash, claimant).await {
            Ok(matches) => Ok(Some(matches)),
            Err(error @ password::Error::Unreadable(_)) => {
                tracing::error!(user.id = user_id, table = "password", column = "password_hash", %error,
                    "the stored password can't be used: set it again");
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn is_locked(&self, options: &Options, account: &LocalAccount) -> bool {
        let compliance = &self.settings.compliance;
        let Some(limit) = compliance
            .lockout_failure_attempts
            .filter(|limit| *limit > 0)
        else {
            return false;
        };
        account.failed_auth_count.unwrap_or_default() >= limit
            && !options.is_on("ignore_lockout_failure_attempts")
            && !self.lockout_is_over(account)
    }

    /// Whether `lockout_duration` has passed since the last failure.
    fn lockout_is_over(&self, account: &LocalAccount) -> bool {
        let duration = self.settings.compliance.lockout_duration;
        match (duration, account.failed_auth_at) {
            (Some(duration), Some(at)) => at + duration <= self.clock.precise(),
            _ => false,
        }
    }

    /// Counts a failure, unless the account was locked meanwhile or has another password. After a lockout the count starts
    /// anew.
    async fn record_failure(&self, user_id: &str, hash: Option<&str>) -> Result<()> {
        transaction!(self.db, |tx| {
            let user = locked(tx, user_id).await?;
            let Some(account) = account(&mut *tx, user_id).await? else {
                return Ok(());
            };
            if self.is_locked(&user.options, &account) || account.password_hash.as_deref() != hash {
                return Ok(());
            }
            let limit = self.settings.compliance.lockout_failure_attempts;
            let failures = account.failed_auth_count.unwrap_or_default();
            let over = limit.is_some_and(|limit| failures >= limit);
            let failures = if over && self.lockout_is_over(&account) {
                0
            } else {
                failures
            };
            sql(
                "UPDATE local_user SET failed_auth_count = ?, failed_auth_at = ? WHERE user_id = ?",
            )
            .bind(failures + 1)
            .bind(self.clock.now())
            .bind(user_id)
            .execute(tx)
            .await?;
            Ok(())
        })
        .await
    }

    /// Verifies the password of a user who wants to change it, for [`Self::change_password`]; an expired one may be changed too.
    /// The claimant has to be marked with the user.
    pub async fn verify_original(
        &self,
        user_id: &str,
        original: Secret,
        claimant: &Claimant,
    ) -> Result<VerifiedUser, Rejected> {
        let candidate = match self.candidate(user_id).await {
            Err(Error::NotFound { .. }) => {
                self.authenticate_nobody(original, claimant).await?;
                return Err(Error::unauthorized(format!("there is no user {user_id}")).into());
            }
            found => found?,
        };
        self.verify(candidate, original, claimant).await
    }

    /// A user's own change of password.
    pub async fn change_password(
        &self,
        verified: VerifiedUser,
        new: Secret,
        claimant: &Claimant,
    ) -> Result<()> {
        let VerifiedUser {
            user,
            hash: verified,
            ..
        } = verified;
        self.check_user_writable(&user.id, None).await?;
        self.check_strength(&NewPassword::Set(new.clone()))?;
        check_changeable(&user)?;
        self.check_age(&user.id).await?;
        self.check_history(&user.id, &new, claimant).await?;
        let hash = self.hasher.hash(new).await?;
        transaction!(self.db, |tx| {
            let row = locked(tx, &user.id).await?;
            let account = account(&mut *tx, &row.id).await?;
            // If another password was set meanwhile, the original is no longer the current one.
            let account = account.filter(|account| account.password_hash == verified);
            let account = account.ok_or_else(|| wrong(&row.id))?;
            if self.is_locked(&row.options, &account) {
                return Err(lockout(&row.id));
            }
            let user = row.into_user(&self.settings, self.clock.now().date());
            check_changeable(&user)?;
            if !user.enabled {
                return Err(disabled(&user.id));
            }
            let expiry = Expiry {
                exempt: user.options.is_on("ignore_password_expiry"),
                keep: true,
            };
            self.store_password(tx, &user.id, Some(&hash), expiry, SetBy::User)
                .await?;
            revoke(tx, RevocationEvent::user(&user.id), self.clock.now()).await
        })
        .await
    }
}

fn check_changeable(user: &User) -> Result<()> {
    if user.options.is_on("lock_password") {
        return Err(Error::Validation(
            "You cannot change your password at this time due to password policy disallowing password changes. Please \
             contact your administrator to reset your password."
                .to_owned(),
        ));
    }
    Ok(())
}

/// A user's local account with its current password.
async fn account(exec: impl Into<Exec<'_>>, user_id: &str) -> Result<Option<LocalAccount>> {
    Ok(sql("\
        SELECT l.failed_auth_count, l.failed_auth_at, p.password_hash \
          FROM local_user l LEFT JOIN password p ON p.local_user_id = l.id \
         WHERE l.user_id = ? ORDER BY p.created_at_int DESC, p.id DESC LIMIT 1")
    .bind(user_id)
    .fetch_optional(exec)
    .await?)
}

pub(crate) async fn reset_failed_attempts(exec: impl Into<Exec<'_>>, user_id: &str) -> Result<()> {
    sql("UPDATE local_user SET failed_auth_count = 0, failed_auth_at = NULL WHERE user_id = ?")
        .bind(user_id)
        .execute(exec)
        .await?;
    Ok(())
}

fn disabled(user_id: &str) -> Error {
    Error::Authentication {
        message: format!("The account is disabled for user: {user_id}."),
        identity: None,
    }
}

fn lockout(user_id: &str) -> Error {
    Error::unauthorized(format!("the account of user {user_id} is locked"))
}

fn wrong(user_id: &str) -> Error {
    Error::unauthorized(format!("wrong password for user {user_id}"))
}
