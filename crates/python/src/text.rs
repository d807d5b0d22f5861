//! Functions of Python and oslo.utils on texts.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::json::{self, Unit};

/// `repr(text)`: single quotes unless only they would need escaping.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_quoted(text, &mut out);
    out
}

pub(crate) fn push_quoted(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for unit in json::units(text) {
        let character = match unit {
            Unit::Char(character) => character,
            Unit::Surrogate(code) => {
                push_escape(code.into(), out);
                continue;
            }
        };
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            _ if character == quote => out.extend(['\\', quote]),
            _ if is_printable(character) => out.push(character),
            _ => push_escape(u32::from(character), out),
        }
    }
    out.push(quote);
}

/// `ascii(text)`: its `repr` with an escape for all that is not ASCII.
pub(crate) fn ascii(text: &str) -> String {
    let mut out = String::new();
    for character in quote(text).chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            push_escape(u32::from(character), &mut out);
        }
    }
    out
}

fn push_escape(code: u32, out: &mut String) {
    let written = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
    written.expect("a String takes what is written");
}

/// `str.isprintable` of one character.
fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    // Behind the first character of a text, Rust escapes the same categories as Python: C and Z.
    let behind_another: String = ['a', character].iter().collect();
    behind_another.escape_debug().count() == 2
}

/// `str.isspace` of one character: Unicode's white space and the four separators of ASCII.
pub fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\x1c'..='\x1f').contains(&character)
}

/// Reads yes or no as `oslo_utils.strutils.bool_from_string` does; for what is neither, that has a default.
pub fn bool_from_string(text: &str) -> Option<bool> {
    match text.trim_matches(is_space).to_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
        _ => None,
    }
}

/// The 32 digits of what `oslo_utils.uuidutils.is_uuid_like` takes for a UUID: hyphens anywhere, braces, `urn:uuid:`.
///
/// `uuid.UUID` itself also takes what `int` takes beside digits (`0x`, blanks, underscores), and loses it.
pub fn uuid_digits(text: &str) -> Option<String> {
    let bare = text.replace("urn:", "").replace("uuid:", "");
    let digits = bare.trim_matches(['{', '}']).replace('-', "");
    let is_uuid = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_uuid.then_some(digits)
}

/// `urllib.parse.quote(text, safe="")`: percent signs and digits for all but letters, digits and `_.-~`.
pub fn percent_encode(text: &str) -> String {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'_')
        .remove(b'.')
        .remove(b'-')
        .remove(b'~');
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// `urllib.parse.quote_plus(text)`: a value as forms and query strings hold it.
pub fn quote_plus(text: &str) -> String {
    percent_encode(text).replace("%20", "+")
}
