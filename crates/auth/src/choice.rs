//! Users, domains and roles as a request names them, and their lookup: a user or a domain that is missing or disabled looks
//! like a wrong password.

use keystone_identity::{Candidate, DomainRef, RoleRef, Subject};
use keystone_notify::Announcer;
use keystone_types::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::auth::Auth;

/// A user, by id or by name.
#[derive(Clone, Debug, Hash)]
pub enum UserChoice {
    /// By id.
    Id(String),
    /// By the name in a domain.
    Name(String, DomainChoice),
}

/// A domain, by id or by name.
#[derive(Clone, Debug, Hash)]
pub enum DomainChoice {
    /// By id.
    Id(String),
    /// By name.
    Name(String),
}

/// A role, by id or by a name that only one role has; an id wins.
#[derive(Clone, Debug, Deserialize)]
pub struct RoleChoice {
    id: Option<String>,
    name: Option<String>,
}

impl RoleChoice {
    /// The role with this id.
    pub fn id(id: impl Into<String>) -> Self {
        Self {
            id: Some(id.into()),
            name: None,
        }
    }

    /// The only role with this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            id: None,
            name: Some(name.into()),
        }
    }
}

impl UserChoice {
    /// The user with this id.
    pub fn id(id: impl Into<String>) -> Self {
        Self::Id(id.into())
    }

    /// The user with this name in the domain with this id.
    pub fn named(name: impl Into<String>, domain_id: impl Into<String>) -> Self {
        Self::Name(name.into(), DomainChoice::Id(domain_id.into()))
    }

    pub(crate) fn parse(user: &Map<String, Value>) -> Result<Self> {
        // A name wins over an id.
        match (text(user, "name"), text(user, "id")) {
            (Some(name), _) if !name.is_empty() => {
                let domain = user
                    .get("domain")
                    .ok_or_else(|| Error::expecting("domain", "user"))?;
                Ok(Self::Name(name.to_owned(), DomainChoice::parse(domain)))
            }
            (_, Some(id)) if !id.is_empty() => Ok(Self::Id(id.to_owned())),
            _ => Err(Error::expecting("id or name", "user")),
        }
    }
}

impl DomainChoice {
    pub(crate) fn borrowed(&self) -> keystone_identity::DomainChoice<'_> {
        match self {
            Self::Id(id) => keystone_identity::DomainChoice::Id(id),
            Self::Name(name) => keystone_identity::DomainChoice::Name(name),
        }
    }

    pub(crate) fn parse(domain: &Value) -> Self {
        let text = |key| domain.get(key).and_then(Value::as_str);
        match text("name").filter(|name| !name.is_empty()) {
            Some(name) => Self::Name(name.to_owned()),
            None => Self::Id(text("id").unwrap_or_default().to_owned()),
        }
    }
}

pub(crate) fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

impl Auth {
    /// The ids of roles, in the order in which they were chosen; one statement for all names.
    pub(crate) async fn chosen_roles(&self, choices: &[RoleChoice]) -> Result<Vec<String>> {
        let names = choices.iter().filter(|role| role.id.is_none());
        let names: Vec<&str> = names.filter_map(|role| role.name.as_deref()).collect();
        let known = if names.is_empty() {
            Vec::new()
        } else {
            self.identity.roles_named(&names).await?
        };
        let ids = choices.iter().map(|role| match (&role.id, &role.name) {
            (Some(id), _) => Ok(id.clone()),
            (None, name) => only_one_named(name.as_deref().unwrap_or_default(), &known),
        });
        ids.collect()
    }

    /// Finds an enabled user of an enabled domain; announces that there is none.
    pub(crate) async fn find_user(
        &self,
        choice: &UserChoice,
        announcer: Option<&Announcer>,
    ) -> Result<Subject> {
        let found = match choice {
            UserChoice::Id(id) => self.identity.subject(id).await,
            // The subject comes with its domain.
            UserChoice::Name(name, domain) => {
                self.identity.subject_by_name(name, domain.borrowed()).await
            }
        };
        if matches!(found, Err(Error::NotFound { .. })) {
            self.announce_unknown(announcer, choice);
        }
        let subject = masked(found)?;
        enabled(&subject)?;
        Ok(subject)
    }

    /// The same, for a password to be verified.
    pub(crate) async fn find_candidate(
        &self,
        choice: &UserChoice,
        announcer: Option<&Announcer>,
    ) -> Result<Candidate> {
        let found = match choice {
            UserChoice::Id(id) => self.identity.candidate(id).await,
            UserChoice::Name(name, domain) => {
                let found = self.identity.candidate_by_name(name, domain.borrowed());
                found.await
            }
        };
        if matches!(found, Err(Error::NotFound { .. })) {
            self.announce_unknown(announcer, choice);
        }
        let candidate = masked(found)?;
        enabled(&candidate.subject)?;
        Ok(candidate)
    }

    /// Finds an enabled domain.
    pub(crate) async fn find_domain(&self, choice: &DomainChoice) -> Result<DomainRef> {
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
}

/// The id of the role with a name, which the databases compare without case.
fn only_one_named(name: &str, roles: &[RoleRef]) -> Result<String> {
    let folded = |name: &str| name.trim_end().to_lowercase();
    let mut named = roles
        .iter()
        .filter(|role| folded(&role.name) == folded(name));
    match (named.next(), named.next()) {
        (Some(role), None) => Ok(role.id.clone()),
        (Some(_), Some(_)) => Err(Error::Validation(format!(
            "There are multiple role entities named '{name}'. Please use ID instead of names to resolve the ambiguity."
        ))),
        (None, _) => Err(Error::Missing(format!("Role {name} is not defined"))),
    }
}

/// 401 for a disabled user, and for one of a disabled domain.
pub(crate) fn enabled(subject: &Subject) -> Result<()> {
    let id = &subject.user.id;
    if !subject.domain.enabled {
        return Err(Error::unauthorized(format!(
            "the domain of user {id} is disabled"
        )));
    }
    if !subject.user.enabled {
        return Err(Error::unauthorized(format!("user {id} is disabled")));
    }
    Ok(())
}

/// Makes a 401 of what does not exist.
pub(crate) fn masked<T>(found: Result<T>) -> Result<T> {
    found.map_err(|error| match error {
        Error::NotFound { .. } => Error::unauthorized(error.to_string()),
        other => other,
    })
}
