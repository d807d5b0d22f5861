//! Domain configuration: options of `keystone.conf` that a domain overrides. Sensitive ones are stored in a table of their
//! own and never shown.

pub(crate) mod rules;

use keystone_python::is_true;
use keystone_storage::{Exec, Select, Tx, select, sql, transaction};
use keystone_types::{Error, Result, json, to_python_json};
use serde_json::{Map, Value};

use crate::identity::Identity;
use crate::{domain, project};

use rules::{Config, ConfigPart, alone, check_patch, invalid, not_found};

#[derive(Debug, sqlx::FromRow)]
struct Row {
    group: String,
    option: String,
    value: String,
}

impl Identity {
    /// The options that a domain has set, without sensitive ones.
    pub async fn domain_config(&self, domain_id: &str, part: ConfigPart<'_>) -> Result<Config> {
        let known = &self.settings.config_options;
        known.check(part)?;
        let rows = whitelisted(&self.db, domain_id, part).await?;
        let config = visible_config(domain_id, part, rows)?;
        self.domain(domain_id).await?;
        Ok(config)
    }

    /// Replaces the configuration of a domain; returns too whether there was none.
    pub async fn create_domain_config(
        &self,
        domain_id: &str,
        config: &Value,
    ) -> Result<(Config, bool)> {
        let domain_id = &self.domain(domain_id).await?.id;
        let known = &self.settings.config_options;
        let config = known.check_config(config)?;
        transaction!(self.db, |tx| {
            lock_domain(tx, domain_id).await?;
            let removed = remove(tx, domain_id, ConfigPart::default()).await?;
            self.insert(tx, domain_id, config).await?;
            let rows = whitelisted(tx, domain_id, ConfigPart::default()).await?;
            Ok((to_config(domain_id, rows, false)?, removed == 0))
        })
        .await
    }

    /// Stores the configuration of a domain unless there is one already, and returns whether it did.
    pub async fn add_domain_config(&self, domain_id: &str, config: &Value) -> Result<bool> {
        let domain_id = &self.domain(domain_id).await?.id;
        let config = self.settings.config_options.check_config(config)?;
        transaction!(self.db, |tx| {
            lock_domain(tx, domain_id).await?;
            let stored = select("SELECT domain_id FROM whitelisted_config")
                .filter("domain_id = ?", Some(domain_id))
                .union_all("SELECT domain_id FROM sensitive_config")
                .filter("domain_id = ?", Some(domain_id));
            if stored.then("").exists(&mut *tx).await? {
                return Ok(false);
            }
            self.insert(tx, domain_id, config).await?;
            Ok(true)
        })
        .await
    }

    /// Changes options of the configuration of a domain; a group or option must exist to be changed by itself.
    pub async fn update_domain_config(
        &self,
        domain_id: &str,
        config: &Value,
        part: ConfigPart<'_>,
    ) -> Result<Config> {
        let domain_id = &self.domain(domain_id).await?.id;
        let known = &self.settings.config_options;
        let wrapped = match part {
            ConfigPart {
                group: Some(group),
                option: Some(_),
            } => &alone(group, config.clone()).into(),
            _ => config,
        };
        let config = known.check_config(wrapped)?;
        known.check(part)?;
        check_patch(config, part)?;
        let rows = transaction!(self.db, |tx| {
            lock_domain(tx, domain_id).await?;
            if part.group.is_some() && first_value(tx, domain_id, part).await?.is_none() {
                return Err(not_found(domain_id, part));
            }
            for (group, options) in config {
                for option in options.as_object().into_iter().flat_map(Map::keys) {
                    let part = ConfigPart {
                        group: Some(group),
                        option: Some(option),
                    };
                    remove(tx, domain_id, part).await?;
                }
            }
            self.insert(tx, domain_id, config).await?;
            whitelisted(tx, domain_id, ConfigPart::default()).await
        });
        // A change of sensitive options alone is stored, and then a 404.
        visible_config(domain_id, ConfigPart::default(), rows.await?)
    }

    /// Deletes the configuration of a domain, or an existing part of it.
    pub async fn delete_domain_config(&self, domain_id: &str, part: ConfigPart<'_>) -> Result<()> {
        let domain_id = &self.domain(domain_id).await?.id;
        self.settings.config_options.check(part)?;
        transaction!(self.db, |tx| {
            lock_domain(tx, domain_id).await?;
            if let Some(group) = part.group {
                check_exists(tx, domain_id, group, part).await?;
            }
            remove(tx, domain_id, part).await.map(drop)
        })
        .await
    }

    /// The options about passwords that users of the default domain may read.
    pub async fn security_compliance_config(
        &self,
        domain_id: &str,
        option: Option<&str>,
    ) -> Result<Config> {
        if domain_id != self.settings.default_domain_id {
            return Err(invalid(
                "Reading security compliance information for any domain other than the default domain is not allowed or \
                 supported.",
            ));
        }
        let config = self.settings.config_options.security_compliance(option)?;
        self.domain(domain_id).await?;
        Ok(config)
    }

    /// The options of `keystone.conf`, which apply where a domain has none.
    pub fn default_domain_config(&self, part: ConfigPart<'_>) -> Result<Config> {
        self.settings.config_options.defaults(part)
    }

    async fn insert(&self, tx: &mut Tx, domain_id: &str, config: &Config) -> Result<()> {
        for (group, options) in config {
            for (option, value) in options.as_object().into_iter().flatten() {
                let statement = if self.settings.config_options.is_sensitive(group, option) {
                    "INSERT INTO sensitive_config (domain_id, `group`, `option`, value) VALUES (?, ?, ?, ?)"
                } else {
                    "INSERT INTO whitelisted_config (domain_id, `group`, `option`, value) VALUES (?, ?, ?, ?)"
                };
                let query = sql(statement).bind(domain_id).bind(group).bind(option);
                query.bind(to_python_json(value)).execute(&mut *tx).await?;
            }
        }
        Ok(())
    }
}

/// Locks a domain, so that writers of its configuration take turns.
async fn lock_domain(tx: &mut Tx, domain_id: &str) -> Result<()> {
    let domain = project::locked(tx, domain_id).await;
    domain::as_domain(domain, domain_id).map(drop)
}

/// 404 for a part that does not exist.
async fn check_exists(
    tx: &mut Tx,
    domain_id: &str,
    group: &str,
    part: ConfigPart<'_>,
) -> Result<()> {
    let whole = ConfigPart {
        group: Some(group),
        option: None,
    };
    if first_value(tx, domain_id, whole).await?.is_none() {
        return Err(not_found(domain_id, whole));
    }
    if part.option.is_none() {
        return Ok(());
    }
    let value = first_value(tx, domain_id, part).await?;
    // `keystone/resource/core.py` treats a value that is false as missing.
    if value.is_some_and(|value| json::read(value).map_or(true, |value| is_true(&value))) {
        Ok(())
    } else {
        Err(not_found(domain_id, part))
    }
}

/// A part as it is shown; 404 if it has no options that are not sensitive.
fn visible_config(domain_id: &str, part: ConfigPart<'_>, rows: Vec<Row>) -> Result<Config> {
    if rows.is_empty() {
        return Err(not_found(domain_id, part));
    }
    to_config(domain_id, rows, part.option.is_some())
}

async fn whitelisted(
    exec: impl Into<Exec<'_>>,
    domain_id: &str,
    part: ConfigPart<'_>,
) -> Result<Vec<Row>> {
    let rows = select("SELECT `group`, `option`, value FROM whitelisted_config");
    let rows = of_part(rows, domain_id, part).then(" ORDER BY `group`, `option`");
    Ok(rows.fetch_all(exec).await?)
}

/// The first value of a part, sensitive or not, as it is stored.
async fn first_value(tx: &mut Tx, domain_id: &str, part: ConfigPart<'_>) -> Result<Option<String>> {
    for text in [
        "SELECT value FROM whitelisted_config",
        "SELECT value FROM sensitive_config",
    ] {
        let values = of_part(select(text), domain_id, part).then("");
        if let Some((value,)) = values.fetch_optional(&mut *tx).await? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// Deletes a part, sensitive or not; returns the number of options.
async fn remove(tx: &mut Tx, domain_id: &str, part: ConfigPart<'_>) -> Result<u64> {
    let mut removed = 0;
    for text in [
        "DELETE FROM whitelisted_config",
        "DELETE FROM sensitive_config",
    ] {
        let rows = of_part(select(text), domain_id, part).then("");
        removed += rows.execute(&mut *tx).await?;
    }
    Ok(removed)
}

/// Narrows a statement to a part of a domain's configuration.
fn of_part(select: Select, domain_id: &str, part: ConfigPart<'_>) -> Select {
    select
        .filter("domain_id = ?", Some(domain_id))
        .filter("`group` = ?", part.group)
        .filter("`option` = ?", part.option)
}

/// Rows as a configuration; a single option is shown without its group.
fn to_config(domain_id: &str, rows: Vec<Row>, alone: bool) -> Result<Config> {
    let mut config = Config::new();
    for Row {
        group,
        option,
        value,
    } in rows
    {
        let value = match json::read(&value) {
            Ok(value) => value,
            Err(cause) => {
                let row = format!("{domain_id}/{group}/{option}");
                let error = format!(
                    "corrupt row: table whitelisted_config, row {row}, column value: {cause}"
                );
                if alone {
                    return Err(Error::internal(error));
                }
                tracing::error!(error, "an option was left out: correct it in the database");
                continue;
            }
        };
        if alone {
            config.insert(option, value);
        } else if let Value::Object(options) = config
            .entry(group)
            .or_insert_with(|| Value::Object(Map::new()))
        {
            options.insert(option, value);
        }
    }
    Ok(config)
}
