//! The options that a domain may override, and the errors for others.

use std::collections::BTreeMap;

use keystone_types::{Error, Result};
use serde_json::{Map, Value};

/// Groups of options with their values.
pub type Config = Map<String, Value>;

/// Which part of a configuration: all of it, a group, or an option in one.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConfigPart<'a> {
    /// The group.
    pub group: Option<&'a str>,
    /// The option; only in a group.
    pub option: Option<&'a str>,
}

/// The options that a domain may override, with their values in `keystone.conf`.
#[derive(Clone, Debug)]
pub struct ConfigOptions {
    /// Readable options with their values, by group.
    pub whitelisted: BTreeMap<String, Map<String, Value>>,
    /// Options that can only be written, by group.
    pub sensitive: BTreeMap<String, Vec<String>>,
    /// `[security_compliance] password_regex`
    pub password_regex: Option<String>,
    /// `[security_compliance] password_regex_description`
    pub password_regex_description: Option<String>,
}

impl Default for ConfigOptions {
    fn default() -> Self {
        let whitelisted = serde_json::from_str(include_str!("options.json"))
            .expect("the shipped file is read in the tests");
        Self {
            whitelisted,
            sensitive: BTreeMap::from([("ldap".to_owned(), vec!["password".to_owned()])]),
            password_regex: None,
            password_regex_description: None,
        }
    }
}

impl ConfigOptions {
    pub(super) fn is_sensitive(&self, group: &str, option: &str) -> bool {
        self.sensitive
            .get(group)
            .is_some_and(|options| options.iter().any(|known| known == option))
    }

    fn is_whitelisted(&self, group: &str, option: &str) -> bool {
        self.whitelisted
            .get(group)
            .is_some_and(|options| options.contains_key(option))
    }

    /// 403 for groups and options that no domain may override.
    pub(super) fn check(&self, part: ConfigPart<'_>) -> Result<()> {
        let Some(group) = part.group else {
            return Ok(());
        };
        if !self.whitelisted.contains_key(group) && !self.sensitive.contains_key(group) {
            return Err(invalid(format!(
                "Group {group} is not supported for domain specific configurations"
            )));
        }
        match part.option {
            Some(option)
                if !self.is_whitelisted(group, option) && !self.is_sensitive(group, option) =>
            {
                Err(invalid(format!(
                    "Option {option} in group {group} is not supported for domain specific configurations"
                )))
            }
            _ => Ok(()),
        }
    }

    /// The groups of a request's body; 403 if a domain may not override one of its options.
    pub(super) fn check_config<'a>(&self, config: &'a Value) -> Result<&'a Config> {
        let config = config.as_object().filter(|config| !config.is_empty());
        let config = config.ok_or_else(|| invalid("No options specified"))?;
        for (group, options) in config {
            let options = options.as_object().filter(|options| !options.is_empty());
            let options = options.ok_or_else(|| {
                invalid(format!("The value of group {group} specified in the config should be a dictionary of options"))
            })?;
            for option in options.keys() {
                self.check(ConfigPart {
                    group: Some(group),
                    option: Some(option),
                })?;
            }
        }
        Ok(config)
    }

    pub(super) fn security_compliance(&self, option: Option<&str>) -> Result<Config> {
        let readable = [
            ("password_regex", &self.password_regex),
            (
                "password_regex_description",
                &self.password_regex_description,
            ),
        ];
        let readable = readable.map(|(name, value)| (name.to_owned(), value.clone().into()));
        let readable = Config::from_iter(readable);
        let Some(option) = option.filter(|option| !option.is_empty()) else {
            return Ok(alone("security_compliance", readable.into()));
        };
        let value = readable.get(option).cloned().ok_or_else(|| {
            invalid(
                "Reading security compliance values other than password_regex and password_regex_description is not \
                 allowed.",
            )
        })?;
        Ok(alone(option, value))
    }

    pub(super) fn defaults(&self, part: ConfigPart<'_>) -> Result<Config> {
        self.check(part)?;
        let Some(group) = part.group else {
            let groups = self.whitelisted.iter();
            return Ok(groups
                .map(|(group, options)| (group.clone(), options.clone().into()))
                .collect());
        };
        let options = self.whitelisted.get(group).cloned().unwrap_or_default();
        let Some(option) = part.option else {
            return Ok(alone(group, options.into()));
        };
        let value = options.get(option).cloned().ok_or_else(|| {
            invalid(format!(
                "Reading the default for option {option} in group {group} is not supported"
            ))
        })?;
        Ok(alone(option, value))
    }
}

/// One group, or one option.
pub(super) fn alone(name: &str, value: Value) -> Config {
    Config::from_iter([(name.to_owned(), value)])
}

/// 403 unless a change of a part has exactly that part.
pub(super) fn check_patch(config: &Config, part: ConfigPart<'_>) -> Result<()> {
    let Some(group) = part.group else {
        return Ok(());
    };
    let first = |options: &Config| options.keys().next().cloned().unwrap_or_default();
    let options = config.get(group).and_then(Value::as_object);
    let single = config.len() == 1
        && (part.option.is_none() || options.is_none_or(|options| options.len() == 1));
    match (part.option, options) {
        (Some(option), _) if !single => Err(invalid(format!(
            "Trying to update option {option} in group {group}, so that, and only that, option must be specified  in the \
             config"
        ))),
        (None, _) if !single => Err(invalid(format!(
            "Trying to update group {group}, so that, and only that, group must be specified in the config"
        ))),
        (_, None) => Err(invalid(format!(
            "request to update group {group}, but config provided contains group {} instead",
            first(config)
        ))),
        (Some(option), Some(options)) if !options.contains_key(option) => Err(invalid(format!(
            "Trying to update option {option} in group {group}, but config provided contains option {} instead",
            first(options)
        ))),
        _ => Ok(()),
    }
}

pub(super) fn invalid(reason: impl std::fmt::Display) -> Error {
    Error::Refused(format!("Invalid domain specific configuration: {reason}."))
}

pub(super) fn not_found(domain_id: &str, part: ConfigPart<'_>) -> Error {
    let what = match (part.group, part.option) {
        (None, _) => "any options".to_owned(),
        (Some(group), None) => format!("group {group}"),
        (Some(group), Some(option)) => format!("option {option} in group {group}"),
    };
    Error::Missing(format!(
        "Could not find {what} in domain configuration for domain {domain_id}."
    ))
}
