//! Entries of a directory.

use std::collections::HashMap;

use ldap3::ResultEntry;
use uuid::Uuid;

/// An entry with the attributes that were asked for.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) dn: String,
    /// By their names in lower-case letters, as servers write them in any way.
    attributes: HashMap<String, Vec<Vec<u8>>>,
}

impl Entry {
    /// `None` for what is no entry. (`ldap3::SearchEntry` panics then.)
    pub(crate) fn parse(found: ResultEntry) -> Option<Self> {
        let mut parts = found.0.match_id(4)?.expect_constructed()?.into_iter();
        let dn = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
        let mut attributes = HashMap::new();
        for attribute in parts.next()?.expect_constructed()? {
            let mut parts = attribute.expect_constructed()?.into_iter();
            let name = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
            let values = parts.next()?.expect_constructed()?.into_iter();
            let values = values
                .map(ldap3::asn1::StructureTag::expect_primitive)
                .collect::<Option<_>>()?;
            attributes.insert(name.to_ascii_lowercase(), values);
        }
        Some(Self { dn, attributes })
    }

    /// The values of an attribute.
    pub(crate) fn values(&self, name: &str) -> &[Vec<u8>] {
        self.attributes
            .get(&name.to_ascii_lowercase())
            .map_or(&[], Vec::as_slice)
    }

    /// The values of an attribute that may be sent in ranges, as `member;range=0-1499`, and where the next range begins.
    pub(crate) fn range(&self, name: &str) -> (&[Vec<u8>], Option<usize>) {
        let prefix = format!("{};range=", name.to_ascii_lowercase());
        let mut ranges = self
            .attributes
            .iter()
            .filter_map(|(name, values)| Some((name.strip_prefix(&prefix)?, values)));
        let Some((range, values)) = ranges.next() else {
            return (self.values(name), None);
        };
        let last = range
            .split_once('-')
            .and_then(|(_, last)| last.parse::<usize>().ok());
        (values, last.map(|last| last + 1))
    }

    /// The first value of an attribute, as a text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        text(self.values(name).first()?)
    }
}

/// A value as a text. Sixteen bytes that are none are a GUID, as Active Directory has them
/// (`keystone.identity.backends.ldap.common.utf8_decode`).
pub(crate) fn text(value: &[u8]) -> Option<String> {
    if let Ok(text) = str::from_utf8(value) {
        return Some(text.to_owned());
    }
    Some(Uuid::from_bytes_le(value.try_into().ok()?).to_string())
}

/// The bytes that [`text`] shows as this GUID.
pub(crate) fn guid(text: &str) -> Option<[u8; 16]> {
    let id = Uuid::try_parse(text).ok()?;
    (text.len() == 36).then(|| id.to_bytes_le())
}
