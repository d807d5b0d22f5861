//! Settings of the identity service.

use chrono::Duration;

use crate::directory::Backends;
use crate::domain_config::rules::ConfigOptions;
use crate::password::{Algorithm, Options, Regex};

/// Options of `[identity]`, `[identity_mapping]`, `[ldap]`, `[resource]`, `[security_compliance]`, `[token]` and `[revoke]` that
/// govern users, projects and roles.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[identity] default_domain_id`
    pub default_domain_id: String,
    /// `[DEFAULT] max_project_tree_depth`
    pub max_project_tree_depth: usize,
    /// `[resource] project_name_url_safe`
    pub project_name_url_safe: UrlSafe,
    /// `[resource] domain_name_url_safe`
    pub domain_name_url_safe: UrlSafe,
    /// `[federation] federated_domain_name`
    pub federated_domain_name: String,
    /// `[assignment] prohibited_implied_role`
    pub prohibited_implied_roles: Vec<String>,
    /// How long a revocation event is kept: `[token] expiration`, plus `[token] allow_expired_window` for validation of
    /// expired tokens, plus `[revoke] expiration_buffer`.
    pub revocation_lifetime: Duration,
    /// `[identity] password_hash_algorithm`; by default, one that fits the origin of the database.
    pub password_algorithm: Option<Algorithm>,
    /// How passwords are hashed.
    pub passwords: Options,
    /// `[federation] default_authorization_ttl`
    pub default_authorization_ttl: Duration,
    /// `[credential] user_limit`; `None` for no limit.
    pub credential_user_limit: Option<u32>,
    /// `[unified_limit] enforcement_model`
    pub enforcement_model: EnforcementModel,
    /// `[security_compliance]`
    pub compliance: Compliance,
    /// Whether a deletion returns what else it has deleted, for notifications.
    pub reports_cascades: bool,
    /// The options that a domain may override, with their defaults.
    pub config_options: ConfigOptions,
    /// Where users and groups are.
    pub backends: Backends,
}

/// Whether names may have reserved characters of URLs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UrlSafe {
    /// They may.
    #[default]
    Off,
    /// New names may not.
    New,
    /// New names may not, and no token can be scoped to a name that does.
    Strict,
}

impl UrlSafe {
    /// The reserved characters of a new name, if they are refused.
    pub(crate) fn reserved_in_new(self, name: &str) -> Option<String> {
        if self == Self::Off {
            return None;
        }
        Some(reserved(name)).filter(|found| !found.is_empty())
    }

    /// Whether a token may be scoped to something of this name.
    pub fn allows_scope(self, name: &str) -> bool {
        self != Self::Strict || reserved(name).is_empty()
    }
}

fn reserved(name: &str) -> String {
    name.chars()
        .filter(|c| ":/?#[]@!$&'()*+,;=".contains(*c))
        .collect()
}

/// Rules about passwords and idle users: options of `[security_compliance]`.
#[derive(Clone, Debug, Default)]
pub struct Compliance {
    /// `disable_user_account_days_inactive`
    pub disable_after_days_inactive: Option<i64>,
    /// `lockout_failure_attempts`
    pub lockout_failure_attempts: Option<i64>,
    /// `lockout_duration`
    pub lockout_duration: Option<Duration>,
    /// `password_expires_days`
    pub password_expires_days: Option<i64>,
    /// `unique_last_password_count`
    pub unique_last_password_count: usize,
    /// `minimum_password_age`
    pub minimum_password_age_days: i64,
    /// `password_regex`
    pub password_regex: Option<Regex>,
    /// `password_regex_description`
    pub password_regex_description: Option<String>,
    /// `change_password_upon_first_use`
    pub change_password_upon_first_use: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_domain_id: "default".to_owned(),
            max_project_tree_depth: 5,
            project_name_url_safe: UrlSafe::Off,
            domain_name_url_safe: UrlSafe::Off,
            federated_domain_name: "Federated".to_owned(),
            prohibited_implied_roles: vec!["admin".to_owned()],
            revocation_lifetime: Duration::seconds(3600 + 48 * 3600 + 1800),
            password_algorithm: None,
            passwords: Options::default(),
            default_authorization_ttl: Duration::zero(),
            credential_user_limit: None,
            enforcement_model: EnforcementModel::default(),
            compliance: Compliance::default(),
            reports_cascades: false,
            config_options: ConfigOptions::default(),
            backends: Backends::default(),
        }
    }
}

/// `[unified_limit] enforcement_model`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EnforcementModel {
    /// Limits do not constrain each other.
    #[default]
    Flat,
    /// No limit of a project is greater than that of its domain.
    StrictTwoLevel,
}

impl EnforcementModel {
    /// Its name in `keystone.conf` and on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::StrictTwoLevel => "strict_two_level",
        }
    }

    /// The description that clients see.
    pub fn description(self) -> &'static str {
        match self {
            Self::Flat => {
                "Limit enforcement and validation does not take project hierarchy into consideration."
            }
            Self::StrictTwoLevel => {
                "This model requires project hierarchy never exceeds a depth of two"
            }
        }
    }

    /// How deep the project tree may be.
    pub fn max_project_tree_depth(self) -> Option<usize> {
        match self {
            Self::Flat => None,
            Self::StrictTwoLevel => Some(2),
        }
    }
}
