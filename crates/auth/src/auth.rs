//! The authentication service and the parts that it uses.

use std::sync::Arc;
use std::time::Duration;

use keystone_cache::{CacheState, Changes};
use keystone_catalog::Catalog;
use keystone_federation::Federation;
use keystone_identity::{Identity, SingleFlight};
use keystone_storage::Db;
use keystone_token::{Fernet, Jws, KeyRing, Receipts, Return, Seal, StateCookies, Tokens};
use keystone_types::{Clock, Result};

use crate::credential::Credentials;
use crate::outcomes::{Outcome, Outcomes};
use crate::remembered::{KnownCatalog, Remembered};
use crate::settings::Settings;
use crate::verified_secrets::VerifiedSecrets;

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
    pub(crate) catalog_lookups: SingleFlight<Arc<KnownCatalog>>,
    pub(crate) changes: Changes,
    pub(crate) remembered: Remembered,
    pub(crate) verified_secrets: Arc<VerifiedSecrets>,
    pub(crate) outcomes: Arc<Outcomes>,
    credentials: Credentials,
    logins: Arc<KeyRing>,
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
    /// Authentication over these parts; `changes` are those of the database. It fails without random bytes.
    pub fn new(
        changes: Changes,
        db: Db,
        clock: Clock,
        identity: Identity,
        catalog: Catalog,
        keys: Keys,
        settings: Settings,
    ) -> Result<Self> {
        let logins = match &keys.tokens {
            TokenKeys::Fernet(keys) => Arc::clone(keys),
            TokenKeys::Jws(_) => Arc::clone(&keys.receipts),
        };
        let tokens = match keys.tokens {
            TokenKeys::Fernet(keys) => Tokens::Fernet(Fernet::new(
                keys,
                settings.methods.clone(),
                settings.default_domain_id.clone(),
            )),
            TokenKeys::Jws(jws) => Tokens::Jws(jws),
        };
        let receipts = Receipts::new(keys.receipts, settings.methods.clone());
        Ok(Self {
            federation: Federation::new(db.clone(), identity.clone()),
            db,
            clock,
            credentials: Credentials::new(identity.clone(), keys.credentials),
            identity,
            catalog,
            settings: settings.into(),
            tokens,
            receipts: receipts.into(),
            catalog_lookups: SingleFlight::default(),
            remembered: Remembered::new(&changes),
            changes,
            verified_secrets: VerifiedSecrets::new()?.into(),
            outcomes: Arc::default(),
            logins,
        })
    }

    /// How logins ended so far: method, outcome and number.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, Outcome, u64)> {
        self.outcomes.counts()
    }

    /// The caches of validations, by name.
    pub fn caches(&self) -> [(&'static str, CacheState); 6] {
        self.remembered.states()
    }

    /// The operator's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Identity providers, mappings and service providers.
    pub fn federation(&self) -> &Federation {
        &self.federation
    }

    /// The cookies that keep logins of one kind while their browsers are at an identity provider: see [`StateCookies::new`].
    /// They are sealed under keys that follow from those of fernet tokens or, where tokens are signed, of receipts.
    pub fn login_cookies(&self, flow: &str, https: bool, comes_back: Return) -> StateCookies {
        StateCookies::new(Arc::clone(&self.logins), flow, https, comes_back)
    }

    /// A seal for the state of logins that a client brings back by itself, under the same keys: see [`Seal::new`].
    pub fn login_seal(&self, purpose: &str, good_for: Duration) -> Seal {
        Seal::new(Arc::clone(&self.logins), purpose, good_for)
    }

    /// The time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Stored credentials, with their secrets.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }
}
