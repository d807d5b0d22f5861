//! The target of a policy rule.

use keystone_types::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The `target` of a rule, besides the ids in the path. Built by code, never copied from a request as it is.
#[derive(Debug, Default)]
pub(crate) struct PolicyTarget(pub(super) Map<String, Value>);

impl PolicyTarget {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a resource under its name: `target.user`.
    pub(crate) fn with(mut self, name: &str, resource: &impl Serialize) -> Result<Self> {
        let resource = serde_json::to_value(resource).map_err(Error::internal)?;
        self.0.insert(name.to_owned(), resource);
        Ok(self)
    }

    /// Adds an attribute where there is one.
    pub(crate) fn with_some(self, name: &str, attribute: Option<impl Serialize>) -> Result<Self> {
        match attribute {
            Some(attribute) => self.with(name, &attribute),
            None => Ok(self),
        }
    }

    /// Adds a resource that may be missing: the rule decides what that means.
    pub(crate) fn maybe<R: Serialize>(self, name: &str, found: Result<R>) -> Result<Self> {
        match found {
            Ok(resource) => self.with(name, &resource),
            Err(error) if error.is_not_found() => Ok(self),
            Err(error) => Err(error),
        }
    }

    /// A credential of this user, without its other attributes.
    pub(crate) fn credential_of(user_id: &str) -> Result<Self> {
        Self::new().with("credential", &json!({ "user_id": user_id }))
    }
}
