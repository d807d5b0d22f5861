//! What a login, and the exchange of a token, ask about identity providers.

use keystone_storage::sql;
use keystone_types::{Error, Resource, Result};

use crate::federation::Federation;
use crate::stored_mapping::StoredMapping;

/// Whether the provider is enabled, the protocol and its mapping, where there are such, and whether that mapping exists.
type State = (bool, Option<String>, Option<String>, Option<String>);

impl Federation {
    /// Finds the identity provider that gives itself this name, by id.
    pub async fn provider_named(&self, remote_id: &str) -> Result<String> {
        let row = sql("SELECT idp_id FROM idp_remote_ids WHERE remote_id = ?").bind(remote_id);
        let found: Option<(Option<String>,)> = row.fetch_optional(&self.db).await?;
        let id = found.and_then(|(id,)| id);
        id.ok_or_else(|| no_provider(remote_id))
    }

    /// Checks that users may still come by a protocol of an identity provider: 403 where that is disabled, 404 where one of
    /// them or the mapping is gone.
    pub async fn check_protocol(&self, identity_provider: &str, protocol: &str) -> Result<()> {
        let row: Option<State> = sql("\
            SELECT i.enabled, p.id, p.mapping_id, m.id FROM identity_provider i \
              LEFT JOIN federation_protocol p ON p.idp_id = i.id AND p.id = ? \
              LEFT JOIN mapping m ON m.id = p.mapping_id \
             WHERE i.id = ?")
        .bind(protocol)
        .bind(identity_provider)
        .fetch_optional(&self.db)
        .await?;
        match row {
            None => Err(no_provider(identity_provider)),
            Some((false, ..)) => Err(disabled(identity_provider)),
            Some((true, None, ..)) => Err(no_protocol(identity_provider, protocol)),
            Some((true, Some(_), mapping, None)) => Err(Error::NotFound {
                kind: StoredMapping::MEMBER,
                id: mapping.unwrap_or_default(),
            }),
            Some((true, Some(_), _, Some(_))) => Ok(()),
        }
    }
}

/// 403 for an identity provider that is disabled.
pub(crate) fn disabled(id: &str) -> Error {
    Error::Forbidden {
        detail: format!("Identity Provider {id} is disabled"),
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
