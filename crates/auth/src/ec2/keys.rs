//! EC2 credentials as their own routes show them: a pair of keys.

use std::fmt;

use keystone_identity::Credential;
use keystone_types::{Extra, Resource, Result, new_id, to_python_json};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::blob::Ec2Blob;
use crate::credential::{Credentials, OpenCredential};
use crate::delegation::Delegation;

/// An EC2 credential.
#[derive(Clone, Serialize)]
pub struct Ec2Keys {
    user_id: String,
    tenant_id: Option<String>,
    access: String,
    secret: Value,
    trust_id: Value,
    /// Its path below that of users.
    #[serde(skip)]
    place: String,
}

impl Resource for Ec2Keys {
    const MEMBER: &'static str = Credential::MEMBER;
    const COLLECTION: &'static str = Credential::COLLECTION;
    const PATH: &'static str = "users";

    fn id(&self) -> &str {
        &self.place
    }
}

impl fmt::Debug for Ec2Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ec2Keys")
            .field("user_id", &self.user_id)
            .finish_non_exhaustive()
    }
}

/// The id of the credential with an access key.
pub fn ec2_credential_id(access: &str) -> String {
    hex::encode(Sha256::digest(access))
}

impl Ec2Keys {
    /// Reads a credential of EC2.
    pub fn of(open: OpenCredential) -> Result<Self> {
        let OpenCredential { credential, blob } = open;
        let blob = Ec2Blob::stored(&credential.id, &blob)?;
        let access = blob.access();
        Ok(Self {
            place: format!("{}/credentials/OS-EC2/{access}", credential.user_id),
            access: access.to_owned(),
            secret: blob.value("secret"),
            trust_id: blob.value("trust_id"),
            user_id: credential.user_id,
            tenant_id: credential.project_id,
        })
    }

    /// The same for a list: one that can't be read is left out, with a line in the log.
    pub fn of_readable(open: OpenCredential) -> Option<Self> {
        let id = open.credential.id.clone();
        let keys = Self::of(open).ok();
        if keys.is_none() {
            tracing::error!(
                credential.id = id,
                "a row was left out of a list: its blob holds no access key"
            );
        }
        keys
    }
}

impl Credentials {
    /// Makes a pair of keys for a user on a project.
    pub async fn create_ec2_keys(&self, user_id: &str, project_id: &str) -> Result<Ec2Keys> {
        let blob = json!({ "access": new_id(), "secret": new_id(), "trust_id": null });
        let credential = Credential {
            extra: Extra::default(),
            id: String::new(),
            user_id: user_id.to_owned(),
            project_id: Some(project_id.to_owned()),
            credential_type: "ec2".to_owned(),
        };
        let made = self.create(credential, to_python_json(&blob), Delegation::None);
        Ec2Keys::of(made.await?)
    }
}
