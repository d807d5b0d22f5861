//! Attributes that Keystone does not model, kept as JSON text in the `extra` column.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json::{self, UNREADABLE};

/// The attributes of a resource that no column holds.
///
/// A text that is no JSON object counts as no attributes, and is kept: it stays what it is, whatever else of the
/// resource changes, and no attribute can be added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extra(pub Map<String, Value>);

impl Extra {
    /// The text stored in the database, written as Python's `json.dumps` would; none where attributes would replace a
    /// text that could not be read.
    pub fn to_text(&self) -> Option<String> {
        match (self.0.get(UNREADABLE), self.0.len()) {
            (None, _) => {
                let mut out = String::new();
                json::append_object(&self.0, &mut out);
                Some(out)
            }
            (Some(kept), 1) => kept.as_str().map(str::to_owned),
            (Some(_), _) => None,
        }
    }

    /// Takes the sign of an unreadable text out of the attributes of a serialised resource; tells whether it was there.
    pub fn was_unreadable(resource: &mut Map<String, Value>) -> bool {
        resource.shift_remove(UNREADABLE).is_some()
    }
}

impl From<Option<String>> for Extra {
    fn from(text: Option<String>) -> Self {
        // A NULL attribute is the JSON text `null` when Python wrote it.
        let Some(text) = text.filter(|text| !matches!(text.as_str(), "" | "null")) else {
            return Self::default();
        };
        match json::read(&text) {
            Ok(Value::Object(members)) => Self(members),
            _ => Self(Map::from_iter([(UNREADABLE.to_owned(), text.into())])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_text_is_kept() {
        for text in ["[]", "[1]", "{", "7", "\"x\"", "{\"a\": nope}", "\u{1}"] {
            let extra = Extra::from(Some(text.to_owned()));
            assert_eq!(extra.to_text().as_deref(), Some(text));
            assert_eq!(json::write(&serde_json::to_value(&extra).unwrap()), "{}");

            let mut more = extra.clone();
            more.0.insert("email".to_owned(), "e".into());
            assert_eq!(more.to_text(), None, "{text}");
            assert!(Extra::was_unreadable(&mut more.0));
            assert_eq!(more.to_text().unwrap(), r#"{"email": "e"}"#);
        }
    }

    #[test]
    fn empty_texts_mean_no_attributes() {
        for text in [None, Some(""), Some("null"), Some("{}"), Some(" { } ")] {
            let extra = Extra::from(text.map(str::to_owned));
            assert_eq!(extra, Extra::default());
            assert_eq!(extra.to_text().unwrap(), "{}");
        }
    }
}
