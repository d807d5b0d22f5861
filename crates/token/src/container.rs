//! The Fernet container around tokens and receipts.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::NaiveDateTime;

use crate::error::{Error, Result};
use crate::keys::KeySet;
use crate::msgpack::from_timestamp;

/// A "now" that makes the container's check for clock skew pass: Keystone makes no such check.
pub(crate) const NO_SKEW: u64 = u64::MAX - 60;
/// The number of characters that hold the marker byte and the timestamp.
const STAMP: usize = 12;

/// Seals a payload with the primary key, as made at `time`; the padding is left off.
pub(crate) fn seal(keys: &KeySet, payload: &[u8], time: NaiveDateTime) -> Result<String> {
    let seconds = time.and_utc().timestamp();
    let seconds = u64::try_from(seconds).map_err(|_| Error::NotRepresentable {
        field: "issued at",
        value: time.to_string(),
    })?;
    let mut sealed = keys.primary().encrypt_at_time(payload, seconds);
    sealed.truncate(sealed.trim_end_matches('=').len());
    Ok(sealed)
}

/// Opens what one of the keys has sealed, with or without padding.
pub(crate) fn open(keys: &KeySet, sealed: &str) -> Result<(Vec<u8>, NaiveDateTime)> {
    let payload = keys
        .each()
        .find_map(|key| key.decrypt_at_time(sealed, None, NO_SKEW).ok())
        .ok_or(Error::Unrecognized)?;
    Ok((payload, made_at(sealed)?))
}

fn made_at(sealed: &str) -> Result<NaiveDateTime> {
    let stamp = sealed
        .get(..STAMP)
        .and_then(|head| BASE64_URL_SAFE_NO_PAD.decode(head).ok());
    let seconds = stamp
        .and_then(|stamp| Some(u64::from_be_bytes(stamp.get(1..)?.try_into().ok()?)))
        .ok_or(Error::Unrecognized)?;
    from_timestamp(i64::try_from(seconds).map_err(|_| Error::Malformed("time"))?)
}
