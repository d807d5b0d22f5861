//! Assertions: what an identity provider says of a user.

use std::collections::BTreeMap;

/// The attributes of an assertion, each with its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assertion(BTreeMap<String, Vec<String>>);

impl Assertion {
    /// The values of an attribute; an attribute has at least one.
    pub(crate) fn values(&self, name: &str) -> Option<&[String]> {
        self.0.get(name).map(Vec::as_slice)
    }
}

/// Attributes as a web server passes them on: the values of one are joined by semicolons.
impl<N: Into<String>, T: AsRef<str>> FromIterator<(N, T)> for Assertion {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(attributes: I) -> Self {
        let split = |(name, text): (N, T)| {
            let values = text.as_ref().split(';').map(str::to_owned);
            (name.into(), values.collect())
        };
        Self(attributes.into_iter().map(split).collect())
    }
}
