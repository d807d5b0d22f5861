//! Where the configuration comes from: files, directories of files, the environment.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Location, Problems};
use crate::ini::{self, Document};

/// One file, directory or text of a configuration.
#[derive(Clone)]
pub enum ConfigSource {
    /// A file, as of `--config-file`.
    File(PathBuf),
    /// The `*.conf` files of a directory in the order of their names, as of `--config-dir`.
    Dir(PathBuf),
    /// A text, with the name that messages about it use.
    Text {
        /// Stands for the path in messages.
        name: String,
        /// The content.
        text: String,
    },
}

impl fmt::Debug for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Dir(path) => f.debug_tuple("Dir").field(path).finish(),
            Self::Text { name, .. } => f.debug_tuple("Text").field(name).finish(),
        }
    }
}

/// The program that reads, which determines the files that it looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The server, which also reads `OS_KEYSTONE_CONFIG_DIR` and `OS_KEYSTONE_CONFIG_FILES`.
    Server,
    /// `keystone-manage`, which also reads a `keystone-manage.conf`.
    Manage,
}

/// The sources in order: later ones win, and the environment wins over all of them.
#[derive(Clone, Default)]
pub struct Sources {
    given: Vec<ConfigSource>,
    environment: HashMap<String, String>,
    searched: bool,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}

/// A parsed file.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) document: Document,
}

impl Sources {
    /// No sources: every option has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a source.
    #[must_use]
    pub fn with(mut self, source: ConfigSource) -> Self {
        self.given.push(source);
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(self, path: impl Into<PathBuf>) -> Self {
        self.with(ConfigSource::File(path.into()))
    }

    /// Adds a directory.
    #[must_use]
    pub fn dir(self, path: impl Into<PathBuf>) -> Self {
        self.with(ConfigSource::Dir(path.into()))
    }

    /// Adds a text instead of a file.
    #[must_use]
    pub fn text(self, name: &str, text: &str) -> Self {
        self.with(ConfigSource::Text {
            name: name.to_owned(),
            text: text.to_owned(),
        })
    }

    /// Sets the environment whose `OS_<GROUP>__<OPTION>` variables are read.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment = variables.into_iter().collect();
        self
    }

    /// The sources of a program: the files and directories of the standard dirs, then `given`, the
    /// `--config-file` and `--config-dir` of its command line in their order.
    ///
    /// A given file replaces all standard files, a given directory all standard directories. The
    /// standard dirs are `~/.keystone`, `~`, `/etc/keystone` and `/etc`.
    pub fn standard(
        program: Program,
        given: impl IntoIterator<Item = ConfigSource>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self::search(Path::new("/etc"), program, given, environment)
    }

    fn search(
        etc: &Path,
        program: Program,
        given: impl IntoIterator<Item = ConfigSource>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut sources = Self::new().environment(environment);
        sources.searched = true;
        let given: Vec<ConfigSource> = given.into_iter().collect();
        if !given
            .iter()
            .any(|source| matches!(source, ConfigSource::File(_)))
        {
            let named = match program {
                Program::Server => sources.named_by_environment(),
                Program::Manage => Vec::new(),
            };
            let files = if named.is_empty() {
                sources.standard_paths(etc, program, "conf")
            } else {
                named
            };
            sources
                .given
                .extend(files.into_iter().map(ConfigSource::File));
        }
        if !given
            .iter()
            .any(|source| matches!(source, ConfigSource::Dir(_)))
        {
            let dirs = sources.standard_paths(etc, program, "conf.d");
            sources
                .given
                .extend(dirs.into_iter().map(ConfigSource::Dir));
        }
        sources.given.extend(given);
        sources
    }

    fn named_by_environment(&self) -> Vec<PathBuf> {
        let value = |name: &str| self.variable(name).unwrap_or_default().trim();
        let dir = value("OS_KEYSTONE_CONFIG_DIR");
        let names = value("OS_KEYSTONE_CONFIG_FILES");
        let mut names: Vec<&str> = names.split(';').map(str::trim).collect();
        names.retain(|name| !name.is_empty());
        if names.is_empty() && !dir.is_empty() {
            names.push("keystone.conf");
        }
        names
            .into_iter()
            .map(|name| Path::new(dir).join(name))
            .collect()
    }

    /// For each base name, the first match in the search path.
    fn standard_paths(&self, etc: &Path, program: Program, extension: &str) -> Vec<PathBuf> {
        let dirs = self.search_path(etc);
        let names: &[&str] = match program {
            Program::Server => &["keystone"],
            Program::Manage => &["keystone", "keystone-manage"],
        };
        let found = names.iter().filter_map(|name| {
            let mut paths = dirs.iter().map(|p| p.join(format!("{name}.{extension}")));
            paths.find(|path| path.exists())
        });
        found.collect()
    }

    fn search_path(&self, etc: &Path) -> Vec<PathBuf> {
        let mut dirs = Vec::new();
        if let Some(home) = self.home() {
            dirs.extend([home.join(".keystone"), home]);
        }
        dirs.extend([etc.join("keystone"), etc.to_owned()]);
        for snap in ["SNAP_COMMON", "SNAP"] {
            if let Some(root) = self.variable(snap).filter(|root| !root.is_empty()) {
                dirs.push(Path::new(root).join("etc/keystone"));
            }
        }
        dirs
    }

    /// The directories that are searched for a file that an option names without a directory, such as
    /// `[oslo_policy] policy_file`: those of the sources, the last first, then the standard ones.
    pub fn dirs(&self) -> Vec<PathBuf> {
        let dirs = self.given.iter().filter_map(|source| match source {
            ConfigSource::Dir(path) => Some(self.expanded(path)),
            _ => None,
        });
        let beside = self.given.iter().rev().filter_map(|source| match source {
            ConfigSource::File(path) => self.expanded(path).parent().map(Path::to_owned),
            _ => None,
        });
        let mut all: Vec<PathBuf> = dirs.chain(beside).collect();
        if self.searched {
            all.extend(self.search_path(Path::new("/etc")));
        }
        all
    }

    fn home(&self) -> Option<PathBuf> {
        match self.variable("HOME") {
            Some(home) => Some(PathBuf::from(home)),
            None => std::env::home_dir(),
        }
    }

    /// A variable of the environment given to these sources.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// Whether the standard dirs were searched and nothing was found or given.
    pub(crate) fn found_nothing(&self) -> bool {
        self.searched && self.given.is_empty()
    }

    /// Reads every file in order; errors of reading and parsing go to `problems`.
    pub(crate) fn read(&self, problems: &mut Vec<Diagnostic>) -> Vec<File> {
        let mut files = Vec::new();
        for source in &self.given {
            match source {
                ConfigSource::File(path) => files.extend(read_file(&self.expanded(path), problems)),
                ConfigSource::Dir(path) => {
                    for path in list_dir(&self.expanded(path), problems) {
                        files.extend(read_file(&path, problems));
                    }
                }
                ConfigSource::Text { name, text } => {
                    files.push(parse(Path::new(name), text, problems));
                }
            }
        }
        files
    }

    fn expanded(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), self.home()) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path.to_owned(),
        }
    }
}

/// The options in one file by section, each with its first value, as they are stored as the configuration of a domain.
pub fn file_options(path: &Path) -> Result<BTreeMap<String, BTreeMap<String, String>>, Problems> {
    let mut problems = Vec::new();
    let file = read_file(path, &mut problems);
    let Some(file) = file.filter(|_| problems.is_empty()) else {
        return Err(Problems(problems));
    };
    let mut groups: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for section in file.document.sections {
        groups.entry(section.group).or_default();
    }
    for it in file.document.assignments {
        let options = groups.entry(it.group).or_default();
        options.entry(it.name).or_insert(it.value);
    }
    Ok(groups)
}

fn read_file(path: &Path, problems: &mut Vec<Diagnostic>) -> Option<File> {
    let problem = match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => return Some(parse(path, &text, problems)),
            Err(error) => {
                let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = String::from_utf8_lossy(before).matches('\n').count() + 1;
                let origin = Location::Line(path.to_owned(), line);
                Diagnostic::at(origin, "the line is not UTF-8")
            }
        },
        Err(error) => unreadable(path, &error),
    };
    problems.push(problem);
    None
}

fn list_dir(path: &Path, problems: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths: Vec<PathBuf> = listed.unwrap_or_else(|error: io::Error| {
        problems.push(unreadable(path, &error));
        Vec::new()
    });
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".conf") && !name.starts_with('.')
    });
    paths.sort();
    paths
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    let text = match error.kind() {
        io::ErrorKind::NotFound => "there is no such configuration file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "no permission to read the configuration".to_owned(),
        _ => format!("the configuration can't be read: {error}"),
    };
    Diagnostic::at(Location::Path(path.to_owned()), text)
}

fn parse(path: &Path, text: &str, problems: &mut Vec<Diagnostic>) -> File {
    let document = ini::parse(text);
    for (line, mistake) in &document.mistakes {
        problems.push(Diagnostic::at(
            Location::Line(path.to_owned(), *line),
            *mistake,
        ));
    }
    File {
        path: path.to_owned(),
        document,
    }
}

#[cfg(test)]
mod tests;
