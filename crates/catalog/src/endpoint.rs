//! Endpoints: the URLs of a service.

use keystone_storage::{
    Column as FilterColumn, Error as StorageError, Exec, Result as StorageResult, Tx, select, sql,
};
use keystone_types::{
    Error, Extra, Listing, Page, Resource, Result, check_length, new_id, overlay,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{
    Catalog, Region,
    attributes::{Column, drop_unstored, serialize},
    region, url,
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
    fn columns(&self) -> [(&'static str, Column<'_>); 6] {
        [
            ("id", Column::Text(&self.id)),
            ("interface", Column::Text(&self.interface)),
            ("region_id", Column::Nullable(self.region_id.as_deref())),
            ("service_id", Column::Text(&self.service_id)),
            ("url", Column::Text(&self.url)),
            ("enabled", Column::Flag(self.enabled)),
        ]
    }

    /// Serialises it without `region`.
    pub(crate) fn serialize_columns<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        serialize(&self.extra, &self.columns(), to)
    }
}

const ENDPOINTS: &str =
    "SELECT id, interface, region_id, service_id, url, enabled, extra FROM endpoint";

const FILTERS: [FilterColumn; 5] = [
    FilterColumn::text("id", "id", 64),
    FilterColumn::text("interface", "interface", 8),
    FilterColumn::text("region_id", "region_id", 255),
    FilterColumn::text("service_id", "service_id", 64),
    FilterColumn::flag("enabled", "enabled"),
];

impl Catalog {
    /// The endpoints; filters: `interface`, `service_id` and `region_id`, and the other columns.
    pub async fn endpoints(&self, listing: &Listing) -> Result<Page<Endpoint>> {
        let query = select(ENDPOINTS)
            .narrow(listing, &FILTERS)
            .page(listing, "id");
        Ok(Page::cut(query.fetch_all(&self.db).await?, listing))
    }

    /// All of them, whatever the limits.
    pub(crate) async fn every_endpoint(&self) -> Result<Vec<Endpoint>> {
        let query = select(ENDPOINTS).then(" ORDER BY id");
        Ok(query.fetch_all(&self.db).await?)
    }

    /// One endpoint.
    pub async fn endpoint(&self, id: &str) -> Result<Endpoint> {
        endpoint(id, &self.db).await
    }

    /// Creates an endpoint under a new id.
    ///
    /// A free attribute `region` in place of `region_id` names a region that is created if it
    /// does not exist, as clients of the v2 API were used to.
    pub async fn create_endpoint(&self, mut endpoint: Endpoint) -> Result<Endpoint> {
        url::check(&endpoint.url)?;
        endpoint.id = new_id();
        let named = tidy(&mut endpoint.extra);
        let mut tx = self.db.begin().await?;
        if endpoint.region_id.is_none()
            && let Some(named) = named
        {
            ensure_region(&named, &mut tx).await?;
            endpoint.region_id = Some(named);
        }
        let stored = sql("INSERT INTO endpoint \
             (id, interface, region_id, service_id, url, enabled, extra) \
             VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(&endpoint.id)
        .bind(&endpoint.interface)
        .bind(&endpoint.region_id)
        .bind(&endpoint.service_id)
        .bind(&endpoint.url)
        .bind(endpoint.enabled)
        .bind(&endpoint.extra)
        .execute(&mut tx)
        .await;
        explain(stored, &endpoint, &mut tx).await?;
        tx.commit().await?;
        Ok(endpoint)
    }

    /// Changes an endpoint; `region` means what it does to [`Catalog::create_endpoint`].
    pub async fn update_endpoint(
        &self,
        id: &str,
        mut patch: Map<String, Value>,
    ) -> Result<Endpoint> {
        patch.shift_remove("id");
        let named = patch.shift_remove("region");
        let mut tx = self.db.begin().await?;
        if matches!(patch.get("region_id"), None | Some(Value::Null))
            && let Some(Value::String(named)) = named
        {
            ensure_region(&named, &mut tx).await?;
            patch.insert("region_id".to_owned(), Value::String(named));
        }
        let mut endpoint = overlay(&self::endpoint(id, &mut tx).await?, patch)?;
        tidy(&mut endpoint.extra);
        if url::check(&endpoint.url).is_err() {
            // As in the reference, the template is checked only when an endpoint is created.
            tracing::warn!(
                endpoint.id = endpoint.id,
                "no token will carry this endpoint: its URL cannot be filled"
            );
        }
        let stored = sql(
            "UPDATE endpoint SET interface = ?, region_id = ?, service_id = ?, \
             url = ?, enabled = ?, extra = ? WHERE id = ?",
        )
        .bind(&endpoint.interface)
        .bind(&endpoint.region_id)
        .bind(&endpoint.service_id)
        .bind(&endpoint.url)
        .bind(endpoint.enabled)
        .bind(&endpoint.extra)
        .bind(&endpoint.id)
        .execute(&mut tx)
        .await;
        explain(stored, &endpoint, &mut tx).await?;
        tx.commit().await?;
        Ok(endpoint)
    }

    /// Deletes an endpoint and what was associated with it.
    pub async fn delete_endpoint(&self, id: &str) -> Result<()> {
        let mut tx = self.db.begin().await?;
        for text in [
            "DELETE FROM project_endpoint WHERE endpoint_id = ?",
            "DELETE FROM policy_association WHERE endpoint_id = ?",
        ] {
            sql(text).bind(id).execute(&mut tx).await?;
        }
        let query = sql("DELETE FROM endpoint WHERE id = ?").bind(id);
        if query.execute(&mut tx).await? == 0 {
            return Err(Error::not_found::<Endpoint>(id));
        }
        Ok(tx.commit().await?)
    }
}

async fn endpoint(id: &str, exec: impl Into<Exec<'_>>) -> Result<Endpoint> {
    let query = select(ENDPOINTS).filter("id = ?", Some(id)).then("");
    query
        .fetch_optional(exec)
        .await?
        .ok_or_else(|| Error::not_found::<Endpoint>(id))
}

/// Removes what is no free attribute, and yields the region that was named the old way.
fn tidy(extra: &mut Extra) -> Option<String> {
    drop_unstored(extra);
    extra.0.shift_remove("legacy_endpoint_id");
    match extra.0.shift_remove("region") {
        Some(Value::String(region)) => Some(region),
        _ => None,
    }
}

async fn ensure_region(id: &str, tx: &mut Tx) -> Result<()> {
    check_length("id", id, 255)?;
    match region::insert(&Region::new(id), tx).await {
        Err(StorageError::Duplicate(_)) => Ok(()),
        other => Ok(other.map(drop)?),
    }
}

/// Names the reference that the database refused.
async fn explain(stored: StorageResult<u64>, endpoint: &Endpoint, tx: &mut Tx) -> Result<()> {
    match stored {
        Err(StorageError::ForeignKey(_)) => {}
        other => return Ok(other.map(drop)?),
    }
    if let Some(id) = &endpoint.region_id {
        match region::region(id, tx).await {
            Ok(_) => {}
            Err(Error::NotFound { .. }) => {
                return Err(Error::expecting("endpoint region_id", "region table"));
            }
            Err(other) => return Err(other),
        }
    }
    Err(Error::expecting("endpoint service_id", "service table"))
}

fn enabled() -> bool {
    true
}

fn or_enabled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(true))
}

#[cfg(test)]
mod tests;
