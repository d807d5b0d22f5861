//! What a token says.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::NaiveDateTime;
use uuid::Uuid;

/// What a Fernet token carries; times are UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Who authenticated; the trustee, for a trust.
    pub user_id: String,
    /// The methods by which they did, as far as `[auth] methods` names them.
    pub methods: Vec<String>,
    /// When the token was made, in whole seconds.
    pub issued_at: NaiveDateTime,
    /// When it ends; an opened token has whole seconds.
    pub expires_at: NaiveDateTime,
    /// Its own audit id, and that of the root of its chain if it has one.
    pub audit_ids: Vec<String>,
    /// How it came about and what it reaches.
    pub payload: Payload,
}

/// How a token came about and what it reaches, a variant for each payload version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Version 0: no scope.
    Unscoped,
    /// Version 1: a domain.
    Domain {
        /// The scope.
        domain_id: String,
    },
    /// Version 2: a project.
    Project {
        /// The scope.
        project_id: String,
    },
    /// Version 3: a trust, with the project that it delegates if it delegates one.
    Trust {
        /// The scope.
        project_id: Option<String>,
        /// The delegation.
        trust_id: String,
    },
    /// Version 4: a federated user, no scope.
    FederatedUnscoped(Federation),
    /// Version 5: a federated user on a project.
    FederatedProject {
        /// The scope.
        project_id: String,
        /// Where the user comes from.
        federation: Federation,
    },
    /// Version 6: a federated user on a domain.
    FederatedDomain {
        /// The scope.
        domain_id: String,
        /// Where the user comes from.
        federation: Federation,
    },
    /// Version 7: an `OAuth1` access token.
    OAuth1 {
        /// The scope.
        project_id: String,
        /// The delegation.
        access_token_id: String,
    },
    /// Version 8: the whole system.
    System,
    /// Version 9: an application credential.
    ApplicationCredential {
        /// The scope.
        project_id: String,
        /// The delegation.
        app_cred_id: String,
    },
    /// Version 10: `OAuth2` client credentials over mutual TLS.
    OAuth2Mtls {
        /// The scope, if it is a project.
        project_id: Option<String>,
        /// The scope, if it is a domain.
        domain_id: Option<String>,
        /// The client certificate's.
        thumbprint: String,
    },
}

/// Where a federated user comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Federation {
    /// The groups that the mapping gave.
    pub group_ids: Vec<String>,
    /// The identity provider.
    pub identity_provider_id: String,
    /// The protocol spoken with it.
    pub protocol_id: String,
}

impl Payload {
    /// The version number that the payload has on the wire.
    pub fn version(&self) -> u64 {
        self.shape().0
    }

    /// The project in scope.
    pub fn project_id(&self) -> Option<&str> {
        match self {
            Self::Project { project_id }
            | Self::FederatedProject { project_id, .. }
            | Self::OAuth1 { project_id, .. }
            | Self::ApplicationCredential { project_id, .. } => Some(project_id),
            Self::Trust { project_id, .. } | Self::OAuth2Mtls { project_id, .. } => {
                project_id.as_deref()
            }
            Self::Unscoped
            | Self::Domain { .. }
            | Self::FederatedUnscoped(_)
            | Self::FederatedDomain { .. }
            | Self::System => None,
        }
    }

    /// The domain in scope.
    pub fn domain_id(&self) -> Option<&str> {
        match self {
            Self::Domain { domain_id } | Self::FederatedDomain { domain_id, .. } => Some(domain_id),
            Self::OAuth2Mtls { domain_id, .. } => domain_id.as_deref(),
            Self::Unscoped
            | Self::Project { .. }
            | Self::Trust { .. }
            | Self::FederatedUnscoped(_)
            | Self::FederatedProject { .. }
            | Self::OAuth1 { .. }
            | Self::System
            | Self::ApplicationCredential { .. } => None,
        }
    }

    /// Version and number of elements on the wire, the version among them.
    pub(crate) fn shape(&self) -> (u64, usize) {
        match self {
            Self::Unscoped => (0, 5),
            Self::Domain { .. } => (1, 6),
            Self::Project { .. } => (2, 6),
            Self::Trust { .. } => (3, 7),
            Self::FederatedUnscoped(_) => (4, 8),
            Self::FederatedProject { .. } => (5, 9),
            Self::FederatedDomain { .. } => (6, 9),
            Self::OAuth1 { .. } => (7, 7),
            Self::System => (8, 6),
            Self::ApplicationCredential { .. } => (9, 7),
            Self::OAuth2Mtls { .. } => (10, 8),
        }
    }
}

/// A new audit id: 22 characters of URL-safe base64.
pub fn new_audit_id() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes())
}
