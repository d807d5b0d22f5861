//! The part of a service: its default rules and its own kinds of checks.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use crate::check::Check;
use crate::custom::{Custom, CustomCheck};
use crate::defaults::DefaultRule;
use crate::error::Flaw;

/// What a service registers: default rules, in their order, and kinds of checks that only it knows.
///
/// ```
/// use keystone_policy::{DefaultRule, Enforcer, Registry, Request, Settings};
/// use serde_json::json;
///
/// let registry = Registry::new([
///     DefaultRule::new("admin", "is_admin:True"),
///     DefaultRule::new("server:delete", "rule:admin or project_id:%(project_id)s"),
/// ])
/// .check("is_admin", |wanted| {
///     let expected = wanted.eq_ignore_ascii_case("true");
///     Ok(move |request: &Request<'_>| {
///         let found = request.credentials.get("is_admin").and_then(|value| value.as_bool());
///         found.map(|found| found == expected).ok_or("the credentials have no is_admin".to_owned())
///     })
/// });
/// let enforcer = Enforcer::with_defaults(registry, Settings::default())?;
/// let credentials = json!({"is_admin": true, "project_id": "p1"});
/// assert!(enforcer.enforce("server:delete", &json!({"project_id": "p2"}), &credentials).is_ok());
/// # Ok::<(), keystone_policy::LoadError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Registry {
    defaults: Vec<DefaultRule>,
    kinds: Kinds,
}

impl Registry {
    /// A registry of these rules; each name may occur once, which [`Enforcer::with_defaults`] insists on.
    ///
    /// [`Enforcer::with_defaults`]: crate::Enforcer::with_defaults
    pub fn new(defaults: impl IntoIterator<Item = DefaultRule>) -> Self {
        Self {
            defaults: defaults.into_iter().collect(),
            kinds: Kinds::default(),
        }
    }

    /// The same with more rules behind those that it has.
    #[must_use]
    pub fn and(mut self, defaults: impl IntoIterator<Item = DefaultRule>) -> Self {
        self.defaults.extend(defaults);
        self
    }

    /// The same with a kind of check, as `oslo_policy.policy.register` has it: what `KIND:MATCH` means in every rule.
    ///
    /// `new` reads MATCH once, when the rule is read; an error says what is wrong with it, and is a flaw of the rule. A
    /// kind of the language is replaced by one of its name.
    #[must_use]
    pub fn check<N, C>(mut self, kind: impl Into<String>, new: N) -> Self
    where
        N: Fn(&str) -> Result<C, String> + Send + Sync + 'static,
        C: CustomCheck + 'static,
    {
        let new = move |wanted: &str| -> Result<Arc<dyn CustomCheck>, String> {
            Ok(Arc::new(new(wanted)?))
        };
        self.kinds.0.insert(kind.into(), Arc::new(new));
        self
    }

    /// The rules, in the order in which they were registered.
    pub fn defaults(&self) -> &[DefaultRule] {
        &self.defaults
    }

    pub(crate) fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// What the service itself did wrong, by rule; oslo.policy does not register such rules.
    pub(crate) fn flaws(&self) -> impl Iterator<Item = (&str, Flaw)> {
        let mut counts = BTreeMap::<&str, usize>::new();
        for default in &self.defaults {
            *counts.entry(&default.name).or_default() += 1;
        }
        let twice = counts.into_iter().filter(|(_, count)| *count > 1);
        let twice = twice.map(|(name, _)| (name, Flaw::Duplicate));
        let silent = self.defaults.iter().filter(|default| {
            let explained =
                default.deprecated_reason.is_some() && default.deprecated_since.is_some();
            default.for_removal && !explained
        });
        twice.chain(silent.map(|default| (default.name.as_str(), Flaw::Unexplained)))
    }
}

impl From<Vec<DefaultRule>> for Registry {
    fn from(defaults: Vec<DefaultRule>) -> Self {
        Self::new(defaults)
    }
}

impl From<&[DefaultRule]> for Registry {
    fn from(defaults: &[DefaultRule]) -> Self {
        Self::new(defaults.iter().cloned())
    }
}

/// Makes a check of what is written behind the colon.
type Constructor = dyn Fn(&str) -> Result<Arc<dyn CustomCheck>, String> + Send + Sync;

/// The kinds of checks that a service registered.
#[derive(Clone, Default)]
pub(crate) struct Kinds(BTreeMap<String, Arc<Constructor>>);

impl Kinds {
    /// The check, if its kind is one of the service's.
    pub(crate) fn make(&self, kind: &str, wanted: &str) -> Option<Result<Check, String>> {
        let new = self.0.get(kind)?;
        let made = new(wanted).map(|check| Check::Custom(Custom::new(kind, wanted, check)));
        Some(made)
    }
}

impl Debug for Kinds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
