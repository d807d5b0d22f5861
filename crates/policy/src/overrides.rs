//! The operator's rules, as their files have them.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::LoadError;
use crate::settings::Settings;
use crate::yaml::{self, Mistake};

/// Rules by name, each a check string or a list, not yet parsed.
#[derive(Clone, Debug, Default)]
pub struct Overrides(BTreeMap<String, Override>);

/// One rule and the file it came from.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    pub(crate) rule: Value,
    pub(crate) file: Option<Arc<Path>>,
}

impl Overrides {
    /// Reads one JSON or YAML file.
    pub fn from_file(path: &Path) -> Result<Self, LoadError> {
        let text = fs::read_to_string(path).map_err(|source| LoadError::Read {
            path: path.to_owned(),
            source,
        })?;
        let rules = parse(&text).map_err(|mistake| LoadError::Format {
            path: path.to_owned(),
            line: mistake.line,
            column: mistake.column,
            reason: mistake.reason,
        })?;
        Ok(Self::new(rules, Some(&Arc::from(path))))
    }

    /// Reads the policy file and, over it, the files of the policy directories; what does not exist has no rules.
    pub fn from_settings(settings: &Settings) -> Result<Self, LoadError> {
        let mut all = Self::default();
        for path in files(settings)? {
            match Self::from_file(&path) {
                Ok(overrides) => all.0.extend(overrides.0),
                Err(LoadError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// The names of the rules.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Override> {
        self.0.get(name)
    }

    fn new(rules: Map<String, Value>, file: Option<&Arc<Path>>) -> Self {
        let entry = |(name, rule)| {
            let file = file.cloned();
            (name, Override { rule, file })
        };
        Self(rules.into_iter().map(entry).collect())
    }
}

impl From<Map<String, Value>> for Overrides {
    fn from(rules: Map<String, Value>) -> Self {
        Self::new(rules, None)
    }
}

/// The policy file and the files of the directories, in the order in which they are laid over each other.
pub(crate) fn files(settings: &Settings) -> Result<Vec<PathBuf>, LoadError> {
    let mut paths: Vec<PathBuf> = settings.file.iter().cloned().collect();
    for dir in &settings.dirs {
        let wrong = |source| LoadError::Read {
            path: dir.clone(),
            source,
        };
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(wrong(error)),
        };
        let mut inside = Vec::new();
        for entry in entries {
            let entry = entry.map_err(wrong)?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if !hidden && !entry.path().is_dir() {
                inside.push(entry.path());
            }
        }
        inside.sort();
        paths.append(&mut inside);
    }
    Ok(paths)
}

/// JSON is tried first where the text looks like it: YAML knows it too, but not with tabs.
fn parse(text: &str) -> Result<Map<String, Value>, Mistake> {
    if !text.trim_start().starts_with('{') {
        return yaml::parse(text);
    }
    serde_json::from_str(text).or_else(|error| {
        yaml::parse(text).map_err(|_| Mistake {
            line: error.line(),
            column: error.column(),
            reason: error.to_string(),
        })
    })
}
