//! Signed JSON Web Tokens: three texts in base64 (RFC 7515).
//!
//! They are read here, over the cryptography that TLS uses, as those of this server are in `keystone-token`: the crate
//! `jsonwebtoken` knows no ES512, takes the time from the machine, and would bring a second set of errors to translate.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::{Refusal, quoted};
use crate::settings::Algorithm;

/// The longest text that is looked at: more than any HTTP server takes for a header.
const LONGEST: usize = 64 * 1024;

/// A token whose signature is not verified yet.
pub(crate) struct Unverified<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    pub(crate) typ: Option<String>,
    /// What is signed.
    pub(crate) message: &'a str,
    pub(crate) signature: Vec<u8>,
    payload: &'a str,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

impl fmt::Debug for Unverified<'_> {
    /// Not the parts of the token, which are the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut token = f.debug_struct("Unverified");
        token.field("algorithm", &self.algorithm);
        token.field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl<'a> Unverified<'a> {
    /// Reads a token, if it is signed with one of these algorithms.
    pub(crate) fn parse(token: &'a str, allowed: &[Algorithm]) -> Result<Self, Refusal> {
        if token.len() > LONGEST {
            return Err(Refusal::Malformed("it is too long"));
        }
        let parts: Vec<&str> = token.split('.').collect();
        let (header, payload, signature) = match parts[..] {
            [header, payload, signature] => (header, payload, signature),
            [_, _, _, _, _] => return Err(Refusal::Encrypted),
            _ => return Err(Refusal::Malformed("it has not three parts")),
        };
        let message = &token[..header.len() + 1 + payload.len()];
        let header = decoded(header)?;
        let header: Header = serde_json::from_slice(&header)
            .map_err(|_| Refusal::Malformed("its header is none"))?;
        if header.crit.is_some() {
            return Err(Refusal::Critical);
        }
        let algorithm = header.alg.parse().ok();
        let algorithm = algorithm
            .filter(|it| allowed.contains(it))
            .ok_or_else(|| Refusal::Algorithm(quoted(&header.alg)))?;
        Ok(Self {
            algorithm,
            kid: header.kid,
            typ: header.typ,
            message,
            signature: decoded(signature)?,
            payload,
        })
    }

    /// The type in lower case, without the part that RFC 7515 lets a token leave away.
    pub(crate) fn media_type(&self) -> Option<String> {
        let typ = self.typ.as_ref()?.to_ascii_lowercase();
        let short = typ.strip_prefix("application/").map(str::to_owned);
        Some(short.unwrap_or(typ))
    }

    /// The claims, once the signature is verified.
    pub(crate) fn claims(&self) -> Result<Map<String, Value>, Refusal> {
        let payload = decoded(self.payload)?;
        serde_json::from_slice(&payload)
            .map_err(|_| Refusal::Malformed("its payload is no JSON object"))
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, Refusal> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(part);
    decoded.map_err(|_| Refusal::Malformed("a part of it is not in base64url"))
}
