//! The error that ends a command.

use std::error::Error;
use std::fmt::{self, Display};

/// A message for the operator and the exit status.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) text: String,
    pub(crate) status: u8,
}

/// The result of a command.
pub(crate) type Result<T, E = CommandError> = std::result::Result<T, E>;

impl CommandError {
    /// The command failed: exit status 1.
    pub(crate) fn new(text: impl Display) -> Self {
        Self {
            text: text.to_string(),
            status: 1,
        }
    }

    /// The command's arguments are unusable: exit status 2.
    pub(crate) fn usage(text: impl Display) -> Self {
        Self {
            text: text.to_string(),
            status: 2,
        }
    }
}

impl Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<keystone::types::Error> for CommandError {
    /// Includes the cause, which an operator may see and a client may not.
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

impl From<keystone::storage::Error> for CommandError {
    fn from(error: keystone::storage::Error) -> Self {
        Self::new(with_causes(&error))
    }
}

impl From<keystone::token::Error> for CommandError {
    fn from(error: keystone::token::Error) -> Self {
        Self::new(with_causes(&error))
    }
}

/// The text of an error and its causes, each once.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{}: {more}", text.trim_end_matches('.'));
        }
        cause = error.source();
    }
    text
}
