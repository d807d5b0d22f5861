//! `[trusted_proxy]`: a web server in front of this one that authenticates users or verifies certificates, and says so in
//! headers.
//!
//! Its headers count only on connections from its addresses, and only beside the secret that both share; each carries one
//! variable of the operator's list. Modules that speak to identity providers can't be told the names of their headers as far as
//! that: what begins with a prefix of the operator's list is an attribute of the identity provider, and nothing else. From
//! everybody else all these headers are dropped.
//!
//! `_` and `-` are the same in the name of a header, because many servers in between make one of the other.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use keystone_auth::{Environment, header_key};
use keystone_types::Secret;

use crate::Network;
use crate::middleware::{Connection, same};

/// In front of the name of a variable, of which each `_` is a `-` in the header.
const PREFIX: &str = "x-keystone-env-";

/// The header with the secret.
const SECRET: &str = "x-keystone-proxy-secret";

/// How a web server in front of this one proves itself, and the variables that it may set.
#[derive(Clone, Debug)]
pub struct TrustedProxy {
    /// `addresses`
    pub addresses: Vec<Network>,
    /// The content of `secret_file`.
    pub secret: Secret,
    /// `variables`
    pub variables: Vec<String>,
    /// `header_prefixes`
    pub header_prefixes: Vec<String>,
}

/// The variables that the headers of a request set, where a trusted proxy has sent it. No handler sees the headers any more.
pub(crate) fn take(
    proxy: Option<&TrustedProxy>,
    connection: Option<Connection>,
    headers: &mut HeaderMap,
) -> Option<Environment> {
    let prefixes = proxy.map_or(&[][..], |proxy| &proxy.header_prefixes[..]);
    let names = headers.keys().filter(|name| {
        let is_own = name.as_str().starts_with(PREFIX) || *name == SECRET;
        is_own || is_attribute(prefixes, name)
    });
    let names: Vec<_> = names.cloned().collect();
    // A proxy that sends its secret with logins only passes on everything else like this: there is nothing to log.
    if names.is_empty() {
        return None;
    }
    let proven = proxy.filter(|proxy| is_proven(proxy, connection, headers));
    let environment = proven.map(|proxy| {
        let attributes = attributes(&proxy.header_prefixes, headers);
        variables(proxy, headers).with_headers(attributes)
    });
    for name in names {
        headers.remove(name);
    }
    environment
}

fn is_attribute(prefixes: &[String], name: &HeaderName) -> bool {
    let name = header_key(name.as_str());
    let mut prefixes = prefixes.iter();
    prefixes.any(|prefix| name.starts_with(&header_key(prefix)))
}

/// The headers that are attributes, by their names with `-`. One that is there twice, in whatever spelling, is none: the proxy
/// has added its own to one of the client's.
fn attributes(prefixes: &[String], headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut found = BTreeMap::<String, Vec<&HeaderValue>>::new();
    for (name, value) in headers
        .iter()
        .filter(|(name, _)| is_attribute(prefixes, name))
    {
        found
            .entry(header_key(name.as_str()))
            .or_default()
            .push(value);
    }
    let only = |(name, values): (String, Vec<&HeaderValue>)| {
        if let [value] = values[..] {
            return some(value).map(|value| (name, value));
        }
        warn_of_two(&name);
        None
    };
    found.into_iter().filter_map(only).collect()
}

fn is_proven(proxy: &TrustedProxy, connection: Option<Connection>, headers: &HeaderMap) -> bool {
    let Some(connection) = connection else {
        return false;
    };
    let address = connection.remote.ip();
    if !proxy.addresses.iter().any(|it| it.holds(address)) {
        return false;
    }
    let secret = headers.get(SECRET).and_then(|value| value.to_str().ok());
    let is_proven = secret.is_some_and(|secret| same(proxy.secret.reveal(), secret));
    if !is_proven {
        tracing::warn!(
            %address,
            "a request from an address of [trusted_proxy] has no secret, or a wrong one: it counts as a client's"
        );
    }
    is_proven
}

fn variables(proxy: &TrustedProxy, headers: &HeaderMap) -> Environment {
    let variable = |name: &String| {
        let header = format!("{PREFIX}{}", name.replace('_', "-"));
        let mut lines = headers.get_all(header).iter();
        // Two lines mean that the proxy has added its own to one of the client's.
        match (lines.next(), lines.next()) {
            (Some(value), None) => some(value).map(|value| (name.clone(), value)),
            (Some(_), Some(_)) => {
                warn_of_two(name);
                None
            }
            (None, _) => None,
        }
    };
    proxy.variables.iter().filter_map(variable).collect()
}

fn warn_of_two(variable: &str) {
    tracing::warn!(
        variable,
        "the trusted proxy sends a variable twice: it has to replace what clients send; the variable is ignored"
    );
}

/// The text of a variable that is set: `mod_headers` of Apache httpd writes `(null)` for one that is not.
fn some(value: &HeaderValue) -> Option<String> {
    Some(text(value)).filter(|text| !text.is_empty() && text != "(null)")
}

/// UTF-8, or else Latin-1, as `keystone/federation/utils.py` takes values.
fn text(value: &HeaderValue) -> String {
    let bytes = value.as_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}
