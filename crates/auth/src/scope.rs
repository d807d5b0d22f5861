//! Scopes as they are now: found for a request or for a token, with their roles and catalog.

use std::sync::Arc;

use keystone_identity::{DomainRef, Holder, ProjectRef, RoleRef, Subject};
use keystone_token::{ScopeIds, Token};
use keystone_types::{Error, Result};
use serde_json::Value;

use crate::auth::Auth;
use crate::choice::{DomainChoice, masked};
use crate::error::{TokenError, disabled};

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

/// The scope as asked for.
#[derive(Debug)]
pub(crate) enum RequestedScope {
    /// Nothing was said: the user's default project, or none.
    Default,
    Unscoped,
    System,
    Domain(DomainChoice),
    ProjectId(String),
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
            ("project", Some(project)) => Self::project(project),
            ("OS-TRUST:trust", Some(trust)) => match trust.get("id").and_then(Value::as_str) {
                Some(id) if !id.is_empty() => Ok(Self::Trust(id.to_owned())),
                _ => Err(Error::expecting("trust_id", "trust")),
            },
            _ => Err(Error::Validation(
                "string indices must be integers, not 'str'".to_owned(),
            )),
        }
    }

    fn project(project: &Value) -> Result<Self> {
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
    pub(crate) async fn requested_scope(&self, scope: &RequestedScope) -> Result<Scope> {
        Ok(match scope {
            RequestedScope::Default | RequestedScope::Unscoped => Scope::Unscoped,
            RequestedScope::System => Scope::System,
            RequestedScope::Domain(choice) => Scope::Domain(self.requested_domain(choice).await?),
            RequestedScope::ProjectId(id) => self.requested_project(id).await?,
            RequestedScope::ProjectName(name, domain) => {
                let rule = self.identity.settings().project_name_url_safe;
                if !rule.allows_scope(name) {
                    return Err(Error::unauthorized(
                        "the project's name holds reserved characters",
                    ));
                }
                let domain = self.requested_domain(domain).await?;
                let project = self.identity.project_ref_by_name(name, &domain.id).await;
                Scope::Project(usable(masked(project)?)?)
            }
            RequestedScope::Trust(id) => match masked(self.trust(id).await)?.project_id {
                Some(project) => self.requested_project(&project).await?,
                None => Scope::Unscoped,
            },
        })
    }

    async fn requested_project(&self, id: &str) -> Result<Scope> {
        let project = masked(self.identity.project_ref(id).await)?;
        if project.is_domain {
            return Err(Error::unauthorized(format!(
                "project {id} acts as a domain"
            )));
        }
        Ok(Scope::Project(usable(project)?))
    }

    async fn requested_domain(&self, choice: &DomainChoice) -> Result<DomainRef> {
        let rule = self.identity.settings().domain_name_url_safe;
        if matches!(choice, DomainChoice::Name(name) if !rule.allows_scope(name)) {
            return Err(Error::unauthorized(
                "the domain's name holds reserved characters",
            ));
        }
        self.find_domain(choice).await
    }

    /// The user's default project, where it can be used; otherwise none, silently.
    pub(crate) async fn default_scope(&self, subject: &Subject) -> Result<Scope> {
        let Some(id) = &subject.user.default_project_id else {
            return Ok(Scope::Unscoped);
        };
        let project = match self.identity.project_ref(id).await {
            Err(Error::NotFound { .. }) => return Ok(Scope::Unscoped),
            other => other?,
        };
        if project.is_domain || !project.enabled || !project.domain.enabled {
            return Ok(Scope::Unscoped);
        }
        let holder = self.identity.holder(&subject.user.id).await?;
        let roles = self.identity.roles_on_project(&holder, &project).await?;
        Ok(if roles.is_empty() {
            Scope::Unscoped
        } else {
            Scope::Project(project)
        })
    }

    /// Finds the scope that a token carries, as it is now.
    pub(crate) async fn current_scope(&self, scope: &ScopeIds) -> Result<Scope, TokenError> {
        Ok(match scope {
            ScopeIds::Unscoped => Scope::Unscoped,
            ScopeIds::Project(id) => {
                let project = self.identity.project_ref(id).await?;
                if !project.enabled {
                    return Err(disabled("project", &project.id));
                }
                if !project.domain.enabled {
                    return Err(disabled("domain", &project.domain.id));
                }
                Scope::Project(project)
            }
            ScopeIds::Domain(id) => {
                let domain = self.identity.domain_ref(id).await?;
                // Keystone asks only about the user's own domain.
                if !domain.enabled {
                    return Err(disabled("domain", &domain.id));
                }
                Scope::Domain(domain)
            }
            ScopeIds::System => Scope::System,
        })
    }

    /// The effective roles of a user on a scope.
    pub(crate) async fn effective_roles(
        &self,
        holder: &Holder,
        scope: &Scope,
    ) -> Result<Vec<RoleRef>> {
        match scope {
            Scope::Unscoped => Ok(Vec::new()),
            Scope::Project(project) => self.identity.roles_on_project(holder, project).await,
            Scope::Domain(domain) => self.identity.roles_on_domain(holder, &domain.id).await,
            Scope::System => self.identity.roles_on_system(holder).await,
        }
    }

    /// The catalog of a token's scope, rendered, as a user has it; none for an unscoped token.
    pub(crate) async fn catalog_for(
        &self,
        token: &Token,
        user_id: &str,
    ) -> Result<Option<Arc<Value>>> {
        if token.scope == ScopeIds::Unscoped {
            return Ok(None);
        }
        let project_id = token.scope.project_id();
        let key = format!("{user_id}/{}", project_id.unwrap_or_default());
        let load = || async {
            let services = self.catalog.for_scope(user_id, project_id).await?;
            Ok(Arc::new(
                serde_json::to_value(services).map_err(Error::internal)?,
            ))
        };
        let catalog = self.catalog_lookups.run(&key, load).await;
        catalog.map(Some).map_err(TokenError::into_error)
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
