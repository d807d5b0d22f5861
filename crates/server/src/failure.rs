//! Why a command ends without having done its work.

use std::error::Error;
use std::fmt::{self, Display};

/// A text for the operator and the status to exit with.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) text: String,
    pub(crate) status: u8,
}

/// The result of a command.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// The work could not be done: exit status 1.
    pub(crate) fn new(text: impl Display) -> Self {
        Self {
            text: text.to_string(),
            status: 1,
        }
    }

    /// What the command was given makes no sense: exit status 2.
    pub(crate) fn usage(text: impl Display) -> Self {
        Self {
            text: text.to_string(),
            status: 2,
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<keystone::types::Error> for Failure {
    /// An operator sees what a client must not: the cause.
    fn from(error: keystone::types::Error) -> Self {
        use keystone::types::Error;
        Self::new(match &error {
            Error::Unauthorized { detail } | Error::Forbidden { detail } => {
                format!("{error} ({detail})")
            }
            _ => with_causes(&error),
        })
    }
}

impl From<keystone::storage::Error> for Failure {
    fn from(error: keystone::storage::Error) -> Self {
        Self::new(with_causes(&error))
    }
}

impl From<keystone::token::Error> for Failure {
    fn from(error: keystone::token::Error) -> Self {
        Self::new(with_causes(&error))
    }
}

/// The text of an error and of what lies beneath it, each said once.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
