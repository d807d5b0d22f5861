//! How a [`Keystone`] is put together.

use std::sync::Arc;

use keystone_api::Live;
use keystone_auth::{Keys as Rings, TokenKeys};
use keystone_cache::Changes;
use keystone_policy::{Enforcer, LoadError, Registry};
use keystone_storage::schema::{Phase, SchemaState, changes, state, sync};
use keystone_storage::{DatabaseUrl, Db};
use keystone_token::{Jws, KeyRepository, KeyRing, KeySet};
use keystone_types::Clock;

use crate::{Keystone, Provider, Settings, services};

/// A Keystone in the making: settings first, then what is given apart from them.
#[derive(Debug, Default)]
pub struct Builder {
    settings: Settings,
    db: Option<Db>,
    clock: Clock,
    keys: Option<KeySet>,
    credential_keys: Option<KeySet>,
}

/// Why there is no Keystone.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The database can't be opened or asked.
    #[error(transparent)]
    Storage(#[from] keystone_storage::Error),
    /// The schema is not one that this release works with; says what to run.
    #[error("{0}")]
    Schema(SchemaState),
    /// The policy file is wrong.
    #[error(transparent)]
    Policy(#[from] LoadError),
    /// No random bytes for keys.
    #[error(transparent)]
    Keys(#[from] keystone_token::Error),
    /// A setting that can't be used.
    #[error(transparent)]
    Settings(#[from] keystone_types::Error),
}

impl Builder {
    /// Replaces all settings.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the database by URL; `sqlite://` is one in memory.
    #[must_use]
    pub fn database(mut self, url: impl Into<String>) -> Self {
        self.settings.database.url = url.into();
        self
    }

    /// Uses a database that is open already.
    #[must_use]
    pub fn db(mut self, db: Db) -> Self {
        self.db = Some(db);
        self
    }

    /// Takes the time from this clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Seals Fernet tokens and receipts with these keys instead of those in a repository.
    #[must_use]
    pub fn keys(mut self, keys: KeySet) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Encrypts stored credentials with these keys instead of those in a repository.
    #[must_use]
    pub fn credential_keys(mut self, keys: KeySet) -> Self {
        self.credential_keys = Some(keys);
        self
    }

    /// Opens the database and puts the services together. An empty database in memory gets its
    /// tables, and keys of its own unless some were given; any other must be at a revision that
    /// this release knows.
    pub async fn build(self) -> Result<Keystone, BuildError> {
        let Self {
            settings,
            db,
            clock,
            keys,
            credential_keys,
        } = self;
        let url = DatabaseUrl::parse(&settings.database.url)?;
        let in_memory = db.is_none() && url.is_memory();
        let db = match db {
            Some(db) => db,
            None => Db::connect(&url, &settings.database.pool).await?,
        };
        if in_memory {
            sync(&db, Phase::All, |_| {}).await?;
            changes::install(&db).await?;
        }
        let state = state(&db).await?;
        if !state.is_usable() {
            return Err(BuildError::Schema(state));
        }
        let or_new = |keys: Option<KeySet>| match keys {
            None if in_memory => KeySet::generate().map(Some),
            keys => Ok(keys),
        };
        let keys = rings(&settings, or_new(keys)?, or_new(credential_keys)?);
        let created_here = db.created_here().await?;
        let changes = Changes::of(&db, settings.cache);
        let app = services(
            &db,
            &changes,
            &clock,
            &keys,
            created_here,
            settings,
            |policy| Enforcer::with_defaults(Registry::keystone(), policy),
        )?;
        app.identity.check_tree().await?;
        Ok(Keystone {
            db,
            changes,
            clock,
            keys,
            created_here,
            live: Live::new(app),
        })
    }
}

fn rings(settings: &Settings, tokens: Option<KeySet>, credentials: Option<KeySet>) -> Rings {
    let repositories = &settings.keys;
    let follow = |repository: &KeyRepository| Arc::new(KeyRing::new(repository.clone()));
    let credentials = match credentials {
        Some(keys) => Arc::new(KeyRing::fixed(keys)),
        None => follow(&repositories.credentials),
    };
    let fixed = tokens.map(|keys| Arc::new(KeyRing::fixed(keys)));
    let given_or = |repository: &KeyRepository| fixed.clone().unwrap_or_else(|| follow(repository));
    let tokens = match repositories.provider {
        Provider::Fernet => TokenKeys::Fernet(given_or(&repositories.tokens)),
        Provider::Jws => TokenKeys::Jws(Arc::new(Jws::new(&repositories.jws))),
    };
    let receipts = given_or(&repositories.receipts);
    Rings {
        tokens,
        receipts,
        credentials,
    }
}
