//! JSON as Python reads and writes it, which is more than [`serde_json::Value`] has a place for: `NaN` and infinities,
//! integers of any size, lone surrogates, and nesting without end.
//!
//! A value without a place is kept in a string behind U+10FFFF, a character that no text uses; where it is a
//! text's own, the reader doubles it. So nothing is lost between [`read`] and [`write()`], and no other JSON of this
//! process is changed, as it would be by a feature of `serde_json`.

mod encoding;
mod read;
mod serialize;
mod write;

use std::borrow::Cow;

use serde_json::Value;

pub use encoding::decoded;
pub use read::{MAX_DEPTH, Unreadable, read};
pub use serialize::{append_serialized, append_with};
pub use write::{append, append_object, write};

/// Begins what only Python has. Alone or doubled it is itself.
const ESCAPE: char = '\u{10ffff}';

/// Behind [`ESCAPE`], and above it, in place of each lone surrogate.
const SURROGATES: std::ops::RangeInclusive<char> = '\u{f0000}'..='\u{f07ff}';

/// [`ESCAPE`] and the next character: the rest of the string is the JSON text of a value, not a string.
const VERBATIM: &str = "\u{10ffff}\u{f0800}";

/// The name of a member that holds a text which was to be an object and can't be read.
pub const UNREADABLE: &str = "\u{10ffff}\u{f0801}";

/// The JSON text of a value that stands in a string because `serde_json` has no place for it: `NaN`, `[[…]]`.
pub fn verbatim(text: &str) -> Option<&str> {
    text.strip_prefix(VERBATIM)
}

/// The JSON type of a value, also of one that is kept in a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number without a fraction, as Python's `float.is_integer` sees it.
    Integer,
    /// Any other number, `NaN` and the infinities too.
    Number,
    /// A text.
    String,
    /// A list.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The kind of a value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(number) => match number.as_f64() {
                Some(float) if float.fract() == 0.0 => Self::Integer,
                _ => Self::Number,
            },
            Value::String(text) => verbatim(text).map_or(Self::String, Self::of_text),
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }

    fn of_text(text: &str) -> Self {
        match text.bytes().next_back() {
            Some(b'}') => Self::Object,
            Some(b']') => Self::Array,
            Some(b'0'..=b'9') => Self::Integer,
            _ => Self::Number,
        }
    }
}

/// Whether there is no `NaN` and no infinity in a value, which `json.dumps` refuses with `allow_nan=False`.
pub fn is_finite(value: &Value) -> bool {
    match value {
        // Also says no to such a word in a text that lies too deep to be held as one.
        Value::String(text) => {
            verbatim(text).is_none_or(|json| !json.contains("NaN") && !json.contains("Infinity"))
        }
        Value::Array(items) => items.iter().all(is_finite),
        Value::Object(members) => members.values().all(is_finite),
        _ => true,
    }
}

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A character.
    Char(char),
    /// A lone surrogate, which is a character in Python.
    Surrogate(u16),
}

/// The characters of a text as Python has them.
pub fn units(text: &str) -> impl Iterator<Item = Unit> {
    let mut chars = text.chars().peekable();
    std::iter::from_fn(move || {
        let next = chars.next()?;
        if next != ESCAPE {
            return Some(Unit::Char(next));
        }
        match chars.peek() {
            Some(&ESCAPE) => {
                chars.next();
                Some(Unit::Char(ESCAPE))
            }
            Some(&code) if SURROGATES.contains(&code) => {
                chars.next();
                let offset = u32::from(code) - u32::from(*SURROGATES.start());
                Some(Unit::Surrogate(
                    u16::try_from(0xd800 + offset).unwrap_or(0xfffd),
                ))
            }
            _ => Some(Unit::Char(ESCAPE)),
        }
    })
}

/// The text that is meant; none for one with a lone surrogate, which no encoding has, and for a value that is no text.
pub fn plain(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(ESCAPE) {
        return Some(text.into());
    }
    if verbatim(text).is_some() {
        return None;
    }
    let chars = units(text).map(|unit| match unit {
        Unit::Char(c) => Some(c),
        Unit::Surrogate(_) => None,
    });
    chars.collect::<Option<String>>().map(Cow::Owned)
}

#[cfg(test)]
mod tests;
