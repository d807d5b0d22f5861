//! Evaluates one schema over one instance, keyword by keyword in the order the schema writes them.
//!
//! Only the keywords that Keystone's schemas use exist here; a test of `keystone-api` refuses any other.

mod by_type;

use std::ops::ControlFlow;

use serde_json::Value;

use super::{Failure, Schema, Step};
use crate::{self as python, json};
use by_type::is_type;

/// The first failure; `shown` replaces the instance's own text in messages.
pub(super) fn first<'a>(
    schema: &'a Schema,
    instance: &'a Value,
    shown: Option<&'a str>,
) -> Option<Failure<'a>> {
    run(schema, &schema.document, instance, shown, Wanted::First)
        .failures
        .pop()
}

/// Every failure, in the order they are met.
pub(super) fn all<'a>(schema: &'a Schema, instance: &'a Value) -> Vec<Failure<'a>> {
    run(schema, &schema.document, instance, None, Wanted::All).failures
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Wanted {
    First,
    All,
    Verdict,
}

/// One keyword of a schema, and the instance it is applied to.
#[derive(Clone, Copy)]
struct Site<'a> {
    schema: &'a Value,
    keyword: &'a str,
    argument: &'a Value,
    instance: &'a Value,
}

impl Site<'_> {
    fn limit(&self) -> usize {
        self.argument
            .as_u64()
            .and_then(|limit| usize::try_from(limit).ok())
            .unwrap_or(usize::MAX)
    }
}

struct Run<'a> {
    schema: &'a Schema,
    instance: &'a Value,
    shown: Option<&'a str>,
    wanted: Wanted,
    invalid: bool,
    path: Vec<Step<'a>>,
    place: Vec<Step<'a>>,
    failures: Vec<Failure<'a>>,
}

type Flow = ControlFlow<()>;
const GO_ON: Flow = ControlFlow::Continue(());

fn run<'a>(
    schema: &'a Schema,
    start: &'a Value,
    instance: &'a Value,
    shown: Option<&'a str>,
    wanted: Wanted,
) -> Run<'a> {
    let (path, place, failures) = (Vec::new(), Vec::new(), Vec::new());
    let mut run = Run {
        schema,
        instance,
        shown,
        wanted,
        invalid: false,
        path,
        place,
        failures,
    };
    // Whether the run was cut short shows in what it holds.
    let _ = run.check(start, instance);
    run
}

impl<'a> Run<'a> {
    fn check(&mut self, schema: &'a Value, instance: &'a Value) -> Flow {
        let Value::Object(keywords) = schema else {
            return GO_ON;
        };
        for (keyword, argument) in keywords {
            self.keyword(Site {
                schema,
                keyword,
                argument,
                instance,
            })?;
        }
        GO_ON
    }

    fn keyword(&mut self, site: Site<'a>) -> Flow {
        let Site {
            argument, instance, ..
        } = site;
        match (site.keyword, instance) {
            ("type", _) => self.types(site),
            ("enum", _) => {
                let allowed = argument
                    .as_array()
                    .is_some_and(|values| values.contains(instance));
                self.require(allowed, site, |value| {
                    format!("{value} is not one of {}", python::repr(argument))
                })
            }
            ("const", _) => self.require(argument == instance, site, |_| {
                format!("{} was expected", python::repr(argument))
            }),
            ("not", _) => self.require(!self.accepts(argument, instance), site, |value| {
                format!(
                    "{value} should not be valid under {}",
                    python::repr(argument)
                )
            }),
            ("allOf", _) => {
                let schemas = argument.as_array().into_iter().flatten();
                schemas.enumerate().try_for_each(|(index, schema)| {
                    self.at_schema([Step::Key("allOf"), Step::Index(index)], schema, instance)
                })
            }
            ("oneOf", _) => self.one_of(site),
            ("if", _) => match site.schema.get("then") {
                Some(then) if self.accepts(argument, instance) => {
                    self.at_schema([Step::Key("then")], then, instance)
                }
                _ => GO_ON,
            },
            ("$ref", _) => {
                let pointer = argument
                    .as_str()
                    .and_then(|reference| reference.strip_prefix('#'));
                let schema = self.schema;
                let target = pointer.and_then(|pointer| schema.document.pointer(pointer));
                target.map_or(GO_ON, |target| self.check(target, instance))
            }
            (_, Value::Object(members)) => self.object(site, members),
            (_, Value::Array(items)) => self.array(site, items),
            (_, Value::String(text)) => match json::verbatim(text) {
                Some(text) => self.verbatim(site, text),
                None => self.string(site, text),
            },
            (_, Value::Number(number)) => self.number(site, number),
            _ => GO_ON,
        }
    }

    fn types(&mut self, site: Site<'a>) -> Flow {
        let names: Vec<&str> = match site.argument {
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            name => name.as_str().into_iter().collect(),
        };
        self.require(
            names.iter().any(|name| is_type(site.instance, name)),
            site,
            |value| {
                let names: Vec<_> = names.iter().map(|name| python::quote(name)).collect();
                format!("{value} is not of type {}", names.join(", "))
            },
        )
    }

    fn one_of(&mut self, site: Site<'a>) -> Flow {
        let schemas = site.argument.as_array().into_iter().flatten();
        let mut valid: Vec<_> = schemas
            .filter(|schema| self.accepts(schema, site.instance))
            .collect();
        if valid.is_empty() {
            return self.fail(site, |value| {
                format!("{value} is not valid under any of the given schemas")
            });
        }
        // Keystone names the first match last.
        valid.rotate_left(1);
        self.require(valid.len() == 1, site, |value| {
            let valid: Vec<_> = valid.into_iter().map(python::repr).collect();
            format!("{value} is valid under each of {}", valid.join(", "))
        })
    }

    fn at_schema<const N: usize>(
        &mut self,
        steps: [Step<'a>; N],
        schema: &'a Value,
        instance: &'a Value,
    ) -> Flow {
        self.place.extend(steps);
        self.check(schema, instance)?;
        self.place.truncate(self.place.len() - N);
        GO_ON
    }

    fn accepts(&self, schema: &'a Value, instance: &'a Value) -> bool {
        !run(self.schema, schema, instance, None, Wanted::Verdict).invalid
    }

    fn require(
        &mut self,
        satisfied: bool,
        site: Site<'a>,
        message: impl FnOnce(String) -> String,
    ) -> Flow {
        if satisfied {
            GO_ON
        } else {
            self.fail(site, message)
        }
    }

    fn fail(&mut self, site: Site<'a>, message: impl FnOnce(String) -> String) -> Flow {
        self.invalid = true;
        if self.wanted == Wanted::Verdict {
            return ControlFlow::Break(());
        }
        let value = match self.shown {
            Some(shown) if std::ptr::eq(site.instance, self.instance) => shown.to_owned(),
            _ => python::repr(site.instance),
        };
        self.failures.push(Failure {
            message: message(value),
            keyword: site.keyword,
            path: self.path.clone(),
            instance: site.instance,
            place: self.place.clone(),
            schema: site.schema,
        });
        if self.wanted == Wanted::All {
            GO_ON
        } else {
            ControlFlow::Break(())
        }
    }
}
