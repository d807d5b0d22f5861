//! What is remembered of validations, and for how long.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime};
use keystone_cache::{AsOf, Cache, CacheState, Changes, Dependency, Kind, Pass, Source};
use keystone_catalog::{Choice, Sources, Template};
use keystone_identity::{Facts, ProjectRef, RoleRef};
use keystone_token::{OpeningKeys, ScopeIds};
use keystone_types::Result;

use crate::auth::Auth;
use crate::basis::Basis;
use crate::scope::Scope;
use crate::shared::ServiceProviders;
use crate::token::AuthToken;

/// About how many bytes a token takes that has its body and what policy rules see of it.
pub(crate) const TOKEN_BYTES: usize = 4 << 10;
/// About how many bytes a role takes.
pub(crate) const ROLE_BYTES: usize = 256;
/// How much memory tokens may take, and a typical one.
const TOKENS: (usize, usize) = (48 << 20, 6 << 10);
/// The same of catalogs.
const CATALOGS: (usize, usize) = (16 << 20, 64 << 10);
/// The same of catalogs with the ids of a project or user in their places.
const FILLED_CATALOGS: (usize, usize) = (8 << 20, 16 << 10);
/// The same of the roles that users have on scopes.
const ROLES: (usize, usize) = (4 << 20, 1 << 10);
/// The same of the service providers, of which there is one list.
const SERVICE_PROVIDERS: (usize, usize) = (1 << 20, 4 << 10);
/// The same of projects.
const PROJECTS: (usize, usize) = (4 << 20, 1 << 10);

/// The answers that validations share; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    pub(crate) tokens: Cache<KnownToken>,
    pub(crate) catalogs: Cache<Arc<KnownCatalog>>,
    /// As JSON, by project and, where it names users, by user.
    pub(crate) filled_catalogs: Cache<Arc<[u8]>>,
    pub(crate) roles: Cache<KnownRoles>,
    pub(crate) service_providers: Cache<Arc<ServiceProviders>>,
    pub(crate) projects: Cache<ProjectRef>,
}

/// A token as it was looked up.
#[derive(Clone, Debug)]
pub(crate) struct KnownToken {
    pub(crate) token: Arc<AuthToken>,
    /// The keys that it was opened with.
    pub(crate) keys: OpeningKeys,
    /// The day on which it was looked up: users become inactive by the day.
    pub(crate) day: NaiveDate,
    /// When time alone changes what it was read from.
    pub(crate) until: Option<NaiveDateTime>,
}

/// The roles that a user has on a scope.
#[derive(Clone, Debug)]
pub(crate) struct KnownRoles {
    roles: Vec<RoleRef>,
    /// When time alone changes them.
    until: Option<NaiveDateTime>,
}

/// What the catalog of some tokens is made from.
#[derive(Debug)]
pub(crate) struct KnownCatalog {
    pub(crate) sources: Arc<Sources>,
    pub(crate) choice: Choice,
    /// Absent where it has to be made for each token.
    pub(crate) template: Option<Template>,
}

impl Remembered {
    pub(crate) fn new(changes: &Changes) -> Self {
        Self {
            tokens: Cache::new(changes, TOKENS.0, TOKENS.1),
            catalogs: Cache::new(changes, CATALOGS.0, CATALOGS.1),
            filled_catalogs: Cache::new(changes, FILLED_CATALOGS.0, FILLED_CATALOGS.1),
            roles: Cache::new(changes, ROLES.0, ROLES.1),
            service_providers: Cache::new(changes, SERVICE_PROVIDERS.0, SERVICE_PROVIDERS.1),
            projects: Cache::new(changes, PROJECTS.0, PROJECTS.1),
        }
    }
}

impl Remembered {
    pub(crate) fn states(&self) -> [(&'static str, CacheState); 6] {
        [
            ("tokens", self.tokens.state()),
            ("catalogs", self.catalogs.state()),
            ("filled_catalogs", self.filled_catalogs.state()),
            ("roles", self.roles.state()),
            ("service_providers", self.service_providers.state()),
            ("projects", self.projects.state()),
        ]
    }
}

impl Auth {
    /// A token as it is remembered.
    pub(crate) fn recall(&self, pass: Pass, id: &str) -> Option<Arc<AuthToken>> {
        if pass.source == Source::Database {
            return None;
        }
        let known = self.remembered.tokens.get(id)?;
        let keys = self.tokens.keys_since(pass.since).ok()?;
        let now = self.clock.precise();
        // What ends by itself is no change that anything tells of.
        let lasts = known.token.backing.capped(NaiveDateTime::MAX) > now
            && known.until.is_none_or(|end| end > now);
        (known.keys.are(&keys) && known.day == now.date() && lasts).then_some(known.token)
    }

    /// The roles that a user has on a scope, as they are remembered.
    pub(crate) fn recall_roles(
        &self,
        pass: Pass,
        user_id: &str,
        scope: &ScopeIds,
    ) -> Option<Vec<RoleRef>> {
        if pass.source == Source::Database {
            return None;
        }
        let known = self.remembered.roles.get(&roles_key(user_id, scope))?;
        let now = self.clock.precise();
        let lasts = known.until.is_none_or(|end| end > now);
        lasts.then_some(known.roles)
    }

    /// Remembers roles that were looked up since `as_of`.
    pub(crate) fn remember_roles(
        &self,
        as_of: AsOf,
        user_id: &str,
        scope: &Scope,
        facts: &Facts,
        roles: &[RoleRef],
    ) {
        let basis = Basis::of_roles(user_id, scope, facts);
        if basis.until.is_some_and(|end| end <= self.clock.precise()) {
            return;
        }
        let known = KnownRoles {
            roles: roles.to_vec(),
            until: basis.until,
        };
        let bytes = roles.len() * ROLE_BYTES;
        let key = roles_key(user_id, &scope.ids());
        let on = basis.dependencies();
        self.remembered.roles.put(&key, as_of, known, bytes, on);
    }

    /// One project with its domain: from memory where that is allowed, and remembered.
    pub(crate) async fn project(&self, pass: Option<Pass>, id: &str) -> Result<ProjectRef> {
        if let Some(known) = pass.and_then(|pass| self.recall_project(pass, id)) {
            return Ok(known);
        }
        let as_of = self.remembered.projects.now();
        let project = self.identity.project_ref(id).await?;
        self.remember_project(as_of, id, &project);
        Ok(project)
    }

    /// One project as it is remembered.
    pub(crate) fn recall_project(&self, pass: Pass, id: &str) -> Option<ProjectRef> {
        let from_memory = pass.source == Source::Memory;
        from_memory.then(|| self.remembered.projects.get(id))?
    }

    /// Remembers a project that was looked up since `as_of`.
    pub(crate) fn remember_project(&self, as_of: AsOf, id: &str, project: &ProjectRef) {
        let on = [&project.id, &project.domain.id].map(|id| (Kind::Project, id.clone()));
        let known = project.clone();
        self.remembered
            .projects
            .put(id, as_of, known, PROJECTS.1, on);
    }
}

/// No other user and scope have this key, whatever their ids are.
fn roles_key(user_id: &str, scope: &ScopeIds) -> String {
    let (kind, id) = match scope {
        ScopeIds::Unscoped => ("unscoped", ""),
        ScopeIds::Project(id) => ("project", id.as_str()),
        ScopeIds::Domain(id) => ("domain", id.as_str()),
        ScopeIds::System => ("system", ""),
    };
    format!("{kind} {} {id} {user_id}", id.len())
}

/// What a catalog and the list of service providers depend on.
pub(crate) fn catalog_dependencies() -> [Dependency; 1] {
    [(Kind::Catalog, String::new())]
}
