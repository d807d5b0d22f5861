//! Filters of searches (RFC 4515), with everything escaped that is not the operator's own.

use std::fmt::Write;

/// What a list is asked for, of which the directory itself can find it. The names are compared as the attribute's
/// matching rule has it, mostly without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The name is this one.
    NameIs(String),
    /// The name has this in it.
    NameContains(String),
    /// The name begins with this.
    NameStartsWith(String),
    /// The name ends with this.
    NameEndsWith(String),
}

impl Filter {
    /// The filter, where `name` is the attribute with the name.
    pub(crate) fn render(&self, name: &str) -> String {
        let (before, text, after) = match self {
            Self::NameIs(text) => return equals(name, text.as_bytes()),
            Self::NameContains(text) => ("*", text, "*"),
            Self::NameStartsWith(text) => ("", text, "*"),
            Self::NameEndsWith(text) => ("*", text, ""),
        };
        if text.is_empty() {
            return present(name);
        }
        format!("({name}={before}{}{after})", escape(text.as_bytes()))
    }
}

/// `(name=value)`.
pub(crate) fn equals(name: &str, value: &[u8]) -> String {
    format!("({name}={})", escape(value))
}

/// `(name=*)`.
pub(crate) fn present(name: &str) -> String {
    format!("({name}=*)")
}

/// All of some filters.
pub(crate) fn all<'a>(filters: impl IntoIterator<Item = &'a str>) -> String {
    format!("(&{})", filters.into_iter().collect::<String>())
}

/// Any of some filters.
pub(crate) fn any<'a>(filters: impl IntoIterator<Item = &'a str>) -> String {
    format!("(|{})", filters.into_iter().collect::<String>())
}

/// Whether a text is the name of an attribute, perhaps with options.
pub(crate) fn is_attribute(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.;".contains(&byte);
    text.bytes().all(allowed) && ldap3::parse_filter(present(text)).is_ok()
}

/// How many parentheses may be within one another. The parser calls itself for each.
const DEEPEST: usize = 100;

/// What is wrong with a text that is not one filter in parentheses.
pub(crate) fn check(text: &str) -> Result<(), &'static str> {
    if depth(text) > DEEPEST {
        return Err("has more than 100 parentheses within one another");
    }
    if !text.starts_with('(') || ldap3::parse_filter(text).is_err() {
        return Err("is no filter in parentheses (RFC 4515)");
    }
    Ok(())
}

/// How many parentheses are open at most. Values have theirs escaped.
fn depth(text: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' => open += 1,
            b')' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

fn escape(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    // What is no UTF-8 is escaped byte by byte.
    for chunk in value.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '\\' | '*' | '(' | ')' | '\0' => escape_byte(&mut text, letter as u8),
                _ => text.push(letter),
            }
        }
        for byte in chunk.invalid() {
            escape_byte(&mut text, *byte);
        }
    }
    text
}

fn escape_byte(text: &mut String, byte: u8) {
    write!(text, "\\{byte:02x}").expect("a String takes every text");
}
