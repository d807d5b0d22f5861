//! Service providers: the Keystones to which this one vouches for its users.

use keystone_storage::{Column, OrConflict, Query, select, sql, transaction, update};
use keystone_types::{Error, Listing, Page, Resource, Result, check_length, overlay};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Federation;

/// A service provider, as stored and as served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
pub struct ServiceProvider {
    /// Where its users get their tokens.
    pub auth_url: String,
    /// The id, which is chosen by whoever creates it.
    pub id: String,
    /// Whether users get assertions for it; tokens name those which they do.
    pub enabled: bool,
    /// A description for people.
    pub description: Option<String>,
    /// What the `RelayState` of assertions begins with.
    pub relay_state_prefix: String,
    /// Where assertions are sent.
    pub sp_url: String,
}

/// A service provider to be created.
#[derive(Clone, Debug, Deserialize)]
pub struct NewServiceProvider {
    /// Where its users get their tokens.
    pub auth_url: String,
    /// Where assertions are sent.
    pub sp_url: String,
    /// Whether users get assertions for it.
    #[serde(default)]
    pub enabled: bool,
    /// A description for people.
    #[serde(default)]
    pub description: Option<String>,
    /// What the `RelayState` of assertions begins with.
    pub relay_state_prefix: String,
}

/// A service provider as a token names it.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
pub struct NamedServiceProvider {
    /// Where users get their tokens.
    pub auth_url: String,
    /// The id.
    pub id: String,
    /// Where assertions are sent.
    pub sp_url: String,
}

impl Resource for ServiceProvider {
    const MEMBER: &'static str = "service_provider";
    const COLLECTION: &'static str = "service_providers";
    const PATH: &'static str = "OS-FEDERATION/service_providers";

    fn id(&self) -> &str {
        &self.id
    }
}

const PROVIDERS: &str =
    "SELECT auth_url, id, enabled, description, relay_state_prefix, sp_url FROM service_provider";

const FILTERS: [Column; 2] = [
    Column::text("id", "id", 64),
    Column::flag("enabled", "enabled"),
];

impl Federation {
    /// The service providers; filters: `id` and `enabled`.
    pub async fn service_providers(&self, listing: &Listing) -> Result<Page<ServiceProvider>> {
        let query = select(PROVIDERS).narrow(listing, &FILTERS);
        let query = query.page(listing, "id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// The enabled service providers, as every token names them.
    pub async fn named_service_providers(&self) -> Result<Vec<NamedServiceProvider>> {
        let text =
            "SELECT auth_url, id, sp_url FROM service_provider WHERE enabled = ? ORDER BY id";
        Ok(sql(text).bind(true).fetch_all(&self.db).await?)
    }

    /// One service provider.
    pub async fn service_provider(&self, id: &str) -> Result<ServiceProvider> {
        one(id).fetch_or(&self.db, || missing(id)).await
    }

    /// Creates a service provider.
    pub async fn create_service_provider(
        &self,
        id: &str,
        new: NewServiceProvider,
    ) -> Result<ServiceProvider> {
        let provider = ServiceProvider {
            auth_url: new.auth_url,
            id: id.to_owned(),
            enabled: new.enabled,
            description: new.description,
            relay_state_prefix: new.relay_state_prefix,
            sp_url: new.sp_url,
        };
        check_lengths(&provider)?;
        sql("INSERT INTO service_provider (auth_url, id, enabled, description, relay_state_prefix, sp_url) \
             VALUES (?, ?, ?, ?, ?, ?)")
        .bind(&provider.auth_url)
        .bind(&provider.id)
        .bind(provider.enabled)
        .bind(&provider.description)
        .bind(&provider.relay_state_prefix)
        .bind(&provider.sp_url)
        .execute(&self.db)
        .await
        .or_conflict(|| {
            Error::conflict::<ServiceProvider>(format!("Duplicate entry found with ID {id}"))
        })?;
        Ok(provider)
    }

    /// Changes a service provider.
    pub async fn update_service_provider(
        &self,
        id: &str,
        patch: Map<String, Value>,
    ) -> Result<ServiceProvider> {
        let updated = transaction!(self.db, |tx| {
            let stored: ServiceProvider =
                one(id).locking().fetch_or(&mut *tx, || missing(id)).await?;
            let provider = overlay(&stored, patch.clone())?;
            check_lengths(&provider)?;
            let (old, new) = (&stored.relay_state_prefix, &provider.relay_state_prefix);
            update("service_provider")
                .set("auth_url", &stored.auth_url, &provider.auth_url)
                .set("enabled", stored.enabled, provider.enabled)
                .set("description", &stored.description, &provider.description)
                .set("relay_state_prefix", old, new)
                .set("sp_url", &stored.sp_url, &provider.sp_url)
                .apply("id = ?", &stored.id, tx)
                .await?;
            Ok(provider)
        });
        updated.await
    }

    /// Deletes a service provider.
    pub async fn delete_service_provider(&self, id: &str) -> Result<()> {
        sql("DELETE FROM service_provider WHERE id = ?")
            .bind(id)
            .execute_or(&self.db, || missing(id))
            .await
    }
}

fn one(id: &str) -> Query {
    select(PROVIDERS).filter("id = ?", Some(id)).then("")
}

fn missing(id: &str) -> Error {
    Error::NotFound {
        kind: "Service Provider",
        id: id.to_owned(),
    }
}

fn check_lengths(provider: &ServiceProvider) -> Result<()> {
    check_length("id", &provider.id, 64)?;
    check_length("auth_url", &provider.auth_url, 256)?;
    check_length("sp_url", &provider.sp_url, 256)?;
    check_length("relay_state_prefix", &provider.relay_state_prefix, 256)
}
