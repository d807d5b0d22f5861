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
        let mut found = Vec::new();
        find(Path::new(dir), &mut found, &mut |dir, error| {
            let text = format!(
                "{}: {error}; no domain has a backend of a file in it",
                dir.display()
            );
            self.warning("identity", "domain_config_dir", text);
        });
        found.sort();
        let backends = found.into_iter().filter_map(|(name, path)| {
            let (backend, warnings) = read(&path)
                .map_err(|problems| self.problems.extend(problems))
                .ok()?;
            self.warnings.extend(warnings);
            Some((name, backend))
        });
        DomainBackends::Files(backends.collect())
    }
}

/// Finds `keystone.<domain>.conf` in a directory and below it. Reports directories that can't be read, and goes on.
fn find(dir: &Path, found: &mut Vec<(String, PathBuf)>, report: &mut impl FnMut(&Path, io::Error)) {
    let entries = fs::read_dir(dir).and_then(Iterator::collect);
    let entries: Vec<fs::DirEntry> = entries.unwrap_or_else(|error| {
        report(dir, error);
        Vec::new()
    });
    for path in entries.into_iter().map(|entry| entry.path()) {
        if path.is_dir() {
            find(&path, found, report);
            continue;
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.and_then(|name| name.strip_prefix("keystone."));
        if let Some(domain) = name.and_then(|name| name.strip_suffix(".conf")) {
            found.push((domain.to_owned(), path));
        }
    }
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
