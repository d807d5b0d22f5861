//! The keywords that apply to one type of instance each.

use std::collections::HashSet;

use serde_json::{Map, Number, Value};

use super::{Flow, GO_ON, Run, Site};
use crate as python;
use crate::json::Kind;
use crate::schema::Step;

impl<'a> Run<'a> {
    pub(super) fn object(&mut self, site: Site<'a>, members: &'a Map<String, Value>) -> Flow {
        let limit = site.limit();
        match (site.keyword, site.argument) {
            ("properties", Value::Object(properties)) => self.properties(properties, members),
            ("additionalProperties", Value::Bool(false)) => self.no_others(site, members),
            ("required", Value::Array(names)) => names
                .iter()
                .filter_map(Value::as_str)
                .filter(|name| !members.contains_key(*name))
                .try_for_each(|name| {
                    self.fail(site, |_| {
                        format!("{} is a required property", python::quote(name))
                    })
                }),
            ("dependentRequired", Value::Object(needs)) => self.dependents(site, needs, members),
            ("minProperties", _) => self.require(members.len() >= limit, site, |value| {
                too_few(&value, limit, "does not have enough properties")
            }),
            ("maxProperties", _) => self.require(members.len() <= limit, site, |value| {
                too_many(&value, limit, "has too many properties")
            }),
            _ => GO_ON,
        }
    }

    fn properties(
        &mut self,
        properties: &'a Map<String, Value>,
        members: &'a Map<String, Value>,
    ) -> Flow {
        for (name, schema) in properties {
            if let Some(member) = members.get(name) {
                self.path.push(Step::Key(name));
                self.at_schema([Step::Key("properties"), Step::Key(name)], schema, member)?;
                self.path.pop();
            }
        }
        GO_ON
    }

    fn dependents(
        &mut self,
        site: Site<'a>,
        needs: &Map<String, Value>,
        members: &Map<String, Value>,
    ) -> Flow {
        for (name, needed) in needs.iter().filter(|(name, _)| members.contains_key(*name)) {
            let needed = needed
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            for needed in needed.filter(|needed| !members.contains_key(*needed)) {
                let (name, needed) = (python::quote(name), python::quote(needed));
                self.fail(site, |_| format!("{needed} is a dependency of {name}"))?;
            }
        }
        GO_ON
    }

    fn no_others(&mut self, site: Site<'a>, members: &'a Map<String, Value>) -> Flow {
        let known = site.schema.get("properties").and_then(Value::as_object);
        let mut others: Vec<&str> = members
            .keys()
            .filter(|name| known.is_none_or(|known| !known.contains_key(*name)))
            .map(String::as_str)
            .collect();
        others.sort_unstable();
        self.require(others.is_empty(), site, |_| {
            let verb = if others.len() == 1 { "was" } else { "were" };
            let others: Vec<_> = others.into_iter().map(python::quote).collect();
            format!(
                "Additional properties are not allowed ({} {verb} unexpected)",
                others.join(", ")
            )
        })
    }

    pub(super) fn array(&mut self, site: Site<'a>, items: &'a [Value]) -> Flow {
        let limit = site.limit();
        match site.keyword {
            "items" => items.iter().enumerate().try_for_each(|(index, item)| {
                self.path.push(Step::Index(index));
                self.at_schema([Step::Key("items")], site.argument, item)?;
                self.path.pop();
                GO_ON
            }),
            "minItems" => self.require(items.len() >= limit, site, |value| {
                too_few(&value, limit, "is too short")
            }),
            "maxItems" => self.require(items.len() <= limit, site, |value| {
                too_many(&value, limit, "is too long")
            }),
            "uniqueItems" => {
                let mut seen = HashSet::new();
                let unique = items.iter().all(|item| seen.insert(item));
                self.require(unique, site, |value| {
                    format!("{value} has non-unique elements")
                })
            }
            _ => GO_ON,
        }
    }

    pub(super) fn string(&mut self, site: Site<'a>, text: &str) -> Flow {
        let limit = site.limit();
        match (site.keyword, site.argument) {
            ("minLength", _) => {
                let enough = text.chars().count() >= limit;
                self.require(enough, site, |value| too_few(&value, limit, "is too short"))
            }
            ("maxLength", _) => {
                let within = text.chars().count() <= limit;
                self.require(within, site, |value| too_many(&value, limit, "is too long"))
            }
            ("pattern", Value::String(pattern)) => {
                let regex = self.schema.patterns.get(pattern);
                let matches = regex.is_some_and(|regex| regex.is_match(text));
                self.require(matches, site, |value| {
                    format!("{value} does not match {}", python::quote(pattern))
                })
            }
            ("format", Value::String(format)) if format == "uuid" => {
                self.require(python::uuid_digits(text).is_some(), site, |value| {
                    format!("{value} is not a 'uuid'")
                })
            }
            _ => GO_ON,
        }
    }

    pub(super) fn number(&mut self, site: Site<'a>, number: &Number) -> Flow {
        let Some(given) = number.as_f64() else {
            return GO_ON;
        };
        self.bounds(site, given, || {
            // Keystone turns the number into an integer before it compares; -0.0 is 0 there.
            if number.is_f64() {
                format!("{:.0}", given.trunc() + 0.0)
            } else {
                number.to_string()
            }
        })
    }

    /// A value that `serde_json` has no place for: of these, only integers pass where numbers are wanted.
    pub(super) fn verbatim(&mut self, site: Site<'a>, text: &str) -> Flow {
        match text.parse() {
            Ok(given) => self.bounds(site, given, || text.to_owned()),
            Err(_) => GO_ON,
        }
    }

    fn bounds(&mut self, site: Site<'a>, given: f64, shown: impl FnOnce() -> String) -> Flow {
        let Some(limit) = site.argument.as_f64() else {
            return GO_ON;
        };
        let (broken, text) = match site.keyword {
            "minimum" => (given < limit, "less than the minimum of"),
            "maximum" => (given > limit, "greater than the maximum of"),
            _ => return GO_ON,
        };
        self.require(!broken, site, |_| {
            format!("{} is {text} {}", shown(), site.argument)
        })
    }
}

fn too_few(value: &str, limit: usize, otherwise: &str) -> String {
    let how = if limit == 1 {
        "should be non-empty"
    } else {
        otherwise
    };
    format!("{value} {how}")
}

fn too_many(value: &str, limit: usize, otherwise: &str) -> String {
    let how = if limit == 0 {
        "is expected to be empty"
    } else {
        otherwise
    };
    format!("{value} {how}")
}

pub(super) fn is_type(value: &Value, name: &str) -> bool {
    match Kind::of(value) {
        Kind::Null => name == "null",
        Kind::Bool => name == "boolean",
        Kind::String => name == "string",
        Kind::Array => name == "array",
        Kind::Object => name == "object",
        Kind::Integer => name == "integer" || name == "number",
        Kind::Number => name == "number",
    }
}
