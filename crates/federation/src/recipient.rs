//! The service providers that assertions are made for.

use keystone_storage::sql;
use keystone_types::{Error, Result};

use crate::Federation;

/// Where an assertion goes.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Recipient {
    /// Where clients take their token afterwards.
    pub auth_url: String,
    /// Where they take the assertion.
    pub sp_url: String,
    /// What the relay state of an ECP answer begins with.
    pub relay_state_prefix: String,
    enabled: bool,
}

impl Federation {
    /// Finds a service provider that takes assertions: 404 for none, 403 for a disabled one.
    pub async fn recipient(&self, id: &str) -> Result<Recipient> {
        let row: Option<Recipient> = sql("\
            SELECT auth_url, sp_url, relay_state_prefix, enabled FROM service_provider WHERE id = ?")
        .bind(id)
        .fetch_optional(&self.db)
        .await?;
        let recipient = row.ok_or_else(|| Error::NotFound {
            kind: "Service Provider",
            id: id.to_owned(),
        })?;
        if !recipient.enabled {
            let detail = format!("Service Provider {id} is disabled");
            return Err(Error::Forbidden { detail });
        }
        Ok(recipient)
    }
}
