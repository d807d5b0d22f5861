#![doc = include_str!("../README.md")]

mod bootstrap;
mod builder;
mod settings;
mod validator;

use std::sync::Arc;

use axum::Router;
use keystone_api::{App, Live, RemoteChecks};
use keystone_auth::Auth;
use keystone_cache::Changes;
use keystone_catalog::Catalog;
use keystone_identity::Identity;
use keystone_identity::password::Algorithm;
use keystone_policy::{Enforcer, LoadError};
use keystone_storage::{Cascade, Db};
use keystone_types::Clock;

pub use bootstrap::{Bootstrap, Bootstrapped};
pub use builder::{BuildError, Builder};
pub use keystone_api as api;
pub use keystone_auth as auth;
pub use keystone_cache as cache;
pub use keystone_catalog as catalog;
pub use keystone_identity as identity;
pub use keystone_policy as policy;
pub use keystone_storage as storage;
pub use keystone_token as token;
pub use keystone_types as types;
pub use settings::{Database, Keys, Provider, Settings};
pub use validator::Validator;

/// The cascades of other crates when users, groups, projects and roles are deleted.
const CASCADES: [Cascade; 2] = [keystone_catalog::CASCADE, keystone_auth::CASCADE];

/// How long housekeeping waits for its next turn.
const HOUSEKEEPING: std::time::Duration = std::time::Duration::from_mins(10);

/// A Keystone: its services and its routes; clones share all.
#[derive(Clone, Debug)]
pub struct Keystone {
    db: Db,
    changes: Changes,
    clock: Clock,
    keys: auth::Keys,
    created_here: bool,
    live: Live,
}

impl Keystone {
    /// Starts a configuration.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The whole API as a router, to be served or nested.
    pub fn router(&self) -> Router {
        keystone_api::router(self.live.clone())
    }

    /// The database.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The changes of the database, which the answers in memory follow.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Users, projects, roles and assignments.
    pub fn identity(&self) -> Identity {
        self.live.app().identity.clone()
    }

    /// Regions, services and endpoints.
    pub fn catalog(&self) -> Catalog {
        self.live.app().catalog.clone()
    }

    /// Tokens.
    pub fn auth(&self) -> Auth {
        self.live.app().auth.clone()
    }

    /// Who may do what.
    pub fn policy(&self) -> Arc<Enforcer> {
        Arc::clone(&self.live.app().policy)
    }

    /// Deletes expired revocation events every ten minutes, until the future is dropped. `keystone serve` runs it; an
    /// embedder with a persistent database should run it too.
    pub async fn housekeeping(&self) {
        loop {
            match self.identity().prune_revocations().await {
                Ok(0) => {}
                Ok(events) => tracing::info!(
                    events,
                    "dropped revocation events that no token can outlive"
                ),
                Err(error) => tracing::warn!(%error, "old revocation events stay for now"),
            }
            tokio::time::sleep(HOUSEKEEPING).await;
        }
    }

    /// Takes over settings while requests go on; those under way keep what they began with.
    /// The database and the key repositories stay.
    pub async fn reload(&self, settings: Settings) -> Result<(), BuildError> {
        let before = self.live.app();
        let mut app = services(
            &self.db,
            &self.changes,
            &self.clock,
            &self.keys,
            self.created_here,
            settings,
            |policy| before.policy.reconfigured(policy),
        )?;
        app.identity.check_tree().await?;
        app.remote_checks = before.remote_checks.clone();
        self.live.replace(app);
        Ok(())
    }
}

/// Puts the services together.
fn services(
    db: &Db,
    changes: &Changes,
    clock: &Clock,
    keys: &auth::Keys,
    created_here: bool,
    settings: Settings,
    enforcer: impl FnOnce(keystone_policy::Settings) -> Result<Enforcer, LoadError>,
) -> Result<App, BuildError> {
    let Settings {
        identity,
        catalog,
        auth,
        api,
        policy,
        ..
    } = settings;
    let mut identity = identity;
    // An adopted database must stay readable for Python Keystone, which does not know argon2id.
    let fitting = if created_here {
        Algorithm::Argon2id
    } else {
        Algorithm::Bcrypt
    };
    identity.password_algorithm.get_or_insert(fitting);
    let identity = Identity::new(db.clone(), clock.clone(), identity, CASCADES)?;
    let catalog = Catalog::new(db.clone(), catalog);
    let auth = Auth::new(
        changes.clone(),
        db.clone(),
        clock.clone(),
        identity.clone(),
        catalog.clone(),
        keys.clone(),
        auth,
    )?;
    let policy = Arc::new(enforcer(policy)?);
    Ok(App {
        identity,
        catalog,
        auth,
        policy,
        remote_checks: RemoteChecks::default(),
        settings: Arc::new(api),
    })
}
