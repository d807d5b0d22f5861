//! What a `PATCH` changes of a user.

use keystone_types::{Error, Result, Secret};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::federated::FederatedAccount;
use crate::user::UserRow;

/// Attributes that follow from others and are never stored as they come.
pub(super) const DERIVED: [&str; 4] = ["id", "password_expires_at", "links", "extra"];

/// A password as a request has it.
#[derive(Clone, Debug, Default)]
pub enum NewPassword {
    /// Not at all: what there is stays.
    #[default]
    Absent,
    /// `null`: there is none from now on, which counts as a change of it.
    Null,
    /// One to be hashed.
    Set(Secret),
}

impl NewPassword {
    /// Whether it was mentioned.
    pub(crate) fn is_given(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    pub(crate) fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Set(secret) => Some(secret),
            Self::Absent | Self::Null => None,
        }
    }
}

impl<'de> Deserialize<'de> for NewPassword {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let password = Option::<Secret>::deserialize(deserializer)?;
        Ok(password.map_or(Self::Null, Self::Set))
    }
}

/// What a `PATCH` changes.
pub(super) struct Changes {
    pub(super) name: Option<String>,
    pub(super) enabled: Option<bool>,
    /// A string, or null to clear it.
    pub(super) default_project_id: Option<Value>,
    pub(super) password: NewPassword,
    /// Those that replace the ones there are; none leaves them.
    pub(super) federated: Vec<FederatedAccount>,
    pub(super) options: Map<String, Value>,
    pub(super) extra: Map<String, Value>,
    /// An `id` that is not the user's.
    pub(super) other_id: bool,
}

impl Changes {
    pub(super) fn read(mut patch: Map<String, Value>, current: &UserRow) -> Result<Self> {
        if patch
            .shift_remove("domain_id")
            .is_some_and(|domain| domain != current.domain_id)
        {
            return Err(Error::Validation("Cannot change Domain ID".to_owned()));
        }
        let other_id = patch.get("id").is_some_and(|given| *given != current.id);
        for derived in DERIVED {
            patch.shift_remove(derived);
        }
        let text = |value: Value| value.as_str().map(str::to_owned);
        let federated = patch.shift_remove("federated").map(serde_json::from_value);
        Ok(Self {
            name: patch
                .shift_remove("name")
                .and_then(text)
                .map(|name| name.trim().to_owned()),
            enabled: patch
                .shift_remove("enabled")
                .and_then(|value| value.as_bool()),
            default_project_id: patch.shift_remove("default_project_id"),
            password: match patch.shift_remove("password") {
                Some(Value::String(password)) => NewPassword::Set(Secret::from(password)),
                Some(_) => NewPassword::Null,
                None => NewPassword::Absent,
            },
            federated: federated
                .transpose()
                .map_err(|error| Error::Validation(error.to_string()))?
                .unwrap_or_default(),
            options: match patch.shift_remove("options") {
                Some(Value::Object(options)) => options,
                _ => Map::new(),
            },
            extra: patch,
            other_id,
        })
    }
}
