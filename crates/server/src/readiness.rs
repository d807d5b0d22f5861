//! Checks the prerequisites of a server, and names the commands to run.

use keystone::storage::schema::SchemaState;
use keystone::token::JwsKeys;
use keystone::types::Error;
use keystone::{Keystone, Provider};

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
    let mut repositories = Vec::new();
    match keys.provider {
        Provider::Fernet => repositories.push((&keys.tokens, "fernet_setup")),
        Provider::Jws => warn_about_pair(&keys.jws),
    }
    if keys.provider == Provider::Jws || keys.receipts.path() != keys.tokens.path() {
        repositories.push((&keys.receipts, "receipt_setup"));
    }
    for (repository, command) in repositories {
        if let Err(error) = repository.load() {
            tracing::warn!("{error}: {}", key_advice(&error, command));
        }
    }
    if let Err(error) = keys.credentials.load() {
        let advice = key_advice(&error, "credential_setup");
        if let keystone::token::Error::NoKeys { .. } = error {
            tracing::info!("{error}: before credentials are stored, {advice}");
        } else {
            tracing::warn!("{error}: {advice}");
        }
    }
    // It logs whether there will be answers from memory.
    if let Err(error) = keystone.auth().pass().await {
        tracing::warn!("the change log can't be read: {error}");
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

/// What to do about keys that can't be used; `command` makes them where there are none.
pub(crate) fn key_advice(error: &keystone::token::Error, command: &str) -> String {
    if let keystone::token::Error::NoKeys { .. } = error {
        format!(
            "run `keystone-manage {command}`, or copy the directory from another node: all nodes need the same keys"
        )
    } else {
        "let the user who runs the server read the directory and the keys in it, or copy it from another node"
            .to_owned()
    }
}

fn warn_about_pair(keys: &JwsKeys) {
    if let Err(error) = keys.check() {
        tracing::warn!(
            "{error}: run `keystone-manage create_jws_keypair`, and move private.pem to {} and public.pem to {}",
            keys.private.display(),
            keys.public.display()
        );
    }
}
