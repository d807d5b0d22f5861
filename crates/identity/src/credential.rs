//! Credentials as stored: secrets of users for other ways to authenticate, such as EC2 keys.
//!
//! The secret itself, the blob, comes and goes sealed: this crate sees no keys.

use std::fmt;

use keystone_storage::{Column, OrConflict, select, sql, transaction};
use keystone_types::{Error, Extra, Listing, Page, Resource, Result, check_length, new_id};
use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::user_limit::UserLimit;

/// A credential without its blob: what a policy rule may know of it.
#[derive(Clone, Debug, Serialize, Deserialize, sqlx::FromRow)]
pub struct Credential {
    /// The attributes without a column.
    #[serde(flatten)]
    #[sqlx(try_from = "Option<String>")]
    pub extra: Extra,
    /// Random, but for EC2: the SHA-256 of the access key.
    #[serde(default = "new_id")]
    pub id: String,
    /// The owner; the user need not exist.
    pub user_id: String,
    /// Where it holds, for EC2.
    #[serde(default)]
    pub project_id: Option<String>,
    /// `ec2`, `totp`, `cert` …
    #[serde(rename = "type")]
    #[sqlx(rename = "type")]
    pub credential_type: String,
}

impl Resource for Credential {
    const MEMBER: &'static str = "credential";
    const COLLECTION: &'static str = "credentials";

    fn id(&self) -> &str {
        &self.id
    }
}

impl Credential {
    /// A credential to be created: of this owner and of the type `totp`, `cert` … One of EC2 has its id from its access key.
    pub fn new(user_id: impl Into<String>, credential_type: impl Into<String>) -> Self {
        Self {
            extra: Extra::default(),
            id: new_id(),
            user_id: user_id.into(),
            project_id: None,
            credential_type: credential_type.into(),
        }
    }

    /// Whether it is one of EC2, however that is spelt.
    pub fn is_ec2(&self) -> bool {
        self.credential_type.eq_ignore_ascii_case("ec2")
    }
}

/// A blob as stored.
#[derive(Clone, sqlx::FromRow)]
pub struct SealedBlob {
    /// The ciphertext.
    pub encrypted_blob: String,
    /// Tells the key.
    pub key_hash: String,
}

impl fmt::Debug for SealedBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedBlob")
            .field("key_hash", &self.key_hash)
            .finish_non_exhaustive()
    }
}

/// A credential as stored.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SealedCredential {
    /// All but the secret.
    #[sqlx(flatten)]
    pub credential: Credential,
    /// The secret.
    #[sqlx(flatten)]
    pub blob: SealedBlob,
}

const CREDENTIALS: &str = "SELECT id, user_id, project_id, type, extra FROM credential";

const SEALED: &str =
    "SELECT id, user_id, project_id, type, extra, encrypted_blob, key_hash FROM credential";

const COLUMNS: [Column; 2] = [
    Column::text("user_id", "user_id", 64),
    Column::text("type", "type", 255),
];

impl Identity {
    /// The credentials; filters: `user_id`, `type`.
    pub async fn sealed_credentials(&self, listing: &Listing) -> Result<Page<SealedCredential>> {
        let query = select(SEALED).narrow(listing, &COLUMNS);
        let query = query.page(listing, "id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// One credential, without its blob.
    pub async fn credential(&self, id: &str) -> Result<Credential> {
        let query = select(CREDENTIALS).filter("id = ?", Some(id)).then("");
        query.fetch_resource(&self.db, id).await
    }

    /// One credential.
    pub async fn sealed_credential(&self, id: &str) -> Result<SealedCredential> {
        let query = select(SEALED).filter("id = ?", Some(id)).then("");
        query.fetch_or(&self.db, || missing(id)).await
    }

    /// The credentials of a user that are of a type.
    pub async fn sealed_credentials_of(
        &self,
        user_id: &str,
        credential_type: &str,
    ) -> Result<Vec<SealedCredential>> {
        let query = select(SEALED)
            .filter("user_id = ?", Some(user_id))
            .filter("type = ?", Some(credential_type));
        Ok(query.then(" ORDER BY id").fetch_all(&self.db).await?)
    }

    /// Stores a credential, unless its user has as many as `[credential] user_limit` allows.
    pub async fn create_credential(
        &self,
        credential: &Credential,
        blob: &SealedBlob,
    ) -> Result<()> {
        check_length("user_id", &credential.user_id, 64)?;
        check_length(
            "project_id",
            credential.project_id.as_deref().unwrap_or_default(),
            64,
        )?;
        check_length("type", &credential.credential_type, 255)?;
        transaction!(self.db, |tx| {
            let limit = UserLimit {
                most: self.settings.credential_user_limit,
                what: "credentials",
                count: "SELECT COUNT(*) FROM credential WHERE user_id = ?",
            };
            limit.check(tx, &credential.user_id).await?;
            sql("INSERT INTO credential (id, user_id, project_id, type, extra, encrypted_blob, key_hash) \
                 VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(&credential.id)
            .bind(&credential.user_id)
            .bind(&credential.project_id)
            .bind(&credential.credential_type)
            .bind(&credential.extra)
            .bind(&blob.encrypted_blob)
            .bind(&blob.key_hash)
            .execute(tx)
            .await
            .or_conflict(|| {
                let id = &credential.id;
                Error::conflict::<Credential>(format!("Duplicate entry found with ID {id}"))
            })?;
            Ok(())
        })
            .await
    }

    /// Replaces the blob of a credential.
    pub async fn update_credential(&self, id: &str, blob: &SealedBlob) -> Result<()> {
        let query = sql("UPDATE credential SET encrypted_blob = ?, key_hash = ? WHERE id = ?")
            .bind(&blob.encrypted_blob)
            .bind(&blob.key_hash)
            .bind(id);
        query.execute_or(&self.db, || missing(id)).await
    }

    /// Deletes a credential.
    pub async fn delete_credential(&self, id: &str) -> Result<()> {
        let query = sql("DELETE FROM credential WHERE id = ?").bind(id);
        query.execute_or(&self.db, || missing(id)).await
    }

    /// The number of credentials that are sealed with another key than those with these hashes.
    pub async fn credentials_under_other_keys(
        &self,
        key_hashes: impl IntoIterator<Item = String>,
    ) -> Result<i64> {
        let others = sql("SELECT COUNT(*) FROM credential WHERE key_hash NOT IN (?)");
        let (others,): (i64,) = others.bind_all(key_hashes).fetch_one(&self.db).await?;
        Ok(others)
    }

    /// The ids and ciphertexts of the credentials that are sealed with another key than the one with this hash.
    pub async fn blobs_under_other_keys(&self, key_hash: &str) -> Result<Vec<(String, String)>> {
        let query = "SELECT id, encrypted_blob FROM credential WHERE key_hash <> ? ORDER BY id";
        Ok(sql(query).bind(key_hash).fetch_all(&self.db).await?)
    }

    /// Replaces a ciphertext by `blob`, unless another one was stored meanwhile.
    pub async fn reseal_credential(&self, id: &str, before: &str, blob: &SealedBlob) -> Result<()> {
        sql("UPDATE credential SET encrypted_blob = ?, key_hash = ? WHERE id = ? AND encrypted_blob = ?")
            .bind(&blob.encrypted_blob)
            .bind(&blob.key_hash)
            .bind(id)
            .bind(before)
            .execute(&self.db)
            .await?;
        Ok(())
    }
}

fn missing(id: &str) -> Error {
    Error::not_found::<Credential>(id)
}
