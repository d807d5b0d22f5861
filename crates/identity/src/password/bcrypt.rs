//! `$2b$` and passlib's `$bcrypt-sha256$`.

use ::bcrypt::BASE_64;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::Error;
use super::phc::parameter;
use super::scheme::random;

/// The longest key that bcrypt uses.
pub(super) const KEY_BYTES: usize = 72;

/// The costs that bcrypt is defined for.
pub(super) const COSTS: std::ops::RangeInclusive<u32> = 4..=31;

pub(super) const SHA256_PREFIX: &str = "$bcrypt-sha256$";

/// Writes `$2b$`; the password has fewer than [`KEY_BYTES`].
pub(super) fn write(password: &[u8], cost: u32) -> Result<String, Error> {
    let salt = random::<16>()?;
    let digest = digest(password, cost, salt);
    Ok(format!(
        "$2b${cost:02}${}{}",
        BASE_64.encode(salt),
        BASE_64.encode(digest)
    ))
}

pub(super) fn write_sha256(password: &[u8], cost: u32) -> Result<String, Error> {
    let salt = random::<16>()?;
    let text = BASE_64.encode(salt);
    let digest = BASE_64.encode(digest(&prehash(password, &text), cost, salt));
    Ok(format!("{SHA256_PREFIX}v=2,t=2b,r={cost}${text}${digest}"))
}

/// Writes `$bcrypt-sha256$` for a server with `password_hash_algorithm = bcrypt`, where Python
/// Keystone verifies the first `cut` bytes against every format. The digest is therefore of those bytes; the parameter
/// `whole`, which Python Keystone ignores, has the digest of the whole password.
pub(super) fn write_long(password: &[u8], cut: usize, cost: u32) -> Result<String, Error> {
    let salt = random::<16>()?;
    let text = BASE_64.encode(salt);
    let [whole, start] = [password, &password[..password.len().min(cut)]]
        .map(|secret| BASE_64.encode(digest(&prehash(secret, &text), cost, salt)));
    Ok(format!(
        "{SHA256_PREFIX}v=2,t=2b,r={cost},whole={whole}${text}${start}"
    ))
}

/// Verifies `$2b$`, which looks at no more than [`KEY_BYTES`].
pub(super) fn verify(password: &[u8], hash: &str) -> Result<bool, Error> {
    let (cost, salt, expected) = parse(hash).ok_or(Error::Unreadable("malformed bcrypt"))?;
    Ok(digest(password, cost, salt).ct_eq(&expected).into())
}

pub(super) fn verify_sha256(password: &[u8], hash: &str) -> Result<bool, Error> {
    let (cost, salt, expected) =
        parse_sha256(hash).ok_or(Error::Unreadable("malformed bcrypt-sha256"))?;
    let key = prehash(password, salt);
    let salt = bytes(salt).ok_or(Error::Unreadable("malformed bcrypt-sha256"))?;
    Ok(digest(&key, cost, salt).ct_eq(&expected).into())
}

fn digest(password: &[u8], cost: u32, salt: [u8; 16]) -> [u8; 23] {
    let mut key = password.to_vec();
    key.push(0);
    key.truncate(KEY_BYTES);
    let digest = ::bcrypt::bcrypt(cost, salt, &key);
    let mut kept = [0; 23];
    kept.copy_from_slice(&digest[..23]);
    kept
}

/// The key that `$bcrypt-sha256$` gives to bcrypt: an HMAC of the password under the text of the salt, not its bytes.
fn prehash(password: &[u8], salt: &str) -> Vec<u8> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(salt.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(password);
    STANDARD.encode(mac.finalize().into_bytes()).into_bytes()
}

fn parse(hash: &str) -> Option<(u32, [u8; 16], [u8; 23])> {
    let fields: Vec<&str> = hash.split('$').collect();
    let ["", "2a" | "2b" | "2x" | "2y", cost, tail] = fields[..] else {
        return None;
    };
    let (salt, digest) = tail.split_at_checked(22)?;
    Some((self::cost(cost)?, bytes(salt)?, bytes(digest)?))
}

fn parse_sha256(hash: &str) -> Option<(u32, &str, [u8; 23])> {
    let fields: Vec<&str> = hash.strip_prefix(SHA256_PREFIX)?.split('$').collect();
    let [parameters, salt, digest] = fields[..] else {
        return None;
    };
    let known =
        parameter(parameters, "v")? == "2" && matches!(parameter(parameters, "t")?, "2a" | "2b");
    known.then_some(())?;
    let digest = parameter(parameters, "whole").unwrap_or(digest);
    Some((cost(parameter(parameters, "r")?)?, salt, bytes(digest)?))
}

fn cost(text: &str) -> Option<u32> {
    text.parse().ok().filter(|cost| COSTS.contains(cost))
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE_64.decode(text).ok()?.try_into().ok()
}
