//! Recorded requests hold `{name}` where an id belongs.

use std::collections::HashMap;

use serde_json::Value;

/// The ids by the names that stand for them.
pub type Ids = HashMap<String, String>;

/// A value with the ids in their places, in all texts but the names of members.
pub fn fill(value: &Value, ids: &Ids) -> Value {
    match value {
        Value::String(text) => fill_text(text, ids).into(),
        Value::Array(items) => items.iter().map(|item| fill(item, ids)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, inner)| (name.clone(), fill(inner, ids)))
            .collect(),
        other => other.clone(),
    }
}

/// A text with the ids in their places; other braces stand for themselves.
pub fn fill_text(text: &str, ids: &Ids) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let name = after.split('}').next().unwrap_or_default();
        if let Some(id) = ids.get(name) {
            filled.push_str(id);
            rest = &after[name.len() + 1..];
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled + rest
}
