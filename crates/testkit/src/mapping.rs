//! Mappings of federation, stored as Python Keystone stores them.

use keystone::storage::sql;
use serde::Deserialize;
use serde_json::Value;

use crate::{Cloud, Ids, fill};

/// A mapping, and the identity provider whose protocol it is.
#[derive(Debug, Deserialize)]
pub struct StoredMapping {
    /// Its id.
    pub id: String,
    /// Its rules; `{name}` in them stands for an id.
    pub rules: Value,
    /// The version of their schema.
    pub version: String,
    /// The id of the identity provider; none leaves providers and protocols as they are.
    pub provider: Option<String>,
    /// The id of its protocol.
    pub protocol: Option<String>,
    /// Whether the provider is disabled.
    #[serde(default)]
    pub disabled: bool,
}

impl StoredMapping {
    /// A mapping of no protocol.
    pub fn new(id: &str, rules: &Value) -> Self {
        Self {
            id: id.to_owned(),
            rules: rules.clone(),
            version: "1.0".to_owned(),
            provider: None,
            protocol: None,
            disabled: false,
        }
    }

    /// The same as that of a provider's protocol.
    #[must_use]
    pub fn of(mut self, provider: &str, protocol: &str) -> Self {
        self.provider = Some(provider.to_owned());
        self.protocol = Some(protocol.to_owned());
        self
    }
}

impl Cloud {
    /// Stores a mapping, in place of one of its id, and its provider and protocol, in place of the provider and all its
    /// protocols.
    pub async fn store_mapping(&self, mapping: &StoredMapping, ids: &Ids) {
        // Python Keystone stores the rules as a text.
        let rules = Value::from(fill(&mapping.rules, ids).to_string());
        let mut changes = vec![
            sql("DELETE FROM mapping WHERE id = ?").bind(&mapping.id),
            sql("INSERT INTO mapping (id, rules, schema_version) VALUES (?, ?, ?)")
                .bind(&mapping.id)
                .bind(rules.to_string())
                .bind(&mapping.version),
        ];
        if let Some(provider) = &mapping.provider {
            changes.extend([
                sql("DELETE FROM identity_provider WHERE id = ?").bind(provider),
                sql("INSERT INTO identity_provider (id, enabled, domain_id) VALUES (?, ?, 'default')")
                    .bind(provider)
                    .bind(!mapping.disabled),
                sql("INSERT INTO federation_protocol (idp_id, id, mapping_id) VALUES (?, ?, ?)")
                    .bind(provider)
                    .bind(&mapping.protocol)
                    .bind(&mapping.id),
            ]);
        }
        for change in changes {
            let stored = change.execute(self.keystone.db()).await;
            stored.expect("a mapping can be stored");
        }
    }
}
