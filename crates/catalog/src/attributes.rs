//! How columns and free attributes make one JSON object.
//!
//! Python Keystone lays the columns over a copy of `extra`: free attributes come first, a column
//! wins over a free attribute of its name and stands where that one stood.

use keystone_types::{Case, Comparison, Extra, Filter, filter_is_true};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

/// The value of a column.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Attribute<'a> {
    Text(&'a str),
    Nullable(Option<&'a str>),
    Flag(bool),
    Json(&'a Value),
}

/// Serialises `columns` laid over `extra`.
pub(crate) fn serialize<S: Serializer>(
    extra: &Extra,
    columns: &[(&'static str, Attribute<'_>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in &extra.0 {
        match columns.iter().find(|column| column.0 == name) {
            Some((_, column)) => map.serialize_entry(name, column)?,
            None => map.serialize_entry(name, value)?,
        }
    }
    for (name, column) in columns {
        if !extra.0.contains_key(*name) {
            map.serialize_entry(name, column)?;
        }
    }
    map.end()
}

/// Drops attributes that clients may send but that are not stored: the API adds `links` itself, and
/// Keystone overwrites an attribute called `extra`.
pub(crate) fn drop_unstored(extra: &mut Extra) {
    for name in ["links", "extra"] {
        extra.0.shift_remove(name);
    }
}

/// Whether a free attribute passes a filter.
pub(crate) fn passes(extra: &Extra, filter: &Filter) -> bool {
    let attribute = extra.0.get(&filter.name);
    match (attribute, filter.comparison) {
        (Some(Value::Bool(flag)), Comparison::Equals) => *flag == filter_is_true(&filter.value),
        (Some(Value::String(text)), _) => text_passes(text, filter),
        _ => false,
    }
}

/// Whether a text passes a filter as Keystone compares, which is not how databases do.
pub(crate) fn text_passes(text: &str, filter: &Filter) -> bool {
    let case = match filter.comparison {
        Comparison::Equals => return text == filter.value,
        Comparison::Contains(case) | Comparison::StartsWith(case) | Comparison::EndsWith(case) => {
            case
        }
    };
    let fold = |text: &str| match case {
        Case::Sensitive => text.to_owned(),
        Case::Insensitive => text.to_lowercase(),
    };
    let (text, wanted) = (fold(text), fold(&filter.value));
    match filter.comparison {
        Comparison::Equals => text == wanted,
        Comparison::Contains(_) => text.contains(&wanted),
        Comparison::StartsWith(_) => text.starts_with(&wanted),
        Comparison::EndsWith(_) => text.ends_with(&wanted),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Row(Extra);

    impl Serialize for Row {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let columns = [
                ("id", Attribute::Text("x")),
                ("region", Attribute::Nullable(None)),
            ];
            serialize(&self.0, &columns, serializer)
        }
    }

    #[test]
    fn a_column_replaces_a_free_attribute_of_its_name_in_place() {
        for (extra, expected) in [
            (json!({}), r#"{"id":"x","region":null}"#),
            (json!({"a": 1}), r#"{"a":1,"id":"x","region":null}"#),
            (
                json!({"region": "old", "a": 1}),
                r#"{"region":null,"a":1,"id":"x"}"#,
            ),
        ] {
            let extra = Extra::from(Some(extra.to_string()));
            assert_eq!(serde_json::to_string(&Row(extra)).unwrap(), expected);
        }
    }
}
