//! Message authentication codes, and their comparison.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

pub(crate) fn sha1(key: &[u8], message: &[u8]) -> Vec<u8> {
    code::<Hmac<Sha1>>(key, message)
}

pub(crate) fn sha224(key: &[u8], message: &[u8]) -> Vec<u8> {
    code::<Hmac<Sha224>>(key, message)
}

pub(crate) fn sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    code::<Hmac<Sha256>>(key, message)
}

pub(crate) fn sha384(key: &[u8], message: &[u8]) -> Vec<u8> {
    code::<Hmac<Sha384>>(key, message)
}

pub(crate) fn sha512(key: &[u8], message: &[u8]) -> Vec<u8> {
    code::<Hmac<Sha512>>(key, message)
}

fn code<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Compares two signatures as texts, in a time that does not tell where they differ.
pub(crate) fn same(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}
