//! Errors of tokens and their keys.

use std::{io, path::Path, path::PathBuf, sync::Arc};

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a token could not be opened or sealed, or why keys are not to be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No known key opens this: not a token of ours, tampered with, or older than the keys.
    #[error("not sealed with a known key")]
    Unrecognized,

    /// The payload is of a version that this release does not know.
    #[error("this is not a recognized Fernet payload version: {0}")]
    UnknownVersion(u64),

    /// A known key opens this, but what is inside is not a payload; names the part that is wrong.
    #[error("malformed payload: {0}")]
    Malformed(&'static str),

    /// A known key opens this, but it was sealed too long ago, or in the future.
    #[error("sealed at {0}, which is too long ago or not yet")]
    NotNow(chrono::NaiveDateTime),

    /// A value that the format has no room for.
    #[error("{field} can't be put into a token: {value}")]
    NotRepresentable {
        /// The token's field.
        field: &'static str,
        /// Its value.
        value: String,
    },

    /// The key repository is missing or empty.
    #[error("no keys at {}", path.display())]
    NoKeys {
        /// Where keys were looked for.
        path: PathBuf,
    },

    /// A file or text that should be a key and is none.
    #[error("not a key: {name}")]
    InvalidKey {
        /// The file, or the position of the text.
        name: String,
    },

    /// A key repository that can't be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },

    /// The cryptography refused to sign or to make a key.
    #[error("a signature or a key could not be made")]
    Signature,

    /// A private key without its public key: what it signs is not accepted here.
    #[error("none of the public keys in {} belongs to the private key", path.display())]
    Unpaired {
        /// The directory of the public keys.
        path: PathBuf,
    },

    /// The system gave no random bytes.
    #[error("no random bytes: {0}")]
    Entropy(getrandom::Error),
}

impl Error {
    /// Whether the text is at fault that was to be opened. If not, the keys are, and no text can be opened.
    pub fn is_of_text(&self) -> bool {
        match self {
            Self::Unrecognized | Self::UnknownVersion(_) | Self::Malformed(_) | Self::NotNow(_) => {
                true
            }
            Self::NotRepresentable { .. }
            | Self::NoKeys { .. }
            | Self::InvalidKey { .. }
            | Self::Io { .. }
            | Self::Signature
            | Self::Unpaired { .. }
            | Self::Entropy(_) => false,
        }
    }

    /// For `map_err`: an I/O error at `path`.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }
}
