//! Password hashes: those that Python Keystone writes, read and written, and argon2id.
//!
//! **Secrets longer than bcrypt's 72 bytes.** With the algorithm `bcrypt` Python Keystone cuts
//! every secret at 72 bytes, or at `[identity] max_password_length` where that is less, before it
//! hashes or verifies (`keystone/common/password_hashing.py`). A `$2b$` hash is therefore all that
//! an adopted database holds of a longer password, and of each application credential's secret,
//! which has 86 bytes. Both go on verifying: against `$2b$` a longer secret is cut as it was there.
//!
//! A secret that is set here is never cut. `$2b$` is written only where it is shorter than that
//! cut: the key of such a hash ends with a NUL, which a cut secret has no place for. With
//! [`Algorithm::Bcrypt`] any other becomes a `$bcrypt-sha256$` that holds two digests: one of the
//! whole, which decides here, and one of the first 72 bytes, which is the only thing that Python
//! Keystone can verify when it takes over again. (A plain `$bcrypt-sha256$` of the whole would lock
//! these users out there.)
//!
//! **Past `[identity] max_password_length`** hashing a password refuses, and verifying is `false` unless a
//! `$2b$` hash was made from a cut secret. Past 4,096 bytes, the most that the option can allow,
//! verifying costs no time, whoever the user is. Secrets of programs may have those 4,096 bytes, whatever the
//! option says.
//!
//! **NUL bytes** are hashed like any other byte, as Python Keystone does; in `$2b$` a NUL also ends
//! each repetition of the key, which is a property of bcrypt.
//!
//! **`$bcrypt-sha256$` below 10 rounds** is read, but not written: Python Keystone does not verify
//! its own hashes with a one-digit `r=`, so fewer rounds are raised to 10.

mod bcrypt;
mod hasher;
mod phc;
mod queue;
mod scheme;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

pub use hasher::Hasher;
pub use keystone_python::Regex;
pub use queue::{Claimant, Hashing};

/// The most that `[identity] max_password_length` can be in Keystone.
const CEILING: usize = 4096;

/// How new passwords are hashed: `[identity] password_hash_algorithm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `$2b$`.
    Bcrypt,
    /// `$bcrypt-sha256$`: bcrypt of an HMAC, so that length does not matter.
    BcryptSha256,
    /// `$scrypt$`.
    Scrypt,
    /// `$pbkdf2-sha512$`.
    Pbkdf2Sha512,
    /// `$argon2id$`, which Python Keystone can't read.
    Argon2id,
}

impl Algorithm {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bcrypt => "bcrypt",
            Self::BcryptSha256 => "bcrypt_sha256",
            Self::Scrypt => "scrypt",
            Self::Pbkdf2Sha512 => "pbkdf2_sha512",
            Self::Argon2id => "argon2id",
        }
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "bcrypt" => Self::Bcrypt,
            "bcrypt_sha256" => Self::BcryptSha256,
            "scrypt" => Self::Scrypt,
            "pbkdf2_sha512" => Self::Pbkdf2Sha512,
            "argon2id" | "argon2" => Self::Argon2id,
            _ => {
                return Err(Error::Option {
                    option: "password_hash_algorithm",
                    allowed: "one of bcrypt, bcrypt_sha256, scrypt, pbkdf2_sha512, argon2id"
                        .to_owned(),
                });
            }
        })
    }
}

/// The options of `[identity]` for hashing; `None` and zero stand for the algorithm's own default.
#[derive(Clone, Debug)]
pub struct Options {
    /// `password_hash_rounds`; like Python Keystone's, scrypt takes no notice of it.
    pub rounds: Option<u32>,
    /// `scrypt_block_size`.
    pub scrypt_block_size: Option<u32>,
    /// `scrypt_parallelism`.
    pub scrypt_parallelism: Option<u32>,
    /// `salt_bytesize`, for scrypt and pbkdf2.
    pub salt_bytesize: Option<u32>,
    /// `max_password_length`, in bytes.
    pub max_password_length: usize,
    /// `[DEFAULT] strict_password_check`: what bcrypt would cut can't be set.
    pub strict: bool,
    /// How many passwords are hashed at once.
    pub threads: usize,
    /// How many more may wait before callers are turned away.
    pub queue: usize,
}

impl Default for Options {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            rounds: None,
            scrypt_block_size: None,
            scrypt_parallelism: None,
            salt_bytesize: None,
            max_password_length: CEILING,
            strict: false,
            // Requests come first on every core: the threads that hash have a low priority.
            threads: cores,
            queue: 16 * cores,
        }
    }
}

/// Why a password could not be hashed or verified; none of these means that it is right.
#[derive(Debug)]
pub enum Error {
    /// Too many others are waiting.
    Busy {
        /// Seconds after which to try again.
        retry_after: u32,
    },
    /// A new password is longer than `max_password_length`.
    TooLong {
        /// The limit, in bytes.
        max: usize,
    },
    /// A new password holds half of a surrogate pair, which has no UTF-8.
    Unencodable,
    /// The stored hash is of an unknown format, or damaged.
    Unreadable(&'static str),
    /// An option of `[identity]` has a value that can't be used.
    Option {
        /// Its name.
        option: &'static str,
        /// The accepted values.
        allowed: String,
    },
    /// The system gave no random bytes, or the work was lost.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { .. } => f.write_str("too many passwords are waiting to be hashed"),
            // Keystone's `PasswordVerificationError`.
            Self::TooLong { max } => write!(
                f,
                "The password length must be less than or equal to {max}. The server could not comply with the \
                 request because the password is invalid."
            ),
            Self::Unencodable => f.write_str(
                "The password holds what is no character. The server could not comply with the request because the \
                 password is invalid.",
            ),
            Self::Unreadable(reason) => write!(f, "unreadable password hash: {reason}"),
            Self::Option { option, allowed } => write!(f, "[identity] {option} must be {allowed}"),
            Self::Failed(cause) => write!(f, "password hashing failed: {cause}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(cause) => Some(cause.as_ref()),
            _ => None,
        }
    }
}

impl From<Error> for keystone_types::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Busy { retry_after } => Self::busy(retry_after, "the password hashing queue"),
            Error::TooLong { .. } => Self::Refused(error.to_string()),
            Error::Unencodable => Self::Validation(error.to_string()),
            _ => Self::internal(error),
        }
    }
}
