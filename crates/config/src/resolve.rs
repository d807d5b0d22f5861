//! Determines the value of each option from what files and the environment set.

use std::collections::HashMap;

use crate::convert::{self, Value};
use crate::diagnostic::{Diagnostic, Location};
use crate::interpolate::interpolate;
use crate::sources::{File, Sources};
use crate::table::{Definition, Kind, Table};

/// An option's value and its origin.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) value: Option<Value>,
    /// Where it was set, if it was.
    pub(crate) origin: Option<Location>,
    /// Whether it is secret, or refers to a secret option.
    pub(crate) secret: bool,
}

/// A value as written in the source.
#[derive(Clone)]
struct RawValue {
    text: String,
    origin: Location,
}

enum State {
    Pending,
    /// Being resolved: a reference to it is a cycle.
    InProgress,
    Done(Entry),
}

/// Why a reference could not be resolved.
enum BadReference {
    Unknown(String),
    Cycle(String),
    /// The option referred to has a problem, which is reported there.
    AlreadyReported,
}

/// A marker that a problem was added to the list.
struct Reported;

/// Resolves every option once, following references.
pub(crate) struct Resolver<'a> {
    table: &'a Table,
    written: Vec<Vec<RawValue>>,
    states: Vec<State>,
    problems: Vec<Diagnostic>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(table: &'a Table, files: &[File], sources: &Sources) -> Self {
        let indexed: Vec<_> = files.iter().map(index).collect();
        let written = table
            .definitions
            .iter()
            .map(|definition| match from_environment(sources, definition) {
                Some(written) => vec![written],
                None => from_files(&indexed, definition),
            })
            .collect();
        Self {
            table,
            written,
            states: table.definitions.iter().map(|_| State::Pending).collect(),
            problems: Vec::new(),
        }
    }

    /// A value under a name that the table doesn't have, such as an authentication method's.
    pub(crate) fn plugin_option(
        &mut self,
        group: &str,
        name: &str,
        text: &str,
        at: &Location,
    ) -> Entry {
        let mut secret = false;
        let value = match self.interpolated(group, text, &mut secret) {
            Ok(text) => Some(Value::Text(text)),
            Err(broken) => {
                self.report(&broken, false, at, group, name);
                None
            }
        };
        Entry {
            value,
            origin: Some(at.clone()),
            secret,
        }
    }

    /// Every option in the order of the table, and the problems.
    pub(crate) fn finish(mut self) -> (Vec<Entry>, Vec<Diagnostic>) {
        for index in 0..self.states.len() {
            let _ = self.entry(index);
        }
        let done = self.states.into_iter().filter_map(|state| match state {
            State::Done(entry) => Some(entry),
            State::Pending | State::InProgress => None,
        });
        (done.collect(), self.problems)
    }

    /// The entry of an option; `None` in a cycle of references.
    pub(crate) fn entry(&mut self, index: usize) -> Option<&Entry> {
        match self.states[index] {
            State::InProgress => return None,
            State::Pending => {
                self.states[index] = State::InProgress;
                let entry = self.resolve(index);
                self.states[index] = State::Done(entry);
            }
            State::Done(_) => {}
        }
        match &self.states[index] {
            State::Done(entry) => Some(entry),
            State::Pending | State::InProgress => None,
        }
    }

    fn resolve(&mut self, index: usize) -> Entry {
        let table = self.table;
        let definition = &table.definitions[index];
        let written = std::mem::take(&mut self.written[index]);
        let Some(last) = written.last() else {
            return Entry {
                value: definition.value.clone(),
                origin: None,
                secret: definition.secret,
            };
        };
        let mut secret = definition.secret;
        let mut values = Vec::new();
        let mut failed = false;
        for RawValue { text, origin } in &written {
            match self.value(definition, text, origin, &mut secret) {
                Ok(value) => values.extend(value),
                Err(Reported) => failed = true,
            }
        }
        let value = match definition.kind {
            _ if failed => None,
            Kind::Multi => Some(Value::List(
                values.iter().map(Value::interpolated).collect(),
            )),
            _ => values.pop(),
        };
        Entry {
            value,
            origin: Some(last.origin.clone()),
            secret,
        }
    }

    /// The value of one written text, if it is not empty.
    fn value(
        &mut self,
        definition: &Definition,
        text: &str,
        origin: &Location,
        secret: &mut bool,
    ) -> Result<Option<Value>, Reported> {
        let Definition { group, name, .. } = definition;
        let text = match self.interpolated(group, text, secret) {
            Ok(text) => text,
            Err(broken) => {
                self.report(&broken, definition.secret, origin, group, name);
                return Err(Reported);
            }
        };
        convert::convert(definition, &text, *secret).map_err(|text| {
            let diagnostic = Diagnostic::at(origin.clone(), text);
            self.problems.push(diagnostic.option(group, name));
            Reported
        })
    }

    fn interpolated(
        &mut self,
        group: &str,
        text: &str,
        secret: &mut bool,
    ) -> Result<String, BadReference> {
        interpolate(text, |name| {
            let Some(index) = self.find_referenced(group, name) else {
                return Err(BadReference::Unknown(name.to_owned()));
            };
            let Some(entry) = self.entry(index) else {
                return Err(BadReference::Cycle(name.to_owned()));
            };
            *secret |= entry.secret;
            let text = entry.value.as_ref().map(Value::interpolated);
            match text {
                Some(text) => Ok(text),
                None if self.has_problem(index) => Err(BadReference::AlreadyReported),
                None => Ok(String::new()),
            }
        })
    }

    fn has_problem(&self, index: usize) -> bool {
        let Definition { group, name, .. } = &self.table.definitions[index];
        self.problems.iter().any(|problem| {
            problem.group.as_ref() == Some(group) && problem.option.as_ref() == Some(name)
        })
    }

    /// The option that `name` means in `group`: `group.name`, a neighbour, or one of `[DEFAULT]`.
    fn find_referenced(&self, group: &str, name: &str) -> Option<usize> {
        let find = |group: &str, name: &str| {
            let present = self.table.find(group, name);
            present.or_else(|| self.table.find_deprecated(group, name))
        };
        match name.split_once('.') {
            Some((group, name)) => find(group, name),
            None => find(group, name).or_else(|| find("DEFAULT", name)),
        }
    }

    fn report(
        &mut self,
        broken: &BadReference,
        secret: bool,
        at: &Location,
        group: &str,
        name: &str,
    ) {
        let text = match broken {
            BadReference::AlreadyReported => return,
            // The name may be a part of a password.
            BadReference::Unknown(_) if secret => {
                "a $ refers to an option that does not exist; write $$ for a dollar sign".to_owned()
            }
            BadReference::Unknown(to) => {
                format!("${to} refers to no option; write $$ for a dollar sign")
            }
            BadReference::Cycle(to) => format!("the value refers to itself through ${to}"),
        };
        let diagnostic = Diagnostic::at(at.clone(), text);
        self.problems.push(diagnostic.option(group, name));
    }
}

/// The assignments of one file by group and name, in order.
struct Indexed<'f> {
    file: &'f File,
    values: HashMap<(&'f str, &'f str), Vec<usize>>,
}

fn index(file: &File) -> Indexed<'_> {
    let mut values: HashMap<_, Vec<usize>> = HashMap::new();
    for (index, assignment) in file.document.assignments.iter().enumerate() {
        let key = (assignment.group.as_str(), assignment.name.as_str());
        values.entry(key).or_default().push(index);
    }
    Indexed { file, values }
}

/// Later files win, and in one file the current name over deprecated ones; a multi-valued option has
/// the values of all files, in their order.
fn from_files(files: &[Indexed<'_>], definition: &Definition) -> Vec<RawValue> {
    let mut collected = Vec::new();
    for Indexed { file, values } in files.iter().rev() {
        let present = (definition.group.as_str(), definition.name.as_str());
        let deprecated_names = definition
            .deprecated_names
            .iter()
            .map(|(group, name)| (group.as_str(), name.as_str()));
        for key in [present].into_iter().chain(deprecated_names) {
            let Some(indices) = values.get(&key) else {
                continue;
            };
            let mut written: Vec<RawValue> = indices
                .iter()
                .map(|index| {
                    let assignment = &file.document.assignments[*index];
                    RawValue {
                        text: assignment.value.clone(),
                        origin: Location::Line(file.path.clone(), assignment.line),
                    }
                })
                .collect();
            if definition.kind != Kind::Multi {
                return written.split_off(written.len() - 1);
            }
            written.append(&mut collected);
            collected = written;
        }
    }
    collected
}

/// A multi-valued option's variable is one value. (oslo.config splits it into letters.)
fn from_environment(sources: &Sources, definition: &Definition) -> Option<RawValue> {
    environment_value(sources, &definition.group, &definition.name)
        .map(|(text, origin)| RawValue { text, origin })
}

/// The value and name of an option's environment variable, if it is set.
pub(crate) fn environment_value(
    sources: &Sources,
    group: &str,
    name: &str,
) -> Option<(String, Location)> {
    let variable = format!("OS_{}__{}", group.to_uppercase(), name.to_uppercase());
    let text = sources.variable(&variable)?.to_owned();
    Some((text, Location::Environment(variable)))
}
