//! `policy`: evaluates and checks rules without a server, `explain` and `who-can` with what the database has.

mod explain;
mod holdings;
mod who_can;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use keystone::policy::{LoadError, Loaded, Overrides, Registry, Rules, Settings};
use keystone_config::Program;
use serde_json::Value;

use crate::arguments::{CommonArguments, WithCommon};
use crate::configuration::{self, Configuration};
use crate::error::{CommandError, Result};
use crate::terminal::{print, print_error};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell why a token is allowed or denied what a rule is about: exit with 0 or 1, or 2 if the token is not valid.
    Explain(WithCommon<explain::Explain>),
    /// Tell who is allowed what a rule is about: exit with 0, or with 1 if nobody is.
    WhoCan(WithCommon<who_can::WhoCan>),
    /// Evaluate a rule: print `allowed` and exit with 0, or `denied` and 1.
    Check(WithCommon<Check>),
    /// Print name, check string and scope types of every rule as JSON.
    List(WithCommon<PolicyFile>),
    /// Name every invalid rule: exit with 0 if there is none, or 1.
    Validate(WithCommon<Validate>),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Check {
    /// The rule's name.
    #[arg(long, value_name = "NAME")]
    rule: String,
    /// JSON object: the credentials that oslo.policy's enforce takes.
    #[arg(long, value_name = "FILE")]
    credentials: PathBuf,
    /// JSON object: the target, nested or with dots in its names; without one it is empty.
    #[arg(long, value_name = "FILE")]
    target: Option<PathBuf>,
    #[command(flatten)]
    policy_file: PolicyFile,
    /// Print the rule's tree with the result of each part.
    #[arg(long)]
    explain: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PolicyFile {
    /// Rules that override the defaults; without it only the defaults apply.
    #[arg(long = "policy-file", value_name = "FILE")]
    path: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Validate {
    /// The file to check; without it the file and the directories that the configuration names.
    #[arg(long, value_name = "FILE")]
    policy_file: Option<PathBuf>,
}

/// Exit status 2 means that a question could not be asked.
pub(super) async fn run(command: Command, before: CommonArguments) -> Result<ExitCode> {
    let load = |after| Configuration::load(Program::Manage, &before.clone().merge(after));
    let done = match command {
        Command::Explain(WithCommon { own, common }) => match load(common) {
            Ok(configuration) => explain::run(own, &configuration).await,
            Err(error) => Err(error),
        },
        Command::WhoCan(WithCommon { own, common }) => match load(common) {
            Ok(configuration) => who_can::run(&own, &configuration).await,
            Err(error) => Err(error),
        },
        Command::Check(WithCommon { own, common }) => check(&own, &before.clone().merge(common)),
        Command::List(WithCommon { own, common }) => list(&own, &before.clone().merge(common)),
        Command::Validate(WithCommon { own, common }) => {
            validate(own, &before.clone().merge(common))
        }
    };
    done.map_err(|CommandError { text, .. }| CommandError::usage(text))
}

fn check(asked: &Check, common: &CommonArguments) -> Result<ExitCode> {
    let rules = rules(&asked.policy_file, common)?;
    let credentials = object(&asked.credentials)?;
    let target = target(asked.target.as_deref())?;
    let answer = rules.enforce(&asked.rule, &target, &credentials);
    print(if answer.is_ok() { "allowed" } else { "denied" });
    if asked.explain {
        let explanation = rules.explain(&asked.rule, &target, &credentials);
        print(explanation.to_string().trim_end());
    } else if let Err(denied) = &answer {
        print_error(&format!("keystone-manage: {denied}"));
    }
    Ok(ExitCode::from(u8::from(answer.is_err())))
}

fn list(policy_file: &PolicyFile, common: &CommonArguments) -> Result<ExitCode> {
    let rules = rules(policy_file, common)?.list();
    print(&format!("{rules:#}"));
    Ok(ExitCode::SUCCESS)
}

fn validate(Validate { policy_file }: Validate, common: &CommonArguments) -> Result<ExitCode> {
    let settings = settings(common)?;
    let overrides = match &policy_file {
        Some(path) => Overrides::from_file(path),
        None => Overrides::from_settings(&settings),
    };
    let overrides = match overrides {
        Ok(overrides) => overrides,
        // An unreadable file was not checked.
        Err(error @ LoadError::Read { .. }) => return Err(CommandError::new(error)),
        Err(error) => {
            print(&error.to_string());
            return Ok(ExitCode::FAILURE);
        }
    };
    let Loaded { rules, faults } = Rules::over(&Registry::keystone(), &overrides, &settings);
    for fault in &faults {
        print(&fault.to_string());
    }
    let unknown: Vec<&str> = overrides
        .names()
        .filter(|name| name.split(':').next() == Some("identity") && !rules.is_built_in(name))
        .collect();
    for name in &unknown {
        print(&format!("rule {name:?} is asked for by nothing"));
    }
    Ok(ExitCode::from(u8::from(
        !(faults.is_empty() && unknown.is_empty()),
    )))
}

/// The rules; invalid ones deny, as in a server.
fn rules(policy_file: &PolicyFile, common: &CommonArguments) -> Result<Rules> {
    let settings = settings(common)?;
    let overrides = match &policy_file.path {
        Some(path) => Overrides::from_file(path).map_err(CommandError::new)?,
        None => Overrides::default(),
    };
    let Loaded { rules, faults } = Rules::over(&Registry::keystone(), &overrides, &settings);
    for fault in faults {
        print_error(&format!("keystone-manage: {fault}; the faulty part denies"));
    }
    Ok(rules)
}

/// The policy settings of the configuration.
fn settings(common: &CommonArguments) -> Result<Settings> {
    let sources = configuration::sources(Program::Manage, common);
    // Warnings about the rest of the configuration do not matter here.
    let (_, settings, _) = configuration::read(&sources)?;
    Ok(settings.policy)
}

/// The target in a file; without one it is empty.
fn target(path: Option<&Path>) -> Result<Value> {
    let found = path.map(object).transpose()?;
    Ok(found.unwrap_or_else(|| Value::Object(serde_json::Map::new())))
}

/// Refuses a name that no rule has: the default rule would answer for it.
fn check_name(rules: &Rules, name: &str) -> Result<()> {
    if rules.names().any(|known| known == name) {
        return Ok(());
    }
    Err(CommandError::new(format!(
        "there is no rule {name:?}: `keystone-manage policy list` has their names"
    )))
}

fn object(path: &Path) -> Result<Value> {
    let shown = path.display();
    let text =
        fs::read_to_string(path).map_err(|error| CommandError::new(format!("{shown}: {error}")))?;
    let value = serde_json::from_str(&text)
        .map_err(|error| CommandError::new(format!("{shown}: not JSON: {error}")))?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(CommandError::new(format!(
            "{shown}: expected a JSON object"
        ))),
    }
}
