//! The seam between what guards a service and what knows its tokens.

use std::future::Future;
use std::sync::Arc;

/// Says which tokens are valid: an embedded Keystone, or one that is asked over HTTP.
pub trait Validate: Send + Sync {
    /// The JSON body with which Keystone answers `GET /v3/auth/tokens` for a valid token.
    ///
    /// Where it has `access_rules` of an application credential, the token is good for these requests only, and whoever asks has
    /// to see to that: the guard (`keystone-middleware`) does.
    fn validate(
        &self,
        token: &str,
        wanted: Wanted,
    ) -> impl Future<Output = Result<Vec<u8>, NotValidated>> + Send;

    /// Whether an answer may be given again for a while. One that costs nothing and follows every revocation should
    /// not be kept.
    fn may_be_kept(&self) -> bool {
        false
    }

    /// Where clients authenticate, for `WWW-Authenticate`, if it is known.
    fn auth_url(&self) -> Option<&str> {
        None
    }
}

impl<V: Validate> Validate for Arc<V> {
    fn validate(
        &self,
        token: &str,
        wanted: Wanted,
    ) -> impl Future<Output = Result<Vec<u8>, NotValidated>> + Send {
        V::validate(self, token, wanted)
    }

    fn may_be_kept(&self) -> bool {
        V::may_be_kept(self)
    }

    fn auth_url(&self) -> Option<&str> {
        V::auth_url(self)
    }
}

/// What is wanted of a validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Wanted {
    /// Tokens may have expired, as long ago as Keystone allows (`[token] allow_expired_window`).
    pub expired: bool,
    /// The body has the catalog.
    pub catalog: bool,
}

impl Wanted {
    /// Whether expired tokens are accepted.
    #[must_use]
    pub fn expired(self, expired: bool) -> Self {
        Self { expired, ..self }
    }

    /// Whether the body has the catalog.
    #[must_use]
    pub fn catalog(self, catalog: bool) -> Self {
        Self { catalog, ..self }
    }
}

impl Default for Wanted {
    /// No expired tokens; with the catalog.
    fn default() -> Self {
        Self {
            expired: false,
            catalog: true,
        }
    }
}

/// Why a token was not validated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotValidated {
    /// Keystone does not know it as valid.
    #[error("the token is not valid")]
    Invalid,
    /// Keystone can't be asked; the reason is for the operator.
    #[error("Keystone can't validate tokens: {reason}")]
    Unreachable {
        /// The reason, without secrets.
        reason: Arc<str>,
    },
}

impl NotValidated {
    /// Keystone can't be asked, for this reason.
    pub fn unreachable(reason: impl std::fmt::Display) -> Self {
        Self::Unreachable {
            reason: reason.to_string().into(),
        }
    }
}
