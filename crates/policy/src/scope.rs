//! The scope of a token, as policy sees it.

use std::fmt::{self, Display, Formatter};

use keystone_python as python;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The scope that a rule allows or that credentials have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScopeType {
    /// The whole deployment.
    System,
    /// One domain.
    Domain,
    /// One project, and also no scope at all.
    Project,
}

impl ScopeType {
    /// The scope of a dictionary of credentials, by the keys that oslo.policy looks at.
    pub fn of(credentials: &Value) -> Self {
        let has = |key| credentials.get(key).is_some_and(python::is_true);
        if has("system_scope") || has("system") {
            Self::System
        } else if has("domain_id") {
            Self::Domain
        } else {
            Self::Project
        }
    }

    /// The name in `scope_types`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Domain => "domain",
            Self::Project => "project",
        }
    }
}

impl Display for ScopeType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
