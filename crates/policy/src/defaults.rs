//! Keystone's own rules, which are data: `policy/defaults.json` at the top of the tree.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::scope::ScopeType;

const KEYSTONE: &str = include_str!("../../../policy/defaults.json");

/// A rule that a service brings along.
#[derive(Clone, Debug, Deserialize)]
pub struct DefaultRule {
    /// The name, such as `identity:get_user`.
    pub name: String,
    /// The check string.
    pub check: String,
    /// The scopes of tokens that the rule is for; none means any.
    #[serde(default)]
    pub scope_types: Vec<ScopeType>,
    /// The requests that ask for the rule, as `METHOD path`.
    #[serde(default)]
    pub operations: Vec<String>,
    /// The rule that this one replaces.
    #[serde(default)]
    pub deprecated: Option<Deprecated>,
    /// Whether the rule is about to go without a successor.
    #[serde(default)]
    pub for_removal: bool,
}

/// The predecessor of a default rule.
#[derive(Clone, Debug, Deserialize)]
pub struct Deprecated {
    /// Its name, often the same.
    pub name: String,
    /// Its check string.
    pub check: String,
    /// The release that deprecated it.
    pub since: String,
}

/// The default rules of Keystone.
pub fn keystone_defaults() -> &'static [DefaultRule] {
    static RULES: LazyLock<Vec<DefaultRule>> = LazyLock::new(|| {
        serde_json::from_str(KEYSTONE).expect("the built-in defaults parse, as a test shows")
    });
    &RULES
}
