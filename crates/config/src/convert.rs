//! Converts the text of a value to its type, as `oslo_config.types` does.

use std::collections::BTreeMap;

use serde_json::Number;

use crate::table::{Definition, Kind};
use crate::uri;

/// A value of an option.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Bool(bool),
    Int(i64),
    Float(f64),
    List(Vec<String>),
    Dict(BTreeMap<String, String>),
    Lists(BTreeMap<String, Vec<String>>),
}

impl Value {
    pub(crate) fn json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Bool(truth) => (*truth).into(),
            Self::Int(number) => (*number).into(),
            Self::Float(number) => (*number).into(),
            Self::List(items) => items.as_slice().into(),
            Self::Dict(map) => map.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
            Self::Lists(map) => map
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_slice()))
                .collect(),
        }
    }

    /// The text a reference to the option is replaced by: Python's `str()` of the value.
    pub(crate) fn interpolated(&self) -> String {
        keystone_python::str(&self.json()).into_owned()
    }
}

/// A default of the option table.
pub(crate) fn default(kind: Kind, declared: Option<serde_json::Value>) -> Option<Value> {
    let declared = declared?;
    match kind {
        Kind::String | Kind::Uri => declared.as_str().map(|text| Value::Text(text.to_owned())),
        Kind::Bool => declared.as_bool().map(Value::Bool),
        Kind::Int => declared.as_i64().map(Value::Int),
        Kind::Float => declared.as_f64().map(Value::Float),
        Kind::List | Kind::Multi => serde_json::from_value(declared).ok().map(Value::List),
        Kind::Dict => serde_json::from_value(declared).ok().map(Value::Dict),
        Kind::Lists => serde_json::from_value(declared).ok().map(Value::Lists),
    }
}

/// Reads `text` as a value of the option; an error says what is allowed.
///
/// An empty number is no value, as in oslo.config.
pub(crate) fn convert(
    definition: &Definition,
    text: &str,
    secret: bool,
) -> Result<Option<Value>, String> {
    let value = match definition.kind {
        Kind::String | Kind::Multi => string(definition, text).map(Value::Text),
        Kind::Uri => uri(definition, text).map(Value::Text),
        Kind::Bool => boolean(text).map(Value::Bool),
        Kind::Int | Kind::Float if text.trim().is_empty() => return Ok(None),
        Kind::Int => int(definition, text).map(Value::Int),
        Kind::Float => float(definition, text).map(Value::Float),
        Kind::List => list(text, |item| string(definition, item)).map(Value::List),
        Kind::Dict => pairs(text, |value| Some(value.to_owned())).map(Value::Dict),
        Kind::Lists => pairs(text, bracketed).map(Value::Lists),
    };
    match value {
        Some(value) => Ok(Some(value)),
        // A secret is not repeated.
        None if secret => Err(format!("expected {}", allowed(definition))),
        None => Err(format!("expected {}, found {text:?}", allowed(definition))),
    }
}

/// The allowed values, in words.
pub(crate) fn allowed(definition: &Definition) -> String {
    // Some options declare the largest integer as their limit.
    let max = definition.max.as_ref();
    let max = max.filter(|max| max.as_i64() != Some(i64::MAX));
    let number = |noun: &str| match (&definition.min, max) {
        (Some(min), Some(max)) => format!("{noun} from {min} to {max}"),
        (Some(min), None) => format!("{noun}, {min} or more"),
        (None, Some(max)) => format!("{noun}, {max} or less"),
        (None, None) => noun.to_owned(),
    };
    let choices = || {
        let names: Vec<&str> = definition
            .choices
            .iter()
            .map(|choice| if choice.is_empty() { "\"\"" } else { choice })
            .collect();
        names.join(", ")
    };
    match definition.kind {
        Kind::Bool => "true, 1, on, yes or false, 0, off, no".to_owned(),
        Kind::Int => number("a whole number"),
        Kind::Float => number("a number"),
        Kind::List if !definition.choices.is_empty() => {
            format!("values of {}, separated by commas", choices())
        }
        Kind::List => "values separated by commas".to_owned(),
        Kind::Dict => "key:value pairs separated by commas, each key once".to_owned(),
        Kind::Lists => "key:[value,value] pairs separated by commas, each key once".to_owned(),
        Kind::String | Kind::Multi if definition.choices.is_empty() => "a text".to_owned(),
        Kind::String | Kind::Multi => format!("one of {}", choices()),
        Kind::Uri => {
            let mut words = "a URI with a scheme and a host".to_owned();
            if !definition.schemes.is_empty() {
                words = format!("{words} ({})", definition.schemes.join(" or "));
            }
            if let Some(length) = definition.max_length {
                words = format!("{words} of at most {length} characters");
            }
            words
        }
    }
}

fn string(definition: &Definition, text: &str) -> Option<String> {
    let choices = &definition.choices;
    let chosen = choices.is_empty()
        || choices.iter().any(|choice| {
            choice == text || definition.any_case && choice.to_lowercase() == text.to_lowercase()
        });
    chosen.then(|| text.to_owned())
}

fn uri(definition: &Definition, text: &str) -> Option<String> {
    let fits = definition
        .max_length
        .is_none_or(|length| text.chars().count() <= length);
    (fits && uri::is_valid(text, &definition.schemes)).then(|| text.to_owned())
}

pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Some(true),
        "false" | "0" | "off" | "no" => Some(false),
        _ => None,
    }
}

fn int(definition: &Definition, text: &str) -> Option<i64> {
    let number: i64 = digits(text)?.parse().ok()?;
    let limit = |limit: &Option<Number>| limit.as_ref().and_then(Number::as_i64);
    let fits = limit(&definition.min).is_none_or(|min| number >= min)
        && limit(&definition.max).is_none_or(|max| number <= max);
    fits.then_some(number)
}

/// Infinity and NaN are refused: no option has a use for them.
fn float(definition: &Definition, text: &str) -> Option<f64> {
    let number: f64 = digits(text)?.parse().ok()?;
    let limit = |limit: &Option<Number>| limit.as_ref().and_then(Number::as_f64);
    let fits = number.is_finite()
        && limit(&definition.min).is_none_or(|min| number >= min)
        && limit(&definition.max).is_none_or(|max| number <= max);
    fits.then_some(number)
}

/// A number's text without the underscores that Python allows between two digits.
fn digits(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.trim().split('_').collect();
    let well_placed = parts.windows(2).all(|pair| {
        pair[0].ends_with(|c: char| c.is_ascii_digit())
            && pair[1].starts_with(|c: char| c.is_ascii_digit())
    });
    well_placed.then(|| parts.concat())
}

fn list(text: &str, mut item: impl FnMut(&str) -> Option<String>) -> Option<Vec<String>> {
    let text = text.trim().trim_end_matches(',');
    if text.is_empty() {
        return Some(Vec::new());
    }
    split_at_commas(text, |part| item(part.trim()))
}

fn bracketed(text: &str) -> Option<Vec<String>> {
    let inner = text.trim().trim_end_matches(',');
    let inner = inner.strip_prefix('[')?.strip_suffix(']')?;
    if inner.is_empty() {
        return Some(Vec::new());
    }
    Some(
        inner
            .split(',')
            .map(|part| part.trim().to_owned())
            .collect(),
    )
}

fn pairs<T>(text: &str, mut value: impl FnMut(&str) -> Option<T>) -> Option<BTreeMap<String, T>> {
    let text = text.trim();
    let mut map = BTreeMap::new();
    if text.is_empty() {
        return Some(map);
    }
    let pairs = split_at_commas(text, |part| {
        let (key, text) = part.split_once(':')?;
        Some((key.trim().to_owned(), value(text.trim())?))
    })?;
    for (key, value) in pairs {
        if key.is_empty() || map.insert(key, value).is_some() {
            return None;
        }
    }
    Some(map)
}

/// Splits at commas; a part that `read` refuses is joined with the next one (`oslo_config.types.List`).
fn split_at_commas<T>(text: &str, mut read: impl FnMut(&str) -> Option<T>) -> Option<Vec<T>> {
    let mut values = Vec::new();
    let mut start = 0;
    let commas = text.match_indices(',').map(|(at, _)| at);
    for end in commas.chain([text.len()]) {
        if let Some(value) = read(&text[start..end]) {
            values.push(value);
            start = end + 1;
        }
    }
    (start > text.len()).then_some(values)
}
