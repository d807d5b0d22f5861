//! From values to text.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

use super::{KEPT, Unit, read, units, verbatim};

/// Writes a value as Python's `json.dumps` does: `", "` and `": "` between items, ASCII only.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    append(value, &mut out);
    out
}

/// Writes a number as Python does, which is not how Rust writes large and small ones.
pub fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.unsigned_abs());
    }
    let mut plain = value.to_string();
    if !plain.contains('.') {
        plain.push_str(".0");
    }
    plain
}

/// Writes a value behind a text, as [`write()`] does.
pub fn append(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => push_number(number, out),
        Value::String(text) => match verbatim(text).and_then(read::respelt) {
            Some(json) => out.push_str(&json),
            None => push_string(text, out),
        },
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
        Value::Object(members) => push_object(members, out),
    }
}

pub(crate) fn push_object(members: &Map<String, Value>, out: &mut String) {
    out.push('{');
    let shown = members.iter().filter(|(name, _)| *name != KEPT);
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

fn push_number(number: &Number, out: &mut String) {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(value) => out.push_str(&float(value)),
        None => push_formatted(out, format_args!("{number}")),
    }
}

pub(super) fn push_string(text: &str, out: &mut String) {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
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
        Unit::Half(half) => {
            push_formatted(out, format_args!("\\u{half:04x}"));
            return;
        }
    };
    out.push_str(short);
}

fn push_formatted(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes what is written");
}
