//! The left side of a check: `ast.literal_eval` of Python, and names, as oslo.policy's `GenericCheck` tells them apart.

use std::borrow::Cow;

use keystone_python as python;

const KEYWORDS: &[&str] = &[
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
    "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
    "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

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
    Some(format!("{sign}{}", python::float(value)))
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
