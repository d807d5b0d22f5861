//! Removes ids and times from answers, as `record.py` does.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

static TOKEN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"gAAAA[0-9A-Za-z_=-]{20,}|eyJ[0-9A-Za-z_=-]+\.[0-9A-Za-z_=.-]+"));
/// Of an application credential.
static SECRET: LazyLock<Regex> = LazyLock::new(|| pattern("^[0-9A-Za-z_-]{86}$"));
static WORD: LazyLock<Regex> = LazyLock::new(|| pattern("[0-9A-Za-z]+"));
static TIME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"));
const AUDITS: [&str; 3] = ["audit_chain_id", "audit_id", "audit_ids"];

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a literal pattern")
}

/// Names by what they stand for.
pub(crate) type Names = HashMap<String, String>;

/// The body with names for ids and nines for times, its lists in a fixed order.
pub(crate) fn body(value: &Value, names: &Names) -> Value {
    sorted(&hidden(value, None, names))
}

fn hidden(value: &Value, key: Option<&str>, names: &Names) -> Value {
    match value {
        Value::String(found) if names.contains_key(found) => text(found, names).into(),
        Value::String(_) if key.is_some_and(|key| AUDITS.contains(&key)) => "{audit}".into(),
        Value::String(found) => text(found, names).into(),
        Value::Array(items) => items.iter().map(|item| hidden(item, key, names)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(key, inner)| (text(key, names), hidden(inner, Some(key), names)))
            .collect(),
        other => other.clone(),
    }
}

/// A text with names for ids, nines for times, and nothing secret.
pub(crate) fn text(text: &str, names: &Names) -> String {
    if let Some(name) = names.get(text) {
        return format!("{{{name}}}");
    }
    if SECRET.is_match(text) {
        return "{secret}".to_owned();
    }
    let text = hide_ids(&TOKEN.replace_all(text, "{secret}"), names);
    let nines = |time: &Captures<'_>| time[0].replace(|c: char| c.is_ascii_digit(), "9");
    TIME.replace_all(&text, nines).into_owned()
}

fn hide_ids(text: &str, names: &Names) -> String {
    let hidden = WORD.replace_all(text, |word: &Captures<'_>| {
        let word = &word[0];
        if is_id(word) {
            let name = names.get(word).map_or("id", String::as_str);
            format!("{{{name}}}")
        } else {
            word.to_owned()
        }
    });
    hidden.into_owned()
}

fn is_id(word: &str) -> bool {
    [32, 64].contains(&word.len()) && word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The lengths in place of lists, and no id under its name: which ones are there is chance.
pub(crate) fn counted(value: &Value) -> Value {
    match value {
        Value::String(text) => hide_ids(text, &Names::new()).into(),
        Value::Array(items) => items.len().into(),
        Value::Object(members) => {
            let members = members.iter();
            members
                .map(|(key, inner)| (key.clone(), counted(inner)))
                .collect::<Map<_, _>>()
                .into()
        }
        other => other.clone(),
    }
}

/// The value with the items of its lists by their text, and the keys of its objects by theirs.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_cached_key(Value::to_string);
            items.into()
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            members
                .into_iter()
                .map(|(key, inner)| (key.clone(), sorted(inner)))
                .collect()
        }
        other => other.clone(),
    }
}
