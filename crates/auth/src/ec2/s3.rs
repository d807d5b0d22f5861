//! The signatures of S3's protocol, versions 1 and 4, as `keystone/api/s3tokens.py` computes them: over a text that the
//! service has put together from the request.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD};
use keystone_types::{Error, Result, Secret};

use super::claim::{Claim, missing};
use super::v4;
use crate::mac;

/// 401 unless the claim's signature is the one of the holder of the secret.
pub(super) fn check(claim: &Claim, secret: &Secret) -> Result<()> {
    let signed = decode(&claim.shown("token")?).ok_or_else(|| missing("token"))?;
    let given = claim.signature()?;
    let expected = if signed.starts_with(b"AWS4") {
        version_4(&signed, secret)?
    } else {
        STANDARD.encode(mac::sha1(secret.reveal().as_bytes(), &signed))
    };
    if mac::same(&given, &expected) {
        Ok(())
    } else {
        Err(wrong())
    }
}

fn version_4(signed: &[u8], secret: &Secret) -> Result<String> {
    let lines: Vec<&[u8]> = signed.split(|byte| *byte == b'\n').collect();
    let [b"AWS4-HMAC-SHA256", _, scope, _] = lines[..] else {
        return Err(wrong());
    };
    let scope: Vec<&[u8]> = scope.split(|byte| *byte == b'/').collect();
    let [
        date,
        region,
        service @ (b"s3" | b"iam" | b"sts"),
        b"aws4_request",
    ] = scope[..]
    else {
        return Err(wrong());
    };
    let key = v4::signing_key(secret, date, region, service);
    Ok(hex::encode(mac::sha256(&key, signed)))
}

fn wrong() -> Error {
    Error::unauthorized("the S3 signature is wrong")
}

/// `base64.urlsafe_b64decode(text)`, which takes both alphabets, skips what is in neither, and ends at the padding.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    const ENGINE: GeneralPurpose =
        GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));
    if !text.is_ascii() {
        return None;
    }
    let mut digits = String::with_capacity(text.len());
    let mut padding = 0;
    for character in text.chars() {
        let digit = match character {
            '+' => '-',
            '/' => '_',
            'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '_' => character,
            '=' => {
                padding += 1;
                let place = digits.len() % 4;
                if place >= 2 && place + padding >= 4 {
                    return ENGINE.decode(digits).ok();
                }
                continue;
            }
            _ => continue,
        };
        digits.push(digit);
        padding = 0;
    }
    // Without padding only whole groups are complete.
    let is_whole = digits.len().is_multiple_of(4);
    is_whole.then(|| ENGINE.decode(digits).ok()).flatten()
}
