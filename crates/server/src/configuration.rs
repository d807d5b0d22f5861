//! The configuration of a command: read, checked, and the log started.

use std::fmt::Write;

use keystone_config::{Config, Finding, Problems, Program, Sources};

use crate::arguments::Common;
use crate::environment;
use crate::failure::{Failure, Result};
use crate::logs::Logs;

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) sources: Sources,
    pub(crate) config: Config,
    pub(crate) settings: keystone::Settings,
    pub(crate) logs: Logs,
}

impl Configuration {
    /// Reads what the command line names, or else what is in the usual places.
    pub(crate) fn load(program: Program, common: &Common) -> Result<Self> {
        let sources = sources(program, common);
        let (config, settings, warnings) = read(&sources)?;
        let name = match program {
            Program::Server => "keystone",
            Program::Manage => "keystone-manage",
        };
        let logs = Logs::start(&config, &common.logging, name)?;
        log(&warnings);
        if matches!(program, Program::Server) {
            log(&config.without_effect());
        }
        Ok(Self {
            sources,
            config,
            settings,
            logs,
        })
    }
}

/// What the command line names, or else the usual places.
pub(crate) fn sources(program: Program, common: &Common) -> Sources {
    Sources::standard(program, common.given.0.clone(), environment::variables())
}

/// Reads the sources; the failure lists everything that is wrong.
pub(crate) fn read(sources: &Sources) -> Result<(Config, keystone::Settings, Vec<Finding>)> {
    let read = Config::load(sources).and_then(|(config, mut warnings)| {
        let (settings, more) = config.settings(sources)?;
        warnings.extend(more);
        Ok((config, settings, warnings))
    });
    read.map_err(|problems| listed(&problems))
}

pub(crate) fn log(warnings: &[Finding]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

fn listed(Problems(problems): &Problems) -> Failure {
    let mut text = match problems.len() {
        1 => "the configuration has a problem:".to_owned(),
        several => format!("the configuration has {several} problems:"),
    };
    for problem in problems {
        let _ = write!(text, "\n  {problem}");
    }
    Failure::new(text)
}
