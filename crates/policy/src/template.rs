//! The right side of a check, with its `%(key)s` places.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use keystone_python::{self as python, format};
use serde_json::Value;

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
    /// Is no `%(key)s`. Python looks the key up, if it got that far, before it finds fault with the rest.
    Bad {
        key: Option<String>,
    },
}

/// Why a template gives no text.
#[derive(Debug)]
pub(crate) enum RenderError<'a> {
    /// The target has no such key: the check is false.
    Missing(&'a str),
    /// The template itself is wrong, which Python answers with an exception.
    Bad(&'static str),
}

const ONLY_KEYS: &str = "a percent sign begins `%(key)s` or `%%`, and nothing else";

impl Template {
    pub(crate) fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            parts: pieces(source),
        }
    }

    /// Whether it is the same for every target.
    pub(crate) fn is_literal(&self) -> bool {
        let literal = |piece: &Piece| matches!(piece, Piece::Text(_) | Piece::Bad { key: None });
        self.parts.iter().all(literal)
    }

    /// Whether it is nothing but the value of this key.
    pub(crate) fn is_key(&self, name: &str) -> bool {
        matches!(self.parts.as_slice(), [Piece::Key(key)] if key == name)
    }

    /// The flaw of the template, if it has one.
    pub(crate) fn flaw(&self) -> Option<&'static str> {
        matches!(self.parts.last(), Some(Piece::Bad { .. })).then_some(ONLY_KEYS)
    }

    /// The text for this target; nothing is copied where one piece is the whole text.
    pub(crate) fn render<'a>(&'a self, target: &'a Value) -> Result<Cow<'a, str>, RenderError<'a>> {
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
    fn render<'a>(&'a self, target: &'a Value) -> Result<Cow<'a, str>, RenderError<'a>> {
        match self {
            Self::Text(text) => Ok(Cow::Borrowed(text)),
            Self::Key(key) => lookup(target, key)
                .map(python::str)
                .ok_or(RenderError::Missing(key)),
            Self::Bad { key: Some(key) } if lookup(target, key).is_none() => {
                Err(RenderError::Missing(key))
            }
            Self::Bad { .. } => Err(RenderError::Bad(ONLY_KEYS)),
        }
    }
}

/// Finds a dotted key: step by step in a nested target, or as one key of a flat one. What has keys itself has no text.
pub(crate) fn lookup<'a>(target: &'a Value, key: &str) -> Option<&'a Value> {
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
    for piece in format::pieces(source) {
        let (key, is_plain) = match piece {
            Ok(format::Piece::Text(text)) => {
                match pieces.last_mut() {
                    Some(Piece::Text(before)) => before.push_str(text),
                    _ => pieces.push(Piece::Text(text.to_owned())),
                }
                continue;
            }
            Ok(format::Piece::Place(place)) => (place.key, place.is_plain()),
            Err(malformed) => (malformed.key, false),
        };
        match key.map(str::to_owned) {
            Some(key) if is_plain => pieces.push(Piece::Key(key)),
            key => {
                pieces.push(Piece::Bad { key });
                break;
            }
        }
    }
    pieces
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
