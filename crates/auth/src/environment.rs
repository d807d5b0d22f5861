//! Variables of a request that a web server in front of this one, or its own TLS, vouches for.

use std::collections::BTreeMap;

use keystone_federation::{Assertion, header_key};

/// What WSGI calls the environment, without anything that the client itself says: `REMOTE_USER`, `SSL_CLIENT_S_DN` …
///
/// A server puts one among the extensions of a request; see `keystone_api`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// Headers that count as attributes of identity providers, by [`header_key`].
    headers: BTreeMap<String, String>,
}

impl Environment {
    /// None.
    pub const fn new() -> Self {
        Self {
            variables: BTreeMap::new(),
            headers: BTreeMap::new(),
        }
    }

    /// Adds headers that are attributes of identity providers, and nothing else: no user is one by a header alone.
    #[must_use]
    pub fn with_headers<N: AsRef<str>, V: Into<String>>(
        mut self,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let headers = headers.into_iter();
        self.headers
            .extend(headers.map(|(name, value)| (header_key(name.as_ref()), value.into())));
        self
    }

    /// A variable; an empty one counts as none.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// The text of an attribute of an identity provider; it may be empty.
    pub(crate) fn attribute(&self, name: &str, with_headers: bool) -> Option<&str> {
        let found = self.variables.get(name);
        let header = || self.headers.get(&header_key(name));
        let found = found.or_else(|| with_headers.then(header).flatten());
        found.map(String::as_str)
    }

    /// Whether there is no variable.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty() && self.headers.is_empty()
    }

    /// The variables as the attributes of an assertion, and the headers where these count.
    pub(crate) fn assertion(&self, with_headers: bool) -> Assertion {
        let assertion: Assertion = self.variables.iter().collect();
        if with_headers {
            assertion.with_headers(&self.headers)
        } else {
            assertion
        }
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter();
        Self {
            variables: variables
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            headers: BTreeMap::new(),
        }
    }
}
