//! The federation of one deployment, and the mappings that apply in it.

use keystone_identity::Identity;
use keystone_storage::{Db, sql};
use keystone_types::{Error, Result};

use crate::login::no_protocol;
use crate::mapping::Mapping;
use crate::stored_mapping::StoredMapping;

/// Identity providers with their protocols, mappings, and service providers; clones share the database.
#[derive(Clone, Debug)]
pub struct Federation {
    pub(crate) db: Db,
    pub(crate) identity: Identity,
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
        self.stored_mapping(id).await?.mapping()
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
            Some((_, Some(id), Some(rules), Some(schema_version))) => {
                StoredMapping::read(id, rules, schema_version)?.mapping()
            }
            Some((id, ..)) => Err(Error::not_found::<StoredMapping>(&id)),
            None => Err(no_protocol(identity_provider, protocol)),
        }
    }
}
