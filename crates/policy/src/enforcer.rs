//! Rules that follow their files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use serde_json::Value;

use crate::error::{Denied, Fault, LoadError};
use crate::explain::Explanation;
use crate::overrides::{self, Overrides, Texts};
use crate::registry::Registry;
use crate::rules::{Loaded, Rules};
use crate::settings::Settings;

/// For how long questions share a look at the files, which takes some microseconds.
const SHARED_LOOK: Duration = Duration::from_millis(1);

/// Answers by the rules that the files have, or by the last good ones.
///
/// [`Self::enforce`], [`Self::authorize`] and [`Self::explain`] follow a change of the files within a millisecond;
/// [`Self::rules`] follows it at once.
#[derive(Debug)]
pub struct Enforcer {
    registry: Arc<Registry>,
    settings: Settings,
    state: ArcSwap<State>,
    /// When somebody began to look at the files last, of those who share their look.
    looked: ArcSwapOption<Instant>,
    reloading: Mutex<()>,
}

/// The result of the last check of the files.
#[derive(Debug)]
struct State {
    rules: Arc<Rules>,
    /// The files that the rules were read from.
    texts: Arc<Texts>,
    seen: Snapshot,
    /// Why the rules are not those of the files.
    fault: Option<Arc<LoadError>>,
}

impl Enforcer {
    /// Registers the rules of a service, a `Vec<DefaultRule>` or a [`Registry`], and reads the files.
    ///
    /// Here a file that can't be read is an error, for there are no rules yet that could stay. So are two defaults of one
    /// name, and one that is to be removed without a reason. A rule that is wrong denies, and is logged.
    pub fn with_defaults(
        defaults: impl Into<Registry>,
        settings: Settings,
    ) -> Result<Self, LoadError> {
        Self::after(Arc::new(defaults.into()), &Texts::default(), settings)
    }

    /// The same for other settings, while the rules of this one are in force: what would keep them in force is an
    /// error here too.
    pub fn reconfigured(&self, settings: Settings) -> Result<Self, LoadError> {
        let mine = &self.settings;
        let registry = Arc::clone(&self.registry);
        if mine.file == settings.file && mine.dirs == settings.dirs {
            Self::after(registry, &self.state.load().texts, settings)
        } else {
            Self::after(registry, &Texts::default(), settings)
        }
    }

    fn after(
        registry: Arc<Registry>,
        before: &Texts,
        settings: Settings,
    ) -> Result<Self, LoadError> {
        // Taken before the files are read: a change in between is seen next time.
        let seen = Snapshot::take(&settings);
        let (rules, texts) = load(&registry, &settings, before)?;
        let state = State {
            rules: Arc::new(rules),
            texts: Arc::new(texts),
            seen,
            fault: None,
        };
        Ok(Self {
            registry,
            settings,
            state: ArcSwap::from_pointee(state),
            looked: ArcSwapOption::empty(),
            reloading: Mutex::new(()),
        })
    }

    /// Whether `credentials` may do on `target` what `rule` is about; see [`Rules::enforce`].
    pub fn enforce(&self, rule: &str, target: &Value, credentials: &Value) -> Result<(), Denied> {
        let answer = self.recent_rules().enforce(rule, target, credentials);
        answer.inspect_err(Denied::log)
    }

    /// The same for a rule that the service registered; any other is unknown, also where a file defines it or the default
    /// rule would answer. `Enforcer.authorize` of oslo.policy.
    pub fn authorize(&self, rule: &str, target: &Value, credentials: &Value) -> Result<(), Denied> {
        let rules = self.recent_rules();
        if !rules.is_built_in(rule) {
            let rule = rule.to_owned();
            return Err(Denied::Unknown { rule });
        }
        let answer = rules.enforce(rule, target, credentials);
        answer.inspect_err(Denied::log)
    }

    /// The answer with every part's outcome; see [`Rules::explain`].
    pub fn explain(&self, rule: &str, target: &Value, credentials: &Value) -> Explanation {
        self.recent_rules().explain(rule, target, credentials)
    }

    /// What the service registered.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The rules in force: those that the files have now.
    pub fn rules(&self) -> Arc<Rules> {
        self.refresh();
        Arc::clone(&self.state.load().rules)
    }

    /// The rules as they were at `since` or later: many who ask since then share a look at the files.
    pub fn rules_since(&self, since: Instant) -> Arc<Rules> {
        if self
            .looked
            .load()
            .as_ref()
            .is_some_and(|looked| **looked >= since)
        {
            return Arc::clone(&self.state.load().rules);
        }
        let begun = Instant::now();
        if self.look() {
            self.looked.store(Some(Arc::new(begun)));
        }
        Arc::clone(&self.state.load().rules)
    }

    fn recent_rules(&self) -> Arc<Rules> {
        let now = Instant::now();
        self.rules_since(now.checked_sub(SHARED_LOOK).unwrap_or(now))
    }

    /// How long another server may take to answer a rule's question.
    pub fn remote_timeout(&self) -> Duration {
        self.settings.remote.timeout
    }

    /// Why the rules in force are not those of the files, if they aren't.
    pub fn fault(&self) -> Option<Arc<LoadError>> {
        self.state.load().fault.clone()
    }

    /// Reads the files again if one of them is not what it was; one thread does, the others go on with what there is.
    pub fn refresh(&self) {
        self.look();
    }

    /// Whether the rules are those of the files now: not while another thread reads them.
    fn look(&self) -> bool {
        if self.state.load().seen.is_current() {
            return true;
        }
        let Ok(_one) = self.reloading.try_lock() else {
            return false;
        };
        let last = self.state.load();
        let seen = Snapshot::take(&self.settings);
        let next = match load(&self.registry, &self.settings, &last.texts) {
            Ok((rules, texts)) => {
                tracing::info!("the policy rules were read again");
                State {
                    rules: Arc::new(rules),
                    texts: Arc::new(texts),
                    seen,
                    fault: None,
                }
            }
            Err(error) => State {
                rules: Arc::clone(&last.rules),
                texts: Arc::clone(&last.texts),
                // A file that could not be read may be readable the next time, without another change.
                seen: match error {
                    LoadError::Read { .. } => last.seen.clone(),
                    _ => seen,
                },
                fault: Some(last.report(error)),
            },
        };
        self.state.store(Arc::new(next));
        true
    }
}

impl State {
    /// Tells once why the rules are kept.
    fn report(&self, error: LoadError) -> Arc<LoadError> {
        let known = self.fault.as_ref();
        if let Some(known) = known.filter(|known| known.to_string() == error.to_string()) {
            return Arc::clone(known);
        }
        tracing::error!("{error}; the policy rules stay as they were until it is repaired");
        Arc::new(error)
    }
}

/// Reads the files where `before` was read last, and tells of each rule that is wrong.
fn load(
    registry: &Registry,
    settings: &Settings,
    before: &Texts,
) -> Result<(Rules, Texts), LoadError> {
    let texts = Texts::read(settings)?;
    texts.check_after(before, settings)?;
    let overrides = Overrides::from_texts(&texts, settings)?;
    let Loaded { rules, faults } = Rules::over(registry, &overrides, settings);
    let (wrong, faults): (Vec<_>, Vec<_>) = faults.into_iter().partition(Fault::is_of_the_service);
    if !wrong.is_empty() {
        return Err(LoadError::Rules(wrong));
    }
    for fault in faults {
        tracing::error!("{fault}; the faulty part denies until it is repaired");
    }
    Ok((rules, texts))
}

/// The state of the files when they were read.
#[derive(Clone, Debug)]
struct Snapshot(Vec<(PathBuf, Option<Stamp>)>);

/// Inode, length, and the times of change of content and of mode.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp(u64, u64, (i64, i64), (i64, i64));

impl Snapshot {
    fn take(settings: &Settings) -> Self {
        // The directories first: a file that appears while they are listed changes their stamp.
        let dirs = settings.dirs.iter().cloned().map(stamped);
        let mut all: Vec<_> = dirs.collect();
        let files = overrides::files(settings);
        let files = files.unwrap_or_else(|_| settings.file.iter().cloned().collect());
        all.extend(files.into_iter().map(stamped));
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
