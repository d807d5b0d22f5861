//! The result of a mapping.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The user, groups and projects that a mapping gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Mapped {
    /// The user; it may have neither a name nor an id.
    pub user: MappedUser,
    /// Groups by id.
    pub group_ids: BTreeSet<String>,
    /// Groups by name.
    pub group_names: Vec<GroupName>,
    /// Projects that the user gets roles on.
    pub projects: Vec<MappedProject>,
}

/// A user as a mapping describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedUser {
    /// The id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The domain, where the mapping names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainName>,
    /// Whether the user is one of the database.
    #[serde(default, rename = "type")]
    pub kind: UserType,
}

/// Whose a user is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserType {
    /// The identity provider's.
    #[default]
    Ephemeral,
    /// An ordinary user of the database.
    Local,
}

/// A domain by id or by name; by none of them where the mapping leaves both out.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DomainName {
    /// The id, which goes before the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A group by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupName {
    /// The name.
    pub name: String,
    /// The domain.
    pub domain: DomainName,
}

/// A project with the roles that the user gets on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappedProject {
    /// The project's name.
    pub name: String,
    /// The names of the roles.
    pub roles: Vec<RoleName>,
    /// The project's domain, where the mapping names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainName>,
}

/// A role by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleName {
    /// The name.
    pub name: String,
}

impl DomainName {
    /// Whether the mapping names a domain.
    pub fn is_named(&self) -> bool {
        self.id.is_some() || self.name.is_some()
    }
}
