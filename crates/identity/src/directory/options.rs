//! `[identity]` and `[ldap]` of one domain, as a file or the database has them.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use keystone_ldap::{Directory, Settings};
use keystone_types::Secret;
use serde_json::Value;

/// The backend of a domain: `[identity] driver` and what belongs to it.
#[derive(Clone, Debug, Default)]
pub struct Backend {
    /// `driver = ldap`, with `[ldap]`; none for `sql`.
    pub directory: Option<Arc<Directory>>,
    /// `[identity] list_limit`, or that of `[DEFAULT]`: the most members of a page of users or groups.
    pub list_limit: Option<u32>,
    /// The values of sensitive options that others have in them, which no message may show.
    pub(super) hidden: Vec<Secret>,
}

/// An option whose value can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[{group}] {option}: {reason}")]
pub struct BackendError {
    /// The group.
    pub group: &'static str,
    /// The option.
    pub option: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Backend {
    /// Reads options by group and name: typed values, or their texts. What is null has its default.
    pub fn read(value: impl Fn(&str, &str) -> Value) -> Result<Self, BackendError> {
        let ldap = |option: &str| value("ldap", option);
        let directory = match value("identity", "driver").as_str() {
            None | Some("") => None,
            Some(driver) if is_part(driver, "sql") => None,
            Some(driver) if is_part(driver, "ldap") => {
                let settings = settings(&Options(&ldap))?;
                // It checks what the types do not say, and the certificates.
                let directory = Directory::new(&settings);
                let directory = directory.map_err(|error| wrong(error.option, error.reason))?;
                Some(Arc::new(directory))
            }
            Some(driver) => {
                return Err(BackendError {
                    group: "identity",
                    option: "driver".to_owned(),
                    reason: format!(
                        "{driver:?} is no driver of this server, which has sql and ldap"
                    ),
                });
            }
        };
        Ok(Self {
            directory,
            list_limit: list_limit(&value)?,
            hidden: Vec::new(),
        })
    }
}

/// The first of both that is set and more than zero (`_get_list_limit` in `keystone/identity/backends/base.py`).
fn list_limit(value: &impl Fn(&str, &str) -> Value) -> Result<Option<u32>, BackendError> {
    for group in ["identity", "DEFAULT"] {
        let limit = match value(group, "list_limit") {
            Value::Null => continue,
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_i64(),
        };
        let limit = limit.ok_or_else(|| BackendError {
            group,
            option: "list_limit".to_owned(),
            reason: "the value is no whole number".to_owned(),
        })?;
        if let Ok(limit @ 1..) = u32::try_from(limit) {
            return Ok(Some(limit));
        }
    }
    Ok(None)
}

/// Whether a driver has this name: alone, or as that of a module or a class of Keystone.
fn is_part(driver: &str, name: &str) -> bool {
    driver.rsplit('.').next() == Some(name) || driver.contains(&format!(".backends.{name}."))
}

/// The options of `[ldap]`.
struct Options<'o>(&'o dyn Fn(&str) -> Value);

impl Options<'_> {
    /// The text of an option; an empty one counts as missing.
    fn get(&self, option: &str) -> Option<String> {
        let text = match (self.0)(option) {
            Value::Null => return None,
            Value::String(text) => text,
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            other => other.to_string(),
        };
        (!text.is_empty()).then_some(text)
    }

    fn set<T>(
        &self,
        option: &str,
        place: &mut T,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<(), BackendError> {
        if let Some(text) = self.get(option) {
            *place = read(&text).map_err(|reason| wrong(option, reason))?;
        }
        Ok(())
    }

    fn text(&self, option: &str, place: &mut String) -> Result<(), BackendError> {
        self.set(option, place, |text| Ok(text.to_owned()))
    }

    /// A text that an empty one switches off.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "`read!` calls all ways of reading alike"
    )]
    fn optional<T: From<String>>(
        &self,
        option: &str,
        place: &mut Option<T>,
    ) -> Result<(), BackendError> {
        if !(self.0)(option).is_null() {
            *place = self.get(option).map(T::from);
        }
        Ok(())
    }

    fn flag(&self, option: &str, place: &mut bool) -> Result<(), BackendError> {
        self.set(option, place, |text| {
            keystone_python::bool_from_string(text).ok_or_else(|| format!("{text:?} is no boolean"))
        })
    }

    /// A boolean that need not be set.
    fn choice_of_two(&self, option: &str, place: &mut Option<bool>) -> Result<(), BackendError> {
        let mut flag = false;
        if self.get(option).is_some() {
            self.flag(option, &mut flag)?;
            *place = Some(flag);
        }
        Ok(())
    }

    fn number<T: FromStr>(&self, option: &str, place: &mut T) -> Result<(), BackendError> {
        self.set(option, place, |text| {
            let number = text.trim().parse();
            number.map_err(|_| format!("{text:?} is no whole number in its range"))
        })
    }

    fn choice<T: FromStr<Err = keystone_ldap::SettingsError>>(
        &self,
        option: &str,
        place: &mut T,
    ) -> Result<(), BackendError> {
        self.set(option, place, |text| {
            text.parse().map_err(|error: T::Err| error.reason)
        })
    }

    fn seconds(&self, option: &str, place: &mut Duration) -> Result<(), BackendError> {
        self.set(option, place, seconds)
    }

    /// A limit on waiting; -1 for none.
    fn limit(&self, option: &str, place: &mut Option<Duration>) -> Result<(), BackendError> {
        self.set(option, place, |text| match text.trim() {
            "-1" => Ok(None),
            text => seconds(text).map(Some),
        })
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "`read!` calls all ways of reading alike"
    )]
    fn list(&self, option: &str, place: &mut Vec<String>) -> Result<(), BackendError> {
        let value = (self.0)(option);
        let texts: Vec<&str> = match &value {
            Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
            Value::String(texts) => texts.split(',').collect(),
            _ => return Ok(()),
        };
        let texts = texts.into_iter().map(str::trim);
        *place = texts
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect();
        Ok(())
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.trim().parse().ok();
    let time = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
    time.ok_or_else(|| format!("{text:?} is no number of seconds"))
}

fn wrong(option: &str, reason: String) -> BackendError {
    BackendError {
        group: "ldap",
        option: option.to_owned(),
        reason,
    }
}

/// Reads options into the fields of their names, each in its way.
macro_rules! read {
    ($options:ident into $settings:ident; $($way:ident: $($option:ident)+;)+) => {
        $($($options.$way(stringify!($option), &mut $settings.$option)?;)+)+
    };
}

fn settings(options: &Options<'_>) -> Result<Settings, BackendError> {
    let mut settings = Settings::default();
    read!(options into settings;
        text: url suffix user_objectclass user_id_attribute user_name_attribute user_enabled_attribute user_enabled_default
            group_objectclass group_id_attribute group_name_attribute group_member_attribute;
        optional: user password tls_cacertfile tls_cacertdir user_tree_dn user_filter user_description_attribute
            user_mail_attribute user_default_project_id_attribute user_enabled_emulation_dn group_tree_dn group_filter
            group_desc_attribute;
        flag: randomize_urls use_tls use_pool use_auth_pool user_enabled_invert user_enabled_emulation
            user_enabled_emulation_use_group_config group_members_are_ids group_ad_nesting;
        choice_of_two: chase_referrals;
        number: page_size pool_size pool_retry_max auth_pool_size user_enabled_mask;
        choice: query_scope alias_dereferencing tls_req_cert;
        seconds: pool_retry_delay pool_connection_lifetime auth_pool_connection_lifetime;
        limit: connection_timeout pool_connection_timeout;
        list: user_attribute_ignore group_attribute_ignore;
    );
    Ok(settings)
}
