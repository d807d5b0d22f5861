//! Creating and changing users.

mod changes;
mod removal;

use keystone_storage::{OrConflict, Tx, sql};
use keystone_types::{Error, Extra, Result, check_length, new_id};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::federated::FederatedAccount;
use crate::options::{Options, Table, store};
use crate::stored_password::{Expiry, SetBy};
use crate::user::User;
use crate::{Identity, RevocationEvent, revoke};

pub use changes::NewPassword;
use changes::{Changes, DERIVED};

/// What a new user is made from.
#[derive(Clone, Debug, Deserialize)]
pub struct NewUser {
    /// Unique in its domain.
    pub name: String,
    /// The owning domain.
    pub domain_id: String,
    /// None for one who can't log in with a password.
    #[serde(default)]
    pub password: NewPassword,
    /// Whether it can log in.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Where a token is scoped to when nothing is asked for.
    #[serde(default)]
    pub default_project_id: Option<String>,
    /// Who it is at identity providers.
    #[serde(default)]
    pub federated: Vec<FederatedAccount>,
    /// What is decided for this user alone.
    #[serde(default)]
    pub options: Options,
    /// What no column holds.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Identity {
    /// Creates a local user.
    pub async fn create_user(&self, user: NewUser) -> Result<User> {
        self.create_user_with_id(&new_id(), user).await
    }

    pub(crate) async fn create_user_with_id(&self, id: &str, mut user: NewUser) -> Result<User> {
        self.check_strength(&user.password)?;
        user.name = user.name.trim().to_owned();
        for derived in DERIVED {
            user.extra.0.shift_remove(derived);
        }
        self.domain(&user.domain_id).await?;
        self.check_default_project(user.default_project_id.as_deref())
            .await?;
        self.check_federated(&user.federated).await?;
        let hash = self.hash(&user.password).await?;
        let mut tx = self.db.begin().await?;
        self.insert_user(&mut tx, id, &user).await?;
        store(&mut tx, Table::User, id, &user.options.0).await?;
        if user.password.is_given() {
            // The reference reads a user's options once they are stored: not yet.
            let (expiry, by) = (Expiry::default(), SetBy::Administrator);
            self.store_password(&mut tx, id, hash.as_deref(), expiry, by)
                .await?;
        }
        self.store_federated(&mut tx, id, Some(&user.name), &user.federated)
            .await?;
        tx.commit().await?;
        Ok(User {
            federated: user.federated,
            ..self.bare_user(id).await?
        })
    }

    async fn insert_user(&self, tx: &mut Tx, id: &str, user: &NewUser) -> Result<()> {
        let now = self.clock.now();
        let enabled = user.enabled.unwrap_or(true);
        let days = self.settings.compliance.disable_after_days_inactive;
        let watched = enabled && days.is_some();
        sql("INSERT INTO user (id, extra, enabled, default_project_id, created_at, last_active_at, domain_id) \
             VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(id)
        .bind(&user.extra)
        .bind(enabled)
        .bind(&user.default_project_id)
        .bind(now)
        .bind(watched.then_some(now.date()))
        .bind(&user.domain_id)
        .execute(&mut *tx)
        .await?;
        sql("INSERT INTO local_user (user_id, domain_id, name, failed_auth_count) VALUES (?, ?, ?, 0)")
            .bind(id)
            .bind(&user.domain_id)
            .bind(&user.name)
            .execute(tx)
            .await
            .or_conflict(|| name_taken(&user.name, &user.domain_id))?;
        Ok(())
    }

    /// Changes a user; a new password or disabling ends the user's tokens.
    pub async fn update_user(&self, id: &str, patch: Map<String, Value>) -> Result<User> {
        let row = self.user_row(id).await?;
        let local = row.local_id.is_some();
        let mut user = row.into_user(&self.settings, self.clock.now().date());
        let was_enabled = user.enabled;
        let changes = Changes::read(patch, id, &user.domain_id)?;
        self.check_changes(id, &changes, local).await?;
        let hash = self.hash(&changes.password).await?;
        let linked = self.federated_of(id).await?;

        user.name = changes.name.clone().or(user.name);
        user.enabled = changes.enabled.unwrap_or(user.enabled);
        if let Some(project) = &changes.default_project_id {
            user.default_project_id = project.as_str().map(str::to_owned);
        }
        user.extra.0.extend(changes.extra);
        user.options.apply(&changes.options);

        let mut tx = self.db.begin().await?;
        self.update_row(&mut tx, &user).await?;
        let name = user.name.as_deref();
        if !changes.federated.is_empty() {
            self.remove_federated(&mut tx, id).await?;
        } else if let Some(first) = linked.first() {
            // The first link has the name of the user, whether or not it changed.
            first.rename(&mut tx, name).await?;
        }
        let renames_link = changes.federated.is_empty() && !linked.is_empty();
        if let Some(name) = changes.name.filter(|_| local && !renames_link) {
            rename(&mut tx, id, &name).await?;
        }
        self.store_federated(&mut tx, id, name, &changes.federated)
            .await?;
        store(&mut tx, Table::User, id, &changes.options).await?;
        if changes.password.is_given() {
            let (expiry, by) = (Expiry::of(&user.options), SetBy::Administrator);
            self.store_password(&mut tx, id, hash.as_deref(), expiry, by)
                .await?;
        }
        if hash.is_some() || (was_enabled && changes.enabled == Some(false)) {
            let event = RevocationEvent::user(id);
            revoke(&mut tx, &self.settings, event, self.clock.now()).await?;
        }
        tx.commit().await?;
        let user = self.user(id).await?;
        Ok(if changes.federated.is_empty() {
            user
        } else {
            User {
                federated: changes.federated,
                ..user
            }
        })
    }

    /// What can be refused without a look at the row, in the reference's order.
    async fn check_changes(&self, id: &str, changes: &Changes, local: bool) -> Result<()> {
        self.check_strength(&changes.password)?;
        if changes.other_id {
            return Err(Error::Validation("Cannot change user ID".to_owned()));
        }
        let project = changes.default_project_id.as_ref().and_then(Value::as_str);
        self.check_default_project(project).await?;
        self.check_federated(&changes.federated).await?;
        if changes.password.is_given() && !local {
            return Err(Error::Validation(format!(
                "User {id} logs in elsewhere and can have no password here."
            )));
        }
        Ok(())
    }

    /// As in the reference, any change of a user who is enabled forgives failed attempts and idleness, and any
    /// change of one who was idle for too long disables that user for good.
    async fn update_row(&self, tx: &mut Tx, user: &User) -> Result<()> {
        sql("UPDATE user SET extra = ?, enabled = ?, default_project_id = ? WHERE id = ?")
            .bind(&user.extra)
            .bind(user.enabled)
            .bind(&user.default_project_id)
            .bind(&user.id)
            .execute(&mut *tx)
            .await?;
        if !user.enabled {
            return Ok(());
        }
        sql("UPDATE local_user SET failed_auth_count = 0, failed_auth_at = NULL WHERE user_id = ?")
            .bind(&user.id)
            .execute(&mut *tx)
            .await?;
        let days = self.settings.compliance.disable_after_days_inactive;
        if days.is_some() {
            sql("UPDATE user SET last_active_at = ? WHERE id = ?")
                .bind(self.clock.now().date())
                .bind(&user.id)
                .execute(tx)
                .await?;
        }
        Ok(())
    }

    async fn hash(&self, password: &NewPassword) -> Result<Option<String>> {
        match password.secret() {
            Some(secret) => Ok(Some(self.hasher.hash(secret.clone()).await?)),
            None => Ok(None),
        }
    }

    async fn check_default_project(&self, id: Option<&str>) -> Result<()> {
        let Some(id) = id else { return Ok(()) };
        check_length("default_project_id", id, 64)?;
        match self.project(id).await {
            Ok(project) if project.is_domain => Err(Error::Validation(
                "User's default project ID cannot be a domain ID: ".to_owned() + id,
            )),
            // One that does not exist yet is taken, as the reference does.
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn name_taken(name: &str, domain_id: &str) -> Error {
    Error::conflict::<User>(format!(
        "Duplicate entry found with name {name} at domain ID {domain_id}"
    ))
}

async fn rename(tx: &mut Tx, id: &str, name: &str) -> Result<()> {
    // Here the reference does not say in which domain.
    let taken = || Error::conflict::<User>(format!("Duplicate entry found with name {name}"));
    sql("UPDATE local_user SET name = ? WHERE user_id = ?")
        .bind(name)
        .bind(id)
        .execute(tx)
        .await
        .or_conflict(taken)?;
    Ok(())
}
