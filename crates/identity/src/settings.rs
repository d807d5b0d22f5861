//! What an operator decides about identity.

use chrono::Duration;

use crate::EnforcementModel;
use crate::password::{Algorithm, Options, PasswordRegex};

/// Options of `[identity]`, `[resource]`, `[security_compliance]`, `[token]` and `[revoke]` that
/// govern users, projects and roles.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[identity] default_domain_id`
    pub default_domain_id: String,
    /// `[DEFAULT] max_project_tree_depth`
    pub max_project_tree_depth: usize,
    /// `[resource] project_name_url_safe` is not `off`
    pub project_name_url_safe: bool,
    /// `[resource] domain_name_url_safe` is not `off`
    pub domain_name_url_safe: bool,
    /// `[federation] federated_domain_name`
    pub federated_domain_name: String,
    /// `[assignment] prohibited_implied_role`
    pub prohibited_implied_roles: Vec<String>,
    /// How long a revocation event can matter: `[token] expiration` and `[revoke] expiration_buffer`.
    pub revocation_lifetime: Duration,
    /// `[identity] password_hash_algorithm`; without one, what fits the origin of the database.
    pub password_algorithm: Option<Algorithm>,
    /// How passwords are hashed.
    pub passwords: Options,
    /// `[federation] default_authorization_ttl`
    pub default_authorization_ttl: Duration,
    /// `[credential] user_limit`; none for as many as a user likes.
    pub credential_user_limit: Option<u32>,
    /// `[unified_limit] enforcement_model`
    pub enforcement_model: EnforcementModel,
    /// `[security_compliance]`
    pub compliance: Compliance,
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
    pub password_regex: Option<PasswordRegex>,
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
            project_name_url_safe: false,
            domain_name_url_safe: false,
            federated_domain_name: "Federated".to_owned(),
            prohibited_implied_roles: vec!["admin".to_owned()],
            revocation_lifetime: Duration::seconds(3600 + 1800),
            password_algorithm: None,
            passwords: Options::default(),
            default_authorization_ttl: Duration::zero(),
            credential_user_limit: None,
            enforcement_model: EnforcementModel::default(),
            compliance: Compliance::default(),
        }
    }
}
