//! How Python writes a JSON value: the messages of the reference quote values in this form.

use std::fmt::Write;
use std::sync::LazyLock;

use keystone_types::json::{self, Unit};
use regex::Regex;
use serde_json::{Number, Value};

/// `repr(value)`.
pub(super) fn repr(value: &Value) -> String {
    let mut out = String::new();
    write_repr(&mut out, value);
    out
}

/// `str(value)`: text stands for itself, everything else as in [`repr`].
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) if json::verbatim(text).is_none() => text.clone(),
        other => repr(other),
    }
}

/// `repr(text)`: single quotes unless only they would need escaping.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_quoted(&mut out, text);
    out
}

/// `str.isspace` of one character: Unicode's white space and the four ASCII separators.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\x1c'..='\x1f').contains(&character)
}

fn write_repr(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => out.push_str(&self::number(number)),
        Value::String(text) => match json::verbatim(text) {
            Some("NaN") => out.push_str("nan"),
            Some(json) => out.push_str(&json.replace("Infinity", "inf")),
            None => write_quoted(out, text),
        },
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_repr(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_quoted(out, key);
                out.push_str(": ");
                write_repr(out, member);
            }
            out.push('}');
        }
    }
}

fn write_quoted(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for unit in json::units(text) {
        let character = match unit {
            Unit::Char(character) => character,
            Unit::Half(half) => {
                write_escape(out, half.into());
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
            _ => write_escape(out, u32::from(character)),
        }
    }
    out.push(quote);
}

fn write_escape(out: &mut String, code: u32) {
    // Writing to a String cannot fail.
    let _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

fn is_printable(character: char) -> bool {
    static HIDDEN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"[\p{C}\p{Z}]").expect("a constant pattern, compiled in the tests")
    });
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    !HIDDEN.is_match(character.encode_utf8(&mut [0; 4]))
}

fn number(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => json::float(float),
        _ => number.to_string(),
    }
}
