//! Assertions: what an identity provider says of a user.

use std::collections::BTreeMap;

/// The attributes of an assertion, each with its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assertion {
    attributes: BTreeMap<String, Vec<String>>,
    /// Those that arrived as headers, by [`header_key`].
    headers: BTreeMap<String, Vec<String>>,
    /// How the name of an attribute begins that counts.
    prefix: String,
}

impl Assertion {
    /// Attributes whose values are lists: a value is what it is, whatever it holds.
    pub fn of_lists<N: Into<String>>(
        attributes: impl IntoIterator<Item = (N, Vec<String>)>,
    ) -> Self {
        let attributes = attributes.into_iter();
        let attributes = attributes.filter(|(_, values)| !values.is_empty());
        Self {
            attributes: attributes
                .map(|(name, values)| (name.into(), values))
                .collect(),
            ..Self::default()
        }
    }

    /// Adds attributes that a web server in front passes on as headers, with their values as [`FromIterator`] has them. A
    /// mapping may name `OIDC-groups` as WSGI would (`HTTP_OIDC_GROUPS`) or as the web server's own variable.
    #[must_use]
    pub fn with_headers<N: AsRef<str>, T: AsRef<str>>(
        mut self,
        headers: impl IntoIterator<Item = (N, T)>,
    ) -> Self {
        let headers = headers.into_iter();
        self.headers
            .extend(headers.map(|(name, text)| (header_key(name.as_ref()), split(text.as_ref()))));
        self
    }

    /// The attributes whose names, as a mapping has them, begin with a text: `[federation] assertion_prefix`.
    #[must_use]
    pub fn starting_with(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// The values of an attribute; an attribute has at least one.
    pub fn values(&self, name: &str) -> Option<&[String]> {
        if !name.starts_with(&self.prefix) {
            return None;
        }
        let found = self.attributes.get(name);
        let found = found.or_else(|| self.headers.get(&header_key(name)));
        found.map(Vec::as_slice)
    }
}

/// The name of an attribute as a header: the case of letters tells nothing there, and many servers in between make one of `_`
/// and `-`.
pub fn header_key(name: &str) -> String {
    let name = name.strip_prefix("HTTP_").unwrap_or(name);
    name.to_ascii_lowercase().replace('_', "-")
}

fn split(text: &str) -> Vec<String> {
    text.split(';').map(str::to_owned).collect()
}

/// Attributes as a web server passes them on: the values of one are joined by semicolons.
impl<N: Into<String>, T: AsRef<str>> FromIterator<(N, T)> for Assertion {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(attributes: I) -> Self {
        let attributes = attributes.into_iter();
        Self {
            attributes: attributes
                .map(|(name, text)| (name.into(), split(text.as_ref())))
                .collect(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_the_names_of_wsgi_and_of_the_web_server() {
        let headers = [("oidc-preferred_username", "ann"), ("oidc-groups", "a;b")];
        let assertion = Assertion::default().with_headers(headers);
        for name in [
            "HTTP_OIDC_GROUPS",
            "OIDC-groups",
            "OIDC_groups",
            "oidc-groups",
        ] {
            let values = assertion.values(name);
            assert_eq!(
                values,
                Some(&["a".to_owned(), "b".to_owned()][..]),
                "{name}"
            );
        }
        assert!(assertion.values("OIDC-preferred_username").is_some());
        assert!(assertion.values("HTTP_OIDC_PREFERRED_USERNAME").is_some());
        assert_eq!(assertion.values("OIDC-group"), None);
    }

    #[test]
    fn a_variable_wins_over_a_header() {
        let assertion: Assertion = [("OIDC-sub", "variable")].into_iter().collect();
        let assertion = assertion.with_headers([("oidc-sub", "header")]);
        assert_eq!(
            assertion.values("OIDC-sub"),
            Some(&["variable".to_owned()][..])
        );
    }

    #[test]
    fn only_names_with_the_prefix_count() {
        let assertion: Assertion = [("REMOTE_USER", "ann"), ("OIDC-sub", "1")]
            .into_iter()
            .collect();
        let assertion = assertion.with_headers([("oidc-iss", "i")]);
        let narrowed = assertion.clone().starting_with("OIDC-");
        assert_eq!(narrowed.values("REMOTE_USER"), None);
        assert!(narrowed.values("OIDC-sub").is_some());
        assert!(narrowed.values("OIDC-iss").is_some());
        assert_eq!(narrowed.values("HTTP_OIDC_ISS"), None);
        assert!(assertion.values("REMOTE_USER").is_some());
    }

    #[test]
    fn the_values_of_a_list_are_not_split() {
        let assertion = Assertion::of_lists([("groups", vec!["a;b".to_owned()]), ("none", vec![])]);
        assert_eq!(assertion.values("groups"), Some(&["a;b".to_owned()][..]));
        assert_eq!(assertion.values("none"), None);
    }
}
