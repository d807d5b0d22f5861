//! Sets of keys.

use std::fmt;
use std::time::SystemTime;

use aws_lc_rs::{hkdf, hmac};
use base64::{Engine, engine::GeneralPurpose, engine::GeneralPurposeConfig};
use base64::{alphabet::URL_SAFE, engine::DecodePaddingMode, prelude::BASE64_URL_SAFE};
use sha1::{Digest, Sha1};

use crate::error::{Error, Result};
use crate::watch::Keys;

const KEY_TEXT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The keys of a repository at one moment: never empty, the primary key first.
pub struct KeySet(Vec<Key>);

/// What an operator may know of a set of keys: nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyState {
    /// Sixteen hexadecimal digits that are the same on nodes with the same keys.
    pub code: String,
    /// How many keys there are.
    pub keys: usize,
    /// The number of the primary key, where keys are numbered.
    pub primary: Option<u64>,
    /// When the newest key was written, as at the last rotation; none of keys that are in no directory.
    pub written: Option<SystemTime>,
}

/// A key of a repository.
pub(crate) struct Key {
    number: u64,
    /// As in the file, since `key_hash` is the hash of it.
    text: String,
    cipher: ::fernet::Fernet,
}

impl Key {
    /// Reads what Python reads: either alphabet of base64, with or without a line end.
    pub(crate) fn parse(number: u64, text: String) -> Option<Self> {
        let cipher = ::fernet::Fernet::new(&BASE64_URL_SAFE.encode(decoded(&text)?))?;
        Some(Self {
            number,
            text,
            cipher,
        })
    }

    /// The place in the order of creation: old keys first, the staged one last.
    fn creation_order(&self) -> u64 {
        if self.number == 0 {
            u64::MAX
        } else {
            self.number
        }
    }
}

impl KeySet {
    /// The set of the given keys, the primary one first.
    pub fn new(texts: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let mut keys = Vec::new();
        for (place, text) in (0..u64::MAX).zip(texts) {
            let invalid = || Error::InvalidKey {
                name: format!("key {place}"),
            };
            keys.push(Key::parse(u64::MAX - 1 - place, text.into()).ok_or_else(invalid)?);
        }
        Self::from_keys(keys).ok_or(Error::NoKeys {
            path: "(none given)".into(),
        })
    }

    /// A set of one new key, for a server without a key repository.
    pub fn generate() -> Result<Self> {
        Self::new([new_key()?])
    }

    pub(crate) fn from_keys(mut keys: Vec<Key>) -> Option<Self> {
        keys.sort_by_key(|key| std::cmp::Reverse(key.number));
        if keys.is_empty() {
            None
        } else {
            Some(Self(keys))
        }
    }

    /// The SHA-1 of the primary key's text: `credential.key_hash` of what it encrypts.
    pub fn primary_key_hash(&self) -> String {
        hex::encode(Sha1::digest(&self.0[0].text))
    }

    /// The same of every key, the primary one's first.
    pub fn key_hashes(&self) -> impl Iterator<Item = String> {
        self.0
            .iter()
            .map(|key| hex::encode(Sha1::digest(&key.text)))
    }

    /// The number of each key, with what tells it from other keys and nothing about it: 128 bits that HKDF derives.
    pub fn fingerprints(&self) -> Result<Vec<(u64, String)>> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"keystone key fingerprint");
        let fingerprints = self.0.iter().map(|key| {
            let mut bytes = [0; 32];
            let key_material = salt.extract(&decoded(&key.text)?);
            let expanded = key_material.expand(&[b"fingerprint"], hkdf::HKDF_SHA256);
            expanded.ok()?.fill(&mut bytes).ok()?;
            Some((key.number, hex::encode(&bytes[..16])))
        });
        let fingerprints: Option<Vec<_>> = fingerprints.collect();
        fingerprints.ok_or(Error::Signature)
    }

    /// The number of keys.
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The number of the primary key.
    pub fn primary_number(&self) -> u64 {
        self.0[0].number
    }

    /// What an operator may know of the keys; `written` is when the newest one was.
    pub(crate) fn state(&self, written: Option<SystemTime>) -> KeyState {
        let texts = self.0.iter().map(|key| key.text.trim().as_bytes());
        let numbers = self.0.iter().map(|key| key.number);
        KeyState {
            code: code(numbers.zip(texts)),
            keys: self.len(),
            primary: Some(self.primary_number()),
            written,
        }
    }

    /// Keys for another purpose, one of each of these: neither set opens what the other seals.
    pub(crate) fn derived(&self, purpose: &str) -> Result<Self> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"keystone sealed values");
        let info = [purpose.as_bytes()];
        let derived = self.0.iter().map(|key| {
            let mut bytes = [0; 32];
            let secret = decoded(&key.text)?;
            let key_material = salt.extract(&secret);
            let expanded = key_material.expand(&info, hkdf::HKDF_SHA256);
            expanded.ok()?.fill(&mut bytes).ok()?;
            Key::parse(key.number, BASE64_URL_SAFE.encode(bytes))
        });
        let derived: Option<Vec<_>> = derived.collect();
        derived.map(Self).ok_or(Error::Signature)
    }

    pub(crate) fn primary(&self) -> &::fernet::Fernet {
        &self.0[0].cipher
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = &::fernet::Fernet> {
        self.0.iter().map(|key| &key.cipher)
    }
}

impl Keys for KeySet {
    fn same_as(&self, other: &Self) -> bool {
        let text = |key: &Key| (key.number, key.text.clone());
        self.0.iter().map(text).eq(other.0.iter().map(text))
    }

    /// Rotation adds keys and drops the oldest; a new repository replaces all. A set that shrank,
    /// or lacks a key while it has an older one, is more likely half copied.
    fn may_follow(&self, before: &Self) -> bool {
        let here = |key: &&Key| self.0.iter().any(|other| other.text == key.text);
        let (kept, lost): (Vec<_>, Vec<_>) = before.0.iter().partition(here);
        let oldest_kept = kept.iter().map(|key| key.creation_order()).min();
        let newest_lost = lost.iter().map(|key| key.creation_order()).max();
        let in_order = oldest_kept.is_none() || newest_lost < oldest_kept;
        self.len() >= before.len() && in_order
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|key| key.number))
            .finish()
    }
}

/// A code for numbered keys: a MAC of a constant under all of them, of which nothing can be told without them.
pub(crate) fn code<'a>(keys: impl Iterator<Item = (u64, &'a [u8])>) -> String {
    let mut all = Vec::new();
    for (number, key) in keys {
        all.extend(number.to_be_bytes());
        all.extend(key.len().to_be_bytes());
        all.extend(key);
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, &all);
    let code = hmac::sign(&key, b"keystone key set");
    hex::encode(&code.as_ref()[..8])
}

/// The bytes of a key's text.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim().replace('+', "-").replace('/', "_");
    KEY_TEXT.decode(bare).ok()
}

/// A new key as text.
pub(crate) fn new_key() -> Result<String> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(Error::Entropy)?;
    Ok(BASE64_URL_SAFE.encode(key))
}
