//! Scopes as they are now: found for a request or for a token, with their roles and catalog.

use std::sync::Arc;

use keystone_cache::{Pass, Source};
use keystone_catalog::{Choice, Template};
use keystone_identity::{Asked, DomainRef, Facts, Holder, ProjectRef, RoleRef, Subject};
use keystone_token::ScopeIds;
use keystone_types::{Error, Result, to_python_json};
use serde_json::Value;

use crate::auth::Auth;
use crate::choice::{DomainChoice, masked};
use crate::error::{TokenError, disabled};
use crate::remembered::{KnownCatalog, catalog_dependencies};
use crate::token::{AuthToken, CATALOG};

/// Where a token holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nowhere yet.
    Unscoped,
    /// On a project.
    Project(ProjectRef),
    /// On a domain.
    Domain(DomainRef),
    /// On the deployment as a whole.
    System,
}

/// The scope that is asked for.
#[derive(Clone, Debug, Default)]
pub enum RequestedScope {
    /// Nothing was said: the user's default project, or none.
    #[default]
    Default,
    /// None, whatever the user's default project is.
    Unscoped,
    /// The deployment as a whole.
    System,
    /// A domain.
    Domain(DomainChoice),
    /// A project, by id.
    ProjectId(String),
    /// A project, by the name in a domain.
    ProjectName(String, DomainChoice),
    /// What a trust, by id, delegates.
    Trust(String),
}

impl Scope {
    /// The scope as a token carries it.
    pub(crate) fn ids(&self) -> ScopeIds {
        match self {
            Self::Unscoped => ScopeIds::Unscoped,
            Self::Project(project) => ScopeIds::Project(project.id.clone()),
            Self::Domain(domain) => ScopeIds::Domain(domain.id.clone()),
            Self::System => ScopeIds::System,
        }
    }
}

impl RequestedScope {
    /// The project with this id.
    pub fn project(id: impl Into<String>) -> Self {
        Self::ProjectId(id.into())
    }

    /// The domain with this id.
    pub fn domain(id: impl Into<String>) -> Self {
        Self::Domain(DomainChoice::Id(id.into()))
    }

    pub(crate) fn is_project_or_domain(&self) -> bool {
        matches!(
            self,
            Self::Domain(_) | Self::ProjectId(_) | Self::ProjectName(..)
        )
    }

    pub(crate) fn parse(scope: Option<&Value>) -> Result<Self> {
        const KINDS: [&str; 5] = ["project", "domain", "unscoped", "system", "OS-TRUST:trust"];
        let Some(scope) = scope else {
            return Ok(Self::Default);
        };
        let named: Vec<&str> = match scope {
            Value::Object(scope) => KINDS
                .into_iter()
                .filter(|kind| scope.contains_key(*kind))
                .collect(),
            // `in` of Python finds the word in the text (`keystone/auth/core.py`).
            Value::String(text) => KINDS
                .into_iter()
                .filter(|kind| text.contains(kind))
                .collect(),
            _ => Vec::new(),
        };
        let [kind] = named[..] else {
            return Err(Error::expecting(
                "system, project, domain, OS-TRUST:trust or unscoped",
                "scope",
            ));
        };
        let content = scope.get(kind);
        match (kind, content) {
            ("system", _) => Ok(Self::System),
            ("unscoped", _) => Ok(Self::Unscoped),
            ("domain", Some(domain)) => Ok(Self::Domain(DomainChoice::parse(domain))),
            ("project", Some(project)) => Self::parse_project(project),
            ("OS-TRUST:trust", Some(trust)) => match trust.get("id").and_then(Value::as_str) {
                Some(id) if !id.is_empty() => Ok(Self::Trust(id.to_owned())),
                _ => Err(Error::expecting("trust_id", "trust")),
            },
            _ => Err(Error::Validation(
                "string indices must be integers, not 'str'".to_owned(),
            )),
        }
    }

    fn parse_project(project: &Value) -> Result<Self> {
        match project
            .get("name")
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
        {
            Some(name) => {
                let domain = project
                    .get("domain")
                    .ok_or_else(|| Error::expecting("domain", "project"))?;
                Ok(Self::ProjectName(
                    name.to_owned(),
                    DomainChoice::parse(domain),
                ))
            }
            None => Ok(Self::ProjectId(
                project
                    .get("id")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
            )),
        }
    }
}

impl Auth {
    /// Finds the scope that a request asks for; whatever is missing or disabled looks like a wrong password.
    pub(crate) async fn requested_scope(
        &self,
        pass: Option<Pass>,
        scope: &RequestedScope,
    ) -> Result<Scope> {
        Ok(match scope {
            RequestedScope::Default | RequestedScope::Unscoped => Scope::Unscoped,
            RequestedScope::System => Scope::System,
            RequestedScope::Domain(choice) => Scope::Domain(self.requested_domain(choice).await?),
            RequestedScope::ProjectId(id) => self.requested_project(pass, id).await?,
            RequestedScope::ProjectName(name, domain) => {
                let rule = self.identity.settings().project_name_url_safe;
                if !rule.allows_scope(name) {
                    return Err(Error::unauthorized(
                        "the project's name holds reserved characters",
                    ));
                }
                self.check_domain_name(domain)?;
                let project = self.identity.project_ref_by_name(name, domain.borrowed());
                Scope::Project(usable(masked(project.await)?)?)
            }
            RequestedScope::Trust(id) => match masked(self.trust(id).await)?.project_id {
                Some(project) => self.requested_project(pass, &project).await?,
                None => Scope::Unscoped,
            },
        })
    }

    async fn requested_project(&self, pass: Option<Pass>, id: &str) -> Result<Scope> {
        let project = masked(self.project(pass, id).await)?;
        if project.is_domain {
            return Err(Error::unauthorized(format!(
                "project {id} acts as a domain"
            )));
        }
        Ok(Scope::Project(usable(project)?))
    }

    async fn requested_domain(&self, choice: &DomainChoice) -> Result<DomainRef> {
        self.check_domain_name(choice)?;
        self.find_domain(choice).await
    }

    fn check_domain_name(&self, choice: &DomainChoice) -> Result<()> {
        let rule = self.identity.settings().domain_name_url_safe;
        if matches!(choice, DomainChoice::Name(name) if !rule.allows_scope(name)) {
            return Err(Error::unauthorized(
                "the domain's name holds reserved characters",
            ));
        }
        Ok(())
    }

    /// The user's default project, where it can be used; otherwise none, silently.
    pub(crate) async fn default_scope(&self, subject: &Subject) -> Result<Scope> {
        let Some(id) = &subject.user.default_project_id else {
            return Ok(Scope::Unscoped);
        };
        let user_id = &subject.user.id;
        let scope = ScopeIds::Project(id.clone());
        let facts = self.identity.facts(ask_about(user_id, &scope)).await?;
        let project = match facts.project(id) {
            Err(Error::NotFound { .. }) => return Ok(Scope::Unscoped),
            other => other?,
        };
        if project.is_domain || !project.enabled || !project.domain.enabled {
            return Ok(Scope::Unscoped);
        }
        let roles = facts.roles_on_project(Holder::User(user_id), &project.id);
        Ok(if roles.is_empty() {
            Scope::Unscoped
        } else {
            Scope::Project(project.clone())
        })
    }

    /// Finds the project that a token is to be for, as it is now.
    pub(crate) async fn current_project(&self, id: &str) -> Result<Scope, TokenError> {
        let project = self.identity.project_ref(id).await?;
        check_project(&project)?;
        Ok(Scope::Project(project))
    }

    /// The catalog of a token's scope; none for an unscoped token.
    pub async fn catalog_of(&self, pass: Pass, token: &AuthToken) -> Result<Option<Value>> {
        let Some((user_id, project_id)) = fills_catalog(token) else {
            return Ok(None);
        };
        self.catalog_for(pass, user_id, project_id).await.map(Some)
    }

    /// The catalog for a user on a project, or where no project is in scope.
    pub async fn catalog_for(
        &self,
        pass: Pass,
        user_id: &str,
        project_id: Option<&str>,
    ) -> Result<Value> {
        let known = self.known_catalog(pass, project_id).await?;
        let services = self
            .catalog
            .catalog(&known.sources, &known.choice, user_id, project_id);
        serde_json::to_value(services).map_err(Error::internal)
    }

    /// The catalog of a token's scope as it stands in the body, in JSON and with its name, which the tokens of a project share;
    /// none for an unscoped token.
    pub(crate) async fn rendered_catalog(
        &self,
        pass: Pass,
        token: &AuthToken,
    ) -> Result<Option<Arc<[u8]>>> {
        let filled_catalogs = &self.remembered.filled_catalogs;
        let as_of = filled_catalogs.now();
        let Some((user_id, project_id)) = fills_catalog(token) else {
            return Ok(None);
        };
        let known = self.known_catalog(pass, project_id).await?;
        let Some(template) = &known.template else {
            let catalog = self.catalog_for(pass, user_id, project_id).await?;
            let catalog = CATALOG.to_owned() + &to_python_json(&catalog);
            return Ok(Some(catalog.into_bytes().into()));
        };
        let user = if template.names_users() { user_id } else { "" };
        // No id of a project has a slash.
        let key = format!("{}/{user}", project_id.unwrap_or_default());
        let from_memory = pass.source == Source::Memory;
        if let Some(filled) = from_memory.then(|| filled_catalogs.get(&key)).flatten() {
            return Ok(Some(filled));
        }
        let mut filled = CATALOG.to_owned();
        template.fill(user_id, project_id, &mut filled);
        let filled: Arc<[u8]> = filled.into_bytes().into();
        let bytes = filled.len();
        filled_catalogs.put(
            &key,
            as_of,
            Arc::clone(&filled),
            bytes,
            catalog_dependencies(),
        );
        Ok(Some(filled))
    }

    /// What the catalogs of a project are made from, or those of scopes without one.
    async fn known_catalog(
        &self,
        pass: Pass,
        project_id: Option<&str>,
    ) -> Result<Arc<KnownCatalog>> {
        // Without filters all projects share one, and so do all scopes without a project. No id has a slash.
        let shared = if project_id.is_some() {
            "/projects"
        } else {
            "/"
        };
        if pass.source == Source::Memory {
            let remembered = &self.remembered.catalogs;
            let known = remembered.get(shared);
            let known = known.or_else(|| remembered.get(project_id.unwrap_or_default()));
            if let Some(known) = known {
                return Ok(known);
            }
        }
        let look_up = || self.look_up_catalog(shared, project_id);
        let key = project_id.unwrap_or(shared);
        self.catalog_lookups.run(key, look_up).await
    }

    async fn look_up_catalog(
        &self,
        shared: &str,
        project_id: Option<&str>,
    ) -> Result<Arc<KnownCatalog>> {
        let as_of = self.remembered.catalogs.now();
        let sources = self.catalog.sources().await?;
        let narrowed = project_id.filter(|_| sources.are_narrowed());
        let choice = match narrowed {
            Some(project_id) => self.catalog.choice(project_id).await?,
            None => Choice::default(),
        };
        let template = self
            .catalog
            .template(&sources, &choice, project_id.is_some());
        let bytes = 4 * template.as_ref().map_or(0, Template::size);
        let known = Arc::new(KnownCatalog {
            sources: Arc::new(sources),
            choice,
            template,
        });
        let key = narrowed.unwrap_or(shared);
        let on = catalog_dependencies();
        self.remembered
            .catalogs
            .put(key, as_of, Arc::clone(&known), bytes, on);
        Ok(known)
    }
}

/// The user and the project in the URLs of a token's catalog; none for an unscoped token, which has no catalog.
fn fills_catalog(token: &AuthToken) -> Option<(&str, Option<&str>)> {
    let scope = &token.token.scope;
    let user_id = token.backing.catalog_user(&token.token.user_id);
    (*scope != ScopeIds::Unscoped).then(|| (user_id, scope.project_id()))
}

/// Asks about a user on a scope.
pub(crate) fn ask_about(user_id: &str, scope: &ScopeIds) -> Asked {
    let on = scope.project_id().or(scope.domain_id());
    Asked {
        actors: [user_id.to_owned()].into(),
        scopes: on.map(str::to_owned).into_iter().collect(),
        on_system: *scope == ScopeIds::System,
        ..Asked::default()
    }
}

/// The scope that a token carries, as it is now.
pub(crate) fn current_scope(facts: &Facts, scope: &ScopeIds) -> Result<Scope, TokenError> {
    Ok(match scope {
        ScopeIds::Unscoped => Scope::Unscoped,
        ScopeIds::Project(id) => {
            let project = facts.project(id)?;
            check_project(project)?;
            Scope::Project(project.clone())
        }
        ScopeIds::Domain(id) => {
            let domain = facts.domain(id)?;
            // Keystone asks only about the user's own domain.
            if !domain.enabled {
                return Err(disabled("domain", &domain.id));
            }
            Scope::Domain(domain.clone())
        }
        ScopeIds::System => Scope::System,
    })
}

fn check_project(project: &ProjectRef) -> Result<(), TokenError> {
    if !project.enabled {
        return Err(disabled("project", &project.id));
    }
    if !project.domain.enabled {
        return Err(disabled("domain", &project.domain.id));
    }
    Ok(())
}

/// The effective roles on a scope.
pub(crate) fn effective_roles(facts: &Facts, holder: Holder<'_>, scope: &Scope) -> Vec<RoleRef> {
    match scope {
        Scope::Unscoped => Vec::new(),
        Scope::Project(project) => facts.roles_on_project(holder, &project.id),
        Scope::Domain(domain) => facts.roles_on_domain(holder, &domain.id),
        Scope::System => facts.roles_on_system(holder),
    }
}

fn usable(project: ProjectRef) -> Result<ProjectRef> {
    if project.enabled && project.domain.enabled {
        return Ok(project);
    }
    Err(Error::unauthorized(format!(
        "project {} or its domain is disabled",
        project.id
    )))
}
