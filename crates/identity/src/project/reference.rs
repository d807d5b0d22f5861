//! Projects and domains as tokens refer to them, each read with one short statement.

use keystone_storage::{Query, select, sql};
use keystone_types::{Error, Result};

use crate::domain::Domain;
use crate::identity::Identity;
use crate::project::{Project, ROOT};

/// A domain as others refer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainRef {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// Whether it is enabled.
    pub enabled: bool,
}

/// A domain, by id or by name.
#[derive(Clone, Copy, Debug)]
pub enum DomainChoice<'a> {
    /// By id.
    Id(&'a str),
    /// By name.
    Name(&'a str),
}

/// A project that a token can be scoped to, with its domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectRef {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The parent: a project or a domain.
    pub parent_id: Option<String>,
    /// Whether it acts as a domain.
    pub is_domain: bool,
    /// Whether the project itself is enabled.
    pub enabled: bool,
    /// The owning domain; for a project that acts as a domain, itself.
    pub domain: DomainRef,
}

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct ProjectRow {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) parent_id: Option<String>,
    pub(crate) is_domain: bool,
    pub(crate) enabled: Option<bool>,
    pub(crate) owner_id: String,
    pub(crate) owner_name: String,
    pub(crate) owner_enabled: Option<bool>,
}

impl From<ProjectRow> for ProjectRef {
    fn from(row: ProjectRow) -> Self {
        let own = DomainRef {
            id: row.id.clone(),
            name: row.name.clone(),
            enabled: row.enabled == Some(true),
        };
        let owner = DomainRef {
            id: row.owner_id,
            name: row.owner_name,
            enabled: row.owner_enabled == Some(true),
        };
        Self {
            domain: if row.is_domain { own } else { owner },
            id: row.id,
            name: row.name,
            parent_id: row.parent_id,
            is_domain: row.is_domain,
            enabled: row.enabled == Some(true),
        }
    }
}

const PROJECTS: &str = "\
    SELECT p.id, p.name, p.parent_id, p.is_domain, p.enabled, \
           d.id AS owner_id, d.name AS owner_name, d.enabled AS owner_enabled \
      FROM project p JOIN project d ON d.id = p.domain_id";

impl Identity {
    /// One project with its domain.
    pub async fn project_ref(&self, id: &str) -> Result<ProjectRef> {
        let query = select(PROJECTS)
            .filter("p.id = ?", Some(id))
            .filter("p.id <> ?", Some(ROOT));
        self.fetch_project(query.then(""), id).await
    }

    /// One project with its domain, by name. A domain is none.
    pub async fn project_ref_by_name(
        &self,
        name: &str,
        domain: DomainChoice<'_>,
    ) -> Result<ProjectRef> {
        let query = select(PROJECTS)
            .filter("p.name = ?", Some(name))
            .and("d.is_domain = 1 AND d.id <> d.domain_id");
        let query = match domain {
            DomainChoice::Id(id) => query.filter("d.id = ?", Some(id)),
            DomainChoice::Name(name) => {
                query.filter_all("d.name = ? AND d.domain_id = ?", [name, ROOT])
            }
        };
        self.fetch_project(query.then(""), name).await
    }

    async fn fetch_project(&self, query: Query, name: &str) -> Result<ProjectRef> {
        let missing = || Error::not_found::<Project>(name);
        let row: ProjectRow = query.fetch_or(&self.db, missing).await?;
        Ok(row.into())
    }

    /// One domain.
    pub async fn domain_ref(&self, id: &str) -> Result<DomainRef> {
        let row: Option<(String, String, Option<bool>)> =
            sql("SELECT id, name, enabled FROM project WHERE id = ? AND is_domain = 1 AND id <> domain_id")
                .bind(id)
                .fetch_optional(&self.db)
                .await?;
        let (id, name, enabled) = row.ok_or_else(|| Error::not_found::<Domain>(id))?;
        Ok(DomainRef {
            id,
            name,
            enabled: enabled == Some(true),
        })
    }
}
