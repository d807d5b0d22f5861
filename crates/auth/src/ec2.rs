//! The blob of an EC2 credential: a JSON object with an access key, its secret, and the delegation
//! by which it was made, if any.

use keystone_types::{Error, Result, json, to_python_json};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::delegation::Delegation;

/// The keys of a credential's blob that tie it to a delegation; updates keep them.
const TIES: [&str; 4] = ["trust_id", "app_cred_id", "access_token_id", "access_id"];

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

    /// The id of the credential: its access key, hashed.
    pub(crate) fn credential_id(&self) -> String {
        let access = self.0.get("access").and_then(Value::as_str);
        hex::encode(Sha256::digest(access.unwrap_or_default()))
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
