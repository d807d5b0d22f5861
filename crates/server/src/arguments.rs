//! The options of every command: the configuration files and the log.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use keystone_config::ConfigSource;

/// Options that may stand before or after the subcommand.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct CommonArguments {
    #[command(flatten)]
    pub(crate) config: ConfigArguments,
    #[command(flatten)]
    pub(crate) logging: Logging,
}

/// A subcommand's own options with the common ones.
#[derive(Clone, Debug, Args)]
pub(crate) struct WithCommon<A: Args> {
    #[command(flatten)]
    pub(crate) own: A,
    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

/// No options of its own.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct NoArguments {}

/// `--config-file` and `--config-dir` in the order of the command line: later ones win.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigArguments(pub(crate) Vec<ConfigSource>);

/// The log's options, which win over the configuration file.
#[derive(Clone, Debug, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct Logging {
    /// Log at level DEBUG instead of INFO.
    #[arg(long, short, overrides_with = "nodebug")]
    debug: bool,
    #[arg(long, hide = true)]
    nodebug: bool,
    /// Log to this file instead of standard error.
    #[arg(long, alias = "logfile", value_name = "PATH")]
    pub(crate) log_file: Option<PathBuf>,
    /// The directory of a relative --log-file.
    #[arg(long, alias = "logdir", value_name = "DIR")]
    pub(crate) log_dir: Option<PathBuf>,
    /// Log one JSON object per line.
    #[arg(long, overrides_with = "nouse_json")]
    use_json: bool,
    #[arg(long, hide = true)]
    nouse_json: bool,
    #[command(flatten)]
    ignored_options: IgnoredOptions,
}

/// Options of Keystone that scripts may pass and that have no effect here.
#[derive(Clone, Debug, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
struct IgnoredOptions {
    #[arg(long, hide = true)]
    use_syslog: bool,
    #[arg(long, hide = true)]
    nouse_syslog: bool,
    #[arg(long, hide = true)]
    use_journal: bool,
    #[arg(long, hide = true)]
    nouse_journal: bool,
    #[arg(long, hide = true)]
    syslog_log_facility: Option<String>,
    #[arg(long, hide = true)]
    log_date_format: Option<String>,
    #[arg(long, hide = true, aliases = ["log-config", "log_config"])]
    log_config_append: Option<PathBuf>,
}

impl CommonArguments {
    /// Merges the options before the subcommand with those after it, which win.
    pub(crate) fn merge(mut self, after: Self) -> Self {
        self.config.0.extend(after.config.0);
        self.logging = self.logging.merge(after.logging);
        self
    }
}

impl Logging {
    fn merge(self, after: Self) -> Self {
        let debug = after.debug().or(self.debug());
        let json = after.json().or(self.json());
        Self {
            debug: debug == Some(true),
            nodebug: debug == Some(false),
            log_file: after.log_file.or(self.log_file),
            log_dir: after.log_dir.or(self.log_dir),
            use_json: json == Some(true),
            nouse_json: json == Some(false),
            ignored_options: self.ignored_options.merge(after.ignored_options),
        }
    }

    pub(crate) fn debug(&self) -> Option<bool> {
        flag(self.debug, self.nodebug)
    }

    pub(crate) fn json(&self) -> Option<bool> {
        flag(self.use_json, self.nouse_json)
    }

    /// The given options that have no effect.
    pub(crate) fn ignored_options(&self) -> Vec<&'static str> {
        let it = &self.ignored_options;
        let all = [
            (it.use_syslog, "--use-syslog"),
            (it.use_journal, "--use-journal"),
            (it.log_config_append.is_some(), "--log-config-append"),
        ];
        let asked = all.into_iter().filter(|(asked, _)| *asked);
        asked.map(|(_, name)| name).collect()
    }
}

impl IgnoredOptions {
    fn merge(self, after: Self) -> Self {
        Self {
            use_syslog: self.use_syslog || after.use_syslog,
            use_journal: self.use_journal || after.use_journal,
            log_config_append: after.log_config_append.or(self.log_config_append),
            ..self
        }
    }
}

fn flag(yes: bool, no: bool) -> Option<bool> {
    match (yes, no) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

const FILE: &str = "config_file";
const DIR: &str = "config_dir";

impl Args for ConfigArguments {
    fn augment_args(command: Command) -> Command {
        let path = |id, long, value, help| {
            Arg::new(id)
                .long(long)
                .value_name(value)
                .help(help)
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf))
        };
        let file = "Configuration file; can be repeated, later ones win";
        let dir = "Directory whose *.conf files are read in the order of their names";
        command
            .arg(path(FILE, "config-file", "PATH", file))
            .arg(path(DIR, "config-dir", "DIR", dir))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ConfigArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let of = |id, source: fn(PathBuf) -> ConfigSource| {
            let places = matches.indices_of(id).into_iter().flatten();
            let paths = matches.get_many::<PathBuf>(id).into_iter().flatten();
            places.zip(paths.map(move |path| source(path.clone())))
        };
        let mut all: Vec<(usize, ConfigSource)> = of(FILE, ConfigSource::File)
            .chain(of(DIR, ConfigSource::Dir))
            .collect();
        all.sort_by_key(|(place, _)| *place);
        Ok(Self(all.into_iter().map(|(_, source)| source).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
