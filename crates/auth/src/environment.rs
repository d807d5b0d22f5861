//! Variables of a request that a web server in front of this one, or its own TLS, vouches for.

use std::collections::BTreeMap;

use keystone_federation::Assertion;

/// What WSGI calls the environment, without anything that the client itself says: `REMOTE_USER`, `SSL_CLIENT_S_DN` …
///
/// A server puts one among the extensions of a request; see `keystone_api`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// None.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// A variable; an empty one counts as none.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// Whether there is no variable.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The variables as the attributes of an assertion.
    pub(crate) fn assertion(&self) -> Assertion {
        self.0.iter().collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter();
        Self(
            variables
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}
