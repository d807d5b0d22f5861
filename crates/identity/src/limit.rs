//! Limits: how much of a resource a project or a domain may have, instead of the registered limit.

pub(crate) mod enforcement;
pub(crate) mod registered;

use keystone_storage::{Column, Exec, OrConflict, Select, Tx, select, sql, transaction, update};
use keystone_types::{Error, Listing, Page, Resource, Result, new_id};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::identity::Identity;
use crate::limit::enforcement::check_limits;
use crate::limit::registered::{LimitedResource, whole};
use crate::project::hierarchy::Relatives;

/// A limit, as served; service, region and resource are those of its registered limit.
#[derive(Clone, Debug, Serialize, Deserialize, sqlx::FromRow)]
pub struct Limit {
    /// The id.
    #[serde(default = "new_id")]
    pub id: String,
    /// The project, unless it is the limit of a domain.
    #[serde(default)]
    pub project_id: Option<String>,
    /// The domain, unless it is the limit of a project.
    #[serde(default)]
    pub domain_id: Option<String>,
    /// The limit; -1 for none.
    #[serde(deserialize_with = "whole")]
    pub resource_limit: i64,
    /// A description for people.
    #[serde(default)]
    pub description: Option<String>,
    /// What is limited.
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub resource: LimitedResource,
}

impl Resource for Limit {
    const MEMBER: &'static str = "limit";
    const COLLECTION: &'static str = "limits";

    fn id(&self) -> &str {
        &self.id
    }
}

const LIMITS: &str = "\
    SELECT l.id, l.project_id, l.domain_id, l.resource_limit, l.description, \
           r.service_id, r.region_id, r.resource_name \
      FROM `limit` l LEFT JOIN registered_limit r ON r.id = l.registered_limit_id";

const COLUMNS: [Column; 5] = [
    Column::text("service_id", "r.service_id", 255),
    Column::text("region_id", "r.region_id", 64),
    Column::text("resource_name", "r.resource_name", 255),
    Column::text("project_id", "l.project_id", 64),
    Column::text("domain_id", "l.domain_id", 64),
];

impl Identity {
    /// The limits; filters: `service_id`, `region_id`, `resource_name`, `project_id`, `domain_id`.
    pub async fn limits(&self, listing: &Listing) -> Result<Page<Limit>> {
        self.page_of_limits(select(LIMITS), listing).await
    }

    /// The limits of a domain and of its projects.
    pub async fn limits_within_domain(
        &self,
        domain_id: &str,
        listing: &Listing,
    ) -> Result<Page<Limit>> {
        let within =
            "l.domain_id = ? OR l.project_id IN (SELECT id FROM project WHERE domain_id = ?)";
        let select = select(LIMITS).filter_all(within, [domain_id, domain_id]);
        self.page_of_limits(select, listing).await
    }

    async fn page_of_limits(&self, select: Select, listing: &Listing) -> Result<Page<Limit>> {
        let query = select.narrow(listing, &COLUMNS).page(listing, "l.id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// The limits of the ancestors or descendants of a project, by project.
    pub async fn limits_of_relatives(
        &self,
        project_id: &str,
        relatives: Relatives,
    ) -> Result<Vec<Limit>> {
        Ok(relatives
            .of(project_id)
            .text(LIMITS)
            .text(" JOIN relatives ON relatives.id = l.project_id")
            .then(" ORDER BY l.project_id, l.id")
            .fetch_readable(&self.db)
            .await?)
    }

    /// One limit.
    pub async fn limit(&self, id: &str) -> Result<Limit> {
        limit(&self.db, id).await
    }

    /// Creates all of these, or none.
    pub async fn create_limits(&self, limits: Vec<Limit>) -> Result<Vec<Limit>> {
        transaction!(self.db, |tx| {
            let mut limits = limits.clone();
            for limit in &mut limits {
                check_owner(tx, limit).await?;
            }
            check_limits(tx, self.settings.enforcement_model, &limits).await?;
            for limit in &limits {
                insert(tx, limit).await?;
            }
            Ok(limits)
        })
        .await
    }

    /// Changes the value and the description of a limit; 0 and an empty text change nothing, as in
    /// `keystone/limit/backends/sql.py`.
    pub async fn update_limit(&self, id: &str, patch: &Map<String, Value>) -> Result<Limit> {
        let value = patch.get("resource_limit").map(whole).transpose();
        let value = value.map_err(|error| Error::Validation(error.to_string()))?;
        let text = patch.get("description").and_then(Value::as_str);
        transaction!(self.db, |tx| {
            let current = locked(tx, id).await?;
            // The enforcement model compares limits of several projects: writers of limits of one service take turns.
            let service = LimitedResource {
                region_id: None,
                ..current.resource.clone()
            };
            service.lock(tx, "limit").await?;
            let wanted = Limit {
                resource_limit: value.unwrap_or(current.resource_limit),
                ..current.clone()
            };
            check_limits(tx, self.settings.enforcement_model, &[wanted]).await?;
            let mut limit = current.clone();
            if let Some(value) = value.filter(|value| *value != 0) {
                limit.resource_limit = value;
            }
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                limit.description = Some(text.to_owned());
            }
            let (old, new) = (current.resource_limit, limit.resource_limit);
            update("`limit`")
                .set("resource_limit", old, new)
                .set("description", &current.description, &limit.description)
                .apply("id = ?", &limit.id, tx)
                .await?;
            Ok(limit)
        })
        .await
    }

    /// Deletes a limit: the registered limit applies again.
    pub async fn delete_limit(&self, id: &str) -> Result<()> {
        let query = sql("DELETE FROM `limit` WHERE id = ?").bind(id);
        query.execute_or(&self.db, || missing(id)).await
    }
}

async fn limit(exec: impl Into<Exec<'_>>, id: &str) -> Result<Limit> {
    let query = select(LIMITS).filter("l.id = ?", Some(id)).then("");
    query.fetch_or(exec, || missing(id)).await
}

/// One limit, locked until the transaction ends.
async fn locked(tx: &mut Tx, id: &str) -> Result<Limit> {
    let row = sql("SELECT id FROM `limit` WHERE id = ?").bind(id);
    row.locking().exists(&mut *tx).await?;
    limit(tx, id).await
}

fn missing(id: &str) -> Error {
    Error::Missing(format!("Could not find limit for {id}."))
}

/// 400 if something that the limit refers to does not exist; the limit of a project that acts as a domain becomes that
/// of the domain.
async fn check_owner(tx: &mut Tx, limit: &mut Limit) -> Result<()> {
    const OWNER: &str = "SELECT is_domain, id FROM project WHERE id = ?";
    limit.resource.lock(tx, "limit").await?;
    if let Some(id) = limit.project_id.take() {
        let found = sql(OWNER).bind(&id).sharing();
        let found: Option<(bool, String)> = found.fetch_optional(&mut *tx).await?;
        match found {
            Some((false, found)) => limit.project_id = Some(found),
            Some((true, _)) => limit.domain_id = Some(id),
            None => return Err(Error::expecting("project_id", "limit")),
        }
    }
    if let Some(id) = &limit.domain_id {
        // A domain's id must be spelt as it is stored.
        let found = sql(OWNER).bind(id).sharing();
        let found: Option<(bool, String)> = found.fetch_optional(&mut *tx).await?;
        if !found.is_some_and(|(is_domain, found)| is_domain && found == *id) {
            return Err(Error::expecting("domain_id", "limit"));
        }
    }
    if limit.project_id.is_none() && limit.domain_id.is_none() {
        return Err(Error::expecting("project_id", "limit"));
    }
    Ok(())
}

async fn insert(tx: &mut Tx, limit: &Limit) -> Result<()> {
    let unregistered = || {
        Error::Refused(
            "Unable to create a limit that has no corresponding registered limit.".to_owned(),
        )
    };
    let registered = limit.resource.registered(tx).await?;
    let registered = registered.ok_or_else(unregistered)?;
    // The unique key does not compare NULLs: writers of limits of one registered limit take turns.
    let row = sql("SELECT id FROM registered_limit WHERE id = ?").bind(&registered.id);
    if !row.locking().exists(&mut *tx).await? {
        return Err(unregistered());
    }
    let twice = select("SELECT id FROM `limit`")
        .filter("registered_limit_id = ?", Some(&registered.id))
        .filter("project_id = ?", limit.project_id.as_ref())
        .filter("domain_id = ?", limit.domain_id.as_ref())
        .then(" LIMIT 1");
    if twice.exists(&mut *tx).await? {
        return Err(duplicate());
    }
    sql("INSERT INTO `limit` \
            (id, project_id, domain_id, resource_limit, description, registered_limit_id) \
         VALUES (?, ?, ?, ?, ?, ?)")
    .bind(&limit.id)
    .bind(&limit.project_id)
    .bind(&limit.domain_id)
    .bind(limit.resource_limit)
    .bind(&limit.description)
    .bind(&registered.id)
    .execute(tx)
    .await
    .or_conflict(duplicate)?;
    Ok(())
}

fn duplicate() -> Error {
    Error::conflict::<Limit>("Duplicate entry")
}
