//! The right side of a check, with its `%(key)s` places.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use serde_json::Value;

use crate::python;

/// A text in which `%(key)s` stands for a value of the target and `%%` for a percent sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Key(String),
    /// Python looks the key up, if it got that far, before it finds fault with the rest.
    Bad {
        key: Option<String>,
        reason: String,
    },
}

/// Why a template gives no text.
#[derive(Debug)]
pub(crate) enum Gap<'a> {
    /// The target has no such key: the check is false.
    Missing(&'a str),
    /// The template itself is wrong, which Python answers with an exception.
    Bad(&'a str),
}

impl Template {
    pub(crate) fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            parts: pieces(source),
        }
    }

    /// Whether it is the same for every target.
    pub(crate) fn is_literal(&self) -> bool {
        let literal =
            |piece: &Piece| matches!(piece, Piece::Text(_) | Piece::Bad { key: None, .. });
        self.parts.iter().all(literal)
    }

    /// Whether it is nothing but the value of this key.
    pub(crate) fn is_key(&self, name: &str) -> bool {
        matches!(self.parts.as_slice(), [Piece::Key(key)] if key == name)
    }

    /// What is wrong with the template, if anything.
    pub(crate) fn flaw(&self) -> Option<&str> {
        match self.parts.last() {
            Some(Piece::Bad { reason, .. }) => Some(reason),
            _ => None,
        }
    }

    /// The text for this target; nothing is copied where one piece is the whole text.
    pub(crate) fn render<'a>(&'a self, target: &'a Value) -> Result<Cow<'a, str>, Gap<'a>> {
        match self.parts.as_slice() {
            [] => Ok(Cow::Borrowed("")),
            [only] => only.render(target),
            pieces => {
                let mut text = String::new();
                for piece in pieces {
                    text.push_str(&piece.render(target)?);
                }
                Ok(Cow::Owned(text))
            }
        }
    }
}

impl Display for Template {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl Piece {
    fn render<'a>(&'a self, target: &'a Value) -> Result<Cow<'a, str>, Gap<'a>> {
        match self {
            Self::Text(text) => Ok(Cow::Borrowed(text)),
            Self::Key(key) => lookup(target, key)
                .map(python::text)
                .ok_or(Gap::Missing(key)),
            Self::Bad { key, reason } => match key {
                Some(key) if lookup(target, key).is_none() => Err(Gap::Missing(key)),
                _ => Err(Gap::Bad(reason)),
            },
        }
    }
}

/// Finds a dotted key: step by step in a nested target, or as one key of a flat one. What has keys itself has no text.
fn lookup<'a>(target: &'a Value, key: &str) -> Option<&'a Value> {
    let mut steps = key.split('.');
    let nested = steps.try_fold(target, |value, step| value.get(step));
    // An attribute with dots in its name does not take the place of what the same dots lead to.
    let found = nested.or_else(|| dotted(target, key))?;
    (!found.is_object()).then_some(found)
}

fn dotted<'a>(target: &'a Value, key: &str) -> Option<&'a Value> {
    let map = target.as_object()?;
    map.get(key).or_else(|| {
        key.match_indices('.').find_map(|(dot, _)| {
            let inner = map.get(&key[..dot])?;
            dotted(inner, &key[dot + 1..])
        })
    })
}

fn pieces(source: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = source;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            text.push('%');
            rest = after;
            continue;
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        let reason = format!("`%{after}` is not of the form `%(key)s`");
        let (key, after) = match key(after) {
            Some((key, after)) => (Some(key.to_owned()), after),
            None => (None, after),
        };
        match (key, after.strip_prefix('s')) {
            (Some(key), Some(after)) => {
                pieces.push(Piece::Key(key));
                rest = after;
            }
            (key, _) => {
                pieces.push(Piece::Bad { key, reason });
                return pieces;
            }
        }
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    pieces
}

/// Splits `(key)…` behind a percent sign; parentheses in the key must balance, as in Python.
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn render(source: &str, target: &Value) -> Option<String> {
        let template = Template::new(source);
        template.render(target).ok().map(Cow::into_owned)
    }

    #[test]
    fn keys_are_found_flat_nested_and_mixed() {
        let target = json!({"a.b": 1, "c": {"d": {"e": "x"}}, "f.g": {"h": true}, "n": null});
        assert_eq!(render("%(a.b)s", &target).unwrap(), "1");
        assert_eq!(render("-%(c.d.e)s-", &target).unwrap(), "-x-");
        assert_eq!(render("%(f.g.h)s%%", &target).unwrap(), "True%");
        assert_eq!(render("%(n)s", &target).unwrap(), "None");
        assert_eq!(render("%(c.d.z)s", &target), None);
        assert_eq!(render("%(n.z)s", &target), None);
    }

    #[test]
    fn a_nested_key_wins_over_a_name_with_dots() {
        let target =
            json!({"a": {"b": "nested"}, "a.b": "flat", "c": {"d": {"e": 1}, "d.e": 2, "f.g": 3}});
        assert_eq!(render("%(a.b)s", &target).unwrap(), "nested");
        assert_eq!(render("%(c.d.e)s", &target).unwrap(), "1");
        assert_eq!(render("%(c.f.g)s", &target).unwrap(), "3");
        assert_eq!(render("%(c.d)s", &target), None);
    }

    #[test]
    fn only_string_places_are_understood() {
        assert!(Template::new("%(a)d").flaw().is_some());
        assert!(Template::new("%(a").flaw().is_some());
        assert!(Template::new("100%").flaw().is_some());
        assert!(Template::new("%(a(b))s 100%%").flaw().is_none());
    }
}
