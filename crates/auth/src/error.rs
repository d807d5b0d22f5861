//! The errors of tokens that are opened or validated.

use keystone_types::Error;

/// Why a token can't be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TokenError {
    /// The token itself is invalid: 404 for a subject token, as if absent for a caller's.
    #[error("{0}")]
    NotFound(String),
    /// Something that it names is gone or refused, or this server failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl TokenError {
    /// The answer to a request about the token.
    pub fn into_error(self) -> Error {
        match self {
            Self::NotFound(text) => Error::Missing(text),
            Self::Failed(error) => error,
        }
    }

    /// Whether this server failed, whatever the token is.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Self::Failed(error) if error.status() >= 500)
    }
}

pub(crate) fn disabled(kind: &str, id: &str) -> TokenError {
    TokenError::Failed(Error::Missing(format!(
        "Unable to validate token because {kind} {id} is disabled"
    )))
}
