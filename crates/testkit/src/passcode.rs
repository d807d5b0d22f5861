//! One-time passwords as a user's device shows them.

use chrono::NaiveDateTime;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// The six digits of a secret in base32 at a time (RFC 6238).
pub fn passcode(secret: &str, time: NaiveDateTime) -> String {
    let digits = secret.bytes().map(|digit| match digit {
        b'A'..=b'Z' => digit - b'A',
        b'2'..=b'7' => digit - b'2' + 26,
        other => panic!("{other} is no digit of base32"),
    });
    let bits: Vec<u8> = digits
        .flat_map(|digit| (0..5).rev().map(move |bit| (digit >> bit) & 1))
        .collect();
    let bytes = bits.chunks_exact(8);
    let key: Vec<u8> = bytes
        .map(|bits| bits.iter().fold(0, |byte, bit| (byte << 1) | bit))
        .collect();
    let mut mac = Hmac::<Sha1>::new_from_slice(&key).expect("HMAC takes a key of any length");
    mac.update(&(time.and_utc().timestamp() / 30).to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 15);
    let four = digest[offset..offset + 4].try_into();
    let number = u32::from_be_bytes(four.expect("four bytes")) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}
