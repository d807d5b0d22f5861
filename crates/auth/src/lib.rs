//! From credentials to a scope to a token, and back.

mod credential;
mod ec2;
mod login;
mod mfa;
mod request;
mod revocation;
mod settings;
mod shared;
mod token;
mod validate;

use std::sync::Arc;

use keystone_catalog::Catalog;
use keystone_identity::Identity;
use keystone_storage::Db;
use keystone_token::{Fernet, KeyRing, Receipts};
use keystone_types::Clock;
use serde_json::Value;

pub use credential::{Credentials, OpenCredential};
pub use settings::Settings;
pub use token::{AuthToken, Authority, Scope};
pub use validate::TokenError;

use shared::Shared;

/// Issues, validates and revokes tokens; clones share all.
#[derive(Clone, Debug)]
pub struct Auth(Arc<Inner>);

/// What authentication works with.
#[derive(Debug)]
pub struct Inner {
    db: Db,
    clock: Clock,
    identity: Identity,
    catalog: Catalog,
    settings: Settings,
    tokens: Fernet,
    receipts: Receipts,
    credentials: Credentials,
    shared_tokens: Shared<Arc<AuthToken>>,
    shared_catalogs: Shared<Arc<Value>>,
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
        let credentials = Credentials::new(identity.clone(), keys.credentials);
        let shared_tokens = Shared::new();
        let shared_catalogs = Shared::new();
        Self(Arc::new(Inner {
            db,
            clock,
            identity,
            catalog,
            settings,
            tokens,
            receipts,
            credentials,
            shared_tokens,
            shared_catalogs,
        }))
    }

    /// What the operator decided.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Stored credentials, with their secrets.
    pub fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }
}

impl std::ops::Deref for Auth {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
