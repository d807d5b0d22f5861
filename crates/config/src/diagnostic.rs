//! Diagnostics about the configuration: problems that stop the start, and warnings.

use std::fmt;
use std::path::PathBuf;

/// Where a value or a mistake is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A line of a configuration file.
    Line(PathBuf, usize),
    /// A file or directory as a whole.
    Path(PathBuf),
    /// An environment variable.
    Environment(String),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// One problem or warning and its origin. Never holds the value of a secret option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The origin, unless it is about the sources as a whole.
    pub origin: Option<Location>,
    /// The group it is about.
    pub group: Option<String>,
    /// The option it is about.
    pub option: Option<String>,
    /// The problem and its solution.
    pub text: String,
}

impl Diagnostic {
    pub(crate) fn at(origin: Location, text: impl Into<String>) -> Self {
        Self {
            origin: Some(origin),
            group: None,
            option: None,
            text: text.into(),
        }
    }

    pub(crate) fn general(text: impl Into<String>) -> Self {
        Self {
            origin: None,
            group: None,
            option: None,
            text: text.into(),
        }
    }

    pub(crate) fn group(mut self, group: &str) -> Self {
        self.group = Some(group.to_owned());
        self
    }

    pub(crate) fn option(mut self, group: &str, option: &str) -> Self {
        self.group = Some(group.to_owned());
        self.option = Some(option.to_owned());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        match (&self.group, &self.option) {
            (Some(group), Some(option)) => write!(f, "[{group}] {option}: ")?,
            (Some(group), None) => write!(f, "[{group}]: ")?,
            _ => {}
        }
        f.write_str(&self.text)
    }
}

/// All problems of a configuration, displayed one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Diagnostic>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
