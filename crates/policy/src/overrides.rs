//! The operator's rules, as their files have them.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::{LoadError, Loss};
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
    /// Where it stands among all; one that replaces another takes its place.
    place: usize,
}

/// The policy files that are there and what is in them, in the order in which they are laid over each other.
#[derive(Debug, Default)]
pub(crate) struct Texts(Vec<(PathBuf, String)>);

impl Overrides {
    /// Reads one JSON or YAML file.
    pub fn from_file(path: &Path) -> Result<Self, LoadError> {
        Self::from_text(path, &read(path)?)
    }

    /// Reads the policy file, over it the files of the policy directories, and over them what the settings have; what does not
    /// exist has no rules.
    pub fn from_settings(settings: &Settings) -> Result<Self, LoadError> {
        Self::from_texts(&Texts::read(settings)?, settings)
    }

    /// The rules of files that were read, and over them what the settings have.
    pub(crate) fn from_texts(texts: &Texts, settings: &Settings) -> Result<Self, LoadError> {
        let mut all = Self::default();
        for (path, text) in &texts.0 {
            all.lay(Self::from_text(path, text)?);
        }
        if let Some(text) = &settings.overrides {
            all.lay(text.parse()?);
        }
        Ok(all)
    }

    fn from_text(path: &Path, text: &str) -> Result<Self, LoadError> {
        let rules = parse(text).map_err(|mistake| LoadError::Format {
            path: path.to_owned(),
            line: mistake.line,
            column: mistake.column,
            reason: mistake.reason,
        })?;
        Ok(Self::new(rules, Some(&Arc::from(path))))
    }

    /// The names of the rules.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Override> {
        self.0.get(name)
    }

    /// The rules in the order in which the files have them.
    pub(crate) fn in_order(&self) -> Vec<(&str, &Override)> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|(_, given)| given.place);
        let named = all.into_iter().map(|(name, given)| (name.as_str(), given));
        named.collect()
    }

    fn new(rules: Map<String, Value>, file: Option<&Arc<Path>>) -> Self {
        let entry = |(place, (name, rule))| {
            let file = file.cloned();
            (name, Override { rule, file, place })
        };
        Self(rules.into_iter().enumerate().map(entry).collect())
    }

    /// Lays the rules of a later file over these.
    fn lay(&mut self, upper: Self) {
        let below = self.0.len();
        for (name, mut given) in upper.0 {
            let replaced = self.0.get(&name).map(|known| known.place);
            given.place = replaced.unwrap_or(below + given.place);
            self.0.insert(name, given);
        }
    }
}

impl From<Map<String, Value>> for Overrides {
    fn from(rules: Map<String, Value>) -> Self {
        Self::new(rules, None)
    }
}

impl FromStr for Overrides {
    type Err = LoadError;

    /// Reads JSON or YAML.
    fn from_str(text: &str) -> Result<Self, LoadError> {
        let rules = parse(text).map_err(|mistake| LoadError::Overrides {
            line: mistake.line,
            column: mistake.column,
            reason: mistake.reason,
        })?;
        Ok(rules.into())
    }
}

impl Texts {
    /// Reads the policy file and the files of the policy directories.
    pub(crate) fn read(settings: &Settings) -> Result<Self, LoadError> {
        let mut texts = Vec::new();
        for path in files(settings)? {
            match read(&path) {
                Ok(text) => texts.push((path, text)),
                Err(LoadError::Read { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self(texts))
    }

    /// Refuses what looks like an accident rather than an operator's will.
    ///
    /// A file of a directory may go, which is how its rules are taken back; the policy file and a whole directory may
    /// not. A file that is to have no rules says so with `{}` or a comment.
    pub(crate) fn check_after(&self, before: &Self, settings: &Settings) -> Result<(), LoadError> {
        let lost = |path: &Path, how| {
            let path = path.to_owned();
            Err(LoadError::Lost { path, how })
        };
        for (path, old) in before.0.iter().filter(|(_, old)| !is_blank(old)) {
            let Some((_, new)) = self.0.iter().find(|(known, _)| known == path) else {
                if settings.file.as_ref() == Some(path) {
                    return lost(path, Loss::Gone);
                }
                let mut dirs = settings.dirs.iter();
                match dirs.find(|dir| path.starts_with(dir) && !dir.exists()) {
                    Some(dir) => return lost(dir, Loss::Gone),
                    None => continue,
                }
            };
            if is_blank(new) {
                return lost(path, Loss::Emptied);
            }
            // Rules that end with a line may have been taken off on purpose.
            let rest = old.strip_prefix(new.as_str()).unwrap_or_default();
            if !rest.is_empty() && !new.ends_with('\n') && !rest.starts_with(['\n', '\r']) {
                return lost(path, Loss::CutOff);
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, LoadError> {
    fs::read_to_string(path).map_err(|source| LoadError::Read {
        path: path.to_owned(),
        source,
    })
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
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
