//! Errors: the client's answer, and the cause for the log.
//!
//! One variant for each way in which the answers differ; Keystone's hundred exception
//! classes mostly differ in a noun. Texts that Keystone masks (`SecurityError`) carry the
//! real reason in `detail`: it is logged, and shown only with `[DEFAULT] insecure_debug`.

use std::sync::Arc;

use serde_json::Value;

use crate::Resource;

/// A result whose error a client can be shown.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cause, which all clones of its error share.
type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// A failure, named after what the client sees.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// 400 with a text of its own.
    #[error("{0}")]
    Validation(String),

    /// 401, masked: the client is not told which of the many reasons it was.
    #[error("The request you have made requires authentication.")]
    Unauthorized {
        /// The reason, for the log.
        detail: String,
    },

    /// 401 with a text that is not masked, and what `error.identity` holds.
    #[error("{message}")]
    Authentication {
        /// The text for the client.
        message: String,
        /// The `identity` object beside it.
        identity: Option<Value>,
    },

    /// 401 with a receipt: more methods are needed.
    #[error("Insufficient auth methods received.")]
    Receipt {
        /// The `Openstack-Auth-Receipt` header.
        receipt: String,
        /// The body.
        body: Value,
    },

    /// 403 for an action: a policy rule, or the text in its place.
    #[error("You are not authorized to perform the requested action: {action}.")]
    ForbiddenAction {
        /// The rule (`identity:get_user`) or what was tried.
        action: String,
    },

    /// 403, masked.
    #[error("You are not authorized to perform the requested action.")]
    Forbidden {
        /// The reason, for the log.
        detail: String,
    },

    /// 403 with a text of its own.
    #[error("{0}")]
    Refused(String),

    /// 404 of a named thing.
    #[error("Could not find {kind}: {id}.")]
    NotFound {
        /// `project`, `user` …
        kind: &'static str,
        /// Its id or name.
        id: String,
    },

    /// 404 with a text of its own.
    #[error("{0}")]
    Missing(String),

    /// 408: a body that took longer to arrive than a request may.
    #[error("The body of the request took too long to arrive.")]
    TooSlow,

    /// 409.
    #[error("Conflict occurred attempting to store {kind} - {detail}.")]
    Conflict {
        /// `project`, `user` …
        kind: &'static str,
        /// The existing resource.
        detail: String,
    },

    /// 410.
    #[error("{0}")]
    Gone(String),

    /// 413.
    #[error("Request is too large.")]
    TooLarge,

    /// 503: a part that this server needs is away, or too much is asked at once.
    #[error(
        "The server is currently unable to handle the request due to misconfiguration or maintenance."
    )]
    Unavailable {
        /// Seconds after which to try again.
        retry_after: u32,
        /// The unavailable service, for the log.
        source: Cause,
    },

    /// 503 with a text of its own: the operator has switched off what was asked for.
    #[error("{0}")]
    SwitchedOff(String),

    /// 500 with a text of its own.
    #[error("{message}")]
    Failed {
        /// The text for the client.
        message: &'static str,
        /// What failed, for the log.
        source: Cause,
    },

    /// 500; the text is the same for all.
    #[error("An unexpected error prevented the server from fulfilling your request.")]
    Internal(#[source] Cause),
}

/// 400 for a text that is longer than its column: not every schema of the API knows the lengths.
pub fn check_length(column: &str, text: &str, length: usize) -> Result<()> {
    if text.chars().count() <= length {
        return Ok(());
    }
    Err(Error::Validation(format!(
        "String length exceeded. The length of string '{text}' exceeds the limit of column {column}(CHAR({length}))."
    )))
}

/// 400 for a name that is empty, only white space, or longer than so many characters, with the text that the schema of the
/// API has for it.
pub fn check_name(name: &str, longest: usize) -> Result<()> {
    let count = name.chars().count();
    let fault = if count > longest {
        "is too long"
    } else if count == 0 {
        "should be non-empty"
    } else if name.chars().all(keystone_python::is_space) {
        "does not match '[\\\\S]+'"
    } else {
        return Ok(());
    };
    let shown = keystone_python::quote(name);
    Err(Error::Validation(format!(
        "Invalid input for field/attribute name. Value: {name}. {shown} {fault}"
    )))
}

impl Error {
    /// 400: a required element is missing.
    pub fn expecting(attribute: &str, target: &str) -> Self {
        Self::Validation(format!(
            "Expecting to find {attribute} in {target}. The server could not comply with the request since it is either \
             malformed or otherwise incorrect. The client is assumed to be in error."
        ))
    }

    /// 401, masked, with the reason for the log.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::Unauthorized {
            detail: detail.into(),
        }
    }

    /// 403 for an action or a policy rule.
    pub fn forbidden_action(action: impl Into<String>) -> Self {
        Self::ForbiddenAction {
            action: action.into(),
        }
    }

    /// 404 of a resource.
    pub fn not_found<R: Resource>(id: &str) -> Self {
        Self::NotFound {
            kind: R::MEMBER,
            id: id.to_owned(),
        }
    }

    /// 409 of a resource.
    pub fn conflict<R: Resource>(detail: impl Into<String>) -> Self {
        Self::Conflict {
            kind: R::MEMBER,
            detail: detail.into(),
        }
    }

    /// 500 with its cause.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into().into())
    }

    /// 500 with a text for the client, and the cause.
    pub fn failed(
        message: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Failed {
            message,
            source: source.into().into(),
        }
    }

    /// 503 with its cause.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable {
            retry_after: 1,
            source: source.into().into(),
        }
    }

    /// 503: the server is at its limit.
    pub fn busy(retry_after: u32, what: &'static str) -> Self {
        Self::Unavailable {
            retry_after,
            source: Box::<dyn std::error::Error + Send + Sync>::from(what).into(),
        }
    }

    /// What the log says of it: its causes, or, where it has none, its text. The text of a 500 or a 503 tells a client nothing.
    pub fn cause(&self) -> String {
        let source = std::error::Error::source(self);
        let causes = std::iter::successors(source, |cause| cause.source());
        let causes: Vec<String> = causes.map(ToString::to_string).collect();
        if causes.is_empty() {
            return self.to_string();
        }
        causes.join(": ")
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Validation(_) => 400,
            Self::Unauthorized { .. } | Self::Authentication { .. } | Self::Receipt { .. } => 401,
            Self::ForbiddenAction { .. } | Self::Forbidden { .. } | Self::Refused(_) => 403,
            Self::NotFound { .. } | Self::Missing(_) => 404,
            Self::TooSlow => 408,
            Self::Conflict { .. } => 409,
            Self::Gone(_) => 410,
            Self::TooLarge => 413,
            Self::Failed { .. } | Self::Internal(_) => 500,
            Self::Unavailable { .. } | Self::SwitchedOff(_) => 503,
        }
    }

    /// Whether the thing asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        self.status() == 404
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_the_causes_and_not_the_text_for_clients() {
        let inner = Error::internal("the disk is full");
        assert_eq!(inner.cause(), "the disk is full");
        let outer = Error::failed("Try again.", inner);
        let text = "An unexpected error prevented the server from fulfilling your request.";
        assert_eq!(outer.cause(), format!("{text}: the disk is full"));
        let own = Error::Missing("Could not find it.".to_owned());
        assert_eq!(own.cause(), "Could not find it.");
    }
}
