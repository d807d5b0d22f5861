//! The encodings that Python's `json.loads` takes bytes for.

use std::borrow::Cow;

/// The UTF-8 of a JSON text in any encoding of Unicode, told by its first bytes as `json.detect_encoding` does. What is
/// wrong in it stays wrong, for the reader to refuse.
pub fn decoded(bytes: &[u8]) -> Cow<'_, [u8]> {
    let wide = |width: usize, big_endian: bool, skip: usize| {
        let units = bytes[skip..].chunks(width).map(move |chunk| {
            let digit = |unit: u32, byte: &u8| unit << 8 | u32::from(*byte);
            match (chunk.len() == width, big_endian) {
                (false, _) => u32::MAX,
                (true, true) => chunk.iter().fold(0, digit),
                (true, false) => chunk.iter().rev().fold(0, digit),
            }
        });
        Cow::Owned(utf8(units))
    };
    match *bytes {
        [0, 0, 0xfe, 0xff, ..] => wide(4, true, 4),
        [0xff, 0xfe, 0, 0, ..] => wide(4, false, 4),
        [0xfe, 0xff, ..] => wide(2, true, 2),
        [0xff, 0xfe, ..] => wide(2, false, 2),
        [0xef, 0xbb, 0xbf, ref rest @ ..] => Cow::Borrowed(rest),
        [0, 0, _, _, ..] => wide(4, true, 0),
        [0, _, _, _, ..] | [0, _] => wide(2, true, 0),
        [_, 0, 0, 0, ..] => wide(4, false, 0),
        [_, 0, _, _, ..] | [_, 0] => wide(2, false, 0),
        _ => Cow::Borrowed(bytes),
    }
}

/// Joins pairs of surrogates; a lone one is written as if it were a character, and what is none as a byte that UTF-8
/// does not have.
fn utf8(units: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut units = units.peekable();
    while let Some(unit) = units.next() {
        let low = units.peek().filter(|low| (0xdc00..0xe000).contains(*low));
        let code = match (unit, low) {
            (0xd800..0xdc00, Some(low)) => {
                let pair = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                units.next();
                pair
            }
            _ => unit,
        };
        match (char::from_u32(code), u16::try_from(code)) {
            (Some(c), _) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            (None, Ok(code)) => {
                let [high, low] =
                    [code >> 6 & 0x3f, code & 0x3f].map(|bits| 0x80 | bits.to_le_bytes()[0]);
                out.extend([0xed, high, low]);
            }
            (None, Err(_)) => out.push(0xff),
        }
    }
    out
}
