//! Policies: texts that other services may ask for. Keystone keeps them and does not read them.

use keystone_storage::{Column, Query, Tx, select, sql, transaction, update};
use keystone_types::{
    Error, Extra, Listing, Page, Resource, Result, json, new_id, overlay, to_python_json,
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{
    Catalog,
    attributes::{Attribute, drop_unstored, serialize, text_passes},
    catalog::lock_id,
};

/// A policy, as stored and as served.
#[derive(Clone, Debug, PartialEq, Deserialize, sqlx::FromRow)]
pub struct Policy {
    /// Random.
    #[serde(default)]
    pub id: String,
    /// The policy itself: a string, whatever `type` says.
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

/// The blob of a policy; old rows may hold JSON that is not a string.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Blob(pub Value);

impl TryFrom<String> for Blob {
    type Error = json::Unreadable;

    fn try_from(text: String) -> Result<Self, json::Unreadable> {
        json::read(text).map(Self)
    }
}

impl Blob {
    fn to_text(&self) -> String {
        to_python_json(&self.0)
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
            ("id", Attribute::Text(&self.id)),
            ("blob", Attribute::Json(&self.blob.0)),
            ("type", Attribute::Text(&self.policy_type)),
        ];
        serialize(&self.extra, &columns, serializer)
    }
}

const POLICIES: &str = "SELECT id, type, `blob`, extra FROM policy";

const FILTERS: [Column; 1] = [Column::text("type", "type", 255)];

impl Catalog {
    /// The policies; filter: `type`, in which upper and lower case differ.
    pub async fn policies(&self, listing: &Listing) -> Result<Page<Policy>> {
        let query = select(POLICIES).narrow(listing, &FILTERS);
        if listing.filters.is_empty() {
            let query = query.page(listing, "id");
            return Ok(query.fetch_page(listing, &self.db).await?);
        }
        // The database may find more: by its collation `Text` can be `text`.
        let unlimited = Listing {
            limit: None,
            ..listing.clone()
        };
        let mut policies: Vec<Policy> = query
            .page(&unlimited, "id")
            .fetch_readable(&self.db)
            .await?;
        policies.retain(|policy| {
            let mut filters = listing.filters.iter();
            filters.all(|filter| text_passes(&policy.policy_type, filter))
        });
        Ok(Page::cut(policies, listing))
    }

    /// One policy.
    pub async fn policy(&self, id: &str) -> Result<Policy> {
        one(id).fetch_resource(&self.db, id).await
    }

    /// Creates a policy under a new id.
    pub async fn create_policy(&self, mut policy: Policy) -> Result<Policy> {
        policy.id = new_id();
        drop_unstored(&mut policy.extra);
        sql("INSERT INTO policy (id, type, `blob`, extra) VALUES (?, ?, ?, ?)")
            .bind(&policy.id)
            .bind(&policy.policy_type)
            .bind(policy.blob.to_text())
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
        let updated = transaction!(self.db, |tx| {
            let stored: Policy = one(id).locking().fetch_resource(&mut *tx, id).await?;
            let mut policy = overlay(&stored, patch.clone())?;
            drop_unstored(&mut policy.extra);
            update("policy")
                .set("type", &stored.policy_type, &policy.policy_type)
                .set("`blob`", stored.blob.to_text(), policy.blob.to_text())
                .set("extra", &stored.extra, &policy.extra)
                .apply("id = ?", &stored.id, tx)
                .await?;
            Ok(policy)
        });
        updated.await
    }

    /// Deletes a policy and its associations.
    pub async fn delete_policy(&self, id: &str) -> Result<()> {
        let deleted = transaction!(self.db, |tx| {
            let id = lock(id, tx).await?;
            for text in [
                "DELETE FROM policy_association WHERE policy_id = ?",
                "DELETE FROM policy WHERE id = ?",
            ] {
                sql(text).bind(&id).execute(&mut *tx).await?;
            }
            Ok(())
        });
        deleted.await
    }
}

fn one(id: &str) -> Query {
    select(POLICIES).filter("id = ?", Some(id)).then("")
}

/// Locks a policy until the transaction ends; returns its id.
pub(crate) async fn lock(id: &str, tx: &mut Tx) -> Result<String> {
    let locked = lock_id("SELECT id FROM policy WHERE id = ?", id, tx).await?;
    locked.ok_or_else(|| Error::not_found::<Policy>(id))
}

#[cfg(test)]
mod tests;
