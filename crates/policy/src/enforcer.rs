//! Rules that follow their files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use arc_swap::{ArcSwap, ArcSwapOption};
use serde_json::Value;

use crate::error::{Denied, LoadError};
use crate::overrides::{self, Overrides};
use crate::rules::Rules;
use crate::settings::Settings;

/// Answers by the rules that the files have now, or by the last good ones.
#[derive(Debug)]
pub struct Enforcer {
    settings: Settings,
    rules: ArcSwap<Rules>,
    seen: ArcSwap<Snapshot>,
    fault: ArcSwapOption<LoadError>,
    reloading: Mutex<()>,
}

impl Enforcer {
    /// Reads the files; here a mistake is an error, for there are no rules yet that could stay.
    pub fn new(settings: Settings) -> Result<Self, LoadError> {
        let seen = Snapshot::take(&settings);
        let rules = load(&settings)?;
        Ok(Self {
            settings,
            rules: ArcSwap::from_pointee(rules),
            seen: ArcSwap::from_pointee(seen),
            fault: ArcSwapOption::empty(),
            reloading: Mutex::new(()),
        })
    }

    /// Whether `credentials` may do on `target` what `rule` is about; see [`Rules::enforce`].
    pub fn enforce(&self, rule: &str, target: &Value, credentials: &Value) -> Result<(), Denied> {
        self.refresh();
        let answer = self.rules.load().enforce(rule, target, credentials);
        if let Err(Denied::Undecided { rule, reason }) = &answer {
            tracing::warn!(
                rule,
                reason,
                "a policy rule could not be decided, so it denies"
            );
        }
        answer
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        self.refresh();
        self.rules.load_full()
    }

    /// Why the rules in force are not those of the files, if they aren't.
    pub fn fault(&self) -> Option<Arc<LoadError>> {
        self.fault.load_full()
    }

    /// Reads the files again if one of them is not what it was; one thread does, the others go on with what there is.
    pub fn refresh(&self) {
        if self.seen.load().is_current() {
            return;
        }
        let Ok(_one) = self.reloading.try_lock() else {
            return;
        };
        // Taken before the files are read: a change in between is seen next time.
        let seen = Snapshot::take(&self.settings);
        match load(&self.settings) {
            Ok(rules) => {
                self.rules.store(Arc::new(rules));
                self.fault.store(None);
                tracing::info!("the policy rules were read again");
            }
            Err(error) => {
                tracing::error!(%error, "the policy rules stay as they were");
                self.fault.store(Some(Arc::new(error)));
            }
        }
        self.seen.store(Arc::new(seen));
    }
}

fn load(settings: &Settings) -> Result<Rules, LoadError> {
    let overrides = Overrides::from_settings(settings)?;
    Rules::with_overrides(&overrides, settings).strict()
}

/// What the files looked like when they were read.
#[derive(Debug)]
struct Snapshot(Vec<(PathBuf, Option<Stamp>)>);

/// Inode, length, and the times of change of content and of mode.
#[derive(Debug, PartialEq, Eq)]
struct Stamp(u64, u64, (i64, i64), (i64, i64));

impl Snapshot {
    fn take(settings: &Settings) -> Self {
        // The directories first: a file that appears while they are listed changes their stamp.
        let dirs = settings.dirs.iter().cloned().map(stamped);
        let mut all: Vec<_> = dirs.collect();
        let files = overrides::files(settings).unwrap_or_default();
        all.extend(settings.file.iter().cloned().chain(files).map(stamped));
        Self(all)
    }

    fn is_current(&self) -> bool {
        self.0.iter().all(|(path, stamp)| Stamp::of(path) == *stamp)
    }
}

fn stamped(path: PathBuf) -> (PathBuf, Option<Stamp>) {
    let stamp = Stamp::of(&path);
    (path, stamp)
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        let modified = (meta.mtime(), meta.mtime_nsec());
        let changed = (meta.ctime(), meta.ctime_nsec());
        Some(Self(meta.ino(), meta.len(), modified, changed))
    }
}
