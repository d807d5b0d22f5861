//! Rules: which assertions they apply to, and the values that their templates get.

use keystone_python::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::assertion::Assertion;
use crate::error::MappingError;

/// A rule of a mapping.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Rule {
    pub(crate) local: Vec<Map<String, Value>>,
    remote: Vec<Requirement>,
}

/// An entry of `remote`.
#[derive(Clone, Debug, Deserialize)]
struct Requirement {
    #[serde(rename = "type")]
    attribute: String,
    any_one_of: Option<Vec<Value>>,
    not_any_of: Option<Vec<Value>>,
    blacklist: Option<Vec<Value>>,
    whitelist: Option<Vec<Value>>,
    #[serde(default)]
    regex: bool,
}

/// The values that the entries of a rule give to its templates.
pub(crate) type Values = Vec<Vec<String>>;

/// What an entry makes of an attribute.
enum Outcome {
    /// The rule does not apply.
    Fails,
    Holds,
    Gives(Vec<String>),
}

impl Rule {
    /// The values for the templates; none if the rule does not apply.
    pub(crate) fn values(&self, assertion: &Assertion) -> Result<Option<Values>, MappingError> {
        let mut values = Values::new();
        for requirement in &self.remote {
            // Also fails `not_any_of`, as in `keystone/federation/utils.py`.
            let Some(found) = assertion.values(&requirement.attribute) else {
                return Ok(None);
            };
            match requirement.apply(found)? {
                Outcome::Fails => return Ok(None),
                Outcome::Holds => {}
                Outcome::Gives(some) => values.push(some),
            }
        }
        Ok(Some(values))
    }
}

impl Requirement {
    fn apply(&self, found: &[String]) -> Result<Outcome, MappingError> {
        let held = |holds: bool| {
            if holds {
                Outcome::Holds
            } else {
                Outcome::Fails
            }
        };
        if let Some(list) = &self.any_one_of {
            return Ok(held(!self.matching(list, found)?.is_empty()));
        }
        if let Some(list) = &self.not_any_of {
            return Ok(held(self.matching(list, found)?.is_empty()));
        }
        if let Some(list) = &self.blacklist {
            let listed = self.matching(list, found)?;
            let rest = found.iter().filter(|value| !listed.contains(value));
            return Ok(Outcome::Gives(once_each(rest)));
        }
        if let Some(list) = &self.whitelist {
            let listed = self.matching(list, found)?.into_iter();
            return Ok(Outcome::Gives(if self.regex {
                listed.cloned().collect()
            } else {
                once_each(listed)
            }));
        }
        Ok(Outcome::Gives(found.to_vec()))
    }

    /// The values that a list names, or that one of its patterns is found in.
    fn matching<'v>(
        &self,
        list: &[Value],
        found: &'v [String],
    ) -> Result<Vec<&'v String>, MappingError> {
        let broken = |text: String| MappingError::Broken(text);
        if !self.regex {
            if list.iter().any(|item| item.is_array() || item.is_object()) {
                let text = format!("a list for {:?} holds another list", self.attribute);
                return Err(broken(text));
            }
            let is_listed = |value: &&String| list.iter().any(|item| item == value.as_str());
            return Ok(found.iter().filter(is_listed).collect());
        }
        let mut matching = Vec::new();
        // As many as were needed so far: a pattern behind one that matched every value is never read in Python.
        let mut patterns = Vec::<Regex>::new();
        for value in found {
            for (at, item) in list.iter().enumerate() {
                if at == patterns.len() {
                    let pattern = item.as_str().ok_or_else(|| {
                        broken(format!("a pattern for {:?} is no text", self.attribute))
                    })?;
                    let read = Regex::searching(pattern);
                    patterns.push(read.map_err(|error| broken(format!("{pattern:?}: {error}")))?);
                }
                let is_match = patterns[at].is_match(value).map_err(|_| {
                    broken(format!("{:?} takes too many steps", patterns[at].pattern()))
                })?;
                if is_match {
                    matching.push(value);
                    break;
                }
            }
        }
        Ok(matching)
    }
}

/// Values without repetitions, as Python's sets have them; in order, which those have not.
fn once_each<'v>(values: impl Iterator<Item = &'v String>) -> Vec<String> {
    let mut once = Vec::<String>::new();
    for value in values {
        if !once.contains(value) {
            once.push(value.clone());
        }
    }
    once
}
