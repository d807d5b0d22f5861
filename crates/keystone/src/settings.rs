//! Everything that an operator decides, by part.

use std::collections::BTreeMap;
use std::path::Path;

use keystone_storage::PoolOptions;
use keystone_token::{Credentials, JwsKeys, KeyRepository};

/// The settings of every part; the defaults are Keystone's.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where the data is.
    pub database: Database,
    /// How long answers may be given without the database.
    pub cache: keystone_cache::Settings,
    /// Where the keys are.
    pub keys: Keys,
    /// Users, projects and roles.
    pub identity: keystone_identity::Settings,
    /// Services and endpoints.
    pub catalog: keystone_catalog::Settings,
    /// Tokens.
    pub auth: keystone_auth::Settings,
    /// HTTP.
    pub api: keystone_api::Settings,
    /// Rules.
    pub policy: keystone_policy::Settings,
    /// Notifications.
    pub notifications: keystone_notify::Settings,
    /// Identity providers that this server knows by OpenID Connect itself, by their ids.
    pub oidc: BTreeMap<String, OidcProvider>,
}

/// `[oidc:<id>]`
#[derive(Clone, Debug)]
pub struct OidcProvider {
    /// The provider, and this server's registration there.
    pub settings: keystone_oidc::Settings,
    /// The protocol by which it logs users in: `openid`, unless it has another id in the API.
    pub protocol: String,
    /// Where the provider sends browsers back to, if that is not [`keystone_api::redirect_path`]: a path of this provider alone
    /// that has no route of Keystone, or the one at which its users log in.
    pub redirect_path: Option<keystone_api::RedirectPath>,
}

/// `[database]`
#[derive(Clone)]
pub struct Database {
    /// `connection`: a URL as SQLAlchemy takes it.
    pub url: String,
    /// How connections are kept.
    pub pool: PoolOptions,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: "sqlite://".to_owned(),
            pool: PoolOptions::default(),
        }
    }
}

/// The URL holds a password.
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// The key repositories.
#[derive(Clone, Debug)]
pub struct Keys {
    /// `[token] provider`
    pub provider: Provider,
    /// `[jwt_tokens]`
    pub jws: JwsKeys,
    /// `[fernet_tokens]`
    pub tokens: KeyRepository,
    /// `[fernet_receipts]`
    pub receipts: KeyRepository,
    /// `[credential]`
    pub credentials: KeyRepository,
}

/// The form of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// Encrypted, with the keys of `[fernet_tokens]`.
    #[default]
    Fernet,
    /// Signed, with the key pair of `[jwt_tokens]`.
    Jws,
}

impl Keys {
    /// Keys in the repositories `fernet-keys` and `credential-keys` below this directory.
    pub fn below(directory: &Path) -> Self {
        let below = |name: &str| directory.join(name);
        Self {
            provider: Provider::default(),
            jws: JwsKeys::default(),
            tokens: KeyRepository::new(below("fernet-keys"), 3),
            receipts: KeyRepository::new(below("fernet-keys"), 3),
            credentials: KeyRepository::new(below("credential-keys"), Credentials::MAX_ACTIVE_KEYS),
        }
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::below(Path::new("/etc/keystone"))
    }
}
