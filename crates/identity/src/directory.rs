//! Users and groups that are in a directory and not in the database: `[identity] driver = ldap`, and the backends of single
//! domains.
//!
//! One place decides where somebody is: [`Identity::entity_backend`] by id, [`Identity::domain_backend`] by domain. A domain's
//! backend is looked up each time, so that a change of its configuration in the database counts at once. What a directory
//! answers is never remembered, because nothing tells of its changes.

pub(crate) mod groups;
pub(crate) mod id_mapping;
mod options;
mod rows;
pub(crate) mod users;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keystone_ldap::{Directory, User as Found};
use keystone_storage::{select, sql};
use keystone_types::{Error, Listing, Result, Secret};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

use crate::identity::Identity;
use crate::project::ROOT;
use crate::project::reference::{DomainChoice, DomainRef};
use crate::single_flight::SingleFlight;

use id_mapping::{Entity, row_of};
use rows::{ConfigRow, backend_of, redacted};

pub use options::{Backend, BackendError};

/// Which domains have users and groups elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Backends {
    /// The backend of all domains that have none of their own.
    pub default: Backend,
    /// `[identity_mapping] backward_compatible_ids`: the ids of a default directory are those of the API.
    pub backward_compatible_ids: bool,
    /// `[identity] domain_specific_drivers_enabled`
    pub domains: DomainBackends,
}

/// Where backends of single domains are configured.
#[derive(Clone, Debug, Default)]
pub enum DomainBackends {
    /// Nowhere.
    #[default]
    None,
    /// In files, by the name of the domain.
    Files(Vec<(String, Backend)>),
    /// In the database.
    Database,
}

/// The backends, with their connections.
#[derive(Debug)]
pub(crate) struct Directories {
    default: Backend,
    compatible_ids: bool,
    domains: Domains,
    /// By directory and id: users, with the ids of their groups.
    members: SingleFlight<Option<(Found, Vec<String>)>>,
}

#[derive(Debug)]
enum Domains {
    None,
    Files(HashMap<String, Backend>),
    Database(Mutex<HashMap<String, Configured>>),
}

/// A domain's configuration in the database as it was read last, and what was made of it. Nothing is kept of a wrong one:
/// a file that it names may be there the next time.
struct Configured {
    rows: Vec<ConfigRow>,
    backend: Backend,
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rows have passwords.
        let mut shown = f.debug_struct("Configured");
        shown
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}

/// The directory of a domain.
#[derive(Clone, Debug)]
pub(crate) struct DomainDirectory {
    pub(crate) domain: DomainRef,
    directory: Arc<Directory>,
    /// `list_limit` of a backend of the domain's own.
    list_limit: Option<u32>,
    /// What no message about it may show.
    hidden: Vec<Secret>,
    /// Whether its ids have rows in `id_mapping`; otherwise they are those of the API.
    mapped: bool,
}

/// Where the users and groups of a domain are.
#[derive(Clone, Debug)]
pub(crate) enum DomainBackend {
    Database,
    Directory(DomainDirectory),
    /// Nowhere: the default directory is for the default domain alone.
    Nowhere,
}

/// Where a user or a group is.
#[derive(Clone, Debug)]
pub(crate) enum EntityBackend {
    Database,
    Directory(Entry),
    Nowhere,
}

/// A user or a group of a directory, which may be gone.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) of: DomainDirectory,
    pub(crate) local_id: String,
    /// The id of the API; in the letters of a request where there is no mapping.
    pub(crate) id: String,
}

/// 403: nothing in a directory is changed from here.
pub(crate) fn read_only() -> Error {
    Error::Forbidden {
        detail: "LDAP does not support write operations".to_owned(),
    }
}

impl Directories {
    pub(crate) fn new(backends: &Backends) -> Self {
        let files = |named: &[(String, Backend)]| {
            let named = named.iter();
            named
                .map(|(name, backend)| (folded(name), backend.clone()))
                .collect()
        };
        Self {
            default: backends.default.clone(),
            compatible_ids: backends.backward_compatible_ids,
            domains: match &backends.domains {
                DomainBackends::None => Domains::None,
                DomainBackends::Files(named) => Domains::Files(files(named)),
                DomainBackends::Database => Domains::Database(Mutex::default()),
            },
            members: SingleFlight::default(),
        }
    }

    /// Whether everything is in the database.
    pub(crate) fn none(&self) -> bool {
        self.default.directory.is_none() && matches!(self.domains, Domains::None)
    }

    /// Whether rows of `id_mapping` tell where somebody is.
    fn maps(&self) -> bool {
        !matches!(self.domains, Domains::None) || !self.compatible_ids
    }
}

/// Names of domains are compared without case, as the database does.
fn folded(name: &str) -> String {
    name.trim_end().to_lowercase()
}

impl DomainDirectory {
    /// The answer of the directory to a question, with its first references in the log.
    fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, keystone_ldap::Error>>,
    ) -> impl Future<Output = Result<T>> {
        // Boxed at once: the futures of all logins have it in them.
        let question = Box::pin(question);
        async move {
            let answer = question.await;
            if let Some(told) = self.directory.untold_references() {
                self.warn(told);
            }
            answer.map_err(|error| self.failed(&error))
        }
    }

    fn warn(&self, message: &str) {
        let message = redacted(message, &self.hidden);
        tracing::warn!(domain.id = self.domain.id, "{message}");
    }

    /// The answer to a client for what a directory says, with the domain in the log.
    fn failed(&self, error: &keystone_ldap::Error) -> Error {
        let message = match error {
            keystone_ldap::Error::InvalidCredentials { .. } => {
                "Unable to authenticate against Identity backend - Invalid username or password"
            }
            keystone_ldap::Error::SizeLimit { .. } => {
                "Number of User/Group entities returned by LDAP exceeded size limit. Contact your LDAP administrator."
            }
            _ => "An unexpected error prevented the server from fulfilling your request.",
        };
        let DomainRef { id, name, .. } = &self.domain;
        let error = redacted(&error.to_string(), &self.hidden);
        Error::failed(message, format!("domain {id} ({name}): {error}"))
    }
}

impl DomainBackend {
    /// That of one whose id has no row in `id_mapping`.
    fn of_unmapped(&self, id: &str) -> EntityBackend {
        match self {
            Self::Database => EntityBackend::Database,
            Self::Nowhere => EntityBackend::Nowhere,
            Self::Directory(of) => EntityBackend::Directory(Entry {
                of: of.clone(),
                local_id: id.to_owned(),
                id: id.to_owned(),
            }),
        }
    }
}

impl Entry {
    /// The id of the API, once the entry was found: where there is no mapping, as the directory writes it.
    fn id_of(&self, found_id: &str) -> String {
        if self.of.mapped {
            self.id.clone()
        } else {
            found_id.to_owned()
        }
    }
}

impl Identity {
    /// Where the users and groups of a domain are. A domain that does not exist has them in the database, which finds none.
    pub(crate) async fn domain_backend(&self, domain: DomainChoice<'_>) -> Result<DomainBackend> {
        if self.directories.none() {
            return Ok(DomainBackend::Database);
        }
        match self.domain_of(domain).await? {
            Some(domain) => self.backend_of_domain(domain).await,
            None => Ok(DomainBackend::Database),
        }
    }

    /// The most members of a page of a domain's users or groups, where its own backend has a limit.
    pub async fn list_limit(&self, domain_id: Option<&str>) -> Result<Option<u32>> {
        let Some(domain_id) = domain_id else {
            return Ok(None);
        };
        if matches!(self.directories.domains, Domains::None) {
            return Ok(None);
        }
        let Some(domain) = self.domain_of(DomainChoice::Id(domain_id)).await? else {
            return Ok(None);
        };
        let backend = self.own_backend(&domain).await?;
        Ok(backend.and_then(|backend| backend.list_limit))
    }

    /// The same for a page of a user's groups: a directory that has the user has the limit of its domain.
    pub async fn list_limit_of_user(&self, id: &str) -> Result<Option<u32>> {
        self.list_limit_of(Entity::User, id).await
    }

    /// The same for a page of a group's users.
    pub async fn list_limit_of_group(&self, id: &str) -> Result<Option<u32>> {
        self.list_limit_of(Entity::Group, id).await
    }

    async fn list_limit_of(&self, entity: Entity, id: &str) -> Result<Option<u32>> {
        if matches!(self.directories.domains, Domains::None) {
            return Ok(None);
        }
        Ok(match self.entity_backend(entity, id).await? {
            EntityBackend::Directory(entry) => entry.of.list_limit,
            EntityBackend::Database | EntityBackend::Nowhere => None,
        })
    }

    async fn domain_of(&self, domain: DomainChoice<'_>) -> Result<Option<DomainRef>> {
        let query = select("SELECT id, name, enabled FROM project")
            .and("is_domain = 1")
            .filter("domain_id = ?", Some(ROOT));
        let query = match domain {
            DomainChoice::Id(id) => query.filter("id = ?", Some(id)),
            DomainChoice::Name(name) => query.filter("name = ?", Some(name)),
        };
        let found: Option<(String, String, Option<bool>)> =
            query.then("").fetch_optional(&self.db).await?;
        Ok(found.map(|(id, name, enabled)| DomainRef {
            id,
            name,
            enabled: enabled == Some(true),
        }))
    }

    /// The backend that is configured for this domain alone.
    async fn own_backend(&self, domain: &DomainRef) -> Result<Option<Backend>> {
        match &self.directories.domains {
            Domains::None => Ok(None),
            Domains::Files(files) => Ok(files.get(&folded(&domain.name)).cloned()),
            Domains::Database(known) => self.configured(known, &domain.id).await,
        }
    }

    async fn backend_of_domain(&self, domain: DomainRef) -> Result<DomainBackend> {
        let default = &self.directories.default;
        let (backend, list_limit, mapped) = match self.own_backend(&domain).await? {
            Some(backend) => {
                let limit = backend.list_limit;
                (backend, limit, true)
            }
            None if default.directory.is_none() || domain.id == self.settings.default_domain_id => {
                (default.clone(), None, !self.directories.compatible_ids)
            }
            None => return Ok(DomainBackend::Nowhere),
        };
        let Some(directory) = backend.directory else {
            return Ok(DomainBackend::Database);
        };
        Ok(DomainBackend::Directory(DomainDirectory {
            domain,
            directory,
            list_limit,
            hidden: backend.hidden,
            mapped,
        }))
    }

    /// What the database configures for a domain; none where there is nothing.
    async fn configured(
        &self,
        known: &Mutex<HashMap<String, Configured>>,
        domain_id: &str,
    ) -> Result<Option<Backend>> {
        let rows: Vec<ConfigRow> = sql("\
            SELECT `group`, `option`, value, FALSE AS hidden FROM whitelisted_config WHERE domain_id = ? \
            UNION ALL \
            SELECT `group`, `option`, value, TRUE FROM sensitive_config WHERE domain_id = ? \
            ORDER BY `group`, `option`, hidden")
        .bind(domain_id)
        .bind(domain_id)
        .fetch_all(&self.db)
        .await?;
        let locked = || known.lock().unwrap_or_else(PoisonError::into_inner);
        let current = |known: &HashMap<String, Configured>| {
            let known = known.get(domain_id).filter(|known| known.rows == rows);
            known.map(|known| known.backend.clone())
        };
        if rows.is_empty() {
            locked().remove(domain_id);
            return Ok(None);
        }
        if let Some(backend) = current(&locked()) {
            return Ok(Some(backend));
        }
        let configured = sql("SELECT DISTINCT domain_id FROM whitelisted_config");
        let configured = configured.fetch_texts(&self.db).await?;
        // It reads certificates.
        let read = rows.clone();
        let made = spawn_blocking(move || backend_of(&read)).await;
        let made = made.map_err(Error::internal)?;
        let backend = made.map_err(|reason| {
            Error::internal(format!(
                "the configuration of domain {domain_id} in the database: {reason}"
            ))
        })?;
        let mut known = locked();
        // Another request may have been here in the meantime.
        if let Some(backend) = current(&known) {
            return Ok(Some(backend));
        }
        // Domains that are gone, with their connections.
        known.retain(|id, _| configured.contains(id));
        tracing::info!(
            domain.id = domain_id,
            directory = backend.directory.is_some(),
            "the configuration of a domain in the database was read"
        );
        let read = Configured {
            rows: rows.clone(),
            backend: backend.clone(),
        };
        known.insert(domain_id.to_owned(), read);
        Ok(Some(backend))
    }

    /// What is wrong with each configured directory that can't be used now: it has to answer within `limit`. Every call asks
    /// them all, at the same time.
    pub async fn failing_directories(&self, limit: Duration) -> Result<Vec<String>> {
        let mut failing = Vec::new();
        let default = self.directories.default.clone();
        let mut all = vec![("the default directory".to_owned(), default)];
        let of = |domain: &str| format!("the directory of domain {domain}");
        match &self.directories.domains {
            Domains::None => {}
            Domains::Files(files) => {
                all.extend(files.iter().map(|(name, it)| (of(name), it.clone())));
            }
            Domains::Database(known) => {
                let ids = sql("SELECT DISTINCT domain_id FROM whitelisted_config");
                let ids: Vec<(String,)> = ids.fetch_all(&self.db).await?;
                for (id,) in ids {
                    match self.configured(known, &id).await {
                        Ok(Some(backend)) => all.push((of(&id), backend)),
                        Ok(None) => {}
                        Err(error) => {
                            failing.push(format!("{}: {}", of(&id), error.cause()));
                        }
                    }
                }
            }
        }
        let mut asked = JoinSet::new();
        for (name, backend) in all {
            let Backend {
                directory: Some(directory),
                hidden,
                ..
            } = backend
            else {
                continue;
            };
            asked.spawn(async move {
                match timeout(limit, directory.check()).await {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => {
                        let error = redacted(&error.to_string(), &hidden);
                        Some(format!("{name}: {error}"))
                    }
                    Err(_) => Some(format!("{name}: no answer within {limit:?}")),
                }
            });
        }
        failing.extend(asked.join_all().await.into_iter().flatten());
        failing.sort();
        Ok(failing)
    }

    /// Where a user or a group is.
    pub(crate) async fn entity_backend(&self, entity: Entity, id: &str) -> Result<EntityBackend> {
        let mut backends = self.entity_backends(entity, &[id]).await?;
        Ok(backends.pop().unwrap_or(EntityBackend::Database))
    }

    /// The same of several, in their order.
    pub(crate) async fn entity_backends(
        &self,
        entity: Entity,
        ids: &[&str],
    ) -> Result<Vec<EntityBackend>> {
        if self.directories.none() {
            return Ok(vec![EntityBackend::Database; ids.len()]);
        }
        let rows = if self.directories.maps() {
            self.mapped(ids).await?
        } else {
            Vec::new()
        };
        let mut known: HashMap<String, DomainBackend> = HashMap::new();
        let mut without_row = None;
        let mut backends = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(row) = row_of(&rows, id) else {
                let backend = match &without_row {
                    Some(backend) => backend,
                    None => without_row.insert(self.backend_without_row().await?),
                };
                backends.push(backend.of_unmapped(id));
                continue;
            };
            let Some(name) = row.domain_name.clone() else {
                backends.push(EntityBackend::Nowhere);
                continue;
            };
            let backend = if let Some(backend) = known.get(&row.domain_id) {
                backend.clone()
            } else {
                let domain = DomainRef {
                    id: row.domain_id.clone(),
                    name,
                    enabled: row.domain_enabled == Some(true),
                };
                let backend = self.backend_of_domain(domain).await?;
                known.insert(row.domain_id.clone(), backend.clone());
                backend
            };
            backends.push(match backend {
                DomainBackend::Directory(of) if row.is(entity) => EntityBackend::Directory(Entry {
                    of,
                    local_id: row.local_id.clone(),
                    id: row.public_id.clone(),
                }),
                // A backend of a single domain that is the database has rows, too.
                DomainBackend::Database if row.is_purged() || row.local_id == row.public_id => {
                    EntityBackend::Database
                }
                DomainBackend::Directory(_) | DomainBackend::Database | DomainBackend::Nowhere => {
                    EntityBackend::Nowhere
                }
            });
        }
        Ok(backends)
    }

    /// The backend of ids without rows in `id_mapping`.
    async fn backend_without_row(&self) -> Result<DomainBackend> {
        if self.directories.default.directory.is_none() {
            return Ok(DomainBackend::Database);
        }
        if !self.directories.compatible_ids {
            return Ok(DomainBackend::Nowhere);
        }
        let default = DomainChoice::Id(&self.settings.default_domain_id);
        Ok(match self.domain_backend(default).await? {
            DomainBackend::Directory(of) if !of.mapped => DomainBackend::Directory(of),
            _ => DomainBackend::Nowhere,
        })
    }

    /// Where the users and groups of a listing are: those of a domain, or those of the default backend.
    pub(crate) async fn backend_of_listing(&self, listing: &Listing) -> Result<DomainBackend> {
        if self.directories.none() {
            return Ok(DomainBackend::Database);
        }
        let domains = listing.filters.iter();
        let mut domains = domains.filter(|filter| filter.name == "domain_id");
        match (domains.next(), domains.next()) {
            (None, _) if self.directories.default.directory.is_none() => {
                Ok(DomainBackend::Database)
            }
            (None, _) => {
                let default = DomainChoice::Id(&self.settings.default_domain_id);
                self.domain_backend(default).await
            }
            (Some(one), Some(other)) if one.value != other.value => Ok(DomainBackend::Nowhere),
            (Some(domain), _) => self.domain_backend(DomainChoice::Id(&domain.value)).await,
        }
    }

    /// Fails with 403 where the domain's users and groups are in a directory.
    pub(crate) async fn check_writable(&self, domain_id: &str) -> Result<()> {
        match self.domain_backend(DomainChoice::Id(domain_id)).await? {
            DomainBackend::Database => Ok(()),
            DomainBackend::Directory(_) => Err(read_only()),
            DomainBackend::Nowhere => Err(Error::not_found::<crate::domain::Domain>(domain_id)),
        }
    }

    /// The ids of the API for entries of a directory, in their order; `None` for one that can have none.
    async fn ids_of(
        &self,
        of: &DomainDirectory,
        entity: Entity,
        local_ids: &[&str],
    ) -> Result<Vec<Option<String>>> {
        if !of.mapped {
            return Ok(local_ids.iter().map(|id| Some((*id).to_owned())).collect());
        }
        self.public_ids(&of.domain.id, entity, local_ids).await
    }
}

#[cfg(test)]
mod tests;
