//! A user or domain as a request names it, and the lookup of both: whatever is missing or disabled looks like a wrong
//! password.

use keystone_identity::{DomainRef, Subject};
use keystone_types::{Error, Result};
use serde_json::{Map, Value};

use crate::auth::Auth;

/// A user, by id or by name.
#[derive(Debug, Hash)]
pub(crate) enum UserChoice {
    Id(String),
    Name(String, DomainChoice),
}

/// A domain, by id or by name.
#[derive(Debug, Hash)]
pub(crate) enum DomainChoice {
    Id(String),
    Name(String),
}

impl UserChoice {
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
    /// Finds an enabled user of an enabled domain.
    pub(crate) async fn find_user(&self, choice: UserChoice) -> Result<Subject> {
        let found = match choice {
            UserChoice::Id(id) => self.identity.subject(&id).await,
            // The subject comes with its domain.
            UserChoice::Name(name, DomainChoice::Id(domain_id)) => {
                self.identity.subject_by_name(&name, &domain_id).await
            }
            UserChoice::Name(name, domain @ DomainChoice::Name(_)) => {
                let domain = self.find_domain(&domain).await?;
                self.identity.subject_by_name(&name, &domain.id).await
            }
        };
        let subject = masked(found)?;
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

/// Makes a 401 of what does not exist.
pub(crate) fn masked<T>(found: Result<T>) -> Result<T> {
    found.map_err(|error| match error {
        Error::NotFound { .. } => Error::unauthorized(error.to_string()),
        other => other,
    })
}
