//! What an operator decides about tokens.

use chrono::Duration;

/// Options of `[auth]`, `[token]`, `[receipt]` and `[resource]` that govern authentication.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[auth] methods`, in order: the order gives each its bit in a token.
    pub methods: Vec<String>,
    /// `[token] expiration`
    pub expiration: Duration,
    /// `[token] allow_expired_window`
    pub allow_expired_window: Duration,
    /// `[token] allow_rescope_scoped_token`
    pub allow_rescope_scoped_token: bool,
    /// `[receipt] expiration`
    pub receipt_expiration: Duration,
    /// `[resource] admin_project_name` and `admin_project_domain_name`, where both are set.
    pub admin_project: Option<(String, String)>,
    /// `[identity] default_domain_id`
    pub default_domain_id: String,
}

impl Default for Settings {
    fn default() -> Self {
        let methods = [
            "external",
            "password",
            "token",
            "oauth1",
            "mapped",
            "application_credential",
            "ec2credential",
        ];
        Self {
            methods: methods.map(str::to_owned).into(),
            expiration: Duration::hours(1),
            allow_expired_window: Duration::hours(48),
            allow_rescope_scoped_token: true,
            receipt_expiration: Duration::minutes(5),
            admin_project: None,
            default_domain_id: "default".to_owned(),
        }
    }
}
