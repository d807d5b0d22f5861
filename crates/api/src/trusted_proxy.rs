//! `[trusted_proxy]`: a web server in front of this one that authenticates users or verifies certificates, and says so in
//! headers.
//!
//! Its headers count only on connections from its addresses, and only beside the secret that both share; each carries one
//! variable of the operator's list. From everybody else such headers are dropped.

use axum::http::{HeaderMap, HeaderValue};
use keystone_auth::Environment;
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
}

/// The variables that the headers of a request set, where a trusted proxy has sent it. No handler sees the headers any more.
pub(crate) fn take(
    proxy: Option<&TrustedProxy>,
    connection: Option<Connection>,
    headers: &mut HeaderMap,
) -> Option<Environment> {
    let proven = proxy.filter(|proxy| is_proven(proxy, connection, headers));
    let environment = proven.map(|proxy| variables(proxy, headers));
    let names = headers.keys();
    let names = names.filter(|name| name.as_str().starts_with(PREFIX) || *name == SECRET);
    for name in names.cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
    environment
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
            // `mod_headers` of Apache httpd writes `(null)` for a variable that is not set.
            (Some(value), None) => Some((name.clone(), text(value)))
                .filter(|(_, text)| !text.is_empty() && text != "(null)"),
            (Some(_), Some(_)) => {
                tracing::warn!(
                    variable = name,
                    "the trusted proxy sends a variable twice: it has to replace what clients send; the variable is ignored"
                );
                None
            }
            (None, _) => None,
        }
    };
    proxy.variables.iter().filter_map(variable).collect()
}

/// UTF-8, or else Latin-1, as `keystone/federation/utils.py` takes values.
fn text(value: &HeaderValue) -> String {
    let bytes = value.as_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}
