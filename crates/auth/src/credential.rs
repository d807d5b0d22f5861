//! Credentials with their blobs: sealed on the way into the database, opened on the way out.
//!
//! Storage is the identity crate's, which knows no keys; the cipher is the token crate's, which
//! knows no database. They meet here, because authentication by EC2 key or one-time password
//! needs the secrets too. No secret is in what is logged or shown for debugging.

use std::fmt;
use std::sync::Arc;

use keystone_identity::{Credential, Identity, SealedBlob, SealedCredential};
use keystone_token::KeyRing;
use keystone_types::{Error, Resource, Result, Secret, json, to_python_json};
use serde::Serialize;
use serde_json::Value;

use crate::delegation::Delegation;
use crate::ec2::Ec2Blob;

/// The credentials of a deployment; clones share all.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub(crate) identity: Identity,
    cipher: keystone_token::Credentials,
}

/// A credential with its blob, as served to callers that the policy allows.
#[derive(Clone, Serialize)]
pub struct OpenCredential {
    /// All but the secret.
    #[serde(flatten)]
    pub credential: Credential,
    /// The secret.
    pub blob: String,
}

impl Resource for OpenCredential {
    const MEMBER: &'static str = Credential::MEMBER;
    const COLLECTION: &'static str = Credential::COLLECTION;

    fn id(&self) -> &str {
        self.credential.id()
    }
}

impl fmt::Debug for OpenCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenCredential")
            .field("id", &self.credential.id)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// The credentials in the database of `identity`, under the keys of
    /// `[credential] key_repository`.
    pub fn new(identity: Identity, keys: Arc<KeyRing>) -> Self {
        Self {
            identity,
            cipher: keystone_token::Credentials::new(keys),
        }
    }

    /// One credential.
    pub async fn open(&self, id: &str) -> Result<OpenCredential> {
        self.unseal(self.identity.sealed_credential(id).await?)
    }

    /// The readable secrets of a user's credentials of a type.
    pub(crate) async fn secrets(&self, user_id: &str, kind: &str) -> Result<Vec<Secret>> {
        let sealed = self.identity.sealed_credentials_of(user_id, kind).await?;
        let open = sealed
            .into_iter()
            .filter_map(|sealed| self.unseal_readable(sealed).transpose());
        open.map(|open| Ok(Secret::from(open?.blob))).collect()
    }

    /// A credential with its blob in the clear.
    pub fn unseal(&self, sealed: SealedCredential) -> Result<OpenCredential> {
        let id = sealed.credential.id.clone();
        self.decrypt(sealed)
            .map_err(|error| undecipherable(&id, &error))
    }

    /// The same for a list: one that can't be opened is left out, with a line in the log.
    pub fn unseal_readable(&self, sealed: SealedCredential) -> Result<Option<OpenCredential>> {
        let id = sealed.credential.id.clone();
        match self.decrypt(sealed) {
            Ok(open) => Ok(Some(open)),
            Err(
                cause @ (keystone_token::Error::Unrecognized | keystone_token::Error::Malformed(_)),
            ) => {
                let error = unreadable(&id, &cause);
                tracing::error!(
                    error,
                    "a row was left out of a list: its key is gone, or its ciphertext damaged"
                );
                Ok(None)
            }
            Err(other) => Err(undecipherable(&id, &other)),
        }
    }

    /// Stores a credential; an EC2 credential keeps the delegation by which it was made.
    pub async fn create(
        &self,
        mut credential: Credential,
        mut blob: String,
        delegation: Delegation<'_>,
    ) -> Result<OpenCredential> {
        if credential.is_ec2() {
            let checked = Ec2Blob::parse(&blob)?;
            credential.id = checked.credential_id();
            blob = checked.tied_to(delegation).unwrap_or(blob);
        }
        let sealed = self.encrypt(&credential.credential_type, &blob)?;
        self.identity
            .create_credential(&credential, &sealed)
            .await?;
        Ok(OpenCredential { credential, blob })
    }

    /// Replaces the blob of a credential.
    pub async fn update(&self, credential: Credential, blob: String) -> Result<OpenCredential> {
        if credential.is_ec2() {
            let checked = Ec2Blob::parse(&blob)?;
            checked.check_ties(&self.open(&credential.id).await?.blob)?;
        }
        let sealed = self.encrypt(&credential.credential_type, &blob)?;
        let id = &credential.id;
        self.identity.update_credential(id, &sealed).await?;
        Ok(OpenCredential { credential, blob })
    }

    /// Whether every credential is under the primary key: a rotation then makes none unreadable.
    pub async fn are_migrated(&self) -> Result<bool> {
        let primary = self.cipher.primary_key_hash().map_err(Error::internal)?;
        let others = self.identity.credentials_under_other_keys([primary]);
        Ok(others.await? == 0)
    }

    /// Encrypts with the primary key every credential under another one; `progress` gets the number done and of all.
    /// Returns the number of all.
    pub async fn migrate(&self, progress: impl Fn(usize, usize)) -> Result<usize> {
        let primary = self.cipher.primary_key_hash().map_err(Error::internal)?;
        let rows = self.identity.blobs_under_other_keys(&primary).await?;
        for (done, (id, before)) in rows.iter().enumerate() {
            progress(done, rows.len());
            let plain = self.cipher.decrypt(before);
            let plain = plain.map_err(|error| undecipherable(id, &error))?;
            let blob = self.seal(&plain)?;
            self.identity.reseal_credential(id, before, &blob).await?;
        }
        Ok(rows.len())
    }

    fn encrypt(&self, credential_type: &str, blob: &str) -> Result<SealedBlob> {
        // Half of a surrogate pair has no bytes to seal: Keystone refuses it too.
        if json::plain(blob).is_none_or(|plain| plain != blob) {
            return Err(Error::Validation("Invalid blob in credential".to_owned()));
        }
        if is_encoded(credential_type) {
            self.seal(&to_python_json(&blob.into()))
        } else {
            self.seal(blob)
        }
    }

    fn seal(&self, text: &str) -> Result<SealedBlob> {
        let sealed = self.cipher.encrypt(text).map_err(Error::internal)?;
        Ok(SealedBlob {
            encrypted_blob: sealed.blob,
            key_hash: sealed.key_hash,
        })
    }

    fn decrypt(&self, sealed: SealedCredential) -> keystone_token::Result<OpenCredential> {
        let SealedCredential { credential, blob } = sealed;
        let mut blob = self.cipher.decrypt(&blob.encrypted_blob)?;
        if is_encoded(&credential.credential_type) {
            blob = match json::read(blob) {
                Ok(Value::String(text)) => text,
                // Old ones were encoded once.
                Ok(object) => to_python_json(&object),
                Err(_) => return Err(keystone_token::Error::Malformed("credential")),
            };
        }
        Ok(OpenCredential { credential, blob })
    }
}

/// Whether the stored text is a JSON text again, of the blob.
fn is_encoded(credential_type: &str) -> bool {
    credential_type == "ec2"
}

fn undecipherable(id: &str, error: &keystone_token::Error) -> Error {
    Error::internal(unreadable(id, error))
}

fn unreadable(id: &str, cause: &keystone_token::Error) -> String {
    format!("corrupt row: table credential, row {id}, column encrypted_blob: {cause}")
}
