//! Checks the prerequisites of a server, and names the commands to run.

use keystone::Keystone;
use keystone::storage::schema::SchemaState;
use keystone::types::Error;

use crate::error::{CommandError, Result};

/// Refuses a schema that is older or newer than this release.
pub(crate) fn check_schema(state: &SchemaState) -> Result<()> {
    if !state.is_usable() {
        return Err(CommandError::new(state));
    }
    if let SchemaState::Expanded(_) = state {
        tracing::warn!("{state}");
    }
    Ok(())
}

/// Logs which commands must still be run; the server starts anyway and answers as Keystone would.
pub(crate) async fn warn_about_setup(keystone: &Keystone, settings: &keystone::Settings) {
    let keys = &settings.keys;
    let mut repositories = vec![(&keys.tokens, "fernet_setup")];
    if keys.receipts.path() != keys.tokens.path() {
        repositories.push((&keys.receipts, "receipt_setup"));
    }
    for (repository, command) in repositories {
        if let Err(error) = repository.load() {
            tracing::warn!("{error}: run `keystone-manage {command}`");
        }
    }
    if let Err(keystone::token::Error::NoKeys { path }) = keys.credentials.load() {
        tracing::info!(
            "no keys at {}: run `keystone-manage credential_setup` before credentials are stored",
            path.display()
        );
    }
    let identity = keystone.identity();
    let domain = &identity.settings().default_domain_id;
    match identity.domain(domain).await {
        Ok(_) => {}
        Err(Error::NotFound { .. }) => tracing::warn!(
            "there is no domain {domain:?} in the database: run `keystone-manage bootstrap`"
        ),
        Err(error) => tracing::warn!("the default domain can't be read: {error}"),
    }
}
