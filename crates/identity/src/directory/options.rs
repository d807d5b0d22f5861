//! `[identity]` and `[ldap]` of one domain, as a file or the database has them.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use keystone_ldap::Settings;
use keystone_types::Secret;
use serde_json::Value;

/// The backend of a domain: `[identity] driver` and what belongs to it.
#[derive(Clone, Debug, Default)]
pub struct Backend {
    /// `driver = ldap`, with `[ldap]`; none for `sql`.
    pub directory: Option<Box<Settings>>,
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
        match value("identity", "driver").as_str() {
            None | Some("") => Ok(Self::default()),
            Some(driver) if is_part(driver, "sql") => Ok(Self::default()),
            Some(driver) if is_part(driver, "ldap") => Ok(Self {
                directory: Some(Box::new(settings(&Options(&ldap))?)),
            }),
            Some(driver) => Err(BackendError {
                group: "identity",
                option: "driver".to_owned(),
                reason: format!("{driver:?} is no driver of this server, which has sql and ldap"),
            }),
        }
    }
}

/// Whether a driver has this name: alone, or as that of a module or a class of Keystone.
fn is_part(driver: &str, name: &str) -> bool {
    driver.rsplit('.').next() == Some(name) || driver.contains(&format!(".backends.{name}."))
}

/// The options of `[ldap]`.
struct Options<'o>(&'o dyn Fn(&str) -> Value);

impl Options<'_> {
    /// The text of an option; an empty one counts as missing.
    fn text(&self, option: &str) -> Option<String> {
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
        if let Some(text) = self.text(option) {
            *place = read(&text).map_err(|reason| wrong(option, reason))?;
        }
        Ok(())
    }

    fn flag(&self, option: &str, place: &mut bool) -> Result<(), BackendError> {
        self.set(option, place, |text| {
            keystone_python::bool_from_string(text).ok_or_else(|| format!("{text:?} is no boolean"))
        })
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
    fn limit(&self, option: &str) -> Result<Option<Duration>, BackendError> {
        match self.text(option) {
            Some(text) if text.trim() != "-1" => seconds(&text)
                .map(Some)
                .map_err(|reason| wrong(option, reason)),
            _ => Ok(None),
        }
    }

    fn list(&self, option: &str, place: &mut Vec<String>) {
        let value = (self.0)(option);
        let texts: Vec<&str> = match &value {
            Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
            Value::String(texts) => texts.split(',').collect(),
            _ => return,
        };
        let texts = texts.into_iter().map(str::trim);
        *place = texts
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect();
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

fn settings(options: &Options<'_>) -> Result<Settings, BackendError> {
    let mut settings = Settings::default();
    connections(options, &mut settings)?;
    users(options, &mut settings)?;
    groups(options, &mut settings);
    options.flag("group_members_are_ids", &mut settings.group_members_are_ids)?;
    options.flag("group_ad_nesting", &mut settings.group_ad_nesting)?;
    // What the types do not say, and the certificates.
    let checked = keystone_ldap::Directory::new(&settings);
    checked.map_err(|error| wrong(error.option, error.reason))?;
    Ok(settings)
}

fn connections(options: &Options<'_>, settings: &mut Settings) -> Result<(), BackendError> {
    let path = |option| options.text(option).map(PathBuf::from);
    replace(&mut settings.url, options.text("url"));
    replace(&mut settings.suffix, options.text("suffix"));
    settings.user = options.text("user");
    settings.password = options.text("password").map(Secret::from);
    settings.tls_cacertfile = path("tls_cacertfile");
    settings.tls_cacertdir = path("tls_cacertdir");
    settings.connection_timeout = options.limit("connection_timeout")?;
    settings.pool_connection_timeout = options.limit("pool_connection_timeout")?;
    options.flag("randomize_urls", &mut settings.randomize_urls)?;
    options.choice("query_scope", &mut settings.query_scope)?;
    options.number("page_size", &mut settings.page_size)?;
    options.choice("alias_dereferencing", &mut settings.alias_dereferencing)?;
    options.flag("use_tls", &mut settings.use_tls)?;
    options.choice("tls_req_cert", &mut settings.tls_req_cert)?;
    options.flag("use_pool", &mut settings.use_pool)?;
    options.number("pool_size", &mut settings.pool_size)?;
    options.number("pool_retry_max", &mut settings.pool_retry_max)?;
    options.seconds("pool_retry_delay", &mut settings.pool_retry_delay)?;
    options.seconds(
        "pool_connection_lifetime",
        &mut settings.pool_connection_lifetime,
    )?;
    options.flag("use_auth_pool", &mut settings.use_auth_pool)?;
    options.number("auth_pool_size", &mut settings.auth_pool_size)?;
    options.seconds(
        "auth_pool_connection_lifetime",
        &mut settings.auth_pool_connection_lifetime,
    )
}

fn users(options: &Options<'_>, settings: &mut Settings) -> Result<(), BackendError> {
    settings.user_tree_dn = options.text("user_tree_dn");
    settings.user_filter = options.text("user_filter");
    settings.user_enabled_emulation_dn = options.text("user_enabled_emulation_dn");
    settings.user_default_project_id_attribute = options.text("user_default_project_id_attribute");
    attribute(
        options,
        "user_description_attribute",
        &mut settings.user_description_attribute,
    );
    attribute(
        options,
        "user_mail_attribute",
        &mut settings.user_mail_attribute,
    );
    replace(
        &mut settings.user_objectclass,
        options.text("user_objectclass"),
    );
    replace(
        &mut settings.user_id_attribute,
        options.text("user_id_attribute"),
    );
    replace(
        &mut settings.user_name_attribute,
        options.text("user_name_attribute"),
    );
    replace(
        &mut settings.user_enabled_attribute,
        options.text("user_enabled_attribute"),
    );
    replace(
        &mut settings.user_enabled_default,
        options.text("user_enabled_default"),
    );
    options.flag("user_enabled_invert", &mut settings.user_enabled_invert)?;
    options.number("user_enabled_mask", &mut settings.user_enabled_mask)?;
    options.flag(
        "user_enabled_emulation",
        &mut settings.user_enabled_emulation,
    )?;
    options.flag(
        "user_enabled_emulation_use_group_config",
        &mut settings.user_enabled_emulation_use_group_config,
    )?;
    options.list("user_attribute_ignore", &mut settings.user_attribute_ignore);
    Ok(())
}

fn groups(options: &Options<'_>, settings: &mut Settings) {
    settings.group_tree_dn = options.text("group_tree_dn");
    settings.group_filter = options.text("group_filter");
    attribute(
        options,
        "group_desc_attribute",
        &mut settings.group_desc_attribute,
    );
    replace(
        &mut settings.group_objectclass,
        options.text("group_objectclass"),
    );
    replace(
        &mut settings.group_id_attribute,
        options.text("group_id_attribute"),
    );
    replace(
        &mut settings.group_name_attribute,
        options.text("group_name_attribute"),
    );
    replace(
        &mut settings.group_member_attribute,
        options.text("group_member_attribute"),
    );
    options.list(
        "group_attribute_ignore",
        &mut settings.group_attribute_ignore,
    );
}

fn replace(place: &mut String, text: Option<String>) {
    if let Some(text) = text {
        *place = text;
    }
}

/// An attribute that an empty text switches off.
fn attribute(options: &Options<'_>, option: &str, place: &mut Option<String>) {
    if !(options.0)(option).is_null() {
        *place = options.text(option);
    }
}
