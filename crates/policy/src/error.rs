//! The flaws of policy files, and the reasons for denying a request.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use crate::scope::ScopeType;

/// Why a request is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No rule has this name, and there is no default rule.
    #[error("rule {rule:?} is not defined")]
    Unknown {
        /// The rule that was asked for.
        rule: String,
    },
    /// The rule is not for tokens of this scope.
    #[error("{rule} requires a scope of {}, the request was made with {scope} scope", listed(.allowed))]
    Scope {
        /// The rule that was asked for.
        rule: String,
        /// The scopes it is for.
        allowed: Vec<ScopeType>,
        /// The scope of the credentials.
        scope: ScopeType,
    },
    /// The check string came to false.
    #[error("{rule} is disallowed by policy")]
    Check {
        /// The rule that was asked for.
        rule: String,
    },
    /// The check string could not be decided: a server did not answer, or the rule can't work on these values.
    #[error("{rule} could not be decided: {reason}")]
    Undecided {
        /// The rule that was asked for.
        rule: String,
        /// The reason.
        reason: String,
    },
}

impl Denied {
    /// Tells the operator of a rule that could not be decided.
    pub fn log(&self) {
        if let Self::Undecided { rule, reason } = self {
            tracing::warn!(
                rule,
                reason,
                "a policy rule could not be decided, so it denies"
            );
        }
    }
}

fn listed(scopes: &[ScopeType]) -> String {
    let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    names.join(" or ")
}

/// Why rules were not taken from a file or a text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file can't be read.
    #[error("policy file {}: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file is neither JSON nor YAML, or no map of rules.
    #[error("policy file {}, line {line}, column {column}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The fault.
        reason: String,
    },
    /// The rules that the program lays over the files are neither JSON nor YAML, or no map of rules.
    #[error("the policy overrides, line {line}, column {column}: {reason}")]
    Overrides {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The fault.
        reason: String,
    },
    /// The file of the rules in force has been taken from under them.
    #[error("policy file {}: {}", path.display(), how.as_str())]
    Lost {
        /// The file or directory.
        path: PathBuf,
        /// The consequence.
        how: Loss,
    },
    /// Rules are wrong; every one of them is named.
    #[error("{}", each(.0))]
    Rules(Vec<Fault>),
}

/// Why a policy file that was loaded before can't be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// It is not there any more.
    Gone,
    /// There is nothing in it.
    Emptied,
    /// It has only the beginning of what it had, up to the middle of a line.
    CutOff,
}

impl Loss {
    fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "it is gone",
            Self::Emptied => "it has been emptied",
            Self::CutOff => "it has been cut off in the middle of a line",
        }
    }
}

fn each(faults: &[Fault]) -> String {
    let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

/// A rule that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The rule's name.
    pub rule: String,
    /// The file that says so; none for a rule that was handed over or built in.
    pub file: Option<PathBuf>,
    /// The flaw.
    pub flaws: Vec<Flaw>,
}

impl Fault {
    /// Whether the service made one of the mistakes, and not an operator.
    pub(crate) fn is_of_the_service(&self) -> bool {
        self.flaws.iter().any(Flaw::is_of_the_service)
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "policy file {}: ", file.display())?;
        }
        let flaws: Vec<_> = self.flaws.iter().map(ToString::to_string).collect();
        write!(f, "rule {:?} {}", self.rule, flaws.join(", and "))
    }
}

/// A flaw of a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// It is neither a check string nor a list of checks.
    #[error("is neither a string nor a list of strings")]
    Type,
    /// Its check string does not parse.
    #[error("does not parse at {text:?}: {reason}")]
    Syntax {
        /// The part in question.
        text: String,
        /// The fault.
        reason: String,
    },
    /// It refers to a rule that is not there.
    #[error("refers to rule {0:?}, which is not defined")]
    Undefined(String),
    /// It refers to itself, perhaps through others.
    #[error("refers to itself: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// It refers to a rule that refers to a rule, and so on.
    #[error("refers through more than {0} rules")]
    Depth(usize),
    /// The service registers its name twice.
    #[error("is registered twice")]
    Duplicate,
    /// The service registers it for removal and does not say why, or since which release.
    #[error("is registered for removal without a reason and a release")]
    Unexplained,
}

impl Flaw {
    /// Whether the service made the mistake, and not an operator.
    pub(crate) fn is_of_the_service(&self) -> bool {
        matches!(self, Self::Duplicate | Self::Unexplained)
    }
}
