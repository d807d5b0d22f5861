//! What a login reads of identity providers and protocols.

use keystone_storage::sql;
use keystone_types::{Error, Result};

use crate::federation::Federation;

/// An identity provider, as a login needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginProvider {
    /// The id, as it is stored.
    pub id: String,
    /// Whether it is enabled.
    pub enabled: bool,
    /// The domain of its users.
    pub domain_id: String,
    /// The names that it gives itself, such as the issuer of its tokens.
    pub remote_ids: Vec<String>,
}

/// A protocol of an identity provider, as a login needs it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LoginProtocol {
    /// The identity provider, as its id is stored.
    pub idp_id: String,
    /// The id, as it is stored.
    pub id: String,
    /// The mapping.
    pub mapping_id: String,
    /// The attribute that names the provider, where the protocol has one of its own.
    pub remote_id_attribute: Option<String>,
}

impl Federation {
    /// Finds an identity provider, whether it is enabled or not.
    pub async fn login_provider(&self, id: &str) -> Result<LoginProvider> {
        let row: Option<(String, bool, String)> =
            sql("SELECT id, enabled, domain_id FROM identity_provider WHERE id = ?")
                .bind(id)
                .fetch_optional(&self.db)
                .await?;
        let (id, enabled, domain_id) = row.ok_or_else(|| no_provider(id))?;
        let remote_ids =
            sql("SELECT remote_id FROM idp_remote_ids WHERE idp_id = ? ORDER BY remote_id")
                .bind(&id)
                .fetch_texts(&self.db)
                .await?;
        Ok(LoginProvider {
            id,
            enabled,
            domain_id,
            remote_ids,
        })
    }

    /// Finds a protocol of an identity provider.
    pub async fn login_protocol(
        &self,
        identity_provider: &str,
        protocol: &str,
    ) -> Result<LoginProtocol> {
        let row = sql("\
            SELECT idp_id, id, mapping_id, remote_id_attribute FROM federation_protocol \
             WHERE idp_id = ? AND id = ?")
        .bind(identity_provider)
        .bind(protocol);
        row.fetch_or(&self.db, || no_protocol(identity_provider, protocol))
            .await
    }

    /// The protocols with an id, of all identity providers.
    pub async fn login_protocols(&self, protocol: &str) -> Result<Vec<LoginProtocol>> {
        let rows = sql("\
            SELECT idp_id, id, mapping_id, remote_id_attribute FROM federation_protocol \
             WHERE id = ? ORDER BY idp_id")
        .bind(protocol);
        Ok(rows.fetch_all(&self.db).await?)
    }

    /// Finds the identity provider that gives itself this name, by id.
    pub async fn provider_named(&self, remote_id: &str) -> Result<String> {
        let row = sql("SELECT idp_id FROM idp_remote_ids WHERE remote_id = ?").bind(remote_id);
        let found: Option<(Option<String>,)> = row.fetch_optional(&self.db).await?;
        let id = found.and_then(|(id,)| id);
        id.ok_or_else(|| no_provider(remote_id))
    }
}

pub(crate) fn no_provider(id: &str) -> Error {
    Error::NotFound {
        kind: "Identity Provider",
        id: id.to_owned(),
    }
}

pub(crate) fn no_protocol(identity_provider: &str, protocol: &str) -> Error {
    Error::Missing(format!(
        "Could not find federated protocol {protocol} for Identity Provider: {identity_provider}."
    ))
}
