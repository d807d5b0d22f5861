//! Registered limits: how much of a resource each project and domain may have, by service and region.

use keystone_storage::{Column, OrConflict, Query, Tx, select, sql, transaction, update};
use keystone_types::{Error, Listing, Page, Resource, Result, new_id, overlay};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};

use crate::identity::Identity;

/// What a limit is about: a resource of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
pub struct LimitedResource {
    /// The service that has the resource.
    #[serde(default)]
    pub service_id: Option<String>,
    /// The region; `None` for all.
    #[serde(default)]
    pub region_id: Option<String>,
    /// `cores`, `volumes` …
    #[serde(default)]
    pub resource_name: Option<String>,
}

/// A registered limit, as stored and as served.
#[derive(Clone, Debug, Serialize, Deserialize, sqlx::FromRow)]
pub struct RegisteredLimit {
    /// The id.
    #[serde(default = "new_id")]
    pub id: String,
    /// What is limited.
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub resource: LimitedResource,
    /// The limit; -1 for none.
    #[serde(deserialize_with = "whole")]
    pub default_limit: i64,
    /// A description for people.
    #[serde(default)]
    pub description: Option<String>,
}

impl Resource for RegisteredLimit {
    const MEMBER: &'static str = "registered_limit";
    const COLLECTION: &'static str = "registered_limits";

    fn id(&self) -> &str {
        &self.id
    }
}

const REGISTERED_LIMITS: &str = "\
    SELECT id, service_id, region_id, resource_name, default_limit, description FROM registered_limit";

const COLUMNS: [Column; 3] = [
    Column::text("service_id", "service_id", 255),
    Column::text("region_id", "region_id", 64),
    Column::text("resource_name", "resource_name", 255),
];

impl Identity {
    /// The registered limits; filters: `service_id`, `region_id`, `resource_name`.
    pub async fn registered_limits(&self, listing: &Listing) -> Result<Page<RegisteredLimit>> {
        let query = select(REGISTERED_LIMITS).narrow(listing, &COLUMNS);
        let query = query.page(listing, "id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// One registered limit.
    pub async fn registered_limit(&self, id: &str) -> Result<RegisteredLimit> {
        by_id(id).fetch_or(&self.db, || missing(id)).await
    }

    /// Creates all of these, or none.
    pub async fn create_registered_limits(
        &self,
        limits: Vec<RegisteredLimit>,
    ) -> Result<Vec<RegisteredLimit>> {
        transaction!(self.db, |tx| {
            for limit in &limits {
                limit.resource.lock(tx, "registered_limit").await?;
            }
            for limit in &limits {
                insert(tx, limit).await?;
            }
            Ok(())
        })
        .await?;
        Ok(limits)
    }

    /// Changes a registered limit that no limit refers to.
    pub async fn update_registered_limit(
        &self,
        id: &str,
        patch: Map<String, Value>,
    ) -> Result<RegisteredLimit> {
        transaction!(self.db, |tx| {
            let text = |name: &str| patch.get(name).and_then(Value::as_str).map(str::to_owned);
            let named = LimitedResource {
                service_id: text("service_id"),
                region_id: text("region_id"),
                resource_name: None,
            };
            named.lock(tx, "registered_limit").await?;
            let current = locked(tx, id).await?;
            refuse_in_use(tx, &current.id).await?;
            let key = ["service_id", "region_id", "resource_name"];
            let key_given = key.iter().any(|name| patch.contains_key(*name));
            let limit = overlay(&current, patch.clone())?;
            if key_given {
                // As in Keystone, a key that is given and does not change is a duplicate of itself.
                refuse_duplicate(tx, &limit).await?;
            }
            let (old, new) = (&current.resource, &limit.resource);
            update("registered_limit")
                .set("service_id", &old.service_id, &new.service_id)
                .set("region_id", &old.region_id, &new.region_id)
                .set("resource_name", &old.resource_name, &new.resource_name)
                .set("default_limit", current.default_limit, limit.default_limit)
                .set("description", &current.description, &limit.description)
                .apply("id = ?", &current.id, tx)
                .await?;
            Ok(limit)
        })
        .await
    }

    /// Deletes a registered limit that no limit refers to.
    pub async fn delete_registered_limit(&self, id: &str) -> Result<()> {
        transaction!(self.db, |tx| {
            let limit = locked(tx, id).await?;
            refuse_in_use(tx, &limit.id).await?;
            sql("DELETE FROM registered_limit WHERE id = ?")
                .bind(&limit.id)
                .execute(tx)
                .await?;
            Ok(())
        })
        .await
    }
}

async fn insert(tx: &mut Tx, limit: &RegisteredLimit) -> Result<()> {
    refuse_duplicate(tx, limit).await?;
    sql("INSERT INTO registered_limit \
            (id, service_id, region_id, resource_name, default_limit, description) \
         VALUES (?, ?, ?, ?, ?, ?)")
    .bind(&limit.id)
    .bind(&limit.resource.service_id)
    .bind(&limit.resource.region_id)
    .bind(&limit.resource.resource_name)
    .bind(limit.default_limit)
    .bind(&limit.description)
    .execute(tx)
    .await
    .or_conflict(duplicate)?;
    Ok(())
}

/// One registered limit, locked until the transaction ends.
async fn locked(tx: &mut Tx, id: &str) -> Result<RegisteredLimit> {
    by_id(id).locking().fetch_or(tx, || missing(id)).await
}

fn by_id(id: &str) -> Query {
    select(REGISTERED_LIMITS)
        .filter("id = ?", Some(id))
        .then("")
}

fn missing(id: &str) -> Error {
    Error::Missing(format!("Could not find registered limit for {id}."))
}

impl LimitedResource {
    /// The registered limit in this region; without a region, the one that has none.
    pub(crate) async fn registered(&self, tx: &mut Tx) -> Result<Option<RegisteredLimit>> {
        let query = select(REGISTERED_LIMITS)
            .filter_all("service_id = ?", [&self.service_id])
            .filter_all("resource_name = ?", [&self.resource_name]);
        let query = match &self.region_id {
            Some(id) => query.filter("region_id = ?", Some(id)),
            None => query.and("region_id IS NULL"),
        };
        let query = query.then(" ORDER BY internal_id LIMIT 1");
        Ok(query.fetch_optional(tx).await?)
    }

    /// Locks the service, for which writers take turns, and shares the region; 400 if one of them does not exist.
    pub(crate) async fn lock(&self, tx: &mut Tx, kind: &str) -> Result<()> {
        let service = sql("SELECT id FROM service WHERE id = ?").locking();
        let region = sql("SELECT id FROM region WHERE id = ?").sharing();
        for (id, attribute, query) in [
            (&self.service_id, "service_id", service),
            (&self.region_id, "region_id", region),
        ] {
            let Some(id) = id else { continue };
            if !query.bind(id).exists(&mut *tx).await? {
                return Err(Error::expecting(attribute, kind));
            }
        }
        Ok(())
    }
}

/// The unique key does not compare NULLs, so that writers for one service take turns.
async fn refuse_duplicate(tx: &mut Tx, limit: &RegisteredLimit) -> Result<()> {
    let service = sql("SELECT id FROM service WHERE id = ?").bind(&limit.resource.service_id);
    service.locking().exists(&mut *tx).await?;
    match limit.resource.registered(tx).await? {
        Some(_) => Err(duplicate()),
        None => Ok(()),
    }
}

fn duplicate() -> Error {
    Error::conflict::<RegisteredLimit>("Duplicate entry")
}

async fn refuse_in_use(tx: &mut Tx, id: &str) -> Result<()> {
    let limits = sql("SELECT id FROM `limit` WHERE registered_limit_id = ? LIMIT 1").bind(id);
    if limits.exists(tx).await? {
        return Err(Error::Refused(format!(
            "Unable to update or delete registered limit {id} because there are project limits associated with it."
        )));
    }
    Ok(())
}

/// A whole number, which JSON may write as `10.0`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the schemas hold it within 32 bits"
)]
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = Number::deserialize(deserializer)?;
    let whole = number
        .as_i64()
        .or_else(|| number.as_f64().map(|number| number as i64));
    whole.ok_or_else(|| serde::de::Error::custom(format!("{number} is not of type 'integer'")))
}
