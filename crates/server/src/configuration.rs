//! Loads and checks the configuration of a command, and starts its log.

use std::fmt::Write;

use keystone_config::{Config, Diagnostic, Problems, Program, Sources};

use crate::arguments::CommonArguments;
use crate::environment;
use crate::error::{CommandError, Result};
use crate::logs::Logs;

/// The loaded configuration of a command.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) sources: Sources,
    pub(crate) config: Config,
    pub(crate) settings: keystone::Settings,
    pub(crate) logs: Logs,
}

impl Configuration {
    /// Loads the files that the command line names, or those of the standard places.
    pub(crate) fn load(program: Program, common: &CommonArguments) -> Result<Self> {
        let sources = sources(program, common);
        let (config, settings, warnings) = read(&sources)?;
        let name = match program {
            Program::Server => "keystone",
            Program::Manage => "keystone-manage",
        };
        let logs = Logs::start(&config, &common.logging, name)?;
        log(&warnings);
        if matches!(program, Program::Server) {
            log(&config.ignored_options());
        }
        Ok(Self {
            sources,
            config,
            settings,
            logs,
        })
    }
}

/// The files that the command line names, or those of the standard places.
pub(crate) fn sources(program: Program, common: &CommonArguments) -> Sources {
    Sources::standard(program, common.config.0.clone(), environment::variables())
}

/// Reads the sources; the error lists all problems.
pub(crate) fn read(sources: &Sources) -> Result<(Config, keystone::Settings, Vec<Diagnostic>)> {
    let read = Config::load(sources).and_then(|(config, mut warnings)| {
        let (settings, more) = config.settings(sources)?;
        warnings.extend(more);
        Ok((config, settings, warnings))
    });
    read.map_err(|problems| problem_list(&problems))
}

pub(crate) fn log(warnings: &[Diagnostic]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

fn problem_list(Problems(problems): &Problems) -> CommandError {
    let mut text = match problems.len() {
        1 => "the configuration has a problem:".to_owned(),
        several => format!("the configuration has {several} problems:"),
    };
    for problem in problems {
        let _ = write!(text, "\n  {problem}");
    }
    CommandError::new(text)
}
