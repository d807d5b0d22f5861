//! Why nothing could be made or signed.

use std::io;
use std::path::PathBuf;

/// A failure on our side: of the configuration, of a file, or of what is to be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file can't be read.
    #[error("{} can't be read: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no certificate in the text.
    #[error("there is no certificate in PEM")]
    Certificate,
    /// There is no key that signs.
    #[error("there is no private RSA key in PEM, without a password and of 2048 bits or more")]
    Key,
    /// The certificate belongs to another key.
    #[error("the certificate is not that of the private key")]
    Unpaired,
    /// The key did not sign.
    #[error("the key could not sign")]
    Signing,
    /// A text has a character that XML can't hold.
    #[error("XML has no character {0}")]
    Character(String),
    /// Metadata need a value that is not configured.
    #[error("Ensure configuration option {0} is set.")]
    Unset(&'static str),
    /// A message is longer than its binding takes.
    #[error("a message for a redirect must be shorter than 64 KiB")]
    TooLong,
}
