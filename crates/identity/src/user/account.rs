//! Creating, changing and deleting users.

use keystone_storage::{OrConflict, Tx, sql, transaction, update};
use keystone_types::{Error, Extra, Result, Secret, check_length, new_id};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::identity::Identity;
use crate::options::{Options, Table, store_options};
use crate::revocation::{RevocationEvent, revoke};
use crate::shared_lock;
use crate::user::authentication::forget_failures;
use crate::user::federated::{
    FederatedAccount, check_federated, federated_of, grouped, remove_federated, store_federated,
};
use crate::user::stored_password::{Expiry, SetBy};
use crate::user::{User, UserRow, locked, row};

/// Attributes that follow from others and are never stored as they come.
const DERIVED: [&str; 4] = ["id", "password_expires_at", "links", "extra"];

/// A password as a request has it.
#[derive(Clone, Debug, Default)]
pub enum NewPassword {
    /// Not at all: what there is stays.
    #[default]
    Absent,
    /// `null`: there is none from now on, which counts as a change of it.
    Null,
    /// One to be hashed.
    Set(Secret),
}

impl NewPassword {
    /// Whether it was mentioned.
    pub(crate) fn is_given(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    pub(crate) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Set(secret) => Some(secret),
            Self::Absent | Self::Null => None,
        }
    }
}

impl<'de> Deserialize<'de> for NewPassword {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let password = Option::<Secret>::deserialize(deserializer)?;
        Ok(password.map_or(Self::Null, Self::Set))
    }
}

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
        // What would be refused is not hashed first; what decides is looked at again in the transaction.
        self.domain(&user.domain_id).await?;
        self.check_default_project(user.default_project_id.as_deref())
            .await?;
        check_federated(&self.db, &user.federated).await?;
        let hash = self.hash(&user.password).await?;
        let stored = transaction!(self.db, |tx| {
            shared_lock::domain(tx, &user.domain_id).await?;
            check_federated(&mut *tx, &user.federated).await?;
            self.insert_user(tx, id, &user).await?;
            store_options(tx, Table::User, id, &user.options.0).await?;
            if user.password.is_given() {
                // The reference reads a user's options once they are stored: not yet.
                let (expiry, by) = (Expiry::default(), SetBy::Administrator);
                self.store_password(tx, id, hash.as_deref(), expiry, by)
                    .await?;
            }
            store_federated(tx, id, Some(&user.name), &user.federated).await?;
            row(tx, id).await
        });
        let stored = stored.await?;
        Ok(User {
            federated: user.federated,
            ..stored.into_user(&self.settings, self.clock.now().date())
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
        // What would be refused is not hashed first; what decides is looked at again in the transaction.
        let current = self.user_row(id).await?;
        let changes = Changes::read(patch, &current)?;
        self.check_changes(&current, &changes).await?;
        let hash = self.hash(&changes.password).await?;
        let stored = transaction!(self.db, |tx| {
            let current = locked(tx, id).await?;
            self.change_user(tx, &current, &changes, hash.as_deref())
                .await?;
            let links = federated_of(&mut *tx, &current.id).await?;
            Ok((row(tx, &current.id).await?, links))
        });
        let (row, links) = stored.await?;
        let user = row.into_user(&self.settings, self.clock.now().date());
        let federated = if changes.federated.is_empty() {
            grouped(links)
        } else {
            changes.federated
        };
        Ok(User { federated, ..user })
    }

    /// Ends every token of a user.
    pub async fn revoke_tokens(&self, id: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let event = RevocationEvent::user(&shared_lock::user(tx, id).await?);
            revoke(tx, event, self.clock.now()).await
        })
        .await
    }

    /// Deletes a user and all that refers to it.
    pub async fn delete_user(&self, id: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let id = locked(tx, id).await?.id;
            self.remove_users(tx, &[id]).await
        })
        .await
    }

    async fn change_user(
        &self,
        tx: &mut Tx,
        current: &UserRow,
        changes: &Changes,
        hash: Option<&str>,
    ) -> Result<()> {
        let id = &current.id;
        let mut user = current
            .clone()
            .into_user(&self.settings, self.clock.now().date());
        let was_enabled = user.enabled;
        check_federated(&mut *tx, &changes.federated).await?;
        user.name = changes.name.clone().or(user.name);
        user.enabled = changes.enabled.unwrap_or(user.enabled);
        if let Some(project) = &changes.default_project_id {
            user.default_project_id = project.as_str().map(str::to_owned);
        }
        user.extra.0.extend(changes.extra.clone());
        user.options.apply(&changes.options);
        self.update_row(tx, current, &user).await?;
        self.rename(tx, current, &user, changes).await?;
        store_options(tx, Table::User, id, &changes.options).await?;
        if changes.password.is_given() {
            let (expiry, by) = (Expiry::of(&user.options), SetBy::Administrator);
            self.store_password(tx, id, hash, expiry, by).await?;
        }
        if hash.is_some() || (was_enabled && changes.enabled == Some(false)) {
            revoke(tx, RevocationEvent::user(id), self.clock.now()).await?;
        }
        Ok(())
    }

    /// Stores the name, and who the user is at identity providers.
    async fn rename(
        &self,
        tx: &mut Tx,
        current: &UserRow,
        user: &User,
        changes: &Changes,
    ) -> Result<()> {
        let (id, name) = (&current.id, user.name.as_deref());
        let links = federated_of(&mut *tx, id).await?;
        let mut local = changes.name.as_ref().filter(|_| current.local_id.is_some());
        if !changes.federated.is_empty() {
            remove_federated(tx, id).await?;
        } else if let Some(first) = links.first() {
            // The first link has the name of the user, whether or not it changed.
            first.rename(tx, name).await?;
            local = None;
        }
        if let Some(name) = local {
            rename(tx, id, name).await?;
        }
        store_federated(tx, id, name, &changes.federated).await
    }

    /// What can be refused before anything is stored, in the reference's order.
    async fn check_changes(&self, current: &UserRow, changes: &Changes) -> Result<()> {
        self.check_strength(&changes.password)?;
        if changes.other_id {
            return Err(Error::Validation("Cannot change user ID".to_owned()));
        }
        let project = changes.default_project_id.as_ref().and_then(Value::as_str);
        self.check_default_project(project).await?;
        check_federated(&self.db, &changes.federated).await?;
        if changes.password.is_given() && current.local_id.is_none() {
            return Err(Error::Validation(format!(
                "User {} logs in elsewhere and can have no password here.",
                current.id
            )));
        }
        Ok(())
    }

    /// As in the reference, any change of a user who is enabled forgives failed attempts and idleness, and any
    /// change of one who was idle for too long disables that user for good.
    async fn update_row(&self, tx: &mut Tx, current: &UserRow, user: &User) -> Result<()> {
        let (old, new) = (&current.default_project_id, &user.default_project_id);
        let days = self.settings.compliance.disable_after_days_inactive;
        let today = self.clock.now().date();
        let active = if user.enabled && days.is_some() {
            Some(today)
        } else {
            current.last_active_at
        };
        update("user")
            .set("extra", &current.extra, &user.extra)
            .set("enabled", current.enabled, Some(user.enabled))
            .set("default_project_id", old, new)
            .set("last_active_at", current.last_active_at, active)
            .apply("id = ?", &user.id, &mut *tx)
            .await?;
        if user.enabled {
            forget_failures(tx, &user.id).await?;
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

/// What a `PATCH` changes.
struct Changes {
    name: Option<String>,
    enabled: Option<bool>,
    /// A string, or null to clear it.
    default_project_id: Option<Value>,
    password: NewPassword,
    /// Those that replace the ones there are; none leaves them.
    federated: Vec<FederatedAccount>,
    options: Map<String, Value>,
    extra: Map<String, Value>,
    /// An `id` that is not the user's.
    other_id: bool,
}

impl Changes {
    fn read(mut patch: Map<String, Value>, current: &UserRow) -> Result<Self> {
        if patch
            .shift_remove("domain_id")
            .is_some_and(|domain| domain != current.domain_id)
        {
            return Err(Error::Validation("Cannot change Domain ID".to_owned()));
        }
        let other_id = patch.get("id").is_some_and(|given| *given != current.id);
        for derived in DERIVED {
            patch.shift_remove(derived);
        }
        let text = |value: Value| value.as_str().map(str::to_owned);
        let federated = patch.shift_remove("federated").map(serde_json::from_value);
        Ok(Self {
            name: patch
                .shift_remove("name")
                .and_then(text)
                .map(|name| name.trim().to_owned()),
            enabled: patch
                .shift_remove("enabled")
                .and_then(|value| value.as_bool()),
            default_project_id: patch.shift_remove("default_project_id"),
            password: match patch.shift_remove("password") {
                Some(Value::String(password)) => NewPassword::Set(Secret::from(password)),
                Some(_) => NewPassword::Null,
                None => NewPassword::Absent,
            },
            federated: federated
                .transpose()
                .map_err(|error| Error::Validation(error.to_string()))?
                .unwrap_or_default(),
            options: match patch.shift_remove("options") {
                Some(Value::Object(options)) => options,
                _ => Map::new(),
            },
            extra: patch,
            other_id,
        })
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
