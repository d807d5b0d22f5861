//! Creating, changing and deleting users.

use keystone_storage::{OrConflict, Tx, sql};
use keystone_types::{Error, Extra, Result, Secret, check_length, new_id};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::options::{Options, Table, store};
use crate::stored_password::{Expiry, SetBy};
use crate::user::User;
use crate::{Identity, RevocationEvent, revoke};

/// What a new user is made from.
#[derive(Clone, Debug, Deserialize)]
pub struct NewUser {
    /// Unique in its domain.
    pub name: String,
    /// The owning domain.
    pub domain_id: String,
    /// None for one who can't log in with a password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// Whether it can log in.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// Where a token is scoped to when nothing is asked for.
    #[serde(default)]
    pub default_project_id: Option<String>,
    /// What is decided for this user alone.
    #[serde(default)]
    pub options: Options,
    /// What no column holds.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a `PATCH` changes.
struct Changes {
    name: Option<String>,
    enabled: Option<bool>,
    /// A string, or null to clear it.
    default_project_id: Option<Value>,
    password: NewPassword,
    options: Map<String, Value>,
    extra: Map<String, Value>,
}

/// What a `PATCH` makes of the password.
enum NewPassword {
    Unchanged,
    /// `null`: there is none from now on.
    Removed,
    Set(Secret),
}

impl Changes {
    fn read(mut patch: Map<String, Value>, domain_id: &str) -> Result<Self> {
        if patch
            .shift_remove("domain_id")
            .is_some_and(|domain| domain != domain_id)
        {
            return Err(Error::Validation("Cannot change Domain ID".to_owned()));
        }
        for derived in DERIVED {
            patch.shift_remove(derived);
        }
        let text = |value: Value| value.as_str().map(str::to_owned);
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
                Some(_) => NewPassword::Removed,
                None => NewPassword::Unchanged,
            },
            options: match patch.shift_remove("options") {
                Some(Value::Object(options)) => options,
                _ => Map::new(),
            },
            extra: patch,
        })
    }
}

/// Attributes that follow from others and are never stored as they come.
const DERIVED: [&str; 5] = ["id", "password_expires_at", "links", "federated", "extra"];

impl Identity {
    /// Creates a local user.
    pub async fn create_user(&self, user: NewUser) -> Result<User> {
        self.create_user_with_id(&new_id(), user).await
    }

    pub(crate) async fn create_user_with_id(&self, id: &str, mut user: NewUser) -> Result<User> {
        user.name = user.name.trim().to_owned();
        for derived in DERIVED {
            user.extra.0.shift_remove(derived);
        }
        self.domain(&user.domain_id).await?;
        self.check_default_project(user.default_project_id.as_deref())
            .await?;
        let hash = self.hash(user.password.clone()).await?;
        let now = self.clock.now();
        let enabled = user.enabled.unwrap_or(true);
        let watched = enabled
            && self
                .settings
                .compliance
                .disable_after_days_inactive
                .is_some();
        let mut tx = self.db.begin().await?;
        sql("INSERT INTO user (id, extra, enabled, default_project_id, created_at, last_active_at, domain_id) \
             VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(id)
        .bind(&user.extra)
        .bind(enabled)
        .bind(&user.default_project_id)
        .bind(now)
        .bind(watched.then_some(now.date()))
        .bind(&user.domain_id)
        .execute(&mut tx)
        .await?;
        sql("INSERT INTO local_user (user_id, domain_id, name, failed_auth_count) VALUES (?, ?, ?, 0)")
            .bind(id)
            .bind(&user.domain_id)
            .bind(&user.name)
            .execute(&mut tx)
            .await
            .or_conflict(|| name_taken(&user.name, &user.domain_id))?;
        store(&mut tx, Table::User, id, &user.options.0).await?;
        if let Some(hash) = hash {
            self.store_password(
                &mut tx,
                id,
                Some(&hash),
                Expiry::of(&user.options),
                SetBy::Administrator,
            )
            .await?;
        }
        tx.commit().await?;
        self.user(id).await
    }

    /// Changes a user; a new password or disabling ends the user's tokens.
    pub async fn update_user(&self, id: &str, patch: Map<String, Value>) -> Result<User> {
        let row = self.user_row(id).await?;
        let (was_enabled, local_id) = (row.enabled, row.local_id);
        let mut user = row.into_user(&self.settings, self.clock.now().date());
        let changes = Changes::read(patch, &user.domain_id)?;
        if let Some(project) = changes.default_project_id {
            self.check_default_project(project.as_str()).await?;
            user.default_project_id = project.as_str().map(str::to_owned);
        }
        user.extra.0.extend(changes.extra);
        user.options.apply(&changes.options);
        let (replaced, hash) = match changes.password {
            NewPassword::Unchanged => (false, None),
            NewPassword::Removed => (true, None),
            NewPassword::Set(password) => (true, self.hash(Some(password)).await?),
        };

        let mut tx = self.db.begin().await?;
        sql("UPDATE user SET extra = ?, enabled = ?, default_project_id = ? WHERE id = ?")
            .bind(&user.extra)
            .bind(changes.enabled.or(was_enabled))
            .bind(&user.default_project_id)
            .bind(id)
            .execute(&mut tx)
            .await?;
        if changes.enabled == Some(true) {
            self.restore(&mut tx, id).await?;
        }
        if let Some(name) = changes.name {
            rename(&mut tx, id, local_id, &name).await?;
        }
        store(&mut tx, Table::User, id, &changes.options).await?;
        if replaced {
            self.store_password(
                &mut tx,
                id,
                hash.as_deref(),
                Expiry::of(&user.options),
                SetBy::Administrator,
            )
            .await?;
        }
        if hash.is_some() || (changes.enabled == Some(false) && user.enabled) {
            revoke(
                &mut tx,
                &self.settings,
                RevocationEvent::user(id),
                self.clock.now(),
            )
            .await?;
        }
        tx.commit().await?;
        self.user(id).await
    }

    /// Enabling forgives failed attempts and idleness.
    async fn restore(&self, tx: &mut Tx, id: &str) -> Result<()> {
        sql("UPDATE local_user SET failed_auth_count = 0, failed_auth_at = NULL WHERE user_id = ?")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        if self
            .settings
            .compliance
            .disable_after_days_inactive
            .is_some()
        {
            let today = self.clock.now().date();
            sql("UPDATE user SET last_active_at = ? WHERE id = ?")
                .bind(today)
                .bind(id)
                .execute(tx)
                .await?;
        }
        Ok(())
    }

    /// Deletes a user and all that refers to it.
    pub async fn delete_user(&self, id: &str) -> Result<()> {
        self.user_row(id).await?;
        let mut tx = self.db.begin().await?;
        self.remove_user(&mut tx, id).await?;
        Ok(tx.commit().await?)
    }

    pub(crate) async fn remove_user(&self, tx: &mut Tx, id: &str) -> Result<()> {
        let now = self.clock.now();
        for statement in [
            "DELETE FROM user_group_membership WHERE user_id = ?",
            "DELETE FROM expiring_user_group_membership WHERE user_id = ?",
            "DELETE FROM assignment WHERE actor_id = ? AND type IN ('UserProject', 'UserDomain')",
            "DELETE FROM system_assignment WHERE actor_id = ? AND type = 'UserSystem'",
            "DELETE FROM credential WHERE user_id = ?",
            "DELETE FROM id_mapping WHERE public_id = ?",
            "DELETE FROM application_credential_access_rule WHERE application_credential_id IN \
                 (SELECT a.internal_id FROM application_credential a WHERE a.user_id = ?)",
            "DELETE FROM application_credential_role WHERE application_credential_id IN \
                 (SELECT a.internal_id FROM application_credential a WHERE a.user_id = ?)",
            "DELETE FROM application_credential WHERE user_id = ?",
            "DELETE FROM access_rule WHERE user_id = ?",
            "DELETE FROM user_option WHERE user_id = ?",
            "DELETE FROM federated_user WHERE user_id = ?",
            "DELETE FROM nonlocal_user WHERE user_id = ?",
            "DELETE FROM password WHERE local_user_id IN (SELECT l.id FROM local_user l WHERE l.user_id = ?)",
            "DELETE FROM local_user WHERE user_id = ?",
            "DELETE FROM user WHERE id = ?",
        ] {
            sql(statement).bind(id).execute(&mut *tx).await?;
        }
        sql("UPDATE trust SET deleted_at = ? WHERE (trustor_user_id = ? OR trustee_user_id = ?) AND deleted_at IS NULL")
            .bind(now)
            .bind(id)
            .bind(id)
            .execute(&mut *tx)
            .await?;
        revoke(tx, &self.settings, RevocationEvent::user(id), now).await
    }

    pub(crate) async fn hash(&self, password: Option<Secret>) -> Result<Option<String>> {
        match password {
            Some(password) => Ok(Some(self.hasher.hash(password).await?)),
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

async fn rename(tx: &mut Tx, id: &str, local_id: Option<i64>, name: &str) -> Result<()> {
    let statement = if local_id.is_some() {
        "UPDATE local_user SET name = ? WHERE user_id = ?"
    } else {
        "UPDATE federated_user SET display_name = ? WHERE user_id = ?"
    };
    // Here the reference does not say in which domain.
    let taken = || Error::conflict::<User>(format!("Duplicate entry found with name {name}"));
    sql(statement)
        .bind(name)
        .bind(id)
        .execute(tx)
        .await
        .or_conflict(taken)?;
    Ok(())
}
