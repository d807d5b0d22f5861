//! Encryption of stored credentials.

use std::fmt;
use std::sync::{Arc, LazyLock};

use crate::error::{Error, Result};
use crate::keys::KeySet;
use crate::ring::KeyRing;

/// The key of a deployment that has set none up, which also opens credentials written before it did
/// (`keystone/credential/providers/fernet/core.py`).
static NULL_KEY: LazyLock<Arc<KeySet>> = LazyLock::new(|| {
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    Arc::new(KeySet::new([zeros]).expect("32 bytes in base64"))
});

/// Encrypts and decrypts the blobs of credentials with the keys of `[credential] key_repository`.
#[derive(Clone, Debug)]
pub struct Credentials {
    keys: Arc<KeyRing>,
}

/// A blob as stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// `encrypted_blob`.
    pub blob: String,
    /// `key_hash`.
    pub key_hash: String,
}

impl fmt::Debug for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypted")
            .field("key_hash", &self.key_hash)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// The number of keys in a credential repository, for which there is no option.
    pub const MAX_ACTIVE_KEYS: usize = 3;

    /// Credentials under the given keys; without any, under a key of 32 zero bytes.
    pub fn new(keys: Arc<KeyRing>) -> Self {
        Self { keys }
    }

    /// Encrypts with the primary key.
    pub fn encrypt(&self, blob: &str) -> Result<Encrypted> {
        let keys = self.keys()?;
        if Arc::ptr_eq(&keys, &NULL_KEY) {
            tracing::warn!(
                "encrypting credentials with the null key; run `keystone-manage credential_setup` \
                 and `keystone-manage credential_migrate`"
            );
        }
        let blob = keys.primary().encrypt(blob.as_bytes());
        Ok(Encrypted {
            blob,
            key_hash: keys.primary_key_hash(),
        })
    }

    /// Decrypts with the key that fits, the null key among them.
    pub fn decrypt(&self, encrypted_blob: &str) -> Result<String> {
        let keys = self.keys()?;
        let plain = keys
            .each()
            .chain(NULL_KEY.each())
            .find_map(|key| {
                key.decrypt_at_time(encrypted_blob, None, crate::container::NO_SKEW)
                    .ok()
            })
            .ok_or(Error::Unrecognized)?;
        String::from_utf8(plain).map_err(|_| Error::Malformed("credential"))
    }

    /// The `key_hash` of a credential that needs no migration.
    pub fn primary_key_hash(&self) -> Result<String> {
        Ok(self.keys()?.primary_key_hash())
    }

    fn keys(&self) -> Result<Arc<KeySet>> {
        match self.keys.keys() {
            Err(Error::NoKeys { .. }) => Ok(Arc::clone(&NULL_KEY)),
            keys => keys,
        }
    }
}
