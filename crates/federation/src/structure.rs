//! The check that a mapping has the structure of its schema version, as `validate_mapping_structure` in
//! `keystone/federation/utils.py` makes it when one is written.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use keystone_python::repr;
use keystone_python::schema::Schema;
use keystone_types::{Error, Result};
use serde_json::Value;

/// The schemas of Keystone, by version; `crates/api/tests/schema/generate.py` writes them.
static SCHEMAS: LazyLock<BTreeMap<String, Schema>> = LazyLock::new(|| {
    let documents: BTreeMap<String, Value> =
        serde_json::from_str(include_str!("../schemas/mapping.json"))
            .expect("the shipped file is read in the tests");
    let schemas = documents.into_iter();
    schemas
        .map(|(version, document)| (version, Schema::new(document)))
        .collect()
});

/// The version of mappings that name none.
pub(crate) const DEFAULT_VERSION: &str = "1.0";

/// 400 unless a mapping, as a client sends it, has the structure of its `schema_version`, or of version 1.0 where it names
/// none. The text names every fault, one a line.
pub fn check_structure(mapping: &Value) -> Result<()> {
    let default = DEFAULT_VERSION.into();
    let version = mapping.get("schema_version").unwrap_or(&default);
    let schema = version.as_str().and_then(|version| SCHEMAS.get(version));
    let schema = schema.ok_or_else(|| unknown(version))?;
    let mut failures = schema.all(mapping);
    if failures.is_empty() {
        return Ok(());
    }
    // Python sorts by the whole text, and shows the first line of each.
    failures.sort_by_cached_key(ToString::to_string);
    let lines = failures
        .iter()
        .map(|failure| format!("{}\n", failure.message));
    Err(Error::Validation(lines.collect()))
}

/// Keystone does not handle this.
fn unknown(version: &Value) -> Error {
    let versions: Vec<&str> = SCHEMAS.keys().map(String::as_str).collect();
    Error::Validation(format!(
        "Invalid input for field/attribute schema_version. Value: {}. {} is not one of {}",
        keystone_python::str(version),
        repr(version),
        repr(&versions.into())
    ))
}
