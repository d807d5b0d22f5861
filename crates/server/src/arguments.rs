//! The options that every command takes: where the configuration is, and how to log.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use keystone_config::Source;

/// Options before or after the subcommand.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) given: Given,
    #[command(flatten)]
    pub(crate) logging: Logging,
}

/// A subcommand's own options, and those that can also stand before it.
#[derive(Clone, Debug, Args)]
pub(crate) struct With<A: Args> {
    #[command(flatten)]
    pub(crate) own: A,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// No options of its own.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Nothing {}

/// `--config-file` and `--config-dir` in the order in which they were given, which decides what wins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given(pub(crate) Vec<Source>);

/// How to log; these win over the configuration file.
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
    without_effect: WithoutEffect,
}

/// Options of the reference that scripts may carry and that mean nothing here.
#[derive(Clone, Debug, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
struct WithoutEffect {
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

impl Common {
    /// What stood before the subcommand with what stood after it.
    pub(crate) fn and(mut self, after: Self) -> Self {
        self.given.0.extend(after.given.0);
        self.logging = self.logging.and(after.logging);
        self
    }
}

impl Logging {
    fn and(self, after: Self) -> Self {
        let debug = after.debug().or(self.debug());
        let json = after.json().or(self.json());
        Self {
            debug: debug == Some(true),
            nodebug: debug == Some(false),
            log_file: after.log_file.or(self.log_file),
            log_dir: after.log_dir.or(self.log_dir),
            use_json: json == Some(true),
            nouse_json: json == Some(false),
            without_effect: self.without_effect.and(after.without_effect),
        }
    }

    pub(crate) fn debug(&self) -> Option<bool> {
        given(self.debug, self.nodebug)
    }

    pub(crate) fn json(&self) -> Option<bool> {
        given(self.use_json, self.nouse_json)
    }

    /// The options given that ask for something that will not happen.
    pub(crate) fn without_effect(&self) -> Vec<&'static str> {
        let it = &self.without_effect;
        let all = [
            (it.use_syslog, "--use-syslog"),
            (it.use_journal, "--use-journal"),
            (it.log_config_append.is_some(), "--log-config-append"),
        ];
        let asked = all.into_iter().filter(|(asked, _)| *asked);
        asked.map(|(_, name)| name).collect()
    }
}

impl WithoutEffect {
    fn and(self, after: Self) -> Self {
        Self {
            use_syslog: self.use_syslog || after.use_syslog,
            use_journal: self.use_journal || after.use_journal,
            log_config_append: after.log_config_append.or(self.log_config_append),
            ..self
        }
    }
}

fn given(yes: bool, no: bool) -> Option<bool> {
    match (yes, no) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

const FILE: &str = "config_file";
const DIR: &str = "config_dir";

impl Args for Given {
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

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let of = |id, source: fn(PathBuf) -> Source| {
            let places = matches.indices_of(id).into_iter().flatten();
            let paths = matches.get_many::<PathBuf>(id).into_iter().flatten();
            places.zip(paths.map(move |path| source(path.clone())))
        };
        let mut all: Vec<(usize, Source)> =
            of(FILE, Source::File).chain(of(DIR, Source::Dir)).collect();
        all.sort_by_key(|(place, _)| *place);
        Ok(Self(all.into_iter().map(|(_, source)| source).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
