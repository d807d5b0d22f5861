//! `keystone-status upgrade check`: what would go wrong after an upgrade. Checks, texts and format are those of
//! `keystone.cmd.status` and of `oslo.upgradecheck`, which scripts read.

use std::fs;

use clap::{Args, Subcommand};
use keystone::identity::Identity;
use keystone::policy::{Check, Loaded, Overrides, Registry, Rules, Settings};
use keystone::storage::schema;
use keystone::types::{Clock, Listing};
use keystone_config::Program;
use serde_json::{Value, json};

use crate::arguments::{CommonArguments, WithCommon};
use crate::configuration::Configuration;
use crate::error::{CommandError, Result};
use crate::terminal::print;
use crate::{readiness, serve};

/// What is not one of the results: success 0, warning 1, failure 2.
const UNEXPECTED: u8 = 255;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Before an upgrade.
    Upgrade(WithCommon<UpgradeArguments>),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct UpgradeArguments {
    #[arg(value_parser = ["check"])]
    check: String,
    /// Print JSON and no table.
    #[arg(long)]
    json: bool,
}

/// The details of a success, if it has any, or of a failure.
type Outcome = Result<Option<&'static str>, String>;

/// A finished check.
struct Finished {
    name: &'static str,
    outcome: Outcome,
}

/// The exit status.
pub(crate) async fn run(command: Command, before: CommonArguments) -> u8 {
    let Command::Upgrade(WithCommon { own, common }) = command;
    let finished = match check(&before.merge(common)).await {
        Ok(finished) => finished,
        Err(CommandError { text, .. }) => {
            print(&format!("Error:\n{text}"));
            return UNEXPECTED;
        }
    };
    if own.json {
        print(&python_json(&finished));
    } else {
        print(&table(&finished));
    }
    finished.iter().map(Finished::code).max().unwrap_or(0)
}

async fn check(common: &CommonArguments) -> Result<[Finished; 3]> {
    let configuration = Configuration::load(Program::Manage, common)?;
    let settings = &configuration.settings;
    Ok([
        Finished {
            name: "Check trust policies are not empty",
            outcome: trust_rules(&settings.policy)?,
        },
        Finished {
            name: "Check default roles are immutable",
            outcome: default_roles(settings).await?,
        },
        Finished {
            name: "Policy File JSON to YAML Migration",
            outcome: policy_format(&settings.policy)?,
        },
    ])
}

fn trust_rules(settings: &Settings) -> Result<Outcome> {
    let overrides = Overrides::from_settings(settings).map_err(CommandError::new)?;
    let Loaded { rules, .. } = Rules::over(&Registry::keystone(), &overrides, settings);
    let names = [
        "identity:list_trusts",
        "identity:delete_trust",
        "identity:get_trust",
        "identity:list_roles_for_trust",
        "identity:get_role_for_trust",
    ];
    let open = names
        .into_iter()
        .filter(|name| rules.check(name) == Some(&Check::True));
    let open: Vec<&str> = open.collect();
    if open.is_empty() {
        return Ok(Ok(Some("Trust policies are safe.")));
    }
    Ok(Err(format!(
        "Policy check string for rules \"{}\" are overridden to \"\", \"@\", or []. In the next release, this will cause these \
         rules to be fully permissive as hardcoded enforcement will be removed. To correct this issue, either stop overriding these \
         rules in config to accept the defaults, or explicitly set check strings that are not empty.",
        open.join("\", \"")
    )))
}

async fn default_roles(settings: &keystone::Settings) -> Result<Outcome> {
    let db = serve::connect(&settings.database).await?;
    readiness::check_schema(&schema::state(&db).await?)?;
    let identity = Identity::new(db.clone(), Clock::system(), settings.identity.clone(), [])?;
    let roles = identity.global_roles(&Listing::default()).await?.items;
    db.close().await;
    let changeable = roles.iter().filter(|role| {
        ["admin", "member", "reader"].contains(&role.name.as_str())
            && !role.options.is_on("immutable")
    });
    let changeable: Vec<&str> = changeable.map(|role| role.name.as_str()).collect();
    if changeable.is_empty() {
        return Ok(Ok(Some("Default roles are immutable.")));
    }
    Ok(Err(format!(
        "Roles are not immutable: {}",
        changeable.join(", ")
    )))
}

/// Like `oslo_utils.fileutils.is_json`: JSON under any name counts.
fn policy_format(settings: &Settings) -> Result<Outcome> {
    let Some(path) = settings.file.as_ref().filter(|path| path.exists()) else {
        return Ok(Ok(None));
    };
    let text = fs::read_to_string(path)
        .map_err(|error| CommandError::new(format!("{}: {error}", path.display())))?;
    if serde_json::from_str::<Value>(&text).is_err() {
        return Ok(Ok(None));
    }
    Ok(Err(
        "Your policy file is JSON-formatted which is deprecated. You need to switch to YAML-formatted file. Use the \
         ``oslopolicy-convert-json-to-yaml`` tool to convert the existing JSON-formatted files to YAML in a backwards-compatible \
         manner: https://docs.openstack.org/oslo.policy/latest/cli/oslopolicy-convert-json-to-yaml.html."
            .to_owned(),
    ))
}

impl Finished {
    fn code(&self) -> u8 {
        if self.outcome.is_ok() { 0 } else { 2 }
    }

    fn details(&self) -> Option<&str> {
        match &self.outcome {
            Ok(details) => *details,
            Err(details) => Some(details),
        }
    }
}

/// With the spaces of Python's `json.dumps`.
fn python_json(finished: &[Finished]) -> String {
    let checks = finished.iter().map(|it| {
        format!(
            r#"{{"check": {}, "result": {}, "details": {}}}"#,
            json!(it.name),
            it.code(),
            json!(it.details())
        )
    });
    let checks: Vec<String> = checks.collect();
    format!(
        r#"{{"name": "Upgrade Check Results", "checks": [{}]}}"#,
        checks.join(", ")
    )
}

/// As `prettytable` draws it.
fn table(finished: &[Finished]) -> String {
    let mut cells = vec![vec!["Upgrade Check Results".to_owned()]];
    cells.extend(finished.iter().map(|it| {
        let result = if it.outcome.is_ok() {
            "Success"
        } else {
            "Failure"
        };
        let mut lines = vec![format!("Check: {}", it.name), format!("Result: {result}")];
        let mut details = wrapped(it.details().unwrap_or("None"));
        details[0].insert_str(0, "Details: ");
        lines.extend(details);
        lines
    }));
    let widths = cells.iter().flatten().map(|line| line.chars().count());
    let width = widths.max().unwrap_or(0);
    let rule = format!("+{}+", "-".repeat(width + 2));
    let mut lines = vec![rule.clone()];
    for cell in cells {
        lines.extend(cell.iter().map(|line| format!("| {line:width$} |")));
        lines.push(rule.clone());
    }
    lines.join("\n")
}

const LINE: usize = 60;

/// Lines of at most [`LINE`] characters, all but the first indented, as Python's `textwrap` breaks them: at spaces, after
/// hyphens between letters, and anywhere in what is longer than a line.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (is_new_word, piece) in pieces(text) {
        let (mut space, mut rest) = (if is_new_word { " " } else { "" }, piece);
        loop {
            let indent = if lines.len() > 1 { 2 } else { 0 };
            let line = lines.last_mut().expect("there is always a line");
            if line.len() == indent {
                space = "";
            }
            let room = LINE.saturating_sub(line.len() + space.len());
            let (now, later) = if rest.len() <= room {
                (rest, "")
            } else if rest.len() > LINE - indent {
                rest.split_at(rest.floor_char_boundary(room))
            } else {
                ("", rest)
            };
            if !now.is_empty() {
                line.push_str(space);
                line.push_str(now);
            }
            if later.is_empty() {
                break;
            }
            rest = later;
            lines.push("  ".to_owned());
        }
    }
    lines
}

/// What is not broken, each with whether there is a space before it.
fn pieces(text: &str) -> Vec<(bool, &str)> {
    let mut pieces = Vec::new();
    for word in text.split(' ') {
        let mut start = 0;
        let mut is_new_word = true;
        for (hyphen, _) in word.match_indices('-') {
            let letters = |text: &str| text.chars().all(char::is_alphabetic);
            let before = word.get(hyphen.saturating_sub(2)..hyphen);
            let after = word.get(hyphen + 1..hyphen + 3);
            if hyphen >= 2 && before.is_some_and(letters) && after.is_some_and(letters) {
                pieces.push((is_new_word, &word[start..=hyphen]));
                start = hyphen + 1;
                is_new_word = false;
            }
        }
        pieces.push((is_new_word, &word[start..]));
    }
    pieces
}
