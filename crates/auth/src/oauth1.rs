//! `OAuth1`: a user delegates roles on a project to a consumer, which signs its requests.
//!
//! A consumer asks for a request token, a user authorizes it, the consumer exchanges it for an access token, and logs in
//! with that (`crate::methods::oauth1`). What is checked, and in which order, is Keystone's `keystone/api/os_oauth1.py`
//! and oauthlib's.

mod access_token;
mod consumer;
mod header;
mod request_token;
mod signature;
mod signed_request;

use keystone_python::parse_isotime;
use keystone_types::{Clock, Error, Result};

pub(crate) use access_token::as_unauthorized;
pub use access_token::{AccessToken, Issued, RoleIds};
pub use consumer::{Consumer, NewConsumer};
pub(crate) use signed_request::Breach;
pub use signed_request::SignedRequest;

/// Letters and digits without those that look alike.
const VERIFIER_CHARACTERS: &[u8] = b"abcdefghkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const VERIFIER_LENGTH: usize = 8;

/// 401 for a token that has ended.
pub(crate) fn check_life(kind: &str, expires_at: Option<&str>, clock: &Clock) -> Result<()> {
    let Some(text) = expires_at.filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    let end = parse_isotime(text);
    let end = end.ok_or_else(|| {
        Error::internal(format!(
            "corrupt row: a token of OAuth1 expires at {text:?}"
        ))
    })?;
    if clock.precise() > end {
        return Err(Error::unauthorized(format!("{kind} is expired")));
    }
    Ok(())
}
