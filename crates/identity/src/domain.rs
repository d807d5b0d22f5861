//! Domains: the owners of users, groups and projects. Each is a project that acts as a domain.

use keystone_storage::{Deleted, Tx, select, sql, transaction};
use keystone_types::{Error, Extra, Listing, Page, Resource, Result};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cascade::Kind;
use crate::identity::Identity;
use crate::options::{Options, immutable_error};
use crate::project::tags::Tags;
use crate::project::{Project, ROOT, check_url_safe, locked};
use crate::shared_lock;

/// A domain, as served.
#[derive(Clone, Debug, Serialize)]
pub struct Domain {
    /// Attributes without a column.
    #[serde(flatten)]
    pub extra: Extra,
    /// The id.
    pub id: String,
    /// Unique among domains.
    pub name: String,
    /// A description for people.
    pub description: Option<String>,
    /// Whether it is enabled; what a disabled domain owns is disabled too.
    pub enabled: Option<bool>,
    /// The tags.
    pub tags: Tags,
    /// `immutable`.
    pub options: Options,
}

impl Resource for Domain {
    const MEMBER: &'static str = "domain";
    const COLLECTION: &'static str = "domains";

    fn id(&self) -> &str {
        &self.id
    }
}

impl Domain {
    /// Whether it is enabled.
    pub fn is_enabled(&self) -> bool {
        self.enabled == Some(true)
    }
}

impl From<Project> for Domain {
    fn from(project: Project) -> Self {
        let Project {
            extra,
            id,
            name,
            description,
            enabled,
            tags,
            options,
            ..
        } = project;
        Self {
            extra,
            id,
            name,
            description,
            enabled,
            tags,
            options,
        }
    }
}

/// The resources of a domain, in the order of their deletion. Keystone leaves the roles of a deleted domain behind, where
/// nothing can use them.
const OWNED: [(&str, Kind); 6] = [
    (
        "SELECT id FROM project WHERE domain_id = ? ORDER BY id",
        |cascade| cascade.projects,
    ),
    (
        "SELECT id FROM `group` WHERE domain_id = ? ORDER BY id",
        |cascade| cascade.groups,
    ),
    (
        "SELECT id FROM user WHERE domain_id = ? ORDER BY id",
        |cascade| cascade.users,
    ),
    (
        "SELECT id FROM role WHERE domain_id = ? ORDER BY id",
        |cascade| cascade.roles,
    ),
    // Those of a directory, which need not be asked: they may have grants and credentials without ever having logged in.
    (
        "SELECT public_id FROM id_mapping WHERE domain_id = ? AND entity_type = 'group' ORDER BY public_id",
        |cascade| cascade.groups,
    ),
    (
        "SELECT public_id FROM id_mapping WHERE domain_id = ? AND entity_type = 'user' ORDER BY public_id",
        |cascade| cascade.users,
    ),
];

impl Identity {
    /// The domains that a listing asks for.
    pub async fn domains(&self, listing: &Listing) -> Result<Page<Domain>> {
        let listing = listing.clone().with("is_domain", "1");
        Ok(self.projects(&listing).await?.map(Domain::from))
    }

    /// One domain.
    pub async fn domain(&self, id: &str) -> Result<Domain> {
        as_domain(self.project(id).await, id).map(Domain::from)
    }

    /// The ids and names of the domains with these ids; those that do not exist are left out.
    pub async fn domain_names<'i>(
        &self,
        ids: impl IntoIterator<Item = &'i str>,
    ) -> Result<Vec<(String, String)>> {
        let names = select("SELECT id, name FROM project").within("id", ids);
        Ok(names.then(" ORDER BY id").fetch_all(&self.db).await?)
    }

    /// One domain by name.
    pub async fn domain_by_name(&self, name: &str) -> Result<Domain> {
        match self.project_by_name(name, ROOT).await {
            Ok(project) => Ok(project.into()),
            Err(Error::NotFound { .. }) => Err(Error::not_found::<Domain>(name)),
            Err(error) => Err(error),
        }
    }

    /// Creates a domain.
    pub async fn create_domain(&self, project: Project) -> Result<Domain> {
        Ok(self.create_project(self.new_domain(project)?).await?.into())
    }

    /// Creates a domain in the transaction of something that it is for.
    pub async fn create_domain_within(&self, tx: &mut Tx, project: Project) -> Result<Domain> {
        let project = self.checked(self.new_domain(project)?)?;
        Ok(self.insert_project(tx, &project).await?.into())
    }

    fn new_domain(&self, mut project: Project) -> Result<Project> {
        check_url_safe(self.settings.domain_name_url_safe, "Domain", &project.name)?;
        project.is_domain = true;
        project.domain_id = None;
        project.parent_id = None;
        Ok(project)
    }

    /// 404 for a domain that does not exist; one that does stays until the transaction ends.
    pub async fn hold_domain(&self, tx: &mut Tx, id: &str) -> Result<()> {
        shared_lock::domain(tx, id).await
    }

    /// Changes a domain.
    pub async fn update_domain(&self, id: &str, mut patch: Map<String, Value>) -> Result<Domain> {
        // These are attributes of projects and not of domains.
        for key in ["domain_id", "parent_id", "is_domain"] {
            patch.shift_remove(key);
        }
        transaction!(self.db, |tx| {
            let current = as_domain(locked(tx, id).await, id)?;
            let name = patch.get("name").and_then(Value::as_str);
            self.check_not_reserved(id, name.unwrap_or(&current.name))?;
            Ok(self
                .change_project(tx, &current, patch.clone())
                .await?
                .into())
        })
        .await
    }

    /// Deletes a disabled domain and all that it owns; returns what else of that is announced.
    pub async fn delete_domain(&self, id: &str) -> Result<Vec<Deleted>> {
        transaction!(self.db, |tx| {
            let project = as_domain(locked(tx, id).await, id)?;
            project.check_delete()?;
            if project.is_enabled() {
                return Err(Error::Refused(
                    "Cannot delete a domain that is enabled, please disable it first.".to_owned(),
                ));
            }
            check_mutable(tx, &project.id).await?;
            let deleted = self.deleted_with_domain(tx, &project.id).await?;
            self.remove_owned(tx, &project.id).await?;
            self.remove_projects(tx, &[project.id]).await?;
            Ok(deleted)
        })
        .await
    }

    /// What is deleted with a domain, where deletions report it: its projects, each before its parent, groups and users.
    async fn deleted_with_domain(&self, tx: &mut Tx, id: &str) -> Result<Vec<Deleted>> {
        if !self.settings.reports_cascades {
            return Ok(Vec::new());
        }
        let mut projects: Vec<(String, Option<String>)> =
            sql("SELECT id, parent_id FROM project WHERE domain_id = ? ORDER BY id")
                .bind(id)
                .fetch_all(&mut *tx)
                .await?;
        let mut above = vec![id.to_owned()];
        let mut done = 0;
        while let Some(parent) = above.get(done).cloned() {
            let is_in = |row: &mut (String, Option<String>)| row.1.as_ref() == Some(&parent);
            above.extend(projects.extract_if(.., is_in).map(|(id, _)| id));
            done += 1;
        }
        let projects = above.into_iter().skip(1).rev();
        let mut deleted: Vec<Deleted> = projects.map(|id| ("project", id)).collect();
        let groups = sql("SELECT id FROM `group` WHERE domain_id = ? ORDER BY id").bind(id);
        let groups = groups.fetch_texts(&mut *tx).await?;
        deleted.extend(groups.into_iter().map(|id| ("group", id)));
        let users = sql("SELECT id FROM user WHERE domain_id = ? ORDER BY id").bind(id);
        let users = users.fetch_texts(&mut *tx).await?;
        deleted.extend(self.deleted_with_users(tx, &users).await?);
        deleted.extend(users.into_iter().map(|id| ("user", id)));
        Ok(deleted)
    }

    /// Deletes what a domain owns.
    async fn remove_owned(&self, tx: &mut Tx, id: &str) -> Result<()> {
        // Flat first, so that no project hangs on one that goes before it.
        sql("UPDATE project SET parent_id = domain_id WHERE domain_id = ?")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        for (query, of_kind) in OWNED {
            // Locked, so that nothing is granted to them or on them meanwhile.
            let ids = sql(query).bind(id).locking().fetch_texts(&mut *tx).await?;
            self.remove(&mut *tx, &ids, of_kind).await?;
        }
        for statement in [
            "DELETE FROM whitelisted_config WHERE domain_id = ?",
            "DELETE FROM sensitive_config WHERE domain_id = ?",
            "DELETE FROM id_mapping WHERE domain_id = ?",
            "DELETE FROM `limit` WHERE domain_id = ?",
        ] {
            sql(statement).bind(id).execute(&mut *tx).await?;
        }
        let providers = sql("DELETE FROM identity_provider WHERE domain_id = ?").bind(id);
        if providers.execute(&mut *tx).await? > 0 {
            // A mapping may have put their users into other domains.
            self.remove_nameless_users(tx).await?;
        }
        // By key: a scan of the table would wait for the marker rows of all locks, which are in it on Galera.
        let registered = sql("SELECT type FROM config_register WHERE domain_id = ? ORDER BY type");
        for kind in registered.bind(id).fetch_texts(&mut *tx).await? {
            sql("DELETE FROM config_register WHERE type = ? AND domain_id = ?")
                .bind(kind)
                .bind(id)
                .execute(&mut *tx)
                .await?;
        }
        Ok(())
    }

    pub(crate) fn check_not_reserved(&self, id: &str, name: &str) -> Result<()> {
        let reserved = self.settings.federated_domain_name.to_lowercase();
        if name.to_lowercase() == reserved {
            return Err(Error::Validation(format!("Domain cannot be named {name}")));
        }
        if id.to_lowercase() == reserved {
            return Err(Error::Validation(format!("Domain cannot have ID {id}")));
        }
        Ok(())
    }
}

/// A project, if it acts as a domain.
pub(crate) fn as_domain(found: Result<Project>, id: &str) -> Result<Project> {
    match found {
        // `MariaDB` ignores case, and what refers to `DEFAULT` would not be found in `default`.
        Ok(project) if project.is_domain && project.id == id => Ok(project),
        Ok(_) | Err(Error::NotFound { .. }) => Err(Error::not_found::<Domain>(id)),
        Err(error) => Err(error),
    }
}

/// 403 if a project of the domain is immutable.
async fn check_mutable(tx: &mut Tx, domain_id: &str) -> Result<()> {
    let immutable = sql("\
        SELECT p.id FROM project p JOIN project_option o ON o.project_id = p.id \
         WHERE p.domain_id = ? AND o.option_id = 'IMMU' \
           AND o.option_value NOT IN ('null', 'false', '0', '0.0', '\"\"', '[]', '{}') \
         ORDER BY p.id LIMIT 1");
    match immutable.bind(domain_id).fetch_texts(tx).await?.first() {
        Some(id) => Err(immutable_error("delete", Project::MEMBER, id)),
        None => Ok(()),
    }
}
