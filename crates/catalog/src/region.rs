//! Regions: the tree of places where endpoints are.

use std::collections::{HashMap, HashSet};

use keystone_storage::{
    Column, Error as StorageError, Exec, OrConflict, Query, Tx, select, sql, transaction, update,
};
use keystone_types::{
    Error, Extra, Listing, Page, Resource, Result, check_length, new_id, overlay,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{
    Catalog,
    attributes::{Attribute, drop_unstored, serialize},
    catalog::lock_id,
};

/// A region, as stored and as served.
#[derive(Clone, Debug, PartialEq, Deserialize, sqlx::FromRow)]
pub struct Region {
    /// Chosen by the creator, or random.
    #[serde(default = "new_id", deserialize_with = "chosen_id")]
    pub id: String,
    /// Empty where there is none.
    #[serde(default, deserialize_with = "or_empty")]
    pub description: String,
    /// The region that it lies in.
    #[serde(default)]
    pub parent_region_id: Option<String>,
    /// Attributes that no column holds.
    #[serde(flatten)]
    #[sqlx(try_from = "Option<String>")]
    pub extra: Extra,
}

impl Region {
    /// A region with nothing but an id.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            description: String::new(),
            parent_region_id: None,
            extra: Extra::default(),
        }
    }
}

impl Resource for Region {
    const MEMBER: &'static str = "region";
    const COLLECTION: &'static str = "regions";

    fn id(&self) -> &str {
        &self.id
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = [
            ("id", Attribute::Text(&self.id)),
            ("description", Attribute::Text(&self.description)),
            (
                "parent_region_id",
                Attribute::Nullable(self.parent_region_id.as_deref()),
            ),
        ];
        serialize(&self.extra, &columns, serializer)
    }
}

const REGIONS: &str = "SELECT id, description, parent_region_id, extra FROM region";
const REGION: &str = "SELECT id FROM region WHERE id = ?";

/// How many ids a statement names.
const AT_ONCE: usize = 500;

const FILTERS: [Column; 3] = [
    Column::text("id", "id", 255),
    Column::text("description", "description", 255),
    Column::text("parent_region_id", "parent_region_id", 255),
];

impl Catalog {
    /// The regions; filters: `parent_region_id`, and the other columns. No configured limit
    /// applies to them.
    pub async fn regions(&self, listing: &Listing) -> Result<Page<Region>> {
        let query = select(REGIONS)
            .narrow(listing, &FILTERS)
            .page(listing, "id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// One region.
    pub async fn region(&self, id: &str) -> Result<Region> {
        one(id).fetch_resource(&self.db, id).await
    }

    /// Creates a region under its own id.
    pub async fn create_region(&self, mut region: Region) -> Result<Region> {
        drop_unstored(&mut region.extra);
        let created = transaction!(self.db, |tx| {
            let mut region = region.clone();
            let named = region.parent_region_id.take();
            if let Some(parent) = &named {
                region.parent_region_id = lock_id(REGION, parent, tx).await?;
            }
            // A duplicate id is reported before a missing parent, as in Keystone.
            insert(&region, tx).await.or_conflict(|| {
                Error::conflict::<Region>(format!("Duplicate ID, {}.", region.id))
            })?;
            match named {
                Some(parent) if region.parent_region_id.is_none() => {
                    Err(Error::not_found::<Region>(&parent))
                }
                _ => Ok(region),
            }
        });
        created.await
    }

    /// Changes a region; it cannot be moved into one of its own descendants.
    pub async fn update_region(&self, id: &str, patch: Map<String, Value>) -> Result<Region> {
        let updated = transaction!(self.db, |tx| {
            let mut patch = patch.clone();
            // A missing parent is reported before a missing region, as in Keystone.
            if let Some(Value::String(parent)) = patch.get_mut("parent_region_id") {
                *parent = lock(parent, tx).await?;
            }
            let stored = locked(id, tx).await?;
            let mut region = overlay(&stored, patch)?;
            drop_unstored(&mut region.extra);
            refuse_circle(&region, tx).await?;
            update("region")
                .set("description", &stored.description, &region.description)
                .set(
                    "parent_region_id",
                    &stored.parent_region_id,
                    &region.parent_region_id,
                )
                .set("extra", &stored.extra, &region.extra)
                .apply("id = ?", &stored.id, tx)
                .await?;
            Ok(region)
        });
        updated.await
    }

    /// Deletes a region and its descendants, unless an endpoint is in one of them.
    pub async fn delete_region(&self, id: &str) -> Result<()> {
        let deleted = transaction!(self.db, |tx| {
            for ids in subtree(id, tx).await?.chunks(AT_ONCE) {
                select("DELETE FROM policy_association")
                    .within("region_id", ids)
                    .then("")
                    .execute(&mut *tx)
                    .await?;
                let gone = select("DELETE FROM region").within("id", ids).then("");
                gone.execute(&mut *tx).await.map_err(|error| match error {
                    StorageError::ForeignKey(_) => Error::Refused(format!(
                        "Unable to delete region {id} because it or its child regions have \
                         associated endpoints."
                    )),
                    other => other.into(),
                })?;
            }
            Ok(())
        });
        deleted.await
    }

    /// The region that each region lies in.
    pub(crate) async fn parents(&self) -> Result<HashMap<String, String>> {
        parents(&self.db).await
    }
}

/// Stores a region.
async fn insert(region: &Region, tx: &mut Tx) -> keystone_storage::Result<u64> {
    sql("INSERT INTO region (id, description, parent_region_id, extra) VALUES (?, ?, ?, ?)")
        .bind(&region.id)
        .bind(&region.description)
        .bind(&region.parent_region_id)
        .bind(&region.extra)
        .execute(tx)
        .await
}

/// The id of a region, which is created if it does not exist, and whether it was.
pub(crate) async fn ensure(id: &str, tx: &mut Tx) -> Result<(String, bool)> {
    check_length("id", id, 255)?;
    if let Some(id) = lock_id(REGION, id, tx).await? {
        return Ok((id, false));
    }
    // Another writer may create it meanwhile: then the transaction runs again and finds it.
    insert(&Region::new(id), tx).await?;
    Ok((id.to_owned(), true))
}

/// Locks a region until the transaction ends; returns its id.
pub(crate) async fn lock(id: &str, tx: &mut Tx) -> Result<String> {
    let locked = lock_id(REGION, id, tx).await?;
    locked.ok_or_else(|| Error::not_found::<Region>(id))
}

async fn locked(id: &str, tx: &mut Tx) -> Result<Region> {
    one(id).locking().fetch_resource(tx, id).await
}

fn one(id: &str) -> Query {
    select(REGIONS).filter("id = ?", Some(id)).then("")
}

/// Refuses a parent that lies in the region itself. Walks from the parent to the root, and locks each region on the way.
///
/// The database compares the ids: by its collation `West` and `west` can be one region.
async fn refuse_circle(moved: &Region, tx: &mut Tx) -> Result<()> {
    let mut above = moved.parent_region_id.clone();
    let mut passed = HashSet::new();
    while let Some(id) = above {
        let next = locked(&id, &mut *tx).await?;
        if next.id == moved.id {
            return Err(Error::Validation(format!(
                "The specified parent region {id} would create a circular region hierarchy."
            )));
        }
        above = next.parent_region_id;
        if !passed.insert(next.id) {
            break;
        }
    }
    Ok(())
}

/// The ids of a region and of everything under it.
///
/// Every region is locked first, so that no other transaction moves one into the tree, or creates one there, meanwhile.
async fn subtree(root: &str, tx: &mut Tx) -> Result<Vec<String>> {
    let all = sql("SELECT id FROM region ORDER BY id").locking();
    all.fetch_texts(&mut *tx).await?;
    let root = lock(root, tx).await?;
    let mut children: HashMap<String, Vec<String>> = HashMap::new();
    for (child, parent) in parents(&mut *tx).await? {
        children.entry(parent).or_default().push(child);
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(id) = found.get(next) {
        // Each region is visited once, also in a cycle that Python Keystone has stored.
        let mut below = children.remove(id).unwrap_or_default();
        below.retain(|id| *id != found[0]);
        found.append(&mut below);
        next += 1;
    }
    // Each one is locked too: on Galera this conflicts with a transaction that creates a region below it.
    for id in &found[1..] {
        lock(id, tx).await?;
    }
    Ok(found)
}

async fn parents(exec: impl Into<Exec<'_>>) -> Result<HashMap<String, String>> {
    let query = sql("SELECT region.id, parent.id FROM region \
         JOIN region AS parent ON parent.id = region.parent_region_id ORDER BY region.id");
    let rows: Vec<(String, String)> = query.fetch_all(exec).await?;
    Ok(rows.into_iter().collect())
}

fn chosen_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let id = Option::<String>::deserialize(deserializer)?;
    Ok(id.filter(|id| !id.is_empty()).unwrap_or_else(new_id))
}

fn or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests;
