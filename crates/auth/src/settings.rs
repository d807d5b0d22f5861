//! The operator's settings for tokens.

use chrono::Duration;
use keystone_identity::ProjectRef;
use keystone_saml::{ServiceProviderSettings, idp};

use crate::federated::FederationSettings;
use crate::partial_hash::PartialHash;
use crate::tokenless::TokenlessSettings;

/// Options of `[auth]`, `[token]`, `[receipt]`, `[totp]`, `[oauth1]` and `[resource]` that govern authentication.
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
    /// `[oauth1] request_token_duration`; zero is for ever.
    pub request_token_duration: Duration,
    /// `[oauth1] access_token_duration`; zero is for ever.
    pub access_token_duration: Duration,
    /// `[resource] admin_project_name` and `admin_project_domain_name`, where both are set.
    pub admin_project: Option<(String, String)>,
    /// `[auth] external`
    pub external: ExternalDomain,
    /// `[auth] additional_primary_auth_methods`
    pub additional_primary_methods: Vec<String>,
    /// `[security_compliance] allow_insecure_admin_trust_cross_project_credentials_access`
    pub delegated_admins_reach_ec2: bool,
    /// `[totp] included_previous_windows`
    pub totp_previous_windows: u32,
    /// `[credential] auth_ttl`: for how long a signed request can be exchanged for a token.
    pub signature_life: Duration,
    /// `[application_credential] user_limit`; none without a limit.
    pub application_credential_limit: Option<u32>,
    /// `[oauth2] oauth2_authn_methods`
    pub oauth2_methods: Vec<String>,
    /// `[security_compliance] allow_insecure_application_credential_trust_escalation`
    pub application_credentials_manage_trusts: bool,
    /// `[trust] max_redelegation_count`
    pub max_redelegation_count: i64,
    /// `[identity] default_domain_id`
    pub default_domain_id: String,
    /// `[oauth2] oauth2_cert_dn_mapping_id`
    pub oauth2_mapping: String,
    /// `[tokenless_auth]`
    pub tokenless: TokenlessSettings,
    /// `[federation]`
    pub federation: FederationSettings,
    /// `[saml]`
    pub saml: Box<idp::Settings>,
    /// `[saml_sp]` and `[saml_idp:<id>]`, where they are configured
    pub saml_sp: Option<Box<ServiceProviderSettings>>,
    /// `[security_compliance] report_invalid_password_hash`: how wrong passwords are announced, where they are.
    pub partial_hash: Option<Box<PartialHash>>,
}

/// The domain in which `external` looks for a user: `[auth] external`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternalDomain {
    /// `DefaultDomain`: `[identity] default_domain_id`.
    Default,
    /// `Domain`: the one in `REMOTE_DOMAIN`, else the same.
    Remote,
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
            request_token_duration: Duration::hours(8),
            access_token_duration: Duration::days(1),
            admin_project: None,
            external: ExternalDomain::Default,
            additional_primary_methods: Vec::new(),
            delegated_admins_reach_ec2: false,
            totp_previous_windows: 1,
            signature_life: Duration::minutes(15),
            application_credential_limit: None,
            oauth2_methods: ["tls_client_auth", "client_secret_basic"]
                .map(str::to_owned)
                .into(),
            application_credentials_manage_trusts: false,
            max_redelegation_count: 3,
            default_domain_id: "default".to_owned(),
            oauth2_mapping: "oauth2_mapping".to_owned(),
            tokenless: TokenlessSettings::default(),
            federation: FederationSettings::default(),
            saml: Box::default(),
            saml_sp: None,
            partial_hash: None,
        }
    }
}
