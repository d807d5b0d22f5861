//! From values to text.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{UNREADABLE, Unit, read, units, verbatim};
use crate::value::number_text;

/// Writes a value as Python's `json.dumps` does: `", "` and `": "` between items, ASCII only.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    append(value, &mut out);
    out
}

/// Writes a value behind a text, as [`write()`] does.
pub fn append(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::String(text) => push_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                append(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => append_object(members, out),
    }
}

/// Writes an object behind a text, without what stands under [`UNREADABLE`].
pub fn append_object(members: &Map<String, Value>, out: &mut String) {
    out.push('{');
    let shown = members.iter().filter(|(name, _)| *name != UNREADABLE);
    for (i, (name, value)) in shown.enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        push_string(name, out);
        out.push_str(": ");
        append(value, out);
    }
    out.push('}');
}

/// Writes a text, or the value that is kept in it, behind a text.
pub(super) fn push_text(text: &str, out: &mut String) {
    match verbatim(text).and_then(read::normalized) {
        Some(json) => out.push_str(&json),
        None => push_string(text, out),
    }
}

pub(super) fn push_string(text: &str, out: &mut String) {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    // The usual case, in a loop that looks at many bytes at once.
    if text.bytes().fold(true, |all, byte| all & is_plain(&byte)) {
        out.push_str(text);
        rest = "";
    }
    loop {
        let plain = rest.bytes().take_while(is_plain).count();
        let (head, tail) = rest.split_at(plain);
        out.push_str(head);
        let special = tail.bytes().take_while(|byte| !is_plain(byte)).count();
        let (special, tail) = tail.split_at(special);
        if special.is_empty() {
            break;
        }
        units(special).for_each(|unit| push_escaped(unit, out));
        rest = tail;
    }
    out.push('"');
}

fn push_escaped(unit: Unit, out: &mut String) {
    let short = match unit {
        Unit::Char('"') => "\\\"",
        Unit::Char('\\') => "\\\\",
        Unit::Char('\n') => "\\n",
        Unit::Char('\r') => "\\r",
        Unit::Char('\t') => "\\t",
        Unit::Char('\u{8}') => "\\b",
        Unit::Char('\u{c}') => "\\f",
        Unit::Char(c) => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                push_formatted(out, format_args!("\\u{unit:04x}"));
            }
            return;
        }
        Unit::Surrogate(code) => {
            push_formatted(out, format_args!("\\u{code:04x}"));
            return;
        }
    };
    out.push_str(short);
}

fn push_formatted(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes what is written");
}
