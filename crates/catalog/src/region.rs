//! Regions: the tree of places where endpoints are.

use keystone_storage::{
    Column as FilterColumn, Error as StorageError, Exec, OrConflict, Tx, select, sql,
};
use keystone_types::{Error, Extra, Listing, Page, Resource, Result, new_id, overlay};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{
    Catalog,
    attributes::{Column, drop_unstored, serialize},
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
            ("id", Column::Text(&self.id)),
            ("description", Column::Text(&self.description)),
            (
                "parent_region_id",
                Column::Nullable(self.parent_region_id.as_deref()),
            ),
        ];
        serialize(&self.extra, &columns, serializer)
    }
}

const REGIONS: &str = "SELECT id, description, parent_region_id, extra FROM region";

const FILTERS: [FilterColumn; 3] = [
    FilterColumn::text("id", "id", 255),
    FilterColumn::text("description", "description", 255),
    FilterColumn::text("parent_region_id", "parent_region_id", 255),
];

impl Catalog {
    /// The regions; filters: `parent_region_id`, and the other columns. No configured limit
    /// applies to them.
    pub async fn regions(&self, listing: &Listing) -> Result<Page<Region>> {
        let query = select(REGIONS)
            .narrow(listing, &FILTERS)
            .page(listing, "id");
        Ok(Page::cut(query.fetch_all(&self.db).await?, listing))
    }

    /// One region.
    pub async fn region(&self, id: &str) -> Result<Region> {
        region(id, &self.db).await
    }

    /// Creates a region under the id that it carries.
    pub async fn create_region(&self, mut region: Region) -> Result<Region> {
        drop_unstored(&mut region.extra);
        let mut tx = self.db.begin().await?;
        insert(&region, &mut tx)
            .await
            .or_conflict(|| Error::conflict::<Region>(format!("Duplicate ID, {}.", region.id)))?;
        if let Some(parent) = &region.parent_region_id {
            sql("SELECT id FROM region WHERE id = ? AND id <> ?")
                .bind(parent)
                .bind(&region.id)
                .fetch_optional::<(String,)>(&mut tx)
                .await?
                .ok_or_else(|| Error::not_found::<Region>(parent))?;
        }
        tx.commit().await?;
        Ok(region)
    }

    /// Changes a region; it cannot be moved into one of its own descendants.
    pub async fn update_region(&self, id: &str, mut patch: Map<String, Value>) -> Result<Region> {
        patch.shift_remove("id");
        let mut tx = self.db.begin().await?;
        // A parent that does not exist is told before a region that does not.
        if let Some(Value::String(parent)) = patch.get("parent_region_id") {
            self::region(parent, &mut tx).await?;
        }
        let mut region = overlay(&self::region(id, &mut tx).await?, patch)?;
        drop_unstored(&mut region.extra);
        refuse_circle(&region, &mut tx).await?;
        sql("UPDATE region SET description = ?, parent_region_id = ?, extra = ? WHERE id = ?")
            .bind(&region.description)
            .bind(&region.parent_region_id)
            .bind(&region.extra)
            .bind(&region.id)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(region)
    }

    /// Deletes a region and its descendants, unless an endpoint is in one of them.
    pub async fn delete_region(&self, id: &str) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let root = region(id, &mut tx).await?;
        let subtree = subtree(root.id, &mut tx).await?;
        select("DELETE FROM policy_association")
            .within("region_id", &subtree)
            .then("")
            .execute(&mut tx)
            .await?;
        select("DELETE FROM region")
            .within("id", &subtree)
            .then("")
            .execute(&mut tx)
            .await
            .map_err(|error| match error {
                StorageError::ForeignKey(_) => Error::Refused(format!(
                    "Unable to delete region {id} because it or its child regions have \
                     associated endpoints."
                )),
                other => other.into(),
            })?;
        Ok(tx.commit().await?)
    }
}

/// Stores a region.
pub(crate) async fn insert(region: &Region, tx: &mut Tx) -> keystone_storage::Result<u64> {
    sql("INSERT INTO region (id, description, parent_region_id, extra) VALUES (?, ?, ?, ?)")
        .bind(&region.id)
        .bind(&region.description)
        .bind(&region.parent_region_id)
        .bind(&region.extra)
        .execute(tx)
        .await
}

/// One region, read inside a transaction or outside of one.
pub(crate) async fn region(id: &str, exec: impl Into<Exec<'_>>) -> Result<Region> {
    let query = select(REGIONS).filter("id = ?", Some(id)).then("");
    query
        .fetch_optional(exec)
        .await?
        .ok_or_else(|| Error::not_found::<Region>(id))
}

/// Walks from the parent to the root, which must not lead past the region itself.
///
/// The database compares the ids: by its collation `West` and `west` can be one region.
async fn refuse_circle(moved: &Region, tx: &mut Tx) -> Result<()> {
    let mut above = moved.parent_region_id.clone();
    let mut passed = Vec::new();
    while let Some(id) = above {
        let next = region(&id, &mut *tx).await?;
        if next.id == moved.id {
            return Err(Error::Validation(format!(
                "The specified parent region {id} would create a circular region hierarchy."
            )));
        }
        if passed.contains(&next.id) {
            break;
        }
        above = next.parent_region_id;
        passed.push(next.id);
    }
    Ok(())
}

/// The ids of a region and of everything under it, level by level.
async fn subtree(root: String, tx: &mut Tx) -> Result<Vec<String>> {
    let mut found = vec![root];
    let mut level = 0;
    while level < found.len() {
        let children = select("SELECT id FROM region")
            .within("parent_region_id", &found[level..])
            .then(" ORDER BY id");
        level = found.len();
        for (id,) in children.fetch_all::<(String,)>(&mut *tx).await? {
            if !found.contains(&id) {
                found.push(id);
            }
        }
    }
    Ok(found)
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
