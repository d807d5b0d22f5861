//! The seam between what guards a service and what knows its tokens.

use std::fmt::{self, Formatter};
use std::future::Future;
use std::sync::Arc;

/// Says which tokens are valid: an embedded Keystone, or one that is asked over HTTP.
pub trait Validate: Send + Sync {
    /// The answer of Keystone to `GET /v3/auth/tokens` for a valid token.
    ///
    /// Where it has `access_rules` of an application credential, the token is good for these requests only, and whoever asks has
    /// to see to that: the guard (`keystone-middleware`) does.
    fn validate(
        &self,
        token: &str,
        wanted: Wanted,
    ) -> impl Future<Output = Result<TokenBody, NotValidated>> + Send;

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
    ) -> impl Future<Output = Result<TokenBody, NotValidated>> + Send {
        V::validate(self, token, wanted)
    }

    fn may_be_kept(&self) -> bool {
        V::may_be_kept(self)
    }

    fn auth_url(&self) -> Option<&str> {
        V::auth_url(self)
    }
}

/// The JSON body with which Keystone answers `GET /v3/auth/tokens`, in four pieces that other bodies may share: what stands
/// before the catalog, the catalog and the service providers with their names, and what stands after them.
///
/// Two bodies are equal if their pieces are. Pieces that they share are not read for it, so that it costs little to learn that
/// an answer is the one that was given before.
#[derive(Clone, Eq)]
pub struct TokenBody {
    pieces: [Arc<[u8]>; 4],
}

impl TokenBody {
    /// A body in pieces.
    pub fn new(pieces: [Arc<[u8]>; 4]) -> Self {
        Self { pieces }
    }

    /// The pieces, which make the body one after the other.
    pub fn into_pieces(self) -> [Arc<[u8]>; 4] {
        self.pieces
    }

    /// The whole body.
    pub fn to_vec(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    /// How many bytes the body has.
    pub fn length(&self) -> usize {
        self.pieces.iter().map(|piece| piece.len()).sum()
    }
}

impl PartialEq for TokenBody {
    fn eq(&self, other: &Self) -> bool {
        let mut pairs = self.pieces.iter().zip(&other.pieces);
        pairs.all(|(mine, theirs)| Arc::ptr_eq(mine, theirs) || mine == theirs)
    }
}

impl fmt::Debug for TokenBody {
    /// The length: most bodies have a long catalog.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "TokenBody({} bytes)", self.length())
    }
}

impl From<Vec<u8>> for TokenBody {
    /// A body in one piece.
    fn from(whole: Vec<u8>) -> Self {
        Self::new([whole.into(), Arc::default(), Arc::default(), Arc::default()])
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
