//! Signatures of `OAuth1`: the base string of RFC 5849 and the codes over it. Nothing here knows of requests or tokens.

use std::net::Ipv6Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystone_types::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::mac;

/// What RFC 5849 escapes: all but its unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A method whose key is a shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureMethod {
    HmacSha1,
    HmacSha256,
    HmacSha512,
    Plaintext,
}

/// The signed part of a request.
#[derive(Clone, Copy)]
pub(crate) struct Signed<'a> {
    /// The URL without its query.
    pub(crate) url: &'a str,
    /// The decoded parameters from everywhere but the signature.
    pub(crate) parameters: &'a [(String, String)],
}

impl SignatureMethod {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "HMAC-SHA1" => Some(Self::HmacSha1),
            "HMAC-SHA256" => Some(Self::HmacSha256),
            "HMAC-SHA512" => Some(Self::HmacSha512),
            "PLAINTEXT" => Some(Self::Plaintext),
            _ => None,
        }
    }

    /// The signature of a `POST` under the consumer's and the token's secret; none for a URL that has no base string.
    pub(crate) fn sign(
        self,
        signed: Signed<'_>,
        consumer: &Secret,
        token: Option<&Secret>,
    ) -> Option<String> {
        let token = token.map(Secret::reveal).unwrap_or_default();
        let key = format!("{}&{}", escape(consumer.reveal()), escape(token));
        let code = match self {
            Self::Plaintext => return Some(key),
            Self::HmacSha1 => mac::sha1,
            Self::HmacSha256 => mac::sha256,
            Self::HmacSha512 => mac::sha512,
        };
        let code = code(key.as_bytes(), signed.base_string()?.as_bytes());
        Some(STANDARD.encode(code))
    }

    /// Whether `given` is that signature, found in a time that does not tell where it differs.
    pub(crate) fn verifies(
        self,
        given: &str,
        signed: Signed<'_>,
        consumer: &Secret,
        token: Option<&Secret>,
    ) -> bool {
        let expected = self.sign(signed, consumer, token);
        expected.is_some_and(|expected| mac::same(given, &expected))
    }
}

impl Signed<'_> {
    fn base_string(self) -> Option<String> {
        let url = base_url(self.url)?;
        let mut pairs: Vec<(String, String)> = self
            .parameters
            .iter()
            .map(|(name, value)| (escape(name), escape(value)))
            .collect();
        pairs.sort_unstable();
        let pairs: Vec<String> = pairs
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let parameters = pairs.join("&");
        Some(format!("POST&{}&{}", escape(&url), escape(&parameters)))
    }
}

/// Scheme and host in lower case, no user, no port that the scheme has by itself, and a path.
fn base_url(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, "/"),
    };
    let host_and_port = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let (host, port) = match host_and_port.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (host_and_port, ""),
    };
    if host.is_empty() {
        return None;
    }
    let mut host = host.to_lowercase();
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if let Some(address) = address.and_then(|address| address.parse::<Ipv6Addr>().ok()) {
        host = format!("[{address}]");
    }
    let port = match port {
        "" => String::new(),
        port => match (scheme.as_str(), port.parse::<u16>().ok()?) {
            (_, 0) => return None,
            ("http", 80) | ("https", 443) => String::new(),
            (_, port) => format!(":{port}"),
        },
    };
    Some(format!("{scheme}://{host}{port}{path}").replace(' ', "%20"))
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

#[cfg(test)]
mod tests;
