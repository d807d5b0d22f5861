//! From credentials to a token.

use std::collections::BTreeSet;

use chrono::NaiveDateTime;
use keystone_identity::password::Claimant;
use keystone_identity::{DomainRef, ProjectRef, Subject};
use keystone_token::{Payload, Token, new_audit_id};
use keystone_types::{Error, Result, Secret};
use serde_json::Value;

use crate::request::{DomainChoice, Method, Request, RequestedScope, UserChoice};
use crate::token::{AuthToken, Scope};
use crate::{Auth, TokenError};

/// What the methods have shown.
#[derive(Default)]
struct Evidence {
    subject: Option<Subject>,
    methods: BTreeSet<String>,
    expires_at: Option<NaiveDateTime>,
    chain: Option<String>,
}

impl Auth {
    /// Issues a token for the `auth` object of a request whose schema was checked; `client` is what
    /// tells whoever makes it from others who want to log in.
    pub async fn issue(
        &self,
        auth: &Value,
        receipt: Option<&str>,
        client: Claimant,
    ) -> Result<AuthToken> {
        let request = Request::parse(auth, &self.settings.methods)?;
        let scope = self.resolve(&request.scope).await?;
        let mut evidence = Evidence::default();
        for method in request.methods {
            match method {
                Method::Password { user, password } => {
                    let claimant = client.clone().marked(&user);
                    self.by_password(user, password, &claimant, &mut evidence)
                        .await?;
                }
                Method::Token { id } => {
                    self.by_token(&id, &request.scope, &mut evidence).await?;
                }
            }
        }
        let Evidence {
            subject,
            mut methods,
            expires_at,
            chain,
        } = evidence;
        let subject = subject.ok_or_else(|| Error::unauthorized("no method named a user"))?;
        let scope = match (scope, &request.scope) {
            (Scope::Unscoped, RequestedScope::Default) => self.default_scope(&subject).await?,
            (scope, _) => scope,
        };
        if let Some(receipt) = receipt {
            methods.extend(self.receipt_methods(receipt, &subject.user.id)?);
        }
        self.check_rules(&subject, &methods)?;
        self.mint(subject, scope, methods, expires_at, chain).await
    }

    /// Finds the scope; whatever is missing or disabled looks like a wrong password.
    async fn resolve(&self, scope: &RequestedScope) -> Result<Scope> {
        Ok(match scope {
            RequestedScope::Default | RequestedScope::Unscoped => Scope::Unscoped,
            RequestedScope::System => Scope::System,
            RequestedScope::Domain(choice) => Scope::Domain(self.scope_domain(choice).await?),
            RequestedScope::ProjectId(id) => {
                let project = masked(self.identity.project_ref(id).await)?;
                if project.is_domain {
                    return Err(Error::unauthorized(format!(
                        "project {id} acts as a domain"
                    )));
                }
                Scope::Project(usable(project)?)
            }
            RequestedScope::ProjectName(name, domain) => {
                if !self
                    .identity
                    .settings()
                    .project_name_url_safe
                    .allows_scope(name)
                {
                    return Err(Error::unauthorized(
                        "the project's name holds reserved characters",
                    ));
                }
                let domain = self.scope_domain(domain).await?;
                Scope::Project(usable(masked(
                    self.identity.project_ref_by_name(name, &domain.id).await,
                )?)?)
            }
            RequestedScope::Trust => {
                return Err(Error::unauthorized("trusts are not supported yet"));
            }
        })
    }

    async fn scope_domain(&self, choice: &DomainChoice) -> Result<DomainRef> {
        let rule = self.identity.settings().domain_name_url_safe;
        if matches!(choice, DomainChoice::Name(name) if !rule.allows_scope(name)) {
            return Err(Error::unauthorized(
                "the domain's name holds reserved characters",
            ));
        }
        self.find_domain(choice).await
    }

    async fn find_domain(&self, choice: &DomainChoice) -> Result<DomainRef> {
        let domain = match choice {
            DomainChoice::Id(id) => masked(self.identity.domain_ref(id).await)?,
            DomainChoice::Name(name) => {
                let domain = masked(self.identity.domain_by_name(name).await)?;
                DomainRef {
                    enabled: domain.is_enabled(),
                    id: domain.id,
                    name: domain.name,
                }
            }
        };
        if domain.enabled {
            Ok(domain)
        } else {
            Err(Error::unauthorized(format!(
                "domain {} is disabled",
                domain.id
            )))
        }
    }

    async fn by_password(
        &self,
        choice: UserChoice,
        password: Secret,
        claimant: &Claimant,
        evidence: &mut Evidence,
    ) -> Result<()> {
        let subject = match self.find_user(choice).await {
            Err(error @ Error::Unauthorized { .. }) => {
                // As long as a wrong password takes.
                self.identity
                    .authenticate_nobody(password, claimant)
                    .await?;
                return Err(error);
            }
            other => other?,
        };
        self.identity
            .authenticate(&subject.user.id, password, claimant)
            .await?;
        evidence.methods.insert("password".to_owned());
        evidence.agree(subject)
    }

    async fn find_user(&self, choice: UserChoice) -> Result<Subject> {
        let subject = match choice {
            UserChoice::Id(id) => masked(self.identity.subject(&id).await)?,
            UserChoice::Name(name, domain) => {
                let domain = self.find_domain(&domain).await?;
                masked(self.identity.subject_by_name(&name, &domain.id).await)?
            }
        };
        let id = &subject.user.id;
        if !subject.domain.enabled {
            return Err(Error::unauthorized(format!(
                "the domain of user {id} is disabled"
            )));
        }
        if !subject.user.enabled {
            return Err(Error::unauthorized(format!("user {id} is disabled")));
        }
        Ok(subject)
    }

    async fn by_token(
        &self,
        id: &str,
        requested: &RequestedScope,
        evidence: &mut Evidence,
    ) -> Result<()> {
        let held = self
            .validate(id, chrono::Duration::zero())
            .await
            .map_err(TokenError::into_error)?;
        let refused = |action: &str| Err(Error::forbidden_action(action));
        match &held.token.payload {
            Payload::OAuth1 { .. } => {
                return refused(
                    "Using OAuth-scoped token to create another token. Create a new OAuth-scoped token instead",
                );
            }
            Payload::Trust { .. } => {
                return refused(
                    "Using trust-scoped token to create another token. Create a new trust-scoped token instead",
                );
            }
            Payload::System if requested.is_project_or_domain() => {
                return refused(
                    "Using a system-scoped token to create a project-scoped or domain-scoped token is not allowed.",
                );
            }
            Payload::Unscoped
            | Payload::Domain { .. }
            | Payload::Project { .. }
            | Payload::FederatedUnscoped(_)
            | Payload::FederatedProject { .. }
            | Payload::FederatedDomain { .. }
            | Payload::System
            | Payload::ApplicationCredential { .. }
            | Payload::OAuth2Mtls { .. } => {}
        }
        if held.is_delegated() {
            return refused("Using a delegated token to create another token is not allowed.");
        }
        if !self.settings.allow_rescope_scoped_token && held.scope != Scope::Unscoped {
            return refused("rescope a scoped token");
        }
        let AuthToken { token, subject, .. } = (*held).clone();
        evidence.methods.insert("token".to_owned());
        evidence.methods.extend(token.methods);
        evidence.expires_at = Some(
            evidence
                .expires_at
                .map_or(token.expires_at, |other| other.min(token.expires_at)),
        );
        evidence.chain = token.audit_ids.into_iter().next_back();
        evidence.agree(subject)
    }

    /// The user's default project, where it can be used; otherwise none, silently.
    async fn default_scope(&self, subject: &Subject) -> Result<Scope> {
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

    async fn mint(
        &self,
        subject: Subject,
        scope: Scope,
        methods: BTreeSet<String>,
        expires_at: Option<NaiveDateTime>,
        chain: Option<String>,
    ) -> Result<AuthToken> {
        let now = self.clock.now();
        let token = Token {
            user_id: subject.user.id.clone(),
            methods: methods.into_iter().collect(),
            issued_at: now,
            expires_at: expires_at.unwrap_or(now + self.settings.expiration),
            audit_ids: [new_audit_id()].into_iter().chain(chain).collect(),
            payload: match &scope {
                Scope::Unscoped => Payload::Unscoped,
                Scope::Project(project) => Payload::Project {
                    project_id: project.id.clone(),
                },
                Scope::Domain(domain) => Payload::Domain {
                    domain_id: domain.id.clone(),
                },
                Scope::System => Payload::System,
            },
        };
        let holder = self.identity.holder(&subject.user.id).await?;
        let roles = self.roles(&holder, &scope).await?;
        if roles.is_empty() && scope != Scope::Unscoped {
            return Err(Error::unauthorized(format!(
                "user {} has no role on the scope it asks for",
                subject.user.id
            )));
        }
        let id = self.tokens.seal(&token).map_err(Error::internal)?;
        Ok(AuthToken {
            id,
            token,
            subject,
            scope,
            roles,
        })
    }
}

impl Evidence {
    /// Every method must name the same user.
    fn agree(&mut self, subject: Subject) -> Result<()> {
        match &self.subject {
            Some(other) if other.user.id != subject.user.id => Err(Error::unauthorized(
                "the methods of the request name different users",
            )),
            _ => {
                self.subject = Some(subject);
                Ok(())
            }
        }
    }
}

impl RequestedScope {
    fn is_project_or_domain(&self) -> bool {
        matches!(
            self,
            Self::Domain(_) | Self::ProjectId(_) | Self::ProjectName(..)
        )
    }
}

/// A thing that does not exist is a 401 here.
fn masked<T>(found: Result<T>) -> Result<T> {
    found.map_err(|error| match error {
        Error::NotFound { .. } => Error::unauthorized(error.to_string()),
        other => other,
    })
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
