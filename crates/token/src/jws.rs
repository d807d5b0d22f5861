//! The JWS token provider: tokens signed with a private key, which every node with its public key accepts.
//!
//! A token is a compact JWS (RFC 7515) as `PyJWT` writes it. That is three texts in base64, so that it is done here, over
//! the cryptography that TLS uses; the crate `jsonwebtoken` knows no ES512. This reader is stricter than `PyJWT`: a text has
//! one spelling, and nothing is skipped, whether a member of the header, a claim or a character. A claim that this release
//! doesn't know could be a limit of the token.

mod claims;
mod keys;
mod pem;

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::keys::KeyState;
use crate::token::Token;
use crate::watch::{Watch, snapshot};
use claims::Claims;
use keys::{PrivateDirectory, PublicDirectory};

pub use keys::{Algorithm, JwsKeys, PairFiles};

/// The longest text that is looked at: more than any HTTP server takes for a header.
const LONGEST: usize = 64 * 1024;

/// Turns tokens into signed text and back.
#[derive(Debug)]
pub struct Jws {
    algorithm: Algorithm,
    accepted: Vec<Algorithm>,
    private: Watch<PrivateDirectory>,
    public: Watch<PublicDirectory>,
}

/// The first part of a token.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
}

impl Jws {
    /// Tokens under these keys, which need not exist yet.
    pub fn new(keys: &JwsKeys) -> Self {
        Self {
            algorithm: keys.algorithm,
            accepted: keys.accepted.clone(),
            private: Watch::new(PrivateDirectory::of(keys)),
            public: Watch::new(PublicDirectory::of(keys)),
        }
    }

    /// The token as text, signed with the private key.
    pub fn seal(&self, token: &Token) -> Result<String> {
        let key = self.private.keys()?;
        let header = Header {
            alg: self.algorithm.name().to_owned(),
            typ: Some("JWT".to_owned()),
        };
        let header = encoded(&header)?;
        let mut text = format!("{header}.{}", encoded(&Claims::of(token))?);
        let signature = key.sign(text.as_bytes())?;
        text.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(text)
    }

    /// The public keys as they were at `since` or later: the same `Arc` for as long as they stay the same.
    pub(crate) fn public_keys(&self, since: Instant) -> Result<Arc<dyn Any + Send + Sync>> {
        Ok(self.public.keys_since(since)?)
    }

    /// What an operator may know of the public keys. It fails where tokens can't be signed, too.
    pub fn state(&self) -> Result<KeyState> {
        self.private.keys()?;
        Ok(self.public.keys()?.state(self.public.written()))
    }

    /// Opens a token that one of the private keys has signed, expired, revoked or neither.
    pub fn open(&self, text: &str) -> Result<Token> {
        let keys = self.public.keys()?;
        let (signed, signature) = text
            .rsplit_once('.')
            .filter(|_| text.len() <= LONGEST)
            .ok_or(Error::Unrecognized)?;
        let (header, claims) = signed.split_once('.').ok_or(Error::Unrecognized)?;
        let algorithm = self.algorithm_of(header).ok_or(Error::Unrecognized)?;
        let signature = decoded(signature).ok_or(Error::Unrecognized)?;
        if !keys.verify(algorithm, signed.as_bytes(), &signature) {
            return Err(Error::Unrecognized);
        }
        let claims = decoded(claims).ok_or(Error::Malformed("claims"))?;
        let claims: Claims =
            serde_json::from_slice(&claims).map_err(|_| Error::Malformed("claims"))?;
        claims.token()
    }

    /// The algorithm that a header names, if it is accepted.
    fn algorithm_of(&self, header: &str) -> Option<Algorithm> {
        let header: Header = serde_json::from_slice(&decoded(header)?).ok()?;
        let is_jwt = header.typ.is_none_or(|kind| kind == "JWT");
        let algorithm = Algorithm::parse(&header.alg).filter(|_| is_jwt)?;
        self.accepted.contains(&algorithm).then_some(algorithm)
    }
}

impl JwsKeys {
    /// Reads the keys once, as a server does when it starts; an error says what is missing.
    pub fn check(&self) -> Result<()> {
        let private = snapshot(&PrivateDirectory::of(self)).keys?;
        let public = snapshot(&PublicDirectory::of(self)).keys?;
        if public.holds(&private) {
            return Ok(());
        }
        Err(Error::Unpaired {
            path: self.public.clone(),
        })
    }
}

/// JSON in base64.
fn encoded(part: &impl Serialize) -> Result<String> {
    let json = serde_json::to_string(part).map_err(|_| Error::Malformed("claims"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(json))
}

/// What a text in base64 stands for, if it is the one spelling of that.
fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}
