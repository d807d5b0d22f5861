//! The Fernet token provider.

use std::sync::Arc;

use crate::container;
use crate::error::Result;
use crate::methods::Methods;
use crate::payload::Encoding;
use crate::ring::KeyRing;
use crate::token::Token;

/// Turns tokens into text and back.
#[derive(Clone, Debug)]
pub struct Fernet {
    keys: Arc<KeyRing>,
    encoding: Encoding,
}

impl Fernet {
    /// `methods` is `[auth] methods` in its order, `default_domain_id` that of `[identity]`; every
    /// node must be given the same.
    pub fn new(keys: Arc<KeyRing>, methods: Vec<String>, default_domain_id: String) -> Self {
        Self {
            keys,
            encoding: Encoding {
                methods: Methods::new(methods),
                default_domain_id,
            },
        }
    }

    /// The keys in use; what [`open`](Self::open) returned holds while they give the same set.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// The token as text, sealed with the primary key.
    pub fn seal(&self, token: &Token) -> Result<String> {
        let keys = self.keys.keys()?;
        container::seal(&keys, &self.encoding.pack(token)?, token.issued_at)
    }

    /// Opens a token that one of the keys has sealed, expired, revoked or neither.
    pub fn open(&self, sealed: &str) -> Result<Token> {
        let keys = self.keys.keys()?;
        let (payload, issued_at) = container::open(&keys, sealed)?;
        self.encoding.unpack(&payload, issued_at)
    }
}
