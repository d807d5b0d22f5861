//! Converts options to the `Settings` of the server's crates.

use std::path::{Path, PathBuf};
use std::time::Duration as StdDuration;

use chrono::Duration;
use keystone::api::{Cors, ListLimits};
use keystone::auth::{ExternalDomain, TokenlessSettings};
use keystone::policy::{RemoteFormat, RemoteSettings};
use keystone::storage::{DatabaseUrl, PoolOptions};
use keystone::token::{Algorithm, Credentials, JwsKeys, KeyRepository};
use keystone::{Keys, Provider, Settings};

use crate::{Config, Diagnostic, Problems, Sources};

mod backends;
mod federation;
mod health;
mod identity;
mod methods;
mod notifications;
mod oidc;
mod proxy;
mod saml;
#[cfg(test)]
mod tests;

pub use backends::{domain_of_file, files_below};

/// The longest duration, so that a date plus a duration stays a valid date.
const CENTURY: i64 = 36_525 * DAY;
const DAY: i64 = 24 * 60 * 60;

const UNLIMITED: u32 = 1000;

impl Config {
    /// The settings of every crate, and warnings about options whose effect differs from Keystone's.
    ///
    /// `sources` determines where a policy file without a directory is searched.
    pub fn settings(&self, sources: &Sources) -> Result<(Settings, Vec<Diagnostic>), Problems> {
        let mut reader = Reader {
            config: self,
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        reader.drivers();
        let settings = Settings {
            database: reader.database(),
            cache: reader.cache(),
            keys: reader.keys(),
            identity: reader.identity(),
            catalog: reader.catalog(),
            auth: reader.auth(),
            api: reader.api(),
            policy: reader.policy(sources),
            notifications: reader.notifications(),
            oidc: reader.oidc(),
        };
        if reader.problems.is_empty() {
            Ok((settings, reader.warnings))
        } else {
            Err(Problems(reader.problems))
        }
    }
}

struct Reader<'a> {
    config: &'a Config,
    problems: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn problem(&mut self, group: &str, name: &str, text: impl Into<String>) {
        self.problems
            .push(self.config.diagnostic(group, name, text));
    }

    fn warning(&mut self, group: &str, name: &str, text: impl Into<String>) {
        self.warnings
            .push(self.config.diagnostic(group, name, text));
    }

    /// Refuses drivers with another store than the database, whose data the server would not see.
    fn drivers(&mut self) {
        let config = self.config;
        if !is_sql(config.string("catalog", "driver")) {
            let text = "the only driver of this release is sql";
            self.problem("catalog", "driver", text);
        }
    }

    fn cache(&mut self) -> keystone::cache::Settings {
        let stale_for = self.seconds("cache", "stale_for");
        keystone::cache::Settings {
            stale_for: stale_for.to_std().unwrap_or_default(),
            ..keystone::cache::Settings::default()
        }
    }

    fn database(&mut self) -> keystone::Database {
        let config = self.config;
        let url = match config.optional_string("database", "connection") {
            Some(url) if !url.trim().is_empty() => url.trim().to_owned(),
            _ => {
                // Keystone's default, which is hardly what an operator wants.
                let text = "not set; using the file keystone.db in the working directory";
                self.warning("database", "connection", text);
                "sqlite:///keystone.db".to_owned()
            }
        };
        if let Err(error) = DatabaseUrl::parse(&url) {
            self.problem("database", "connection", error.to_string());
        }
        keystone::Database {
            url,
            pool: self.pool(),
        }
    }

    fn pool(&mut self) -> PoolOptions {
        let config = self.config;
        let standard = PoolOptions::default();
        // SQLAlchemy has no limit for a size of 0 or an overflow of -1: a generous one instead.
        let size = u32::try_from(config.int("database", "max_pool_size")).unwrap_or(0);
        let size = if size == 0 { UNLIMITED } else { size };
        let overflow = u32::try_from(config.int("database", "max_overflow")).unwrap_or(UNLIMITED);
        let timeout = match config.optional_int("database", "pool_timeout") {
            Some(seconds) => span(seconds).unwrap_or(standard.timeout),
            None => standard.timeout,
        };
        // -1 keeps a connection for as long as it works.
        let recycle = span(config.int("database", "connection_recycle_time"))
            .unwrap_or(StdDuration::from_secs(CENTURY.unsigned_abs()));
        let sync_wait = config.optional_int("database", "mysql_wsrep_sync_wait");
        let wsrep_sync_wait = match sync_wait.map(u8::try_from) {
            None => standard.wsrep_sync_wait,
            Some(Ok(bits)) if bits < 16 => bits,
            Some(_) => {
                let text = "expected a whole number from 0 to 15";
                self.problem("database", "mysql_wsrep_sync_wait", text);
                standard.wsrep_sync_wait
            }
        };
        PoolOptions {
            size,
            overflow,
            timeout,
            recycle,
            sql_mode: config.string("database", "mysql_sql_mode").to_owned(),
            wsrep_sync_wait,
        }
    }

    fn keys(&mut self) -> Keys {
        let config = self.config;
        let tokens = config.string("fernet_tokens", "key_repository");
        let active = self.count("fernet_tokens", "max_active_keys");
        let receipts = config.string("fernet_receipts", "key_repository");
        let receipts_active = self.count("fernet_receipts", "max_active_keys");
        let same = Path::new(tokens) == Path::new(receipts);
        if same && active != receipts_active {
            let text = "ignored, because tokens and receipts have the same key_repository: \
                        [fernet_tokens] max_active_keys applies";
            self.warning("fernet_receipts", "max_active_keys", text);
        }
        let receipts_active = if same { active } else { receipts_active };
        Keys {
            provider: self.provider(),
            jws: self.jws(),
            tokens: KeyRepository::new(tokens, active),
            receipts: KeyRepository::new(receipts, receipts_active),
            credentials: KeyRepository::new(
                config.string("credential", "key_repository"),
                Credentials::MAX_ACTIVE_KEYS,
            ),
        }
    }

    fn provider(&mut self) -> Provider {
        match self.config.string("token", "provider") {
            "fernet" => Provider::Fernet,
            "jws" => Provider::Jws,
            _ => {
                self.problem("token", "provider", "expected fernet or jws");
                Provider::default()
            }
        }
    }

    fn jws(&mut self) -> JwsKeys {
        let config = self.config;
        let names = Algorithm::ALL.map(Algorithm::name).join(", ");
        let algorithm = Algorithm::parse(config.string("jwt_tokens", "jws_algorithm"));
        let mut accepted = Vec::new();
        for name in config.list("jwt_tokens", "jws_accepted_algorithms") {
            if let Some(known) = Algorithm::parse(name) {
                accepted.push(known);
            } else {
                let text = format!("there is no algorithm {name:?}; the algorithms are {names}");
                self.problem("jwt_tokens", "jws_accepted_algorithms", text);
            }
        }
        // The option has no other values.
        let algorithm = algorithm.unwrap_or(Algorithm::Es256);
        let is_jws = config.string("token", "provider") == "jws";
        if is_jws && !accepted.contains(&algorithm) {
            let text = format!(
                "{} is not among them, so that the tokens that this server signs are not valid",
                algorithm.name()
            );
            self.warning("jwt_tokens", "jws_accepted_algorithms", text);
        }
        let directory = |name| config.string("jwt_tokens", name).into();
        JwsKeys {
            private: directory("jws_private_key_repository"),
            public: directory("jws_public_key_repository"),
            algorithm,
            accepted,
        }
    }

    fn catalog(&mut self) -> keystone::catalog::Settings {
        let config = self.config;
        keystone::catalog::Settings {
            return_all_endpoints_if_no_filter: config
                .bool("endpoint_filter", "return_all_endpoints_if_no_filter"),
            public_endpoint: text(config.optional_string("DEFAULT", "public_endpoint")),
        }
    }

    /// The domain of `external`, by the name of Keystone's plugin.
    fn external(&self) -> ExternalDomain {
        match self.config.optional_string("auth", "external") {
            Some("Domain") => ExternalDomain::Remote,
            _ => ExternalDomain::Default,
        }
    }

    fn auth(&mut self) -> keystone::auth::Settings {
        let config = self.config;
        let project = text(config.optional_string("resource", "admin_project_name"));
        let domain = text(config.optional_string("resource", "admin_project_domain_name"));
        keystone::auth::Settings {
            methods: self.methods(),
            expiration: self.seconds("token", "expiration"),
            allow_expired_window: self.seconds("token", "allow_expired_window"),
            allow_rescope_scoped_token: config.bool("token", "allow_rescope_scoped_token"),
            receipt_expiration: self.seconds("receipt", "expiration"),
            request_token_duration: self.seconds("oauth1", "request_token_duration"),
            access_token_duration: self.seconds("oauth1", "access_token_duration"),
            admin_project: project.zip(domain),
            external: self.external(),
            additional_primary_methods: config
                .list("auth", "additional_primary_auth_methods")
                .to_vec(),
            delegated_admins_reach_ec2: config.bool(
                "security_compliance",
                "allow_insecure_admin_trust_cross_project_credentials_access",
            ),
            totp_previous_windows: self.windows(),
            signature_life: self.minutes("credential", "auth_ttl"),
            application_credential_limit: u32::try_from(
                config.int("application_credential", "user_limit"),
            )
            .ok(),
            oauth2_methods: config.list("oauth2", "oauth2_authn_methods").to_vec(),
            application_credentials_manage_trusts: config.bool(
                "security_compliance",
                "allow_insecure_application_credential_trust_escalation",
            ),
            max_redelegation_count: config.int("trust", "max_redelegation_count"),
            default_domain_id: config.string("identity", "default_domain_id").to_owned(),
            oauth2_mapping: config
                .string("oauth2", "oauth2_cert_dn_mapping_id")
                .to_owned(),
            tokenless: TokenlessSettings {
                trusted_issuers: config.multi("tokenless_auth", "trusted_issuer").to_vec(),
                protocol: config.string("tokenless_auth", "protocol").to_owned(),
                issuer_attribute: config
                    .string("tokenless_auth", "issuer_attribute")
                    .to_owned(),
            },
            federation: self.federation(),
            saml: Box::new(self.saml()),
            saml_sp: self.saml_sp().map(Box::new),
            partial_hash: self.partial_hash().map(Box::new),
        }
    }

    fn windows(&self) -> u32 {
        let windows = self.config.int("totp", "included_previous_windows");
        u32::try_from(windows).expect("the option has a least and a greatest value")
    }

    fn api(&mut self) -> keystone::api::Settings {
        let config = self.config;
        let limit = |group| config.optional_int(group, "list_limit").and_then(page);
        let most = config.int("DEFAULT", "max_db_limit");
        let most = config.is_set("DEFAULT", "max_db_limit").then_some(most);
        let admin_token = text(config.optional_string("DEFAULT", "admin_token"));
        keystone::api::Settings {
            public_endpoint: text(config.optional_string("DEFAULT", "public_endpoint")),
            max_request_body_size: self.count("oslo_middleware", "max_request_body_size"),
            list_limit: limit("DEFAULT"),
            list_limits: ListLimits {
                catalog: limit("catalog"),
                identity: limit("identity"),
                policy: limit("policy"),
                resource: limit("resource"),
                role: limit("role"),
            },
            max_db_limit: most.and_then(page),
            insecure_debug: config.bool("DEFAULT", "insecure_debug"),
            admin_token: admin_token.map(Into::into),
            default_domain_id: config.string("identity", "default_domain_id").to_owned(),
            mapping_schema_version: config
                .string("federation", "attribute_mapping_default_schema_version")
                .to_owned(),
            relay_state_prefix: config.string("saml", "relay_state_prefix").to_owned(),
            proxy_headers: config.bool("oslo_middleware", "enable_proxy_headers_parsing"),
            domain_specific_drivers: config.bool("identity", "domain_specific_drivers_enabled"),
            cors: self.cors(),
            revoke_by_id: config.bool("token", "revoke_by_id"),
            health: self.health(),
            trusted_proxy: self.trusted_proxy(),
            websso: self.websso(),
            ..keystone::api::Settings::default()
        }
    }

    fn cors(&self) -> Cors {
        let config = self.config;
        let list = |name| config.list("cors", name).to_vec();
        Cors {
            origins: list("allowed_origin"),
            credentials: config.bool("cors", "allow_credentials"),
            methods: list("allow_methods"),
            headers: list("allow_headers"),
            exposed: list("expose_headers"),
            max_age: config.int("cors", "max_age"),
        }
    }

    fn policy(&mut self, sources: &Sources) -> keystone::policy::Settings {
        let config = self.config;
        let dirs = sources.dirs();
        let name = config.string("oslo_policy", "policy_file");
        let found = locate(&dirs, name);
        if config.is_set("oslo_policy", "policy_file") && !found.is_some_and(|path| path.exists()) {
            let text = "there is no such file; the default rules apply until there is";
            self.warning("oslo_policy", "policy_file", text);
        }
        let named = config.multi("oslo_policy", "policy_dirs");
        let path = |name| text(config.optional_string("oslo_policy", name)).map(PathBuf::from);
        let format = match config.string("oslo_policy", "remote_content_type") {
            "application/json" => RemoteFormat::Json,
            _ => RemoteFormat::Form,
        };
        keystone::policy::Settings {
            file: locate(&dirs, name),
            dirs: named
                .iter()
                .filter_map(|name| locate(&dirs, name))
                .collect(),
            overrides: None,
            enforce_new_defaults: config.bool("oslo_policy", "enforce_new_defaults"),
            default_rule: config
                .string("oslo_policy", "policy_default_rule")
                .to_owned(),
            remote: RemoteSettings {
                format,
                timeout: self.remote_timeout(),
                verify: config.bool("oslo_policy", "remote_ssl_verify_server_crt"),
                ca_file: path("remote_ssl_ca_crt_file"),
                client_certificate: path("remote_ssl_client_crt_file"),
                client_key: path("remote_ssl_client_key_file"),
            },
        }
    }

    fn remote_timeout(&mut self) -> StdDuration {
        let seconds = self.config.float("oslo_policy", "remote_timeout");
        StdDuration::try_from_secs_f64(seconds).unwrap_or_else(|_| {
            let text = "expected a number of seconds";
            self.problem("oslo_policy", "remote_timeout", text);
            StdDuration::ZERO
        })
    }
}

/// Numbers with a unit or a range.
impl Reader<'_> {
    /// A count, 0 or more.
    fn count(&mut self, group: &str, name: &str) -> usize {
        let value = self.config.int(group, name);
        usize::try_from(value).unwrap_or_else(|_| {
            self.problem(group, name, "expected a whole number, 0 or more");
            0
        })
    }

    fn optional_count(&mut self, group: &str, name: &str) -> Option<u32> {
        let value = self.config.optional_int(group, name)?;
        let count = u32::try_from(value);
        count
            .map_err(|_| self.problem(group, name, "expected a whole number from 0 to 4294967295"))
            .ok()
    }

    fn seconds(&mut self, group: &str, name: &str) -> Duration {
        let value = self.config.int(group, name);
        self.within_a_century(group, name, value, "seconds", 1)
    }

    fn minutes(&mut self, group: &str, name: &str) -> Duration {
        let value = self.config.int(group, name);
        self.within_a_century(group, name, value, "minutes", 60)
    }

    fn days(&mut self, group: &str, name: &str) -> Option<i64> {
        let value = self.config.optional_int(group, name)?;
        self.within_a_century(group, name, value, "days", DAY);
        Some(value)
    }

    fn within_a_century(
        &mut self,
        group: &str,
        name: &str,
        value: i64,
        unit: &str,
        seconds: i64,
    ) -> Duration {
        let most = CENTURY / seconds;
        if (0..=most).contains(&value) {
            return Duration::seconds(value * seconds);
        }
        let text = format!("expected a number of {unit} from 0 to {most}");
        // Two crates may read one option.
        let problem = self.config.diagnostic(group, name, text);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
        Duration::zero()
    }
}

fn text(value: Option<&str>) -> Option<String> {
    value.filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A page limit; 0 and less mean no limit.
fn page(limit: i64) -> Option<u32> {
    u32::try_from(limit).ok().filter(|limit| *limit > 0)
}

fn span(seconds: i64) -> Option<StdDuration> {
    let seconds = u64::try_from(seconds).ok()?;
    Some(StdDuration::from_secs(seconds))
}

/// `sql`, and the names that it had: a class of Keystone, and a driver that is part of it now.
fn is_sql(driver: &str) -> bool {
    let part = driver.rsplit('.').next();
    part == Some("sql") || driver.contains(".backends.sql.")
}

/// Where `name` is, or would be looked for first; an empty one is nowhere.
fn locate(dirs: &[PathBuf], name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    if name.is_empty() {
        return None;
    }
    if path.is_absolute() {
        return Some(path.to_owned());
    }
    let found = dirs
        .iter()
        .map(|dir| dir.join(path))
        .find(|path| path.exists());
    found.or_else(|| Some(dirs.first()?.join(path)))
}
