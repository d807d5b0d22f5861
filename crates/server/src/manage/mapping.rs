//! `mapping_engine`: what a mapping makes of attributes, without a login.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use keystone::federation::{Assertion, Federation, Mapping, check_structure};
use keystone::identity::Identity;
use keystone::storage::schema;
use keystone::types::Clock;
use serde_json::{Map, Value};

use crate::configuration::Configuration;
use crate::error::{CommandError, Result};
use crate::terminal::{print, print_error};
use crate::{readiness, serve};

#[derive(Clone, Debug, Args)]
pub(crate) struct EngineArguments {
    /// JSON: a list of rules, or an object whose member `rules` is one.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "identity_provider",
        conflicts_with_all = ["identity_provider", "protocol"]
    )]
    rules: Option<PathBuf>,
    /// In place of --rules: the mapping that the database has for this identity provider …
    #[arg(long, value_name = "ID", requires = "protocol")]
    identity_provider: Option<String>,
    /// … and this protocol of it.
    #[arg(long, value_name = "ID", requires = "identity_provider")]
    protocol: Option<String>,
    /// The attributes, a line each, as `name: value`; several values of one are joined by semicolons.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Only attributes whose names begin so count. Without it, and with --identity-provider, [federation] `assertion_prefix`
    /// does.
    #[arg(long)]
    prefix: Option<String>,
    /// Print rules and attributes, too.
    #[arg(long)]
    engine_debug: bool,
    /// The version of the rules: 1.0, 2.0 or 3.0. Without it that of the file, else 1.0.
    #[arg(long, value_name = "VERSION", conflicts_with = "identity_provider")]
    mapping_schema_version: Option<String>,
}

pub(super) async fn run(arguments: EngineArguments, configuration: &Configuration) -> Result<()> {
    let mut prefix = arguments.prefix.clone().unwrap_or_default();
    let (mapping, shown) = match (&arguments.identity_provider, &arguments.protocol) {
        (Some(provider), Some(protocol)) => {
            if arguments.prefix.is_none() {
                let settings = &configuration.settings.auth.federation;
                prefix.clone_from(&settings.assertion_prefix);
            }
            stored(provider, protocol, configuration).await?
        }
        _ => from_file(&arguments)?,
    };
    let attributes = attributes(&arguments.input, &prefix)?;
    if arguments.engine_debug {
        print(&format!("Using Rules:\n{shown:#}"));
        let attributes = Value::Object(attributes.clone());
        print(&format!("Using Assertion:\n{attributes:#}"));
    }
    let texts = attributes
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_str()?)));
    let assertion: Assertion = texts.collect();
    let mapped = mapping.apply(&assertion).map_err(CommandError::new)?;
    let mapped = serde_json::to_value(mapped).map_err(CommandError::new)?;
    print(&format!("{mapped:#}"));
    Ok(())
}

/// The mapping of a protocol, and its rules to be shown.
async fn stored(
    provider: &str,
    protocol: &str,
    configuration: &Configuration,
) -> Result<(Mapping, Value)> {
    let db = serve::connect(&configuration.settings.database).await?;
    readiness::check_schema(&schema::state(&db).await?)?;
    let identity = configuration.settings.identity.clone();
    let identity = Identity::new(db.clone(), Clock::system(), identity, [])?;
    let federation = Federation::new(db, identity);
    let found = federation.identity_provider(provider).await?;
    if !found.enabled {
        print_error(&format!(
            "keystone-manage: the identity provider {provider} is disabled: nobody can log in"
        ));
    }
    let mapping = federation.mapping_of(&found.id, protocol).await?;
    let rules = serde_json::json!({ "rules": mapping.rules() });
    Ok((mapping, rules))
}

fn from_file(arguments: &EngineArguments) -> Result<(Mapping, Value)> {
    let path = arguments.rules.as_deref().unwrap_or(Path::new(""));
    let shown = path.display();
    let text = read(path)?;
    let value: Value = serde_json::from_str(&text).map_err(|error| {
        CommandError::new(format!("Error while parsing rules {shown}: {error}"))
    })?;
    let mut members = match value {
        Value::Object(members) => members,
        list => Map::from_iter([("rules".to_owned(), list)]),
    };
    let version = members
        .get("schema_version")
        .filter(|it| !it.is_null() && *it != "");
    let version = arguments
        .mapping_schema_version
        .as_deref()
        .map(Value::from)
        .or(version.cloned());
    members.insert(
        "schema_version".to_owned(),
        version.unwrap_or_else(|| "1.0".into()),
    );
    let members = Value::Object(members);
    let wrong = |error: String| CommandError::new(format!("{shown}: {error}"));
    check_structure(&members).map_err(|error| wrong(error.to_string()))?;
    let version = members["schema_version"].as_str().unwrap_or_default();
    let rules = &members["rules"];
    let mapping = Mapping::new("rules", version, rules.clone());
    let mapping = mapping.map_err(|error| wrong(error.to_string()))?;
    Ok((mapping, serde_json::json!({ "rules": rules })))
}

/// The attributes in a file.
fn attributes(path: &Path, prefix: &str) -> Result<Map<String, Value>> {
    let text = read(path)?;
    let mut attributes = Map::new();
    for (number, line) in (1..).zip(text.trim().lines()) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(CommandError::new(format!(
                "assertion file {} at line {number} expected 'key: value' but found '{line}' see help for file format",
                path.display()
            )));
        };
        let name = name.trim();
        if name.starts_with(prefix) {
            attributes.insert(name.to_owned(), value.trim().into());
        }
    }
    Ok(attributes)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| {
        CommandError::new(format!(
            "Error while opening file {}: {error}",
            path.display()
        ))
    })
}
