//! The authentication service and the parts that it uses.

use std::sync::Arc;

use keystone_catalog::Catalog;
use keystone_identity::Identity;
use keystone_storage::Db;
use keystone_token::{Fernet, KeyRing, Receipts};
use keystone_types::Clock;
use serde_json::Value;

use crate::credential::Credentials;
use crate::settings::Settings;
use crate::single_flight::SingleFlight;
use crate::token::AuthToken;

/// Issues, validates and revokes tokens; clones share all.
#[derive(Clone, Debug)]
pub struct Auth {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) identity: Identity,
    pub(crate) catalog: Catalog,
    pub(crate) settings: Arc<Settings>,
    pub(crate) tokens: Arc<Fernet>,
    pub(crate) receipts: Arc<Receipts>,
    pub(crate) token_lookups: SingleFlight<Arc<AuthToken>>,
    pub(crate) catalog_lookups: SingleFlight<Arc<Value>>,
    credentials: Credentials,
}

/// The keys that tokens, receipts and credentials are sealed with.
#[derive(Clone, Debug)]
pub struct Keys {
    /// `[fernet_tokens] key_repository`
    pub tokens: Arc<KeyRing>,
    /// `[fernet_receipts] key_repository`
    pub receipts: Arc<KeyRing>,
    /// `[credential] key_repository`
    pub credentials: Arc<KeyRing>,
}

impl Auth {
    /// Authentication over these parts.
    pub fn new(
        db: Db,
        clock: Clock,
        identity: Identity,
        catalog: Catalog,
        keys: Keys,
        settings: Settings,
    ) -> Self {
        let tokens = Fernet::new(
            keys.tokens,
            settings.methods.clone(),
            settings.default_domain_id.clone(),
        );
        let receipts = Receipts::new(keys.receipts, settings.methods.clone());
        Self {
            db,
            clock,
            credentials: Credentials::new(identity.clone(), keys.credentials),
            identity,
            catalog,
            settings: settings.into(),
            tokens: tokens.into(),
            receipts: receipts.into(),
            token_lookups: SingleFlight::new(),
            catalog_lookups: SingleFlight::new(),
        }
    }

    /// The operator's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Stored credentials, with their secrets.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }
}
