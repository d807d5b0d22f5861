//! `credential_rotate` and `credential_migrate`: the keys of credentials.

use std::sync::Arc;

use keystone::auth::Credentials;
use keystone::identity::Identity;
use keystone::storage::schema;
use keystone::token::KeyRing;
use keystone::types::Clock;

use super::key_sets::check_rotation;
use super::keys::{Repository, RotateArguments, is_usable};
use crate::configuration::Configuration;
use crate::error::{CommandError, Result};
use crate::terminal::ProgressLine;
use crate::{readiness, serve};

/// Rotates only if every credential is encrypted with the primary key, so that no credential needs the dropped key.
pub(super) async fn rotate(
    arguments: &RotateArguments,
    configuration: &Configuration,
) -> Result<()> {
    let owner = arguments.owner.owner()?;
    let repository = &configuration.settings.keys.credentials;
    if !arguments.nodes.is_empty() {
        let wanted = [(Repository::Credentials, repository)];
        check_rotation(&arguments.nodes, configuration, &wanted)?;
    }
    if !is_usable(Repository::Credentials, repository) {
        return Ok(());
    }
    if !open(configuration).await?.are_migrated().await? {
        // Keystone's text (`keystone.cmd.cli`).
        return Err(CommandError::new(
            "Unable to rotate credential keys because not all credentials are encrypted with the \
             primary key. Please make sure all credentials have been encrypted with the primary \
             key using `keystone-manage credential_migrate`.",
        ));
    }
    repository.rotate(owner)?;
    Ok(())
}

/// Encrypts with the primary key what is encrypted with another one.
pub(super) async fn migrate(configuration: &Configuration) -> Result<()> {
    is_usable(
        Repository::Credentials,
        &configuration.settings.keys.credentials,
    );
    let credentials = open(configuration).await?;
    let progress = ProgressLine::new();
    let done =
        credentials.migrate(|done, all| progress.show(&format!("{done} of {all} credentials")));
    let done = done.await?;
    tracing::info!(credentials = done, "encrypted with the primary key");
    Ok(())
}

async fn open(configuration: &Configuration) -> Result<Credentials> {
    let settings = &configuration.settings;
    let db = serve::connect(&settings.database).await?;
    readiness::check_schema(&schema::state(&db).await?)?;
    let identity = Identity::new(db, Clock::system(), settings.identity.clone(), [])?;
    let keys = KeyRing::new(settings.keys.credentials.clone());
    Ok(Credentials::new(identity, Arc::new(keys)))
}
