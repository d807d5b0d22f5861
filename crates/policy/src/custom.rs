//! Checks that a service brings along.

use std::fmt::{self, Debug, Display, Formatter};
use std::sync::Arc;

use serde_json::Value;

use crate::template::lookup;

/// One request, as a check of a service sees it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Request<'a> {
    /// The rule that was asked for, which may refer to the one with the check.
    pub rule: &'a str,
    /// The target.
    pub target: &'a Value,
    /// The credentials.
    pub credentials: &'a Value,
}

impl<'a> Request<'a> {
    /// The value that `%(key)s` would stand for: by one dotted name or step by step.
    pub fn target_value(&self, key: &str) -> Option<&'a Value> {
        lookup(self.target, key)
    }
}

/// A check that a service registered for a kind: [`Registry::check`](crate::Registry::check). Closures are such checks.
pub trait CustomCheck: Send + Sync {
    /// Whether it holds; an error denies the whole request, as an exception in oslo.policy does.
    fn holds(&self, request: &Request<'_>) -> Result<bool, String>;
}

impl<F> CustomCheck for F
where
    F: Fn(&Request<'_>) -> Result<bool, String> + Send + Sync,
{
    fn holds(&self, request: &Request<'_>) -> Result<bool, String> {
        self(request)
    }
}

/// `KIND:MATCH` of a kind that the service registered.
#[derive(Clone)]
pub struct Custom {
    kind: String,
    wanted: String,
    check: Arc<dyn CustomCheck>,
}

impl Custom {
    pub(crate) fn new(kind: &str, wanted: &str, check: Arc<dyn CustomCheck>) -> Self {
        Self {
            kind: kind.to_owned(),
            wanted: wanted.to_owned(),
            check,
        }
    }

    pub(crate) fn holds(&self, request: &Request<'_>) -> Result<bool, String> {
        self.check.holds(request)
    }
}

/// Two are equal if they are written alike.
impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        (&self.kind, &self.wanted) == (&other.kind, &other.wanted)
    }
}

impl Eq for Custom {}

impl Debug for Custom {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Custom({self})")
    }
}

impl Display for Custom {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.wanted)
    }
}
