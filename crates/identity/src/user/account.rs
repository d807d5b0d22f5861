//! Creating, changing and deleting users.

use keystone_storage::{Deleted, Exec, OrConflict, Tx, sql, transaction, update};
use keystone_types::{Error, Extra, Result, Secret, check_length, check_name, new_id};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::directory::id_mapping::Entity;
use crate::directory::{EntityBackend, read_only};
use crate::identity::Identity;
use crate::options::{Options, Table, store_options, take_changes};
use crate::revocation::{RevocationEvent, revoke};
use crate::user::authentication::reset_failed_attempts;
use crate::user::federated::{
    FederatedAccount, FederatedRow, check_federated, federated_rows, into_accounts,
    remove_federated, store_federated,
};
use crate::user::stored_password::{Expiry, SetBy};
use crate::user::{User, UserRow, locked, missing, row};
use crate::{project, shared_lock};

/// Attributes that the server derives, and ignores in requests.
const DERIVED: [&str; 4] = ["id", "password_expires_at", "links", "extra"];

/// How many users one statement changes.
const BATCH: u32 = 500;

/// A password as a request has it.
#[derive(Clone, Debug, Default)]
pub enum NewPassword {
    /// Not given: the password stays.
    #[default]
    Absent,
    /// `null`: the password is removed, which counts as a change.
    Null,
    /// A new one.
    Set(Secret),
}

impl NewPassword {
    /// Whether the request has one, or `null`.
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

/// A user to be created.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct NewUser {
    /// Unique in its domain.
    pub name: String,
    /// The owning domain.
    pub domain_id: String,
    /// The password, if the user can log in with one.
    #[serde(default)]
    pub password: NewPassword,
    /// Whether the user can log in.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// The scope of a token that is asked for without one.
    #[serde(default)]
    pub default_project_id: Option<String>,
    /// The accounts at identity providers.
    #[serde(default)]
    pub federated: Vec<FederatedAccount>,
    /// The resource options.
    #[serde(default)]
    pub options: Options,
    /// Attributes without a column.
    #[serde(flatten)]
    pub extra: Extra,
}

impl NewUser {
    /// An enabled user without a password.
    pub fn new(name: impl Into<String>, domain_id: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            domain_id: domain_id.into(),
            password: NewPassword::Absent,
            enabled: Some(true),
            default_project_id: None,
            federated: Vec::new(),
            options: Options::default(),
            extra: Extra::default(),
        }
    }

    /// The same with a password.
    #[must_use]
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = NewPassword::Set(password.into());
        self
    }

    /// The same with the scope of a token that is asked for without one.
    #[must_use]
    pub fn default_project(mut self, id: impl Into<String>) -> Self {
        self.default_project_id = Some(id.into());
        self
    }
}

impl Identity {
    /// Creates a local user.
    pub async fn create_user(&self, user: NewUser) -> Result<User> {
        self.create_user_with_id(&new_id(), user).await
    }

    /// The same with an id that the caller chooses; 409 if another user has it.
    pub async fn create_user_with_id(&self, id: &str, mut user: NewUser) -> Result<User> {
        check_length("id", id, 64)?;
        check_name(&user.name, 255)?;
        self.check_strength(&user.password)?;
        self.check_writable(&user.domain_id).await?;
        user.name = user.name.trim().to_owned();
        for derived in DERIVED {
            user.extra.0.shift_remove(derived);
        }
        let hash = match user.password.secret() {
            Some(secret) => {
                // To refuse early what the transaction would refuse after the password was hashed.
                self.domain(&user.domain_id).await?;
                check_references(
                    &self.db,
                    user.default_project_id.as_deref(),
                    &user.federated,
                )
                .await?;
                Some(self.hasher.hash(secret.clone()).await?)
            }
            None => None,
        };
        let stored = transaction!(self.db, |tx| {
            shared_lock::domain(tx, &user.domain_id).await?;
            check_references(
                &mut *tx,
                user.default_project_id.as_deref(),
                &user.federated,
            )
            .await?;
            self.insert_user(tx, id, &user).await?;
            store_options(tx, Table::User, id, &user.options.0).await?;
            if user.password.is_given() {
                // As in `keystone/identity/backends/sql.py`, the options of a new user do not apply to its first password.
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
        .await
        .or_conflict(|| Error::conflict::<User>(format!("Duplicate ID, {id}.")))?;
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
        self.check_user_writable(id, Some(&patch)).await?;
        let mut hash = None;
        if patch.contains_key("password") {
            // To refuse early what the transaction would refuse after the password was hashed.
            let current = row(&self.db, id).await?;
            let changes = Changes::read(patch.clone(), &current)?;
            self.check_strength(&changes.password)?;
            check_changes(&self.db, &current, &changes).await?;
            if let Some(password) = changes.password.secret() {
                hash = Some(self.hasher.hash(password.clone()).await?);
            }
        }
        transaction!(self.db, |tx| {
            let current = locked(tx, id).await?;
            let changes = Changes::read(patch.clone(), &current)?;
            check_changes(&mut *tx, &current, &changes).await?;
            let federated = self
                .change_user(tx, &current, changes, hash.as_deref())
                .await?;
            let stored = row(tx, &current.id).await?;
            let user = stored.into_user(&self.settings, self.clock.now().date());
            Ok(User { federated, ..user })
        })
        .await
    }

    /// Lets everybody count as active today of whom it is not known when they were last, as those who were created while
    /// `[security_compliance] disable_user_account_days_inactive` was not set; returns their number.
    pub async fn reset_last_active(&self, progress: impl Fn(u64) + Send) -> Result<u64> {
        let mut done = 0;
        loop {
            let users = sql("SELECT id FROM user WHERE last_active_at IS NULL ORDER BY id LIMIT ?");
            let users = users.bind(BATCH).fetch_texts(&self.db).await?;
            if users.is_empty() {
                return Ok(done);
            }
            done += sql(
                "UPDATE user SET last_active_at = ? WHERE last_active_at IS NULL AND id IN (?)",
            )
            .bind(self.clock.now().date())
            .bind_all(users)
            .execute(&self.db)
            .await?;
            progress(done);
        }
    }

    /// Ends every token of a user.
    pub async fn revoke_tokens(&self, id: &str) -> Result<()> {
        if let EntityBackend::Directory(entry) = self.entity_backend(Entity::User, id).await? {
            let id = entry.user().await?.subject.user.id;
            let now = self.clock.now();
            return transaction!(self.db, |tx| revoke(tx, RevocationEvent::user(&id), now)
                .await)
            .await;
        }
        transaction!(self.db, |tx| {
            let event = RevocationEvent::user(&shared_lock::user(tx, id).await?);
            revoke(tx, event, self.clock.now()).await
        })
        .await
    }

    /// Deletes a user and all that refers to it; returns what else of that is announced.
    pub async fn delete_user(&self, id: &str) -> Result<Vec<Deleted>> {
        self.check_user_writable(id, None).await?;
        transaction!(self.db, |tx| {
            let ids = [locked(tx, id).await?.id];
            let deleted = self.deleted_with_users(tx, &ids).await?;
            self.remove_users(tx, &ids).await?;
            Ok(deleted)
        })
        .await
    }

    /// Fails with 403 for a user of a directory, after the checks that Keystone makes first.
    pub(crate) async fn check_user_writable(
        &self,
        id: &str,
        patch: Option<&Map<String, Value>>,
    ) -> Result<()> {
        let user = match self.entity_backend(Entity::User, id).await? {
            EntityBackend::Database => return Ok(()),
            EntityBackend::Directory(entry) => entry.user().await?.subject.user,
            EntityBackend::Nowhere => return Err(missing(id)),
        };
        let given = |name| patch.and_then(|patch| patch.get(name));
        if given("domain_id").is_some_and(|domain| *domain != user.domain_id) {
            return Err(Error::Validation("Cannot change Domain ID".to_owned()));
        }
        if given("id").is_some_and(|given| *given != user.id) {
            return Err(Error::Validation("Cannot change user ID".to_owned()));
        }
        Err(read_only())
    }

    /// Stores the changes; returns the accounts at identity providers.
    async fn change_user(
        &self,
        tx: &mut Tx,
        current: &UserRow,
        changes: Changes,
        hash: Option<&str>,
    ) -> Result<Vec<FederatedAccount>> {
        let id = &current.id;
        let mut user = current
            .clone()
            .into_user(&self.settings, self.clock.now().date());
        let was_enabled = user.enabled;
        user.name = changes.name.clone().or(user.name);
        user.enabled = changes.enabled.unwrap_or(user.enabled);
        if let Some(project) = &changes.default_project_id {
            user.default_project_id = project.as_str().map(str::to_owned);
        }
        user.extra.0.extend(changes.extra.clone());
        user.options.apply(&changes.options);
        self.update_row(tx, current, &user).await?;
        let rows = self.rename(tx, current, &user, &changes).await?;
        store_options(tx, Table::User, id, &changes.options).await?;
        if changes.password.is_given() {
            let (expiry, by) = (Expiry::of(&user.options), SetBy::Administrator);
            self.store_password(tx, id, hash, expiry, by).await?;
        }
        if hash.is_some() || (was_enabled && changes.enabled == Some(false)) {
            revoke(tx, RevocationEvent::user(id), self.clock.now()).await?;
        }
        Ok(if changes.federated.is_empty() {
            into_accounts(rows)
        } else {
            changes.federated
        })
    }

    /// Stores the name and the accounts at identity providers; returns the rows of the accounts before.
    async fn rename(
        &self,
        tx: &mut Tx,
        current: &UserRow,
        user: &User,
        changes: &Changes,
    ) -> Result<Vec<FederatedRow>> {
        let (id, name) = (&current.id, user.name.as_deref());
        let rows = federated_rows(&mut *tx, id).await?;
        let mut local = changes.name.as_ref().filter(|_| current.local_id.is_some());
        if !changes.federated.is_empty() {
            remove_federated(tx, id).await?;
        } else if let Some(first) = rows.first() {
            // The first account carries the name of the user.
            first.rename(tx, name).await?;
            local = None;
        }
        if let Some(name) = local {
            rename(tx, id, name).await?;
        }
        store_federated(tx, id, name, &changes.federated).await?;
        Ok(rows)
    }

    /// As in `keystone/identity/backends/sql_model.py`, any change of an enabled user resets failed attempts and inactivity,
    /// and any change of a user who was inactive for too long stores that the user is disabled.
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
            reset_failed_attempts(tx, &user.id).await?;
        }
        Ok(())
    }
}

/// Checks a patch, apart from the strength of its password, before anything is stored, in Keystone's order.
async fn check_changes(
    exec: impl Into<Exec<'_>>,
    current: &UserRow,
    changes: &Changes,
) -> Result<()> {
    if changes.other_id {
        return Err(Error::Validation("Cannot change user ID".to_owned()));
    }
    let project = changes.default_project_id.as_ref().and_then(Value::as_str);
    check_references(exec, project, &changes.federated).await?;
    if changes.password.is_given() && current.local_id.is_none() {
        return Err(Error::Validation(format!(
            "User {} logs in elsewhere and can have no password here.",
            current.id
        )));
    }
    Ok(())
}

/// Checks what a user refers to: the default project and the identity providers.
async fn check_references(
    exec: impl Into<Exec<'_>>,
    default_project: Option<&str>,
    federated: &[FederatedAccount],
) -> Result<()> {
    let mut exec = exec.into();
    if let Some(id) = default_project {
        check_length("default_project_id", id, 64)?;
        match project::one(exec.reborrow(), id).await {
            Ok(project) if project.is_domain => {
                return Err(Error::Validation(
                    "User's default project ID cannot be a domain ID: ".to_owned() + id,
                ));
            }
            // Keystone accepts a project that does not exist.
            Ok(_) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    check_federated(exec, federated).await
}

/// The changes of a `PATCH`.
struct Changes {
    name: Option<String>,
    enabled: Option<bool>,
    /// A string, or null to clear it.
    default_project_id: Option<Value>,
    password: NewPassword,
    /// The new accounts at identity providers; empty to keep the current ones.
    federated: Vec<FederatedAccount>,
    options: Map<String, Value>,
    extra: Map<String, Value>,
    /// Whether the patch has the id of another user.
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
        let name = patch.shift_remove("name").and_then(text);
        if let Some(name) = &name {
            check_name(name, 255)?;
        }
        Ok(Self {
            name: name.map(|name| name.trim().to_owned()),
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
            options: take_changes(&mut patch),
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
    // Keystone does not name the domain here.
    let taken = || Error::conflict::<User>(format!("Duplicate entry found with name {name}"));
    sql("UPDATE local_user SET name = ? WHERE user_id = ?")
        .bind(name)
        .bind(id)
        .execute(tx)
        .await
        .or_conflict(taken)?;
    Ok(())
}
