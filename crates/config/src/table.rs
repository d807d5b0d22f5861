//! Every option that Python Keystone and its libraries declare, and those of this server alone, by group and name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Number;

use crate::convert::{self, Value};

/// How a value is written and read.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    String,
    Uri,
    Bool,
    Int,
    Float,
    /// Separated by commas.
    List,
    /// One value for each time the option is given.
    Multi,
    /// `key:value` pairs separated by commas.
    Dict,
    /// `key:[value,value]` pairs separated by commas.
    Lists,
}

/// A group and a name.
pub(crate) type Key = (String, String);

/// One option.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the flags are independent and come as data"
)]
pub(crate) struct Definition {
    #[serde(skip)]
    pub(crate) group: String,
    #[serde(skip)]
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    #[serde(default)]
    default: Option<serde_json::Value>,
    #[serde(skip)]
    pub(crate) value: Option<Value>,
    #[serde(default)]
    pub(crate) min: Option<Number>,
    #[serde(default)]
    pub(crate) max: Option<Number>,
    #[serde(default)]
    pub(crate) max_length: Option<usize>,
    #[serde(default)]
    pub(crate) choices: Vec<String>,
    #[serde(default)]
    pub(crate) any_case: bool,
    #[serde(default)]
    pub(crate) schemes: Vec<String>,
    /// Deprecated names that still work.
    #[serde(default)]
    pub(crate) deprecated_names: Vec<Key>,
    #[serde(default)]
    pub(crate) secret: bool,
    /// Can change when the configuration is reloaded.
    #[serde(default)]
    pub(crate) mutable: bool,
    /// Deprecated for removal.
    #[serde(default)]
    pub(crate) deprecated_for_removal: bool,
}

/// Names of earlier releases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Retired {
    renamed: BTreeMap<String, BTreeMap<String, Vec<Key>>>,
    groups: BTreeSet<String>,
    options: BTreeMap<String, BTreeSet<String>>,
}

/// The options, in the order of their groups and names.
pub(crate) struct Table {
    pub(crate) definitions: Vec<Definition>,
    groups: BTreeMap<String, BTreeMap<String, usize>>,
    deprecated_names: BTreeMap<String, BTreeMap<String, usize>>,
    retired: Retired,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::parse(
        include_str!("../options.json"),
        include_str!("../own.json"),
        include_str!("../retired.json"),
    )
});

/// The one table.
pub(crate) fn table() -> &'static Table {
    &TABLE
}

impl Table {
    fn parse(options: &str, own: &str, retired: &str) -> Self {
        let parse = |options| -> BTreeMap<String, BTreeMap<String, Definition>> {
            serde_json::from_str(options).expect("tests parse the embedded options")
        };
        let mut options = parse(options);
        for (group, members) in parse(own) {
            options.entry(group).or_default().extend(members);
        }
        let mut retired: Retired =
            serde_json::from_str(retired).expect("tests parse the embedded retired names");
        let mut table = Self {
            definitions: Vec::new(),
            groups: BTreeMap::new(),
            deprecated_names: BTreeMap::new(),
            retired: Retired {
                renamed: BTreeMap::new(),
                groups: retired.groups,
                options: retired.options,
            },
        };
        for (group, members) in options {
            for (name, mut definition) in members {
                if let Some(renamed) = retired.renamed.get_mut(&group) {
                    definition
                        .deprecated_names
                        .extend(renamed.remove(&name).unwrap_or_default());
                }
                definition.group.clone_from(&group);
                definition.name = name;
                definition.value = convert::default(definition.kind, definition.default.take());
                table.add(definition);
            }
        }
        table
    }

    fn add(&mut self, definition: Definition) {
        let index = self.definitions.len();
        let Definition { group, name, .. } = &definition;
        self.groups
            .entry(group.clone())
            .or_default()
            .insert(name.clone(), index);
        for (group, name) in &definition.deprecated_names {
            self.deprecated_names
                .entry(group.clone())
                .or_default()
                .insert(name.clone(), index);
        }
        self.definitions.push(definition);
    }

    /// The position of an option under its current name.
    pub(crate) fn find(&self, group: &str, name: &str) -> Option<usize> {
        self.groups.get(group)?.get(name).copied()
    }

    /// The position of an option under one of its deprecated names.
    pub(crate) fn find_deprecated(&self, group: &str, name: &str) -> Option<usize> {
        self.deprecated_names.get(group)?.get(name).copied()
    }

    /// Whether the group has options of this or an earlier release.
    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.groups.contains_key(group)
            || self.deprecated_names.contains_key(group)
            || self.retired.groups.contains(group)
            || self.retired.options.contains_key(group)
    }

    /// Whether an option is of an earlier release, or of a library that this server does not use.
    pub(crate) fn is_retired(&self, group: &str, name: &str) -> bool {
        let names = self.retired.options.get(group);
        self.retired.groups.contains(group) || names.is_some_and(|names| names.contains(name))
    }

    /// The names of the groups with options.
    pub(crate) fn group_names(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    /// The names of the options of a group.
    pub(crate) fn names(&self, group: &str) -> impl Iterator<Item = &str> {
        self.groups
            .get(group)
            .into_iter()
            .flat_map(|names| names.keys().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_option_of_keystone() {
        // And the ten of `own.json`.
        assert_eq!(table().definitions.len(), 413 + 10);
        assert_eq!(table().group_names().count(), 47 + 3);
    }

    #[test]
    fn every_default_has_the_type_of_its_option() {
        let mut raw: BTreeMap<String, BTreeMap<String, serde_json::Value>> =
            serde_json::from_str(include_str!("../options.json")).unwrap();
        let own: BTreeMap<String, BTreeMap<String, serde_json::Value>> =
            serde_json::from_str(include_str!("../own.json")).unwrap();
        for (group, options) in own {
            raw.entry(group).or_default().extend(options);
        }
        for definition in &table().definitions {
            let declared = raw[&definition.group][&definition.name].get("default");
            assert_eq!(
                declared.is_some(),
                definition.value.is_some(),
                "[{}] {}",
                definition.group,
                definition.name
            );
        }
    }

    #[test]
    fn no_default_refers_to_another_option() {
        for definition in &table().definitions {
            if let Some(Value::Text(text)) = &definition.value {
                assert!(!text.contains('$'), "{}", definition.name);
            }
        }
    }

    #[test]
    fn a_retired_name_is_not_a_current_name() {
        let retired: Retired = serde_json::from_str(include_str!("../retired.json")).unwrap();
        for (group, names) in &retired.options {
            for name in names {
                assert_eq!(table().find(group, name), None, "[{group}] {name}");
            }
        }
        for (group, renamed) in &retired.renamed {
            for (name, deprecated_names) in renamed {
                assert!(table().find(group, name).is_some(), "[{group}] {name}");
                for (group, name) in deprecated_names {
                    assert_eq!(table().find(group, name), None, "[{group}] {name}");
                }
            }
        }
    }

    #[test]
    fn a_deprecated_name_belongs_to_one_option() {
        let names: usize = table().deprecated_names.values().map(BTreeMap::len).sum();
        let declared: usize = table()
            .definitions
            .iter()
            .map(|d| d.deprecated_names.len())
            .sum();
        assert_eq!(names, declared);
    }
}
