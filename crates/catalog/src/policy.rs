//! Policies: texts that other services may ask for. Keystone keeps them and does not read them.

use keystone_storage::{Column as FilterColumn, Exec, select, sql};
use keystone_types::{
    Error, Extra, Listing, Page, Resource, Result, new_id, overlay, to_python_json,
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{
    Catalog,
    attributes::{Column, drop_unstored, serialize, text_passes},
};

/// A policy, as stored and as served.
#[derive(Clone, Debug, PartialEq, Deserialize, sqlx::FromRow)]
pub struct Policy {
    /// Random.
    #[serde(default)]
    pub id: String,
    /// What it says: a text, whatever its type.
    #[sqlx(try_from = "String")]
    pub blob: Blob,
    /// A media type.
    #[serde(rename = "type")]
    #[sqlx(rename = "type")]
    pub policy_type: String,
    /// Attributes that no column holds.
    #[serde(flatten)]
    #[sqlx(try_from = "Option<String>")]
    pub extra: Extra,
}

/// What a policy says; old ones may hold more than a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Blob(pub Value);

impl TryFrom<String> for Blob {
    type Error = serde_json::Error;

    fn try_from(text: String) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&text).map(Self)
    }
}

impl Resource for Policy {
    const MEMBER: &'static str = "policy";
    const COLLECTION: &'static str = "policies";

    fn id(&self) -> &str {
        &self.id
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = [
            ("id", Column::Text(&self.id)),
            ("blob", Column::Json(&self.blob.0)),
            ("type", Column::Text(&self.policy_type)),
        ];
        serialize(&self.extra, &columns, serializer)
    }
}

const POLICIES: &str = "SELECT id, type, `blob`, extra FROM policy";

const FILTERS: [FilterColumn; 1] = [FilterColumn::text("type", "type", 255)];

impl Catalog {
    /// The policies; filter: `type`, in which upper and lower case differ.
    pub async fn policies(&self, listing: &Listing) -> Result<Page<Policy>> {
        let query = select(POLICIES).narrow(listing, &FILTERS);
        if listing.filters.is_empty() {
            let policies = query.page(listing, "id").fetch_all(&self.db).await?;
            return Ok(Page::cut(policies, listing));
        }
        // The database may find more: by its collation `Text` can be `text`.
        let unlimited = Listing {
            limit: None,
            ..listing.clone()
        };
        let mut policies: Vec<Policy> = query.page(&unlimited, "id").fetch_all(&self.db).await?;
        policies.retain(|policy| {
            let mut filters = listing.filters.iter();
            filters.all(|filter| text_passes(&policy.policy_type, filter))
        });
        Ok(Page::cut(policies, listing))
    }

    /// One policy.
    pub async fn policy(&self, id: &str) -> Result<Policy> {
        policy(id, &self.db).await
    }

    /// Creates a policy under a new id.
    pub async fn create_policy(&self, mut policy: Policy) -> Result<Policy> {
        policy.id = new_id();
        drop_unstored(&mut policy.extra);
        sql("INSERT INTO policy (id, type, `blob`, extra) VALUES (?, ?, ?, ?)")
            .bind(&policy.id)
            .bind(&policy.policy_type)
            .bind(to_python_json(&policy.blob.0))
            .bind(&policy.extra)
            .execute(&self.db)
            .await?;
        Ok(policy)
    }

    /// Changes a policy.
    pub async fn update_policy(&self, id: &str, mut patch: Map<String, Value>) -> Result<Policy> {
        match patch.shift_remove("id") {
            Some(other) if other != id => {
                return Err(Error::Validation("Cannot change policy ID".to_owned()));
            }
            _ => {}
        }
        let mut tx = self.db.begin().await?;
        let mut policy = overlay(&self::policy(id, &mut tx).await?, patch)?;
        drop_unstored(&mut policy.extra);
        sql("UPDATE policy SET type = ?, `blob` = ?, extra = ? WHERE id = ?")
            .bind(&policy.policy_type)
            .bind(to_python_json(&policy.blob.0))
            .bind(&policy.extra)
            .bind(&policy.id)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(policy)
    }

    /// Deletes a policy and its associations.
    pub async fn delete_policy(&self, id: &str) -> Result<()> {
        let mut tx = self.db.begin().await?;
        sql("DELETE FROM policy_association WHERE policy_id = ?")
            .bind(id)
            .execute(&mut tx)
            .await?;
        let query = sql("DELETE FROM policy WHERE id = ?").bind(id);
        if query.execute(&mut tx).await? == 0 {
            return Err(Error::not_found::<Policy>(id));
        }
        Ok(tx.commit().await?)
    }
}

async fn policy(id: &str, exec: impl Into<Exec<'_>>) -> Result<Policy> {
    let query = select(POLICIES).filter("id = ?", Some(id)).then("");
    query
        .fetch_optional(exec)
        .await?
        .ok_or_else(|| Error::not_found::<Policy>(id))
}

#[cfg(test)]
mod tests;
