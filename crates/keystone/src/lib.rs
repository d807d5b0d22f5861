#![doc = include_str!("../README.md")]

mod background;
mod bootstrap;
mod builder;
#[cfg(feature = "sqlite")]
mod ephemeral;
mod metrics;
mod settings;
mod validator;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use keystone_api::{App, Live, Oidc, RemoteChecks, ServiceProvider};
use keystone_auth::Auth;
use keystone_cache::Changes;
use keystone_catalog::Catalog;
use keystone_federation::Federation;
use keystone_identity::Identity;
use keystone_identity::password::Algorithm;
use keystone_notify::Notifier;
use keystone_policy::{Enforcer, LoadError};
use keystone_saml::sp::Peer;
use keystone_saml::{ServiceProviderSettings, SigningKey};
use keystone_storage::{Cascade, Db};
use keystone_types::Clock;

use crate::background::Background;

pub use bootstrap::{Bootstrap, Bootstrapped};
pub use builder::{BuildError, Builder};
#[cfg(feature = "sqlite")]
pub use ephemeral::Ephemeral;
pub use keystone_api as api;
pub use keystone_auth as auth;
pub use keystone_cache as cache;
pub use keystone_catalog as catalog;
pub use keystone_federation as federation;
pub use keystone_identity as identity;
pub use keystone_notify as notify;
pub use keystone_oidc as oidc;
pub use keystone_policy as policy;
pub use keystone_saml as saml;
pub use keystone_storage as storage;
pub use keystone_token as token;
pub use keystone_types as types;
pub use settings::{Database, Keys, OidcProvider, Provider, Settings};
pub use validator::Validator;

/// The cascades of other crates when users, groups, projects and roles are deleted.
const CASCADES: [Cascade; 2] = [keystone_catalog::CASCADE, keystone_auth::CASCADE];

/// A Keystone: its services and its routes; clones share all.
#[derive(Clone, Debug)]
pub struct Keystone {
    db: Db,
    changes: Changes,
    clock: Clock,
    keys: auth::Keys,
    created_here: bool,
    live: Live,
    background: Arc<Background>,
}

impl Keystone {
    /// Starts a configuration.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A bootstrapped cloud in memory, for tests: see [`Ephemeral`].
    #[cfg(feature = "sqlite")]
    pub async fn ephemeral() -> Result<Ephemeral, BuildError> {
        Box::pin(Self::builder().ephemeral()).await
    }

    /// The whole API as a router, to be served or nested below any path, best by axum's `nest_service`: links and pages lead
    /// back below that path.
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

    /// Identity providers, mappings and service providers.
    pub fn federation(&self) -> Federation {
        self.live.app().federation.clone()
    }

    /// Tokens.
    pub fn auth(&self) -> Auth {
        self.live.app().auth.clone()
    }

    /// Who may do what.
    pub fn policy(&self) -> Arc<Enforcer> {
        Arc::clone(&self.live.app().policy)
    }

    /// Announces changes and logins; none where no sink is configured.
    pub fn notifier(&self) -> Option<Notifier> {
        self.live.app().notifier.clone()
    }

    /// Takes over settings while requests go on; those under way keep what they began with.
    /// The database and the key repositories stay, and so does the notifier.
    pub async fn reload(&self, settings: Settings) -> Result<(), BuildError> {
        let before = self.live.app();
        let mut settings = settings;
        settings.identity.reports_cascades = before.notifier.is_some();
        let mut app = services(
            &self.db,
            &self.changes,
            &self.clock,
            &self.keys,
            self.created_here,
            settings,
            |policy| before.policy.reconfigured(policy),
        )?;
        check(&app).await?;
        app.notifier = before.notifier.clone();
        app.remote_checks = before.remote_checks.clone();
        for (id, oidc) in &mut app.oidc {
            if let Some(before) = before.oidc.get(id) {
                oidc.provider.take_over(&before.provider);
            }
        }
        self.live.replace(app);
        Ok(())
    }
}

/// Checks that the database has what the services need.
async fn check(app: &App) -> Result<(), BuildError> {
    app.identity.check_tree().await?;
    if app.uses_messages() {
        let checked = app.identity.check_messages().await;
        checked.map_err(BuildError::MessageTable)?;
    }
    Ok(())
}

/// This cloud as the service provider of others, with the files that the settings name.
fn service_provider(
    settings: ServiceProviderSettings,
    api: &keystone_api::Settings,
    auth: &Auth,
) -> Result<ServiceProvider, BuildError> {
    let endpoint = api.public_endpoint.as_deref();
    let endpoint = endpoint.ok_or(BuildError::SamlEndpoint)?;
    let files = settings.key.as_ref();
    let key = files.map(|(certificate, key)| SigningKey::read(certificate, key));
    let key = key.transpose().map_err(BuildError::SamlKey)?;
    let peers = peers(&settings, auth.clock());
    Ok(ServiceProvider::new(settings, key, peers, endpoint, auth))
}

/// The identity providers whose metadata can be used. Logins of the others are refused, and everything else goes on.
fn peers(settings: &ServiceProviderSettings, clock: &Clock) -> BTreeMap<String, Peer> {
    let mut peers: BTreeMap<String, Peer> = BTreeMap::new();
    for (provider, settings) in &settings.providers {
        let peer = match Peer::configured(settings, clock.now()) {
            Ok(peer) => peer,
            Err(error) => {
                tracing::error!(
                    provider,
                    error = error.to_string(),
                    "nobody can log in at an identity provider by SAML: its metadata can't be used; put newer ones into \
                     metadata_file of its section [saml_idp], and reload"
                );
                continue;
            }
        };
        let same = |it: &(&String, &Peer)| it.1.entity_id == peer.entity_id;
        if let Some((other, _)) = peers.iter().find(same) {
            tracing::error!(
                provider,
                other,
                entity_id = peer.entity_id,
                "nobody can log in at an identity provider by SAML: another section [saml_idp] has the same entity id"
            );
            continue;
        }
        if peer.sign_on_url.is_none() && !peer.is_keystone {
            tracing::warn!(
                provider,
                "browsers can't log in at an identity provider by SAML: its metadata have no SingleSignOnService for \
                 HTTP-Redirect"
            );
        }
        peers.insert(provider.clone(), peer);
    }
    peers
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
        oidc,
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
    let mut auth = auth;
    let saml = auth.saml_sp.take();
    let by_saml = saml.iter().flat_map(|saml| saml.providers.keys());
    auth.federation.asked_itself = oidc.keys().chain(by_saml).cloned().collect();
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
    let saml = saml.map(|saml| service_provider(*saml, &api, &auth));
    let oidc = oidc.into_iter().map(|(id, it)| {
        let (protocol, redirect_path) = (it.protocol, it.redirect_path);
        let provider = match keystone_oidc::Provider::new(it.settings, clock.clone()) {
            Ok(provider) => provider,
            Err(source) => return Err(BuildError::IdentityProvider { id, source }),
        };
        let oidc = Oidc {
            provider,
            protocol,
            redirect_path,
        };
        Ok((id, oidc))
    });
    Ok(App {
        identity,
        catalog,
        federation: auth.federation().clone(),
        auth,
        policy,
        remote_checks: RemoteChecks::default(),
        oidc: oidc.collect::<Result<_, BuildError>>()?,
        saml: saml.transpose()?.map(Arc::new),
        notifier: None,
        settings: Arc::new(api),
    })
}
