//! The `%` operator of Python's texts, as far as it takes its values from a mapping.

use std::borrow::Cow;

use crate::text::{ascii, quote};

/// A wider place than this is refused: it buys nothing but memory.
pub(crate) const MAX_WIDTH: usize = 255;

/// A piece of a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Stands for itself; `%` for `%%` too.
    Text(&'a str),
    /// A place for a value.
    Place(Place<'a>),
}

/// `%(key)s` and its kin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The key in parentheses; without a key the place is for the mapping itself.
    pub key: Option<&'a str>,
    /// Whether the conversion follows at once.
    bare: bool,
    left: bool,
    width: usize,
    precision: usize,
    conversion: char,
}

/// Where a format is no format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed<'a> {
    /// The key that Python looks up before it finds fault with the rest.
    pub key: Option<&'a str>,
}

/// The pieces of a format, up to the first that is wrong.
pub fn pieces(format: &str) -> impl Iterator<Item = Result<Piece<'_>, Malformed<'_>>> {
    let mut rest = format;
    std::iter::from_fn(move || {
        let start = rest.find('%').unwrap_or(rest.len());
        if rest.is_empty() || start > 0 {
            let (text, tail) = rest.split_at(start);
            rest = tail;
            return (!text.is_empty()).then_some(Ok(Piece::Text(text)));
        }
        let after = &rest[1..];
        if let Some(tail) = after.strip_prefix('%') {
            rest = tail;
            return Some(Ok(Piece::Text("%")));
        }
        let (key, tail) = match key(after) {
            Some((key, tail)) => (Some(key), tail),
            None => (None, after),
        };
        let place = place(key, tail);
        rest = place.map_or("", |(_, tail)| tail);
        Some(match place {
            Some((place, _)) => Ok(Piece::Place(place)),
            None => Err(Malformed { key }),
        })
    })
}

/// Splits `(key)…`, in which parentheses may nest.
fn key(after: &str) -> Option<(&str, &str)> {
    let inner = after.strip_prefix('(')?;
    let mut open = 1;
    for (at, character) in inner.char_indices() {
        match character {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some((&inner[..at], &inner[at + 1..]));
        }
    }
    None
}

/// Reads flags, width, precision, length and conversion. The numeric conversions are for numbers and `c` is for one
/// character, which no value here is.
fn place<'a>(key: Option<&'a str>, text: &'a str) -> Option<(Place<'a>, &'a str)> {
    let rest = text.trim_start_matches(['-', '+', ' ', '#', '0']);
    let left = text[..text.len() - rest.len()].contains('-');
    let (width, rest) = number(rest)?;
    let (precision, rest) = match rest.strip_prefix('.') {
        Some(rest) => number(rest)?,
        None => (usize::MAX, rest),
    };
    let rest = rest.strip_prefix(['h', 'l', 'L']).unwrap_or(rest);
    let after = rest.strip_prefix(['s', 'r', 'a'])?;
    let conversion = rest.chars().next()?;
    let place = Place {
        key,
        bare: text.starts_with(conversion),
        left,
        width,
        precision,
        conversion,
    };
    Some((place, after))
}

/// The number at the start, zero without one.
fn number(text: &str) -> Option<(usize, &str)> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = &text[..text.len() - rest.len()];
    let number = digits.bytes().try_fold(0, |number, digit| {
        let number = number * 10 + usize::from(digit - b'0');
        (number <= MAX_WIDTH).then_some(number)
    });
    Some((number?, rest))
}

impl Place<'_> {
    /// Whether it is written `%(key)s`.
    pub fn is_plain(&self) -> bool {
        self.key.is_some() && self.bare && self.conversion == 's'
    }

    /// Writes a text into the place.
    pub fn write(&self, value: &str, out: &mut String) {
        let value = match self.conversion {
            'r' => Cow::Owned(quote(value)),
            'a' => Cow::Owned(ascii(value)),
            _ => Cow::Borrowed(value),
        };
        let length = value.chars().count().min(self.precision);
        let padding = std::iter::repeat_n(' ', self.width.saturating_sub(length));
        if !self.left {
            out.extend(padding.clone());
        }
        out.extend(value.chars().take(length));
        if self.left {
            out.extend(padding);
        }
    }
}
