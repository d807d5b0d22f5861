//! Tokenless authorisation: a caller who shows a certificate instead of a token, and the scope in headers
//! (`keystone/common/tokenless_auth.py`).

use std::collections::{BTreeMap, BTreeSet};

use keystone_federation::{DomainName, Mapped, MappedUser, MappingError, UserType};
use keystone_identity::{Asked, DomainChoice as UserDomain, Holder, RoleRef, Subject};
use keystone_types::{Error, Result, same_id};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::auth::Auth;
use crate::choice::{DomainChoice, enabled};
use crate::environment::Environment;
use crate::scope::{RequestedScope, Scope, ask_about, effective_roles};

/// A caller by certificate.
#[derive(Clone, Debug)]
pub struct Tokenless {
    /// Whom the certificate stands for.
    pub bearer: Bearer,
    /// A project or a domain.
    pub scope: Scope,
    /// The roles there; there may be none.
    pub roles: Vec<RoleRef>,
}

/// Whom a mapping takes a certificate for.
#[derive(Clone, Debug)]
pub enum Bearer {
    /// A user of the database, by id.
    User(String),
    /// Nobody but a member of these groups, by id.
    Groups(Vec<String>),
}

impl Bearer {
    /// Whose assignments count.
    pub fn holder(&self) -> Holder<'_> {
        match self {
            Self::User(id) => Holder::User(id),
            Self::Groups(ids) => Holder::Groups(ids),
        }
    }
}

/// `[tokenless_auth]`
#[derive(Clone, Debug)]
pub struct TokenlessSettings {
    /// `trusted_issuer`: the names of the issuers whose certificates count; with none of them nobody is let in.
    pub trusted_issuers: Vec<String>,
    /// `protocol`
    pub protocol: String,
    /// `issuer_attribute`
    pub issuer_attribute: String,
}

impl Default for TokenlessSettings {
    fn default() -> Self {
        Self {
            trusted_issuers: Vec::new(),
            protocol: "x509".to_owned(),
            issuer_attribute: "SSL_CLIENT_I_DN".to_owned(),
        }
    }
}

impl Tokenless {
    /// The dictionary that policy rules call credentials. Keystone takes the domains of user and project from headers that
    /// any client can send; here they are empty.
    pub fn policy_credentials(&self) -> Value {
        let roles: Vec<&str> = self.roles.iter().map(|role| role.name.as_str()).collect();
        let (project_id, domain_id) = match &self.scope {
            Scope::Project(project) => (Some(&project.id), None),
            Scope::Domain(domain) => (None, Some(&domain.id)),
            Scope::Unscoped | Scope::System => (None, None),
        };
        let user_id = match &self.bearer {
            Bearer::User(id) => Some(id),
            Bearer::Groups(_) => None,
        };
        json!({
            "token": null,
            "domain_id": domain_id,
            "user_id": user_id,
            "user_domain_id": null,
            "system_scope": null,
            "project_id": project_id,
            "project_domain_id": null,
            "roles": roles,
            "is_admin_project": true,
            "service_user_id": null,
            "service_user_domain_id": null,
            "service_project_id": null,
            "service_project_domain_id": null,
            "service_roles": [],
        })
    }
}

impl Auth {
    /// The caller whose certificate a trusted issuer has signed; none where there is no such certificate. `header` gives
    /// the text of a header.
    pub async fn tokenless<'h>(
        &self,
        environment: &Environment,
        header: impl Fn(&str) -> Option<&'h str>,
    ) -> Result<Option<Tokenless>> {
        let settings = &self.settings.tokenless;
        let Some(issuer) = environment.get(&settings.issuer_attribute) else {
            return Ok(None);
        };
        if !settings.trusted_issuers.iter().any(|it| it == issuer) {
            tracing::info!(
                issuer,
                "the issuer of a client's certificate is not trusted"
            );
            return Ok(None);
        }
        let scope = self.requested_scope(None, &requested(header)?).await?;
        let identity_provider = hex::encode(Sha256::digest(issuer));
        let mapping = self
            .federation
            .mapping_of(&identity_provider, &settings.protocol)
            .await?;
        let mapped = mapping
            .apply(&environment.assertion(false))
            .map_err(refused)?;
        let bearer = match mapped.user.kind {
            UserType::Ephemeral => Bearer::Groups(self.mapped_groups(&mapped).await?),
            UserType::Local => Bearer::User(self.local_user(mapped.user).await?.user.id),
        };
        let asked = match &bearer {
            Bearer::User(id) => ask_about(id, &scope.ids()),
            Bearer::Groups(ids) => Asked {
                actors: ids.iter().cloned().collect(),
                ..ask_about("", &scope.ids())
            },
        };
        let facts = self.identity.facts(asked).await?;
        Ok(Some(Tokenless {
            roles: effective_roles(&facts, bearer.holder(), &scope),
            bearer,
            scope,
        }))
    }

    /// The user of the database that a mapping names; one that does not exist is a 404, and no 401 as at a login.
    async fn local_user(&self, user: MappedUser) -> Result<Subject> {
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let domain = user.domain.unwrap_or_default();
        let (domain_id, domain_name) = (some(domain.id), some(domain.name));
        let subject = match (some(user.id), some(user.name), domain_name, domain_id) {
            (Some(id), ..) => self.identity.subject(&id).await?,
            (None, Some(name), Some(domain), _) => {
                let domain = self.identity.domain_by_name(&domain).await?;
                let domain = UserDomain::Id(&domain.id);
                self.identity.subject_by_name(&name, domain).await?
            }
            (None, Some(name), None, Some(domain_id)) => {
                let domain = UserDomain::Id(&domain_id);
                self.identity.subject_by_name(&name, domain).await?
            }
            _ => {
                return Err(Error::Validation(
                    "User auth cannot be built due to missing either user id, or user name with domain id, or user name \
                     with domain name."
                        .to_owned(),
                ));
            }
        };
        enabled(&subject)?;
        Ok(subject)
    }

    /// The ids of the groups of a mapping. One by name that does not exist is passed over.
    pub(crate) async fn mapped_groups(&self, mapped: &Mapped) -> Result<Vec<String>> {
        let mut groups = self.all_groups(&mapped.group_ids).await?;
        let mut by_domain = BTreeMap::<&DomainName, BTreeSet<String>>::new();
        for group in &mapped.group_names {
            let names = by_domain.entry(&group.domain).or_default();
            names.insert(group.name.clone());
        }
        for (domain, names) in by_domain {
            let domain_id = self.domain_id(domain).await?;
            let found = self.identity.existing_groups_by_name(&domain_id, &names);
            groups.extend(found.await?);
        }
        Ok(groups)
    }

    /// The groups with these ids; 500 unless all of them exist.
    pub(crate) async fn all_groups(&self, ids: &BTreeSet<String>) -> Result<Vec<String>> {
        let groups = self.identity.existing_groups(ids).await?;
        let is_there = |id: &&String| groups.iter().any(|group| same_id(group, id));
        match ids.iter().find(|id| !is_there(id)) {
            Some(missing) => Err(Error::internal(format!(
                "a mapping names the group {missing}, which does not exist"
            ))),
            None => Ok(groups),
        }
    }

    /// The id of a domain of a mapping; one by name has to exist.
    pub(crate) async fn domain_id(&self, domain: &DomainName) -> Result<String> {
        match &domain.id {
            Some(id) if !id.is_empty() => Ok(id.clone()),
            _ => {
                let name = domain.name.as_deref().unwrap_or("None");
                Ok(self.identity.domain_by_name(name).await?.id)
            }
        }
    }
}

/// The scope in the headers.
fn requested<'h>(header: impl Fn(&str) -> Option<&'h str>) -> Result<RequestedScope> {
    let text = |name| {
        header(name)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    if let Some(id) = text("x-project-id") {
        return Ok(RequestedScope::ProjectId(id));
    }
    if let Some(name) = text("x-project-name") {
        let domain = match text("x-project-domain-id") {
            Some(id) => DomainChoice::Id(id),
            None => DomainChoice::Name(text("x-project-domain-name").ok_or_else(|| {
                Error::Validation(
                    "Neither Project Domain ID nor Project Domain Name was provided.".to_owned(),
                )
            })?),
        };
        return Ok(RequestedScope::ProjectName(name, domain));
    }
    match (text("x-domain-id"), text("x-domain-name")) {
        (Some(id), _) => Ok(RequestedScope::Domain(DomainChoice::Id(id))),
        (None, Some(name)) => Ok(RequestedScope::Domain(DomainChoice::Name(name))),
        (None, None) => Err(Error::expecting("project or domain", "scope")),
    }
}

fn refused(error: MappingError) -> Error {
    match error {
        MappingError::Unmapped | MappingError::Refused(_) => Error::Validation(error.to_string()),
        MappingError::OutOfRange { .. } | MappingError::Broken(_) => Error::internal(error),
    }
}
