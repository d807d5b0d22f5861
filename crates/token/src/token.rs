//! The decoded token: scope, origin, methods, times.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::NaiveDateTime;
use uuid::Uuid;

/// A decoded token; times are UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The user who authenticated; for a trust, the trustee.
    pub user_id: String,
    /// The methods that the user authenticated with; in a Fernet token as far as `[auth] methods` names them.
    pub methods: Vec<String>,
    /// Where the token holds.
    pub scope: ScopeIds,
    /// How the token came about.
    pub origin: Origin,
    /// When the token was made, in whole seconds.
    pub issued_at: NaiveDateTime,
    /// When it ends; an opened token has whole seconds.
    pub expires_at: NaiveDateTime,
    /// Its own audit id, and that of the root of its chain if it has one.
    pub audit_ids: Vec<String>,
}

/// Where a token holds, by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeIds {
    /// Nowhere.
    Unscoped,
    /// On a project.
    Project(String),
    /// On a domain.
    Domain(String),
    /// On the deployment as a whole.
    System,
}

/// How a token came about. It says nothing about where the token holds; some combinations with a
/// [`ScopeIds`] have no format, and sealing refuses them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The user authenticated.
    User,
    /// An identity provider vouched for the user.
    Federated(Federation),
    /// A trust; the scope is the project that it delegates, if it delegates one.
    Trust {
        /// The trust.
        trust_id: String,
    },
    /// An application credential.
    ApplicationCredential {
        /// The application credential.
        app_cred_id: String,
    },
    /// An `OAuth1` access token.
    OAuth1 {
        /// The access token.
        access_token_id: String,
    },
    /// `OAuth2` client credentials over mutual TLS.
    OAuth2Mtls {
        /// The thumbprint of the client's certificate.
        thumbprint: String,
        /// A domain beside the project in scope: the format has room for both.
        domain_id: Option<String>,
    },
}

/// The attributes of a user that an identity provider vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Federation {
    /// The groups that the mapping gave.
    pub group_ids: Vec<String>,
    /// The identity provider.
    pub identity_provider_id: String,
    /// The protocol spoken with it.
    pub protocol_id: String,
}

impl ScopeIds {
    /// The project, if it is one.
    pub fn project_id(&self) -> Option<&str> {
        match self {
            Self::Project(id) => Some(id),
            Self::Unscoped | Self::Domain(_) | Self::System => None,
        }
    }

    /// The domain, if it is one.
    pub fn domain_id(&self) -> Option<&str> {
        match self {
            Self::Domain(id) => Some(id),
            Self::Unscoped | Self::Project(_) | Self::System => None,
        }
    }
}

/// A new audit id: 22 characters of URL-safe base64.
pub fn new_audit_id() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes())
}
