//! `totp`: a user with a time-based one-time password (RFC 6238), as in `keystone/auth/plugins/totp.py`.
//!
//! The secret is the blob of a credential of type `totp`, in base32; a user may have several. A code is good for its
//! half minute and `[totp] included_previous_windows` more, and may be used again until then.

use chrono::NaiveDateTime;
use keystone_types::{Error, Result, Secret};
use serde_json::Value;
use subtle::{Choice, ConstantTimeEq};

use super::Verified;
use crate::auth::Auth;
use crate::choice::{UserChoice, text};
use crate::login::Login;
use crate::mac;

pub(super) const NAME: &str = "totp";

/// The seconds that a code is for.
const WINDOW: i64 = 30;
/// The shortest secret, in bytes, for which Keystone's library makes codes.
const SHORTEST: usize = 16;

/// A user and the code.
#[derive(Debug)]
pub(crate) struct OneTimePassword {
    pub(super) user: UserChoice,
    pub(super) passcode: Secret,
}

impl OneTimePassword {
    pub(super) fn parse(data: &Value) -> Result<Self> {
        let user = data.get("user").and_then(Value::as_object);
        let user = user.ok_or_else(|| Error::expecting("user", "None"))?;
        let passcode = Secret::from(text(user, "passcode").unwrap_or_default());
        let choice = UserChoice::parse(user)?;
        // No schema has asked for this, unlike that of a password.
        if let UserChoice::Name(..) = choice
            && let Some(domain) = user.get("domain")
            && ["id", "name"].iter().all(|key| is_absent(&domain[key]))
        {
            return Err(Error::expecting("id or name", "domain"));
        }
        Ok(Self {
            user: choice,
            passcode,
        })
    }

    pub(super) async fn verify(self, auth: &Auth, login: &Login<'_>) -> Result<Verified> {
        let subject = auth.find_user(&self.user, login.announcer.as_ref()).await?;
        let id = &subject.user.id;
        let secrets = auth.credentials().secrets(id, NAME).await?;
        let (now, earlier) = (auth.clock.now(), auth.settings.totp_previous_windows);
        let given = self.passcode.reveal().as_bytes();
        // All of them, so that the time tells nothing about the one that fits.
        let fits = secrets.iter().fold(Choice::from(0), |fits, secret| {
            fits | is_code(given, secret, now, earlier)
        });
        if bool::from(fits) {
            return Ok(Verified::by(NAME, subject));
        }
        Err(Error::unauthorized(format!(
            "the one-time password of user {id} fits none of {} secrets",
            secrets.len()
        )))
    }
}

fn is_absent(value: &Value) -> bool {
    value.as_str().is_none_or(str::is_empty)
}

/// Whether this is a code of the secret now or in one of the earlier windows.
fn is_code(given: &[u8], secret: &Secret, now: NaiveDateTime, earlier: u32) -> Choice {
    let no = Choice::from(0);
    let key = from_base32(secret.reveal()).filter(|key| key.len() >= SHORTEST);
    let Some(key) = key else {
        tracing::debug!("a credential of type totp holds no secret in base32 of 16 bytes or more");
        return no;
    };
    let current = now.and_utc().timestamp() / WINDOW;
    (0..=i64::from(earlier)).fold(no, |fits, back| {
        let code = code(&key, current - back);
        fits | given.ct_eq(code.as_bytes())
    })
}

/// The six digits of a window.
fn code(key: &[u8], window: i64) -> String {
    let digest = mac::sha1(key, &window.to_be_bytes());
    let offset = usize::from(digest[19] & 15);
    let number = digest[offset..offset + 4]
        .iter()
        .fold(0, |number, byte| (number << 8) | u32::from(*byte));
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

/// Reads base32 as Python does once it has added the missing padding: capitals only, and bits left over are dropped.
fn from_base32(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len().next_multiple_of(8) - digits.len();
    if ![0, 1, 3, 4, 6].contains(&padding) {
        return None;
    }
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5) | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held).expect("at most 8 bits are held"));
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
