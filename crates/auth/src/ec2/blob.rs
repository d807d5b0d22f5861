//! The blob of an EC2 credential: a JSON object with an access key, its secret, and the delegation
//! by which it was made, if any.

use keystone_python::is_true;
use keystone_types::{Error, Result, Secret, json, to_python_json};
use serde_json::{Map, Value};

use super::ec2_credential_id;
use crate::delegation::Delegation;

/// The keys of a credential's blob that tie it to a delegation; updates keep them.
const TIES: [&str; 4] = ["trust_id", "app_cred_id", "access_token_id", "access_id"];

/// The delegation by which a credential was made, by id.
pub(super) enum Tie {
    None,
    Trust(String),
    ApplicationCredential(String),
    AccessToken(String),
}

/// A blob that was checked.
pub(crate) struct Ec2Blob(Map<String, Value>);

impl Ec2Blob {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let blob = json::read(text)
            .map_err(|_| Error::Validation("Invalid blob in credential".to_owned()))?;
        match blob {
            Value::Object(blob) if blob.get("access").is_some_and(Value::is_string) => {
                Ok(Self(blob))
            }
            Value::Object(blob) if !blob.is_empty() => {
                Err(Error::expecting("access", "credential"))
            }
            _ => Err(Error::expecting("blob", "credential")),
        }
    }

    /// The blob of the stored credential with this id.
    pub(super) fn stored(id: &str, text: &str) -> Result<Self> {
        Self::parse(text).map_err(|_| {
            Error::internal(format!(
                "corrupt row: table credential, row {id}, column encrypted_blob: no access key"
            ))
        })
    }

    /// The id of the credential: its access key, hashed.
    pub(crate) fn credential_id(&self) -> String {
        ec2_credential_id(self.access())
    }

    /// The access key.
    pub(super) fn access(&self) -> &str {
        let access = self.0.get("access").and_then(Value::as_str);
        access.unwrap_or_default()
    }

    /// The value of another key, as it is stored.
    pub(super) fn value(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// The secret that signs requests.
    pub(super) fn secret(&self) -> Option<Secret> {
        self.0
            .get("secret")
            .and_then(Value::as_str)
            .map(Secret::from)
    }

    /// The delegation that the credential is tied to.
    pub(super) fn tie(&self) -> Tie {
        let id = |name| {
            let id = self.0.get(name).filter(|id| is_true(id));
            id.map(|id| keystone_python::str(id).into_owned())
        };
        let trust = id("trust_id").map(Tie::Trust);
        trust
            .or_else(|| id("app_cred_id").map(Tie::ApplicationCredential))
            .or_else(|| id("access_token_id").map(Tie::AccessToken))
            .unwrap_or(Tie::None)
    }

    /// The text with the delegation's id; none without a delegation that has one.
    pub(crate) fn tied_to(mut self, delegation: Delegation<'_>) -> Option<String> {
        let (key, id) = match delegation {
            Delegation::Trust(id) => ("trust_id", id),
            Delegation::ApplicationCredential(id) => ("app_cred_id", id),
            Delegation::AccessToken(id) => ("access_token_id", id),
            Delegation::None | Delegation::Unnamed => return None,
        };
        self.0.insert(key.to_owned(), id.into());
        Some(to_python_json(&Value::Object(self.0)))
    }

    /// 400 where a new blob is tied to something else than the old one.
    pub(crate) fn check_ties(&self, old: &str) -> Result<()> {
        let old = json::read(old).map_err(Error::internal)?;
        for key in TIES {
            let (old, new) = (&old[key], self.0.get(key).unwrap_or(&Value::Null));
            if old != new {
                return Err(Error::Validation(format!(
                    "{key} can not be updated for credential"
                )));
            }
        }
        Ok(())
    }
}
