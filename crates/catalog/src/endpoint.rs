//! Endpoints: the URLs of a service.

use keystone_storage::{Column, Query, Tx, select, sql, transaction, update};
use keystone_types::{Error, Extra, Listing, Page, Resource, Result, new_id, overlay};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{
    Catalog,
    attributes::{Attribute, drop_unstored, serialize},
    catalog::lock_id,
    region, service, url,
};

/// An endpoint, as stored and as served.
#[derive(Clone, Debug, PartialEq, Deserialize, sqlx::FromRow)]
pub struct Endpoint {
    /// Random.
    #[serde(default)]
    pub id: String,
    /// `public`, `internal` or `admin`.
    pub interface: String,
    /// The region that it is in; also served as `region`.
    #[serde(default)]
    pub region_id: Option<String>,
    /// The service that it belongs to.
    pub service_id: String,
    /// A template: `http://nova:8774/v2.1/%(project_id)s`.
    pub url: String,
    /// Whether tokens carry it.
    #[serde(default = "enabled", deserialize_with = "or_enabled")]
    pub enabled: bool,
    /// Whether the call that this comes from has created the region.
    #[serde(skip)]
    #[sqlx(skip)]
    pub region_is_new: bool,
    /// Attributes that no column holds.
    #[serde(flatten)]
    #[sqlx(try_from = "Option<String>")]
    pub extra: Extra,
}

impl Endpoint {
    /// An enabled endpoint, to be created.
    pub fn new(
        service_id: impl Into<String>,
        interface: impl Into<String>,
        region_id: Option<String>,
        url: impl Into<String>,
    ) -> Self {
        Self {
            id: String::new(),
            interface: interface.into(),
            region_id,
            service_id: service_id.into(),
            url: url.into(),
            enabled: true,
            region_is_new: false,
            extra: Extra::default(),
        }
    }
}

impl Resource for Endpoint {
    const MEMBER: &'static str = "endpoint";
    const COLLECTION: &'static str = "endpoints";

    fn id(&self) -> &str {
        &self.id
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [id, interface, region, service, url, enabled] = self.columns();
        let again = ("region", region.1);
        let columns = [id, interface, region, service, url, enabled, again];
        serialize(&self.extra, &columns, serializer)
    }
}

impl Endpoint {
    fn columns(&self) -> [(&'static str, Attribute<'_>); 6] {
        [
            ("id", Attribute::Text(&self.id)),
            ("interface", Attribute::Text(&self.interface)),
            ("region_id", Attribute::Nullable(self.region_id.as_deref())),
            ("service_id", Attribute::Text(&self.service_id)),
            ("url", Attribute::Text(&self.url)),
            ("enabled", Attribute::Flag(self.enabled)),
        ]
    }

    /// Serialises it without `region`.
    pub(crate) fn serialize_columns<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        serialize(&self.extra, &self.columns(), to)
    }
}

const ENDPOINTS: &str =
    "SELECT id, interface, region_id, service_id, url, enabled, extra FROM endpoint";

const FILTERS: [Column; 5] = [
    Column::text("id", "id", 64),
    Column::text("interface", "interface", 8),
    Column::text("region_id", "region_id", 255),
    Column::text("service_id", "service_id", 64),
    Column::flag("enabled", "enabled"),
];

impl Catalog {
    /// The endpoints; filters: `interface`, `service_id` and `region_id`, and the other columns.
    pub async fn endpoints(&self, listing: &Listing) -> Result<Page<Endpoint>> {
        let query = select(ENDPOINTS)
            .narrow(listing, &FILTERS)
            .page(listing, "id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// All endpoints that can be read, without a limit.
    pub(crate) async fn every_endpoint(&self) -> Result<Vec<Endpoint>> {
        let query = select(ENDPOINTS).then(" ORDER BY id");
        Ok(query.fetch_readable(&self.db).await?)
    }

    /// One endpoint.
    pub async fn endpoint(&self, id: &str) -> Result<Endpoint> {
        one(id).fetch_resource(&self.db, id).await
    }

    /// Creates an endpoint under a new id.
    ///
    /// A free attribute `region` in place of `region_id` names a region that is created if it
    /// does not exist, as clients of the v2 API were used to.
    pub async fn create_endpoint(&self, mut endpoint: Endpoint) -> Result<Endpoint> {
        url::check(&endpoint.url)?;
        endpoint.id = new_id();
        let named = take_legacy_region(&mut endpoint.extra);
        let created = transaction!(self.db, |tx| {
            let mut endpoint = endpoint.clone();
            endpoint.region_id = match (&endpoint.region_id, &named) {
                (Some(id), _) => Some(region_of(id, tx).await?),
                (None, Some(named)) => {
                    let (id, is_new) = region::ensure(named, tx).await?;
                    endpoint.region_is_new = is_new;
                    Some(id)
                }
                (None, None) => None,
            };
            endpoint.service_id = service_of(&endpoint.service_id, tx).await?;
            insert(&endpoint, tx).await?;
            Ok(endpoint)
        });
        created.await
    }

    /// Creates the endpoint of a service with this interface, and this region where one is named, or gives the existing one
    /// this URL. Concurrent calls create one.
    pub async fn ensure_endpoint(&self, mut endpoint: Endpoint) -> Result<Endpoint> {
        endpoint.id = new_id();
        let ensured = transaction!(self.db, |tx| {
            // The lock on the service serialises concurrent calls.
            let mut endpoint = endpoint.clone();
            endpoint.service_id = service_of(&endpoint.service_id, tx).await?;
            let query = select(ENDPOINTS)
                .filter("service_id = ?", Some(&endpoint.service_id))
                .filter("interface = ?", Some(&endpoint.interface))
                .filter("region_id = ?", endpoint.region_id.as_ref());
            let query = query.then(" ORDER BY id DESC LIMIT 1").locking();
            let Some(found) = query.fetch_optional::<Endpoint>(&mut *tx).await? else {
                insert(&endpoint, tx).await?;
                return Ok(endpoint);
            };
            update("endpoint")
                .set("url", &found.url, &endpoint.url)
                .apply("id = ?", &found.id, tx)
                .await?;
            let url = endpoint.url;
            Ok(Endpoint { url, ..found })
        });
        ensured.await
    }

    /// Changes an endpoint; `region` is read as in [`Catalog::create_endpoint`].
    pub async fn update_endpoint(
        &self,
        id: &str,
        mut patch: Map<String, Value>,
    ) -> Result<Endpoint> {
        let named = patch.shift_remove("region");
        let updated = transaction!(self.db, |tx| {
            let mut patch = patch.clone();
            let is_new = resolve_references(&mut patch, named.as_ref(), tx).await?;
            let stored: Endpoint = one(id).locking().fetch_resource(&mut *tx, id).await?;
            let mut endpoint = overlay(&stored, patch)?;
            endpoint.region_is_new = is_new;
            take_legacy_region(&mut endpoint.extra);
            update("endpoint")
                .set("interface", &stored.interface, &endpoint.interface)
                .set("region_id", &stored.region_id, &endpoint.region_id)
                .set("service_id", &stored.service_id, &endpoint.service_id)
                .set("url", &stored.url, &endpoint.url)
                .set("enabled", stored.enabled, endpoint.enabled)
                .set("extra", &stored.extra, &endpoint.extra)
                .apply("id = ?", &stored.id, tx)
                .await?;
            Ok(endpoint)
        });
        let endpoint = updated.await?;
        if url::check(&endpoint.url).is_err() {
            // As in Keystone, the template is checked only when an endpoint is created.
            tracing::warn!(
                endpoint.id = endpoint.id,
                "no token will carry this endpoint: its URL cannot be filled"
            );
        }
        Ok(endpoint)
    }

    /// Deletes an endpoint and what was associated with it.
    pub async fn delete_endpoint(&self, id: &str) -> Result<()> {
        let deleted = transaction!(self.db, |tx| {
            let id = lock(id, tx).await?;
            for text in [
                "DELETE FROM project_endpoint WHERE endpoint_id = ?",
                "DELETE FROM policy_association WHERE endpoint_id = ?",
                "DELETE FROM endpoint WHERE id = ?",
            ] {
                sql(text).bind(&id).execute(&mut *tx).await?;
            }
            Ok(())
        });
        deleted.await
    }
}

async fn insert(endpoint: &Endpoint, tx: &mut Tx) -> Result<()> {
    sql(
        "INSERT INTO endpoint (id, interface, region_id, service_id, url, enabled, extra) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&endpoint.id)
    .bind(&endpoint.interface)
    .bind(&endpoint.region_id)
    .bind(&endpoint.service_id)
    .bind(&endpoint.url)
    .bind(endpoint.enabled)
    .bind(&endpoint.extra)
    .execute(tx)
    .await?;
    Ok(())
}

fn one(id: &str) -> Query {
    select(ENDPOINTS).filter("id = ?", Some(id)).then("")
}

/// Locks an endpoint until the transaction ends; returns its id.
pub(crate) async fn lock(id: &str, tx: &mut Tx) -> Result<String> {
    let locked = lock_id("SELECT id FROM endpoint WHERE id = ?", id, tx).await?;
    locked.ok_or_else(|| Error::not_found::<Endpoint>(id))
}

/// Replaces the ids in a patch by those that the rows have; tells whether the region was created for it.
async fn resolve_references(
    patch: &mut Map<String, Value>,
    named: Option<&Value>,
    tx: &mut Tx,
) -> Result<bool> {
    let mut is_new = false;
    match (patch.get_mut("region_id"), named) {
        (Some(Value::String(id)), _) => *id = region_of(id, tx).await?,
        (None | Some(Value::Null), Some(Value::String(named))) => {
            let id;
            (id, is_new) = region::ensure(named, tx).await?;
            patch.insert("region_id".to_owned(), Value::String(id));
        }
        _ => {}
    }
    if let Some(Value::String(id)) = patch.get_mut("service_id") {
        *id = service_of(id, tx).await?;
    }
    Ok(is_new)
}

async fn region_of(id: &str, tx: &mut Tx) -> Result<String> {
    let id = region::lock(id, tx).await;
    unless_missing(id, "endpoint region_id", "region table")
}

async fn service_of(id: &str, tx: &mut Tx) -> Result<String> {
    let id = service::lock(id, tx).await;
    unless_missing(id, "endpoint service_id", "service table")
}

fn unless_missing(id: Result<String>, attribute: &str, table: &str) -> Result<String> {
    id.map_err(|error| match error {
        Error::NotFound { .. } => Error::expecting(attribute, table),
        other => other,
    })
}

/// Removes what is not a free attribute; returns the region that the attribute `region` of the v2 API names.
fn take_legacy_region(extra: &mut Extra) -> Option<String> {
    drop_unstored(extra);
    extra.0.shift_remove("legacy_endpoint_id");
    match extra.0.shift_remove("region") {
        Some(Value::String(region)) => Some(region),
        _ => None,
    }
}

fn enabled() -> bool {
    true
}

fn or_enabled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(true))
}

#[cfg(test)]
mod tests;
