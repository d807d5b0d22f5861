//! The semantics of `PATCH`.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Error, Resource, Result, same_id};

/// Lays the attributes of a `PATCH` body over a resource: absent keys keep their value, `null`
/// clears, keys that no column holds land in `extra`. The `id` may only be repeated.
pub fn overlay<R: Resource + DeserializeOwned>(
    current: &R,
    mut patch: Map<String, Value>,
) -> Result<R> {
    match patch.shift_remove("id") {
        None | Some(Value::Null) => {}
        Some(Value::String(id)) if same_id(&id, current.id()) => {}
        Some(_) => return Err(Error::Validation("Cannot change ID".to_owned())),
    }
    let mut merged = match serde_json::to_value(current) {
        Ok(Value::Object(map)) => map,
        Ok(_) => return Err(Error::internal("a resource must serialise to an object")),
        Err(error) => return Err(Error::internal(error)),
    };
    merged.extend(patch);
    serde_json::from_value(Value::Object(merged))
        .map_err(|error| Error::Validation(error.to_string()))
}
