//! The operator's settings for tokens.

use chrono::Duration;
use keystone_identity::ProjectRef;

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
    /// `[auth] additional_primary_auth_methods`
    pub additional_primary_methods: Vec<String>,
    /// `[security_compliance] allow_insecure_admin_trust_cross_project_credentials_access`
    pub delegated_admins_reach_ec2: bool,
    /// `[identity] default_domain_id`
    pub default_domain_id: String,
}

impl Settings {
    /// Whether this is the project that the operator named as the administrators'; none where they named none.
    pub(crate) fn names_admin_project(&self, project: &ProjectRef) -> Option<bool> {
        let (name, domain) = self.admin_project.as_ref()?;
        Some(*name == project.name && *domain == project.domain.name)
    }
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
            additional_primary_methods: Vec::new(),
            delegated_admins_reach_ec2: false,
            default_domain_id: "default".to_owned(),
        }
    }
}
