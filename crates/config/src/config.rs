//! The loaded configuration: every option with its value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use crate::convert::{Value, boolean};
use crate::diagnostic::{Diagnostic, Location, Problems};
use crate::families;
use crate::resolve::{Entry, Resolver, environment_value};
use crate::sources::{File, Sources};
use crate::table::{Definition, Kind, Table, table};
use crate::unknown_options::{PluginOption, REMOTE_ID, UnknownOptions};

/// The value of every option.
///
/// The getters panic when the group and name are not those of an option of their type: that is a
/// bug, whatever the operator wrote. `string`, `bool`, `int` and `float` also
/// require an option with a default.
#[derive(Clone)]
pub struct Config {
    entries: Vec<Entry>,
    plugin_option: BTreeMap<(String, String), Entry>,
    /// The groups of families, and where each begins.
    members: BTreeMap<String, Location>,
}

/// An option whose value differs between two configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The option's group.
    pub group: String,
    /// The option's name.
    pub option: String,
    /// Whether Keystone lets a running server take the new value.
    pub mutable: bool,
}

impl Config {
    /// Reads all sources; returns the configuration and warnings about deprecated and unknown names.
    pub fn load(sources: &Sources) -> Result<(Self, Vec<Diagnostic>), Problems> {
        let table = table();
        let mut problems = Vec::new();
        let files = sources.read(&mut problems);
        let mut resolver = Resolver::new(table, &files, sources);
        let methods = methods(table, &mut resolver);

        let mut names = UnknownOptions::new(table, &files, &methods);
        for file in &files {
            names.examine(file);
        }
        let UnknownOptions {
            mut warnings,
            mut plugin_option,
            ..
        } = names;
        plugin_option.extend(of_methods(table, &methods, sources));
        let plugin_option = plugin_option
            .into_iter()
            .map(|it| ((it.group, it.name), (it.text, it.origin)))
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .map(|((group, name), (text, origin))| {
                let entry = resolver.plugin_option(&group, &name, &text, &origin);
                ((group, name), entry)
            })
            .collect();

        let (entries, found) = resolver.finish();
        problems.extend(found);
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        if sources.found_nothing() {
            warnings.push(Diagnostic::general(
                "no configuration file was found; every option has its default",
            ));
        }
        Ok((
            Self {
                entries,
                plugin_option,
                members: members(&files),
            },
            warnings,
        ))
    }

    /// The options that differ from those of `old`, in the order of their groups and names.
    pub fn changed(&self, old: &Self) -> Vec<Change> {
        let listed = table().definitions.iter().enumerate();
        let mut changes: Vec<Change> = listed
            .filter(|(index, _)| self.entries[*index].value != old.entries[*index].value)
            .map(|(_, definition)| Change {
                group: definition.group.clone(),
                option: definition.name.clone(),
                mutable: definition.mutable,
            })
            .collect();
        let mut keys: Vec<_> = self
            .plugin_option
            .keys()
            .chain(old.plugin_option.keys())
            .collect();
        keys.sort();
        keys.dedup();
        let value =
            |config: &Self, key| config.plugin_option.get(key).and_then(|e| e.value.clone());
        keys.retain(|key| value(self, key) != value(old, key));
        changes.extend(keys.into_iter().map(|(group, option)| Change {
            group: group.clone(),
            option: option.clone(),
            mutable: false,
        }));
        changes
    }

    /// Whether a file or the environment sets the option.
    pub fn is_set(&self, group: &str, name: &str) -> bool {
        self.origin(group, name).is_some()
    }

    /// Where the option was set, if it was.
    pub fn origin(&self, group: &str, name: &str) -> Option<&Location> {
        self.entries[position(group, name)].origin.as_ref()
    }

    /// The files in which secret options are set.
    pub fn files_with_secrets(&self) -> BTreeSet<&Path> {
        let entries = self.entries.iter().chain(self.plugin_option.values());
        let secret = entries.filter(|entry| entry.secret);
        secret
            .filter_map(|entry| match entry.origin.as_ref()? {
                Location::Line(path, _) => Some(path.as_path()),
                Location::Path(_) | Location::Environment(_) => None,
            })
            .collect()
    }

    /// A diagnostic about an option, at the place where it was set.
    pub fn diagnostic(&self, group: &str, name: &str, text: impl Into<String>) -> Diagnostic {
        Diagnostic {
            origin: self.origin(group, name).cloned(),
            ..Diagnostic::general(text).option(group, name)
        }
    }

    /// The value of an option that only a plugin declares: `[auth] <method>`, or
    /// `remote_id_attribute` in the group of a federation protocol, or an option of a member of a family.
    pub fn plugin_option(&self, group: &str, name: &str) -> Option<&str> {
        let key = (crate::ini::normalized(group), name.to_owned());
        match &self.plugin_option.get(&key)?.value {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// `remote_id_attribute` of the groups that are named like federation protocols, by group.
    pub fn remote_id_attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        let of_plugins = self.plugin_option.iter();
        of_plugins.filter_map(|((group, name), entry)| match &entry.value {
            Some(Value::Text(text)) if name == REMOTE_ID => Some((group.as_str(), text.as_str())),
            _ => None,
        })
    }

    /// The members of a family of groups, in order: `acme` where there is `[oidc:acme]`.
    pub fn members(&self, family: &str) -> Vec<&str> {
        let groups = self.members.keys();
        let members = groups.filter_map(|group| group.strip_prefix(family)?.strip_prefix(':'));
        members.collect()
    }

    /// A truth value of a member of a family; false where it is not set, and an error says what is allowed.
    pub(crate) fn member_bool(&self, group: &str, name: &str) -> Result<bool, &'static str> {
        let text = self.plugin_option(group, name);
        let truth = text.map(|text| boolean(text).ok_or("expected true or false"));
        Ok(truth.transpose()?.unwrap_or_default())
    }

    /// A diagnostic about an option of a member of a family, at the place where it was set, or else where its group begins.
    pub(crate) fn member_diagnostic(
        &self,
        group: &str,
        name: &str,
        text: impl Into<String>,
    ) -> Diagnostic {
        let key = (group.to_owned(), name.to_owned());
        let entry = self.plugin_option.get(&key);
        let origin = entry.and_then(|entry| entry.origin.clone());
        Diagnostic {
            origin: origin.or_else(|| self.members.get(group).cloned()),
            ..Diagnostic::general(text).option(group, name)
        }
    }

    /// A text that has a default.
    pub fn string(&self, group: &str, name: &str) -> &str {
        let default = match &defaulted(group, name).value {
            Some(Value::Text(text)) => text,
            _ => "",
        };
        self.optional_string(group, name).unwrap_or(default)
    }

    /// A text or URI.
    pub fn optional_string(&self, group: &str, name: &str) -> Option<&str> {
        match self.value(group, name, &[Kind::String, Kind::Uri]) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A truth value that has a default.
    pub fn bool(&self, group: &str, name: &str) -> bool {
        defaulted(group, name);
        self.optional_bool(group, name) == Some(true)
    }

    /// A truth value.
    pub fn optional_bool(&self, group: &str, name: &str) -> Option<bool> {
        match self.value(group, name, &[Kind::Bool]) {
            Some(Value::Bool(truth)) => Some(*truth),
            _ => None,
        }
    }

    /// A whole number with a default, which an empty value keeps.
    pub fn int(&self, group: &str, name: &str) -> i64 {
        let default = match defaulted(group, name).value {
            Some(Value::Int(number)) => number,
            _ => 0,
        };
        self.optional_int(group, name).unwrap_or(default)
    }

    /// A whole number; an empty value is none.
    pub fn optional_int(&self, group: &str, name: &str) -> Option<i64> {
        match self.value(group, name, &[Kind::Int]) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// A number with a default, which an empty value keeps.
    pub fn float(&self, group: &str, name: &str) -> f64 {
        let default = match defaulted(group, name).value {
            Some(Value::Float(number)) => number,
            _ => 0.0,
        };
        self.optional_float(group, name).unwrap_or(default)
    }

    /// A number; an empty value is none.
    pub fn optional_float(&self, group: &str, name: &str) -> Option<f64> {
        match self.value(group, name, &[Kind::Float]) {
            Some(Value::Float(number)) => Some(*number),
            _ => None,
        }
    }

    /// A list written with commas; empty if it is neither set nor has a default.
    pub fn list(&self, group: &str, name: &str) -> &[String] {
        list(self.value(group, name, &[Kind::List]))
    }

    /// The values of an option that can be given several times, oldest first.
    pub fn multi(&self, group: &str, name: &str) -> &[String] {
        list(self.value(group, name, &[Kind::Multi]))
    }

    /// `key:[value,value]` pairs.
    pub fn lists(&self, group: &str, name: &str) -> BTreeMap<String, Vec<String>> {
        match self.value(group, name, &[Kind::Lists]) {
            Some(Value::Lists(map)) => map.clone(),
            _ => BTreeMap::new(),
        }
    }

    /// An option of any type; none where it has no value or is not known.
    pub fn json(&self, group: &str, name: &str) -> serde_json::Value {
        let index = table().find(group, name);
        let value = index.and_then(|index| self.entries[index].value.as_ref());
        value.map_or(serde_json::Value::Null, Value::json)
    }

    /// The same for one that is known.
    pub(crate) fn known_json(&self, group: &str, name: &str) -> serde_json::Value {
        let value = self.entries[position(group, name)].value.as_ref();
        value.map_or(serde_json::Value::Null, Value::json)
    }

    fn value(&self, group: &str, name: &str, kinds: &[Kind]) -> Option<&Value> {
        let index = position(group, name);
        let kind = table().definitions[index].kind;
        assert!(
            kinds.contains(&kind),
            "[{group}] {name} is of type {kind:?}, not {kinds:?}"
        );
        self.entries[index].value.as_ref()
    }
}

impl Default for Config {
    /// Every option with its default.
    fn default() -> Self {
        let (entries, _) = Resolver::new(table(), &[] as &[File], &Sources::new()).finish();
        Self {
            entries,
            plugin_option: BTreeMap::new(),
            members: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for Config {
    /// The options that were set, without the values of secret ones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = table().definitions.iter().zip(&self.entries);
        let listed = listed.map(|(d, entry)| (d.group.as_str(), d.name.as_str(), entry));
        let plugin_option = self.plugin_option.iter();
        let plugin_option =
            plugin_option.map(|((group, name), e)| (group.as_str(), name.as_str(), e));
        let mut map = f.debug_map();
        for (group, name, entry) in listed.chain(plugin_option) {
            if entry.origin.is_none() {
                continue;
            }
            map.key(&format_args!("[{group}] {name}"));
            match &entry.value {
                _ if entry.secret => map.value(&format_args!("***")),
                Some(value) => map.value(value),
                None => map.value(&format_args!("none")),
            };
        }
        map.finish()
    }
}

fn position(group: &str, name: &str) -> usize {
    #[cfg(test)]
    ASKED.with_borrow_mut(|asked| asked.insert((group.to_owned(), name.to_owned())));
    match table().find(group, name) {
        Some(index) => index,
        None => panic!("there is no option [{group}] {name}"),
    }
}

fn defaulted(group: &str, name: &str) -> &'static Definition {
    let definition = &table().definitions[position(group, name)];
    assert!(
        definition.value.is_some(),
        "[{group}] {name} has no default"
    );
    definition
}

fn list(value: Option<&Value>) -> &[String] {
    match value {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

fn methods(table: &Table, resolver: &mut Resolver<'_>) -> Vec<String> {
    let index = table.find("auth", "methods");
    let entry = index.and_then(|index| resolver.entry(index));
    list(entry.and_then(|entry| entry.value.as_ref())).to_vec()
}

fn members(files: &[File]) -> BTreeMap<String, Location> {
    let mut found = BTreeMap::new();
    for file in files {
        let sections = file.document.sections.iter();
        for section in sections.filter(|section| families::options(&section.group).is_some()) {
            let origin = Location::Line(file.path.clone(), section.line);
            found.entry(section.group.clone()).or_insert(origin);
        }
    }
    found
}

/// Environment variables that name the plugin of an authentication method.
fn of_methods(table: &Table, methods: &[String], sources: &Sources) -> Vec<PluginOption> {
    let foreign = methods
        .iter()
        .filter(|name| table.find("auth", name).is_none());
    let set = foreign.filter_map(|name| {
        let (text, origin) = environment_value(sources, "auth", name)?;
        Some(PluginOption {
            group: "auth".to_owned(),
            name: name.clone(),
            text,
            origin,
        })
    });
    set.collect()
}

#[cfg(test)]
thread_local! {
    static ASKED: std::cell::RefCell<std::collections::BTreeSet<(String, String)>> =
        std::cell::RefCell::default();
}

/// The options that `work` reads.
#[cfg(test)]
pub(crate) fn asked(work: impl FnOnce()) -> std::collections::BTreeSet<(String, String)> {
    ASKED.take();
    work();
    ASKED.take()
}

#[cfg(test)]
mod tests;
