//! The semantics of `PATCH`.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Error, Resource, Result};

/// Lays the attributes of a `PATCH` body over a resource: absent keys keep their value, `null`
/// clears, keys that no column holds land in `extra`.
pub fn overlay<R: Resource + DeserializeOwned>(
    current: &R,
    patch: Map<String, Value>,
) -> Result<R> {
    let mut merged = match serde_json::to_value(current) {
        Ok(Value::Object(map)) => map,
        Ok(_) => return Err(Error::internal("a resource must serialise to an object")),
        Err(error) => return Err(Error::internal(error)),
    };
    merged.extend(patch);
    serde_json::from_value(Value::Object(merged))
        .map_err(|error| Error::Validation(error.to_string()))
}
