//! Attributes that Keystone does not model, kept as JSON text in the `extra` column.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The attributes of a resource that no column holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extra(pub Map<String, Value>);

impl Extra {
    /// The text stored in the database, written as Python's `json.dumps` would.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        write_object(&self.0, &mut out);
        out
    }
}

impl TryFrom<Option<String>> for Extra {
    type Error = serde_json::Error;

    fn try_from(text: Option<String>) -> Result<Self, serde_json::Error> {
        match text.as_deref() {
            // A NULL attribute is the JSON text `null` when Python wrote it.
            None | Some("" | "null") => Ok(Self::default()),
            Some(text) => serde_json::from_str(text).map(Self),
        }
    }
}

/// Writes JSON as Python's `json.dumps` does: `", "` and `": "` between items, ASCII only.
pub fn to_python_json(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => write_object(map, out),
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn write_object(map: &Map<String, Value>, out: &mut String) {
    out.push('{');
    for (i, (key, value)) in map.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write_string(key, out);
        out.push_str(": ");
        write_value(value, out);
    }
    out.push('}');
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").expect("a String takes what is written");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_python_writes() {
        let value = serde_json::json!({"b": [1, "é\n😀", null], "a": {"x": true, "y": 1.5}, "e": {}, "l": []});
        let expected = r#"{"b": [1, "\u00e9\n\ud83d\ude00", null], "a": {"x": true, "y": 1.5}, "e": {}, "l": []}"#;
        assert_eq!(to_python_json(&value), expected);
        let extra = Extra::try_from(Some(expected.to_owned())).unwrap();
        assert_eq!(extra.to_text(), expected);
        assert_eq!(
            Extra::try_from(Some("null".into())).unwrap(),
            Extra::default()
        );
        assert!(Extra::try_from(Some("[]".into())).is_err());
    }
}
