//! `credential_rotate` and `credential_migrate`: keys and the credentials that they encrypt.

use std::sync::Arc;

use keystone::storage::{Db, schema, sql};
use keystone::token::{Credentials, KeyRing};

use super::keys::{Repository, is_usable};
use super::owner::OwnerArguments;
use crate::configuration::Configuration;
use crate::failure::{Failure, Result};
use crate::terminal::ProgressLine;
use crate::{readiness, serve};

/// Rotates only when every credential is under the primary key: the key that goes opens nothing then.
pub(super) async fn rotate(owner: &OwnerArguments, configuration: &Configuration) -> Result<()> {
    let owner = owner.owner()?;
    let repository = &configuration.settings.keys.credentials;
    if !is_usable(Repository::Credentials, repository) {
        return Ok(());
    }
    let (db, credentials) = open(configuration).await?;
    let primary = credentials.primary_key_hash()?;
    let others = sql("SELECT COUNT(*) FROM credential WHERE key_hash <> ?")
        .bind(&primary)
        .fetch_one::<(i64,)>(&db)
        .await?;
    if others.0 > 0 {
        // The reference's words.
        return Err(Failure::new(
            "Unable to rotate credential keys because not all credentials are encrypted with the \
             primary key. Please make sure all credentials have been encrypted with the primary \
             key using `keystone-manage credential_migrate`.",
        ));
    }
    repository.rotate(owner)?;
    Ok(())
}

/// Encrypts with the primary key what is under another one.
pub(super) async fn migrate(configuration: &Configuration) -> Result<()> {
    is_usable(
        Repository::Credentials,
        &configuration.settings.keys.credentials,
    );
    let (db, credentials) = open(configuration).await?;
    let primary = credentials.primary_key_hash()?;
    let rows = sql("SELECT id, encrypted_blob FROM credential WHERE key_hash <> ? ORDER BY id")
        .bind(&primary)
        .fetch_all::<(String, String)>(&db)
        .await?;
    let progress = ProgressLine::new();
    for (done, (id, blob)) in rows.iter().enumerate() {
        progress.show(&format!("{done} of {} credentials", rows.len()));
        let plain = credentials.decrypt(blob).map_err(|error| {
            Failure::new(format!("credential {id} can't be decrypted: {error}"))
        })?;
        let new = credentials.encrypt(&plain)?;
        // A server may have replaced it meanwhile, which must stay.
        sql("UPDATE credential SET encrypted_blob = ?, key_hash = ? WHERE id = ? AND encrypted_blob = ?")
            .bind(&new.blob)
            .bind(&new.key_hash)
            .bind(id)
            .bind(blob)
            .execute(&db)
            .await?;
    }
    tracing::info!(credentials = rows.len(), "encrypted with the primary key");
    Ok(())
}

async fn open(configuration: &Configuration) -> Result<(Db, Credentials)> {
    let db = serve::connect(&configuration.settings.database).await?;
    readiness::check_schema(&schema::state(&db).await?)?;
    let repository = configuration.settings.keys.credentials.clone();
    Ok((db, Credentials::new(Arc::new(KeyRing::new(repository)))))
}
