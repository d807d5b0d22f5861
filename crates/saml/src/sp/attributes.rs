//! What a login is told about a user, under the names that the modules of web servers give, so that the rules of existing
//! mappings fit.

use aws_lc_rs::digest::{SHA256, digest};
use chrono::NaiveDateTime;
use uppsala::NodeId;

use super::document::Tree;
use crate::names::{ASSERTION, INSTANCE};

/// Names with their values, in the order of the assertion.
pub type Attributes = Vec<(String, Vec<String>)>;

/// What makes a replay known: whoever takes an assertion keeps the hash until the end, and refuses what has a kept one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// A hash of the issuer and of the assertion's id, in hexadecimal digits.
    pub hash: String,
    /// Until when the assertion would be taken.
    pub until: NaiveDateTime,
}

/// The beginnings of names that other things than attributes of an assertion have.
const RESERVED: [&str; 8] = [
    "HTTP_", "MELLON_", "OIDC", "REMOTE_", "REQUEST_", "SERVER_", "SSL_", "Shib-",
];

impl Once {
    pub(super) fn new(issuer: &str, id: &str, until: NaiveDateTime) -> Self {
        // No entity id and no id of XML has a NUL.
        let text = format!("{issuer}\0{id}");
        Self {
            hash: hex::encode(digest(&SHA256, text.as_bytes())),
            until,
        }
    }
}

/// The attributes of an assertion that is verified.
pub(super) fn of(
    tree: &Tree<'_>,
    assertion: NodeId,
    issuer: &str,
    name_id: Option<&str>,
) -> Attributes {
    let mut found = vec![
        ("MELLON_IDP".to_owned(), vec![issuer.to_owned()]),
        ("Shib-Identity-Provider".to_owned(), vec![issuer.to_owned()]),
    ];
    if let Some(name_id) = name_id {
        for name in ["MELLON_NAME_ID", "REMOTE_USER"] {
            found.push((name.to_owned(), vec![name_id.to_owned()]));
        }
    }
    let own = found.len();
    for statement in tree.named(assertion, ASSERTION, "AttributeStatement") {
        for attribute in tree.named(statement, ASSERTION, "Attribute") {
            let values = values(tree, attribute);
            for name in spellings(tree, attribute) {
                add(&mut found, own, name, &values);
            }
        }
    }
    found
}

/// The names that an attribute has: mellon's, and shib's two.
fn spellings(tree: &Tree<'_>, attribute: NodeId) -> Vec<String> {
    let name = tree.attribute(attribute, "Name").unwrap_or_default();
    let friendly = tree
        .attribute(attribute, "FriendlyName")
        .unwrap_or_default();
    let mut names = Vec::new();
    if !name.is_empty() {
        names.push(format!("MELLON_{name}"));
    }
    for bare in [name, friendly] {
        let is_reserved = RESERVED.iter().any(|prefix| bare.starts_with(prefix));
        if !bare.is_empty() && !is_reserved && !names.iter().any(|name| name == bare) {
            names.push(bare.to_owned());
        }
    }
    names
}

fn values(tree: &Tree<'_>, attribute: NodeId) -> Vec<String> {
    let values = tree.named(attribute, ASSERTION, "AttributeValue");
    let set = values.filter(|value| {
        let element = tree.document.element(*value);
        let nil = element.and_then(|element| element.get_attribute_ns(INSTANCE, "nil"));
        !matches!(nil, Some("true" | "1"))
    });
    set.map(|value| tree.trimmed(value)).collect()
}

/// Adds values to those of the name; an attribute never adds to the first names, which tell who issued the assertion.
fn add(found: &mut Attributes, own: usize, name: String, values: &[String]) {
    match found.iter().position(|(known, _)| *known == name) {
        Some(place) if place < own => {}
        Some(place) => found[place].1.extend_from_slice(values),
        None => found.push((name, values.to_vec())),
    }
}
