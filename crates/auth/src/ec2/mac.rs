//! Message authentication codes, and their comparison.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

pub(super) fn sha1(key: &[u8], message: &[u8]) -> Vec<u8> {
    code::<Hmac<Sha1>>(key, message)
}

pub(super) fn sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    code::<Hmac<Sha256>>(key, message)
}

fn code<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Compares two signatures as texts, in a time that does not tell where they differ.
pub(super) fn same(given: &str, expected: &str) -> bool {
    given.as_bytes().ct_eq(expected.as_bytes()).into()
}
