//! Services: what a cloud offers, by type.

use keystone_storage::{Column, Exec, Query, Tx, select, sql, transaction, update};
use keystone_types::{Error, Extra, Listing, Page, Resource, Result, new_id, overlay};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{
    Catalog,
    attributes::{Attribute, drop_unstored, passes, serialize},
    catalog::lock_id,
};

/// A service, as stored and as served.
#[derive(Clone, Debug, PartialEq, Deserialize, sqlx::FromRow)]
pub struct Service {
    /// Random.
    #[serde(default)]
    pub id: String,
    /// `compute`, `identity` …
    #[serde(default, rename = "type")]
    #[sqlx(rename = "type")]
    pub service_type: Option<String>,
    /// Whether tokens carry it.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// `name`, `description` and whatever else no column holds.
    #[serde(flatten)]
    #[sqlx(try_from = "Option<String>")]
    pub extra: Extra,
}

impl Service {
    /// An enabled service, to be created.
    pub fn new(service_type: impl Into<String>, name: impl Into<String>) -> Self {
        let name = Value::String(name.into());
        Self {
            id: String::new(),
            service_type: Some(service_type.into()),
            enabled: true,
            extra: Extra(Map::from_iter([("name".to_owned(), name)])),
        }
    }

    /// Its name; empty where it has none.
    pub fn name(&self) -> &str {
        name(&self.extra)
    }
}

impl Resource for Service {
    const MEMBER: &'static str = "service";
    const COLLECTION: &'static str = "services";

    fn id(&self) -> &str {
        &self.id
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = [
            ("id", Attribute::Text(&self.id)),
            ("type", Attribute::Nullable(self.service_type.as_deref())),
            ("enabled", Attribute::Flag(self.enabled)),
        ];
        serialize(&self.extra, &columns, serializer)
    }
}

const SERVICES: &str = "SELECT id, type, enabled, extra FROM service";

const FILTERS: [Column; 3] = [
    Column::text("id", "id", 64),
    Column::text("type", "type", 255),
    Column::flag("enabled", "enabled"),
];

impl Catalog {
    /// The services; filters: `type` and `name`, and the other attributes.
    pub async fn services(&self, listing: &Listing) -> Result<Page<Service>> {
        let query = select(SERVICES).narrow(listing, &FILTERS);
        let (columns, free): (Vec<_>, Vec<_>) = listing
            .filters
            .iter()
            .partition(|filter| FILTERS.iter().any(|column| column.name == filter.name));
        if free.is_empty() {
            let query = query.page(listing, "id");
            return Ok(query.fetch_page(listing, &self.db).await?);
        }
        // A name is not a column: the page is cut after the rows are read.
        let unlimited = Listing {
            filters: columns.into_iter().cloned().collect(),
            limit: None,
            ..listing.clone()
        };
        let mut services: Vec<Service> = query
            .page(&unlimited, "id")
            .fetch_readable(&self.db)
            .await?;
        services.retain(|service| free.iter().all(|filter| passes(&service.extra, filter)));
        Ok(Page::cut(services, listing))
    }

    /// One service.
    pub async fn service(&self, id: &str) -> Result<Service> {
        one(id).fetch_resource(&self.db, id).await
    }

    /// Creates a service under a new id.
    pub async fn create_service(&self, service: Service) -> Result<Service> {
        let service = new(service);
        insert(&service, &self.db).await?;
        Ok(service)
    }

    /// Finds the first service of a type, or creates it; concurrent calls create one.
    pub async fn ensure_service(&self, service: Service) -> Result<Service> {
        let service = new(service);
        let ensured = transaction!(self.db, |tx| {
            // No constraint makes a type unique. Every database has the root project: its lock serialises concurrent
            // calls.
            lock_id(
                "SELECT id FROM project WHERE id = ?",
                "<<keystone.domain.root>>",
                tx,
            )
            .await?;
            let query = select(SERVICES).filter("type = ?", service.service_type.as_ref());
            let found: Option<Service> = query
                .then(" ORDER BY id LIMIT 1")
                .fetch_optional(&mut *tx)
                .await?;
            if let Some(found) = found {
                return Ok(found);
            }
            insert(&service, tx).await?;
            Ok(service.clone())
        });
        ensured.await
    }

    /// Changes a service.
    pub async fn update_service(&self, id: &str, patch: Map<String, Value>) -> Result<Service> {
        let updated = transaction!(self.db, |tx| {
            let stored: Service = one(id).locking().fetch_resource(&mut *tx, id).await?;
            let mut service = overlay(&stored, patch.clone())?;
            drop_unstored(&mut service.extra);
            update("service")
                .set("type", &stored.service_type, &service.service_type)
                .set("enabled", stored.enabled, service.enabled)
                .set("extra", &stored.extra, &service.extra)
                .apply("id = ?", &stored.id, tx)
                .await?;
            Ok(service)
        });
        updated.await
    }

    /// Deletes a service with its endpoints and what was associated with them.
    pub async fn delete_service(&self, id: &str) -> Result<()> {
        const DEPENDANTS: [&str; 5] = [
            "DELETE FROM project_endpoint \
             WHERE endpoint_id IN (SELECT id FROM endpoint WHERE service_id = ?)",
            "DELETE FROM policy_association \
             WHERE endpoint_id IN (SELECT id FROM endpoint WHERE service_id = ?)",
            "DELETE FROM policy_association WHERE service_id = ?",
            "DELETE FROM endpoint WHERE service_id = ?",
            "DELETE FROM service WHERE id = ?",
        ];
        let deleted = transaction!(self.db, |tx| {
            let id = lock(id, tx).await?;
            // Nothing is associated with its endpoints meanwhile.
            let endpoints = sql("SELECT id FROM endpoint WHERE service_id = ? ORDER BY id");
            let endpoints = endpoints.bind(&id).locking();
            endpoints.fetch_texts(&mut *tx).await?;
            for text in DEPENDANTS {
                sql(text).bind(&id).execute(&mut *tx).await?;
            }
            Ok(())
        });
        deleted.await
    }
}

/// Gives a new service its id, and a name where it has none.
fn new(mut service: Service) -> Service {
    service.id = new_id();
    drop_unstored(&mut service.extra);
    let attributes = &mut service.extra.0;
    attributes.entry("name").or_insert_with(|| "".into());
    service
}

async fn insert(service: &Service, exec: impl Into<Exec<'_>>) -> Result<()> {
    sql("INSERT INTO service (id, type, enabled, extra) VALUES (?, ?, ?, ?)")
        .bind(&service.id)
        .bind(&service.service_type)
        .bind(service.enabled)
        .bind(&service.extra)
        .execute(exec)
        .await?;
    Ok(())
}

fn one(id: &str) -> Query {
    select(SERVICES).filter("id = ?", Some(id)).then("")
}

/// Locks a service until the transaction ends; returns its id.
pub(crate) async fn lock(id: &str, tx: &mut Tx) -> Result<String> {
    let locked = lock_id("SELECT id FROM service WHERE id = ?", id, tx).await?;
    locked.ok_or_else(|| Error::not_found::<Service>(id))
}

/// The name among free attributes.
pub(crate) fn name(extra: &Extra) -> &str {
    extra.0.get("name").and_then(Value::as_str).unwrap_or("")
}

fn enabled() -> bool {
    true
}

#[cfg(test)]
mod tests;
