//! Protocols: which mapping applies to the assertions of an identity provider that come by a protocol.

use keystone_storage::{Exec, OrConflict, Query, select, sql, transaction, update};
use keystone_types::{Error, Listing, Page, Resource, Result, check_length, overlay};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Federation;
use crate::identity_provider::held;
use crate::login::no_protocol;

/// A protocol of an identity provider, as stored and as served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Protocol {
    /// The protocol, which is also the name of an authentication method.
    pub id: String,
    /// The identity provider.
    pub idp_id: String,
    /// The mapping; one that was deleted since may be named still.
    pub mapping_id: String,
    /// The attribute with the id by which assertions name the identity provider.
    pub remote_id_attribute: Option<String>,
}

/// A protocol to be created.
#[derive(Clone, Debug, Deserialize)]
pub struct NewProtocol {
    /// The mapping.
    pub mapping_id: String,
    /// The attribute with the id by which assertions name the identity provider.
    #[serde(default)]
    pub remote_id_attribute: Option<String>,
}

impl Resource for Protocol {
    const MEMBER: &'static str = "protocol";
    const COLLECTION: &'static str = "protocols";

    fn id(&self) -> &str {
        &self.id
    }
}

const PROTOCOLS: &str =
    "SELECT id, idp_id, mapping_id, remote_id_attribute FROM federation_protocol";

impl Federation {
    /// The protocols of an identity provider, which need not exist.
    pub async fn protocols(&self, provider_id: &str, listing: &Listing) -> Result<Page<Protocol>> {
        let query = select(PROTOCOLS).filter("idp_id = ?", Some(provider_id));
        let query = query.page(listing, "id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// The protocols with an id, of all identity providers.
    pub async fn protocols_named(&self, id: &str) -> Result<Vec<Protocol>> {
        let query = select(PROTOCOLS).filter("id = ?", Some(id));
        Ok(query.then(" ORDER BY idp_id").fetch_all(&self.db).await?)
    }

    /// One protocol of an identity provider.
    pub async fn protocol(&self, provider_id: &str, id: &str) -> Result<Protocol> {
        let query = one(provider_id, id);
        query
            .fetch_or(&self.db, || no_protocol(provider_id, id))
            .await
    }

    /// Creates a protocol of an identity provider.
    pub async fn create_protocol(
        &self,
        provider_id: &str,
        id: &str,
        new: NewProtocol,
    ) -> Result<Protocol> {
        check_mapping(&new.mapping_id, &self.db).await?;
        let created = transaction!(self.db, |tx| {
            let protocol = Protocol {
                id: id.to_owned(),
                idp_id: held(provider_id, &mut *tx).await?,
                mapping_id: new.mapping_id.clone(),
                remote_id_attribute: new.remote_id_attribute.clone(),
            };
            check_length("id", id, 64)?;
            check_lengths(&protocol)?;
            sql(
                "INSERT INTO federation_protocol (id, idp_id, mapping_id, remote_id_attribute) \
                 VALUES (?, ?, ?, ?)",
            )
            .bind(&protocol.id)
            .bind(&protocol.idp_id)
            .bind(&protocol.mapping_id)
            .bind(&protocol.remote_id_attribute)
            .execute(tx)
            .await
            .or_conflict(|| Error::Conflict {
                kind: "federation_protocol",
                detail: format!("Duplicate entry found with ID {id}"),
            })?;
            Ok(protocol)
        });
        created.await
    }

    /// Changes the mapping of a protocol, or where its assertions name the identity provider.
    pub async fn update_protocol(
        &self,
        provider_id: &str,
        id: &str,
        patch: Map<String, Value>,
    ) -> Result<Protocol> {
        if let Some(mapping_id) = patch.get("mapping_id").and_then(Value::as_str) {
            check_mapping(mapping_id, &self.db).await?;
        }
        let updated = transaction!(self.db, |tx| {
            let stored: Protocol = one(provider_id, id)
                .locking()
                .fetch_or(&mut *tx, || no_protocol(provider_id, id))
                .await?;
            let protocol = overlay(&stored, patch.clone())?;
            if protocol.idp_id != stored.idp_id {
                let text = "Cannot change the identity provider of a protocol";
                return Err(Error::Validation(text.to_owned()));
            }
            check_lengths(&protocol)?;
            let (old, new) = (&stored.remote_id_attribute, &protocol.remote_id_attribute);
            update("federation_protocol")
                .set("mapping_id", &stored.mapping_id, &protocol.mapping_id)
                .set("remote_id_attribute", old, new)
                .apply_all("id = ? AND idp_id = ?", [&stored.id, &stored.idp_id], tx)
                .await?;
            Ok(protocol)
        });
        updated.await
    }

    /// Deletes a protocol with its accounts of users, and the users who are left without a name.
    pub async fn delete_protocol(&self, provider_id: &str, id: &str) -> Result<()> {
        let deleted = transaction!(self.db, |tx| {
            let stored: Protocol = one(provider_id, id)
                .locking()
                .fetch_or(&mut *tx, || no_protocol(provider_id, id))
                .await?;
            sql("DELETE FROM federation_protocol WHERE id = ? AND idp_id = ?")
                .bind(stored.id)
                .bind(stored.idp_id)
                .execute(&mut *tx)
                .await?;
            self.identity.remove_nameless_users(tx).await
        });
        deleted.await
    }
}

fn one(provider_id: &str, id: &str) -> Query {
    let query = select(PROTOCOLS).filter("id = ?", Some(id));
    query.filter("idp_id = ?", Some(provider_id)).then("")
}

fn check_lengths(protocol: &Protocol) -> Result<()> {
    check_length("mapping_id", &protocol.mapping_id, 64)?;
    let attribute = protocol.remote_id_attribute.as_deref().unwrap_or_default();
    check_length("remote_id_attribute", attribute, 64)
}

/// 400 for a mapping that does not exist. It may go later, which Keystone allows.
async fn check_mapping(id: &str, exec: impl Into<Exec<'_>>) -> Result<()> {
    let mapping = sql("SELECT id FROM mapping WHERE id = ?").bind(id);
    if mapping.exists(exec).await? {
        return Ok(());
    }
    Err(Error::Validation(format!("Invalid mapping id: {id}")))
}
