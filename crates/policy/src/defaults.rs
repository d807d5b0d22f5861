//! The rules that a service brings along, before an operator changes any.

use serde::{Deserialize, Deserializer};

use crate::scope::ScopeType;

/// A rule that a service brings along: `RuleDefault` and `DocumentedRuleDefault` of oslo.policy.
///
/// As data it has the names of the fields here, or those of oslo.policy: `check_str`, `deprecated_rule`,
/// `deprecated_for_removal`.
///
/// ```
/// use keystone_policy::{DefaultRule, Deprecated, ScopeType};
///
/// let rule = DefaultRule::new("image:delete", "role:admin or project_id:%(project_id)s")
///     .description("Delete an image.")
///     .operation("DELETE", "/v2/images/{image_id}")
///     .scope_types([ScopeType::Project])
///     .replaces(Deprecated::new("image:remove", "role:admin").because("It was renamed.", "2.0"));
/// let data = r#"{"name": "image:delete", "check_str": "role:admin or project_id:%(project_id)s",
///     "description": "Delete an image.", "scope_types": ["project"],
///     "operations": [{"method": "DELETE", "path": "/v2/images/{image_id}"}],
///     "deprecated_rule": {"name": "image:remove", "check_str": "role:admin", "reason": "It was renamed.", "since": "2.0"}}"#;
/// assert_eq!(serde_json::from_str::<DefaultRule>(data)?, rule);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DefaultRule {
    /// The name, such as `identity:get_user`.
    pub name: String,
    /// The check string.
    #[serde(alias = "check_str")]
    pub check: String,
    /// The scopes of tokens that the rule is for; none means any.
    #[serde(default, deserialize_with = "or_none")]
    pub scope_types: Vec<ScopeType>,
    /// The purpose of the rule, for the sample file.
    #[serde(default)]
    pub description: Option<String>,
    /// The requests that ask for the rule.
    #[serde(default, deserialize_with = "or_none")]
    pub operations: Vec<Operation>,
    /// The rule that this one replaces.
    #[serde(default, alias = "deprecated_rule")]
    pub deprecated: Option<Deprecated>,
    /// Whether the rule is about to go without a successor.
    #[serde(default, alias = "deprecated_for_removal")]
    pub for_removal: bool,
    /// The reason why it goes, or why the rule that it replaces went if that one does not say so itself.
    #[serde(default)]
    pub deprecated_reason: Option<String>,
    /// The release since which it is deprecated, or the rule that it replaces if that one does not say so itself.
    #[serde(default)]
    pub deprecated_since: Option<String>,
}

impl DefaultRule {
    /// A rule for tokens of any scope, without documentation.
    pub fn new(name: impl Into<String>, check: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            check: check.into(),
            scope_types: Vec::new(),
            description: None,
            operations: Vec::new(),
            deprecated: None,
            for_removal: false,
            deprecated_reason: None,
            deprecated_since: None,
        }
    }

    /// The same for tokens of these scopes alone.
    #[must_use]
    pub fn scope_types(mut self, scopes: impl IntoIterator<Item = ScopeType>) -> Self {
        self.scope_types = scopes.into_iter().collect();
        self
    }

    /// The same with its purpose.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// The same with one more request that asks for it.
    #[must_use]
    pub fn operation(mut self, method: impl Into<String>, path: impl Into<String>) -> Self {
        self.operations.push(Operation {
            method: method.into(),
            path: path.into(),
        });
        self
    }

    /// The same as the successor of another rule.
    #[must_use]
    pub fn replaces(mut self, old: Deprecated) -> Self {
        self.deprecated = Some(old);
        self
    }

    /// The same, about to go without a successor: why, and since which release that is said.
    #[must_use]
    pub fn for_removal(mut self, reason: impl Into<String>, since: impl Into<String>) -> Self {
        self.for_removal = true;
        self.deprecated_reason = Some(reason.into());
        self.deprecated_since = Some(since.into());
        self
    }
}

/// The predecessor of a default rule: `DeprecatedRule` of oslo.policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Deprecated {
    /// Its name, often the same.
    pub name: String,
    /// Its check string.
    #[serde(alias = "check_str")]
    pub check: String,
    /// The reason for the change.
    #[serde(default, alias = "deprecated_reason")]
    pub reason: Option<String>,
    /// The release that deprecated it.
    #[serde(default, alias = "deprecated_since")]
    pub since: Option<String>,
}

impl Deprecated {
    /// A rule as it was; a sample file should also tell the reason, which [`because`](Self::because) adds.
    pub fn new(name: impl Into<String>, check: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            check: check.into(),
            reason: None,
            since: None,
        }
    }

    /// The same with the reason for the change and the release that made it.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>, since: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self.since = Some(since.into());
        self
    }
}

/// A request that asks for a rule. As data it is an object with both, or one text: `GET /v2/images`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenOperation")]
#[non_exhaustive]
pub struct Operation {
    /// The method.
    pub method: String,
    /// The path, with its variable parts in braces.
    pub path: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenOperation {
    Text(String),
    Parts { method: String, path: String },
}

impl TryFrom<WrittenOperation> for Operation {
    type Error = &'static str;

    fn try_from(written: WrittenOperation) -> Result<Self, Self::Error> {
        match written {
            WrittenOperation::Parts { method, path } => Ok(Self { method, path }),
            WrittenOperation::Text(text) => {
                let parts = text.split_once(' ');
                let (method, path) = parts.ok_or("an operation is a method and a path")?;
                let (method, path) = (method.to_owned(), path.to_owned());
                Ok(Self { method, path })
            }
        }
    }
}

/// `null` where oslo.policy has no list.
fn or_none<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
