//! The key pair that signs tokens, and the public keys that they are verified with.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, ParsedPublicKey,
    VerificationAlgorithm,
};

use super::pem;
use crate::error::{Error, Result};
use crate::fingerprint::Fingerprint;
use crate::keys::{KeyState, code};
use crate::replacement::Replacement;
use crate::repository::Owner;
use crate::watch::{Directory, Keys};

/// The one private key that signs.
const PRIVATE: &str = "private.pem";
/// The public key, as the command that makes a pair names it.
const PUBLIC: &str = "public.pem";

/// An algorithm of signatures, which fits one kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm that Keystone has.
    pub const ALL: [Self; 4] = [Self::Es256, Self::Es384, Self::Es512, Self::EdDsa];

    /// The name in `[jwt_tokens]` and in the header of a token.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::Es512 => &signature::ECDSA_P521_SHA512_FIXED,
            Self::EdDsa => &signature::ED25519,
        }
    }

    fn ecdsa(self) -> Option<&'static EcdsaSigningAlgorithm> {
        match self {
            Self::Es256 => Some(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            Self::Es384 => Some(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            Self::Es512 => Some(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
            Self::EdDsa => None,
        }
    }

    /// The length of a signature, which is the same for all.
    fn signature_len(self) -> usize {
        match self {
            Self::Es256 | Self::EdDsa => 64,
            Self::Es384 => 96,
            Self::Es512 => 132,
        }
    }
}

/// `[jwt_tokens]`: where the keys are, and which algorithms they are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwsKeys {
    /// `jws_private_key_repository`: the directory of `private.pem`.
    pub private: PathBuf,
    /// `jws_public_key_repository`: each file in it is a public key.
    pub public: PathBuf,
    /// `jws_algorithm`: the one that new tokens are signed with.
    pub algorithm: Algorithm,
    /// `jws_accepted_algorithms`: those that tokens may be signed with.
    pub accepted: Vec<Algorithm>,
}

impl Default for JwsKeys {
    fn default() -> Self {
        Self {
            private: "/etc/keystone/jws-keys/private".into(),
            public: "/etc/keystone/jws-keys/public".into(),
            algorithm: Algorithm::Es256,
            accepted: vec![Algorithm::Es256],
        }
    }
}

/// A key pair on disk: the paths of its two files.
#[derive(Debug)]
pub struct PairFiles {
    /// The private key.
    pub private: PathBuf,
    /// The public key.
    pub public: PathBuf,
}

impl PairFiles {
    /// The files of a pair in a directory.
    pub fn within(directory: &Path) -> Self {
        Self {
            private: directory.join(PRIVATE),
            public: directory.join(PUBLIC),
        }
    }

    /// Writes a new pair for an algorithm, in place of any that is there. Only its owner can read
    /// the private key.
    pub fn create(&self, algorithm: Algorithm, owner: Owner) -> Result<()> {
        let key = PrivateKey::generate(algorithm)?;
        let private = pem::encode(&key.private_der()?, "PRIVATE KEY");
        let public = pem::encode(&key.public_der()?, "PUBLIC KEY");
        let write = |path: &Path, text: &str| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let temporary = path.with_file_name(format!(".{name}.new"));
            let written = Replacement::new(temporary).fill(text.as_bytes(), owner);
            written
                .and_then(|file| file.put(path))
                .map_err(Error::at(path))
        };
        write(&self.private, &private)?;
        write(&self.public, &public)?;
        let everyone = Permissions::from_mode(0o644);
        fs::set_permissions(&self.public, everyone).map_err(Error::at(&self.public))
    }
}

/// A key that signs tokens.
pub(super) struct PrivateKey {
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    fn parse(algorithm: Algorithm, text: &str) -> Option<Self> {
        let pair = if let Some(ecdsa) = algorithm.ecdsa() {
            // What OpenSSL's older commands write has a label and a format of its own.
            let der =
                pem::decode(text, "PRIVATE KEY").or_else(|| pem::decode(text, "EC PRIVATE KEY"))?;
            Pair::Ecdsa(EcdsaKeyPair::from_private_key_der(ecdsa, &der).ok()?)
        } else {
            let der = pem::decode(text, "PRIVATE KEY")?;
            Pair::Ed25519(Ed25519KeyPair::from_pkcs8(&der).ok()?)
        };
        Some(Self { algorithm, pair })
    }

    fn generate(algorithm: Algorithm) -> Result<Self> {
        let pair = match algorithm.ecdsa() {
            Some(ecdsa) => EcdsaKeyPair::generate(ecdsa).map(Pair::Ecdsa),
            None => Ed25519KeyPair::generate().map(Pair::Ed25519),
        };
        let pair = pair.map_err(|_| Error::Signature)?;
        Ok(Self { algorithm, pair })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let signature = match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&SystemRandom::new(), message),
            Pair::Ed25519(pair) => pair.try_sign(message),
        };
        signature
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| Error::Signature)
    }

    fn private_der(&self) -> Result<Vec<u8>> {
        let document = match &self.pair {
            Pair::Ecdsa(pair) => pair.to_pkcs8v1(),
            Pair::Ed25519(pair) => pair.to_pkcs8v1(),
        };
        document
            .map(|document| document.as_ref().to_vec())
            .map_err(|_| Error::Signature)
    }

    fn public_der(&self) -> Result<Vec<u8>> {
        let der = match &self.pair {
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
            Pair::Ed25519(pair) => pair.public_key().as_der(),
        };
        der.map(|der| der.as_ref().to_vec())
            .map_err(|_| Error::Signature)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm.name())
    }
}

impl Keys for PrivateKey {
    fn same_as(&self, other: &Self) -> bool {
        let public = |key: &Self| key.public_der().ok();
        self.algorithm == other.algorithm && public(self) == public(other)
    }

    /// A whole file is a whole key.
    fn may_follow(&self, _before: &Self) -> bool {
        true
    }
}

/// The directory with the private key.
#[derive(Debug)]
pub(super) struct PrivateDirectory {
    path: PathBuf,
    algorithm: Algorithm,
}

impl PrivateDirectory {
    pub(super) fn of(keys: &JwsKeys) -> Self {
        Self {
            path: keys.private.clone(),
            algorithm: keys.algorithm,
        }
    }
}

impl Directory for PrivateDirectory {
    type Keys = PrivateKey;
    const SECRET: bool = true;

    fn path(&self) -> &Path {
        &self.path
    }

    fn look(&self) -> Result<Fingerprint> {
        look(&self.path, |name| name == PRIVATE)
    }

    fn read(&self, seen: &Fingerprint) -> Result<PrivateKey> {
        let file = seen.files.first().ok_or_else(|| Error::NoKeys {
            path: self.path.join(PRIVATE),
        })?;
        let text = fs::read_to_string(&file.path).map_err(Error::at(&file.path))?;
        PrivateKey::parse(self.algorithm, &text).ok_or_else(|| Error::InvalidKey {
            name: format!("{} for {}", file.path.display(), self.algorithm.name()),
        })
    }
}

/// The keys that tokens are verified with: never empty.
pub(super) struct PublicKeys {
    keys: Vec<PublicKey>,
    remarks: Vec<String>,
}

struct PublicKey {
    name: String,
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

/// What a file among the public keys is.
enum Found {
    Key(PublicKey),
    /// Whole, and no key for any of the algorithms.
    Other,
    /// A key in the making, or a damaged one.
    Broken,
}

impl PublicKeys {
    /// Whether one of the keys for the algorithm verifies the signature.
    pub(super) fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let mut fitting = self.keys.iter().filter(|key| key.algorithm == algorithm);
        signature.len() == algorithm.signature_len()
            && fitting.any(|key| key.key.verify_sig(signed, signature).is_ok())
    }

    /// What an operator may know of them. Nodes may have other names for the files.
    pub(super) fn state(&self, written: Option<SystemTime>) -> KeyState {
        let mut keys: Vec<_> = self.keys.iter().map(|key| key.key.as_ref()).collect();
        keys.sort_unstable();
        KeyState {
            code: code(keys.iter().map(|key| (0, *key))),
            keys: keys.len(),
            primary: None,
            written,
        }
    }

    /// Whether tokens that a private key signs will be accepted.
    pub(super) fn holds(&self, private: &PrivateKey) -> bool {
        let proof = b"keystone";
        private
            .sign(proof)
            .is_ok_and(|signature| self.verify(private.algorithm, proof, &signature))
    }
}

impl PublicKey {
    fn find(name: String, text: &str) -> Found {
        let Some(der) = pem::decode(text, "PUBLIC KEY") else {
            return if pem::begins(text) {
                Found::Broken
            } else {
                Found::Other
            };
        };
        let key = Algorithm::ALL.into_iter().find_map(|algorithm| {
            let key = ParsedPublicKey::new(algorithm.verification(), &der).ok()?;
            Some((algorithm, key))
        });
        match key {
            Some((algorithm, key)) => Found::Key(Self {
                name,
                algorithm,
                key,
            }),
            None => Found::Other,
        }
    }
}

impl fmt::Debug for PublicKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.keys.iter().map(|key| &key.name))
            .finish()
    }
}

impl Keys for PublicKeys {
    fn same_as(&self, other: &Self) -> bool {
        let key = |key: &PublicKey| (key.algorithm.name(), key.key.as_ref().to_vec());
        self.keys.iter().map(key).eq(other.keys.iter().map(key)) && self.remarks == other.remarks
    }

    /// A key that is gone may come with the rest of the copy, unless all were replaced.
    fn may_follow(&self, before: &Self) -> bool {
        let here = |key: &&PublicKey| {
            let bytes = key.key.as_ref();
            self.keys.iter().any(|other| other.key.as_ref() == bytes)
        };
        let kept = before.keys.iter().filter(here).count();
        kept == before.keys.len() || (kept == 0 && self.keys.len() >= before.keys.len())
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

/// The directory with the public keys.
#[derive(Debug)]
pub(super) struct PublicDirectory {
    path: PathBuf,
}

impl PublicDirectory {
    pub(super) fn of(keys: &JwsKeys) -> Self {
        Self {
            path: keys.public.clone(),
        }
    }
}

impl Directory for PublicDirectory {
    type Keys = PublicKeys;
    const SECRET: bool = false;

    fn path(&self) -> &Path {
        &self.path
    }

    /// Any name will do but a hidden one, under which files are often copied.
    fn look(&self) -> Result<Fingerprint> {
        look(&self.path, |name| !name.starts_with('.'))
    }

    fn read(&self, seen: &Fingerprint) -> Result<PublicKeys> {
        let (mut keys, mut remarks) = (Vec::new(), Vec::new());
        for file in seen.files.iter().filter(|file| file.stamp.size > 0) {
            let bytes = fs::read(&file.path).map_err(Error::at(&file.path))?;
            let name = file.path.display().to_string();
            match PublicKey::find(name.clone(), &String::from_utf8_lossy(&bytes)) {
                Found::Key(key) => keys.push(key),
                Found::Other => remarks.push(format!("ignoring {name}: no public key for JWS")),
                Found::Broken => return Err(Error::InvalidKey { name }),
            }
        }
        if keys.is_empty() {
            return Err(no_keys(&self.path));
        }
        Ok(PublicKeys { keys, remarks })
    }
}

fn look(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Fingerprint> {
    let number = |name: &str| wanted(name).then_some(0);
    Fingerprint::take(path, number).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => no_keys(path),
        _ => Error::at(path)(error),
    })
}

fn no_keys(path: &Path) -> Error {
    Error::NoKeys {
        path: path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
