//! The token provider that the operator chose.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use chrono::{NaiveDateTime, SubsecRound};

use crate::error::Result;
use crate::fernet::Fernet;
use crate::jws::Jws;
use crate::token::Token;

/// `[token] provider`: turns tokens into text and back.
#[derive(Clone, Debug)]
pub enum Tokens {
    /// Encrypted tokens.
    Fernet(Fernet),
    /// Signed tokens, which anyone can read.
    Jws(Arc<Jws>),
}

/// A set of keys, to be compared with another.
#[derive(Clone, Debug)]
pub struct OpeningKeys(Arc<dyn Any + Send + Sync>);

impl OpeningKeys {
    /// Whether they are the same set, unchanged.
    pub fn are(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Tokens {
    /// The token as text.
    pub fn seal(&self, token: &Token) -> Result<String> {
        match self {
            Self::Fernet(fernet) => fernet.seal(token),
            Self::Jws(jws) => jws.seal(token),
        }
    }

    /// Opens a token that was made with one of the keys, expired, revoked or neither.
    pub fn open(&self, text: &str) -> Result<Token> {
        match self {
            Self::Fernet(fernet) => fernet.open(text),
            Self::Jws(jws) => jws.open(text),
        }
    }

    /// The keys that tokens are opened with, as they were at `since` or later. What was opened with the same ones still
    /// opens.
    pub fn keys_since(&self, since: Instant) -> Result<OpeningKeys> {
        Ok(OpeningKeys(match self {
            Self::Fernet(fernet) => fernet.keys().keys_since(since)?,
            Self::Jws(jws) => jws.public_keys(since)?,
        }))
    }

    /// The time of issue of a token that is made now. Both keep whole seconds in the text, but the answer to the login tells
    /// what Keystone's provider tells: that of JWS the microseconds too.
    pub fn issue_time(&self, now: NaiveDateTime) -> NaiveDateTime {
        match self {
            Self::Fernet(_) => now.trunc_subsecs(0),
            Self::Jws(_) => now,
        }
    }
}
