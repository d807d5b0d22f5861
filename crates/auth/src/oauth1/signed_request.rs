//! A signed request, and the checks of oauthlib's endpoints that Keystone runs (`keystone/oauth1/validator.py`).
//!
//! Keystone remembers neither nonces nor timestamps: a request can be repeated for ten minutes.

use std::fmt;

use chrono::NaiveDateTime;
use keystone_types::{Error, Result, Secret};
use percent_encoding::percent_decode_str;

use super::header::Header;
use super::signature::{SignatureMethod, Signed};

/// How far the client's clock may be off, in seconds.
const TIMESTAMP_LIFETIME: f64 = 600.0;

/// A request as its client has signed it; by default one without a signature.
#[derive(Default)]
pub struct SignedRequest {
    /// The `Authorization` header, each byte as a character.
    pub authorization: Option<String>,
    /// The URL that it was sent to, without the query.
    pub url: String,
    /// The decoded query.
    pub query: Vec<(String, String)>,
    /// Whether its content type is that of a form. Keystone then takes the query for the form too.
    pub is_form: bool,
}

/// The parameters of a request from all its parts, decoded.
pub(crate) struct Protocol<'a> {
    url: &'a str,
    /// Those of the protocol, which are in the header.
    oauth: Vec<(&'a str, String)>,
    realm: Option<&'a str>,
    signed: Vec<(String, String)>,
}

/// A request that breaks the protocol, in oauthlib's words.
#[derive(Debug)]
pub(crate) struct Breach {
    error: &'static str,
    description: String,
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The header holds the secrets where the method is `PLAINTEXT`.
        f.debug_struct("SignedRequest")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl SignedRequest {
    /// The header. Keystone answers 500 where there is none, and drops the connection where it can't be read.
    pub(crate) fn header(&self) -> Result<Header> {
        let Some(text) = &self.authorization else {
            return Err(Error::internal(
                "a client that uses OAuth1 sent no Authorization header: if it did, something in front of this server \
                 has removed it",
            ));
        };
        let header = Header::parse(text);
        header.ok_or_else(|| Error::Validation("Malformed authorization header".to_owned()))
    }

    /// The parameters of the header and of the query.
    pub(crate) fn protocol<'a>(&'a self, header: &'a Header) -> Result<Protocol<'a>, Breach> {
        let mut all: Vec<(&str, &str)> = Vec::new();
        let borrowed = |(name, value): &'a (String, String)| (name.as_str(), value.as_str());
        all.extend(header.pairs().iter().map(borrowed));
        let mut form: Vec<(&str, &str)> = Vec::new();
        if self.is_form {
            for (name, value) in self.query.iter().map(borrowed) {
                if !form.iter().any(|(known, _)| *known == name) {
                    form.push((name, value));
                }
            }
        }
        all.extend(&form);
        all.extend(self.query.iter().map(borrowed));
        if self
            .query
            .iter()
            .any(|(name, _)| name.starts_with("oauth_"))
        {
            let places = if self.is_form {
                "AUTH_HEADER, BODY, QUERY"
            } else {
                "AUTH_HEADER, QUERY"
            };
            // The tuple is oauthlib's, which forgets to format it.
            return Err(Breach::of(format!(
                "('oauth_ params must come from only 1 signaturetype but were found in %s', '{places}')"
            )));
        }
        let text = self.authorization.as_deref().unwrap_or_default();
        let is_signed =
            |name: &str| name != "oauth_signature" && (name != "realm" || !text.contains("realm"));
        Ok(Protocol {
            url: &self.url,
            oauth: header
                .pairs()
                .iter()
                .filter(|(name, _)| name.starts_with("oauth_"))
                .map(|(name, value)| (name.as_str(), unescaped(name, value)))
                .collect(),
            realm: all
                .iter()
                .rfind(|(name, _)| *name == "realm")
                .map(|(_, value)| *value)
                .filter(|realm| !realm.is_empty()),
            signed: all
                .iter()
                .filter(|(name, _)| is_signed(name))
                .map(|(name, value)| ((*name).to_owned(), unescaped(name, value)))
                .collect(),
        })
    }
}

impl Protocol<'_> {
    /// A parameter of the protocol; an empty one counts as missing.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.oauth.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The checks of every signed request, in oauthlib's order.
    pub(crate) fn check(&self, now: NaiveDateTime) -> Result<(), Breach> {
        const MANDATORY: [&str; 5] = [
            "oauth_signature",
            "oauth_consumer_key",
            "oauth_nonce",
            "oauth_timestamp",
            "oauth_signature_method",
        ];
        let [
            Some(_),
            Some(consumer),
            Some(nonce),
            Some(timestamp),
            Some(method),
        ] = MANDATORY.map(|name| self.get(name))
        else {
            return Err(Breach::of("Missing mandatory OAuth parameters."));
        };
        // Those with RSA are let through here, and never verify: consumers have no keys.
        let is_rsa = matches!(method, "RSA-SHA1" | "RSA-SHA256" | "RSA-SHA512");
        if !is_rsa && SignatureMethod::parse(method).is_none() {
            return Err(Breach {
                error: "invalid_signature_method",
                description: format!(
                    "Invalid signature, {method} not in ('HMAC-SHA1', 'HMAC-SHA256', 'HMAC-SHA512', 'RSA-SHA1', \
                     'RSA-SHA256', 'RSA-SHA512', 'PLAINTEXT')."
                ),
            });
        }
        let version = self.oauth.iter().find(|(name, _)| *name == "oauth_version");
        if version.is_some_and(|(_, version)| version != "1.0") {
            return Err(Breach::of("Invalid OAuth version."));
        }
        check_timestamp(timestamp, now)?;
        if !is_id(consumer) {
            return Err(Breach::of("Invalid client key format."));
        }
        if !nonce.bytes().all(is_hex_digit) {
            return Err(Breach::of("Invalid nonce format."));
        }
        Ok(())
    }

    /// The further checks of a request for a request token.
    pub(crate) fn check_callback(&self) -> Result<(), Breach> {
        if let Some(realm) = self.realm {
            let realms: Vec<String> = realm.split(' ').map(keystone_python::quote).collect();
            let realms = realms.join(", ");
            return Err(Breach::of(format!(
                "Invalid realm [{realms}]. Allowed are []."
            )));
        }
        match self.get("oauth_callback") {
            Some(_) => Ok(()),
            None => Err(Breach::of("Missing callback URI.")),
        }
    }

    /// The further checks of a request for an access token.
    pub(crate) fn check_verifier(&self) -> Result<(), Breach> {
        let Some(token) = self.get("oauth_token") else {
            return Err(Breach::of("Missing resource owner."));
        };
        if !is_id(token) {
            return Err(Breach::of("Invalid resource owner key format."));
        }
        let Some(verifier) = self.get("oauth_verifier") else {
            return Err(Breach::of("Missing verifier."));
        };
        let is_known = |byte: u8| super::VERIFIER_CHARACTERS.contains(&byte);
        if verifier.len() == super::VERIFIER_LENGTH && verifier.bytes().all(is_known) {
            Ok(())
        } else {
            Err(Breach::of("Invalid verifier format."))
        }
    }

    /// The further check of a login.
    pub(crate) fn check_token(&self) -> Result<(), Breach> {
        if self.get("oauth_token").is_some_and(is_id) {
            Ok(())
        } else {
            Err(Breach::of("Invalid resource owner key format."))
        }
    }

    /// Whether it is signed with the secrets of this consumer and this token.
    pub(crate) fn is_signed_with(&self, consumer: &Secret, token: Option<&Secret>) -> bool {
        let method = self.get("oauth_signature_method");
        let Some(method) = method.and_then(SignatureMethod::parse) else {
            return false;
        };
        let signed = Signed {
            url: self.url,
            parameters: &self.signed,
        };
        let given = self.get("oauth_signature").unwrap_or_default();
        method.verifies(given, signed, consumer, token)
    }
}

impl Breach {
    fn of(description: impl Into<String>) -> Self {
        Self {
            error: "invalid_request",
            description: description.into(),
        }
    }

    /// 401, for the method of a login.
    pub(crate) fn unauthorized(self) -> Error {
        Error::unauthorized(self.description)
    }
}

impl From<Breach> for Error {
    fn from(breach: Breach) -> Self {
        let Breach { error, description } = breach;
        Self::Validation(format!(
            "Validation failed with errors: {error}, detail message is: {description}."
        ))
    }
}

/// The value of a parameter of the protocol is escaped once more, in the header and in the query.
fn unescaped(name: &str, value: &str) -> String {
    if name.starts_with("oauth_") {
        percent_decode_str(value).decode_utf8_lossy().into_owned()
    } else {
        value.to_owned()
    }
}

fn check_timestamp(text: &str, now: NaiveDateTime) -> Result<(), Breach> {
    if text.chars().count() != 10 {
        return Err(Breach::of("Invalid timestamp size"));
    }
    let Some(seconds) = python_integer(text) else {
        return Err(Breach::of("Timestamp must be an integer."));
    };
    let difference =
        now.and_utc() - chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    if difference.as_seconds_f64().abs() > TIMESTAMP_LIFETIME {
        return Err(Breach::of(
            "Timestamp given is invalid, differ from allowed by over 600 seconds.",
        ));
    }
    Ok(())
}

/// A text of ten characters as Python's `int` reads it: with spaces around it, a sign, and `_` between digits.
fn python_integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let groups = || digits.split('_');
    let is_number = |group: &str| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit());
    if !groups().all(is_number) {
        return None;
    }
    let number: i64 = groups().collect::<String>().parse().ok()?;
    Some(if text.starts_with('-') {
        -number
    } else {
        number
    })
}

/// Keystone makes the ids of consumers and tokens of 32 hexadecimal digits, and takes no others.
fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(is_hex_digit)
}

fn is_hex_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests;
