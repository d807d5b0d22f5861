//! The operator's settings for HTTP.

use std::time::Duration;

use keystone_types::Secret;

use crate::{Cors, Health, ListLimits, TrustedProxy, WebSso};

/// Options of `[DEFAULT]`, `[oslo_middleware]` and `[eventlet_server]`'s successors, and what requests leave to the operator.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
pub struct Settings {
    /// `[DEFAULT] public_endpoint`
    pub public_endpoint: Option<String>,
    /// `[oslo_middleware] max_request_body_size`
    pub max_request_body_size: usize,
    /// How long the body of a request may take to arrive, all of it; no option of `keystone.conf`
    pub body_arrival: Duration,
    /// `[oslo_middleware] enable_proxy_headers_parsing`
    pub proxy_headers: bool,
    /// `[DEFAULT] list_limit`
    pub list_limit: Option<u32>,
    /// `list_limit` of other sections
    pub list_limits: ListLimits,
    /// `[DEFAULT] max_db_limit`, where the operator sets it
    pub max_db_limit: Option<u32>,
    /// `[DEFAULT] insecure_debug`
    pub insecure_debug: bool,
    /// `[DEFAULT] admin_token`
    pub admin_token: Option<Secret>,
    /// `[identity] default_domain_id`
    pub default_domain_id: String,
    /// `[federation] attribute_mapping_default_schema_version`
    pub mapping_schema_version: String,
    /// `[saml] relay_state_prefix`, for service providers that name none
    pub relay_state_prefix: String,
    /// `[identity] domain_specific_drivers_enabled`
    pub domain_specific_drivers: bool,
    /// `[cors]`
    pub cors: Cors,
    /// `[token] revoke_by_id`
    pub revoke_by_id: bool,
    /// `[healthcheck]`
    pub health: Health,
    /// `[trusted_proxy]`, which Keystone does not have
    pub trusted_proxy: Option<TrustedProxy>,
    /// `[federation]`, for logins in a browser
    pub websso: WebSso,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_endpoint: None,
            max_request_body_size: 114_688,
            body_arrival: Duration::from_mins(1),
            proxy_headers: false,
            list_limit: None,
            list_limits: ListLimits::default(),
            max_db_limit: None,
            insecure_debug: false,
            admin_token: None,
            default_domain_id: "default".to_owned(),
            mapping_schema_version: "1.0".to_owned(),
            relay_state_prefix: "ss:mem:".to_owned(),
            domain_specific_drivers: false,
            cors: Cors::default(),
            revoke_by_id: true,
            health: Health::default(),
            trusted_proxy: None,
            websso: WebSso::default(),
        }
    }
}
