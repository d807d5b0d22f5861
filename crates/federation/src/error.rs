//! Why a mapping gives no user.

use keystone_python::template::TemplateError;

/// Why a mapping can't be applied to an assertion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// No rule applies: Keystone's `ValidationError`.
    #[error(
        "Could not map any federated user properties to identity values. Check debug logs or the mapping used for \
         additional details."
    )]
    Unmapped,
    /// A rule or an attribute is wrong: Keystone's `ValidationError`.
    #[error("{0}")]
    Refused(String),
    /// A template names a value that no entry of the rule gives: Keystone's `DirectMappingError`, a 500.
    #[error("the template {template:?} names a value that the rule does not give")]
    OutOfRange {
        /// The template.
        template: String,
    },
    /// A rule that can't be applied: in Keystone an error of Python, which nobody handles.
    #[error("the mapping can't be applied: {0}")]
    Broken(String),
}

impl MappingError {
    pub(crate) fn of_template(template: &str, error: TemplateError) -> Self {
        let template = template.to_owned();
        match error {
            TemplateError::OutOfRange => Self::OutOfRange { template },
            TemplateError::Malformed(what) => Self::Broken(format!("{template:?} holds {what}")),
        }
    }
}
