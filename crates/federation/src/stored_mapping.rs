//! Mappings as resources: rules of a schema version under an id. [`Mapping`](crate::Mapping) is what they do.

use std::fmt::Display;

use keystone_storage::{OrConflict, Query, select, sql, transaction, update};
use keystone_types::{Error, Listing, Page, Resource, Result, check_length, json, to_python_json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Federation;
use crate::mapping::Mapping;
use crate::structure::{DEFAULT_VERSION, check_structure};

/// How many bytes the rules may take in `MariaDB`.
const RULES_BYTES: usize = 65_535;

/// A mapping, as stored and as served.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
pub struct StoredMapping {
    /// The id, which is chosen by whoever creates it.
    pub id: String,
    /// The rules.
    #[sqlx(try_from = "String")]
    pub rules: Rules,
    /// The version of the schema that the rules follow.
    pub schema_version: String,
}

/// The rules of a mapping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rules(pub Value);

impl TryFrom<String> for Rules {
    type Error = json::Unreadable;

    /// JSON in the string of another JSON, as `keystone/federation/backends/sql.py` stores it.
    fn try_from(text: String) -> Result<Self, json::Unreadable> {
        match json::read(text)? {
            Value::String(inner) => json::read(inner).map(Self),
            rules => Ok(Self(rules)),
        }
    }
}

impl Rules {
    fn to_text(&self) -> Result<String> {
        let text = to_python_json(&to_python_json(&self.0).into());
        if text.len() > RULES_BYTES {
            return Err(Error::Validation(format!(
                "Invalid input for field/attribute rules: they take {} bytes, of which there may be {RULES_BYTES}",
                text.len()
            )));
        }
        Ok(text)
    }
}

impl StoredMapping {
    /// From the columns of a row.
    pub(crate) fn read(id: String, rules: String, schema_version: String) -> Result<Self> {
        let rules = Rules::try_from(rules).map_err(|error| corrupt(&id, error))?;
        Ok(Self {
            id,
            rules,
            schema_version,
        })
    }

    /// What the rules do.
    pub(crate) fn mapping(self) -> Result<Mapping> {
        let Rules(rules) = self.rules;
        Mapping::new(&self.id, &self.schema_version, rules)
            .map_err(|error| corrupt(&self.id, error))
    }
}

fn corrupt(id: &str, error: impl Display) -> Error {
    Error::internal(format!("table mapping, row {id}, rules: {error}"))
}

impl Resource for StoredMapping {
    const MEMBER: &'static str = "mapping";
    const COLLECTION: &'static str = "mappings";
    const PATH: &'static str = "OS-FEDERATION/mappings";

    fn id(&self) -> &str {
        &self.id
    }
}

/// What a client sends of a mapping, checked; unknown attributes are dropped.
#[derive(Debug, Deserialize)]
struct Sent {
    rules: Rules,
    #[serde(default = "default_version")]
    schema_version: String,
}

fn default_version() -> String {
    DEFAULT_VERSION.to_owned()
}

const MAPPINGS: &str = "SELECT id, rules, schema_version FROM mapping";

impl Federation {
    /// The mappings.
    pub async fn stored_mappings(&self, listing: &Listing) -> Result<Page<StoredMapping>> {
        let query = select(MAPPINGS).page(listing, "id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// One mapping, with its rules as they were sent.
    pub async fn stored_mapping(&self, id: &str) -> Result<StoredMapping> {
        one(id).fetch_resource(&self.db, id).await
    }

    /// Creates a mapping from what a client sent.
    pub async fn create_mapping(&self, id: &str, mapping: Value) -> Result<StoredMapping> {
        let sent = checked(mapping)?;
        check_length("id", id, 64)?;
        sql("INSERT INTO mapping (id, rules, schema_version) VALUES (?, ?, ?)")
            .bind(id)
            .bind(sent.rules.to_text()?)
            .bind(&sent.schema_version)
            .execute(&self.db)
            .await
            .or_conflict(|| Error::conflict::<StoredMapping>("Duplicate entry"))?;
        Ok(StoredMapping {
            id: id.to_owned(),
            rules: sent.rules,
            schema_version: sent.schema_version,
        })
    }

    /// Replaces the rules of a mapping and their version.
    pub async fn update_mapping(&self, id: &str, mapping: Value) -> Result<StoredMapping> {
        let sent = checked(mapping)?;
        let text = sent.rules.to_text()?;
        let updated = transaction!(self.db, |tx| {
            // Without the rules, which nobody may be able to read.
            let stored = sql("SELECT id, schema_version FROM mapping WHERE id = ?").bind(id);
            let missing = || Error::not_found::<StoredMapping>(id);
            let stored = stored.locking().fetch_or(&mut *tx, missing);
            let (id, old_version): (String, String) = stored.await?;
            update("mapping")
                .set("rules", None, Some(&text))
                .set("schema_version", &old_version, &sent.schema_version)
                .apply("id = ?", &id, tx)
                .await?;
            Ok(StoredMapping {
                id,
                rules: sent.rules.clone(),
                schema_version: sent.schema_version.clone(),
            })
        });
        updated.await
    }

    /// Deletes a mapping, although protocols may use it.
    pub async fn delete_mapping(&self, id: &str) -> Result<()> {
        sql("DELETE FROM mapping WHERE id = ?")
            .bind(id)
            .execute_or(&self.db, || Error::not_found::<StoredMapping>(id))
            .await
    }
}

/// A mapping as it is to be stored, if it has the structure of its version.
fn checked(mapping: Value) -> Result<Sent> {
    check_structure(&mapping)?;
    serde_json::from_value(mapping).map_err(|error| Error::Validation(error.to_string()))
}

fn one(id: &str) -> Query {
    select(MAPPINGS).filter("id = ?", Some(id)).then("")
}
