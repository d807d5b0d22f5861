//! What Python's `str()`, truth and literals make of a value, as far as checks can tell.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Number, Value};

const KEYWORDS: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
    "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
    "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// `str(value)`.
pub(crate) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed("None"),
        Value::Bool(true) => Cow::Borrowed("True"),
        Value::Bool(false) => Cow::Borrowed("False"),
        Value::String(text) => Cow::Borrowed(text),
        Value::Number(number) => Cow::Owned(number_text(number)),
        Value::Array(_) | Value::Object(_) => {
            let mut out = String::new();
            repr(value, &mut out);
            Cow::Owned(out)
        }
    }
}

/// `bool(value)`.
pub(crate) fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// `str()` of the literal that `source` spells, if it spells one.
pub(crate) fn literal(source: &str) -> Option<String> {
    let source = source.trim_start_matches([' ', '\t']);
    if matches!(source, "None" | "True" | "False") {
        return Some(source.to_owned());
    }
    for quote in ['\'', '"'] {
        let inner = source
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            let plain = !inner.contains([quote, '\\', '\n']);
            return plain.then(|| inner.to_owned());
        }
    }
    number_literal(source)
}

fn number_literal(source: &str) -> Option<String> {
    let source = &ungrouped(source)?;
    let (sign, digits) = match source.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", source.strip_prefix('+').unwrap_or(source)),
    };
    let number = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+');
    if digits.starts_with(['-', '+']) || !digits.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let zero = digits.bytes().all(|byte| byte == b'0');
        return match (zero, digits.starts_with('0')) {
            (true, _) => Some("0".to_owned()),
            (false, true) => None,
            (false, false) => Some(format!("{sign}{digits}")),
        };
    }
    let value: f64 = digits.chars().all(number).then(|| digits.parse().ok())??;
    Some(format!("{sign}{}", float_text(value)))
}

/// Drops the underscores that may stand between digits.
fn ungrouped(source: &str) -> Option<Cow<'_, str>> {
    if !source.contains('_') {
        return Some(Cow::Borrowed(source));
    }
    let digits = |group: &str| {
        let ends = [group.chars().next(), group.chars().last()];
        ends.iter().all(|c| c.is_some_and(|c| c.is_ascii_digit()))
    };
    let grouped = source.trim_start_matches(['-', '+']).split('_').all(digits);
    grouped.then(|| Cow::Owned(source.replace('_', "")))
}

/// Whether Python reads `kind` as an expression that is no literal, which makes it a path.
pub(crate) fn is_path(kind: &str) -> bool {
    kind.split('-').all(|operand| {
        let number = operand.bytes().all(|byte| byte.is_ascii_digit())
            && !operand.is_empty()
            && (!operand.starts_with('0') || operand == "0");
        number || operand.split('.').all(is_identifier)
    })
}

fn is_identifier(word: &str) -> bool {
    let mut letters = word.chars();
    letters
        .next()
        .is_some_and(|c| c == '_' || c.is_alphabetic())
        && letters.all(|c| c == '_' || c.is_alphanumeric())
        && !KEYWORDS.contains(&word)
}

fn number_text(number: &Number) -> String {
    if number.is_f64() {
        number.as_f64().map(float_text).unwrap_or_default()
    } else {
        number.to_string()
    }
}

/// The shortest digits, with an exponent below 1e-4 and from 1e16 on.
pub(crate) fn float_text(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let short = format!("{value:e}");
    let (digits, exponent) = short.split_once('e').unwrap_or((&short, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{value}");
    if plain.contains('.') {
        plain
    } else {
        plain + ".0"
    }
}

fn repr(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => quoted(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                repr(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                quoted(key, out);
                out.push_str(": ");
                repr(item, out);
            }
            out.push('}');
        }
        simple => out.push_str(&text(simple)),
    }
}

fn quoted(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if letter == quote => out.extend(['\\', letter]),
            letter if u32::from(letter) < 0x20 || u32::from(letter) == 0x7f => {
                // Writing to a string does not fail.
                let _ = write!(out, "\\x{:02x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push(quote);
}
