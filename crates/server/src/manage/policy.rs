//! `policy check`, `policy list` and `policy validate`: what the rules say, without a server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use keystone::policy::{LoadError, Loaded, Overrides, Rules, Settings};
use keystone_config::Program;
use serde_json::Value;

use crate::arguments::{Common, With};
use crate::configuration;
use crate::failure::{Failure, Result};
use crate::terminal::{complain, print};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell whether a rule allows: print `allowed` and exit with 0, or `denied` and 1.
    Check(With<Check>),
    /// Print name, check string and scope types of every rule as JSON.
    List(With<Source>),
    /// Name every rule that is wrong: exit with 0 if there is none, or 1.
    Validate(With<Validated>),
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
    source: Source,
    /// Print the rule's tree, with what each part came to.
    #[arg(long)]
    explain: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Source {
    /// Rules over the defaults; without it the defaults alone decide.
    #[arg(long, value_name = "FILE")]
    policy_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Validated {
    /// The file to look at; without it the file and the directories that the configuration names.
    #[arg(long, value_name = "FILE")]
    policy_file: Option<PathBuf>,
}

/// Exit status 2 tells a question that could not be asked from an answer.
pub(super) fn run(command: Command, before: Common) -> Result<ExitCode> {
    let done = match command {
        Command::Check(With { own, common }) => check(&own, &before.and(common)),
        Command::List(With { own, common }) => list(&own, &before.and(common)),
        Command::Validate(With { own, common }) => validate(own, &before.and(common)),
    };
    done.map_err(|Failure { text, .. }| Failure::usage(text))
}

fn check(asked: &Check, common: &Common) -> Result<ExitCode> {
    let rules = rules(&asked.source, common)?;
    let credentials = object(&asked.credentials)?;
    let target = asked.target.as_deref().map(object).transpose()?;
    let target = target.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    let answer = rules.enforce(&asked.rule, &target, &credentials);
    print(if answer.is_ok() { "allowed" } else { "denied" });
    if asked.explain {
        let explanation = rules.explain(&asked.rule, &target, &credentials);
        print(explanation.to_string().trim_end());
    } else if let Err(denied) = &answer {
        complain(&format!("keystone-manage: {denied}"));
    }
    Ok(ExitCode::from(u8::from(answer.is_err())))
}

fn list(source: &Source, common: &Common) -> Result<ExitCode> {
    let rules = rules(source, common)?.list();
    print(&format!("{rules:#}"));
    Ok(ExitCode::SUCCESS)
}

fn validate(Validated { policy_file }: Validated, common: &Common) -> Result<ExitCode> {
    let settings = settings(common)?;
    let overrides = match &policy_file {
        Some(path) => Overrides::from_file(path),
        None => Overrides::from_settings(&settings),
    };
    let overrides = match overrides {
        Ok(overrides) => overrides,
        // What can't be read at all was not looked at.
        Err(error @ LoadError::Read { .. }) => return Err(Failure::new(error)),
        Err(error) => {
            print(&error.to_string());
            return Ok(ExitCode::FAILURE);
        }
    };
    let Loaded { rules, faults } = Rules::with_overrides(&overrides, &settings);
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

/// The rules in question; wrong ones deny, as they do in a server.
fn rules(source: &Source, common: &Common) -> Result<Rules> {
    let settings = settings(common)?;
    let overrides = match &source.policy_file {
        Some(path) => Overrides::from_file(path).map_err(Failure::new)?,
        None => Overrides::default(),
    };
    let Loaded { rules, faults } = Rules::with_overrides(&overrides, &settings);
    for fault in faults {
        complain(&format!("keystone-manage: {fault}; it denies"));
    }
    Ok(rules)
}

/// Where the configuration has rules, and how it takes defaults and remote checks.
fn settings(common: &Common) -> Result<Settings> {
    let sources = configuration::sources(Program::Manage, common);
    // What is to be said about the rest of the configuration is not asked here.
    let (_, settings, _) = configuration::read(&sources)?;
    Ok(settings.policy)
}

fn object(path: &Path) -> Result<Value> {
    let shown = path.display();
    let text =
        fs::read_to_string(path).map_err(|error| Failure::new(format!("{shown}: {error}")))?;
    let value = serde_json::from_str(&text)
        .map_err(|error| Failure::new(format!("{shown}: not JSON: {error}")))?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(Failure::new(format!("{shown}: expected a JSON object"))),
    }
}
