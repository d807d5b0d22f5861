//! Endpoint groups: sets of endpoints, chosen by their attributes.

use keystone_storage::{Column, Query, Tx, select, sql, transaction, update};
use keystone_types::{
    Error, Listing, Page, Resource, Result, json, new_id, overlay, to_python_json,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Catalog, Endpoint, catalog::lock_id};

/// An endpoint group, as stored and as served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
pub struct EndpointGroup {
    /// Random.
    #[serde(default)]
    pub id: String,
    /// Need not be unique.
    pub name: String,
    /// A description for people.
    #[serde(default)]
    pub description: Option<String>,
    /// Which endpoints are in it.
    #[sqlx(try_from = "String")]
    pub filters: Filters,
}

impl Resource for EndpointGroup {
    const MEMBER: &'static str = "endpoint_group";
    const COLLECTION: &'static str = "endpoint_groups";
    const PATH: &'static str = "OS-EP-FILTER/endpoint_groups";

    fn id(&self) -> &str {
        &self.id
    }
}

/// The attributes that the endpoints of a group have; none of them means every endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Filters(pub Map<String, Value>);

impl TryFrom<String> for Filters {
    type Error = NotFilters;

    fn try_from(text: String) -> Result<Self, NotFilters> {
        match json::read(text) {
            Ok(Value::Object(filters)) => Ok(Self(filters)),
            _ => Err(NotFilters),
        }
    }
}

/// Filters that do not decode.
#[derive(Debug, thiserror::Error)]
#[error("the filters are no JSON object")]
pub struct NotFilters;

impl Filters {
    const ATTRIBUTES: [&'static str; 3] = ["service_id", "region_id", "interface"];

    /// Whether an endpoint with these attributes is in the group.
    pub(crate) fn matches(&self, service: &str, region: Option<&str>, interface: &str) -> bool {
        self.0.iter().all(|(name, wanted)| match name.as_str() {
            "service_id" => wanted.as_str() == Some(service),
            "interface" => wanted.as_str() == Some(interface),
            "region_id" => match region {
                Some(region) => wanted.as_str() == Some(region),
                None => wanted.is_null(),
            },
            _ => false,
        })
    }

    /// Whether the endpoint is in the group.
    pub(crate) fn matches_endpoint(&self, endpoint: &Endpoint) -> bool {
        let region = endpoint.region_id.as_deref();
        self.matches(&endpoint.service_id, region, &endpoint.interface)
    }

    fn check(&self) -> Result<()> {
        if self
            .0
            .keys()
            .all(|name| Self::ATTRIBUTES.contains(&name.as_str()))
        {
            return Ok(());
        }
        Err(Error::expecting(
            &Self::ATTRIBUTES.join(" or "),
            EndpointGroup::MEMBER,
        ))
    }

    fn to_text(&self) -> String {
        to_python_json(&Value::Object(self.0.clone()))
    }
}

const GROUPS: &str = "SELECT id, name, description, filters FROM endpoint_group";

const FILTERS: [Column; 1] = [Column::text("name", "name", 255)];

impl Catalog {
    /// The endpoint groups; filter: `name`.
    pub async fn endpoint_groups(&self, listing: &Listing) -> Result<Page<EndpointGroup>> {
        let query = select(GROUPS).narrow(listing, &FILTERS).page(listing, "id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// One endpoint group.
    pub async fn endpoint_group(&self, id: &str) -> Result<EndpointGroup> {
        one(id).fetch_or(&self.db, || missing(id)).await
    }

    /// Creates an endpoint group under a new id.
    pub async fn create_endpoint_group(&self, mut group: EndpointGroup) -> Result<EndpointGroup> {
        if group.filters.0.is_empty() {
            return Err(no_filters());
        }
        group.filters.check()?;
        group.id = new_id();
        sql("INSERT INTO endpoint_group (id, name, description, filters) VALUES (?, ?, ?, ?)")
            .bind(&group.id)
            .bind(&group.name)
            .bind(&group.description)
            .bind(group.filters.to_text())
            .execute(&self.db)
            .await?;
        Ok(group)
    }

    /// Changes an endpoint group.
    pub async fn update_endpoint_group(
        &self,
        id: &str,
        patch: Map<String, Value>,
    ) -> Result<EndpointGroup> {
        if let Some(Value::Object(filters)) = patch.get("filters") {
            Filters(filters.clone()).check()?;
        }
        let updated = transaction!(self.db, |tx| {
            let stored = one(id).locking().fetch_or(&mut *tx, || missing(id));
            let stored: EndpointGroup = stored.await?;
            let group = overlay(&stored, patch.clone())?;
            update("endpoint_group")
                .set("name", &stored.name, &group.name)
                .set("description", &stored.description, &group.description)
                .set("filters", stored.filters.to_text(), group.filters.to_text())
                .apply("id = ?", &stored.id, tx)
                .await?;
            Ok(group)
        });
        updated.await
    }

    /// Deletes an endpoint group and its associations with projects.
    pub async fn delete_endpoint_group(&self, id: &str) -> Result<()> {
        let deleted = transaction!(self.db, |tx| {
            let id = lock(id, tx).await?;
            for text in [
                "DELETE FROM project_endpoint_group WHERE endpoint_group_id = ?",
                "DELETE FROM endpoint_group WHERE id = ?",
            ] {
                sql(text).bind(&id).execute(&mut *tx).await?;
            }
            Ok(())
        });
        deleted.await
    }

    /// The endpoints that a group's filters choose, disabled ones too.
    pub async fn endpoints_in_group(&self, id: &str) -> Result<Vec<Endpoint>> {
        let group = self.endpoint_group(id).await?;
        let mut endpoints = self.every_endpoint().await?;
        endpoints.retain(|endpoint| group.filters.matches_endpoint(endpoint));
        Ok(endpoints)
    }
}

/// The error for a group without filters.
fn no_filters() -> Error {
    Error::Validation("filters field is required and cannot be empty".to_owned())
}

/// Keystone spells the name in this way in this text only.
fn missing(id: &str) -> Error {
    Error::NotFound {
        kind: "Endpoint Group",
        id: id.to_owned(),
    }
}

fn one(id: &str) -> Query {
    select(GROUPS).filter("id = ?", Some(id)).then("")
}

/// Locks an endpoint group until the transaction ends; returns its id.
pub(crate) async fn lock(id: &str, tx: &mut Tx) -> Result<String> {
    let locked = lock_id("SELECT id FROM endpoint_group WHERE id = ?", id, tx).await?;
    locked.ok_or_else(|| missing(id))
}

#[cfg(test)]
mod tests;
