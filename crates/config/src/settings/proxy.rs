//! `[trusted_proxy]`, which Keystone does not have: there WSGI hands over what the web server vouches for.

use std::fs;

use keystone::api::{Network, TrustedProxy};
use keystone::auth::header_key;
use keystone::types::Secret;

use super::{Reader, text};

const GROUP: &str = "trusted_proxy";

/// A secret that is shorter can be guessed.
const SHORTEST_SECRET: usize = 32;

impl Reader<'_> {
    /// The proxy, where one is configured: in full, or the server does not start.
    pub(super) fn trusted_proxy(&mut self) -> Option<TrustedProxy> {
        let config = self.config;
        let addresses = config.list(GROUP, "addresses");
        let file = text(config.optional_string(GROUP, "secret_file"));
        let variables = config.list(GROUP, "variables").to_vec();
        let header_prefixes = config.list(GROUP, "header_prefixes").to_vec();
        if addresses.is_empty() && file.is_none() {
            return None;
        }
        let networks: Vec<Network> = addresses
            .iter()
            .filter_map(|it| Network::parse(it))
            .collect();
        if networks.is_empty() || networks.len() < addresses.len() {
            let problem =
                "expected addresses of connections from the proxy, such as 127.0.0.1 or 10.0.0.0/8";
            self.problem(GROUP, "addresses", problem);
        }
        let is_name = |name: &String| {
            let known = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            !name.is_empty() && name.chars().all(known)
        };
        let is_prefix = |prefix: &String| is_name(prefix) && !is_taken(prefix);
        if let Some(wrong) = header_prefixes.iter().find(|prefix| !is_prefix(prefix)) {
            let problem = format!(
                "expected prefixes of headers that tell of identity providers, such as OIDC-,MELLON_,Shib-; {wrong:?} is none, \
                 or one of headers that mean something else"
            );
            self.problem(GROUP, "header_prefixes", problem);
        }
        if variables.is_empty() || !variables.iter().all(is_name) {
            let problem = "expected names of variables, such as REMOTE_USER,REMOTE_DOMAIN";
            self.problem(GROUP, "variables", problem);
        }
        Some(TrustedProxy {
            addresses: networks,
            secret: self.proxy_secret(file.as_deref()),
            variables,
            header_prefixes,
        })
    }

    fn proxy_secret(&mut self, file: Option<&str>) -> Secret {
        let Some(file) = file else {
            self.problem(
                GROUP,
                "secret_file",
                "expected a file with the secret that the proxy sends",
            );
            return Secret::from(String::new());
        };
        let secret = match fs::read_to_string(file) {
            Ok(secret) => secret.trim().to_owned(),
            Err(error) => {
                self.problem(
                    GROUP,
                    "secret_file",
                    format!("{file} can't be read: {error}"),
                );
                return Secret::from(String::new());
            }
        };
        if secret.len() < SHORTEST_SECRET {
            let problem = format!("expected {SHORTEST_SECRET} characters or more in {file}");
            self.problem(GROUP, "secret_file", problem);
        }
        Secret::from(secret)
    }
}

/// Whether headers that the server reads itself, or that clients send, begin so.
fn is_taken(prefix: &str) -> bool {
    const TAKEN: [&str; 12] = [
        "accept",
        "authorization",
        "connection",
        "content-",
        "cookie",
        "forwarded",
        "host",
        "openstack-",
        "origin",
        "transfer-encoding",
        "user-agent",
        "x-",
    ];
    let prefix = header_key(prefix);
    TAKEN
        .iter()
        .any(|name| name.starts_with(&prefix) || prefix.starts_with(name))
}
