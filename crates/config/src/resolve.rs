//! Which of the given values of an option counts, and what it comes to.

use std::collections::HashMap;

use crate::convert::{self, Value};
use crate::finding::{Finding, Origin};
use crate::interpolate::interpolate;
use crate::sources::{File, Sources};
use crate::table::{Definition, Kind, Table};

/// An option's value and how it came about.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) value: Option<Value>,
    /// Where it was set, if it was.
    pub(crate) origin: Option<Origin>,
    /// Whether it is secret, or made from something that is.
    pub(crate) secret: bool,
}

/// A value as written.
#[derive(Clone)]
struct Written {
    text: String,
    origin: Origin,
}

enum State {
    Waiting,
    /// Being worked out: a reference to it now is a circle.
    Open,
    Done(Entry),
}

/// Why a reference came to nothing.
enum Broken {
    Unknown(String),
    Circle(String),
    /// Reported already, at the option referred to.
    Elsewhere,
}

/// A problem was added to the list.
struct Reported;

/// Works out every option, each once, following references.
pub(crate) struct Resolver<'a> {
    table: &'a Table,
    written: Vec<Vec<Written>>,
    states: Vec<State>,
    problems: Vec<Finding>,
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
            states: table.definitions.iter().map(|_| State::Waiting).collect(),
            problems: Vec::new(),
        }
    }

    /// A value under a name that the table doesn't have, such as an authentication method's.
    pub(crate) fn unlisted(&mut self, group: &str, name: &str, text: &str, at: &Origin) -> Entry {
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

    /// Every option in the order of the table, and what is wrong with them.
    pub(crate) fn finish(mut self) -> (Vec<Entry>, Vec<Finding>) {
        for index in 0..self.states.len() {
            let _ = self.entry(index);
        }
        let done = self.states.into_iter().filter_map(|state| match state {
            State::Done(entry) => Some(entry),
            State::Waiting | State::Open => None,
        });
        (done.collect(), self.problems)
    }

    /// The entry of an option; `None` inside a circle of references.
    pub(crate) fn entry(&mut self, index: usize) -> Option<&Entry> {
        match self.states[index] {
            State::Open => return None,
            State::Waiting => {
                self.states[index] = State::Open;
                let entry = self.work_out(index);
                self.states[index] = State::Done(entry);
            }
            State::Done(_) => {}
        }
        match &self.states[index] {
            State::Done(entry) => Some(entry),
            State::Waiting | State::Open => None,
        }
    }

    fn work_out(&mut self, index: usize) -> Entry {
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
        for Written { text, origin } in &written {
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
        origin: &Origin,
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
            let finding = Finding::at(origin.clone(), text);
            self.problems.push(finding.option(group, name));
            Reported
        })
    }

    fn interpolated(
        &mut self,
        group: &str,
        text: &str,
        secret: &mut bool,
    ) -> Result<String, Broken> {
        interpolate(text, |name| {
            let Some(index) = self.referred(group, name) else {
                return Err(Broken::Unknown(name.to_owned()));
            };
            let Some(entry) = self.entry(index) else {
                return Err(Broken::Circle(name.to_owned()));
            };
            *secret |= entry.secret;
            let text = entry.value.as_ref().map(Value::interpolated);
            match text {
                Some(text) => Ok(text),
                None if self.has_problem(index) => Err(Broken::Elsewhere),
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
    fn referred(&self, group: &str, name: &str) -> Option<usize> {
        let find = |group: &str, name: &str| {
            let present = self.table.find(group, name);
            present.or_else(|| self.table.find_former(group, name))
        };
        match name.split_once('.') {
            Some((group, name)) => find(group, name),
            None => find(group, name).or_else(|| find("DEFAULT", name)),
        }
    }

    fn report(&mut self, broken: &Broken, secret: bool, at: &Origin, group: &str, name: &str) {
        let text = match broken {
            Broken::Elsewhere => return,
            // The name may be a part of a password.
            Broken::Unknown(_) if secret => {
                "a $ refers to an option that does not exist; write $$ for a dollar sign".to_owned()
            }
            Broken::Unknown(to) => {
                format!("${to} refers to no option; write $$ for a dollar sign")
            }
            Broken::Circle(to) => format!("the value refers to itself through ${to}"),
        };
        let finding = Finding::at(at.clone(), text);
        self.problems.push(finding.option(group, name));
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

/// Newer files win, and in one file the present name over former ones; a multi-valued option
/// has them all, oldest first.
fn from_files(files: &[Indexed<'_>], definition: &Definition) -> Vec<Written> {
    let mut collected = Vec::new();
    for Indexed { file, values } in files.iter().rev() {
        let present = (definition.group.as_str(), definition.name.as_str());
        let former = definition
            .former
            .iter()
            .map(|(group, name)| (group.as_str(), name.as_str()));
        for key in [present].into_iter().chain(former) {
            let Some(indices) = values.get(&key) else {
                continue;
            };
            let mut written: Vec<Written> = indices
                .iter()
                .map(|index| {
                    let assignment = &file.document.assignments[*index];
                    Written {
                        text: assignment.value.clone(),
                        origin: Origin::Line(file.path.clone(), assignment.line),
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

/// Unlike the reference, which takes a multi-valued option's variable apart into letters, the
/// variable is one value.
fn from_environment(sources: &Sources, definition: &Definition) -> Option<Written> {
    environment_value(sources, &definition.group, &definition.name)
        .map(|(text, origin)| Written { text, origin })
}

/// The value and name of an option's environment variable, if it is set.
pub(crate) fn environment_value(
    sources: &Sources,
    group: &str,
    name: &str,
) -> Option<(String, Origin)> {
    let variable = format!("OS_{}__{}", group.to_uppercase(), name.to_uppercase());
    let text = sources.variable(&variable)?.to_owned();
    Some((text, Origin::Environment(variable)))
}
