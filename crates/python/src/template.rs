//! `str.format` with positional values, each of which is a text or a list of texts.
//!
//! Not offered, though Python does: attributes of values (`{0.__class__}`), which are Python's own objects, and values
//! in format specifications (`{0:{1}}`), which would let a value decide on the format.

use crate::format::MAX_WIDTH;
use crate::text::{ascii, quote};

/// A template, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template<'t> {
    pieces: Vec<Piece<'t>>,
}

/// Why a template has no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `IndexError`: there is no such value.
    #[error("a field has no value")]
    OutOfRange,
    /// What Python refuses with another error, and what is not offered.
    #[error("{0}")]
    Malformed(&'static str),
}

type Result<T> = std::result::Result<T, TemplateError>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece<'t> {
    /// One character in a row, or all up to the next brace.
    Text(&'t str),
    Field(Field),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    index: usize,
    /// `[1]`, `[0][2]`
    items: Vec<usize>,
    conversion: Option<char>,
    spec: Option<Spec>,
}

/// A format specification that is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spec {
    fill: char,
    align: char,
    width: usize,
    precision: usize,
}

/// How the fields of a template are numbered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbering {
    Undecided,
    Automatic(usize),
    Manual,
}

impl<'t> Template<'t> {
    /// Reads a template.
    pub fn parse(template: &'t str) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut numbering = Numbering::Undecided;
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, after) = rest.split_at(at);
            if !before.is_empty() {
                pieces.push(Piece::Text(before));
            }
            let brace = &after[..1];
            rest = &after[1..];
            if let Some(tail) = rest.strip_prefix(brace) {
                pieces.push(Piece::Text(brace));
                rest = tail;
                continue;
            }
            if brace == "}" {
                return Err(TemplateError::Malformed("a single '}'"));
            }
            let end = rest.find(['{', '}']);
            let Some((field, tail)) = end.and_then(|end| {
                let field = &rest[..end];
                rest[end..].strip_prefix('}').map(|tail| (field, tail))
            }) else {
                return Err(TemplateError::Malformed(
                    "a field is not closed, or holds another",
                ));
            };
            pieces.push(Piece::Field(Field::parse(field, &mut numbering)?));
            rest = tail;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest));
        }
        Ok(Self { pieces })
    }

    /// The index of the value that is all of the text: `{0}`.
    pub fn lone_index(&self) -> Option<usize> {
        match &self.pieces[..] {
            [Piece::Field(field)] if field.is_bare() => Some(field.index),
            _ => None,
        }
    }

    /// The text with the values: a list of one is its text, every other list stands as Python prints it.
    pub fn render(&self, values: &[Vec<String>]) -> Result<String> {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Field(field) => field.render(values, &mut out)?,
            }
        }
        Ok(out)
    }
}

impl Field {
    fn is_bare(&self) -> bool {
        self.items.is_empty() && self.conversion.is_none() && self.spec.is_none()
    }

    fn parse(text: &str, numbering: &mut Numbering) -> Result<Self> {
        let (name, rest) = text.split_at(text.find(['!', ':']).unwrap_or(text.len()));
        let (rest, conversion) = match rest.strip_prefix('!') {
            None => (rest, None),
            Some(after) => {
                let mut chars = after.chars();
                let conversion = chars.next().filter(|c| matches!(c, 'a' | 'r' | 's'));
                let conversion =
                    conversion.ok_or(TemplateError::Malformed("an unknown conversion"))?;
                (chars.as_str(), Some(conversion))
            }
        };
        let spec = match rest.strip_prefix(':') {
            Some(spec) => Spec::parse(spec)?,
            None if rest.is_empty() => None,
            None => {
                return Err(TemplateError::Malformed(
                    "expected ':' after the conversion",
                ));
            }
        };
        let (index, mut more) = name.split_at(name.find(['[', '.']).unwrap_or(name.len()));
        let mut items = Vec::new();
        while !more.is_empty() {
            let item = more.strip_prefix('[').and_then(|item| item.split_once(']'));
            let (item, tail) =
                item.ok_or(TemplateError::Malformed("attributes are not offered"))?;
            items.push(number(item)?);
            more = tail;
        }
        Ok(Self {
            index: numbering.next(index)?,
            items,
            conversion,
            spec,
        })
    }

    fn render(&self, values: &[Vec<String>], out: &mut String) -> Result<()> {
        let values = values.get(self.index).ok_or(TemplateError::OutOfRange)?;
        let mut items = self.items.iter();
        let mut text = match &values[..] {
            [one] => one.clone(),
            list => match items.next() {
                Some(item) => list.get(*item).ok_or(TemplateError::OutOfRange)?.clone(),
                None => return self.render_list(list, out),
            },
        };
        for item in items {
            let character = text.chars().nth(*item).ok_or(TemplateError::OutOfRange)?;
            text = character.to_string();
        }
        let text = match self.conversion {
            Some('r') => quote(&text),
            Some('a') => ascii(&text),
            _ => text,
        };
        self.write(&text, out);
        Ok(())
    }

    fn render_list(&self, list: &[String], out: &mut String) -> Result<()> {
        if self.spec.is_some() && self.conversion.is_none() {
            return Err(TemplateError::Malformed("a list takes no format"));
        }
        let item = match self.conversion {
            Some('a') => ascii,
            _ => quote,
        };
        let items: Vec<String> = list.iter().map(|text| item(text)).collect();
        self.write(&format!("[{}]", items.join(", ")), out);
        Ok(())
    }

    fn write(&self, text: &str, out: &mut String) {
        let Some(spec) = &self.spec else {
            out.push_str(text);
            return;
        };
        let length = text.chars().count().min(spec.precision);
        let padding = spec.width.saturating_sub(length);
        let before = match spec.align {
            '>' => padding,
            '^' => padding / 2,
            _ => 0,
        };
        out.extend(std::iter::repeat_n(spec.fill, before));
        out.extend(text.chars().take(length));
        out.extend(std::iter::repeat_n(spec.fill, padding - before));
    }
}

impl Spec {
    /// `[[fill]align][0][width][.precision][s]`, which is all that a text takes.
    fn parse(text: &str) -> Result<Option<Self>> {
        if text.is_empty() {
            return Ok(None);
        }
        let malformed = TemplateError::Malformed("a format that is not for texts");
        let is_align = |c: &char| matches!(c, '<' | '>' | '^');
        let mut chars = text.chars();
        let (first, second) = (chars.next(), chars.next());
        let (mut fill, align, rest) = match (first, second) {
            (Some(fill), Some(align)) if is_align(&align) => (Some(fill), align, chars.as_str()),
            (Some(align), _) if is_align(&align) => (None, align, &text[1..]),
            _ => (None, '<', text),
        };
        if rest.starts_with('0') && fill.is_none() {
            fill = Some('0');
        }
        let (width, rest) = digits(rest);
        let width = if width.is_empty() { 0 } else { number(width)? };
        let (precision, rest) = match rest.strip_prefix('.') {
            Some(rest) => {
                let (precision, rest) = digits(rest);
                (number(precision)?, rest)
            }
            None => (usize::MAX, rest),
        };
        if !matches!(rest, "" | "s") || width > MAX_WIDTH {
            return Err(malformed);
        }
        Ok(Some(Self {
            fill: fill.unwrap_or(' '),
            align,
            width,
            precision,
        }))
    }
}

impl Numbering {
    /// The index of a field with this name.
    fn next(&mut self, name: &str) -> Result<usize> {
        let mixed = TemplateError::Malformed("numbered fields and fields without a number");
        if name.is_empty() {
            let index = match *self {
                Self::Manual => return Err(mixed),
                Self::Undecided => 0,
                Self::Automatic(index) => index,
            };
            *self = Self::Automatic(index + 1);
            return Ok(index);
        }
        let index = number(name)?;
        if matches!(self, Self::Automatic(_)) {
            return Err(mixed);
        }
        *self = Self::Manual;
        Ok(index)
    }
}

fn digits(text: &str) -> (&str, &str) {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    text.split_at(text.len() - rest.len())
}

fn number(text: &str) -> Result<usize> {
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number);
    number.ok_or(TemplateError::Malformed("a field's name is not a number"))
}
