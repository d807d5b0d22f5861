//! Password hashes: those that Python Keystone writes, read and written, and argon2id.
//!
//! **Secrets longer than 72 bytes.** bcrypt sees no more than 72 bytes. With the algorithm `bcrypt`
//! Python Keystone cuts what is longer, whatever the format of the stored hash, so that `A*72+"B"`
//! verifies as `A*72+"C"`. Here nothing is cut. With [`Algorithm::Bcrypt`] a longer secret is written
//! as a `$bcrypt-sha256$` that holds two digests: one of the whole, which decides here, and one of
//! the first 72 bytes, which is the only thing that Python Keystone can verify when it takes over
//! again. (A plain `$bcrypt-sha256$` of the whole would lock these users out there.)
//!
//! A `$2b$` hash never verifies a longer secret: whether the hash was made from that secret or from
//! another one with the same beginning can't be told, and a wrong secret that is let in is worse than
//! a right one that has to be set again. When the first 72 bytes do match, the failure is
//! [`Error::Cut`], not `false`, so that the log can tell the operator of an adopted database why, and
//! so that a caller who knows more (the 86 random characters of a generated application credential
//! secret) can decide otherwise.
//!
//! **Past `[identity] max_password_length`** nothing is cut either: hashing refuses, verifying is
//! `false`, and neither costs time.
//!
//! **NUL bytes** are hashed like any other byte, as Python Keystone does; in `$2b$` a NUL also ends
//! each repetition of the key, which is a property of bcrypt.
//!
//! **`$bcrypt-sha256$` below 10 rounds** is read, but not written: Python Keystone does not verify
//! its own hashes with a one-digit `r=`, so fewer rounds are raised to 10.

mod bcrypt;
mod hasher;
mod phc;
mod recipe;
mod regex;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

pub use hasher::Hasher;
pub(crate) use regex::Undecided;
pub use regex::{InvalidPattern, PasswordRegex};

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

/// What `[identity]` says about hashing; `None` and zero stand for the algorithm's own default.
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
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            rounds: None,
            scrypt_block_size: None,
            scrypt_parallelism: None,
            salt_bytesize: None,
            max_password_length: 4096,
            strict: false,
            threads,
            queue: 16 * threads,
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
    /// The stored hash is of an unknown format, or damaged.
    Unreadable(&'static str),
    /// The first 72 bytes match a `$2b$` hash, which holds nothing about the rest.
    Cut,
    /// An option of `[identity]` has a value that can't be used.
    Option {
        /// Its name.
        option: &'static str,
        /// What it may be.
        allowed: String,
    },
    /// The system gave no random bytes, or the work was lost.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { .. } => f.write_str("too many passwords are waiting to be hashed"),
            // The reference's PasswordVerificationError.
            Self::TooLong { max } => write!(
                f,
                "The password length must be less than or equal to {max}. The server could not comply with the \
                 request because the password is invalid."
            ),
            Self::Unreadable(reason) => write!(f, "unreadable password hash: {reason}"),
            Self::Cut => f.write_str(
                "the first 72 bytes match a bcrypt hash that knows nothing of the rest: the secret has to be set again",
            ),
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
            _ => Self::internal(error),
        }
    }
}
