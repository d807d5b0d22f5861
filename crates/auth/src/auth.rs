//! The authentication service and the parts that it uses.

use std::sync::Arc;

use keystone_catalog::Catalog;
use keystone_federation::Federation;
use keystone_identity::Identity;
use keystone_storage::Db;
use keystone_token::{Fernet, Jws, KeyRing, Receipts, Tokens};
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
    pub(crate) federation: Federation,
    pub(crate) settings: Arc<Settings>,
    pub(crate) tokens: Tokens,
    pub(crate) receipts: Arc<Receipts>,
    pub(crate) token_lookups: SingleFlight<Arc<AuthToken>>,
    pub(crate) catalog_lookups: SingleFlight<Arc<Value>>,
    credentials: Credentials,
}

/// The keys that tokens, receipts and credentials are sealed with.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Those of `[token] provider`.
    pub tokens: TokenKeys,
    /// `[fernet_receipts] key_repository`
    pub receipts: Arc<KeyRing>,
    /// `[credential] key_repository`
    pub credentials: Arc<KeyRing>,
}

/// The keys of tokens, by provider.
#[derive(Clone, Debug)]
pub enum TokenKeys {
    /// `[fernet_tokens] key_repository`
    Fernet(Arc<KeyRing>),
    /// `[jwt_tokens]`
    Jws(Arc<Jws>),
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
        let tokens = match keys.tokens {
            TokenKeys::Fernet(keys) => Tokens::Fernet(Fernet::new(
                keys,
                settings.methods.clone(),
                settings.default_domain_id.clone(),
            )),
            TokenKeys::Jws(jws) => Tokens::Jws(jws),
        };
        let receipts = Receipts::new(keys.receipts, settings.methods.clone());
        Self {
            federation: Federation::new(db.clone()),
            db,
            clock,
            credentials: Credentials::new(identity.clone(), keys.credentials),
            identity,
            catalog,
            settings: settings.into(),
            tokens,
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
