//! Checks the names in configuration files: deprecated, of plugins, of earlier releases, or unknown.

use std::collections::BTreeSet;

use strsim::levenshtein;

use crate::diagnostic::{Diagnostic, Location};
use crate::families;
use crate::ini::{Assignment, normalized};
use crate::sources::File;
use crate::table::Table;

/// The option of a federation protocol's group, which is named after the protocol.
pub(crate) const REMOTE_ID: &str = "remote_id_attribute";

/// An assignment to an option that a plugin may read, or of a group of a family.
pub(crate) struct PluginOption {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) origin: Location,
}

/// The kind of one assignment's name.
enum Name {
    Known(usize),
    Deprecated(usize),
    Plugin,
    Retired,
    Unknown,
}

/// Warns once for each deprecated or unknown name, and collects the options of plugins.
pub(crate) struct UnknownOptions<'a> {
    table: &'a Table,
    methods: &'a [String],
    protocols: BTreeSet<&'a str>,
    seen: BTreeSet<(String, Option<String>)>,
    pub(crate) warnings: Vec<Diagnostic>,
    pub(crate) plugin_option: Vec<PluginOption>,
}

impl<'a> UnknownOptions<'a> {
    /// `methods` are the enabled authentication methods: each may have an option in `[auth]` and a
    /// group.
    pub(crate) fn new(table: &'a Table, files: &'a [File], methods: &'a [String]) -> Self {
        let assignments = files.iter().flat_map(|file| &file.document.assignments);
        let protocols = assignments
            .filter(|assignment| assignment.name == REMOTE_ID)
            .map(|assignment| assignment.group.as_str())
            .collect();
        Self {
            table,
            methods,
            protocols,
            seen: BTreeSet::new(),
            warnings: Vec::new(),
            plugin_option: Vec::new(),
        }
    }

    pub(crate) fn examine(&mut self, file: &File) {
        for section in &file.document.sections {
            if !self.knows_group(&section.group) {
                let origin = Location::Line(file.path.clone(), section.line);
                self.warn(origin, &section.group, None, |it| {
                    it.no_group(&section.group)
                });
            }
        }
        for assignment in &file.document.assignments {
            if self.knows_group(&assignment.group) {
                let origin = Location::Line(file.path.clone(), assignment.line);
                self.name(assignment, origin);
            }
        }
    }

    fn name(&mut self, assignment: &Assignment, origin: Location) {
        let Assignment { group, name, .. } = assignment;
        match self.classify(group, name) {
            Name::Known(index) if self.table.definitions[index].deprecated_for_removal => {
                self.warn(origin, group, Some(name), |_| {
                    "deprecated, and will be removed".to_owned()
                });
            }
            Name::Known(_) | Name::Retired => {}
            Name::Deprecated(index) => self.warn(origin, group, Some(name), |it| {
                let present = &it.table.definitions[index];
                format!(
                    "the name is deprecated; it is now [{}] {}",
                    present.group, present.name
                )
            }),
            Name::Plugin => self.plugin_option.push(PluginOption {
                group: group.clone(),
                name: name.clone(),
                text: assignment.value.clone(),
                origin,
            }),
            Name::Unknown => {
                self.warn(origin, group, Some(name), |it| it.no_option(group, name));
            }
        }
    }

    fn classify(&self, group: &str, name: &str) -> Name {
        if let Some(index) = self.table.find(group, name) {
            return Name::Known(index);
        }
        if let Some(index) = self.table.find_deprecated(group, name) {
            return Name::Deprecated(index);
        }
        let of_method = group == "auth" && self.methods.iter().any(|method| method == name);
        let of_family = families::options(group).is_some_and(|names| names.contains(&name));
        if of_method || of_family || name == REMOTE_ID {
            Name::Plugin
        } else if self.table.is_retired(group, name) {
            Name::Retired
        } else {
            Name::Unknown
        }
    }

    fn knows_group(&self, group: &str) -> bool {
        self.table.has_group(group)
            || self.protocols.contains(group)
            || families::options(group).is_some()
            || self
                .methods
                .iter()
                .any(|method| normalized(method) == group)
    }

    fn warn(
        &mut self,
        origin: Location,
        group: &str,
        name: Option<&str>,
        text: impl FnOnce(&Self) -> String,
    ) {
        if self
            .seen
            .insert((group.to_owned(), name.map(str::to_owned)))
        {
            let diagnostic = Diagnostic::at(origin, text(self));
            self.warnings.push(match name {
                Some(name) => diagnostic.option(group, name),
                None => diagnostic.group(group),
            });
        }
    }

    fn no_group(&self, group: &str) -> String {
        match nearest(group, self.table.group_names()) {
            Some(near) => format!("there is no such group; did you mean [{near}]?"),
            None => "there is no such group; its options have no effect".to_owned(),
        }
    }

    fn no_option(&self, group: &str, name: &str) -> String {
        let elsewhere: Vec<&str> = self
            .table
            .group_names()
            .filter(|other| self.table.find(other, name).is_some())
            .collect();
        let of_family = families::options(group).unwrap_or_default().iter().copied();
        if let Some(near) = nearest(name, self.table.names(group).chain(of_family)) {
            format!("there is no such option; did you mean {near}?")
        } else if let [only] = elsewhere[..] {
            format!("there is no such option; did you mean [{only}] {name}?")
        } else {
            "there is no such option; it has no effect".to_owned()
        }
    }
}

/// The candidate that `name` is probably a misspelling of.
fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.trim().to_lowercase().replace('-', "_");
    let name = plain(name);
    let most = (name.len() / 3).min(2);
    candidates
        .map(|candidate| (levenshtein(&name, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, candidate)| candidate)
}
