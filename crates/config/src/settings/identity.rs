//! Options about users, projects, roles and passwords.

use std::str::FromStr;

use keystone::auth::{HashFunction, PartialHash};
use keystone::identity::password::{Algorithm, Options, Regex};
use keystone::identity::{Compliance, ConfigOptions, EnforcementModel, Settings, UrlSafe};

use super::{Reader, is_sql, text};

impl Reader<'_> {
    pub(super) fn identity(&mut self) -> Settings {
        let config = self.config;
        // A revoked token must stay revoked for services that ask for expired tokens.
        let lifetime = self.seconds("token", "expiration")
            + self.seconds("token", "allow_expired_window")
            + self.seconds("revoke", "expiration_buffer");
        Settings {
            default_domain_id: config.string("identity", "default_domain_id").to_owned(),
            max_project_tree_depth: self.count("DEFAULT", "max_project_tree_depth"),
            project_name_url_safe: url_safe(config.string("resource", "project_name_url_safe")),
            domain_name_url_safe: url_safe(config.string("resource", "domain_name_url_safe")),
            federated_domain_name: config
                .string("federation", "federated_domain_name")
                .to_owned(),
            prohibited_implied_roles: config
                .list("assignment", "prohibited_implied_role")
                .to_vec(),
            revocation_lifetime: lifetime,
            password_algorithm: self.algorithm(),
            passwords: self.passwords(),
            default_authorization_ttl: self.minutes("federation", "default_authorization_ttl"),
            credential_user_limit: u32::try_from(config.int("credential", "user_limit")).ok(),
            enforcement_model: match config.string("unified_limit", "enforcement_model") {
                "strict_two_level" => EnforcementModel::StrictTwoLevel,
                _ => EnforcementModel::Flat,
            },
            compliance: self.compliance(),
            config_options: self.config_options(),
            backends: self.backends(),
            // Whoever tells others knows whether there are any.
            reports_cascades: false,
        }
    }

    /// The operator's choice; without one the database's origin decides (adopted or created here).
    fn algorithm(&mut self) -> Option<Algorithm> {
        if !self.config.is_set("identity", "password_hash_algorithm") {
            return None;
        }
        let name = self.config.string("identity", "password_hash_algorithm");
        let algorithm = Algorithm::from_str(name);
        algorithm
            .map_err(|error| {
                self.problem("identity", "password_hash_algorithm", error.to_string());
            })
            .ok()
    }

    fn passwords(&mut self) -> Options {
        Options {
            rounds: self.optional_count("identity", "password_hash_rounds"),
            scrypt_block_size: self.optional_count("identity", "scrypt_block_size"),
            scrypt_parallelism: self.optional_count("identity", "scrypt_parallelism"),
            salt_bytesize: self.optional_count("identity", "salt_bytesize"),
            max_password_length: self.count("identity", "max_password_length"),
            strict: self.config.bool("DEFAULT", "strict_password_check"),
            ..Options::default()
        }
    }

    /// The options that domains may set, with the values of domains that don't.
    fn config_options(&self) -> ConfigOptions {
        let config = self.config;
        let mut options = ConfigOptions::default();
        for (group, names) in config.lists("domain_config", "additional_whitelisted_options") {
            let names = names
                .into_iter()
                .map(|name| (name, serde_json::Value::Null));
            options.whitelisted.insert(group, names.collect());
        }
        let sensitive = config.lists("domain_config", "additional_sensitive_options");
        options.sensitive.extend(sensitive);
        for (group, names) in &mut options.whitelisted {
            for (name, value) in names {
                *value = config.json(group, name);
            }
        }
        let text = |name| {
            config
                .optional_string("security_compliance", name)
                .map(str::to_owned)
        };
        options.password_regex = text("password_regex");
        options.password_regex_description = text("password_regex_description");
        options
    }

    /// How wrong passwords are announced, where they are.
    pub(super) fn partial_hash(&mut self) -> Option<PartialHash> {
        const GROUP: &str = "security_compliance";
        let config = self.config;
        let key = text(config.optional_string(GROUP, "invalid_password_hash_secret_key"));
        let function = config.string(GROUP, "invalid_password_hash_function");
        let characters = config.optional_int(GROUP, "invalid_password_hash_max_chars");
        if config
            .list(GROUP, "report_invalid_password_hash")
            .is_empty()
        {
            return None;
        }
        if key.is_none() {
            let problem = "report_invalid_password_hash needs a secret key, the same on all nodes";
            self.problem(GROUP, "invalid_password_hash_secret_key", problem);
        }
        let known = HashFunction::named(function);
        if known.is_none() {
            let problem = "expected sha1, sha224, sha256, sha384 or sha512";
            self.problem(GROUP, "invalid_password_hash_function", problem);
        }
        Some(PartialHash {
            key: key?.into(),
            function: known?,
            characters: characters.and_then(|count| usize::try_from(count).ok()),
            salt: if is_sql(config.string("identity", "driver")) {
                "keystone.identity.backends.sql.Identity"
            } else {
                "keystone.identity.backends.ldap.core.Identity"
            },
        })
    }

    fn compliance(&mut self) -> Compliance {
        let config = self.config;
        let failures = config.optional_int("security_compliance", "lockout_failure_attempts");
        let unique = self.count("security_compliance", "unique_last_password_count");
        Compliance {
            disable_after_days_inactive: self
                .days("security_compliance", "disable_user_account_days_inactive"),
            lockout_failure_attempts: failures,
            lockout_duration: Some(self.seconds("security_compliance", "lockout_duration")),
            password_expires_days: self.days("security_compliance", "password_expires_days"),
            unique_last_password_count: unique,
            minimum_password_age_days: self
                .days("security_compliance", "minimum_password_age")
                .unwrap_or_default(),
            password_regex: self.password_regex(),
            password_regex_description: config
                .optional_string("security_compliance", "password_regex_description")
                .map(str::to_owned),
            change_password_upon_first_use: config
                .bool("security_compliance", "change_password_upon_first_use"),
        }
    }

    /// A pattern that can't be applied stops the start: without the check every password would be accepted.
    fn password_regex(&mut self) -> Option<Regex> {
        let (group, name) = ("security_compliance", "password_regex");
        let pattern = text(self.config.optional_string(group, name))?;
        let regex = Regex::matching(&pattern);
        regex
            .map_err(|error| self.problem(group, name, error.to_string()))
            .ok()
    }
}

fn url_safe(rule: &str) -> UrlSafe {
    match rule {
        "new" => UrlSafe::New,
        "strict" => UrlSafe::Strict,
        _ => UrlSafe::Off,
    }
}
