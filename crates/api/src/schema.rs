//! Validates request bodies and query strings against Keystone's JSON schemas, with its messages.
//!
//! The schemas are data, `schemas/v3.json`: each is parsed when a request first needs it.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use keystone_python as python;
use keystone_python::schema::{Failure, Schema};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Checks the body of a call to `route` (`POST /v3/users`); an empty body counts as `{}`.
pub(crate) fn body(route: &str, value: &Value) -> Result<(), String> {
    let Some(schema) = find(route, "request") else {
        return Ok(());
    };
    let nothing = json!({});
    let value = if python::is_true(value) {
        value
    } else {
        &nothing
    };
    let failure = schema.first(value, None);
    failure.map_or(Ok(()), |failure| Err(field_message(&failure)))
}

/// Checks the decoded query string of a call to `route`; of a repeated key the first value counts.
pub(crate) fn query(route: &str, pairs: &[(String, String)]) -> Result<(), String> {
    let Some(schema) = find(route, "query") else {
        return Ok(());
    };
    let mut values = Map::new();
    for (key, value) in pairs {
        values
            .entry(key.as_str())
            .or_insert_with(|| value.as_str().into());
    }
    let shown = show_query(pairs);
    let values = Value::Object(values);
    let failure = schema.first(&values, Some(&shown));
    failure.map_or(Ok(()), |failure| Err(field_message(&failure)))
}

/// Checks a value that the call to `route` validates itself, under the schema's `label` (`auth`).
pub(crate) fn inline(route: &str, label: &str, value: &Value) -> Result<(), String> {
    let Some(schema) = find(route, &format!("request|inline:{label}")) else {
        return Ok(());
    };
    let failure = schema.first(value, None);
    failure.map_or(Ok(()), |failure| Err(inline_message(&failure)))
}

/// The keys of all schemas: `METHOD path|request`, `…|query` or `…|request|inline:label`.
#[cfg(test)]
pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    SCHEMAS.keys.keys().copied()
}

#[derive(Deserialize)]
struct Shipped {
    #[serde(borrow)]
    keys: HashMap<&'static str, usize>,
    #[serde(borrow)]
    schemas: Vec<&'static RawValue>,
}

struct Schemas {
    keys: HashMap<&'static str, usize>,
    schemas: Vec<(&'static str, OnceLock<Schema>)>,
}

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let shipped: Shipped = serde_json::from_str(include_str!("../schemas/v3.json"))
        .expect("the shipped file is read in the tests");
    let schemas = shipped
        .schemas
        .into_iter()
        .map(|schema| (schema.get(), OnceLock::new()));
    Schemas {
        keys: shipped.keys,
        schemas: schemas.collect(),
    }
});

fn find(route: &str, kind: &str) -> Option<&'static Schema> {
    let path = route
        .split_once(' ')
        .filter(|(method, _)| *method == "HEAD");
    let key = match path {
        Some((_, path)) => format!("GET {path}|{kind}"),
        None => format!("{route}|{kind}"),
    };
    let (text, schema) = SCHEMAS.schemas.get(*SCHEMAS.keys.get(key.as_str())?)?;
    Some(schema.get_or_init(|| Schema::parse(text)))
}

/// The query as Keystone prints it whole: all values of a key together.
fn show_query(pairs: &[(String, String)]) -> String {
    let mut order = HashMap::new();
    for (index, (key, _)) in pairs.iter().enumerate() {
        order.entry(key).or_insert(index);
    }
    let mut pairs: Vec<_> = pairs.iter().collect();
    pairs.sort_by_key(|(key, _)| order[key]);
    let shown: Vec<_> = pairs
        .into_iter()
        .map(|(key, value)| format!("({}, {})", python::quote(key), python::quote(value)))
        .collect();
    format!("ImmutableMultiDict([{}])", shown.join(", "))
}

fn field_message(failure: &Failure<'_>) -> String {
    let message = &failure.message;
    match failure.path.last() {
        Some(field) => format!(
            "Invalid input for field/attribute {field}. Value: {}. {message}",
            python::str(failure.instance)
        ),
        None => message.clone(),
    }
}

fn inline_message(failure: &Failure<'_>) -> String {
    if failure.path.is_empty() {
        return failure.to_string();
    }
    let path: Vec<_> = failure.path.iter().map(ToString::to_string).collect();
    format!("Invalid input for field '{}': {failure}", path.join("/"))
}
