//! A web server in front, which vouches for variables of a request.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request};
use keystone::api::{Environment, Network, TrustedProxy, with_environment};

use crate::{Answer, Session};

const ADDRESS: [u8; 4] = [10, 0, 0, 1];
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// `[trusted_proxy]` for a web server that may vouch for these variables.
pub fn trusted_proxy(variables: impl IntoIterator<Item = impl Into<String>>) -> TrustedProxy {
    TrustedProxy {
        addresses: vec![Network::parse("10.0.0.1").expect("an address")],
        secret: SECRET.into(),
        variables: variables.into_iter().map(Into::into).collect(),
        header_prefixes: Vec::new(),
    }
}

impl Session {
    /// Sends a request by way of that web server, which vouches for these variables.
    pub async fn send_vouched<'v>(
        &self,
        mut request: Request<Body>,
        variables: impl IntoIterator<Item = (&'v str, &'v str)>,
    ) -> Answer {
        let headers = request.headers_mut();
        headers.insert("x-keystone-proxy-secret", HeaderValue::from_static(SECRET));
        for (name, value) in variables {
            let name = format!("x-keystone-env-{}", name.replace('_', "-"));
            let name = HeaderName::try_from(name).expect("a variable's name fits a header");
            // The line ends of a certificate are blanks, as Apache httpd sends it.
            let value = HeaderValue::from_bytes(&wsgi_bytes(&value.replace('\n', " ")));
            headers.insert(name, value.expect("a variable's value fits a header"));
        }
        self.from(ADDRESS.into()).send(request).await
    }

    /// The same for whom an embedder vouches, with these variables.
    #[must_use]
    pub fn vouched_for<'v>(&self, variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        let environment: Environment = variables.into_iter().collect();
        self.on(|router| with_environment(router, environment))
    }
}

/// The bytes of a variable of WSGI: its characters are bytes, where they can be.
fn wsgi_bytes(text: &str) -> Vec<u8> {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    bytes.unwrap_or_else(|| text.as_bytes().to_vec())
}
