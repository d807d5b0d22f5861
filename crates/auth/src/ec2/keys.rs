//! EC2 credentials as their own routes show them: a pair of keys.

use std::fmt;

use keystone_identity::{Credential, SealedCredential};
use keystone_types::{Error, Extra, Listing, Resource, Result, new_id, to_python_json};
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

impl Ec2Keys {
    /// The id of the credential in which they are.
    pub fn credential_id(&self) -> String {
        ec2_credential_id(&self.access)
    }
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
    fn of(open: OpenCredential) -> Result<Self> {
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
    fn of_readable(open: OpenCredential) -> Option<Self> {
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

/// The keys of users. A delegation by which the caller acts is a 403: keys would outlive it.
impl Credentials {
    /// The keys of a user.
    pub async fn ec2_keys(
        &self,
        user_id: &str,
        delegation: Delegation<'_>,
    ) -> Result<Vec<Ec2Keys>> {
        refuse(delegation)?;
        self.identity.user(user_id).await?;
        let listing = Listing::default()
            .with("user_id", user_id)
            .with("type", "ec2");
        let sealed = self.identity.sealed_credentials(&listing).await?.items;
        let (count, credentials) = (sealed.len(), self.clone());
        let open = move || {
            let opened = sealed
                .into_iter()
                .filter_map(|sealed| credentials.unseal_readable(sealed).transpose());
            let keys = opened.filter_map(|open| open.map(Ec2Keys::of_readable).transpose());
            keys.collect()
        };
        self.identity.bulk().run(count, open).await?
    }

    /// The pair of keys with this access key. The user must exist, and need not be its owner, as in `keystone/api/users.py`.
    pub async fn ec2_key(
        &self,
        user_id: &str,
        access: &str,
        delegation: Delegation<'_>,
    ) -> Result<Ec2Keys> {
        let sealed = self.sealed_key(user_id, access, delegation).await?;
        Ec2Keys::of(self.unseal(sealed)?)
    }

    /// Deletes the pair of keys with this access key. The user must exist, and need not be its owner.
    pub async fn delete_ec2_key(
        &self,
        user_id: &str,
        access: &str,
        delegation: Delegation<'_>,
    ) -> Result<()> {
        let sealed = self.sealed_key(user_id, access, delegation).await?;
        self.identity.delete_credential(&sealed.credential.id).await
    }

    async fn sealed_key(
        &self,
        user_id: &str,
        access: &str,
        delegation: Delegation<'_>,
    ) -> Result<SealedCredential> {
        let sealed = self
            .identity
            .sealed_credential(&ec2_credential_id(access))
            .await?;
        self.identity.user(user_id).await?;
        if sealed.credential.credential_type != "ec2" {
            return Err(Error::unauthorized(
                "the access key is of no EC2 credential",
            ));
        }
        refuse(delegation)?;
        Ok(sealed)
    }

    /// Makes a pair of keys for a user on a project.
    pub async fn create_ec2_keys(
        &self,
        user_id: &str,
        project_id: &str,
        delegation: Delegation<'_>,
    ) -> Result<Ec2Keys> {
        self.identity.user(user_id).await?;
        self.identity.project(project_id).await?;
        refuse(delegation)?;
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

/// As `_require_primary_auth_for_ec2` in `keystone/api/users.py`.
fn refuse(delegation: Delegation<'_>) -> Result<()> {
    match delegation {
        Delegation::None => Ok(()),
        Delegation::Trust(_)
        | Delegation::ApplicationCredential(_)
        | Delegation::AccessToken(_)
        | Delegation::Unnamed => Err(Error::forbidden_action(
            "Delegated tokens cannot access credentials directly",
        )),
    }
}
