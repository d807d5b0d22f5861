//! How a [`Keystone`] is put together.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use keystone_api::Live;
use keystone_auth::{Keys as Rings, TokenKeys};
use keystone_cache::Changes;
use keystone_catalog::Catalog;
use keystone_notify::Notifier;
use keystone_policy::{Enforcer, LoadError, Registry};
use keystone_storage::schema::{Phase, SchemaState, changes, state, sync};
use keystone_storage::{DatabaseUrl, Db};
use keystone_token::{Jws, KeyRepository, KeyRing, KeySet, Owner};
use keystone_types::{Clock, Listing};

use crate::{Bootstrap, Keys, Keystone, Provider, Settings, check, services};

/// A Keystone in the making: settings first, then what is given apart from them.
#[derive(Debug, Default)]
pub struct Builder {
    pub(crate) settings: Settings,
    pub(crate) db: Option<Db>,
    pub(crate) clock: Clock,
    keys: Option<KeySet>,
    credential_keys: Option<KeySet>,
    migrate: bool,
    set_up_keys: bool,
    bootstrap: Option<Bootstrap>,
    housekeeping: bool,
}

/// Why there is no Keystone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The database can't be opened or asked.
    #[error(transparent)]
    Storage(#[from] keystone_storage::Error),
    /// The schema is not one that this release works with; says what to run.
    #[error("{0}")]
    Schema(SchemaState),
    /// The policy file, or what is laid over it, is wrong.
    #[error(transparent)]
    Policy(#[from] LoadError),
    /// Keys can't be made.
    #[error(transparent)]
    Keys(#[from] keystone_token::Error),
    /// A setting that can't be used.
    #[error(transparent)]
    Settings(#[from] keystone_types::Error),
    /// An identity provider that this server can't ask.
    #[error("the identity provider {id}: {source}")]
    IdentityProvider {
        /// Its id.
        id: String,
        /// The reason.
        source: keystone_oidc::SettingsError,
    },
    /// The key or the certificate of `[saml_sp]`.
    #[error("[saml_sp]: {0}")]
    SamlKey(#[source] keystone_saml::Error),
    /// Identity providers would not know where to send responses.
    #[error(
        "[saml_sp] needs [DEFAULT] public_endpoint, which responses of identity providers have to name"
    )]
    SamlEndpoint,
    /// The database has no table for what logins by SAML and logouts by OpenID Connect leave.
    #[error(
        "the table keystone_native_message can't be read; `keystone-manage db_sync` makes it: {0}"
    )]
    MessageTable(#[source] keystone_storage::Error),
    /// The domain, the project, the administrator or the roles can't be made.
    #[error("the cloud can't be bootstrapped: {0}")]
    Bootstrap(#[source] keystone_types::Error),
}

impl Builder {
    /// Replaces all settings.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Sets the database by URL, as SQLAlchemy takes it: `sqlite://` is one in memory, which is the default,
    /// `sqlite:///relative.db` and `sqlite:////absolute.db` are files, and `mysql+pymysql://user:password@host/keystone` is
    /// a MariaDB.
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

    /// Takes the keys from repositories below a directory, `fernet-keys` and `credential-keys`, as Keystone has them in
    /// `/etc/keystone`, which is the default.
    #[must_use]
    pub fn key_directory(mut self, path: impl AsRef<Path>) -> Self {
        self.settings.keys = Keys {
            provider: self.settings.keys.provider,
            jws: self.settings.keys.jws,
            ..Keys::below(path.as_ref())
        };
        self
    }

    /// Whether key repositories that are missing or have no usable keys are set up, readable for this account only, as
    /// `keystone-manage fernet_setup`, `receipt_setup` and `credential_setup` do.
    #[must_use]
    pub fn set_up_keys(mut self, wanted: bool) -> Self {
        self.set_up_keys = wanted;
        self
    }

    /// Whether the schema is brought up to date first, as `keystone-manage db_sync` does: an empty database gets all of it.
    /// One in memory gets it anyway.
    #[must_use]
    pub fn migrate(mut self, wanted: bool) -> Self {
        self.migrate = wanted;
        self
    }

    /// Lays the rules of a policy file, JSON or YAML, over the defaults. It is read again when it changes.
    #[must_use]
    pub fn policy_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.policy.file = Some(path.into());
        self
    }

    /// Lays rules, JSON or YAML, over the defaults and the policy file.
    #[must_use]
    pub fn policy_overrides(mut self, rules: impl Into<String>) -> Self {
        self.settings.policy.overrides = Some(rules.into());
        self
    }

    /// Makes sure of what a cloud needs at least: see [`Keystone::bootstrap`].
    #[must_use]
    pub fn bootstrap(mut self, wanted: Bootstrap) -> Self {
        self.bootstrap = Some(wanted);
        self
    }

    /// Whether expired revocation events are deleted in the background: see [`Keystone::start_housekeeping`].
    #[must_use]
    pub fn housekeeping(mut self, wanted: bool) -> Self {
        self.housekeeping = wanted;
        self
    }

    /// Opens the database and puts the services together. An empty database in memory gets its
    /// tables, and keys of its own unless some were given; any other must be at a revision that
    /// this release knows.
    ///
    /// It must be called on a tokio runtime.
    pub async fn build(self) -> Result<Keystone, BuildError> {
        // Boxed, so that the futures of callers stay small.
        Box::pin(self.finish()).await
    }

    async fn finish(mut self) -> Result<Keystone, BuildError> {
        let bootstrap = self.bootstrap.take();
        let housekeeping = self.housekeeping;
        // The settings make it large.
        let keystone = Box::pin(self.assemble()).await?;
        if let Some(wanted) = &bootstrap {
            let done = keystone.bootstrap(wanted).await;
            done.map_err(BuildError::Bootstrap)?;
        }
        if housekeeping {
            keystone.start_housekeeping();
        }
        Ok(keystone)
    }

    async fn assemble(self) -> Result<Keystone, BuildError> {
        let Self {
            mut settings,
            db,
            clock,
            keys,
            credential_keys,
            ..
        } = self;
        let url = DatabaseUrl::parse(&settings.database.url)?;
        let in_memory = db.is_none() && url.is_memory();
        let db = match db {
            Some(db) => db,
            None => Db::connect(&url, &settings.database.pool).await?,
        };
        if in_memory || self.migrate {
            sync(&db, Phase::All, |_| {}).await?;
            install_change_log(&db).await?;
        }
        let state = state(&db).await?;
        if !state.is_usable() {
            return Err(BuildError::Schema(state));
        }
        let or_new = |keys: Option<KeySet>| match keys {
            None if in_memory => KeySet::generate().map(Some),
            keys => Ok(keys),
        };
        let (keys, credential_keys) = (or_new(keys)?, or_new(credential_keys)?);
        if self.set_up_keys {
            set_up(&settings.keys, keys.is_none(), credential_keys.is_none())?;
        }
        let keys = rings(&settings, keys, credential_keys);
        let created_here = db.created_here().await?;
        let changes = Changes::of(&db, settings.cache);
        let notifier = notifier(&settings, &db, &clock)?;
        settings.identity.reports_cascades = notifier.is_some();
        let mut app = services(
            &db,
            &changes,
            &clock,
            &keys,
            created_here,
            settings,
            |policy| Enforcer::with_defaults(Registry::keystone(), policy),
        )?;
        app.notifier = notifier;
        check(&app).await?;
        Ok(Keystone {
            db,
            changes,
            clock,
            keys,
            created_here,
            live: Live::new(app),
            background: Arc::default(),
        })
    }
}

/// Starts the notifier. As the observer of an event, Keystone names the first service of its type.
fn notifier(settings: &Settings, db: &Db, clock: &Clock) -> Result<Option<Notifier>, BuildError> {
    let catalog = Catalog::new(db.clone(), settings.catalog.clone());
    let observer = move || -> Pin<Box<dyn Future<Output = _> + Send>> {
        let catalog = catalog.clone();
        Box::pin(async move {
            let wanted = Listing::default().with("type", "identity");
            let services = catalog.services(&wanted).await?.items;
            Ok(services.into_iter().next().map(|service| service.id))
        })
    };
    let started = Notifier::start(&settings.notifications, clock.clone(), Box::new(observer));
    Ok(started?)
}

/// Makes the triggers of the change log where they are not as they should be. Not being allowed to is no failure: all works
/// without them, only slower.
async fn install_change_log(db: &Db) -> Result<(), BuildError> {
    let Some(why) = changes::incomplete(db).await? else {
        return Ok(());
    };
    if let Err(error) = changes::install(db).await {
        let error: &(dyn StdError + 'static) = &error;
        tracing::warn!(
            why,
            error,
            "the triggers of the change log could not be made, so every validation will ask the database: let an \
             administrator of the database run what `keystone-manage db_sync --print-triggers` prints"
        );
    }
    Ok(())
}

/// Sets up the repositories of keys that are not given otherwise.
fn set_up(keys: &Keys, tokens: bool, credentials: bool) -> Result<(), BuildError> {
    let repositories = [
        (&keys.tokens, tokens && keys.provider == Provider::Fernet),
        (&keys.receipts, tokens),
        (&keys.credentials, credentials),
    ];
    for (repository, wanted) in repositories {
        if wanted && repository.load().is_err() {
            repository.setup(Owner::default())?;
        }
    }
    Ok(())
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
