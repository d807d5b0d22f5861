//! Where users and groups are: `[identity] driver`, and the files of single domains.

use std::path::{Path, PathBuf};
use std::{fs, io};

use keystone::identity::{Backend, Backends, DomainBackends};

use super::Reader;
use crate::diagnostic::Location;
use crate::{Config, Diagnostic, Problems, Sources};

impl Reader<'_> {
    pub(super) fn backends(&mut self) -> Backends {
        let config = self.config;
        let default = Backend::read(|group, option| config.known_json(group, option));
        let default = default.unwrap_or_else(|error| {
            self.problem(error.group, &error.option, error.reason);
            Backend::default()
        });
        if default.directory.is_some() {
            self.warnings.extend(unfollowed(config));
        }
        Backends {
            default,
            backward_compatible_ids: config.bool("identity_mapping", "backward_compatible_ids"),
            domains: self.domain_backends(),
        }
    }

    fn domain_backends(&mut self) -> DomainBackends {
        let config = self.config;
        // Read in any case, so that both have an effect.
        let in_database = config.bool("identity", "domain_configurations_from_database");
        let dir = config.string("identity", "domain_config_dir");
        if !config.bool("identity", "domain_specific_drivers_enabled") {
            return DomainBackends::None;
        }
        if in_database {
            return DomainBackends::Database;
        }
        let files = files_below(Path::new(dir), &mut |dir, error| {
            let text = format!(
                "{}: {error}; no domain has a backend of a file in it",
                dir.display()
            );
            self.warning("identity", "domain_config_dir", text);
        });
        let named = files.iter();
        let named = named.filter_map(|path| Some((domain_of_file(path)?.to_owned(), path)));
        let mut named: Vec<_> = named.collect();
        named.sort();
        let backends = named.into_iter().filter_map(|(name, path)| {
            let (backend, warnings) = read(path)
                .map_err(|problems| self.problems.extend(problems))
                .ok()?;
            self.warnings.extend(warnings);
            Some((name, backend))
        });
        DomainBackends::Files(backends.collect())
    }
}

/// The files in a directory and below it, in order, as Keystone finds them: links to directories are not followed. Directories that
/// can't be read are reported.
pub fn files_below(dir: &Path, report: &mut impl FnMut(&Path, io::Error)) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).and_then(Iterator::collect);
    let mut entries: Vec<fs::DirEntry> = entries.unwrap_or_else(|error| {
        report(dir, error);
        Vec::new()
    });
    entries.sort_by_key(fs::DirEntry::path);
    let mut files = Vec::new();
    for entry in entries {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files.extend(files_below(&entry.path(), report));
        } else {
            files.push(entry.path());
        }
    }
    files
}

/// The domain whose backend a file has, by its name: `keystone.<domain>.conf`.
pub fn domain_of_file(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix("keystone.")?.strip_suffix(".conf")
}

/// The backend in a file, over the defaults: nothing of `keystone.conf` counts in it.
fn read(path: &Path) -> Result<(Backend, Vec<Diagnostic>), Vec<Diagnostic>> {
    let sources = Sources::new().file(path);
    let (config, mut warnings) = Config::load(&sources).map_err(|Problems(problems)| problems)?;
    let backend = Backend::read(|group, option| config.known_json(group, option));
    let backend = backend.map_err(|error| {
        let problem = config.diagnostic(error.group, &error.option, error.reason);
        let origin = || Some(Location::Path(path.to_owned()));
        vec![Diagnostic {
            origin: problem.origin.clone().or_else(origin),
            ..problem
        }]
    })?;
    let driver = config.string("identity", "driver");
    if backend.directory.is_none() && config.is_set("identity", "driver") {
        let text = format!("{driver}: the domain's users are in the one database of this server");
        warnings.push(config.diagnostic("identity", "driver", text));
    }
    warnings.extend(unfollowed(&config));
    warnings.extend(config.ignored_in_domain());
    Ok((backend, warnings))
}

/// A warning for those who ask for the entries of other directories.
fn unfollowed(config: &Config) -> Option<Diagnostic> {
    let asked = config.known_json("ldap", "chase_referrals") == true;
    let text = "referrals are never followed: what is in other directories is missing";
    asked.then(|| config.diagnostic("ldap", "chase_referrals", text))
}
