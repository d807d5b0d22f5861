//! The log: to standard error, or to the file that `[DEFAULT] log_file` and `log_dir` name.
//!
//! The level is INFO, or DEBUG with `[DEFAULT] debug`; `KEYSTONE_LOG` in the environment replaces it
//! (`KEYSTONE_LOG=info,keystone_auth=debug`). `[DEFAULT] use_json`, `--use-json` or
//! `KEYSTONE_LOG_FORMAT=json` makes each line a JSON object. SIGHUP reopens the file, so that
//! logrotate can move it.

mod output;

use std::path::PathBuf;
use std::sync::OnceLock;

use keystone_config::Config;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::arguments::Logging;
use crate::environment;
use crate::error::Result;
use output::Output;

/// The log of this process.
static OUTPUT: OnceLock<Output> = OnceLock::new();

/// The parts of the log that can change while the process runs.
#[derive(Debug)]
pub(crate) struct Logs {
    level: reload::Handle<EnvFilter, Registry>,
    output: &'static Output,
    to_file: bool,
    arguments: Logging,
}

impl Logs {
    /// Starts the log that the configuration and the command line describe; `program` names the file in a `log_dir`.
    pub(crate) fn start(config: &Config, arguments: &Logging, program: &str) -> Result<Self> {
        let path = path(config, arguments, program);
        let opened = Output::open(path.as_deref(), config.bool("DEFAULT", "use_stderr"))?;
        // A second start in one process keeps the first log, as tests need it.
        let first = OUTPUT.get().is_none();
        let output = OUTPUT.get_or_init(|| opened);
        if first && program == "keystone" {
            output.write_behind();
        }
        let format = environment::variables().remove("KEYSTONE_LOG_FORMAT");
        let json = arguments
            .json()
            .unwrap_or_else(|| config.bool("DEFAULT", "use_json"))
            || format.as_deref() == Some("json");
        let layer = fmt::layer().with_writer(output).with_ansi(false);
        let layer = if json {
            layer.json().flatten_event(true).boxed()
        } else {
            layer.boxed()
        };
        let (filter, level) = reload::Layer::new(filter(config, arguments));
        let _ = Registry::default().with(filter).with(layer).try_init();
        for name in ignored_options(config, arguments) {
            tracing::warn!("{name} has no effect: the log goes to standard error or to a file");
        }
        Ok(Self {
            level,
            output,
            to_file: path.is_some(),
            arguments: arguments.clone(),
        })
    }

    /// Applies the level of a new configuration.
    pub(crate) fn follow(&self, config: &Config) {
        let _ = self.level.reload(filter(config, &self.arguments));
    }

    /// Reopens the file, which may have been moved.
    pub(crate) fn reopen(&self) {
        if let Err(failure) = self.output.reopen() {
            tracing::error!("{failure}; logging to the file that was open");
        }
    }

    /// Whether the log goes to a file.
    pub(crate) fn is_to_file(&self) -> bool {
        self.to_file
    }
}

fn filter(config: &Config, arguments: &Logging) -> EnvFilter {
    let debug = arguments
        .debug()
        .unwrap_or_else(|| config.bool("DEFAULT", "debug"));
    let level = if debug { "debug" } else { "info" };
    let standard = format!("info,keystone={level},sqlx=warn");
    match environment::variables().get("KEYSTONE_LOG") {
        Some(wanted) if !wanted.is_empty() => EnvFilter::try_new(wanted).unwrap_or_else(|error| {
            crate::terminal::print_error(&format!("KEYSTONE_LOG is ignored: {error}"));
            EnvFilter::new(standard)
        }),
        _ => EnvFilter::new(standard),
    }
}

fn path(config: &Config, arguments: &Logging, program: &str) -> Option<PathBuf> {
    let option = |name| config.optional_string("DEFAULT", name).map(PathBuf::from);
    let given = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
    let file = given(arguments.log_file.clone().or_else(|| option("log_file")));
    let dir = given(arguments.log_dir.clone().or_else(|| option("log_dir")));
    match (dir, file) {
        (Some(dir), Some(file)) => Some(dir.join(file)),
        (Some(dir), None) => Some(dir.join(format!("{program}.log"))),
        (None, file) => file,
    }
}

fn ignored_options(config: &Config, arguments: &Logging) -> Vec<String> {
    let asked = [
        ("use_syslog", config.bool("DEFAULT", "use_syslog")),
        ("use_journal", config.bool("DEFAULT", "use_journal")),
        (
            "log_config_append",
            config.is_set("DEFAULT", "log_config_append"),
        ),
    ];
    let options = asked.into_iter().filter(|(_, asked)| *asked);
    let mut names: Vec<String> = options
        .map(|(name, _)| format!("[DEFAULT] {name}"))
        .collect();
    names.extend(arguments.ignored_options().into_iter().map(str::to_owned));
    names
}

/// Writes the lines that wait for others: at the end of the process, and before something else is written.
pub(crate) fn flush() {
    if let Some(output) = OUTPUT.get() {
        output.flush();
    }
}
