//! The tree that a check string stands for.

use std::fmt::{self, Display, Formatter};

use crate::custom::Custom;
use crate::template::Template;

/// One node of a rule; its `Display` is oslo.policy's own spelling of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Check {
    /// `@`, and the empty rule.
    True,
    /// `!`, and whatever oslo.policy can't read.
    False,
    /// `not` of one check.
    Not(Box<Check>),
    /// Checks joined by `and`.
    All(Vec<Check>),
    /// Checks joined by `or`.
    Any(Vec<Check>),
    /// `rule:NAME`.
    Rule(String),
    /// `role:NAME`, compared without regard to case.
    Role(Template),
    /// `dotted.key:MATCH`, a value of the credentials.
    Credential {
        /// The keys that lead to the value.
        path: Vec<String>,
        /// The expected value.
        wanted: Template,
    },
    /// `'literal':MATCH`.
    Literal {
        /// The literal as it was written.
        source: String,
        /// The literal as Python's `str()` gives it.
        text: String,
        /// The expected literal.
        wanted: Template,
    },
    /// `http:…` and `https:…`, with the address to ask.
    Remote(Template),
    /// A check of a kind that the service registered.
    Custom(Custom),
    /// A part that is wrong. It never allows, and neither does what negates it.
    Flawed {
        /// How oslo.policy spells what it makes of it.
        shown: String,
        /// The flaw.
        reason: String,
    },
    /// A check that parses but can never be evaluated; a request that reaches it is denied.
    Unusable {
        /// The part before the colon.
        kind: String,
        /// The part after the colon.
        wanted: Template,
        /// Why there is no answer.
        reason: String,
    },
}

impl Check {
    /// Whether this very node is `rule:name`.
    pub(crate) fn is_rule(&self, name: &str) -> bool {
        matches!(self, Self::Rule(other) if other == name)
    }

    /// The nodes right below this one.
    pub(crate) fn parts(&self) -> &[Check] {
        match self {
            Self::Not(part) => std::slice::from_ref(part),
            Self::All(parts) | Self::Any(parts) => parts,
            _ => &[],
        }
    }

    /// The same, to be changed.
    pub(crate) fn parts_mut(&mut self) -> &mut [Check] {
        match self {
            Self::Not(part) => std::slice::from_mut(part),
            Self::All(parts) | Self::Any(parts) => parts,
            _ => &mut [],
        }
    }
}

impl Display for Check {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::True => f.write_str("@"),
            Self::False => f.write_str("!"),
            Self::Not(part) => write!(f, "not {part}"),
            Self::All(parts) => joined(f, parts, " and "),
            Self::Any(parts) => joined(f, parts, " or "),
            Self::Rule(name) => write!(f, "rule:{name}"),
            Self::Role(wanted) => write!(f, "role:{wanted}"),
            Self::Credential { path, wanted } => write!(f, "{}:{wanted}", path.join(".")),
            Self::Literal { source, wanted, .. } => write!(f, "{source}:{wanted}"),
            Self::Remote(address) => write!(f, "{address}"),
            Self::Custom(custom) => write!(f, "{custom}"),
            Self::Flawed { shown, .. } => f.write_str(shown),
            Self::Unusable { kind, wanted, .. } => write!(f, "{kind}:{wanted}"),
        }
    }
}

fn joined(f: &mut Formatter<'_>, parts: &[Check], word: &str) -> fmt::Result {
    f.write_str("(")?;
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        write!(f, "{part}")?;
    }
    f.write_str(")")
}
