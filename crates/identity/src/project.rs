//! Projects: the tree that owns the resources of a cloud. A domain is a project that acts as one.

pub(crate) mod hierarchy;
pub(crate) mod reference;
pub(crate) mod tags;

use keystone_storage::{
    Column, Deleted, Exec, OrConflict, Query, Select, Tx, select, sql, transaction, update,
};
use keystone_types::{Error, Extra, Listing, Page, Resource, Result, check_name, new_id, overlay};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::identity::Identity;
use crate::options::{Options, Table, store_options, take_changes};
use crate::project::hierarchy::check_enabled_change;
use crate::project::tags::{Tags, filter_by_tags, store_tags};
use crate::settings::UrlSafe;

/// The id of the row above all domains, which is the stored `domain_id` of each.
pub(crate) const ROOT: &str = "<<keystone.domain.root>>";

/// A project or a domain, as served.
#[derive(Clone, Debug, Serialize, Deserialize, sqlx::FromRow)]
pub struct Project {
    /// The attributes without a column.
    #[serde(flatten)]
    #[sqlx(try_from = "Option<String>")]
    pub extra: Extra,
    /// The id.
    #[serde(default = "new_id")]
    pub id: String,
    /// Unique in its domain.
    pub name: String,
    /// The owning domain; none for a domain.
    #[serde(default)]
    pub domain_id: Option<String>,
    /// A description for people.
    #[serde(default = "empty_text")]
    pub description: Option<String>,
    /// Whether it is enabled; NULL in the database counts as disabled.
    #[serde(default = "enabled")]
    pub enabled: Option<bool>,
    /// The parent: a project or a domain.
    #[serde(default)]
    pub parent_id: Option<String>,
    /// Whether it acts as a domain.
    #[serde(default)]
    pub is_domain: bool,
    /// The tags.
    #[serde(default)]
    #[sqlx(try_from = "Option<String>")]
    pub tags: Tags,
    /// `immutable`.
    #[serde(default)]
    #[sqlx(try_from = "Option<String>")]
    pub options: Options,
}

#[expect(clippy::unnecessary_wraps, reason = "a default for an Option field")]
pub(crate) fn empty_text() -> Option<String> {
    Some(String::new())
}

#[expect(clippy::unnecessary_wraps, reason = "a default for an Option field")]
fn enabled() -> Option<bool> {
    Some(true)
}

impl Resource for Project {
    const MEMBER: &'static str = "project";
    const COLLECTION: &'static str = "projects";

    fn id(&self) -> &str {
        &self.id
    }
}

impl Project {
    /// An enabled project to be created, below the domain itself.
    pub fn new(name: impl Into<String>, domain_id: impl Into<String>) -> Self {
        Self {
            domain_id: Some(domain_id.into()),
            ..Self::domain(name)
        }
    }

    /// An enabled domain to be created, by [`Identity::create_domain`].
    pub fn domain(name: impl Into<String>) -> Self {
        Self {
            extra: Extra::default(),
            id: new_id(),
            name: name.into(),
            domain_id: None,
            description: empty_text(),
            enabled: enabled(),
            parent_id: None,
            is_domain: false,
            tags: Tags::default(),
            options: Options::default(),
        }
    }

    /// Whether it is enabled, whatever its domain is.
    pub fn is_enabled(&self) -> bool {
        self.enabled == Some(true)
    }

    /// `domain` or `project`, for messages.
    fn kind(&self) -> &'static str {
        if self.is_domain { "domain" } else { "project" }
    }

    /// 403 for an immutable one.
    pub(crate) fn check_delete(&self) -> Result<()> {
        self.options.check_delete(self.kind(), &self.id)
    }
}

/// The statement that [`projects_in`] narrows. Where no project has tags or options, as is usual, the subqueries, which cost
/// more than the rest of a row, do not run.
pub(crate) const PROJECTS: &str = "\
    SELECT p.id, p.name, NULLIF(p.domain_id, '<<keystone.domain.root>>') AS domain_id, p.description, p.enabled, \
           p.parent_id, p.is_domain, p.extra, \
           CASE WHEN EXISTS (SELECT 1 FROM project_tag) \
                THEN (SELECT GROUP_CONCAT(t.name) FROM project_tag t WHERE t.project_id = p.id) END AS tags, \
           CASE WHEN EXISTS (SELECT 1 FROM project_option) \
                THEN (SELECT GROUP_CONCAT(o.option_id || HEX(o.option_value)) FROM project_option o \
                       WHERE o.project_id = p.id) END AS options \
      FROM project p";

const COLUMNS: [Column; 6] = [
    Column::text("id", "p.id", 64),
    Column::text("name", "p.name", 64),
    Column::text("domain_id", "p.domain_id", 64),
    Column::text("parent_id", "p.parent_id", 64),
    Column::flag("enabled", "p.enabled"),
    Column::flag("is_domain", "p.is_domain"),
];

/// Selects projects, without the row above all domains.
pub(crate) fn projects() -> Select {
    projects_in(select(PROJECTS))
}

/// The same for a `select` that ends with [`PROJECTS`].
pub(crate) fn projects_in(select: Select) -> Select {
    select.filter("p.id <> ?", Some(ROOT))
}

impl Identity {
    /// The projects that a listing asks for.
    pub async fn projects(&self, listing: &Listing) -> Result<Page<Project>> {
        let marked = sql("SELECT id FROM project WHERE id = ?");
        self.check_marker(listing, marked).await?;
        self.page_of(projects(), listing).await
    }

    /// A page of the projects that `select` reads.
    pub(crate) async fn page_of(&self, select: Select, listing: &Listing) -> Result<Page<Project>> {
        let select = filter_by_tags(select.narrow(listing, &COLUMNS), listing);
        let query = select.page(listing, "p.id");
        Ok(query.fetch_page(listing, &self.db).await?)
    }

    /// The projects that an endpoint is associated with, not those of its groups.
    pub async fn projects_of_endpoint(&self, endpoint_id: &str) -> Result<Vec<Project>> {
        let endpoint = sql("SELECT id FROM endpoint WHERE id = ?").bind(endpoint_id);
        let missing = || Error::NotFound {
            kind: "endpoint",
            id: endpoint_id.to_owned(),
        };
        let (endpoint_id,): (String,) = endpoint.fetch_or(&self.db, missing).await?;
        let with = "p.id IN (SELECT e.project_id FROM project_endpoint e WHERE e.endpoint_id = ?)";
        self.projects_with(with, &endpoint_id).await
    }

    /// The projects that an endpoint group is associated with.
    pub async fn projects_of_endpoint_group(&self, group_id: &str) -> Result<Vec<Project>> {
        let with = "p.id IN (SELECT g.project_id FROM project_endpoint_group g WHERE g.endpoint_group_id = ?)";
        self.projects_with(with, group_id).await
    }

    async fn projects_with(&self, condition: &'static str, id: &str) -> Result<Vec<Project>> {
        Ok(projects()
            .filter(condition, Some(id))
            .then(" ORDER BY p.id")
            .fetch_readable(&self.db)
            .await?)
    }

    /// One project or domain.
    pub async fn project(&self, id: &str) -> Result<Project> {
        one(&self.db, id).await
    }

    /// One project by its name in a domain.
    pub async fn project_by_name(&self, name: &str, domain_id: &str) -> Result<Project> {
        by_name(name, domain_id)
            .fetch_resource(&self.db, name)
            .await
    }

    /// Creates a project or a domain. A parent or a domain that does not exist is a 400.
    pub async fn create_project(&self, project: Project) -> Result<Project> {
        let project = self.checked(project)?;
        transaction!(self.db, |tx| self.insert_project(tx, &project).await).await
    }

    /// The project to be stored, with its name checked.
    pub(crate) fn checked(&self, mut project: Project) -> Result<Project> {
        check_name(&project.name, 64)?;
        // The rule about names of projects applies to domains too.
        check_url_safe(
            self.settings.project_name_url_safe,
            "Project",
            &project.name,
        )?;
        project.name = project.name.trim().to_owned();
        if project.parent_id.as_deref().is_none_or(str::is_empty) {
            project.parent_id.clone_from(&project.domain_id);
        }
        Ok(project)
    }

    /// Stores a project or a domain.
    pub(crate) async fn insert_project(&self, tx: &mut Tx, project: &Project) -> Result<Project> {
        let mut project = project.clone();
        self.check_parent(tx, &mut project)
            .await
            .map_err(|error| match error {
                Error::NotFound { .. } => Error::Validation(error.to_string()),
                other => other,
            })?;
        sql("INSERT INTO project (id, name, extra, description, enabled, domain_id, parent_id, is_domain) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(&project.id)
        .bind(&project.name)
        .bind(&project.extra)
        .bind(&project.description)
        .bind(project.enabled)
        .bind(project.domain_id.as_deref().unwrap_or(ROOT))
        .bind(&project.parent_id)
        .bind(project.is_domain)
        .execute(&mut *tx)
        .await
        .or_conflict(|| name_taken(&project))?;
        store_tags(tx, &project, &Tags::default()).await?;
        store_options(tx, Table::Project, &project.id, &project.options.0).await?;
        one(tx, &project.id).await
    }

    /// The project of a name in a domain, which is created if there is none.
    pub(crate) async fn ensure_project(
        &self,
        tx: &mut Tx,
        name: &str,
        domain_id: &str,
    ) -> Result<(Project, bool)> {
        if let Some(project) = by_name(name, domain_id).fetch_optional(&mut *tx).await? {
            return Ok((project, false));
        }
        // Whoever creates a project holds the domain, so that nobody creates this one meanwhile.
        match locked(tx, domain_id).await {
            // `insert_project` has the answer.
            Ok(_) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        if let Some(project) = by_name(name, domain_id).fetch_optional(&mut *tx).await? {
            return Ok((project, false));
        }
        let project = self.checked(Project::new(name, domain_id))?;
        Ok((self.insert_project(tx, &project).await?, true))
    }

    /// Changes a project or a domain.
    pub async fn update_project(&self, id: &str, patch: Map<String, Value>) -> Result<Project> {
        transaction!(self.db, |tx| {
            let current = locked(tx, id).await?;
            self.change_project(tx, &current, patch.clone()).await
        })
        .await
    }

    pub(crate) async fn change_project(
        &self,
        tx: &mut Tx,
        current: &Project,
        mut patch: Map<String, Value>,
    ) -> Result<Project> {
        check_update(current, &patch)?;
        // As in `keystone/resource/core.py`, a patch without `enabled` is checked like one that enables.
        let enabled = patch.get("enabled").map_or(Some(true), Value::as_bool);
        let options = take_changes(&mut patch);
        let mut project = overlay(current, patch)?;
        project.options.apply(&options);
        if project.name != current.name {
            check_name(&project.name, 64)?;
            let (rule, kind) = if project.is_domain {
                (self.settings.domain_name_url_safe, "Domain")
            } else {
                (self.settings.project_name_url_safe, "Project")
            };
            check_url_safe(rule, kind, &project.name)?;
            project.name = project.name.trim().to_owned();
        }
        check_enabled_change(tx, current, enabled).await?;
        update("project")
            .set("name", &current.name, &project.name)
            .set("extra", &current.extra, &project.extra)
            .set("description", &current.description, &project.description)
            .set("enabled", current.enabled, project.enabled)
            .apply("id = ?", &current.id, &mut *tx)
            .await
            .or_conflict(|| name_taken(&project))?;
        store_tags(tx, &project, &current.tags).await?;
        store_options(tx, Table::Project, &current.id, &options).await?;
        one(tx, &current.id).await
    }

    /// Deletes a project without children, and everything that refers to it; a domain as [`Identity::delete_domain`] does,
    /// whose answer it then has.
    pub async fn delete_project(&self, id: &str) -> Result<Option<Vec<Deleted>>> {
        let deleted = transaction!(self.db, |tx| {
            let project = locked(tx, id).await?;
            if project.is_domain {
                return Ok(false);
            }
            project.check_delete()?;
            check_leaf(tx, &project.id).await?;
            self.remove_projects(tx, &[project.id]).await?;
            Ok(true)
        })
        .await?;
        if deleted {
            return Ok(None);
        }
        self.delete_domain(id).await.map(Some)
    }
}

fn by_id(id: &str) -> Query {
    projects_in(select(PROJECTS).filter("p.id = ?", Some(id))).then("")
}

fn by_name(name: &str, domain_id: &str) -> Query {
    let query = projects().filter("p.name = ?", Some(name));
    query.filter("p.domain_id = ?", Some(domain_id)).then("")
}

/// One project or domain.
pub(crate) async fn one(exec: impl Into<Exec<'_>>, id: &str) -> Result<Project> {
    by_id(id).fetch_resource(exec, id).await
}

/// One project or domain, locked until the transaction ends.
pub(crate) async fn locked(tx: &mut Tx, id: &str) -> Result<Project> {
    by_id(id).locking().fetch_resource(tx, id).await
}

async fn check_leaf(tx: &mut Tx, id: &str) -> Result<()> {
    let children = sql("SELECT id FROM project WHERE parent_id = ? ORDER BY id LIMIT 1").bind(id);
    if children.exists(tx).await? {
        return Err(Error::Refused(format!(
            "Cannot delete the project {id} since it is not a leaf in the hierarchy. Use the cascade option if you want to \
             delete a whole subtree."
        )));
    }
    Ok(())
}

pub(crate) fn name_taken(project: &Project) -> Error {
    let (name, id) = (&project.name, &project.id);
    Error::conflict::<Project>(if project.is_domain {
        format!(
            "it is not permitted to have two projects acting as domains with the same name: {name}"
        )
    } else {
        format!(
            "it is not permitted to have two projects with either the same name or same id in the same domain: \
             name is {name}, project id {id}"
        )
    })
}

pub(crate) fn check_url_safe(rule: UrlSafe, kind: &str, name: &str) -> Result<()> {
    match rule.reserved_in_new(name) {
        None => Ok(()),
        Some(found) => Err(Error::Validation(format!(
            "{kind} name cannot contain the following reserved characters: {found}"
        ))),
    }
}

fn check_update(current: &Project, patch: &Map<String, Value>) -> Result<()> {
    current
        .options
        .check_update(patch, current.kind(), &current.id)?;
    let changes = |key: &str, value: Value| patch.get(key).is_some_and(|new| *new != value);
    if changes("domain_id", current.domain_id.clone().into()) {
        return Err(Error::Validation("Cannot change Domain ID".to_owned()));
    }
    if changes("parent_id", current.parent_id.clone().into()) {
        return Err(Error::Refused(
            "Update of `parent_id` is not allowed.".to_owned(),
        ));
    }
    if changes("is_domain", current.is_domain.into()) {
        return Err(Error::Validation(
            "Update of `is_domain` is not allowed.".to_owned(),
        ));
    }
    Ok(())
}
