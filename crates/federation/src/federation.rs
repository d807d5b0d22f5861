//! The federation of one deployment, and the mappings that apply in it.

use keystone_identity::Identity;
use keystone_storage::{Db, sql};
use keystone_types::{Error, Result};

use crate::login::no_protocol;
use crate::mapping::Mapping;

/// Identity providers with their protocols, mappings, and service providers; clones share the database.
#[derive(Clone, Debug)]
pub struct Federation {
    pub(crate) db: Db,
    pub(crate) identity: Identity,
}

/// A row of `mapping`.
#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    rules: String,
    schema_version: String,
}

impl Row {
    fn mapping(self) -> Result<Mapping> {
        let corrupt = |error: String| {
            Error::internal(format!("table mapping, row {}, rules: {error}", self.id))
        };
        // JSON in the string of another JSON, as `keystone/federation/backends/sql.py` stores it.
        let rules = serde_json::from_str::<String>(&self.rules)
            .and_then(|rules| serde_json::from_str(&rules))
            .map_err(|error| corrupt(error.to_string()))?;
        Mapping::new(&self.id, &self.schema_version, rules)
            .map_err(|error| corrupt(error.to_string()))
    }
}

/// The id of a protocol's mapping, and the mapping if there is one: its id, rules and schema version.
type ProtocolRow = (String, Option<String>, Option<String>, Option<String>);

impl Federation {
    /// The federation that is stored in `db`.
    pub fn new(db: Db, identity: Identity) -> Self {
        Self { db, identity }
    }

    /// Finds a mapping by id.
    pub async fn mapping(&self, id: &str) -> Result<Mapping> {
        let row: Option<Row> = sql("SELECT id, rules, schema_version FROM mapping WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.db)
            .await?;
        let not_found = || Error::NotFound {
            kind: "mapping",
            id: id.to_owned(),
        };
        row.ok_or_else(not_found)?.mapping()
    }

    /// Finds the mapping of a protocol of an identity provider, whether that is enabled or not.
    pub async fn mapping_of(&self, identity_provider: &str, protocol: &str) -> Result<Mapping> {
        let row: Option<ProtocolRow> = sql("\
            SELECT p.mapping_id, m.id, m.rules, m.schema_version \
              FROM federation_protocol p LEFT JOIN mapping m ON m.id = p.mapping_id \
             WHERE p.idp_id = ? AND p.id = ?")
        .bind(identity_provider)
        .bind(protocol)
        .fetch_optional(&self.db)
        .await?;
        match row {
            Some((_, Some(id), Some(rules), Some(schema_version))) => Row {
                id,
                rules,
                schema_version,
            }
            .mapping(),
            Some((id, ..)) => Err(Error::NotFound {
                kind: "mapping",
                id,
            }),
            None => Err(no_protocol(identity_provider, protocol)),
        }
    }
}
